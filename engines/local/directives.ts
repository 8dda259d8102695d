/** What LocalEngine honours of the options in job.sh, which it reads as sbatch does. Pure. */
import { EngineError } from "../../src/engine-error.ts";
import { givenOptions, sbatchOptions, tasksOf } from "../sbatch-script.ts";

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

const HONOURED = new Set(["time", "cpus-per-task", "ntasks", "output", "error", "job-name", "array"]);

/** Reads a script as sbatch does. Of a heterogeneous job, the first component counts. Throws `refused`. */
export function readDirectives(text: string): Directives {
  const [options] = sbatchOptions(text);
  const { tasks, atOnce } = tasksOf(options.array ?? "", TASKS_MAX);
  const ignored = givenOptions(text).filter(
    ({ component, sets }) => component > 0 || !Object.keys(sets).some((name) => HONOURED.has(name)),
  );
  return {
    timeS: secondsOf(options.time),
    cpus: countOf("cpus-per-task", options["cpus-per-task"]) * countOf("ntasks", options.ntasks),
    output: options.output,
    error: options.error,
    jobName: options["job-name"] || undefined,
    tasks,
    tasksAtOnce: atOnce,
    ignored: ignored.map(({ written }) => written),
  };
}

function refuse(option: string, value: string, expected: string): EngineError {
  return new EngineError("refused", `job.sh asks for --${option}=${value}, which is not ${expected}.`);
}

function countOf(option: string, value: string | undefined): number {
  if (value === undefined) return 1;
  if (!/^[1-9]\d{0,5}$/.test(value)) throw refuse(option, value, "a number of 1 or more");
  return Number(value);
}

/**
 * Slurm's time formats: M, M:S, H:M:S, D-H, D-H:M, D-H:M:S; 0 for none (sbatch(1), --time). sbatch 22.05 takes "D-" for
 * whole days as well, and -1 for no limit.
 */
export function secondsOf(value: string | undefined): number {
  if (value === undefined || /^(unlimited|infinite|-1)$/i.test(value)) return 0;
  const match = /^(?:(\d+)-)?(\d+|(?<=-)$)(?::(\d+))?(?::(\d+))?$/.exec(value);
  if (!match) throw refuse("time", value, "a time such as 30 (minutes), 30:00, 2:00:00 or 1-12");
  const [days, first, second, third] = match.slice(1).map((part) => (part === undefined ? undefined : Number(part)));
  if (days !== undefined) return days * 86_400 + (first ?? 0) * 3600 + (second ?? 0) * 60 + (third ?? 0);
  if (third !== undefined) return (first ?? 0) * 3600 + (second ?? 0) * 60 + third;
  return (first ?? 0) * 60 + (second ?? 0);
}
