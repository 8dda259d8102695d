/** Telling people: ends are noted in an outbox for each target, and told from there. It never holds up a job. */
import type { Disk } from "../disk.ts";
import type { Event } from "../events.ts";
import type { Root } from "../root.ts";
import type { Ending, Notices } from "../steps/world.ts";
import { Courier, type Office } from "./courier.ts";
import { type Ended, occasionOf } from "./message.ts";
import { Outbox } from "./outbox.ts";
import type { Rules } from "./rules.ts";
import type { Target } from "./target.ts";

/** What the notifier asks of the pass. */
export interface Jobs {
  /** Tokens of the jobs that have not arrived in complete/. */
  underWay(): ReadonlySet<string>;
  /** Whether something goes on, or waits and could run; "settling": only folders that become ready by themselves. */
  readonly rest: "busy" | "settling" | "drained";
  problem(about: string, text: string | undefined, wasSaid?: boolean): void;
}

/** Folders that settle for longer than this hold no message back: somebody writes into one for ever. */
const SETTLING_MS = 3_600_000;

/** All targets of one manager: notes ends, and lets couriers tell them. */
export class Notifier implements Notices {
  readonly #rules: Rules;
  readonly #office: Omit<Office, "underWay" | "problem">;
  readonly #posts: readonly { outbox: Outbox; courier: Courier; name: string }[];
  #jobs: Jobs | undefined;
  #settlingSinceMs: number | undefined;
  /** Since the last check something was taken in, or has ended: that may have made others ready. */
  #hasMoved = false;
  /** Noted for the batch that goes on, by this manager. */
  #inBatch = 0;
  /** There may be a batch that goes on. */
  #isOpen = true;

  constructor(
    disk: Disk,
    root: Root,
    host: string,
    rules: Rules,
    targets: readonly Target[],
    office: Omit<Office, "underWay" | "problem">,
  ) {
    this.#rules = rules;
    this.#office = office;
    const sender = { root: root.path, complete: root.complete, host };
    const whole: Office = {
      ...office,
      underWay: () => this.#jobs?.underWay() ?? new Set(),
      problem: (...what) => this.#jobs?.problem(...what),
    };
    this.#posts = targets.map((target) => {
      const outbox = new Outbox(disk, root, target.name);
      return { outbox, courier: new Courier(target, outbox, rules, sender, whole), name: target.name };
    });
  }

  async put(ending: Ending): Promise<void> {
    const ended = endedOf(ending);
    const asSingle = occasionOf(ended, this.#rules.on) !== undefined;
    const inBatch = this.#rules.on.has("batch");
    if (!asSingle && !inBatch) return;
    this.#isOpen = true;
    if (inBatch) this.#inBatch++;
    for (const { outbox, name } of this.#posts) {
      await outbox.put(ended, asSingle, inBatch).then(
        () => this.#jobs?.problem(`note ${name}`, undefined),
        (error) => this.#notNoted(name, ended.name, error),
      );
    }
  }

  #notNoted(target: string, job: string, error: unknown): void {
    const text = `Nobody is told by ${target} how ${job} ended, nor others, for the outbox cannot be written: ${(error as Error).message}`;
    this.#jobs?.problem(`note ${target}`, text);
  }

  /** Hears what happens, and tells what is due. Returns at once. */
  hear(event: Event, jobs: Jobs): void {
    if (event.is === "note") return;
    const isFirst = this.#jobs === undefined;
    this.#jobs = jobs;
    if (event.is !== "check") this.#hasMoved = true;
    const isSealed = event.is === "check" && this.#seal(jobs, !this.#hasMoved && this.#isOver(jobs));
    if (event.is === "check") this.#hasMoved = false;
    if (isFirst || isSealed || event.is === "finished") this.#poke();
  }

  /** Tells all that can be told now, waiting for no longer than this. `isLast`: nothing will be taken in any more. */
  async flush(jobs: Jobs, isLast: boolean, patienceMs: number): Promise<void> {
    this.#jobs = jobs;
    if (isLast) this.#seal(jobs, jobs.rest === "drained");
    this.#poke();
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patienceMs);
    });
    await Promise.race([limit, Promise.all(this.#posts.map(({ courier }) => courier.idle()))]);
    clearTimeout(timer);
  }

  /** Begins nothing new, and gives up what is under way after so many milliseconds; the next manager goes on. */
  async close(patienceMs: number): Promise<void> {
    await Promise.all(this.#posts.map(({ courier }) => courier.close(patienceMs)));
  }

  #poke(): void {
    for (const { courier } of this.#posts) courier.poke();
  }

  /** Closes the batch that goes on, if it is over, or has grown too large. */
  #seal(jobs: Jobs, isOver: boolean): boolean {
    if (!this.#isOpen || !(isOver || this.#inBatch >= this.#rules.batchMax)) return false;
    try {
      this.#office.assertOwned();
      for (const { outbox } of this.#posts) outbox.seal(new Date());
      this.#isOpen = this.#posts.some(({ outbox }) => outbox.isOpen);
      this.#inBatch = 0;
      jobs.problem("drain", undefined);
      return true;
    } catch (error) {
      jobs.problem(
        "drain",
        `The message about a batch waits, for its outbox cannot be used: ${(error as Error).message}`,
      );
      return false;
    }
  }

  /** Nothing is left that it should wait for. */
  #isOver({ rest }: Jobs): boolean {
    const now = performance.now();
    this.#settlingSinceMs = rest === "settling" ? (this.#settlingSinceMs ?? now) : undefined;
    return rest === "drained" || (this.#settlingSinceMs !== undefined && now - this.#settlingSinceMs > SETTLING_MS);
  }
}

const WHY_LENGTH_MAX = 2000;

function endedOf({ token, name, record, id }: Ending): Ended {
  const { is: result, why, exitCode, signal, after } = record.outcome;
  const { startedAt, endedAt } = record;
  return {
    token,
    name,
    result,
    why: why.length > WHY_LENGTH_MAX ? `${why.slice(0, WHY_LENGTH_MAX)}...` : why,
    ...(exitCode !== undefined && { exitCode }),
    ...(signal !== undefined && { signal }),
    ...(id !== undefined && { id }),
    ...(startedAt !== undefined && { startedAt }),
    ...(endedAt !== undefined && { endedAt }),
    ...(after !== undefined && { isConsequence: true }),
    at: new Date().toISOString(),
  };
}
