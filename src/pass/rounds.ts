/** A round: one question to an engine for all its jobs, and what the answer changes in what is known of each. */
import { join } from "node:path";
import type { News, Token } from "../engine.ts";
import type { Say } from "../events.ts";
import { FILES } from "../files.ts";
import { attemptFolder } from "../records.ts";
import { jobFolder } from "../root.ts";
import { hasStarted } from "../steps/behind.ts";
import { giveUp, noteCancel } from "../steps/cancel.ts";
import type { World } from "../steps/world.ts";
import type { Waiters } from "./behind.ts";
import type { Guard } from "./guard.ts";
import { expectedOf, isAfterOthers, isBehind, type Job, sayStarted, submittedOf, whyBehind, whyOf } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import type { Life } from "./life.ts";
import type { Line } from "./line.ts";
import type { Lines } from "./lines.ts";
import type { Places } from "./places.ts";
import type { Problems } from "./problems.ts";
import { whySince, writeStatus } from "./status.ts";

interface Parts {
  readonly life: Life;
  readonly jobs: Jobs;
  readonly lines: Lines;
  readonly places: Places;
  readonly guard: Guard;
  readonly behind: Waiters;
  readonly problems: Problems;
  readonly say: Say;
  /** Lets jobs set out of which there is news. */
  readonly goOn: () => void;
}

/** Which engines may be asked: those that tell by themselves when there is news may be asked at any time. */
export type Asked = "all" | "telling" | "none";

/** Asks the engines, of those jobs that were submitted. */
export class Rounds {
  readonly #parts: Parts;
  /** The questions that have not been answered. */
  readonly #asking = new Map<Line, Promise<void>>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** What is under way; each resolves when it has ended, and never rejects. */
  get busy(): readonly Promise<void>[] {
    return [...this.#asking.values()];
  }

  /**
   * Asks every engine that may be asked, and has jobs. Resolves when today's has answered: others, which may be out of
   * reach, are not waited for. Never rejects: one that does not answer is told of.
   */
  async ask(which: Asked): Promise<void> {
    const { lines, goOn } = this.#parts;
    const isMeant = (line: Line) => which === "all" || (which === "telling" && line.engine.onNews !== undefined);
    for (const line of lines.others) if (isMeant(line) && !this.#asking.has(line)) void this.#begin(line).then(goOn);
    if (isMeant(lines.today)) await this.#begin(lines.today);
  }

  #begin(line: Line): Promise<void> {
    const asking = this.#asking.get(line) ?? this.#poll(line).finally(() => this.#asking.delete(line));
    this.#asking.set(line, asking);
    return asking;
  }

  async #poll(line: Line): Promise<void> {
    if (!line.mayBeAsked) return;
    const { life, jobs, lines, behind, problems } = this.#parts;
    const isAsked = (job: Job) => job.seen?.stage === "submitted" && !job.busy && lines.of(job) === line;
    const asked = jobs.all.filter(isAsked);
    const submitted = asked.map((job) => submittedOf(job)).filter((one) => one !== undefined);
    if (submitted.length === 0) return;
    line.asks();
    await behind.look(line, asked);
    try {
      const failure = await this.#cancelWhatIsAsked(line, asked).catch((error: Error) => error);
      const askedAt = new Date().toISOString();
      const news = await line.engine.poll(submitted, life.signal);
      line.pollAnswered(jobs.all.some((job) => job.seen?.stage === "submitting" && lines.of(job) === line));
      const about = line.about("cancel");
      if (failure) problems.report(about, "warn", `What is to be cancelled goes on for now. ${failure.message}`);
      else problems.resolve(about, "debug", "Jobs can be cancelled.");
      // Meanwhile one may have gone, or set out.
      const heard = asked.filter((job) => isAsked(job) && jobs.has(job.name));
      for (const job of heard) this.#hear(line, job, news.get(job.seen?.token as Token), askedAt);
      for (const job of heard) await this.#giveUpRaised(line, job);
      // What is seen for the first time to wait, which a manager that lives for one pass only sees but once.
      const recalled = (await behind.look(line, heard)).map(submittedOf).filter((one) => one !== undefined);
      if (recalled.length > 0) await line.engine.cancel(recalled, life.signal).catch(() => {});
    } catch (error) {
      line.failed(error, "poll");
    }
  }

