/**
 * What PBS' letters, comments and exit statuses mean. Pure. The letters are those of qstat(1B), the negative statuses of
 * OpenPBS' job.h and of Torque's pbs_job.h, which differ: -11 is a rerun to the one, and the end of the time to the other.
 */
import { constants as os } from "node:os";
import type { End, EndCause, News } from "../../src/engine.ts";
import type { Flavour } from "./flavour.ts";
import { type Row, taskOf } from "./listing.ts";
import { bytesIn, secondsIn, sizeText, timeText } from "./units.ts";

/** What a row says of its job: "ended" also where it is known no more than that. */
type State = "queued" | "running" | "ended" | "unknown";

const STATES: Readonly<Record<string, State>> = {
  // Waits for its turn; is held; waits for its time; is being moved to another queue.
  Q: "queued",
  H: "queued",
  W: "queued",
  T: "queued",
  R: "running",
  // Its script has ended, and its files are being copied.
  E: "running",
  S: "running",
  // An array of which some tasks run or have ended.
  B: "running",
  // Ended: a job of OpenPBS' history, a task of its arrays, a job of Torque.
  F: "ended",
  X: "ended",
  C: "ended",
};

/** M was moved to another server; U is held up by somebody at a keyboard, but to Slurm's wrapper all that it does not know. */
export function stateOf(row: Row, flavour: Flavour): State {
  const letter = row.facts.get("job_state") ?? "";
  if (letter === "U") return flavour === "slurm" ? "unknown" : "running";
  return STATES[letter] ?? "unknown";
}

/** The news of a job that has not ended; undefined for one that has. Of an array, its own row or its tasks'. */
export function livingNews(rows: readonly Row[], flavour: Flavour): News | undefined {
  const states = rows.map((row) => stateOf(row, flavour));
  if (states.includes("running")) return { is: "running" };
  const strange = rows.find((_, at) => states[at] === "unknown");
  if (strange)
    return {
      is: "unknown",
      word: `PBS says "${strange.facts.get("job_state")}", which tells nothing here; it is taken to live`,
    };
  const waiting = rows.find((_, at) => states[at] === "queued");
  return waiting && waitingNews(waiting);
}

function waitingNews(row: Row): News {
  const expectedStart = utcOf(row.facts.get("estimated.start_time"));
  const soon = expectedStart !== undefined && { expectedStart };
  return { is: "queued", ...whyItWaits(row), ...soon };
}

/** "Sat Nov 21 14:03:09 2026", told in UTC, or seconds since 1970. */
function utcOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d{9,}$/.test(text) ? Number(text) * 1000 : Date.parse(`${text} UTC`);
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

type Why = { readonly why?: string; readonly stuck?: boolean; readonly asksTooMuch?: boolean };

function whyItWaits(row: Row): Why {
  const letter = row.facts.get("job_state");
  const comment = row.facts.get("comment")?.trim() ?? "";
  const own = comment === "" ? {} : { why: comment };
  if (letter === "W") return { why: comment || "It waits for its start time (#PBS -a)." };
  if (letter === "H") return whyItIsHeld(row, comment);
  if (/too many failed attempts/i.test(comment)) return { ...own, stuck: true };
  if (!/^Can Never Run/i.test(comment)) return own;
  const asks = /Insufficient amount of (?:queue |server )?resource|would exceed|exceeds/i.test(comment);
  return {
    why: `${comment}. It asks for what no node has: change #PBS -l.`,
    stuck: true,
    ...(asks && { asksTooMuch: true }),
  };
}

function whyItIsHeld(row: Row, comment: string): Why {
  const said = comment === "" ? "" : `${comment}. `;
  const holds = row.facts.get("Hold_Types") ?? "";
  if (row.facts.get("depend") && !/u|o/.test(holds)) return { why: `${said}It waits for other jobs (#PBS -W depend).` };
  const release = `qrls ${row.shownId}`;
  if (/u/.test(holds))
    return { why: `${said}It is held (#PBS -h, or qhold) until somebody releases it: ${release}`, stuck: true };
  return { why: `${said}PBS or an administrator holds it; ask the site, or try: ${release}`, stuck: true };
}

/** How each task ended, or the plain job (undefined). */
export function endsOf(rows: readonly Row[], flavour: Flavour): ReadonlyMap<number | undefined, End> {
  const ended = rows.filter((row) => stateOf(row, flavour) === "ended");
  return new Map(ended.map((row) => [taskOf(row.shownId), endOf(row, flavour)]));
}

/** A negative status: what it means, and what to do. */
type Fate = readonly [cause: EndCause | undefined, why: string];

const NOT_STARTED =
  "PBS could not start it. Mostly its folder or its output cannot be reached from the node, or it has no account there; is the folder on a file system that the nodes see too?";
const RESTARTED = "Its node was started anew, or its PBS daemon was, while it ran. It did nothing wrong itself.";
const RERUN = "PBS gave it up to run it again, and did not. It did nothing wrong itself.";
const CPU_TIME = "It used more processor time than it had asked for. Ask for more: #PBS -l cput.";
const CPUS = "It used more processors than it had asked for. Ask for more: #PBS -l select=1:ncpus=N.";
const HOOK = "A rule of this site (a hook) ended it.";

/** What OpenPBS and Torque have in common. */
const COMMON: Readonly<Record<number, Fate>> = {
  [-1]: ["launch", NOT_STARTED],
  [-2]: ["launch", NOT_STARTED],
  [-3]: ["launch", NOT_STARTED],
  [-4]: ["node", RESTARTED],
  [-5]: ["node", RESTARTED],
  [-6]: ["node", RESTARTED],
  [-7]: ["launch", "PBS could not continue it from its checkpoint."],
};

