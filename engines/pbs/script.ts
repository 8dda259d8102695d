/**
 * What qsub reads of a script: the #PBS lines at its head, and the options in them. By OpenPBS' get_script(),
 * pbs_isexecutable() and pbs_ispbsdir() (qsub_sup.c, check_job_script.c), of which Torque's are copies; what was not looked
 * up there is of the manuals, qsub(1B). Pure.
 */
import type { Asked } from "../../src/engine.ts";
import { EngineError } from "../../src/engine-error.ts";

/** Options that take a value, in OpenPBS, in Torque, or in both. */
const VALUED = new Set([..."aAbcCdDeFjJkKlLmMNopPqrRStTuvwW"]);
/** Options without one. */
const FLAGS = new Set([..."fhIVXzEnx"]);

/** What begins a directive, unless -C or PBS_DPREFIX says otherwise. */
const PREFIX = "#PBS";

/** One option of a #PBS line or of an argument list. */
export interface Given {
  /** As it was written: "-l walltime=1:00:00". */
  readonly written: string;
  /** Its letter; undefined for a word that is no option. */
  readonly name: string | undefined;
  readonly value: string;
}

/** Whether qsub stops reading directives at this line: it is neither blank, nor a comment, nor like the first line. */
function isExecutable(line: string): boolean {
  if (line.startsWith(":") || line.startsWith("#!")) return false;
  const word = line.trimStart();
  return word !== "" && !word.startsWith("#");
}

/** The head of a script, a "\\" at the end of a directive joined with the line behind it, and how many lines it has. */
function headOf(text: string, prefix: string): { readonly lines: readonly string[]; readonly length: number } {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const head: string[] = [];
  let at = 0;
  for (; at < lines.length; at++) {
    let line = lines[at] ?? "";
    if (isDirective(line, prefix)) {
      while (line.endsWith("\\") && at + 1 < lines.length) line = line.slice(0, -1) + (lines[++at] ?? "").trimStart();
    } else if (isExecutable(line)) break;
    head.push(line);
  }
  return { lines: head, length: at };
}

/** How many lines stand before the first command: so far qsub reads directives. */
export function headLength(text: string, prefix: string): number {
  return headOf(text, prefix).length;
}

/** True for a line that qsub takes for a directive, where it stands in the head. */
export function isDirective(line: string, prefix: string): boolean {
  return prefix !== "" && line.trimStart().startsWith(prefix);
}

/** What begins a directive here: -C of the arguments, or else PBS_DPREFIX (qsub(1B)); "" for none at all. */
export function prefixOf(args: readonly string[], environment: NodeJS.ProcessEnv): string {
  const said = optionsIn(args)
    .filter(({ name }) => name === "C")
    .at(-1)?.value;
  return said ?? environment.PBS_DPREFIX ?? PREFIX;
}

/**
 * The lines to stand behind the "#!" line of another sh script, so that qsub reads from that one what it would have read
 * from this one. To sh, each is a comment. No other line is among them, or Slurm would follow those that begin with #SBATCH.
 */
export function directiveBlock(text: string, prefix: string): string {
  return headOf(text, prefix)
    .lines.filter((line) => isDirective(line, prefix))
    .map((line) => line.trimStart())
    .filter((line) => line.startsWith("#"))
    .map((line) => `${line}\n`)
    .join("");
}

