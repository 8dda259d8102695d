/**
 * Cuts in a program that stands between the manager and its scheduler: it is killed, or stopped and let go on later, with
 * the manager or without. However it was cut: each job runs exactly once, arrives once, and is told of truly.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { PROGRAM, waitUntil } from "../harness.ts";
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
  type SweptEngine,
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

/** An engine as these sweeps need it. */
export type SubmittingEngine = SceneEngine & Pick<SweptEngine, "atOnce" | "barriers">;

/** A program between the manager and its scheduler. */
export interface Between {
  readonly name: string;
  readonly calls: readonly string[];
  /** Those of its calls that are cut. */
  points(made: readonly Call[]): Call[];
  /** Puts it under strace in a scene, for a manager that is changed so. */
  trace(scene: Scene, calls: readonly string[], injection?: Injection, changes?: readonly Change[]): Traced;
}

interface Traced {
  readonly log: string;
  /** What the manager is to be started with. */
  readonly program: string;
  readonly env: NodeJS.ProcessEnv;
  pid(): number;
}

/** At how many points each kind of cut is tried; spread evenly. */
export interface Samples {
  /** Of the manager alone. */
  readonly manager: number;
  /** The program is killed; with its manager; goes on before the next one looks, or after that. */
  readonly killed: number;
  readonly bothKilled: number;
  readonly before: number;
  readonly after: number;
}

/** What stands first on PATH for a submit command; `program` is the real one, or how it is found behind that. */
export function traceCommand(command: string, program = command): Between["trace"] {
  return (scene, calls, injection, changes = []) => {
    const folder = join(scene.folder, "bin");
    mkdirSync(folder);
    const path = join(folder, command);
    const log = putTraced(path, program, calls, injection);
    return {
      log,
      program: changes.length === 0 ? PROGRAM : variant(...changes),
      env: { PATH: `${folder}:${scene.engine.env().PATH ?? process.env.PATH}` },
      pid: () => pidAt(path),
    };
  };
}

/** The id of what putTraced() has put under strace. */
export function pidAt(path: string): number {
  return Number(readFileSync(`${path}.pid`, "utf8"));
}

/** Kills a manager at so many of its effects, two thirds of them while it takes in. */
export async function killAtSome(engine: SubmittingEngine, count: number): Promise<void> {
  const inbox = await fullInbox(engine);
  const run = await allRun(inbox);
  const early = some(await effectsOf(inbox), Math.ceil((count * 2) / 3)).map((effect) => ({ from: inbox, effect }));
  const late = some(await effectsOf(run), Math.floor(count / 3)).map((effect) => ({ from: run, effect }));
  const trials = await withEach(engine, [...early, ...late], ({ from, effect }) => trial(from, [kill(effect)]));
  expect(trials.flatMap(({ faults }) => faults)).toEqual([]);
  const kills = trials.flatMap(({ killedAt }) => killedAt).filter((call) => call !== undefined).length;
  expect(kills).toBeGreaterThan((count * 2) / 3);
  process.stdout.write(`killed at ${kills} points, in samples\n`);
}

/** A manager killed at some of its effects, and cuts in one program, in samples. `missing`: why it cannot be done here. */
export function sampledSweep(
  title: string,
  missing: string | undefined,
  { engine, between, samples }: { engine: SubmittingEngine; between: Between; samples: Samples },
): void {
  const fault = missing ?? (straceFault() || undefined);
  if (fault !== undefined) {
    it.skipIf(process.env.CI !== "true")(`${title} (${fault})`, () => expect.fail(fault));
    return;
  }
  describe(title, { timeout: 240_000 }, () => {
    it("a manager that is killed loses no job, and runs none twice", () => killAtSome(engine, samples.manager));
    submissionSweep(engine, between, samples);
  });
}

/** Nobody stops after the last call of all. */
function canStop(call: Call): boolean {
  return call.name !== "exit_group";
}

