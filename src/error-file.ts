/** The text of job_error.txt: what happened, in plain words, and what to do next. */
import { dirname, isAbsolute, join, normalize } from "node:path";
import type { Disk } from "./disk.ts";
import type { Attempt } from "./engine.ts";
import type { Outcome } from "./outcome.ts";
import { outputName } from "./outputs.ts";
import { printable } from "./printable.ts";
import { prose } from "./prose.ts";

const TAIL_LINES = 20;
const TAIL_BYTES = 16 * 1024;

/** Sentences fit a terminal that nobody has made wider. */
const PROSE_COLUMNS = 80;

/** What to do about an outcome, beside looking at the output. */
const REMEDIES: Readonly<Record<Outcome["is"], string>> = {
  succeeded: "",
  failed: "Mend what is wrong",
  cancelled: "If it was not meant to be cancelled",
  refused: "Mend what is wrong",
  interrupted: "It did nothing wrong itself, so",
  lost: "Look first whether it left anything half done; then",
};

/** The whole text of job_error.txt: what happened first, what to do last. */
export function errorText(
  disk: Disk,
  job: {
    name: string;
    folder: string;
    outcome: Outcome;
    attempt: Attempt | undefined;
    /** What stands for "%j" in the names of its outputs. */
    outputId: string | undefined;
    command: string | undefined;
    /** What is to be said of its attempts. */
    attempts?: readonly string[];
    /** job.sh is not what it was when the job was planned. */
    scriptChanged: boolean;
  },
): string {
  const { outcome } = job;
  const lines = (job.attempts ?? []).map((line) => short(line, line.startsWith(" ") ? "       " : ""));
  if (outcome.engineWord) lines.push(`The engine's own word: ${outcome.engineWord}`);
  if (outcome.tasks) lines.push(`Exit codes of the tasks: ${tasksText(outcome.tasks)}`);
  if (job.scriptChanged)
    lines.push(short("job.sh was changed after the job was taken in, so that another one may have run."));
  const command = outcome.command ?? job.command;
  if (command) lines.push(`The command: ${command}`);
  for (const output of outputsToShow(job)) lines.push(...tailOf(disk, job.folder, output));
  const remedy =
    outcome.after === undefined
      ? REMEDIES[outcome.is]
      : `When "${printable(outcome.after.name)}" is mended, and moved back to inbox/ itself`;
  const last =
    outcome.remedy ??
    `${remedy}: move this folder back to inbox/, and it runs again. This attempt's files are kept in .jobmgr/past-*.`;
  // One empty line before each part, also where there is nothing in between.
  const parts = [
    short(`${printable(job.name)}: ${outcome.is}. ${outcome.why}`),
    lines.join("\n").replace(/^\n+/, ""),
    short(last),
  ];
  const all = parts.filter((part) => part !== "").join("\n\n");
  // Names, and what engines say, may hold anything; and this is read on a terminal.
  return `${all.replaceAll("\t", "    ").split("\n").map(printable).join("\n")}\n`;
}

function short(text: string, indent = ""): string {
  return prose(text, PROSE_COLUMNS, indent).join("\n");
}

function tasksText(tasks: Readonly<Record<string, number | null>>): string {
  const failed = Object.entries(tasks).filter(([, code]) => code !== 0);
  return (
    failed
      .slice(0, 50)
      .map(([task, code]) => `${task}: ${code ?? "unknown"}`)
      .join(", ") + (failed.length > 50 ? ", ..." : "")
  );
}

function outputsToShow(job: {
  attempt: Attempt | undefined;
  outcome: Outcome;
  outputId: string | undefined;
}): readonly string[] {
  const { attempt, outcome, outputId } = job;
  if (!attempt || outputId === undefined) return [];
  const firstBad = Object.entries(outcome.tasks ?? {}).find(([, code]) => code !== 0)?.[0];
  return attempt.plan.outputs.map((output) => outputName(output, outputId, firstBad));
}

function tailOf(disk: Disk, folder: string, output: string): string[] {
  let text: string | undefined;
  if (isAbsolute(output) || normalize(output).startsWith(".."))
    return ["", `Its output is not in this folder, but in ${output}`];
  for (let at = dirname(output); at !== "."; at = dirname(at)) {
    if (disk.look(join(folder, at))?.kind !== "folder")
      return ["", `${output} is not shown, for ${at} is not a folder.`];
  }
  try {
    text = disk.readTail(join(folder, output), TAIL_BYTES)?.toString("utf8");
  } catch (error) {
    return ["", `${output} cannot be read: ${(error as Error).message}`];
  }
  if (text === undefined || text.trim() === "")
    return ["", `${output} is ${text === undefined ? "not there" : "empty"}.`];
  const lines = text.trimEnd().split("\n");
  const shown = lines.slice(-TAIL_LINES);
  return [
    "",
    shown.length === 1 ? `The last line of ${output}:` : `The last ${shown.length} lines of ${output}:`,
    ...shown.map((line) => `  ${printable(line.replaceAll("\t", "    "))}`),
  ];
}
