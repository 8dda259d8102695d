/** What programs see of jobmgr: types alone. docs/api.md is made of this file. */
import type { Report, Row } from "../look/report.ts";
import type { Cause, Result } from "../outcome.ts";

declare global {
  /** For declarations that are read without those of Node. */
  interface SymbolConstructor {
    readonly asyncDispose: unique symbol;
  }
}

/**
 * A job that is to be. What makes it is one of `commands`, `script` and `folder`. What is left out is left to the engine.
 *
 * ```ts
 * import { openRoot } from "jobmgr";
 *
 * const root = await openRoot("/home/ada/jobs");
 * await root.submit({
 *   name: "mesh-7",
 *   commands: ["module load gmsh", "gmsh -3 part7.geo"],
 *   cpus: 8,
 *   memory: "16G",
 *   timeLimitS: 36 * 3600,
 *   env: { OMP_NUM_THREADS: 8, DISPLAY: null },
 *   ifThere: "adopt",
 * });
 * ```
 */
export interface JobRequest {
  /** The name of its folder, and by which it is found again. Without "/"; not hidden. */
  readonly name: string;
  /** Lines of bash, which run one after the other until one of them fails, as under `set -e`. */
  readonly commands?: readonly string[] | undefined;
  /** The whole text of a job.sh, with or without a `#!` line, in a language in which "#" begins a comment. */
  readonly script?: string | undefined;
  /** The path of a folder with a job.sh in it. It is copied; the folder itself stays as it is. */
  readonly folder?: string | undefined;
  /** How many machines it runs on. */
  readonly nodes?: number | undefined;
  /** Processors in all, over all nodes; on one node, unless `nodes` says otherwise. */
  readonly cpus?: number | undefined;
  /** In all, over all nodes. */
  readonly gpus?: number | undefined;
  /** In all, over all nodes: bytes, or "512M", "16G", "1T" (of 1024). */
  readonly memory?: number | string | undefined;
  /** Its longest run time, in seconds; it may be days. */
  readonly timeLimitS?: number | undefined;
  /**
   * Variables of its environment, as they are: nothing in a value is expanded or executed. `null` unsets one. Only for a
   * job.sh that a shell reads.
   */
  readonly env?: Readonly<Record<string, string | number | null>> | undefined;
  /**
   * Where stdout goes, relative to the job's folder; stderr too, unless `error` is given. Folders in it are made, but for
   * those of a `folder`, which must bring them.
   */
  readonly output?: string | undefined;
  readonly error?: string | undefined;
  /** It starts when these have succeeded: jobs of this root, or their names. */
  readonly after?: readonly (string | Pick<Job, "id">)[] | undefined;
  /** It starts when these have ended, however they have. */
  readonly afterAny?: readonly (string | Pick<Job, "id">)[] | undefined;
  /** Further lines of the engine's own at the head of job.sh, such as "#SBATCH --partition=debug". */
  readonly directives?: readonly string[] | undefined;
  /**
   * What is done if the root has a job of this name, waiting, running or ended. "refuse" (the default): JobThereError.
   * "adopt": that job is given back, and nothing is submitted; so a program that was killed may submit the same job
   * again, and it runs once. "number": it becomes NAME~2.
   */
  readonly ifThere?: "refuse" | "adopt" | "number" | undefined;
}

