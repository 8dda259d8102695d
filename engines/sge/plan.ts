/** Reads job.sh as qsub would, for what must be known before and after Grid Engine runs it. Pure. */
import type { Asked, Attempt, Dependency, Plan, Scale } from "../../src/engine.ts";
import { EngineError } from "../../src/engine-error.ts";
import { commandOfScript, type Script } from "../../src/script.ts";
import type { Means } from "../batch/dialect.ts";
import { startsBefore } from "../batch/starts.ts";
import { directiveLines, type Given, givenInArgs, givenInScript, type Options, optionsOf, prefixIn } from "./script.ts";
import { raisedMemory, raisedTime, timeInS } from "./units.ts";

/**
 * What Grid Engine tells a job of itself (qsub(1), ENVIRONMENTAL VARIABLES). RESTARTED says that a job was started again,
 * but not how often.
 */
const IDENTITY: Plan["identity"] = {
  job: '"$' + '{JOB_ID:--}"',
  restart: `"$(case $RESTARTED in (0 | '') echo 0 ;; (*) echo ${startsBefore("$jm_task")} ;; esac)"`,
  task: '"$jm_task"',
};

/** SGE_TASK_ID is "undefined" for a plain job. */
const HEAD = `jm_task=$SGE_TASK_ID
case $jm_task in undefined) jm_task= ;; esac
`;

/** Options that would keep qsub from giving back at once the id of one job that runs the runner. */
const IMPOSSIBLE: readonly (readonly [name: string, value: RegExp, why: string])[] = [
  ["sync", /^y/i, "qsub would then wait for the job's end, as jobmgr does anyway"],
  ["now", /^y/i, "qsub would then wait for a free place, and give up if there is none"],
  ["b", /^y/i, "job.sh is a script, and no program"],
  ["verify", /^/, "nothing would then be submitted"],
  ["help", /^/, "nothing would then be submitted"],
  ["w", /^[vp]/i, "nothing would then be submitted"],
];

function refuseImpossible({ values }: Options, where: string): void {
  for (const [name, pattern, why] of IMPOSSIBLE) {
    const value = values[name];
    if (value !== undefined && pattern.test(value))
      throw new EngineError(
        "refused",
        `${where} asks for ${`-${name} ${value}`.trim()}, which cannot be used here: ${why}. Remove it.`,
      );
  }
}

/** Throws `refused` for what no job could be submitted with. */
export function checkEngineArgs(engineArgs: readonly string[]): void {
  const given = givenInArgs(engineArgs);
  const options = optionsOf(given);
  refuseImpossible(options, "--engine-arg");
  const folder = given.find(({ name }) => name === "wd" || name === "cwd");
  if (folder)
    throw new EngineError(
      "refused",
      `--engine-arg asks for ${folder.written}, but a job runs in its own folder. Remove it.`,
    );
  const prefix = prefixIn(engineArgs);
  if (prefix !== "" && !prefix.startsWith("#"))
    throw new EngineError(
      "refused",
      `--engine-arg=-C ${prefix}: what begins a directive must begin with #, or sh would run it.`,
    );
  const stray = given.find(({ written, isUnknown }) => isUnknown && !written.startsWith("-"));
  if (stray)
    throw new EngineError(
      "refused",
      `--engine-arg ${stray.written}: it belongs to no option. Each word is an --engine-arg of its own, in order: --engine-arg=-q --engine-arg=${stray.written}`,
    );
}

/**
 * The plan of a job.sh, as qsub would read it with these arguments. Throws `refused` for what can never be honoured.
 */
