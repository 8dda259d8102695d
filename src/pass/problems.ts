/** What is wrong now, each thing said once when it begins and once when it is over; `jobmgr status` shows all of it. */
import type { Say } from "../events.ts";

/** What was reported and still holds, by what it is about: a job, a folder of the inbox, or a word ("engine", "pause"). */
export class Problems {
  readonly #say: Say;
  readonly #texts = new Map<string, string>();

  constructor(say: Say) {
    this.#say = say;
  }

  /** Says something that does not last. */
  note(level: "error" | "warn" | "info" | "debug", text: string): void {
    this.#say({ is: "note", level, text });
  }

  /** Says what is wrong, unless that is known already. */
  report(about: string, level: "error" | "warn" | "info", text: string): void {
    if (this.#texts.get(about) === text) return;
    this.#texts.set(about, text);
    this.note(level, text);
  }

  /** Says that it is over, if it was reported. */
  resolve(about: string, level: "info" | "debug", text: string): void {
    if (this.#texts.delete(about)) this.note(level, text);
  }

  /** Keeps it in sight without a word: it was said. */
  keep(about: string, text: string): void {
    this.#texts.set(about, text);
  }

  /** Forgets it without a word: what it was about is no more. */
  forget(...abouts: readonly string[]): void {
    for (const about of abouts) this.#texts.delete(about);
  }

  has(about: string): boolean {
    return this.#texts.has(about);
  }

  get all(): ReadonlyMap<string, string> {
    return this.#texts;
  }
}
