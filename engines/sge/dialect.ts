/** Grid Engine in the words of BatchEngine. Pure. */
import type { Attempt } from "../../src/engine.ts";
import type { Dialect } from "../batch/dialect.ts";
import { accountingQuestion, accountingRows } from "./accounting.ts";
import { firstLine, idIn, verdictOf } from "./answers.ts";
import { checkEngineArgs, placeArgs, planOf } from "./plan.ts";
import { detailsIn, detailsQuestion, leftQuestion, queueQuestion, queueRows } from "./queue.ts";
import { remarksOn } from "./remarks.ts";

/** What a job would pass on to a job that its own manager submits with -V; and this program's own surroundings. */
const FOREIGN =
  /^(SGE_|PE_|NODE_|npm_|JOBMGR_)|^(JOB_ID|JOB_NAME|JOB_SCRIPT|REQUEST|REQNAME|RESTARTED|NHOSTS|NQUEUES|NSLOTS|QUEUE|ARC|TMPDIR|PE|ENVIRONMENT)$/;
/** By these the commands find their master. */
const KEPT = new Set("SGE_ROOT SGE_CELL SGE_ARCH SGE_QMASTER_PORT SGE_EXECD_PORT SGE_CLUSTER_NAME SGE_ND".split(" "));

/** How long an end may take to stand in the accounting: flush_time is 15 s by default (sge_conf(5), reporting_params). */
const LAG_MS = 20_000;

/**
 * The arguments of qsub. The user's own directives stand in the runner; what is said here is what makes a job one of
 * jobmgr's: its folder, its shell, and that one id comes back at once, whatever the site's defaults (sge_request(5)) say.
 * It stands behind --engine-arg, for the last one of an option counts, and -clear forgets all before it.
 */
function submitArgs({ folder, plan, runner, after }: Attempt, last: readonly string[] = []): string[] {
  const waits = (after ?? []).map(({ handle }) => handle);
  return [
    ...plan.args,
    ...["-terse", "-b", "n", "-sync", "n", "-now", "n", "-S", plan.shell],
    ...(waits.length > 0 ? ["-hold_jid", waits.join(",")] : []),
    ...placeArgs({ folder }),
    ...last,
    runner,
  ];
}

export const sgeDialect: Dialect = {
  engine: "SgeEngine",
  scheduler: "Grid Engine",
  submitter: "qsub",
  // A job is on the master's disk before qsub has its answer.
  savedMs: 0,
  // For whoever looks at it (sge_conf(5), FORBID_APPERROR).
  keepsAfter: 100,

  plan: planOf,
  checkEngineArgs,
  remarks: ({ text }) => remarksOn(text),
  environment: (env) =>
    Object.fromEntries(
      // A job's own TMPDIR goes with that job.
      Object.entries(env).filter(
        ([name]) => KEPT.has(name) || !FOREIGN.test(name) || (name === "TMPDIR" && !env.JOB_ID),
      ),
    ),

  submitArgs: (attempt) => submitArgs(attempt),
  idIn,
  verdictOf,
  firstLine,
  checkQuestion: (attempt) => ({ program: "qsub", args: submitArgs(attempt, ["-w", "v"]) }),
  checkFault: (said) => (said.exitCode === 0 ? undefined : said),

  queueQuestion,
  queueRows: ({ stdout }) => queueRows(stdout),
  detailsQuestion,
  details: ({ stdout }) => detailsIn(stdout),
  history: {
    question: ({ ids, sinceMs }) => accountingQuestion(ids, sinceMs),
    rows: accountingRows,
    lagMs: LAG_MS,
  },
  leftQuestion,

  cancelQuestion: (ids) => ({ program: "qdel", args: [...ids] }),
  isCancelled: ({ exitCode, stdout, stderr }) => {
    const lines = `${stdout}\n${stderr}`.split("\n").filter(Boolean);
    return exitCode === 0 || (lines.length > 0 && lines.every((line) => DELETED.test(line)));
  },

  idOfClaim: (job) => (/^\d+$/.test(job) ? job : undefined),
};

/** What qdel says of jobs that it deletes, or that have ended. */
const DELETED =
  /has (?:registered|deleted) (?:the )?(?:job|task|job-array)|does not exist|is already in deletion|do(?:es)? not exist/i;
