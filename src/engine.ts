/**
 * The contract between the manager and whatever runs jobs. No input or output happens here.
 * Each member states what it must do and what is true if it throws; test/contract proves it for every engine.
 */
import type { Script } from "./script.ts";

/** The version of this contract: what an engine says that it was written for. */
export const CONTRACT = 1;

declare const kind: unique symbol;
/** Our name for an attempt; durable before the engine is called, and part of the runner's path. */
export type Token = string & { [kind]: "token" };
/** The engine's name for it, in the engine's own spelling. */
export type Handle = string & { [kind]: "handle" };

/**
 * Words of sh, of the engine's own making, by which a runner knows for whom it was started. In them, $jm_folder and
 * $jm_token are the job's folder and the attempt's token.
 */
export interface Identity {
  /** The engine's id of the job, without blanks: of two copies of an attempt one steps aside. "-" where there is none. */
  readonly job: string;
  /** How often the scheduler has started this very job before: a later start takes over from an earlier one. */
  readonly restart: string;
  /** The index in a job array; an empty word for a plain job. */
  readonly task: string;
}

/** What an engine makes of one job.sh, before anything is submitted. Kept in the intent, so any later manager knows it. */
export interface Plan {
  /** The name that the engine will show. */
  readonly jobName: string;
  /** What runs the runner: the rest of its "#!" line. */
  readonly shell: string;
  /** Lines to stand at the head of the runner: directives that the engine reads there, or what a shell is to set first. */
  readonly directives: string;
  /** Further arguments of the submit command (--engine-arg), as they were when the job was planned. */
  readonly args: readonly string[];
  readonly identity: Identity;
  /** The wall time that the runner itself must enforce, in seconds; 0 where the engine does it, or there is none. */
  readonly limitS: number;
  /** Seconds between TERM and KILL when that limit is reached. */
  readonly graceS: number;
  /** The indices of a job array; empty for a plain job. */
  readonly tasks: readonly number[];
  /** How many tasks of the array may run at a time (1 for a plain job). */
  readonly tasksAtOnce: number;
  /** How many of --max-jobs' places the job takes. */
  readonly places: number;
  /** Where the job's output goes, relative to its folder; "%t" stands for an array index. */
  readonly outputs: readonly string[];
  /** Directives that this engine does not honour, as written. */
  readonly ignored: readonly string[];
  /** What is asked for instead of what job.sh names, because an earlier attempt had too little: "--mem=6G instead of 4G". */
  readonly raised?: readonly string[];
  /** What job.sh asks for, for people to read: as it was written, of those that are named. */
  readonly asked?: Asked;
  /** The wall time after which the engine itself ends the job, in seconds, where job.sh names one. */
  readonly timeS?: number;
}

/** How many times as much as job.sh names is to be asked for. What job.sh does not name, or has no limit, stays so. */
export interface Scale {
  readonly memory?: number;
  readonly time?: number;
}

/** What a job asks its engine for, as it was written: "2:00:00", "4G". */
export type Asked = Readonly<
  Partial<Record<"time" | "memory" | "cpus" | "tasks" | "nodes" | "gpus" | "partition", string>>
>;

/** The machine that a manager runs on; a process id means nothing without it. */
export interface Machine {
  readonly host: string;
  readonly boot: string;
}

/** A job that must have ended before another may start. */
export interface Dependency {
  readonly handle: Handle;
  /** "success": only if it has ended well; "end": however it has ended. */
  readonly needs: "success" | "end";
}

/** One attempt at one job, as its engine is told of it. What it says is on disk before the engine hears of it. */
export interface Attempt {
  readonly token: Token;
  /**
   * Absolute path of the job's folder under pending/, also the job's working directory. When somebody has moved the folder
   * while the job ran, find() and poll() are given where it and the records lie now, and the runner as it was submitted.
   */
  readonly folder: string;
  /** Absolute path of the attempt's records. */
  readonly records: string;
  /** Absolute path of the runner; unique to this attempt. */
  readonly runner: string;
  readonly plan: Plan;
  /** Where the manager ran that wrote the intent. */
  readonly madeOn: Machine;
  /** Jobs of the same engine that its scheduler is to wait for: those for which the engine has said that it `waitsForJobs`. */
  readonly after?: readonly Dependency[];
}

/** An attempt that the engine has taken. */
export interface Submitted extends Attempt {
  readonly handle: Handle;
}

