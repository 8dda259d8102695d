/**
 * Tells one target what is in its outbox, one message at a time, beside everything else. A target that takes nothing is
 * tried again after growing pauses, for a week; a message that it alone refuses does not hold up the others.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Say } from "../events.ts";
import { batchMessage, jobMessage, type Message, occasionOf, type Sender } from "./message.ts";
import type { Outbox, Parcel } from "./outbox.ts";
import type { Rules } from "./rules.ts";
import { DeliveryError, type Target } from "./target.ts";

const KEPT_DAYS = 7;

/** A message that was not taken so often goes behind the others. */
const TRIES_MAX = 3;

/** From an abort to its effect. */
const ABORT_MS = 1000;

/** What a courier knows of the jobs, and whom it tells of its own troubles. */
export interface Office {
  /** Tokens of the jobs that have not arrived in complete/. */
  underWay(): ReadonlySet<string>;
  /** Throws if another manager has taken over: then it tells. */
  assertOwned(): void;
  readonly say: Say;
  /** Keeps in sight that something is wrong, or no longer (undefined), and says so once. */
  problem(about: string, text: string | undefined, wasSaid?: boolean): void;
}

/** A message that was not taken. */
interface Tried {
  readonly atMs: number;
  readonly pauseS: number;
  readonly times: number;
  /** Others were taken since: it is this message, not the target. */
  readonly isOdd: boolean;
}

/** The one who tells one target, from its outbox. */
export class Courier {
  readonly #target: Target;
  readonly #outbox: Outbox;
  readonly #rules: Rules;
  readonly #sender: Sender;
  readonly #office: Office;
  readonly #stop = new AbortController();
  readonly #tried = new Map<string, Tried>();
  /** The target as such takes nothing before then. */
  #resumeAtMs = 0;
  #pauseS: number;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #isFailing = false;
  /** Delivered, but the outbox could not be told: it must not be sent again. */
  #unmarked: Parcel | undefined;
  #closing = false;
  #again = false;
  #hasBegun = false;
  #working: Promise<void> | undefined;
  #alarm: NodeJS.Timeout | undefined;

  constructor(target: Target, outbox: Outbox, rules: Rules, sender: Sender, office: Office) {
    this.#target = target;
    this.#outbox = outbox;
    this.#rules = rules;
    this.#sender = sender;
    this.#office = office;
    this.#pauseS = rules.pauses.firstS;
  }

  /** There may be something to tell. */
  poke(): void {
    this.#again = true;
    if (this.#working || this.#closing) return;
    this.#working = this.#work().finally(() => {
      this.#working = undefined;
      if (this.#again) this.poke();
    });
  }

