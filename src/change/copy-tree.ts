/** Copies a folder as it is, onto the device: files, folders, and links as links. Nothing is followed. */
import type { Disk, Look, OpenFile } from "../disk.ts";
import { isUnreadableName } from "../root.ts";

/** Something that cannot be copied, in a sentence that names it. */
export class CopyError extends Error {
  override readonly name = "CopyError";
}

/** Whether something is copied: its path from the top of the folder, and what it is. */
export type Keeps = (path: string, look: Look) => boolean;

const PIECE_BYTES = 1024 * 1024;

/** So many files wait for the device at a time. */
const SYNCS_MAX = 16;

/**
 * Fills the folder `to`, which is there and empty. All of it is on the device when this resolves. Throws CopyError for
 * what is no file, folder or link, cannot be named, or changes meanwhile; then a part of the copy is there.
 */
export async function copyTree(disk: Disk, from: string, to: string, keeps: Keeps = () => true): Promise<void> {
  const syncs: Promise<void>[] = [];
  const folders = [""];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    for (const name of disk.list(from + at)) {
      const path = `${at}/${name}`;
      if (isUnreadableName(name)) throw new CopyError(`${from}${path} has a name that is not UTF-8. Rename it.`);
      const look = disk.look(from + path);
      if (!look) throw changed(from + path);
      if (!keeps(path.slice(1), look)) continue;
      if (look.kind === "folder") {
        disk.makeFolder(to + path, (look.mode & 0o777) | 0o700);
        folders.push(path);
      } else if (look.kind === "link") {
        disk.makeLink(to + path, disk.readLink(from + path) ?? "");
      } else syncs.push((await copied(disk, from + path, to + path, look)).synced);
      if (syncs.length >= SYNCS_MAX) await Promise.all(syncs.splice(0));
    }
    await disk.sync(to + at);
  }
  await Promise.all(syncs);
}

/** Copies one regular file to a name that is not taken. It is on the device when this resolves. Throws as copyTree. */
export async function copyFile(disk: Disk, from: string, to: string, look: Look): Promise<void> {
  await (await copied(disk, from, to, look)).synced;
}

/** Copies one file; `synced` resolves when it is on the device. */
async function copied(disk: Disk, from: string, to: string, look: Look): Promise<{ synced: Promise<void> }> {
  if (look.kind !== "file")
    throw new CopyError(`${from} is no file, folder or link (a socket, a pipe or a device), and cannot be copied.`);
  const source = disk.open(from);
  try {
    const target = disk.openNew(to, look.mode & 0o777);
    try {
      const bytes = await pour(source, target);
      const now = source.look();
      if (now.size !== bytes || now.mtimeMs !== look.mtimeMs) throw changed(from);
      target.date(look.mtimeMs);
    } catch (error) {
      target.close();
      throw error;
    }
    const synced = target.sync().finally(() => target.close());
    // Whoever waits for it is told; until then it is nobody's fault.
    synced.catch(() => {});
    return { synced };
  } finally {
    source.close();
  }
}

/** Returns how many bytes there were. */
async function pour(source: OpenFile, target: OpenFile): Promise<number> {
  for (let position = 0; ; ) {
    const piece = await source.read(position, PIECE_BYTES);
    if (piece.length === 0) return position;
    await target.write(piece);
    position += piece.length;
  }
}

function changed(path: string): CopyError {
  return new CopyError(`${path} changed while it was copied. Try again when it is complete.`);
}
