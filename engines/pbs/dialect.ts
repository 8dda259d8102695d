/** What PBS is to BatchEngine: its commands and how they are read. Tables and functions of text; nothing is run here. */
import type { Attempt, Dependency } from "../../src/engine.ts";
import { quoted } from "../../src/runner.ts";
import type { Row as BatchRow, Details, Dialect, Said } from "../batch/dialect.ts";
import { FIXED_OUTPUT, inFull } from "../sbatch-output.ts";
import { idIn, verdictOf } from "./answers.ts";
import type { Flavour } from "./flavour.ts";
import {
  absencesIn,
  argumentsOf,
  folderIn,
  hasNoHistory,
  isArray,
  nameOf,
  numberOf,
  parseJson,
  parseText,
  type Row,
  taskOf,
  tokenIn,
} from "./listing.ts";
import { checkEngineArgs, idOfClaim, planOf } from "./plan.ts";
import { remarksOn } from "./remarks.ts";
import { pbsOptions, prefixOf } from "./script.ts";
import { endsOf, livingNews } from "./states.ts";

/** What a job, or this program's own surroundings, would pass on to a job that knows nothing of them. */
const FOREIGN = /^(PBS|SLURM|SBATCH|SRUN|SALLOC|PMI\w*?)_|^(NODE_|npm_|JOBMGR_)/;
/** What tells PBS' commands where they are. */
const KEPT = new Set(["PBS_CONF_FILE", "PBS_DEFAULT", "PBS_DPREFIX", "PBS_EXEC", "PBS_SERVER", "SLURM_CONF"]);

/** The way from a job's folder, where qsub is called, to its runner: no sign in it means anything to a shell. */
export function runnerFromFolder({ token }: Attempt): string {
  return `.jobmgr/attempt-${token}/run.sh`;
}

/** Job names of Slurm may have 1,024 signs. */
const NAME_LENGTH_MAX = 1000;

/**
 * Slurm's qsub puts its words into a line for a shell, and Slurm's qstat shows no path, but the name: so the name holds the
 * token and the folder, and nothing else that is handed over depends on how a folder is called.
 */
function slurmArgs(attempt: Attempt): string[] {
  const { folder, plan, token } = attempt;
  const name = `${plan.jobName}.${token}.${Buffer.from(folder).toString("base64url")}`;
  const at = /[%\\]/.test(folder) ? `${quoted(inFull(folder))}/` : "";
  // Nothing in a name can be replaced there.
  const output = (letter: string) => (folder.includes("\\") ? FIXED_OUTPUT : `${plan.jobName}.${letter}%A`);
  const isJoined = plan.outputs.length === 1 && plan.outputs[0] !== FIXED_OUTPUT;
  return [
    ...["-N", name.slice(0, NAME_LENGTH_MAX), "-o", `${at}${output("o")}`],
    ...(isJoined ? ["-j", "oe"] : ["-e", `${at}${output("e")}`]),
  ];
}

/** "afterok:1:2,afterany:3" (qsub(1B), -W depend); Torque has other words for arrays. */
function dependList(after: readonly Dependency[], flavour: Flavour): string {
  const kinds = new Map<string, string[]>();
  for (const { handle, needs } of after) {
    const word = needs === "success" ? "afterok" : "afterany";
    const kind = flavour === "torque" && handle.endsWith("[]") ? `${word}array` : word;
    kinds.set(kind, [...(kinds.get(kind) ?? []), handle]);
  }
  return [...kinds].map(([kind, ids]) => [kind, ...ids].join(":")).join(",");
}

function submitArgs(flavour: Flavour, attempt: Attempt): string[] {
  const { plan, after = [] } = attempt;
  const waits = dependList(after, flavour);
  return [
    ...(flavour === "slurm" ? [] : ["-N", plan.jobName]),
    ...plan.args,
    // Behind what the user says (--engine-arg): by these it is found again, and of two the last one holds.
    ...(flavour === "slurm" ? slurmArgs(attempt) : []),
    ...(waits === "" ? [] : ["-W", `depend=${waits}`]),
    runnerFromFolder(attempt),
  ];
}

