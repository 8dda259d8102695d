/** The file that srun(1) is given with --multi-prog, where it starts several programs at once. Pure. */
import { LaunchError, type Program } from "./program.ts";

/** slurmstepd reads into an array and a line of fixed size, without looking (multi_prog.c). */
const WORDS_MAX = 120;
const LINE_BYTES_MAX = 4000;

/** One line for each program: its ranks, then its words. Throws LaunchError for a word that cannot be told so. */
export function multiProgText(programs: readonly Program[]): string {
  let first = 0;
  const lines = programs.map(({ argv, processes = 1 }) => {
    const last = first + processes - 1;
    const ranks = first === last ? String(first) : `${first}-${last}`;
    first = last + 1;
    const line = [ranks, ...argv.map(multiProgWord)].join(" ");
    if (argv.length > WORDS_MAX || Buffer.byteLength(line) > LINE_BYTES_MAX)
      throw new LaunchError(
        `${argv[0]} has more arguments than srun can be told of one of several programs (${WORDS_MAX} words, ${LINE_BYTES_MAX} bytes). Put them into a script, and launch that.`,
      );
    return `${line}\n`;
  });
  return lines.join("");
}

/** Between single quotes all stands for itself; a quote is escaped by a backslash outside of them. */
function multiProgWord(word: string): string {
  if (word.includes("\n"))
    throw new LaunchError(
      "an argument holds a newline, which srun cannot be told of one of several programs. Put it into a script, and launch that.",
    );
  return /^[\w@+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
