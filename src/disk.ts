/**
 * The one door to the file system. Reads never follow a symbolic link at the end of a path, writes never write
 * through one, and nothing is ever removed but jobmgr's own files.
 *
 * Metadata calls are synchronous: they take microseconds and cannot be left un-awaited. Only fsync waits for a
 * device, so only `sync` is asynchronous.
 */
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import fs from "fs-extra";

/** What lstat(2) tells, as far as it is needed. Times in milliseconds. */
export interface Look {
  readonly kind: "file" | "folder" | "link" | "other";
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly dev: number;
  readonly ino: number;
  readonly links: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  /** When it came into being; 0 where the file system does not say. */
  readonly birthMs: number;
}

/** What statfs(2) tells. `type` is its magic number; a file system without a limit on files says 0 of 0. */
export interface FileSystem {
  readonly type: number;
  readonly bytes: number;
  /** For this user, not for the superuser. */
  readonly bytesFree: number;
  readonly files: number;
  readonly filesFree: number;
}

/** A regular file that is open, to be read or written in pieces. Close it, whatever happens. */
export interface OpenFile {
  look(): Look;
  /** At most so many bytes from there; fewer only at the end of the file. */
  read(position: number, bytesMax: number): Promise<Buffer>;
  /** Appends all of it. */
  write(bytes: Uint8Array): Promise<void>;
  /** Sets the time of its last modification. */
  date(mtimeMs: number): void;
  /** Returns when its content is on the device. */
  sync(): Promise<void>;
  close(): void;
}

/** Everything jobmgr does to a file system. The crash tests put themselves between this and its callers. */
export interface Disk {
  /** The names in a folder, in no order. Throws if it cannot be read. */
  list(path: string): string[];
  /** undefined if nothing is there. */
  look(path: string): Look | undefined;
  /** At most `bytesMax` bytes from the start of a regular file; undefined if nothing is there. Throws for anything else. */
  read(path: string, bytesMax?: number): Buffer | undefined;
  /** The last `bytesMax` bytes of a regular file; undefined if there is none. */
  readTail(path: string, bytesMax: number): Buffer | undefined;
  /** At most `bytesMax` bytes of a regular file from `offset` on; empty at its end; undefined if there is none. */
  readFrom(path: string, offset: number, bytesMax: number): Buffer | undefined;
  readLink(path: string): string | undefined;
  /** The path without links in it. Throws if nothing is there. */
  realPath(path: string): string;
  fileSystem(path: string): FileSystem;
  /** Creates a file that is not there yet, with this content. */
  create(path: string, data: string, mode?: number): void;
  /** Opens a regular file for reading. Throws for anything else, and if nothing is there. */
  open(path: string): OpenFile;
  /** Creates a file that is not there yet, and opens it for writing. */
  openNew(path: string, mode?: number): OpenFile;
  /** Gives a file a second name; false if that is taken. Throws where the file system has no such thing. */
  link(path: string, name: string): boolean;
  /** Creates a folder; false if the name is taken. */
  makeFolder(path: string, mode?: number): boolean;
  /** Creates a symbolic link; false if the name is taken. */
  makeLink(path: string, target: string): boolean;
  /**
   * As rename(2): replaces a file, or an empty folder by a folder; throws ENOTEMPTY or EEXIST for a folder with something in
   * it. Does not throw where it was done, whatever the file system says.
   */
  rename(from: string, to: string): void;
  /** Removes one file of jobmgr's own. */
  remove(path: string): void;
  /** Removes one empty folder of jobmgr's own. */
  removeFolder(path: string): void;
  /** Sets a file's times to now, so that its ctime shows the file system's clock. Needs no space. */
  touch(path: string): void;
  /** Sets mode bits of a regular file or folder, never through a link. */
  addMode(path: string, bits: number): void;
  /** Returns when a file's content, or a folder's names, are on the device. */
  sync(path: string): Promise<void>;
}

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, O_CREAT, O_EXCL } = fs.constants;

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

/** Nothing is there: nor is it under a name that is longer than any can be. */
const ABSENT: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG"]);

