/** Reads job.sh as qsub would, for what must be known before and after PBS runs it. Pure. */
import type { Plan, Request, Scale } from "../../src/engine.ts";
import { EngineError } from "../../src/engine-error.ts";
import { quoted } from "../../src/runner.ts";
import type { Script } from "../../src/script.ts";
import { startsBefore } from "../batch/starts.ts";
import { FIXED_OUTPUT } from "../sbatch-output.ts";
import type { Flavour } from "./flavour.ts";
import {
  askedOf,
  directiveBlock,
  givenOptions,
  optionsIn,
  type PbsOptions,
  pbsOptions,
  prefixOf,
  resourceList,
  tasksOf,
} from "./script.ts";
import { raisedMemory, raisedTime, secondsIn, sizeText, timeText } from "./units.ts";

/** What a plan is made for. */
export interface Site {
  readonly flavour: Flavour;
  readonly engineArgs: readonly string[];
  /** The rest of the runner's "#!" line. */
  readonly shell: string;
  /** For PBS_DPREFIX. */
  readonly environment: NodeJS.ProcessEnv;
}

/**
 * What PBS tells a job of itself (qsub(1B)): "123[4].server" in PBS_JOBID, of which the number is the whole's; behind a letter,
 * so that it is a word also where there is none. PBS does not tell how often a job was started, so that where it may be
 * started again (-r y) that is counted.
 */
function identityOf(flavour: Flavour, isRerunable: boolean, isArray: boolean): Plan["identity"] {
  if (flavour === "slurm")
    return { job: `"j\${SLURM_JOB_ID-}"`, restart: `"\${SLURM_RESTART_COUNT:-0}"`, task: `"\${SLURM_ARRAY_TASK_ID-}"` };
  const task = `"\${PBS_ARRAY_INDEX:-\${PBS_ARRAYID-}}"`;
  return {
    job: `"j\${PBS_JOBID:+\${PBS_JOBID%%[!0-9]*}}${isArray ? "[]" : ""}"`,
    restart: isRerunable ? startsBefore(task) : "0",
    task,
  };
}

/** The id in such a claim, spelled as a handle; undefined if there is none. */
export function idOfClaim(job: string): string | undefined {
  return /^j(\d+(?:\[\])?)$/.exec(job)?.[1];
}

/** Options that would keep qsub from giving back at once the id of one job that runs the runner. */
const IMPOSSIBLE: Readonly<Record<string, string>> = {
  I: "an interactive job runs no script",
  X: "windows are forwarded to interactive jobs only",
  z: "qsub would then not tell the job's id",
};

function refuseImpossible(options: PbsOptions, where: string): void {
  for (const [name, why] of Object.entries(IMPOSSIBLE)) {
    if (options.values[name] !== undefined)
      throw new EngineError("refused", `${where} asks for -${name}, which cannot be used here: ${why}. Remove it.`);
  }
  const queue = options.values.q;
  if (queue?.includes("@"))
    throw new EngineError(
      "refused",
      `${where} asks for -q ${queue}, but jobs of another server cannot be followed. Leave out what begins with "@"; PBS_SERVER, or PBS_DEFAULT, names the server for all jobs.`,
    );
  const block = options.attributes.block;
  if (block !== undefined && !/^f/i.test(block))
    throw new EngineError(
      "refused",
      `${where} asks for -W block, which cannot be used here: qsub would then wait for the job's end, as jobmgr does anyway. Remove it.`,
    );
}

/** What means nothing to a shell, and nothing else to Slurm's qsub either, which puts its words into a line for one. */
const PLAIN_WORD = /^[\w@%+=:,./~-]+$/;

/** Throws `refused` for what no job could be submitted with. */
export function checkEngineArgs(engineArgs: readonly string[], flavour: Flavour): void {
  const odd = flavour === "slurm" ? engineArgs.find((arg) => !PLAIN_WORD.test(arg)) : undefined;
  if (odd !== undefined)
    throw new EngineError(
      "refused",
      `--engine-arg=${odd}: Slurm's own qsub would hand this to a shell as it stands. Write it without blanks, quotes and other such signs, or use -e SlurmEngine.`,
    );
  refuseImpossible(pbsOptions("", engineArgs, ""), "--engine-arg");
  const given = optionsIn(engineArgs);
  const stray = given.find(({ name }) => name === undefined);
  if (stray)
    throw new EngineError(
      "refused",
      `--engine-arg ${stray.written}: this is no option of qsub. Write an option and its value as two, e.g. --engine-arg=-q --engine-arg=${stray.written}`,
    );
  const prefix = given.find(({ name }) => name === "C")?.value;
  if (prefix !== undefined && prefix !== "" && !prefix.startsWith("#"))
    throw new EngineError(
      "refused",
      `--engine-arg=-C ${prefix}: what begins a directive must begin with #, or sh would run it.`,
    );
}

