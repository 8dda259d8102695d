/** What the rows of one attempt say of it. Pure. */
import { constants as os } from "node:os";
import type { End, News, Plan } from "../../src/engine.ts";
import { type Copies, copiesAmong, type Ends, newsOfEnds, type RowEnd, type Words } from "../batch/news.ts";
import type { Runs } from "../batch/records.ts";
import { type AccountingRow, baseId, partOf, type QueueRow, taskOf } from "./queue.ts";
import { whyItWaits } from "./reasons.ts";
import { type Exit, exitOf, explain, isLaunchFailure, STRANDED, stateOf } from "./states.ts";

type Row = QueueRow | AccountingRow;

/** The copies of one attempt in the queue; see copiesAmong(). */
export function copiesOf(rows: readonly QueueRow[], recorded: string, claimed: string | undefined): Copies<QueueRow> {
  const copyOf = (row: QueueRow) => ({
    id: baseId(row.shownId),
    isAlive: isAlive(row),
    isWaiting: stateOf(row.state)?.is === "queued",
  });
  return copiesAmong(rows, copyOf, recorded, claimed);
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
  const reasons = queued.flatMap((row) => ("reason" in row ? [reasonOf(row)] : []));
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
    ...(worst.word === STRANDED && { stranded: true }),
    ...soon,
  };
}

/** Commands in the sentence name the job, as a person would type them. */
function reasonOf({ reason, shownId }: QueueRow) {
  const { sentence, ...waiting } = whyItWaits(reason);
  return { word: reason, sentence: sentence.replace("JOBID", () => baseId(shownId)), ...waiting };
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
    ...("reason" in row && row.reason === STRANDED && { stranded: true }),
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

/** The news of a job all of whose ends are known; see newsOfEnds(). */
export function endedNews(plan: Plan, ends: Ends, runs: Runs, waited: boolean): News {
  return newsOfEnds(plan, ends, runs, waited, WORDS);
}

const WORDS: Words = {
  noRecord:
    "It started, but left no record of how it ended. Slurm may have lost it and started it a second time, which jobmgr prevents.",
  launchFailed:
    "Slurm could not start it. Mostly its output file cannot be made: look whether the folder that #SBATCH --output or --error names is there, and whether the disk is full.",
};
