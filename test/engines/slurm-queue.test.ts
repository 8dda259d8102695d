/** How squeue's and sacct's answers are read: a cut or garbled one is none, and no name can pass for a row. */
import { describe, expect, it } from "vitest";
import { folderIn, tokenIn } from "../../engines/batch/identity.ts";
import { baseId, parseAccounting, parseQueue, partOf, queueFormat, taskOf } from "../../engines/slurm/queue.ts";

const NONCE = "0123456789ab";
const TOKEN = "20261121T104219-91bbde48256d";
const FIELD = `\x1f${NONCE}`;
const END = `\x1e${NONCE}`;

function row(
  id: string,
  state: string,
  folder = "/r/pending/a",
  command = `${folder}/.jobmgr/attempt-${TOKEN}/run.sh`,
  cluster = "c",
) {
  return [id, state, "None", "0", "0", "1:00", "0:00", "0", "n1", "N/A", cluster, folder, command].join(FIELD) + END;
}

const HEADER = row("JOB_ARRAY_ID", "STATE", "WORK_DIR", "COMMAND");

describe("squeue's answer", () => {
  it("asks for each field at its full length", () => {
    expect(queueFormat(NONCE)).toContain(`JobArrayID:${FIELD},State:${FIELD}`);
    expect(queueFormat(NONCE).endsWith(`Command:${END}`)).toBe(true);
  });

  it("is read row by row", () => {
    const rows = parseQueue(`${HEADER}\n${row("1", "RUNNING")}\n${row("2_3", "PENDING")}\n`, NONCE);
    expect(rows?.map(({ shownId, state }) => [shownId, state])).toEqual([
      ["1", "RUNNING"],
      ["2_3", "PENDING"],
    ]);
  });

  it("may be empty", () => {
    expect(parseQueue(`${HEADER}\n`, NONCE)).toEqual([]);
    expect(parseQueue(`CLUSTER: one\n${HEADER}\nCLUSTER: two\n${HEADER}\n`, NONCE)).toEqual([]);
  });

  it("may name clusters", () => {
    const [one, two] = [row("1", "RUNNING"), row("2", "PENDING")];
    const rows = parseQueue(`CLUSTER: one\n${HEADER}\n${one}\n\nCLUSTER: two\n${HEADER}\n${two}\n`, NONCE);
    expect(rows?.map(({ shownId, cluster }) => [shownId, cluster])).toEqual([
      ["1", "c"],
      ["2", "c"],
    ]);
  });

  it.each([
    ["of nothing at all", ""],
    ["without a header", row("1", "RUNNING")],
    ["cut in a row", `${HEADER}${row("1", "RUNNING")}\n${row("2", "PENDING").slice(0, 40)}`],
    ["cut in a sign", HEADER + row("1", "RUNNING").slice(0, -3)],
    ["with a field too few", HEADER + row("1", "RUNNING").replace(`None${FIELD}`, "")],
    ["without an id", HEADER + row("", "RUNNING")],
    ["without a state", HEADER + row("1", "")],
    ["that is a message", "slurm_load_jobs error: Socket timed out\n"],
  ])("%s is not believed", (_, text) => {
    expect(parseQueue(text, NONCE)).toBeUndefined();
  });

  it("takes a folder of any name for no row", () => {
    const folder = `/r/pending/x\x1e\x1f\n9\x1fRUNNING\x1eCLUSTER: y\n`;
    const rows = parseQueue(HEADER + row("1", "RUNNING", folder), NONCE);
    expect(rows).toHaveLength(1);
    expect(rows?.[0]?.folder).toBe(folder);
    expect(folderIn(rows?.[0]?.command ?? "")).toBe(folder);
  });
});

describe("sacct's answer", () => {
  const SIGN = "\x1fabc\x1f";
  const line = (...values: string[]) => values.join(SIGN);

  it("is read row by row, names with newlines included", () => {
    const submit = `sbatch --parsable /r/pending/a\n12b/.jobmgr/attempt-${TOKEN}/run.sh`;
    const rows = parseAccounting(
      `${line("12", "CANCELLED by 0", "0:15", "1:00", "0:01", "", "n1", "c", "/r/pending/a\n12b", submit)}\n` +
        `${line("12.batch", "CANCELLED", "0:15", "", "0:01", "", "n1", "c", "", "")}\n`,
      SIGN,
    );
    expect(rows.map(({ shownId, state }) => [shownId, state])).toEqual([
      ["12", "CANCELLED by 0"],
      ["12.batch", "CANCELLED"],
    ]);
    expect(tokenIn(rows[0]?.submitLine ?? "")).toBe(TOKEN);
  });
});

describe("an id as it is shown", () => {
  it.each([
    ["12", "12", undefined, 0],
    ["12_3", "12", 3, 0],
    ["12_[4-9%2]", "12", undefined, 0],
    ["12_3.batch", "12", 3, 0],
    ["12+1", "12", undefined, 1],
    ["67043328", "67043328", undefined, 0],
  ])("%s", (shown, base, task, part) => {
    expect([baseId(shown), taskOf(shown), partOf(shown)]).toEqual([base, task, part]);
  });
});
