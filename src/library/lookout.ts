/**
 * Looks after the jobs that somebody waits for, all in one round, and only while somebody does: otherwise nothing is
 * open, and no timer runs.
 */
import type { Disk } from "../disk.ts";
import { isDiskError } from "../disk-error.ts";
import { Chase } from "../look/chase.ts";
import { acquaint, strangersIn, type Trace } from "../look/trace.ts";
import { patienceOf } from "../look/wait-for.ts";
import type { Root } from "../root.ts";
import { ClosedError } from "./errors.ts";
import { TIMER_MS_MAX } from "./timer.ts";

/** Between two looks: soon at first and after each end, then later and later. */
const LOOK_MS = { least: 50, most: 1000, share: 0.1 } as const;

/** At most this share of the time goes into looking. */
const BUSY_SHARE_MAX = 0.2;

/** After so long somebody who waits may wonder whether all is well, for the first time and then again. */
const LONG_MS = { first: 3000, again: 60_000 } as const;

/** Somebody's wait for a job. */
interface Wait {
  readonly chase: Chase;
  /** Ends it, if it is over. Throws what the disk says. */
  readonly ask: () => void;
  readonly fail: (error: unknown) => void;
  /** What the disk said at the last look, if it refused. */
  fault: unknown;
}

/** What ends a wait before it is over. */
export interface Limits {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  /** The error of a wait whose time is over; `fault`: what the disk said at the last look, if it refused. */
  readonly late?: (fault: unknown) => Error;
}

/** The waits of one open root. */
export class Lookout {
  readonly #disk: Disk;
  readonly #root: Root;
  readonly #waits = new Set<Wait>();
  readonly #signals = new Signals();
  readonly #patienceS: number;
  #strangers: Set<string> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #newsAtMs = 0;
  /** When the next round would leave enough time to others. */
  #fairAtMs = 0;
  #over: unknown;
  #longAtMs: number | undefined;
  readonly #isLong: () => boolean;

  /** `isLong`: called when somebody has waited for long, until it returns true. Must not throw. */
  constructor(disk: Disk, root: Root, isLong: () => boolean) {
    this.#disk = disk;
    this.#root = root;
    this.#isLong = isLong;
    this.#patienceS = patienceOf(disk, root);
  }

  /** Begins to know a job; nothing is waited for yet. */
  chase(at: Trace): Chase {
    // What was there before the first job is none of them, whatever its name.
    this.#strangers ??= strangersIn(this.#disk, this.#root);
    acquaint(this.#strangers, at);
    return new Chase(this.#disk, this.#root, at);
  }

  /** Looks now. Throws what the disk says. */
  look(chase: Chase): void {
    chase.look(this.#strangers ?? new Set(), this.#patienceS);
  }

  /**
   * Resolves with the first answer that is not undefined; rejects with the reason of `signal`, or when nobody looks any
   * more. `answer` is asked after each look; a disk that refuses to tell has not answered yet.
   */
  async until<T>(chase: Chase, answer: () => T | undefined, { signal, timeoutMs, late }: Limits = {}): Promise<T> {
    signal?.throwIfAborted();
    this.throwIfOver();
    return new Promise<T>((done, fail) => {
      let timer: NodeJS.Timeout | undefined;
      let forget: (() => void) | undefined;
      const end = () => {
        clearTimeout(timer);
        forget?.();
        this.#waits.delete(wait);
        if (this.#waits.size === 0) clearTimeout(this.#timer);
      };
      const wait: Wait = {
        chase,
        fault: undefined,
        ask() {
          const found = answer();
          if (found === undefined) return;
          end();
          done(found);
        },
        fail(error) {
          end();
          fail(error);
        },
      };
      this.#waits.add(wait);
      this.#longAtMs ??= performance.now() + LONG_MS.first;
      this.#ask(wait, this.#faultOfLook(chase));
      if (!this.#waits.has(wait)) return;
      if (timeoutMs !== undefined && timeoutMs <= TIMER_MS_MAX)
        timer = setTimeout(() => wait.fail(late?.(wait.fault)), timeoutMs);
      forget = signal && this.#signals.hear(signal, () => wait.fail(signal.reason));
      this.soon();
    });
  }

  /** Somebody knows that something has changed. */
  soon(): void {
    this.#newsAtMs = performance.now();
    this.#lookIn(0);
  }

  /** Throws what close() was given. */
  throwIfOver(): void {
    if (this.#over !== undefined) throw this.#over;
  }

  /** Ends all waits, now and from now on. */
  close(error: unknown = new ClosedError(`${this.#root.path} was closed`)): void {
    this.#over ??= error;
    for (const { fail } of this.#waits) fail(this.#over);
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#waits.size === 0 || this.#over !== undefined) return;
    this.#timer = setTimeout(() => this.#round(), Math.max(ms, this.#fairAtMs - performance.now()));
  }

  #round(): void {
    const beganMs = performance.now();
    const faults = new Map<Chase, unknown>();
    for (const { chase } of this.#waits) if (!faults.has(chase)) faults.set(chase, this.#faultOfLook(chase));
    for (const wait of this.#waits) {
      this.#ask(wait, faults.get(wait.chase));
      if (!this.#waits.has(wait)) this.#newsAtMs = performance.now();
    }
    const now = performance.now();
    if (now >= (this.#longAtMs ?? now)) {
      this.#longAtMs = this.#isLong() ? Number.POSITIVE_INFINITY : now + LONG_MS.again;
    }
    const pauseMs = Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, (now - this.#newsAtMs) * LOOK_MS.share));
    this.#fairAtMs = now + (now - beganMs) / BUSY_SHARE_MAX;
    this.#lookIn(pauseMs);
  }

  /** A disk that does not answer says nothing about the job. */
  #ask(wait: Wait, faultOfLook: unknown): void {
    wait.fault = faultOfLook ?? faultOf(wait.ask);
    if (wait.fault !== undefined && !isDiskError(wait.fault)) wait.fail(wait.fault);
  }

  #faultOfLook(chase: Chase): unknown {
    return faultOf(() => this.look(chase));
  }
}

function faultOf(action: () => void): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** One listener for each signal, however many wait: Node warns of more than ten. */
class Signals {
  readonly #ears = new Map<AbortSignal, { readonly ears: Set<() => void>; readonly listener: () => void }>();

  /** Returns what calls it off. */
  hear(signal: AbortSignal, ear: () => void): () => void {
    const heard = this.#ears.get(signal) ?? this.#listen(signal);
    heard.ears.add(ear);
    return () => {
      heard.ears.delete(ear);
      if (heard.ears.size > 0) return;
      signal.removeEventListener("abort", heard.listener);
      this.#ears.delete(signal);
    };
  }

  #listen(signal: AbortSignal) {
    const ears = new Set<() => void>();
    const listener = () => {
      for (const ear of ears) ear();
    };
    signal.addEventListener("abort", listener);
    const heard = { ears, listener };
    this.#ears.set(signal, heard);
    return heard;
  }
}
