/**
 * What lies in a job's .jobmgr/ folder: the attempt in force, earlier ones, and the records of each.
 * Every record is checked when it is read; a damaged one stops its job, is reported, and never guessed at.
 *
 *   .jobmgr/turn-N             a link to "attempt-TOKEN": the N-th attempt is TOKEN's. A link is made by one call
 *                              that only one caller can win, so that two managers cannot make two attempts at once.
 *   .jobmgr/attempt-TOKEN/     the attempt in force
 *   .jobmgr/past-TOKEN/        an earlier one
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Disk, putDurably } from "./disk.ts";
import type { Dependency, Handle, Machine, Plan, Scale, Token } from "./engine.ts";
import type { Outcome, RunnerRecords } from "./outcome.ts";
import { FORMAT } from "./root.ts";
import { latestRuns } from "./runner.ts";

/** Written before the engine is called: what is to be submitted, and under which token. */
export interface Intent {
  readonly token: Token;
  readonly engine: string;
  /** Its version. */
  readonly engineVersion?: string;
  /** Where an engine was loaded from that does not come with jobmgr: the package, or the absolute path of the file. */
  readonly engineFrom?: string;
  readonly plan: Plan;
  /** The path of the runner that the engine was given, which leads elsewhere when the folder was moved. */
  readonly runner?: string;
  readonly madeOn: Machine;
  /** sha256 of job.sh when it was planned. */
  readonly script: string;
  readonly at: string;
  /** The submit command as a person would type it. */
  readonly command?: string;
  /** The records of a job that was found running were destroyed, and made again. */
  readonly adopted?: boolean;
  /** It follows another attempt by rule. */
  readonly again?: Series;
  /** The attempts whose ends its scheduler waits for; none where all jobs before it had ended. */
  readonly after?: readonly Before[];
}

/** An attempt at a job that another one waits for in the queue of their scheduler. */
export interface Before extends Dependency {
  /** Of its folder in pending/. */
  readonly name: string;
  readonly token: Token;
  /** The indices of a job array; empty for a plain job. */
  readonly tasks: readonly number[];
}

/**
 * Which engine a record means, as people are told it too: its name, and of one that does not come with jobmgr where it was
 * loaded from. Two of one name from two places are two.
 */
export function engineKey({ engine, engineFrom }: { engine: string; engineFrom?: string | undefined }): string {
  return engineFrom === undefined ? engine : `${engine} (${engineFrom})`;
}

/** Attempts that follow each other by rule. */
export interface Series {
  /** The number of this one, from 2. */
  readonly number: number;
  /** What it asks for, as a multiple of what job.sh names. */
  readonly scale: Scale;
  /** What happened to the latest ones before it, oldest first. */
  readonly ends: readonly string[];
}

/** The engine has taken it: the engine's name for it. */
export interface HandleRecord {
  readonly handle: Handle;
  readonly at: string;
  /** What stands for "%j" in the names of its outputs. */
  readonly outputId?: string;
}

/** Somebody asked for its end. */
export interface CancelRecord {
  readonly reason: string;
  readonly at: string;
  /** Nobody asked for it: it could never start, as the reason says, so that its end is a failure. */
  readonly givenUp?: true;
  /** Nobody asked for it: it is taken out of the queue, for a job before it has not ended as it must. */
  readonly recalled?: true;
}

/** How it ended. Written once, never changed. */
export interface OutcomeRecord {
  readonly outcome: Outcome;
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly at: string;
}

/** The attempt ended badly, and is to be followed by another one. */
export interface RetryRecord extends Series {
  /** So many attempts there may be. */
  readonly of: number;
  /** So long after this record was written the next attempt may begin, by the clock of its file system. */
  readonly waitS: number;
  /** What the next attempt asks for instead, in words. */
  readonly raised: readonly string[];
  /** Of the folder of this record: a copy of it elsewhere is another. */
  readonly ino: number;
  readonly at: string;
}

/**
 * The archive in complete/ that was made of the folder of this attempt. It is known again by its size and time, for
 * inode numbers are given to other files, and are others through a mount or in a copy.
 */
export interface ResultRecord {
  readonly file: string;
  readonly size: number;
  readonly mtimeMs: number;
  readonly at: string;
}

/** The type of each record, by its name. */
export interface RecordOf {
  intent: Intent;
  handle: HandleRecord;
  cancel: CancelRecord;
  outcome: OutcomeRecord;
  retry: RetryRecord;
  result: ResultRecord;
}

/** The members that each record must have, and their types: enough to tell a damaged record from a whole one. */
const SHAPES: { readonly [K in keyof RecordOf]: Readonly<Record<string, "string" | "object" | "number">> } = {
  intent: { token: "string", engine: "string", plan: "object", madeOn: "object", script: "string", at: "string" },
  handle: { handle: "string", at: "string" },
  cancel: { reason: "string", at: "string" },
  outcome: { outcome: "object", at: "string" },
  retry: {
    number: "number",
    of: "number",
    ends: "object",
    waitS: "number",
    scale: "object",
    raised: "object",
    ino: "number",
    at: "string",
  },
  result: { file: "string", size: "number", mtimeMs: "number", at: "string" },
};

