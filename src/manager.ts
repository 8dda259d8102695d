/** The manager: a pass, then rest until something may have changed, until it is told to stop. */
import { setImmediate } from "node:timers/promises";
import { HEARTBEAT_MS, type Lock } from "./lock.ts";
import type { Pass } from "./pass/index.ts";
import { InboxWatch } from "./wake.ts";

/** How long a stop waits for the steps that are under way. */
const STOP_MS = 10_000;

/** At most this share of the time goes into listing the inbox, however many events come. */
const LOOK_SHARE_MAX = 0.2;

/** How often it looks. */
export interface Schedule {
  readonly periodS: number;
  /** One pass, then the end. */
  readonly once: boolean;
  readonly inbox: string;
}

/** Runs passes over one root until it is stopped. Whoever changes something gives it a hint. */
export class Manager {
  readonly #pass: Pass;
  readonly #lock: Lock;
  readonly #schedule: Schedule;
  #stopping = false;
  #patience: NodeJS.Timeout | undefined;
  #isPatienceOver = false;
  /** Ends the wait for what is under way. */
  #giveUp: () => void = () => {};
  #news = false;
  #lookAtMs = 0;
  #wakeUp: () => void = () => {};

  constructor(pass: (wake: () => void) => Pass, lock: Lock, schedule: Schedule) {
    this.#pass = pass(() => this.hint());
    this.#lock = lock;
    this.#schedule = schedule;
  }

  /** Something that is known may go on. */
  hint(): void {
    this.#news = true;
    this.#wakeUp();
  }

  /** Look at everything, as soon as that is fair to the machine. */
  lookSoon(): void {
    this.#lookAtMs = 0;
    this.#wakeUp();
  }

  /** Look at everything, and ask the engine too: a person wants to know. */
  lookNow(): void {
    this.#pass.askSoon();
    this.lookSoon();
  }

  /** Begins to stop: no new step is begun. */
  stop(): void {
    this.#stopping = true;
    this.#pass.stop();
    this.#patience ??= setTimeout(() => {
      this.#isPatienceOver = true;
      this.#giveUp();
    }, STOP_MS);
    this.#wakeUp();
  }

  /** Runs until stopped, or through one pass. Throws LockError when another manager has taken over. */
  async run(): Promise<void> {
    const watch = new InboxWatch(this.#schedule.inbox, () => this.lookSoon());
    const beat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    try {
      if (this.#schedule.once) await this.#once();
      else await this.#untilStopped(watch);
    } finally {
      clearInterval(beat);
      clearTimeout(this.#patience);
      watch.close();
    }
  }

  async #once(): Promise<void> {
    await this.#orStopped(this.#pass.check());
    do {
      await this.#orStopped(this.#pass.idle());
      if (this.#stopping) break;
      await this.#orStopped(this.#pass.advance("none"));
    } while (this.#pass.isBusy);
    this.#leaveLastWord();
  }

  /** Nobody looks any more: what has become known since the last check would be known to nobody. */
  #leaveLastWord(): void {
    // A disk that does not answer would hold up the end.
    if (!this.#pass.isBusy) this.#pass.leaveWord();
  }

  /** Waits for work; but once it is to stop, whoever hangs, for no longer than STOP_MS. */
  #orStopped(work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#giveUp = resolve;
      work.then(resolve, reject);
      if (this.#isPatienceOver) resolve();
    });
  }

  async #untilStopped(watch: InboxWatch): Promise<void> {
    let lookMs = 0;
    let lookedAtMs = Number.NEGATIVE_INFINITY;
    while (!this.#stopping && this.#pass.spent === undefined) {
      const fairAtMs = lookedAtMs + lookMs / LOOK_SHARE_MAX;
      if (performance.now() >= Math.max(this.#lookAtMs, fairAtMs)) {
        lookedAtMs = performance.now();
        this.#lookAtMs = lookedAtMs + this.#schedule.periodS * 1000;
        this.#news = false;
        await this.#orStopped(this.#pass.check());
        lookMs = this.#pass.lookMs;
        watch.adapt(this.#pass.inbox.entries, this.#pass.inbox.known);
      } else if (this.#news) {
        this.#news = false;
        const { known } = this.#pass.inbox;
        await this.#orStopped(this.#pass.advance("telling"));
        // The last folder that was known of has been taken: see whether there are more.
        if (known > 0 && this.#pass.inbox.known === 0) this.lookSoon();
      } else {
        await this.#rest(fairAtMs);
      }
      // Whatever goes on here, signals and events get their turn. What they ask for is seen before the next rest.
      await setImmediate();
    }
    this.stop();
    await this.#orStopped(this.#pass.idle());
    this.#leaveLastWord();
  }

  /** Sleeps until the next look, which comes sooner if something is due, but not before that is fair; or a wake-up. */
  async #rest(fairAtMs: number): Promise<void> {
    const now = performance.now();
    const dueInMs = this.#pass.dueInMs();
    if (dueInMs !== undefined) this.#lookAtMs = Math.min(this.#lookAtMs, now + dueInMs);
    const ms = Math.max(0, Math.max(this.#lookAtMs, fairAtMs) - now);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.ceil(ms));
      this.#wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wakeUp = () => {};
  }

  #beat(): void {
    try {
      this.#lock.beat();
    } catch {
      // A full or absent disk: the next pass reports it.
    }
  }
}
