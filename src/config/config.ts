/**
 * Every option: its flag, default, unit, range and sentence, once. Help, checks, settings, and the names in the
 * configuration files and the environment are made of this table.
 */
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { LEVELS, type Level, OCCASIONS, type Occasion } from "../events.ts";
import { FILES } from "../files.ts";
import {
  NO_RETRY,
  occasionsOf,
  RETRY_FACTOR_MAX,
  RETRY_PAUSE_S_MAX,
  RETRY_TIMES_MAX,
  type RetryRules,
} from "../retry/retry.ts";
import type { Place } from "../stage.ts";

/** A wrong option. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A configuration file, or a variable of the environment, that cannot be used as it is. Exit code 78. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * What a word on the command line stands for, so that a shell can complete it: a job in one of these places ("job": in
 * any), a path, a folder, one of some words.
 */
export type Completes =
  | "job"
  | "path"
  | "folder"
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

const FILE_NAME_BYTES_MAX = 200;
const DAY_S = 86_400;

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
    completes: ["SlurmEngine", "LocalEngine"],
    group: "What to do",
    help: "what runs the jobs: SlurmEngine, LocalEngine",
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
    group: "When jobs fail",
    help: `after which ends: words such as timeout or failed, exit codes (default ${NO_RETRY.on.join(" ")}; may be repeated)`,
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
    help: "what is told: end (of each job), failure, batch (one message when nothing is left to run)",
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

export type OptionName = keyof typeof OPTIONS;
/** What was given, unchecked: text, a switch, or a list. */
export type RawOptions = Partial<Record<OptionName, string | boolean | readonly string[]>>;

/** Where a value comes from, if not from a flag. */
export type Origin =
  | { readonly is: "variable" }
  | { readonly is: "file"; readonly path: string }
  /** The root that one stands in. */
  | { readonly is: "here" };
export type Origins = Partial<Record<OptionName, Origin>>;

export interface NotifySettings {
  readonly on: readonly Occasion[];
  readonly command: string | undefined;
  /** One of both at most. */
  readonly url: URL | undefined;
  readonly urlFile: string | undefined;
  readonly headerFile: string | undefined;
  readonly mail: readonly string[];
  readonly smtpFile: string | undefined;
}

export interface Settings {
  readonly root: string;
  readonly engine: string;
  readonly engineArgs: readonly string[];
  readonly once: boolean;
  readonly periodS: number;
  readonly finishedFile: string | undefined;
  readonly groupWritable: boolean;
  /** undefined: the engine's own default. */
  readonly jobsMax: number | undefined;
  readonly pendingMax: number;
  readonly delayS: number;
  readonly pauseFile: string;
  readonly graceS: number;
  /** The least time between two questions to a scheduler. */
  readonly queryS: number;
  readonly doubtS: number;
  readonly lostAfterS: number;
  readonly settleS: number;
  readonly readyFile: string | undefined;
  readonly archiveResult: "beside" | "instead";
  readonly archiveBytesMax: number;
  readonly archiveEntriesMax: number;
  readonly archiveRatioMax: number;
  readonly errorsMax: number;
  readonly errorShare: number;
  readonly errorWindowS: number;
  readonly errorLeast: number;
  readonly errorCoolDownS: number;
  readonly retry: RetryRules;
  readonly allowOwners: readonly string[];
  readonly allowShared: boolean;
  readonly lockPatienceS: number;
  /** undefined: nobody is told. */
  readonly notify: NotifySettings | undefined;
  readonly metricsFile: string | undefined;
  readonly logFile: string | undefined;
  readonly logLevel: Level;
  readonly color: "auto" | "always" | "never";
}

