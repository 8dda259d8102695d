/** May a pass go on? Not once it is told to stop, and not once another manager has taken over. */
import { LockError } from "../lock.ts";

/** The life of one manager's pass: it ends once, for good. */
export class Life {
  readonly #stop = new AbortController();
  #takenOver: LockError | undefined;

  /** For those who must be cut short when it is to stop. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** No new step is begun; those under way go on to their end. */
  stop(): void {
    this.#stop.abort();
  }

  get isStopping(): boolean {
    return this.#stop.signal.aborted;
  }

  /** It is to stop, or another manager has taken over: nothing new is begun. */
  get isOver(): boolean {
    return this.isStopping || this.#takenOver !== undefined;
  }

  /** True for the error that says that another manager has taken over: it is kept, and is nobody else's concern. */
  endsBy(error: unknown): boolean {
    if (!(error instanceof LockError)) return false;
    this.#takenOver ??= error;
    return true;
  }

  /** Throws LockError once another manager has taken over. */
  throwIfTakenOver(): void {
    if (this.#takenOver) throw this.#takenOver;
  }
}
