/** What is to be launched: programs, and how many processes of each. Pure. */
import { ANY, faultOfKinds, type Kinds, TEXTS } from "../kinds.ts";

/** One program, and how many processes of it. */
export interface Program {
  /** The program and its arguments, which reach it as they are. */
  readonly argv: readonly string[];
  /** Where it is left out: one of several programs has one process, a program alone as many as the launcher makes of itself. */
  readonly processes?: number;
  /** Further options of the launcher for this program, as they are. */
  readonly options?: readonly string[];
}

/** A launch that cannot be made as it was asked for. Exit code 2. */
export class LaunchError extends Error {
  override readonly name = "LaunchError";
}

/** More than any machine has: beyond it somebody has mistyped. */
export const PROCESSES_MAX = 10_000_000;

/** Those of each program, where they are known. Of several programs each has one, if nothing else was said. */
export function counted(programs: readonly Program[]): readonly Program[] {
  if (programs.length < 2) return programs;
  return programs.map((program) => ({ ...program, processes: program.processes ?? 1 }));
}

/** Of all programs together; undefined where the launcher decides. */
export function totalOf(programs: readonly Program[]): number | undefined {
  let total = 0;
  for (const { processes } of programs) {
    if (processes === undefined) return undefined;
    total += processes;
  }
  return total;
}

const PROGRAM: Kinds<Program> = { argv: TEXTS, processes: ANY, options: TEXTS };

/** Throws LaunchError for what no launcher could start, or would take for something else. */
export function checkPrograms(programs: readonly Program[]): void {
  if (!Array.isArray(programs)) throw new LaunchError("what is launched must be a list of programs");
  if (programs.length === 0) throw new LaunchError("nothing is to be launched: name a program");
  for (const one of programs) {
    const fault = faultOfKinds(one, PROGRAM, "a program that is launched");
    if (fault) throw new LaunchError(fault);
    const { argv = [], processes, options = [] } = one;
    const [program] = argv;
    if (program === undefined || program === "") throw new LaunchError("a program is missing");
    // Every launcher would read an option there.
    if (program.startsWith("-"))
      throw new LaunchError(
        `${program} would be taken for an option of the launcher. A program of that name: ./${program}`,
      );
    const isCount =
      processes === undefined || (Number.isInteger(processes) && processes > 0 && processes <= PROCESSES_MAX);
    if (!isCount) throw new LaunchError(`-n ${processes}: it must be a whole number from 1 to ${PROCESSES_MAX}`);
    if ([...argv, ...options].some((word) => word.includes("\0")))
      throw new LaunchError("a word holds a null character, which no program can be given");
  }
}