function unlessAbsent<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (ABSENT.has(codeOf(error) ?? "")) return undefined;
    throw error;
  }
}

function falseIfTaken(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

function withOpen<T>(path: string, flags: number, action: (fd: number) => T): T {
  const fd = fs.openSync(path, flags | O_NOFOLLOW, 0o666);
  try {
    return action(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function readPart(path: string, bytesMax: number, from: number | "end"): Buffer | undefined {
  return unlessAbsent(() =>
    withOpen(path, O_RDONLY | O_NONBLOCK, (fd) => {
      const stat = fs.fstatSync(fd);
      if (!stat.isFile()) throw new Error(`${path} is not a regular file`);
      const bytes = readOpen(fd, stat.size, bytesMax, from);
      const { size } = fs.fstatSync(fd);
      return size > stat.size ? readOpen(fd, size, bytesMax, from) : bytes;
    }),
  );
}

/**
 * A mount (sshfs) may know a size that is many seconds old, and give no more bytes than that. It looks again once it was
 * asked for more, so that the next size is that of the file which was opened.
 */
function readOpen(fd: number, size: number, bytesMax: number, from: number | "end"): Buffer {
  const offset = from === "end" ? Math.max(0, size - bytesMax) : from;
  const length = Math.min(Math.max(0, size - offset) + 1, bytesMax);
  const buffer = Buffer.allocUnsafe(length);
  return buffer.subarray(0, fs.readSync(fd, buffer, 0, length, offset));
}

function kindOf(stat: fs.Stats): Look["kind"] {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "folder";
  return stat.isSymbolicLink() ? "link" : "other";
}

function lookOf(stat: fs.Stats): Look {
  const { size, mode, uid, dev, ino, nlink, mtimeMs, ctimeMs, birthtimeMs } = stat;
  return { kind: kindOf(stat), size, mode, uid, dev, ino, links: nlink, mtimeMs, ctimeMs, birthMs: birthtimeMs };
}

function openFile(fd: number): OpenFile {
  return {
    look: () => lookOf(fs.fstatSync(fd)),

    async read(position, bytesMax) {
      const buffer = Buffer.allocUnsafe(bytesMax);
      let done = 0;
      while (done < bytesMax) {
        const { bytesRead } = await fs.read(fd, buffer, done, bytesMax - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return buffer.subarray(0, done);
    },

    async write(bytes) {
      // A full disk may show only in a short count.
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await fs.write(fd, bytes, done, bytes.length - done);
        done += bytesWritten;
      }
    },

    date: (mtimeMs) => fs.futimesSync(fd, new Date(), mtimeMs / 1000),
    sync: () => fs.fsync(fd),
    close: () => fs.closeSync(fd),
  };
}

/** The disk of this machine. */
export const realDisk: Disk = {
  list: (path) => fs.readdirSync(path),

  look(path) {
    const stat = unlessAbsent(() => fs.lstatSync(path, { throwIfNoEntry: false }));
    return stat && lookOf(stat);
  },

  read: (path, bytesMax = 1024 * 1024) => readPart(path, bytesMax, 0),
  readTail: (path, bytesMax) => readPart(path, bytesMax, "end"),
  readFrom: (path, offset, bytesMax) => readPart(path, bytesMax, offset),
  realPath: (path) => fs.realpathSync(path),

  fileSystem(path) {
    const { type, bsize, blocks, bavail, files, ffree } = fs.statfsSync(path);
    return { type, bytes: blocks * bsize, bytesFree: bavail * bsize, files, filesFree: ffree };
  },

  readLink: (path) => unlessAbsent(() => fs.readlinkSync(path)),

  create(path, data, mode = 0o666) {
    const fd = fs.openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    try {
      // A full disk may show only in a short count.
      const bytes = Buffer.from(data);
      for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done);
    } finally {
      fs.closeSync(fd);
    }
  },

  open(path) {
    const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const file = openFile(fd);
    if (file.look().kind === "file") return file;
    file.close();
    throw new Error(`${path} is not a regular file`);
  },

  openNew: (path, mode = 0o666) => openFile(fs.openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)),
  link: (path, name) => falseIfTaken(() => fs.linkSync(path, name)),

  makeFolder: (path, mode = 0o777) => falseIfTaken(() => fs.mkdirSync(path, { mode })),
  makeLink: (path, target) => falseIfTaken(() => fs.symlinkSync(target, path)),
  rename: (from, to) => moveSurely(fs.renameSync, from, to),
  remove: (path) => fs.unlinkSync(path),
  removeFolder: (path) => fs.rmdirSync(path),

  touch: (path) =>
    withOpen(path, O_RDONLY | O_NONBLOCK, (fd) => {
      const now = new Date();
      fs.futimesSync(fd, now, now);
    }),

  addMode(path, bits) {
    const there = fs.lstatSync(path);
    if ((there.mode & bits) === bits) return;
    // A folder that may not be read cannot be opened either.
    if (there.isDirectory()) fs.chmodSync(path, (there.mode | bits) & 0o7777);
    else withOpen(path, O_RDONLY | O_NONBLOCK, (fd) => fs.fchmodSync(fd, (fs.fstatSync(fd).mode | bits) & 0o7777));
  },

  async sync(path) {
    const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW);
    try {
      await fs.fsync(fd);
    } finally {
      fs.closeSync(fd);
    }
  },
};

/** Puts a file into place for people to read: whole or not at all, but not worth waiting for the device. */
export function putForReading(disk: Disk, folder: string, name: string, data: string): void {
  stage(disk, folder, name, data);
  unstage(disk, folder, name);
}

/** As putForReading, for other users too, whatever the mask says. */
export function putForAll(disk: Disk, folder: string, name: string, data: string): void {
  stage(disk, folder, name, data);
  disk.addMode(stagedPath(folder, name), ALL_READ);
  unstage(disk, folder, name);
}

const ALL_READ = 0o644;

/**
 * Puts a file into place, whole or not at all, and never empty after a power loss. If it throws, the old file (or
 * none) is there, and perhaps a staged one, which the next put replaces.
 */
export async function putSynced(disk: Disk, folder: string, name: string, data: string): Promise<void> {
  stage(disk, folder, name, data);
  await disk.sync(stagedPath(folder, name));
  unstage(disk, folder, name);
}

/** As putSynced; the file is on the device, in its place, when the promise resolves. */
export async function putDurably(disk: Disk, folder: string, name: string, data: string): Promise<void> {
  await putSynced(disk, folder, name, data);
  await disk.sync(folder);
}

/** A hidden name, which a person who looks into the folder does not see flicker. */
function stagedPath(folder: string, name: string): string {
  return `${folder}/.${name}.new`;
}

function stage(disk: Disk, folder: string, name: string, data: string): void {
  const path = stagedPath(folder, name);
  try {
    disk.create(path, data);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    // What a crash left, or a folder of somebody else's.
    if (disk.look(path)?.kind === "folder") moveAside(disk, path);
    else disk.remove(path);
    disk.create(path, data);
  }
}

function unstage(disk: Disk, folder: string, name: string): void {
  const path = `${folder}/${name}`;
  try {
    disk.rename(stagedPath(folder, name), path);
  } catch (error) {
    if (codeOf(error) !== "EISDIR") throw error;
    moveAside(disk, path);
    disk.rename(stagedPath(folder, name), path);
  }
}

/** Moves with this call. NFS may say no to what it has done: its answer was lost, and the call was sent a second time. */
export function moveSurely(rename: Disk["rename"], from: string, to: string): void {
  const moved = fs.lstatSync(from, { throwIfNoEntry: false });
  try {
    rename(from, to);
  } catch (error) {
    const isGone = fs.lstatSync(from, { throwIfNoEntry: false }) === undefined;
    const there = isGone ? fs.lstatSync(to, { throwIfNoEntry: false }) : undefined;
    if (!moved || there?.ino !== moved.ino || there.dev !== moved.dev) throw error;
  }
}

/** A folder of somebody else's that has the name of a file of ours. */
function moveAside(disk: Disk, path: string): void {
  let count = 2;
  while (disk.look(`${path}~${count}`)) count++;
  disk.rename(path, `${path}~${count}`);
}

/**
 * Puts a file into place, whole and on the device, unless there is one of that name: false then. If it throws, there is
 * none, and perhaps a staged one, which the next put replaces.
 */
export async function putNew(disk: Disk, folder: string, name: string, data: string): Promise<boolean> {
  if (disk.look(`${folder}/${name}`)) return false;
  stage(disk, folder, name, data);
  await disk.sync(stagedPath(folder, name));
  const isPut = moveFileUnlessTaken(disk, stagedPath(folder, name), `${folder}/${name}`);
  if (!isPut) disk.remove(stagedPath(folder, name));
  await disk.sync(folder);
  return isPut;
}

/** Moves a folder to a name that only one can have; false if it is taken. A folder with something in it is never replaced (rename(2)). */
export function moveFolderUnlessTaken(disk: Disk, from: string, to: string): boolean {
  try {
    disk.rename(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOTEMPTY" || codeOf(error) === "EEXIST") return false;
    // sshfs says no other word for it.
    if (codeOf(error) === "EPERM" && disk.look(to)) return false;
    throw error;
  }
}

/** Moves a file to a name that only one can have; false if that is taken. Never replaces anything. */
export function moveFileUnlessTaken(disk: Disk, from: string, to: string): boolean {
  try {
    if (!disk.link(from, to)) return false;
    disk.remove(from);
  } catch (error) {
    // Some file systems have no second names; to look first is the best that can be done there.
    if (!NO_LINKS.has(codeOf(error) ?? "")) throw error;
    if (disk.look(to)) return false;
    disk.rename(from, to);
  }
  return true;
}

const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** Something in a folder, at whatever depth. */
export interface Entry {
  /** Its path from the folder: "/sub/name". */
  readonly path: string;
  readonly name: string;
  /** undefined if it cannot be opened by its name, or has gone since. */
  readonly look: Look | undefined;
  /** All names in its own folder. */
  readonly beside: ReadonlySet<string>;
}

/**
 * All that is in a folder, without following links; nothing of its top that `skips` names. `list` stands in for
 * disk.list() where a folder may be shut.
 */
export function* walkTree(
  disk: Disk,
  folder: string,
  skips: (name: string) => boolean,
  list: (path: string) => readonly string[] = (path) => disk.list(path),
): Generator<Entry> {
  const folders = [""];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    const names = list(folder + at);
    const beside = new Set(names);
    for (const name of names) {
      if (at === "" && skips(name)) continue;
      const path = `${at}/${name}`;
      const look = disk.look(folder + path);
      if (look?.kind === "folder") folders.push(path);
      yield { path, name, look, beside };
    }
  }
}

/** What changes with whatever is done to a file. */
export function signOf(path: string, { size, ctimeMs, ino }: Look): string {
  return `${path}\0${size}\0${ctimeMs}\0${ino}\0`;
}

/** Entries that are removed before others get a turn. */
const REMOVED_AT_ONCE = 200;

/**
 * Removes a folder of jobmgr's own with all that is in it, but what `keeps` says of its top. Never through a link. Safe
 * to repeat; what cannot be removed throws, and the rest is left.
 */
export async function removeTree(disk: Disk, folder: string, keeps?: (name: string) => boolean): Promise<void> {
  const state = { count: 0 };
  for (const name of disk.list(folder)) if (!keeps?.(name)) await removeAll(disk, `${folder}/${name}`, state);
  if (!keeps) disk.removeFolder(folder);
}

async function removeAll(disk: Disk, path: string, state: { count: number }): Promise<void> {
  if (++state.count % REMOVED_AT_ONCE === 0) await setImmediate();
  if (disk.look(path)?.kind !== "folder") return disk.remove(path);
  disk.addMode(path, 0o700);
  for (const name of disk.list(path)) await removeAll(disk, `${path}/${name}`, state);
  disk.removeFolder(path);
}

/** A short digest, to compare content without keeping it. */
export function digest(text: string | Buffer): string {
  return createHash("sha256").update(text).digest("hex");
}
