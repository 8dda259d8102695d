/** Where a job is by now: it moves from place to place, and may get another name on the way. */
import { join } from "node:path";
import { folderOfJob } from "../archive/finished.ts";
import { arrivalName } from "../archive/names.ts";
import type { Disk } from "../disk.ts";
import type { Token } from "../engine.ts";
import { attemptFolder, pastFolder } from "../records.ts";
import type { Root } from "../root.ts";
import { type JobRef, namesIn } from "../selection.ts";
import type { Place } from "../stage.ts";

/** In the order in which a job moves, and may move back: who looks in this order cannot miss it twice. */
const WAYS: readonly Place[] = ["pending", "complete", "inbox"];

/** Finds a job again that is followed. */
export class Whereabouts {
  readonly #disk: Disk;
  readonly #root: Root;
  /** Other jobs of the same name, which were there before. */
  readonly #others: ReadonlySet<string>;
  #last: JobRef;

  constructor(disk: Disk, root: Root, job: JobRef) {
    this.#disk = disk;
    this.#root = root;
    this.#last = job;
    const namesakes = WAYS.flatMap((place) => this.#namesakes(place).map((name) => `${place}/${name}`));
    this.#others = new Set(namesakes.filter((one) => one !== `${job.place}/${job.name}`));
  }

  /** Where it is; undefined if it is nowhere. `token`: one of its attempts, if that is known. */
  find(token: Token | undefined): JobRef | undefined {
    if (this.#isIt(this.#last, token)) return this.#last;
    for (const place of WAYS) {
      for (const name of this.#namesakes(place)) {
        const job = { place, name };
        if (!this.#isIt(job, token)) continue;
        this.#last = job;
        return job;
      }
    }
    return undefined;
  }

  #isIt({ place, name }: JobRef, token: Token | undefined): boolean {
    const folder = folderOfJob(this.#disk, this.#root, { place, name });
    const kind = this.#disk.look(folder)?.kind;
    // An archive or a script, which becomes a folder when it is taken.
    const isFile = place === "inbox" && kind === "file" && arrivalName(name) !== undefined && token === undefined;
    if (kind !== "folder" && !isFile) return false;
    if (token === undefined) return !this.#others.has(`${place}/${name}`);
    if (this.#disk.look(join(folder, ".jobmgr"))?.kind !== "folder") return false;
    return [attemptFolder, pastFolder].some((at) => this.#disk.look(at(folder, token))?.kind === "folder");
  }

  /** NAME, NAME~2, ... as far as they are there. */
  #namesakes(place: Place): string[] {
    const { name, place: lastPlace } = this.#last;
    const job = (lastPlace === "inbox" ? arrivalName(name)?.name : undefined) ?? name;
    const first = job.replace(/~\d+$/, "");
    return namesIn(this.#disk, this.#root, place).filter((one) => one === first || one.startsWith(`${first}~`));
  }
}
