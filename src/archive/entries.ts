/** What an archive holds: one entry after the other, checked; and what of it becomes the job's folder. Pure. */
import { FILES } from "../files.ts";
import { printable } from "../printable.ts";
import { ArchiveFault } from "./fault.ts";

/** What an archive may hold at most. */
export interface ArchiveLimits {
  readonly bytesMax: number;
  readonly entriesMax: number;
  /** Bytes for each byte of the archive; asked for only beyond RATIO_FROM_BYTES. */
  readonly ratioMax: number;
}

/** One entry, as it stands in the archive. */
export interface Entry {
  /** Without "./", doubled slashes and a slash at the end; "" is the top itself. */
  readonly path: string;
  readonly kind: "file" | "folder" | "link";
  /** For a link: which kind of, in words. */
  readonly word?: string;
  readonly size: number;
  /** Permission bits; those of set-user-id and their like are left out. */
  readonly mode: number;
  readonly mtimeMs: number | undefined;
}

/** Does something with an entry; what it does not read of the content is passed over. */
export type Visit = (entry: Entry, content: AsyncIterable<Buffer>) => Promise<void>;

const DEPTH_MAX = 64;
const NAME_BYTES_MAX = 255;
/** Less than what a path may have (4096), for it is to lie under a root. */
const PATH_BYTES_MAX = 3000;
/** Little of nothing compresses well, and is no bomb. */
const RATIO_FROM_BYTES = 256 * 1024 * 1024;
/** All names are kept in memory; of so many bytes each, where there are as many entries as may be. */
const NAME_BYTES_USUAL = 256;
/** So much for names takes no memory worth speaking of. */
const NAMES_BYTES_LEAST = 1024 * 1024;

/** The permission bits that are kept of an entry's mode; its owner can always read and write it. */
export function keptMode(mode: number, kind: "file" | "folder"): number {
  return (mode & 0o755) | (kind === "folder" ? 0o700 : 0o600);
}

/** A name of an archive as a path within a folder. Throws ArchiveFault for one that leads out of it, or cannot be. */
export function entryPath(name: string): string {
  const shown = printable(name);
  if (name.includes("\ufffd"))
    throw new ArchiveFault(
      `It holds a name that is not UTF-8: ${shown}. Rename that file, or make it with UTF-8 names.`,
    );
  if (name.includes("\0")) throw new ArchiveFault(`It holds a name with a zero byte: ${shown}.`);
  if (name.startsWith("/")) throw new ArchiveFault(`It holds an absolute name: ${shown}. All names must be relative.`);
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw new ArchiveFault(`It holds a name that leads out of it: ${shown}.`);
  if (parts.length > DEPTH_MAX)
    throw new ArchiveFault(`It holds more than ${DEPTH_MAX} folders in each other: ${shown}.`);
  if (parts.some((part) => Buffer.byteLength(part) > NAME_BYTES_MAX) || Buffer.byteLength(name) > PATH_BYTES_MAX)
    throw new ArchiveFault(`It holds a name that is too long: ${shown.slice(0, 100)}...`);
  return parts.join("/");
}

/** Throws ArchiveFault when more comes out of an archive than may. */
export function checkBytes(bytes: number, archiveBytes: number, limits: ArchiveLimits): void {
  if (bytes > limits.bytesMax)
    throw new ArchiveFault(
      `It holds more than ${bytesText(limits.bytesMax)}. Send it as a folder, or start jobmgr with a larger --archive-size.`,
    );
  if (bytes > RATIO_FROM_BYTES && bytes / archiveBytes > limits.ratioMax)
    throw new ArchiveFault(
      `It holds more than ${limits.ratioMax} times as much as it is large, as an archive does that is made to fill a disk. If it is meant to be so, send it as a folder, or start jobmgr with a larger --archive-ratio.`,
    );
}

/** Throws ArchiveFault for more entries than there may be. */
export function checkCount(count: number, limits: ArchiveLimits): void {
  if (count > limits.entriesMax)
    throw new ArchiveFault(
      `It holds more than ${limits.entriesMax} files. Send it as a folder, or start jobmgr with a larger --archive-entries.`,
    );
}

/** Throws ArchiveFault when the names of all entries take more memory together than they may. */
export function checkNames(bytes: number, limits: ArchiveLimits): void {
  const bytesMax = Math.max(limits.entriesMax * NAME_BYTES_USUAL, NAMES_BYTES_LEAST);
  if (bytes > bytesMax)
    throw new ArchiveFault(
      `The names in it are longer than ${bytesText(bytesMax)} together. Send it as a folder, or start jobmgr with a larger --archive-entries.`,
    );
}

