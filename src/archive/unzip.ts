/**
 * The zip format, read strictly: what its table of contents says must be what stands at each file, no file may lie in
 * another, and all checksums must be right. The only importer of yauzl.
 */
import { Readable } from "node:stream";
import * as yauzl from "yauzl";
import type { OpenFile } from "../disk.ts";
import { printable } from "../printable.ts";
import { crc32 } from "./crc32.ts";
import {
  type ArchiveLimits,
  checkBytes,
  checkCount,
  checkNames,
  type Entry,
  entryPath,
  keptMode,
  type Visit,
} from "./entries.ts";
import { ArchiveFault } from "./fault.ts";

const PIECE_BYTES = 256 * 1024;

const UNIX = 3;
const MAC = 19;
const ENCRYPTED = 0x1;
const HAS_DESCRIPTOR = 0x8;
const IS_UTF8 = 0x800;
const STORED = 0;
const DEFLATED = 8;
const UNICODE_PATH = 0x7075;
/** In a 32-bit field: the 64-bit one counts. */
const IN_ZIP64 = 0xffffffff;

/** Lets yauzl read from a file that is open. */
class Reader extends yauzl.RandomAccessReader {
  readonly #file: OpenFile;

  constructor(file: OpenFile) {
    super();
    this.#file = file;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.#pieces(start, end), { objectMode: false });
  }

  async *#pieces(start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end; ) {
      const piece = await this.#file.read(at, Math.min(PIECE_BYTES, end - at));
      if (piece.length === 0) throw new ArchiveFault("It is not whole: its end is missing.", true);
      at += piece.length;
      yield piece;
    }
  }
}

/** What a library says of a file is that file's fault, unless the disk or the machine failed. */
function faultOf(error: unknown): unknown {
  const { message, name, code } = error as NodeJS.ErrnoException;
  const isOfFile = name === "Error" && (code === undefined || code === "Z_DATA_ERROR" || code === "Z_BUF_ERROR");
  if (!isOfFile) return error;
  if (/encrypt/i.test(message)) return encrypted();
  const isCut = /end of central directory|unexpected end|EOF/i.test(message);
  if (isCut) return new ArchiveFault("It is not whole, or no zip archive: its end is missing.", true);
  return new ArchiveFault(`It is damaged: ${printable(message)}.`);
}

function encrypted(): ArchiveFault {
  return new ArchiveFault("It is encrypted. Make it without a password.");
}

/** Reads a zip archive: all of its table of contents first, then each file. Throws ArchiveFault. */
export async function readZip(file: OpenFile, limits: ArchiveLimits, visit: Visit): Promise<void> {
  const { size } = file.look();
  try {
    // What names mean is judged here, and not changed before.
    const zip = await yauzl.fromRandomAccessReaderPromise(new Reader(file), size, {
      autoClose: false,
      decodeStrings: false,
    });
    const all = await contentsOf(zip, limits, size);
    const spans: Span[] = [];
    for (const one of all) spans.push(await spanOf(zip, file, one));
    checkSpans(spans, size);
    for (const one of all) await visitOne(zip, one, visit);
  } catch (error) {
    throw faultOf(error);
  }
}

interface One {
  readonly zipped: yauzl.Entry;
  readonly entry: Entry;
}

async function contentsOf(zip: yauzl.ZipFile, limits: ArchiveLimits, archiveBytes: number): Promise<One[]> {
  const all: One[] = [];
  let bytes = 0;
  let nameBytes = 0;
  for await (const zipped of zip.eachEntry()) {
    checkCount(all.length + 1, limits);
    // What else is told of each file is kept with its name.
    nameBytes += zipped.fileNameRaw.length + zipped.extraFieldRaw.length + zipped.fileCommentRaw.length;
    checkNames(nameBytes, limits);
    const entry = entryOf(zipped);
    bytes += zipped.uncompressedSize;
    checkBytes(bytes, archiveBytes, limits);
    all.push({ zipped, entry });
  }
  return all;
}

function nameOf(zipped: yauzl.Entry): string {
  const { fileNameRaw: raw, generalPurposeBitFlag: flags, extraFields } = zipped;
  const isTold = (flags & IS_UTF8) === 0 && extraFields.some(({ id }) => id === UNICODE_PATH);
  const name = isTold ? yauzl.getFileNameLowLevel(flags, raw, extraFields, true) : raw.toString("utf8");
  if (name.includes("\\"))
    throw new ArchiveFault(
      `It holds a name with a backslash: ${printable(name)}. Make it with a program that writes "/" between folders.`,
    );
  if (/^[A-Za-z]:/.test(name))
    throw new ArchiveFault(`It holds an absolute name: ${printable(name)}. All names must be relative.`);
  return name;
}

/** The types of a Unix mode that no archive may hold. */
const TYPES: ReadonlyMap<number, string> = new Map([
  [0o120000, "a symbolic link"],
  [0o010000, "a named pipe"],
  [0o020000, "a device"],
  [0o060000, "a device"],
  [0o140000, "a socket"],
]);

