/**
 * Jobs in the engine's queue that wait there for others: how many there may be, and whether those before them end as they
 * must. One that is not to start any more is taken out of the queue.
 */
import { attemptFolder } from "../records.ts";
import { jobFolder } from "../root.ts";
import { hasStarted, mayStart, noteMet, recall, type Stand, standOf } from "../steps/behind.ts";
import type { Guard } from "./guard.ts";
import { isBehind, type Job } from "./job.ts";
import type { Line } from "./line.ts";
import type { Problems } from "./problems.ts";

interface Parts {
  readonly guard: Guard;
  readonly problems: Problems;
}

/** Looks after them. */
export class Waiters {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Looks how it stands with the jobs before those of these that are known to wait, and notes what follows. Returns those
   * that are to be cancelled now. Never rejects.
   */
  async look(line: Line, jobs: readonly Job[]): Promise<Job[]> {
    const recalled: Job[] = [];
    // Each one that is taken out may be before another one.
    for (let found = -1; found < recalled.length; ) {
      found = recalled.length;
      for (const job of jobs) {
        const { news } = job;
        if (news?.is !== "queued" || job.cancelled || !(isBehind(job) || news.stranded)) continue;
        if (await this.#lookAt(line, job, news.stranded === true)) recalled.push(job);
      }
    }
    return recalled;
  }

  /** True if it is to be taken out. `stranded`: its scheduler never starts it behind those before it. */
  async #lookAt({ world, engine }: Line, job: Job, stranded: boolean): Promise<boolean> {
    const { guard, problems } = this.#parts;
    const { token, intent } = job.seen ?? {};
    if (!token || !intent?.after) return false;
    const records = attemptFolder(jobFolder(world.root, "pending", job.name), token);
    let stand: Stand;
    try {
      job.met = mayStart(world, records);
      if (job.met && (!stranded || hasStarted(world, records))) return false;
      stand = job.met ? { is: "met" } : standOf(world, intent.after);
    } catch {
      // Records that cannot be believed are told of where they lie.
      return false;
    }
    if (stand.is === "waits") return false;
    await guard.run(job, async () => {
      if (stand.is === "met" && !stranded) {
        await noteMet(world, records);
        job.met = true;
        return;
      }
      const why =
        stand.is === "met" ? `${engine.name} does not take the end of those before it for a good one.` : stand.why;
      await recall(world, records, why);
      job.cancelled = true;
      problems.note("info", `${job.name} is taken out of the queue: ${why}`);
    });
    return job.cancelled;
  }
}
