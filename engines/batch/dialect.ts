/**
 * What one scheduler with a queue is to BatchEngine: a table of data and pure functions, text in and text out. BatchEngine
 * runs the programs, keeps what must be known on the disk, and has the rules by which a job runs exactly once; a dialect
 * never runs anything, and never throws but where it is said.
 *
 * For a new scheduler: write `engines/NAME/dialect.ts` with such a table, and an engine that extends BatchEngine with it.
 * An id is spelled alike wherever it comes from (answer, queue, history, claim): as the handle of the job, one for an
 * array as a whole. This interface is stable; members may be added, each optional.
 */
import type { Attempt, End, News, Plan, Scale } from "../../src/engine.ts";
import type { Verdict } from "../../src/engine-error.ts";
import type { Script } from "../../src/script.ts";

/** A program to be run, and what it is told. */
export interface Question {
  readonly program: string;
  readonly args: readonly string[];
}

/** What a program printed, and how it ended. Of what an earlier manager left on disk the exit code is not known. */
export interface Said {
  readonly exitCode?: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** "ENOENT": it could not be started. */
  readonly errorCode?: string | undefined;
}

/** What a "no" of the submit command means. */
export interface Answer {
  /** As in EngineError; `unknown` is a text never seen, after which it is looked for and tried again a few times. */
  readonly verdict: Verdict | "unknown";
  /** What it means and what to change, for a person. */
  readonly remedy?: string;
  /** Of `full`: it is not ours alone, and may last though nothing of ours is queued. */
  readonly isGroupLimit?: boolean;
}

/** What a row says of a job: that it is alive, or how it ended. A word never seen is `unknown`, and the job is alive. */
export type RowNews =
  | Extract<News, { readonly is: "queued" | "running" | "unknown" }>
  | ({
      readonly is: "ended";
      /** It only tells how it ended where the runner has left no record of that. */
      readonly ifNoRecord?: boolean;
    } & End);

/** One job in the queue or in the history, one task of an array, or tasks that wait together. */
export interface Row {
  readonly id: string;
  /** The index of a task; left out for a plain job, and for tasks of an array that are told of together. */
  readonly task?: number;
  readonly news: RowNews;
  /** A text that holds the path of the runner; left out where only the details tell it, and there, where nothing does. */
  readonly runner?: string;
  /** Whoever asks for its end now changes nothing: it is being ended, or cleaned up. */
  readonly isEnding?: boolean;
  /** How often it was started before, where that is known. */
  readonly restarts?: number;
  /** Of a row of what has left the queue, if it does not name the runner: what else must agree, for ids are used again. */
  readonly name?: string;
  readonly submittedAtMs?: number;
  /** The details of an id hold until this changes; left out where there are none. */
  readonly version?: string;
}

/** What only a second question tells of a job. */
export interface Details {
  readonly runner: string;
  /** Why it is stuck, for rows whose news is that. */
  readonly why?: string;
  /** All that is known of it, where the queue tells no more than that it is there. */
  readonly row?: Row;
}

/** What is configured of an engine, as a dialect needs it. */
export interface Means {
  /** --engine-arg */
  readonly engineArgs: readonly string[];
  /** What starts runners on this machine: "/bin/sh", or a bash where the environment asks for it. */
  readonly shell: string;
}

/** Where ended jobs are looked up; left out where the queue itself tells of them. */
export interface History {
  /**
   * Asks for jobs by their ids; without ids for all of this user, so that the runner can be looked for; undefined where
   * that cannot be asked, for it costs too much, or no row would name the runner.
   */
  question(of: {
    readonly ids?: readonly string[];
    readonly user: string;
    readonly sinceMs: number;
  }): Question | undefined;
  /** Of several rows of one job or task the last one counts. "absent": none is kept here; "down": ask again later. */
  rows(said: Said): readonly Row[] | "absent" | "down";
  /** An end may stand in it so much later. */
  readonly lagMs: number;
  /** A row that says that a job lives is the scheduler's word at this moment, and no record of the past. */
  readonly tellsOfLiving?: boolean;
}

/** All that BatchEngine must know of a scheduler. */
export interface Dialect {
  /** "SgeEngine" */
  readonly engine: string;
  /** "Grid Engine", for sentences. */
  readonly scheduler: string;
  /** The submit command: "qsub". */
  readonly submitter: string;
  /** What was in its queue for so long outlives a crash of it; a minute where this is left out. */
  readonly savedMs?: number;
  /** After this exit code of a runner it keeps the job in its queue, as one that cannot be started. */
  readonly keepsAfter?: number;

  /** As Engine.plan. */
  plan(script: Script, means: Means, scale: Scale): Plan;
  /** Throws EngineError `refused` for arguments (--engine-arg) that no job could be submitted with. */
  checkEngineArgs(engineArgs: readonly string[]): void;
  /** As Engine.remarks. */
  remarks?(script: Script): readonly string[];

  /** For the submit command, and with it for jobs: without what belongs to a job that this manager itself may be part of. */
  environment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv;

  /** The arguments of the submit command; the path of the runner is one of them. */
  submitArgs(attempt: Attempt): readonly string[];
  /** The id in the answer of the submit command; undefined if there is none, or more than one. */
  idIn(said: Said): string | undefined;
  /** What kind of "no" it was, for an answer without an id, or a failure in spite of one. */
  verdictOf(said: Said): Answer;
  /** The first line of a "no" without what is the same in each, for the one who reads it. */
  firstLine(said: Said): string;
  /** Asks whether it would be taken, and starts nothing; undefined where it cannot be asked. */
  checkQuestion?(attempt: Attempt): Question;
  /** What its answer says against the job, to be judged like that of the submit command; undefined for nothing. */
  checkFault?(said: Said): Said | undefined;

  /** One question for all jobs of this user. Times are asked for in UTC, and language is C. */
  queueQuestion(user: string): Question;
  /** Every row of the answer; undefined for one that is not whole. Only asked if the program ended with 0. */
  queueRows(said: Said): readonly Row[] | undefined;
  /** Asks for what the queue does not tell of these jobs. */
  detailsQuestion?(ids: readonly string[]): Question;
  /** By id; what has left the queue meanwhile is not there. undefined for an answer that is not whole. */
  details?(said: Said): ReadonlyMap<string, Details> | undefined;
  readonly history?: History;
  /**
   * Asks for jobs of this user that have left the queue, as far as the queue still tells of them by id and name; left out
   * where it does not. What the history does not know either, after its lag, was taken out before it started. The answer
   * is read by `queueRows`.
   */
  leftQuestion?(user: string): Question;

  cancelQuestion(ids: readonly string[]): Question;
  /** True if it was done, or was needless: all have ended already. */
  isCancelled(said: Said): boolean;

  /** The id in what the runner wrote into its claim (Plan.identity.job); undefined if it is none. */
  idOfClaim(job: string): string | undefined;
}
