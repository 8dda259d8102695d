/** Is Slurm there and well? Four versions, three small questions, and nothing is changed. */
import type { Symptom } from "../../src/engine.ts";
import { type Ran, runProgram } from "../run-program.ts";

/** A controller that is down makes Slurm's commands try for longer than anybody waits for a diagnosis. */
const TIMEOUT_MS = 10_000;
/** sdiag(1) of a healthy controller shows milliseconds; users notice what takes longer than this. */
const SLOW_MS = 3000;

/** Without these nothing can be run. */
const NEEDED = ["sbatch", "squeue", "scancel"] as const;

/** Never throws. */
export async function diagnosis(environment: NodeJS.ProcessEnv, uid: number): Promise<readonly Symptom[]> {
  const ask = (program: string, ...args: string[]) => runProgram(program, args, TIMEOUT_MS, environment);
  const commands = await commandsCheck(environment);
  if (commands.level === "error") return [commands];
  const askedAtMs = performance.now();
  const queue = await ask("squeue", "--noheader", `--user=${uid}`, "--format=%T");
  const tookMs = Math.round(performance.now() - askedAtMs);
  const answers = answersSymptom(queue, tookMs);
  if (answers.level === "error") return [commands, answers];
  const [config, accounting] = await Promise.all([
    ask("scontrol", "show", "config"),
    ask("sacct", "--noheader", "--parsable2", "--format=JobID", "--starttime=now", `--user=${uid}`),
  ]);
  const settings = settingsIn(config.stdout);
  const keeps = accountingSymptom(accounting, settings);
  return [commands, answers, keeps, ...limitSymptoms(settings, keeps.level === "ok" && keepsNone(accounting))];
}

/** The first look: are Slurm's commands of use here? The controller is not asked. Never throws. */
export async function commandsCheck(environment: NodeJS.ProcessEnv): Promise<Symptom> {
  const programs = [...NEEDED, "sacct"] as const;
  const versions = await Promise.all(
    programs.map((program) => runProgram(program, ["--version"], TIMEOUT_MS, environment)),
  );
  return commandsSymptom(programs.map((program, at) => [program, versions[at]]));
}

function commandsSymptom(versions: readonly (readonly [string, Ran | undefined])[]): Symptom {
  const about = "Slurm's commands";
  const said = versions.map(([program, ran]) => ({ program, ran, version: versionIn(ran) }));
  const missing = said.filter(({ program, ran }) => ran?.errorCode === "ENOENT" && program !== "sacct");
  if (missing.length > 0)
    return {
      level: "error",
      about,
      says: `${missing.map(({ program }) => program).join(", ")} not found. Put them on the PATH (on some clusters: module load slurm), or run the jobs on this machine: -e LocalEngine`,
    };
  // Of sacct, which one can do without, is told with the accounting.
  const broken = said.find(({ program, version }) => version === undefined && program !== "sacct");
  if (broken)
    return {
      level: "error",
      about,
      says: `${broken.program} --version failed: ${whyOf(broken.ran)}. Does this machine belong to the cluster? SLURM_CONF names its slurm.conf. To run the jobs on this machine: -e LocalEngine`,
    };
  const different = new Set(said.flatMap(({ version }) => version ?? []));
  const list = said.flatMap(({ program, version }) => (version === undefined ? [] : [program])).join(", ");
  if (different.size > 1)
    return {
      level: "warning",
      about,
      says: `they are of different versions (${said.map(({ program, version }) => `${program} ${version ?? "missing"}`).join(", ")}). Look at your PATH: which -a sbatch squeue`,
    };
  return { level: "ok", about, says: `${list}: version ${[...different].join()}` };
}

function versionIn(ran: Ran | undefined): string | undefined {
  return /^slurm(?:-wlm)? (\S+)/m.exec(ran?.stdout ?? "")?.[1];
}

function answersSymptom(ran: Ran, tookMs: number): Symptom {
  const about = "Slurm's answer";
  if (ran.exitCode !== 0)
    return {
      level: "error",
      about,
      says: `squeue failed: ${whyOf(ran)}. Jobs wait until it answers again, and none is lost. Is it down? scontrol ping`,
    };
  const states = ran.stdout.split("\n").filter(Boolean);
  const waiting = states.filter((state) => state === "PENDING").length;
  const jobs = `${states.length} ${states.length === 1 ? "job" : "jobs"} of yours in the queue, ${waiting} of them waiting`;
  if (tookMs > SLOW_MS)
    return {
      level: "warning",
      about,
      says: `squeue took ${(tookMs / 1000).toFixed(1)} s (${jobs}). Ask it less often: --period 180`,
    };
  return { level: "ok", about, says: `in ${tookMs} ms; ${jobs}` };
}

function keepsNone(ran: Ran): boolean {
  return /accounting storage is disabled/i.test(ran.stderr);
}

function accountingSymptom(ran: Ran, settings: ReadonlyMap<string, string>): Symptom {
  const about = "accounting";
  const without = "jobmgr does without; who cancelled a job is then not known";
  if (ran.errorCode === "ENOENT") return { level: "ok", about, says: `there is no sacct here; ${without}` };
  if (keepsNone(ran)) return { level: "ok", about, says: `this cluster keeps none; ${without}` };
  if (ran.exitCode !== 0)
    return {
      level: "warning",
      about,
      says: `sacct failed: ${whyOf(ran)}. Jobs go on; how one ended that vanished is told when it answers again.`,
    };
  return { level: "ok", about, says: `sacct answers (${settings.get("AccountingStorageType") ?? "type not known"})` };
}

/** Below this, a job may be forgotten between two checks. */
const REMEMBERED_S = 60;

function limitSymptoms(settings: ReadonlyMap<string, string>, keepsNoAccounting: boolean): Symptom[] {
  if (settings.size === 0)
    return [{ level: "ok", about: "Slurm's limits", says: "scontrol show config tells nothing here" }];
  const shown = ["MaxJobCount", "MaxArraySize", "MinJobAge"].flatMap((name) => {
    const value = settings.get(name);
    return value === undefined ? [] : [`${name} ${value}`];
  });
  const ageS = Number.parseInt(settings.get("MinJobAge") ?? "", 10);
  const limits: Symptom = { level: "ok", about: "Slurm's limits", says: shown.join(", ") };
  if (!keepsNoAccounting || !(ageS < REMEMBERED_S)) return [limits];
  return [
    limits,
    {
      level: "warning",
      about: "MinJobAge",
      says: `Slurm forgets a job ${ageS} s after its end, and keeps no accounting. Look more often: --period ${Math.max(1, Math.floor(ageS / 2))}`,
    },
  ];
}

/** "MaxJobCount             = 10000" */
function settingsIn(text: string): ReadonlyMap<string, string> {
  return new Map([...text.matchAll(/^(\w+)\s*= (.*?)\s*$/gm)].map(([, name = "", value = ""]) => [name, value]));
}

function whyOf(ran: Ran | undefined): string {
  if (ran?.timedOut) return `no answer in ${TIMEOUT_MS / 1000} s`;
  const line = ran?.stderr.trim().split("\n").at(-1) ?? "";
  return (line || ran?.errorCode || `exit code ${ran?.exitCode}`).replace(/\.$/, "");
}
