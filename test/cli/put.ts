/** Jobs as they lie on disk, with times long ago that do not change how wide a text is. */
import { mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { startOf, thisMachine } from "../../engines/process.ts";
import type { TestRoot } from "../harness.ts";

/** So long ago everything here begins: "40 d", and "972 h" for a minute from now on. */
const BEGIN = Math.floor(Date.now() / 1000) * 1000 - 40.5 * 86_400_000;

/** The time so many seconds after the beginning. */
export function at(seconds: number): string {
  return new Date(BEGIN + seconds * 1000).toISOString();
}

export interface PutAttempt {
  /** Out of force. */
  readonly past?: true;
  readonly engine?: "SlurmEngine" | "LocalEngine";
  /** Of the intent alone. */
  readonly engineVersion?: string;
  readonly engineFrom?: string;
  readonly handle?: string;
  readonly plan?: object;
  /** Seconds after the beginning. */
  readonly planned?: number;
  readonly submitted?: number;
  readonly started?: number;
  readonly ended?: number;
  /** In the runner's record. */
  readonly exit?: number;
  readonly outcome?: object;
  readonly cancel?: string;
  readonly retry?: object;
  /** job_status.json, beside what is always in it. */
  readonly status?: object;
}

/** Puts a job there with these attempts, the oldest first, and these files. */
export function putJob(
  root: TestRoot,
  place: "inbox" | "pending" | "complete",
  name: string,
  attempts: readonly PutAttempt[] = [],
  files: Readonly<Record<string, string>> = {},
): string {
  const folder = join(root.path, place, name);
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of Object.entries({ "job.sh": "true\n", ...files })) {
    mkdirSync(join(folder, file, ".."), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  attempts.forEach((attempt, i) => {
    putAttempt(folder, i + 1, attempt);
  });
  return folder;
}

/** That of the n-th attempt. */
export function tokenOf(number: number): string {
  return `2026010${number}T000000-00000000000${number}`;
}

function putAttempt(folder: string, number: number, attempt: PutAttempt): void {
  const token = tokenOf(number);
  const records = join(folder, ".jobmgr", `${attempt.past ? "past" : "attempt"}-${token}`);
  mkdirSync(records, { recursive: true });
  const record = (name: string, value: object) =>
    writeFileSync(join(records, name), JSON.stringify({ jobmgr: 1, record: name, ...value }));
  const { engineVersion, engineFrom } = attempt;
  const { engine = "SlurmEngine", planned = 0, submitted, handle = "4711", cancel, outcome } = attempt;
  const plan = {
    jobName: "a",
    tasks: [],
    outputs: ["slurm-%j.out"],
    ignored: [],
    limitS: 0,
    args: [],
    ...attempt.plan,
  };
  const command = `sbatch --parsable /root/pending/a/.jobmgr/attempt-${token}/run.sh`;
  record("intent", {
    token,
    engine,
    engineVersion,
    engineFrom,
    plan,
    madeOn: {},
    script: "",
    at: at(planned),
    command,
  });
  if (submitted !== undefined) record("handle", { handle, at: at(submitted) });
  if (cancel !== undefined) record("cancel", { reason: cancel, at: at(60) });
  if (attempt.retry)
    record("retry", {
      scale: {},
      ends: [],
      raised: [],
      waitS: 60,
      ino: statSync(folder).ino,
      at: at(60),
      ...attempt.retry,
    });
  const runner = (name: string, text: string, seconds: number) => {
    writeFileSync(join(records, name), text);
    const time = (BEGIN + seconds * 1000) / 1000;
    utimesSync(join(records, name), time, time);
  };
  const { started, ended, exit } = attempt;
  if (started !== undefined) runner("started", `jobmgr-started 1 ${token} node7 boot 7 8 ${handle}@c 0 end\n`, started);
  if (exit !== undefined) runner("exit", `jobmgr-exit 1 ${token} ${exit} node7 end\n`, ended ?? 0);
  const times = {
    ...(started !== undefined && { startedAt: at(started) }),
    ...(ended !== undefined && { endedAt: at(ended) }),
  };
  if (outcome) record("outcome", { outcome, at: at(ended ?? 0), ...times });
  const told = {
    schema: 1,
    engine,
    token,
    plannedAt: at(planned),
    ...(submitted !== undefined && { id: handle, submittedAt: at(submitted) }),
    ...times,
    ...(outcome && { state: (outcome as { is: string }).is, ...outcome }),
    ...attempt.status,
  };
  if (!attempt.past) writeFileSync(join(folder, "job_status.json"), JSON.stringify(told));
}

/** What a manager leaves. With `lives`, this very process is the manager. */
export function putManager(root: TestRoot, word: object, lives: boolean): void {
  const own = join(root.path, ".jobmgr");
  const all = { schema: 1, engine: "SlurmEngine", at: new Date().toISOString(), problems: {}, reasons: {}, ...word };
  writeFileSync(join(own, "manager.json"), JSON.stringify(all));
  if (!lives) return;
  mkdirSync(join(own, "lock"));
  const { pid } = process;
  const owner = { uuid: "u", pid, start: startOf(pid), user: "ada", since: at(0), ...thisMachine(), host: hostname() };
  writeFileSync(join(own, "lock/owner.json"), JSON.stringify(owner));
  writeFileSync(join(own, "lock/heartbeat"), "");
}

/** What is left to differ from run to run, beside what a transcript takes out. */
export function calm(text: string): string {
  return text
    .replaceAll(/\b(\d{4}-)?\d\d-\d\d CLOCK/g, "DATE CLOCK")
    .replaceAll(/N s {2,}/g, "N s  ")
    .replaceAll(/[ \t]+$/gm, "");
}

export const FAILED = { is: "failed", why: "Exit code 3.", exitCode: 3, engineWord: "Slurm job 4711: FAILED" } as const;