export function planOf(script: Script, means: Means, scale: Scale): Plan {
  const { engineArgs } = means;
  const prefix = prefixIn(engineArgs);
  const given = givenInScript(script.text, prefix);
  const options = optionsOf([...given, ...givenInArgs(engineArgs)]);
  refuseImpossible(options, "job.sh");
  const jobName =
    script.jobName === undefined ? (givenName(options) ?? plainName(script.folderName)) : plainName(script.jobName);
  const tasks = tasksOf(options.values.t);
  const raised = raisedOf(options, scale);
  const args = [...engineArgs, ...raised.flatMap(({ arg }) => ["-l", arg])];
  const asking = optionsOf([...given, ...givenInArgs(args)]);
  const asked = askedOf(asking);
  const timeS = timeInS(asking.resources.h_rt ?? asking.resources.s_rt ?? "");
  const lines = directiveLines(script.text, prefix);
  return {
    jobName,
    shell: shellOf(script.text, means.shell),
    directives: `${lines.map((line) => `${line}\n`).join("")}${HEAD}${redirection(script.folderName)}`,
    args: [...args, "-N", jobName],
    identity: IDENTITY,
    limitS: 0,
    graceS: 0,
    tasks,
    tasksAtOnce: 1,
    places: 1,
    outputs: isAwkward(script.folderName) ? [OWN_OUTPUT] : outputsOf(options, jobName, tasks.length > 0),
    ignored: ignoredOf(given, script.text),
    ...(raised.length > 0 && { raised: raised.map(({ arg, instead }) => `-l ${arg} instead of ${instead}`) }),
    ...(asked && { asked }),
    ...(timeS && { timeS }),
  };
}

const MEMORY = ["h_vmem", "s_vmem", "mem_free", "h_rss", "virtual_free", "h_data"] as const;
const TIME = ["h_rt", "s_rt"] as const;

/** Arguments for more than job.sh or --engine-arg ask for. */
function raisedOf({ resources }: Options, { memory, time }: Scale): { arg: string; instead: string }[] {
  return [...TIME, ...MEMORY].flatMap((name) => {
    const instead = resources[name];
    const isTime = (TIME as readonly string[]).includes(name);
    const value = isTime ? raisedTime(instead, time) : raisedMemory(instead, memory);
    return value === undefined || instead === undefined ? [] : [{ arg: `${name}=${value}`, instead }];
  });
}

function askedOf({ values, resources }: Options): Asked | undefined {
  const memory = MEMORY.find((name) => resources[name] !== undefined);
  const [, slots] = values.pe?.split(" ") ?? [];
  const asked = {
    time: resources.h_rt ?? resources.s_rt,
    memory: memory && resources[memory],
    cpus: slots,
    gpus: resources.gpu ?? resources.ngpus ?? resources.gpus,
    partition: values.q,
  };
  const named = Object.entries(asked).filter(([, value]) => value !== undefined && value !== "");
  return named.length === 0 ? undefined : Object.fromEntries(named);
}

/** -t of qsub(1): "5" is the task 5 alone, "1-10:3" a range; a range that goes down is turned round by qsub. */
function tasksOf(range: string | undefined): number[] {
  if (range === undefined) return [];
  const [, from = "", to = from, by = "1"] = /^(\d{1,9})(?:-(\d{1,9}))?(?::(\d{1,9}))?$/.exec(range) ?? [];
  const [first, last, step] = [Math.min(Number(from), Number(to)), Math.max(Number(from), Number(to)), Number(by)];
  if (from === "" || first === 0 || step === 0)
    throw new EngineError(
      "refused",
      `job.sh asks for -t ${range}, which is not a range of tasks such as 1-10 or 1-10:2; the first task is 1 at the least.`,
    );
  const count = Math.floor((last - first) / step) + 1;
  if (count > TASKS_MAX)
    throw new EngineError("refused", `job.sh asks for -t ${range}, which is more than ${TASKS_MAX} tasks.`);
  return Array.from({ length: count }, (_, i) => first + i * step);
}

/** More than any site allows (max_aj_tasks, sge_conf(5): 75,000 by default). */
const TASKS_MAX = 1_000_000;

/**
 * Grid Engine takes no notice of a script's "#!", and starts the shell as a login shell. For a job.sh of bash the runner is
 * run by bash too, so that what a login gives to bash alone (functions, as `module` is one) reaches job.sh.
 */
function shellOf(text: string, shell: string): string {
  const [program = "", argument] = commandOfScript(text);
  const isBash = /(?:^|\/)bash$/.test(program) || (program === "/usr/bin/env" && argument === "bash");
  return isBash ? "/bin/bash" : (shell.split(" ")[0] ?? "/bin/sh");
}

const NAME_LENGTH_MAX = 64;

