/** What the rows of one attempt say of it. Pure. */
import type { News, Plan } from "../../src/engine.ts";
import type { Row } from "./dialect.ts";
import { type Copies, copiesAmong, type Ends, newsOfEnds, type RowEnd, type Words } from "./news.ts";
import type { Runs } from "./records.ts";

/** The copies of one attempt in the queue; see copiesAmong(). */
export function copiesOf(rows: readonly Row[], recorded: string, claimed: string | undefined): Copies<Row> {
  const copyOf = (row: Row) => ({ id: row.id, isAlive: isAlive(row), isWaiting: row.news.is === "queued" });
  return copiesAmong(rows, copyOf, recorded, claimed);
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

/** The news of a job all of whose ends are known; see newsOfEnds(). */
export function endedNews(plan: Plan, ends: Ends, runs: Runs, waited: boolean): News {
  return newsOfEnds(plan, ends, runs, waited, WORDS);
}

const WORDS: Words = {
  noRecord:
    "It started, but left no record of how it ended. The scheduler may have lost it and started it a second time, which jobmgr prevents.",
  launchFailed:
    "The scheduler could not start it. Mostly its output file cannot be made: look whether the folder that it is to lie in is there, and whether the disk is full.",
};
