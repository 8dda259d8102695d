/**
 * How PBS is asked for jobs, and how its answers are read. Pure. `qstat -f` prints the same in OpenPBS, Torque and Slurm's
 * wrapper but for its blanks; OpenPBS also knows `-F json`, which has had faults (openpbs issues 1255, 2541, 2672 and pull
 * requests 830, 1033, 2049), so that what is missing or unreadable there is asked for once more as text.
 */
import type { Token } from "../../src/engine.ts";

/** One job, or one task of an array, as qstat tells of it: all that it says, by name ("Resource_List.walltime"). */
export interface Row {
  /** "123.server", "123[].server", "123[4].server". */
  readonly shownId: string;
  readonly facts: ReadonlyMap<string, string>;
}

/** Only these are kept, for Variable_List holds the environment of the user. */
const KEPT =
  /^(?:Job_Name|Job_Owner|job_state|substate|queue|server|ctime|qtime|mtime|stime|etime|exec_host|Hold_Types|depend|comment|Exit_status|exit_status|run_count|array|array_state_count|Execution_Time|Submit_arguments|submit_args|init_work_dir|(?:Resource_List|resources_used|estimated)\.\w+)$/;

const WORKDIR = "PBS_O_WORKDIR";

/** The value of a variable in "A=1,B=x\,y": a comma of a value has a "\" before it. */
function variableIn(list: string, name: string): string | undefined {
  const at = list.startsWith(`${name}=`) ? 0 : list.indexOf(`,${name}=`) + 1;
  if (at === 0 && !list.startsWith(`${name}=`)) return undefined;
  const value = /^(?:\\.|[^,\\])*/s.exec(list.slice(at + name.length + 1))?.[0] ?? "";
  return value.replace(/\\(.)/gs, "$1");
}

function rowOf(shownId: string, all: ReadonlyMap<string, string>): Row {
  const facts = new Map<string, string>();
  for (const [name, value] of all) {
    if (KEPT.test(name)) facts.set(name, value);
    if (name === `Variable_List.${WORKDIR}`) facts.set(WORKDIR, value);
    const folder = name === "Variable_List" ? variableIn(value, WORKDIR) : undefined;
    if (folder !== undefined) facts.set(WORKDIR, folder);
  }
  return { shownId, facts };
}

/** Every job of a `qstat -f`. A block without a state was cut, and is left out. */
export function parseText(text: string): Row[] {
  const rows: Row[] = [];
  for (const block of text.split(/^Job Id:[ \t]*/m).slice(1)) {
    const [first = "", ...lines] = block.split("\n");
    const row = rowOf(first.trim(), factsIn(lines));
    if (row.facts.has("job_state") && ID.test(row.shownId)) rows.push(row);
  }
  return rows;
}

/** "123.server", with "[]" or "[4]" for arrays, or "-4" in old Torque. */
const ID = /^\d+(?:\[\d*\]|-\d+)?(?:\.[\w.-]+)?$/;

/**
 * "    name = value" lines (OpenPBS, Torque), or "\tname = value" (Slurm's wrapper). What follows in lines of their own,
 * behind a tab, is more of the value: it was wrapped at 80 columns.
 */
export function factsIn(lines: readonly string[]): Map<string, string> {
  const facts = new Map<string, string>();
  const isWrapper = /^\t\w/.test(lines[0] ?? "");
  let last: string | undefined;
  for (const line of lines) {
    const [, name, value = ""] = (isWrapper ? /^\t([\w.]+) = (.*)$/ : /^ {4,5}([\w.]+) = ?(.*)$/).exec(line) ?? [];
    if (name !== undefined) {
      facts.set(name, value);
      last = name;
    } else if (last !== undefined && line.startsWith("\t")) facts.set(last, facts.get(last) + line.slice(1));
    else if (line.trim() === "") last = undefined;
  }
  return facts;
}

/** Every job of a `qstat -f -F json`; undefined for what cannot be read as such. */
export function parseJson(text: string): Row[] | undefined {
  const start = text.indexOf("{");
  const read = start === -1 ? undefined : (parsed(text.slice(start)) ?? parsed(mended(text.slice(start))));
  if (!isObject(read) || !("pbs_version" in read || "pbs_server" in read || "Jobs" in read)) return undefined;
  const jobs = isObject(read.Jobs) ? read.Jobs : {};
  return Object.entries(jobs).flatMap(([id, job]) => {
    if (!ID.test(id) || !isObject(job) || typeof job.job_state !== "string") return [];
    return [rowOf(id, new Map(flattened(job, "")))];
  });
}

