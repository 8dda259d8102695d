/** Reads job.sh as sbatch would, for what must be known before and after Slurm runs it. Pure. */
import type { Dependency, Plan, Scale } from "../../src/engine.ts";
import { EngineError } from "../../src/engine-error.ts";
import type { Script } from "../../src/script.ts";
import { askedOf, directiveBlock, type SbatchValues, sbatchOptions, tasksOf } from "../sbatch-script.ts";
import { raisedMemory, raisedTime, timeInS } from "../sbatch-units.ts";
import { outputsIn } from "./commands.ts";

/**
 * What Slurm tells a batch script of itself (sbatch(1), OUTPUT ENVIRONMENT VARIABLES). An array is known by the id of
 * the whole, as sbatch gave it.
 */
const IDENTITY: Plan["identity"] = {
  job: `"\${SLURM_ARRAY_JOB_ID:-\${SLURM_JOB_ID-}}@\${SLURM_CLUSTER_NAME-}"`,
  restart: `"\${SLURM_RESTART_COUNT:-0}"`,
  task: `"\${SLURM_ARRAY_TASK_ID-}"`,
};

/** Options that would keep sbatch from giving back at once the id of one job that runs the runner. */
const IMPOSSIBLE = {
  wait: "sbatch would then wait for the job's end, as jobmgr does anyway",
  "test-only": "nothing would then be submitted",
  help: "nothing would then be submitted",
  usage: "nothing would then be submitted",
  version: "nothing would then be submitted",
  wrap: "it stands in place of a script",
  bbf: "it puts the lines of a file into the script that is submitted; write them as #BB lines",
} as const satisfies Readonly<Record<string, string>>;

function refuseImpossible(components: readonly SbatchValues[], where: string): void {
  for (const [option, why] of Object.entries(IMPOSSIBLE)) {
    if (components.some((options) => options[option] !== undefined))
      throw new EngineError("refused", `${where} asks for --${option}, which cannot be used here: ${why}. Remove it.`);
  }
}

/** Throws `refused` for what no job could be submitted with. */
export function checkEngineArgs(engineArgs: readonly string[]): void {
  const [options] = sbatchOptions("", engineArgs);
  refuseImpossible([options], "--engine-arg");
  if (options.chdir !== undefined)
    throw new EngineError("refused", "--engine-arg asks for --chdir, but a job runs in its own folder. Remove it.");
  const stray = engineArgs.find((arg) => !arg.startsWith("-"));
  if (stray !== undefined)
    throw new EngineError(
      "refused",
      `--engine-arg ${stray}: write it with its option, e.g. --engine-arg=--${stray.includes("=") ? "" : "account="}${stray}`,
    );
}

/**
 * The plan of a job.sh, as sbatch would read it with these arguments and under this shell. Throws `refused` for what can
 * never be honoured.
 */
export function planOf(script: Script, engineArgs: readonly string[], shell: string, scale: Scale = {}): Plan {
  const directives = directiveBlock(script.text);
  const components = sbatchOptions(directives, engineArgs);
  refuseImpossible(components, "job.sh");
  const [options] = components;
  const named = script.jobName ?? (options["job-name"] === undefined ? plainName(script.folderName) : undefined);
  const jobName = named ?? options["job-name"] ?? "";
  const tasks = options.array === undefined ? [] : tasksOf(options.array).tasks;
  const raised = raisedOf(components, scale);
  const [asking] = sbatchOptions(directives, [...engineArgs, ...raised.map(({ arg }) => arg)]);
  const asked = askedOf(asking);
  const timeS = asking.time === undefined ? undefined : timeInS(asking.time);
  return {
    jobName,
    shell,
    directives,
    args: [...(named === undefined ? [] : [`--job-name=${named}`]), ...engineArgs, ...raised.map(({ arg }) => arg)],
    identity: IDENTITY,
    limitS: 0,
    graceS: 0,
    tasks,
    tasksAtOnce: 1,
    places: 1,
    outputs: outputsOf(script.folderName, options, jobName, tasks.length > 0),
    ignored: [],
    ...(raised.length > 0 && { raised: raised.map(({ arg, instead }) => `${arg} instead of ${instead}`) }),
    ...(asked && { asked }),
    ...(timeS && { timeS }),
  };
}

/**
 * Arguments for more than job.sh or --engine-arg ask for. They hold for each component of a heterogeneous job, so that
 * only what all components ask for alike can be raised.
 */
function raisedOf(components: readonly SbatchValues[], { memory, time }: Scale): { arg: string; instead: string }[] {
  const options = ["time", "mem", "mem-per-cpu", "mem-per-gpu"] as const;
  return options.flatMap((option) => {
    const [instead, ...others] = components.map((component) => component[option]);
    const value = option === "time" ? raisedTime(instead, time) : raisedMemory(instead, memory);
    const isSame = others.every((other) => other === instead);
    return value === undefined || instead === undefined || !isSame ? [] : [{ arg: `--${option}=${value}`, instead }];
  });
}

/**
 * The clusters among which sbatch may choose; undefined for the one at hand, or those of SLURM_CLUSTERS, which outweighs
 * a directive and which Slurm's commands know by themselves (sbatch(1), INPUT ENVIRONMENT VARIABLES).
 */
export function clustersOf(plan: Plan, environment: NodeJS.ProcessEnv): string | undefined {
  const [said] = sbatchOptions("", plan.args);
  if (said.clusters !== undefined || environment.SLURM_CLUSTERS) return said.clusters;
  return sbatchOptions(plan.directives)[0].clusters;
}

/**
 * Whether Slurm can keep a job back for these. An id means nothing on another cluster; "?" in job.sh's own dependency says
 * that one of its jobs is enough, and nothing can be joined to that; parts of a heterogeneous job are left alone.
 */
export function canWaitFor(plan: Plan, after: readonly Dependency[], environment: NodeJS.ProcessEnv): boolean {
  const [own, ...parts] = sbatchOptions(plan.directives, plan.args);
  const isElsewhere = clustersOf(plan, environment) !== undefined || environment.SLURM_CLUSTERS !== undefined;
  const arePlain = after.every(({ handle }) => /^\d+$/.test(handle));
  return arePlain && !isElsewhere && parts.length === 0 && !own.dependency?.includes("?");
}

const NAME_LENGTH_MAX = 64;

/** A folder's name as a job name: whatever a table, a log or a shell might stumble over becomes "_". */
function plainName(folderName: string): string {
  const plain = folderName.replace(/[^\w.+=@-]+/g, "_").slice(0, NAME_LENGTH_MAX);
  return /^[\w.]/.test(plain) ? plain : `job${plain}`;
}

/** Outputs whose names can be known from the job's id and the task's index alone. */
function outputsOf(folderName: string, options: SbatchValues, jobName: string, isArray: boolean): string[] {
  const known: Readonly<Record<string, string>> = {
    "%%": "%",
    "%A": "%j",
    "%a": "%t",
    "%x": jobName,
    ...(!isArray && { "%j": "%j" }),
  };
  const { output, error } = outputsIn(folderName, options, isArray);
  const names = [output, error];
  const outputs = names.flatMap((name) => {
    if (name === undefined || name.includes("\\")) return [];
    const signs = name.match(/%[\d%A-Za-z]/g) ?? [];
    return signs.every((sign) => sign in known) ? [name.replace(/%[\d%A-Za-z]/g, (sign) => known[sign] ?? sign)] : [];
  });
  return [...new Set(outputs)];
}