/** Checks every option. Throws UsageError or ConfigError, which names the option, where it stands, and its range. */
export function settingsOf(raw: RawOptions, origins: Origins = {}): Settings {
  const given = { raw, origins };
  const root = pathOf(given, "root") ?? resolve(".");
  return {
    root,
    engine: textOf(given, "engine") ?? OPTIONS.engine.default,
    engineArgs: listOf(given, "engineArg"),
    once: raw.once === true,
    periodS: numberOf(given, "period") ?? OPTIONS.period.default,
    finishedFile: fileNameOf(given, "finishedFile"),
    groupWritable: raw.groupWritable === true,
    jobsMax: numberOf(given, "maxJobs"),
    pendingMax: numberOf(given, "maxPending") ?? OPTIONS.maxPending.default,
    delayS: numberOf(given, "delay") ?? OPTIONS.delay.default,
    pauseFile: pathOf(given, "pauseFile") ?? join(root, "pause"),
    graceS: numberOf(given, "grace") ?? OPTIONS.grace.default,
    queryS: numberOf(given, "minQueryInterval") ?? OPTIONS.minQueryInterval.default,
    doubtS: numberOf(given, "doubt") ?? OPTIONS.doubt.default,
    lostAfterS: numberOf(given, "lostAfter") ?? OPTIONS.lostAfter.default,
    settleS: numberOf(given, "settle") ?? OPTIONS.settle.default,
    readyFile: fileNameOf(given, "readyFile"),
    archiveResult: choiceOf(given, "archiveResult") as Settings["archiveResult"],
    archiveBytesMax: (numberOf(given, "archiveSize") ?? OPTIONS.archiveSize.default) * 1e9,
    archiveEntriesMax: numberOf(given, "archiveEntries") ?? OPTIONS.archiveEntries.default,
    archiveRatioMax: numberOf(given, "archiveRatio") ?? OPTIONS.archiveRatio.default,
    errorsMax: numberOf(given, "maxErrors") ?? OPTIONS.maxErrors.default,
    errorShare: numberOf(given, "errorShare") ?? OPTIONS.errorShare.default,
    errorWindowS: numberOf(given, "errorWindow") ?? OPTIONS.errorWindow.default,
    errorLeast: numberOf(given, "errorLeast") ?? OPTIONS.errorLeast.default,
    errorCoolDownS: numberOf(given, "errorCooldown") ?? OPTIONS.errorCooldown.default,
    retry: retryOf(given),
    allowOwners: listOf(given, "allowOwner"),
    allowShared: raw.allowShared === true,
    lockPatienceS: numberOf(given, "lockPatience") ?? OPTIONS.lockPatience.default,
    notify: notifyOf(given),
    metricsFile: pathOf(given, "metrics"),
    logFile: pathOf(given, "logFile"),
    logLevel: choiceOf(given, "logLevel") as Level,
    color: choiceOf(given, "color") as Settings["color"],
  };
}

/** The options as they were given, and where each stands. */
interface Given {
  readonly raw: RawOptions;
  readonly origins: Origins;
}

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

function refusal({ origins }: Given, name: OptionName, value: string, why: string): UsageError | ConfigError {
  const origin = origins[name];
  const shown = (OPTIONS[name] as Option).isSecret ? "..." : value;
  if (!origin) return new UsageError(`${[longFlag(name), shown].filter(Boolean).join(" ")}: ${why}`);
  if (origin.is === "file") return new ConfigError(`${keyOf(name)} = ${shown} in ${origin.path}: ${why}`);
  return new ConfigError(`${variableOf(name)}=${shown}: ${why}`);
}

function textOf(given: Given, name: OptionName): string | undefined {
  const value = given.raw[name];
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value === "") throw refusal(given, name, "", "it needs a value");
  return value;
}

function listOf(given: Given, name: OptionName): readonly string[] {
  const value = given.raw[name];
  return Array.isArray(value) ? value : [];
}

/** A path in a configuration file is meant from that file's folder; "~" is a shell's word, which no shell has seen there. */
function pathOf(given: Given, name: OptionName): string | undefined {
  const value = textOf(given, name);
  if (value === undefined) return undefined;
  return absolutePath(value, given.origins[name]);
}

/** What a path means that was given there. */
export function absolutePath(value: string, origin: Origin | undefined): string {
  if (!origin) return resolve(value);
  const path = value === "~" || value.startsWith("~/") ? join(homedir(), value.slice(1)) : value;
  return origin.is === "file" ? resolve(dirname(origin.path), path) : resolve(path);
}

function fileNameOf(given: Given, name: OptionName): string | undefined {
  const value = textOf(given, name);
  const reserved = [...Object.values<string>(FILES), ".jobmgr", ".", ".."];
  const tooLong = value !== undefined && Buffer.byteLength(value) > FILE_NAME_BYTES_MAX;
  if (value !== undefined && (tooLong || value.includes("/") || reserved.includes(value))) {
    const rule = `it must be the name of a file in the job's folder, without "/", of at most ${FILE_NAME_BYTES_MAX} bytes, and not one that jobmgr uses itself`;
    throw refusal(given, name, value, rule);
  }
  return value;
}

