/** When too many jobs fail: stop for good (--max-errors), or pause the intake (--error-share). Pure, apart from its memory. */

/** How many failures are too many. */
export interface BrakeRules {
  /** Stop after so many failed jobs; 0: never. */
  readonly errorsMax: number;
  /** Pause when this share of the latest jobs failed, 0..1; 0: never. */
  readonly share: number;
  /** The latest jobs are those that ended in so many seconds. */
  readonly windowS: number;
  /** No judgement on fewer jobs than this. */
  readonly least: number;
  /** How long a pause lasts, in seconds. */
  readonly coolDownS: number;
}

/** Counts the ends of jobs, and says when enough of them have failed. */
export class Brakes {
  readonly #rules: BrakeRules;
  #ends: { atMs: number; failed: boolean }[] = [];
  #errors = 0;
  #pausedUntilMs = 0;

  constructor(rules: BrakeRules) {
    this.#rules = rules;
  }

  /** Notes the end of a job; returns why the intake pauses now, if it begins to. */
  note(failed: boolean, nowMs: number): string | undefined {
    const { share, windowS, least, coolDownS } = this.#rules;
    if (failed) this.#errors++;
    // Those that were taken in before a pause, and end in it, are of the same trouble.
    if (share === 0 || this.pausedForMs(nowMs) > 0) return undefined;
    this.#ends.push({ atMs: nowMs, failed });
    this.#ends = this.#ends.filter((end) => end.atMs > nowMs - windowS * 1000);
    const failures = this.#ends.filter((end) => end.failed).length;
    if (this.#ends.length < least || failures / this.#ends.length < share) return undefined;
    const why = `${failures} of the latest ${this.#ends.length} jobs failed: nothing is taken in for ${coolDownS} s`;
    this.#ends = [];
    this.#pausedUntilMs = nowMs + coolDownS * 1000;
    return why;
  }

  /** Milliseconds until the intake goes on. */
  pausedForMs(nowMs: number): number {
    return Math.max(0, this.#pausedUntilMs - nowMs);
  }

  /** True once so many jobs failed that the manager is to stop. */
  get spent(): boolean {
    return this.#rules.errorsMax > 0 && this.#errors >= this.#rules.errorsMax;
  }

  get errors(): number {
    return this.#errors;
  }
}
