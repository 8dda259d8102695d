/**
 * SlurmEngine: feeds Slurm through its own commands. The path of an attempt's runner is what Slurm knows it by, so
 * that whatever happened between sbatch and our records, the job is found again; an id alone is no identity.
 */
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type {
  Attempt,
  Dependency,
  End,
  Engine,
  Found,
  Handle,
  News,
  Plan,
  Request,
  Resources,
  Scale,
  Submitted,
  Symptom,
  Token,
} from "../../src/engine.ts";
import { EngineError, isEngineError } from "../../src/engine-error.ts";
import { EXIT, recordName } from "../../src/runner.ts";
import type { Script } from "../../src/script.ts";
import { isSameFolder, tailOf } from "../batch/folders.ts";
import { folderIn, plannedAtMs, tokenIn } from "../batch/identity.ts";
import type { BatchOptions } from "../batch/index.ts";
import { CHECK_TIMEOUT_MS, GOOD_ANSWERS, SAVED_MS, SUBMIT_TIMEOUT_MS, TRIES, UNKNOWN_MS } from "../batch/limits.ts";
import { type Ends, isComplete, ofOneJob, sureEnd, tasksOf } from "../batch/news.ts";
import { Notes } from "../batch/notes.ts";
import { missingOutputFolder } from "../batch/output-folder.ts";
import {
  type Answer,
  answerPaths,
  answersOf,
  isCancelledByUs,
  type Runs,
  readHead,
  readRuns,
} from "../batch/records.ts";
import { Submitter } from "../batch/submitter.ts";
import { asRefused, commandText, withStop } from "../batch/texts.ts";
import { findByCommand, thisMachine } from "../process.ts";
import { type Ran, runProgram } from "../run-program.ts";
import { remarksOn } from "../sbatch-remarks.ts";
import { sbatchLines } from "../sbatch-request.ts";
import { sbatchOptions } from "../sbatch-script.ts";
import { shellFor } from "../shell.ts";
import { idIn, verdictOf } from "./answers.ts";
import { type Accounting, Client, type Queue } from "./client.ts";
import { jobEnvironment, questionEnvironment, submitArgs } from "./commands.ts";
import { diagnosis } from "./diagnosis.ts";
import { copiesOf, endedNews, endsOf, livingNews } from "./judge.ts";
import { withMissingFolder } from "./output-folder.ts";
import { canWaitFor, checkEngineArgs, clustersOf, planOf } from "./plan.ts";
import { baseId, type QueueRow, taskOf } from "./queue.ts";

/** An exit record may come before the row of accounting that explains it. */
const ACCOUNTING_LAG_MS = 15_000;
/** A runner that has written its exit record leaves at once. */
const GHOST_MS = 30_000;
const VANISHED =
  "It waited in Slurm's queue, and has gone without a trace: somebody cancelled it, or Slurm lost all its jobs. It was not started.";

/**
 * Feeds Slurm by its own commands. What it must remember between two calls lies beside the attempt's records, so that a
 * fresh one, of another process or on another host, goes on where this one stopped.
 */
export class SlurmEngine implements Engine {
  readonly name = "SlurmEngine";
  readonly maxJobsDefault = 100;
  readonly hasQueue = true;
  readonly #options: BatchOptions;
  readonly #environment = jobEnvironment(process.env);
  readonly #submitter = new Submitter("sbatch", this.#environment);
  readonly #shell = shellFor(this.#environment).join(" ");
  readonly #client = new Client(questionEnvironment(process.env), process.getuid?.() ?? 0);
  readonly #notes = new Notes();
  /** When cancel() asked for the queue: the poll of the same check asks no second time. */
  #cancelledAtMs: number | undefined;
  /** When each job was last submitted by this process: what was asked before says nothing of it. */
  readonly #submittedAtMs = new Map<Token, number>();

  /** Throws `refused` for arguments that no job could be submitted with. */
  constructor(options: BatchOptions) {
    checkEngineArgs(options.engineArgs);
    this.#options = options;
  }

