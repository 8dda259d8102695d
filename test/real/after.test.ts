/** Jobs that wait for others, with the real program: chains, failures, circles, retries; and cancelling in the inbox. */
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { jobmgr, makeRoot, type Running, type TestRoot, waitUntil } from "../harness.ts";

/** A job that writes its name into the ledger and waits for others. */
function dropAfter(
  root: TestRoot,
  name: string,
  after: readonly string[],
  script = "",
  more: Record<string, string> = {},
) {
  const ledger = `echo '${name}' >> '${root.ledger}'\n`;
  root.drop(name, { "job.sh": ledger + script, "job_after.txt": after.map((line) => `${line}\n`).join(""), ...more });
}

/** A job that goes on until a file named `go` is in its folder. */
const UNTIL_GO = "while [ ! -e go ]; do sleep 0.02; done";
const go = (root: TestRoot, name: string) => writeFileSync(join(root.path, "pending", name, "go"), "");
const runs = (root: TestRoot, name: string) =>
  waitUntil(`${name} runs`, () => root.runs().includes(name) && root.exists(`pending/${name}`));
interface Word {
  readonly problems: Readonly<Record<string, string>>;
  readonly reasons: Readonly<Record<string, string>>;
}

const word = (root: TestRoot): Word =>
  root.exists(".jobmgr/manager.json") ? JSON.parse(root.read(".jobmgr/manager.json")) : { problems: {}, reasons: {} };
const waitsWith = (root: TestRoot, name: string, why: RegExp) =>
  waitUntil(`${name} waits with ${why}`, () => why.test(word(root).reasons[name] ?? ""));

/** A whole check later, nothing has moved. */
async function aCheckLater(root: TestRoot): Promise<void> {
  const at = () => JSON.parse(root.read(".jobmgr/manager.json")).at;
  const before = at();
  await waitUntil("a check", () => at() !== before);
  const next = at();
  await waitUntil("another check", () => at() !== next);
}

