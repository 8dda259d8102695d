/** A scheduler opens the files for a job's output before it starts the job, and makes no folder for them. */
import { statSync } from "node:fs";
import { dirname, isAbsolute, join, normalize } from "node:path";
import type { Attempt } from "../../src/engine.ts";

/** What is wrong, in a sentence that says what to do; undefined where all folders inside of the job's own are there. */
export function missingOutputFolder({ folder, plan }: Pick<Attempt, "folder" | "plan">): string | undefined {
  const at = plan.outputs.filter(isInside).map((output) => dirname(normalize(output)));
  // What a scheduler puts in place of a sign is not known before the job has its id.
  const missing = at.find((one) => !/%[jt]/.test(one) && !isFolder(join(folder, one)));
  return missing === undefined
    ? undefined
    : `Its output is to go to ${missing}/, and there is no such folder in the job's folder: make it.`;
}

/** What lies elsewhere may be there on the nodes alone. */
function isInside(output: string): boolean {
  return !isAbsolute(output) && !normalize(output).startsWith("../");
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