const OPENPBS: Readonly<Record<number, Fate>> = {
  ...COMMON,
  [-10]: ["launch", "Its user or group is not known on the node."],
  [-11]: ["node", RERUN],
  [-12]: [undefined, "It was checkpointed, and ended."],
  [-13]: ["launch", "PBS had no valid password for its user."],
  [-14]: ["node", RERUN],
  [-15]: [undefined, RERUN],
  [-16]: ["launch", HOOK],
  [-17]: ["launch", HOOK],
  [-18]: [undefined, HOOK],
  [-19]: [undefined, HOOK],
  [-20]: ["node", RERUN],
  [-21]: ["launch", "PBS on the node refused to start jobs, for the rights of its own folder are wrong."],
  [-22]: ["launch", HOOK],
  [-23]: ["launch", "PBS had no valid Kerberos ticket of its user."],
  [-24]: [undefined, CPUS],
  [-25]: [undefined, CPUS],
  [-26]: ["memory", ""],
  [-27]: ["memory", ""],
  [-28]: ["timeout", CPU_TIME],
  [-29]: ["timeout", ""],
};

const TORQUE: Readonly<Record<number, Fate>> = {
  ...COMMON,
  [-8]: ["launch", NOT_STARTED],
  [-9]: ["launch", NOT_STARTED],
  [-10]: ["memory", ""],
  [-11]: ["timeout", ""],
  [-12]: ["timeout", CPU_TIME],
  [-13]: ["launch", NOT_STARTED],
  [-14]: ["launch", NOT_STARTED],
};

/** OpenPBS' substate of a job that somebody ended. */
const TERMINATED = "91";

function endOf(row: Row, flavour: Flavour): End {
  const word = lineOf(row);
  const text = statusOf(row);
  const status = text === undefined || !/^-?\d+$/.test(text) ? undefined : Number(text);
  if (status === undefined) return withoutStatus(row, word);
  if (status < 0) return byFate(row, word, (flavour === "torque" ? TORQUE : OPENPBS)[status]);
  if (status < 256) {
    const isCancelled = isTerminated(row) && status !== 0;
    return isCancelled ? { word, cause: "cancelled", why: CANCELLED } : { word, cause: "itself", exitCode: status };
  }
  const signal = nameOfSignal(status - 256);
  if (isTerminated(row)) return { word, cause: "cancelled", signal, why: CANCELLED };
  if (hasUsedItsTime(row)) return { word, cause: "timeout", signal, why: whyTime(row) };
  return { word, signal, why: `It was ended by ${signal}, as by qdel, by the system, or for one of its limits.` };
}

const CANCELLED = "It was ended with qdel, or by an administrator.";

function statusOf(row: Row): string | undefined {
  return row.facts.get("Exit_status") ?? row.facts.get("exit_status");
}

function isTerminated(row: Row): boolean {
  return row.facts.get("substate") === TERMINATED;
}

/** Taken out of the queue before it started, or of a PBS that does not tell. */
function withoutStatus(row: Row, word: string): End {
  if (/Job deleted as result of dependency|dependency/i.test(row.facts.get("comment") ?? ""))
    return {
      word,
      cause: "cancelled",
      stranded: true,
      why: "PBS took it out of the queue, for a job that it waits for did not end well.",
    };
  return isTerminated(row) ? { word, cause: "cancelled", why: CANCELLED } : { word };
}

function byFate(row: Row, word: string, fate: Fate | undefined): End {
  if (!fate) return { word, why: "PBS itself ended it, with a code that is not known here." };
  const [cause, said] = fate;
  const why = said || (cause === "memory" ? whyMemory(row) : whyTime(row));
  return { word, ...(cause && { cause }), why };
}

function hasUsedItsTime(row: Row): boolean {
  const limit = secondsIn(row.facts.get("Resource_List.walltime"));
  const used = secondsIn(row.facts.get("resources_used.walltime"));
  return limit !== undefined && used !== undefined && used >= limit;
}

function whyTime(row: Row): string {
  const limit = secondsIn(row.facts.get("Resource_List.walltime"));
  return limit === undefined || limit === 0
    ? "It reached its time limit and PBS stopped it. Ask for more time: #PBS -l walltime."
    : `It reached its time limit (${timeText(limit)}) and PBS stopped it. Ask for more time: #PBS -l walltime=${timeText(2 * limit)}.`;
}

function whyMemory(row: Row): string {
  const asked = bytesIn(row.facts.get("Resource_List.mem"));
  return asked === undefined || asked === 0
    ? "It needed more memory than it had asked for, and was stopped. Ask for more: #PBS -l mem."
    : `It needed more memory than it had asked for (${sizeText(asked)}), and was stopped. Ask for more: ${sizeText(2 * asked)}.`;
}

function nameOfSignal(signal: number): string {
  return Object.entries(os.signals).find(([, number]) => number === signal)?.[0] ?? `signal ${signal}`;
}

/** PBS' own words, in a line. */
function lineOf(row: Row): string {
  const { facts } = row;
  const status = statusOf(row);
  const used = facts.get("resources_used.walltime");
  const limit = facts.get("Resource_List.walltime");
  const host = facts.get("exec_host");
  return [
    `PBS job ${row.shownId}: ${facts.get("job_state")}`,
    status === undefined ? "no exit status" : `exit status ${status}`,
    ...(used === undefined ? [] : [`after ${used}${limit === undefined ? "" : ` of ${limit}`}`]),
    ...(host === undefined ? [] : [`on ${host.split(/[/:+]/)[0]}`]),
    ...(facts.get("comment") ? [`"${facts.get("comment")}"`] : []),
  ].join(", ");
}
