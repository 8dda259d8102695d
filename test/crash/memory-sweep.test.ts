/**
 * A crash at every effect: with the disk and the scheduler under the test's control, the manager's pass dies before
 * and after each of its effects, and again during the recovery. Every job must run exactly once and end as in the
 * calm run.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { realDisk } from "../../src/disk.ts";
import { Pass } from "../../src/pass/index.ts";
import { openRoot, type Root, setUpRoot } from "../../src/root.ts";
import { CrashClock, type CrashPlan, crashDisk, MEMORY } from "../fakes/crash-disk.ts";
import { MemoryEngine, MemoryScheduler } from "../fakes/memory-engine.ts";
import { memoryWorld } from "../fakes/world.ts";
import { CALM, checkAll, LIMITS, NO_BRAKES, workUntil } from "./calm.ts";

interface Job {
  readonly script: string;
  readonly state: string;
  /** How often job.sh is run: once for each attempt. */
  readonly runs: number;
  readonly retry?: string;
}

type Jobs = Readonly<Record<string, Job>>;

/** One that succeeds, one that fails, one that ran before. */
const JOBS: Jobs = {
  good: { script: "exit 0\n", state: "succeeded", runs: 1 },
  bad: { script: "exit 3\n", state: "failed", runs: 1 },
  again: { script: "exit 0\n", state: "succeeded", runs: 1 },
};

/** Ones that are run again by rule: until it succeeds, and as often as it may. */
const MENDED: Jobs = {
  mended: { script: "fails 1\n", state: "succeeded", runs: 2, retry: "times 5\non 9\npause 0\n" },
};
const HOPELESS: Jobs = {
  hopeless: { script: "exit 9\n", state: "failed", runs: 3, retry: "times 2\non failed\npause 0\n" },
};

let folder: string;
let count = 0;

