/**
 * One pass over all jobs: look at the disk, ask the engine once, let every job do its next step, take in what is
 * ready. Safe to repeat at any moment, and to stop anywhere: recovery is the normal pass.
 *
 * What is remembered between passes is only what the disk said last, so that not all is read again each time.
 */
import { join } from "node:path";
import { Results } from "./archive/results.ts";
import { type BrakeRules, Brakes } from "./brakes.ts";
import { putForReading } from "./disk.ts";
import type { News, Token } from "./engine.ts";
import { isEngineError } from "./engine-error.ts";
import type { Say } from "./events.ts";
import { FILES } from "./files.ts";
import { type Circle, circleText } from "./inbox/after.ts";
import { Arrivals } from "./inbox/arrivals.ts";
import type { Arrived } from "./inbox/arriving.ts";
import { Inbox } from "./inbox/inbox.ts";
import { whyItWaitsAgain } from "./inbox/ready.ts";
import {
  expectedOf,
  goesOn,
  isInQueue,
  isOnItsWay,
  type Job,
  newJob,
  placesOf,
  RETRY_S,
  stateOf,
  submittedOf,
  whyOf,
} from "./job.ts";
import { jsonObject, textIn } from "./json-file.ts";
import { LockError } from "./lock.ts";
import type { ManagerWord } from "./manager-word.ts";
import { durationText } from "./outcome.ts";
import { Reach } from "./reach.ts";
import { isIgnoredName, isRootThere, isUnreadableName, jobFolder, sortByCodePoint } from "./root.ts";
import { readScript } from "./script-file.ts";
import type { Place } from "./stage.ts";
import { statusText } from "./status-file.ts";
import { archive, finish, finishingFolder } from "./steps/archive.ts";
import { noteCancel } from "./steps/cancel.ts";
import { claim } from "./steps/claim.ts";
import { plan } from "./steps/plan.ts";
import { rescue } from "./steps/rescue.ts";
import { sendBack } from "./steps/retry.ts";
import { see } from "./steps/see.ts";
import { settle } from "./steps/settle.ts";
import { submit } from "./steps/submit.ts";
import type { World } from "./steps/world.ts";

/** How much at a time, and how often. */
export interface Limits {
  /** Places in the engine's queue. */
  readonly jobsMax: number;
  /** Jobs that may wait in the engine's queue. */
  readonly pendingMax: number;
  /** Between two submissions, in seconds. */
  readonly delayS: number;
  readonly pauseFile: string;
  /** Jobs may be claimed and planned while the queue is full. */
  readonly prepareAhead: boolean;
  /** An engine with a queue is not asked again before so many seconds have passed, whatever happens. */
  readonly queryS: number;
  /** As queryS, where a person wants to know now. */
  readonly queryLeastS: number;
}

const AHEAD_MS = 1000;

/** So many folders at a time are told that they are not to be run. */
const ENDINGS_MAX = 64;

/** So many circles of jobs that wait for each other are reported. */
const CIRCLES_MAX = 20;

/** Enough for the next submission never to wait for a disk. */
const ON_THEIR_WAY_MAX = 8;

/** Of the time between two questions: a timer that comes a little early is not to miss its turn. */
const ALMOST = 0.95;

/** So many pending folders are read again at each check, in turns. */
const LOOKS_MAX = 100;

/** Faults that are not one job's. */
const DISK_WIDE = new Set(["ENOSPC", "EDQUOT", "EROFS", "EIO", "ESTALE", "EMFILE", "ENFILE"]);

/** A job that cannot step holds no place; but not all the inbox is to end so. */
const STUCK_MAX = 100;

/** So many folders that wait are looked at to tell the age of the oldest. */
const FIRST_WAITING = 100;

/** What a pass knows, in figures. */
export interface Facts {
  /** Folders of the inbox that are ready, or have not been looked into. */
  readonly waiting: number;
  /** Those that are held, incomplete or cannot be taken. */
  readonly unready: number;
  /** The first of those that wait, by name. */
  readonly first: readonly string[];
  /** Jobs in pending/, by stage; of those that were submitted, the engine's last news. */
  readonly pending: ReadonlyMap<string, number>;
  /** How long the engine has not answered; undefined if it does. */
  readonly outageMs: number | undefined;
  readonly problems: number;
}

/** All jobs of one root, as one manager knows them: it decides who steps, and tells what happens. */
export class Pass {
  readonly #world: World;
  readonly #limits: Limits;
  readonly #say: Say;
  readonly #wake: () => void;
  readonly #inbox: Inbox;
  readonly #brakes: Brakes;
  readonly #stop = new AbortController();
  readonly #arrivals: Arrivals;
  readonly #results: Results;
  readonly #jobs = new Map<string, Job>();
  /** What was reported and still holds, by what it is about: each is reported once. */
  readonly #problems = new Map<string, string>();
  #looksFrom = 0;
  /** Resolves when the job that was begun last has been submitted, or will not be: the next one's turn. */
  #turn: Promise<void> = Promise.resolve();
  #lastSubmitMs = Number.NEGATIVE_INFINITY;
  readonly #reach = new Reach();
  #polledAtMs = Number.NEGATIVE_INFINITY;
  /** When jobs ended of late, oldest first. */
  readonly #endedAtMs: number[] = [];
  #roomFreed: () => void = () => {};
  /** The disk itself has a fault: nothing more is taken in before then. */
  #diskRetryAtMs = 0;
  #fatal: unknown;
  #lookMs = 0;
  #isAsking = false;
  #stopping = false;

