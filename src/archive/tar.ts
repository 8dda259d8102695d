/**
 * The tar format, read strictly: what is not understood is a fault, and nothing is passed over in silence. Only the
 * headers are the library's; its own reader drops sparse files, accepts what was cut off between two files, and knows
 * names only as text that was put together from pieces. The only importer of tar.
 */
import { Header, Pax } from "tar";
import { type Entry, entryPath, keptMode, type Visit } from "./entries.ts";
import { ArchiveFault } from "./fault.ts";

const BLOCK = 512;
/** Of a long name, or of what is told ahead of a file. */
const META_BYTES_MAX = 1024 * 1024;

const WORDS: Readonly<Record<string, string>> = {
  Link: "a hard link",
  SymbolicLink: "a symbolic link",
  CharacterDevice: "a device",
  BlockDevice: "a device",
  FIFO: "a named pipe",
};

/** Bytes that come in pieces, taken in portions. */
class Portions {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Exactly so many bytes; undefined at the end. Throws ArchiveFault if it comes earlier. */
  async take(count: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    let missing = count;
    for await (const piece of this.pieces(count)) {
      parts.push(piece);
      missing -= piece.length;
    }
    if (missing === count && count > 0) return undefined;
    if (missing > 0) throw cut();
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  /** So many bytes as they come; fewer at the end. */
  async *pieces(count: number): AsyncGenerator<Buffer> {
    let missing = count;
    while (missing > 0) {
      if (this.#rest.length === 0) {
        const next = await this.#source.next();
        if (next.done) return;
        this.#rest = next.value;
      }
      const piece = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(piece.length);
      missing -= piece.length;
      if (piece.length > 0) yield piece;
    }
  }
}

function cut(): ArchiveFault {
  return new ArchiveFault("It is not whole: its end is missing.", true);
}

function damaged(what: string): ArchiveFault {
  return new ArchiveFault(`It is damaged, or is no tar archive: ${what}.`);
}

/** What is told ahead of a file, in a header of its own. */
interface Told {
  path?: string;
  size?: number;
  mtimeMs?: number;
}

/** Reads a tar archive to its end. Throws ArchiveFault. */
export async function readTar(source: AsyncIterable<Buffer>, visit: Visit): Promise<void> {
  const portions = new Portions(source);
  let told: Told = {};
  let isFirst = true;
  for (;;) {
    const block = await portions.take(BLOCK);
    if (!block) throw isFirst ? new ArchiveFault("It is empty.", true) : cut();
    const header = new Header(block);
    if (header.nullBlock) break;
    if (!header.cksumValid) throw damaged(`the header of ${isFirst ? "its first file" : "a file in it"} is wrong`);
    isFirst = false;
    const meta = await metaOf(header, portions);
    if (meta) {
      told = { ...told, ...meta };
      continue;
    }
    const entry = entryOf(header, told);
    told = {};
    await visitEntry(entry, portions, visit);
  }
  if (Object.keys(told).length > 0) throw cut();
  // What follows is padding, but it may be the compressed data that say whether all of it was right.
  for await (const _ of portions.pieces(Number.POSITIVE_INFINITY));
}

async function visitEntry(entry: Entry, portions: Portions, visit: Visit): Promise<void> {
  let left = entry.size;
  const content = (async function* () {
    for await (const piece of portions.pieces(entry.size)) {
      left -= piece.length;
      yield piece;
    }
    if (left > 0) throw cut();
  })();
  await visit(entry, content);
  for await (const piece of portions.pieces(left)) left -= piece.length;
  if (left > 0) throw cut();
  const padding = (BLOCK - (entry.size % BLOCK)) % BLOCK;
  if (padding > 0 && !(await portions.take(padding))) throw cut();
}

/** What a header tells of the file that follows it; undefined for the header of a file. */
async function metaOf(header: Header, portions: Portions): Promise<Told | undefined> {
  const type = header.type as string;
  const isLong = type === "NextFileHasLongPath" || type === "NextFileHasLongLinkpath";
  if (!isLong && type !== "ExtendedHeader" && type !== "GlobalExtendedHeader") return undefined;
  const size = header.size ?? -1;
  if (size < 0 || size > META_BYTES_MAX) throw damaged("a header in it is too long");
  const bytes = await portions.take(size);
  const padding = (BLOCK - (size % BLOCK)) % BLOCK;
  if ((size > 0 && !bytes) || (padding > 0 && !(await portions.take(padding)))) throw cut();
  const body = bytes ?? Buffer.alloc(0);
  if (type === "NextFileHasLongPath") return { path: body.toString("utf8").replace(/\0[\s\S]*$/, "") };
  if (isLong) return {};
  const told = toldBy(paxRecords(body));
  if (type === "ExtendedHeader") return told;
  if (told.path !== undefined || told.size !== undefined) throw damaged("it gives all files one name or size");
  return {};
}

/** The records of an extended header: "LENGTH KEY=VALUE\n", where LENGTH counts bytes, its own too. */
function paxRecords(body: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const text = space < 0 ? "" : body.toString("latin1", at, space);
    const length = /^\d{1,8}$/.test(text) ? Number(text) : 0;
    const record = body.subarray(space + 1, at + length);
    const equals = record.indexOf(0x3d);
    if (length === 0 || at + length > body.length || equals < 1 || record.at(-1) !== 0x0a)
      throw damaged("a header in it cannot be read");
    records.set(record.toString("utf8", 0, equals), record.subarray(equals + 1, -1));
    at += length;
  }
  return records;
}

