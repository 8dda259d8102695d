/** The `#$` lines by which a program asks Grid Engine for what a job needs. Pure. */
import type { Request } from "../../src/engine.ts";
import { EngineError } from "../../src/engine-error.ts";
import { memoryText } from "./units.ts";

/**
 * More than one processor needs a parallel environment, whose name is the site's own: "smp" for one machine and "mpi" for
 * several are the usual ones. h_vmem counts for each slot. Throws `refused` for an output that qsub cannot be told of.
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

/**
 * As qsub reads it: a quote takes all that is left of the line, and what stands before a ":" is a machine, or nothing.
 * Throws `refused` for what cannot be told it.
 */
function quotedPath(path: string): string {
  const odd = [",", "$HOME"].find((text) => path.includes(text));
  if (odd !== undefined)
    throw new EngineError(
      "refused",
      `Grid Engine cannot be told of an output ${path}: it takes ${odd} for something else.`,
    );
  const told = path.includes(":") ? `:${path}` : path;
  if (/^[\w./=+:-]+$/.test(told)) return told;
  return told.includes('"') ? `'${told}'` : `"${told}"`;
}
