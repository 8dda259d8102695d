/** How squeue and sacct are asked, and how their answers are read. Pure. */

/** What squeue tells of one job, or of tasks of an array. */
export interface QueueRow {
  /** "12", of a task "12_3", of tasks that wait together "12_[4-9%2]", of a part of a het job "12+1". */
  readonly shownId: string;
  readonly state: string;
  readonly reason: string;
  /** A raw wait status; see wait(2). */
  readonly exitCode: string;
  /** How often it was started again. */
  readonly restarts: string;
  readonly timeLimit: string;
  readonly timeUsed: string;
  readonly memory: string;
  readonly nodes: string;
  /** When it started, or is expected to start: by the clock of the question's time zone, which is UTC; "N/A". */
  readonly startTime: string;
  readonly folder: string;
  readonly command: string;
  readonly cluster: string;
}

/** In the order in which squeue is asked for them (squeue(1), --Format); paths come last. */
const QUEUE_FIELDS = [
  "JobArrayID",
  "State",
  "Reason",
  "exit_code",
  "RestartCnt",
  "TimeLimit",
  "TimeUsed",
  "MinMemory",
  "NodeList",
  "StartTime",
  "Cluster",
  "WorkDir",
  "Command",
] as const;

/** Signs that cannot stand in a name by chance or by intent: `nonce` is new for each question. */
function signs(nonce: string): { field: string; row: string } {
  return { field: `\x1f${nonce}`, row: `\x1e${nonce}` };
}

/** For squeue --Format: each field at its full length, with a sign of its end. */
export function queueFormat(nonce: string): string {
  const { field, row } = signs(nonce);
  return QUEUE_FIELDS.map((name, i) => `${name}:${i === QUEUE_FIELDS.length - 1 ? row : field}`).join(",");
}

/** Every row of squeue's answer; undefined for an answer that was cut short, or has not even a header. */
export function parseQueue(text: string, nonce: string): QueueRow[] | undefined {
  const { field, row } = signs(nonce);
  const chunks = text.split(row);
  // "CLUSTER: name" stands before the rows of each cluster that was named.
  const rest = chunks.pop() ?? "";
  if (rest.replace(/^CLUSTER: \S+$/gm, "").trim() !== "") return undefined;
  const rows: QueueRow[] = [];
  let hasHeader = false;
  for (const chunk of chunks) {
    const values = chunk.replace(/^(?:\n|CLUSTER: \S+\n)*/, "").split(field);
    const [shownId = "", state = "", reason = "", exitCode = "", restarts = "", ...others] = values;
    const [timeLimit = "", timeUsed = "", memory = "", nodes = "", startTime = "", ...names] = others;
    const [cluster = "", folder = "", command = ""] = names;
    if (values.length !== QUEUE_FIELDS.length || !/^\w/.test(state)) return undefined;
    if (state === "STATE") {
      hasHeader = true;
      continue;
    }
    if (!/^\d+/.test(shownId)) return undefined;
    const facts = { shownId, state, reason, exitCode, restarts, timeLimit, timeUsed, memory, nodes, startTime };
    rows.push({ ...facts, cluster, folder, command });
  }
  return hasHeader ? rows : undefined;
}

/** What sacct tells of one start of a job, of a task, or of a step. */
export interface AccountingRow {
  /** "12", "12_3", "12+1"; steps are "12.batch", "12_3.0". */
  readonly shownId: string;
  readonly state: string;
  /** "code:signal". */
  readonly exitCode: string;
  readonly timeLimit: string;
  readonly timeUsed: string;
  readonly memory: string;
  readonly nodes: string;
  readonly cluster: string;
  readonly folder: string;
  /** The command line of the submission; empty before Slurm 21.08. */
  readonly submitLine: string;
}

/** What sacct is asked for, in the order of its columns. */
export const ACCOUNTING_FIELDS = [
  "JobID",
  "State",
  "ExitCode",
  "Timelimit",
  "Elapsed",
  "ReqMem",
  "NodeList",
  "Cluster",
  "WorkDir",
  "SubmitLine",
] as const;

/** All before it are Slurm's own words, which hold no newline. */
const FOLDER_FIELD = ACCOUNTING_FIELDS.indexOf("WorkDir");

/** Every row of sacct's answer. A line that begins no row belongs to the one before: names may hold newlines. */
export function parseAccounting(text: string, separator: string): AccountingRow[] {
  const rows: string[] = [];
  for (const line of text.split("\n")) {
    if (/^\d/.test(line) && line.split(separator).length > FOLDER_FIELD) rows.push(line);
    else if (rows.length > 0) rows.push(`${rows.pop()}\n${line}`);
  }
  return rows.map((row) => {
    const [shownId = "", state = "", exitCode = "", timeLimit = "", timeUsed = "", ...others] = row.split(separator);
    const [memory = "", nodes = "", cluster = "", folder = "", submitLine = ""] = others;
    return { shownId, state, exitCode, timeLimit, timeUsed, memory, nodes, cluster, folder, submitLine };
  });
}

/** The id by which a whole job is cancelled and looked up: without task, part and step. */
export function baseId(shownId: string): string {
  return /^\d+/.exec(shownId)?.[0] ?? "";
}

/** The index of a row that is one task of an array. */
export function taskOf(shownId: string): number | undefined {
  const task = /^\d+_(\d+)(?:\.|$)/.exec(shownId)?.[1];
  return task === undefined ? undefined : Number(task);
}

/** The part of a het job; 0 is the one that the script runs on. */
export function partOf(shownId: string): number {
  return Number(/^\d+\+(\d+)/.exec(shownId)?.[1] ?? 0);
}
