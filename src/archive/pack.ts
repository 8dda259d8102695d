/** Packs a finished folder: one folder of its name in the archive, without jobmgr's own. Links stay links. */
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Disk, OpenFile } from "../disk.ts";
import { isUnreadableName, sortByCodePoint } from "../root.ts";
import { ArchiveWait, PackFault } from "./fault.ts";
import { type Filter, FilterError } from "./filter.ts";
import type { ArchiveForm } from "./names.ts";
import type { Packed } from "./tar.ts";

const PIECE_BYTES = 256 * 1024;

/** One folder that is made an archive. */
export interface Packing {
  readonly disk: Disk;
  /** The folder to be packed, and its name in the archive. */
  readonly folder: string;
  readonly name: string;
  readonly form: ArchiveForm;
  readonly filter: Filter;
  readonly stop: AbortSignal;
}

/** Writes the archive into a file, and syncs it. Returns how many entries it has. Throws PackFault, ArchiveWait, an AbortError, or what the disk says. */
export async function packFolder(packing: Packing, file: OpenFile): Promise<number> {
  const { form, filter, stop } = packing;
  let count = 0;
  const contents = async function* () {
    for await (const one of folderOf(packing, "")) {
      count++;
      yield one;
    }
  };
  const write = async (pieces: AsyncIterable<Buffer>) => {
    for await (const piece of pieces) {
      stop.throwIfAborted();
      await file.write(piece);
    }
  };
  if (form === "zip") {
    const { zipPieces } = await import("./zip.ts");
    await write(zipPieces(contents()));
  } else {
    const { tarPieces } = await import("./tar.ts");
    const pieces = tarPieces(contents());
    if (form === "tar") await write(pieces);
    else if (form === "tar.gz") await pipeline(pieces, createGzip(), write);
    else await filter(["xz", "-zc", "-q", "-T1"], pieces, write, stop).catch((error: Error) => throwOr(error));
  }
  await file.sync();
  return count;
}

function throwOr(error: Error): never {
  if (error instanceof FilterError && error.isMissing)
    throw new ArchiveWait("the program xz, which packs it, is not on this machine. Install it");
  throw error;
}

async function* folderOf(packing: Packing, at: string): AsyncGenerator<Packed> {
  const { disk, stop } = packing;
  const folder = packing.folder + at;
  const look = disk.look(folder);
  if (look?.kind !== "folder") throw new Error(`${folder} has gone while it was packed`);
  yield { path: packing.name + at, kind: "folder", mode: look.mode, mtimeMs: look.mtimeMs, size: 0, content: nothing };
  for (const name of sortByCodePoint(readable(() => disk.list(folder)))) {
    stop.throwIfAborted();
    if (at === "" && name === ".jobmgr") continue;
    if (isUnreadableName(name)) throw new PackFault(`${folder} holds a name that is not UTF-8: ${name}.`);
    if (disk.look(`${folder}/${name}`)?.kind === "folder") yield* folderOf(packing, `${at}/${name}`);
    else yield* oneOf(packing, `${at}/${name}`);
  }
}

/** A file or a link. What cannot be stored, like a pipe that a job left behind, is left out. */
async function* oneOf({ disk, folder, name }: Packing, at: string): AsyncGenerator<Packed> {
  const path = folder + at;
  const look = disk.look(path);
  if (look?.kind === "link") {
    const target = disk.readLink(path) ?? "";
    yield { path: name + at, kind: "link", mode: 0o777, mtimeMs: look.mtimeMs, size: 0, target, content: nothing };
  }
  if (look?.kind !== "file") return;
  const file = readable(() => disk.open(path));
  try {
    const { size, mode, mtimeMs } = file.look();
    yield { path: name + at, kind: "file", mode, mtimeMs, size, content: () => piecesOf(file, size) };
  } finally {
    file.close();
  }
}

function readable<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw code === "EACCES" || code === "EPERM"
      ? new PackFault(`It holds something that cannot be read: ${message}.`)
      : error;
  }
}

async function* piecesOf(file: OpenFile, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < size; ) {
    const piece = await file.read(at, Math.min(PIECE_BYTES, size - at));
    if (piece.length === 0) return;
    at += piece.length;
    yield piece;
  }
}

async function* nothing(): AsyncGenerator<Buffer> {}
