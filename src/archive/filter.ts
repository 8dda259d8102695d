/** A program that changes a stream of bytes into another: what src knows of it, for it starts none itself. */

/** No such program is on this machine, or it said no. */
export class FilterError extends Error {
  override readonly name = "FilterError";
  readonly isMissing: boolean;

  constructor(message: string, isMissing: boolean) {
    super(message);
    this.isMissing = isMissing;
  }
}

/**
 * Starts a program, gives it `source`, and gives `consume` what it says, to the end. Returns what consume() returns, if
 * the program ended well. Throws FilterError, what source or consume() throw, or an AbortError; the program has ended
 * or been killed then.
 */
export type Filter = <T>(
  argv: readonly [string, ...string[]],
  source: AsyncIterable<Buffer>,
  consume: (pieces: AsyncIterable<Buffer>) => Promise<T>,
  stop: AbortSignal,
) => Promise<T>;