function retryOf(given: Given): RetryRules {
  const words = listOf(given, "retryOn").join(" ");
  const read = given.raw.retryOn === undefined ? { on: NO_RETRY.on } : occasionsOf(words);
  if ("fault" in read) throw refusal(given, "retryOn", words, read.fault);
  return {
    times: numberOf(given, "retryTimes") ?? NO_RETRY.times,
    on: read.on,
    pauseS: numberOf(given, "retryPause") ?? NO_RETRY.pauseS,
    memory: factorOf(given, "retryMemory"),
    time: factorOf(given, "retryTime"),
  };
}

/** A factor of 1 is none. */
function factorOf(given: Given, name: OptionName): number | undefined {
  const factor = numberOf(given, name);
  return factor === 1 ? undefined : factor;
}

function notifyOf(given: Given): NotifySettings | undefined {
  const settings: NotifySettings = {
    on: notifyOnOf(given),
    command: pathOf(given, "notifyCommand"),
    url: webAddressOf(given, "notifyUrl"),
    urlFile: pathOf(given, "notifyUrlFile"),
    headerFile: pathOf(given, "notifyHeaderFile"),
    mail: addressesOf(given, "notifyMail"),
    smtpFile: pathOf(given, "notifySmtpFile"),
  };
  const { command, url, urlFile, headerFile, mail, smtpFile } = settings;
  const isUrl = url !== undefined || urlFile !== undefined;
  const needs = (name: OptionName, what: string) => refusal(given, name, "", `it says nothing without ${what}`);
  if (url && urlFile !== undefined) throw refusal(given, "notifyUrlFile", urlFile, "--notify-url is given as well");
  if (headerFile !== undefined && !isUrl) throw needs("notifyHeaderFile", "--notify-url or --notify-url-file");
  if (smtpFile !== undefined && mail.length === 0) throw needs("notifySmtpFile", "--notify-mail");
  if (command !== undefined || isUrl || mail.length > 0) return settings;
  if (given.raw.notifyOn === undefined) return undefined;
  throw needs("notifyOn", "--notify-command, --notify-url or --notify-mail");
}

function notifyOnOf(given: Given): readonly Occasion[] {
  const words = listOf(given, "notifyOn").flatMap((text) => text.split(/[\s,]+/).filter(Boolean));
  const unknown = words.find((word) => !(OCCASIONS as readonly string[]).includes(word));
  if (unknown !== undefined) throw refusal(given, "notifyOn", unknown, `it must be of ${OCCASIONS.join(", ")}`);
  return words.length === 0 ? ["failure", "batch"] : (words as Occasion[]);
}

function webAddressOf(given: Given, name: OptionName): URL | undefined {
  const text = textOf(given, name);
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw refusal(given, name, text, "it must be an address that begins with http:// or https://");
}

/** An address is handed to sendmail, which takes what begins with "-" for an option of its own. */
function addressesOf(given: Given, name: OptionName): readonly string[] {
  const addresses = listOf(given, name).flatMap((text) => text.split(/[\s,]+/).filter(Boolean));
  const wrong = addresses.find((address) => !/^[^-\s<>"',;@][^\s<>"',;@]*(@[^\s<>"',;@]+)?$/.test(address));
  if (wrong !== undefined) throw refusal(given, name, wrong, "it must be an address, such as ada@example.org");
  return addresses;
}

/** Every number is checked here, also where the caller has a default. */
function numberOf(given: Given, name: OptionName): number | undefined {
  const option: Option = OPTIONS[name];
  const text = textOf(given, name);
  if (option.type !== "number") throw new Error(`${name} is no number`);
  if (text === undefined) return undefined;
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : Number.NaN;
  const fits = value >= option.min && value <= option.max && (option.whole !== true || Number.isInteger(value));
  if (!fits) {
    const kind = option.whole ? "a whole number" : "a number";
    const unit = option.unit === "s" ? " seconds" : "";
    throw refusal(given, name, text, `it must be ${kind} from ${option.min} to ${option.max}${unit}`);
  }
  return value;
}

function choiceOf(given: Given, name: OptionName): string {
  const option: Option = OPTIONS[name];
  if (option.type !== "choice") throw new Error(`${name} is no choice`);
  const value = textOf(given, name) ?? option.default;
  if (!option.choices.includes(value))
    throw refusal(given, name, value, `it must be one of ${option.choices.join(", ")}`);
  return value;
}
