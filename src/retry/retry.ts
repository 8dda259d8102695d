/**
 * Is a job run again after it ended badly, when, and with how much more? The rules are the configuration's and those
 * of job_retry.txt; here they are read and applied. Pure.
 */
import { UNITS_S } from "../duration.ts";
import type { EndCause, Scale } from "../engine.ts";
import { FILES } from "../files.ts";
import { didYouMean } from "../nearest.ts";
import type { Outcome } from "../outcome.ts";

/** An end that a rule may name: a cause, a result, or an exit code. */
export type Occasion = Exclude<EndCause, "itself" | "cancelled" | "gone"> | "failed" | "lost" | number;

/** When a job is run again. */
export interface RetryRules {
  /** How often a job is run again, at most. */
  readonly times: number;
  /** After which ends. */
  readonly on: readonly Occasion[];
  /** The wait before the second attempt, in seconds; doubled for each further one. */
  readonly pauseS: number;
  /** After each end for want of memory, so many times the memory is asked for; undefined: as before. */
  readonly memory: number | undefined;
  /** After each end at the time limit, so many times the time is asked for; undefined: as before. */
  readonly time: number | undefined;
  /** Never more than so many times what job.sh names, however often it is raised. */
  readonly raiseMax: number;
}

/** What is no fault of the job itself. */
const BLAMELESS = ["node", "preempted", "interrupted", "revoked", "launch"] as const;

/** A job that has a job_retry.txt without a number of times wants to be run again. */
const TIMES_UNSAID = 3;

/** How often a job may be run again at all. */
export const RETRY_TIMES_MAX = 1000;
/** The largest factor on memory or time. */
export const RETRY_FACTOR_MAX = 100;
/** Without a word from anybody: no job is run again. */
export const NO_RETRY: RetryRules = {
  times: 0,
  on: BLAMELESS,
  pauseS: 60,
  memory: undefined,
  time: undefined,
  raiseMax: RETRY_FACTOR_MAX,
};

/** The longest first wait. */
export const RETRY_PAUSE_S_MAX = 30 * 86_400;

/** A pause grows no further than this, unless it was longer from the first. */
const GROWN_PAUSE_S_MAX = 3600;

/** The words for ends, Slurm's and ours. */
const WORDS: Readonly<Record<string, Occasion>> = {
  node: "node",
  node_fail: "node",
  boot_fail: "node",
  preempted: "preempted",
  interrupted: "interrupted",
  timeout: "timeout",
  deadline: "deadline",
  memory: "memory",
  out_of_memory: "memory",
  oom: "memory",
  launch: "launch",
  launch_failed: "launch",
  revoked: "revoked",
  failed: "failed",
  lost: "lost",
};

/** Ends after which nothing is run again, whoever asks. */
const NEVER = new Set(["succeeded", "completed", "cancelled", "canceled", "refused"]);

const KEYS = ["times", "on", "pause", "memory", "time"] as const;
type Key = (typeof KEYS)[number];

/** What stands in the way, for people. */
export interface Fault {
  /** A whole sentence: what cannot be understood, and what could. */
  readonly fault: string;
}

/** Reads words such as "NODE_FAIL, timeout 137". */
export function occasionsOf(text: string): { readonly on: readonly Occasion[] } | Fault {
  const on: Occasion[] = [];
  for (const word of text.split(/[\s,]+/).filter(Boolean)) {
    const code = /^\d{1,9}$/.test(word) ? Number(word) : undefined;
    const plain = word.toLowerCase().replaceAll("-", "_");
    const occasion = code ?? WORDS[plain];
    if (NEVER.has(plain)) return { fault: `a job that was ${plain} is never run again` };
    if (occasion === undefined)
      return {
        fault: `"${word}" is no end of a job.${didYouMean(plain, Object.keys(WORDS))} The words are ${Object.keys(WORDS).join(", ")}, and exit codes`,
      };
    if (code !== undefined && (code < 1 || code > 255))
      return { fault: `${word} is no exit code of a failure: those go from 1 to 255` };
    on.push(occasion);
  }
  return on.length === 0 ? { fault: "it names no end of a job" } : { on };
}

