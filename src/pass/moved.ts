/**
 * Folders of the inbox in which a job may still run, for somebody has moved them out of pending/ meanwhile. A second attempt
 * would run beside it: so each waits there until the engine of that job says that it runs no more.
 */
import { basename, dirname } from "node:path";
import type { News, Submitted, Token } from "../engine.ts";
import type { Inbox } from "../inbox/inbox.ts";
import { type Unended, unendedIn } from "../inbox/unended.ts";
import { attemptFolder, engineKey, type Intent, RecordError } from "../records.ts";
import { jobFolder } from "../root.ts";
import { attemptOf } from "../steps/see.ts";
import type { World } from "../steps/world.ts";
import type { Life } from "./life.ts";
import type { Line } from "./line.ts";
import type { Lines } from "./lines.ts";
import type { Problems } from "./problems.ts";

/** A folder in which a job may run. */
interface Moved {
  readonly name: string;
  unended: Unended;
  /** Since the last look. */
  asked: boolean;
  /** By the answer since the last look. */
  isOver: boolean;
  /** What the last answer says beside that. */
  more: string | undefined;
}

interface Parts {
  readonly world: World;
  readonly life: Life;
  readonly lines: Lines;
  readonly inbox: Inbox;
  readonly problems: Problems;
  /** Something that is known may go on. */
  readonly wake: () => void;
}

/** Asks for them: at most once a check, and no more often than an engine is asked for its jobs. */
export class MovedFolders {
  readonly #parts: Parts;
  readonly #all = new Map<Token, Moved>();
  readonly #asking = new Map<Line, Promise<void>>();
  readonly #askedAtMs = new Map<Line, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** What was heard is old from now on; what has left the inbox is forgotten. */
  look(): void {
    const { world, problems } = this.#parts;
    for (const [token, moved] of this.#all) {
      if (world.disk.look(attemptFolder(jobFolder(world.root, "inbox", moved.name), token))) {
        moved.asked = false;
        moved.isOver = false;
        continue;
      }
      this.#all.delete(token);
      problems.forget(aboutMoved(moved));
    }
  }

