/**
 * The real program on a real disk, killed at every one of its effects, and with every one of them failing; then
 * started again. However it was cut: each job runs exactly once, arrives once, and is told of truly.
 *
 * A first run of the program tells which effects there are; then each is cut, and in the end every one must have been.
 */
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { makeFolder, PROGRAM, start, waitUntil } from "../harness.ts";
import {
  allRun,
  arrival,
  attemptsOf,
  copyOf,
  faultsOf,
  faultsOfJob,
  fullInbox,
  KINDS,
  manage,
  managerArgs,
  once,
  recover,
  removeScene,
  runsOf,
  type Scene,
  type SceneEngine,
  sceneWith,
  stateOf,
  untilLiving,
} from "./scene.ts";
import {
  type Call,
  callsIn,
  type Injection,
  STRACE,
  startTraced,
  straceArgs,
  straceFault,
  wasHit,
  wasKilled,
} from "./strace.ts";

/** Every call with which the program could change something, but fsync, which is another thread's. */
const CALLS = [
  ...["rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat", "rmdir"],
  ...["unlink", "unlinkat", "openat", "open", "creat", "write", "pwrite64", "writev", "ftruncate"],
  ...["utimensat", "fchmod", "fchmodat", "chmod", "clone", "fork", "vfork"],
];
const SYNCS = ["fsync", "fdatasync"];

/** A text that is once in a file of the built program, and what to put in its place. */
export type Change = readonly [file: string, from: string, to: string];

/** An engine, and how it is swept. */
export interface SweptEngine extends SceneEngine {
  /** Half of all effects are cut, of each kind one at least; else one of each kind, and fewer of what is spread over all. */
  readonly isThorough: boolean;
  /** So many trials at a time. */
  readonly atOnce: number;
  /** Makes it start a runner by the program "runner" beside the root. */
  readonly tracedRunner: Change;
  /** Without these it would itself keep a second copy of a job from being run. */
  readonly barriers: readonly Change[];
  /** What becomes of a job whose runner was killed and which has not succeeded. */
  readonly afterKill: { readonly states: readonly string[]; readonly claimsLeast: 0 | 1 };
}

/** Declares the sweep, and what else is to be tested where strace can be used; fails in CI where it cannot. */
export function killSweep(engine: SweptEngine, more: () => void = () => {}): void {
  const fault = straceFault();
  if (fault === "")
    describe("killed at every effect", { timeout: 240_000 }, () => {
      tests(engine);
      more();
    });
  else it.skipIf(process.env.CI !== "true")(`killed at every effect (${fault})`, () => expect.fail(fault));
}

/** Does something with all, some at a time, for most of it is waiting. */
export async function withEach<T, R>(
  { atOnce }: Pick<SweptEngine, "atOnce">,
  all: readonly T[],
  action: (one: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const queue = all.map((one, index) => [one, index] as const);
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) results[next[1]] = await action(...next);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return results;
}

/** Some of all, spread evenly. */
export function some<T>(all: readonly T[], count: number): T[] {
  const step = Math.max(1, all.length / count);
  return Array.from({ length: Math.min(count, all.length) }, (_, i) => all[Math.floor(i * step)] as T);
}

/** One pass under strace; the call at which it was killed, if it was. */
async function tracedOnce(
  scene: Scene,
  calls: readonly string[],
  injection?: Injection,
  program = PROGRAM,
): Promise<{ killedAt: Call | undefined; wasHit: boolean; calls: Call[] }> {
  const log = join(scene.folder, "strace.log");
  const command = [process.execPath, program, ...managerArgs(scene, "--once")];
  const env = scene.engine.env();
  const end = await startTraced(command, { log, calls, env, ...(injection && { injection }) }).ended;
  const made = callsIn(log, scene.root);
  return { killedAt: end === "SIGKILL" ? made.at(-1) : undefined, wasHit: wasHit(log), calls: made };
}

