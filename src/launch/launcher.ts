/** A launcher, for the verb and for programs: what it would start, and starting it. */
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Disk } from "../disk.ts";
import { faultOfKinds, type Kind, type Kinds, OBJECT, SIGNAL, SWITCH } from "../kinds.ts";
import { signalNumber } from "../signals.ts";
import { defaultLauncher, knownLauncher, type LaunchMachine } from "./choice.ts";
import { type KnownLauncher, linesOf, planOf, type Start } from "./command.ts";
import { LaunchError, type Program } from "./program.ts";
import type { LaunchSettings } from "./settings.ts";

/** Where a process writes: where this one does, nowhere, or to a stream. */
export type Output = "inherit" | "ignore" | NodeJS.WritableStream;

/** How processes are started together. */
export interface TogetherOptions {
  /** Beside those of this process; null takes a variable away. */
  readonly env?: Readonly<Record<string, string | null>>;
  readonly stdin?: "inherit" | "ignore";
  readonly stdout?: Output;
  readonly stderr?: Output;
  /** Ends them: TERM, and KILL 5 s later. */
  readonly signal?: AbortSignal;
  /** Signals that this process gets are theirs, as on a terminal. */
  readonly passSignals?: boolean;
  /** What starts the processes is a launcher, which hands on signals itself. */
  readonly isLauncher?: boolean;
}

/** How a process ended. One that could not be started has code 127 or 126, as with a shell. */
export interface ProcessEnd {
  readonly exitCode: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  /** Why it could not be started. */
  readonly fault?: string;
}

/** Starts processes, and waits for the end of all. */
export type RunTogether = (starts: readonly Start[], options: TogetherOptions) => Promise<readonly ProcessEnd[]>;

/** What a launcher needs of this machine. */
export interface LaunchSurroundings extends LaunchMachine {
  readonly disk: Disk;
  readonly runTogether: RunTogether;
}

/** How a launch is run, beside what is launched. */
export interface RunOptions extends TogetherOptions {
  /** Put the rank before each line of output. */
  readonly label?: boolean;
}

/** How it ended. */
export interface LaunchEnd {
  /** Of the launcher, or the highest of all copies; 128 + n after signal n, 127 for a program that is not there. */
  readonly exitCode: number;
  /** The signal that ended it, of the launcher or of the copy whose code is told. */
  readonly signal: NodeJS.Signals | undefined;
  /** What could not be started, and why. */
  readonly fault?: string;
}

/** Starts programs in parallel. */
export interface Launcher {
  readonly name: string;
  readonly kind: KnownLauncher["kind"];
  /**
   * What run() would start, as lines that a person would type: one of a launcher, one for each copy on this machine.
   * Behind that of srun, of several programs, the lines of its --multi-prog file follow. Throws LaunchError.
   */
  command(programs: readonly Program[], options?: { readonly label?: boolean }): readonly string[];
  /** Runs them to their end. Throws LaunchError before anything was started. */
  run(programs: readonly Program[], options?: RunOptions): Promise<LaunchEnd>;
}

/** Makes one by name, or that of this place. Throws LaunchError for an unknown name, EngineError `unavailable`. */
export async function makeLauncher(
  name: string | undefined,
  settings: LaunchSettings,
  around: LaunchSurroundings,
): Promise<Launcher> {
  const known = await knownLauncher(name ?? defaultLauncher(settings, around), settings, around);
  return {
    name: known.name,
    kind: known.kind,
    command: (programs, { label = false } = {}) => linesOf(planOf(known, programs, label)),
    run: (programs, options = {}) => run(known, programs, options, around),
  };
}

const INPUT: Kind = { says: '"inherit" or "ignore"', is: (value) => value === "inherit" || value === "ignore" };
const OUTPUT: Kind = {
  says: '"inherit", "ignore" or a stream to write to',
  is: (value) => INPUT.is(value) || typeof (value as Partial<NodeJS.WritableStream> | null)?.write === "function",
};
const RUN_OPTIONS: Kinds<RunOptions> = {
  label: SWITCH,
  env: OBJECT,
  stdin: INPUT,
  stdout: OUTPUT,
  stderr: OUTPUT,
  signal: SIGNAL,
  passSignals: SWITCH,
  isLauncher: SWITCH,
};

async function run(
  launcher: KnownLauncher,
  programs: readonly Program[],
  said: RunOptions,
  around: LaunchSurroundings,
): Promise<LaunchEnd> {
  const fault = faultOfKinds(said, RUN_OPTIONS, "run()");
  if (fault) throw new LaunchError(fault);
  const { label = false, ...options } = said;
  const { starts, multiProg } = planOf(launcher, programs, label);
  const isLauncher = launcher.kind !== "local";
  const start = (all: readonly Start[]) => around.runTogether(all, { ...options, isLauncher });
  const ends =
    multiProg === undefined
      ? await start(starts)
      : await withFile(around.disk, multiProg, (path) => start(starts.map((one) => withPath(one, path))));
  return worstOf(ends);
}

/** The path is the last word of the command line. */
function withPath(start: Start, path: string): Start {
  return { ...start, argv: [...start.argv.slice(0, -1), path] };
}

/** srun reads it when it starts; nobody else may read what is in it, or put another in its place. */
async function withFile<T>(disk: Disk, text: string, action: (path: string) => Promise<T>): Promise<T> {
  const folder = join(tmpdir(), `jobmgr-launch-${randomBytes(8).toString("hex")}`);
  if (!disk.makeFolder(folder, 0o700)) throw new LaunchError(`${folder} is there already`);
  const path = join(folder, "multi-prog");
  try {
    disk.create(path, text, 0o600);
    return await action(path);
  } finally {
    putAway(disk, folder, path);
  }
}

/** How the program has ended is told, whatever became of these meanwhile. */
function putAway(disk: Disk, folder: string, path: string): void {
  for (const remove of [() => disk.remove(path), () => disk.removeFolder(folder)]) {
    try {
      remove();
    } catch {
      // It has gone, or its disk has.
    }
  }
}

/** srun's own rule: of several codes the highest is told. */
function worstOf(ends: readonly ProcessEnd[]): LaunchEnd {
  const told = ends.map(({ exitCode, signal, fault }) => ({
    exitCode: exitCode ?? (signal === undefined ? 1 : 128 + signalNumber(signal)),
    signal,
    ...(fault !== undefined && { fault }),
  }));
  return told.reduce((worst, end) => (end.exitCode > worst.exitCode ? end : worst), {
    exitCode: 0,
    signal: undefined,
  } as LaunchEnd);
}
