/**
 * The inbox in order: who is next? Only as many folders are looked into as are needed, and one that is not ready
 * takes no place from those behind it. What is kept here is a memory of the last listing, never a fact.
 */
import type { Disk } from "./disk.ts";
import { type Readiness, type ReadyRules, readinessOf } from "./ready.ts";
import { fileSystemNow, isIgnoredName, isUnreadableName, jobFolder, type Root, sortByCodePoint } from "./root.ts";

/** So many folders are looked into at most before others get a turn. */
const LOOKS_MAX = 256;

/** Of the folders that were not ready, so many are looked into again at each check. */
const SECOND_LOOKS_MAX = 500;

interface Unready {
  readonly why: string;
  readonly check: number;
  readonly againAtMs: number | undefined;
}

export class Inbox {
  readonly #disk: Disk;
  readonly #root: Root;
  readonly #rules: ReadyRules;
  #names: string[] = [];
  #next = 0;
  #check = 0;
  #unready = new Map<string, Unready>();

  constructor(disk: Disk, root: Root, rules: ReadyRules) {
    this.#disk = disk;
    this.#root = root;
    this.#rules = rules;
  }

  /** Lists the inbox anew. Returns names that cannot be opened because they are not UTF-8. */
  list(): string[] {
    const all = this.#disk.list(this.#root.inbox).filter((name) => !isIgnoredName(name));
    const unreadable = all.filter(isUnreadableName);
    this.#names = sortByCodePoint(unreadable.length > 0 ? all.filter((name) => !isUnreadableName(name)) : all);
    this.#next = 0;
    this.#check++;
    if (this.#unready.size > 0) {
      const there = new Set(this.#names);
      for (const name of this.#unready.keys()) if (!there.has(name)) this.#unready.delete(name);
    }
    return unreadable;
  }

  get entries(): number {
    return this.#names.length;
  }

  /** Those that have not been looked into since the last listing. */
  get known(): number {
    return this.#names.length - this.#next;
  }

  /** Those that may be ready, as far as is known: how many, and the first of them in order. */
  waiting(firstMax: number): { count: number; first: string[] } {
    const first: string[] = [];
    let count = 0;
    for (let i = this.#next; i < this.#names.length; i++) {
      const name = this.#names[i] ?? "";
      if (this.#unready.has(name)) continue;
      count++;
      if (first.length < firstMax) first.push(name);
    }
    return { count, first };
  }

  /** Why folders wait that were looked into, by name. */
  reasons(): ReadonlyMap<string, string> {
    return new Map([...this.#unready].map(([name, { why }]) => [name, why]));
  }

  /**
   * When a folder that is not ready may become so, on the monotonic clock, if that is known. A time that has passed
   * waits for a free place, and needs no clock.
   */
  againAtMs(): number | undefined {
    const now = performance.now();
    let soonest: number | undefined;
    for (const { againAtMs } of this.#unready.values()) {
      if (againAtMs !== undefined && againAtMs > now && (soonest === undefined || againAtMs < soonest))
        soonest = againAtMs;
    }
    return soonest;
  }

  /** The next folder that is ready, in order, without taking it; "later" if others should have a turn first. */
  peek(): { name: string; signature: string } | "later" | undefined {
    let nowMs: number | undefined;
    const now = () => {
      nowMs ??= fileSystemNow(this.#disk, this.#root);
      return nowMs;
    };
    for (let looks = 0; this.#next < this.#names.length; this.#next++) {
      const name = this.#names[this.#next] ?? "";
      if (!this.#isDue(name)) continue;
      if (looks++ >= LOOKS_MAX) return "later";
      const readiness = this.#look(name, now);
      if (readiness.is === "ready") return { name, signature: readiness.signature };
      const againAtMs = readiness.againInS === undefined ? undefined : performance.now() + readiness.againInS * 1000;
      this.#unready.set(name, { why: readiness.why, check: this.#check, againAtMs });
    }
    return undefined;
  }

  /** Goes on behind the folder that peek() showed. */
  pass(): void {
    this.#unready.delete(this.#names[this.#next] ?? "");
    this.#next++;
  }

  /** Notes why the folder that peek() showed cannot be taken, and goes on behind it. */
  putBack(why: string): void {
    this.#unready.set(this.#names[this.#next] ?? "", { why, check: this.#check, againAtMs: undefined });
    this.#next++;
  }

  #isDue(name: string): boolean {
    const last = this.#unready.get(name);
    if (!last) return true;
    if (last.againAtMs !== undefined) return performance.now() >= last.againAtMs;
    return this.#check - last.check >= Math.ceil(this.#unready.size / SECOND_LOOKS_MAX);
  }

  #look(name: string, now: () => number): Readiness {
    try {
      return readinessOf(this.#disk, jobFolder(this.#root, "inbox", name), this.#rules, now);
    } catch (error) {
      return { is: "unready", why: `it cannot be looked into: ${(error as Error).message}` };
    }
  }
}
