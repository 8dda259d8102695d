/**
 * What goes on beside the steps of jobs, because it may take long: files of the inbox become folders, finished folders
 * become archives. One of each at a time.
 */
import { Results } from "../archive/results.ts";
import { diskTroubleText } from "../disk-error.ts";
import { Arrivals } from "../inbox/arrivals.ts";
import type { Arrived } from "../inbox/arriving.ts";
import type { Inbox } from "../inbox/inbox.ts";
import type { World } from "../steps/world.ts";
import type { Jobs } from "./jobs.ts";
import type { Life } from "./life.ts";
import type { Problems } from "./problems.ts";

interface Parts {
  readonly world: World;
  readonly life: Life;
  readonly jobs: Jobs;
  readonly inbox: Inbox;
  readonly problems: Problems;
  /** Something that is known may go on. */
  readonly wake: () => void;
}

/** Begins it, and tells of it. */
export class Beside {
  readonly #parts: Parts;
  readonly #arrivals: Arrivals;
  readonly #results: Results;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#arrivals = this.#makeArrivals();
    this.#results = this.#makeResults();
  }

  /** Looks what a crash, or an earlier manager, has left to do. Throws if that cannot be listed. */
  look(): void {
    this.#arrivals.recover();
    this.#results.look(this.#parts.jobs.tokens);
  }

  /** Lets a folder be made of a file of the inbox, if nothing else is made, and leaves the file behind for now. */
  unpack(file: string, signature: string): void {
    const { why, againInS } = this.#arrivals.begin(file, signature);
    this.#parts.inbox.putBack(file, why, againInS);
  }

  /** Whether another file may be begun with. */
  get mayUnpack(): boolean {
    return this.#arrivals.busy === undefined;
  }

  /** A file has its turn, and will be a folder in a moment: those behind it wait. */
  get holdsTurn(): boolean {
    return this.#arrivals.holdsTurn;
  }

  /** The folder of this attempt has arrived in complete/: it is packed, if it is to be. */
  packSoon(token: string): void {
    this.#results.arrived(token);
  }

  /** Packs the next finished folder, if none is packed now. */
  packNext(): void {
    this.#results.advance();
  }

  /** What is under way; each resolves when it has ended, and never rejects. */
  get busy(): readonly Promise<void>[] {
    return [this.#arrivals.busy, this.#results.busy].filter((busy) => busy !== undefined);
  }

  /** All times at which something is tried again. */
  get retryAtMs(): readonly number[] {
    return this.#results.retryAtMs;
  }

  #makeArrivals(): Arrivals {
    const { world, life, inbox, problems, wake } = this.#parts;
    return new Arrivals(world, life.signal, {
      arrived: (file, arrived) => this.#arrived(file, arrived),
      waits: (file, why, againInS) => {
        inbox.expect(file, why, againInS);
        problems.report(`inbox/${file}`, "warn", `${file} waits: ${why.replace(/\.$/, "")}.`);
        wake();
      },
      failed: (error) => this.#failed("arrivals", error),
      slow: () => wake(),
      recovered: () => {
        problems.resolve("arrivals", "info", "What was left of archives is in order.");
        wake();
      },
    });
  }

  /** A file has become a folder, which is ready, or is in pending/ because it is refused. */
  #arrived(file: string | undefined, { place, name }: Arrived): void {
    const { jobs, inbox, problems, wake } = this.#parts;
    if (file !== undefined) problems.resolve(`inbox/${file}`, "info", `${file} goes on.`);
    if (place === "inbox") inbox.insert(name);
    else if (!jobs.has(name)) jobs.look(jobs.add(name, false));
    wake();
  }

  #makeResults(): Results {
    const { world, life, problems, wake } = this.#parts;
    return new Results(world, life.signal, {
      packed: (token, file) => {
        problems.resolve(`pack ${token}`, "info", `complete/${file} could be packed.`);
        problems.note("debug", `complete/${file} is packed.`);
        wake();
      },
      waits: (token, error) => {
        problems.report(`pack ${token}`, "warn", `The archive of ${token} waits: ${diskTroubleText(error)}`);
        wake();
      },
      gaveUp: (token, error) => {
        problems.forget(`pack ${token}`);
        problems.note(
          "warn",
          `No archive is put into complete/ for a finished folder, which is there as it is: ${error.message}`,
        );
        wake();
      },
      failed: (error) => this.#failed("results", error),
    });
  }

  /** Something went wrong that is done again at the next check. */
  #failed(about: string, error: unknown): void {
    const { life, problems, wake } = this.#parts;
    if (!life.endsBy(error))
      problems.report(about, "warn", `What is left of archives waits: ${diskTroubleText(error)}`);
    wake();
  }
}
