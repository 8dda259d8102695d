/** The commands that are given to Slurm, as argument lists, and their environment. Pure. */
import type { Attempt } from "../../src/engine.ts";
import { FIXED_OUTPUT, inFull } from "../sbatch-output.ts";
import { type SbatchValues, sbatchOptions } from "../sbatch-script.ts";

/** Where output goes unless a job says otherwise (sbatch(1), --output). */
const OUTPUT = "slurm-%j.out";
/** The same for each task of an array: sbatch's own defaults. */
const OUTPUT_OF_ARRAY = "slurm-%A_%a.out";

/**
 * The arguments of sbatch(1). The user's own directives stand in the runner; only what makes a job one of jobmgr's is
 * said here: its folder, and that nothing is ever overwritten.
 */
export function submitArgs(attempt: Attempt): string[] {
  return [
    "--parsable",
    `--chdir=${attempt.folder}`,
    "--open-mode=append",
    ...attempt.plan.args,
    ...afterArgs(attempt),
    ...outputArgs(attempt),
    attempt.runner,
  ];
}

/**
 * The command line outweighs job.sh, so that what job.sh asks to wait for is said again; both must hold. A job that can
 * never start stays in the queue until the manager takes it out: one that vanished would have to be explained.
 */
function afterArgs({ plan, after = [] }: Attempt): string[] {
  if (after.length === 0) return [];
  const [own] = sbatchOptions(plan.directives, plan.args);
  const ours = after.map(({ handle, needs }) => `${needs === "success" ? "afterok" : "afterany"}:${handle}`);
  const all = [...(own.dependency ? [own.dependency] : []), ...ours].join(",");
  return [`--dependency=${all}`, ...(own["kill-on-invalid-dep"] === undefined ? ["--kill-on-invalid-dep=no"] : [])];
}

/**
 * Slurm puts a relative name behind the folder's path and only then replaces "%j" and the like, also those in the folder's
 * name; and a backslash anywhere turns all replacing off, and is taken out (Slurm 22.05 did so; sbatch(1), filename
 * pattern). So in such a folder each name is said in full, with the folder's own signs doubled. Its own default Slurm makes
 * without looking at backslashes.
 */
function outputArgs({ folder, plan }: Attempt): string[] {
  if (!/[%\\]/.test(folder)) return [];
  const [options] = sbatchOptions(plan.directives, plan.args);
  const { output, error } = outputsIn(folder, options, plan.tasks.length > 0);
  const isDefault = options.output === undefined && !folder.includes("%");
  const path = inFull(folder);
  return Object.entries({ output: isDefault ? undefined : output, error })
    .filter(([, name]) => name !== undefined && !name.startsWith("/"))
    .map(([option, name]) => `--${option}=${path}/${name}`);
}

/** The names of outputs that are said in a folder of this path, or have their default. */
export function outputsIn(
  folder: string,
  { output, error }: SbatchValues,
  isArray: boolean,
): { readonly output: string; readonly error: string | undefined } {
  const isOff = folder.includes("\\");
  // Nothing can be replaced there.
  const named = (name: string) =>
    isOff && !name.startsWith("/") && /^[^\\]*%[^\\]*$/s.test(name) ? FIXED_OUTPUT : name;
  const byDefault = isArray ? OUTPUT_OF_ARRAY : OUTPUT;
  return {
    output: output === undefined && !folder.includes("%") ? byDefault : named(output ?? byDefault),
    error: error === undefined ? undefined : named(error),
  };
}

/**
 * One question for all jobs of a user: ended ones too, as long as slurmctld remembers them (MinJobAge). The header is
 * asked for, because an answer without it is none, not even an empty one.
 */
export function queueArgs(uid: number, clusters: string | undefined, format: string): string[] {
  const where = clusters === undefined ? [] : [`--clusters=${clusters}`];
  return ["--all", "--states=all", `--user=${uid}`, ...where, `--Format=${format}`];
}

/** Which jobs accounting is asked for: these, or all of a user. */
export type AccountingOf = { readonly ids: readonly string[] } | { readonly uid: number };

/** Accounting of jobs, with their steps and with every start of a requeued one. */
export function accountingArgs(
  of: AccountingOf,
  options: { clusters: string | undefined; since: Date; separator: string; fields: readonly string[] },
): string[] {
  return [
    "--noheader",
    "--parsable2",
    "--duplicates",
    `--delimiter=${options.separator}`,
    `--starttime=${options.since.toISOString().slice(0, 19)}`,
    options.clusters === undefined ? "--local" : `--clusters=${options.clusters}`,
    `--format=${options.fields.join(",")}`,
    "ids" in of ? `--jobs=${of.ids.join(",")}` : `--user=${of.uid}`,
  ];
}

/** `state`: a job that has left this state in the meantime is left alone. */
export function cancelArgs(
  ids: readonly string[],
  cluster: string | undefined,
  state: "PENDING" | "RUNNING" | undefined,
): string[] {
  return [
    ...(state === undefined ? [] : [`--state=${state}`]),
    ...(cluster === undefined ? [] : [`--clusters=${cluster}`]),
    ...ids,
  ];
}

/** What an allocation, or this program's own surroundings, would pass on to a job that knows nothing of them. */
const FOREIGN = /^(SLURM|SBATCH|SRUN|SALLOC|SQUEUE|SACCT|SCANCEL|SINFO|PMI\w*?)_|^(NODE_|npm_|JOBMGR_)/;
const KEPT = new Set(["SLURM_CONF", "SLURM_CLUSTERS"]);

/** The environment for sbatch, and with it for jobs (unless they say --export). */
export function jobEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => KEPT.has(name) || !FOREIGN.test(name)));
}

/** The environment for questions: times in UTC. */
export function questionEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...jobEnvironment(env), TZ: "UTC" };
}
