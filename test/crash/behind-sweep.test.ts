/**
 * A crash at every effect of a manager whose jobs wait for others in the queue of their engine: none starts before those
 * that it waits for have ended as they must, and each runs as often as it would without a crash.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { realDisk } from "../../src/disk.ts";
import { Pass } from "../../src/pass/index.ts";
import { type Root, setUpRoot } from "../../src/root.ts";
import { CrashClock, type CrashPlan, crashDisk, MEMORY } from "../fakes/crash-disk.ts";
import { MemoryScheduler, WaitingEngine } from "../fakes/memory-engine.ts";
import { memoryWorld } from "../fakes/world.ts";
import { CALM, checkAll, isAllDone, LIMITS, NO_BRAKES, workUntil } from "./calm.ts";

vi.setConfig({ testTimeout: 120_000 });

interface Job {
  readonly script: string;
  readonly state: string;
  readonly runs: number;
  readonly after?: readonly string[];
  readonly retry?: string;
}

type Jobs = Readonly<Record<string, Job>>;

/** A chain that ends well; one whose first fails; one whose first fails at first, and is run again by rule. */
const WELL: Jobs = {
  a: { script: "slow\nexit 0\n", state: "succeeded", runs: 1 },
  b: { script: "slow\nexit 0\n", state: "succeeded", runs: 1, after: ["a"] },
  c: { script: "exit 0\n", state: "succeeded", runs: 1, after: ["b", "any a"] },
};
const BADLY: Jobs = {
  x: { script: "slow\nexit 3\n", state: "failed", runs: 1 },
  y: { script: "exit 0\n", state: "refused", runs: 0, after: ["x"] },
  z: { script: "exit 0\n", state: "refused", runs: 0, after: ["y"] },
};
const AGAIN: Jobs = {
  r: { script: "slow\nfails 1\n", state: "succeeded", runs: 2, retry: "times 3\non 9\npause 0\n" },
  s: { script: "exit 0\n", state: "succeeded", runs: 1, after: ["r"] },
};
/** One whose first job has ended well, as its records say, and not for the scheduler, as where its node failed in the last moment. */
const UNWELL: Jobs = {
  u: { script: "slow\nunwell\n", state: "succeeded", runs: 1 },
  v: { script: "exit 0\n", state: "succeeded", runs: 1, after: ["u"] },
};

let folder: string;
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(MEMORY, "jobmgr-behind-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function manage(root: Root, scheduler: MemoryScheduler, crash: CrashPlan): Promise<boolean> {
  const clock = new CrashClock(crash);
  const engine = new WaitingEngine(scheduler, (_, action) => clock.effect(action));
  const world = memoryWorld(root, engine, { disk: crashDisk(clock) });
  const nothing = () => {};
  const pass = new Pass(world, { ...LIMITS, jobsMax: 10 }, NO_BRAKES, nothing, nothing);
  await workUntil(
    () => clock.crashed || isAllDone(root),
    async () => {
      await checkAll(pass);
      // As a manager does when a step has ended.
      await pass.advance("none");
      await pass.idle();
    },
  );
  return clock.crashed;
}

function faults(root: Root, { ledger, events }: MemoryScheduler, jobs: Jobs): string[] {
  const found: string[] = [];
  const same = (what: string, is: unknown, must: unknown) => {
    if (JSON.stringify(is) !== JSON.stringify(must)) found.push(`${what}: ${JSON.stringify(is)}`);
  };
  const names = Object.keys(jobs).sort();
  same("complete", readdirSync(root.complete).sort(), names);
  same("left over", [...readdirSync(root.inbox), ...readdirSync(root.pending)], []);
  for (const [name, { runs, state, after = [] }] of Object.entries(jobs)) {
    same(`runs of ${name}`, ledger.filter((one) => one === name).length, runs);
    if (!readdirSync(root.complete).includes(name)) continue;
    const file = (path: string) => readFileSync(join(root.complete, name, path), "utf8");
    same(`state of ${name}`, JSON.parse(file("job_status.json")).state, state);
    if (state === "refused")
      same(
        `cause of ${name}`,
        file("job_error.txt").includes('"x" failed') || file("job_error.txt").includes('"x", which failed'),
        true,
      );
    for (const before of after.map((one) => one.replace("any ", ""))) {
      const start = events.indexOf(`start ${name}`);
      if (start >= 0 && start < events.lastIndexOf(`end ${before} 0`))
        found.push(`${name} before ${before}: ${events}`);
      if (start >= 0 && !events.includes(`end ${before} 0`)) found.push(`${name} without ${before}: ${events}`);
    }
  }
  return found;
}

