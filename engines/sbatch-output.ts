/** How Slurm is told of an output in a folder in whose path signs have a meaning to it (sbatch(1), filename pattern). Pure. */

/** The name of an output where Slurm can replace no signs in one. */
export const FIXED_OUTPUT = "job_output.txt";

/** The folder's path as it must be said so that it is taken for itself: a backslash turns the doubling of "%" off. */
export function inFull(folder: string): string {
  return folder.includes("\\") ? folder.replaceAll("\\", "\\\\") : folder.replaceAll("%", "%%");
}