/** All effects of one pass from here. */
export async function effectsOf(from: Scene): Promise<Call[]> {
  const effects = [];
  for (const calls of [CALLS, SYNCS]) {
    const scene = copyOf(from);
    effects.push(...(await tracedOnce(scene, calls)).calls.filter(({ isEffect }) => isEffect));
  }
  return effects;
}

export interface Trial {
  readonly what: string;
  readonly killedAt: (Call | undefined)[];
  /** How many of the cuts took place: a count may lead past the last call. */
  readonly hits: number;
  readonly faults: readonly string[];
}

/** Passes that are cut, one after the other; then the program is started again, and all is judged. */
export async function trial(from: Scene, cuts: readonly Injection[]): Promise<Trial> {
  const scene = copyOf(from);
  const killedAt: (Call | undefined)[] = [];
  let hits = 0;
  for (const cut of cuts) {
    const pass = await tracedOnce(scene, [cut.call], cut);
    killedAt.push(pass.killedAt);
    if (pass.wasHit) hits++;
  }
  const what = cuts
    .map(({ call, what, when }, i) => `${what} at ${call} ${when} (${killedAt[i]?.about ?? ""})`)
    .join(", then ");
  try {
    await recover(scene);
  } catch (error) {
    return { what, killedAt, hits, faults: [`${what}: ${(error as Error).message}`] };
  }
  const faults = faultsOf(scene).map((one) => `${what}: ${one}`);
  if (faults.length === 0) removeScene(scene);
  return { what, killedAt, hits, faults };
}

export function kill({ name, n }: Pick<Call, "name" | "n">): Injection {
  return { call: name, when: String(n), what: "signal=KILL" };
}

/** Kills a pass at each of its effects. Returns what kinds those are, which were cut, and what was wrong afterwards. */
async function killAtEach(
  engine: SweptEngine,
  from: Scene,
  all: readonly Call[],
): Promise<{ kinds: string[]; cut: string[]; faults: string[]; points: number }> {
  const kindly = kindsOf(all);
  // One of each kind, and where trials are cheap each second one of all.
  const effects = engine.isThorough ? all.filter((one, i) => i % 2 === 0 || kindly.includes(one)) : kindly;
  const trials = await withEach(engine, effects, (effect) => trial(from, [kill(effect)]));
  const kinds = [...new Set(effects.map(({ kind }) => kind))];
  const cut = () => {
    const all = new Set(trials.flatMap(({ killedAt }) => killedAt.map((call) => call?.kind)));
    return kinds.filter((kind) => all.has(kind));
  };
  // Which job goes first is chance, so that a count may have hit the neighbour.
  for (const shift of [0, 1, 2, 3]) {
    const done = cut();
    const missed = effects.filter(({ kind }) => !done.includes(kind));
    for (const n of [shift, -shift])
      trials.push(
        ...(await withEach(engine, missed, (one) =>
          trial(from, [kill({ name: one.name, n: Math.max(1, one.n + n) })]),
        )),
      );
  }
  const points = trials.flatMap(({ killedAt }) => killedAt).filter((call) => call !== undefined).length;
  return { kinds, cut: cut(), faults: trials.flatMap(({ faults }) => faults), points };
}

/** The number of a call differs from run to run, so that now and then one is not met; a whole group of them is. */
function expectNearlyAll(cut: readonly string[], kinds: readonly string[]): void {
  expect(cut.length, `not cut: ${kinds.filter((kind) => !cut.includes(kind))}`).toBeGreaterThan(kinds.length * 0.9);
}

function hitsOf(trials: readonly Trial[]): number {
  return trials.reduce((sum, { hits }) => sum + hits, 0);
}

/** One effect of each kind. */
function kindsOf(effects: readonly Call[]): Call[] {
  return [...new Map(effects.map((effect) => [effect.kind, effect])).values()];
}