function flattened(value: object, prefix: string): [string, string][] {
  return Object.entries(value).flatMap(([name, one]): [string, string][] =>
    isObject(one) ? flattened(one, `${prefix}${name}.`) : [[`${prefix}${name}`, String(one)]],
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * OpenPBS writes one value a line. Those that are no JSON are made strings: numbers such as 005 or 1e or nan, and strings
 * with quotes or backslashes that were not escaped, or that were where JSON knows no such escape.
 */
function mended(text: string): string {
  return text
    .split("\n")
    .map((line) => {
      const [, head, value = "", comma] = /^(\s*"[^"]*":\s*)(.+?)(,?)\s*$/.exec(line) ?? [];
      if (head === undefined || /^[{[]$/.test(value) || parsed(value) !== undefined) return line;
      const inner = /^"(.*)"$/s.exec(value)?.[1] ?? value;
      const plain = inner.replace(/\\(["\\/bfnrt])|\\/g, (_, escaped?: string) =>
        escaped === undefined ? "" : escaped === '"' || escaped === "\\" ? escaped : `\\${escaped}`,
      );
      return `${head}${JSON.stringify(plain)}${comma}`;
    })
    .join("\n");
}

/** What qstat said of ids that it did not list. */
export type Absence = "unknown" | "finished";

/**
 * "qstat: Unknown Job Id 12.server" (OpenPBS), "qstat: Unknown Job Id Error 12.server" (Torque), and "qstat: 12.server Job
 * has finished, use -x or -H to obtain historical job information" (OpenPBS).
 */
export function absencesIn(stderr: string): ReadonlyMap<string, Absence> {
  const absences = new Map<string, Absence>();
  for (const line of stderr.split("\n")) {
    const unknown = /Unknown (?:Job|Array) I[dD](?: Error)?:? (\S+)/.exec(line)?.[1];
    if (unknown !== undefined) absences.set(numberOf(unknown), "unknown");
    const finished = /(\d\S*) Job has finished/.exec(line)?.[1];
    if (finished !== undefined) absences.set(numberOf(finished), "finished");
  }
  return absences;
}

/** The server keeps no history, so that -x is an error (OpenPBS, pbs_messages.c). */
export function hasNoHistory(stderr: string): boolean {
  return /not configured to maintain job history/i.test(stderr);
}

/** "123" of "123[].server": a task's row belongs to its array. */
export function numberOf(shownId: string): string {
  return /^\d+/.exec(shownId)?.[0] ?? "";
}

/** The index of a row that is one task of an array; "123[].server" is the whole. */
export function taskOf(shownId: string): number | undefined {
  const task = /^\d+(?:\[(\d+)\]|-(\d+))/.exec(shownId);
  const index = task?.[1] ?? task?.[2];
  return index === undefined ? undefined : Number(index);
}

/** The whole of an array: "123[].server". */
export function isArray(shownId: string): boolean {
  return /^\d+\[/.test(shownId);
}

/** The path of a runner, relative to its job's folder, which is where qsub is called. */
const RUNNER = /(?:^|[\s/'">])\.jobmgr\/attempt-(\d{8}T\d{6}-[0-9a-f]{12})\/run\.sh/;
/** What Slurm's qsub is given for a name: the name, the token, and the folder in base64url. */
const SLURM_NAME = /^(.*)\.(\d{8}T\d{6}-[0-9a-f]{12})\.([\w-]+)$/;

/** How its qsub was called; "" where PBS does not tell, or it was given nothing. */
export function argumentsOf(row: Row): string {
  return row.facts.get("Submit_arguments") ?? row.facts.get("submit_args") ?? "";
}

/** The token of the attempt that a row is of; undefined where PBS does not tell it, or it is none of ours. */
export function tokenIn(row: Row): Token | undefined {
  const name = SLURM_NAME.exec(row.facts.get("Job_Name") ?? "");
  return (RUNNER.exec(argumentsOf(row))?.[1] ?? name?.[2]) as Token | undefined;
}

/** Where its qsub was called; undefined where PBS does not tell. */
export function folderIn(row: Row): string | undefined {
  const name = SLURM_NAME.exec(row.facts.get("Job_Name") ?? "");
  const folder = row.facts.get(WORKDIR) ?? row.facts.get("init_work_dir");
  return folder ?? (name?.[3] === undefined ? undefined : Buffer.from(name[3], "base64url").toString());
}

/** The job's name as it was planned. */
export function nameOf(row: Row): string | undefined {
  const name = row.facts.get("Job_Name");
  return name === undefined ? undefined : (SLURM_NAME.exec(name)?.[1] ?? name);
}
