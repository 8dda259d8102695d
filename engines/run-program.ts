/** Runs a program to its end: never through a shell, capped in time and output. The only importer of execa. */
import { spawn } from "node:child_process";
import { execa } from "execa";

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
const KILL_AFTER_MS = 5000;

/** Never throws; says in its answer what went wrong. LC_ALL=C, so that the answer can be read. */
export async function runProgram(
  program: string,
  args: readonly string[],
  timeoutMs: number,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Ran> {
  const result = await execa(program, args, {
    reject: false,
    stdin: "ignore",
    timeout: timeoutMs,
    forceKillAfterDelay: KILL_AFTER_MS,
    maxBuffer: OUTPUT_BYTES_MAX,
    extendEnv: false,
    env: { ...env, LC_ALL: "C" },
    // In a group of its own, so that Ctrl-C on a terminal does not cut its answer short.
    detached: true,
  });
  const { exitCode, stdout, stderr, timedOut } = result;
  return { exitCode, stdout, stderr, timedOut, errorCode: result.code };
}

export interface RanToFiles {
  readonly exitCode: number | undefined;
  readonly errorCode: string | undefined;
  readonly timedOut: boolean;
}

/**
 * As runProgram, for a program whose answer must survive this process: it is in a session of its own, and writes to
 * open files. A limit reached ends its whole group.
 */
export function runToFiles(
  program: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv; out: number; err: number; timeoutMs: number },
): Promise<RanToFiles> {
  const { cwd, env, out, err, timeoutMs } = options;
  return new Promise((done) => {
    const child = spawn(program, args, { cwd, env, detached: true, stdio: ["ignore", out, err] });
    let timedOut = false;
    const signal = (name: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, name);
      } catch {
        // It has ended meanwhile.
      }
    };
    const timers = [
      setTimeout(() => {
        timedOut = true;
        signal("SIGTERM");
      }, timeoutMs),
      setTimeout(() => signal("SIGKILL"), timeoutMs + KILL_AFTER_MS),
    ];
    const end = (exitCode: number | undefined, errorCode: string | undefined) => {
      for (const timer of timers) clearTimeout(timer);
      done({ exitCode, errorCode, timedOut });
    };
    child.on("error", (error: NodeJS.ErrnoException) => end(undefined, error.code ?? "error"));
    child.on("exit", (code) => end(code ?? undefined, undefined));
  });
}
