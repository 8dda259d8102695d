/**
 * The sweep on a real Grid Engine, in samples: the manager killed at its effects, and cuts in qsub, which stands between
 * the manager and Grid Engine. However it was cut: each job runs exactly once, arrives once, and is told of truly.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { PROGRAM, waitUntil } from "../harness.ts";
import { missingSge, type SgeCluster, startSge } from "../sge/cluster.ts";
import {
  type Change,
  effectsOf,
  faultsOfGated,
  GATED,
  kill,
  NO_CLAIM,
  NO_FIND,
  openGate,
  putTraced,
  some,
  trial,
  variant,
  withEach,
} from "./kill-sweep.ts";
import {
  allRun,
  arrival,
  copyOf,
  faultsOf,
  fullInbox,
  KINDS,
  manage,
  recover,
  removeScene,
  runsOf,
  type Scene,
  type SceneEngine,
  sceneWith,
  untilLiving,
} from "./scene.ts";
import { type Call, callsIn, hasEnded, type Injection, straceFault, wasKilled, wasStopped } from "./strace.ts";

let cluster: SgeCluster;

const SGE: SceneEngine = {
  args: ["-e", "SgeEngine", "--doubt", "1", "--lost-after", "3", "--min-query-interval", "0.1"],
  period: "0.3",
  arrivalMs: 60_000,
  output: /^\w+\.[oe]\d+/,
  env: () => cluster.env,
  async living(scene) {
    const listed = await cluster.run("qstat", "-xml", "-s", "a");
    const ids = [...listed.stdout.matchAll(/<JB_job_number>(\d+)</g)].map(([, id]) => id);
    if (listed.code !== 0) return Number.POSITIVE_INFINITY;
    if (ids.length === 0) return 0;
    const told = await cluster.run("qstat", "-xml", "-j", ids.join(","));
    return told.stdout.split("<JB_script_file>").filter((text) => text.startsWith(`${scene.root}/`)).length;
  },
};

/** So many trials at a time, for most of it is waiting. */
const AT_ONCE = { atOnce: 6 } as Parameters<typeof withEach>[0];

/** What would itself keep a second copy of a job from being run. */
const BARRIER: Change = ["engines/batch/index.js", "if (extra.length + left.length > 0)", "if (false)"];

/** Its calls that matter, from where it reads the runner on. */
const CALLS = ["openat", "connect", "write", "exit_group"];

interface Traced {
  readonly log: string;
  readonly program: string;
  /** What the manager is to be started with. */
  readonly env: NodeJS.ProcessEnv;
  pid(): number;
}

/** Puts qsub under strace in a scene. */
function trace(scene: Scene, calls: readonly string[], injection?: Injection, changes: readonly Change[] = []): Traced {
  const folder = join(scene.folder, "bin");
  mkdirSync(folder);
  const path = join(folder, "qsub");
  const log = putTraced(path, "/usr/lib/gridengine/qsub", calls, injection);
  return {
    log,
    program: changes.length === 0 ? PROGRAM : variant(...changes),
    env: { PATH: `${folder}:${process.env.PATH}` },
    pid: () => Number(readFileSync(`${path}.pid`, "utf8")),
  };
}

/** The points at which a submission of one job is cut. */
async function pointsOf(): Promise<Call[]> {
  const scene = await sceneWith(SGE, "solo", GATED);
  openGate(scene);
  const { log, program, env } = trace(scene, CALLS);
  await recover(scene, ["solo"], program, env);
  const made = callsIn(log, scene.root);
  const first = made.findIndex(({ name, about }) => name === "openat" && about.endsWith("run.sh"));
  const points = made.filter(({ name }, i) => i === first || (i > first && name !== "openat"));
  expect(points.length).toBeGreaterThan(4);
  return points;
}

const missing = missingSge() ?? (straceFault() || undefined);
if (missing === undefined) sweep();
else it.skipIf(process.env.CI !== "true")(`killed at effects, on Grid Engine (${missing})`, () => expect.fail(missing));

function sweep(): void {
  beforeAll(async () => {
    cluster = await startSge();
  });
  afterAll(() => cluster?.stop());
  describe("killed at effects, on Grid Engine", { timeout: 240_000 }, tests);
}

async function cutAtEach(
  points: readonly Call[],
  cut: (call: Call) => Promise<{ scene: Scene; faults: string[] }>,
): Promise<void> {
  const faults = await withEach(AT_ONCE, points, async (call) => {
    const told = `at ${call.name} ${call.n} (${call.about})`;
    try {
      const { scene, faults } = await cut(call);
      if (faults.length === 0) removeScene(scene);
      return faults.map((fault) => `${told}: ${fault}`);
    } catch (error) {
      return [`${told}: ${(error as Error).message}`];
    }
  });
  expect(faults.flat()).toEqual([]);
}