/** A name as Grid Engine takes it: no digit first, and none of its own signs (sge_types(1), object_name). */
function plainName(name: string): string {
  const plain = name.replace(/[^\w.+=-]+/g, "_").slice(0, NAME_LENGTH_MAX);
  return /^[A-Za-z_]/.test(plain) ? plain : `job${plain}`;
}

/**
 * What -N says. Of a name with a blank or a letter that is not ASCII (sge_types(1) allows none) qsub of 8.1.9 cannot read
 * the master's answer, as if it had got lost: throws `refused` before anybody is asked.
 */
function givenName({ values }: Options): string | undefined {
  const { N: name } = values;
  if (name !== undefined && /[^!-~]/.test(name))
    throw new EngineError(
      "refused",
      `job.sh asks for -N ${JSON.stringify(name)}, and Grid Engine takes no name with a blank or a letter that is not ASCII. Change #$ -N, or write the name into job_name.txt.`,
    );
  return name;
}

/** Where outputs go, as far as their names can be known from the job's id and the task's index alone. */
function outputsOf({ values }: Options, jobName: string, isArray: boolean): string[] {
  const isJoined = /^y/i.test(values.j ?? "n");
  const kinds = isJoined ? (["o"] as const) : (["o", "e"] as const);
  const names = kinds.flatMap((kind) => {
    const own = `${jobName}.${kind}%j${isArray ? ".%t" : ""}`;
    const said = values[kind];
    if (said === undefined) return [own];
    // Before the first ":" stands a machine, or nothing.
    const path = said.replace(/^:/, "");
    if ((path === said && path.includes(":")) || path.includes(",")) return [];
    const named = (path.endsWith("/") ? path + own : path)
      .replaceAll("$JOB_ID", "%j")
      .replaceAll("$JOB_NAME", jobName)
      .replaceAll("$TASK_ID", isArray ? "%t" : "undefined");
    return named.includes("$") || named === "/dev/null" ? [] : [named];
  });
  return [...new Set(names)];
}

/** Directives that are not honoured: a job runs in its folder, by the program that its "#!" names. */
function ignoredOf(given: readonly Given[], text: string): string[] {
  const [program = ""] = commandOfScript(text);
  return given
    .filter(
      ({ name, value }) =>
        (name === "wd" && value !== ".") || name === "C" || (name === "S" && !isSameShell(value, program)),
    )
    .map(({ written }) => written);
}

function isSameShell(one: string, other: string): boolean {
  return one.split("/").at(-1) === other.split("/").at(-1);
}

/** The output of a job in a folder whose name Grid Engine cannot write into. */
const OWN_OUTPUT = "job_output.txt";

/** Grid Engine replaces these signs in the way to a job's folder, and cuts it at a newline (8.1.9 did so). */
export function isAwkward(path: string): boolean {
  return /\n|\$(?:HOME|USER|JOB_ID|JOB_NAME|HOSTNAME|TASK_ID)/.test(path);
}

/** Such a job is started in the folder above it, and its runner opens the output by itself. */
function redirection(folderName: string): string {
  if (!isAwkward(folderName)) return "";
  const octal = [...Buffer.from(folderName)].map((byte) => `\\0${byte.toString(8).padStart(3, "0")}`).join("");
  return `{ command exec >>"$(printf %b '${octal}/${OWN_OUTPUT}')"; } 2>/dev/null && exec 2>&1\n`;
}

/**
 * Whether -hold_jid can keep a job back: it waits for the end of others, however they end, and what job.sh itself says of
 * other jobs would be overruled by it.
 */
export function canWaitFor({ directives, args }: Plan, after: readonly Dependency[]): boolean {
  const given = [...givenInScript(directives, prefixIn(args)), ...givenInArgs(args)];
  return after.every(({ needs }) => needs === "end") && !given.some(({ name }) => name.startsWith("hold_jid"));
}

/** The arguments that say where an attempt runs, and where its output goes if it cannot be opened there. */
export function placeArgs({ folder }: Pick<Attempt, "folder">): string[] {
  if (!isAwkward(folder)) return ["-wd", folder];
  const above = folder.slice(0, folder.lastIndexOf("/"));
  return ["-wd", isAwkward(above) ? "/" : above, "-o", "/dev/null", "-j", "y"];
}
