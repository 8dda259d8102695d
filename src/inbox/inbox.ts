/**
 * The inbox in order: who is next? Only as many folders are looked into as are needed, and one that is not ready
 * takes no place from those behind it. What is kept here is a memory of the last listing, never a fact.
 */

import { arrivalName } from "../archive/names.ts";
import type { Disk } from "../disk.ts";
import {
  comesBefore,
  fileSystemNow,
  isIgnoredName,
  isUnreadableName,
  jobFolder,
  type Root,
  sortByCodePoint,
} from "../root.ts";
import type { Circle } from "./after.ts";
import { Dependents, type MayGoBehind } from "./dependents.ts";
import { type Readiness, type ReadyRules, readinessOf } from "./ready.ts";

/** So many folders are looked into at most before others get a turn. */
const LOOKS_MAX = 256;

/** Of the folders that were not ready, so many are looked into again at each check. */
const SECOND_LOOKS_MAX = 500;

/** The inbox is listed again so soon for a folder that has come and may be ready. */
const SOON_S = 0.05;

interface Unready {
  readonly why: string;
  readonly check: number;
  readonly againAtMs: number | undefined;
}

/** Names in order, and how far one has come. */
interface Queue {
  readonly names: string[];
  next: number;
}

/** Who is next, and is ready. */
export interface Next {
  readonly name: string;
  readonly signature: string;
  /** An archive or a script, of which a folder is to be made. */
  readonly isFile: boolean;
}

/** The first of these moments that is later than that one. */
export function soonestAfter(sinceMs: number, times: readonly number[]): number | undefined {
  const soonest = times.reduce(
    (one, other) => (other > sinceMs && other < one ? other : one),
    Number.POSITIVE_INFINITY,
  );
  return soonest === Number.POSITIVE_INFINITY ? undefined : soonest;
}

/** The inbox of one root: which folder is the next one, and why the others wait. */
export class Inbox {
  readonly #disk: Disk;
  readonly #root: Root;
  readonly #rules: ReadyRules;
  #folders: Queue = { names: [], next: 0 };
  /** Those that are archives or scripts by their names: they wait while a folder is made of another one. */
  #files: Queue = { names: [], next: 0 };
  #check = 0;
  #listAgainAtMs = 0;
  #unready = new Map<string, Unready>();
  readonly #dependents: Dependents;
  readonly #whyKept: (name: string) => string | undefined;
  /** Folders that were passed over, and may run since jobs before them have ended: in order, before all others. */
  #recalled: string[] = [];
  /** Folders that were to end, and could not yet: the next check tries again. */
  readonly #tried = new Set<string>();

  /** `whyKept`: why a folder that is ready, or is to end, is to stay here all the same; undefined if it is not. */
  constructor(
    disk: Disk,
    root: Root,
    rules: ReadyRules,
    mayGoBehind?: MayGoBehind,
    whyKept: (name: string) => string | undefined = () => undefined,
  ) {
    this.#disk = disk;
    this.#root = root;
    this.#rules = rules;
    this.#dependents = new Dependents(disk, root, mayGoBehind);
    this.#whyKept = whyKept;
  }

  /** Lists the inbox anew. Returns names that cannot be opened because they are not UTF-8. */
  list(): string[] {
    const all = this.#disk.list(this.#root.inbox).filter((name) => !isIgnoredName(name));
    const unreadable = all.filter(isUnreadableName);
    const names = sortByCodePoint(unreadable.length > 0 ? all.filter((name) => !isUnreadableName(name)) : all);
    const files = names.filter((name) => arrivalName(name));
    this.#files = { names: files, next: 0 };
    this.#folders = { names: files.length > 0 ? names.filter((name) => !arrivalName(name)) : names, next: 0 };
    this.#recalled = [];
    this.#tried.clear();
    this.#check++;
    this.#dependents.list(names);
    if (this.#unready.size > 0) {
      const there = new Set(names);
      for (const name of this.#unready.keys()) if (!there.has(name)) this.#unready.delete(name);
    }
    return unreadable;
  }

  get entries(): number {
    return this.#folders.names.length + this.#files.names.length;
  }

  /** Those that have not been looked into since the last listing. */
  get known(): number {
    return this.entries - this.#folders.next - this.#files.next;
  }

  /** Puts a folder in its place that came, or may go on, while others were looked at: not before those that had their turn. */
  insert(name: string): void {
    this.#unready.delete(name);
    this.#tried.delete(name);
    const { names, next } = this.#queueOf(name);
    let at = next;
    while (at < names.length && comesBefore(names[at] ?? "", name)) at++;
    if (names[at] !== name) names.splice(at, 0, name);
  }

  #queueOf(name: string): Queue {
    return arrivalName(name) ? this.#files : this.#folders;
  }

