/** Who may work with a folder: its owner, whatever a job has done; with --group-writable its group. Never through a link, never others. */
import { join } from "node:path";
import type { Disk } from "./disk.ts";

const OWNER_ALL = 0o700;
const GROUP_READ_WRITE = 0o060;
const GROUP_FOLDER = 0o2070;

/** A job may have closed its own folder, which then can be neither written to nor moved. */
export function openToOwner(disk: Disk, folder: string): void {
  disk.addMode(folder, OWNER_ALL);
}

/** Opens a folder and all in it to its group. What belongs to somebody else is passed over. */
export function openToGroup(disk: Disk, folder: string): void {
  open(disk, folder, GROUP_FOLDER);
  for (const name of namesIn(disk, folder)) {
    const path = join(folder, name);
    const look = disk.look(path);
    if (look?.kind === "folder") openToGroup(disk, path);
    // A file with a second name may lie outside of the folder as well.
    if (look?.kind === "file" && look.links === 1) open(disk, path, GROUP_READ_WRITE);
  }
}

/** Opens one of the root's own folders, so that the group may drop jobs into it. */
export function openRootFolder(disk: Disk, folder: string): void {
  open(disk, folder, GROUP_FOLDER);
}

function namesIn(disk: Disk, folder: string): string[] {
  try {
    return disk.list(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") return [];
    throw error;
  }
}

function open(disk: Disk, path: string, bits: number): void {
  try {
    disk.addMode(path, bits);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "EPERM" && code !== "EACCES" && code !== "ELOOP" && code !== "ENOENT") throw error;
  }
}