/** The errors that a call may meet on a full, a failing, or a busy machine. */
function errorsOf(call: string): string[] {
  if (call === "clone") return ["EAGAIN", "ENOMEM"];
  return ["utimensat", "unlink", "rmdir"].includes(call) ? ["EIO"] : ["ENOSPC", "EIO"];
}

/** The built program, module by module, with some of its text replaced. */
export function variant(...changes: readonly Change[]): string {
  const folder = makeFolder();
  const project = resolve(import.meta.dirname, "../..");
  cpSync(join(project, "dist"), join(folder, "dist"), { recursive: true });
  for (const name of ["node_modules", "package.json"]) symlinkSync(join(project, name), join(folder, name));
  for (const [file, from, to] of changes) {
    const path = join(folder, "dist", file);
    const text = readFileSync(path, "utf8");
    expect(text.split(from).length, `${from} is once in ${file}`).toBe(2);
    writeFileSync(
      path,
      text.replace(from, () => to),
    );
  }
  return join(folder, "dist/bin/jobmgr.js");
}

export const NO_FIND = ["src/steps/submit.js", "if (!fresh) {", "if (false) {"] as const;
export const NO_CLAIM = ["src/runner.js", `"$jm_me") ;;`, "*) ;;"] as const;

const SOLO = "echo solo >>../../../ledger; sleep 0.3\n";

/** As SOLO, and runs until its gate is open, or its scene has been removed. */
export const GATED = "echo solo >>../../../ledger; while [ -e job.sh ] && [ ! -e ../../../go ]; do sleep 0.05; done\n";

export function openGate(scene: Scene): void {
  writeFileSync(join(scene.folder, "go"), "");
}

/**
 * Writes a program that stands for another one, and puts it under strace the first time that it is called. Its process
 * is then the other's; the id is in a file. Returns the log.
 */
export function putTraced(path: string, program: string, calls: readonly string[], injection?: Injection): string {
  const log = `${path}.log`;
  const traced = `${STRACE} ${straceArgs(log, calls, injection).join(" ")} ${program} "$@"`;
  const text = `#!/bin/sh
# What is found by its name is not to find this again.
case $PATH in "\${0%/*}":*) PATH=\${PATH#*:} ;; esac
mkdir "$0.used" 2>/dev/null && echo $$ >"$0.pid" && exec ${traced}
exec ${program} "$@"
`;
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return log;
}

