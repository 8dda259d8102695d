/** How wide lines may be. */
import type { WriteStream } from "node:tty";

const UNKNOWN_COLUMNS = 80;

/** The columns of what stands behind a stream, which COLUMNS outweighs; of a pipe so many as are given. */
export function columnsOf(stream: Pick<WriteStream, "isTTY" | "columns">, ofPipe = UNKNOWN_COLUMNS): number {
  return Number(process.env.COLUMNS) || (stream.isTTY ? stream.columns || UNKNOWN_COLUMNS : ofPipe);
}
