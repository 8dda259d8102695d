/** `jobmgr logs NAME`: what a job has printed, and goes on to print, read from the files that its engine writes. */
import { join } from "node:path";
import { folderOfJob } from "../archive/finished.ts";
import { UsageError } from "../config/config.ts";
import { type Disk, realDisk } from "../disk.ts";
import { EXIT } from "../exit-codes.ts";
import { type AttemptHistory, historyOf, whyNoOutcome } from "../look/history.ts";
import { managerOf } from "../look/manager-state.ts";
import { type OutputFile, offsetOfLastLines, outputsOf, sizeOf } from "../look/output-files.ts";
import { packedOutputText } from "../look/packed-output.ts";
import { acquaint, beginTrace, finishedNameOf, follow, strangersIn } from "../look/trace.ts";
import { readWord } from "../manager-word.ts";
import { durationText } from "../outcome.ts";
import { printable } from "../printable.ts";
import { openRoot, type Root } from "../root.ts";
import { AbsentError, type JobRef, selectJob } from "../selection.ts";
import { shellName, shellWord } from "../shell-word.ts";
import type { Place } from "../stage.ts";
import type { Call, Terminal } from "./call.ts";

/** What runs counts first, then what will, then what has ended. */
export const NEWEST_FIRST: readonly Place[] = ["pending", "inbox", "complete"];

const LOOK_MS = 1000;
const CHUNK_BYTES = 1024 * 1024;
/** Of one file, before the next one has its turn. */
const ROUND_BYTES = 16 * CHUNK_BYTES;
const LINES_FOLLOWED = 10;
const INTERRUPTED = 130;

interface Options {
  readonly follow?: boolean;
  readonly lines?: string;
  readonly attempt?: string;
  readonly task?: string;
  readonly exitCode?: boolean;
}

interface Wish {
  readonly follow: boolean;
  /** undefined: all. */
  readonly lines: number | undefined;
  /** From 1; undefined: the last. */
  readonly attempt: number | undefined;
  readonly task: number | undefined;
  readonly exitCode: boolean;
}

/** Throws RootError, AbsentError, UsageError. */
export async function logs({ words, options, settings, around, terminal }: Call<Options>): Promise<number> {
  const wish = wishOf(options);
  const disk = realDisk;
  const root = openRoot(disk, settings.root);
  // Before it is looked for: it may move on at any time from then on.
  const strangers = wish.follow ? strangersIn(disk, root) : undefined;
  const job = selectJob(disk, root, words[0] ?? "", NEWEST_FIRST);
  const also = placesBeside(disk, root, job);
  if (also.length > 0)
    terminal.err(
      `This is ${job.place}/${printable(job.name)}. Another one: jobmgr logs ${shellName(`${also[0]}/${job.name}`)}\n`,
    );
  const observer = { host: around.machine.host, isAlive: around.isAlive, patienceS: settings.lockPatienceS };
  const logger = new Logger(disk, root, terminal, wish, () => managerOf(disk, root, observer).owner !== undefined);
  return strangers ? logger.follow(job, strangers) : logger.show(job);
}

/** Other jobs of that name. */
export function placesBeside(disk: Disk, root: Root, job: JobRef): Place[] {
  return NEWEST_FIRST.filter(
    (place) => place !== job.place && disk.look(folderOfJob(disk, root, { place, name: job.name })),
  );
}

function wishOf({ follow = false, lines, attempt, task, exitCode = false }: Options): Wish {
  if (exitCode && !follow) throw new UsageError("--exit-code needs -f: the exit code is known when the job has ended");
  const isAll = lines === "all" || (lines === undefined && !follow);
  return {
    follow,
    lines: isAll ? undefined : (wholeNumber("--lines", lines, 0) ?? LINES_FOLLOWED),
    attempt: wholeNumber("--attempt", attempt, 1),
    task: wholeNumber("--task", task, 0),
    exitCode,
  };
}

function wholeNumber(option: string, value: string | undefined, least: number): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d{1,9}$/.test(value) || Number(value) < least)
    throw new UsageError(`${option} ${value}: expected a whole number of ${least} or more`);
  return Number(value);
}