/** As a handle is spelled: the number, with "[]" for an array. The server's name may be long here and short there. */
function handleOf(shownId: string): string {
  return `${numberOf(shownId)}${isArray(shownId) ? "[]" : ""}`;
}

/** One job as BatchEngine wants it, or one task of an array. */
function batchRow(row: Row, flavour: Flavour): BatchRow {
  const token = tokenIn(row);
  const folder = folderIn(row);
  // Slurm's qstat tells of every job what it is called, and of none its arguments.
  const isTold = token !== undefined || flavour === "slurm" || argumentsOf(row) !== "";
  const task = taskOf(row.shownId);
  const living = livingNews([row], flavour);
  const end = endsOf([row], flavour).get(task) ?? { word: "gone" };
  const name = nameOf(row);
  return {
    id: handleOf(row.shownId),
    ...(task !== undefined && { task }),
    news:
      living === undefined || living.is === "ended" || living.is === "ending" || living.is === "missing"
        ? { is: "ended", ...end }
        : living,
    ...(isTold && { runner: token === undefined ? "" : `${folder ?? "?"}/.jobmgr/attempt-${token}/run.sh` }),
    ...(name !== undefined && { name }),
    ...(row.facts.get("job_state") === "E" && { isEnding: true }),
  };
}

/** How a question for jobs is asked and its answer read, for as long as one manager lives. */
class Listing {
  readonly #flavour: Flavour;
  /** OpenPBS' JSON is asked for until it is found wanting (see listing.ts). */
  #isJson: boolean;
  #asked: readonly string[] = [];
  /** Jobs of this user that are none of ours: what they are need not be asked again. */
  #strangers = new Set<string>();

  constructor(flavour: Flavour) {
    this.#flavour = flavour;
    this.#isJson = flavour === "openpbs";
  }

