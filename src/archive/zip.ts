/** Writes the zip format. The only importer of yazl. */
import { Readable } from "node:stream";
import { ZipFile } from "yazl";
import { PackFault } from "./fault.ts";
import type { Packed } from "./tar.ts";

const FILE = 0o100000;
const FOLDER = 0o040000;
const LINK = 0o120000;

/** The bytes of a zip archive of these. Throws PackFault for what zip cannot hold. */
export async function* zipPieces(all: AsyncIterable<Packed>): AsyncGenerator<Buffer> {
  const zip = new ZipFile();
  const output = zip.outputStream as Readable;
  const stop = new AbortController();
  zip.on("error", (error: Error) => output.destroy(error));
  const added = addAll(zip, all, stop.signal).catch((error: Error) => void output.destroy(error));
  try {
    yield* output as AsyncIterable<Buffer>;
  } finally {
    // Whoever wants no more of it must not leave a file open.
    stop.abort();
    await added;
  }
}

async function addAll(zip: ZipFile, all: AsyncIterable<Packed>, stop: AbortSignal): Promise<void> {
  for await (const one of all) {
    if (one.path.includes("\\") || /^[A-Za-z]:/.test(one.path))
      throw new PackFault(`${one.path} has a name that a zip archive cannot hold.`);
    const mtime = new Date(one.mtimeMs);
    if (one.kind === "folder") zip.addEmptyDirectory(one.path, { mtime, mode: FOLDER | (one.mode & 0o777) });
    else if (one.kind === "link")
      zip.addBuffer(Buffer.from(one.target ?? ""), one.path, { mtime, mode: LINK | 0o777, compress: false });
    else await addFile(zip, one, mtime, stop);
  }
  zip.end();
}

/** One file after the other, so that no more than one is open. */
function addFile(zip: ZipFile, one: Packed, mtime: Date, signal: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const content = Readable.from(one.content(), { objectMode: false, signal });
    content.once("end", done);
    content.once("error", fail);
    zip.addReadStreamLazy(one.path, { mtime, mode: FILE | (one.mode & 0o777), size: one.size }, (ready) =>
      ready(undefined, content),
    );
  });
}
