/**
 * The places of the engine's queue: how many are taken, how many may be prepared ahead, and who waits for one. Jobs of
 * other engines than today's have places of their own there.
 */
import type { Brakes } from "../brakes.ts";
import { isBehind, isInQueue, isOnItsWay, type Job, placesOf } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import type { Life } from "./life.ts";
import type { Limits } from "./limits.ts";
import type { Line } from "./line.ts";
import type { Lines } from "./lines.ts";

const AHEAD_MS = 1000;

/** Enough for the next submission never to wait for a disk. */
const ON_THEIR_WAY_MAX = 8;

/** Counted anew from the jobs each time; remembered is only when jobs ended of late. */
export class Places {
  readonly #limits: Limits;
  readonly #life: Life;
  readonly #jobs: Jobs;
  readonly #lines: Lines;
  readonly #brakes: Brakes;
  /** When jobs ended of late, oldest first. */
  readonly #endedAtMs: number[] = [];
  readonly #whoWaits = new Set<() => void>();

  constructor(limits: Limits, life: Life, jobs: Jobs, lines: Lines, brakes: Brakes) {
    this.#limits = limits;
    this.#life = life;
    this.#jobs = jobs;
    this.#lines = lines;
    this.#brakes = brakes;
  }

  /** One of our jobs has ended. */
  jobEnded(): void {
    this.#endedAtMs.push(performance.now());
  }

  /** For jobs of the inbox; fewer than none if more are on their way than there are places. */
  get free(): number {
    return this.#limits.jobsMax + this.#ahead() - this.taken;
  }

  /** By jobs that are in the engine's queue, or on their way there. */
  get taken(): number {
    return this.#sum(this.#lines.today, (job) => isInQueue(job) || isOnItsWay(job, this.#hasQueue(job)));
  }

  /** Jobs that wait in the engine's queue, as far as is known, or will soon. */
  get waiting(): number {
    return this.#ofToday.filter((job) => {
      if (job.news !== undefined) return job.news.is === "queued";
      return this.#hasQueue(job) && (isOnItsWay(job, true) || isInQueue(job));
    }).length;
  }

  /**
   * How many more may go behind others in the queue: those that wait there for others take at most half of the places, so
   * that they keep out none that could run.
   */
  get freeBehind(): number {
    const { jobsMax, pendingMax } = this.#limits;
    return Math.floor(Math.min(jobsMax, pendingMax) / 2) - this.#ofToday.filter(isBehind).length;
  }

  /** Where one is submitted after the other, only the next few leave the inbox: a late one with an early name goes first. */
  get isTurnFull(): boolean {
    if (!this.#lines.today.engine.hasQueue) return false;
    const now = performance.now();
    const onTheirWay = this.#ofToday.filter((job) => isOnItsWay(job, true) && job.retryAtMs <= now);
    return onTheirWay.length >= ON_THEIR_WAY_MAX;
  }

  /** Whether the engine has room for a job that is prepared. */
  hasRoom(job: Job): boolean {
    if (this.#brakes.spent || this.#brakes.pausedForMs(performance.now()) > 0) return false;
    const line = this.#lines.of(job);
    const { jobsMax } = line.limits;
    const submitted = this.#sum(line, (other) => other.handed || isInQueue(other));
    return submitted + placesOf(job, jobsMax) <= jobsMax;
  }

  /** Resolves when the engine has room for a job that is prepared, or the manager is to stop. */
  async room(job: Job): Promise<void> {
    while (!this.hasRoom(job) && !this.#life.isStopping) {
      await new Promise<void>((resolve) => {
        this.#whoWaits.add(resolve);
      });
    }
  }

  /** Lets whoever waits for room look whether there is some now. */
  lookAgain(): void {
    for (const resolve of this.#whoWaits) resolve();
    this.#whoWaits.clear();
  }

  /**
   * Places for jobs that are prepared while others run, so that short jobs need not wait for the disk between them.
   * No more than have ended in the last second: so none waits for long that a late folder should have overtaken.
   */
  #ahead(): number {
    const since = performance.now() - AHEAD_MS;
    while ((this.#endedAtMs[0] ?? since) < since) this.#endedAtMs.shift();
    return this.#limits.prepareAhead ? Math.min(this.#endedAtMs.length, this.#limits.jobsMax) : 0;
  }

  #sum(line: Line, counts: (job: Job) => boolean): number {
    let taken = 0;
    for (const job of this.#jobs)
      if (this.#lines.of(job) === line && counts(job)) taken += placesOf(job, line.limits.jobsMax);
    return taken;
  }

  get #ofToday(): readonly Job[] {
    return this.#jobs.all.filter((job) => this.#lines.of(job) === this.#lines.today);
  }

  #hasQueue(job: Job): boolean {
    return this.#lines.of(job).engine.hasQueue;
  }
}
