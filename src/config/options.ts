/**
 * Every option: its flag, default, unit, range and sentence, once. Help, checks, settings, and the names in the
 * configuration files and the environment are made of this table.
 */
import { LEVELS } from "../events.ts";
import { NO_RETRY, RETRY_FACTOR_MAX, RETRY_PAUSE_S_MAX, RETRY_TIMES_MAX } from "../retry/retry.ts";
import type { Place } from "../stage.ts";

/**
 * What a word on the command line stands for, so that a shell can complete it: a job in one of these places ("job": in
 * any), a path, a folder, an engine, one of some words.
 */
export type Completes =
  | "job"
  | "path"
  | "folder"
  | "engine"
  | { readonly jobs: readonly Place[]; readonly orPath?: true }
  | readonly string[];

interface OptionBase {
  /** As commander takes it. */
  readonly flags: string;
  readonly help: string;
  readonly group:
    | "What to do"
    | "How much at a time"
    | "When a folder is ready"
    | "Archives"
    | "When jobs fail"
    | "What the scheduler is asked"
    | "Who may drop jobs"
    | "Who is told"
    | "What is shown";
  /** Only a flag: it says what to do this time. */
  readonly isFlagOnly?: true;
  /** `jobmgr config` does not show its value. */
  readonly isSecret?: true;
  /** What its value stands for, if its type does not tell. */
  readonly completes?: Completes;
}

/** One option, and what its value must be. */
export type Option = OptionBase &
  (
    | { readonly type: "switch" }
    | { readonly type: "text"; readonly default?: string; readonly shown?: string; readonly isPath?: true }
    | { readonly type: "list"; readonly shown?: string }
    | { readonly type: "choice"; readonly default: string; readonly choices: readonly string[] }
    | {
        readonly type: "number";
        readonly default?: number;
        readonly shown?: string;
        readonly unit: string;
        readonly min: number;
        readonly max: number;
        readonly whole?: boolean;
      }
  );

const DAY_S = 86_400;