  plan(script: Script, scale?: Scale): Plan {
    return planOf(script, this.#options.engineArgs, this.#shell, scale);
  }

  waitsForJobs(plan: Plan, after: readonly Dependency[]): boolean {
    return canWaitFor(plan, after, process.env);
  }

  remarks(script: Script): readonly string[] {
    return remarksOn(script.text);
  }

  directives(request: Request): readonly string[] {
    return sbatchLines(request);
  }

  diagnose(): Promise<readonly Symptom[]> {
    return diagnosis(questionEnvironment(process.env), process.getuid?.() ?? 0);
  }

  /** Of the clusters that jobs go to. */
  resources(): Promise<Resources> {
    return this.#client.resources(sbatchOptions("", this.#options.engineArgs)[0].clusters);
  }

  command(attempt: Attempt): string {
    return commandText("sbatch", submitArgs(attempt));
  }

  /** squeue's %j of the outputs. */
  outputId(job: Attempt & { readonly handle?: Handle }): string {
    return job.handle === undefined ? "%j" : splitHandle(job.handle).id;
  }

  async check(attempt: Attempt): Promise<void> {
    const missing = missingOutputFolder(attempt);
    if (missing !== undefined) throw new EngineError("refused", missing);
    const args = ["--test-only", ...submitArgs(attempt)];
    const ran = await runProgram("sbatch", args, CHECK_TIMEOUT_MS, this.#environment);
    if (ran.exitCode !== 0) throw this.#refusal(attempt, ran);
  }

  // -- submit --

  async submit(attempt: Attempt): Promise<Handle> {
    const earlier = answersOf(attempt);
    // An answer that leaves no doubt is not needed any more; the others may still turn out to be a job.
    const doubtful = earlier.filter((answer) => !isDefinite(answer));
    const number = Math.max(0, ...doubtful.map((answer) => answer.number)) + 1;
    const [outPath, errPath] = answerPaths(attempt, number);
    const ran = await this.#submitTo(attempt, outPath, errPath);
    this.#submittedAtMs.set(attempt.token, performance.now());
    const said = { ...ran, stdout: readHead(outPath) ?? "", stderr: readHead(errPath) ?? "" };
    const id = idIn(said.stdout);
    if (id && ran.exitCode === 0) return handleOf(id);
    const error = this.#refusal(attempt, said);
    if (error.verdict === "full") throw await this.#limitOrOwnSize(attempt, error);
    const tries = doubtful.filter(isUnknown).length + 1;
    const mayBeRefused = error.verdict === "ambiguous" && verdictOf(said).verdict === "unknown" && tries >= TRIES;
    if (mayBeRefused && (await this.#isItsOwnFault(attempt)))
      throw asRefused(error, `sbatch has failed ${tries} times.`);
    throw error;
  }

  /** A text that nobody knows may tell of an outage as well. Not if another job has got through, or it has gone on for long. */
  async #isItsOwnFault(attempt: Attempt): Promise<boolean> {
    const [first] = answerPaths(attempt, 1);
    if (Date.now() - statSync(first).mtimeMs > UNKNOWN_MS) return true;
    const queue = await this.#queueNow(clustersOf(attempt.plan, process.env), this.#options.queryS * 1000);
    const mine = plannedAtMs(attempt.token);
    return [...queue.byToken.keys()].some((token) => token !== attempt.token && plannedAtMs(token) >= mine);
  }

  async #submitTo(attempt: Attempt, out: string, err: string) {
    try {
      // From here on the files tell whoever comes later that sbatch may have been called.
      for (const path of [out, err]) writeFileSync(path, "");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      throw new EngineError("unavailable", `${attempt.records} is not there any more`);
    }
    const args = submitArgs(attempt);
    return this.#submitter.run({ folder: attempt.folder, out, err, args, timeoutMs: SUBMIT_TIMEOUT_MS });
  }

  #refusal(attempt: Attempt, said: Pick<Ran, "exitCode" | "errorCode" | "stdout" | "stderr">): EngineError {
    const { verdict, remedy } = verdictOf(said);
    const output = said.stderr.trim() || said.stdout.trim();
    const first = output.split("\n")[0]?.replace(/^sbatch: (error: )?/, "") ?? "";
    const failed = said.errorCode === "ENOENT" ? "There is no sbatch here any more." : "sbatch gave no answer.";
    const message = [withStop(first || failed), remedy].filter(Boolean).join(" ");
    // A cluster that a job names may be out of reach while this one answers.
    const isOfOneJob = verdict === "unavailable" && clustersOf(attempt.plan, process.env) !== undefined;
    const more = { command: this.command(attempt), isOfOneJob, ...(output && { output }) };
    return new EngineError(verdict === "unknown" ? "ambiguous" : verdict, message, more);
  }

  /** A limit is the job's own fault, if nothing of this user is in the queue and it says no again and again. */
  async #limitOrOwnSize(attempt: Attempt, error: EngineError): Promise<EngineError> {
    if (verdictOf({ exitCode: 1, stdout: "", stderr: error.output ?? "" }).isGroupLimit) return error;
    const queue = await this.#queueNow(clustersOf(attempt.plan, process.env), this.#options.queryS * 1000);
    const others = queue.rows.filter((row) => livingNews([row]) !== undefined).length;
    // Something else may end and make room, so that only what happens without it counts.
    if (others > 0) this.#notes.clear(attempt);
    if (others > 0 || this.#notes.add(attempt, "limited", performance.now()).times < TRIES) return error;
    return asRefused(error, "Nothing else of yours is in the queue, so that this job alone is beyond the limit.");
  }

  // -- find --

  async find(where: Attempt | { readonly folder: string }): Promise<Found> {
    if (!("token" in where)) return this.#findByFolder(where.folder);
    const { token } = where;
    const answers = answersOf(where);
    // A number beside an error may be anybody's.
    const good = answers.filter((answer) => !/error/i.test(answer.stderr));
    const id = good.map((answer) => idIn(answer.stdout)).find((one) => one !== undefined);
    if (id) return { is: "found", token, handle: handleOf(id) };
    const claim = claimOf(readRuns(where));
    if (claim) {
      return { is: "found", token, handle: handleAmong(clustersOf(where.plan, process.env), claim) };
    }
    const here = thisMachine();
    const isHere = where.madeOn.boot === here.boot;
    // Its file is made before sbatch starts, and lasts as long as the machine that made it.
    if (isHere && answers.every(isDefinite)) return { is: "absent" };
    if (findByCommand(`/attempt-${token}/run.sh`).some(({ command }) => command.includes(" --parsable ")))
      return { is: "unsure", why: "its sbatch is still trying" };
    return this.#lookFor(where);
  }

  async #lookFor(attempt: Attempt): Promise<Found> {
    const { token } = attempt;
    const clusters = clustersOf(attempt.plan, process.env);
    const queue = await this.#queueNow(clusters, Math.max(1, this.#options.queryS) * 1000, [attempt]);
    const [row] = queue.byToken.get(token) ?? [];
    if (row) return { is: "found", token, handle: handleAmong(clusters, row) };
    const { times, sinceMs } = this.#notes.add(attempt, "doubted", queue.askedAtMs);
    if (times < GOOD_ANSWERS || sinceMs < this.#options.doubtS * 1000)
      return { is: "unsure", why: "whether it was submitted is not known; it is looked for in Slurm's queue" };
    const kept = await this.#client.findInAccounting(attempt, clusters);
    if (kept === "down") return { is: "unsure", why: "Slurm's accounting, which may know of it, does not answer" };
    if (kept) return { is: "found", token, handle: handleAmong(clusters, kept) };
    this.#notes.clear(attempt);
    return { is: "absent" };
  }

  /** A job whose records are gone is known by where it works. */
  async #findByFolder(folder: string): Promise<Found> {
    const queue = await this.#queueNow(undefined, Math.max(1, this.#options.queryS) * 1000);
    for (const row of queue.rows) {
      const token = tokenIn(row.command);
      const theirs = folderIn(row.command);
      // One that has ended worked in an earlier folder of this name.
      if (!token || theirs === undefined || livingNews([row]) === undefined) continue;
      if (isSameFolder(theirs, folder)) return { is: "found", token, handle: handleAmong(undefined, row) };
      if (!existsSync(theirs) && tailOf(theirs) === tailOf(folder))
        return { is: "unsure", why: `job ${row.shownId} works in ${theirs}, which may be another name of this folder` };
    }
    return { is: "absent" };
  }

