/** What the rows of one attempt say of it. Pure. */
import { constants as os } from "node:os";
import type { End, Ended, News, Plan } from "../../src/engine.ts";
import { NOT_RUN, type Run } from "../../src/runner.ts";
import type { Runs } from "../batch/records.ts";
import { type AccountingRow, baseId, partOf, type QueueRow, taskOf } from "./queue.ts";
import { whyItWaits } from "./reasons.ts";
import { type Exit, exitOf, explain, isLaunchFailure, stateOf } from "./states.ts";

type Row = QueueRow | AccountingRow;

/** How often Slurm had started a job again when it ended so; undefined where that is not known. */
type RowEnd = End & { readonly restarts?: number };
/** How an attempt ended, by task (undefined: a plain job). */
export type Ends = ReadonlyMap<number | undefined, RowEnd>;

/** The ids under which an attempt is in the queue: the one that has the right to run, and those that came twice. */
export interface Copies {
  readonly own: readonly QueueRow[];
  readonly id: string;
  /** The ids of copies that have no right to run; one that runs may have a claim that cannot be seen yet. */
  readonly extra: readonly string[];
}

/** Who has claimed the attempt has the right; else who was recorded, if it lives; else the first. */
export function copiesOf(rows: readonly QueueRow[], recorded: string, claimed: string | undefined): Copies {
  const living = rows.filter(isAlive);
  const ids = [...new Set(living.map((row) => baseId(row.shownId)))].sort((a, b) => Number(a) - Number(b));
  const id = claimed ?? (ids.includes(recorded) ? recorded : (ids[0] ?? recorded));
  const isWaiting = (other: string) =>
    living.every((row) => baseId(row.shownId) !== other || stateOf(row.state)?.is === "queued");
  return {
    id,
    own: rows.filter((row) => baseId(row.shownId) === id),
    extra: ids.filter((other) => other !== id && (claimed !== undefined || isWaiting(other))),
  };
}

/** A word that is not known is no proof of an end. */
function isAlive(row: Row): boolean {
  return stateOf(row.state)?.is !== "ended";
}

/** The news of a job that has not ended; undefined for one that has. */
export function livingNews(rows: readonly Row[]): News | undefined {
  const unknown = rows.find((row) => stateOf(row.state) === undefined);
  if (unknown)
    return { is: "unknown", word: `Slurm says "${unknown.state}", which is not known here; it is taken to live` };
  if (rows.some((row) => stateOf(row.state)?.is === "running")) return { is: "running" };
  const queued = rows.filter((row) => stateOf(row.state)?.is === "queued");
  if (queued.length === 0) return undefined;
  const reasons = queued.flatMap((row) => ("reason" in row ? [{ word: row.reason, ...whyItWaits(row.reason) }] : []));
  const worst = reasons.find((reason) => !reason.heals) ?? reasons[0];
  const expectedStart = expectedStartOf(queued);
  const soon = expectedStart !== undefined && { expectedStart };
  if (!worst || worst.word === "None") return { is: "queued", ...soon };
  const why = worst.sentence === worst.word ? worst.word : `${worst.word}: ${worst.sentence}`;
  return {
    is: "queued",
    why,
    ...(!worst.heals && { stuck: true }),
    ...(worst.asksTooMuch && { asksTooMuch: true }),
    ...soon,
  };
}

/** The earliest that Slurm expects; it makes such a guess for the next few jobs only, and makes it anew all the time. */
function expectedStartOf(rows: readonly Row[]): string | undefined {
  const times = rows.flatMap((row) =>
    "startTime" in row && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(row.startTime) ? [`${row.startTime}Z`] : [],
  );
  return times.sort()[0];
}

/** How each task ended, or the plain job (undefined); of what was started more than once, the last. */
export function endsOf(rows: readonly Row[]): Ends {
  const ends = new Map<number | undefined, RowEnd>();
  for (const row of rows.filter((one) => !isStep(one) && partOf(one.shownId) === 0)) {
    ends.set(taskOf(row.shownId), endOf(row));
  }
  // Another part, or a step, may tell what the whole does not.
  for (const row of rows.filter((one) => isStep(one) || partOf(one.shownId) > 0)) {
    const state = stateOf(row.state);
    const whole = ends.get(taskOf(row.shownId));
    const tells = state?.is === "ended" && (state.cause === "memory" || state.cause === "node");
    if (tells && whole?.cause === "itself") ends.set(taskOf(row.shownId), endOf(row));
  }
  return ends;
}

function isStep(row: Row): boolean {
  return row.shownId.includes(".");
}

