/**
 * A job that is run again by rule: which of its attempts comes next, what it asks for, and whether it is time. All of
 * it is read off the records of earlier attempts, so that a crash counts for nothing.
 */
import { join } from "node:path";
import type { Disk } from "../disk.ts";
import type { Token } from "../engine.ts";
import { FILES } from "../files.ts";
import {
  type Attempts,
  attemptsOf,
  latestAttempt,
  ownFolder,
  type RetryRecord,
  readRecord,
  type Series,
} from "../records.ts";
import { MET, STARTED } from "../runner.ts";
import { type Fault, mergeRetry, parseRetry, type RetryRules } from "./retry.ts";

const FILE_BYTES_MAX = 64 * 1024;

/** The rules of one job: the configuration's, and those of its own job_retry.txt. */
export function retryRulesOf(disk: Disk, folder: string, base: RetryRules): RetryRules | Fault {
  const path = join(folder, FILES.retry);
  const look = disk.look(path);
  if (!look) return base;
  if (look.kind !== "file") return { fault: `${FILES.retry} is not a regular file. It must be a text file.` };
  if (look.size > FILE_BYTES_MAX) return { fault: `${FILES.retry} is larger than ${FILE_BYTES_MAX / 1024} KiB.` };
  let text: string;
  try {
    text = disk.read(path, FILE_BYTES_MAX)?.toString("utf8") ?? "";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    return { fault: `${FILES.retry} cannot be read by the manager's user; \`chmod u+r ${FILES.retry}\` lets it` };
  }
  const own = parseRetry(text);
  return "fault" in own ? own : mergeRetry(base, own);
}

/**
 * How the next attempt goes on; undefined where it is the first one, also of a job that a person moved back after it
 * had ended for good. An attempt that ended without an outcome was never started: its number was not used up.
 * `own`: the attempt that is being made.
 */
export function goesOn(disk: Disk, folder: string, attempts: Attempts, own: Token): Series | undefined {
  const last = latestAttempt(disk, folder, attempts, own);
  if (last === undefined) return undefined;
  const retry = readRecord(disk, last, "retry");
  if (retry) return { number: retry.number, scale: retry.scale, ends: retry.ends };
  return disk.look(join(last, "outcome")) ? undefined : readRecord(disk, last, "intent")?.again;
}

/** The record of an attempt that is followed by another one, once that waits in the inbox. */
export interface Waiting extends RetryRecord {
  /** Where the records of the attempt are that ended. */
  readonly records: string;
  /** When it was sent back, by the clock of the file system. */
  readonly atMs: number;
  /** It is the very folder that was sent back, and no copy, which may be on its way still. */
  readonly isItself: boolean;
}

/** The attempt that waits for its time, in a folder that was sent back to the inbox; undefined for any other folder. */
export function waitingRetry(disk: Disk, folder: string): Waiting | undefined {
  // What else has this name is reported when the folder is claimed.
  if (disk.look(ownFolder(folder))?.kind !== "folder") return undefined;
  const last = latestAttempt(disk, folder, attemptsOf(disk, folder));
  const retry = last === undefined ? undefined : readRecord(disk, last, "retry");
  if (!retry || last === undefined) return undefined;
  const atMs = disk.look(join(last, "retry"))?.ctimeMs;
  return atMs === undefined
    ? undefined
    : { ...retry, records: last, atMs, isItself: disk.look(last)?.ino === retry.ino };
}

/**
 * The job_after.txt of a folder that waits for another attempt is the one that was met before the last attempt: jobs
 * before it that were moved away since then are not missed.
 */
export function wasMet(disk: Disk, folder: string): boolean {
  const after = disk.look(join(folder, FILES.after));
  if (!after) return false;
  const waiting = waitingRetry(disk, folder);
  const judged = waiting?.isItself && disk.look(join(waiting.records, "intent"));
  if (!waiting || !judged || after.ctimeMs > judged.ctimeMs) return false;
  // One that was in the queue behind others was judged by its scheduler, which let it start.
  const wasBehind = readRecord(disk, waiting.records, "intent")?.after !== undefined;
  return !wasBehind || disk.list(waiting.records).some((name) => name === MET || name.startsWith(STARTED));
}