  /** Those that may be ready, as far as is known: how many, and the first of them in order. */
  waiting(firstMax: number): { count: number; first: string[] } {
    const unready = this.reasons();
    const first = this.#recalled.slice(0, firstMax);
    let count = this.#recalled.length;
    for (const { names, next } of [this.#folders, this.#files]) {
      const most = first.length + firstMax;
      for (let i = next; i < names.length; i++) {
        const name = names[i] ?? "";
        if (unready.has(name)) continue;
        count++;
        if (first.length < most) first.push(name);
      }
    }
    return { count, first: sortByCodePoint(first).slice(0, firstMax) };
  }

  /** Why folders wait that were looked into, by name. One whose time has come since waits for its turn. */
  reasons(): ReadonlyMap<string, string> {
    const now = performance.now();
    const looked = [...this.#unready]
      .filter(([, { againAtMs }]) => againAtMs === undefined || againAtMs > now)
      .map(([name, { why }]): [string, string] => [name, why]);
    return new Map([...this.#dependents.reasons(), ...looked]);
  }

  /** Circles of jobs that wait for each other. */
  get circles(): readonly Circle[] {
    return this.#dependents.circles;
  }

  /** A job has ended, or is in the engine's queue, under these names: those that wait for it get their turn. */
  changed(...names: readonly string[]): void {
    this.#dependents.changed(...names);
  }

  /**
   * Folders that are to end without being run, at most so many: those that somebody has cancelled, at once, and those
   * whose jobs before them did not succeed, when they are complete. Each is shown once a check.
   */
  endings(most: number): { name: string; signature: string | undefined }[] {
    this.#settle();
    const found: { name: string; signature: string | undefined }[] = [];
    for (const name of this.#dependents.cancelled) {
      if (found.length >= most) return found;
      if (!this.#tried.has(name) && this.#mayCancel(name)) {
        const kept = this.#orKept(name, () => ({ is: "ready", signature: "" }));
        if (kept.is === "ready") found.push({ name, signature: undefined });
        else this.#noteUnready(name, kept);
      }
      this.#tried.add(name);
    }
    const now = this.#clock();
    for (const name of this.#dependents.failed) {
      if (found.length >= most || this.#tried.size >= LOOKS_MAX) break;
      if (this.#tried.has(name)) continue;
      this.#tried.add(name);
      const readiness = this.#look(name, now);
      if (readiness.is === "ready") found.push({ name, signature: readiness.signature });
      else this.#noteUnready(name, readiness);
    }
    return found;
  }

  /**
   * When, after this moment, a folder that is not ready may become so, on the monotonic clock, if that is known. What had
   * become so before the last listing waits for a free place, and needs no clock; what became so since is due.
   */
  againAtMs(sinceMs: number): number | undefined {
    const times = [this.#listAgainAtMs, ...[...this.#unready.values()].map(({ againAtMs }) => againAtMs ?? 0)];
    return soonestAfter(sinceMs, times);
  }

  /** True while folders wait that have not been looked into, or need only a place. */
  get isWaiting(): boolean {
    return this.known > 0 || this.#recalled.length > 0;
  }

  /** True while a folder waits that becomes ready by itself. */
  get settles(): boolean {
    return [...this.#unready.values()].some(({ againAtMs }) => againAtMs !== undefined);
  }

  /**
   * The next that is ready, in order, without taking it; "later" if others should have a turn first. Without files if
   * none could be taken now.
   */
  peek(withFiles = true): Next | "later" | undefined {
    this.#settle();
    const now = this.#clock();
    let looks = 0;
    for (let name = this.#recalled[0]; name !== undefined; name = this.#recalled[0]) {
      if (looks++ >= LOOKS_MAX) return "later";
      const next = this.#nextIfReady(name, now);
      if (next) return next;
      this.#recalled.shift();
    }
    for (let name = this.#first(withFiles); name !== undefined; name = this.#first(withFiles)) {
      if (this.#isDue(name)) {
        if (looks++ >= LOOKS_MAX) return "later";
        const next = this.#nextIfReady(name, now);
        if (next) return next;
      }
      this.#queueOf(name).next++;
    }
    return undefined;
  }

  #nextIfReady(name: string, now: () => number): Next | undefined {
    const readiness = this.#look(name, now);
    if (readiness.is === "ready") return { name, signature: readiness.signature, isFile: readiness.isFile === true };
    this.#noteUnready(name, readiness);
    return undefined;
  }

  /** The first name of both queues that has not had its turn. */
  #first(withFiles: boolean): string | undefined {
    const folder = this.#folders.names[this.#folders.next];
    const file = withFiles ? this.#files.names[this.#files.next] : undefined;
    if (file === undefined || folder === undefined) return file ?? folder;
    return comesBefore(file, folder) ? file : folder;
  }

  /** Notes why one waits that has just come to the inbox, or is to stay there, and when it may not any more. */
  expect(name: string, why: string, againInS: number): void {
    const now = performance.now();
    this.#unready.set(name, { why, check: this.#check, againAtMs: now + againInS * 1000 });
    if (againInS < SOON_S) this.#listAgainAtMs = now + SOON_S * 1000;
  }

  /** Goes on without a folder that peek() or endings() showed. */
  pass(name: string): void {
    this.#unready.delete(name);
    this.#tried.delete(name);
    this.#dependents.forget(name);
    this.#goBehind(name);
  }

  /** Notes why a folder that peek() or endings() showed cannot be taken, and goes on behind it. */
  putBack(name: string, why: string, againInS?: number): void {
    this.#noteUnready(name, { is: "unready", why, ...(againInS !== undefined && { againInS }) });
    this.#goBehind(name);
  }

  #goBehind(name: string): void {
    const queue = this.#queueOf(name);
    if (this.#recalled[0] === name) this.#recalled.shift();
    else if (queue.names[queue.next] === name) queue.next++;
  }

  /** Lets those get their turn that may run by now, and were passed over before. */
  #settle(): void {
    const met = this.#dependents.settle();
    for (const name of met) {
      this.#unready.delete(name);
      const { names, next: at } = this.#queueOf(name);
      const next = names[at];
      if (next === undefined || comesBefore(name, next)) this.#recalled.push(name);
    }
    if (met.length > 0) this.#recalled = sortByCodePoint([...new Set(this.#recalled)]);
  }

  /** A look at the file system's clock, at most once. */
  #clock(): () => number {
    let nowMs: number | undefined;
    return () => {
      nowMs ??= fileSystemNow(this.#disk, this.#root);
      return nowMs;
    };
  }

  #noteUnready(name: string, { why, againInS }: Readiness & { is: "unready" }): void {
    const againAtMs = againInS === undefined ? undefined : performance.now() + againInS * 1000;
    this.#unready.set(name, { why, check: this.#check, againAtMs });
  }

  /** True for a folder that this user may move to complete/. */
  #mayCancel(name: string): boolean {
    const look = this.#disk.look(jobFolder(this.#root, "inbox", name));
    return look?.kind === "folder" && this.#rules.owners?.has(look.uid) !== false;
  }

  #isDue(name: string): boolean {
    const last = this.#unready.get(name);
    if (!last) return true;
    if (last.againAtMs !== undefined) return performance.now() >= last.againAtMs;
    return this.#check - last.check >= Math.ceil(this.#unready.size / SECOND_LOOKS_MAX);
  }

  #look(name: string, now: () => number): Readiness {
    const waitsFor = () => {
      const verdict = this.#dependents.verdict(name);
      return verdict.is === "waits" ? verdict.why : undefined;
    };
    return this.#orKept(name, () =>
      readinessOf(this.#disk, jobFolder(this.#root, "inbox", name), this.#rules, now, waitsFor),
    );
  }

  #orKept(name: string, look: () => Readiness): Readiness {
    try {
      const readiness = look();
      const kept = readiness.is === "ready" && !readiness.isFile ? this.#whyKept(name) : undefined;
      return kept === undefined ? readiness : { is: "unready", why: kept };
    } catch (error) {
      return { is: "unready", why: `it cannot be looked into: ${(error as Error).message}` };
    }
  }
}
