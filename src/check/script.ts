/** What job.sh says: does a shell get on with it, is its interpreter here, what becomes of its directives? */
import { basename, delimiter, join } from "node:path";
import type { Disk } from "../disk.ts";
import type { Engine, Plan } from "../engine.ts";
import { isEngineError } from "../engine-error.ts";
import { printable } from "../printable.ts";
import { commandOfScript, type Script } from "../script.ts";
import type { Surroundings } from "../verbs/call.ts";
import { error, type Finding, warning } from "./finding.ts";

/** Shells that read a script without running it when they are told -n. */
const SHELLS = new Set(["sh", "bash", "dash", "ksh", "zsh"]);
const SYNTAX_TIMEOUT_MS = 10_000;

/** The plan that the engine makes of it, unless there is an error in the way. */
export function planFindings(engine: Engine, script: Script): { plan?: Plan; findings: Finding[] } {
  try {
    const plan = engine.plan(script);
    const ignored = plan.ignored.map(printable);
    const remarks = engine.remarks?.(script) ?? [];
    return {
      plan,
      findings: [
        ...remarks.map((remark) => warning(printable(remark))),
        ...(ignored.length > 0 ? [warning(`${engine.name} does not honour: ${ignored.join(", ")}`)] : []),
      ],
    };
  } catch (failure) {
    if (!isEngineError(failure) || failure.verdict !== "refused") throw failure;
    return { findings: [error(printable(failure.message))] };
  }
}

/** Is what runs it there, on this machine? The nodes of a cluster may have more. */
export function interpreterFindings(disk: Disk, text: string, env: NodeJS.ProcessEnv): Finding[] {
  const [program = "", argument] = commandOfScript(text);
  const isThere = (name: string) =>
    name.includes("/")
      ? isReachable(disk, name)
      : (env.PATH ?? "").split(delimiter).some((folder) => isReachable(disk, join(folder, name)));
  const missing = (name: string) =>
    warning(
      `its first line asks for ${printable(name)}, which is not on this machine. If the nodes have none either, it fails with 127.`,
    );
  if (!isThere(program)) return [missing(program)];
  if (basename(program) !== "env" || argument === undefined || argument === "./job.sh") return [];
  const words = argument.split(/\s+/);
  if (words.length > 1 && !/^(-\S*S|--split-string)/.test(argument))
    return [
      error(
        `its first line gives env one word, "${printable(argument)}", for the kernel splits no more. Write: #!/usr/bin/env -S ${printable(argument)}`,
      ),
    ];
  const name = words.filter((word) => !word.startsWith("-") && !word.includes("=")).at(0);
  return name === undefined || isThere(name) ? [] : [missing(name)];
}

function isReachable(disk: Disk, path: string): boolean {
  try {
    return disk.look(disk.realPath(path))?.kind === "file";
  } catch {
    return false;
  }
}

/** The shell reads it to its end, and runs nothing. */
export async function syntaxFindings(
  text: string,
  path: string,
  runProgram: Surroundings["runProgram"],
): Promise<Finding[]> {
  const [program = ""] = commandOfScript(text);
  if (!SHELLS.has(basename(program))) return [];
  const { exitCode, stderr, errorCode, timedOut } = await runProgram(program, ["-n", path], SYNTAX_TIMEOUT_MS);
  if (exitCode === 0 || errorCode === "ENOENT" || timedOut) return [];
  const [first = ""] = stderr.split("\n");
  const what = first
    .replaceAll(path, "job.sh")
    .replace(/^\S*(bash|sh|dash|ksh|zsh): /, "")
    .replace(/^job\.sh: /, "");
  return [error(`${basename(program)} cannot read job.sh to its end: ${printable(what)}`)];
}
