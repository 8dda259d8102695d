/**
 * One pass over all jobs: look at the disk, ask the engine once, let every job do its next step, take in what is
 * ready. Safe to repeat at any moment, and to stop anywhere: recovery is the normal pass.
 *
 * What is remembered between passes is only what the disk said last, so that not all is read again each time. Each
 * part of that belongs to one file of this folder:
 *
 *     intake.ts                 from the inbox to pending/
 *     moved.ts                  but not while a job runs in a folder that was moved there
 *     jobs.ts, job.ts           who is in pending/, and what is known of each
 *     walks.ts                  a job's steps, one after the other, as far as it goes now
 *     places.ts, submissions.ts its place in the engine's queue; one submission after the other
 *     rounds.ts                 one question to the engine for all its jobs
 *     behind.ts                 those that wait in its queue for others
 *     ends.ts                   from pending/ to complete/, or to the inbox again
 *     beside.ts                 archives, unpacked and packed while all else goes on
 *     guard.ts                  what goes wrong with one job concerns no other
 *     line.ts, lines.ts         is the engine in reach? which one is a job's?
 *     others.ts                 engines of jobs that an earlier manager has submitted
 *     problems.ts, life.ts      what is wrong; may anything go on?
 *     word.ts, facts.ts, status.ts, finished-files.ts       what is left for people and programs
 */
import { type BrakeRules, Brakes } from "../brakes.ts";
import type { Say } from "../events.ts";
import type { Behind } from "../inbox/after.ts";
import type { MayGoBehind } from "../inbox/dependents.ts";
import { Inbox, soonestAfter } from "../inbox/inbox.ts";
import { isRootThere } from "../root.ts";
import { beforesOf } from "../steps/behind.ts";
import type { World } from "../steps/world.ts";
import { Waiters } from "./behind.ts";
import { Beside } from "./beside.ts";
import { Ends } from "./ends.ts";
import { type Facts, factsOf } from "./facts.ts";
import { finishFolders } from "./finished-files.ts";
import { Guard } from "./guard.ts";
import { Intake } from "./intake.ts";
import { goesOn, isInQueue } from "./job.ts";
import { Jobs } from "./jobs.ts";
import { Life } from "./life.ts";
import type { Limits } from "./limits.ts";
import { Line } from "./line.ts";
import { Lines } from "./lines.ts";
import { MovedFolders } from "./moved.ts";
import { type LoadEngine, Others } from "./others.ts";
import { Places } from "./places.ts";
import { Problems } from "./problems.ts";
import { type Asked, Rounds } from "./rounds.ts";
import { Submissions } from "./submissions.ts";
import { Walks } from "./walks.ts";
import { leaveWord } from "./word.ts";

export type { Facts } from "./facts.ts";
export type { Limits } from "./limits.ts";
export type { LoadEngine } from "./others.ts";

/** All jobs of one root, as one manager knows them: it decides who steps, and tells what happens. */
export class Pass {
  readonly #world: World;
  readonly #limits: Limits;
  readonly #say: Say;
  readonly #inbox: Inbox;
  readonly #brakes: Brakes;
  readonly #life = new Life();
  readonly #problems: Problems;
  readonly #jobs: Jobs;
  readonly #lines: Lines;
  readonly #moved: MovedFolders;
  readonly #others: Others;
  readonly #places: Places;
  readonly #rounds: Rounds;
  readonly #beside: Beside;
  readonly #guard: Guard;
  readonly #walks: Walks;
  readonly #intake: Intake;
  /** Folders of the inbox that were let go behind others in the queue since the last step forward. */
  readonly #goBehind = new Set<string>();
  #lookMs = 0;
  /** When the last check began, and the last step forward. */
  #checkedMs = 0;
  #beganMs = 0;
  /** When the last check came to its end (ISO-8601 UTC). */
  #checkedAt: string | undefined;

