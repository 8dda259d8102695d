/** What lies in an attempt's records, as an engine with a queue reads it. A job may have destroyed them: then there is nothing. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Attempt } from "../../src/engine.ts";
import { latestRuns, type Run } from "../../src/runner.ts";

const BYTES_MAX = 64 * 1024;

/** What the runners of an attempt left, by task (undefined: a plain job). */
export type Runs = ReadonlyMap<number | undefined, Run>;

/** One call of the submit command: what it left in the attempt's records. */
export interface Answer {
  readonly number: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The names in a folder; none if it has gone. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return [];
  }
}

/** The beginning of a file; undefined if it is not there. */
export function readHead(path: string): string | undefined {
  try {
    return readFileSync(path).subarray(0, BYTES_MAX).toString("utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return undefined;
  }
}

/** What the runners of an attempt left. */
export function readRuns(attempt: Attempt): Runs {
  return latestRuns(attempt.token, namesIn(attempt.records), (name) => readHead(join(attempt.records, name)));
}

/** Where the n-th call of the submit command leaves what it prints. */
export function answerPaths(attempt: Attempt, number: number): [string, string] {
  return [join(attempt.records, `submit-${number}.out`), join(attempt.records, `submit-${number}.err`)];
}

/** What the submit command said each time that it was called for this attempt. */
export function answersOf(attempt: Attempt): Answer[] {
  const numbers = namesIn(attempt.records)
    .map((name) => Number(/^submit-(\d+)\.out$/.exec(name)?.[1] ?? 0))
    .filter((n) => n > 0);
  return numbers.map((number) => {
    const [out, err] = answerPaths(attempt, number);
    return { number, stdout: readHead(out) ?? "", stderr: readHead(err) ?? "" };
  });
}

/** jobmgr itself asked for its end. */
export function isCancelledByUs(attempt: Attempt): boolean {
  return existsSync(join(attempt.records, "cancel"));
}
