/** Slurm opens the files for a job's output before it starts the job, and makes no folder for them. */
import { statSync } from "node:fs";
import { dirname, isAbsolute, join, normalize } from "node:path";
import type { Attempt, End, Ended } from "../../src/engine.ts";

/** What is wrong, in a sentence that says what to do; undefined where all folders inside of the job's own are there. */
export function missingOutputFolder({ folder, plan }: Pick<Attempt, "folder" | "plan">): string | undefined {
  const at = plan.outputs.filter(isInside).map((output) => dirname(normalize(output)));
  // What Slurm puts in place of a sign is not known before the job has its id.
  const missing = at.find((one) => !/%[jt]/.test(one) && !isFolder(join(folder, one)));
  return missing === undefined
    ? undefined
    : `Its output is to go to ${missing}/, and there is no such folder in the job's folder: make it.`;
}

/** Of what could not be started Slurm tells no reason; mostly that can be seen from here. */
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

/** What lies elsewhere may be there on the nodes alone. */
function isInside(output: string): boolean {
  return !isAbsolute(output) && !normalize(output).startsWith("../");
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
