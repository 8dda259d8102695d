/**
 * One submission to an engine at a time, in the order in which the jobs were begun, and none sooner than --delay after the
 * last.
 */
import { isEngineError } from "../engine-error.ts";
import type { Inbox } from "../inbox/inbox.ts";
import { noteCancel } from "../steps/cancel.ts";
import { submit } from "../steps/submit.ts";
import type { Guard } from "./guard.ts";
import type { Job } from "./job.ts";
import type { Life } from "./life.ts";
import type { Line } from "./line.ts";
import type { Lines } from "./lines.ts";
import type { Places } from "./places.ts";
import type { Problems } from "./problems.ts";
import { writeStatus } from "./status.ts";

/** A job's turn to be submitted. */
export interface Turn {
  /** Resolves when all those before it have been submitted, or will not be. */
  readonly come: Promise<void>;
  /** It has been submitted, or will not be: the next one's turn. */
  pass(): void;
}

interface Parts {
  readonly life: Life;
  readonly lines: Lines;
  readonly inbox: Inbox;
  readonly places: Places;
  readonly guard: Guard;
  readonly problems: Problems;
}

/** The way to the engine, through which jobs go one by one. */
export class Submissions {
  readonly #parts: Parts;
  /** Of each engine: resolves when the job that took a turn last has passed it on. */
  readonly #last = new Map<Line, Promise<void>>();
  readonly #lastSubmitMs = new Map<Line, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The turn behind all that were taken before, of jobs of its engine. It must be passed on, whatever becomes of the job. */
  takeTurn(job: Job): Turn {
    const line = this.#parts.lines.of(job);
    const come = this.#last.get(line) ?? Promise.resolve();
    let pass = () => {};
    const passed = new Promise<void>((resolve) => {
      pass = resolve;
    });
    this.#last.set(
      line,
      Promise.all([come, passed]).then(() => {}),
    );
    return { come, pass };
  }

  /** Submits a job whose turn has come, when there is room for it; what the engine answers stands in `seen`. */
  async submit(job: Job, turn: Turn): Promise<void> {
    const { life, lines, inbox, places, guard, problems } = this.#parts;
    const { attempt } = job.seen ?? {};
    if (!job.seen || !attempt || life.isStopping) return;
    const line = lines.of(job);
    if (!line.maySubmit) return;
    // Where none is prepared ahead, it comes again when there may be room: a pass of --once must not wait for that.
    if (line.limits.prepareAhead) await places.room(job);
    else if (!places.hasRoom(job)) return;
    await this.#delay(line);
    if (life.isStopping) return;
    if (job.seen?.token) await noteCancel(line.world, job.name, job.seen.token);
    const { fresh } = job;
    job.fresh = false;
    job.aside = false;
    this.#lastSubmitMs.set(line, performance.now());
    try {
      const done = await submit(line.world, { ...job.seen, attempt }, fresh, life.signal, () => {
        job.handed = true;
        this.#lastSubmitMs.set(line, performance.now());
        turn.pass();
      });
      if ("why" in done) return guard.doubt(job, done.why);
      if (done.stage === "submitted" || done.outcome?.outcome.is === "refused") line.submitAnswered();
      guard.certain(job);
      job.seen = done;
      if (done.stage === "claimed") return this.#takenBack(job);
    } catch (error) {
      if (!isEngineError(error)) throw error;
      if (error.verdict === "ambiguous")
        return guard.doubt(job, `whether it was submitted is not known yet: ${error.message}`);
      job.aside = error.isOfOneJob;
      if (job.aside) return guard.doubt(job, error.message);
      if (error.verdict === "full") line.full(error);
      else line.failed(error, "submit");
      return;
    } finally {
      job.handed = false;
    }
    if (job.seen.stage !== "submitted") return;
    writeStatus(line.world, problems, job, "submitted");
    // Those that wait for it may go behind it.
    if (line.engine.waitsForJobs) inbox.changed(job.name);
  }

  /** It cannot go behind others in the queue any more, and was not submitted. */
  #takenBack(job: Job): void {
    job.fresh = true;
    job.cancelled = false;
    job.met = false;
  }

  async #delay(line: Line): Promise<void> {
    const { life } = this.#parts;
    const lastMs = this.#lastSubmitMs.get(line) ?? Number.NEGATIVE_INFINITY;
    const waitMs = lastMs + line.limits.delayS * 1000 - performance.now();
    if (waitMs <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, waitMs);
      const { signal } = life;
      signal.addEventListener("abort", done, { once: true });
      function done() {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      }
    });
  }
}
