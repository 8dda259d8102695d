/** What looks wrong in the directives of a job.sh, though sbatch may say nothing about it. Pure. */
import { didYouMean } from "../src/nearest.ts";
import { givenOptions, headLength, isDirective, SBATCH_NAMES } from "./sbatch-script.ts";

/** So many of a kind are told one by one. */
const TOLD_MAX = 5;

/** In sentences, each with what to do; none if nothing looks wrong. */
export function remarksOn(text: string): string[] {
  const lines = text.split("\n");
  const head = headLength(text);
  return [...misspelled(lines, head), ...unread(lines, head), ...unknown(text), ...contradictory(text)];
}

/** Comments of the head that were meant as directives. */
function misspelled(lines: readonly string[], head: number): string[] {
  const remarks: string[] = [];
  for (const [at, line] of lines.slice(0, head).entries()) {
    const [, sign = "", word = ""] = /^(#+[ \t]*)([A-Za-z]+)[ \t]*-/.exec(line) ?? [];
    if (word === "" || isDirective(line) || /^#(PBS|BSUB)/.test(line)) continue;
    if (/^(SBATCH|SLURM)$/i.test(word) && sign.startsWith("##")) continue;
    if (/^SBATCH$/i.test(word) || isSwapped(word.toUpperCase(), "SBATCH"))
      remarks.push(`Line ${at + 1}, ${shown(line)}, is a comment: a directive begins with #SBATCH, in capitals.`);
  }
  const foreign = lines.findIndex((line) => /^#\$[ \t]+-/.test(line));
  if (foreign !== -1)
    remarks.push(
      `Line ${foreign + 1}, ${shown(lines[foreign] ?? "")}, is a directive of Grid Engine, which is not read here. Say it in an #SBATCH line.`,
    );
  return told(remarks);
}

/** The letters of the other word with one left out, added, changed, or two swapped. */
function isSwapped(word: string, other: string): boolean {
  return word !== other && didYouMean(word, [other]) !== "" && word.length >= other.length - 1 && word.startsWith("S");
}

/** Directives behind the first command. */
function unread(lines: readonly string[], head: number): string[] {
  const late = lines.flatMap((line, at) => (at >= head && isDirective(line) ? [at] : []));
  const [first] = late;
  if (first === undefined) return [];
  const which =
    late.length === 1
      ? `Line ${first + 1}`
      : `Lines ${late
          .map((at) => at + 1)
          .slice(0, TOLD_MAX)
          .join(", ")}`;
  const stands = late.length === 1 ? "stands" : "stand";
  return [
    `${which}, ${shown(lines[first] ?? "")}, ${stands} behind the first command (line ${head + 1}) and so ${late.length === 1 ? "is" : "are"} not read. Move all #SBATCH lines above it.`,
  ];
}

/** What sbatch 22.05 does not know; a newer one may. */
function unknown(text: string): string[] {
  const refused = givenOptions(text).filter((given) => given.refused);
  return told(
    refused.map(({ written }) => {
      const [, name] = /^--([\w-]+)/.exec(written) ?? [];
      const known = name !== undefined && SBATCH_NAMES.includes(name);
      if (known) return `${shown(written)}: --${name} is not written like this. \`man sbatch\` shows how.`;
      const hint = name === undefined ? "" : didYouMean(name, SBATCH_NAMES).replace(/(mean |or )/g, "$1--");
      return `${shown(written)} is no option of sbatch 22.05, which would refuse the whole script.${hint}`;
    }),
  );
}

/** Of these, sbatch takes one. */
const EXCLUSIVE = [["mem", "mem-per-cpu", "mem-per-gpu"]];

function contradictory(text: string): string[] {
  const values = new Map<string, Set<string>>();
  for (const { component, sets } of givenOptions(text)) {
    for (const [name, value] of Object.entries(sets)) {
      const key = `${component} ${name}`;
      values.set(key, (values.get(key) ?? new Set()).add(value));
    }
  }
  const remarks = [...values].flatMap(([key, given]) => {
    const name = key.slice(key.indexOf(" ") + 1);
    return given.size > 1
      ? [`--${name} is given more than once (${[...given].map(shown).join(", ")}); the last one counts.`]
      : [];
  });
  for (const names of EXCLUSIVE) {
    const both = names.filter((name) => values.has(`0 ${name}`));
    if (both.length > 1) remarks.push(`${both.map((name) => `--${name}`).join(" and ")} exclude each other. Keep one.`);
  }
  return told(remarks);
}

function told(remarks: readonly string[]): string[] {
  const more = remarks.length - TOLD_MAX;
  return more > 0 ? [...remarks.slice(0, TOLD_MAX), `And ${more} more like this.`] : [...remarks];
}

const SHOWN_MAX = 60;

function shown(text: string): string {
  const plain = text.trim();
  return `"${plain.length > SHOWN_MAX ? `${plain.slice(0, SHOWN_MAX)}...` : plain}"`;
}