  // -- poll --

  async poll(jobs: readonly Submitted[]): Promise<ReadonlyMap<Token, News>> {
    const news = new Map<Token, News>();
    const maxAgeMs = performance.now() - (this.#cancelledAtMs ?? performance.now());
    this.#cancelledAtMs = undefined;
    await eachCluster(
      jobs,
      (clusters, ours) => this.#pollCluster(clusters, ours, maxAgeMs, news),
      (error, ours) => {
        for (const job of ours)
          news.set(job.token, { is: "unknown", word: `its cluster does not answer: ${error.message}` });
      },
    );
    return news;
  }

  async #pollCluster(
    clusters: string | undefined,
    ours: readonly Submitted[],
    maxAgeMs: number,
    news: Map<Token, News>,
  ): Promise<void> {
    const queue = await this.#queueNow(clusters, maxAgeMs, ours);
    const open: Open[] = [];
    const extra: string[] = [];
    const ghosts: string[] = [];
    for (const job of ours) {
      ofOneJob(job, news, () => {
        const rows = queue.byToken.get(job.token) ?? [];
        const living = livingNews(rows);
        if (living && rows.every((row) => baseId(row.shownId) === splitHandle(job.handle).id)) {
          if (this.#isGhost(job, rows, queue.askedAtMs)) {
            ghosts.push(splitHandle(job.handle).id);
            return this.#over(job, { is: "missing" });
          }
          return living;
        }
        const runs = readRuns(job);
        const copies = copiesOf(rows, splitHandle(job.handle).id, claimOf(runs)?.shownId);
        extra.push(...copies.extra);
        const own = livingNews(copies.own);
        if (own) this.#livesOn(job, endsOf(copies.own));
        else open.push({ job, id: copies.id, runs, ends: this.#notes.withKept(job, endsOf(copies.own)) });
        return own;
      });
    }
    // One that has started by now steps aside, or has the claim; one that goes on waiting is seen at the next poll.
    if (extra.length > 0) await this.#client.cancel(extra, clusters, "PENDING").catch(() => {});
    if (ghosts.length > 0) await this.#client.cancel(ghosts, clusters, "RUNNING").catch(() => {});
    await this.#weigh(open, queue, clusters, news);
  }

  /**
   * Slurm says that a job runs whose last runner has left its exit record a while ago: a controller that crashed has
   * forgotten the end, and would start the job again once it finds it missing on its node.
   */
  #isGhost(job: Submitted, rows: readonly QueueRow[], askedAtMs: number): boolean {
    const living = rows.filter((row) => livingNews([row]) !== undefined);
    const hasEnded = (row: QueueRow) =>
      existsSync(join(job.records, recordName(EXIT, taskOf(row.shownId), Number(row.restarts) || 0)));
    if (!living.every((row) => row.state === "RUNNING" && hasEnded(row))) {
      this.#livesOn(job, endsOf(rows));
      return false;
    }
    const { times, sinceMs } = this.#notes.add(job, "finished", askedAtMs);
    return times >= 2 && sinceMs >= GHOST_MS;
  }

  #livesOn(job: Submitted, endsOfTasks: Ends): void {
    this.#notes.clear(job);
    if (job.plan.tasks.length > 0) this.#notes.keepEnds(job, endsOfTasks);
    if (Date.now() - plannedAtMs(job.token) > SAVED_MS) this.#notes.keepSeen(job);
  }

