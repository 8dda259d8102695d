/**
 * The words behind `jobmgr launch`: the launcher's own options, the program, its arguments, and ":" before the next
 * program. What an option of a launcher takes of the words behind it is known of those in option-words.ts alone. Pure.
 */
import { LaunchError, type Program } from "./program.ts";

/** How many words behind it are values of this option. */
export type ValuesOf = (option: string) => number;

/** What was read of the words. */
export interface ReadWords {
  readonly programs: readonly Program[];
  /** An option of the launcher right before the first program, whose value the program may be meant to be. */
  readonly doubtful: string | undefined;
}

/** What jobmgr itself takes, for all programs together: it stands before the first option that is the launcher's. */
const OF_JOBMGR = /^--(backend|dry-run|label|root|color)(=|$)/;
const SEPARATOR = ":";
const COUNT = /^(?:-n(\d+)|--?np?(?:=(.*))?)$/s;

/** `first`: what was said before of the first program. Throws LaunchError. */
export function readWords(words: readonly string[], first: Omit<Program, "argv">, valuesOf: ValuesOf): ReadWords {
  const parts = split(words);
  let doubtful: string | undefined;
  const programs = parts.map((part, i) => {
    const read = readPart(part, i === 0 ? first : {}, valuesOf);
    if (i === 0) doubtful = read.doubtful;
    return read.program;
  });
  return { programs, doubtful };
}

/** As mpiexec does: a word ":" stands between two programs, wherever it is. */
function split(words: readonly string[]): string[][] {
  const parts: string[][] = [[]];
  for (const word of words) {
    if (word === SEPARATOR) parts.push([]);
    else parts.at(-1)?.push(word);
  }
  return parts;
}

function readPart(
  words: readonly string[],
  before: Omit<Program, "argv">,
  valuesOf: ValuesOf,
): { program: Program; doubtful: string | undefined } {
  const options = [...(before.options ?? [])];
  let { processes } = before;
  let doubtful: string | undefined;
  let at = 0;
  const value = (option: string) => {
    const word = words[++at];
    if (word === undefined) throw new LaunchError(`${option}: it needs a value`);
    return word;
  };
  for (; at < words.length; at++) {
    const word = words[at] ?? "";
    if (!/^-./.test(word)) break;
    doubtful = undefined;
    if (word === "--") {
      at++;
      break;
    }
    const [count, attached, given] = COUNT.exec(word) ?? [];
    const passed = /^--option(?:=(.*))?$/s.exec(word);
    if (OF_JOBMGR.test(word))
      throw new LaunchError(`${word}: jobmgr's own options must stand before those of the launcher and the program`);
    if (count !== undefined) processes = countOf(attached ?? given ?? value(word));
    else if (passed) options.push(passed[1] ?? value(word));
    else {
      options.push(word);
      const takes = word.includes("=") ? 0 : valuesOf(word);
      for (let i = 0; i < takes; i++) options.push(value(word));
      if (takes === 0 && !word.includes("=")) doubtful = word;
    }
  }
  const program = { argv: words.slice(at), options, ...(processes !== undefined && { processes }) };
  return { program, doubtful };
}

/** Throws LaunchError for what is no number of processes. */
export function countOf(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new LaunchError(`-n ${text}: it must be a whole number from 1 on`);
  return Number(text);
}