/** Something in a job's .jobmgr/ that jobmgr did not write so. The job is left alone until a person has looked. */
export class RecordError extends Error {
  override readonly name = "RecordError";
}

const TOKEN = /^\d{8}T\d{6}-[0-9a-f]{12}$/;
const ATTEMPT = "attempt-";
const PAST = "past-";
const TURN = "turn-";

/** True for what has the form of a token. */
export function isToken(text: string): text is Token {
  return TOKEN.test(text);
}

/** A new name for an attempt: sorts by time, never used before. */
export function newToken(now: Date): Token {
  const time = now.toISOString().replace(/[-:]/g, "").slice(0, 15);
  return `${time}-${randomBytes(6).toString("hex")}` as Token;
}

/** Throws RecordError for text that is no token, for it becomes part of a path. */
export function checkedToken(text: string): Token {
  if (!TOKEN.test(text)) throw new RecordError(`"${text}" is not a token of jobmgr's`);
  return text as Token;
}

/** Where jobmgr keeps what it knows of a job: in the job's folder. */
export function ownFolder(folder: string): string {
  return join(folder, ".jobmgr");
}

/** The records of an attempt in force. */
export function attemptFolder(folder: string, token: Token): string {
  return join(folder, ".jobmgr", ATTEMPT + token);
}

/** The records of an attempt that was put out of force. */
export function pastFolder(folder: string, token: Token): string {
  return join(folder, ".jobmgr", PAST + token);
}

/** What .jobmgr/ of a job holds. */
export interface Attempts {
  /** Attempts that have not been put out of force. More than one fits no stage. */
  readonly inForce: readonly Token[];
  readonly past: readonly Token[];
  /** The numbers of the turns taken. */
  readonly turns: readonly number[];
}

const NONE: Attempts = { inForce: [], past: [], turns: [] };

/** Reads a job's .jobmgr/ folder. Throws RecordError if it is a link or a file: nothing leads out of a job's folder. */
export function attemptsOf(disk: Disk, folder: string): Attempts {
  const own = ownFolder(folder);
  const look = disk.look(own);
  if (!look) return NONE;
  if (look.kind !== "folder") throw new RecordError(`${own} is not a folder`);
  const names = disk.list(own);
  const tokens = (prefix: string) =>
    names
      .filter((name) => name.startsWith(prefix) && TOKEN.test(name.slice(prefix.length)))
      .map((name) => name.slice(prefix.length) as Token);
  const inForce = tokens(ATTEMPT);
  for (const token of inForce) {
    if (disk.look(attemptFolder(folder, token))?.kind !== "folder")
      throw new RecordError(`${attemptFolder(folder, token)} is not a folder`);
  }
  const turns = names.filter((name) => /^turn-\d{1,9}$/.test(name)).map((name) => Number(name.slice(TURN.length)));
  return { inForce, past: tokens(PAST).sort(), turns };
}

/** All attempts of a job in the order of their turns; those without a turn, by their tokens, first. */
export function attemptsInOrder(
  disk: Disk,
  folder: string,
): readonly { readonly token: Token; readonly isInForce: boolean }[] {
  const attempts = attemptsOf(disk, folder);
  const turns = new Map<Token, number>();
  for (const turn of attempts.turns) {
    const holder = turnHolder(disk, join(ownFolder(folder), TURN + turn));
    if (holder !== undefined) turns.set(holder, turn);
  }
  const turnOf = (token: Token) => turns.get(token) ?? 0;
  const all = [...attempts.past, ...attempts.inForce].sort((a, b) => turnOf(a) - turnOf(b) || (a < b ? -1 : 1));
  return all.map((token) => ({ token, isInForce: attempts.inForce.includes(token) }));
}

/**
 * Takes the next turn of a job: returns the one token that its next attempt may have, whoever asks. If another
 * manager took the turn and has not finished, its token is returned, so that both go on with the same attempt.
 */
export function takeTurn(disk: Disk, folder: string, attempts: Attempts, wanted: Token): Token {
  disk.makeFolder(ownFolder(folder));
  for (let turn = Math.max(1, ...attempts.turns); ; turn++) {
    const link = join(ownFolder(folder), TURN + turn);
    if (disk.makeLink(link, ATTEMPT + wanted)) return wanted;
    const holder = turnHolder(disk, link);
    if (holder !== undefined && !attempts.past.includes(holder)) return holder;
  }
}

/** Whose turn it is; undefined for something that a turn never looks like, as copying without links leaves it. */
function turnHolder(disk: Disk, link: string): Token | undefined {
  if (disk.look(link)?.kind !== "link") return undefined;
  const token = disk.readLink(link)?.slice(ATTEMPT.length) ?? "";
  return TOKEN.test(token) ? (token as Token) : undefined;
}

/**
 * The latest attempt of a job, by the order of the turns, for the clocks of two managers may differ; `but`: leaving
 * this one out. Those that never came to be do not count.
 */
