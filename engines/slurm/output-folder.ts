/** Slurm does not tell why it could not start a job; mostly the folder for its output is not there. */
import type { Attempt, End, Ended } from "../../src/engine.ts";
import { missingOutputFolder } from "../batch/output-folder.ts";

/** The reason, where it can be seen from here. */
export function withMissingFolder(job: Pick<Attempt, "folder" | "plan">, news: Ended): Ended {
  const missing = [news, ...Object.values(news.tasks ?? {})].some(({ cause }) => cause === "launch")
    ? missingOutputFolder(job)
    : undefined;
  if (missing === undefined) return news;
  const explained = <T extends End>(end: T): T =>
    end.cause === "launch" ? { ...end, why: `Slurm could not start it. ${missing}` } : end;
  const tasks = Object.entries(news.tasks ?? {}).map(([task, end]) => [task, explained(end)] as const);
  return { ...explained(news), ...(news.tasks && { tasks: Object.fromEntries(tasks) }) };
}