  /** Tells of jobs that are over: what the queue still knows of them, and accounting for the rest, in one question. */
  async #weigh(
    open: readonly Open[],
    queue: Queue,
    clusters: string | undefined,
    news: Map<Token, News>,
  ): Promise<void> {
    const questions = open.filter((one) => this.#needsAccounting(one));
    const accounting = await this.#client.accounting(questions, clusters);
    for (const one of open) {
      const isQuestion = questions.includes(one);
      ofOneJob(one.job, news, () =>
        isQuestion ? this.#newsOfAbsent(one, accounting, queue.askedAtMs) : this.#endedNews(one, queue.askedAtMs),
      );
    }
  }

  /** Also who cancelled a job is known to accounting alone, if we did not. */
  #needsAccounting({ job, ends, runs }: Open): boolean {
    if (!isComplete(job, ends, runs)) return true;
    const isStrange = [...ends.values()].some((end) => end.cause === "cancelled") && !isCancelledByUs(job);
    return isStrange && this.#client.mayHaveAccounting;
  }

  #newsOfAbsent(one: Open, accounting: Accounting, askedAtMs: number): News {
    const { job, id, runs } = one;
    const { times, sinceMs: goneMs } = this.#notes.add(job, "absent", askedAtMs);
    const rows = accounting.rowsOf(job, id);
    const known = new Map([...one.ends, ...endsOf(rows)]);
    const ends = goneMs < ACCOUNTING_LAG_MS || rows.length === 0 ? known : withTakenOut(job, known, runs);
    if (rows.length > 0 && livingNews(rows) === undefined && isComplete(job, ends, runs))
      return this.#endedNews({ ...one, ends }, askedAtMs);

    const whole = tasksOf(job).every((task) => runs.get(task)?.exit);
    const failed = [...runs.values()].some((run) => run.exit && run.exit.code !== 0);
    if (one.ends.size === 0 && times < 2)
      return { is: "ending", why: "it is not in Slurm's queue any more, and is looked for again" };
    if (whole || isComplete(job, one.ends, runs)) {
      const mayBeExplained = accounting.is !== "absent" && goneMs < ACCOUNTING_LAG_MS;
      if (mayBeExplained && (failed || !whole))
        return { is: "ending", why: "it has ended; Slurm's accounting is asked why" };
      return one.ends.size > 0 ? this.#endedNews(one, askedAtMs) : this.#over(job, { is: "missing" });
    }
    if (accounting.is === "down")
      return { is: "ending", why: "it is not in Slurm's queue any more, and Slurm's accounting does not answer" };
    if (goneMs < this.#options.lostAfterS * 1000)
      return { is: "ending", why: "it is not in Slurm's queue any more, and has left no result; it is looked for" };
    const word = `Slurm job ${id}: neither in the queue nor in accounting`;
    const tasks = job.plan.tasks.length > 0 && {
      tasks: Object.fromEntries([...ends].filter(([task]) => task !== undefined)),
    };
    if (runs.size > 0 || !this.#notes.wasSeen(job)) return this.#over(job, { is: "ended", word, ...tasks });
    return this.#over(job, { is: "ended", word, ...tasks, cause: "gone", why: VANISHED });
  }

  #endedNews({ job, ends, runs }: Open, askedAtMs: number): News {
    const judge = (waited: boolean) => endedNews(job.plan, ends, runs, waited);
    const note = () => this.#notes.add(job, "ended", askedAtMs);
    const news = sureEnd(ends, judge, note, this.#options.lostAfterS * 1000);
    return news.is === "ending" ? news : this.#over(job, news);
  }

  #over(job: Submitted, news: News): News {
    this.#notes.forget(job.token);
    this.#submittedAtMs.delete(job.token);
    return news.is === "ended" ? withMissingFolder(job, news) : news;
  }

  // -- cancel --

  /** Only what the queue knows by its token is cancelled; an id alone may be another job's by now. */
  async cancel(jobs: readonly Submitted[]): Promise<void> {
    this.#cancelledAtMs = performance.now();
    await eachCluster(jobs, async (clusters, ours) => {
      const queue = await this.#queueNow(clusters, 0, ours);
      const rows = ours.flatMap((job) => queue.byToken.get(job.token) ?? []);
      const ids = rows.filter((row) => livingNews([row]) !== undefined && row.state !== "COMPLETING");
      await this.#client.cancel([...new Set(ids.map((row) => baseId(row.shownId)))], clusters);
    });
  }

  // -- the rest --

  /** The queue as it is now, or was `maxAgeMs` ago, but never before one of these jobs was submitted. */
  #queueNow(clusters: string | undefined, maxAgeMs: number, jobs: readonly Attempt[] = []): Promise<Queue> {
    const submittedAtMs = Math.max(0, ...jobs.map((job) => this.#submittedAtMs.get(job.token) ?? 0));
    return this.#client.queue(clusters, Math.max(submittedAtMs, performance.now() - maxAgeMs));
  }
}

