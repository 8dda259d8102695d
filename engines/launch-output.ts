/** What processes print that were started together: whole lines, so that those of several do not mix. */
import { errorMonitor } from "node:events";

const NEWLINE = 0x0a;

/** A stream that several processes write to: one of these for each stream. */
export class Sink {
  readonly #to: NodeJS.WritableStream;
  #room: Promise<void> | undefined;

  constructor(to: NodeJS.WritableStream) {
    this.#to = to;
  }

  /** Resolves when it takes more; false if it never will, for it was closed. */
  async write(bytes: Uint8Array): Promise<boolean> {
    if (this.#isOver) return false;
    if (!this.#to.write(bytes)) await this.#hasRoom();
    return !this.#isOver;
  }

  get #isOver(): boolean {
    return this.#to.writable === false;
  }

  /** All who wait share one set of listeners. */
  #hasRoom(): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    this.#room ??= new Promise((done) => {
      // Its errors are told by whoever it belongs to.
      const events = ["drain", "close", errorMonitor];
      const wake = () => {
        for (const event of events) this.#to.off(event, wake);
        this.#room = undefined;
        done();
      };
      for (const event of events) this.#to.on(event, wake);
    });
    return this.#room;
  }
}

/** Resolves when all is handed over. A writer who is faster than the reader waits; one whose reader has gone is told by a closed pipe. */
export async function copyLines(from: NodeJS.ReadableStream, to: Sink, prefix: string): Promise<void> {
  let rest = Buffer.alloc(0);
  for await (const data of from) {
    const bytes = Buffer.concat([rest, data as Buffer]);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    rest = bytes.subarray(end);
    if (end > 0 && !(await to.write(prefixed(bytes.subarray(0, end), prefix)))) return;
  }
  if (rest.length > 0) await to.write(Buffer.concat([prefixed(rest, prefix), Buffer.from(prefix === "" ? "" : "\n")]));
}

function prefixed(lines: Buffer, prefix: string): Buffer {
  if (prefix === "") return lines;
  const parts: Buffer[] = [];
  for (let at = 0; at < lines.length; ) {
    const newline = lines.indexOf(NEWLINE, at);
    const end = newline === -1 ? lines.length : newline + 1;
    parts.push(Buffer.from(prefix), lines.subarray(at, end));
    at = end;
  }
  return Buffer.concat(parts);
}