function toldBy(records: Map<string, Buffer>): Told {
  const sparse = [...records.keys()].find((key) => key.startsWith("GNU.sparse") || key === "SCHILY.realsize");
  if (sparse !== undefined) throw sparseFault();
  const path = records.get("path");
  const size = records.get("size");
  const mtime = Number(records.get("mtime")?.toString("latin1") ?? Number.NaN);
  if (size && !/^\d{1,15}$/.test(size.toString("latin1"))) throw damaged("a size in it cannot be read");
  return {
    ...(path && { path: path.toString("utf8") }),
    ...(size && { size: Number(size.toString("latin1")) }),
    ...(!Number.isNaN(mtime) && { mtimeMs: mtime * 1000 }),
  };
}

function sparseFault(): ArchiveFault {
  return new ArchiveFault(
    "It holds a sparse file, of which only parts are stored. Make it again without tar's --sparse (-S).",
  );
}

function entryOf(header: Header, told: Told): Entry {
  const name = told.path ?? header.path ?? "";
  const path = entryPath(name);
  const type = header.type as string;
  const word = WORDS[type];
  const mtimeMs = told.mtimeMs ?? header.mtime?.getTime();
  const common = { path, mode: header.mode ?? 0, mtimeMs };
  if (word !== undefined) return { ...common, kind: "link", word, size: 0 };
  if (type === "SparseFile") throw sparseFault();
  if (type === "Directory" || (type === "File" && name.endsWith("/")))
    return { ...common, kind: "folder", mode: keptMode(common.mode, "folder"), size: 0 };
  if (type !== "File" && type !== "OldFile" && type !== "ContiguousFile")
    throw new ArchiveFault(`It holds something of a kind that is not known here (${type}): ${path}.`);
  const size = told.size ?? header.size;
  if (size === undefined || !Number.isSafeInteger(size) || size < 0) throw damaged("a size in it cannot be read");
  if (path === "") throw damaged("a file in it has no name");
  return { ...common, kind: "file", mode: keptMode(common.mode, "file"), size };
}

/** One thing to be packed. */
export interface Packed {
  /** With the name of the one folder before it. */
  readonly path: string;
  readonly kind: "file" | "folder" | "link";
  readonly mode: number;
  readonly mtimeMs: number;
  readonly size: number;
  /** Of a link: where it leads, as it is written there. */
  readonly target?: string;
  /** Of a file: exactly `size` bytes. */
  content(): AsyncIterable<Buffer>;
}

const TYPES = { file: "File", folder: "Directory", link: "SymbolicLink" } as const;

/** The bytes of a tar archive of these. Throws if a file is not as long as it was. */
export async function* tarPieces(all: AsyncIterable<Packed>): AsyncGenerator<Buffer> {
  for await (const one of all) {
    yield headerOf(one);
    let left = one.size;
    if (one.kind === "file")
      for await (const piece of one.content()) {
        left -= piece.length;
        yield piece;
      }
    if (left !== 0) throw new Error(`${one.path} changed while it was packed`);
    if (one.size % BLOCK !== 0) yield Buffer.alloc(BLOCK - (one.size % BLOCK));
  }
  yield Buffer.alloc(2 * BLOCK);
}

function headerOf(one: Packed): Buffer {
  const data = {
    path: one.kind === "folder" ? `${one.path}/` : one.path,
    mode: one.mode & 0o777,
    size: one.size,
    // Whole seconds, so that not every file needs a second header.
    mtime: new Date(Math.floor(one.mtimeMs / 1000) * 1000),
    ...(one.target !== undefined && { linkpath: one.target }),
  };
  const header = new Header({ ...data, type: TYPES[one.kind] });
  const block = Buffer.alloc(BLOCK);
  const needsMore = header.encode(block);
  return needsMore ? Buffer.concat([new Pax(data).encode(), block]) : block;
}
