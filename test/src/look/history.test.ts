/** What is known of a job's attempts, read from its records: in order, with what is damaged named and nothing followed. */
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { realDisk } from "../../../src/disk.ts";
import { historyOf } from "../../../src/look/history.ts";
import { offsetOfLastLines, outputsOf } from "../../../src/look/output-files.ts";
import { at, FAILED, type PutAttempt, putJob, tokenOf } from "../../cli/put.ts";
import { makeFolder, makeRoot } from "../../harness.ts";

const read = async (...attempts: readonly PutAttempt[]) => {
  const root = await makeRoot();
  const folder = putJob(root, "complete", "a", attempts);
  return { folder, ...historyOf(realDisk, folder) };
};

it("tells each attempt's state, id, times and end", async () => {
  const { attempts } = await read(
    { past: true, submitted: 1, started: 2, ended: 3, exit: 3, outcome: FAILED },
    { planned: 4, submitted: 5, handle: "12;alpha", started: 6 },
  );
  expect(attempts).toMatchObject([
    { isInForce: false, state: "failed", id: "4711", exitCode: 3, endedAt: at(3), outcome: FAILED, faults: [] },
    {
      isInForce: true,
      state: "running",
      id: "12",
      toldId: "12;alpha",
      plannedAt: at(4),
      submittedAt: at(5),
      startedAt: at(6),
      host: "node7",
    },
  ]);
  expect(attempts[1]).not.toHaveProperty("endedAt");
});

it("has the attempts in the order of their turns, whatever the clocks said", async () => {
  const { folder } = await read({ past: true, outcome: FAILED }, { outcome: FAILED });
  symlinkSync(`attempt-${tokenOf(2)}`, join(folder, ".jobmgr/turn-1"));
  symlinkSync(`attempt-${tokenOf(1)}`, join(folder, ".jobmgr/turn-2"));
  expect(historyOf(realDisk, folder).attempts.map(({ token }) => token)).toEqual([tokenOf(2), tokenOf(1)]);
});

it("leaves out what never came to be", async () => {
  const { folder } = await read({ outcome: FAILED });
  mkdirSync(join(folder, `.jobmgr/past-${tokenOf(2)}`));
  expect(historyOf(realDisk, folder).attempts).toHaveLength(1);
});

it("names a damaged record, and tells the others", async () => {
  const { folder } = await read({ submitted: 1, outcome: FAILED });
  writeFileSync(join(folder, `.jobmgr/attempt-${tokenOf(1)}/handle`), "{");
  const [attempt] = historyOf(realDisk, folder).attempts;
  expect(attempt).toMatchObject({ state: "failed", faults: [expect.stringContaining("handle is damaged")] });
});

it("a plan of other types than ours is a fault of its own attempt alone", async () => {
  const { attempts } = await read({ past: true, plan: { tasks: "abc" }, submitted: 1 }, { outcome: FAILED });
  expect(attempts.map(({ state }) => state)).toEqual(["damaged", "failed"]);
});

it("follows no link: neither of the folder, nor of its .jobmgr, nor of an attempt", async () => {
  const { folder } = await read({ outcome: FAILED });
  const elsewhere = join(makeFolder(), "elsewhere");
  symlinkSync(folder, elsewhere);
  expect(historyOf(realDisk, elsewhere)).toEqual({ attempts: [], fault: "It is a link, and links are not followed." });
  const records = join(folder, ".jobmgr", `attempt-${tokenOf(1)}`);
  renameSync(records, `${elsewhere}-records`);
  symlinkSync(`${elsewhere}-records`, records);
  expect(historyOf(realDisk, folder)).toMatchObject({
    attempts: [],
    fault: expect.stringContaining("is not a folder"),
  });
  renameSync(join(folder, ".jobmgr"), join(folder, "aside"));
  symlinkSync("aside", join(folder, ".jobmgr"));
  expect(historyOf(realDisk, folder)).toMatchObject({
    attempts: [],
    fault: expect.stringContaining("is not a folder"),
  });
});

it("an array's outputs are those of its tasks, each once", async () => {
  const plan = { tasks: [1, 2], outputs: ["%j_%t.out", "all.txt"] };
  const { folder, attempts } = await read({ submitted: 1, plan });
  const [attempt] = attempts;
  const names = (task?: number) => attempt && outputsOf(realDisk, folder, attempt, task).files.map(({ name }) => name);
  expect(names()).toEqual(["4711_1.out", "all.txt", "4711_2.out"]);
  expect(names(2)).toEqual(["4711_2.out", "all.txt"]);
});

it.each<[string, number, string]>([
  ["a\nb\nc\n", 2, "b\nc\n"],
  ["a\nb\nc", 2, "b\nc"],
  ["a\nb\nc\n", 0, ""],
  ["a\nb\nc\n", 9, "a\nb\nc\n"],
  ["\n\n\n", 2, "\n\n"],
  ["", 3, ""],
  [`${"x".repeat(200_000)}\n${"y".repeat(100_000)}\nz\n`, 2, `${"y".repeat(100_000)}\nz\n`],
])("the last lines of a file %#", (text, lines, expected) => {
  const path = join(makeFolder(), "file");
  writeFileSync(path, text);
  expect(text.slice(offsetOfLastLines(realDisk, path, lines))).toBe(expected);
});