/** A job that is not alive in the queue, and what is known of its end. */
interface Open {
  readonly job: Submitted;
  readonly id: string;
  readonly runs: Runs;
  readonly ends: Ends;
}

/**
 * A task that is cancelled while it waits leaves no row anywhere, while its siblings have theirs in accounting
 * (Slurm 22.05.8 did so).
 */
function withTakenOut(job: Attempt, ends: Ends, runs: Runs): Ends {
  const taken = job.plan.tasks.filter((task) => !ends.has(task) && !runs.has(task));
  const end: End = {
    word: "not in Slurm's accounting, where its siblings are",
    cause: "cancelled",
    why: "This task was cancelled in Slurm while it waited.",
  };
  return new Map([...ends, ...taken.map((task) => [task, end] as const)]);
}

/** Does something with the jobs of each cluster. One that is out of reach holds up no other; if all are, throws. */
async function eachCluster(
  jobs: readonly Submitted[],
  action: (clusters: string | undefined, ours: readonly Submitted[]) => Promise<void>,
  failed: (error: Error, ours: readonly Submitted[]) => void = () => {},
): Promise<void> {
  const groups = new Map<string | undefined, Submitted[]>();
  for (const job of jobs) {
    const { cluster } = splitHandle(job.handle);
    const group = groups.get(cluster);
    if (group) group.push(job);
    else groups.set(cluster, [job]);
  }
  let failures = 0;
  for (const [clusters, ours] of groups) {
    try {
      await action(clusters, ours);
    } catch (error) {
      failures++;
      if (!isEngineError(error) || failures === groups.size) throw error;
      failed(error, ours);
    }
  }
}