/** The words of a directive: blanks divide them, quotes and "\" keep them together. */
function wordsOf(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const sign = text.charAt(at);
    if (sign === "'" || sign === '"') {
      const end = text.indexOf(sign, at + 1);
      word = (word ?? "") + text.slice(at + 1, end === -1 ? undefined : end);
      if (end === -1) break;
      at = end;
    } else if (sign === "\\" && at + 1 < text.length) {
      at++;
      word = (word ?? "") + text.charAt(at);
    } else if (/\s/.test(sign)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + sign;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** Reads words as getopt(3) does. */
export function optionsIn(words: readonly string[]): Given[] {
  const given: Given[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (!/^-[^-]/s.test(word)) {
      given.push({ written: word, name: undefined, value: "" });
      continue;
    }
    for (let letter = 1; letter < word.length; letter++) {
      const name = word.charAt(letter);
      if (VALUED.has(name)) {
        const attached = word.slice(letter + 1);
        const value = attached === "" ? (words[++at] ?? "") : attached;
        given.push({ written: `-${name} ${value}`.trimEnd(), name, value });
        break;
      }
      given.push({ written: `-${name}`, name: FLAGS.has(name) ? name : undefined, value: "" });
    }
  }
  return given;
}

/** The options in a script's directives, in their order. */
export function givenOptions(text: string, prefix: string): readonly Given[] {
  return headOf(text, prefix)
    .lines.filter((line) => isDirective(line, prefix))
    .flatMap((line) => optionsIn(wordsOf(line.trimStart().slice(prefix.length))));
}

/** The options that take effect. */
export interface PbsOptions {
  /** By letter; of one that was given more than once, the last. */
  readonly values: Readonly<Record<string, string>>;
  /** All of -l, by name: "walltime", "select", "nodes". */
  readonly resources: Readonly<Record<string, string>>;
  /** All of -W, by name: "depend", "block". */
  readonly attributes: Readonly<Record<string, string>>;
}

/** What holds for a job of this script and these arguments, which beat its directives. */
export function pbsOptions(text: string, args: readonly string[], prefix: string): PbsOptions {
  const values: Record<string, string> = {};
  const resources: Record<string, string> = {};
  const attributes: Record<string, string> = {};
  for (const { name, value } of [...givenOptions(text, prefix), ...optionsIn(args)]) {
    if (name === undefined) continue;
    values[name] = value;
    if (name === "l") Object.assign(resources, pairsIn(value));
    if (name === "W") Object.assign(attributes, pairsIn(value));
  }
  return { values, resources, attributes };
}

/** "walltime=1:00:00,mem=4gb": a comma within quotes, or before a word without "=", belongs to the value. */
function pairsIn(list: string): Record<string, string> {
  const pairs: Record<string, string> = {};
  let last: string | undefined;
  for (const part of list.match(/(?:[^,"']|"[^"]*"|'[^']*')+/g) ?? []) {
    const [, name, value] = /^\s*([A-Za-z][\w.]*)\s*=\s*(.*?)\s*$/s.exec(part) ?? [];
    if (name !== undefined) {
      pairs[name] = value ?? "";
      last = name;
    } else if (last !== undefined && pairs[last] !== "") pairs[last] = `${pairs[last]},${part}`;
    else if (/^\s*[A-Za-z][\w.]*\s*$/.test(part)) {
      last = part.trim();
      pairs[last] = "";
    }
  }
  return pairs;
}

/** As -l would be written for all of them. */
export function resourceList(resources: Readonly<Record<string, string>>): string {
  return Object.entries(resources)
    .map(([name, value]) => (value === "" ? name : `${name}=${value}`))
    .join(",");
}

/** One kind of chunk, of -l select or -l nodes: "2:ncpus=4:mem=8gb". */
interface Chunk {
  readonly count: number;
  readonly has: Readonly<Record<string, string>>;
}

function chunksOf(value: string | undefined): Chunk[] {
  if (value === undefined || value === "") return [];
  return value.split("+").map((chunk) => {
    const [first = "", ...parts] = chunk.split(":");
    const hasCount = /^\d+$/.test(first);
    const pairs = (hasCount ? parts : [first, ...parts]).map((part) => part.split("=", 2) as [string, string?]);
    return {
      count: hasCount ? Number(first) : 1,
      has: Object.fromEntries(pairs.map(([name, amount]) => [name, amount ?? ""])),
    };
  });
}

/** What options ask for, for people to read. */
export function askedOf({ values, resources }: PbsOptions): Asked | undefined {
  const chunks = chunksOf(resources.select ?? resources.nodes);
  const sum = (...names: string[]) => {
    const amounts = chunks.map(({ count, has }) => {
      const name = names.find((one) => has[one] !== undefined);
      return name === undefined ? 0 : count * (Number(has[name]) || 0);
    });
    const total = amounts.reduce((one, other) => one + other, 0);
    return total === 0 ? undefined : String(total);
  };
  const perChunk = chunks.map(({ has }) => has.mem).find((mem) => mem !== undefined);
  const perProcess = resources.pmem;
  const nodes = chunks.reduce((count, chunk) => count + chunk.count, 0);
  const asked = {
    time: resources.walltime,
    memory:
      resources.mem ??
      (perChunk === undefined ? undefined : `${perChunk} per chunk`) ??
      (perProcess === undefined ? undefined : `${perProcess} per process`),
    cpus: sum("ncpus", "ppn") ?? resources.ncpus ?? resources.procs,
    tasks: sum("mpiprocs"),
    nodes: nodes === 0 ? undefined : String(nodes),
    gpus: sum("ngpus", "gpus") ?? resources.ngpus,
    partition: values.q,
  };
  const named = Object.entries(asked).filter(([, value]) => value !== undefined && value !== "");
  return named.length === 0 ? undefined : Object.fromEntries(named);
}

/** More tasks than this are refused here; the server's own limit is mostly 10,000 (max_array_size). */
const TASKS_MAX = 100_000;

/**
 * The tasks of an array, in ascending order: "0-9", "1-99:2", "0-9%3", and, in Torque and newer OpenPBS, "1,3,5-7" (qsub(1B),
 * -J and -t). How many run at a time is PBS' own affair. Throws `refused`.
 */
export function tasksOf(option: string, range: string): readonly number[] {
  const refused = (more = "") =>
    new EngineError("refused", `job.sh asks for ${option} ${range}, which is no list of indices such as 0-9${more}.`);
  const tasks = new Set<number>();
  const list = range.replace(/%\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  for (const part of list.split(",")) {
    const match = /^(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?$/.exec(part.trim());
    if (!match) throw refused();
    const [first, last, step] = [Number(match[1]), Number(match[2] ?? match[1]), Number(match[3] ?? 1)];
    if (last < first || step === 0) throw refused();
    if ((last - first) / step > TASKS_MAX - tasks.size) throw refused(`, of at most ${TASKS_MAX} tasks`);
    for (let task = first; task <= last; task += step) tasks.add(task);
  }
  return [...tasks].sort((a, b) => a - b);
}
