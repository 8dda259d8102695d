/** One job that somebody goes after, until it has ended or is gone. One look at a time, each cheap while nothing moves. */
import type { Disk } from "../disk.ts";
import type { Outcome } from "../outcome.ts";
import { isRootThere, type Root } from "../root.ts";
import type { Place } from "../stage.ts";
import { finishedAs } from "./ended.ts";
import { finishedNameOf, follow, type Trace } from "./trace.ts";

/** How it is over: "unknown": it lies in complete/ without a record of its end; "gone": moved away or removed. */
export interface ChaseEnd {
  readonly is: "ended" | "unknown" | "gone";
  readonly outcome?: Outcome;
}

/** What is known of it after the last look. */
export class Chase {
  readonly #disk: Disk;
  readonly #root: Root;
  #at: Trace;
  #missingSinceMs: number | undefined;
  #end: ChaseEnd | undefined;

  constructor(disk: Disk, root: Root, at: Trace) {
    this.#disk = disk;
    this.#root = root;
    this.#at = at;
  }

  get at(): Trace {
    return this.#at;
  }

  get place(): Place {
    return this.#at.place;
  }

  /** The name by which it goes where it is. */
  get name(): string {
    return this.#at.place === "complete" ? finishedNameOf(this.#at) : this.#at.name;
  }

  /** Undefined while it goes on; and again, if it is run once more. */
  get end(): ChaseEnd | undefined {
    return this.#end;
  }

  /** `strangers`: as for follow(). One that cannot be seen for `patienceS` has gone. Throws what the disk says. */
  look(strangers: ReadonlySet<string>, patienceS: number): void {
    const at = follow(this.#disk, this.#root, this.#at, strangers);
    if (at) {
      // One with another attempt has been run again.
      const known = at.token === this.#at.token ? this.#end : undefined;
      this.#at = at;
      this.#missingSinceMs = undefined;
      this.#end = at.place === "complete" ? (known ?? this.#endOf(at)) : undefined;
      return;
    }
    // One that had ended may be removed.
    if (this.#end || !isRootThere(this.#disk, this.#root)) return;
    this.#missingSinceMs ??= performance.now();
    if (performance.now() - this.#missingSinceMs > patienceS * 1000) this.#end = { is: "gone" };
  }

  /** Undefined for an archive whose job is still on its way. */
  #endOf(at: Trace): ChaseEnd | undefined {
    const outcome = finishedAs(this.#disk, this.#root, finishedNameOf(at))?.outcome;
    if (outcome) return { is: "ended", outcome };
    return at.kind === "file" ? undefined : { is: "unknown" };
  }
}
