/** The `#$` lines by which a program asks Grid Engine for what a job needs. Pure. */
import type { Request } from "../../src/engine.ts";
import { memoryText } from "./units.ts";

/**
 * More than one processor needs a parallel environment, whose name is the site's own: "smp" for one machine and "mpi" for
 * several are the usual ones. h_vmem counts for each slot.
 */
export function directivesFor(request: Request): string[] {
  const { nodes = 1, cpus, gpus, memoryB, timeLimitS, output, error } = request;
  const slots = Math.max(cpus ?? 1, nodes);
  return [
    ...(slots > 1 ? [`-pe ${nodes > 1 ? "mpi" : "smp"} ${slots}`] : []),
    ...(gpus === undefined || gpus === 0 ? [] : [`-l gpu=${gpus}`]),
    ...(memoryB === undefined ? [] : [`-l h_vmem=${memoryText(Math.ceil(memoryB / slots))}`]),
    ...(timeLimitS === undefined ? [] : [`-l h_rt=${Math.ceil(timeLimitS)}`]),
    ...(output === undefined ? [] : [`-o ${quotedPath(output)}`]),
    ...(output === undefined && error === undefined ? [] : [error === undefined ? "-j y" : `-e ${quotedPath(error)}`]),
  ].map((option) => `#$ ${option}`);
}

/** As qsub reads it: a quote takes all that is left of the line. */
function quotedPath(path: string): string {
  if (/^[\w./=+-]+$/.test(path)) return path;
  return path.includes('"') ? `'${path}'` : `"${path}"`;
}
