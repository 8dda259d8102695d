/** What looks wrong in the directives of a job.sh, though qsub may say nothing about it. Pure. */
import type { Flavour } from "./flavour.ts";
import { givenOptions, headLength, isDirective, prefixOf } from "./script.ts";

/** In sentences, each with what to do; none if nothing looks wrong. */
export function remarksOn(text: string, flavour: Flavour, environment: NodeJS.ProcessEnv): string[] {
  const prefix = prefixOf([], environment);
  const lines = text.split("\n");
  const head = headLength(text, prefix);
  return [...foreign(lines.slice(0, head)), ...unread(lines, head, prefix), ...doubtful(text, prefix, flavour)];
}

function foreign(head: readonly string[]): string[] {
  const remarks: string[] = [];
  for (const [at, line] of head.entries()) {
    const shown = `Line ${at + 1}, "${line.trim().slice(0, 60)}",`;
    if (/^#SBATCH\s/.test(line))
      remarks.push(`${shown} is a directive of Slurm, which is not read here. Say it in a #PBS line.`);
    else if (/^#\$\s+-/.test(line))
      remarks.push(`${shown} is a directive of Grid Engine, which PBS does not read. Say it in a #PBS line.`);
    else if (/^\s*#+\s*pbs\s+-/i.test(line) && !/^\s*#PBS\s/.test(line) && !/^\s*##/.test(line))
      remarks.push(`${shown} is a comment: a directive begins with #PBS, in capitals and without a blank.`);
  }
  return remarks.slice(0, 5);
}

/** Directives behind the first command. */
function unread(lines: readonly string[], head: number, prefix: string): string[] {
  const late = lines.flatMap((line, at) => (at >= head && isDirective(line, prefix) ? [at + 1] : []));
  const [first] = late;
  if (first === undefined) return [];
  const which = late.length === 1 ? `Line ${first} stands` : `Lines ${late.slice(0, 5).join(", ")} stand`;
  return [
    `${which} behind the first command (line ${head + 1}), and what stands there is not read. Move all ${prefix} lines above it.`,
  ];
}

function doubtful(text: string, prefix: string, flavour: Flavour): string[] {
  const given = givenOptions(text, prefix);
  const remarks = given
    .filter(({ name }) => name === undefined)
    .map(({ written }) => `"${written.slice(0, 60)}" is no option of qsub, which would refuse the whole script.`);
  const resources = given.filter(({ name }) => name === "l").map(({ value }) => value);
  const hasOld = resources.some((value) => /(?:^|,)(?:nodes|ncpus|mem)=/.test(value));
  if (flavour === "openpbs" && hasOld && resources.some((value) => /(?:^|,)select=/.test(value)))
    remarks.push("-l select excludes -l nodes, ncpus and mem, which belong into its chunks. Keep one way.");
  if (flavour === "torque" && resources.some((value) => /(?:^|,)select=/.test(value)))
    remarks.push("-l select is of OpenPBS; Torque takes -l nodes=1:ppn=4.");
  return remarks.slice(0, 5);
}
