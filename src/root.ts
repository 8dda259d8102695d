/** Every name under a root, once; and whether this is the root that it was. */

import { randomUUID } from "node:crypto";
import { basename, dirname, join, resolve } from "node:path";
import type { Disk } from "./disk.ts";
import { moveFolderUnlessTaken, putDurably } from "./disk.ts";
import { RootError } from "./errors.ts";
import { shellWord } from "./shell-word.ts";
import { PLACES, type Place } from "./stage.ts";

/** The format of everything on disk. A root written by a newer jobmgr is refused. */
export const FORMAT = 1;

/** A root that was opened: its paths, and its id, by which it is known again. */
export interface Root {
  readonly path: string;
  readonly id: string;
  readonly inbox: string;
  readonly pending: string;
  readonly complete: string;
  /** jobmgr's own folder, for what belongs to the root and to no job. */
  readonly own: string;
}

export { RootError };

function identityFile(path: string): string {
  return join(path, ".jobmgr", "root.json");
}

function rootAt(path: string, id: string): Root {
  const at = (name: string) => join(path, name);
  return { path, id, inbox: at("inbox"), pending: at("pending"), complete: at("complete"), own: at(".jobmgr") };
}

/** The id in root.json; undefined where there is none. Throws RootError for one that is damaged or newer. */
function readIdentity(disk: Disk, path: string): string | undefined {
  const file = identityFile(path);
  const text = disk.read(file)?.toString("utf8");
  if (text === undefined) return undefined;
  let value: { jobmgr?: unknown; id?: unknown } | null;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RootError(
      `${file} is damaged. If this is the right root, remove that file and run: jobmgr --root ${shellWord(path)} --setup`,
    );
  }
  if (typeof value?.jobmgr === "number" && value.jobmgr > FORMAT) {
    throw new RootError(
      `${path} was set up by a newer jobmgr (format ${value.jobmgr}, this one knows ${FORMAT}). Use that version.`,
    );
  }
  if (value?.jobmgr !== FORMAT || typeof value.id !== "string") {
    throw new RootError(
      `${file} is not what jobmgr wrote. If this is the right root, remove that file and run: jobmgr --root ${shellWord(path)} --setup`,
    );
  }
  return value.id;
}

/** For whoever stands elsewhere. */
const OR_ELSEWHERE = "; if the root is another folder, name it: --root PATH";

/** Opens a root that was set up before. Creates nothing: an unmounted file system must not look like an empty queue. */
export function openRoot(disk: Disk, given: string): Root {
  const path = resolve(given);
  const top = disk.look(path);
  if (!top) throw new RootError(`${path} does not exist. To make it a root: jobmgr --root ${shellWord(path)} --setup`);
  if (top.kind !== "folder" && top.kind !== "link") throw new RootError(`${path} is not a folder.`);
  const id = readIdentity(disk, path);
  if (id === undefined) {
    const empty = disk.list(path).length === 0;
    throw new RootError(
      empty
        ? `${path} is empty and was never set up, or its file system is not mounted. If it is to be a new root: jobmgr --root ${shellWord(path)} --setup${OR_ELSEWHERE}`
        : `${path} was never set up as a root. To do so: jobmgr --root ${shellWord(path)} --setup${OR_ELSEWHERE}`,
    );
  }
  const root = rootAt(path, id);
  const devices = new Set<number>();
  for (const place of PLACES) {
    const look = disk.look(root[place]);
    if (!look)
      throw new RootError(`${root[place]} is missing. To make it again: jobmgr --root ${shellWord(path)} --setup`);
    if (look.kind !== "folder")
      throw new RootError(
        `${root[place]} is not a folder${look.kind === "link" ? " but a link" : ""}. The three folders must lie in the root itself.`,
      );
    devices.add(look.dev);
  }
  if (devices.size > 1) {
    throw new RootError(
      `inbox, pending and complete in ${path} are not on one file system, so that a folder cannot be moved between them in one step. Put all three on one.`,
    );
  }
  return root;
}

/** True while the root's own identity can be read; false when its file system is away. */
export function isRootThere(disk: Disk, root: Root): boolean {
  try {
    return readIdentity(disk, root.path) === root.id;
  } catch {
    return false;
  }
}

/** Gives a root its identity. False if somebody else was faster: a root has one, and keeps it. */
async function makeIdentity(disk: Disk, path: string): Promise<boolean> {
  const id = randomUUID();
  const staged = join(path, `.jobmgr-${id}`);
  const text = `${JSON.stringify({ jobmgr: FORMAT, id, made: new Date().toISOString() })}\n`;
  disk.makeFolder(staged);
  await putDurably(disk, staged, "root.json", text);
  if (moveFolderUnlessTaken(disk, staged, join(path, ".jobmgr"))) return true;
  disk.remove(join(staged, "root.json"));
  disk.removeFolder(staged);
  if (readIdentity(disk, path) !== undefined) return false;
  // What lies there has lost its identity, by hand or by a restore that was not whole.
  await putDurably(disk, join(path, ".jobmgr"), "root.json", text);
  return true;
}

