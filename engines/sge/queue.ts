/** How qstat is asked, and how its answers are read. Pure. */
import type { Details, Question, Row, RowNews } from "../batch/dialect.ts";
import { type Element, elementsOf, parseXml, textOf } from "./xml.ts";

/** All jobs of a user that have not ended. Tasks of an array that wait are one row. */
export function queueQuestion(user: string): Question {
  return { program: "qstat", args: ["-xml", "-u", user] };
}

/** Jobs of a user that have left the queue: the last hundred of the cluster (finished_jobs, sge_conf(5)), also those that never started. */
export function leftQuestion(user: string): Question {
  return { program: "qstat", args: ["-xml", "-s", "z", "-u", user] };
}

/** The rows of `qstat -xml`; undefined for an answer that is not whole. */
export function queueRows(xml: string): Row[] | undefined {
  const root = parseXml(xml);
  if (root?.name !== "job_info") return undefined;
  const rows: Row[] = [];
  for (const job of elementsOf(root, "job_list")) {
    const id = textOf(job, "JB_job_number");
    const state = textOf(job, "state");
    if (!/^\d+$/.test(id) || state === "") return undefined;
    const news = newsOfState(state, id);
    const tasks = textOf(job, "tasks");
    const name = textOf(job, "JB_name");
    const submittedAtMs = Date.parse(`${textOf(job, "JB_submission_time")}Z`);
    rows.push({
      id,
      name,
      ...(!Number.isNaN(submittedAtMs) && { submittedAtMs }),
      ...(/^\d+$/.test(tasks) && { task: Number(tasks) }),
      news,
      ...(state.includes("d") && { isEnding: true }),
      // A job that gets stuck has a reason then. (Its time of submission is not told any more once it runs.)
      version: [name, news.is === "queued" && news.stuck ? state : ""].join(" "),
    });
  }
  return rows;
}

/** Signs of qstat(1), "state", in the order of what they say of the job as a whole. */
const holds = (id: string) =>
  `It is held (-h, qhold, or a job that it waits for with -hold_jid). \`qstat -j ${id}\` tells which; \`qrls ${id}\` releases it.`;
const stuck = (id: string) =>
  `It is in error state, and is not started before somebody clears that: \`qstat -j ${id}\` tells why, \`qmod -cj ${id}\` clears it.`;

/**
 * What the letters of a state mean (qstat(1)): "qw", "hqw", "hRwq", "Eqw", "t", "r", "Rr", "s", "S", "T", "dr", "Rq".
 * A letter never seen makes the state unknown. "-s h" alone tells who holds a job, so that a hold for other jobs, which
 * heals, cannot be told from one that does not: it is not called stuck.
 */
export function newsOfState(state: string, id: string): RowNews {
  if (!/^[dEhqwtrRsSTNPzu]+$/.test(state))
    return { is: "unknown", word: `Grid Engine says "${state}", which is not known here; it is taken to live` };
  if (state.includes("z")) return { is: "ended", word: "z" };
  if (state.includes("E")) return { is: "queued", stuck: true, why: `${state}: ${stuck(id)}` };
  if (/[trsST]/.test(state)) return { is: "running" };
  if (state.includes("d")) return { is: "queued", why: `${state}: it is being removed from the queue` };
  if (state.includes("h")) return { is: "queued", why: `${state}: ${holds(id)}` };
  if (state.includes("R")) return { is: "queued", why: `${state}: it is to be started again` };
  return { is: "queued" };
}

/** What `qstat -xml -u` does not tell: the path of the script, and why a job is stuck. In one question for many. */
export function detailsQuestion(ids: readonly string[]): Question {
  return { program: "qstat", args: ["-xml", "-j", ids.join(",")] };
}

/** By id; jobs that have ended meanwhile are not there. undefined for an answer that is not whole. */
export function detailsIn(xml: string): ReadonlyMap<string, Details> | undefined {
  const root = parseXml(xml);
  if (root?.name === "unknown_jobs") return new Map();
  if (root?.name !== "detailed_job_info") return undefined;
  const details = new Map<string, Details>();
  for (const job of elementsOf(root, "djob_info").flatMap((info) => info.children)) {
    const id = textOf(job, "JB_job_number");
    const why = reasonOf(job, id);
    // A job that has ended between the two questions may be an element without anything in it.
    if (id !== "") details.set(id, { runner: textOf(job, "JB_script_file"), ...(why !== undefined && { why }) });
  }
  return details;
}

/** What the machine said on which it could not be started: "... error: can't chdir to /x: No such file or directory". */
function reasonOf(job: Element, id: string): string | undefined {
  const messages = elementsOf(job, "QIM_message").map(({ text }) => text.trim());
  const last = messages.filter(Boolean).at(-1);
  return last === undefined ? undefined : explained(last.replace(/^[\d/]+ [\d:]+ \[\d+:\d+\]: (?:error: )?/, ""), id);
}

const REASONS: readonly (readonly [text: RegExp, remedy: string])[] = [
  [/can't chdir to (.+)/, "Do the nodes see the root, under the same path?"],
  [/can't open output file|error: can't open output/, "Is the folder that -o or -e names there?"],
  [/no such queue|shell|execvlp|exec of/, "Is the shell or the program there on the nodes?"],
  [/exit (?:status|code) 100|job exited with 100/i, "A script that ends with 100 asks Grid Engine to stop it there."],
];

function explained(message: string, id: string): string {
  const remedy = REASONS.find(([text]) => text.test(message))?.[1];
  const sentence = /[.!?]$/.test(message) ? message : `${message}.`;
  return [`Eqw: ${sentence}`, remedy, `\`qmod -cj ${id}\` lets it be tried again.`].filter(Boolean).join(" ");
}