/** "3 GB", "1.5 MB", "700 bytes" */
export function bytesText(bytes: number): string {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${value >= 100 || unit === 0 ? Math.round(value) : Math.round(value * 10) / 10} ${units[unit]}`;
}

/** All entries of an archive by path, each name once. */
export class Listing {
  readonly #limits: ArchiveLimits;
  readonly #entries = new Map<string, Entry>();
  #count = 0;
  #nameBytes = 0;

  constructor(limits: ArchiveLimits) {
    this.#limits = limits;
  }

  /** Throws ArchiveFault for a name that is there already, and for too many or too long ones. */
  add(entry: Entry): void {
    checkCount(++this.#count, this.#limits);
    this.#nameBytes += Buffer.byteLength(entry.path);
    checkNames(this.#nameBytes, this.#limits);
    const before = this.#entries.get(entry.path);
    if (before && (before.kind !== "folder" || entry.kind !== "folder"))
      throw new ArchiveFault(`It holds the name ${printable(entry.path)} twice.`);
    if (entry.path !== "") this.#entries.set(entry.path, entry);
  }

  get entries(): ReadonlyMap<string, Entry> {
    return this.#entries;
  }
}

/** What of an archive becomes the job's folder. */
export interface Layout {
  /** The path of an entry in the job's folder; undefined for what is left out. */
  place(path: string): string | undefined;
  /** How many bytes and entries that is. */
  readonly bytes: number;
  readonly count: number;
}

/** What a Mac leaves beside the files of others. */
function isLitter(top: string): boolean {
  return top === "__MACOSX" || top === ".DS_Store" || top.startsWith("._");
}

function topOf(path: string): string {
  return path.split("/", 1)[0] ?? "";
}

/** Decides what becomes the job's folder. Throws ArchiveFault for an archive that cannot become one. */
export function layoutOf(listing: Listing): Layout {
  const { entries } = listing;
  const tops = [...new Set([...entries.keys()].map(topOf))].filter((top) => !isLitter(top));
  const inside = entries.has(FILES.script) ? "" : onlyFolder(entries, tops);
  const place = (path: string) => {
    if (isLitter(topOf(path)) || !path.startsWith(inside)) return undefined;
    const placed = path.slice(inside.length);
    // What it says of earlier attempts is not to be believed.
    return placed === "" || topOf(placed) === ".jobmgr" ? undefined : placed;
  };
  if (!entries.has(inside + FILES.script)) throw new ArchiveFault(noScript(entries, tops, inside));
  let bytes = 0;
  let count = 0;
  for (const [path, entry] of entries) {
    if (place(path) === undefined) continue;
    if (entry.kind === "link")
      throw new ArchiveFault(
        `It holds ${entry.word ?? "a link"}, ${printable(path)}. An archive may hold files and folders only: send it as a folder, or put the file itself in its place (tar --dereference --hard-dereference).`,
      );
    checkParents(entries, path);
    bytes += entry.size;
    count++;
  }
  return { place, bytes, count };
}

/** "NAME/" if all is in one folder, else "". */
function onlyFolder(entries: ReadonlyMap<string, Entry>, tops: readonly string[]): string {
  const [top = "", ...others] = tops;
  const entry = entries.get(top);
  return others.length === 0 && top !== "" && (!entry || entry.kind === "folder") ? `${top}/` : "";
}

function checkParents(entries: ReadonlyMap<string, Entry>, path: string): void {
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    const parent = entries.get(path.slice(0, end));
    if (parent?.kind === "file")
      throw new ArchiveFault(`It holds ${printable(parent.path)} as a file and as a folder.`);
  }
}

const NAMES_SHOWN = 5;

function noScript(entries: ReadonlyMap<string, Entry>, tops: readonly string[], inside: string): string {
  if (tops.length === 0) return "It is empty. Put job.sh and all that it needs into it.";
  const names = inside
    ? [
        ...new Set(
          [...entries.keys()].filter((path) => path.startsWith(inside)).map((path) => topOf(path.slice(inside.length))),
        ),
      ]
    : tops;
  const shown = names
    .filter((name) => name !== "")
    .slice(0, NAMES_SHOWN)
    .map(printable)
    .join(", ");
  const more = names.length > NAMES_SHOWN ? `, and ${names.length - NAMES_SHOWN} more` : "";
  const where = inside ? `its folder ${printable(inside.slice(0, -1))} holds` : "it holds";
  return `There is no job.sh in it: ${where} ${shown || "nothing"}${more}. Put job.sh at the top of it, or at the top of its one folder.`;
}