function entryOf(zipped: yauzl.Entry): Entry {
  const name = nameOf(zipped);
  const path = entryPath(name);
  if ((zipped.generalPurposeBitFlag & ENCRYPTED) !== 0) throw encrypted();
  if (zipped.compressionMethod !== STORED && zipped.compressionMethod !== DEFLATED)
    throw new ArchiveFault(
      `${printable(name)} in it is compressed in a way that is not known here (method ${zipped.compressionMethod}). Make it with zip's own compression (deflate).`,
    );
  const attributes = zipped.externalFileAttributes >>> 16;
  const word = TYPES.get(attributes & 0o170000);
  const made = zipped.versionMadeBy >> 8;
  const bits = made === UNIX || made === MAC ? attributes & 0o7777 : 0;
  const common = { path, mtimeMs: mtimeOf(zipped) };
  if (word !== undefined) return { ...common, kind: "link", word, mode: 0, size: 0 };
  const isFolder = name.endsWith("/");
  if (isFolder && zipped.uncompressedSize > 0)
    throw new ArchiveFault(`It is damaged: ${printable(name)} is a folder, and has content.`);
  if (isFolder) return { ...common, kind: "folder", mode: keptMode(bits || 0o755, "folder"), size: 0 };
  if (path === "") throw new ArchiveFault("It is damaged: a file in it has no name.");
  return { ...common, kind: "file", mode: keptMode(bits || 0o644, "file"), size: zipped.uncompressedSize };
}

function mtimeOf(zipped: yauzl.Entry): number | undefined {
  const ms = zipped.getLastModDate().getTime();
  return Number.isNaN(ms) ? undefined : ms;
}

/** The bytes of the archive that one file takes. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where a file lies. Throws ArchiveFault if what stands there is not what the table of contents says. */
async function spanOf(zip: yauzl.ZipFile, file: OpenFile, { zipped }: One): Promise<Span> {
  const local = await zip.readLocalFileHeaderPromise(zipped);
  const flags = ENCRYPTED | HAS_DESCRIPTOR;
  const sizes = [
    [local.crc32, zipped.crc32],
    [local.compressedSize, zipped.compressedSize],
    [local.uncompressedSize, zipped.uncompressedSize],
  ] as const;
  const hasDescriptor = (zipped.generalPurposeBitFlag & HAS_DESCRIPTOR) !== 0;
  const agree =
    local.fileName.equals(zipped.fileNameRaw) &&
    local.compressionMethod === zipped.compressionMethod &&
    (local.generalPurposeBitFlag & flags) === (zipped.generalPurposeBitFlag & flags) &&
    sizes.every(([here, there]) => here === there || here === IN_ZIP64 || (hasDescriptor && here === 0));
  const dataEnd = local.fileDataStart + zipped.compressedSize;
  const end = hasDescriptor ? await descriptorEnd(file, zipped, dataEnd) : dataEnd;
  if (!agree || end === undefined)
    throw new ArchiveFault(
      `It is damaged: what it says of ${printable(zipped.fileNameRaw.toString("utf8"))} in its table of contents is not what stands there.`,
    );
  return { start: zipped.relativeOffsetOfLocalHeader, end };
}

/** Behind the data their checksum and sizes may stand again, in one of four forms; undefined if none of them is right. */
async function descriptorEnd(file: OpenFile, zipped: yauzl.Entry, dataEnd: number): Promise<number | undefined> {
  const there = await file.read(dataEnd, 24);
  const number32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const number64 = (value: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    return bytes;
  };
  const { crc32: crc, compressedSize, uncompressedSize } = zipped;
  const small = compressedSize <= IN_ZIP64 && uncompressedSize <= IN_ZIP64;
  const forms = [
    ...(small ? [[number32(compressedSize), number32(uncompressedSize)]] : []),
    [number64(compressedSize), number64(uncompressedSize)],
  ].map((sizes) => Buffer.concat([number32(crc), ...sizes]));
  for (const form of forms) {
    const signed = Buffer.concat([number32(0x08074b50), form]);
    for (const one of [signed, form]) if (there.subarray(0, one.length).equals(one)) return dataEnd + one.length;
  }
  return undefined;
}

/** No file may lie in another: so little would become much. */
function checkSpans(spans: readonly Span[], archiveBytes: number): void {
  const sorted = [...spans].sort((a, b) => a.start - b.start);
  sorted.forEach(({ end }, i) => {
    if (end > (sorted[i + 1]?.start ?? archiveBytes))
      throw new ArchiveFault("It is damaged: files in it lie in each other.");
  });
}

async function visitOne(zip: yauzl.ZipFile, { zipped, entry }: One, visit: Visit): Promise<void> {
  if (entry.kind !== "file") return visit(entry, noContent());
  const stream = await zip.openReadStreamPromise(zipped);
  let sum = 0;
  let count = 0;
  const content = (async function* () {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      sum = crc32(piece, sum);
      count += piece.length;
      yield piece;
    }
    if (sum !== zipped.crc32 || count !== zipped.uncompressedSize)
      throw new ArchiveFault(`It is damaged: the checksum of ${printable(entry.path)} is wrong.`);
  })();
  try {
    await visit(entry, content);
    for await (const _ of content);
  } finally {
    stream.destroy();
  }
}

async function* noContent(): AsyncGenerator<Buffer> {}
