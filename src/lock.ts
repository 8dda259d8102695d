/**
 * One manager per root. The lock is a folder, .jobmgr/lock/, that comes into place whole, by one rename that only
 * one can win. It is politeness: what keeps a job from running twice is the claim of its runner.
 *
 * A dead owner is known by its process on this machine, and on another by its heartbeat, whose age is taken by
 * the clock of the file system. An owner that was asleep meanwhile finds another name in the lock, and leaves.
 */

import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { clockOf } from "./clock.ts";
import { type Disk, moveFolderUnlessTaken } from "./disk.ts";
import { isDiskError, unwritableText } from "./disk-error.ts";
import type { Machine } from "./engine.ts";
import { LockError } from "./errors.ts";
import { durationText } from "./outcome.ts";
import { fileSystemNow, type Root, RootError } from "./root.ts";

/** The process that manages a root. */
export interface Owner extends Machine {
  readonly uuid: string;
  readonly pid: number;
  readonly start: string;
  readonly user: string;
  readonly since: string;
}

export { LockError };

/** How often an owner shows that it lives. */
export const HEARTBEAT_MS = 10_000;

/** Several heartbeats that did not come are no accident. */
const SILENT_MS = 3 * HEARTBEAT_MS;

/** How long an owner may trust its last look at the lock. No takeover is faster than this from a live owner. */
const LEASE_MS = 1000;

const OWNER = "owner.json";
const BEAT = "heartbeat";

/** Who manages the root, or did when it was last written; undefined if nobody, or the record is damaged. */
export function readOwner(disk: Disk, root: Root): Owner | undefined {
  return parseOwner(disk.read(join(root.own, "lock", OWNER)));
}

/** When the owner last showed that it lives, in milliseconds by the clock of the file system; undefined if nobody owns the root. */
export function lastBeatMs(disk: Disk, root: Root): number | undefined {
  const path = join(root.own, "lock");
  return (disk.look(join(path, BEAT)) ?? disk.look(join(path, OWNER)))?.ctimeMs;
}

/** undefined if there is no owner's record, or a damaged one. */
function parseOwner(bytes: Buffer | undefined): Owner | undefined {
  try {
    const owner = bytes && (JSON.parse(bytes.toString("utf8")) as Owner);
    return typeof owner?.uuid === "string" && typeof owner.pid === "number" ? owner : undefined;
  } catch {
    return undefined;
  }
}

function ownerText(owner: Owner): string {
  return `process ${owner.pid} of ${owner.user} on ${owner.host}, since ${clockOf(owner.since, new Date().toISOString())}`;
}

/** The right to manage a root, until it is released or lost. */
export interface Lock {
  /** Throws LockError if this manager no longer owns the root. Cheap: looks at the disk once a second at most. */
  assertOwned(): void;
  /** Tells other machines that this owner lives. */
  beat(): void;
  /** Gives the lock back, if it is still ours. Never throws. */
  release(): void;
}

/** Who wants to manage a root, and how it tells whether others live. */
export interface Locker {
  readonly machine: Machine;
  readonly pid: number;
  readonly start: string;
  readonly user: string;
  /** Does this process of this machine live? */
  isAlive(pid: number, start: string): boolean;
  /** A heartbeat older than this is a dead owner's, in seconds. */
  readonly patienceS: number;
}

/** True if the owner can be shown to be dead. An owner whose record is damaged is judged by the heartbeat alone. */
function isDead(disk: Disk, root: Root, owner: Owner | undefined, locker: Locker): boolean {
  if (owner?.host === locker.machine.host) {
    if (owner.boot !== locker.machine.boot) return true;
    if (!locker.isAlive(owner.pid, owner.start)) return true;
  }
  const path = join(root.own, "lock");
  const beat = disk.look(join(path, BEAT)) ?? disk.look(join(path, OWNER)) ?? disk.look(path);
  return beat !== undefined && fileSystemNow(disk, root) - beat.ctimeMs > locker.patienceS * 1000;
}