/** The plan of a job.sh, as qsub would read it with these arguments. Throws `refused` for what can never be honoured. */
export function planOf(script: Script, site: Site, scale: Scale = {}): Plan {
  const { flavour, engineArgs } = site;
  const prefix = prefixOf(engineArgs, site.environment);
  const directives = prefix === "" ? "" : directiveBlock(script.text, prefix);
  const options = pbsOptions(directives, engineArgs, prefix);
  refuseImpossible(options, "job.sh");
  if (flavour === "slurm") refuseUnread(directives, prefix);
  const jobName = nameFor(script, options.values.N, flavour);
  const tasks = arrayOf(options, flavour);
  const raised = raisedOf(options, scale, flavour);
  const resources = { ...options.resources, ...raised.resources };
  const asked = askedOf({ ...options, resources });
  const timeS = secondsIn(resources.walltime);
  // OpenPBS takes no array that it may not start again ("cannot submit non-rerunable Array Job").
  const isRerunable = /^y/i.test(options.values.r ?? (tasks.length > 0 && flavour === "openpbs" ? "y" : "n"));
  return {
    jobName,
    shell: site.shell,
    directives,
    args: [
      ...["-r", isRerunable ? "y" : "n"],
      ...(flavour === "slurm" ? [] : ["-S", site.shell.split(" ")[0] ?? "/bin/sh"]),
      ...engineArgs,
      ...(raised.texts.length > 0 ? ["-l", resourceList(resources)] : []),
    ],
    identity: identityOf(flavour, isRerunable, tasks.length > 0),
    limitS: 0,
    graceS: 0,
    tasks,
    tasksAtOnce: 1,
    places: 1,
    outputs:
      flavour === "slurm" && script.folderName.includes("\\")
        ? [FIXED_OUTPUT]
        : outputsOf(options, jobName, flavour, tasks.length > 0),
    ignored: ignoredOf(options, flavour, script.text),
    ...(raised.texts.length > 0 && { raised: raised.texts }),
    ...(asked && { asked }),
    ...(timeS && { timeS }),
  };
}

function arrayOf(options: PbsOptions, flavour: Flavour): readonly number[] {
  const letter = ["J", "t"].find((name) => options.values[name] !== undefined);
  const range = letter === undefined ? undefined : options.values[letter];
  if (letter === undefined || range === undefined) return [];
  if (flavour === "slurm")
    throw new EngineError(
      "refused",
      `job.sh asks for an array (-${letter} ${range}), which Slurm's own PBS commands cannot follow. Use -e SlurmEngine, which can.`,
    );
  const wanted = flavour === "torque" ? "t" : "J";
  if (letter !== wanted)
    throw new EngineError(
      "refused",
      `job.sh asks for an array with -${letter} ${range}; ${flavour === "torque" ? "Torque" : "OpenPBS"} takes -${wanted}. Change it.`,
    );
  return tasksOf(`-${letter}`, range);
}

interface Raised {
  /** Those of -l that are other than in job.sh. */
  readonly resources: Readonly<Record<string, string>>;
  readonly texts: readonly string[];
}

/** What is asked for by the kind; memory is asked for of the whole, of each process, or of each chunk. */
function raisedOf({ resources }: PbsOptions, { memory, time }: Scale, flavour: Flavour): Raised {
  const changed: Record<string, string> = {};
  const texts: string[] = [];
  const put = (name: string, value: string | undefined) => {
    if (value === undefined || value === resources[name]) return;
    changed[name] = value;
    texts.push(`-l ${name}=${value} instead of ${resources[name]}`);
  };
  put("walltime", raisedTime(resources.walltime, time));
  for (const name of ["mem", "pmem", "vmem", "pvmem"]) put(name, raisedMemory(resources[name], memory));
  for (const name of ["select", "nodes"])
    put(
      name,
      resources[name]?.replace(/(:(?:mem|vmem)=)([^:+]+)/g, (all, head, size) => {
        const more = raisedMemory(size, memory);
        return more === undefined ? all : `${head}${more}`;
      }),
    );
  const canBeSaid = flavour !== "slurm" || PLAIN_WORD.test(resourceList({ ...resources, ...changed }));
  return canBeSaid ? { resources: changed, texts } : { resources: {}, texts: [] };
}

