/**
 * A root with one job of every kind, copied for each trial; and the judgement afterwards: nothing lost, nothing run
 * twice, nothing changed, and every word to the user true.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jobmgr, makeFolder, PROGRAM, type Running, runToEnd, start, waitUntil } from "../harness.ts";

/** Jobs find the ledger from where they run, so that a root can be copied. */
const LEDGER = "../../../ledger";

const BYTES = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7) % 256));

interface Kind {
  readonly script: string;
  /** How often job.sh is run. */
  readonly runs: 0 | 1;
  readonly state: string;
  readonly more?: Readonly<Record<string, string>>;
}

/** All that a manager may meet in one inbox. */
export const KINDS = {
  again: {
    script: `echo again >>${LEDGER}; echo life "$(cat code)"; exit "$(cat code)"\n`,
    runs: 1,
    state: "succeeded",
  },
  bad: { script: `echo bad >>${LEDGER}; echo mine >job_error.txt; exit 3\n`, runs: 1, state: "failed" },
  good: { script: `echo good >>${LEDGER}; cksum data.bin >result\n`, runs: 1, state: "succeeded" },
  halted: {
    script: `echo halted >>${LEDGER}\n`,
    runs: 0,
    state: "cancelled",
    more: { job_cancel: "changed my mind\n" },
  },
  unfit: { script: `echo unfit >>${LEDGER}\r\n`, runs: 0, state: "refused" },
} as const satisfies Record<string, Kind>;

export type Name = keyof typeof KINDS;

/** What a scene must know of the engine that its jobs go to. */
export interface SceneEngine {
  /** The options of a manager that uses it. */
  readonly args: readonly string[];
  /** Seconds between two checks, where somebody waits for them. */
  readonly period: string;
  /** How long jobs may take to arrive after the worst that is done to them. */
  readonly arrivalMs: number;
  /** The name of a job's output, up to its end. */
  readonly output: RegExp;
  /** Which kind is submitted behind which, for schedulers that wait themselves. */
  readonly after?: Readonly<Partial<Record<Name, Name>>>;
  /** What programs need to reach it, and jobs to be reached. */
  env(): NodeJS.ProcessEnv;
  /** How many jobs of this root have not ended, as far as it says. */
  living(scene: Scene): Promise<number>;
}

/** A root in a folder of its own, with the ledger beside it. */
export interface Scene {
  readonly engine: SceneEngine;
  readonly folder: string;
  readonly root: string;
  readonly ledger: string;
}

function sceneIn(engine: SceneEngine, folder: string): Scene {
  return { engine, folder, root: join(folder, "root"), ledger: join(folder, "ledger") };
}

export function copyOf(scene: Scene): Scene {
  const copy = sceneIn(scene.engine, makeFolder());
  cpSync(scene.folder, copy.folder, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  return copy;
}

export function removeScene(scene: Scene): void {
  rmSync(scene.folder, { recursive: true, force: true, maxRetries: 5 });
}

/** The arguments of a manager that marks what has arrived, so that this effect is there to be cut, too. */
export function managerArgs(scene: Scene, ...more: string[]): string[] {
  const { args } = scene.engine;
  return ["--root", scene.root, ...args, "--settle", "0", "-M", "8", "--finished-file", "done", ...more];
}

export async function once(scene: Scene, program = PROGRAM): Promise<void> {
  await runToEnd(process.execPath, [program, ...managerArgs(scene, "--once")], { env: scene.engine.env() });
}

function put(scene: Scene, name: string, files: Readonly<Record<string, string>>): void {
  const staging = join(scene.folder, "staging");
  mkdirSync(join(staging, "deep"), { recursive: true });
  writeFileSync(join(staging, "data.bin"), BYTES);
  writeFileSync(join(staging, "deep", "data.bin"), BYTES);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(staging, file), text);
  renameSync(staging, join(scene.root, "inbox", name));
}

export async function emptyScene(engine: SceneEngine): Promise<Scene> {
  const scene = sceneIn(engine, makeFolder());
  const made = await jobmgr(["--root", scene.root, "--setup"]);
  if (made.code !== 0) throw new Error(made.stderr);
  writeFileSync(scene.ledger, "");
  return scene;
}

/** A root with one job, which says in the ledger that it runs. */
export async function sceneWith(engine: SceneEngine, name: string, script: string): Promise<Scene> {
  const scene = await emptyScene(engine);
  put(scene, name, { "job.sh": script });
  return scene;
}

/** All kinds in the inbox; "again" has failed before and was moved back. */
export async function fullInbox(engine: SceneEngine): Promise<Scene> {
  const scene = await emptyScene(engine);
  const drop = (name: Name, files: Readonly<Record<string, string>> = {}) => {
    const kind: Kind = KINDS[name];
    const before = engine.after?.[name];
    const after = before !== undefined && { "job_after.txt": `${before}\n` };
    put(scene, name, { "job.sh": kind.script, ...kind.more, ...after, ...files });
  };
  drop("again", { code: "1" });
  await recover(scene, ["again"]);
  const came = join(scene.root, "complete", "again");
  writeFileSync(join(came, "code"), "0");
  renameSync(came, join(scene.root, "inbox", "again"));
  writeFileSync(scene.ledger, "");
  drop("bad");
  drop("good");
  drop("halted");
  drop("unfit");
  return scene;
}

/** As fullInbox, taken in, and run: what is left is to settle and to archive. */
export async function allRun(inbox: Scene): Promise<Scene> {
  const scene = copyOf(inbox);
  await once(scene);
  await waitUntil("all have run", () =>
    namesIn(scene, "pending").every((name) =>
      attemptsOf(join(scene.root, "pending", name)).some((at) => existsSync(join(at, "exit"))),
    ),
  );
  await untilLiving(scene, 0);
  return scene;
}