  /** Why a folder of the inbox is not to be taken yet; undefined if nothing runs in it. Throws what the disk throws. */
  whyItWaits(name: string): string | undefined {
    const { world, lines, problems } = this.#parts;
    let all: readonly Unended[];
    try {
      all = unendedIn(world.disk, world.root, { place: "inbox", name });
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      problems.report(`inbox/${name}`, "error", `${name} cannot be taken in: ${error.message}`);
      return error.message;
    }
    for (const moved of this.#all.values()) {
      if (moved.name === name && all.every(({ token }) => token !== moved.unended.token)) this.#forget(moved);
    }
    const unended = all.find(({ token }) => !this.#all.get(token)?.isOver);
    if (!unended) return undefined;
    const moved = this.#all.get(unended.token) ?? { name, unended, asked: false, isOver: false, more: undefined };
    moved.unended = unended;
    this.#all.set(unended.token, moved);
    return whyOf(moved, lines.has(unended.intent));
  }

  /** The engines that are to be asked, each by the intent of a job. */
  get intents(): readonly Intent[] {
    return [...this.#all.values()].filter(({ asked }) => !asked).map(({ unended }) => unended.intent);
  }

  /** What is under way; each resolves when it has ended, and never rejects. */
  get busy(): readonly Promise<void>[] {
    return [...this.#asking.values()];
  }

  /** Begins to ask for those that were found, of the engines that are here. */
  ask(): void {
    const { life, lines } = this.#parts;
    if (life.isOver) return;
    const all = [...this.#all.values()].filter(({ asked }) => !asked);
    for (const line of all.length === 0 ? [] : lines.all) {
      const its = all.filter(({ unended }) => engineKey(unended.intent) === line.id);
      const isDue = performance.now() - (this.#askedAtMs.get(line) ?? Number.NEGATIVE_INFINITY) >= line.queryMs;
      if (its.length === 0 || !isDue || this.#asking.has(line)) continue;
      this.#askedAtMs.set(line, performance.now());
      this.#asking.set(
        line,
        this.#askOf(line, its).finally(() => this.#asking.delete(line)),
      );
    }
  }

  async #askOf(line: Line, all: readonly Moved[]): Promise<void> {
    const { life } = this.#parts;
    for (const moved of all) moved.asked = true;
    try {
      const jobs: Submitted[] = [];
      for (const moved of all) {
        const job = await this.#jobIn(line, moved);
        if (job === undefined) this.#over(moved);
        else if ("why" in job) this.#goesOn(moved, job.why);
        else jobs.push(job);
      }
      const news = jobs.length > 0 ? await line.engine.poll(jobs, life.signal) : new Map<Token, News>();
      for (const moved of all) if (jobs.some(({ token }) => token === moved.unended.token)) this.#hear(moved, news);
    } catch (error) {
      if (life.endsBy(error) || life.isOver) return;
      const why = `${line.engine.name} does not answer: ${(error as Error).message}`;
      for (const moved of all) if (!moved.isOver) this.#goesOn(moved, why);
    }
  }

  /**
   * What an engine can be asked for; undefined if nothing of it runs. Of an array that has no scheduler, no more than the
   * tasks that have begun: their engine might begin with the others when it is asked for them.
   */
  async #jobIn({ engine }: Line, { name, unended }: Moved): Promise<Submitted | { why: string } | undefined> {
    const { world, life } = this.#parts;
    const runners = unended.runners.filter(({ started }) => started || engine.hasQueue);
    if (runners.length === 0) return undefined;
    const { intent } = unended;
    const { runner } = attemptOf(jobFolder(world.root, "pending", name), intent);
    const whole = attemptOf(jobFolder(world.root, "inbox", name), intent);
    const tasks = runners.map(({ task }) => task).filter((task) => task !== undefined);
    const attempt = { ...whole, runner: intent.runner ?? runner, plan: { ...whole.plan, tasks } };
    if (unended.handle !== undefined) return { ...attempt, handle: unended.handle };
    const found = await engine.find(attempt, life.signal);
    if (found.is === "found") return { ...attempt, handle: found.handle };
    return found.is === "unsure" ? { why: found.why } : undefined;
  }

  /** What waits in a queue starts no more: its runner finds no folder where it looks for one. */
  #hear(moved: Moved, all: ReadonlyMap<Token, News>): void {
    const news = all.get(moved.unended.token);
    if (news?.is === "ended" || news?.is === "missing" || news?.is === "queued") return this.#over(moved);
    this.#goesOn(moved, news?.is === "unknown" ? news.word : news?.is === "ending" ? news.why : undefined);
  }

  #goesOn(moved: Moved, more: string | undefined): void {
    const { problems } = this.#parts;
    // Meanwhile it may have left the inbox.
    if (this.#all.get(moved.unended.token) !== moved) return;
    moved.more = more;
    problems.report(aboutMoved(moved), "warn", `${moved.name} ${whyOf(moved, true)}.`);
  }

  #over(moved: Moved): void {
    const { inbox, wake } = this.#parts;
    moved.isOver = true;
    this.#tellEnd(moved);
    inbox.insert(moved.name);
    wake();
  }

  /** Its runner has left its record where the folder lies now: nobody needs to be asked. */
  #forget(moved: Moved): void {
    this.#all.delete(moved.unended.token);
    this.#tellEnd(moved);
  }

  #tellEnd(moved: Moved): void {
    this.#parts.problems.resolve(aboutMoved(moved), "info", `Nothing runs in ${moved.name} any more.`);
  }
}

function aboutMoved({ name }: Moved): string {
  return `moved ${name}`;
}

/** A sentence for people: what is waited for, and what they can do. */
function whyOf({ unended, more }: Moved, isEngineHere: boolean): string {
  const engine = engineKey(unended.intent);
  const job = unended.toldId === undefined ? `a job of ${engine}` : `job ${unended.toldId} of ${engine}`;
  const told = more === undefined ? "" : ` (${more.replace(/\.$/, "")})`;
  const untold = isEngineHere
    ? ""
    : ` ${engine} is needed for that: start jobmgr with -e ${unended.intent.engine} where it can be used.`;
  // Its runner leaves its record there, and nowhere else.
  const back = unended.intent.runner === undefined ? "" : basename(dirname(dirname(dirname(unended.intent.runner))));
  return (
    `waits for ${job}, which may still run in this folder${told}: it was moved out of pending/ before its end was seen. ` +
    `It is taken when that job has ended.${untold} To let it go on, or to cancel it, move the folder back to pending/${back}. ` +
    "To make a new job of it all the same, remove its .jobmgr"
  );
}
