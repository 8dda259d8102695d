/** How an attempt ended, and how that is decided from its witnesses. Pure. */
import type { EndCause, Ended, End as EngineEnd } from "./engine.ts";
import { signalName } from "./signals.ts";

/** All that there are. */
export const RESULTS = ["succeeded", "failed", "cancelled", "refused", "interrupted", "lost"] as const;
/** In one word. */
export type Result = (typeof RESULTS)[number];

/** True for the word for an end. */
export function isResult(word: string): word is Result {
  return (RESULTS as readonly string[]).includes(word);
}

/** The end of one job because of which others were refused. */
export interface Cause {
  readonly name: string;
  readonly is: Result;
  readonly why: string;
}

/** Written once per attempt, never changed. */
export interface Outcome {
  readonly is: Result;
  /** One plain sentence: what happened. */
  readonly why: string;
  /** What ended it, where that is more than its own exit code; of a job array, the worst task's. */
  readonly cause?: EndCause;
  /** What to do, where it is not what is done elsewhere: mend it, and move the folder back. */
  readonly remedy?: string;
  readonly exitCode?: number;
  readonly signal?: string;
  /** The engine's own word or line, verbatim. */
  readonly engineWord?: string;
  /** The exact submit command, where the engine said no to it. */
  readonly command?: string;
  /** Of a job array: how each task ended, by exit code; null where nothing is known. */
  readonly tasks?: Readonly<Record<string, number | null>>;
  /** Refused because it was to run after a job that did not succeed: the first one of the chain that did not. */
  readonly after?: Cause;
}

/** What the runner left on disk of one task, or of a plain job. */
export interface RunnerRecords {
  readonly task: number | undefined;
  readonly started: boolean;
  /** The exit code of a whole exit record. */
  readonly exitCode: number | undefined;
  /** The runner noted that the time limit was reached. */
  readonly limitReached: boolean;
}

/** What is known of an attempt, by whom. */
export interface Witnesses {
  readonly records: readonly RunnerRecords[];
  /** What the engine says, if it says that the job has ended. */
  readonly ended: Ended | undefined;
  /** The reason of a cancellation that was asked for while the job was in force. */
  readonly cancelReason: string | undefined;
  readonly limitS: number;
  /** The job was found running without records, so that their absence says nothing. */
  readonly adopted: boolean;
}

/**
 * The outcome, or "unstarted" if job.sh provably never ran, or undefined while it cannot be known.
 * The runner's exit records speak first; the engine's word explains what they cannot say.
 */
export function outcomeOf(witnesses: Witnesses): Outcome | "unstarted" | undefined {
  const { records, ended, cancelReason } = witnesses;
  const whole = records.every((record) => record.exitCode !== undefined);
  if (!whole && !ended) return undefined;

  const neverStarted = !whole && records.every((record) => !record.started);
  const ownEnd = ended?.cause === undefined || ended.cause === "itself";
  if (neverStarted && cancelReason === undefined && ownEnd) {
    return ended && (witnesses.adopted || ended.exitCode !== undefined) ? destroyed(ended) : "unstarted";
  }

  const ends = records.map((record) => endOf(record, wordFor(record, witnesses), witnesses));
  const worst = ends.reduce((one, other) => (SEVERITY[other.is] > SEVERITY[one.is] ? other : one));
  const tasks = tasksOf(records, ends);
  const bad = ends.filter((end) => end.is !== "succeeded").length;
  const why =
    tasks && bad > 0 ? `${bad} of ${ends.length} tasks did not succeed; the worst of them: ${worst.why}` : worst.why;
  const engineWord = worst.word ?? ended?.word;
  return {
    is: worst.is,
    why,
    ...(worst.cause && { cause: worst.cause }),
    ...exitFacts(worst.code),
    ...(engineWord !== undefined && { engineWord }),
    ...(tasks && { tasks }),
  };
}

/** The worst of many decides: the later, the worse. */
const SEVERITY: Readonly<Record<Result, number>> = {
  succeeded: 0,
  cancelled: 1,
  interrupted: 2,
  failed: 3,
  lost: 4,
  refused: 5,
};

/** How one task ended, or a plain job. */
interface TaskEnd {
  readonly is: Result;
  readonly why: string;
  readonly code: number | undefined;
  readonly word: string | undefined;
  readonly cause?: EndCause;
}

/** The engine's word for one record. That of the whole says nothing of one task's code. */
function wordFor(record: RunnerRecords, { records, ended }: Witnesses): EngineEnd | undefined {
  const own = record.task === undefined ? undefined : ended?.tasks?.[record.task];
  if (own || !ended || records.length === 1) return own ?? ended;
  const { word, cause, why } = ended;
  return ended.tasks ? undefined : { word, ...(cause && { cause }), ...(why !== undefined && { why }) };
}

/** What each cause makes of a job that has not succeeded, and whether an exit code of 0 outweighs it. */
const CAUSES: Readonly<Record<Exclude<EndCause, "itself">, { is: Result; zeroWins: boolean; why: string }>> = {
  timeout: { is: "failed", zeroWins: false, why: "It reached its time limit and was stopped." },
  memory: { is: "failed", zeroWins: false, why: "It used more memory than it had asked for." },
  deadline: { is: "failed", zeroWins: false, why: "It could not end before its deadline." },
  launch: { is: "failed", zeroWins: true, why: "The engine could not start it." },
  gone: { is: "lost", zeroWins: true, why: "It waited in the queue, and has gone without a trace." },
  cancelled: { is: "cancelled", zeroWins: false, why: "It was cancelled." },
  node: { is: "interrupted", zeroWins: true, why: "The machine that it ran on failed." },
  preempted: { is: "interrupted", zeroWins: false, why: "It had to make room for another job." },
  revoked: { is: "interrupted", zeroWins: true, why: "The scheduler took it back." },
  interrupted: { is: "interrupted", zeroWins: true, why: "The machine was restarted while it ran." },
};

