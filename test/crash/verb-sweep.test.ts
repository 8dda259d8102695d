/**
 * Verbs of the real program, killed at one effect of each kind. Afterwards nothing half done is to be seen and nothing
 * is lost; the same call once more completes it; and what is to run, runs once.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FAST, jobmgr, makeRoot, PROGRAM, type TestRoot, waitUntil } from "../harness.ts";
import { type Call, callsIn, type Injection, startTraced, straceFault, wasKilled } from "./strace.ts";

/** What the program does itself, and what a thread of its own does for it. */
const CALLS = [
  ...["rename", "link", "symlink", "mkdir", "rmdir", "unlink", "openat", "write"],
  ...["utimensat", "fchmod", "chmod"],
];
const SYNCS = ["fsync"];

/** Other threads make calls of the same name now and then, so that a count may hit a neighbour. */
const SHIFTS = [0, 0, 1, -1, 2, -2];

/** Of the kinds of effects, so many may be missed in spite of that. */
const MISSED_SHARE_MAX = 0.2;

/** A verb, on one job of its own for each trial. */
interface Swept {
  readonly verb: string;
  /** Enough for all kinds of its effects. */
  readonly jobs: number;
  /** So many trials at a time; undefined: two. */
  readonly lanes?: number;
  /** Of the kinds of its effects only each so-manyeth; undefined: all. */
  readonly every?: number;
  /** The jobs have run, and failed, before. */
  readonly hasRun?: true;
  /** The arguments for the job of this name. */
  args(root: TestRoot, name: string): string[];
  /** Makes the job. */
  prepare(root: TestRoot, name: string): Promise<void> | void;
  /** What is wrong after the kill: something half done, or lost. Returns whether all is done. */
  isDone(root: TestRoot, name: string, faults: string[]): boolean;
  /** How often the job has run in the end, and what its state is there; undefined: it is gone. */
  readonly end: { readonly runs: number; readonly state: string } | undefined;
  /** What is to be done before a manager takes over. */
  readonly atLast?: (root: TestRoot) => Promise<void>;
}

const JOB_NAME = /^job\d\d$/;

function ledgerScript(root: TestRoot, name: string, code = 0): string {
  return `echo '${name}' >> '${root.ledger}'\nexit ${code}\n`;
}

/** A job that has failed, by hand: it looks like one that ran before. */
async function failed(root: TestRoot, names: readonly string[]): Promise<void> {
  for (const name of names) root.drop(name, { "job.sh": ledgerScript(root, name, 3), "deep/data": "1234" });
  const manager = root.manage(["-M", "8"]);
  await root.completed(...names);
  await manager.stop();
}

function placesOf(root: TestRoot, name: string): string[] {
  return ["inbox", "pending", "complete"].filter((place) => root.exists(`${place}/${name}`));
}

function checkWhole(root: TestRoot, folder: string, faults: string[]): void {
  for (const file of ["job.sh", "deep/data"])
    if (!root.exists(`${folder}/${file}`) || root.read(`${folder}/${file}`).length < 4)
      faults.push(`${folder}/${file} is not whole`);
}

const SUBMIT: Swept = {
  verb: "submit",
  jobs: 70,
  args: (root, name) => [join(root.path, "mine", name)],
  prepare(root, name) {
    mkdirSync(join(root.path, "mine", name, "deep"), { recursive: true });
    writeFileSync(join(root.path, "mine", name, "job.sh"), ledgerScript(root, name));
    writeFileSync(join(root.path, "mine", name, "deep", "data"), "1234");
  },
  isDone(root, name, faults) {
    checkWhole(root, `mine/${name}`, faults);
    const others = root.names("inbox").filter((one) => !JOB_NAME.test(one));
    if (others.length > 0) faults.push(`${others} is to be seen in the inbox`);
    if (!root.exists(`inbox/${name}`)) return false;
    checkWhole(root, `inbox/${name}`, faults);
    return true;
  },
  end: { runs: 1, state: "succeeded" },
};