/** The answer to "was this submitted?". "unsure": it is asked again, and nothing is submitted until then. */
export type Found =
  | { readonly is: "found"; readonly handle: Handle; readonly token: Token }
  /** Never arrived, and cannot arrive later. */
  | { readonly is: "absent" }
  | { readonly is: "unsure"; readonly why: string };

/**
 * Why a job ended, where the engine can tell: "itself" is a witness that nobody ended it; "launch": the engine tried
 * to start the runner, and could not; "deadline": it could not end in time, or did not; "gone": it waited for long, and
 * nothing is known of it any more, so that it must not be started again.
 */
export type EndCause =
  | "itself"
  | "timeout"
  | "memory"
  | "cancelled"
  | "node"
  | "preempted"
  | "deadline"
  | "revoked"
  | "launch"
  | "gone"
  | "interrupted";

/** How a job ended, or one task of an array, as the engine tells it. */
export interface End {
  /** The engine's own word and line for it ("TIMEOUT", "killed by SIGKILL"), verbatim. */
  readonly word: string;
  readonly cause?: EndCause;
  readonly exitCode?: number;
  readonly signal?: string;
  /** The scheduler took it out of the queue, for a job before it did not end as the scheduler demands. */
  readonly stranded?: boolean;
  /** In a sentence or two: what happened, and what to change. */
  readonly why?: string;
}

/** The news that it is over. */
export interface Ended extends End {
  readonly is: "ended";
  /** Of an array: what is known of single tasks, by index. */
  readonly tasks?: Readonly<Record<string, End>>;
}

/** What an engine knows of a job at this moment. */
export type News =
  /** `stuck`: it will not start unless somebody does something. */
  | {
      readonly is: "queued";
      readonly why?: string;
      readonly stuck?: boolean;
      /** It is stuck for it asks for more than it can ever have; `why` names the limit. */
      readonly asksTooMuch?: boolean;
      /** It is stuck for a job before it did not end as the scheduler demands. */
      readonly stranded?: boolean;
      /** When the engine expects to start it, as ISO-8601 UTC. */
      readonly expectedStart?: string;
    }
  | { readonly is: "running" }
  /** It is over or will soon be, but how is not certain yet: nothing is decided. */
  | { readonly is: "ending"; readonly why: string }
  | Ended
  /** The engine does not know it (any more): a question, not an answer. Only an exit record decides. */
  | { readonly is: "missing" }
  /** A word never seen before: the job is alive, and the word is shown. */
  | { readonly is: "unknown"; readonly word: string };

/** One line of `jobmgr doctor`. */
export interface Symptom {
  readonly level: "ok" | "warning" | "error";
  /** What was looked at, in a word or two. */
  readonly about: string;
  /** What was found, in a sentence; if it is not ok, with what to do. */
  readonly says: string;
}

/** What a job may ask for, in terms that every engine has; those that are left out are left to the engine. */
export interface Request {
  readonly nodes?: number;
  /** In all, over all nodes. */
  readonly cpus?: number;
  /** In all, over all nodes. */
  readonly gpus?: number;
  /** In all, over all nodes, in bytes. */
  readonly memoryB?: number;
  readonly timeLimitS?: number;
  /** Where stdout goes, relative to the job's folder; stderr too, unless `error` is given. */
  readonly output?: string;
  readonly error?: string;
}

/** One machine that jobs run on. */
export interface NodeResources {
  readonly name: string;
  /** In the engine's own word ("idle", "mixed", "down*"). */
  readonly state: string;
  /** False where no job can be started: it is down, drained, or not known. */
  readonly isUp: boolean;
  readonly cpus: number;
  readonly cpusFree?: number;
  readonly memoryB?: number;
  readonly memoryFreeB?: number;
  readonly gpus?: number;
  readonly gpusFree?: number;
  /** The partitions or queues that it belongs to. */
  readonly partitions: readonly string[];
}

/** A partition, or a queue: where a job can be sent to, and what it may ask for there. */
export interface PartitionResources {
  readonly name: string;
  readonly isDefault: boolean;
  /** Whether it starts jobs now. */
  readonly isUp: boolean;
  /** The longest wall time of a job, in seconds; left out where there is no limit. */
  readonly timeLimitS?: number;
  /** The most nodes of a job. */
  readonly nodesMax?: number;
}

/** What an engine has to run jobs on. */
export interface Resources {
  readonly nodes: readonly NodeResources[];
  readonly partitions: readonly PartitionResources[];
}

