/** What may be done after an engine could not do what it was asked. */

/**
 * - `unavailable`: nothing happened, the engine is out of reach; the job is kept and the engine asked again later.
 * - `refused`: no to this one job, for good; it ends as `refused`, with the engine's own words.
 * - `full`: a limit of the queue or of the user; the job waits and nothing is counted against it.
 * - `ambiguous`: it may have happened; `find` comes before the next `submit`.
 */
export type Verdict = "unavailable" | "refused" | "full" | "ambiguous";

const BRAND = Symbol.for("jobmgr.EngineError");

/** An engine's "no", sorted by what may be done next. Known by its brand, so an engine may carry its own copy. */
export class EngineError extends Error {
  readonly verdict: Verdict;
  /** The command as a person would type it, and what it printed, verbatim but capped; for job_error.txt. */
  readonly command: string | undefined;
  readonly output: string | undefined;
  /** Only this job has to wait, for what it alone asks for is out of reach; others may be submitted. */
  readonly isOfOneJob: boolean;

  constructor(
    verdict: Verdict,
    message: string,
    more: { command?: string; output?: string; isOfOneJob?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause });
    this.isOfOneJob = more.isOfOneJob === true;
    this.name = "EngineError";
    this.verdict = verdict;
    this.command = more.command;
    this.output = more.output;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** Also true for one of another copy of this package. */
export function isEngineError(error: unknown): error is EngineError {
  return typeof error === "object" && error !== null && BRAND in error;
}
