/**
 * Files that become folders, one at a time, while all else goes on. What is kept here is only what is under way, and
 * what has to wait; a stop leaves what is under way to the next manager.
 */
import { ArchiveWait } from "../archive/fault.ts";
import type { World } from "../steps/world.ts";
import { type Arrived, arrive, arrivingIds, checkRoom, recoverArriving } from "./arriving.ts";

/** Waits before a file is tried again, in seconds: doubled each time, up to the most. */
const RETRY_S = { first: 5, most: 300 } as const;

interface Wait {
  readonly signature: string;
  readonly why: string;
  readonly atMs: number;
  readonly nextS: number;
  /** What it needs room for. */
  readonly needs?: { readonly bytes: number; readonly count: number };
}

/** What is told of a file. */
export interface ArrivalsEvents {
  arrived(file: string | undefined, arrived: Arrived): void;
  /** It stays in the inbox, and is looked at again after so many seconds. */
  waits(file: string, why: string, againInS: number): void;
  /** Something is wrong that concerns no file. */
  failed(error: unknown): void;
  recovered(): void;
  /** What is under way takes long; others need not wait for it. */
  slow(): void;
}

/** For so long those behind it wait for a file, so that small ones keep their turn. */
const TURN_MS = 2000;

/** The files of one inbox, of which one at a time becomes a folder. */
export class Arrivals {
  readonly #world: World;
  readonly #stop: AbortSignal;
  readonly #events: ArrivalsEvents;
  readonly #waits = new Map<string, Wait>();
  #file: string | undefined;
  #busy: Promise<void> | undefined;
  #holdsTurn = false;

  constructor(world: World, stop: AbortSignal, events: ArrivalsEvents) {
    this.#world = world;
    this.#stop = stop;
    this.#events = events;
  }

  /** Resolves when what is under way has ended; undefined if nothing is. Never rejects. */
  get busy(): Promise<void> | undefined {
    return this.#busy;
  }

  /** A file has its turn, and will be a folder in a moment. */
  get holdsTurn(): boolean {
    return this.#holdsTurn;
  }

  /** Goes on with what a crash has left. */
  recover(): void {
    if (this.#busy || this.#stop.aborted) return;
    const ids = arrivingIds(this.#world);
    if (ids.length > 0) this.#begin(undefined, () => this.#recoverAll(ids));
  }

  /** Begins with a file, if nothing else is under way. Returns why it is not a folder yet, and when to look again. */
  begin(file: string, signature: string): { why: string; againInS?: number } {
    if (this.#busy) return { why: this.#file === file ? UNDER_WAY : "others are being unpacked" };
    const wait = this.#waits.get(file);
    if (wait?.signature === signature) {
      const why = this.#stillWaits(wait);
      if (why !== undefined) return { why, againInS: Math.max(1, (wait.atMs - performance.now()) / 1000) };
    }
    this.#begin(
      file,
      async () => {
        const arrived = await arrive(this.#world, file, signature, this.#stop);
        this.#waits.delete(file);
        this.#events.arrived(file, arrived);
      },
      signature,
    );
    return { why: UNDER_WAY };
  }

  #stillWaits(wait: Wait): string | undefined {
    if (performance.now() < wait.atMs) return wait.why;
    if (!wait.needs) return undefined;
    try {
      checkRoom(this.#world, wait.needs);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  #begin(file: string | undefined, action: () => Promise<void>, signature = ""): void {
    this.#file = file;
    this.#holdsTurn = file !== undefined;
    const timer = setTimeout(() => {
      this.#holdsTurn = false;
      this.#events.slow();
    }, TURN_MS);
    this.#busy = action()
      .catch((error: unknown) => this.#failed(file, signature, error))
      .finally(() => {
        clearTimeout(timer);
        this.#holdsTurn = false;
        this.#busy = undefined;
        this.#file = undefined;
      });
  }

  async #recoverAll(ids: readonly string[]): Promise<void> {
    let failure: unknown;
    for (const id of ids) {
      if (this.#stop.aborted) return;
      try {
        const arrived = await recoverArriving(this.#world, id);
        if (arrived) this.#events.arrived(undefined, arrived);
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    this.#events.recovered();
  }

  #failed(file: string | undefined, signature: string, error: unknown): void {
    const { name, message } = error as Error;
    if (this.#stop.aborted && name === "AbortError") return;
    if (file === undefined || name === "LockError") return this.#events.failed(error);
    const before = this.#waits.get(file);
    const nextS = before?.signature === signature ? before.nextS : RETRY_S.first;
    const { againInS = nextS, needs } = error instanceof ArchiveWait ? error : {};
    const atMs = performance.now() + againInS * 1000;
    this.#waits.set(file, {
      signature,
      why: message,
      atMs,
      nextS: Math.min(nextS * 2, RETRY_S.most),
      ...(needs && { needs }),
    });
    this.#events.waits(file, message, againInS);
  }
}

const UNDER_WAY = "it is being unpacked";
