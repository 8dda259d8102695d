/** The files of a folder whose names mean something: the script, and what is asked of jobmgr by a file. */
import { join } from "node:path";
import type { Disk } from "../disk.ts";
import { FILES } from "../files.ts";
import { verdictOf } from "../inbox/after.ts";
import { readAfter, stateOfJob } from "../inbox/dependencies.ts";
import { printable } from "../printable.ts";
import { retryRulesOf } from "../retry/again.ts";
import type { RetryRules } from "../retry/retry.ts";
import type { Root } from "../root.ts";
import { error, type Finding, warning } from "./finding.ts";
import type { Target } from "./target.ts";

/** What the configuration says of such files. */
export interface WordRules {
  readonly readyFile: string | undefined;
  readonly retry: RetryRules;
}

/** Files whose names mean something. */
export function wordFindings(disk: Disk, root: Root | undefined, target: Target, rules: WordRules): Finding[] {
  const folder = target.path;
  const names = namesOrNone(disk, folder);
  const findings: Finding[] = [];
  if (!names.includes(FILES.script))
    findings.push(error(`it has no ${FILES.script}.${scriptHint(disk, folder, names)}`));
  if (names.includes(FILES.hold))
    findings.push(warning(`it is held, and waits until its file ${FILES.hold} is deleted.`));
  if (names.includes(FILES.cancel))
    findings.push(warning(`it has a ${FILES.cancel}, and is cancelled at once. Delete that file if it is to run.`));
  if (rules.readyFile !== undefined && !names.includes(rules.readyFile))
    findings.push(warning(`it waits until it has a ${printable(rules.readyFile)} (--ready-file).`));
  return [...findings, ...afterFindings(disk, root, target), ...retryFindings(disk, target, rules.retry)];
}

function scriptHint(disk: Disk, folder: string, names: readonly string[]): string {
  const alike = names.find(
    (name) =>
      /^(job\.(sh\.txt|bash|txt|slurm|sbatch)|run\.sh|submit\.sh|job)$/i.test(name) ||
      name.toLowerCase() === FILES.script,
  );
  if (alike !== undefined) return ` Is it ${printable(alike)}? Rename that to ${FILES.script}.`;
  const below = names.find((name) => isFolder(disk, join(folder, name)) && disk.look(join(folder, name, FILES.script)));
  if (below !== undefined) return ` There is one in ${printable(below)}/: that is the job's folder.`;
  return " Write one: the commands to run.";
}

function isFolder(disk: Disk, path: string): boolean {
  return disk.look(path)?.kind === "folder";
}

function namesOrNone(disk: Disk, folder: string): string[] {
  try {
    return disk.list(folder);
  } catch {
    return [];
  }
}

/** Where there is a root: how those stand that it is to run after. */
function afterFindings(disk: Disk, root: Root | undefined, { path, name }: Target): Finding[] {
  const read = readAfter(disk, path);
  if (read === undefined) return [];
  if ("fault" in read) return [error(`${printable(read.fault)}.`)];
  if (!root) return [];
  const verdict = verdictOf(read.dependencies, (other) => stateOfJob(disk, root, other, { place: "inbox", name }));
  if (verdict.is === "met") return [];
  if (verdict.is === "waits") return [warning(`it ${printable(verdict.why)}.`)];
  return [error(`it would be refused. ${printable(verdict.why)}`)];
}

function retryFindings(disk: Disk, { path }: Target, base: RetryRules): Finding[] {
  const rules = retryRulesOf(disk, path, base);
  return "fault" in rules ? [error(printable(rules.fault))] : [];
}
