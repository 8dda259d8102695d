/** How Grid Engine's accounting is asked, and how its records are read (accounting(5)). Pure. */
import { constants as os } from "node:os";
import type { EndCause } from "../../src/engine.ts";
import type { Question, Row, RowNews, Said } from "../batch/dialect.ts";
import { memoryInB, timeInS, timeText } from "./units.ts";

/** 100 MB, in blocks of 512 bytes: it takes a few seconds to read. */
const PACKED_BLOCKS_MAX = 204_800;

/**
 * What qacct(1) reads, but only the end of it, and for all jobs at once: the file of a large site has gigabytes, of which
 * qacct reads all for each job. $1 is how many bytes, $2 the pattern of the jobs' numbers, $3 what stands last if all was
 * read, for of a pipe sh tells only how its last program ended. It stands behind a record that is being written, if there
 * is one. Before it comes what was put aside (accounting.0, accounting-20260101.gz) after $4, in seconds: what ended before
 * that was written there, and a packed file can only be read from its beginning.
 */
const READ = `
[ "$SGE_ROOT" ] || { [ -r /etc/default/gridengine ] && . /etc/default/gridengine; }
common=\${SGE_ROOT:-/var/lib/gridengine}/\${SGE_CELL:-default}/common
[ -x "$common" ] || exit 3
[ -e "$common/accounting" ] || exit 4
[ -r "$common/accounting" ] || exit 3
{
  find "$common/" -maxdepth 1 -type f -name 'accounting[.-]*' -mmin "-$((($(date +%s) - $4) / 60 + 1))" \\
    \\( ! -name '*z*' -o -size -${PACKED_BLOCKS_MAX} \\) -exec ls -tr {} + 2>/dev/null | while IFS= read -r old; do
    case $old in
      *.gz) gzip -dc "$old" ;;
      *.bz2) bzip2 -dc "$old" ;;
      *.xz) xz -dc "$old" ;;
      *) tail -c "$1" "$old" ;;
    esac </dev/null 2>/dev/null
  done
  tail -c "$1" "$common/accounting" && echo ":$3"
} | LC_ALL=C grep -aE "^([^:]*:){5}($2):|:$3\\$"
`;
const NOT_SEEN = 3;
/** Before the first job of a cell has ended, and for a moment when the file is put aside for a new one. */
const NO_FILE = 4;
const END_MARK = "end of the file";
/** The last hundred thousand jobs or so. */
const BYTES_MAX = 32 * 1024 * 1024;

/**
 * Asks for the records of jobs, of which none was submitted before that time. The path of a script is not in them, so that
 * nothing can be found by it.
 */
export function accountingQuestion(ids: readonly string[] | undefined, sinceMs: number): Question | undefined {
  if (ids === undefined) return undefined;
  const numbers = ids.filter((id) => /^\d+$/.test(id)).join("|");
  const words = [String(BYTES_MAX), numbers, END_MARK, String(Math.floor(sinceMs / 1000))];
  return { program: "sh", args: ["-c", READ, "jobmgr-accounting", ...words] };
}

/** A record, as far as it is needed. */
interface Record {
  readonly host: string;
  readonly id: string;
  readonly task: number;
  readonly failed: number;
  readonly exitStatus: number;
  readonly wallS: number;
  readonly category: string;
  readonly slots: number;
  readonly maxVmemB: number;
}

/** "NONE" but for what a parallel job itself started on its machines (qrsh -inherit): how that ended is the job's own affair. */
const PE_TASK = 41;

/** Every whole record of a job or a task, in the order in which they were written. "absent": the file cannot be seen from this machine. */
export function accountingRows(said: Said): readonly Row[] | "absent" | "down" {
  if (said.exitCode === NOT_SEEN) return "absent";
  if (hasNoFile(said)) return [];
  const lines = said.stdout.trimEnd().split("\n");
  if (!lines.pop()?.endsWith(`:${END_MARK}`)) return /Permission denied/i.test(said.stderr) ? "absent" : "down";
  return lines.flatMap((line) => {
    const field = line.split(":");
    const number = (at: number) => Number(field[at] ?? Number.NaN);
    if (field.length < 43 || Number.isNaN(number(5)) || Number.isNaN(number(12))) return [];
    if (field[PE_TASK] !== "NONE") return [];
    const record: Record = {
      host: field[1] ?? "",
      id: field[5] ?? "",
      task: number(35),
      failed: number(11),
      exitStatus: number(12),
      wallS: number(13),
      category: field[39] ?? "",
      slots: number(34) || 1,
      maxVmemB: number(42) || 0,
    };
    const submittedAtMs = millisecondsOf(number(8));
    return [
      {
        id: record.id,
        ...(record.task > 0 && { task: record.task }),
        news: newsOf(record),
        name: field[4] ?? "",
        // A record of a job that was put back has no times.
        ...(submittedAtMs > 0 && { submittedAtMs }),
      },
    ];
  });
}

/** No job of this cell has a record yet; or none are kept (reporting_params, sge_conf(5)). */
export function hasNoFile({ exitCode }: Said): boolean {
  return exitCode === NO_FILE;
}

/** Grid Engine 8.1.9 writes seconds; Univa's writes milliseconds. */
function millisecondsOf(time: number): number {
  return time > 1e11 ? time : time * 1000;
}

