/** What LocalEngine honours of job.sh's #SBATCH lines (sbatch(1)). Pure. */
import { EngineError } from "../../src/engine-error.ts";

export interface Directives {
  readonly timeS: number;
  readonly cpus: number;
  readonly output: string | undefined;
  readonly error: string | undefined;
  readonly jobName: string | undefined;
  readonly tasks: readonly number[];
  readonly tasksAtOnce: number;
  /** As written. */
  readonly ignored: readonly string[];
}

/** Ten times what Slurm allows by default (MaxArraySize, slurm.conf(5)). */
const TASKS_MAX = 10_000;

/** Long names by their short ones, of the options that are honoured. */
const SHORT: Readonly<Record<string, string>> = {
  t: "time",
  c: "cpus-per-task",
  n: "ntasks",
  o: "output",
  e: "error",
  J: "job-name",
  a: "array",
};
const HONOURED = new Set(Object.values(SHORT));

/** Reads the #SBATCH lines at the head of a script, as far as sbatch does: up to the first command. Throws `refused`. */
export function readDirectives(text: string): Directives {
  const given = new Map<string, string>();
  const ignored: string[] = [];
  for (const line of headOf(text)) {
    const match = /^#SBATCH\s+(.*)$/.exec(line);
    if (!match) continue;
    for (const { name, value, written } of optionsIn(wordsOf(match[1] ?? ""))) {
      if (value !== undefined && HONOURED.has(name)) given.set(name, value);
      else ignored.push(written);
    }
  }
  const array = given.get("array");
  const throttle = array && /%(\d+)$/.exec(array)?.[1];
  const tasks = array === undefined ? [] : tasksOf(array);
  return {
    timeS: secondsOf(given.get("time")),
    cpus: countOf("cpus-per-task", given.get("cpus-per-task")) * countOf("ntasks", given.get("ntasks")),
    output: given.get("output"),
    error: given.get("error"),
    jobName: given.get("job-name"),
    tasks,
    tasksAtOnce: throttle ? Math.max(1, Number(throttle)) : Math.max(1, tasks.length),
    ignored,
  };
}

function headOf(text: string): string[] {
  const lines = text.split("\n");
  const firstCommand = lines.findIndex((line) => line.trim() !== "" && !line.startsWith("#"));
  return firstCommand === -1 ? lines : lines.slice(0, firstCommand);
}

/** Splits at blanks outside of quotes; a "#" begins a comment. */
function wordsOf(text: string): string[] {
  const words: string[] = [];
  for (const match of text.matchAll(/(?:[^\s"'#]|"[^"]*"|'[^']*'|(?<=\S)#)+|#.*/g)) {
    if (match[0].startsWith("#")) break;
    words.push(match[0].replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));
  }
  return words;
}

function* optionsIn(words: readonly string[]): Generator<{ name: string; value: string | undefined; written: string }> {
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    const long = /^--([\w-]+)(?:=(.*))?$/.exec(word);
    const short = /^-(\w)(.*)$/.exec(word);
    const name = long?.[1] ?? SHORT[short?.[1] ?? ""] ?? word;
    const attached = long ? long[2] : short?.[2]?.replace(/^=/, "") || undefined;
    const next = words[i + 1];
    const takesNext = attached === undefined && next !== undefined && !next.startsWith("-");
    if (takesNext) i++;
    const value = takesNext ? next : attached;
    yield { name, value, written: takesNext ? `${word} ${next}` : word };
  }
}

function refuse(option: string, value: string, expected: string): EngineError {
  return new EngineError("refused", `job.sh asks for --${option}=${value}, which is not ${expected}.`);
}

function countOf(option: string, value: string | undefined): number {
  if (value === undefined) return 1;
  if (!/^[1-9]\d{0,5}$/.test(value)) throw refuse(option, value, "a number of 1 or more");
  return Number(value);
}

/** Slurm's time formats: M, M:S, H:M:S, D-H, D-H:M, D-H:M:S; 0 for none (sbatch(1), --time). */
export function secondsOf(value: string | undefined): number {
  if (value === undefined || /^(unlimited|infinite)$/i.test(value)) return 0;
  const match = /^(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?$/.exec(value);
  if (!match) throw refuse("time", value, "a time such as 30 (minutes), 30:00, 2:00:00 or 1-12");
  const [days, first, second, third] = match.slice(1).map((part) => (part === undefined ? undefined : Number(part)));
  if (days !== undefined) return days * 86_400 + (first ?? 0) * 3600 + (second ?? 0) * 60 + (third ?? 0);
  if (third !== undefined) return (first ?? 0) * 3600 + (second ?? 0) * 60 + third;
  return (first ?? 0) * 60 + (second ?? 0);
}

/** The indices of --array: "0-9", "1,3,5-7", "0-15:4", each with "%N" at its end (sbatch(1), --array). */
function tasksOf(value: string): number[] {
  const expected = "a list of indices such as 0-9, 1,3,5-7 or 0-15:4%2";
  const tasks = new Set<number>();
  for (const part of value.replace(/%\d+$/, "").split(",")) {
    const match = /^(\d{1,8})(?:-(\d{1,8})(?::([1-9]\d{0,7}))?)?$/.exec(part);
    if (!match) throw refuse("array", value, expected);
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    const step = Number(match[3] ?? 1);
    if (last < first || (last - first) / step > TASKS_MAX)
      throw refuse("array", value, `${expected}, of at most ${TASKS_MAX} tasks`);
    for (let task = first; task <= last; task += step) tasks.add(task);
  }
  if (tasks.size > TASKS_MAX) throw refuse("array", value, `${expected}, of at most ${TASKS_MAX} tasks`);
  return [...tasks].sort((a, b) => a - b);
}