  constructor(world: World, limits: Limits, brakes: BrakeRules, say: Say, wake: () => void) {
    this.#world = world;
    this.#limits = limits;
    this.#say = say;
    this.#wake = wake;
    this.#inbox = new Inbox(world.disk, world.root, world.rules);
    this.#brakes = new Brakes(brakes);
    this.#arrivals = new Arrivals(world, this.#stop.signal, {
      arrived: (file, arrived) => this.#arrived(file, arrived),
      waits: (file, why, againInS) => {
        this.#inbox.expect(file, why, againInS);
        this.#report(`inbox/${file}`, "warn", `${file} waits: ${why.replace(/\.$/, "")}.`);
        this.#wake();
      },
      failed: (error) => this.#failedAside("arrivals", error),
      slow: () => this.#wake(),
      recovered: () => {
        this.#resolve("arrivals", "info", "What was left of archives is in order.");
        this.#wake();
      },
    });
    this.#results = new Results(world, this.#stop.signal, {
      packed: (token, file) => {
        this.#resolve(`pack ${token}`, "info", `complete/${file} could be packed.`);
        this.#note("debug", `complete/${file} is packed.`);
        this.#wake();
      },
      waits: (token, error) => {
        this.#report(`pack ${token}`, "warn", `The archive of ${token} waits: ${error.message}`);
        this.#wake();
      },
      gaveUp: (token, error) => {
        this.#problems.delete(`pack ${token}`);
        this.#note(
          "warn",
          `No archive is put into complete/ for a finished folder, which is there as it is: ${error.message}`,
        );
        this.#wake();
      },
      failed: (error) => this.#failedAside("results", error),
    });
  }

  // -- for the manager --

  /** Looks at the disk anew, then does all that can be done. Throws LockError when another manager took over. */
  async check(): Promise<void> {
    const { root, disk } = this.#world;
    if (!isRootThere(disk, root)) {
      this.#report(
        "root",
        "warn",
        `${root.path} is not there, or is another root now. Waiting for it; no job changes its state.`,
      );
      return;
    }
    this.#resolve("root", "info", `${root.path} is there again.`);
    this.#world.assertOwned();
    const beganMs = performance.now();
    try {
      this.#lookAtPending();
      for (const name of this.#inbox.list()) {
        this.#report(
          `inbox/${name}`,
          "warn",
          `inbox/${name} has a name that is not UTF-8, so that it cannot be opened. Rename it.`,
        );
      }
      this.#reportCircles();
      this.#finishArrivals();
      this.#arrivals.recover();
      this.#results.look(this.underWay());
      this.#resolve("list", "info", `${root.path} can be read again.`);
    } catch (error) {
      this.#report("list", "error", `${root.path} cannot be read: ${(error as Error).message}`);
    }
    this.#lookMs = performance.now() - beganMs;
    await this.advance(true);
    this.#say({ is: "check" });
    this.#leaveWord();
  }

  /** Does all that can be done with what is known, asking the engine if it may have news. */
  async advance(askEngine: boolean): Promise<void> {
    this.#throwIfFatal();
    if (askEngine) {
      this.#isAsking = true;
      await this.#poll().finally(() => {
        this.#isAsking = false;
      });
    }
    this.#roomFreed();
    for (const job of this.#inOrder()) this.#start(job);
    this.#takeInEndings();
    this.#takeIn();
    this.#results.advance();
    this.#throwIfFatal();
  }

  /** Lets the engine be asked at the next check, as soon as it may be asked at all. */
  askSoon(): void {
    const spareMs = (this.#limits.queryS - this.#limits.queryLeastS) * 1000;
    this.#polledAtMs = Math.min(this.#polledAtMs, performance.now() - spareMs);
  }

  /** Resolves when no step is under way. */
  async idle(): Promise<void> {
    for (let busy = this.#busy(); busy.length > 0; busy = this.#busy()) await Promise.all(busy);
    this.#throwIfFatal();
  }

  /** True while a step is under way, or a question to the engine. */
  get isBusy(): boolean {
    return this.#isAsking || this.#busy().length > 0;
  }

  /** From now on no new step is begun; those under way go on to their end. */
  stop(): void {
    this.#stopping = true;
    this.#stop.abort();
    this.#roomFreed();
  }

  /** How long the last look at the disk took. */
  get lookMs(): number {
    return this.#lookMs;
  }

  /** How many entries the inbox has, and how many of them are still to be looked into. */
  get inbox(): { entries: number; known: number } {
    return { entries: this.#inbox.entries, known: this.#inbox.known };
  }

  /** Why the manager should stop by itself, if it should. */
  get spent(): string | undefined {
    return this.#brakes.spent ? `${this.#brakes.errors} jobs have failed (--max-errors)` : undefined;
  }

  get running(): number {
    return [...this.#jobs.values()].filter(isInQueue).length;
  }

  /** Tokens of the jobs that have not arrived in complete/. */
  underWay(): ReadonlySet<string> {
    return new Set([...this.#jobs.values()].map((job) => job.seen?.token).filter((token) => token !== undefined));
  }

  /**
   * Whether something goes on, or waits and could run. What is held, incomplete, or needs somebody's hand does not
   * count, and neither does what waits while the intake is closed; "settling": there are only folders that become
   * ready by themselves.
   */
  get rest(): "busy" | "settling" | "drained" {
    const isArriving = this.#arrivals.busy !== undefined || this.#results.busy !== undefined;
    if (this.#problems.has("list") || isArriving || [...this.#jobs.values()].some(goesOn)) return "busy";
    if (this.spent !== undefined || this.#problems.has("pause")) return "drained";
    if (this.#inbox.isWaiting) return "busy";
    return this.#inbox.settles ? "settling" : "drained";
  }

  /** For --metrics: what is known, without another look at the disk. */
  facts(): Facts {
    const pending = new Map<string, number>();
    for (const job of this.#jobs.values()) {
      const state = stateOf(job);
      pending.set(state, (pending.get(state) ?? 0) + 1);
    }
    const { count: waiting, first } = this.#inbox.waiting(FIRST_WAITING);
    return {
      waiting,
      unready: this.#inbox.reasons().size,
      first,
      pending,
      outageMs: this.#reach.outageMs,
      problems: this.#problems.size,
    };
  }

  /** Keeps in sight (`jobmgr status`) what is wrong elsewhere, or no longer (undefined). Said once, unless it was said before. */
  problem(about: string, text: string | undefined, wasSaid = false): void {
    if (text === undefined) this.#problems.delete(about);
    else if (this.#problems.has(about) || wasSaid) this.#problems.set(about, text);
    else this.#report(about, "warn", text);
  }

  /** Milliseconds until something is known to be due before the next check; undefined if nothing is. */
  dueInMs(): number | undefined {
    const now = performance.now();
    const times = [...this.#jobs.values()].filter((job) => job.retryAtMs > now).map((job) => job.retryAtMs - now);
    const inbox = this.#inbox.againAtMs();
    if (inbox !== undefined) times.push(Math.max(0, inbox - now));
    for (const atMs of this.#reach.retryAtMs) times.push(atMs - now);
    if (this.#diskRetryAtMs > now) times.push(this.#diskRetryAtMs - now);
    for (const atMs of this.#results.retryAtMs) times.push(atMs - now);
    const pausedMs = this.#brakes.pausedForMs(now);
    if (pausedMs > 0) times.push(pausedMs);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  // -- looking --

  #lookAtPending(): void {
    const { disk, root } = this.#world;
    const all = disk.list(root.pending).filter((name) => !isIgnoredName(name));
    const names = sortByCodePoint(all.filter((name) => !isUnreadableName(name)));
    for (const name of all.filter(isUnreadableName)) {
      this.#report(
        `pending/${name}`,
        "warn",
        `pending/${name} has a name that is not UTF-8, so that it cannot be opened. Rename it.`,
      );
    }
    const there = new Set(names);
    for (const job of this.#jobs.values()) if (!there.has(job.name)) this.#vanished(job);
    for (const name of names) if (!this.#jobs.has(name)) this.#jobs.set(name, newJob(name, false));

    const jobs = [...this.#jobs.values()];
    const first = this.#looksFrom % Math.max(1, jobs.length);
    const turn = [...jobs.slice(first), ...jobs.slice(0, first)].slice(0, LOOKS_MAX);
    this.#looksFrom = first + turn.length;
    for (const job of jobs) if (!job.seen && !turn.includes(job)) turn.push(job);
    for (const job of turn) if (!job.busy) this.#look(job);
  }

  #look(job: Job): void {
    const before = job.seen?.stage;
    try {
      if (this.#world.disk.look(jobFolder(this.#world.root, "pending", job.name))?.kind !== "folder") {
        job.seen = { stage: undefined, odd: "it is not a folder" };
      } else {
        job.seen = see(this.#world, "pending", job.name);
      }
      if (job.seen.stage !== before) job.retryS = RETRY_S.first;
      if (job.seen.cancelReason !== undefined) job.cancelled = true;
      if (job.seen.odd === undefined) this.#resolve(job.name, "info", `pending/${job.name} is in order again.`);
      else this.#report(job.name, "error", `pending/${job.name} is left alone: ${job.seen.odd}.`);
    } catch (error) {
      job.seen = { stage: undefined };
      this.#report(job.name, "error", `pending/${job.name} is left alone: ${mending(error, job.name)}`);
    }
  }

  #vanished(job: Job): void {
    if (job.busy) return;
    this.#forget(job);
    const alive = isInQueue(job) && job.seen?.handle;
    const more = alive
      ? ` Its job (${this.#world.engine.name} ${alive}) may still run, and is not followed any more.`
      : "";
    this.#note("warn", `pending/${job.name} has gone: it was moved away or deleted.${more}`);
  }

  #forget(job: Job): void {
    this.#jobs.delete(job.name);
    this.#problems.delete(job.name);
    this.#problems.delete(`step ${job.name}`);
    this.#problems.delete(`news ${job.name}`);
    this.#problems.delete(`doubt ${job.name}`);
  }

  // -- asking the engine --

  async #poll(): Promise<void> {
    if (!this.#reach.mayBeAsked) return;
    if (performance.now() - this.#polledAtMs < this.#limits.queryS * 1000 * ALMOST) return;
    const asked = [...this.#jobs.values()].filter((job) => job.seen?.stage === "submitted" && !job.busy);
    const submitted = asked.map((job) => submittedOf(job)).filter((one) => one !== undefined);
    if (submitted.length === 0) return;
    this.#polledAtMs = performance.now();
    try {
      const failure = await this.#cancelWhatIsAsked(asked).catch((error: Error) => error);
      const news = await this.#world.engine.poll(submitted, this.#stop.signal);
      this.#pollAnswered();
      if (failure) this.#report("cancel", "warn", `What is to be cancelled goes on for now. ${failure.message}`);
      else this.#resolve("cancel", "debug", "Jobs can be cancelled.");
      for (const job of asked) this.#hear(job, news.get(job.seen?.token as Token));
    } catch (error) {
      this.#engineFailed(error, "poll");
    }
  }

  async #cancelWhatIsAsked(jobs: readonly Job[]): Promise<void> {
    for (const job of jobs) {
      const token = job.seen?.token;
      if (!token || !this.#world.disk.look(join(jobFolder(this.#world.root, "pending", job.name), FILES.cancel)))
        continue;
      await this.#guarded(job, async () => {
        const reason = await noteCancel(this.#world, job.name, token);
        if (reason === undefined) return;
        job.cancelled = true;
        this.#note("info", `${job.name} is to be cancelled: ${reason}`);
      });
    }
    const cancelled = jobs
      .filter((job) => job.cancelled)
      .map((job) => submittedOf(job))
      .filter((one) => one !== undefined);
    if (cancelled.length > 0) await this.#world.engine.cancel(cancelled, this.#stop.signal);
  }

  #hear(job: Job, news: News | undefined): void {
    const changed =
      job.news?.is !== news?.is || whyOf(job.news) !== whyOf(news) || expectedOf(job.news) !== expectedOf(news);
    job.news = news;
    job.unweighed = news?.is === "ended" || news?.is === "missing" || news?.is === "unknown";
    if (news?.is === "ended") this.#roomMade();
    if (news?.is === "running" && !job.saidStarted) this.#sayStarted(job);
    if (!changed || !news || news.is === "ended" || !job.seen) return;
    const why = whyOf(news);
    const isStuck = news.is === "queued" && news.stuck === true;
    if (news.is === "unknown" || isStuck) this.#report(`news ${job.name}`, "warn", `${job.name}: ${why}`);
    else this.#resolve(`news ${job.name}`, "debug", `${job.name} is in order again.`);
    const expectedStart = expectedOf(news);
    this.#writeStatus(job, news.is, {
      ...(why !== undefined && { why, whySince: this.#whySince(job, why) }),
      ...(isStuck && { stuck: true }),
      ...(expectedStart !== undefined && { expectedStart }),
    });
  }

  /** What the last status said, if it is the same reason still: a manager that was just started does not know. For people. */
  #whySince(job: Job, why: string): string {
    const { disk, root } = this.#world;
    const now = new Date().toISOString();
    const last = jsonObject(disk, join(jobFolder(root, "pending", job.name), FILES.status));
    const since = textIn(last.whySince);
    const isSame = last.token === job.seen?.token && last.why === why;
    return isSame && since !== undefined && since < now ? since : now;
  }

  /** One of our jobs has ended, so that a limit may leave room for another. */
  #roomMade(): void {
    this.#endedAtMs.push(performance.now());
    this.#reach.roomMade();
  }

  #sayStarted(job: Job): void {
    job.saidStarted = true;
    this.#say({ is: "started", name: job.name });
  }

  #writeStatus(job: Job, state: string, more: Parameters<typeof statusText>[4] = {}): void {
    const { disk, root, engine } = this.#world;
    try {
      putForReading(
        disk,
        jobFolder(root, "pending", job.name),
        FILES.status,
        statusText(engine, job.name, state, job.seen ?? { stage: undefined }, more),
      );
    } catch (error) {
      this.#report(
        `status ${job.name}`,
        "warn",
        `${FILES.status} of ${job.name} cannot be written: ${(error as Error).message}`,
      );
    }
  }

  #pollAnswered(): void {
    const isTried = [...this.#jobs.values()].some((job) => job.seen?.stage === "submitting");
    this.#resolveOutage(this.#reach.pollAnswered(isTried));
  }

  #submitAnswered(): void {
    this.#resolveOutage(this.#reach.submitAnswered());
    this.#resolve("full", "info", `${this.#world.engine.name} takes jobs again.`);
  }

  #resolveOutage(tookS: number | undefined): void {
    if (tookS === undefined) return;
    this.#resolve("engine", "info", `${this.#world.engine.name} answers again, after ${durationText(tookS)}.`);
  }

  /** Tells of an outage once; what the engine says may change while it lasts. */
  #engineFailed(error: unknown, request: "poll" | "submit"): void {
    if (error instanceof LockError) {
      this.#fatal ??= error;
      return;
    }
    this.#reach.failed(request);
    const text = `${this.#world.engine.name} does not answer; no job changes its state. ${(error as Error).message}`;
    if (this.#problems.has("engine")) {
      this.#note("debug", text);
      this.#problems.set("engine", text);
    } else this.#report("engine", "warn", text);
  }

  // -- letting jobs step --

  #inOrder(): Job[] {
    const idle = new Map([...this.#jobs].filter(([, job]) => !job.busy && this.#hasStep(job)));
    return sortByCodePoint([...idle.keys()]).map((name) => idle.get(name) as Job);
  }

  #hasStep(job: Job): boolean {
    if (performance.now() < job.retryAtMs) return false;
    const stage = job.seen?.stage;
    if (stage === "submitted") return job.unweighed;
    if (stage === "submitting" && performance.now() < this.#reach.submitAtMs) return false;
    return stage !== undefined;
  }

  #start(job: Job): void {
    if (this.#stopping || this.#fatal) return;
    const before = this.#turn;
    let pass = () => {};
    const passed = new Promise<void>((resolve) => {
      pass = resolve;
    });
    this.#turn = Promise.all([before, passed]).then(() => {});
    job.busy = this.#guarded(job, () => this.#walk(job, before, pass)).finally(() => {
      pass();
      job.busy = undefined;
      this.#wake();
    });
  }

  /** Runs a step of one job, so that what goes wrong with it concerns no other. */
  async #guarded(job: Job, step: () => Promise<void>): Promise<void> {
    const about = `step ${job.name}`;
    try {
      await step();
      job.stuck = false;
      this.#resolve(about, "info", `${job.name} goes on.`);
    } catch (error) {
      if (error instanceof LockError) {
        this.#fatal ??= error;
        return;
      }
      job.fresh = false;
      job.stuck = true;
      this.#postpone(job);
      if (DISK_WIDE.has((error as NodeJS.ErrnoException).code ?? "")) this.#diskRetryAtMs = job.retryAtMs;
      if (this.#isGone("pending", job.name)) return;
      this.#report(about, "error", `${job.name} waits: ${(error as Error).message}`);
      this.#look(job);
    }
  }

  #isGone(place: Place, name: string): boolean {
    try {
      return this.#world.disk.look(jobFolder(this.#world.root, place, name)) === undefined;
    } catch {
      return false;
    }
  }

  #postpone(job: Job): void {
    job.retryAtMs = performance.now() + job.retryS * 1000;
    job.retryS = Math.min(job.retryS * 2, RETRY_S.most);
  }

  /** Takes a job as far as it goes now: submitted in its turn, so that jobs start in the order of their names. */
  async #walk(job: Job, turn: Promise<void>, passTurn: () => void): Promise<void> {
    const walked = new Set<string | undefined>();
    while (!this.#stopping && performance.now() >= job.retryAtMs) {
      const stage = job.seen?.stage;
      // "submitted" ends a walk, unless there is news of its end.
      if (stage === undefined || walked.has(stage)) return;
      walked.add(stage);
      if (stage === "claimed") await this.#plan(job);
      else if (stage === "submitting") await turn.then(() => this.#submit(job, passTurn));
      else passTurn();
      if (stage === "submitted") await this.#settle(job);
      if (stage === "settled") return (await this.#sendBack(job)) ? undefined : this.#archive(job);
    }
  }

  async #plan(job: Job): Promise<void> {
    if (!job.fresh) {
      const verdict = await rescue(this.#world, job.name, this.#stop.signal);
      if (typeof verdict === "object") return this.#unsure(job, verdict.why);
      if (verdict === "done") return this.#look(job);
      this.#resolve(`doubt ${job.name}`, "info", `${job.name} goes on.`);
    }
    const planned = await plan(this.#world, job.name);
    if ("why" in planned) {
      this.#forget(job);
      return this.#note("info", `${job.name} is in the inbox again: ${planned.why}.`);
    }
    job.ending &&= planned.stage === "settled";
    job.seen = planned;
    job.fresh = true;
  }

  #unsure(job: Job, why: string): void {
    this.#postpone(job);
    this.#report(`doubt ${job.name}`, "warn", `${job.name} waits: ${why.replace(/\.$/, "")}.`);
  }

  /** One submission at a time. */
  async #submit(job: Job, passTurn: () => void): Promise<void> {
    const { attempt } = job.seen ?? {};
    if (!job.seen || !attempt || this.#stopping) return;
    if (performance.now() < this.#reach.submitAtMs) return;
    await this.#room(job);
    await this.#delay();
    if (this.#stopping) return;
    if (job.seen?.token) await noteCancel(this.#world, job.name, job.seen.token);
    const fresh = job.fresh;
    job.fresh = false;
    job.aside = false;
    this.#lastSubmitMs = performance.now();
    try {
      const done = await submit(this.#world, { ...job.seen, attempt }, fresh, this.#stop.signal, () => {
        job.handed = true;
        this.#lastSubmitMs = performance.now();
        passTurn();
      });
      if ("why" in done) return this.#unsure(job, done.why);
      if (done.stage === "submitted" || done.outcome?.outcome.is === "refused") this.#submitAnswered();
      this.#resolve(`doubt ${job.name}`, "info", `${job.name} goes on.`);
      job.seen = done;
    } catch (error) {
      if (!isEngineError(error)) throw error;
      if (error.verdict === "ambiguous")
        return this.#unsure(job, `whether it was submitted is not known yet: ${error.message}`);
      job.aside = error.isOfOneJob;
      if (job.aside) return this.#unsure(job, error.message);
      if (error.verdict === "full") {
        this.#reach.full();
        this.#report("full", "warn", `${this.#world.engine.name} takes no more for now; jobs wait. ${error.message}`);
      } else this.#engineFailed(error, "submit");
      return;
    } finally {
      job.handed = false;
    }
    if (job.seen.stage === "submitted") this.#writeStatus(job, "submitted");
  }

  async #delay(): Promise<void> {
    const waitMs = this.#lastSubmitMs + this.#limits.delayS * 1000 - performance.now();
    if (waitMs <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, waitMs);
      const { signal } = this.#stop;
      signal.addEventListener("abort", done, { once: true });
      function done() {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      }
    });
  }

  async #settle(job: Job): Promise<void> {
    const { seen } = job;
    if (!seen?.attempt || !job.unweighed) return;
    job.unweighed = false;
    const done = await settle(this.#world, { ...seen, attempt: seen.attempt }, job.news);
    if (done === undefined) return this.#postpone(job);
    if (done !== "unstarted") {
      job.seen = done;
      return;
    }
    this.#report(job.name, "warn", `${job.name} was submitted, but job.sh was not started; it is submitted again.`);
    job.seen = { stage: "claimed" };
    job.news = undefined;
    job.fresh = true;
    job.saidStarted = false;
    this.#postpone(job);
  }

  /** True if the job is to be run again, and waits for that in the inbox. */
  async #sendBack(job: Job): Promise<boolean> {
    const { seen } = job;
    const back = seen && (await sendBack(this.#world, job.name, seen));
    if (!back) return false;
    const { name, record } = back;
    if (seen.outcome?.startedAt && !job.saidStarted) this.#sayStarted(job);
    this.#forget(job);
    const now = Date.now();
    this.#inbox.expect(name, whyItWaitsAgain(record, now + record.waitS * 1000, now), record.waitS);
    const result = record.ends.at(-1) ?? "";
    const isArray = (seen.attempt?.plan.tasks.length ?? 0) > 0;
    const more = [isArray && "All its tasks run again.", name !== job.name && `It is inbox/${name}.`]
      .filter(Boolean)
      .join(" ");
    const { waitS, number, of, raised } = record;
    this.#say({ is: "retrying", name: job.name, result, waitS, number, of, raised, ...(more && { more }) });
    return true;
  }

  async #archive(job: Job): Promise<void> {
    const { seen } = job;
    if (!seen?.outcome) return;
    const target = await archive(this.#world, job.name, seen);
    this.#forget(job);
    this.#inbox.ended(job.name, target);
    if (seen.token) this.#finish(seen.token);
    if (seen.token) this.#results.arrived(seen.token);
    const { outcome, startedAt, endedAt } = seen.outcome;
    if (startedAt && !job.saidStarted) this.#sayStarted(job);
    const succeeded = outcome.is === "succeeded";
    const durationS = startedAt && endedAt ? (Date.parse(endedAt) - Date.parse(startedAt)) / 1000 : undefined;
    const more = [succeeded ? "" : outcome.why, target === job.name ? "" : `It is complete/${target}.`]
      .filter(Boolean)
      .join(" ");
    this.#say({ is: "finished", name: job.name, result: outcome.is, succeeded, durationS, ...(more && { more }) });
    // One failure is counted once, and not again for each job that was to run after it.
    if (outcome.after !== undefined) return;
    const pause = this.#brakes.note(!succeeded && outcome.is !== "cancelled", performance.now());
    if (pause) this.#note("warn", `${pause}.`);
  }

  // -- taking in --

  /** Folders that are not to be run need no place, and are told so while the root is paused, or the queue full. */
  #takeInEndings(): void {
    if (this.#stopping || this.#fatal || performance.now() < this.#diskRetryAtMs) return;
    if (this.spent !== undefined || this.#stuck() >= STUCK_MAX) return;
    const underWay = [...this.#jobs.values()].filter((job) => job.ending).length;
    for (const { name, signature } of this.#inbox.endings(ENDINGS_MAX - underWay)) this.#claim(name, signature, true);
  }

  #takeIn(): void {
    if (this.#stopping || this.#fatal || !this.#mayTakeIn()) return;
    while (this.spent === undefined && !this.#arrivals.holdsTurn) {
      const free = this.#limits.jobsMax + this.#ahead() - this.#placesTaken();
      if (free <= 0 || this.#waiting() >= this.#limits.pendingMax || this.#isTurnFull()) return;
      const next = this.#inbox.peek(this.#arrivals.busy === undefined);
      if (next === "later") return this.#wake();
      if (next?.isFile) {
        const { why, againInS } = this.#arrivals.begin(next.name, next.signature);
        this.#inbox.putBack(next.name, why, againInS);
        continue;
      }
      if (!next || this.#placesOf(next.name) > free) return;
      this.#claim(next.name, next.signature);
    }
  }

  /** A file has become a folder, which is ready, or is in pending/ because it is refused. */
  #arrived(file: string | undefined, { place, name }: Arrived): void {
    if (file !== undefined) this.#resolve(`inbox/${file}`, "info", `${file} goes on.`);
    if (place === "inbox") this.#inbox.insert(name);
    else if (!this.#jobs.has(name)) {
      const job = newJob(name, false);
      this.#jobs.set(name, job);
      this.#look(job);
    }
    this.#wake();
  }

  /** Something went wrong that is done again at the next check. */
  #failedAside(about: string, error: unknown): void {
    if (error instanceof LockError) this.#fatal ??= error;
    else this.#report(about, "warn", `What is left of archives waits: ${(error as Error).message}`);
    this.#wake();
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

  /** Resolves when the engine has room for a job that is prepared, or the manager is to stop. */
  async #room(job: Job): Promise<void> {
    const fits = () => this.#placesSubmitted() + placesOf(job, this.#limits.jobsMax) <= this.#limits.jobsMax;
    const braked = () => this.spent !== undefined || this.#brakes.pausedForMs(performance.now()) > 0;
    while ((!fits() || braked()) && !this.#stopping) {
      await new Promise<void>((resolve) => {
        this.#roomFreed = resolve;
      });
    }
  }

  #placesSubmitted(): number {
    let taken = 0;
    for (const job of this.#jobs.values())
      if (job.handed || isInQueue(job)) taken += placesOf(job, this.#limits.jobsMax);
    return taken;
  }

  #mayTakeIn(): boolean {
    const { disk } = this.#world;
    const paused = disk.look(this.#limits.pauseFile) !== undefined;
    if (paused)
      this.#report("pause", "info", `Paused by ${this.#limits.pauseFile}: nothing is taken in until it is removed.`);
    else this.#resolve("pause", "info", "The pause file has gone: jobs are taken in again.");
    if (performance.now() < this.#diskRetryAtMs || this.#stuck() >= STUCK_MAX) return false;
    // While the engine takes none, those that are on their way find out when it does.
    const isProbed = !this.#reach.takesJobs && [...this.#jobs.values()].some((job) => isOnItsWay(job, true));
    const isOpen = performance.now() >= this.#reach.submitAtMs && !isProbed;
    return !paused && this.#brakes.pausedForMs(performance.now()) === 0 && isOpen;
  }

  #claim(name: string, signature: string | undefined, ending = false): void {
    try {
      const taken = claim(this.#world, name, signature);
      if (taken === undefined) {
        return this.#inbox.putBack(name, "it changed while it was taken, so that it was put back");
      }
      this.#inbox.pass(name);
      this.#resolve(`inbox/${name}`, "debug", `inbox/${name} could be taken.`);
      this.#say({ is: "claimed", name: taken });
      const job = newJob(taken, true);
      job.seen = { stage: "claimed" };
      job.ending = ending;
      this.#jobs.set(taken, job);
      this.#start(job);
    } catch (error) {
      if (error instanceof LockError) {
        this.#fatal ??= error;
        return this.#inbox.pass(name);
      }
      // Somebody was faster, who removed it or moved it away.
      if (this.#isGone("inbox", name)) return this.#inbox.pass(name);
      this.#inbox.putBack(name, (error as Error).message);
      this.#report(`inbox/${name}`, "error", `${name} cannot be taken in: ${(error as Error).message}`);
    }
  }

  /** Places of jobs that are in the engine's queue, or on their way there. */
  #placesTaken(): number {
    const { hasQueue } = this.#world.engine;
    let taken = 0;
    for (const job of this.#jobs.values()) {
      if (isOnItsWay(job, hasQueue) || isInQueue(job)) taken += placesOf(job, this.#limits.jobsMax);
    }
    return taken;
  }

  #stuck(): number {
    return [...this.#jobs.values()].filter((job) => job.stuck).length;
  }

  /** Where one is submitted after the other, only the next few leave the inbox: a late one with an early name goes first. */
  #isTurnFull(): boolean {
    if (!this.#world.engine.hasQueue) return false;
    const now = performance.now();
    const onTheirWay = [...this.#jobs.values()].filter((job) => isOnItsWay(job, true) && job.retryAtMs <= now);
    return onTheirWay.length >= ON_THEIR_WAY_MAX;
  }

  /** Jobs that wait in the engine's queue, as far as is known, or will soon. */
  #waiting(): number {
    const { hasQueue } = this.#world.engine;
    return [...this.#jobs.values()].filter((job) => {
      if (job.news !== undefined) return job.news.is === "queued";
      return hasQueue && (isOnItsWay(job, hasQueue) || isInQueue(job));
    }).length;
  }

  /** How many places a folder of the inbox needs; one that cannot be run needs one, to be told so. */
  #placesOf(name: string): number {
    try {
      const read = readScript(this.#world.disk, jobFolder(this.#world.root, "inbox", name), name);
      if ("fault" in read) return 1;
      return Math.min(this.#world.engine.plan(read.script).places, this.#limits.jobsMax);
    } catch {
      return 1;
    }
  }

  // -- the rest --

  #finishArrivals(): void {
    const { disk } = this.#world;
    if (this.#world.rules.finishedFile === undefined) return;
    if (disk.makeFolder(finishingFolder(this.#world))) return;
    const underWay = this.underWay();
    for (const marker of disk.list(finishingFolder(this.#world))) {
      if (!underWay.has(marker) && !marker.startsWith(".")) this.#finish(marker);
    }
  }

  #finish(marker: string): void {
    const about = `finish ${marker}`;
    try {
      finish(this.#world, marker);
      this.#resolve(about, "info", `${this.#world.rules.finishedFile} of attempt ${marker} is written.`);
    } catch (error) {
      const path = join(finishingFolder(this.#world), marker);
      this.#report(
        about,
        "warn",
        `${this.#world.rules.finishedFile} named in ${path} cannot be written: ${(error as Error).message}`,
      );
    }
  }

  #reportCircles(): void {
    const circles = this.#inbox.circles.slice(0, CIRCLES_MAX);
    const abouts = new Set(circles.map(aboutCircle));
    for (const about of this.#problems.keys())
      if (about.startsWith("circle ") && !abouts.has(about)) this.#resolve(about, "info", `A ${about} is no more.`);
    for (const circle of circles) this.#report(aboutCircle(circle), "warn", `${circleText(circle)}.`);
  }

  /** A few words for `jobmgr status`: why folders wait, how the engine is. */
  #leaveWord(): void {
    const { disk, root, engine } = this.#world;
    const reasons = Object.fromEntries([...this.#inbox.reasons()].slice(0, 200));
    const outage = this.#outage();
    const pausedMs = this.#brakes.pausedForMs(performance.now());
    const word: ManagerWord = {
      schema: 1,
      engine: engine.name,
      at: new Date().toISOString(),
      problems: Object.fromEntries(this.#problems),
      ...(outage && { outage }),
      ...(pausedMs > 0 && { brakedUntil: new Date(Date.now() + pausedMs).toISOString() }),
      queue: {
        jobsMax: this.#limits.jobsMax,
        pendingMax: this.#limits.pendingMax,
        taken: this.#placesTaken(),
        waiting: this.#waiting(),
      },
      reasons,
    };
    try {
      putForReading(disk, root.own, "manager.json", `${JSON.stringify(word, undefined, 1)}\n`);
      this.#resolve("word", "debug", "manager.json can be written again.");
    } catch (error) {
      this.#report("word", "warn", `${root.own}/manager.json cannot be written: ${(error as Error).message}`);
    }
  }

  #outage(): ManagerWord["outage"] {
    const text = this.#problems.get("engine");
    const { outageMs } = this.#reach;
    if (text === undefined || outageMs === undefined) return undefined;
    return { since: new Date(Date.now() - outageMs).toISOString(), text };
  }

  #busy(): Promise<void>[] {
    const steps = [...this.#jobs.values()].map((job) => job.busy);
    return [...steps, this.#arrivals.busy, this.#results.busy].filter((busy) => busy !== undefined);
  }

  #throwIfFatal(): void {
    if (this.#fatal) throw this.#fatal;
  }

  #note(level: "error" | "warn" | "info" | "debug", text: string): void {
    this.#say({ is: "note", level, text });
  }

  #report(about: string, level: "error" | "warn" | "info", text: string): void {
    if (this.#problems.get(about) === text) return;
    this.#problems.set(about, text);
    this.#note(level, text);
  }

  #resolve(about: string, level: "info" | "debug", text: string): void {
    if (this.#problems.delete(about)) this.#note(level, text);
  }
}

/** What is wrong with a folder, and how to mend it where that is plain. */
function mending(error: unknown, name: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "EACCES" ? `it cannot be read. Mend it with: chmod u+rwx pending/${name}` : message;
}

function aboutCircle({ names }: Circle): string {
  return `circle of ${names.length} with "${names[0]}"`;
}
