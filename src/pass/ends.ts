/** How a job leaves pending/: to complete/, or back to the inbox to be run again; and who is told. */
import type { Brakes } from "../brakes.ts";
import type { Say } from "../events.ts";
import type { Inbox } from "../inbox/inbox.ts";
import { whyItWaitsAgain } from "../inbox/ready.ts";
import { archive } from "../steps/archive.ts";
import { sendBack } from "../steps/retry.ts";
import type { Beside } from "./beside.ts";
import { finishFolder } from "./finished-files.ts";
import { type Job, sayStarted } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import type { Lines } from "./lines.ts";
import type { Problems } from "./problems.ts";

interface Parts {
  readonly jobs: Jobs;
  readonly lines: Lines;
  readonly inbox: Inbox;
  readonly beside: Beside;
  readonly brakes: Brakes;
  readonly problems: Problems;
  readonly say: Say;
}

/** Lets jobs go whose outcome is written. */
export class Ends {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** True if the job is to be run again, and waits for that in the inbox. */
  async sendBack(job: Job): Promise<boolean> {
    const { jobs, lines, inbox, say } = this.#parts;
    const { seen } = job;
    // Its next attempt is planned by today's engine, whichever had this one.
    const back = seen && (await sendBack(lines.today.world, job.name, seen));
    if (!back) return false;
    const { name, record } = back;
    if (seen.outcome?.startedAt && !job.saidStarted) sayStarted(job, say);
    jobs.forget(job);
    const now = Date.now();
    inbox.expect(name, whyItWaitsAgain(record, now + record.waitS * 1000, now), record.waitS);
    const result = record.ends.at(-1) ?? "";
    const isArray = (seen.attempt?.plan.tasks.length ?? 0) > 0;
    const more = [isArray && "All its tasks run again.", name !== job.name && `It is inbox/${name}.`]
      .filter(Boolean)
      .join(" ");
    const { waitS, number, of, raised } = record;
    say({ is: "retrying", name: job.name, result, waitS, number, of, raised, ...(more && { more }) });
    return true;
  }

  /** Moves it to complete/; what is done there with its folder follows at once, or at the next check. */
  async archive(job: Job): Promise<void> {
    const { jobs, lines, inbox, beside, problems, say } = this.#parts;
    const { seen } = job;
    if (!seen?.outcome) return;
    const { world } = lines.of(job);
    const target = await archive(world, job.name, seen);
    jobs.forget(job);
    inbox.changed(job.name, target);
    if (seen.token) finishFolder(world, problems, seen.token);
    if (seen.token) beside.packSoon(seen.token);
    const { outcome, startedAt, endedAt } = seen.outcome;
    if (startedAt && !job.saidStarted) sayStarted(job, say);
    const succeeded = outcome.is === "succeeded";
    const durationS = startedAt && endedAt ? (Date.parse(endedAt) - Date.parse(startedAt)) / 1000 : undefined;
    const more = [succeeded ? "" : outcome.why, target === job.name ? "" : `It is complete/${target}.`]
      .filter(Boolean)
      .join(" ");
    say({ is: "finished", name: job.name, result: outcome.is, succeeded, durationS, ...(more && { more }) });
    // One failure is counted once, and not again for each job that was to run after it.
    if (outcome.after === undefined) this.#count(!succeeded && outcome.is !== "cancelled");
  }

  #count(failed: boolean): void {
    const { brakes, problems } = this.#parts;
    const pause = brakes.note(failed, performance.now());
    if (pause) problems.note("warn", `${pause}.`);
  }
}