function endOf(record: RunnerRecords, end: EngineEnd | undefined, { limitS, cancelReason }: Witnesses): TaskEnd {
  const code = record.exitCode ?? codeOf(end);
  const facts = { code, word: end?.word };
  if (record.limitReached || (end?.cause === "timeout" && end.why === undefined)) {
    const why = `It reached its time limit (${durationText(limitS)}) and was stopped.`;
    return { is: "failed", why, code, word: "TIMEOUT", cause: "timeout" };
  }
  const name = end?.cause === undefined || end.cause === "itself" ? undefined : end.cause;
  const cause = name && { ...CAUSES[name], name };
  const asked = cancelReason === undefined ? undefined : `It was cancelled: ${cancelReason}`;
  if (cause && !cause.zeroWins) {
    const although = record.exitCode === 0 ? " Its own exit code was 0." : "";
    const why = asked === undefined || cause.is !== "cancelled" ? (end?.why ?? cause.why) : asked;
    return { is: cause.is, why: why + although, ...facts, cause: cause.name };
  }
  if (code === 0) {
    const other = end?.cause === "itself" ? codeOf(end) : 0;
    if (other === 0) return { is: "succeeded", why: "Exit code 0.", ...facts };
    const why = `job.sh ended with exit code 0, but the engine says "${end?.word}". Look whether its results are whole.`;
    return { is: "failed", why, ...facts };
  }
  if (asked !== undefined && end?.cause !== "itself")
    return { is: "cancelled", why: asked, ...facts, cause: "cancelled" };
  if (cause) return { is: cause.is, why: end?.why ?? cause.why, ...facts, cause: cause.name };
  if (code !== undefined) {
    const disagrees = end?.cause === "itself" && codeOf(end) === 0;
    const although = disagrees ? ` The engine says "${end?.word}", which does not agree.` : "";
    return { is: "failed", why: exitSentence(code) + although, ...facts };
  }
  if (end?.cause === "itself" && end.signal !== undefined) {
    const why = `It was killed by the signal ${end.signal}, and left no record of its own.`;
    return { is: "failed", why, ...facts };
  }
  if (record.started && end?.cause === "itself") {
    return {
      is: "failed",
      why: `It failed, and left no record of its exit code. The engine says "${end.word}".`,
      ...facts,
    };
  }
  if (!record.started)
    return { is: "lost", why: end?.why ?? "It is gone, and nothing shows that it was started.", ...facts };
  const why =
    end?.why ??
    "It started, but is gone without a record of how it ended: it was probably killed (kill -9, or the machine ran out of memory).";
  return { is: "lost", why, ...facts };
}

/** An end without a claim: something removed the records while job.sh ran. */
function destroyed(ended: Ended): Outcome {
  const why = `Its records in .jobmgr were destroyed while it ran, so that its result is not known for certain (${ended.word}).`;
  return { is: "lost", why, engineWord: ended.word };
}

function codeOf(end: EngineEnd | undefined): number | undefined {
  return end?.signal === undefined ? end?.exitCode : undefined;
}

function exitFacts(code: number | undefined): { exitCode?: number; signal?: string } {
  if (code === undefined) return {};
  const signal = signalName(code - 128);
  return signal ? { exitCode: code, signal } : { exitCode: code };
}

function tasksOf(
  records: readonly RunnerRecords[],
  ends: readonly TaskEnd[],
): Record<string, number | null> | undefined {
  if (records.length === 1 && records[0]?.task === undefined) return undefined;
  return Object.fromEntries(records.map((record, i) => [String(record.task), ends[i]?.code ?? null]));
}

/** What common exit codes mean, by the shell's conventions (POSIX sh, section 2.8.2; sysexits(3)). */
const MEANINGS: Readonly<Record<number, string>> = {
  1: "a general error",
  2: "a wrong use of a command, or a general error",
  126: "a command was found but could not be executed; is it a program, and does it have its x bit?",
  127: "a command was not found; is a module not loaded, or a path misspelled?",
  129: "the HUP signal: a terminal or session was closed",
  130: "the INT signal (Ctrl-C)",
  132: "the ILL signal: an illegal instruction; was the program built for another processor?",
  134: "the ABRT signal: the program stopped itself, mostly after a failed check",
  135: "the BUS signal: a bad memory access",
  136: "the FPE signal: an arithmetic error",
  137: "the KILL signal; most likely the machine ran out of memory, or somebody used kill -9",
  139: "the SEGV signal: the program read or wrote memory that is not its own",
  141: "the PIPE signal: it wrote to a program that had ended",
  143: "the TERM signal: it was asked to stop",
};

function exitSentence(code: number): string {
  const signal = signalName(code - 128);
  const meaning = MEANINGS[code] ?? (signal ? `the ${signal} signal` : undefined);
  return `Exit code ${code}${meaning ? ` (${meaning})` : ""}.`;
}

/** A duration for people: "0.04 s", "3 s", "2 min 5 s", "26 h 3 min". */
export function durationText(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 100) / 100} s`;
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min${whole % 60 ? ` ${whole % 60} s` : ""}`;
  const minutes = Math.floor((whole % 3600) / 60);
  return `${Math.floor(whole / 3600)} h${minutes ? ` ${minutes} min` : ""}`;
}
