/** The sweep on a real cluster; and cuts in what stands between the manager and Slurm: the shell that submits, and sbatch. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { PROGRAM, waitUntil } from "../harness.ts";
import { type Cluster, missingSlurm, startCluster } from "../slurm/cluster.ts";
import {
  type Change,
  faultsOfGated,
  GATED,
  killSweep,
  NO_CLAIM,
  NO_FIND,
  openGate,
  putTraced,
  type SweptEngine,
  variant,
  withEach,
} from "./kill-sweep.ts";
import {
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
  sceneWith,
  untilLiving,
} from "./scene.ts";
import { type Call, callsIn, hasEnded, type Injection, wasKilled, wasStopped } from "./strace.ts";

let cluster: Cluster;

const SLURM: SweptEngine = {
  args: ["-e", "SlurmEngine", "--doubt", "1", "--lost-after", "3", "--min-query-interval", "0.1"],
  period: "0.2",
  arrivalMs: 60_000,
  output: /^slurm-\d+\.out/,
  env: () => cluster.env,
  async living(scene) {
    const { code, stdout } = await cluster.run("squeue", "--noheader", "--format=%o");
    if (code !== 0) return Number.POSITIVE_INFINITY;
    return stdout.split("\n").filter((command) => command.startsWith(`${scene.root}/`)).length;
  },
  isThorough: false,
  atOnce: 10,
  tracedRunner: ["src/runner.js", `return \`#!\${job.plan.shell}\n`, `return \`#!\${job.folder}/../../../runner\n`],
  barriers: [["engines/slurm/index.js", "if (extra.length > 0)", "if (false)"]],
  afterKill: { states: ["failed", "lost"], claimsLeast: 0 },
};

const TRACED_SHELL: Change = ["engines/batch/submitter.js", "spawn(program, [", "spawn(process.env.TRACED_SHELL, ["];

/** A program between the manager and Slurm. */
interface Between {
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

const SBATCH: Between = {
  name: "sbatch",
  calls: ["openat", "connect", "sendto", "recvfrom", "write", "writev", "exit_group"],
  /** From where it reads the runner on. How often it looks for the answer is chance, but for the first time. */
  points(made) {
    const first = made.findIndex(({ name, about }) => name === "openat" && about.endsWith("run.sh"));
    const lastSent = made.findLastIndex(({ name }) => name === "sendto");
    const answer = made.findIndex(({ name }, i) => name === "recvfrom" && i > lastSent);
    const isOnce = (name: string) => name !== "openat" && name !== "recvfrom";
    return made.filter(({ name }, i) => i === first || i === answer || (i > first && isOnce(name)));
  },
  trace(scene, calls, injection, changes = []) {
    const folder = join(scene.folder, "bin");
    mkdirSync(folder);
    const path = join(folder, "sbatch");
    const log = putTraced(path, "sbatch", calls, injection);
    const program = changes.length === 0 ? PROGRAM : variant(...changes);
    return { log, program, env: { PATH: `${folder}:${process.env.PATH}` }, pid: () => pidAt(path) };
  },
};

const SHELL: Between = {
  name: "the shell that calls sbatch",
  calls: ["read", "chdir", "openat", "vfork", "fork", "clone", "wait4", "write"],
  /** It reads letter by letter, and opens libraries first. */
  points(made) {
    const reads = made.filter(({ name }) => name === "read");
    const some = [reads[1], reads[2], reads[Math.floor(reads.length / 2)], reads.at(-2), reads.at(-1)];
    const first = made.findIndex(({ name }) => name === "chdir");
    return made.filter((call, i) => (call.name === "read" ? some.includes(call) : i >= first));
  },
  trace(scene, calls, injection, changes = []) {
    const path = join(scene.folder, "shell");
    const log = putTraced(path, "/bin/sh", calls, injection);
    return { log, program: variant(TRACED_SHELL, ...changes), env: { TRACED_SHELL: path }, pid: () => pidAt(path) };
  },
};

function pidAt(path: string): number {
  return Number(readFileSync(`${path}.pid`, "utf8"));
}

/** Its calls during one submission of one job. */
async function pointsOf(between: Between): Promise<Call[]> {
  const scene = await sceneWith(SLURM, "solo", GATED);
  openGate(scene);
  const { log, program, env } = between.trace(scene, between.calls);
  await recover(scene, ["solo"], program, env);
  const points = between.points(callsIn(log, scene.root));
  expect(points.length).toBeGreaterThan(8);
  return points;
}

/** Starts a manager, waits until the traced program has stopped after this call, and kills the manager. */
async function stopAndKillManager(scene: Scene, { log, program, env, pid }: Traced): Promise<void> {
  const manager = manage(scene, program, env);
  onTestFinished(() => {
    if (wasStopped(log) && !hasEnded(log)) process.kill(pid(), "SIGKILL");
  });
  await waitUntil("it has stopped", () => wasStopped(log), SLURM.arrivalMs);
  manager.signal("SIGKILL");
  await manager.ended;
}

const missing = missingSlurm(false);
if (missing === undefined) sweep();
else it.skipIf(process.env.CI !== "true")(`killed at every effect, on Slurm (${missing})`, () => expect.fail(missing));

function sweep(): void {
  beforeAll(async () => {
    cluster = await startCluster({ settings: { KillWait: "2", MinJobAge: "300" } });
  });
  afterAll(() => cluster?.stop());
  killSweep(SLURM, () => {
    for (const between of [SBATCH, SHELL]) submissions(between);
  });
}

/** Nobody stops after the last call of all. */
function canStop(call: Call): boolean {
  return call.name !== "exit_group";
}

function submissions(between: Between): void {
  const { name } = between;

  async function cutAtEach(
    points: readonly Call[],
    cut: (call: Call) => Promise<{ scene: Scene; faults: string[] }>,
  ): Promise<void> {
    const faults = await withEach(SLURM, points, async (call) => {
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
    const inbox = await fullInbox(SLURM);
    await cutAtEach(await pointsOf(between), async ({ name, n }) => {
      const scene = copyOf(inbox);
      const { log, program, env } = between.trace(scene, [name], { call: name, when: String(n), what: "signal=KILL" });
      await recover(scene, Object.keys(KINDS), program, env);
      return { scene, faults: [...faultsOf(scene), ...(wasKilled(log) ? [] : ["it was not killed"])] };
    });
  });

  /** A gated job; the manager is dead, and the program has stopped after this call. */
  async function stopped({ name, n }: Call, changes?: readonly Change[]): Promise<{ scene: Scene; tracee: Traced }> {
    const scene = await sceneWith(SLURM, "solo", GATED);
    const tracee = between.trace(scene, [name], { call: name, when: String(n), what: "signal=STOP" }, changes);
    await stopAndKillManager(scene, tracee);
    return { scene, tracee };
  }

  it(`a job is submitted once in the end when the manager and ${name} are killed`, async () => {
    await cutAtEach((await pointsOf(between)).filter(canStop), async (call) => {
      const { scene, tracee } = await stopped(call);
      process.kill(tracee.pid(), "SIGKILL");
      openGate(scene);
      await recover(scene, ["solo"]);
      return { scene, faults: faultsOfGated(scene) };
    });
  });

  it(`a job is submitted once in the end when the manager is killed and ${name} goes on before the next one looks`, async () => {
    const others = (await pointsOf(between)).filter(canStop).filter((_, i) => i % 2 === 0);
    await cutAtEach(others, async (call) => {
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
    await cutAtEach((await pointsOf(between)).filter(canStop), (call) => lateSubmission(call));
  });

  it(`a double run would be found: without find, claim and cancel ${name} that goes on late runs a job again`, async () => {
    const [point] = (await pointsOf(between)).filter(canStop);
    if (!point) throw new Error("it makes no call");
    const { faults } = await lateSubmission(point, [NO_FIND, NO_CLAIM, ...SLURM.barriers]);
    expect(faults).toContain("it ran 2 times");
  });
}
