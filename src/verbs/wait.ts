/** `jobmgr wait`: returns when jobs have ended, with the exit code of the one, or whether all succeeded. */
import { UsageError } from "../config/config.ts";
import { realDisk } from "../disk.ts";
import { DURATION_FORM, durationOf } from "../duration.ts";
import { EXIT } from "../exit-codes.ts";
import { fileSystemKind } from "../file-systems.ts";
import type { Owner } from "../lock.ts";
import { startCommand } from "../look/manager-state.ts";
import { type Progress, type Waited, Waiting } from "../look/wait-for.ts";
import { readWord } from "../manager-word.ts";
import { durationText } from "../outcome.ts";
import { printable } from "../printable.ts";
import { openRoot, type Root } from "../root.ts";
import { selectJobs } from "../selection.ts";
import type { Call, Terminal } from "./call.ts";
import { managedBy } from "./each.ts";

interface Options {
  readonly timeout?: string;
  readonly json?: boolean;
}

/** Throws RootError, UsageError, AbsentError. */
export async function wait(call: Call<Options & { all?: boolean }>): Promise<number> {
  const { words, options, settings, terminal } = call;
  const root = openRoot(realDisk, settings.root);
  if (options.all !== true && words.length === 0) throw new UsageError("wait needs the names of jobs, or --all");
  const timeoutS = timeoutOf(options.timeout);
  const waiting = new Waiting(realDisk, root);
  const jobs = selectJobs(
    realDisk,
    root,
    [...words, ...(options.all ? ["*"] : [])],
    ["pending", "inbox"],
    ["complete"],
  );
  for (const job of jobs) waiting.add(job);
  if (jobs.length === 0) terminal.err("There is nothing to wait for.\n");
  return waitAndTell(call, root, waiting, timeoutS);
}

/** Seconds, of "90" or "90s", "10m"; undefined for no limit. Throws UsageError. */
export function timeoutOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = durationOf(/^\d+(\.\d+)?$/.test(text) ? `${text}s` : text);
  if (seconds === undefined) throw new UsageError(`--timeout ${text}: it must be seconds, or ${DURATION_FORM}`);
  return seconds;
}

const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Where others' machines move jobs too, a move shows late: caches of NFS and sshfs live for up to a minute. */
const PATIENCE_S = { local: 3, shared: 90 } as const;

function patienceOf(root: Root): number {
  const kind = fileSystemKind(realDisk.fileSystem(root.path).type);
  return kind.isShared || kind.isUnknown ? PATIENCE_S.shared : PATIENCE_S.local;
}

/** Waits, shows how far it is, and says what did not succeed. Returns the exit code. */
export async function waitAndTell(
  call: Call<Options>,
  root: Root,
  waiting: Waiting,
  timeoutS: number | undefined,
): Promise<number> {
  const { options, terminal } = call;
  const stop = new AbortController();
  let signalled: number | undefined;
  const listeners = Object.entries(SIGNAL_CODES).map(([name, code]) => {
    const listener = () => {
      signalled ??= code;
      stop.abort();
    };
    process.on(name, listener);
    return () => void process.off(name, listener);
  });
  const line = new ProgressLine(terminal);
  const manager = new ManagerWatch(call, root);
  const waited = await waiting.wait({
    timeoutS,
    stop: stop.signal,
    patienceS: patienceOf(root),
    progress: (progress) => {
      const warning = progress.done < progress.all ? manager.warning() : undefined;
      if (warning) line.interrupt(warning);
      line.show(progress);
    },
  });
  line.clear();
  for (const remove of listeners) remove();
  if (options.json) terminal.out(`${jsonOf(waited)}\n`);
  if (signalled !== undefined) return signalled;
  for (const job of waited) tell(terminal, job);
  const going = waited.filter(({ is }) => is === "going").map(({ name }) => printable(name));
  if (going.length === 0) return exitCodeOf(waited);
  const names = [...going.slice(0, 5), ...(going.length > 5 ? ["..."] : [])].join(", ");
  terminal.err(
    `jobmgr: after ${durationText(timeoutS ?? 0)}, ${going.length} of ${waited.length} had not ended: ${names}\n`,
  );
  return EXIT.locked;
}

/** Looks now and then who manages the root. */
class ManagerWatch {
  readonly #call: Call;
  readonly #root: Root;
  #owner: Owner | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #hasWarned = false;

  constructor(call: Call, root: Root) {
    this.#call = call;
    this.#root = root;
  }

  /** The first time that no manager runs: a sentence for people. */
  warning(): string | undefined {
    if (this.#hasWarned || this.#look()) return undefined;
    this.#hasWarned = true;
    return `No manager is running, so that no job goes on until one is started: ${startCommand(this.#root, readWord(realDisk, this.#root))}\n`;
  }

  #look(): Owner | undefined {
    if (performance.now() - this.#lookedMs > MANAGER_LOOK_MS) {
      this.#owner = managedBy(this.#call, this.#root).owner;
      this.#lookedMs = performance.now();
    }
    return this.#owner;
  }
}

const MANAGER_LOOK_MS = 5000;

/** One line on a terminal that is written over; nothing in a pipe. */
class ProgressLine {
  readonly #terminal: Terminal;
  #shown: string | undefined;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show({ all, done, failed, pending, elapsedS }: Progress): void {
    if (!this.#terminal.isTerminal || done === all) return;
    const waiting = all - done - pending;
    const parts = [
      `${done} of ${all} done`,
      ...(failed > 0 ? [`${failed} failed`] : []),
      ...(pending > 0 ? [`${pending} under way`] : []),
      ...(waiting > 0 ? [`${waiting} waiting`] : []),
    ];
    const text = `${parts.join(", ")}; ${durationText(Math.floor(elapsedS))}`;
    if (text !== this.#shown) this.#terminal.err(`\r\x1b[K${text}`);
    this.#shown = text;
  }

  interrupt(text: string): void {
    this.clear();
    this.#terminal.err(text);
  }

  clear(): void {
    if (this.#shown !== undefined) this.#terminal.err("\r\x1b[K");
    this.#shown = undefined;
  }
}

function tell(terminal: Terminal, { is, name, outcome }: Waited): void {
  const shown = printable(name);
  if (is === "gone") terminal.err(`${shown} has gone: it was moved away or removed\n`);
  if (is === "unknown") terminal.err(`${shown} is in complete, but has no record of how it ended\n`);
  if (outcome && outcome.is !== "succeeded") terminal.err(`${shown}: ${outcome.is}. ${printable(outcome.why)}\n`);
}

/** Of one job its own; of several whether all succeeded. */
function exitCodeOf(waited: readonly Waited[]): number {
  const [one, ...others] = waited;
  const hasSucceeded = ({ outcome }: Waited) => outcome?.is === "succeeded";
  if (waited.every(hasSucceeded)) return EXIT.ok;
  if (!one || others.length > 0) return EXIT.failed;
  if (one.is === "gone") return EXIT.absent;
  return one.outcome?.exitCode || EXIT.jobFailed;
}

function jsonOf(waited: readonly Waited[]): string {
  const jobs = waited.map(({ name, is, outcome }) => ({
    name,
    state: outcome?.is ?? is,
    ...(outcome?.exitCode !== undefined && { exitCode: outcome.exitCode }),
    ...(outcome?.signal !== undefined && { signal: outcome.signal }),
    ...(outcome && { why: outcome.why }),
  }));
  return JSON.stringify({ schema: 1, jobs }, undefined, 1);
}
