/** What is taken in from the inbox, and when: while there is room, and nothing speaks against it. */
import type { Brakes } from "../brakes.ts";
import type { Say } from "../events.ts";
import { type Circle, circleText } from "../inbox/after.ts";
import type { Inbox } from "../inbox/inbox.ts";
import { jobFolder } from "../root.ts";
import { readScript } from "../script-file.ts";
import { claim } from "../steps/claim.ts";
import type { Beside } from "./beside.ts";
import { type Guard, isGone } from "./guard.ts";
import { isOnItsWay } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import type { Life } from "./life.ts";
import type { Limits } from "./limits.ts";
import type { Lines } from "./lines.ts";
import type { Places } from "./places.ts";
import type { Problems } from "./problems.ts";
import type { Walks } from "./walks.ts";

/** So many folders at a time are told that they are not to be run. */
const ENDINGS_MAX = 64;

/** So many circles of jobs that wait for each other are reported. */
const CIRCLES_MAX = 20;

interface Parts {
  readonly limits: Limits;
  readonly life: Life;
  readonly jobs: Jobs;
  readonly inbox: Inbox;
  readonly beside: Beside;
  readonly lines: Lines;
  readonly places: Places;
  readonly brakes: Brakes;
  readonly guard: Guard;
  readonly walks: Walks;
  readonly problems: Problems;
  readonly say: Say;
  /** Something that is known may go on. */
  readonly wake: () => void;
}

/** The way from the inbox to pending/. */
export class Intake {
  readonly #parts: Parts;
  #next: { name: string; places: number } | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Lists the inbox anew, and tells what is wrong in it. Throws if it cannot be listed. */
  look(): void {
    const { inbox, problems } = this.#parts;
    for (const name of inbox.list()) {
      problems.report(
        `inbox/${name}`,
        "warn",
        `inbox/${name} has a name that is not UTF-8, so that it cannot be opened. Rename it.`,
      );
    }
    const circles = inbox.circles.slice(0, CIRCLES_MAX);
    const abouts = new Set(circles.map(aboutCircle));
    for (const about of problems.all.keys())
      if (about.startsWith("circle ") && !abouts.has(about)) problems.resolve(about, "info", `A ${about} is no more.`);
    for (const circle of circles) problems.report(aboutCircle(circle), "warn", `${circleText(circle)}.`);
  }

  /** Folders that are not to be run need no place, and are told so while the root is paused, or the queue full. */
  takeInEndings(): void {
    const { life, guard, brakes, jobs, inbox } = this.#parts;
    if (life.isOver || guard.isTooMuch || brakes.spent) return;
    const underWay = jobs.all.filter((job) => job.ending).length;
    for (const { name, signature } of inbox.endings(ENDINGS_MAX - underWay)) this.#claim(name, signature, true);
  }

  /** The next to be taken, if it waits for more places than are free. */
  get next(): { readonly name: string; readonly places: number } | undefined {
    return this.#next;
  }

  /** Takes in what is ready, in the order of the names, as long as there are places. */
  takeIn(): void {
    const { limits, life, inbox, beside, places, brakes, wake } = this.#parts;
    this.#next = undefined;
    if (life.isOver || !this.#isOpen()) return;
    while (!brakes.spent && !beside.holdsTurn) {
      const { free } = places;
      if (free <= 0 || places.waiting >= limits.pendingMax || places.isTurnFull) return;
      const next = inbox.peek(beside.mayUnpack);
      if (next === "later") return wake();
      if (next?.isFile) {
        beside.unpack(next.name, next.signature);
        continue;
      }
      if (!next) return;
      const needed = this.#placesOf(next.name);
      if (needed > free) {
        this.#next = { name: next.name, places: needed };
        return;
      }
      this.#claim(next.name, next.signature, false);
    }
  }

  #isOpen(): boolean {
    const { limits, jobs, lines, brakes, guard, problems } = this.#parts;
    const line = lines.today;
    const paused = line.world.disk.look(limits.pauseFile) !== undefined;
    if (paused)
      problems.report("pause", "info", `Paused by ${limits.pauseFile}: nothing is taken in until it is removed.`);
    else problems.resolve("pause", "info", "The pause file has gone: jobs are taken in again.");
    if (guard.isTooMuch) return false;
    // While the engine takes none, those that are on their way find out when it does.
    const isProbed = !line.takesJobs && jobs.all.some((job) => lines.of(job) === line && isOnItsWay(job, true));
    return !paused && brakes.pausedForMs(performance.now()) === 0 && line.maySubmit && !isProbed;
  }

  /** How many places a folder of the inbox needs; one that cannot be run needs one, to be told so. */
  #placesOf(name: string): number {
    const { disk, root, engine } = this.#parts.lines.today.world;
    try {
      const read = readScript(disk, jobFolder(root, "inbox", name), name);
      if ("fault" in read) return 1;
      return Math.min(engine.plan(read.script).places, this.#parts.limits.jobsMax);
    } catch {
      return 1;
    }
  }

  #claim(name: string, signature: string | undefined, ending: boolean): void {
    const { lines, life, inbox, jobs, walks, problems, say } = this.#parts;
    const { world } = lines.today;
    try {
      const taken = claim(world, name, signature);
      if (taken === undefined) {
        const why = "it changed while it was taken, so that it was put back";
        return inbox.putBack(name, why, world.rules.settleS);
      }
      inbox.pass(name);
      problems.resolve(`inbox/${name}`, "debug", `inbox/${name} could be taken.`);
      say({ is: "claimed", name: taken });
      const job = jobs.add(taken, true);
      job.seen = { stage: "claimed" };
      job.ending = ending;
      walks.start(job);
    } catch (error) {
      if (life.endsBy(error)) return inbox.pass(name);
      // Somebody was faster, who removed it or moved it away.
      if (isGone(world, "inbox", name)) return inbox.pass(name);
      inbox.putBack(name, (error as Error).message);
      problems.report(`inbox/${name}`, "error", `${name} cannot be taken in: ${(error as Error).message}`);
    }
  }
}

function aboutCircle({ names }: Circle): string {
  return `circle of ${names.length} with "${names[0]}"`;
}
