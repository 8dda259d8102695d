/** What LocalEngine honours of the options in job.sh, which it reads as sbatch does. Pure. */
import type { Asked } from "../../src/engine.ts";
import { EngineError } from "../../src/engine-error.ts";
import { askedOf, givenOptions, sbatchOptions, tasksOf } from "../sbatch-script.ts";
import { raisedTime, timeInS } from "../sbatch-units.ts";

/** What LocalEngine honours of the #SBATCH lines. Times in seconds, 0 for no limit. */
export interface Directives {
  readonly timeS: number;
  /** The time, where it is more than job.sh asks for. */
  readonly raised: string | undefined;
  readonly cpus: number;
  /** What a script reads of its own request, as sbatch(1) has it: set if it was asked for. */
  readonly variables: Readonly<Record<string, number>>;
  readonly output: string | undefined;
  readonly error: string | undefined;
  readonly jobName: string | undefined;
  readonly tasks: readonly number[];
  readonly tasksAtOnce: number;
  readonly asked: Asked | undefined;
  /** As written. */
  readonly ignored: readonly string[];
}

/** Ten times what Slurm allows by default (MaxArraySize, slurm.conf(5)). */
const TASKS_MAX = 10_000;

const HONOURED = new Set(["time", "cpus-per-task", "ntasks", "output", "error", "job-name", "array"]);

/** Reads a script as sbatch does. Of a heterogeneous job, the first component counts. Throws `refused`. */
export function readDirectives(text: string, timeFactor?: number): Directives {
  const [options] = sbatchOptions(text);
  const time = raisedTime(options.time, timeFactor);
  const { tasks, atOnce } = tasksOf(options.array ?? "", TASKS_MAX);
  const ignored = givenOptions(text).filter(
    ({ component, sets }) => component > 0 || !Object.keys(sets).some((name) => HONOURED.has(name)),
  );
  const cpusPerTask = countOf("cpus-per-task", options["cpus-per-task"]);
  const ntasks = countOf("ntasks", options.ntasks);
  return {
    timeS: secondsOf(time ?? options.time),
    raised: time && `--time=${time} instead of ${options.time}`,
    cpus: cpusPerTask * ntasks,
    variables: {
      ...(options["cpus-per-task"] !== undefined && { SLURM_CPUS_PER_TASK: cpusPerTask }),
      ...(options.ntasks !== undefined && { SLURM_NTASKS: ntasks }),
    },
    output: options.output,
    error: options.error,
    jobName: options["job-name"] || undefined,
    tasks,
    tasksAtOnce: atOnce,
    asked: askedOf(options),
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

/** In seconds; 0 for none. Throws `refused`. */
export function secondsOf(value: string | undefined): number {
  const seconds = value === undefined ? 0 : timeInS(value);
  if (seconds === undefined) throw refuse("time", value ?? "", "a time such as 30 (minutes), 30:00, 2:00:00 or 1-12");
  return seconds;
}
