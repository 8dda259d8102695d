/**
 * The walk of a job: from its stage as far as it goes now, one step after the other. Jobs walk side by side, but are
 * submitted in the order in which they set out.
 */
import { sortByCodePoint } from "../root.ts";
import { plan } from "../steps/plan.ts";
import { rescue } from "../steps/rescue.ts";
import { settle } from "../steps/settle.ts";
import type { Ends } from "./ends.ts";
import type { Guard } from "./guard.ts";
import { type Job, postpone } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import type { Life } from "./life.ts";
import type { Lines } from "./lines.ts";
import type { Places } from "./places.ts";
import type { Problems } from "./problems.ts";
import type { Submissions, Turn } from "./submissions.ts";

interface Parts {
  readonly life: Life;
  readonly jobs: Jobs;
  readonly lines: Lines;
  readonly guard: Guard;
  readonly places: Places;
  readonly submissions: Submissions;
  readonly ends: Ends;
  readonly problems: Problems;
  /** Something that is known may go on. */
  readonly wake: () => void;
}

/** Lets jobs step. */
export class Walks {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Lets all jobs set out that have a step to do, in the order of their names. */
  startAll(): void {
    const idle = new Map<string, Job>();
    for (const job of this.#parts.jobs) if (!job.busy && this.#hasStep(job)) idle.set(job.name, job);
    for (const name of sortByCodePoint([...idle.keys()])) this.start(idle.get(name) as Job);
  }

  #hasStep(job: Job): boolean {
    if (performance.now() < job.retryAtMs) return false;
    const stage = job.seen?.stage;
    if (stage === "submitted") return job.unweighed;
    if (stage === "submitting") return this.#maySubmit(job);
    return stage !== undefined;
  }

  #maySubmit(job: Job): boolean {
    const line = this.#parts.lines.of(job);
    return line.maySubmit && (line.limits.prepareAhead || this.#parts.places.hasRoom(job));
  }

  /** Lets one job set out. */
  start(job: Job): void {
    const { life, guard, submissions, wake } = this.#parts;
    if (life.isOver) return;
    const turn = submissions.takeTurn(job);
    job.busy = guard
      .run(job, () => this.#walk(job, turn))
      .finally(() => {
        turn.pass();
        job.busy = undefined;
        wake();
      });
  }

  async #walk(job: Job, turn: Turn): Promise<void> {
    const { life, submissions, ends } = this.#parts;
    const walked = new Set<string | undefined>();
    while (!life.isStopping && performance.now() >= job.retryAtMs) {
      const stage = job.seen?.stage;
      // "submitted" ends a walk, unless there is news of its end.
      if (stage === undefined || walked.has(stage)) return;
      walked.add(stage);
      if (stage === "claimed") await this.#plan(job);
      else if (stage === "submitting") await turn.come.then(() => submissions.submit(job, turn));
      else turn.pass();
      if (stage === "submitted") await this.#settle(job);
      if (stage === "settled") return (await ends.sendBack(job)) ? undefined : ends.archive(job);
    }
  }

  async #plan(job: Job): Promise<void> {
    const { life, jobs, lines, guard, problems } = this.#parts;
    const { world } = lines.today;
    if (!job.fresh) {
      const others = lines.others.map((line) => line.world);
      const verdict = await rescue([world, ...others], job.name, life.signal);
      if (typeof verdict === "object") return guard.doubt(job, verdict.why);
      if (verdict === "done") return jobs.look(job);
      guard.certain(job);
    }
    const planned = await plan(world, job.name);
    if ("why" in planned) {
      jobs.forget(job);
      return problems.note("info", `${job.name} is in the inbox again: ${planned.why}.`);
    }
    job.ending &&= planned.stage === "settled";
    job.seen = planned;
    job.fresh = true;
  }

  /** A job behind which it was submitted has ended, or is gone, and has no outcome yet. */
  #isOneBeforeEnding({ seen }: Job): boolean {
    return (seen?.intent?.after ?? []).some(({ name, token }) => {
      const before = this.#parts.jobs.get(name);
      if (before?.seen?.token !== token || before.seen.outcome) return false;
      return before.news !== undefined && before.news.is !== "queued" && before.news.is !== "running";
    });
  }

  async #settle(job: Job): Promise<void> {
    const { seen } = job;
    if (!seen?.attempt || !job.unweighed) return;
    job.unweighed = false;
    // Why it has ended may be told by how those before it did, which is known when they have been weighed.
    if (job.news?.is === "ended" && this.#isOneBeforeEnding(job)) return;
    const { lines, problems } = this.#parts;
    const done = await settle(lines.of(job).world, { ...seen, attempt: seen.attempt }, job.news);
    if (done === undefined) return postpone(job);
    if (done !== "unstarted") {
      job.seen = done;
      return;
    }
    job.seen = { stage: "claimed" };
    job.news = undefined;
    job.fresh = true;
    job.saidStarted = false;
    job.cancelled = false;
    job.met = false;
    if (seen.intent?.after)
      return problems.note("info", `${job.name} has left the queue, and was not started: it waits for its turn again.`);
    problems.report(job.name, "warn", `${job.name} was submitted, but job.sh was not started; it is submitted again.`);
    postpone(job);
  }
}
