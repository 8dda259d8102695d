/**
 * The outbox of one target: what it has not been told yet, as files. A message that was delivered is a file that has
 * gone; so whoever comes after a crash finds what is left, and each is told at least once.
 *
 *   .jobmgr/outbox/TARGET/due/TOKEN.json         this end is to be told by itself
 *   .jobmgr/outbox/TARGET/open/TOKEN.json        this end belongs to the batch that goes on
 *   .jobmgr/outbox/TARGET/batch-ID/TOKEN.json    a batch that has drained, to be told in one message
 *   .jobmgr/outbox/TARGET/merged-ID/TOKEN.json   ends that were too many to be told one by one: one message too
 *   .jobmgr/outbox/TARGET/told-ID/               was told, and is to be removed
 *   .jobmgr/outbox/TARGET/failing                what was said when the target began to take nothing
 *
 * "open" becomes "batch-ID", "due" becomes "merged-ID", and both become "told-ID" by one rename each.
 */
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type Disk, putDurably, putForReading } from "../disk.ts";
import { newToken } from "../records.ts";
import type { Root } from "../root.ts";
import { type Ended, type Summary, Tally } from "./message.ts";

/** One message's worth. */
export type Parcel =
  | { readonly is: "single"; readonly id: string; readonly at: number; readonly ended: Ended }
  | { readonly is: "many"; readonly id: string; readonly at: number; readonly summary: Summary };

/** More ends than this are not told one by one, but all in one message. */
const SINGLES_MAX = 100;

/** So many files are read or removed before others get a turn. */
const FILES_AT_ONCE = 100;

const ENTRY = /^(\d{8}T\d{6}-[0-9a-f]{12})\.json$/;
const SEALED = /^(?:batch|merged)-(\d{8}T\d{6}-[0-9a-f]{12})$/;
const FAILING = "failing";
const ENTRY_BYTES_MAX = 64 * 1024;

/** The files of one target. Safe to use anew after a crash at any moment. */
export class Outbox {
  readonly #disk: Disk;
  readonly #folder: string;
  /** What a sealed folder holds does not change, and may be much to read. */
  readonly #summaries = new Map<string, Summary | undefined>();

  constructor(disk: Disk, root: Root, target: string) {
    this.#disk = disk;
    this.#folder = join(root.own, "outbox", target);
  }

