/**
 * Notes beside an attempt's records: how often something was found wanting, and since when. On the disk, for a manager
 * may live for one pass only; by the clock of its file system, for the next one may run elsewhere.
 */
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Attempt, Token } from "../../src/engine.ts";

/**
 * - `doubted`: its submission is in doubt, and it is not in the queue.
 * - `absent`: it was submitted, and is not in the queue any more.
 * - `ended`: it has ended, and its exit record cannot be seen.
 * - `limited`: a limit refused it while nothing else of this user was in the queue.
 */
const NOTES = ["doubted", "absent", "ended", "limited"] as const;
export type Note = (typeof NOTES)[number];

export interface Noted {
  readonly times: number;
  readonly sinceMs: number;
}

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
    for (const note of NOTES) {
      for (const path of pathsOf(attempt, note)) rmSync(path, { force: true });
      this.#askedAtMs.delete(`${attempt.token} ${note}`);
    }
    this.#clean.add(attempt.token);
  }

  /** Drops what is remembered of an attempt that is over; its notes stay with its records. */
  forget(token: Token): void {
    this.#clean.delete(token);
    for (const note of NOTES) this.#askedAtMs.delete(`${token} ${note}`);
  }
}

function pathsOf(attempt: Attempt, note: Note): [first: string, last: string] {
  return [join(attempt.records, `${note}-since`), join(attempt.records, note)];
}

function timesIn(path: string): number {
  try {
    return Number(readFileSync(path, "utf8")) || 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return 0;
  }
}