  /** What is in the queue, by its ids. What ours are is asked anew each time, for the version is another. */
  queueRows(stdout: string): BatchRow[] {
    const ids = [...new Set(idsIn(stdout).map(handleOf))];
    this.#strangers = new Set(ids.filter((id) => this.#strangers.has(id)));
    const now = String(performance.now());
    const news = { is: "unknown", word: "in the queue" } as const;
    return ids.map((id) => ({ id, news, version: this.#strangers.has(id) ? "stranger" : now }));
  }

  details(said: Said): ReadonlyMap<string, Details> | undefined {
    const rows = this.rows(said);
    for (const row of rows ?? []) if (row.runner === "") this.#strangers.add(row.id);
    return rows && new Map(rows.map((row) => [row.id, { runner: row.runner ?? "", row }]));
  }

  args(ids: readonly string[], withHistory: boolean): string[] {
    this.#asked = ids;
    return [...(withHistory ? ["-x"] : []), "-f", ...(this.#isJson ? ["-F", "json"] : []), ...ids];
  }

  /** undefined for an answer that is not whole; as text it is asked for the next time. */
  rows({ stdout, stderr, exitCode }: Said): readonly BatchRow[] | undefined {
    const rows = this.#isJson && stdout.trim() !== "" ? parseJson(stdout) : parseText(stdout);
    const there = new Set(rows?.map((row) => numberOf(row.shownId)));
    const absent = absencesIn(stderr);
    // Slurm's qstat does not name what it does not know.
    const isSilent = this.#flavour === "slurm" && stderr === "" && (exitCode === 0 || exitCode === UNKNOWN_JOB);
    const isWhole = isSilent || this.#asked.every((id) => there.has(numberOf(id)) || absent.has(numberOf(id)));
    if (rows && isWhole) return rows.map((row) => batchRow(row, this.#flavour));
    this.#isJson = false;
    return undefined;
  }
}

/** PBSE_UNKJOBID (15001), as far as it fits an exit code. */
const UNKNOWN_JOB = 153;

/** The ids of all jobs of a user: one a line (qselect), or behind a header (Slurm's qstat -u). */
function idsIn(stdout: string): string[] {
  return stdout.split("\n").flatMap((line) => /^(\d+(?:\[\d*\])?)(?:[.\s]|$)/.exec(line)?.[1] ?? []);
}

/** What qdel says of jobs that are over, or will be at once: of OpenPBS and of Torque. */
const IS_OVER =
  /Unknown (?:Job|Array) Id|Job has finished|Request invalid for state of job|invalid state for job|already in (?:exit state|progress)|Delete already in progress|nonexistent job id/i;

function isCancelled({ exitCode, stdout, stderr }: Said): boolean {
  const lines = `${stdout}\n${stderr}`.split("\n").filter((line) => line.trim() !== "");
  return exitCode === 0 || (exitCode !== undefined && lines.every((line) => IS_OVER.test(line)));
}

/** The line that says it: of what Slurm's qsub quotes, sbatch's own last one. */
function firstLine({ stdout, stderr }: Said): string {
  const lines = `${stderr}\n${stdout}`.split("\n").map((line) => line.trim());
  const quotedError = lines.filter((line) => /^'?sbatch: error: /.test(line)).at(-1);
  const line = quotedError ?? lines.find((one) => one !== "") ?? "";
  const plain = line.replace(/^'?(?:qsub|sbatch): (?:error: )?/, "").replace(/'$/, "");
  return /^submit error \((.*)\)$/.exec(plain)?.[1] ?? plain;
}

/** The queue that a job is sent to; undefined for the default. */
function queueOf({ plan }: Attempt, environment: NodeJS.ProcessEnv): string | undefined {
  return pbsOptions(plan.directives, plan.args, prefixOf(plan.args, environment)).values.q;
}

/** The table for one kind of PBS. */
export function pbsDialect(flavour: Flavour, environment: NodeJS.ProcessEnv): Dialect {
  const listing = new Listing(flavour);
  return {
    engine: "PbsEngine",
    scheduler: "PBS",
    submitter: "qsub",
    plan: (script, means, scale) => planOf(script, { flavour, environment, ...means }, scale),
    checkEngineArgs: (engineArgs) => checkEngineArgs(engineArgs, flavour),
    remarks: (script) => remarksOn(script.text, flavour, environment),
    environment: (env) =>
      Object.fromEntries(Object.entries(env).filter(([name]) => KEPT.has(name) || !FOREIGN.test(name))),
    submitArgs: (attempt) => submitArgs(flavour, attempt),
    idIn: ({ stdout }) => {
      const id = idIn(stdout);
      return id === undefined ? undefined : handleOf(id);
    },
    verdictOf: (said) => verdictOf({ exitCode: undefined, ...said }),
    firstLine,
    checkQuestion: (attempt) => {
      const queue = queueOf(attempt, environment);
      return { program: "qstat", args: ["-Q", ...(queue === undefined ? [] : [queue])] };
    },
    checkFault: (said) => {
      if (said.exitCode === 0) return undefined;
      const isMute = said.exitCode !== undefined && `${said.stdout}${said.stderr}`.trim() === "";
      return isMute ? { ...said, stderr: "qstat: Unknown queue" } : said;
    },
    queueQuestion: (user) =>
      flavour === "slurm" ? { program: "qstat", args: ["-u", user] } : { program: "qselect", args: ["-u", user] },
    queueRows: ({ stdout }) => listing.queueRows(stdout),
    detailsQuestion: (ids) => ({ program: "qstat", args: listing.args(ids, false) }),
    details: (said) => listing.details(said),
    ...(flavour === "openpbs" && {
      history: {
        // All of a user would be all of two weeks.
        question: ({ ids }) =>
          ids && ids.length > 0 ? { program: "qstat", args: listing.args(ids, true) } : undefined,
        rows: (said) => (hasNoHistory(said.stderr) ? "absent" : (listing.rows(said) ?? "down")),
        tellsOfLiving: true,
        lagMs: 5000,
      },
    }),
    cancelQuestion: (ids) => ({ program: "qdel", args: [...ids] }),
    isCancelled,
    idOfClaim,
  };
}
