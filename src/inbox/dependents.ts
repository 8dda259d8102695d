/**
 * The folders of the inbox that wait for others, and those that somebody has cancelled there: what was learnt of them,
 * so that they are told at once what becomes of them, however many folders wait before them. A memory, never a fact:
 * before a folder is moved, and again after that, it is read anew.
 */
import { join } from "node:path";
import { arrivalName } from "../archive/names.ts";
import type { Disk } from "../disk.ts";
import { FILES } from "../files.ts";
import { wasMet } from "../retry/again.ts";
import { jobFolder, type Root, unnumberedName } from "../root.ts";
import {
  type AfterRead,
  type Behind,
  type Circle,
  circlesOf,
  circleText,
  dependenciesIn,
  type JobState,
  type Verdict,
  verdictOf,
} from "./after.ts";
import { graphOf, readAfter, stateOfJob } from "./dependencies.ts";
import { NameHints } from "./name-hints.ts";

/** So many folders are asked at each check whether they have such a file: new ones first, then the others in turns. */
const LOOKS_MAX = 500;

/** While such turns find so many cancelled folders, others follow at the same check. */
const CANCELLED_MANY = 10;
const TURNS_MAX = 10;

/** Of the folders that are known to wait for others, so many are judged anew at each check, in turns. */
const JUDGED_MAX = 500;

/** Circles among so many are found in no time. */
const KNOWN_FEW = 5000;

interface Dependent {
  /** What job_after.txt looked like when it was read. */
  readonly mark: string;
  readonly read: AfterRead;
  verdict: Verdict;
}

/** How jobs stand, as far as they have been looked for in one round. */
type States = Map<string, JobState>;

/** Whether a folder of the inbox may be submitted before these jobs have ended. */
export type MayGoBehind = (name: string, behind: readonly Behind[]) => boolean;

/** What is remembered of the folders of one inbox that wait for others. */
export class Dependents {
  readonly #disk: Disk;
  readonly #root: Root;
  readonly #mayGoBehind: MayGoBehind;
  readonly #hints: NameHints;
  #names: readonly string[] = [];
  /** Names that have come and were not looked into yet, and where the turns of the others go on. */
  #fresh: string[] = [];
  #looksFrom = 0;
  readonly #known = new Map<string, Dependent>();
  #judgedFrom = 0;
  /** Who waits for a job, by one way to write its name, and the ways in which it is written. */
  readonly #waiters = new Map<string, { readonly names: Set<string>; readonly who: Set<string> }>();
  readonly #cancelled = new Set<string>();
  /** Those for whom something has changed since they were judged. */
  readonly #unsettled = new Set<string>();
  readonly #failed = new Set<string>();
  #circles: readonly Circle[] = [];
  #inCircle: ReadonlyMap<string, Circle> = new Map();
  #circlesMayDiffer = false;
  #states: States = new Map();

  /** `mayGoBehind`: whether a folder may go into the queue of the engine, behind these jobs there. */
  constructor(disk: Disk, root: Root, mayGoBehind: MayGoBehind = () => false) {
    this.#mayGoBehind = mayGoBehind;
    this.#disk = disk;
    this.#root = root;
    this.#hints = new NameHints(disk, root);
  }

