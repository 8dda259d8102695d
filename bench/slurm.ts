/**
 * Slurm: how fast folders are submitted, how long many trivial jobs take, and what a check costs with many jobs in the
 * queue. Each part has a private cluster of its own (test/slurm/cluster.ts), so that none meets what another left.
 *
 * What Slurm itself costs, some 30 ms of processor time a job, is in both sides of each ratio.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Cluster, type ClusterOptions, missingSlurm, startCluster } from "../test/slurm/cluster.ts";
import {
  addJob,
  type Cost,
  checkMs,
  cleanEnvironment,
  costOf,
  cpuMsOf,
  figure,
  hasMemoryDisk,
  lastCheck,
  makeFolder,
  makeRoot,
  manage,
  median,
  PROGRAM,
  type Row,
  type Running,
  ratio,
  say,
  sleep,
  treeCpuMs,
  type Where,
  waitUntil,
} from "./measure.ts";

const HELD = "#!/bin/bash\n#SBATCH --hold\necho hello\n";
/** Waits for a reason that heals: a held job would be told of as one that does not. */
const LATER = "#!/bin/bash\n#SBATCH --begin=now+30days\necho hello\n";
const HELLO = "#!/bin/bash\necho hello\n";

/** As many as there are to be: the limits of jobmgr are not what is measured here. */
const ALL = ["-M", "100000", "-m", "100000", "--settle", "0"] as const;

async function onCluster<T>(options: ClusterOptions, work: (cluster: Cluster) => Promise<T>): Promise<T> {
  // A cluster does not keep the program that started it alive.
  const alive = setInterval(() => {}, 60_000);
  try {
    const cluster = await startCluster(options);
    try {
      return await work(cluster);
    } finally {
      await cluster.stop();
    }
  } finally {
    clearInterval(alive);
  }
}

function nameOf(at: number): string {
  return `job-${String(at).padStart(6, "0")}`;
}

function addJobs(folder: string, script: string, from: number, to: number): void {
  for (let at = from; at < to; at++) addJob(folder, nameOf(at), script);
}

