/** What the rows of one attempt say of it. Pure. */
import type { End, Ended, News, Plan } from "../../src/engine.ts";
import { NOT_RUN, type Run } from "../../src/runner.ts";
import type { Row } from "./dialect.ts";
import type { Runs } from "./records.ts";

/** How often it had been started before when it ended so; undefined where that is not known. */
type RowEnd = End & { readonly restarts?: number; readonly ifNoRecord?: boolean };
/** How an attempt ended, by task (undefined: a plain job, or all tasks that have no row of their own). */
export type Ends = ReadonlyMap<number | undefined, RowEnd>;

/** The ids under which an attempt is in the queue: the one that has the right to run, and those that came twice. */
export interface Copies {
  readonly own: readonly Row[];
  readonly id: string;
  /** The ids of copies that have no right to run; one that runs may have a claim that cannot be seen yet. */
  readonly extra: readonly string[];
}

/** Who has claimed the attempt has the right; else who was recorded, if it lives; else the first. */
export function copiesOf(rows: readonly Row[], recorded: string, claimed: string | undefined): Copies {
  const living = rows.filter(isAlive);
  const ids = [...new Set(living.map((row) => row.id))].sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  const id = claimed ?? (ids.includes(recorded) ? recorded : (ids[0] ?? recorded));
  const isWaiting = (other: string) => living.every((row) => row.id !== other || row.news.is === "queued");
  return {
    id,
    own: rows.filter((row) => row.id === id),
    extra: ids.filter((other) => other !== id && (claimed !== undefined || isWaiting(other))),
  };
}

/** A word that is not known is no proof of an end. */
export function isAlive(row: Row): boolean {
  return row.news.is !== "ended";
}

/** The news of a job that has not ended; undefined for one that has. Of several tasks that wait, a stuck one is told of. */
export function livingNews(rows: readonly Row[]): News | undefined {
  const all = rows.map((row) => row.news);
  const unknown = all.find((news) => news.is === "unknown");
  if (unknown) return unknown;
  if (all.some((news) => news.is === "running")) return { is: "running" };
  const queued = all.flatMap((news) => (news.is === "queued" ? [news] : []));
  return queued.find((news) => news.stuck) ?? queued.find((news) => news.why !== undefined) ?? queued[0];
}

/** How each task ended, or the plain job (undefined); of what was started more than once, the last. */
export function endsOf(rows: readonly Row[]): Ends {
  const ends = new Map<number | undefined, RowEnd>();
  for (const { news, task, restarts } of rows) {
    if (news.is !== "ended") ends.delete(task);
    else {
      const { is: _, ...end } = news;
      ends.set(task, { ...end, ...(restarts !== undefined && { restarts }) });
    }
  }
  return ends;
}

/**
 * The news of a job all of whose ends are known. "ending" while what a runner must have written cannot be seen, as a
 * network file system may show it late; `waited` when that has taken too long.
 */
export function endedNews(plan: Plan, ends: Ends, runs: Runs, waited: boolean): News {
  const tasks: readonly (number | undefined)[] = plan.tasks.length > 0 ? plan.tasks : [undefined];
  const judged = new Map<number | undefined, End>();
  for (const task of tasks) {
    const found = ends.get(task) ?? ends.get(undefined);
    if (!found) continue;
    const { restarts, ifNoRecord, ...end } = found;
    const seen = runs.get(task);
    // What an earlier start left says nothing of the last one.
    const isEarlier = seen?.started !== undefined && restarts !== undefined && seen.started.restart < restarts;
    const run: Partial<Run> | undefined = isEarlier ? { started: seen.started } : seen;
    if (ifNoRecord && run?.exit) {
      judged.set(task, { word: end.word });
      continue;
    }
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
  "It started, but left no record of how it ended. The scheduler may have lost it and started it a second time, which jobmgr prevents.";

const LAUNCH_FAILED =
  "The scheduler could not start it. Mostly its output file cannot be made: look whether the folder that it is to lie in is there, and whether the disk is full.";
