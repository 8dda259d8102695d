/**
 * A folder that came into the inbox in one step need not come to rest there. It says so itself, in .jobmgr/whole: the
 * number of the folder's inode, which a copy of it does not have. What is changed in it later makes it settle as any other.
 */
import { join } from "node:path";
import { type Disk, type Look, putSynced } from "../disk.ts";
import { ownFolder } from "../records.ts";

const NAME = "whole";
const BYTES_MAX = 100;

/**
 * Marks a folder that has all that it is to have, and is about to be renamed into the inbox. What is synced is the mark
 * alone; whoever calls this has synced the rest.
 */
export async function markWhole(disk: Disk, folder: string): Promise<void> {
  const look = disk.look(folder);
  if (look?.kind !== "folder") throw new Error(`${folder} is not a folder`);
  disk.makeFolder(ownFolder(folder));
  await putSynced(disk, ownFolder(folder), NAME, `${look.ino}\n`);
}

/**
 * When a folder was marked, in milliseconds by the clock of the file system; undefined if it never was, or is a copy of
 * one that was. It is whole if nothing in it has changed since.
 */
export function markedWholeAtMs(
  disk: Disk,
  folder: string,
  top: Look | undefined = disk.look(folder),
): number | undefined {
  const path = join(ownFolder(folder), NAME);
  const look = disk.look(path);
  if (look?.kind !== "file" || disk.look(ownFolder(folder))?.kind !== "folder") return undefined;
  const text = disk.read(path, BYTES_MAX)?.toString("utf8");
  return text === `${top?.ino}\n` ? look.ctimeMs : undefined;
}

/** Takes the mark away: the folder is taken, and if it ever comes back to the inbox, it settles. */
export function spendWhole(disk: Disk, folder: string): void {
  const path = join(ownFolder(folder), NAME);
  if (disk.look(ownFolder(folder))?.kind === "folder" && disk.look(path)?.kind === "file") disk.remove(path);
}
