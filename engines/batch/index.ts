/**
 * BatchEngine: feeds a scheduler with a queue through its own commands, in the words of a Dialect. The path of an attempt's
 * runner is what the scheduler knows it by, so that whatever happened between the submission and our records, the job is
 * found again; an id alone is no identity.
 */
import { existsSync, statSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import type { Attempt, Engine, Found, Handle, News, Plan, Scale, Submitted, Token } from "../../src/engine.ts";
import { EngineError } from "../../src/engine-error.ts";
import type { Script } from "../../src/script.ts";
import { findByCommand, thisMachine } from "../process.ts";
import { runProgram } from "../run-program.ts";
import { shellFor } from "../shell.ts";
import { Client, type Ended, NO_ANSWER, type Queue } from "./client.ts";
import type { Dialect, Row, Said } from "./dialect.ts";
import { isSameFolder, tailOf } from "./folders.ts";
import { folderIn, plannedAtMs, tokenIn } from "./identity.ts";
import { copiesOf, endedNews, endsOf, isAlive, livingNews } from "./judge.ts";
import { CHECK_TIMEOUT_MS, GOOD_ANSWERS, SAVED_MS, SUBMIT_TIMEOUT_MS, TRIES, UNKNOWN_MS } from "./limits.ts";
import { type Ends, isComplete, ofOneJob, type RowEnd, sureEnd, tasksOf } from "./news.ts";
import { Notes } from "./notes.ts";
import { missingOutputFolder } from "./output-folder.ts";
import { type Answer, answerPaths, answersOf, isCancelledByUs, type Runs, readHead, readRuns } from "./records.ts";
import { Submitter } from "./submitter.ts";
import { asRefused, commandText, withStop } from "./texts.ts";

/** What is configured of an engine with a queue. Times in seconds. */
export interface BatchOptions {
  /** --engine-arg */
  readonly engineArgs: readonly string[];
  /** The least time between two questions while something is looked for. */
  readonly queryS: number;
  /** How long a job is looked for before it is submitted again. */
  readonly doubtS: number;
  /** How long a job that has gone is looked for before it is lost. */
  readonly lostAfterS: number;
}

/** From here on an exit code tells of a signal (POSIX sh, 2.8.2): who sent it, the history may know. */
const SIGNALLED = 128;

/**
 * Feeds a scheduler by its own commands. What it must remember between two calls lies beside the attempt's records, so
 * that a fresh one, of another process or on another host, goes on where this one stopped.
 */
export class BatchEngine implements Engine {
  readonly name: string;
  readonly maxJobsDefault = 100;
  readonly hasQueue = true;
  /** For questions beside those of the dialect: times in UTC. */
  protected readonly questionEnvironment: NodeJS.ProcessEnv;
  readonly #dialect: Dialect;
  readonly #options: BatchOptions;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #submitter: Submitter;
  readonly #shell: string;
  readonly #client: Client;
  readonly #notes = new Notes();
  /** When cancel() asked for the queue: the poll of the same check asks no second time. */
  #cancelledAtMs: number | undefined;
  /** When each job was last submitted by this process: what was asked before says nothing of it. */
  readonly #submittedAtMs = new Map<Token, number>();

  /** Throws `refused` for arguments that no job could be submitted with. */
  constructor(dialect: Dialect, options: BatchOptions) {
    dialect.checkEngineArgs(options.engineArgs);
    this.name = dialect.engine;
    this.#dialect = dialect;
    this.#options = options;
    this.#environment = dialect.environment(process.env);
    this.questionEnvironment = { ...this.#environment, TZ: "UTC" };
    this.#submitter = new Submitter(dialect.submitter, this.#environment);
    this.#shell = shellFor(this.#environment).join(" ");
    this.#client = new Client(dialect, this.questionEnvironment, userInfo().username);
  }

  plan(script: Script, scale: Scale = {}): Plan {
    return this.#dialect.plan(script, { engineArgs: this.#options.engineArgs, shell: this.#shell }, scale);
  }

  remarks(script: Script): readonly string[] {
    return this.#dialect.remarks?.(script) ?? [];
  }

  command(attempt: Attempt): string {
    return commandText(this.#dialect.submitter, this.#dialect.submitArgs(attempt));
  }

  /** The scheduler's id, which stands in the names of its outputs. */
  outputId(job: Attempt & { readonly handle?: Handle }): string {
    return job.handle ?? "%j";
  }

  async check(attempt: Attempt): Promise<void> {
    const missing = missingOutputFolder(attempt);
    if (missing !== undefined) throw new EngineError("refused", missing);
    const question = this.#dialect.checkQuestion?.(attempt);
    if (!question) return;
    const ran = await runProgram(question.program, question.args, CHECK_TIMEOUT_MS, this.#environment);
    if (ran.timedOut || (ran.exitCode === undefined && ran.errorCode === undefined))
      throw new EngineError("unavailable", `${question.program} gave no answer.`);
    const fault = this.#dialect.checkFault?.(ran);
    if (fault) throw this.#refusal(attempt, fault);
  }

  // -- submit --

  async submit(attempt: Attempt): Promise<Handle> {
    const earlier = answersOf(attempt);
    // An answer that leaves no doubt is not needed any more; the others may still turn out to be a job.
    const doubtful = earlier.filter((answer) => !this.#isDefinite(answer));
    const number = Math.max(0, ...doubtful.map((answer) => answer.number)) + 1;
    const [outPath, errPath] = answerPaths(attempt, number);
    const ran = await this.#submitTo(attempt, outPath, errPath);
    this.#submittedAtMs.set(attempt.token, performance.now());
    const said = { ...ran, stdout: readHead(outPath) ?? "", stderr: readHead(errPath) ?? "" };
    const id = this.#dialect.idIn(said);
    if (id !== undefined) return id as Handle;
    const error = this.#refusal(attempt, said);
    if (error.verdict === "full") throw await this.#limitOrOwnSize(attempt, error, said);
    const isUnknown = (one: Said) => this.#dialect.verdictOf(one).verdict === "unknown";
    const tries = doubtful.filter((answer) => isThere(answer) && isUnknown(failed(answer))).length + 1;
    const mayBeRefused = error.verdict === "ambiguous" && isUnknown(said) && tries >= TRIES;
    if (mayBeRefused && (await this.#isItsOwnFault(attempt)))
      throw asRefused(error, `${this.#dialect.submitter} has failed ${tries} times.`);
    throw error;
  }

  /** A text that nobody knows may tell of an outage as well. Not if another job has got through, or it has gone on for long. */
  async #isItsOwnFault(attempt: Attempt): Promise<boolean> {
    const [first] = answerPaths(attempt, 1);
    if (Date.now() - statSync(first).mtimeMs > UNKNOWN_MS) return true;
    const queue = await this.#queueNow(this.#options.queryS * 1000);
    const mine = plannedAtMs(attempt.token);
    return [...queue.byToken.keys()].some((token) => token !== attempt.token && plannedAtMs(token) >= mine);
  }

  async #submitTo(attempt: Attempt, out: string, err: string) {
    try {
      // From here on the files tell whoever comes later that the submit command may have been called.
      for (const path of [out, err]) writeFileSync(path, "");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      throw new EngineError("unavailable", `${attempt.records} is not there any more`);
    }
    const args = this.#dialect.submitArgs(attempt);
    return this.#submitter.run({ folder: attempt.folder, out, err, args, timeoutMs: SUBMIT_TIMEOUT_MS });
  }

  #refusal(attempt: Attempt, said: Said): EngineError {
    const { submitter } = this.#dialect;
    const { verdict, remedy } = this.#dialect.verdictOf(said);
    const output = said.stderr.trim() || said.stdout.trim();
    const silence =
      said.errorCode === "ENOENT" ? `There is no ${submitter} here any more.` : `${submitter} gave no answer.`;
    const message = [withStop(this.#dialect.firstLine(said) || silence), remedy].filter(Boolean).join(" ");
    const more = { command: this.command(attempt), ...(output && { output }) };
    return new EngineError(verdict === "unknown" ? "ambiguous" : verdict, message, more);
  }

  /** A limit is the job's own fault, if nothing of this user is in the queue and it says no again and again. */
  async #limitOrOwnSize(attempt: Attempt, error: EngineError, said: Said): Promise<EngineError> {
    if (this.#dialect.verdictOf(said).isGroupLimit) return error;
    const queue = await this.#queueNow(this.#options.queryS * 1000);
    const others = queue.rows.filter(isAlive).length;
    // Something else may end and make room, so that only what happens without it counts.
    if (others > 0) this.#notes.clear(attempt);
    if (others > 0 || this.#notes.add(attempt, "limited", performance.now()).times < TRIES) return error;
    return asRefused(error, "Nothing else of yours is in the queue, so that this job alone is beyond the limit.");
  }

  /** The submit command said no, and that leaves no doubt. */
  #isDefinite(answer: Answer): boolean {
    const { verdict } = this.#dialect.verdictOf(failed(answer));
    return isThere(answer) && verdict !== "ambiguous" && verdict !== "unknown";
  }

  // -- find --

  async find(where: Attempt | { readonly folder: string }): Promise<Found> {
    if (!("token" in where)) return this.#findByFolder(where.folder);
    const { token } = where;
    const answers = answersOf(where);
    const id = answers.map((answer) => this.#dialect.idIn(answer)).find((one) => one !== undefined);
    if (id !== undefined) return { is: "found", token, handle: id as Handle };
    const claim = this.#claimOf(readRuns(where));
    if (claim !== undefined) return { is: "found", token, handle: claim as Handle };
    const isHere = where.madeOn.boot === thisMachine().boot;
    // Its file is made before the submit command starts, and lasts as long as the machine that made it.
    if (isHere && answers.every((answer) => this.#isDefinite(answer))) return { is: "absent" };
    return this.#lookFor(where);
  }

  async #lookFor(attempt: Attempt): Promise<Found> {
    const { token } = attempt;
    const queue = await this.#queueNow(Math.max(1, this.#options.queryS) * 1000, [attempt]);
    const [row] = queue.byToken.get(token) ?? [];
    if (row) return { is: "found", token, handle: row.id as Handle };
    const [untold] = queue.rows.filter((one) => isUntold(one, attempt) && isAlive(one));
    if (untold) return { is: "unsure", why: `job ${untold.id} may be it, which does not tell what it runs` };
    // It may have started and left the queue while that was asked.
    const claim = this.#claimOf(readRuns(attempt));
    if (claim !== undefined) return { is: "found", token, handle: claim as Handle };
    const words = this.#dialect.submitArgs(attempt).join(" ");
    if (findByCommand(`/attempt-${token}/run.sh`).some(({ command }) => command.includes(words)))
      return { is: "unsure", why: `its ${this.#dialect.submitter} is still trying` };
    const { times, sinceMs } = this.#notes.add(attempt, "doubted", queue.askedAtMs);
    if (times < GOOD_ANSWERS || sinceMs < this.#options.doubtS * 1000)
      return { is: "unsure", why: "whether it was submitted is not known; it is looked for in the queue" };
    const kept = await this.#client.findInHistory(token);
    if (kept === "down") return { is: "unsure", why: "the history of jobs, which may know of it, does not answer" };
    if (kept) return { is: "found", token, handle: kept.id as Handle };
    this.#notes.clear(attempt);
    return { is: "absent" };
  }

  /** A job whose records are gone is known by where it works. */
  async #findByFolder(folder: string): Promise<Found> {
    const queue = await this.#queueNow(Math.max(1, this.#options.queryS) * 1000);
    for (const row of queue.rows) {
      const token = tokenIn(row.runner ?? "");
      const theirs = folderIn(row.runner ?? "");
      // One that has ended worked in an earlier folder of this name.
      if (!token || theirs === undefined || !isAlive(row)) continue;
      if (isSameFolder(theirs, folder)) return { is: "found", token, handle: row.id as Handle };
      if (!existsSync(theirs) && tailOf(theirs) === tailOf(folder))
        return { is: "unsure", why: `job ${row.id} works in ${theirs}, which may be another name of this folder` };
    }
    return { is: "absent" };
  }

  // -- poll --

  async poll(jobs: readonly Submitted[]): Promise<ReadonlyMap<Token, News>> {
    const news = new Map<Token, News>();
    const maxAgeMs = performance.now() - (this.#cancelledAtMs ?? performance.now());
    this.#cancelledAtMs = undefined;
    if (jobs.length === 0) return news;
    const queue = await this.#queueNow(maxAgeMs, jobs);
    const open: Open[] = [];
    const extra: string[] = [];
    const left: string[] = [];
    for (const job of jobs) {
      ofOneJob(job, news, () => {
        const rows =
          queue.byToken.get(job.token) ?? queue.rows.filter((row) => row.id === job.handle && isUntold(row, job));
        const runs = readRuns(job);
        const copies = copiesOf(rows, job.handle, this.#claimOf(runs));
        extra.push(...copies.extra);
        const living = livingNews(copies.own.filter(isAlive));
        if (living?.is === "queued" && this.#isLeftOver(copies.own, runs)) left.push(copies.id);
        else if (living !== undefined && !this.#hasLeft(job, copies.own, runs, queue.askedAtMs)) return living;
        open.push({ job, id: copies.id, runs, ends: this.#notes.withKept(job, endsOf(copies.own)) });
        return undefined;
      });
    }
    // One that has started by now steps aside, or has the claim; one that goes on waiting is seen at the next poll.
    if (extra.length + left.length > 0) await this.#client.cancel([...extra, ...left]).catch(() => {});
    await this.#weigh(open, queue, news);
    return news;
  }

  /** The scheduler keeps a job that has ended, as one that cannot be started. */
  #isLeftOver(rows: readonly Row[], runs: Runs): boolean {
    const { keepsAfter } = this.#dialect;
    const isKept = ({ news, task }: Row) =>
      news.is === "queued" && news.stuck && runs.get(task)?.exit?.code === keepsAfter;
    return keepsAfter !== undefined && rows.filter(isAlive).every(isKept);
  }

  /** Every runner that the scheduler says to run has left its exit record, and for longer than any cleaning up takes. */
  #hasLeft(job: Submitted, rows: readonly Row[], runs: Runs, askedAtMs: number): boolean {
    const living = rows.filter(isAlive);
    const hasEnded = (row: Row) => row.news.is === "running" && runs.get(row.task)?.exit !== undefined;
    if (!living.every(hasEnded)) {
      this.#livesOn(job, endsOf(rows));
      return false;
    }
    const { times, sinceMs } = this.#notes.add(job, "finished", askedAtMs);
    return times >= GOOD_ANSWERS && sinceMs >= this.#options.lostAfterS * 1000;
  }

  #livesOn(job: Submitted, ends: Ends): void {
    this.#notes.clear(job);
    if (job.plan.tasks.length > 0) this.#notes.keepEnds(job, ends);
    if (Date.now() - plannedAtMs(job.token) > (this.#dialect.savedMs ?? SAVED_MS)) this.#notes.keepSeen(job);
  }

  /** Tells of jobs that are over: what their runners left, and the history for the rest, in one question. */
  async #weigh(open: readonly Open[], queue: Queue, news: Map<Token, News>): Promise<void> {
    const questions = open.filter(needsHistory);
    const history = questions.length === 0 ? undefined : await this.#historyOf(questions);
    for (const one of open) {
      ofOneJob(one.job, news, () =>
        history && questions.includes(one)
          ? this.#newsOfAbsent(one, history, queue.askedAtMs)
          : this.#endOf(one, queue.askedAtMs),
      );
    }
  }

  async #historyOf(questions: readonly Open[]): Promise<Ended> {
    try {
      return await this.#client.history(questions);
    } catch {
      return NO_ANSWER;
    }
  }

  #newsOfAbsent(one: Open, history: Ended, askedAtMs: number): News {
    const { job, id, runs } = one;
    const { times, sinceMs: goneMs } = this.#notes.add(job, "absent", askedAtMs);
    const lagMs = this.#dialect.history?.lagMs ?? 0;
    const rows = history.rowsOf(job, id);
    const ends = new Map([...one.ends, ...endsOf(rows)]);
    const wasRemoved = history.hasLeft(job, id) && isUnstarted(job, ends, runs);
    // It was in the queue: whatever is forgotten of it until the next check, it is not submitted again.
    if (wasRemoved) this.#notes.keepSeen(job);
    if (wasRemoved && history.is === "there" && goneMs >= lagMs) ends.set(undefined, this.#removed(id));
    if (isComplete(job, ends, runs)) return this.#endOf({ ...one, ends }, askedAtMs);
    const mayBeExplained = history.is !== "absent" && goneMs < lagMs;
    if (isWhole(job, runs))
      return mayBeExplained
        ? { is: "ending", why: "it has ended; the history of jobs is asked why" }
        : this.#endOf({ ...one, ends }, askedAtMs);
    const { scheduler, history: how } = this.#dialect;
    if (how?.tellsOfLiving && rows.some(({ news }) => news.is === "queued" || news.is === "running"))
      return { is: "ending", why: `${scheduler} did not name it among your jobs, but knows it; it is asked again` };
    const gone = `it is not in the queue of ${scheduler} any more`;
    if (times < 2) return { is: "ending", why: `${gone}, and is looked for again` };
    const lostAfterMs = this.#options.lostAfterS * 1000;
    // What was cancelled while it waited leaves no trace in some histories; what has run may have ended as it should.
    if (isCancelledByUs(job) && (runs.size === 0 || goneMs >= (history.is === "absent" ? lostAfterMs : lagMs)))
      return this.#over(job, { is: "ended", word: this.#removed(id).word, cause: "cancelled" });
    if (history.is === "down") return { is: "ending", why: `${gone}, and the history of jobs does not answer` };
    if (goneMs < Math.max(lostAfterMs, wasRemoved ? lagMs : 0))
      return { is: "ending", why: `${gone}, and has left no result; it is looked for` };
    const word = `${scheduler} job ${id}: neither in the queue nor in the history of jobs`;
    const known = job.plan.tasks.length > 0 && {
      tasks: Object.fromEntries([...ends].filter(([task]) => task !== undefined)),
    };
    if (runs.size > 0 || !this.#notes.wasSeen(job)) return this.#over(job, { is: "ended", word, ...known });
    const why = `It waited in the queue, and has gone without a trace: somebody cancelled it, or ${scheduler} lost it. It was not started.`;
    return this.#over(job, { is: "ended", word, ...known, cause: "gone", why });
  }

  /** The end of what left the queue before it was started. */
  #removed(id: string): RowEnd {
    const { program } = this.#dialect.cancelQuestion([id]);
    const why = `It was taken out of the queue before it started: with ${program}, or by an administrator.`;
    return {
      word: `${this.#dialect.scheduler} job ${id}: removed from the queue`,
      cause: "cancelled",
      why,
      ifNoRecord: true,
    };
  }

  #endOf({ job, id, ends, runs }: Open, askedAtMs: number): News {
    // The exit records say all that is known.
    if (ends.size === 0)
      return this.#over(job, { is: "ended", word: `${this.#dialect.scheduler} job ${id}: it has left the queue` });
    const judge = (waited: boolean) => endedNews(job.plan, ends, runs, waited);
    const note = () => this.#notes.add(job, "ended", askedAtMs);
    const news = sureEnd(ends, judge, note, this.#options.lostAfterS * 1000);
    return news.is === "ending" ? news : this.#over(job, news);
  }

  #over(job: Submitted, news: News): News {
    this.#notes.forget(job.token);
    this.#submittedAtMs.delete(job.token);
    return news;
  }

  // -- cancel --

  /** Only what the queue knows by its token is cancelled; an id alone may be another job's by now. */
  async cancel(jobs: readonly Submitted[]): Promise<void> {
    if (jobs.length === 0) return;
    this.#cancelledAtMs = performance.now();
    const queue = await this.#queueNow(0, jobs);
    const rows = jobs.flatMap((job) => queue.byToken.get(job.token) ?? []);
    const ids = rows.filter((row) => isAlive(row) && !row.isEnding).map((row) => row.id);
    await this.#client.cancel([...new Set(ids)]);
  }

  // -- the rest --

  /** The queue as it is now, or was `maxAgeMs` ago, but never before one of these jobs was submitted. */
  #queueNow(maxAgeMs: number, jobs: readonly Attempt[] = []): Promise<Queue> {
    const submittedAtMs = Math.max(0, ...jobs.map((job) => this.#submittedAtMs.get(job.token) ?? 0));
    return this.#client.queue(Math.max(submittedAtMs, performance.now() - maxAgeMs));
  }

  /** The id under which a runner has claimed the attempt. */
  #claimOf(runs: Runs): string | undefined {
    for (const { started } of runs.values()) {
      const id = started === undefined ? undefined : this.#dialect.idOfClaim(started.job);
      if (id !== undefined) return id;
    }
    return undefined;
  }
}

/** A scheduler may leave out what a job runs; then its name must do, and its id, which is not enough to cancel it. */
function isUntold({ runner, name }: Row, { plan }: Attempt): boolean {
  return runner === undefined && name === plan.jobName;
}

/** A job that is not alive in the queue, and what is known of its end. */
interface Open {
  readonly job: Submitted;
  readonly id: string;
  readonly runs: Runs;
  readonly ends: Ends;
}

/** Every runner has left its exit record. */
function isWhole(job: Attempt, runs: Runs): boolean {
  return tasksOf(job).every((task) => runs.get(task)?.exit);
}

/** Something of it has no end, and nothing shows that this was ever started. */
function isUnstarted(job: Attempt, ends: Ends, runs: Runs): boolean {
  const open = tasksOf(job).filter((task) => !ends.has(task) && !runs.get(task)?.exit);
  return open.length > 0 && !open.some((task) => runs.has(task));
}

/** What its runners left does not tell all: one has left nothing, or was told of a signal, and nobody says who sent it. */
function needsHistory({ job, ends, runs }: Open): boolean {
  if (isComplete(job, ends, runs)) return false;
  const isOurs = isCancelledByUs(job);
  return tasksOf(job).some((task) => {
    const exit = runs.get(task)?.exit;
    return exit === undefined || (exit.code >= SIGNALLED && !isOurs);
  });
}

/** As it was left on disk by a submit command whose end nobody saw. */
function failed({ stdout, stderr }: Answer): Said {
  return { exitCode: 1, stdout, stderr };
}

function isThere({ stdout, stderr }: Answer): boolean {
  return stdout + stderr !== "";
}