const RETRY: Swept = {
  verb: "retry",
  jobs: 40,
  hasRun: true,
  args: (_, name) => [name],
  prepare() {},
  isDone(root, name, faults) {
    const [place, ...others] = placesOf(root, name);
    if (place === undefined || others.length > 0) faults.push(`${name} is in ${[place, ...others]}`);
    else checkWhole(root, `${place}/${name}`, faults);
    return place === "inbox";
  },
  end: { runs: 2, state: "failed" },
};

const REMOVE: Swept = {
  verb: "remove",
  jobs: 80,
  hasRun: true,
  args: (_, name) => ["--yes", name],
  prepare() {},
  isDone(root, name, faults) {
    if (!root.exists(`complete/${name}`)) return true;
    checkWhole(root, `complete/${name}`, faults);
    return false;
  },
  end: undefined,
};

const CANCEL: Swept = {
  verb: "cancel",
  jobs: 40,
  args: (_, name) => [name, "--reason", "no use"],
  prepare(root, name) {
    root.drop(name, { "job.sh": ledgerScript(root, name), "deep/data": "1234" });
    renameSync(join(root.path, "inbox", name), join(root.path, "pending", name));
    mkdirSync(join(root.path, "pending", name, ".jobmgr"));
  },
  isDone(root, name, faults) {
    checkWhole(root, `pending/${name}`, faults);
    const path = `pending/${name}/job_cancel`;
    if (root.exists(path) && root.read(path) !== "no use\n") faults.push(`${path} is ${root.read(path)}`);
    return root.exists(path);
  },
  end: { runs: 0, state: "cancelled" },
};

const HOLD: Swept = {
  verb: "hold",
  jobs: 40,
  args: (_, name) => [name],
  prepare(root, name) {
    root.drop(name, { "job.sh": ledgerScript(root, name), "deep/data": "1234" });
  },
  isDone(root, name, faults) {
    checkWhole(root, `inbox/${name}`, faults);
    return root.exists(`inbox/${name}/job_hold`);
  },
  atLast: async (root) => {
    expect(root.runs()).toEqual([]);
    expect((await jobmgr(["--root", root.path, "release", "*"])).code).toBe(0);
  },
  end: { runs: 1, state: "succeeded" },
};

const RELEASE: Swept = {
  verb: "release",
  jobs: 20,
  args: (_, name) => [name],
  prepare(root, name) {
    root.drop(name, { "job.sh": ledgerScript(root, name), "deep/data": "1234", job_hold: "" });
  },
  isDone(root, name, faults) {
    checkWhole(root, `inbox/${name}`, faults);
    return !root.exists(`inbox/${name}/job_hold`);
  },
  end: { runs: 1, state: "succeeded" },
};