/** Waits until no more than so many jobs of this root have not ended, as far as the engine says, or something else is. */
export async function untilLiving(scene: Scene, most: number, orElse: () => boolean = () => false): Promise<void> {
  const limit = performance.now() + scene.engine.arrivalMs;
  while (!orElse() && (await scene.engine.living(scene)) > most) {
    if (performance.now() > limit) throw new Error(`more than ${most} jobs still live`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** A manager that goes on until it is stopped. */
export function manage(scene: Scene, program = PROGRAM, env: NodeJS.ProcessEnv = {}): Running {
  const args = [program, ...managerArgs(scene, "-p", scene.engine.period)];
  return start(process.execPath, args, { env: { ...scene.engine.env(), ...env } });
}

/** What a person would do: start the manager again, and wait until all has arrived. */
export async function recover(
  scene: Scene,
  names: readonly string[] = Object.keys(KINDS),
  program = PROGRAM,
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  const manager = manage(scene, program, env);
  try {
    await arrival(scene, names, manager);
  } finally {
    await manager.stop();
  }
}

/** Waits until all jobs have arrived; what the manager said is part of the error. */
export async function arrival(scene: Scene, names: readonly string[], manager: Running): Promise<void> {
  try {
    await waitUntil(
      `${names} in complete, and nothing left to finish`,
      () =>
        names.every((name) => existsSync(join(scene.root, "complete", name, "done"))) &&
        namesIn(scene, ".jobmgr/finishing").length === 0,
      scene.engine.arrivalMs,
    );
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${manager.stdout()}${manager.stderr()}`);
  }
}

export function runsOf(scene: Scene): string[] {
  return readFileSync(scene.ledger, "utf8").split("\n").filter(Boolean).sort();
}

function namesIn(scene: Scene, place: string): string[] {
  return readdirSync(join(scene.root, place)).sort();
}

/** The attempts in a job's folder, in force and past. */
export function attemptsOf(folder: string): string[] {
  const own = join(folder, ".jobmgr");
  if (!existsSync(own)) return [];
  return readdirSync(own)
    .filter((name) => /^(attempt|past)-/.test(name))
    .map((name) => join(own, name));
}

export function stateOf(folder: string): unknown {
  return JSON.parse(readFileSync(join(folder, "job_status.json"), "utf8")).state;
}

/** What is wrong with one job in complete/, whatever became of it. */
export function faultsOfJob({ engine }: Scene, folder: string, script: string): string[] {
  const faults: string[] = [];
  const check = (good: boolean, what: string) => good || faults.push(`${folder}: ${what}`);
  check(readFileSync(join(folder, "job.sh"), "utf8") === script, "job.sh was changed");
  for (const path of ["data.bin", "deep/data.bin"])
    check(readFileSync(join(folder, path)).equals(BYTES), `${path} was changed`);
  const state = stateOf(folder);
  const hasError = existsSync(join(folder, "job_error.txt"));
  check(hasError === (state !== "succeeded"), `it is ${state}, and job_error.txt is ${hasError ? "" : "not "}there`);
  const known = ".jobmgr code data.bin deep done job.sh job_after.txt job_error.txt job_status.json result".split(" ");
  const isOutput = (name: string) => name.replace(engine.output, "") === "";
  for (const name of readdirSync(folder)) check(known.includes(name) || isOutput(name), `${name} is left over`);
  const inForce = attemptsOf(folder).filter((path) => path.includes("/attempt-"));
  check(inForce.length === 1, `${inForce.length} attempts are in force`);
  return faults;
}

/** What is wrong with a scene in which all jobs of all kinds should have arrived; empty if it is as it must be. */
export function faultsOf(scene: Scene): string[] {
  const faults: string[] = [];
  const same = (what: string, is: unknown, must: unknown) => {
    if (JSON.stringify(is) !== JSON.stringify(must))
      faults.push(`${what} is ${JSON.stringify(is)}, not ${JSON.stringify(must)}`);
  };
  const kinds: [string, Kind][] = Object.entries(KINDS);
  same(
    "the ledger",
    runsOf(scene),
    kinds.filter(([, { runs }]) => runs === 1).map(([name]) => name),
  );
  same("inbox", namesIn(scene, "inbox"), []);
  same("pending", namesIn(scene, "pending"), []);
  same(
    "complete",
    namesIn(scene, "complete"),
    kinds.map(([name]) => name),
  );
  same("finishing", existsSync(join(scene.root, ".jobmgr/finishing")) ? namesIn(scene, ".jobmgr/finishing") : [], []);
  for (const [name, kind] of kinds) {
    const folder = join(scene.root, "complete", name);
    faults.push(...faultsOfJob(scene, folder, kind.script));
    same(`the state of ${name}`, stateOf(folder), kind.state);
  }
  const again = join(scene.root, "complete/again");
  const kept = attemptsOf(join(scene.root, "complete/bad")).flatMap((at) => textsIn(at, /^job_error\.txt/));
  same("the job's own error file, kept", kept.includes("mine\n"), true);
  const outputs = [again, ...attemptsOf(again)].flatMap((at) => textsIn(at, scene.engine.output));
  const lives = outputs.flatMap((text) => text.match(/^life \d$/gm) ?? []).sort();
  same("the output of both lives", lives, ["life 0", "life 1"]);
  return faults;
}

/** The texts of the files in a folder whose names begin so. */
function textsIn(folder: string, file: RegExp): string[] {
  return readdirSync(folder)
    .filter((name) => file.test(name))
    .map((name) => readFileSync(join(folder, name), "utf8"));
}
