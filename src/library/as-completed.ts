/** Jobs, one after the other, as they end. */
import type { Job, JobOutcome, WaitOptions } from "./api.ts";
import { RequestError, ResultTimeoutError } from "./errors.ts";
import { checkShape, WAIT_OPTIONS } from "./shapes.ts";

/** A job that has ended, and how. */
export interface Completed<J extends Job = Job> {
  readonly job: J;
  readonly outcome: JobOutcome;
}

/**
 * Gives each job when it has ended, in whatever way, the first one first; jobs of several roots may be mixed. `timeoutMs`
 * and `signal` are for all of it: they end it by ResultTimeoutError or the signal's reason. Jobs go on.
 *
 * ```ts
 * import { asCompleted, openRoot } from "jobmgr";
 *
 * const root = await openRoot("/home/ada/jobs");
 * const jobs = await Promise.all([1, 2, 3].map((part) => root.submit({ name: `part-${part}`, folder: `work/${part}` })));
 * for await (const { job, outcome } of asCompleted(jobs)) console.log(job.id, outcome.is, outcome.why);
 * ```
 */
export async function* asCompleted<J extends Job>(
  jobs: Iterable<J>,
  limits: WaitOptions = {},
): AsyncGenerator<Completed<J>, void, undefined> {
  checkShape(limits, WAIT_OPTIONS, "asCompleted()");
  const { timeoutMs, signal } = limits;
  const all = new Set(jobs);
  if ([...all].some((job) => typeof job?.result !== "function"))
    throw new RequestError("asCompleted() takes jobs, and neither their names nor promises of them");
  const off = new AbortController();
  const options = { timeoutMs, signal: signal === undefined ? off.signal : AbortSignal.any([signal, off.signal]) };
  const ended: Completed<J>[] = [];
  let failure: { readonly error: unknown } | undefined;
  let wake = () => {};
  let left = all.size;
  for (const job of all) {
    job.result(options).then(
      (outcome) => {
        ended.push({ job, outcome });
        wake();
      },
      (error: unknown) => {
        failure ??= { error };
        wake();
      },
    );
  }
  try {
    for (; left > 0; left--) {
      while (ended.length === 0 && failure === undefined)
        await new Promise<void>((woken) => {
          wake = woken;
        });
      const next = ended.shift();
      if (next) yield next;
      else if (failure?.error instanceof ResultTimeoutError)
        throw new ResultTimeoutError(`${left} of ${all.size} jobs have not ended: ${failure.error.message}`, {
          cause: failure.error,
        });
      else throw failure?.error;
    }
  } finally {
    // Nobody wants the others any more.
    off.abort();
  }
}