  /** Resolves when all that can be told for now has been told. */
  async idle(): Promise<void> {
    while (this.#working) await this.#working;
  }

  /** Begins nothing new; what is under way may end within so many milliseconds. */
  async close(patienceMs: number): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#alarm);
    const timers: NodeJS.Timeout[] = [setTimeout(() => this.#stop.abort(), patienceMs)];
    // A disk that hangs is not waited for.
    const limit = new Promise<void>((resolve) => timers.push(setTimeout(resolve, patienceMs + ABORT_MS)));
    await Promise.race([this.idle(), limit]);
    for (const timer of timers) clearTimeout(timer);
  }

  async #work(): Promise<void> {
    while (this.#again && !this.#closing) {
      this.#again = false;
      try {
        await this.#tellAll();
        this.#outboxWorks();
      } catch (error) {
        this.#outboxFails(error);
      }
    }
  }

  async #tellAll(): Promise<void> {
    if (performance.now() < this.#resumeAtMs) return this.#setAlarm();
    if (!this.#hasBegun) {
      await this.#outbox.sweep();
      this.#recallFailing();
      this.#hasBegun = true;
    }
    await this.#mark();
    const parcels = await this.#outbox.parcels(this.#office.underWay(), new Date());
    const there = new Set(parcels.map(({ id }) => id));
    for (const id of this.#tried.keys()) if (!there.has(id)) this.#tried.delete(id);
    const isLate = ({ id }: Parcel) => (this.#tried.get(id)?.times ?? 0) >= TRIES_MAX;
    // Perhaps it is the message: let another one find out.
    const inOrder = (await this.#withoutExpired(parcels)).sort((a, b) => Number(isLate(a)) - Number(isLate(b)));
    for (const parcel of inOrder) {
      if (this.#closing) return;
      if (performance.now() < (this.#tried.get(parcel.id)?.atMs ?? 0)) continue;
      if (!(await this.#tell(parcel))) break;
    }
    this.#setAlarm();
  }

  /** Returns false if the target is to be left alone for now. */
  async #tell(parcel: Parcel): Promise<boolean> {
    const message = this.#messageOf(parcel);
    if (message) {
      await sleep(Math.max(0, this.#toldAtMs + this.#rules.spaceMs - performance.now()));
      if (this.#closing) return false;
      this.#toldAtMs = performance.now();
      this.#office.assertOwned();
      try {
        await this.#target.deliver(message, this.#stop.signal);
      } catch (error) {
        return this.#stop.signal.aborted ? false : this.#notTaken(parcel, error);
      }
    }
    this.#unmarked = parcel;
    if (message) this.#taken();
    await this.#mark();
    return true;
  }

  async #mark(): Promise<void> {
    if (!this.#unmarked) return;
    await this.#outbox.done(this.#unmarked);
    this.#unmarked = undefined;
  }

  /** undefined where the rules have changed, and nobody wants to know any more. */
  #messageOf(parcel: Parcel): Message | undefined {
    const now = new Date();
    if (parcel.is === "many") return batchMessage(parcel.summary, parcel.id, this.#sender, now);
    const occasion = occasionOf(parcel.ended, this.#rules.on);
    return occasion && jobMessage(parcel.ended, occasion, this.#sender, now);
  }

  #taken(): void {
    this.#pauseS = this.#rules.pauses.firstS;
    for (const [id, tried] of this.#tried) this.#tried.set(id, { ...tried, isOdd: true });
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#office.problem(`tell ${this.#target.name}`, undefined);
    this.#office.say({ is: "note", level: "info", text: `Messages to ${this.#target.title} are delivered again.` });
    this.#outbox.noteFailing(undefined);
  }

  #notTaken(parcel: Parcel, error: unknown): boolean {
    const { pauses } = this.#rules;
    const before = this.#tried.get(parcel.id);
    const pauseS = before ? Math.min(before.pauseS * 2, pauses.mostS) : pauses.firstS;
    const now = performance.now();
    const times = (before?.times ?? 0) + 1;
    this.#tried.set(parcel.id, { atMs: now + pauseS * 1000, pauseS, times, isOdd: before?.isOdd === true });
    if (before?.isOdd) return true;
    this.#resumeAtMs = now + this.#pauseS * 1000;
    this.#pauseS = Math.min(this.#pauseS * 2, pauses.mostS);
    if (this.#isFailing) return false;
    this.#isFailing = true;
    const why = error instanceof DeliveryError ? error.message : "an unexpected error";
    const text = `Messages to ${this.#target.title} cannot be delivered: ${why}. They are kept, and tried again for ${KEPT_DAYS} days.`;
    this.#office.problem(`tell ${this.#target.name}`, text);
    this.#outbox.noteFailing(text);
    return false;
  }

  /** An earlier manager has told of it; so it is not told again at each `--once`. */
  #recallFailing(): void {
    const text = this.#rules.isOnce ? this.#outbox.failing() : undefined;
    if (text === undefined) return;
    this.#isFailing = true;
    this.#office.problem(`tell ${this.#target.name}`, text, true);
  }

  async #withoutExpired(parcels: readonly Parcel[]): Promise<Parcel[]> {
    const oldestMs = Date.now() - KEPT_DAYS * 86_400_000;
    const expired = parcels.filter(({ at }) => at < oldestMs);
    for (const parcel of expired) await this.#outbox.done(parcel);
    if (expired.length > 0) {
      const what = expired.length === 1 ? "A message" : `${expired.length} messages`;
      const text = `${what} to ${this.#target.title} could not be delivered for ${KEPT_DAYS} days, and will not be.`;
      this.#office.say({ is: "note", level: "warn", text });
    }
    return parcels.filter(({ at }) => at >= oldestMs);
  }

  #outboxWorks(): void {
    this.#office.problem(`outbox ${this.#target.name}`, undefined);
  }

  #outboxFails(error: unknown): void {
    if ((error as Error).name === "LockError") {
      this.#closing = true;
      return;
    }
    this.#resumeAtMs = performance.now() + this.#rules.pauses.firstS * 1000;
    const text = `The outbox of ${this.#target.name} cannot be used, so that messages wait: ${(error as Error).message}`;
    this.#office.problem(`outbox ${this.#target.name}`, text);
    this.#setAlarm();
  }

  /** Looks again when something is due, if nothing else calls before. Keeps no process alive. */
  #setAlarm(): void {
    const now = performance.now();
    const times = [...this.#tried.values()].map(({ atMs }) => atMs).filter((atMs) => atMs > now);
    if (this.#resumeAtMs > now) times.push(this.#resumeAtMs);
    clearTimeout(this.#alarm);
    if (times.length === 0 || this.#closing) return;
    const dueMs = Math.max(Math.min(...times), this.#resumeAtMs) - now;
    this.#alarm = setTimeout(() => this.poke(), Math.ceil(dueMs));
    this.#alarm.unref();
  }
}
