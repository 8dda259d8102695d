/**
 * Is the engine in reach, and does it take jobs? For each kind of request that it does not answer, or that has to wait,
 * when it is tried again. Here it is only counted; what is told of it is the pass's.
 */

/** When something is tried again, and how long it has not gone. */
interface Retry {
  readonly atMs: number;
  readonly nextS: number;
  readonly sinceMs: number;
}

/** Waits while the engine is out of reach, in seconds: doubled each time, up to the most. */
const OUTAGE_S = { first: 5, most: 600 } as const;

/** Waits between two probes whether a limit of the queue leaves room again. */
const FULL_S = { first: 5, most: 60 } as const;

/** What one manager has seen of its engine. Times are those of the monotonic clock. */
export class Reach {
  #poll: Retry | undefined;
  #submit: Retry | undefined;
  #full: Retry | undefined;
  /** Since when there is an outage of which a part is over. */
  #sinceMs: number | undefined;

  /** It did not answer such a request. */
  failed(request: "poll" | "submit"): void {
    if (request === "poll") this.#poll = retryAfter(this.#poll, OUTAGE_S);
    else this.#submit = retryAfter(this.#submit, OUTAGE_S);
  }

  /** It answers, and has no room for another job. */
  full(): void {
    this.#full = retryAfter(this.#full, FULL_S);
  }

  /** One of our jobs has ended, so that a limit may leave room for another. */
  roomMade(): void {
    if (this.#full) this.#full = { ...this.#full, atMs: 0, nextS: FULL_S.first };
  }

  /** Returns how many seconds the outage took that is over now. `isTried`: some job still waits to be submitted. */
  pollAnswered(isTried: boolean): number | undefined {
    this.#partOver(this.#poll);
    this.#poll = undefined;
    if (!isTried) this.#submit = undefined;
    return this.#over();
  }

  /** It has taken a job, or refused it for good. Returns how many seconds the outage took that is over now. */
  submitAnswered(): number | undefined {
    this.#partOver(this.#submit);
    this.#submit = undefined;
    this.#full = undefined;
    return this.#over();
  }

  /** Whether it may be asked for news. */
  get mayBeAsked(): boolean {
    return !this.#poll || performance.now() >= this.#poll.atMs;
  }

  /** Whether it takes jobs, as far as is known. */
  get takesJobs(): boolean {
    return (this.#full ?? this.#submit) === undefined;
  }

  /** When the next submission may be tried, of which there is one at a time while the engine takes none. */
  get submitAtMs(): number {
    return Math.max(...[this.#poll, this.#submit, this.#full].map((retry) => retry?.atMs ?? 0));
  }

  /** How long it has been out of reach; undefined if it is not. */
  get outageMs(): number | undefined {
    const sinceMs = [this.#sinceMs, this.#poll?.sinceMs, this.#submit?.sinceMs].filter((ms) => ms !== undefined);
    return sinceMs.length === 0 ? undefined : performance.now() - Math.min(...sinceMs);
  }

  /** All times at which something is tried again. */
  get retryAtMs(): readonly number[] {
    return [this.#poll, this.#submit, this.#full].flatMap((retry) => retry?.atMs ?? []);
  }

  #partOver(retry: Retry | undefined): void {
    if (retry) this.#sinceMs = Math.min(this.#sinceMs ?? Number.POSITIVE_INFINITY, retry.sinceMs);
  }

  /** An outage is over when the engine both answers and takes jobs. */
  #over(): number | undefined {
    if (this.#poll || this.#submit || this.#sinceMs === undefined) return undefined;
    const outageS = (performance.now() - this.#sinceMs) / 1000;
    this.#sinceMs = undefined;
    return outageS;
  }
}

/** Grows from the first wait to the most, and never gives up. A share of chance keeps many managers apart. */
function retryAfter(before: Retry | undefined, waits: { first: number; most: number }): Retry {
  const nextS = before?.nextS ?? waits.first;
  const now = performance.now();
  const atMs = now + nextS * 1000 * (1 - Math.random() * 0.1);
  return { atMs, nextS: Math.min(nextS * 2, waits.most), sinceMs: before?.sinceMs ?? now };
}
