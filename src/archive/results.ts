/** Archives of finished folders, made one at a time while all else goes on. */
import type { World } from "../steps/world.ts";
import { dropPacking, isNotedForPacking, notedForPacking, pack } from "./packing.ts";

/** Waits before one is tried again, in seconds: doubled each time, up to the most. */
const RETRY_S = { first: 1, most: 300 } as const;

interface Wait {
  readonly atMs: number;
  readonly nextS: number;
}

/** Whom it tells. */
export interface ResultsEvents {
  /** An archive of that name is in complete/. */
  packed(token: string, file: string): void;
  /** It is tried again. */
  waits(token: string, error: Error): void;
  /** It cannot be packed; the folder is what there is. */
  gaveUp(token: string, error: Error): void;
  /** Another manager has taken over. */
  failed(error: unknown): void;
}

/** Faults of the folder itself, which do not pass. */
const LASTING = new Set(["PackFault", "ArchiveFault", "RecordError", "SyntaxError"]);

/** Makes one archive at a time; one that fails is tried again, later and later. */
export class Results {
  readonly #world: World;
  readonly #stop: AbortSignal;
  readonly #events: ResultsEvents;
  readonly #waits = new Map<string, Wait>();
  #tokens: string[] = [];
  #packs: string | undefined;
  #busy: Promise<void> | undefined;

  constructor(world: World, stop: AbortSignal, events: ResultsEvents) {
    this.#world = world;
    this.#stop = stop;
    this.#events = events;
  }

  /** Resolves when what is under way has ended; undefined if nothing is. Never rejects. */
  get busy(): Promise<void> | undefined {
    return this.#busy;
  }

  /** When each is tried again that failed, on the monotonic clock. */
  get retryAtMs(): readonly number[] {
    return [...this.#waits.values()].map(({ atMs }) => atMs);
  }

  /** Finds what is to be packed; `underWay` are those that have not arrived. */
  look(underWay: ReadonlySet<string>): void {
    const { disk, root } = this.#world;
    this.#tokens = notedForPacking(disk, root).filter((token) => token !== this.#packs && !underWay.has(token));
    for (const token of this.#waits.keys()) if (!this.#tokens.includes(token)) this.#waits.delete(token);
  }

  /** The folder of this attempt has arrived: is it to be packed? */
  arrived(token: string): void {
    const { disk, root } = this.#world;
    if (isNotedForPacking(disk, root, token)) this.#add(token);
  }

  #add(token: string): void {
    if (!this.#tokens.includes(token)) this.#tokens.push(token);
  }

  /** Begins with the next one, if none is under way. */
  advance(): void {
    if (this.#busy || this.#stop.aborted) return;
    const now = performance.now();
    const at = this.#tokens.findIndex((token) => (this.#waits.get(token)?.atMs ?? 0) <= now);
    const [token] = at < 0 ? [] : this.#tokens.splice(at, 1);
    if (token === undefined) return;
    this.#packs = token;
    this.#busy = this.#pack(token)
      .catch((error: unknown) => this.#failed(token, error as Error))
      .finally(() => {
        this.#busy = undefined;
        this.#packs = undefined;
      });
  }

  async #pack(token: string): Promise<void> {
    const file = await pack(this.#world, token, this.#stop);
    this.#waits.delete(token);
    if (file !== undefined) this.#events.packed(token, file);
  }

  #failed(token: string, error: Error): void {
    if (this.#stop.aborted && error.name === "AbortError") return;
    if (error.name === "LockError") return this.#events.failed(error);
    if (LASTING.has(error.name) && this.#drop(token)) {
      this.#waits.delete(token);
      return this.#events.gaveUp(token, error);
    }
    const nextS = this.#waits.get(token)?.nextS ?? RETRY_S.first;
    this.#waits.set(token, { atMs: performance.now() + nextS * 1000, nextS: Math.min(nextS * 2, RETRY_S.most) });
    this.#add(token);
    this.#events.waits(token, error);
  }

  /** False if the disk does not let it be given up now. */
  #drop(token: string): boolean {
    try {
      dropPacking(this.#world, token);
      return true;
    } catch {
      return false;
    }
  }
}