/** In the order in which they are told, by the names that the code has for them. */
export const OPTIONS = {
  root: {
    flags: "-r, --root <path>",
    type: "text",
    shown: "the root that one stands in",
    isPath: true,
    completes: "folder",
    group: "What to do",
    help: "the folder that holds inbox, pending and complete",
  },
  setup: {
    flags: "-s, --setup",
    type: "switch",
    isFlagOnly: true,
    group: "What to do",
    help: "make a root there, and end",
  },
  engine: {
    flags: "-e, --engine <name>",
    type: "text",
    default: "SlurmEngine",
    completes: "engine",
    group: "What to do",
    help: "what runs the jobs: SlurmEngine (or slurm), LocalEngine (or local), a package, ./FILE.js (see: jobmgr engines); check, doctor, engines and resources ask that of the manager that runs",
  },
  engineArg: {
    flags: "--engine-arg <arg>",
    type: "list",
    group: "What to do",
    help: "SlurmEngine: a further argument of sbatch, e.g. --engine-arg=--account=bio (may be repeated)",
  },
  once: {
    flags: "--once",
    type: "switch",
    isFlagOnly: true,
    group: "What to do",
    help: "one pass, then end (for cron); jobs go on meanwhile",
  },
  period: {
    flags: "-p, --period <seconds>",
    type: "number",
    default: 60,
    unit: "s",
    min: 0.1,
    max: DAY_S,
    group: "What to do",
    help: "time between two checks",
  },
  finishedFile: {
    flags: "--finished-file <name>",
    type: "text",
    group: "What to do",
    help: "write this file into a folder after its last move",
  },
  groupWritable: {
    flags: "-g, --group-writable",
    type: "switch",
    group: "What to do",
    help: "let the group write to finished folders, and drop jobs",
  },
  maxJobs: {
    flags: "-M, --max-jobs <n>",
    type: "number",
    shown: "100; LocalEngine: one for each core",
    unit: "jobs",
    min: 1,
    max: 100_000,
    whole: true,
    group: "How much at a time",
    help: "places in the engine's queue",
  },
  maxPending: {
    flags: "-m, --max-pending <n>",
    type: "number",
    default: 20,
    unit: "jobs",
    min: 1,
    max: 100_000,
    whole: true,
    group: "How much at a time",
    help: "jobs that may wait in the engine's queue",
  },
  delay: {
    flags: "-d, --delay <seconds>",
    type: "number",
    default: 0,
    unit: "s",
    min: 0,
    max: 3600,
    group: "How much at a time",
    help: "time between two submissions",
  },
  pauseFile: {
    flags: "--pause-file <path>",
    type: "text",
    shown: "ROOT/pause",
    isPath: true,
    group: "How much at a time",
    help: "while this file is there, nothing is taken in",
  },
  grace: {
    flags: "--grace <seconds>",
    type: "number",
    default: 10,
    unit: "s",
    min: 0,
    max: 3600,
    group: "How much at a time",
    help: "LocalEngine: time between TERM and KILL for a job that is to end",
  },
  minQueryInterval: {
    flags: "--min-query-interval <seconds>",
    type: "number",
    default: 1,
    unit: "s",
    min: 0,
    max: DAY_S,
    group: "What the scheduler is asked",
    help: "never ask it more often than this, whatever --period and events say",
  },
  doubt: {
    flags: "--doubt <seconds>",
    type: "number",
    default: 60,
    unit: "s",
    min: 0,
    max: DAY_S,
    group: "What the scheduler is asked",
    help: "look for a job so long before it is submitted again, when the answer got lost",
  },
  lostAfter: {
    flags: "--lost-after <seconds>",
    type: "number",
    default: 300,
    unit: "s",
    min: 0,
    max: 30 * DAY_S,
    group: "What the scheduler is asked",
    help: "look for a job that has gone from the queue, and left no result, so long",
  },
  settle: {
    flags: "--settle <seconds>",
    type: "number",
    default: 5,
    unit: "s",
    min: 0,
    max: DAY_S,
    group: "When a folder is ready",
    help: "a folder is taken when nothing in it has changed for so long",
  },
  readyFile: {
    flags: "--ready-file <name>",
    type: "text",
    group: "When a folder is ready",
    help: "a folder is taken when this file is in it, at once",
  },
  archiveResult: {
    flags: "--archive-result <where>",
    type: "choice",
    default: "beside",
    choices: ["beside", "instead"],
    group: "Archives",
    help: "a job that came as an archive leaves as one, beside its folder or instead of it",
  },
  archiveSize: {
    flags: "--archive-size <gigabytes>",
    type: "number",
    default: 100,
    unit: "GB",
    min: 0.000_001,
    max: 1_000_000,
    group: "Archives",
    help: "one that holds more is refused",
  },
  archiveEntries: {
    flags: "--archive-entries <n>",
    type: "number",
    default: 200_000,
    unit: "files",
    min: 1,
    max: 100_000_000,
    whole: true,
    group: "Archives",
    help: "one that holds more files and folders is refused",
  },
  archiveRatio: {
    flags: "--archive-ratio <n>",
    type: "number",
    default: 250,
    unit: "",
    min: 1,
    max: 1_000_000,
    group: "Archives",
    help: "one that holds so many times its own size is refused, from 256 MB on",
  },
  maxErrors: {
    flags: "-x, --max-errors <n>",
    type: "number",
    default: 0,
    unit: "jobs",
    min: 0,
    max: 1_000_000,
    whole: true,
    group: "When jobs fail",
    help: "stop after so many failed jobs (0: never)",
  },
  errorShare: {
    flags: "--error-share <share>",
    type: "number",
    default: 0,
    unit: "",
    min: 0,
    max: 1,
    group: "When jobs fail",
    help: "pause the intake when this share of the latest jobs failed (0: never)",
  },
  errorWindow: {
    flags: "--error-window <seconds>",
    type: "number",
    default: 3600,
    unit: "s",
    min: 1,
    max: 30 * DAY_S,
    group: "When jobs fail",
    help: "the latest jobs are those that ended in this time",
  },
  errorLeast: {
    flags: "--error-least <n>",
    type: "number",
    default: 10,
    unit: "jobs",
    min: 1,
    max: 1_000_000,
    whole: true,
    group: "When jobs fail",
    help: "no such pause before so many jobs have ended",
  },
  errorCooldown: {
    flags: "--error-cooldown <seconds>",
    type: "number",
    default: 600,
    unit: "s",
    min: 1,
    max: 30 * DAY_S,
    group: "When jobs fail",
    help: "how long such a pause lasts",
  },
  retryTimes: {
    flags: "--retry-times <n>",
    type: "number",
    default: NO_RETRY.times,
    unit: "times",
    min: 0,
    max: RETRY_TIMES_MAX,
    whole: true,
    group: "When jobs fail",
    help: "run a job again so often; its job_retry.txt may say otherwise",
  },
  retryOn: {
    flags: "--retry-on <ends>",
    type: "list",
    shown: NO_RETRY.on.join(" "),
    group: "When jobs fail",
    help: "after which ends: words such as timeout or failed, exit codes; may be repeated",
  },
  retryPause: {
    flags: "--retry-pause <seconds>",
    type: "number",
    default: NO_RETRY.pauseS,
    unit: "s",
    min: 0,
    max: RETRY_PAUSE_S_MAX,
    group: "When jobs fail",
    help: "time before it is run again; doubled each time, up to an hour",
  },
  retryMemory: {
    flags: "--retry-memory <factor>",
    type: "number",
    default: 1,
    unit: "",
    min: 1,
    max: RETRY_FACTOR_MAX,
    group: "When jobs fail",
    help: "after an end for want of memory: again, with so many times the memory (1: not)",
  },
  retryTime: {
    flags: "--retry-time <factor>",
    type: "number",
    default: 1,
    unit: "",
    min: 1,
    max: RETRY_FACTOR_MAX,
    group: "When jobs fail",
    help: "after an end at the time limit: again, with so many times the time (1: not)",
  },
  retryRaiseMax: {
    flags: "--retry-raise-max <factor>",
    type: "number",
    default: NO_RETRY.raiseMax,
    unit: "",
    min: 1,
    max: RETRY_FACTOR_MAX,
    group: "When jobs fail",
    help: "however often memory or time is raised: never above so many times what job.sh names",
  },
  allowOwner: {
    flags: "--allow-owner <user>",
    type: "list",
    group: "Who may drop jobs",
    help: "run this user's folders too, as yourself (may be repeated)",
  },
  allowShared: {
    flags: "--allow-shared",
    type: "switch",
    group: "Who may drop jobs",
    help: "run everybody's folders, and accept a root that all may write to",
  },
  lockPatience: {
    flags: "--lock-patience <seconds>",
    type: "number",
    default: 180,
    unit: "s",
    min: 1,
    max: DAY_S,
    group: "Who may drop jobs",
    help: "a manager whose heartbeat stands still for so long has lost the root",
  },
  notifyOn: {
    flags: "--notify-on <words>",
    type: "list",
    shown: "failure, batch",
    group: "Who is told",
    help: "what is told, with commas between: end (of each job), failure, batch (one message when nothing is left to run)",
  },
  notifyCommand: {
    flags: "--notify-command <path>",
    type: "text",
    isPath: true,
    group: "Who is told",
    help: "start this program, with the event's name as its argument and the message (JSON) as its input",
  },
  notifyUrl: {
    flags: "--notify-url <url>",
    type: "text",
    isSecret: true,
    group: "Who is told",
    help: "post the message (JSON) there",
  },
  notifyUrlFile: {
    flags: "--notify-url-file <path>",
    type: "text",
    isPath: true,
    group: "Who is told",
    help: "the same; the address is the first line of this file, where it is a secret",
  },
  notifyHeaderFile: {
    flags: "--notify-header-file <path>",
    type: "text",
    isPath: true,
    group: "Who is told",
    help: 'headers that are posted along, as lines "Name: value"',
  },
  notifyMail: {
    flags: "--notify-mail <address>",
    type: "list",
    group: "Who is told",
    help: "mail the message there (may be repeated)",
  },
  notifySmtpFile: {
    flags: "--notify-smtp-file <path>",
    type: "text",
    shown: "this machine's sendmail",
    isPath: true,
    group: "Who is told",
    help: "mail by the server that the first line of this file names: smtp://user:password@host:587",
  },
  metrics: {
    flags: "--metrics <file>",
    type: "text",
    isPath: true,
    group: "What is shown",
    help: "write figures for Prometheus there at each check (a .prom file of node_exporter's textfile collector)",
  },
  logFile: {
    flags: "-L, --log-file <path>",
    type: "text",
    isPath: true,
    group: "What is shown",
    help: "write a log there as well (10 MB, then a new one; 3 are kept)",
  },
  logLevel: {
    flags: "-l, --log-level <level>",
    type: "choice",
    default: "info",
    choices: LEVELS,
    group: "What is shown",
    help: "the least weight of what is told",
  },
  color: {
    flags: "--color <when>",
    type: "choice",
    default: "auto",
    choices: ["auto", "always", "never"],
    group: "What is shown",
    help: "colour",
  },
} as const satisfies Record<string, Option>;