/** A job of each trial is old; all others are of today. */
const CLEAN: Swept = {
  verb: "clean",
  jobs: 30,
  hasRun: true,
  // It takes whatever is old.
  lanes: 1,
  // What it does to a job is what remove does.
  every: 4,
  args: () => ["--older-than", "30d", "--yes"],
  prepare(root, name) {
    const own = join(root.path, "complete", name, ".jobmgr");
    const attempt = readdirSync(own).find((one) => one.startsWith("attempt-")) ?? "";
    const path = join(own, attempt, "outcome");
    writeFileSync(path, readFileSync(path, "utf8").replaceAll(/"20\d\d-/g, '"2001-'));
  },
  isDone: REMOVE.isDone,
  end: undefined,
};

/** Each trial has a pause file of its own, and a job that waits. */
const PAUSE: Swept = {
  verb: "pause",
  jobs: 30,
  args: (root, name) => ["--pause-file", pauseFile(root, name)],
  prepare(root, name) {
    root.drop(name, { "job.sh": ledgerScript(root, name), "deep/data": "1234" });
  },
  isDone(root, name, faults) {
    checkWhole(root, `inbox/${name}`, faults);
    const path = pauseFile(root, name);
    if (existsSync(path) && !/^Paused by .*\n$/.test(readFileSync(path, "utf8"))) faults.push(`${path} is not whole`);
    return existsSync(path);
  },
  atLast: async (root) => {
    expect(
      (await jobmgr(["--root", root.path, ...FAST, "--once", "--pause-file", pauseFile(root, "job00")])).code,
    ).toBe(0);
    expect(root.runs()).toEqual([]);
  },
  end: { runs: 1, state: "succeeded" },
};

const RESUME: Swept = {
  verb: "resume",
  jobs: 20,
  args: PAUSE.args,
  async prepare(root, name) {
    await PAUSE.prepare(root, name);
    writeFileSync(pauseFile(root, name), "Paused by hand.\n");
  },
  isDone(root, name, faults) {
    checkWhole(root, `inbox/${name}`, faults);
    return !existsSync(pauseFile(root, name));
  },
  end: { runs: 1, state: "succeeded" },
};

function pauseFile(root: TestRoot, name: string): string {
  return join(root.path, `${name}.pause`);
}

/** One call of a verb under strace. */
async function traced(root: TestRoot, swept: Swept, name: string, names: readonly string[], injection?: Injection) {
  const log = `${root.ledger}-${name}.strace`;
  const command = [process.execPath, PROGRAM, "--root", root.path, swept.verb, ...swept.args(root, name)];
  const running = startTraced(command, { log, calls: names, ...(injection && { injection }) });
  const code = await running.ended;
  const calls = callsIn(log, root.path);
  return {
    code,
    calls,
    killedAt: wasKilled(log) ? calls.at(-1) : undefined,
    said: running.stdout() + running.stderr(),
  };
}

/** The kind of an effect, whichever job it is. */
function kindOf(call: Call | undefined): string | undefined {
  return call?.about.replaceAll(/job\d\d/g, "JOB").replaceAll(/\d+_[^_/ ]+_[0-9a-f]{8}_[^/ ]+/g, "STAGED");
}

/** Jobs for trials, each for one. */
class Supply {
  readonly used: string[] = [];
  readonly #free: string[];

  constructor(names: readonly string[]) {
    this.#free = [...names];
  }

  next(): string {
    const name = this.#free.shift();
    if (name === undefined) throw new Error("there are not enough jobs for all trials");
    this.used.push(name);
    return name;
  }
}

/** One effect of each kind that a call has which nobody disturbs. */
async function effectsOf(root: TestRoot, swept: Swept, supply: Supply): Promise<Call[]> {
  const kinds = new Map<string | undefined, Call>();
  for (const names of [CALLS, SYNCS]) {
    const name = supply.next();
    await swept.prepare(root, name);
    const { code, calls, said } = await traced(root, swept, name, names);
    const faults: string[] = [];
    if (code !== 0 || !swept.isDone(root, name, faults)) throw new Error(`it fails in peace: ${said} ${faults}`);
    for (const call of calls.filter(({ isEffect }) => isEffect)) kinds.set(kindOf(call), call);
  }
  return [...kinds.values()];
}

/** Kills the verb at an effect, and calls it again. Adds what was wrong to the faults. Returns whether it was this effect. */
async function trial(root: TestRoot, swept: Swept, supply: Supply, point: Call, faults: string[]): Promise<boolean> {
  for (const shift of SHIFTS) {
    const name = supply.next();
    await swept.prepare(root, name);
    const injection = { call: point.name, when: String(Math.max(1, point.n + shift)), what: "signal=KILL" } as const;
    const { killedAt } = await traced(root, swept, name, [point.name], injection);
    const own: string[] = [];
    if (!swept.isDone(root, name, own)) {
      const { code, stderr } = await jobmgr(["--root", root.path, swept.verb, ...swept.args(root, name)]);
      if (code !== 0 || !swept.isDone(root, name, own)) own.push(`a second call ends with ${code}: ${stderr}`);
    }
    faults.push(...own.map((fault) => `killed at ${killedAt?.about}: ${fault}`));
    if (kindOf(killedAt) === kindOf(point)) return true;
  }
  return false;
}

async function sweep(root: TestRoot, swept: Swept): Promise<number> {
  const names = Array.from({ length: swept.jobs }, (_, i) => `job${String(i).padStart(2, "0")}`);
  if (swept.hasRun) await failed(root, names);
  const supply = new Supply(names);
  const points = (await effectsOf(root, swept, supply)).filter((_, i) => i % (swept.every ?? 1) === 0);
  const work = [...points];
  const faults: string[] = [];
  const missed: string[] = [];
  const next = async () => {
    for (let point = work.shift(); point; point = work.shift())
      if (!(await trial(root, swept, supply, point, faults))) missed.push(point.about);
  };
  await Promise.all(Array.from({ length: swept.lanes ?? 2 }, next));
  expect(faults).toEqual([]);
  expect(missed.length, `missed: ${missed}`).toBeLessThanOrEqual(Math.ceil(points.length * MISSED_SHARE_MAX));
  await swept.atLast?.(root);
  await jobmgr(["--root", root.path, "clean", "--older-than", "30d", "--yes"]);
  await checkEnd(root, swept, supply.used);
  return points.length - missed.length;
}

/** Lets a manager do what is left, and looks at what came of each job. */
async function checkEnd(root: TestRoot, { end }: Swept, names: readonly string[]): Promise<void> {
  const removing = join(root.path, ".jobmgr/removing");
  expect(existsSync(removing) ? readdirSync(removing) : []).toEqual([]);
  if (end) {
    const manager = root.manage(["-M", "8"]);
    await waitUntil("all have ended", () =>
      names.every((name) => root.exists(`complete/${name}/job_status.json`) && placesOf(root, name).length === 1),
    );
    await manager.stop();
  }
  const runs = names.map((name) => root.runs().filter((one) => one === name).length);
  expect(runs).toEqual(names.map(() => end?.runs ?? 1));
  for (const name of names) {
    if (end) expect(root.status(name)).toMatchObject({ state: end.state });
    else expect(placesOf(root, name)).toEqual([]);
  }
  expect(root.names("inbox")).toEqual([]);
}

/** Verbs that only look, for as long as a job lasts, and end as it does. */
const READERS = [
  { verb: "wait", words: ["job"] },
  { verb: "logs", words: ["-f", "--exit-code", "job"] },
];

/** All that lies in a root, with what changes when it is touched. */
function stateOf(root: TestRoot): string {
  return execFileSync("find", [root.path, "-printf", "%P %i %s %m %C@\n"], { encoding: "utf8" });
}

const fault = straceFault();

describe.skipIf(fault !== "" && process.env.CI !== "true")(
  "killed at an effect of each kind",
  { timeout: 240_000 },
  () => {
    it.each([SUBMIT, RETRY, REMOVE, CLEAN, CANCEL, HOLD, RELEASE, PAUSE, RESUME])(
      "$verb leaves nothing half done, and can be called again",
      async (swept) => {
        expect(fault).toBe("");
        const root = await makeRoot();
        const points = await sweep(root, swept);
        expect(points).toBeGreaterThan(2);
        process.stdout.write(`${swept.verb} killed at ${points} kinds of effects\n`);
      },
    );

    it.each(READERS)(
      "$verb has no effect at which it could be killed, and leaves nothing behind",
      async ({ verb, words }) => {
        expect(fault).toBe("");
        const root = await makeRoot();
        root.dropLedger("job", "exit 3");
        const before = stateOf(root);
        const log = `${root.ledger}.strace`;
        const command = [process.execPath, PROGRAM, "--root", root.path, verb, ...words];
        const running = startTraced(command, { log, calls: [...CALLS, ...SYNCS] });
        await waitUntil("it says that nobody runs the job", () => running.stderr().length > 0);
        running.signal("SIGKILL");
        expect(await running.ended).toBe("SIGKILL");
        const effects = callsIn(log, root.path).filter(({ isEffect, about }) => isEffect && !/to stdout/.test(about));
        expect(effects.map(({ about }) => about)).toEqual([]);
        expect(stateOf(root)).toBe(before);
        const manager = root.manage();
        const { code } = await jobmgr(["--root", root.path, verb, ...words]);
        await manager.stop();
        expect(code).toBe(3);
        expect(root.runs()).toEqual(["job"]);
      },
    );
  },
);
