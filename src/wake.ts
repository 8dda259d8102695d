/**
 * "Look again": file events of the inbox. They carry no facts, they may be lost, and on a network file system none
 * may come at all; whoever waits here looks again from time to time anyway. The only importer of chokidar.
 */
import { type FSWatcher, watch } from "chokidar";

/** chokidar looks at every entry when something changes; beyond this size that costs more than it gives. */
const ENTRIES_MAX = 200;

/** Watches one folder, as long as that costs less than it gives. */
export class InboxWatch {
  readonly #inbox: string;
  readonly #wake: () => void;
  #watcher: FSWatcher | undefined;

  constructor(inbox: string, wake: () => void) {
    this.#inbox = inbox;
    this.#wake = wake;
  }

  /**
   * Watches while that is of use: while folders are known to wait, an event says nothing that the next check does not
   * find, and each of our own moves would be one.
   */
  adapt(entries: number, known: number): void {
    if (known > 0 || entries > ENTRIES_MAX) return this.close();
    if (this.#watcher) return;
    this.#watcher = watch(this.#inbox, { depth: 0, ignoreInitial: true, ignored: (path) => path !== this.#inbox });
    // The raw event comes before chokidar has looked at anything, which is all that is needed here.
    this.#watcher.on("raw", () => this.#wake());
    // No watches left, or a file system without events: the regular check does the work.
    this.#watcher.on("error", () => this.close());
  }

  close(): void {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    watcher?.close().catch(() => {});
  }
}
