/** Names that somebody may have meant who named a job that is not there: read off the disk, but never too often. */
import type { Disk } from "../disk.ts";
import { nearest } from "../nearest.ts";
import { isIgnoredName, type Root } from "../root.ts";

/** A name is compared with so many others at most between two listings of the inbox; beyond that there is no hint. */
const COMPARED_MAX = 20_000;

/** A hint is good for so many listings. */
const LISTINGS_MAX = 10;

/** The nearest names to one that is not there. */
export class NameHints {
  readonly #disk: Disk;
  readonly #root: Root;
  #listing = 0;
  #left = COMPARED_MAX;
  #inbox: readonly string[] = [];
  #all: readonly string[] | undefined;
  readonly #hints = new Map<string, { readonly near: readonly string[]; readonly listing: number }>();

  constructor(disk: Disk, root: Root) {
    this.#disk = disk;
    this.#root = root;
  }

  /** Takes over a new listing of the inbox. */
  list(inbox: readonly string[]): void {
    this.#listing++;
    this.#left = COMPARED_MAX;
    this.#inbox = inbox;
    this.#all = undefined;
    for (const [name, { listing }] of this.#hints) if (this.#listing - listing > LISTINGS_MAX) this.#hints.delete(name);
  }

  /** The names of jobs that are nearest to one that is not there. */
  near(name: string): readonly string[] {
    const known = this.#hints.get(name);
    if (known) return known.near;
    const all = this.#names();
    if (all.length > this.#left) return [];
    this.#left -= all.length;
    const near = nearest(name, all);
    this.#hints.set(name, { near, listing: this.#listing });
    return near;
  }

  #names(): readonly string[] {
    const { pending, complete } = this.#root;
    this.#all ??= [...new Set([...this.#inbox, ...this.#disk.list(pending), ...this.#disk.list(complete)])].filter(
      (name) => !isIgnoredName(name),
    );
    return this.#all;
  }
}
