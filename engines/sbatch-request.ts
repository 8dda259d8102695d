/** What a program asks for, as #SBATCH lines. Pure. */
import type { Request } from "../src/engine.ts";
import { timeText } from "./sbatch-units.ts";

const MIB = 1024 ** 2;

/**
 * One line for each, in sbatch's own words. Processors are tasks, so that mpiexec and srun find as many slots; on one
 * node, unless more are asked for: a program of many threads cannot be spread. sbatch knows memory by the node only.
 */
export function sbatchLines({ nodes, cpus, gpus, memoryB, timeLimitS, output, error }: Request): readonly string[] {
  const nodesOrOne = nodes ?? (cpus === undefined ? undefined : 1);
  const options = {
    nodes: nodesOrOne,
    ntasks: cpus,
    gpus,
    mem: memoryB === undefined ? undefined : `${Math.ceil(memoryB / (nodes ?? 1) / MIB)}M`,
    time: timeLimitS === undefined ? undefined : timeText(Math.ceil(timeLimitS)),
    output: output === undefined ? undefined : word(output),
    error: error === undefined ? undefined : word(error),
  };
  return Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `#SBATCH --${name}=${value}`);
}

/** A blank ends a word of a directive, and "#" may begin a comment, unless they are quoted. */
function word(path: string): string {
  return /[ \t#]/.test(path) ? `"${path}"` : path;
}
