/**
 * The jobs of pending/, kept in step with the disk: who is there, and what the disk said last of each. Not all are read
 * again at each check.
 */
import type { Token } from "../engine.ts";
import { isIgnoredName, isUnreadableName, jobFolder, sortByCodePoint } from "../root.ts";
import { shellWord } from "../shell-word.ts";
import { see, toldIdOf } from "../steps/see.ts";
import type { World } from "../steps/world.ts";
import { isInQueue, type Job, newJob, RETRY_S } from "./job.ts";
import type { Lines } from "./lines.ts";
import type { Problems } from "./problems.ts";

/** So many pending folders are read again at each check, in turns. */
const LOOKS_MAX = 100;

/** All jobs in pending/ of one root, as one manager knows them. */
export class Jobs {
  readonly #world: World;
  readonly #problems: Problems;
  readonly #lines: Lines;
  readonly #jobs = new Map<string, Job>();
  #looksFrom = 0;

  constructor(world: World, lines: Lines, problems: Problems) {
    this.#world = world;
    this.#lines = lines;
    this.#problems = problems;
  }

  [Symbol.iterator](): Iterator<Job> {
    return this.#jobs.values();
  }

  get all(): Job[] {
    return [...this];
  }

  get(name: string): Job | undefined {
    return this.#jobs.get(name);
  }

  has(name: string): boolean {
    return this.#jobs.has(name);
  }

  /** Tokens of those that have not arrived in complete/. */
  get tokens(): ReadonlySet<Token> {
    return new Set(this.all.map((job) => job.seen?.token).filter((token) => token !== undefined));
  }

  /** One that was claimed just now (`fresh`), or is known to be in pending/. */
  add(name: string, fresh: boolean): Job {
    const job = newJob(name, fresh);
    this.#jobs.set(name, job);
    return job;
  }

  /** It has left pending/, and what was wrong with it went with it. */
  forget({ name }: Job): void {
    this.#jobs.delete(name);
    this.#problems.forget(name, `step ${name}`, `news ${name}`, `doubt ${name}`, `status ${name}`);
  }

  /** Lists pending/, and reads the records of those that are new, and of some of the others. Throws if it cannot be listed. */
  lookAtAll(): void {
    const { disk, root } = this.#world;
    const all = disk.list(root.pending).filter((name) => !isIgnoredName(name));
    const names = sortByCodePoint(all.filter((name) => !isUnreadableName(name)));
    for (const name of all.filter(isUnreadableName)) {
      this.#problems.report(
        `pending/${name}`,
        "warn",
        `pending/${name} has a name that is not UTF-8, so that it cannot be opened. Rename it.`,
      );
    }
    const there = new Set(names);
    for (const job of this) if (!there.has(job.name)) this.#vanished(job);
    for (const name of names) if (!this.has(name)) this.add(name, false);
    for (const job of this.#inTurn()) if (!job.busy) this.look(job);
  }

  /** Those that are read now: all that never were, and the next ones of the others. */
  #inTurn(): readonly Job[] {
    const jobs = this.all;
    const first = this.#looksFrom % Math.max(1, jobs.length);
    const turn = [...jobs.slice(first), ...jobs.slice(0, first)].slice(0, LOOKS_MAX);
    this.#looksFrom = first + turn.length;
    for (const job of jobs) if (!job.seen && !turn.includes(job)) turn.push(job);
    return turn;
  }

  /** Reads what the disk says of it now. Never throws: one that cannot be read is reported, and left alone. */
  look(job: Job): void {
    const before = job.seen?.stage;
    try {
      if (this.#world.disk.look(jobFolder(this.#world.root, "pending", job.name))?.kind !== "folder") {
        job.seen = { stage: undefined, odd: "it is not a folder" };
      } else {
        const seen = see(this.#world, "pending", job.name);
        const isElsewhere = seen.intent !== undefined && !seen.outcome && !this.#lines.has(seen.intent);
        // It has a stage again as soon as its engine is here.
        job.seen = isElsewhere ? { ...seen, stage: undefined } : seen;
      }
      if (job.seen.stage !== before) job.retryS = RETRY_S.first;
      if (job.seen.cancelReason !== undefined) job.cancelled = true;
      if (job.seen.odd === undefined)
        this.#problems.resolve(job.name, "info", `pending/${job.name} is in order again.`);
      else this.#problems.report(job.name, "error", `pending/${job.name} is left alone: ${job.seen.odd}.`);
    } catch (error) {
      job.seen = { stage: undefined };
      this.#problems.report(job.name, "error", `pending/${job.name} is left alone: ${mending(error, job.name)}`);
    }
  }

  #vanished(job: Job): void {
    if (job.busy) return;
    this.forget(job);
    const alive = isInQueue(job) && job.seen && toldIdOf(this.#world.engine, job.seen);
    const more = alive
      ? ` Its job (${job.seen?.intent?.engine} ${alive}) may still run; moved back, it is followed again.`
      : "";
    this.#problems.note("warn", `pending/${job.name} has gone: it was moved away or deleted.${more}`);
  }
}

/** What is wrong with a folder, and how to mend it where that is plain. */
function mending(error: unknown, name: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "EACCES" ? `it cannot be read. Mend it with: chmod u+rwx ${shellWord(`pending/${name}`)}` : message;
}
