/**
 * Checks an archive, all of it, and unpacks it into a folder of jobmgr's own. Nothing is written before all has been
 * found to be right, and nothing that was not checked: both read the same bytes by the same rules.
 */
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { Disk, OpenFile } from "../disk.ts";
import { type ArchiveLimits, checkBytes, type Entry, type Layout, Listing, layoutOf, type Visit } from "./entries.ts";
import { ArchiveFault, ArchiveWait } from "./fault.ts";
import { type Filter, FilterError } from "./filter.ts";
import { ARCHIVE_ENDINGS, type ArchiveForm } from "./names.ts";

const PIECE_BYTES = 256 * 1024;

/** What reading an archive needs. */
export interface Reading {
  readonly file: OpenFile;
  readonly form: ArchiveForm;
  readonly limits: ArchiveLimits;
  readonly filter: Filter;
  readonly stop: AbortSignal;
}

/** What was found in an archive that is as it should be. */
export interface Checked extends Layout {
  readonly entries: ReadonlyMap<string, Entry>;
}

/** Reads all of it, and writes nothing. Throws ArchiveFault, ArchiveWait, an AbortError, or what the disk says. */
export async function checkArchive(reading: Reading): Promise<Checked> {
  const listing = new Listing(reading.limits);
  await read(reading, async (entry) => listing.add(entry));
  return { ...layoutOf(listing), entries: listing.entries };
}

const NO_LIMITS: ArchiveLimits = {
  bytesMax: Number.POSITIVE_INFINITY,
  entriesMax: Number.POSITIVE_INFINITY,
  ratioMax: Number.POSITIVE_INFINITY,
};

/** Reads an archive of our own to its end. Returns how many entries it has. Throws ArchiveFault if it cannot be read. */
export async function readThrough(reading: Omit<Reading, "limits">): Promise<number> {
  let count = 0;
  await read({ ...reading, limits: NO_LIMITS }, async () => {
    count++;
  });
  return count;
}

/** The beginning of one file in it, by its path there; undefined if there is none. Throws as checkArchive does. */
export async function readFileIn(reading: Reading, path: string, bytesMax: number): Promise<Buffer | undefined> {
  let pieces: Buffer[] | undefined;
  await read(reading, async (entry, content) => {
    if (entry.path !== path || entry.kind !== "file") return;
    let bytes = 0;
    pieces = [];
    for await (const piece of content) {
      if (bytes < bytesMax) pieces.push(Buffer.from(piece));
      bytes += piece.length;
    }
  });
  return pieces && Buffer.concat(pieces).subarray(0, bytesMax);
}

/**
 * Unpacks what was checked into an empty folder, and syncs it. Throws as checkArchive does; also ArchiveFault for names
 * that are one on this file system. What was written by then is left.
 */
export async function unpackArchive(disk: Disk, reading: Reading, checked: Checked, folder: string): Promise<void> {
  const folders = new Set([folder]);
  const files: string[] = [];
  const makeFolder = (path: string, mode?: number) => {
    if (folders.has(path)) return;
    makeFolder(dirname(path));
    if (!disk.makeFolder(path, mode)) throw twice(path.slice(folder.length + 1));
    folders.add(path);
  };
  // Before the files, so that each has the mode that it is to have.
  for (const entry of checked.entries.values()) {
    const placed = entry.kind === "folder" ? checked.place(entry.path) : undefined;
    if (placed !== undefined) makeFolder(`${folder}/${placed}`, entry.mode);
  }
  await read(reading, async (entry, content) => {
    const known = checked.entries.get(entry.path);
    if (entry.path !== "" && (known?.kind !== entry.kind || known.size !== entry.size))
      throw new ArchiveWait("it changed while it was unpacked");
    const placed = entry.kind === "file" ? checked.place(entry.path) : undefined;
    if (placed === undefined) return;
    const path = `${folder}/${placed}`;
    makeFolder(dirname(path));
    await writeFile(disk, path, entry, content);
    files.push(path);
  });
  await syncAll(disk, files);
  await syncAll(disk, [...folders]);
}

async function writeFile(disk: Disk, path: string, entry: Entry, content: AsyncIterable<Buffer>): Promise<void> {
  let file: OpenFile;
  try {
    file = disk.openNew(path, entry.mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw twice(entry.path);
    throw error;
  }
  try {
    for await (const piece of content) await file.write(piece);
    if (entry.mtimeMs !== undefined && isTime(entry.mtimeMs)) file.date(entry.mtimeMs);
  } finally {
    file.close();
  }
}

/** A time that every file system can keep; another one is of no use to anybody. */
function isTime(ms: number): boolean {
  return ms >= 0 && ms < 2 ** 32 * 1000;
}

function twice(path: string): ArchiveFault {
  return new ArchiveFault(`It holds two names that are the same on this file system: ${path}. Rename one of them.`);
}

/** So many waits for the device at a time, which it then does together. */
const SYNCS_AT_ONCE = 8;

async function syncAll(disk: Disk, paths: readonly string[]): Promise<void> {
  for (let at = 0; at < paths.length; at += SYNCS_AT_ONCE)
    await Promise.all(paths.slice(at, at + SYNCS_AT_ONCE).map((path) => disk.sync(path)));
}

/** What the first bytes of a file say of it, and how it is to be named. */
const MAGICS: readonly { form: string; bytes: Buffer; at: number }[] = [
  { form: "gzip", bytes: Buffer.from([0x1f, 0x8b]), at: 0 },
  { form: "xz", bytes: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), at: 0 },
  { form: "zip", bytes: Buffer.from("PK\x03\x04"), at: 0 },
  { form: "zip", bytes: Buffer.from("PK\x05\x06"), at: 0 },
  { form: "bzip2", bytes: Buffer.from("BZh"), at: 0 },
  { form: "zstd", bytes: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), at: 0 },
  { form: "7z", bytes: Buffer.from("7z\xbc\xaf\x27\x1c", "latin1"), at: 0 },
  { form: "rar", bytes: Buffer.from("Rar!\x1a\x07", "latin1"), at: 0 },
  { form: "plain tar", bytes: Buffer.from("ustar"), at: 257 },
];
const MAGIC_BYTES = 300;

