/**
 * What a finished qsub said: the id, or what kind of "no" it was. Pure. The texts are what qsub of Grid Engine 8.1.9
 * printed when it was made to, and those in its message catalogue (msg_sgeobjlib.h, msg_qmaster.h, msg_gdilib.h).
 */
import { type Answer, firstOf, isNotStarted, type Said, type VerdictRow } from "../batch/verdicts.ts";

const TERSE = /^([1-9]\d*)(?:\.\d+-\d+:\d+)?$/;
const SENTENCE = /Your job(?:-array)? ([1-9]\d*)(?:\.\d+-\d+:\d+)? \("[^\n]*"\) has been submitted/;

/**
 * The id, of a whole line of `qsub -terse`, or in its long sentence: with a warning qsub says "Unable to run job: warning:
 * ... Your job 1 ("a") has been submitted", and ends with 1 though the job is there. Two are as good as none.
 */
export function idIn({ stdout, stderr }: Pick<Said, "stdout" | "stderr">): string | undefined {
  const lines = stdout.split("\n").slice(0, -1);
  const found = new Set(lines.flatMap((line) => TERSE.exec(line.trim())?.[1] ?? []));
  const said = SENTENCE.exec(`${stdout}\n${stderr}`)?.[1];
  if (said !== undefined) found.add(said);
  return found.size === 1 ? [...found][0] : undefined;
}

const UNREACHABLE = "Grid Engine's master is out of reach; nothing was submitted.";
const UNSURE = "The answer of Grid Engine was lost, so that it may have been submitted.";
const SETTINGS =
  "This machine is not set up for Grid Engine; nothing was submitted. SGE_ROOT and SGE_CELL name the installation (on many clusters: . SGE_ROOT/default/common/settings.sh).";
const NOT_INSTALLED = "qsub cannot be started on this machine; is a module not loaded?";
const FULL = "As many jobs wait and run as this cluster allows; it is submitted when others have ended.";