function endOf(row: Row): RowEnd {
  const state = stateOf(row.state);
  const word = lineOf(row);
  if (state?.is !== "ended") return { word };
  const exit = exitOf(row.exitCode);
  const why = explain({
    state: row.state,
    timeLimit: row.timeLimit,
    memory: row.memory,
    node: row.nodes,
    ...("reason" in row && { reason: row.reason }),
    ...(exit && { exit }),
  });
  // What sbatch was refused for its constraints leaves a row all the same.
  const wasNotLaunched = isLaunchFailure(exit) || ("reason" in row && row.reason === "BadConstraints");
  const cause = state.cause === "itself" && wasNotLaunched ? "launch" : state.cause;
  return {
    word,
    cause,
    ...(cause === "itself" && exitFacts(exit, state.word === "COMPLETED")),
    ...(why !== undefined && { why }),
    ...("restarts" in row && { restarts: Number(row.restarts) || 0 }),
  };
}

function exitFacts(exit: Exit | undefined, isCompleted: boolean): Pick<End, "exitCode" | "signal"> {
  const { exitCode, signal, reduced } = exit ?? {};
  if (signal !== undefined) return { signal: nameOfSignal(signal) };
  // What is left of a code (see states.ts) is no witness for it, and 0 is none for a failure.
  const isWitness = isCompleted || (exitCode !== 0 && !reduced);
  return exitCode === undefined || !isWitness ? {} : { exitCode };
}

function nameOfSignal(signal: number): string {
  return Object.entries(os.signals).find(([, number]) => number === signal)?.[0] ?? `signal ${signal}`;
}

/** Slurm's own line, as squeue or sacct would show it. */
function lineOf(row: Row): string {
  const { exitCode, signal } = exitOf(row.exitCode) ?? {};
  const reason = "reason" in row && row.reason !== "None" ? [`(${row.reason})`] : [];
  const where = row.nodes === "" || row.nodes === "None assigned" ? [] : [`on ${row.nodes}`];
  return [
    `Slurm job ${row.shownId}: ${row.state},`,
    `exit code ${exitCode ?? 0}:${signal ?? 0},`,
    `after ${row.timeUsed} of ${row.timeLimit}`,
    ...where,
    ...reason,
  ].join(" ");
}

/**
 * The news of a job all of whose ends are known. "ending" while what a runner must have written cannot be seen, as a
 * network file system may show it late; `waited` when that has taken too long.
 */
export function endedNews(plan: Plan, ends: Ends, runs: Runs, waited: boolean): News {
  const tasks: readonly (number | undefined)[] = plan.tasks.length > 0 ? plan.tasks : [undefined];
  const judged = new Map<number | undefined, End>();
  for (const task of tasks) {
    // What was cancelled while it waited has one row, without an index, for all that have none of their own.
    const found = ends.get(task) ?? ends.get(undefined);
    if (!found) continue;
    const { restarts = 0, ...end } = found;
    const seen = runs.get(task);
    // What an earlier start left says nothing of the last one.
    const isEarlier = seen?.started !== undefined && seen.started.restart < restarts;
    const run: Partial<Run> | undefined = isEarlier ? { started: seen.started } : seen;
    const endedByItself = end.cause === "itself" && !run?.exit;
    const mayBeLate = end.signal === undefined || !run?.started;
    if (endedByItself && mayBeLate && !waited)
      return { is: "ending", why: `${end.word}; waiting for the result to become visible` };
    if (!endedByItself) judged.set(task, end);
    else judged.set(task, run?.started ? withoutRecord(end) : notStarted(end));
  }
  if (plan.tasks.length === 0) return { is: "ended", ...(judged.get(undefined) ?? { word: "gone" }) };
  const known = [...judged].map(([task, end]) => [String(task), end] as const);
  const worst = known.find(([, end]) => end.cause !== "itself" || end.exitCode !== 0) ?? known[0];
  const whole: Ended = { is: "ended", word: worst?.[1].word ?? "gone", tasks: Object.fromEntries(known) };
  const unstarted = known.every(([, end]) => end.cause === undefined && end.exitCode === undefined);
  // A cause of the whole keeps an array of which no task was started from being submitted again.
  return unstarted || !worst?.[1].cause ? whole : { ...whole, cause: worst[1].cause };
}

/** An end of a runner that has claimed nothing. */
function notStarted(end: End): End {
  const { word, exitCode } = end;
  if (exitCode === NOT_RUN) return { word };
  if (exitCode === 0) return end;
  const killed = `It was killed by ${end.signal} before job.sh was started.`;
  return { word, cause: "launch", why: end.signal === undefined ? LAUNCH_FAILED : killed };
}

/** Also a runner that steps aside ends with 0: only its record tells that job.sh has ended well. */
function withoutRecord(end: End): End {
  return end.exitCode === 0 ? { word: end.word, why: NO_RECORD } : end;
}

const NO_RECORD =
  "It started, but left no record of how it ended. Slurm may have lost it and started it a second time, which jobmgr prevents.";

const LAUNCH_FAILED =
  "Slurm could not start it. Mostly its output file cannot be made: look whether the folder that #SBATCH --output or --error names is there, and whether the disk is full.";