/** A gated job; the manager is dead, and qsub has stopped at this call. */
async function stopped({ name, n }: Call, changes?: readonly Change[]): Promise<{ scene: Scene; tracee: Traced }> {
  const scene = await sceneWith(SGE, "solo", GATED);
  const tracee = trace(scene, [name], { call: name, when: String(n), what: "signal=STOP" }, changes);
  const manager = manage(scene, tracee.program, tracee.env);
  onTestFinished(() => {
    if (wasStopped(tracee.log) && !hasEnded(tracee.log)) process.kill(tracee.pid(), "SIGKILL");
  });
  await waitUntil("it has stopped", () => wasStopped(tracee.log), SGE.arrivalMs);
  manager.signal("SIGKILL");
  await manager.ended;
  return { scene, tracee };
}

/** The next manager submits again, or waits; then the earlier submission goes on, while the job runs. */
async function lateSubmission(
  call: Call,
  changes: readonly Change[] = [],
): Promise<{ scene: Scene; faults: string[] }> {
  const { scene, tracee } = await stopped(call, changes);
  const manager = manage(scene, changes.length === 0 ? PROGRAM : tracee.program);
  const said = () => manager.stdout() + manager.stderr();
  await waitUntil("the job runs, or is waited for", () => said().includes("still trying") || runsOf(scene).length > 0);
  process.kill(tracee.pid(), "SIGCONT");
  await waitUntil("it has ended", () => hasEnded(tracee.log));
  await waitUntil("the job runs", () => runsOf(scene).length > 0);
  // A second copy runs, or has gone.
  await untilLiving(scene, 1, () => runsOf(scene).length > 1);
  openGate(scene);
  await arrival(scene, ["solo"], manager);
  await manager.stop();
  return { scene, faults: faultsOfGated(scene) };
}

/** Nobody stops after the last call of all. */
function canStop(call: Call): boolean {
  return call.name !== "exit_group";
}

function tests(): void {
  it("a manager that is killed loses no job, and runs none twice", async () => {
    const inbox = await fullInbox(SGE);
    const run = await allRun(inbox);
    const early = some(await effectsOf(inbox), 12).map((effect) => ({ from: inbox, effect }));
    const late = some(await effectsOf(run), 6).map((effect) => ({ from: run, effect }));
    const trials = await withEach(AT_ONCE, [...early, ...late], ({ from, effect }) => trial(from, [kill(effect)]));
    expect(trials.flatMap(({ faults }) => faults)).toEqual([]);
    const kills = trials.flatMap(({ killedAt }) => killedAt).filter((call) => call !== undefined).length;
    expect(kills).toBeGreaterThan(12);
    process.stdout.write(`killed at ${kills} points, on Grid Engine\n`);
  });

  it("a job is submitted once in the end, and the others go on, when qsub is killed", async () => {
    const inbox = await fullInbox(SGE);
    await cutAtEach(some(await pointsOf(), 5), async ({ name, n }) => {
      const scene = copyOf(inbox);
      const { log, program, env } = trace(scene, [name], { call: name, when: String(n), what: "signal=KILL" });
      await recover(scene, Object.keys(KINDS), program, env);
      return { scene, faults: [...faultsOf(scene), ...(wasKilled(log) ? [] : ["it was not killed"])] };
    });
  });

  it("a job runs once when the manager is killed and qsub is killed, or goes on before or after the next one has looked", async () => {
    const points = (await pointsOf()).filter(canStop);
    await cutAtEach(some(points, 3), async (call) => {
      const { scene, tracee } = await stopped(call);
      process.kill(tracee.pid(), "SIGKILL");
      openGate(scene);
      await recover(scene, ["solo"]);
      return { scene, faults: faultsOfGated(scene) };
    });
    await cutAtEach(some(points, 2), async (call) => {
      const { scene, tracee } = await stopped(call);
      process.kill(tracee.pid(), "SIGCONT");
      await waitUntil("it has ended", () => hasEnded(tracee.log));
      openGate(scene);
      await recover(scene, ["solo"]);
      return { scene, faults: faultsOfGated(scene) };
    });
    await cutAtEach(some(points, 4), (call) => lateSubmission(call));
  });

  it("a double run would be found: without find, claim and cancel a qsub that goes on late runs a job again", async () => {
    const [point] = (await pointsOf()).filter(canStop);
    if (!point) throw new Error("it makes no call");
    const { faults } = await lateSubmission(point, [NO_FIND, NO_CLAIM, BARRIER]);
    expect(faults).toContain("it ran 2 times");
  });
}
