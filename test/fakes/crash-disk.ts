/**
 * A disk that stops working at its N-th effect, before or after it took place, as if the machine had died there:
 * nothing that comes later reaches it. What was created and not synced is then empty, as after a power loss.
 */
import { existsSync, lstatSync, truncateSync } from "node:fs";
import { dirname } from "node:path";
import { type Disk, realDisk } from "../../src/disk.ts";

export class Crash extends Error {
  override readonly name = "Crash";
}

export interface CrashPlan {
  /** The effect, counted from 0, at which the crash comes; Infinity for none. */
  readonly at: number;
  readonly when: "before" | "after";
}

export class CrashClock {
  readonly #plan: CrashPlan;
  readonly #unsynced = new Set<string>();
  count = 0;
  crashed = false;

  constructor(plan: CrashPlan) {
    this.#plan = plan;
  }

  /** Does one effect, unless the crash is due before it, and crashes after it, if that is due. */
  effect<T>(action: () => T): T {
    if (this.crashed) throw new Crash("the machine is off");
    const due = this.count++ === this.#plan.at;
    if (due && this.#plan.when === "before") this.#crash();
    const result = action();
    if (due) this.#crash();
    return result;
  }

  created(path: string): void {
    this.#unsynced.add(path);
  }

  synced(path: string): void {
    this.#unsynced.delete(path);
  }

  linked(from: string, to: string): void {
    if (this.#unsynced.has(from)) this.#unsynced.add(to);
  }

  moved(from: string, to: string): void {
    // What was there before is replaced.
    this.#unsynced.delete(to);
    for (const path of this.#unsynced) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.#unsynced.delete(path);
      this.#unsynced.add(to + path.slice(from.length));
    }
  }

  #crash(): never {
    this.crashed = true;
    for (const path of this.#unsynced) if (existsSync(path) && lstatSync(path).isFile()) truncateSync(path);
    throw new Crash(`at effect ${this.#plan.at}`);
  }
}

export function crashDisk(clock: CrashClock): Disk {
  const look = <T>(action: () => T): T => {
    if (clock.crashed) throw new Crash("the machine is off");
    return action();
  };
  return {
    list: (path) => look(() => realDisk.list(path)),
    look: (path) => look(() => realDisk.look(path)),
    read: (path, bytesMax) => look(() => realDisk.read(path, bytesMax)),
    readTail: (path, bytesMax) => look(() => realDisk.readTail(path, bytesMax)),
    readFrom: (path, offset, bytesMax) => look(() => realDisk.readFrom(path, offset, bytesMax)),
    realPath: (path) => look(() => realDisk.realPath(path)),
    fileSystem: (path) => look(() => realDisk.fileSystem(path)),
    readLink: (path) => look(() => realDisk.readLink(path)),
    create: (path, data, mode) =>
      clock.effect(() => {
        realDisk.create(path, data, mode);
        clock.created(path);
      }),
    open: (path) => look(() => realDisk.open(path)),
    openNew: (path, mode) =>
      clock.effect(() => {
        const file = realDisk.openNew(path, mode);
        clock.created(path);
        return {
          ...file,
          async write(bytes) {
            clock.effect(() => {});
            await file.write(bytes);
          },
          sync: async () => clock.effect(() => clock.synced(path)),
        };
      }),
    link: (path, name) =>
      clock.effect(() => {
        clock.linked(path, name);
        return realDisk.link(path, name);
      }),
    makeFolder: (path, mode) => clock.effect(() => realDisk.makeFolder(path, mode)),
    makeLink: (path, target) => clock.effect(() => realDisk.makeLink(path, target)),
    rename: (from, to) =>
      clock.effect(() => {
        realDisk.rename(from, to);
        clock.moved(from, to);
      }),
    remove: (path) => clock.effect(() => realDisk.remove(path)),
    removeFolder: (path) => clock.effect(() => realDisk.removeFolder(path)),
    touch: (path) => look(() => realDisk.touch(path)),
    addMode: (path, bits) => look(() => realDisk.addMode(path, bits)),
    sync: async (path) => {
      look(() => lstatSync(path));
      await Promise.resolve();
      clock.effect(() => clock.synced(path));
    },
  };
}

/** The folder in which a root of a test can be thrown away quickly: memory, where the machine has such a thing. */
export const MEMORY = existsSync("/dev/shm") ? "/dev/shm" : dirname(process.execPath);
