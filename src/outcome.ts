/** How an attempt ended, and how that is decided from its witnesses. Pure. */
import type { Ended } from "./engine.ts";
import { signalName } from "./signals.ts";

export type End = "succeeded" | "failed" | "cancelled" | "refused" | "interrupted" | "lost";

/** Written once per attempt, never changed. */
export interface Outcome {
  readonly is: End;
  /** One plain sentence: what happened. */
  readonly why: string;
  readonly exitCode?: number;
  readonly signal?: string;
  /** The engine's own word or line, verbatim. */
  readonly engineWord?: string;
  /** The exact submit command, where the engine said no to it. */
  readonly command?: string;
  /** Of a job array: how each task ended, by exit code; null where nothing is known. */
  readonly tasks?: Readonly<Record<string, number | null>>;
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
  if (neverStarted && cancelReason === undefined && ended?.cause === undefined) {
    return ended && (witnesses.adopted || ended.exitCode !== undefined) ? destroyed(ended) : "unstarted";
  }

  // The engine's code is the code of the whole, which says nothing of one task.
  const codes = records.map((record) => record.exitCode ?? (records.length === 1 ? codeOf(ended) : undefined));
  const worst = codes.find((code) => code !== undefined && code !== 0);
  const tasks = tasksOf(records, codes);
  const facts = { ...exitFacts(worst ?? codes[0]), ...(ended && { engineWord: ended.word }), ...(tasks && { tasks }) };
  const allZero = codes.every((code) => code === 0);

  if (records.some((record) => record.limitReached) || ended?.cause === "timeout") {
    return {
      is: "failed",
      why: `It reached its time limit (${durationText(witnesses.limitS)}) and was stopped.`,
      ...facts,
      engineWord: "TIMEOUT",
    };
  }
  if (allZero) {
    return { is: "succeeded", why: "Exit code 0.", ...facts };
  }
  if (cancelReason !== undefined) {
    return { is: "cancelled", why: `It was cancelled: ${cancelReason}`, ...facts };
  }
  if (ended?.cause === "interrupted") {
    return { is: "interrupted", why: "The machine was restarted while it ran.", ...facts };
  }
  if (worst !== undefined) {
    return { is: "failed", why: failureSentence(worst, records, codes), ...facts };
  }
  return {
    is: "lost",
    why: "It started, but is gone without a record of how it ended: it was probably killed (kill -9, or the machine ran out of memory).",
    ...facts,
  };
}

/** An end without a claim: something removed the records while job.sh ran. */
function destroyed(ended: Ended): Outcome {
  const why = `Its records in .jobmgr were destroyed while it ran, so that its result is not known for certain (${ended.word}).`;
  return { is: "lost", why, engineWord: ended.word };
}

function codeOf(ended: Ended | undefined): number | undefined {
  return ended?.signal === undefined ? ended?.exitCode : undefined;
}

function exitFacts(code: number | undefined): { exitCode?: number; signal?: string } {
  if (code === undefined) return {};
  const signal = signalName(code - 128);
  return signal ? { exitCode: code, signal } : { exitCode: code };
}

function tasksOf(
  records: readonly RunnerRecords[],
  codes: readonly (number | undefined)[],
): Record<string, number | null> | undefined {
  if (records.length === 1 && records[0]?.task === undefined) return undefined;
  return Object.fromEntries(records.map((record, i) => [String(record.task), codes[i] ?? null]));
}

function failureSentence(
  worst: number,
  records: readonly RunnerRecords[],
  codes: readonly (number | undefined)[],
): string {
  const failed = codes.filter((code) => code !== 0).length;
  if (records[0]?.task !== undefined) {
    return `${failed} of ${records.length} tasks failed; the first of them: ${exitSentence(worst)}`;
  }
  return exitSentence(worst);
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