  async #cancelWhatIsAsked({ world }: Line, jobs: readonly Job[]): Promise<void> {
    const { guard, problems, life } = this.#parts;
    for (const job of jobs) {
      const token = job.seen?.token;
      if (!token || !world.disk.look(join(jobFolder(world.root, "pending", job.name), FILES.cancel))) continue;
      await guard.run(job, async () => {
        const reason = await noteCancel(world, job.name, token);
        if (reason === undefined) return;
        job.cancelled = true;
        problems.note("info", `${job.name} is to be cancelled: ${reason}`);
      });
    }
    const cancelled = jobs
      .filter((job) => job.cancelled && !this.#hasStartedAfterAll(world, job))
      .map((job) => submittedOf(job))
      .filter((one) => one !== undefined);
    if (cancelled.length > 0) await world.engine.cancel(cancelled, life.signal);
  }

  /** It was to be taken out of the queue, and has started before that was done, as it may. */
  #hasStartedAfterAll(world: World, { name, seen, news }: Job): boolean {
    if (!seen?.recalled || !seen.token) return false;
    return (
      news?.is === "running" || hasStarted(world, attemptFolder(jobFolder(world.root, "pending", name), seen.token))
    );
  }

  /** Who asks for more by rule, and so for more than there is, would wait for ever without a person's fault. */
  async #giveUpRaised({ world }: Line, job: Job): Promise<void> {
    const { guard, problems } = this.#parts;
    const { news, seen } = job;
    const raised = seen?.attempt?.plan.raised ?? [];
    const token = seen?.token;
    if (news?.is !== "queued" || !news.asksTooMuch || raised.length === 0 || !token || job.cancelled) return;
    const why = `More was asked for by rule (${raised.join(" and ")}), and that is beyond a limit: ${news.why}`;
    await guard.run(job, async () => {
      await giveUp(world, job.name, token, why);
      job.cancelled = true;
      problems.note("warn", `${job.name} is given up. ${why}`);
    });
  }

  #hear(line: Line, job: Job, told: News | undefined, askedAt: string): void {
    const { places, problems, say } = this.#parts;
    // What the scheduler says of such a wait is no news, and nothing that a person could mend.
    const isWaitOfOurs = told?.is === "queued" && (isBehind(job) || (told.stranded === true && isAfterOthers(job)));
    const news = isWaitOfOurs
      ? ({ is: "queued", why: whyBehind(job), stranded: told.stranded === true } as const)
      : told;
    const changed =
      job.news?.is !== news?.is || whyOf(job.news) !== whyOf(news) || expectedOf(job.news) !== expectedOf(news);
    job.news = news;
    job.unweighed = news?.is === "ended" || news?.is === "missing" || news?.is === "unknown";
    if (news?.is === "ended") {
      places.jobEnded();
      line.roomMade();
    }
    if (news?.is === "running" && !job.saidStarted) sayStarted(job, say);
    if (!changed || !news || news.is === "ended" || !job.seen) return;
    const why = whyOf(news);
    const isStuck = news.is === "queued" && news.stuck === true;
    if (news.is === "unknown" || isStuck) problems.report(`news ${job.name}`, "warn", `${job.name}: ${why}`);
    else problems.resolve(`news ${job.name}`, "debug", `${job.name} is in order again.`);
    const expectedStart = expectedOf(news);
    writeStatus(line.world, problems, job, news.is, {
      ...(why !== undefined && { why }),
      ...((why !== undefined || news.is === "queued") && { whySince: whySince(line.world, job, why, askedAt) }),
      ...(isStuck && { stuck: true }),
      ...(expectedStart !== undefined && { expectedStart }),
    });
  }
}