/** How a job is submitted. */
export interface SubmitOptions {
  /** Ends the copy of a folder, between two files. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Where a job is in its life. "waiting": in the inbox; "held": there, until job_hold is removed; "queued": claimed or
 * submitted; "running": until it is known how it ended, also while it is suspended or being completed. The others are
 * ends, and stay so when its folder is removed; "gone": it was moved away or removed before; "unknown": it lies in
 * complete/ without a record of its end.
 */
export type JobState = "waiting" | "held" | "queued" | "running" | Result | "gone" | "unknown";

/** How a job ended. */
export interface JobOutcome {
  /** By which name it is found in complete/. */
  readonly name: string;
  /** The folder with its results; undefined if it was moved away or removed. */
  readonly folder: string | undefined;
  readonly is: Result | "gone" | "unknown";
  /** True if, and only if, it ran to its end with exit code 0: none that was stopped or cancelled, or lost its node. */
  readonly isSuccess: boolean;
  /** What happened, and what to do, in a sentence or two. */
  readonly why: string;
  readonly exitCode?: number;
  /** "KILL", "TERM", ... */
  readonly signal?: string;
  /** What ended it, where that is more than its own exit code: "timeout", "memory", "cancelled", "node", ... */
  readonly cause?: string;
  /** The engine's own word for it ("TIMEOUT"), verbatim. */
  readonly engineWord?: string;
  /** The engine's own id of it. */
  readonly engineId?: string;
  /** Of a job array: the exit code of each task, null where it is not known. */
  readonly tasks?: Readonly<Record<string, number | null>>;
  /** Because of which job it was refused that was to run after others. */
  readonly after?: Cause;
  readonly submittedAt?: Date;
  readonly startedAt?: Date;
  readonly endedAt?: Date;
}

/** How long to wait. */
export interface WaitOptions {
  /** ResultTimeoutError after so long; the job goes on. Without it: for ever. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait with the signal's reason; the job goes on. */
  readonly signal?: AbortSignal | undefined;
}

/** One job of a root, whoever submitted it. Holds nothing open: what it tells is read off the disk. */
export interface Job {
  /** The name under which it was submitted or found. */
  readonly id: string;
  /** Looks now. */
  readonly state: JobState;
  /** The folder that it is in now; undefined if it was moved away or removed. */
  readonly folder: string | undefined;
  /** All that `jobmgr status --json` tells of it; undefined if it was moved away or removed. */
  look(): JobRow | undefined;
  /**
   * Calls `listener` once, when the job has started, or has ended; soon, if it has already. The program stays alive until
   * then. Returns a function that calls it off.
   */
  on(event: "start", listener: (job: Job) => void): () => void;
  on(event: "end", listener: (outcome: JobOutcome) => void): () => void;
  /**
   * Asks for its end, which comes when the manager looks: result() tells of it. False if it has ended or is gone. Where
   * no manager runs, it ends when one is started.
   */
  cancel(reason?: string): Promise<boolean>;
  /**
   * Waits for its end, good or bad. Where no manager runs, that is when somebody starts one, and a warning says so. One
   * that is stopped by this program ends the wait with ClosedError, one that fails in this program with ManagerError.
   */
  result(options?: WaitOptions): Promise<JobOutcome>;
  /** What it has printed so far, as text: at most the last `bytesMax` bytes (a million) of each of its outputs. */
  output(options?: { readonly bytesMax?: number | undefined }): Promise<string>;
}

/** One job as `jobmgr status --json` shows it. Times are ISO-8601 UTC. */
export type JobRow = Row;

/** The value of `jobmgr status --json`. */
export type RootStatus = Report;

/** How much of a root is shown. */
export interface StatusOptions {
  /** Of those that have ended, only so many, the latest (10). */
  readonly finishedMax?: number | undefined;
  /** Of those that wait, only so many, the next ones (all). */
  readonly waitingMax?: number | undefined;
}

/** How a root is watched. */
export interface WatchOptions extends StatusOptions {
  /** Looks so often (2000). */
  readonly everyMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What has changed in a root since the last look. */
export interface RootChange {
  readonly status: RootStatus;
  /** Jobs that are new, or stand otherwise than before; the first time, all. */
  readonly changed: readonly JobRow[];
  /** Names of jobs that were shown before and are nowhere in the root any more. */
  readonly gone: readonly string[];
}

/** How a root is opened. */
export interface RootOptions {
  /** Makes a root there, if there is none. The folder around it must be there. */
  readonly setUp?: boolean | undefined;
  /**
   * What runs the jobs, as of `jobmgr -e`: "local", "slurm", "LocalEngine", a package, "./my-engine.js". Default: the
   * engine of the root's manager, or else the one that is configured.
   */
  readonly engine?: string | undefined;
  /**
   * Runs the manager of this root in this program, until it is closed. Without it, a manager must run elsewhere: one per
   * root, on any machine that has the same file system, or nothing goes on.
   */
  readonly manage?: boolean | undefined;
  /** Options by the keys of jobmgr.toml, such as { period: 5, "max-jobs": 4 }. They outweigh files and environment. */
  readonly settings?: Readonly<Record<string, string | number | boolean | readonly string[]>> | undefined;
  /** Gets each line that a manager would print, and a line where somebody waits and no manager runs. */
  readonly log?: ((line: string) => void) | undefined;
}

/**
 * An open root. Nothing is held open but what waits, and the manager, if it runs here.
 *
 * ```ts
 * import { openRoot } from "jobmgr";
 *
 * await using root = await openRoot("./jobs", { setUp: true, engine: "local", manage: true });
 * const job = await root.submit({ name: "hello", commands: ["echo Hello, world!"] });
 * console.log((await job.result()).exitCode);
 * ```
 */
export interface JobRoot {
  /** Absolute. */
  readonly path: string;
  /**
   * Makes the job's folder and puts it into the inbox, whole, by one rename: on the device when this resolves, and not
   * there at all if it throws. RequestError for what cannot be a job, EngineError `refused` for what its engine can never
   * have, JobThereError, AbsentError for a job in `after` that is not there; the reason of `signal`, if that aborts before
   * it is there.
   */
  submit(request: JobRequest, options?: SubmitOptions): Promise<Job>;
  /** The job of that name: of several the one under way, then the one that waits. Throws AbsentError. */
  job(name: string): Promise<Job>;
  /** Looks at the root now. */
  status(options?: StatusOptions): Promise<RootStatus>;
  /** Tells at once how it is, and then whatever changes, until `signal` aborts or the root is closed. */
  watch(options?: WatchOptions): AsyncIterable<RootChange>;
  /**
   * Stops the manager, if it runs here, and ends what waits with ClosedError. Jobs go on, but for those of an engine that
   * has them in this very process. Safe to repeat.
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How an engine without a root is had. */
export interface EngineUseOptions extends Pick<RootOptions, "settings" | "log"> {
  /**
   * The folder in which the temporary root is made. Default: the system's temporary folder for LocalEngine, else the one
   * that one stands in, for the nodes must see it.
   */
  readonly folder?: string | undefined;
}

/**
 * An engine without a root of one's own: it has a temporary one, which this program manages as long as jobs are under
 * way. The program stays alive until they have ended. Then, when the program ends or closes it, the root is removed, with
 * all results: read them before, or copy them from `job.folder`. If the program is killed, jobs go on and the root stays.
 *
 * ```ts
 * import { getEngine } from "jobmgr";
 *
 * const job = await getEngine("local").submit({ name: "hello-world", commands: ["echo 'Hello, world!'"], cpus: 1 });
 * console.log((await job.result()).exitCode, await job.output());
 * ```
 */
export interface EngineUse {
  readonly name: string;
  /** As JobRoot.submit(). Throws EngineError, too, where the engine cannot run jobs here. */
  submit(request: JobRequest, options?: SubmitOptions): Promise<Job>;
  /** Ends what waits with ClosedError, and removes the root, unless jobs of it are under way: these go on, and it is told where. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** One program to be launched, and how many processes of it. */
export interface LaunchProgram {
  /** The program and its arguments, which reach it as they are; no ":" for mpiexec and srun, to which it is the end. */
  readonly argv: readonly string[];
  /** Left out: one of several programs has one process, a program alone as many as the launcher makes of itself. */
  readonly processes?: number;
  /** Further options of the launcher for this program, as they are. */
  readonly options?: readonly string[];
}

/** How programs are launched. */
export interface LaunchOptions {
  /** Puts the rank before each line of output. */
  readonly label?: boolean;
  /** Beside those of this process; null takes a variable away. */
  readonly env?: Readonly<Record<string, string | null>>;
  readonly stdin?: "inherit" | "ignore";
  /** Where output goes: where that of this process goes (the default), nowhere, or to a stream. */
  readonly stdout?: "inherit" | "ignore" | NodeJS.WritableStream;
  readonly stderr?: "inherit" | "ignore" | NodeJS.WritableStream;
  /** Ends them: TERM, and KILL 5 s later. */
  readonly signal?: AbortSignal;
  /** Signals that this process gets are handed on to them. */
  readonly passSignals?: boolean;
}

/** How a launch ended. */
export interface LaunchEnd {
  /** Of the launcher, or the highest of all copies; 128 + n after signal n, 127 for a program that is not there. */
  readonly exitCode: number;
  readonly signal: string | undefined;
  /** What could not be started, and why. */
  readonly fault?: string;
}

/**
 * Starts programs in parallel, in the foreground, with the launcher of this place: `jobmgr launch` for programs.
 *
 * ```ts
 * import { getLauncher } from "jobmgr";
 *
 * const launcher = await getLauncher("local");
 * console.log(launcher.command([{ argv: ["echo", "Hello, world!"], processes: 4 }]));
 * const { exitCode } = await launcher.run([{ argv: ["echo", "Hello, world!"], processes: 4 }], { label: true });
 * console.log(exitCode);
 * ```
 */
export interface Launcher {
  readonly name: string;
  /** What it is: which words it understands. */
  readonly kind: "openmpi" | "mpich" | "srun" | "local" | "other";
  /** What run() would start, as lines that a person would type. Throws LaunchError. */
  command(programs: readonly LaunchProgram[], options?: Pick<LaunchOptions, "label">): readonly string[];
  /** Runs them to their end. Several programs are one launch (MPMD). Throws LaunchError before anything was started. */
  run(programs: readonly LaunchProgram[], options?: LaunchOptions): Promise<LaunchEnd>;
}
