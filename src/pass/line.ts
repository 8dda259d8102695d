/**
 * The line to an engine: whether it answers and takes jobs, and when it was asked last. Of an outage is told once, and
 * when it is over.
 */
import type { Engine } from "../engine.ts";
import type { ManagerWord } from "../manager-word.ts";
import { durationText } from "../outcome.ts";
import { engineKey } from "../records.ts";
import { engineIn, type World } from "../steps/world.ts";
import type { Life } from "./life.ts";
import type { Limits } from "./limits.ts";
import type { Problems } from "./problems.ts";
import { Reach } from "./reach.ts";

/** Of the time between two questions: a timer that comes a little early is not to miss its turn. */
const ALMOST = 0.95;

/** What one manager knows of one engine. */
export class Line {
  /** Which engine it is, among all of them. */
  readonly id: string;
  /** What the steps of its jobs are given. */
  readonly world: World;
  readonly limits: Limits;
  readonly #life: Life;
  readonly #problems: Problems;
  readonly #reach = new Reach();
  #polledAtMs = Number.NEGATIVE_INFINITY;
  /** Somebody wants to know sooner than at the next regular check. */
  #isWanted = false;

  /** What stands behind the words for its problems: nothing for today's engine. */
  readonly #mark: string;

  /** `isToday`: it is given new jobs. */
  constructor(world: World, limits: Limits, life: Life, problems: Problems, isToday = true) {
    this.id = engineKey(engineIn(world));
    this.world = world;
    this.limits = limits;
    this.#life = life;
    this.#problems = problems;
    this.#mark = isToday ? "" : ` ${this.id}`;
  }

  /** What a problem of it is about. */
  about(word: "engine" | "full" | "cancel"): string {
    return `${word}${this.#mark}`;
  }

  /** It has no jobs any more: what was wrong with it is of no interest. */
  rests(): void {
    this.#problems.forget(this.about("engine"), this.about("full"), this.about("cancel"));
  }

  get engine(): Engine {
    return this.world.engine;
  }

  /** Whether it may be asked for news: it is not out of reach, and was not asked a moment ago. */
  get mayBeAsked(): boolean {
    return this.#reach.mayBeAsked && performance.now() >= this.#againAtMs;
  }

  /** When it may be asked again. */
  get #againAtMs(): number {
    return this.#polledAtMs + this.queryMs;
  }

  /** The least time between two questions. */
  get queryMs(): number {
    return this.limits.queryS * 1000 * ALMOST;
  }

  /** It is asked for news now. */
  asks(): void {
    this.#polledAtMs = performance.now();
    this.#isWanted = false;
  }

  /** Lets it be asked as soon as it may be asked at all. */
  askSoon(): void {
    const spareMs = (this.limits.queryS - this.limits.queryLeastS) * 1000;
    this.#polledAtMs = Math.min(this.#polledAtMs, performance.now() - spareMs);
    this.#isWanted = true;
  }

  /** It has told the news. `isTried`: some job still waits to be submitted. */
  pollAnswered(isTried: boolean): void {
    this.#resolveOutage(this.#reach.pollAnswered(isTried));
  }

  /** It has taken a job, or refused it for good. */
  submitAnswered(): void {
    this.#resolveOutage(this.#reach.submitAnswered());
    this.#problems.resolve(this.about("full"), "info", `${this.engine.name} takes jobs again.`);
  }

  /** It answers, and has no room for another job. */
  full(error: Error): void {
    this.#reach.full();
    this.#problems.report(
      this.about("full"),
      "warn",
      `${this.engine.name} takes no more for now; jobs wait. ${error.message}`,
    );
  }

  /** One of its jobs has ended, so that a limit may leave room for another. */
  roomMade(): void {
    this.#reach.roomMade();
  }

  /** It did not answer such a request. What it says of that may change while the outage lasts. */
  failed(error: unknown, request: "poll" | "submit"): void {
    if (this.#life.endsBy(error)) return;
    this.#reach.failed(request);
    const text = `${this.engine.name} does not answer; no job changes its state. ${(error as Error).message}`;
    const about = this.about("engine");
    if (this.#problems.has(about)) {
      this.#problems.note("debug", text);
      this.#problems.keep(about, text);
    } else this.#problems.report(about, "warn", text);
  }

  /** Whether it takes jobs, as far as is known. */
  get takesJobs(): boolean {
    return this.#reach.takesJobs;
  }

  /** Whether a submission may be tried now. */
  get maySubmit(): boolean {
    return performance.now() >= this.#reach.submitAtMs;
  }

  /** For `jobmgr status` and figures; undefined while there is none, or no job of it is left. */
  get outage(): ManagerWord["outage"] {
    const text = this.#problems.all.get(this.about("engine"));
    const { outageMs } = this.#reach;
    if (text === undefined || outageMs === undefined) return undefined;
    return { since: new Date(Date.now() - outageMs).toISOString(), text };
  }

  /** All times at which something is tried again, or may be asked. */
  get retryAtMs(): readonly number[] {
    return this.#isWanted ? [...this.#reach.retryAtMs, this.#againAtMs] : this.#reach.retryAtMs;
  }

  #resolveOutage(tookS: number | undefined): void {
    if (tookS === undefined) return;
    const text = `${this.engine.name} answers again, after ${durationText(tookS)}.`;
    this.#problems.resolve(this.about("engine"), "info", text);
  }
}