function handleOf({ id, cluster }: { id: string; cluster?: string | undefined }): Handle {
  return (cluster === undefined ? id : `${id};${cluster}`) as Handle;
}

/** As sbatch would have given it: with the cluster's name where clusters were named. */
function handleAmong(clusters: string | undefined, job: { shownId: string; cluster: string }): Handle {
  const isNamed = clusters !== undefined || process.env.SLURM_CLUSTERS !== undefined;
  return handleOf({ id: baseId(job.shownId), cluster: isNamed && job.cluster !== "" ? job.cluster : undefined });
}

function splitHandle(handle: Handle): { id: string; cluster: string | undefined } {
  const [id = "", cluster] = handle.split(";");
  return { id, cluster };
}

/** A runner's claim names the job as "id@cluster". */
function claimOf(runs: Runs): { shownId: string; cluster: string } | undefined {
  for (const { started } of runs.values()) {
    const [shownId = "", cluster = ""] = started?.job.split("@") ?? [];
    if (/^\d+$/.test(shownId)) return { shownId, cluster };
  }
  return undefined;
}

/** sbatch said no, and that leaves no doubt. */
function isDefinite({ stdout, stderr }: Answer): boolean {
  const { verdict } = verdictOf({ exitCode: 1, stdout, stderr });
  return stderr !== "" && verdict !== "ambiguous" && verdict !== "unknown";
}

/** sbatch failed with a text that nobody knows. */
function isUnknown({ stdout, stderr }: Answer): boolean {
  return stderr + stdout !== "" && verdictOf({ exitCode: 1, stdout, stderr }).verdict === "unknown";
}