/** Declares the tests of one program; without samples every point is tried, but for each second one of `before`. */
export function submissionSweep(engine: SubmittingEngine, between: Between, samples?: Samples): void {
  const { name } = between;
  const sampled = (points: Call[], kind: keyof Samples) => (samples ? some(points, samples[kind]) : points);

  /** Its calls during one submission of one job. */
  async function pointsOf(): Promise<Call[]> {
    const scene = await sceneWith(engine, "solo", GATED);
    openGate(scene);
    const { log, program, env } = between.trace(scene, between.calls);
    await recover(scene, ["solo"], program, env);
    const points = between.points(callsIn(log, scene.root));
    expect(points.length).toBeGreaterThan(4);
    return points;
  }

  async function cutAtEach(
    points: readonly Call[],
    cut: (call: Call) => Promise<{ scene: Scene; faults: string[] }>,
  ): Promise<void> {
    const faults = await withEach(engine, points, async (call) => {
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
    process.stdout.write(`${name} cut at ${points.length} points\n`);
  }

  it(`a job is submitted once in the end, and the others go on, when ${name} is killed`, async () => {
    const inbox = await fullInbox(engine);
    await cutAtEach(sampled(await pointsOf(), "killed"), async ({ name, n }) => {
      const scene = copyOf(inbox);
      const { log, program, env } = between.trace(scene, [name], { call: name, when: String(n), what: "signal=KILL" });
      await recover(scene, Object.keys(KINDS), program, env);
      return { scene, faults: [...faultsOf(scene), ...(wasKilled(log) ? [] : ["it was not killed"])] };
    });
  });

  /** A gated job; the manager is dead, and the program has stopped after this call. */
  async function stopped({ name, n }: Call, changes?: readonly Change[]): Promise<{ scene: Scene; tracee: Traced }> {
    const scene = await sceneWith(engine, "solo", GATED);
    const tracee = between.trace(scene, [name], { call: name, when: String(n), what: "signal=STOP" }, changes);
    const { log, program, env, pid } = tracee;
    const manager = manage(scene, program, env);
    onTestFinished(() => {
      if (wasStopped(log) && !hasEnded(log)) process.kill(pid(), "SIGKILL");
    });
    await waitUntil("it has stopped", () => wasStopped(log), engine.arrivalMs);
    manager.signal("SIGKILL");
    await manager.ended;
    return { scene, tracee };
  }

  it(`a job is submitted once in the end when the manager and ${name} are killed`, async () => {
    await cutAtEach(sampled((await pointsOf()).filter(canStop), "bothKilled"), async (call) => {
      const { scene, tracee } = await stopped(call);
      process.kill(tracee.pid(), "SIGKILL");
      openGate(scene);
      await recover(scene, ["solo"]);
      return { scene, faults: faultsOfGated(scene) };
    });
  });

  it(`a job is submitted once in the end when the manager is killed and ${name} goes on before the next one looks`, async () => {
    const others = (await pointsOf()).filter(canStop).filter((_, i) => i % 2 === 0);
    await cutAtEach(sampled(others, "before"), async (call) => {
      const { scene, tracee } = await stopped(call);
      process.kill(tracee.pid(), "SIGCONT");
      await waitUntil("it has ended", () => hasEnded(tracee.log));
      openGate(scene);
      await recover(scene, ["solo"]);
      return { scene, faults: faultsOfGated(scene) };
    });
  });

  /** The next manager submits again, or waits; then the earlier submission goes on, while the job runs. */
  async function lateSubmission(
    call: Call,
    changes: readonly Change[] = [],
  ): Promise<{ scene: Scene; faults: string[] }> {
    const { scene, tracee } = await stopped(call, changes);
    const manager = manage(scene, changes.length === 0 ? PROGRAM : variant(...changes));
    const said = () => manager.stdout() + manager.stderr();
    const hasLooked = () => said().includes("still trying") || runsOf(scene).length > 0;
    await waitUntil("the job runs, or is waited for", hasLooked);
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

  it(`a job runs once when the manager is killed and ${name} goes on after the next one has looked`, async () => {
    await cutAtEach(sampled((await pointsOf()).filter(canStop), "after"), (call) => lateSubmission(call));
  });

  it(`a double run would be found: without find, claim and cancel ${name} that goes on late runs a job again`, async () => {
    const [point] = (await pointsOf()).filter(canStop);
    if (!point) throw new Error("it makes no call");
    const { faults } = await lateSubmission(point, [NO_FIND, NO_CLAIM, ...engine.barriers]);
    expect(faults).toContain("it ran 2 times");
  });
}
