/** What a person sees of the events: dots and lines on a terminal, lines with times elsewhere, and a log file. */
import { appendFileSync, renameSync, statSync } from "node:fs";
import { logTime } from "./clock.ts";
import { unwritableFileText } from "./disk-error.ts";
import type { Event, Level } from "./events.ts";
import { LEVELS } from "./events.ts";
import { durationText } from "./outcome.ts";
import type { Paint } from "./paint.ts";
import { printable } from "./printable.ts";
import { ordinal } from "./retry/retry.ts";

const DOTS_IN_ROW = 20;
const SIGN_OF_LIFE_MS = 600_000;
const LOG_BYTES_MAX = 10 * 1024 * 1024;
const LOGS_KEPT = 3;

/** Where to, and how much. */
export interface LogOptions {
  readonly level: Level;
  readonly file: string | undefined;
  readonly isTerminal: boolean;
  readonly paint: Paint;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** What is told of events, on the terminal and in the log file. Close it at the end. */
export class Log {
  readonly #options: LogOptions;
  #dots = 0;
  #spokeAtMs = performance.now();
  #checks = 0;
  #fileFailed = false;

  constructor(options: LogOptions) {
    this.#options = options;
    // What is wrong with it is said at once, and not when there is something to tell.
    if (options.file !== undefined) this.#append(options.file, "");
  }

  say(event: Event): void {
    if (event.is === "check") return this.#check();
    const level = event.is === "note" ? event.level : isBad(event) ? "warn" : "info";
    if (LEVELS.indexOf(level) > LEVELS.indexOf(this.#options.level)) return;
    this.#line(level, printable(textOf(event)));
  }

  /** A line for people that is no event, such as the greeting. */
  print(text: string): void {
    this.#endDots();
    this.#options.out(`${text}\n`);
    this.#toFile("info", text);
  }

  /** Ends a row of dots, so that the shell's prompt begins its own line. */
  close(): void {
    this.#endDots();
  }

  #check(): void {
    this.#checks++;
    if (this.#options.isTerminal) {
      this.#options.out(".");
      if (++this.#dots === DOTS_IN_ROW) this.#endDots();
    } else if (performance.now() - this.#spokeAtMs > SIGN_OF_LIFE_MS) {
      this.#line("info", `Still watching, after ${this.#checks} checks.`);
    }
  }

  #line(level: Level, text: string): void {
    this.#spokeAtMs = performance.now();
    this.#endDots();
    const print = level === "error" || level === "warn" ? this.#options.err : this.#options.out;
    const time = logTime(new Date());
    print(
      this.#options.isTerminal
        ? `${time.slice(11, 19)} ${this.#options.paint.level(level, text)}\n`
        : `${time} ${text}\n`,
    );
    this.#toFile(level, text, time);
  }

  #endDots(): void {
    if (this.#dots > 0) this.#options.out("\n");
    this.#dots = 0;
  }

  #toFile(level: Level, text: string, time = logTime(new Date())): void {
    const { file } = this.#options;
    if (file !== undefined) this.#append(file, `${time} ${level} ${text}\n`);
  }

  #append(file: string, text: string): void {
    try {
      if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX) rotate(file);
      appendFileSync(file, text);
      this.#fileFailed = false;
    } catch (error) {
      if (!this.#fileFailed)
        this.#options.err(`The log file ${file} cannot be written: ${unwritableFileText(file, error)}\n`);
      this.#fileFailed = true;
    }
  }
}

function rotate(file: string): void {
  for (let kept = LOGS_KEPT; kept > 0; kept--) {
    const from = kept === 1 ? file : `${file}.${kept - 1}`;
    if (statSync(from, { throwIfNoEntry: false })) renameSync(from, `${file}.${kept}`);
  }
}

function isBad(event: Event): boolean {
  return event.is === "retrying" || (event.is === "finished" && !event.succeeded);
}

function textOf(event: Exclude<Event, { is: "check" }>): string {
  switch (event.is) {
    case "note":
      return event.text;
    case "claimed":
    case "started":
      return `${event.is.padEnd(8)} ${event.name}`;
    case "retrying": {
      const wait = event.waitS === 0 ? "at once" : `in ${durationText(event.waitS)}`;
      const raised = event.raised.length === 0 ? "" : `, with ${event.raised.join(" and ")}`;
      const again = `Again ${wait} (${ordinal(event.number)} of ${event.of} attempts)${raised}.`;
      return `${event.is} ${event.name}: ${[event.result, again, event.more].filter(Boolean).join(" ")}`;
    }
    case "finished": {
      const duration = event.durationS === undefined ? "" : ` after ${durationText(event.durationS)}`;
      return `${event.is.padEnd(8)} ${event.name}: ${event.result}${duration}${event.more ? `. ${event.more}` : ""}`;
    }
  }
}