/** What the configuration says to every engine. Each takes of it what it has a use for. */
export interface EngineOptions {
  /** --max-jobs, where it was given. */
  readonly jobsMax: number | undefined;
  /** --grace, in seconds. */
  readonly graceS: number;
  /** --engine-arg, each an argument of the submit command. */
  readonly engineArgs: readonly string[];
  /** --min-query-interval, --doubt and --lost-after, in seconds. */
  readonly queryS: number;
  readonly doubtS: number;
  readonly lostAfterS: number;
}

/** What a module of an engine gives away, as its default export or under the engine's name. */
export interface EngineDefinition {
  /** The version of this contract that it was written for: 1. */
  readonly contract: number;
  /** As it is named by -e, in records and in messages: "SlurmEngine". */
  readonly name: string;
  /** Of the engine, for the records of its jobs. */
  readonly version: string;
  /** What it runs jobs with, in a few words, for `jobmgr engines`. */
  readonly summary: string;
  /** Why it cannot run jobs on this machine, in a sentence; undefined if it can. Starts no long search. */
  absence?(): string | undefined;
  /** Makes it, also where it cannot run jobs: it can then still read a job.sh. Throws EngineError `refused` for options that it cannot honour. */
  make(options: EngineOptions): Engine | Promise<Engine>;
}

/** What runs jobs. It may be made anew at any time: it must not need to remember what is not on disk, or with the scheduler. */
export interface Engine {
  readonly name: string;
  /** The default of --max-jobs. */
  readonly maxJobsDefault: number;
  /** What is submitted may have to wait there, and asking costs others: it is polled once a period, not at every event. */
  readonly hasQueue: boolean;
  /**
   * May a job of this plan be submitted before these have ended, with them as its `Attempt.after`? True only if the
   * scheduler itself then keeps it back until each of them has ended as it `needs`, together with what job.sh itself asks
   * to wait for. A scheduler that waits for the end alone says no where one needs "success". Where a job before it did not
   * end so, it must not start: it goes on waiting, or ends unstarted (`stranded`, where the scheduler tells); the manager
   * then takes it out of the queue. A
   * `refused` of a submission with `after` is taken for a doubt about these jobs, and not for the job's own fault.
   * Pure. Left out: it never waits, and such jobs are submitted when those before them have ended.
   */
  waitsForJobs?(plan: Plan, after: readonly Dependency[]): boolean;

  /**
   * Reads job.sh as this engine would. Pure. Throws `refused` for a directive that can never be honoured. What it
   * raises by `scale` it names in `raised`; an engine that cannot raise leaves that out.
   */
  plan(script: Script, scale?: Scale): Plan;

  /** What stands for "%j" in the names of its outputs. Pure. */
  outputId(job: Attempt & { readonly handle?: Handle }): string;

  /** The submit command as a person would type it, for job_error.txt. Pure. */
  command(attempt: Attempt): string;

  /** Starts the runner once. Any EngineError; after any but `refused`, `full` and `unavailable`, find() comes next. */
  submit(attempt: Attempt, stop: AbortSignal): Promise<Handle>;

  /**
   * Sees every earlier submit of any process. With a whole attempt: looks for its token. With a folder alone
   * (its records were destroyed): looks for any job of ours that works there.
   */
  find(attempt: Attempt | { readonly folder: string }, stop: AbortSignal): Promise<Found>;

  /** One question for all; every token is answered, and one odd job spoils no other. Throws `unavailable`. */
  poll(jobs: readonly Submitted[], stop: AbortSignal): Promise<ReadonlyMap<Token, News>>;

  /** Asks for the end; poll() observes it. Safe to repeat, and to ask for a job that has ended. */
  cancel(jobs: readonly Submitted[], stop: AbortSignal): Promise<void>;

  /** Would this attempt be taken? Starts nothing. Throws `refused` or `unavailable`. */
  check(attempt: Attempt, stop: AbortSignal): Promise<void>;

  /** What looks wrong in a job.sh that plan() takes, in sentences that say what to do. For `jobmgr check`. Pure. */
  remarks?(script: Script): readonly string[];

  /**
   * What it needs, and whether that is there and well. For `jobmgr doctor`, also where the engine cannot run: never
   * throws, changes nothing, and takes no longer than half a minute.
   */
  diagnose?(): Promise<readonly Symptom[]>;

  /** The lines by which a job.sh asks this engine for all that, one directive each. Pure. For jobs that programs make. */
  directives?(request: Request): readonly string[];

  /** What there is to run jobs on, for `jobmgr resources`. Throws `unavailable`. */
  resources?(stop: AbortSignal): Promise<Resources>;

  /** Calls `wake` when there is likely news. A hint: it carries no facts and may never come. */
  onNews?(wake: () => void): void;
}