  /** Takes over a new listing of the inbox, in order, and looks into some of it. */
  list(names: readonly string[]): void {
    this.#states = new Map();
    const isSmall = names.length <= LOOKS_MAX;
    if (isSmall) this.#fresh = [];
    else this.#fresh.push(...newcomers(this.#names, names));
    this.#names = names;
    this.#hints.list(names);
    this.#forgetGone();
    if (isSmall) for (const name of names) this.#lookInto(name);
    else for (let turns = 0; turns < TURNS_MAX && this.#lookIntoSome(); turns++);
    this.#findCircles();
    const known = [...this.#known.keys()];
    const from = this.#judgedFrom % Math.max(1, known.length);
    const turn = [...known.slice(from), ...known.slice(0, from)].slice(0, JUDGED_MAX);
    this.#judgedFrom = from + turn.length;
    for (const name of turn) this.#unsettled.add(name);
  }

  /** A job is in the engine's queue now, has ended, or has gone back to the inbox: those that wait for it are judged anew. */
  changed(...names: readonly string[]): void {
    for (const name of names.flatMap((one) => [one, unnumberedName(one)])) {
      const waiters = this.#waiters.get(keyOf(name));
      if (waiters === undefined) continue;
      // The others stand as they did: a job that waits for a thousand must not look for all when one has ended.
      for (const form of waiters.names) this.#states.delete(form);
      for (const waiter of waiters.who) this.#unsettled.add(waiter);
    }
  }

  /** Judges those for whom something has changed; returns the names of those that may be taken by now. */
  settle(): string[] {
    const met: string[] = [];
    for (const name of this.#unsettled) {
      const before = this.#known.get(name)?.verdict.is;
      if (this.verdict(name).is === "met" && before !== "met") met.push(name);
    }
    this.#unsettled.clear();
    return met;
  }

  /** Whether a folder of the inbox may be taken, read off the disk now; but no other job is looked for twice in one round. */
  verdict(name: string): Verdict {
    const dependent = this.#learn(name);
    if (dependent === undefined) return { is: "met" };
    try {
      dependent.verdict = this.#judge(name, dependent.read);
    } catch (error) {
      dependent.verdict = { is: "waits", why: `what it waits for cannot be read: ${(error as Error).message}` };
    }
    // The last one to be judged is the last one of those to be shown.
    this.#failed.delete(name);
    if (dependent.verdict.is === "failed") this.#failed.add(name);
    this.#unsettled.delete(name);
    return dependent.verdict;
  }

  /** Names of folders that can never run, because a job before them did not succeed. */
  get failed(): ReadonlySet<string> {
    return this.#failed;
  }

  /** Names of folders that were to be cancelled when they were looked into. */
  get cancelled(): ReadonlySet<string> {
    return this.#cancelled;
  }

  /** Why folders wait for others, by name. */
  *reasons(): Generator<[string, string]> {
    for (const [name, { verdict }] of this.#known) if (verdict.is === "waits") yield [name, verdict.why];
  }

  /** Circles of jobs that wait for each other, as they were at the last listing. */
  get circles(): readonly Circle[] {
    return this.#circles;
  }

  /** A folder has left the inbox. */
  forget(name: string): void {
    this.#cancelled.delete(name);
    this.#unsettled.delete(name);
    this.#drop(name);
  }

  // -- looking --

  /** Those that have come first, then the others in turns. */
  #turn(): string[] {
    const turn = this.#fresh.splice(0, LOOKS_MAX);
    const from = this.#looksFrom % Math.max(1, this.#names.length);
    const others = this.#names.slice(from, from + LOOKS_MAX - turn.length);
    this.#looksFrom = from + others.length;
    return [...turn, ...others];
  }

  /** True if many were cancelled at once, so that there may be more. */
  #lookIntoSome(): boolean {
    const before = this.#cancelled.size;
    for (const name of this.#turn()) this.#lookInto(name);
    return this.#cancelled.size >= before + CANCELLED_MANY;
  }

  #lookInto(name: string): void {
    try {
      const folder = jobFolder(this.#root, "inbox", name);
      if (this.#disk.look(join(folder, FILES.cancel))) this.#cancelled.add(name);
      else this.#cancelled.delete(name);
      this.#learn(name);
    } catch {
      // Whoever looks into it in its turn says what is wrong with it.
    }
  }

  /** Reads job_after.txt, if it is not the one that was read before. */
  #learn(name: string): Dependent | undefined {
    const folder = jobFolder(this.#root, "inbox", name);
    const look = this.#disk.look(join(folder, FILES.after));
    if (!look) {
      this.#drop(name);
      return undefined;
    }
    const mark = `${look.kind} ${look.ino} ${look.size} ${look.mode} ${look.ctimeMs}`;
    const before = this.#known.get(name);
    if (before?.mark === mark) return before;
    const read = readAfter(this.#disk, folder);
    this.#drop(name);
    if (read === undefined) return undefined;
    const dependent: Dependent = { mark, read, verdict: { is: "waits", why: "waits for other jobs" } };
    this.#known.set(name, dependent);
    this.#unsettled.add(name);
    this.#circlesMayDiffer = true;
    for (const { name: one } of dependenciesIn(read)) {
      const waiters = this.#waiters.get(keyOf(one)) ?? { names: new Set(), who: new Set() };
      waiters.names.add(one);
      waiters.who.add(name);
      this.#waiters.set(keyOf(one), waiters);
    }
    return dependent;
  }

  #judge(name: string, read: AfterRead): Verdict {
    // One that is run again by rule was judged before its first attempt.
    if (wasMet(this.#disk, jobFolder(this.#root, "inbox", name))) return { is: "met" };
    if ("fault" in read) return { is: "waits", why: read.fault };
    const verdict = verdictOf(read.dependencies, (one) => this.#stateOf(one, name));
    if (verdict.is !== "waits") return verdict;
    if (verdict.behind && this.#mayGoBehind(name, verdict.behind)) return { is: "met" };
    const circle = this.#inCircle.get(name);
    return circle ? { is: "waits", why: circleText(circle) } : verdict;
  }

  #stateOf(name: string, asker: string): JobState {
    // One that asks for its own namesakes is none of them.
    const isNamesake = asker !== name && unnumberedName(asker) === name;
    const known = isNamesake ? undefined : this.#states.get(name);
    const state = known ?? stateOfJob(this.#disk, this.#root, name, { place: "inbox", name: asker });
    if (!isNamesake) this.#states.set(name, state);
    if (state.is !== "unknown") return state;
    return { ...state, nearest: this.#hints.near(name).filter((one) => one !== asker) };
  }

  // -- forgetting --

  #forgetGone(): void {
    if (this.#known.size === 0 && this.#cancelled.size === 0) return;
    const there = new Set(this.#names);
    for (const name of [...this.#known.keys(), ...this.#cancelled]) if (!there.has(name)) this.forget(name);
  }

  #drop(name: string): void {
    const dependent = this.#known.get(name);
    if (dependent === undefined) return;
    this.#known.delete(name);
    this.#failed.delete(name);
    this.#circlesMayDiffer ||= this.#inCircle.has(name);
    for (const { name: one } of dependenciesIn(dependent.read)) {
      const waiters = this.#waiters.get(keyOf(one));
      waiters?.who.delete(name);
      if (waiters?.who.size === 0) this.#waiters.delete(keyOf(one));
    }
  }

  #findCircles(): void {
    // Of very many, no circle is told before all are known: each look at them takes its time.
    const isTooEarly = this.#fresh.length > 0 && this.#known.size > KNOWN_FEW;
    if (!this.#circlesMayDiffer || isTooEarly) return;
    this.#circlesMayDiffer = false;
    this.#circles = circlesOf(graphOf(new Map([...this.#known].map(([name, { read }]) => [name, read]))));
    this.#inCircle = new Map(this.#circles.flatMap((circle) => [...circle.members].map((name) => [name, circle])));
  }
}

/** The same for every way to write the name of a job. */
function keyOf(name: string): string {
  return (arrivalName(name)?.name ?? name).normalize("NFC");
}

/** Names of the second listing that are not in the first; both are in order. Where in doubt, a name is new. */
function newcomers(before: readonly string[], now: readonly string[]): string[] {
  const found: string[] = [];
  let at = 0;
  for (const name of now) {
    while (at < before.length && (before[at] ?? "") < name) at++;
    if (before[at] === name) at++;
    else found.push(name);
  }
  return found;
}