/** Codes of "failed" after which a job is, or may be, in the queue again (accounting(5), sge_status(5)). */
const PUT_BACK = new Set([23, 24, 25]);
/** Neither the script nor its limits ended it. */
const FAILURES: Readonly<{ [failed: number]: readonly [cause: EndCause, why: string] }> = {
  1: ["launch", "Grid Engine could not start it on $host: it assumedly failed before the job."],
  3: ["launch", "Grid Engine could not prepare it on $host (before writing its configuration)."],
  4: ["launch", "Grid Engine could not prepare it on $host (before writing its process id)."],
  5: ["launch", "Grid Engine could not read its configuration on $host."],
  6: ["launch", "Grid Engine could not set its processors on $host."],
  7: ["launch", "The prolog of its queue failed before it was started on $host."],
  8: ["launch", "The prolog of its queue failed on $host."],
  9: ["launch", "The start procedure of its parallel environment could not be run on $host."],
  10: ["launch", "The start procedure of its parallel environment failed on $host. Look at -pe."],
  17: ["launch", "Its script could not be found on $host."],
  18: ["launch", "Its starter could not be found on $host."],
  19: ["node", "Grid Engine on $host lost its exit code: the machine, or its execution daemon, was restarted."],
  20: ["node", "Grid Engine on $host no longer has any process of it: the machine was restarted."],
  21: ["launch", "$host did not know how to run it."],
  22: ["node", "The machine $host failed or was restarted while it ran."],
  26: [
    "launch",
    "Its output file could not be opened on $host. Look at the folders that -o and -e name, and at the disk.",
  ],
  27: ["launch", "Its shell could not be found on $host."],
  28: ["launch", "Its folder could not be entered on $host. Do the nodes see the root, under the same path?"],
  29: ["launch", "The account (AFS token) for it could not be set up on $host."],
  31: ["launch", "The starter of its queue failed on $host."],
  36: ["launch", "$host could not be reached for it."],
};

/** How a record says that it ended. */
function newsOf(record: Record): RowNews {
  const { failed, exitStatus, host } = record;
  const word = wordOf(record);
  if (PUT_BACK.has(failed)) return { is: "queued", why: `${word}: it was put back into the queue` };
  const limit = limitOf(record);
  if (limit) return { is: "ended", word, ...limit };
  const failure = FAILURES[failed];
  if (failure) return { is: "ended", word, cause: failure[0], why: failure[1].replaceAll("$host", host) };
  const signal = failed === ASSUMEDLY_AFTER_JOB ? signalNamed(exitStatus - SIGNALLED) : undefined;
  if (signal === "SIGKILL") return { is: "ended", word, cause: "cancelled", why: KILLED, signal, ifNoRecord: true };
  if (signal !== undefined) return { is: "ended", word, cause: "itself", signal };
  return { is: "ended", word, cause: "itself", exitCode: exitStatus };
}

const SIGNALLED = 128;
/** "assumedly after job": a signal ended the script itself. */
const ASSUMEDLY_AFTER_JOB = 100;
const HARD_LIMIT = 37;

const KILLED =
  "It was killed as a whole (SIGKILL): with qdel, or by an administrator, or by a limit of its queue. Grid Engine does not tell which.";

function signalNamed(number: number): string | undefined {
  return Object.entries(os.signals).find(([, one]) => one === number)?.[0];
}

/**
 * A limit that was reached. Grid Engine says so for h_rt of a job (37); a soft one is a signal (USR1, XCPU), and memory a
 * KILL, which is told from others by what was used.
 */
function limitOf(record: Record): { cause: EndCause; why: string; signal?: string } | undefined {
  const { failed, exitStatus, category, wallS, maxVmemB, slots } = record;
  const asked = resourcesOf(category);
  const hardS = timeInS(asked.h_rt ?? "");
  const softS = timeInS(asked.s_rt ?? "");
  const isKilled = failed === ASSUMEDLY_AFTER_JOB && exitStatus === SIGNALLED + os.signals.SIGKILL;
  if (failed === HARD_LIMIT || (isKilled && hardS !== undefined && wallS >= hardS))
    return { cause: "timeout", why: timeSentence("h_rt", hardS) };
  if (exitStatus === SIGNALLED + os.signals.SIGUSR1 && softS !== undefined && wallS >= softS)
    return { cause: "timeout", why: timeSentence("s_rt", softS) };
  const memoryB = memoryInB(asked.h_vmem ?? "");
  if (isKilled && memoryB !== undefined && maxVmemB >= memoryB * slots)
    return {
      cause: "memory",
      why: `It needed more memory than it had asked for (${asked.h_vmem}), and was stopped. Ask for more: #$ -l h_vmem.`,
    };
  return undefined;
}

function timeSentence(limit: string, seconds: number | undefined): string {
  return seconds === undefined
    ? `It reached a time limit of its queue, and Grid Engine stopped it. Ask for more time (#$ -l ${limit}=), or another queue (#$ -q).`
    : `It reached its time limit (${timeText(seconds)}) and Grid Engine stopped it. Ask for more time: #$ -l ${limit}=${timeText(2 * seconds)}.`;
}

/** "-l h_rt=3,h_vmem=500M -pe smp 2" */
function resourcesOf(category: string): { readonly [name: string]: string } {
  const lists = [...category.matchAll(/(?:^| )-l (\S+)/g)].flatMap(([, list = ""]) => list.split(","));
  return Object.fromEntries(lists.map((one) => [one.split("=")[0] ?? "", one.split("=").slice(1).join("=")]));
}

/** As qacct would show it. */
function wordOf({ id, task, failed, exitStatus, wallS, host }: Record): string {
  const which = task > 0 ? `${id}.${task}` : id;
  return `Grid Engine job ${which}: failed ${failed}, exit_status ${exitStatus}, after ${timeText(Math.round(wallS))} on ${host}`;
}