beforeAll(() => {
  folder = mkdtempSync(join(MEMORY, "jobmgr-crash-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Of two engines; only the first one is used, unless managers of both take turns. They share one ledger. */
type Schedulers = readonly [MemoryScheduler, MemoryScheduler];

function makeSchedulers(): Schedulers {
  const first = new MemoryScheduler("First");
  return [first, new MemoryScheduler("Second", first.ledger)];
}

async function makeScenario(jobs: Jobs): Promise<{ root: Root; schedulers: Schedulers }> {
  const { root } = await setUpRoot(realDisk, join(folder, `root-${count++}`));
  for (const [name, { script, retry }] of Object.entries(jobs)) {
    mkdirSync(join(root.inbox, name));
    writeFileSync(join(root.inbox, name, "job.sh"), script);
    if (retry !== undefined) writeFileSync(join(root.inbox, name, "job_retry.txt"), retry);
    writeFileSync(join(root.inbox, name, "data"), `data of ${name}`);
  }
  if (!jobs.again) return { root, schedulers: makeSchedulers() };
  // A folder that comes back brings the attempt and the error of its earlier life.
  const earlier = join(root.inbox, "again", ".jobmgr", "attempt-20200101T000000-0123456789ab");
  mkdirSync(earlier, { recursive: true });
  writeFileSync(join(earlier, "intent"), "of an earlier life");
  writeFileSync(join(earlier, "outcome"), "of an earlier life");
  writeFileSync(join(root.inbox, "again", "job_error.txt"), "of an earlier life");
  return { root, schedulers: makeSchedulers() };
}

interface Variant {
  /** Other jobs than the usual ones. */
  readonly jobs?: Jobs;
  readonly withoutFind?: boolean;
  readonly withoutClaim?: boolean;
  /** Each manager has another engine than the one before it, and can load that. */
  readonly takesTurns?: boolean;
}

/** Lets a manager work until all is done or it crashes; returns the number of effects. */
async function manage(
  root: Root,
  [scheduler, other]: Schedulers,
  crash: CrashPlan,
  variant: Variant = {},
): Promise<{ crashed: boolean; effects: number }> {
  const clock = new CrashClock(crash);
  const disk = crashDisk(clock);
  const makeEngine = (which: MemoryScheduler) => new MemoryEngine(which, (_, action) => clock.effect(action));
  const engine = makeEngine(scheduler);
  if (variant.withoutFind) engine.find = async () => ({ is: "absent" });
  scheduler.withoutClaim = variant.withoutClaim === true;
  const rules = { settleS: 0, readyFile: undefined, finishedFile: "finished", owners: undefined };
  const pass = new Pass(
    memoryWorld(root, engine, { disk, rules }),
    LIMITS,
    NO_BRAKES,
    () => {},
    () => {},
    async () => ({ engine: makeEngine(other), origin: { version: "1" }, limits: LIMITS }),
  );
  await workUntil(
    () => clock.crashed || isDone(root, variant),
    () => checkAll(pass),
    () => openRoot(disk, root.path),
  );
  return { crashed: clock.crashed, effects: clock.count };
}

function isDone(root: Root, { jobs = JOBS }: Variant): boolean {
  const left = [...readdirSync(root.inbox), ...readdirSync(root.pending), ...readdirSync(join(root.own, "finishing"))];
  return left.length === 0 && readdirSync(root.complete).length === Object.keys(jobs).length;
}

/** What is wrong in the end; empty if nothing is. */
function faults(root: Root, ledger: readonly string[], jobs: Jobs): string[] {
  const found: string[] = [];
  const expectEqual = (what: string, actual: unknown, wanted: unknown) => {
    if (JSON.stringify(actual) !== JSON.stringify(wanted)) found.push(`${what}: ${JSON.stringify(actual)}`);
  };
  expectEqual(
    "runs",
    [...ledger].sort(),
    Object.keys(jobs)
      .flatMap((name) => Array(jobs[name]?.runs).fill(name))
      .sort(),
  );
  expectEqual("complete", readdirSync(root.complete).sort(), Object.keys(jobs).sort());
  expectEqual("left over", [...readdirSync(root.inbox), ...readdirSync(root.pending)], []);
  for (const [name, { script, state, runs }] of Object.entries(jobs)) {
    const file = (path: string) => readFileSync(join(root.complete, name, path), "utf8");
    const names = readdirSync(join(root.complete, name));
    expectEqual(`${name}/job.sh`, file("job.sh"), script);
    expectEqual(`${name}/data`, file("data"), `data of ${name}`);
    const status = JSON.parse(file("job_status.json") || "{}");
    expectEqual(`${name} state`, status.state, state);
    expectEqual(`${name} attempt`, status.attempt ?? 1, runs);
    expectEqual(`${name} error file`, names.includes("job_error.txt"), state !== "succeeded");
    expectEqual(`${name} finished file`, names.includes("finished"), true);
    if (names.includes("job_error.txt"))
      expectEqual(`${name} error text`, file("job_error.txt").startsWith(`${name}: failed.`), true);
  }
  return found;
}

async function runWith(
  crashes: readonly CrashPlan[],
  variant: Variant = {},
): Promise<{ faults: string[]; crashed: boolean; effects: number; usesBoth: boolean }> {
  const { jobs = JOBS } = variant;
  const { root, schedulers } = await makeScenario(jobs);
  const [first, second] = schedulers;
  const turn = (number: number): Schedulers => (variant.takesTurns && number % 2 === 1 ? [second, first] : schedulers);
  mkdirSync(join(root.own, "finishing"));
  let last = { crashed: false, effects: 0 };
  for (const [i, crash] of crashes.entries()) last = await manage(root, turn(i), crash, variant);
  await manage(root, turn(crashes.length), CALM, variant);
  const usesBoth = first.jobs.size > 0 && second.jobs.size > 0;
  const result = { faults: faults(root, first.ledger, jobs), usesBoth, ...last };
  rmSync(root.path, { recursive: true });
  return result;
}

describe("a crash at every effect", () => {
  it("the calm run does what is expected", async () => {
    expect(await runWith([CALM])).toMatchObject({ faults: [], crashed: false });
  });

  /** What is wrong after a crash at each effect, one at a time. */
  async function sweep(when: CrashPlan["when"], variant: Variant = {}): Promise<string[]> {
    const wrong: string[] = [];
    for (let at = 0; ; at++) {
      const result = await runWith([{ at, when }], variant);
      if (result.faults.length > 0) wrong.push(`${when} ${at}: ${result.faults.join("; ")}`);
      if (!result.crashed) return wrong;
    }
  }

  for (const when of ["before", "after"] as const) {
    it(`a crash ${when} any effect loses nothing and runs nothing twice`, async () => {
      expect(await sweep(when)).toEqual([]);
    });

    it(`a crash ${when} any effect of a job that is run again by rule leaves the number of its runs as it is`, async () => {
      expect(await sweep(when, { jobs: HOPELESS })).toEqual([]);
    });
  }

  /** What is wrong after each two crashes, of how many; with a stride, after each so many-th pair of them. */
  async function sweepTwice(
    variant: Variant,
    stride = 1,
  ): Promise<{ wrong: string[]; runs: number; usingBoth: number }> {
    const wrong: string[] = [];
    let runs = 0;
    let usingBoth = 0;
    for (let first = 0; ; first++) {
      let firstCrashed = true;
      for (let second = first % stride; ; second += stride) {
        const plans: CrashPlan[] = [
          { at: first, when: "after" },
          { at: second, when: "after" },
        ];
        const result = await runWith(plans, variant);
        runs++;
        if (result.usesBoth) usingBoth++;
        if (result.faults.length > 0) wrong.push(`${first}, ${second}: ${result.faults.join("; ")}`);
        if (!result.crashed) {
          firstCrashed = second >= stride || first === 0;
          break;
        }
      }
      if (!firstCrashed) break;
    }
    return { wrong, runs, usingBoth };
  }

  it("a second crash during the recovery loses nothing and runs nothing twice", { timeout: 240_000 }, async () => {
    // All pairs would take minutes: every first one, with each fourth second one, beginning at another one each time.
    const { wrong, runs } = await sweepTwice({}, 4);
    expect(wrong).toEqual([]);
    expect(runs).toBeGreaterThan(500);
  });

  it("neither does a second crash change the number of runs of a job that is run again by rule", {
    timeout: 240_000,
  }, async () => {
    const { wrong, runs } = await sweepTwice({ jobs: MENDED }, 2);
    expect(wrong).toEqual([]);
    expect(runs).toBeGreaterThan(300);
  });

  it("neither loses or repeats a job when each manager has another engine than the one before it", {
    timeout: 240_000,
  }, async () => {
    const { wrong, runs, usingBoth } = await sweepTwice({ takesTurns: true }, 23);
    expect(wrong).toEqual([]);
    expect(runs).toBeGreaterThan(100);
    expect(usingBoth).toBeGreaterThan(50);
  });

  it("the sweep bites: without find and without claim, something runs twice", async () => {
    const caught = async (variant: Variant) => {
      for (let at = 0; ; at++) {
        const result = await runWith([{ at, when: "after" }], variant);
        if (result.faults.some((fault) => fault.startsWith("runs"))) return true;
        if (!result.crashed) return false;
      }
    };
    expect(await caught({ withoutFind: true, withoutClaim: true })).toBe(true);
    // Each of the two alone still keeps a job from running twice.
    expect(await caught({ withoutFind: true })).toBe(false);
    expect(await caught({ withoutClaim: true })).toBe(false);
  });
});