type Whim = "withoutWaiting" | "dropsInvalid";

async function runWith(jobs: Jobs, crashes: readonly CrashPlan[], whim?: Whim) {
  const { root } = await setUpRoot(realDisk, join(folder, `root-${count++}`));
  const scheduler = new MemoryScheduler();
  if (whim) scheduler[whim] = true;
  for (const [name, { script, after, retry }] of Object.entries(jobs)) {
    mkdirSync(join(root.inbox, name));
    writeFileSync(join(root.inbox, name, "job.sh"), script);
    if (after) writeFileSync(join(root.inbox, name, "job_after.txt"), after.map((one) => `${one}\n`).join(""));
    if (retry) writeFileSync(join(root.inbox, name, "job_retry.txt"), retry);
  }
  let crashed = false;
  for (const crash of crashes) crashed = await manage(root, scheduler, crash);
  await manage(root, scheduler, CALM);
  const behind = [...scheduler.jobs.values()].filter(({ after }) => after.length > 0).length;
  const result = { faults: faults(root, scheduler, jobs), crashed, behind };
  rmSync(root.path, { recursive: true });
  return result;
}

/** Tries every effect, or with a stride each so many-th, until a run has no more of them. */
async function sweep(
  jobs: Jobs,
  when: CrashPlan["when"],
  before: readonly CrashPlan[] = [],
  { first = 0, stride = 1, whim }: { first?: number; stride?: number; whim?: Whim } = {},
) {
  const wrong: string[] = [];
  let behind = 0;
  for (let at = first; ; at += stride) {
    const result = await runWith(jobs, [...before, { at, when }], whim);
    if (result.faults.length > 0)
      wrong.push(`${when} ${before.map((one) => one.at)} ${at}: ${result.faults.join("; ")}`);
    if (result.behind > 0) behind++;
    if (!result.crashed) return { wrong, effects: at, behind };
  }
}

describe.each([
  ["a chain that ends well", WELL, 2],
  ["a chain whose first job fails", BADLY, 2],
  ["a chain whose first job is run again", AGAIN, 1],
])("%s, waiting in the queue", (_, jobs, wait) => {
  it("is submitted at once, and does what is expected", async () => {
    const { faults: wrong, behind } = await runWith(jobs, []);
    expect(wrong).toEqual([]);
    expect(behind).toBeGreaterThanOrEqual(wait);
  });

  it.each(["before", "after"] as const)("a crash %s any effect changes nothing of that", async (when) => {
    const { wrong, effects, behind } = await sweep(jobs, when, [], { stride: when === "before" ? 2 : 1 });
    expect(wrong).toEqual([]);
    expect(effects).toBeGreaterThan(50);
    expect(behind).toBeGreaterThan(20);
  });

  it("neither does a second crash during the recovery", async () => {
    const { effects } = await sweep(jobs, "after", [], { stride: 50 });
    const wrong: string[] = [];
    for (let at = 0; at < effects; at += 3) {
      const result = await sweep(jobs, "after", [{ at, when: "after" }], { first: at % 59, stride: 59 });
      wrong.push(...result.wrong);
    }
    expect(wrong).toEqual([]);
  });
});

it.each([
  ["fails", BADLY],
  ["is run again", AGAIN],
  ["has ended well, which it does not see", UNWELL],
])("a scheduler that drops what can never start changes nothing where the first job %s", async (_, jobs) => {
  expect((await sweep(jobs, "after", [], { stride: 3, whim: "dropsInvalid" })).wrong).toEqual([]);
});

it("a scheduler that takes a good end for none keeps nothing back for ever", async () => {
  expect((await sweep(UNWELL, "after", [], { stride: 3 })).wrong).toEqual([]);
});

it("the sweep bites: a scheduler that starts jobs without waiting is found out", async () => {
  expect((await runWith(WELL, [], "withoutWaiting")).faults).not.toEqual([]);
});