/** Takes the lock. Throws LockError, which says who has it, if that owner lives. */
export function takeLock(disk: Disk, root: Root, locker: Locker): Lock {
  const path = join(root.own, "lock");
  const uuid = randomUUID();
  const mine: Owner = {
    ...locker.machine,
    uuid,
    pid: locker.pid,
    start: locker.start,
    user: locker.user,
    since: new Date().toISOString(),
  };
  const staged = join(root.own, `lock-${uuid}`);
  stageLock(disk, root, staged, mine);
  try {
    for (let tries = 0; tries < 100; tries++) {
      if (moveFolderUnlessTaken(disk, staged, path)) return heldLock(disk, root, mine);
      const owner = readOwner(disk, root);
      if (!disk.look(path)) continue;
      if (!isDead(disk, root, owner, locker)) {
        const who = owner ? ownerText(owner) : `somebody whose record, ${join(path, OWNER)}, cannot be read`;
        throw new LockError(`${root.path} is managed by ${who}. ${lifeSign(disk, root, locker)}`);
      }
      evict(disk, root, owner?.uuid);
    }
    throw new LockError(`${path} changes hands all the time. Try again.`);
  } catch (error) {
    discard(disk, staged);
    throw error;
  }
}

/** Of one that lives, as far as is known: whether it does what it should. */
function lifeSign(disk: Disk, root: Root, { patienceS }: Locker): string {
  const silentMs = fileSystemNow(disk, root) - (lastBeatMs(disk, root) ?? Number.POSITIVE_INFINITY);
  if (silentMs < SILENT_MS) return "One manager per root is enough: that one goes on.";
  const silent = durationText(Math.floor(silentMs / 1000));
  return `It has given no sign of life for ${silent}: is it stopped (ctrl-Z), or its machine away? After ${durationText(patienceS)} of that another one takes over.`;
}

/** Writes the lock aside: the first thing that is written to a root, and so the first to fail. */
function stageLock(disk: Disk, root: Root, staged: string, mine: Owner): void {
  try {
    disk.makeFolder(staged);
    disk.create(join(staged, OWNER), `${JSON.stringify(mine)}\n`);
    disk.create(join(staged, BEAT), "");
  } catch (error) {
    discard(disk, staged);
    throw isDiskError(error) ? new RootError(unwritableText(root.path, error)) : error;
  }
}

/** Moves a dead owner's lock away. If it was not that owner's any more, it is put back. */
function evict(disk: Disk, root: Root, uuid: string | undefined): void {
  const path = join(root.own, "lock");
  const aside = join(root.own, `lock-${randomUUID()}`);
  try {
    disk.rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const evicted = parseOwner(disk.read(join(aside, OWNER)))?.uuid;
  if (evicted !== uuid && moveFolderUnlessTaken(disk, aside, path)) return;
  discard(disk, aside);
}

function discard(disk: Disk, folder: string): void {
  try {
    for (const name of disk.list(folder)) disk.remove(join(folder, name));
    disk.removeFolder(folder);
  } catch {
    // Litter under a name of its own: harmless, and swept by the next owner.
  }
}

function sweep(disk: Disk, root: Root): void {
  for (const name of disk.list(root.own)) {
    const look = name.startsWith("lock-") ? disk.look(join(root.own, name)) : undefined;
    // A younger one may be another manager's that is about to try.
    if (look && fileSystemNow(disk, root) - look.ctimeMs > 3_600_000) discard(disk, join(root.own, name));
  }
}

function heldLock(disk: Disk, root: Root, mine: Owner): Lock {
  const path = join(root.own, "lock");
  // The wall clock too, because the monotonic one stands still while a laptop sleeps.
  let lookedAt = { monotonic: performance.now(), wall: Date.now() };
  const age = () => Math.max(performance.now() - lookedAt.monotonic, Math.abs(Date.now() - lookedAt.wall));
  const isMine = () => readOwner(disk, root)?.uuid === mine.uuid;
  sweep(disk, root);
  return {
    assertOwned() {
      if (age() < LEASE_MS) return;
      if (!isMine()) {
        const owner = readOwner(disk, root);
        throw new LockError(
          `This manager was away and lost ${root.path} to ${owner ? ownerText(owner) : "somebody who has left"}. It leaves; no job was touched.`,
        );
      }
      lookedAt = { monotonic: performance.now(), wall: Date.now() };
    },
    beat() {
      if (!isMine()) return;
      const beat = join(path, BEAT);
      if (disk.look(beat)) disk.touch(beat);
      else disk.create(beat, "");
    },
    release() {
      try {
        if (isMine()) evict(disk, root, mine.uuid);
      } catch {
        // The disk is away. This process is about to be dead, which is as good.
      }
    },
  };
}
