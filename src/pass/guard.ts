/** What goes wrong with one job concerns no other: it is told of, and the job waits, longer each time. */
import { diskTroubleText } from "../disk-error.ts";
import { jobFolder } from "../root.ts";
import type { Place } from "../stage.ts";
import type { World } from "../steps/world.ts";
import { type Job, postpone } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import type { Life } from "./life.ts";
import type { Problems } from "./problems.ts";

/** Faults that are not one job's. */
const DISK_WIDE = new Set(["ENOSPC", "EDQUOT", "EROFS", "EIO", "ESTALE", "EMFILE", "ENFILE"]);

/** A job that cannot step holds no place; but not all the inbox is to end so. */
const STUCK_MAX = 100;

/** Stands around every step of a job. */
export class Guard {
  readonly #world: World;
  readonly #life: Life;
  readonly #jobs: Jobs;
  readonly #problems: Problems;
  /** The disk itself has a fault: nothing more is taken in before then. */
  #diskRetryAtMs = 0;

  constructor(world: World, life: Life, jobs: Jobs, problems: Problems) {
    this.#world = world;
    this.#life = life;
    this.#jobs = jobs;
    this.#problems = problems;
  }

  /** Runs a step. Never rejects. */
  async run(job: Job, step: () => Promise<void>): Promise<void> {
    const about = `step ${job.name}`;
    try {
      await step();
      job.stuck = false;
      this.#problems.resolve(about, "info", `${job.name} goes on.`);
    } catch (error) {
      if (this.#life.endsBy(error)) return;
      job.fresh = false;
      job.stuck = true;
      postpone(job);
      if (DISK_WIDE.has((error as NodeJS.ErrnoException).code ?? "")) this.#diskRetryAtMs = job.retryAtMs;
      if (isGone(this.#world, "pending", job.name)) return;
      this.#problems.report(about, "error", `${job.name} waits: ${diskTroubleText(error)}`);
      this.#jobs.look(job);
    }
  }

  /** The engine cannot tell, or not now: it is asked again. */
  doubt(job: Job, why: string): void {
    postpone(job);
    this.#problems.report(`doubt ${job.name}`, "warn", `${job.name} waits: ${why.replace(/\.$/, "")}.`);
  }

  /** The engine could tell. */
  certain(job: Job): void {
    this.#problems.resolve(`doubt ${job.name}`, "info", `${job.name} goes on.`);
  }

  /** Whether so much goes wrong that no further job is to meet the same. */
  get isTooMuch(): boolean {
    return performance.now() < this.#diskRetryAtMs || this.#jobs.all.filter((job) => job.stuck).length >= STUCK_MAX;
  }

  /** When the disk is tried again, if it has a fault; else a time that has passed. */
  get retryAtMs(): number {
    return this.#diskRetryAtMs;
  }
}

/** True if the folder is certainly not there. */
export function isGone({ disk, root }: World, place: Place, name: string): boolean {
  try {
    return disk.look(jobFolder(root, place, name)) === undefined;
  } catch {
    return false;
  }
}