export function latestAttempt(disk: Disk, folder: string, attempts: Attempts, but?: Token): string | undefined {
  const cameToBe = (records: string) =>
    disk.look(records)?.kind === "folder" && disk.list(records).some((name) => name in SHAPES);
  const [inForce] = attempts.inForce;
  if (inForce !== undefined && inForce !== but && cameToBe(attemptFolder(folder, inForce)))
    return attemptFolder(folder, inForce);
  for (const turn of attempts.turns.toSorted((a, b) => b - a)) {
    const holder = turnHolder(disk, join(ownFolder(folder), TURN + turn));
    if (holder === undefined || holder === but || !attempts.past.includes(holder)) continue;
    const records = pastFolder(folder, holder);
    if (cameToBe(records)) return records;
  }
  return undefined;
}

/** Marks all turns that were ever taken as spent, so that none of their tokens is used again. */
export function spendTurns(disk: Disk, folder: string): void {
  const attempts = attemptsOf(disk, folder);
  for (const turn of attempts.turns) {
    const holder = turnHolder(disk, join(ownFolder(folder), TURN + turn));
    if (holder !== undefined && !attempts.past.includes(holder)) disk.makeFolder(pastFolder(folder, holder));
  }
}

/**
 * Puts an attempt out of force by one rename: from then on its runner, should one be left, steps aside. If it throws,
 * it is in force.
 */
export function closeAttempt(disk: Disk, folder: string, token: Token): void {
  disk.rename(attemptFolder(folder, token), pastFolder(folder, token));
}

/** The records of an attempt that are there, by name. */
export function recordNames(disk: Disk, folder: string, token: Token): ReadonlySet<string> {
  return new Set(disk.list(attemptFolder(folder, token)));
}

/** Reads and checks one record; undefined if it is not there. */
export function readRecord<K extends keyof RecordOf>(disk: Disk, attempt: string, name: K): RecordOf[K] | undefined {
  const path = join(attempt, name);
  const text = disk.read(path)?.toString("utf8");
  if (text === undefined) return undefined;
  const damaged = (why: string) =>
    new RecordError(`${path} ${why}. It is left alone: mend or remove the job's .jobmgr folder by hand`);
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged("is damaged");
  }
  if (typeof value !== "object" || value === null || value.record !== name) throw damaged(`is no ${name} record`);
  if (typeof value.jobmgr === "number" && value.jobmgr > FORMAT) throw damaged("was written by a newer jobmgr");
  if (value.jobmgr !== FORMAT) throw damaged("has no version");
  for (const [member, type] of Object.entries(SHAPES[name])) {
    if (typeof value[member] !== type || value[member] === null) throw damaged(`lacks "${member}"`);
  }
  return value as unknown as RecordOf[K];
}

/** How the attempt in force ended; undefined if there is none, or it has no outcome. Throws RecordError. */
export function outcomeInForce(disk: Disk, folder: string): OutcomeRecord | undefined {
  const [token, ...others] = attemptsOf(disk, folder).inForce;
  if (others.length > 0) throw new RecordError("it has several attempts in force (.jobmgr/attempt-*)");
  return token && readRecord(disk, attemptFolder(folder, token), "outcome");
}

/** Puts one record into place. On the device when it resolves; the old one or none if it throws. */
export async function putRecord<K extends keyof RecordOf>(
  disk: Disk,
  attempt: string,
  name: K,
  record: RecordOf[K],
): Promise<void> {
  const text = `${JSON.stringify({ jobmgr: FORMAT, record: name, ...record }, undefined, 1)}\n`;
  await putDurably(disk, attempt, name, text);
}

const RECORD_BYTES_MAX = 4096;

/** What the runner of this attempt left on disk, for each task, and when it started and ended by the file system's clock. */
export function runnerRecords(
  disk: Disk,
  attempt: string,
  token: Token,
  tasks: readonly number[],
): {
  records: readonly RunnerRecords[];
  startedAtMs: number | undefined;
  endedAtMs: number | undefined;
} {
  const names = new Set(disk.list(attempt));
  const read = (name: string) =>
    names.has(name) ? disk.read(join(attempt, name), RECORD_BYTES_MAX)?.toString("utf8") : undefined;
  const atMs = (name: string) => disk.look(join(attempt, name))?.mtimeMs ?? 0;
  const runs = latestRuns(token, names, read);
  let startedAtMs: number | undefined;
  let endedAtMs: number | undefined;
  const records = (tasks.length > 0 ? tasks : [undefined]).map((task): RunnerRecords => {
    const run = runs.get(task);
    if (run?.started) startedAtMs = Math.min(startedAtMs ?? Number.POSITIVE_INFINITY, atMs(run.startedName));
    if (run?.exit) endedAtMs = Math.max(endedAtMs ?? 0, atMs(run.exitName));
    return {
      task,
      started: run?.started !== undefined,
      exitCode: run?.exit?.code,
      limitReached: run?.limitReached === true,
    };
  });
  return { records, startedAtMs, endedAtMs };
}
