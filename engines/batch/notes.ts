/**
 * Notes beside an attempt's records: how often something was found wanting, and since when. On the disk, for a manager
 * may live for one pass only; by the clock of its file system, for the next one may run elsewhere.
 */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Attempt, End, Token } from "../../src/engine.ts";
import { namesIn, readHead } from "./records.ts";

/**
 * - `doubted`: its submission is in doubt, and it is not in the queue.
 * - `absent`: it was submitted, and is not in the queue any more.
 * - `ended`: it has ended, and its exit record cannot be seen.
 * - `finished`: its exit record is there, and the scheduler says that it runs.
 * - `limited`: a limit refused it while nothing else of this user was in the queue.
 */
const NOTES = ["doubted", "absent", "ended", "finished", "limited"] as const;
/** The kinds of notes, of which an attempt has each at most once. */
export type Note = (typeof NOTES)[number];

/** What a note says: how often, and since when by the clock of the file system. */
export interface Noted {
  readonly times: number;
  readonly sinceMs: number;
}

/** Reads and writes the notes of attempts. */
export class Notes {
  /** The answer by which each note was made last: one answer counts once. */
  readonly #askedAtMs = new Map<string, number>();
  /** Attempts that are known to have no notes. */
  readonly #clean = new Set<Token>();

  /** Notes once more what an answer, asked for at `askedAtMs`, has shown. */
  add(attempt: Attempt, note: Note, askedAtMs: number): Noted {
    const key = `${attempt.token} ${note}`;
    const [first, last] = pathsOf(attempt, note);
    if (this.#askedAtMs.get(key) !== askedAtMs) {
      this.#askedAtMs.set(key, askedAtMs);
      this.#clean.delete(attempt.token);
      try {
        writeFileSync(first, "", { flag: "wx" });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      writeFileSync(last, String(timesIn(last) + 1));
    }
    return { times: timesIn(last), sinceMs: Math.max(0, statSync(last).mtimeMs - statSync(first).mtimeMs) };
  }

  /** Forgets all notes of an attempt that is in order. */
  clear(attempt: Attempt): void {
    if (this.#clean.has(attempt.token)) return;
    const there = new Set(namesIn(attempt.records));
    for (const note of NOTES) {
      for (const path of pathsOf(attempt, note)) if (there.has(basename(path))) rmSync(path, { force: true });
      this.#askedAtMs.delete(`${attempt.token} ${note}`);
    }
    this.#clean.add(attempt.token);
  }

  /** Notes that a job was in the queue for long: a controller that crashes loses only what came a moment before. */
  keepSeen(attempt: Attempt): void {
    const key = `${attempt.token} ${SEEN}`;
    if (this.#askedAtMs.has(key)) return;
    this.#askedAtMs.set(key, 0);
    writeFileSync(join(attempt.records, SEEN), "");
  }

  wasSeen(attempt: Attempt): boolean {
    return existsSync(join(attempt.records, SEEN));
  }

  /** Keeps the ends of an array's tasks, for a scheduler forgets them while others still run. */
  keepEnds(attempt: Attempt, ends: ReadonlyMap<number | undefined, End>): void {
    for (const [task, end] of ends) {
      const key = `${attempt.token} ${ENDED_TASK}${task}`;
      const isPlain = end.cause === "itself" && end.signal === undefined;
      if (task === undefined || isPlain || this.#askedAtMs.has(key)) continue;
      this.#askedAtMs.set(key, 0);
      writeFileSync(join(attempt.records, `${ENDED_TASK}${task}`), JSON.stringify(end));
    }
  }

  /** Ends that are known now, and those that were kept of the same array. */
  withKept(attempt: Attempt, ends: ReadonlyMap<number | undefined, End>): ReadonlyMap<number | undefined, End> {
    if (attempt.plan.tasks.length === 0) return ends;
    const names = readdirSync(attempt.records).filter((name) => name.startsWith(ENDED_TASK));
    const kept = names.map(
      (name) => [Number(name.slice(ENDED_TASK.length)), keptEnd(join(attempt.records, name))] as const,
    );
    return new Map([...kept.filter(hasEnd), ...ends]);
  }

  /** Drops what is remembered of an attempt that is over; its notes stay with its records. */
  forget(token: Token): void {
    this.#clean.delete(token);
    for (const key of this.#askedAtMs.keys()) if (key.startsWith(`${token} `)) this.#askedAtMs.delete(key);
  }
}

const SEEN = "seen";

/** The name of a kept end is this and the index of its task. */
const ENDED_TASK = "ended.";

function hasEnd(entry: readonly [number, End | undefined]): entry is readonly [number, End] {
  return entry[1] !== undefined;
}

/** One that was cut short by a crash is none. */
function keptEnd(path: string): End | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function pathsOf(attempt: Attempt, note: Note): [first: string, last: string] {
  return [join(attempt.records, `${note}-since`), join(attempt.records, note)];
}

function timesIn(path: string): number {
  return Number(readHead(path) ?? 0) || 0;
}
