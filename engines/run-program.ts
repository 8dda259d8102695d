/** Runs a program to its end: never through a shell, capped in time and output. The only importer of execa. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { execa } from "execa";
import { type Filter, FilterError } from "../src/archive/filter.ts";

/** How a program ended, and what it printed. */
export interface Ran {
  /** undefined if a signal ended it, or it could not be started. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** "ENOENT" where there is no such program. */
  readonly errorCode: string | undefined;
  readonly timedOut: boolean;
}

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
/** Between TERM and KILL, for a program that has reached its limit. */
export const KILL_AFTER_MS = 5000;

/**
 * Never throws; says in its answer what went wrong. LC_ALL=C, so that the answer can be read. A limit reached ends its whole
 * group: where a site has put a script before a scheduler's command, it is the command that hangs.
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  timeoutMs: number,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Ran> {
  let timedOut = false;
  const running = execa(program, args, {
    reject: false,
    stdin: "ignore",
    maxBuffer: OUTPUT_BYTES_MAX,
    extendEnv: false,
    env: { ...env, LC_ALL: "C" },
    // In a group of its own, so that Ctrl-C on a terminal does not cut its answer short.
    detached: true,
  });
  const timers = [
    setTimeout(() => {
      timedOut = true;
      signalGroup(running, "SIGTERM");
    }, timeoutMs),
    setTimeout(() => {
      signalGroup(running, "SIGKILL");
      // What has left the group may hold them open.
      for (const stream of [running.stdout, running.stderr]) stream.destroy();
    }, timeoutMs + KILL_AFTER_MS),
  ];
  const { exitCode, stdout, stderr, code } = await running;
  for (const timer of timers) clearTimeout(timer);
  return { exitCode, stdout, stderr, timedOut, errorCode: code };
}

/** As Ran; what it printed is in the files. */
export interface RanToFiles {
  readonly exitCode: number | undefined;
  readonly errorCode: string | undefined;
  readonly timedOut: boolean;
}

/**
 * As runProgram, for a program whose answer must survive this process: it is in a session of its own, and writes to
 * files that are there. A limit reached ends its whole group.
 */
export async function runToFiles(
  program: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv; out: string; err: string; timeoutMs: number },
): Promise<RanToFiles> {
  const { cwd, env, out, err, timeoutMs } = options;
  const files = [out, err].map((path) => openSync(path, "w"));
  try {
    const child = spawn(program, args, { cwd, env, detached: true, stdio: ["ignore", ...files] });
    return await endOf(child, timeoutMs);
  } finally {
    for (const file of files) closeSync(file);
  }
}

/**
 * Runs a program that is told something on its standard input, and whose output is nobody's. A limit reached ends its
 * whole group, and so does `stop`. Never throws.
 */
export async function feedProgram(
  program: string,
  args: readonly string[],
  input: string,
  timeoutMs: number,
  stop: AbortSignal,
): Promise<RanToFiles> {
  const child = spawn(program, args, { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  const kill = () => signalGroup(child, "SIGKILL");
  stop.addEventListener("abort", kill, { once: true });
  if (stop.aborted) kill();
  // A program need not read what it is given.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return endOf(child, timeoutMs).finally(() => stop.removeEventListener("abort", kill));
}

function endOf(child: ChildProcess, timeoutMs: number): Promise<RanToFiles> {
  return new Promise((done) => {
    let timedOut = false;
    const timers = [
      setTimeout(() => {
        timedOut = true;
        signalGroup(child, "SIGTERM");
      }, timeoutMs),
      setTimeout(() => signalGroup(child, "SIGKILL"), timeoutMs + KILL_AFTER_MS),
    ];
    const end = (exitCode: number | undefined, errorCode: string | undefined) => {
      for (const timer of timers) clearTimeout(timer);
      done({ exitCode, errorCode, timedOut });
    };
    child.on("error", (error: NodeJS.ErrnoException) => end(undefined, error.code ?? "error"));
    child.on("exit", (code) => end(code ?? undefined, undefined));
  });
}

/** Signals a child that leads a group of its own, and all of that group. */
export function signalGroup(child: Pick<ChildProcess, "pid">, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

const SAID_CHARACTERS_MAX = 2000;

/** As Filter says: a program between two streams. LC_ALL=C, so that what it says can be understood. */
export const runFilter: Filter = async (argv, source, consume, stop) => {
  const [program, ...args] = argv;
  // In a group of its own, so that Ctrl-C on a terminal leaves it to us.
  const child = spawn(program, args, { detached: true, env: { ...process.env, LC_ALL: "C" } });
  let said = "";
  child.stderr.on("data", (data) => {
    said = (said + data).slice(-SAID_CHARACTERS_MAX);
  });
  let isKilled = false;
  const kill = () => {
    isKilled = true;
    signalGroup(child, "SIGKILL");
  };
  const ended = new Promise<Error | undefined>((done) => {
    child.on("error", ({ message }: Error) => done(new FilterError(message, true)));
    child.on("close", (code, signal) => {
      // Nobody wanted to hear more of it, or it was killed from here; another's signal says nothing of what it read.
      if (code === 0 || signal === "SIGPIPE" || isKilled) done(undefined);
      else if (signal) done(new Error(`${program} was ended by ${signal}`));
      else done(new FilterError(said.trim() || `${program} ended with exit code ${code}`, false));
    });
  });
  stop.addEventListener("abort", kill, { once: true });
  const fed = pipeline(source, child.stdin).catch((error: NodeJS.ErrnoException) => {
    // A program that has read enough, or has ended, says so itself.
    return error.code === "EPIPE" || error.code === "ERR_STREAM_PREMATURE_CLOSE" ? undefined : error;
  });
  try {
    const result = await consume(child.stdout);
    const fault = (await fed) ?? (await ended);
    if (fault) throw fault;
    return result;
  } catch (error) {
    // What was wrong first is told: with what it was given, with the program, then with what came out of it.
    child.stdout.destroy();
    const timer = setTimeout(kill, KILL_AFTER_MS);
    try {
      const cause = (await fed) ?? (await ended) ?? error;
      stop.throwIfAborted();
      throw cause;
    } finally {
      clearTimeout(timer);
    }
  } finally {
    stop.removeEventListener("abort", kill);
  }
};