/** The first that fits decides. */
const TABLE: readonly VerdictRow[] = [
  // Of the master's own name it says "can't resolve host name".
  [
    /can't resolve hostname "?([^\s"]*)"?/i,
    "refused",
    'It names a machine, $1, that is not known here: by #$ -l hostname, or before a ":" in #$ -o, -e, -i or -S. Change that.',
  ],
  // It was sent, and nothing came back.
  [
    /failed receiving gdi request|got (?:read|receive) error|got no response|connection closed|Error reading answer list/i,
    "ambiguous",
    UNSURE,
  ],
  [
    /got select error \((?:Connection refused|No route to host|Network is unreachable|Connection timed out)\)/i,
    "unavailable",
    UNREACHABLE,
  ],
  [
    /can't (?:find|open) connection|can't resolve host name|unable to contact qmaster|qmaster (?:is )?not (?:running|reachable)|endpoint is not unique|access denied/i,
    "unavailable",
    UNREACHABLE,
  ],
  [/unable to send message to qmaster|gdi request|commlib error/i, "ambiguous", UNSURE],
  [/Unable to initialize environment|SGE_ROOT|cell directory|act_qmaster/i, "unavailable", SETTINGS],
  [
    /denied: host "?([^\s"]*)"? is (?:no|not a) submit host/i,
    "unavailable",
    "No jobs can be submitted from this machine ($1). Run jobmgr on a submit host; `qconf -ss` lists them.",
  ],
  [
    /error while loading shared libraries|Exec format error|qsub: (?:command not found|not found|Permission denied)/,
    "unavailable",
    NOT_INSTALLED,
  ],
  [
    /only \d+ jobs are allowed per user|max_u_jobs/i,
    "full",
    "You have as many jobs as this cluster allows each user (max_u_jobs); it is submitted when others have ended. Each task of an array counts for one.",
  ],
  [/only \d+ (?:active )?jobs|max_jobs|too many jobs|try again later|drop:/i, "full", FULL],
  [
    /exceeds? (?:job )?limit|resource quota/i,
    "full",
    "A quota of this cluster is reached; it is submitted later. `qquota` shows yours.",
  ],
  [
    /requests unknown queue "?([^\s"]+)"?/i,
    "refused",
    "There is no queue $1. `qconf -sql` lists those there are; change #$ -q.",
  ],
  [
    /unknown resource "?([^\s"]+)"?/i,
    "refused",
    "This cluster knows no resource $1. `qconf -sc` lists those there are; change #$ -l.",
  ],
  [
    /parallel environment "?([^\s"]+)"? does not exist/i,
    "refused",
    "There is no parallel environment $1. `qconf -spl` lists those there are; change #$ -pe.",
  ],
  [
    /project "?([^\s"]+)"? does not exist|job rejected: .*project/i,
    "refused",
    "The project is not known, or not yours. `qconf -sprjl` lists those there are; change #$ -P.",
  ],
  [
    /checkpointing environment "?([^\s"]+)"? does not exist/i,
    "refused",
    "There is no checkpointing environment $1. `qconf -sckptl` lists those there are; change #$ -ckpt.",
  ],
  [
    /attribute "?([^\s"]+)"? is not a (memory|time) value/i,
    "refused",
    "The value of $1 cannot be read. Times are 3600 or 1:0:0, sizes 500M or 4G; change #$ -l $1.",
  ],
  [/attribute "?([^\s"]+)"? is not/i, "refused", "The value of $1 cannot be read; change #$ -l $1."],
  [
    /no suitable queues|cannot run (?:in|on|at)/i,
    "refused",
    "No queue can run what it asks for. `qstat -F` shows what queues have; change #$ -l, -pe or -q.",
  ],
  [/invalid task id|more than \d+ tasks|-t option/i, "refused", "Its tasks are not possible; change #$ -t."],
  [
    /is not a valid object name|not allowed in objectname|argument to -N option/i,
    "refused",
    "Its name is not possible: no digit first, and no / : @ * \\ in it. Change #$ -N, or job_name.txt.",
  ],
  [
    /-(\w+) option must have argument/i,
    "refused",
    "The option -$1 needs a value, in the same line. Change the #$ line.",
  ],
  [
    /invalid option argument "?([^\s"]+)"?/i,
    "refused",
    "qsub does not know the option $1. Correct or remove it in the #$ lines.",
  ],
  [/Unknown option/i, "refused", "A #$ line holds a word that is no option. `jobmgr check` shows which."],
  [/Unable to read script file because of error:/i, "refused", "qsub cannot read one of its #$ lines. Change that."],
  [
    /(?:user|owner) .*(?:not allowed|no access|has no permission)|job rejected: .*access|denied: .*(?:permission|not allowed)/i,
    "refused",
    "You may not use what it asks for.",
  ],
  [
    /invalid (?:priority|format|.*specif)|Wrong date|Wrong .* format/i,
    "refused",
    "The value of an option cannot be read. Change the #$ line.",
  ],
  [/job rejected|Job was rejected|denied:/i, "refused", "Grid Engine does not take it as it is."],
  [
    /warning:.*not allowed to run in any queue/is,
    "refused",
    "You may run jobs in no queue of this cluster. Ask who runs it.",
  ],
];

/** What kind of "no" it was. */
export function verdictOf(said: Said): Answer {
  if (isNotStarted(said)) return { verdict: "unavailable", remedy: NOT_INSTALLED };
  const { exitCode } = said;
  if (!exitCode || exitCode >= 128) return { verdict: "ambiguous", remedy: UNSURE };
  return firstOf(TABLE, `${said.stderr}\n${said.stdout}`) ?? { verdict: "unknown" };
}

/** "Unable to run job: unknown resource "x"" without what is said each time. */
export function firstLine({ stdout, stderr }: Said): string {
  const lines = `${stderr}\n${stdout}`
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && line !== "Exiting." && !/^\d+$/.test(line));
  const line = lines.find((one) => one.startsWith("Unable to")) ?? lines[0] ?? "";
  return line.replace(/^(?:Unable to run job: |Unable to read script file because of error: |qsub: |error: )+/, "");
}
