/** Is Grid Engine there and well? A few small questions, and nothing is changed. */
import type { Symptom } from "../../src/engine.ts";
import { type Ran, runProgram } from "../run-program.ts";
import { accountingQuestion, accountingRows, hasNoFile } from "./accounting.ts";
import { queueQuestion, queueRows } from "./queue.ts";

/** qstat of a master that is down gives up at once; of one that hangs, never. */
const TIMEOUT_MS = 10_000;
/** Users notice what takes longer than this. */
const SLOW_MS = 3000;

const NEEDED = ["qsub", "qstat", "qdel"] as const;

/** Never throws. */
export async function diagnosis(environment: NodeJS.ProcessEnv, user: string): Promise<readonly Symptom[]> {
  const ask = (program: string, args: readonly string[]) => runProgram(program, args, TIMEOUT_MS, environment);
  const helps = await Promise.all(NEEDED.map((program) => ask(program, ["-help"])));
  const commands = commandsSymptom(helps);
  if (commands.level === "error") return [commands];
  const askedAtMs = performance.now();
  const question = queueQuestion(user);
  const answers = answersSymptom(await ask(question.program, question.args), Math.round(performance.now() - askedAtMs));
  if (answers.level === "error") return [commands, answers];
  const accounting = accountingQuestion(["0"], Date.now());
  const kept = accounting && [accountingSymptom(await ask(accounting.program, accounting.args))];
  const hosts = await ask("qconf", ["-ss"]);
  return [commands, answers, ...(kept ?? []), ...hostSymptoms(hosts)];
}

function commandsSymptom(helps: readonly Ran[]): Symptom {
  const about = "Grid Engine's commands";
  const missing = NEEDED.filter((_, at) => helps[at]?.errorCode === "ENOENT");
  if (missing.length > 0)
    return {
      level: "error",
      about,
      says: `${missing.join(", ")} not found. Put them on the PATH (on some clusters: . SGE_ROOT/default/common/settings.sh), or run the jobs on this machine: -e LocalEngine`,
    };
  const [version = ""] = helps[0]?.stdout.split("\n") ?? [];
  if (!/^\S*(?:GE|UGE|OGS|SGE|OCS)\b/i.test(version))
    return {
      level: "error",
      about,
      says: `qsub does not say that it is Grid Engine's (${version.trim() || "it says nothing"}); there are others of that name: -e PbsEngine`,
    };
  return { level: "ok", about, says: `${NEEDED.join(", ")} of ${version.trim()}` };
}

function answersSymptom(ran: Ran, tookMs: number): Symptom {
  const about = "the master";
  if (ran.exitCode !== 0 || queueRows(ran.stdout) === undefined) {
    const why = ran.timedOut ? `no answer in ${TIMEOUT_MS / 1000} s` : (ran.stderr.trim().split("\n")[0] ?? "");
    return {
      level: "error",
      about,
      says: `qstat failed: ${why || "it gave no whole answer"}. Jobs wait until it answers. SGE_ROOT, SGE_CELL and SGE_QMASTER_PORT say where it is.`,
    };
  }
  if (tookMs > SLOW_MS)
    return {
      level: "warning",
      about,
      says: `answers, but took ${(tookMs / 1000).toFixed(1)} s. Ask it less often: -p 300`,
    };
  return { level: "ok", about, says: `answers in ${tookMs} ms` };
}

function accountingSymptom(said: Ran): Symptom {
  const about = "accounting";
  const file = "SGE_ROOT/SGE_CELL/common/accounting";
  const unknown = "why a job was killed will not be known";
  if (typeof accountingRows(said) === "string")
    return { level: "warning", about, says: `its file (${file}) cannot be read on this machine: ${unknown}` };
  if (hasNoFile(said))
    return { level: "warning", about, says: `there is no file ${file} yet; if none is kept, ${unknown}` };
  return { level: "ok", about, says: "can be read, and tells why jobs are killed" };
}

/** Only a guess: names of one machine differ. */
function hostSymptoms(hosts: Ran): Symptom[] {
  if (hosts.exitCode !== 0) return [];
  const isAny = hosts.stdout.trim() !== "";
  return isAny
    ? []
    : [{ level: "warning", about: "submit hosts", says: "there are none; `qconf -as HOST` makes this machine one" }];
}
