/** How the news of an attempt is made of what the scheduler and the runners say, whichever scheduler it is. Pure. */
import type { Attempt, End, Ended, News, Plan, Submitted, Token } from "../../src/engine.ts";
import { NOT_RUN, type Run } from "../../src/runner.ts";
import type { Runs } from "./records.ts";

/** How often it had been started before when it ended so; undefined where that is not known. */
export type RowEnd = End & { readonly restarts?: number; readonly ifNoRecord?: boolean };
/** How an attempt ended, by task (undefined: a plain job, or all tasks that have no row of their own). */
export type Ends = ReadonlyMap<number | undefined, RowEnd>;

/** The tasks of an array, or the plain job (undefined). */
export function tasksOf({ plan }: Pick<Attempt, "plan">): readonly (number | undefined)[] {
  return plan.tasks.length > 0 ? plan.tasks : [undefined];
}

/** A fault of one job's own records concerns no other. */
export function ofOneJob(job: Submitted, news: Map<Token, News>, judge: () => News | undefined): void {
  try {
    const one = judge();
    if (one) news.set(job.token, one);
  } catch (error) {
    news.set(job.token, { is: "ending", why: `its records cannot be read or written: ${(error as Error).message}` });
  }
}

/** How each task ended is known, from its row or its record. */
export function isComplete(job: Attempt, ends: Ends, runs: Runs): boolean {
  return ends.size > 0 && tasksOf(job).every((task) => ends.has(task) || ends.has(undefined) || runs.get(task)?.exit);
}

/** The ids under which an attempt is in the queue: the one that has the right to run, and those that came twice. */
export interface Copies<Row> {
  readonly own: readonly Row[];
  readonly id: string;
  /** The ids of copies that have no right to run; one that runs may have a claim that cannot be seen yet. */
  readonly extra: readonly string[];
}

/** What a row of the queue says of a copy. */
interface Copy {
  readonly id: string;
  readonly isAlive: boolean;
  readonly isWaiting: boolean;
}

/** Who has claimed the attempt has the right; else who was recorded, if it lives; else the first. */
export function copiesAmong<Row>(
  rows: readonly Row[],
  copyOf: (row: Row) => Copy,
  recorded: string,
  claimed: string | undefined,
): Copies<Row> {
  const living = rows.map(copyOf).filter((copy) => copy.isAlive);
  const ids = [...new Set(living.map((copy) => copy.id))].sort(
    (a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10),
  );
  const id = claimed ?? (ids.includes(recorded) ? recorded : (ids[0] ?? recorded));
  const isWaiting = (other: string) => living.every((copy) => copy.id !== other || copy.isWaiting);
  return {
    id,
    own: rows.filter((row) => copyOf(row).id === id),
    extra: ids.filter((other) => other !== id && (claimed !== undefined || isWaiting(other))),
  };
}

/** What is told where a scheduler itself tells too little. */
export interface Words {
  /** Of a job that started, and left no record of its end. */
  readonly noRecord: string;
  /** Of a runner that was not started. */
  readonly launchFailed: string;
}

/**
 * The news of a job all of whose ends are known. "ending" while what a runner must have written cannot be seen, as a
 * network file system may show it late; `waited` when that has taken too long.
 */
export function newsOfEnds(plan: Plan, ends: Ends, runs: Runs, waited: boolean, words: Words): News {
  const judged = new Map<number | undefined, End>();
  for (const task of tasksOf({ plan })) {
    // What was cancelled while it waited has one row, without an index, for all that have none of their own.
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
    else judged.set(task, run?.started ? withoutRecord(end, words) : notStarted(end, words));
  }
  if (plan.tasks.length === 0) return { is: "ended", ...(judged.get(undefined) ?? { word: "gone" }) };
  const known = [...judged].map(([task, end]) => [String(task), end] as const);
  const worst = known.find(([, end]) => end.cause !== "itself" || end.exitCode !== 0) ?? known[0];
  const whole: Ended = { is: "ended", word: worst?.[1].word ?? "gone", tasks: Object.fromEntries(known) };
  const unstarted = known.every(([, end]) => end.cause === undefined && end.exitCode === undefined);
  // A cause of the whole keeps an array of which no task was started from being submitted again.
  return unstarted || !worst?.[1].cause ? whole : { ...whole, cause: worst[1].cause };
}

/**
 * How it ended, once that is sure; "ending" until then. `judge`: as newsOfEnds, with its `waited`; `note`: how often, and
 * for how long, it has not been sure.
 */
export function sureEnd(
  ends: Ends,
  judge: (waited: boolean) => News,
  note: () => { readonly times: number; readonly sinceMs: number },
  lostAfterMs: number,
): News {
  const news = judge(false);
  const isPassing = [...ends.values()].some((end) => end.cause === "preempted" || end.cause === "node");
  if (news.is !== "ending" && !isPassing) return news;
  const { times, sinceMs } = note();
  if (news.is === "ending") return sinceMs < lostAfterMs ? news : judge(true);
  // A job that goes back into the queue shows such a word for a moment, or is gone from it.
  return times < 2 ? { is: "ending", why: PASSING } : news;
}

const PASSING = "it was stopped, and may be started again; it is looked at again";

/** An end of a runner that has claimed nothing. */
function notStarted(end: End, { launchFailed }: Words): End {
  const { word, exitCode } = end;
  if (exitCode === NOT_RUN) return { word };
  if (exitCode === 0) return end;
  const killed = `It was killed by ${end.signal} before job.sh was started.`;
  return { word, cause: "launch", why: end.signal === undefined ? launchFailed : killed };
}

/** Also a runner that steps aside ends with 0: only its record tells that job.sh has ended well. */
function withoutRecord(end: End, { noRecord }: Words): End {
  return end.exitCode === 0 ? { word: end.word, why: noRecord } : end;
}