/** A manager that has done its first check, so that it can be sent a signal. */
async function managing(root: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Running> {
  const before = lastCheck(root);
  const manager = manage(root, [...ALL, ...args], env);
  await waitUntil("the first check", () => lastCheck(root) !== before);
  return manager;
}

/** Undefined as long as a folder is not submitted. */
function handleIn(pending: string, name: string): string | undefined {
  try {
    const own = join(pending, name, ".jobmgr");
    const attempt = readdirSync(own).find((one) => one.startsWith("attempt-"));
    const path = join(own, attempt ?? "", "handle");
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

// -- submitting --

interface Submitting extends Cost {
  /** Of the manager itself, without what it runs; NaN for the peers. */
  readonly ownCpuMs: number;
}

async function submitByShell(line: string, where: Where, jobs: number, cluster: Cluster): Promise<Submitting> {
  const folder = makeFolder(where);
  mkdirSync(join(folder, "jobs"));
  addJobs(join(folder, "jobs"), HELD, 0, jobs);
  return { ...(await costOf(line, folder, cluster.env)), ownCpuMs: Number.NaN };
}

/** From the release of a full inbox until the last folder has its handle, by a manager that runs already. */
async function submitByManager(where: Where, jobs: number, cluster: Cluster): Promise<Submitting> {
  const root = makeRoot(makeFolder(where));
  addJobs(join(root, "inbox"), HELD, 0, jobs);
  const pause = join(root, "pause");
  writeFileSync(pause, "");
  const manager = await managing(root, ["-p", "3600"], cluster.env);
  const before = { own: cpuMsOf(manager.pid), tree: treeCpuMs(manager.pid) };
  const pending = join(root, "pending");
  const started = performance.now();
  rmSync(pause);
  process.kill(manager.pid, "SIGUSR1");
  // In the order of their names, one at a time: the last has its handle last.
  await waitUntil("the last is submitted", () => handleIn(pending, nameOf(jobs - 1)) !== undefined, 5);
  const wallMs = performance.now() - started;
  const ownCpuMs = cpuMsOf(manager.pid) - before.own;
  const cpuMs = treeCpuMs(manager.pid) - before.tree;
  await manager.stop();
  const submitted = readdirSync(pending).filter((name) => handleIn(pending, name) !== undefined).length;
  if (submitted !== jobs) throw new Error(`${submitted} of ${jobs} were submitted`);
  return { wallMs, cpuMs, ownCpuMs };
}

const SUBMIT_SIDES: Readonly<Record<string, (where: Where, jobs: number, cluster: Cluster) => Promise<Submitting>>> = {
  "sbatch in a shell loop": (where, jobs, cluster) =>
    submitByShell(
      'for job in $PWD/jobs/*; do sbatch --parsable --chdir="$job" "$job/job.sh"; done',
      where,
      jobs,
      cluster,
    ),
  "xargs -P4 sbatch": (where, jobs, cluster) =>
    submitByShell("ls -d $PWD/jobs/* | xargs -P4 -I@ sbatch --parsable --chdir=@ @/job.sh", where, jobs, cluster),
  "jobmgr, one at a time, in name order": submitByManager,
};

async function submitting(where: Where, jobs: number, rounds: number): Promise<Row[]> {
  const names = Object.keys(SUBMIT_SIDES);
  const all = new Map<string, Submitting[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(SUBMIT_SIDES)) {
      say(`Slurm: ${jobs} submissions on ${where}, ${name}, round ${round + 1} of ${rounds}`);
      all.get(name)?.push(await onCluster({}, (cluster) => run(where, jobs, cluster)));
    }
  }
  const perS = (name: string) => (jobs * 1000) / median((all.get(name) ?? []).map((one) => one.wallMs));
  const cpuMs = (name: string) => median((all.get(name) ?? []).map((one) => one.cpuMs)) / jobs;
  const [loop = "", xargs = "", ours = ""] = names;
  const rows: Row[] = names.map((name) => ({
    what: `${jobs} held jobs on ${where}: ${name}`,
    figure: `${figure(perS(name), "submissions/s")}, ${figure(cpuMs(name), "ms CPU each")}`,
    ratio: ratio(perS(name) / perS(loop), "the loop"),
  }));
  const toLoop = perS(ours) / perS(loop);
  const toXargs = perS(ours) / perS(xargs);
  const ownCpuMs = median((all.get(ours) ?? []).map((one) => one.ownCpuMs)) / jobs;
  return [
    ...rows,
    { what: "  against the loop", figure: "", ratio: ratio(toLoop, "its"), goal: ">= 0.8", reached: toLoop >= 0.8 },
    { what: "  against xargs -P4 (jobmgr submits one at a time)", figure: "", ratio: ratio(toXargs, "its") },
    {
      what: "  the manager itself, without sbatch",
      figure: figure(ownCpuMs, "ms CPU a job"),
      goal: "<= 4 ms",
      reached: ownCpuMs <= 4,
    },
  ];
}

// -- from the inbox to complete --

const PERIOD_S = 2;

async function rawLoop(where: Where, jobs: number, cluster: Cluster): Promise<Cost> {
  const folder = makeFolder(where);
  mkdirSync(join(folder, "jobs"));
  addJobs(join(folder, "jobs"), HELLO, 0, jobs);
  return costOf(
    `for job in $PWD/jobs/*; do sbatch --parsable --chdir="$job" "$job/job.sh"; done
while squeue -h | grep -q .; do sleep 0.2; done`,
    folder,
    cluster.env,
  );
}

interface Whole extends Cost {
  readonly ownCpuMs: number;
}

/** From the start of the program until all folders are in complete. */
async function fromInbox(where: Where, jobs: number, cluster: Cluster, env: NodeJS.ProcessEnv = {}): Promise<Whole> {
  const root = makeRoot(makeFolder(where));
  const complete = join(root, "complete");
  addJobs(join(root, "inbox"), HELLO, 0, jobs);
  const started = performance.now();
  const manager = manage(root, [...ALL, "-p", String(PERIOD_S)], { ...cluster.env, ...env });
  await waitUntil("all jobs in complete", () => readdirSync(complete).length >= jobs, 20);
  const wallMs = performance.now() - started;
  const ownCpuMs = cpuMsOf(manager.pid);
  const cpuMs = treeCpuMs(manager.pid);
  await manager.stop();
  return { wallMs, cpuMs, ownCpuMs };
}

async function endToEnd(where: Where, jobs: number): Promise<Row[]> {
  say(`Slurm: ${jobs} trivial jobs on ${where}, raw loop`);
  const raw = await onCluster({}, (cluster) => rawLoop(where, jobs, cluster));
  say(`Slurm: ${jobs} trivial jobs on ${where}, jobmgr`);
  const ours = await onCluster({}, (cluster) => fromInbox(where, jobs, cluster));
  const most = 1.15 * raw.wallMs + PERIOD_S * 1000;
  return [
    {
      what: `${jobs} trivial jobs on ${where}: sbatch loop until squeue shows none`,
      figure: `${figure(raw.wallMs / 1000, "s")}, ${figure(raw.cpuMs / jobs, "ms CPU a job")}`,
    },
    {
      what: `  jobmgr -p ${PERIOD_S}, from its start until all are in complete`,
      figure: `${figure(ours.wallMs / 1000, "s")}, ${figure(ours.cpuMs / jobs, "ms CPU a job")}`,
      ratio: ratio(ours.wallMs / raw.wallMs, "the loop"),
      goal: `<= ${figure(most / 1000, "s")} (1.15 x + ${PERIOD_S} s)`,
      reached: ours.wallMs <= most,
    },
    {
      what: "  the manager itself, without sbatch and squeue",
      figure: figure(ours.ownCpuMs / jobs, "ms CPU a job"),
      goal: "<= 4 ms",
      reached: ours.ownCpuMs / jobs <= 4,
    },
  ];
}

// -- calls --

const PROGRAMS = ["sbatch", "squeue", "sacct", "scancel", "scontrol", "sinfo"] as const;

interface Counter {
  readonly env: NodeJS.ProcessEnv;
  /** So often each was called since the last time that this was asked. */
  take(): Readonly<Record<string, number>>;
}

/** Programs first on PATH that note their call and hand over to the real ones. */
function countCalls(): Counter {
  const folder = makeFolder("disk");
  const log = join(folder, "calls");
  writeFileSync(log, "");
  for (const program of PROGRAMS) {
    const path = join(folder, program);
    writeFileSync(path, `#!/bin/sh\necho ${program} >>'${log}'\nPATH=\${PATH#*:}\nexec ${program} "$@"\n`);
    chmodSync(path, 0o755);
  }
  let seen = 0;
  return {
    env: { PATH: `${folder}:${process.env.PATH}` },
    take() {
      const lines = readFileSync(log, "utf8").split("\n").filter(Boolean);
      const fresh = lines.slice(seen);
      seen = lines.length;
      return Object.fromEntries(PROGRAMS.map((program) => [program, fresh.filter((line) => line === program).length]));
    },
  };
}

function callsText(calls: Readonly<Record<string, number>>): string {
  const made = Object.entries(calls).filter(([, times]) => times > 0);
  return made.length === 0 ? "no call" : made.map(([program, times]) => `${times} ${program}`).join(", ");
}

/** So many checks of a manager that has its own pace: what they asked, and what they cost. */
async function callsOfChecks(root: string, cluster: Cluster, checks: number): Promise<{ text: string; most: number }> {
  const counter = countCalls();
  const manager = await managing(root, ["-p", "1"], { ...cluster.env, ...counter.env });
  counter.take();
  const seen = new Set([lastCheck(root)]);
  const watcher = watch(join(root, ".jobmgr"), () => seen.add(lastCheck(root)));
  await waitUntil(`${checks} checks`, () => seen.size > checks, 20);
  watcher.close();
  const calls = counter.take();
  await manager.stop();
  const sum = Object.values(calls).reduce((all, one) => all + one, 0);
  return { text: `${callsText(calls)} in ${checks} checks`, most: sum / checks };
}

/** All that is asked for some jobs from inbox to complete, on a cluster that has accounting if that is installed. */
async function callsOfJobs(jobs: number): Promise<Row> {
  const accounting = missingSlurm(true) === undefined;
  say(`Slurm: calls for ${jobs} jobs`);
  const counter = countCalls();
  const { wallMs } = await onCluster({ accounting }, (cluster) => fromInbox("disk", jobs, cluster, counter.env));
  const with_ = accounting ? "with" : "without";
  return {
    what: `calls for ${jobs} trivial jobs ${with_} accounting, -p ${PERIOD_S}`,
    figure: `${callsText(counter.take())}, in ${figure(wallMs / 1000, "s")}`,
  };
}

// -- a check --

const CHECKS = 9;
const SQUEUE = ["squeue", "--me", "-h", "-t", "all", "-O", "JobID,State,exit_code,Reason"] as const;

function squeueMs(cluster: Cluster): number {
  const [program, ...args] = SQUEUE;
  const started = performance.now();
  spawnSync(program, args, { stdio: "ignore", env: cleanEnvironment(cluster.env) });
  return performance.now() - started;
}

/** Checks on demand, with a squeue between them, so that a busy moment meets both. */
async function checksAndSqueues(root: string, manager: Running, cluster: Cluster) {
  await checkMs(root, manager);
  const [checks, queues]: [number[], number[]] = [[], []];
  const cpuBefore = cpuMsOf(manager.pid);
  for (let time = 0; time < CHECKS; time++) {
    await sleep(Math.max(300, (checks.at(-1) ?? 0) * 6));
    queues.push(squeueMs(cluster));
    checks.push(await checkMs(root, manager));
  }
  const cpu = (cpuMsOf(manager.pid) - cpuBefore) / CHECKS;
  return { check: median(checks), squeue: median(queues), cpu };
}

async function checksWith(count: number, root: string, cluster: Cluster): Promise<Row[]> {
  const isGoal = count === 10_000;
  // Asked by a signal, and each time Slurm too.
  const manager = await managing(root, ["-p", "3600", "--min-query-interval", "0"], cluster.env);
  const last = nameOf(count - 1);
  await waitUntil("all are submitted", () => handleIn(join(root, "pending"), last) !== undefined, 100);
  await sleep(2000);
  const { check, squeue, cpu } = await checksAndSqueues(root, manager, cluster);
  await manager.stop();
  const { wallMs: onceMs } = await costOf(
    `'${process.execPath}' '${PROGRAM}' --root '${root}' ${ALL.join(" ")} --once`,
    root,
    cluster.env,
  );
  const calls = await callsOfChecks(root, cluster, 10);
  return [
    { what: `${count} queued jobs: squeue --me, 4 fields`, figure: figure(squeue, "ms") },
    {
      what: "  a check of a running manager",
      figure: `${figure(check, "ms")}, ${figure(cpu, "ms CPU of its own")}`,
      ratio: ratio(check / squeue, "squeue"),
      ...(isGoal && { goal: "<= 1.3", reached: check / squeue <= 1.3 }),
    },
    {
      what: "  jobmgr --once, with its start and end",
      figure: figure(onceMs, "ms"),
      ratio: ratio(onceMs / squeue, "squeue"),
      ...(isGoal && { goal: "<= 2", reached: onceMs / squeue <= 2 }),
    },
    { what: "  what is asked", figure: calls.text, goal: "<= 1 a check", reached: calls.most <= 1 },
  ];
}

async function checks(counts: readonly number[]): Promise<Row[]> {
  return onCluster({}, async (cluster) => {
    const root = makeRoot(makeFolder(hasMemoryDisk() ? "memory" : "disk"));
    say("Slurm: checks with an empty queue");
    const none = await callsOfChecks(root, cluster, 10);
    const rows: Row[] = [
      { what: "empty queue: what is asked", figure: none.text, goal: "no call", reached: none.most === 0 },
    ];
    let there = 0;
    for (const count of counts) {
      say(`Slurm: checks with ${count} queued jobs`);
      addJobs(join(root, "inbox"), LATER, there, count);
      there = count;
      rows.push(...(await checksWith(count, root, cluster)));
    }
    return rows;
  });
}

/** Without Slurm the row says so. */
async function withSlurm(measure: () => Promise<Row[]>): Promise<Row[]> {
  const missing = missingSlurm(false);
  return missing === undefined ? measure() : [{ what: "Slurm", figure: missing }];
}

async function everywhere(measure: (where: Where) => Promise<Row[]>): Promise<Row[]> {
  const disk = await measure("disk");
  return hasMemoryDisk() ? [...disk, ...(await measure("memory"))] : disk;
}

export function slurmSubmissions(jobs: number, rounds: number): Promise<Row[]> {
  return withSlurm(() => everywhere((where) => submitting(where, jobs, rounds)));
}

export function slurmJobs(jobs: number): Promise<Row[]> {
  return withSlurm(async () => [...(await everywhere((where) => endToEnd(where, jobs))), await callsOfJobs(100)]);
}

export function slurmChecks(counts: readonly number[]): Promise<Row[]> {
  return withSlurm(() => checks(counts));
}