const EXPECTED: Readonly<Record<ArchiveForm, string>> = {
  tar: "plain tar",
  "tar.gz": "gzip",
  "tar.xz": "xz",
  zip: "zip",
};

const ENDINGS: Readonly<Record<string, string>> = {
  gzip: ".tar.gz",
  xz: ".tar.xz",
  zip: ".zip",
  "plain tar": ".tar",
};

/** Throws ArchiveFault if a file is of another form than its name says: a library must not guess. */
function checkMagic(head: Buffer, form: ArchiveForm): void {
  const found = MAGICS.find(({ bytes, at }) => head.subarray(at, at + bytes.length).equals(bytes))?.form;
  const expected = EXPECTED[form];
  // A zip archive may begin with something else; the oldest tar has no mark; both are found out when they are read.
  if (found === expected || (found === undefined && (form === "tar" || form === "zip"))) return;
  if (head.length === 0) throw new ArchiveFault("It is empty.");
  if (found === undefined)
    throw new ArchiveFault(`It is no ${expected} file, as its name says, and none that is known here.`);
  const ending = ENDINGS[found];
  const remedy = ending ? `Name it ${ending}` : `Make it as ${ARCHIVE_ENDINGS}`;
  throw new ArchiveFault(`Its name says that it is ${expected}, but it is ${found}. ${remedy}.`);
}

async function read(reading: Reading, visit: Visit): Promise<void> {
  const { form, limits, stop } = reading;
  const file = stoppable(reading.file, stop);
  checkMagic(await file.read(0, MAGIC_BYTES), form);
  const visitOr: Visit = (entry, content) => {
    stop.throwIfAborted();
    return visit(entry, content);
  };
  if (form === "zip") {
    const { readZip } = await import("./unzip.ts");
    return readZip(file, limits, visitOr);
  }
  const { readTar } = await import("./tar.ts");
  const archiveBytes = file.look().size;
  const consume = (pieces: AsyncIterable<Buffer>) => readTar(counted(pieces, archiveBytes, limits, stop), visitOr);
  await decompressed(reading, piecesOf(file), consume);
}

/** Gives the bytes of the tar archive itself to consume(), which must read them to their end. */
async function decompressed(
  { form, filter, stop }: Reading,
  source: AsyncIterable<Buffer>,
  consume: (pieces: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  if (form === "tar") return consume(source);
  try {
    if (form === "tar.xz")
      await filter(["xz", "-dc", "-q", `--memlimit-decompress=${XZ_MEMORY}`], source, consume, stop);
    else await pipeline(source, createGunzip(), consume);
  } catch (error) {
    throw decompressionFault(error);
  }
}

/** More than what its highest setting asks for. */
const XZ_MEMORY = "512MiB";

function decompressionFault(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof FilterError) {
    if (error.isMissing)
      return new ArchiveWait(
        "the program xz, which unpacks it, is not on this machine. Install it, or send it as .tar.gz",
      );
    if (/memory usage limit/i.test(message))
      return new ArchiveFault(
        `It takes more than ${XZ_MEMORY} of memory to unpack it. Make it with xz's usual settings.`,
      );
    if (/memory/i.test(message)) return new Error(message);
    return new ArchiveFault(`It is damaged, or not whole: ${message}.`, /unexpected end/i.test(message));
  }
  if (code === "Z_BUF_ERROR") return new ArchiveFault("It is not whole: its end is missing.", true);
  if (code === "Z_DATA_ERROR" || code === "Z_NEED_DICT") return new ArchiveFault(`It is damaged: ${message}.`);
  return error;
}

async function* piecesOf(file: OpenFile): AsyncGenerator<Buffer> {
  for (let at = 0; ; ) {
    const piece = await file.read(at, PIECE_BYTES);
    if (piece.length === 0) return;
    at += piece.length;
    yield piece;
  }
}

async function* counted(
  pieces: AsyncIterable<Buffer>,
  archiveBytes: number,
  limits: ArchiveLimits,
  stop: AbortSignal,
): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const piece of pieces) {
    stop.throwIfAborted();
    bytes += piece.length;
    checkBytes(bytes, archiveBytes, limits);
    yield piece;
  }
}

/** Whoever reads from it stops when the manager does. */
function stoppable(file: OpenFile, stop: AbortSignal): OpenFile {
  return {
    ...file,
    read(position, bytesMax) {
      stop.throwIfAborted();
      return file.read(position, bytesMax);
    },
  };
}
