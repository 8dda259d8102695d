/** Is PBS there and well? Three small questions, and nothing is changed. */
import { accessSync, constants } from "node:fs";
import { userInfo } from "node:os";
import { delimiter, join } from "node:path";
import type { Symptom } from "../../src/engine.ts";
import { type Ran, runProgram } from "../run-program.ts";
import type { Flavour } from "./flavour.ts";
import { hasNoHistory } from "./listing.ts";

/** Commands of a server that is down try for longer than anybody waits for a diagnosis. */
const TIMEOUT_MS = 10_000;
/** Users notice what takes longer than this. */
const SLOW_MS = 3000;

const NAMES: Readonly<Record<Flavour, string>> = {
  openpbs: "OpenPBS, or PBS Professional",
  torque: "Torque",
  slurm: "Slurm's own commands of PBS' names; SlurmEngine knows more of its jobs: -e SlurmEngine",
};

/** Never throws. */
export async function diagnosis(environment: NodeJS.ProcessEnv, flavour: Flavour): Promise<readonly Symptom[]> {
  const ask = (program: string, ...args: string[]) => runProgram(program, args, TIMEOUT_MS, environment);
  const needed = ["qsub", "qstat", "qdel", ...(flavour === "slurm" ? [] : ["qselect"])];
  const missing = needed.filter((program) => !isOnPath(program, environment.PATH ?? ""));
  const about = "PBS' commands";
  if (missing.length > 0)
    return [
      {
        level: "error",
        about,
        says: `${missing.join(", ")} not found. Put them on the PATH (on some clusters: module load pbs), or run the jobs on this machine: -e LocalEngine`,
      },
    ];
  const commands: Symptom = { level: "ok", about, says: `${needed.join(", ")}: ${NAMES[flavour]}` };
  const askedAtMs = performance.now();
  const queues = await ask("qstat", "-Q");
  const tookMs = Math.round(performance.now() - askedAtMs);
  const answers = answersSymptom(queues, tookMs);
  if (answers.level === "error") return [commands, answers];
  const jobs = flavour === "slurm" ? [] : [jobsSymptom(await ask("qselect", "-u", userInfo().username))];
  const history = flavour === "openpbs" ? [historySymptom(await ask("qstat", "-x", "0"))] : [];
  return [commands, answers, ...jobs, ...history];
}

/** Looked for, not run: there are sites where qsub is a script of their own that takes whatever it is told. */
function isOnPath(program: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function answersSymptom(ran: Ran, tookMs: number): Symptom {
  const about = "PBS' answer";
  if (ran.exitCode !== 0)
    return {
      level: "error",
      about,
      says: `qstat -Q failed: ${whyOf(ran)}. Jobs wait until it answers again, and none is lost. PBS_SERVER, or PBS_DEFAULT, names the server.`,
    };
  if (tookMs <= SLOW_MS) return { level: "ok", about, says: `in ${tookMs} ms` };
  return {
    level: "warning",
    about,
    says: `qstat -Q took ${(tookMs / 1000).toFixed(1)} s. Ask it less often: --period 180`,
  };
}

function jobsSymptom(ran: Ran): Symptom {
  const about = "the queue";
  if (ran.exitCode !== 0)
    return { level: "error", about, says: `qselect failed: ${whyOf(ran)}. Without it no job is found again.` };
  const count = ran.stdout.split("\n").filter(Boolean).length;
  return { level: "ok", about, says: `${count} ${count === 1 ? "job" : "jobs"} of yours` };
}

function historySymptom(ran: Ran): Symptom {
  const about = "the history";
  if (!hasNoHistory(ran.stderr)) return { level: "ok", about, says: "ended jobs are kept (qstat -x)" };
  const says =
    "this server keeps none; jobmgr does without. How a job ended that left no exit code, or who cancelled it, is then not known";
  return { level: "ok", about, says };
}

function whyOf(ran: Ran): string {
  if (ran.timedOut) return `no answer in ${TIMEOUT_MS / 1000} s`;
  const line = (ran.stderr.trim() || ran.stdout.trim()).split("\n").at(-1) ?? "";
  return (line || ran.errorCode || `exit code ${ran.exitCode}`).replace(/\.$/, "");
}