/** The name that the code has for an option. */
export type OptionName = keyof typeof OPTIONS;
/** What was given, unchecked: text, a switch, or a list. */
export type RawOptions = Partial<Record<OptionName, string | boolean | readonly string[]>>;

/** Where a value comes from, if not from a flag. */
export type Origin =
  | { readonly is: "variable" }
  | { readonly is: "file"; readonly path: string }
  /** The root that one stands in. */
  | { readonly is: "here" };
/** Of each option that was given; one without was given as a flag. */
export type Origins = Partial<Record<OptionName, Origin>>;

/** Its default as people are told it, with its unit; undefined where there is none to tell. */
export function shownDefault(option: Option): string | undefined {
  if ("shown" in option && option.shown !== undefined) return option.shown;
  if (!("default" in option) || option.default === undefined) return undefined;
  return `${option.default}${option.type === "number" && option.unit === "s" ? " s" : ""}`;
}

/** The values that it takes, where they are few or have limits. */
export function rangeOf(option: Option): string | undefined {
  if (option.type === "number") return `${option.min} to ${option.max}`;
  return option.type === "choice" ? option.choices.join(", ") : undefined;
}

/** As it is written on the command line: "--max-jobs". */
export function longFlag(name: OptionName): string {
  return /--[\w-]+/.exec(OPTIONS[name].flags)?.[0] ?? name;
}

/** As it is written in a configuration file: "max-jobs". */
export function keyOf(name: OptionName): string {
  return longFlag(name).slice(2);
}

/** As it is named in the environment: "JOBMGR_MAX_JOBS". */
export function variableOf(name: OptionName): string {
  return `JOBMGR_${keyOf(name).replaceAll("-", "_").toUpperCase()}`;
}