class Logger {
  readonly #disk: Disk;
  readonly #root: Root;
  readonly #terminal: Terminal;
  readonly #wish: Wish;
  readonly #isManaged: () => boolean;
  /** How far each file was read, by its name. */
  #offsets = new Map<string, number>();
  /** Whose heading was shown last. */
  #shown: string | undefined;
  readonly #said = new Set<string>();
  #isFaulty = false;

  constructor(disk: Disk, root: Root, terminal: Terminal, wish: Wish, isManaged: () => boolean) {
    this.#disk = disk;
    this.#root = root;
    this.#terminal = terminal;
    this.#wish = wish;
    this.#isManaged = isManaged;
  }

  /** Shows what is there now. */
  async show(job: JobRef): Promise<number> {
    const attempt = this.#attemptsOf(job).at(-1);
    if (!attempt) {
      if (this.#isFaulty) return EXIT.failed;
      this.#say(this.#whyNone(job));
      return EXIT.ok;
    }
    if (job.place === "inbox" && this.#wish.attempt === undefined)
      this.#say(`${printable(job.name)} waits to be run again. This is the output of its last attempt.`);
    const files = this.#filesOf(job, attempt);
    this.#begin(files, this.#wish.lines);
    while (await this.#read(files, files.length > 1));
    if (this.#sayPacked(job, files)) return EXIT.failed;
    if (files.length > 0 && files.every(({ path }) => !this.#disk.look(path)))
      this.#say(`${printable(job.name)} has printed nothing: there is no ${files.map(({ name }) => name)[0]}.`);
    return EXIT.ok;
  }

  /** Shows what comes, until the job has ended. `strangers`: what was there before the job was looked for. */
  async follow(job: JobRef, strangers: Set<string>): Promise<number> {
    const interrupt = new Interrupt();
    try {
      return await this.#followTo(job, strangers, interrupt);
    } finally {
      interrupt.close();
    }
  }

  async #followTo(start: JobRef, strangers: Set<string>, interrupt: Interrupt): Promise<number> {
    acquaint(strangers, start);
    let at = beginTrace(this.#disk, this.#root, start);
    // Those before the last one are not shown; those that come from now on are, one after the other.
    const ended = new Set<string>(
      this.#attemptsOf(start)
        .slice(0, -1)
        .map((attempt) => attempt.token),
    );
    let begun: AttemptHistory["token"] | undefined;
    let misses = 0;
    let files: readonly OutputFile[] = [];
    for (; !interrupt.came; await interrupt.sleep(LOOK_MS)) {
      const found = follow(this.#disk, this.#root, at, strangers);
      // A rename may come between two looks.
      if (!found && ++misses > 1) return this.#gone(start);
      if (!found) continue;
      misses = 0;
      at = found;
      const job = { place: at.place, name: at.place === "complete" ? finishedNameOf(at) : at.name };
      const attempts = this.#attemptsOf(job);
      const attempt = attempts[attempts.findLastIndex((one) => ended.has(one.token)) + 1];
      if (!attempt) {
        const end = job.place === "complete" ? this.#endUnsubmitted(job) : undefined;
        this.#say(end?.text ?? this.#whyNone(job));
        if (end) return this.#wish.exitCode ? end.code : EXIT.ok;
        continue;
      }
      const { token } = attempt;
      files = this.#filesOf(job, attempt);
      if (begun !== token) {
        // A later attempt is shown from its beginning.
        this.#begin(files, begun === undefined ? this.#wish.lines : undefined);
        begun = token;
      }
      while ((await this.#read(files, files.length > 1)) && !interrupt.came);
      const end = interrupt.came ? undefined : this.#endOf(job, attempt);
      if (end === undefined) continue;
      this.#sayPacked(job, files);
      this.#say(end.text);
      if (end.code !== undefined) return this.#wish.exitCode ? end.code : EXIT.ok;
      ended.add(token);
    }
    return INTERRUPTED;
  }

  /** Says how to see those that are in the job's archive, and not here; false if there are none. */
  #sayPacked({ place, name }: JobRef, files: readonly OutputFile[]): boolean {
    const missing = files.filter(({ path }) => !this.#disk.look(path)).map((file) => file.name);
    const isEnded = place === "complete" && missing.length > 0;
    const text = isEnded ? packedOutputText(this.#disk, this.#root, name, missing) : undefined;
    if (text !== undefined) this.#say(text);
    return text !== undefined;
  }

  #gone(job: JobRef): number {
    this.#say(`${printable(job.name)} has gone: it was moved away or deleted.`);
    return EXIT.failed;
  }

  /** The attempts that were submitted, the oldest first; or the one that is meant, if it was. */
  #attemptsOf(job: JobRef): readonly AttemptHistory[] {
    const folder = folderOfJob(this.#disk, this.#root, job);
    const { attempts, fault } = historyOf(this.#disk, folder);
    this.#isFaulty = fault !== undefined;
    // One that is followed may just have been moved.
    const isMoving = this.#wish.follow && !this.#disk.look(folder);
    if (fault !== undefined && !isMoving)
      this.#say(`${printable(job.name)}: its records cannot be read: ${printable(fault)}`);
    const { attempt: number } = this.#wish;
    if (number !== undefined) {
      const one = attempts[number - 1];
      if (one) return one.id === undefined ? [] : [one];
      throw new AbsentError(
        `${printable(job.name)} has ${attempts.length === 1 ? "one attempt" : `${attempts.length} attempts`}, and no ${number}.`,
      );
    }
    return attempts.filter(({ id }) => id !== undefined);
  }

  #filesOf(job: JobRef, attempt: AttemptHistory): readonly OutputFile[] {
    const { task } = this.#wish;
    if (task !== undefined && !attempt.plan?.tasks.includes(task))
      throw new AbsentError(`${printable(job.name)} has no task ${task}.`);
    const folder = folderOfJob(this.#disk, this.#root, job);
    const { files, notes } = outputsOf(this.#disk, folder, attempt, task);
    for (const note of notes) this.#say(note);
    return files;
  }

  #begin(files: readonly OutputFile[], lines: number | undefined): void {
    this.#offsets = new Map();
    for (const { name, path } of files) {
      const offset = lines === undefined ? 0 : this.#safely(name, () => offsetOfLastLines(this.#disk, path, lines));
      this.#offsets.set(name, offset ?? 0);
    }
  }

  /** Shows what is new in each file, up to a limit; true if there is more. */
  async #read(files: readonly OutputFile[], hasHeadings: boolean): Promise<boolean> {
    let hasMore = false;
    for (const file of files) {
      // The size is good for this alone: a mount (sshfs) tells one that is many seconds old, until the file is opened.
      const size = this.#safely(file.name, () => sizeOf(this.#disk, file.path)) ?? 0;
      const offset = this.#offsets.get(file.name) ?? 0;
      if (size < offset && this.#disk.look(file.path)) {
        this.#terminal.err(`${printable(file.name)} was cut short; it is shown from its new beginning.\n`);
        this.#offsets.set(file.name, 0);
      }
      if (await this.#readOne(file, hasHeadings)) hasMore = true;
    }
    return hasMore;
  }

  async #readOne({ name, path }: OutputFile, hasHeadings: boolean): Promise<boolean> {
    let offset = this.#offsets.get(name) ?? 0;
    const limit = offset + ROUND_BYTES;
    while (offset < limit) {
      const bytes = this.#safely(name, () => this.#disk.readFrom(path, offset, CHUNK_BYTES));
      if (!bytes || bytes.length === 0) return false;
      if (hasHeadings && this.#shown !== name) {
        this.#terminal.out(`${this.#shown === undefined ? "" : "\n"}==> ${printable(name)} <==\n`);
        this.#shown = name;
      }
      this.#terminal.out(bytes);
      offset += bytes.length;
      this.#offsets.set(name, offset);
      // So that a signal, or a reader that has left, is heard.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return true;
  }

  /** What a job has put in place of its output is told once, and spoils no other file. */
  #safely<T>(name: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.#say(`${printable(name)} cannot be read: ${printable((error as Error).message)}`);
      return undefined;
    }
  }

  /** How an attempt ended, and the exit code to end with; without a code another attempt follows. */
  #endOf(job: JobRef, attempt: AttemptHistory): { readonly text: string; readonly code?: number } | undefined {
    const { outcome, exitCode } = attempt;
    const name = printable(job.name);
    if (outcome) {
      // Whether another attempt follows is decided before it leaves pending/.
      if (attempt.isInForce && job.place === "pending" && this.#isManaged()) return undefined;
      const text = `${name}: ${outcome.is}${tookText(attempt)}. ${printable(outcome.why)}`;
      const isFollowed = this.#wish.attempt === undefined && this.#goesOn(job, attempt);
      return isFollowed ? { text: `${text} It is run again.` } : { text, code: codeOf(outcome) };
    }
    if (!attempt.isInForce)
      return { text: `${name}: ${whyNoOutcome(attempt)}`, ...(this.#wish.attempt && { code: EXIT.jobFailed }) };
    if (job.place === "complete")
      return { text: `${name} is in complete/, and no record tells how it ended.`, code: EXIT.jobFailed };
    if (exitCode === undefined || this.#isManaged()) return undefined;
    return {
      text: `${name} has ended with exit code ${exitCode}${tookText(attempt)}. No manager is running to collect it: jobmgr --root ${shellWord(this.#root.path)}`,
      code: exitCode,
    };
  }

  /** Of a job that ended without having been submitted (again). */
  #endUnsubmitted(job: JobRef): { readonly text: string; readonly code: number } {
    const { attempts } = historyOf(this.#disk, folderOfJob(this.#disk, this.#root, job));
    const outcome = attempts.at(-1)?.outcome;
    if (!outcome) return { text: this.#whyNone(job), code: EXIT.jobFailed };
    return { text: `${printable(job.name)}: ${outcome.is}. ${printable(outcome.why)}`, code: codeOf(outcome) };
  }

  /** True if the manager lets another attempt follow by itself. */
  #goesOn(job: JobRef, attempt: AttemptHistory): boolean {
    return !attempt.isInForce || this.#disk.look(join(attempt.records, "retry")) !== undefined || job.place === "inbox";
  }

  #whyNone(job: JobRef): string {
    const name = printable(job.name);
    const verb = this.#wish.follow ? "; waiting for it" : "";
    if (job.place === "inbox") {
      const why = readWord(this.#disk, this.#root).reasons.get(job.name);
      const waits = why?.startsWith("it waits") ? why : `it waits in the inbox${why === undefined ? "" : ` (${why})`}`;
      return `${name} has no output yet: ${printable(waits)}${verb}.`;
    }
    if (job.place === "pending") return `${name} has no output yet: it was not submitted yet${verb}.`;
    return `${name} has no output: it was never started.`;
  }

  /** Each message once. */
  #say(text: string): void {
    if (this.#said.has(text)) return;
    this.#said.add(text);
    this.#terminal.err(`${text}\n`);
  }
}

function tookText({ startedAt, endedAt }: AttemptHistory): string {
  if (startedAt === undefined || endedAt === undefined) return "";
  return ` after ${durationText(Math.max(0, Date.parse(endedAt) - Date.parse(startedAt)) / 1000)}`;
}

function codeOf(outcome: NonNullable<AttemptHistory["outcome"]>): number {
  if (outcome.is === "succeeded") return EXIT.ok;
  return outcome.exitCode || EXIT.jobFailed;
}

/** Ctrl-C ends the following, and not the job. */
class Interrupt {
  came = false;
  #wake = () => {};
  readonly #listener = () => {
    this.came = true;
    this.#wake();
  };

  constructor() {
    process.on("SIGINT", this.#listener);
  }

  /** Returns at once when the interrupt has come. */
  async sleep(ms: number): Promise<void> {
    if (this.came) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  close(): void {
    process.off("SIGINT", this.#listener);
  }
}