describe("jobs that run after others", () => {
  it("a chain and a diamond run in their order, dropped in any, with places to spare", async () => {
    const root = await makeRoot();
    dropAfter(root, "a-last", ["left", "right"]);
    dropAfter(root, "left", ["first"]);
    dropAfter(root, "right", ["first", "# and not before", ""]);
    dropAfter(root, "b-chain", ["a-last"]);
    const manager = root.manage(["-M", "8"]);
    await waitsWith(root, "left", /^waits for "first" \(there is no job of this name yet/);
    root.dropLedger("first", "sleep 0.2");
    await root.completed("b-chain");
    const order = root.runs();
    expect(order[0]).toBe("first");
    expect(order.slice(1, 3).sort()).toEqual(["left", "right"]);
    expect(order.slice(3)).toEqual(["a-last", "b-chain"]);
    await manager.stop();
    expect(manager.stderr()).toBe("");
  });

  it("one that waits takes no place from those behind it, and says for what it waits, and how that stands", async () => {
    const root = await makeRoot();
    root.manage(["-M", "1"]);
    root.dropLedger("b", UNTIL_GO);
    await runs(root, "b");
    root.dropLedger("c", UNTIL_GO);
    dropAfter(root, "a", ["b", "any c"]);
    await waitsWith(root, "a", /^waits for "b" \(running\), "c" \(waiting\)$/);
    const status = JSON.parse((await jobmgr(["--root", root.path, "status", "--json"])).stdout);
    expect(status.jobs).toContainEqual(
      expect.objectContaining({ name: "a", state: "waiting", why: 'waits for "b" (running), "c" (waiting)' }),
    );
    go(root, "b");
    await runs(root, "c");
    await waitsWith(root, "a", /^waits for "c" \(running\)$/);
    expect(root.runs()).toEqual(["b", "c"]);
    go(root, "c");
    await root.completed("a");
    expect(root.runs()).toEqual(["b", "c", "a"]);
  });

  it("it follows at once, not at the next check", async () => {
    const root = await makeRoot();
    dropAfter(root, "a3", ["a2"]);
    dropAfter(root, "a2", ["b1"]);
    root.dropLedger("b1");
    // Who is passed over at a check would otherwise wait for the next one, an hour later.
    root.manage(["-p", "3600"]);
    await root.completed("b1", "a2", "a3");
    expect(root.runs()).toEqual(["b1", "a2", "a3"]);
  });

  it("names with spaces, of other alphabets, and such that look like words of the file", async () => {
    const root = await makeRoot();
    for (const name of ["my job", "größe 計算", "any b", "#1"]) root.dropLedger(name);
    dropAfter(root, "a", ["  my job\t\r", "größe 計算", "./any b", "any ./#1"]);
    root.manage();
    await root.completed("a");
    expect(root.runs().at(-1)).toBe("a");
    expect(root.runs()).toHaveLength(5);
  });

  it("with any, it runs however the other one ended; refused ones are an end, too", async () => {
    const root = await makeRoot();
    dropAfter(root, "cleanup", ["any work", "any report"]);
    dropAfter(root, "report", ["work"]);
    root.dropLedger("work", "exit 3");
    root.manage();
    await root.completed("cleanup");
    expect(root.runs()).toEqual(["work", "cleanup"]);
    expect(root.status("cleanup").state).toBe("succeeded");
    expect(root.status("report").state).toBe("refused");
  });
});

describe("a job that failed", () => {
  it("refuses all that were to run after it, at once, while the root is paused and no place is free", async () => {
    const root = await makeRoot();
    root.manage(["-M", "2", "-p", "0.1"]);
    root.dropLedger("first", `${UNTIL_GO}; exit 3`);
    root.dropLedger("long", UNTIL_GO);
    await runs(root, "first");
    await runs(root, "long");
    root.dropLedger("other");
    dropAfter(root, "second", ["first"]);
    dropAfter(root, "third", ["second"]);
    dropAfter(root, "fourth", ["long", "third"]);
    await waitsWith(root, "fourth", /^waits for "long" \(running\), "third" \(waiting\)/);
    writeFileSync(join(root.path, "pause"), "");
    await aCheckLater(root);
    go(root, "first");
    await root.completed("second", "third", "fourth");
    expect(root.exists("pending/long")).toBe(true);
    expect(root.names("inbox")).toEqual(["other"]);
    expect(root.runs().sort()).toEqual(["first", "long"]);
    const because = 'because "first" failed: Exit code 3.';
    expect(root.paragraphsOf("second")).toMatch(
      /^second: refused\. It was to run after "first", which failed: Exit code 3\.\n/,
    );
    expect(root.paragraphsOf("third")).toContain(`It was to run after "second", which was refused, ${because}`);
    expect(root.paragraphsOf("fourth")).toContain(`It was to run after "third", which was refused, ${because}`);
    expect(root.paragraphsOf("fourth")).toMatch(
      /When "first" is mended, and moved back to inbox\/ itself: move this folder/,
    );
    expect(root.status("fourth")).toMatchObject({ state: "refused" });
    go(root, "long");
    await root.completed("long");
  });

  it("counts once: those that are refused on its account are no failures of their own", async () => {
    const root = await makeRoot();
    root.dropLedger("first", "exit 3");
    for (const name of ["a", "b", "c"]) dropAfter(root, name, ["first"]);
    const manager = root.manage(["-x", "2"]);
    await root.completed("a", "b", "c");
    root.dropLedger("next");
    await root.completed("next");
    expect(manager.process.exitCode).toBeNull();
  });

  it("`retry` of all of them brings the one that failed back first, while a manager watches", async () => {
    const root = await makeRoot();
    root.dropLedger("z-first", "[ -e mended ] || exit 3");
    dropAfter(root, "b-second", ["z-first"]);
    dropAfter(root, "a-third", ["b-second"]);
    root.manage();
    await root.completed("z-first", "b-second", "a-third");
    writeFileSync(join(root.path, "complete/z-first/mended"), "");
    const { code, stdout } = await jobmgr(["--root", root.path, "retry", "*"]);
    expect({ code, moved: stdout.match(/(?<=moved )\S+/g) }).toEqual({
      code: 0,
      moved: ["z-first", "b-second", "a-third"],
    });
    await root.completed("z-first", "b-second", "a-third");
    for (const name of ["z-first", "b-second", "a-third"]) expect(root.status(name).state).toBe("succeeded");
    expect(root.runs()).toEqual(["z-first", "z-first", "b-second", "a-third"]);
  });

  it("when all are moved back to the inbox, they run after it as before", async () => {
    const root = await makeRoot();
    root.dropLedger("first", "[ -e mended ] || exit 3");
    dropAfter(root, "second", ["first"]);
    dropAfter(root, "third", ["second"]);
    const manager = root.manage();
    await root.completed("first", "second", "third");
    await manager.stop();
    writeFileSync(join(root.path, "complete/first/mended"), "");
    for (const name of root.names("complete"))
      renameSync(join(root.path, "complete", name), join(root.path, "inbox", name));
    root.manage();
    await root.completed("first", "second", "third");
    expect(root.runs()).toEqual(["first", "first", "second", "third"]);
    expect(root.status("third").state).toBe("succeeded");
    expect(root.exists("complete/third/job_error.txt")).toBe(false);
  });

  it("a folder that is still being written, or is held, is not refused before its time", async () => {
    const root = await makeRoot();
    root.dropLedger("first", "exit 3");
    dropAfter(root, "held", ["first"], "", { job_hold: "" });
    dropAfter(root, "partial", ["first"], "", { "data.part": "" });
    root.drop("empty", { "job_after.txt": "first\n" });
    root.manage();
    await root.completed("first");
    await aCheckLater(root);
    expect(root.names("inbox")).toEqual(["empty", "held", "partial"]);
    expect(word(root).reasons.held).toContain("it is held");
    rmSync(join(root.path, "inbox/held/job_hold"));
    rmSync(join(root.path, "inbox/partial/data.part"));
    await root.completed("held", "partial");
    expect(root.status("held").state).toBe("refused");
    expect(root.runs()).toEqual(["first"]);
  });
});

describe("a job that is not there, or there twice", () => {
  it("is waited for, and names like it are told", async () => {
    const root = await makeRoot();
    root.dropLedger("prepare-data");
    dropAfter(root, "a", ["prepare-dta"]);
    root.manage();
    await waitsWith(root, "a", /"prepare-dta" \(there is no job of this name yet; nearest names: "prepare-data"\)/);
    root.dropLedger("prepare-dta");
    await root.completed("a");
    expect(root.runs()).toEqual(["prepare-data", "prepare-dta", "a"]);
  });

  it("was moved to complete by hand: nobody can tell how it ended, and that is said", async () => {
    const root = await makeRoot();
    mkdirSync(join(root.path, "complete/old"));
    dropAfter(root, "a", ["any old"]);
    root.manage();
    await waitsWith(root, "a", /complete\/old has no record of how it ended/);
    expect(root.runs()).toEqual([]);
  });

  it("the newest of its name counts: a success is forgotten for a later failure, and a failure for a later success", async () => {
    const root = await makeRoot();
    root.manage();
    for (const [i, code] of [0, 3].entries()) {
      root.drop("first", `exit ${code}\n`);
      await root.completed(i === 0 ? "first" : "first~2");
    }
    dropAfter(root, "a", ["first"]);
    await root.completed("a");
    expect(root.status("a").state).toBe("refused");
    root.drop("first", "exit 0\n");
    await root.completed("first~3");
    dropAfter(root, "b", ["first"]);
    await root.completed("b");
    expect(root.status("b").state).toBe("succeeded");
  });

  it("runs again: whoever was to run after it waits again", async () => {
    const root = await makeRoot();
    const manager = root.manage();
    root.dropLedger("first", "[ ! -e again ] || while [ ! -e go ]; do sleep 0.02; done");
    await root.completed("first");
    await manager.stop();
    writeFileSync(join(root.path, "complete/first/again"), "");
    dropAfter(root, "a", ["first"]);
    renameSync(join(root.path, "complete/first"), join(root.path, "inbox/first"));
    root.manage();
    await waitsWith(root, "a", /"first" \(running\)/);
    // It is told of as running from its runner's claim on, which comes before its first line.
    await waitUntil("its first line has run", () => root.runs().length > 1);
    expect(root.runs()).toEqual(["first", "first"]);
    go(root, "first");
    await root.completed("a");
  });

  it("is run again by rule: its first failure refuses nobody, its last one does", async () => {
    const root = await makeRoot();
    const retry = { "job_retry.txt": "times 1\non 3\npause 0\n" };
    root.drop("mends", { "job.sh": `echo mends >> '${root.ledger}'; [ -e x ] || { touch x; exit 3; }\n`, ...retry });
    root.drop("fails", { "job.sh": `echo fails >> '${root.ledger}'; exit 3\n`, ...retry });
    dropAfter(root, "a", ["mends"]);
    dropAfter(root, "b", ["fails"]);
    root.manage();
    await root.completed("a", "b");
    expect(root.runs().sort()).toEqual(["a", "fails", "fails", "mends", "mends"]);
    expect(root.runs().at(-1)).toBe("a");
    expect(root.status("b").state).toBe("refused");
  });

  it("job_after.txt that is a link is not followed, and nothing is run as if it had none", async () => {
    const root = await makeRoot();
    const staged = join(root.path, "inbox/.a");
    mkdirSync(staged);
    writeFileSync(join(staged, "job.sh"), `echo a >> '${root.ledger}'\n`);
    symlinkSync("/dev/null", join(staged, "job_after.txt"));
    renameSync(staged, join(root.path, "inbox/a"));
    root.manage();
    await waitsWith(root, "a", /job_after\.txt is a link; links are not followed/);
    await aCheckLater(root);
    expect(root.runs()).toEqual([]);
    rmSync(join(root.path, "inbox/a/job_after.txt"));
    await root.completed("a");
  });
});

describe("circles", () => {
  it("are reported once, take nobody else's place, and are mended by changing one file", async () => {
    const root = await makeRoot();
    dropAfter(root, "a", ["b"]);
    dropAfter(root, "b", ["c"]);
    dropAfter(root, "c", ["a"]);
    dropAfter(root, "me", ["me"]);
    dropAfter(root, "outside", ["a"]);
    root.dropLedger("free");
    const manager = root.manage();
    await root.completed("free");
    await waitsWith(root, "b", /^"a" after "b" after "c" after "a": these 3 jobs can never start/);
    await waitsWith(root, "me", /^"me" after "me": it can never start/);
    await waitsWith(root, "outside", /^waits for "a" \(waiting\)$/);
    await aCheckLater(root);
    const said = manager.stderr().match(/"a" after "b"/g);
    expect(said).toHaveLength(1);
    const status = await jobmgr(["--root", root.path, "status"]);
    expect(status.stdout).toMatch(/^! "a" after "b" after "c" after "a": these 3 jobs can never start/m);
    writeFileSync(join(root.path, "inbox/c/job_after.txt"), "free\n");
    rmSync(join(root.path, "inbox/me/job_after.txt"));
    await root.completed("a", "b", "c", "me", "outside");
    expect(root.runs().filter((name) => "abc".includes(name))).toEqual(["c", "b", "a"]);
    await waitUntil("it is no problem any more", () => Object.keys(word(root).problems).length === 0);
  });
});

describe("job_cancel in the inbox", () => {
  it("cancels what waits, whatever it waits for, with its text as the reason", async () => {
    const root = await makeRoot();
    root.dropLedger("long", UNTIL_GO);
    root.manage(["-M", "1", "--settle", "3600", "--ready-file", "ready"]);
    writeFileSync(join(root.path, "inbox/long/ready"), "");
    await runs(root, "long");
    writeFileSync(join(root.path, "pause"), "");
    dropAfter(root, "after", ["nobody"], "", { job_cancel: "no more needed\n" });
    root.drop("held", { "job.sh": "true\n", job_hold: "", job_cancel: "" });
    root.drop("unready", { "job.sh": "true\n", "data.part": "", job_cancel: "" });
    root.drop("without", { data: "my data", job_cancel: "wrong data" });
    root.drop("circle", { "job.sh": "true\n", "job_after.txt": "circle\n", job_cancel: "" });
    root.dropLedger("queued");
    await aCheckLater(root);
    writeFileSync(join(root.path, "inbox/queued/job_cancel"), "changed my mind");
    await root.completed("after", "held", "unready", "without", "circle", "queued");
    expect(root.runs()).toEqual(["long"]);
    expect(root.paragraphsOf("after")).toMatch(
      /^after: cancelled\. It was cancelled before it was submitted: no more needed\n/,
    );
    expect(root.paragraphsOf("held")).toContain("somebody put a file job_cancel into its folder");
    expect(root.read("complete/without/data")).toBe("my data");
    for (const name of ["after", "held", "unready", "without", "circle", "queued"]) {
      expect(root.status(name)).toMatchObject({ state: "cancelled", name });
      expect(existsSync(join(root.path, "complete", name, "job_cancel"))).toBe(false);
    }
    go(root, "long");
    await root.completed("long");
  });

  it("one that came back runs as if it had never been cancelled; those after it were refused", async () => {
    const root = await makeRoot();
    root.drop("first", { "job.sh": `echo first >> '${root.ledger}'\n`, job_cancel: "not now" });
    dropAfter(root, "second", ["first"]);
    const manager = root.manage();
    await root.completed("first", "second");
    expect(root.paragraphsOf("second")).toContain('to run after "first", which was cancelled: It was cancelled before');
    await manager.stop();
    for (const name of ["second", "first"])
      renameSync(join(root.path, "complete", name), join(root.path, "inbox", name));
    root.manage();
    await root.completed("first", "second");
    expect(root.runs()).toEqual(["first", "second"]);
  });

  it("a stray file or link in the inbox is left where it is", async () => {
    const root = await makeRoot();
    writeFileSync(join(root.path, "inbox/file"), "");
    mkdirSync(join(root.path, "..", "elsewhere"));
    writeFileSync(join(root.path, "..", "elsewhere", "job_cancel"), "");
    symlinkSync(join(root.path, "..", "elsewhere"), join(root.path, "inbox/link"));
    root.manage();
    await waitsWith(root, "link", /it is a link/);
    await aCheckLater(root);
    expect(root.names("inbox")).toEqual(["file", "link"]);
    expect(existsSync(join(root.path, "..", "elsewhere", "job_cancel"))).toBe(true);
  });
});

describe("one pass, and many", () => {
  it("--once refuses a whole chain, and runs what may run", async () => {
    const root = await makeRoot();
    const once = async (): Promise<Running> => {
      const running = root.manage(["--once"]);
      expect(await running.ended).toBe(0);
      return running;
    };
    root.dropLedger("first", "exit 3");
    await once();
    for (let i = 9; i > 0; i--) dropAfter(root, `chain-${i}`, [i === 1 ? "first" : `chain-${i - 1}`]);
    while (!root.exists("complete/first")) await once();
    await once();
    await root.completed(...Array.from({ length: 9 }, (_, i) => `chain-${i + 1}`));
    expect(root.runs()).toEqual(["first"]);
  });
});