/** sbatch reads #PBS lines also by long names, which would be read for nothing here: --array is one. */
function refuseUnread(directives: string, prefix: string): void {
  const long = givenOptions(directives, prefix).find(({ written }) => written.startsWith("--"));
  if (long)
    throw new EngineError("refused", `job.sh asks for ${long.written}, which is no option of qsub. Use its letter.`);
}

function nameFor({ jobName, folderName }: Script, said: string | undefined, flavour: Flavour): string {
  // A name of the user's own is taken as it is, where it does not go through a shell.
  if (jobName === undefined && said !== undefined && flavour !== "slurm") return said;
  return plainName(jobName ?? said ?? folderName);
}

/** What every PBS takes for a name: 15 letters, digits, "-" or "_", the first of them a letter (qsub(1B), -N). */
const NAME_LENGTH_MAX = 15;

function plainName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_-]+/g, "_");
  return (/^[A-Za-z]/.test(plain) ? plain : `j${plain}`).slice(0, NAME_LENGTH_MAX);
}

/** Outputs whose names are known: PBS puts them into the folder where qsub was called (qsub(1B), -o, -e, -j). */
function outputsOf({ values }: PbsOptions, jobName: string, flavour: Flavour, isArray: boolean): string[] {
  const task = isArray ? (flavour === "torque" ? "-%t" : ".%t") : "";
  const join = values.j ?? "n";
  const named = (letter: "o" | "e") => {
    const said = values[letter];
    // "host:/path": what PBS copies to another host cannot be told.
    if (said === undefined || flavour === "slurm") return [`${jobName}.${letter}%j${task}`];
    return /[%^$:]/.test(said) || said.endsWith("/") ? [] : [said];
  };
  if (/^oe/.test(join)) return named("o");
  if (/^eo/.test(join)) return named("e");
  return [...new Set([...named("o"), ...named("e")])];
}

/**
 * -S names a shell for job.sh, which jobmgr runs by its own "#!" line, or with bash. What Slurm's qsub is told of outputs
 * says where they can be found again.
 */
function ignoredOf({ values }: PbsOptions, flavour: Flavour, text: string): string[] {
  const { S } = values;
  const shells = S === undefined || text.startsWith("#!") || /(?:^|\/)bash$/.test(S) ? [] : [`-S ${S}`];
  const outputs = flavour === "slurm" ? ["o", "e"].filter((letter) => values[letter] !== undefined) : [];
  return [...shells, ...outputs.map((letter) => `-${letter} ${values[letter]}`)];
}

/**
 * #PBS lines for what a program asks for: chunks for OpenPBS, nodes and ppn for the others. Throws `refused` for an output
 * that qsub cannot be told of.
 */
export function directivesFor(request: Request, flavour: Flavour): readonly string[] {
  const { nodes = 1, cpus, gpus, memoryB, timeLimitS, output, error } = request;
  const each = (amount: number) => Math.ceil(amount / nodes);
  const isAsked = request.nodes !== undefined || cpus !== undefined || gpus !== undefined;
  const lines: string[] = [];
  if (flavour === "openpbs") {
    const chunk = [
      ...(cpus === undefined ? [] : [`ncpus=${each(cpus)}`, ...(nodes > 1 ? [`mpiprocs=${each(cpus)}`] : [])]),
      ...(gpus === undefined ? [] : [`ngpus=${each(gpus)}`]),
      ...(memoryB === undefined ? [] : [`mem=${sizeText(each(memoryB))}`]),
    ];
    if (isAsked || memoryB !== undefined) lines.push(`-l select=${[nodes, ...chunk].join(":")}`);
    if (request.nodes !== undefined && nodes > 1) lines.push("-l place=scatter");
  } else {
    const parts = [
      ...(cpus === undefined ? [] : [`ppn=${each(cpus)}`]),
      ...(gpus === undefined ? [] : [`gpus=${each(gpus)}`]),
    ];
    if (isAsked) lines.push(`-l nodes=${[nodes, ...parts].join(":")}`);
    if (memoryB !== undefined) lines.push(`-l mem=${sizeText(memoryB)}`);
  }
  if (timeLimitS !== undefined) lines.push(`-l walltime=${timeText(Math.ceil(timeLimitS))}`);
  const host = [output, error].find((path) => path?.includes(":"));
  if (host !== undefined)
    throw new EngineError(
      "refused",
      `PBS cannot be told of an output ${host}: what stands before ":" is a machine to it.`,
    );
  if (output !== undefined) lines.push(`-o ${quoted(output)}`);
  if (error !== undefined) lines.push(`-e ${quoted(error)}`);
  else if (output !== undefined) lines.push("-j oe");
  return lines.map((line) => `#PBS ${line}`);
}