  /** Notes an end before its folder moves to complete/. On the device when it resolves. Safe to repeat. */
  async put(ended: Ended, asSingle: boolean, inBatch: boolean): Promise<void> {
    const name = `${ended.token}.json`;
    const text = `${JSON.stringify({ jobmgr: 1, ...ended })}\n`;
    const places = [...(asSingle ? ["due"] : []), ...(inBatch ? ["open"] : [])];
    await Promise.all(places.map((place) => this.#put(place, name, text)));
  }

  async #put(place: string, name: string, text: string): Promise<void> {
    const folder = join(this.#folder, place);
    for (const path of [join(this.#folder, ".."), this.#folder, folder]) this.#disk.makeFolder(path);
    try {
      await putDurably(this.#disk, folder, name, text);
    } catch (error) {
      // It was sealed meanwhile.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      this.#disk.makeFolder(folder);
      await putDurably(this.#disk, folder, name, text);
    }
  }

  /** Closes the batch that goes on, if there is one and none waits to be told: else both become one. */
  seal(now: Date): void {
    if (!this.#sealedNames().some((name) => name.startsWith("batch-"))) this.#seal("open", `batch-${newToken(now)}`, 1);
  }

  /** There may be a batch that goes on. */
  get isOpen(): boolean {
    return this.#disk.look(join(this.#folder, "open")) !== undefined;
  }

  /** What an earlier manager said of a target that takes nothing. */
  failing(): string | undefined {
    return this.#disk.read(join(this.#folder, FAILING))?.toString("utf8");
  }

  /** Keeps what was said of a target that takes nothing; undefined when it does again. */
  noteFailing(text: string | undefined): void {
    if (text !== undefined) putForReading(this.#disk, this.#folder, FAILING, text);
    else if (this.#disk.look(join(this.#folder, FAILING))) this.#disk.remove(join(this.#folder, FAILING));
  }

  #seal(place: string, name: string, least: number): void {
    if (this.#entries(place).length < least) return;
    this.#disk.rename(join(this.#folder, place), join(this.#folder, name));
  }

  /**
   * What is to be told, at most SINGLES_MAX and a few: ends by themselves first, then what has been closed. Jobs that
   * are under way have not arrived in complete/, and wait for a later message.
   */
  async parcels(underWay: ReadonlySet<string>, now: Date): Promise<Parcel[]> {
    const isMerging = this.#sealedNames().some((name) => name.startsWith("merged-"));
    if (!isMerging) this.#seal("due", `merged-${newToken(now)}`, SINGLES_MAX + 1);
    const parcels: Parcel[] = [];
    for (const name of this.#entries("due").slice(0, SINGLES_MAX)) {
      const ended = underWay.has(tokenOf(name)) ? undefined : this.#read("due", name);
      if (ended) parcels.push({ is: "single", id: ended.token, at: Date.parse(ended.at), ended });
    }
    parcels.sort((a, b) => a.at - b.at);
    for (const folder of this.#sealedNames()) {
      const summary = await this.#summaryOf(folder, underWay);
      if (summary) parcels.push({ is: "many", id: folder, at: Date.parse(summary.until), summary });
      else await this.#remove(folder);
    }
    return parcels;
  }

  /** Forgets what was told. From the first effect on it is not told again; safe to repeat. */
  async done(parcel: Parcel): Promise<void> {
    if (parcel.is === "many") return this.#remove(parcel.id);
    const path = join(this.#folder, "due", `${parcel.id}.json`);
    if (this.#disk.look(path)) this.#disk.remove(path);
  }

  /** Removes what was told before a crash. */
  async sweep(): Promise<void> {
    for (const name of this.#names("")) if (name.startsWith("told-")) await this.#empty(name);
  }

  async #remove(sealed: string): Promise<void> {
    this.#summaries.delete(sealed);
    const told = `told-${sealed}`;
    if (this.#disk.look(join(this.#folder, sealed)))
      this.#disk.rename(join(this.#folder, sealed), join(this.#folder, told));
    await this.#empty(told);
  }

  async #empty(told: string): Promise<void> {
    for (const [i, name] of this.#names(told).entries()) {
      this.#disk.remove(join(this.#folder, told, name));
      if (i % FILES_AT_ONCE === FILES_AT_ONCE - 1) await setImmediate();
    }
    if (this.#disk.look(join(this.#folder, told))) this.#disk.removeFolder(join(this.#folder, told));
  }

  async #summaryOf(folder: string, underWay: ReadonlySet<string>): Promise<Summary | undefined> {
    if (this.#summaries.has(folder)) return this.#summaries.get(folder);
    const tally = new Tally();
    for (const [i, name] of this.#entries(folder).entries()) {
      if (underWay.has(tokenOf(name))) this.#putBack(folder, name);
      else {
        const ended = this.#read(folder, name);
        if (ended) tally.add(ended);
      }
      if (i % FILES_AT_ONCE === FILES_AT_ONCE - 1) await setImmediate();
    }
    this.#summaries.set(folder, tally.summary());
    return tally.summary();
  }

  /** One that has not arrived in complete/ was closed with the others: it belongs to the next message. */
  #putBack(sealed: string, name: string): void {
    const home = join(this.#folder, sealed.startsWith("merged-") ? "due" : "open");
    this.#disk.makeFolder(home);
    this.#disk.rename(join(this.#folder, sealed, name), join(home, name));
  }

  #sealedNames(): string[] {
    return this.#names("").filter((name) => SEALED.test(name));
  }

  /** The files of ends in one place, oldest first. */
  #entries(place: string): string[] {
    return this.#names(place)
      .filter((name) => ENTRY.test(name))
      .sort();
  }

  #names(place: string): string[] {
    const folder = join(this.#folder, place);
    return this.#disk.look(folder)?.kind === "folder" ? this.#disk.list(folder) : [];
  }

  /** undefined for what is damaged: there is nothing in it that could be told. */
  #read(place: string, name: string): Ended | undefined {
    const text = this.#disk.read(join(this.#folder, place, name), ENTRY_BYTES_MAX)?.toString("utf8");
    try {
      const ended = JSON.parse(text ?? "") as Ended;
      const isWhole = ended.token === tokenOf(name) && !Number.isNaN(Date.parse(ended.at));
      return isWhole && typeof ended.name === "string" && typeof ended.result === "string" ? ended : undefined;
    } catch {
      return undefined;
    }
  }
}

function tokenOf(name: string): string {
  return ENTRY.exec(name)?.[1] ?? "";
}
