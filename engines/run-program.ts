/** Runs a program to its end: never through a shell, capped in time and output. The only importer of execa. */
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

/** Never throws; says in its answer what went wrong. LC_ALL=C, so that the answer can be read. */
export async function runProgram(program: string, args: readonly string[], timeoutMs: number): Promise<Ran> {
  const result = await execa(program, args, {
    reject: false,
    stdin: "ignore",
    timeout: timeoutMs,
    forceKillAfterDelay: 5000,
    maxBuffer: OUTPUT_BYTES_MAX,
    env: { LC_ALL: "C" },
  });
  const { exitCode, stdout, stderr, timedOut } = result;
  return { exitCode, stdout, stderr, timedOut, errorCode: result.code };
}
