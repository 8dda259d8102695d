/** What looks wrong in the `#$` lines of a job.sh, though qsub may say nothing about it. Pure. */
import { commandOfScript } from "../../src/script.ts";
import { directiveLines, givenInScript, QSUB_NAMES } from "./script.ts";

/** So many of a kind are told one by one. */
const TOLD_MAX = 5;

/** In sentences, each with what to do; none if nothing looks wrong. */
export function remarksOn(text: string): string[] {
  return [...foreign(text), ...unknown(text), ...quoted(text), ...shells(text)];
}

function foreign(text: string): string[] {
  const lines = text.split("\n");
  const at = lines.findIndex((line) => /^#(?:SBATCH|PBS)[ \t]+-/.test(line));
  if (at === -1) return [];
  return [
    `Line ${at + 1}, ${shown(lines[at] ?? "")}, is a directive of another scheduler, which is not read here. Say it in a #$ line.`,
  ];
}

function unknown(text: string): string[] {
  const wrong = givenInScript(text).filter((given) => given.isUnknown);
  return wrong.slice(0, TOLD_MAX).map(({ written, name }) => {
    if (QSUB_NAMES.includes(name)) return `${shown(written)}: -${name} needs a value, in the same line.`;
    return `${shown(written)} is no option of qsub 8.1.9, which would refuse the whole script. \`man qsub\` shows those there are.`;
  });
}

/** A quote takes the rest of its line. */
function quoted(text: string): string[] {
  const lines = directiveLines(text).filter((line) => /["'].*["'][ \t]+-\w/.test(line));
  return lines
    .slice(0, TOLD_MAX)
    .map(
      (line) =>
        `${shown(line)}: qsub takes all that follows a quote in this line for one value. Put each option into a line of its own.`,
    );
}

/** job.sh is run by what its "#!" names. */
function shells(text: string): string[] {
  const [program = ""] = commandOfScript(text);
  const given = givenInScript(text).filter(
    ({ name, value }) => name === "S" && value.split("/").at(-1) !== program.split("/").at(-1),
  );
  return given
    .slice(0, 1)
    .map(({ value }) => `-S ${value} is not honoured: job.sh is run by ${program}. Make its first line #!${value}`);
}

const SHOWN_MAX = 60;

function shown(text: string): string {
  const plain = text.trim();
  return `"${plain.length > SHOWN_MAX ? `${plain.slice(0, SHOWN_MAX)}...` : plain}"`;
}