/** Throws RootError for a path at which a root would be a job or a place of another root, or spread over the whole system. */
function refuseOddPlace(disk: Disk, path: string): void {
  if (path === "/") throw new RootError("/ cannot be a root. Name a folder of its own: --root PATH");
  const parent = disk.realPath(dirname(path));
  // A root deep inside of a job is that job's own affair.
  for (const place of [join(parent, basename(path)), parent]) {
    const isOfRoot = [...PLACES, ".jobmgr"].includes(basename(place)) && disk.look(identityFile(dirname(place)));
    if (isOfRoot)
      throw new RootError(
        `${path} lies in the root ${dirname(place)}, which keeps its own there. Choose a folder outside of that.`,
      );
  }
}

/** Makes a root, or completes one; returns what it made. The parent folder must be there. Safe to repeat. */
export async function setUpRoot(disk: Disk, given: string): Promise<{ root: Root; made: readonly string[] }> {
  const path = resolve(given);
  if (!disk.look(dirname(path))) {
    throw new RootError(
      `${dirname(path)} does not exist, so that ${basename(path)} cannot be made in it. Make it first, or mount its file system.`,
    );
  }
  refuseOddPlace(disk, path);
  const made: string[] = [];
  const makeFolder = (folder: string) => {
    if (disk.makeFolder(folder)) made.push(folder);
    const kind = disk.look(folder)?.kind;
    if (kind !== "folder" && !(kind === "link" && folder === path))
      throw new RootError(`${folder} is in the way: it is not a folder.`);
  };
  makeFolder(path);
  for (const place of PLACES) makeFolder(join(path, place));
  if (readIdentity(disk, path) === undefined && (await makeIdentity(disk, path))) made.push(identityFile(path));
  return { root: openRoot(disk, path), made };
}

/** Milliseconds since the epoch by the clock of the root's file system, which is the one that dates its files. */
export function fileSystemNow(disk: Disk, root: Root): number {
  const probe = join(root.own, "clock");
  try {
    if (!disk.look(probe)) disk.create(probe, "");
  } catch (error) {
    // A second manager, which will leave in a moment, has just made it.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  try {
    disk.touch(probe);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
    // Another user's, who has managed this root before: only a file's owner may set its times.
    disk.remove(probe);
    disk.create(probe, "");
  }
  const look = disk.look(probe);
  if (!look) throw new Error(`${probe} vanished`);
  return look.ctimeMs;
}

/**
 * As fileSystemNow, for those who only look, or come and go: by that clock where a manager has made one that this user may
 * touch, else by this machine's. Makes none: made by another user, it would be in the manager's way.
 */
export function nowAt(disk: Disk, root: Root): number {
  const probe = join(root.own, "clock");
  try {
    const own = disk.look(probe);
    if (own) disk.touch(probe);
    return (own && disk.look(probe)?.ctimeMs) ?? Date.now();
  } catch {
    // Somebody else's root, or one that is mounted read-only.
    return Date.now();
  }
}

/** Where folders are made of what arrives in the inbox as a file. */
export function arrivingFolder(root: Root): string {
  return join(root.own, "arriving");
}

/** The folder of a job. Names come from the disk, so they hold no slash. */
export function jobFolder(root: Root, place: Place, name: string): string {
  return `${root[place]}/${name}`;
}

/** Names that jobmgr never looks at: hidden ones, and what desktops leave behind. */
export function isIgnoredName(name: string): boolean {
  return name.startsWith(".") || name === "Thumbs.db" || name === "desktop.ini";
}

/** True if a name had bytes that are not UTF-8: the runtime shows them as U+FFFD, and no such path can be opened. */
export function isUnreadableName(name: string): boolean {
  return name.includes("\ufffd");
}

const NAME_BYTES_MAX = 255;

/** NAME, or the first of NAME~2, NAME~3, ... that is not taken, shortened where it would be too long; `after` follows it. */
export function freeName(name: string, isTaken: (name: string) => boolean, after = ""): string {
  for (let count = 1; ; count++) {
    const free = numberedName(name, count, after);
    if (!isTaken(free)) return free;
  }
}

/** As freeName: a name that nothing in this folder has. */
export function freeNameIn(disk: Disk, folder: string, name: string, after = ""): string {
  return freeName(name, (one) => disk.look(join(folder, one)) !== undefined, after);
}

/** The name that the N-th job called NAME has where the others still are: NAME, NAME~2, NAME~3, ... */
export function numberedName(name: string, count: number, after = ""): string {
  const ending = (count === 1 ? "" : `~${count}`) + after;
  let stem = name;
  while (Buffer.byteLength(stem + ending) > NAME_BYTES_MAX) stem = Array.from(stem).slice(0, -1).join("");
  return stem + ending;
}

/** The name that a job had before it was numbered; the same name if it has no number. */
export function unnumberedName(name: string): string {
  return name.replace(/~[1-9]\d*$/, "");
}

/** True if the first name comes before the second one by code point. */
export function comesBefore(one: string, other: string): boolean {
  return Buffer.compare(Buffer.from(one), Buffer.from(other)) < 0;
}

/** Order by code point, which is also the order of the UTF-8 bytes; JavaScript's own is by UTF-16 unit. */
export function sortByCodePoint(names: string[]): string[] {
  const astral = names.some((name) => /[\ud800-\udfff]/.test(name));
  return astral ? names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))) : names.sort();
}