function tests(engine: SweptEngine): void {
  /** Of many that are much alike: so many, or fewer where the engine is slow. */
  const share = (count: number) => (engine.isThorough ? count : Math.ceil(count / 2));
  let inbox: Scene;
  let run: Scene;
  /** Of a pass over each of the two. */
  let effects: { readonly early: readonly Call[]; readonly late: readonly Call[] };

  /** Made by each test that needs them, for the folders go with their test. */
  async function scenes(): Promise<void> {
    inbox = await fullInbox(engine);
    run = await allRun(inbox);
    effects ??= { early: await effectsOf(inbox), late: await effectsOf(run) };
  }

  const count = (text: string) => process.stdout.write(`${text}\n`);

  it("a manager that is killed while it takes jobs in loses none, and runs none twice", async () => {
    await scenes();
    const { kinds, cut, faults, points } = await killAtEach(engine, inbox, effects.early);
    expect(faults).toEqual([]);
    expectNearlyAll(cut, kinds);
    count(`killed at ${points} points, ${cut.length} kinds of effects, while taking in`);
  });

  it("a manager that is killed while it settles and archives loses none, and runs none twice", async () => {
    await scenes();
    const { kinds, cut, faults, points } = await killAtEach(engine, run, effects.late);
    expect(faults).toEqual([]);
    expectNearlyAll(cut, kinds);
    count(`killed at ${points} points, ${cut.length} kinds of effects, while settling`);
  });

  it("a manager that is killed again while it recovers loses none, and runs none twice", async () => {
    await scenes();
    const later = ["rename", "openat", "fsync", "mkdir", "unlink", "clone"];
    const plan = some(effects.early, share(24)).map((first, i) => {
      const name = later[i % 3 === 0 ? 0 : i % later.length] ?? "rename";
      const n = name === "openat" ? 140 + ((i * 11) % 60) : 1 + ((i * 5) % (name === "rename" ? 17 : 5));
      return [kill(first), kill({ name, n }), kill({ name: "rename", n: 2 + (i % 9) })];
    });
    const trials = await withEach(engine, plan, (cuts) => trial(inbox, cuts));
    expect(trials.flatMap(({ faults }) => faults)).toEqual([]);
    const kills = trials.flatMap(({ killedAt }) => killedAt).filter((call) => call !== undefined).length;
    count(`${trials.length} times killed up to three times in a row, ${kills} kills`);
  });

  it("a manager whose calls fail one at a time loses no job, and runs none twice", async () => {
    await scenes();
    const early = kindsOf(effects.early);
    const known = new Set(early.map(({ kind }) => kind));
    const late = kindsOf(effects.late).filter(({ kind }) => !known.has(kind));
    const plan = [
      ...early.map((effect) => ({ from: inbox, effect })),
      ...late.map((effect) => ({ from: run, effect })),
    ];
    const trials = await withEach(engine, plan, ({ from, effect: { name, n } }, i) => {
      const errors = errorsOf(name);
      return trial(from, [{ call: name, when: String(n), what: `error=${errors[i % errors.length] ?? "EIO"}` }]);
    });
    expect(trials.flatMap(({ faults }) => faults)).toEqual([]);
    expect(hitsOf(trials)).toBeGreaterThan(trials.length * 0.8);
    count(`${hitsOf(trials)} single faults`);
  });

  it("a manager for which from some moment on all calls of a kind fail loses no job, and runs none twice", async () => {
    await scenes();
    const plans = [];
    for (const [from, all] of [
      [inbox, effects.early],
      [run, effects.late],
    ] as const) {
      const effects = all.filter(({ name }) => name !== "write");
      plans.push(
        ...some(effects, share(16)).map(({ name, n }) => ({
          from,
          cut: { call: name, when: `${n}+`, what: `error=${errorsOf(name)[0]}` } as const,
        })),
      );
    }
    const trials = await withEach(engine, plans, ({ from, cut }) => trial(from, [cut]));
    expect(trials.flatMap(({ faults }) => faults)).toEqual([]);
    expect(hitsOf(trials)).toBeGreaterThan(trials.length * 0.8);
    count(`${hitsOf(trials)} lasting faults`);
  });

  it("a manager with a passing fault goes on by itself", async () => {
    await scenes();
    const plan = some(
      effects.early.filter(({ about }) => !/write|clone|UUID/.test(about)),
      share(16),
    );
    let hits = 0;
    const faults = await withEach(engine, plan, async ({ name, n, about }) => {
      const scene = copyOf(inbox);
      const log = join(scene.folder, "strace.log");
      const manager = startTraced([process.execPath, PROGRAM, ...managerArgs(scene, "-p", engine.period)], {
        log,
        env: engine.env(),
        calls: [name],
        injection: { call: name, when: String(n), what: `error=${errorsOf(name)[0] ?? "EIO"}` },
      });
      try {
        await arrival(scene, Object.keys(KINDS), manager);
      } catch (error) {
        return [`${about}: ${(error as Error).message}`];
      } finally {
        await manager.stop();
      }
      if (wasHit(log)) hits++;
      return faultsOf(scene).map((one) => `${about}: ${one}`);
    });
    expect(faults.flat()).toEqual([]);
    expect(hits).toBeGreaterThan(plan.length * 0.8);
    count(`${hits} faults that passed without a restart`);
  });

  for (const managerLives of [true, false]) {
    const title = managerLives ? "a runner that is killed" : "a runner that is killed while no manager is there";
    it(`${title} never lets its job run twice, and its end is told`, async () => {
      const program = variant(engine.tracedRunner);
      const calls = ["openat", "write", "clone", "wait4", "rt_sigsuspend", "chdir", "exit_group"];
      const runWith = async (injection?: Injection) => {
        const scene = await sceneWith(engine, "solo", SOLO);
        const log = putTraced(join(scene.folder, "runner"), "/bin/sh", injection ? [injection.call] : calls, injection);
        if (!managerLives) await once(scene, program);
        await recover(scene, ["solo"], program);
        return { scene, made: callsIn(log, scene.root), killed: wasKilled(log) };
      };
      const all = (await runWith()).made.filter(({ name, about }) => name !== "openat" || about !== "openat");
      // Where they are not all cut twice, each is cut with a manager or without.
      const points = all.filter((_, i) => engine.isThorough || (i % 2 === 0) === managerLives);
      expect(points.length).toBeGreaterThan(10);
      const faults = await withEach(engine, points, async (point) => {
        const { scene, killed } = await runWith(kill(point));
        return [...faultsOfKilled(engine, scene), ...(killed ? [] : ["it was not killed"])].map(
          (one) => `killed at ${point.about} ${point.n}: ${one}`,
        );
      });
      expect(faults.flat()).toEqual([]);
      count(`a runner killed at ${points.length} points, ${managerLives ? "with" : "without"} a manager`);
    });
  }

  it("a manager that is killed between fork and exec does not let its job run twice", async () => {
    const scene = await sceneWith(engine, "solo", SOLO);
    const command = [process.execPath, PROGRAM, ...managerArgs(scene, "--once")];
    const log = join(scene.folder, "strace.log");
    const args = ["-DD", "-qq", "-f", "-o", log, "-e", "trace=execve"];
    const manager = start(STRACE, [...args, "-e", "inject=execve:delay_enter=1000000", ...command], {
      env: engine.env(),
    });
    const children = `/proc/${manager.pid}/task/${manager.pid}/children`;
    const isForked = () =>
      existsSync(children) &&
      readFileSync(children, "utf8") !== "" &&
      attemptsOf(join(scene.root, "pending/solo")).some((at) => existsSync(join(at, "intent")));
    await waitUntil("it has forked", isForked);
    manager.signal("SIGKILL");
    await recover(scene, ["solo"]);
    await manager.ended;
    expect(faultsOfKilled(engine, scene)).toEqual([]);
    expect(runsOf(scene)).toEqual(["solo"]);
  });

  describe("a double run would be found", () => {
    /** The manager dies after it has started a job, before it notes that; the job has begun when the next one comes. */
    async function forgottenStart(program: string): Promise<string[]> {
      const probe = await sceneWith(engine, "solo", SOLO);
      const { calls } = await tracedOnce(probe, ["rename"], undefined, program);
      const note = calls.find(({ about }) => about.endsWith("/handle"));
      if (!note) throw new Error("it notes no handle");
      const scene = await sceneWith(engine, "solo", GATED);
      const { killedAt } = await tracedOnce(scene, ["rename"], kill(note), program);
      expect(killedAt?.about).toBe(note.about);
      await waitUntil("the job has begun", () => runsOf(scene).length > 0);
      const manager = manage(scene, program);
      const isNoted = () => attemptsOf(join(scene.root, "pending/solo")).some((at) => existsSync(join(at, "handle")));
      await waitUntil("the job is known again", isNoted);
      // A second copy runs, or has gone.
      await untilLiving(scene, 1, () => runsOf(scene).length > 1);
      openGate(scene);
      await arrival(scene, ["solo"], manager);
      await manager.stop();
      return runsOf(scene);
    }

    /** A job was started twice under one token, and the second runner comes while it runs. */
    async function lateRunner(program: string): Promise<string[]> {
      const scene = await sceneWith(engine, "solo", GATED);
      await once(scene, program);
      await waitUntil("the job has begun", () => runsOf(scene).length > 0);
      const folder = join(scene.root, "pending/solo");
      const [attempt = ""] = attemptsOf(folder);
      const late = start("/bin/sh", [join(attempt, "run.sh")], { cwd: folder });
      // It writes to the ledger, or it ends; both of these are certain to come.
      let hasEnded = false;
      late.process.once("exit", () => {
        hasEnded = true;
      });
      await waitUntil("it has run or stepped aside", () => hasEnded || runsOf(scene).length > 1);
      openGate(scene);
      await late.ended;
      await recover(scene, ["solo"], program);
      return runsOf(scene);
    }

    const twice = ["solo", "solo"];
    const onceOnly = ["solo"];

    it("with the real program there is none", async () => {
      expect(await forgottenStart(PROGRAM)).toEqual(onceOnly);
      expect(await lateRunner(PROGRAM)).toEqual(onceOnly);
    });

    it("without the question before a submission the runner's claim still holds", async () => {
      const program = variant(NO_FIND);
      expect(await forgottenStart(program)).toEqual(onceOnly);
      expect(await lateRunner(program)).toEqual(onceOnly);
    });

    it("without the runner's claim a late runner runs the job again", async () => {
      const program = variant(NO_CLAIM);
      expect(await forgottenStart(program)).toEqual(onceOnly);
      expect(await lateRunner(program)).toEqual(twice);
    });

    it("without both a forgotten start runs the job again", async () => {
      const program = variant(NO_FIND, NO_CLAIM, ...engine.barriers);
      expect(await forgottenStart(program)).toEqual(twice);
    });

    it("the judge of the sweeps sees every kind of damage", async () => {
      await scenes();
      const scene = copyOf(run);
      await recover(scene);
      expect(faultsOf(scene)).toEqual([]);
      writeFileSync(scene.ledger, "good\n", { flag: "a" });
      writeFileSync(join(scene.root, "complete/good/data.bin"), "other");
      writeFileSync(join(scene.root, "complete/good/job_error.txt"), "");
      writeFileSync(join(scene.root, "complete/bad/.x.new"), "");
      expect(faultsOf(scene)).toHaveLength(4);
    });
  });
}