/** Reads a job_retry.txt. An empty one asks for no more than to be run again. */
export function parseRetry(text: string): Partial<RetryRules> | Fault {
  if (text.includes("\0")) return { fault: `${FILES.retry} is not text. Save it as UTF-8.` };
  const rules: { -readonly [K in keyof RetryRules]?: RetryRules[K] } = {};
  const seen = new Set<string>();
  for (const [at, raw] of text
    .replace(/^\ufeff/, "")
    .split(/\r?\n|\r/)
    .entries()) {
    const line = raw.replace(/#.*$/, "").trim();
    if (line === "") continue;
    const read = lineOf(line);
    const where = `${FILES.retry}, line ${at + 1}: `;
    if ("fault" in read) return { fault: `${where}${read.fault}.` };
    const [key] = Object.keys(read);
    if (key !== "on" && seen.has(key ?? "")) return { fault: `${where}${line.split(/[\s:=]/)[0]} was said before.` };
    seen.add(key ?? "");
    Object.assign(rules, read, read.on && { on: [...(rules.on ?? []), ...read.on] });
  }
  return rules;
}

/** One line, as "times 3", "on: NODE_FAIL 75", "pause = 5m"; a number alone is the number of times. */
function lineOf(line: string): Partial<RetryRules> | Fault {
  const [, word = "", value = ""] = /^([A-Za-z]+)\s*[:=]?\s*(.*)$/.exec(line) ?? [];
  const key = KEYS.find((one) => one === word.toLowerCase());
  if (/^\d+$/.test(line)) return timesOf(line);
  if (!key) return { fault: `"${line}" is not understood.${didYouMean(word, KEYS)} Its lines are ${EXAMPLES}` };
  return READERS[key](value);
}

const EXAMPLES = '"times 3", "on NODE_FAIL timeout 75", "pause 60", "memory 1.5" and "time 2"';

const READERS: Readonly<Record<Key, (value: string) => Partial<RetryRules> | Fault>> = {
  times: timesOf,
  on: occasionsOf,
  pause: pauseOf,
  memory: (value) => factorOf("memory", value),
  time: (value) => factorOf("time", value),
};

function timesOf(value: string): Partial<RetryRules> | Fault {
  const times = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!(times <= RETRY_TIMES_MAX))
    return { fault: `times must be a whole number from 0 to ${RETRY_TIMES_MAX}, and not "${value}"` };
  return { times };
}

function pauseOf(value: string): Partial<RetryRules> | Fault {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)\s*(s|m|h|d)?(?:ec|in|ours?|ays?)?$/i.exec(value) ?? [];
  const pauseS = Number(number) * (UNITS_S[unit.toLowerCase()] ?? Number.NaN);
  if (!(pauseS <= RETRY_PAUSE_S_MAX))
    return { fault: `pause must be a time such as 60 (seconds), 5m or 1h, of at most 30d, and not "${value}"` };
  return { pauseS };
}

function factorOf(key: "memory" | "time", value: string): Partial<RetryRules> | Fault {
  const factor = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (!(factor >= 1 && factor <= RETRY_FACTOR_MAX))
    return { fault: `${key} must be a factor from 1 (not) to ${RETRY_FACTOR_MAX}, such as 1.5, and not "${value}"` };
  return { [key]: factor === 1 ? undefined : factor };
}

/** The rules of a job with this job_retry.txt. */
export function mergeRetry(base: RetryRules, own: Partial<RetryRules>): RetryRules {
  return { ...base, times: base.times === 0 ? TIMES_UNSAID : base.times, ...own };
}

/** What is to be done after an end. */
export interface Again {
  readonly waitS: number;
  /** What the next attempt asks for, as a multiple of what job.sh names. */
  readonly scale: Scale;
  /** What this end raises. */
  readonly raises: "memory" | "time" | undefined;
  /** The rules name this end only by a factor: where nothing can be raised, nothing is run again. */
  readonly onlyRaised: boolean;
  /** It had as many times as much as it may have at most. */
  readonly isAtMost: boolean;
}

/** `attempt`: the number of the one that ended, from 1; `scale`: what it asked for. undefined: that was the last one. */
export function decide(rules: RetryRules, outcome: Outcome, attempt: number, scale: Scale = {}): Again | undefined {
  if (attempt > rules.times) return undefined;
  const isNamed = rules.on.some((occasion) => isSuch(occasion, outcome));
  const raises = raisedBy(rules, outcome);
  if (!isNamed && raises === undefined) return undefined;
  const most = Math.max(GROWN_PAUSE_S_MAX, rules.pauseS);
  const before = raises === undefined ? 1 : (scale[raises] ?? 1);
  const factor = raises === undefined ? 1 : (rules[raises] ?? 1);
  return {
    waitS: Math.min(rules.pauseS * 2 ** (attempt - 1), most),
    scale:
      raises === undefined
        ? scale
        : { ...scale, [raises]: Math.max(before, Math.min(before * factor, rules.raiseMax)) },
    raises,
    onlyRaised: !isNamed,
    isAtMost: raises !== undefined && before >= rules.raiseMax,
  };
}

function raisedBy(rules: RetryRules, { is, cause }: Outcome): "memory" | "time" | undefined {
  if (is !== "failed") return undefined;
  if (cause === "memory" && rules.memory !== undefined) return "memory";
  return cause === "timeout" && rules.time !== undefined ? "time" : undefined;
}

/** One that is lost may have run: only its own word means it. */
function isSuch(occasion: Occasion, { is, cause, exitCode }: Outcome): boolean {
  if (is === "lost") return occasion === "lost";
  if (is !== "failed" && is !== "interrupted") return false;
  if (occasion === "failed") return true;
  if (occasion === "interrupted") return is === "interrupted";
  return typeof occasion === "number" ? exitCode === occasion : cause === occasion;
}

/** "2nd", "3rd", "11th". */
export function ordinal(number: number): string {
  const teen = number % 100 >= 11 && number % 100 <= 13;
  const ending = teen ? undefined : ["st", "nd", "rd"][(number % 10) - 1];
  return `${number}${ending ?? "th"}`;
}