  /** `load`: how other engines than today's are loaded, for jobs that they were given before. */
  constructor(world: World, limits: Limits, brakes: BrakeRules, say: Say, wake: () => void, load?: LoadEngine) {
    this.#world = world;
    this.#limits = limits;
    this.#say = say;
    const mayGoBehind: MayGoBehind = (name, behind) => this.#mayGoBehind(name, behind);
    const whyKept = (name: string) => this.#moved.whyItWaits(name);
    this.#inbox = new Inbox(world.disk, world.root, world.rules, mayGoBehind, whyKept);
    this.#brakes = new Brakes(brakes);
    this.#problems = new Problems(say);
    this.#lines = new Lines(new Line(world, limits, this.#life, this.#problems));
    this.#jobs = new Jobs(world, this.#lines, this.#problems);
    this.#places = new Places(limits, this.#life, this.#jobs, this.#lines, this.#brakes);
    this.#guard = new Guard(world, this.#life, this.#jobs, this.#problems);

    const known = {
      limits,
      life: this.#life,
      inbox: this.#inbox,
      brakes: this.#brakes,
      jobs: this.#jobs,
      lines: this.#lines,
      places: this.#places,
      guard: this.#guard,
      problems: this.#problems,
      say,
      wake,
    };
    this.#moved = new MovedFolders({ ...known, world });
    this.#others = new Others({ ...known, world, moved: this.#moved }, load);
    this.#rounds = new Rounds({ ...known, behind: new Waiters(known), goOn: () => this.#walks.startAll() });
    this.#beside = new Beside({ ...known, world });
    const submissions = new Submissions(known);
    const ends = new Ends({ ...known, beside: this.#beside });
    this.#walks = new Walks({ ...known, submissions, ends });
    this.#intake = new Intake({ ...known, beside: this.#beside, walks: this.#walks });
  }

  // -- the pass --

  /** Looks at the disk anew, then does all that can be done. Throws LockError when another manager took over. */
  async check(): Promise<void> {
    const { root } = this.#world;
    this.#checkedMs = performance.now();
    this.#beganMs = this.#checkedMs;
    if (!this.#isThere()) {
      this.#problems.report(
        "root",
        "warn",
        `${root.path} is not there, or is another root now. Waiting for it; no job changes its state.`,
      );
      return;
    }
    this.#problems.resolve("root", "info", `${root.path} is there again.`);
    this.#world.assertOwned();
    this.#look();
    await this.#others.look();
    await this.advance("all");
    this.#say({ is: "check" });
    this.#checkedAt = new Date().toISOString();
    this.leaveWord();
  }

  #isThere(): boolean {
    return isRootThere(this.#world.disk, this.#world.root);
  }

  /** Does all that can be done with what is known, asking these engines, if they may be asked. */
  async advance(asked: Asked): Promise<void> {
    this.#life.throwIfTakenOver();
    this.#beganMs = performance.now();
    this.#goBehind.clear();
    await this.#rounds.ask(asked);
    this.#places.lookAgain();
    this.#walks.startAll();
    this.#intake.takeInEndings();
    this.#intake.takeIn();
    if (this.#moved.intents.length > 0) this.#askForMoved();
    this.#beside.packNext();
    this.#life.throwIfTakenOver();
  }

  /** In whichever engine they run, which may have to be loaded first. */
  #askForMoved(): void {
    this.#moved.ask();
    void this.#others.look();
  }

  #look(): void {
    const { root } = this.#world;
    const beganMs = performance.now();
    try {
      this.#jobs.lookAtAll();
      this.#moved.look();
      this.#intake.look();
      finishFolders(this.#world, this.#problems, this.#jobs.tokens);
      this.#beside.look();
      this.#problems.resolve("list", "info", `${root.path} can be read again.`);
    } catch (error) {
      this.#problems.report("list", "error", `${root.path} cannot be read: ${(error as Error).message}`);
    }
    this.#lookMs = performance.now() - beganMs;
  }

  /** Says for `jobmgr status` what is known, while the root is there. Never throws. */
  leaveWord(): void {
    if (this.#checkedAt === undefined || !this.#isThere()) return;
    leaveWord({
      checkedAt: this.#checkedAt,
      limits: this.#limits,
      inbox: this.#inbox,
      lines: this.#lines,
      places: this.#places,
      brakes: this.#brakes,
      problems: this.#problems,
      next: this.#intake.next,
    });
  }

  /** Thousands may wait for one job: no more are looked into than may go into the queue behind it. */
  #mayGoBehind(name: string, behind: readonly Behind[]): boolean {
    const isKnown = this.#goBehind.has(name);
    if (this.#places.freeBehind <= (isKnown ? 0 : this.#goBehind.size)) return false;
    if (!beforesOf(this.#world, { place: "inbox", name }, behind)) return false;
    this.#goBehind.add(name);
    return true;
  }

  // -- how it begins and ends --

  /** Lets the engines be asked as soon as they may be asked at all. */
  askSoon(): void {
    for (const line of this.#lines.all) line.askSoon();
  }

  /** Resolves when no step is under way. */
  async idle(): Promise<void> {
    for (let busy = this.#busy(); busy.length > 0; busy = this.#busy()) await Promise.all(busy);
    this.#life.throwIfTakenOver();
  }

  /** True while a step is under way, or a question to the engine. */
  get isBusy(): boolean {
    return this.#busy().length > 0;
  }

  #busy(): Promise<void>[] {
    const steps = this.#jobs.all.map((job) => job.busy).filter((busy) => busy !== undefined);
    return [...steps, ...this.#beside.busy, ...this.#rounds.busy, ...this.#moved.busy, ...this.#others.busy];
  }

  /** From now on no new step is begun; those under way go on to their end. */
  stop(): void {
    this.#life.stop();
    this.#places.lookAgain();
  }

  // -- what it knows --

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
    return this.#jobs.all.filter(isInQueue).length;
  }

  /** Tokens of the jobs that have not arrived in complete/. */
  underWay(): ReadonlySet<string> {
    return this.#jobs.tokens;
  }

  /**
   * Whether something goes on, or waits and could run. What is held, incomplete, or needs somebody's hand does not
   * count, and neither does what waits while the intake is closed; "settling": there are only folders that become
   * ready by themselves.
   */
  get rest(): "busy" | "settling" | "drained" {
    if (this.#problems.has("list") || this.#beside.busy.length > 0 || this.#jobs.all.some(goesOn)) return "busy";
    if (this.#brakes.spent || this.#problems.has("pause")) return "drained";
    if (this.#inbox.isWaiting) return "busy";
    return this.#inbox.settles ? "settling" : "drained";
  }

  /** For --metrics: what is known, without another look at the disk. */
  facts(): Facts {
    return factsOf({ jobs: this.#jobs, inbox: this.#inbox, lines: this.#lines, problems: this.#problems });
  }

  /** Keeps in sight (`jobmgr status`) what is wrong elsewhere, or no longer (undefined). Said once, unless it was said before. */
  problem(about: string, text: string | undefined, wasSaid = false): void {
    if (text === undefined) this.#problems.forget(about);
    else if (this.#problems.has(about) || wasSaid) this.#problems.keep(about, text);
    else this.#problems.report(about, "warn", text);
  }

  /**
   * Milliseconds until something is known to be due before the next check; undefined if nothing is. What has become due
   * since it could last have had its turn is due now, however late that is asked.
   */
  dueInMs(): number | undefined {
    const began = this.#beganMs;
    const times = [
      ...this.#jobs.all.map((job) => job.retryAtMs),
      ...this.#lines.all.flatMap((line) => line.retryAtMs),
      this.#guard.retryAtMs,
      ...this.#beside.retryAtMs,
      began + this.#brakes.pausedForMs(began),
    ];
    const atMs = [soonestAfter(began, times), this.#inbox.againAtMs(this.#checkedMs)].filter((at) => at !== undefined);
    return atMs.length === 0 ? undefined : Math.max(0, Math.min(...atMs) - performance.now());
  }
}