/** What is wrong with a job whose runner was killed: it may have run or not, but not twice, and what is said is true. */
function faultsOfKilled({ afterKill }: SweptEngine, scene: Scene): string[] {
  const folder = join(scene.root, "complete/solo");
  const faults = faultsOfJob(scene, folder, SOLO);
  const runs = runsOf(scene).length;
  const state = stateOf(folder);
  const claims = claimsOf(folder);
  if (runs > 1) faults.push(`it ran ${runs} times`);
  if (claims > 1 || claims < Math.max(runs, afterKill.claimsLeast)) faults.push(`it was claimed ${claims} times`);
  if (state === "succeeded" ? runs !== 1 : !afterKill.states.includes(String(state)))
    faults.push(`it ran ${runs} times, and is ${state}`);
  if (readdirSync(join(scene.root, "pending")).length > 0) faults.push("pending is not empty");
  return faults;
}

function claimsOf(folder: string): number {
  return attemptsOf(folder).filter((attempt) => {
    const path = join(attempt, "started");
    return existsSync(path) && readFileSync(path, "utf8").endsWith(" end\n");
  }).length;
}

/** What is wrong with a gated job after whatever happened to its submission: it must have run once, and succeeded. */
export function faultsOfGated(scene: Scene): string[] {
  const folder = join(scene.root, "complete/solo");
  const faults = faultsOfJob(scene, folder, GATED);
  if (runsOf(scene).length !== 1) faults.push(`it ran ${runsOf(scene).length} times`);
  if (stateOf(folder) !== "succeeded") faults.push(`it is ${stateOf(folder)}`);
  if (claimsOf(folder) !== 1) faults.push(`it was claimed ${claimsOf(folder)} times`);
  if (readdirSync(join(scene.root, "pending")).length > 0) faults.push("pending is not empty");
  return faults;
}
