/**
 * Trivial jobs, two at a time: jobmgr, and what else one would run them with. Every side starts `bash job.sh` in the
 * job's folder, with its output in a file; what each records beyond that is its own affair.
 */
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  addJob,
  type Cost,
  costOf,
  figure,
  hasMemoryDisk,
  installed,
  makeFolder,
  makeRoot,
  manage,
  median,
  PROGRAM,
  type Row,
  ratio,
  say,
  treeCpuMs,
  type Where,
  waitUntil,
} from "./measure.ts";

const SCRIPT = "echo hello\n";

interface Side {
  readonly what: string;
  /** How to install what is not there. */
  readonly missing?: string | undefined;
  run(where: Where, jobs: number): Promise<Cost>;
}

function makeJobs(folder: string, jobs: number): void {
  mkdirSync(folder, { recursive: true });
  for (let at = 0; at < jobs; at++) addJob(folder, `job-${String(at).padStart(6, "0")}`, SCRIPT);
}

/** A peer that is one line of bash, in a folder that holds jobs/. */
function peer(what: string, line: string, missing?: string): Side {
  return {
    what,
    missing,
    run(where, jobs) {
      const folder = makeFolder(where);
      makeJobs(join(folder, "jobs"), jobs);
      return costOf(line, folder, { TS_SOCKET: join(folder, "ts.socket"), TMPDIR: folder, HOME: folder });
    },
  };
}

const XARGS = peer(
  "xargs -P2, full contract",
  `ls -d jobs/* | xargs -P2 -n1 sh -c 'cd "$0" && bash job.sh >job_output.txt 2>&1; echo $? >exit_code'`,
);

const PARALLEL = peer(
  "GNU parallel -j2 --joblog --results",
  "ls -d jobs/* | parallel -j2 --joblog joblog --results results 'cd {} && bash job.sh'",
  installed("parallel") ? undefined : "apt-get install parallel",
);

/** Debian calls it tsp, others ts. Its clients leave the tree of their caller, so that nobody can add up their CPU time. */
const SPOOLER_NAME = installed("tsp") ?? "ts";
const SPOOLER = peer(
  "task-spooler, 2 slots",
  `${SPOOLER_NAME} -S 2
for job in jobs/*; do cd $job; ${SPOOLER_NAME} bash job.sh; cd ../..; done
while ${SPOOLER_NAME} -w; ${SPOOLER_NAME} | grep -Eq 'running|queued'; do :; done
${SPOOLER_NAME} -K`,
  installed("tsp") ? undefined : "apt-get install task-spooler",
);

/**
 * From the start of the program until all folders are in complete. Its processor time is asked for at that moment, of
 * the whole tree: shells that it keeps for starting jobs may outlive it, and would take the jobs' share with them.
 */
const JOBMGR: Side = {
  what: "jobmgr, LocalEngine -M 2",
  async run(where, jobs) {
    const root = makeRoot(makeFolder(where));
    const complete = join(root, "complete");
    makeJobs(join(root, "inbox"), jobs);
    const started = performance.now();
    const manager = manage(root, ["-e", "LocalEngine", "-M", "2", "--settle", "0", "-p", "1"]);
    await waitUntil("all jobs in complete", () => folderCount(complete) >= jobs);
    const wallMs = performance.now() - started;
    const cpuMs = treeCpuMs(manager.pid);
    await manager.stop();
    return { wallMs, cpuMs };
  },
};

/** Of a folder that holds nothing but folders. Most file systems count them as links, so that nothing need be listed. */
function folderCount(path: string): number {
  const { nlink } = statSync(path);
  return nlink > 1 ? nlink - 2 : readdirSync(path).length;
}

async function runAll(sides: readonly Side[], where: Where, jobs: number, rounds: number): Promise<Map<Side, Cost>> {
  const costs = new Map<Side, Cost[]>(sides.map((side) => [side, []]));
  // Round by round, so that a busy minute of the machine meets all sides alike.
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) {
      say(`throughput on ${where}: ${side.what}, round ${round + 1} of ${rounds}`);
      costs.get(side)?.push(await side.run(where, jobs));
    }
  }
  return new Map(
    [...costs].map(([side, all]) => [
      side,
      { wallMs: median(all.map((cost) => cost.wallMs)), cpuMs: median(all.map((cost) => cost.cpuMs)) },
    ]),
  );
}

/** What jobmgr needs before its first job and after its last: the same run with nothing in the inbox. */
async function emptyRunMs(where: Where): Promise<number> {
  const root = makeRoot(makeFolder(where));
  const line = `'${process.execPath}' '${PROGRAM}' --root '${root}' -e LocalEngine --once`;
  const walls: number[] = [];
  for (let round = 0; round < 3; round++) walls.push((await costOf(line, root)).wallMs);
  return median(walls);
}

async function rowsOn(where: Where, jobs: number, rounds: number): Promise<Row[]> {
  const all = [XARGS, PARALLEL, SPOOLER, JOBMGR];
  const costs = await runAll(
    all.filter((side) => side.missing === undefined),
    where,
    jobs,
    rounds,
  );
  const perS = (side: Side) => (jobs * 1000) / (costs.get(side)?.wallMs ?? Number.NaN);
  const cpuMs = (side: Side) => (costs.get(side)?.cpuMs ?? Number.NaN) / jobs;
  const rows: Row[] = all.map((side) => {
    const what = `${jobs} jobs on ${where}: ${side.what}`;
    if (side.missing !== undefined) return { what, figure: `not installed: ${side.missing}` };
    const cpu = side === SPOOLER ? "" : `, ${figure(cpuMs(side), "ms CPU a job")}`;
    return { what, figure: `${figure(perS(side), "jobs/s")}${cpu}`, ratio: ratio(perS(side) / perS(XARGS), "xargs") };
  });
  const startMs = await emptyRunMs(where);
  const withoutStart = (jobs * 1000) / ((costs.get(JOBMGR)?.wallMs ?? Number.NaN) - startMs);
  rows.push({
    what: "  the same without its start and end",
    figure: `${figure(withoutStart, "jobs/s")} (${figure(startMs, "ms", 0)} less)`,
    ratio: ratio(withoutStart / perS(XARGS), "xargs"),
  });
  const goal = (peerSide: Side, least: number): Row => {
    const value = perS(JOBMGR) / perS(peerSide);
    const reached = Number.isNaN(value) ? undefined : value >= least;
    return {
      what: `  throughput against ${peerSide.what}`,
      figure: "",
      ratio: ratio(value, "its"),
      goal: `>= ${least}`,
      reached,
    };
  };
  rows.push(goal(PARALLEL, 2), goal(SPOOLER, 1), goal(XARGS, 1));
  const cpu = cpuMs(JOBMGR) / cpuMs(XARGS);
  for (const most of [1.2, 0.85])
    rows.push({
      what: "  CPU time a job against xargs",
      figure: "",
      ratio: ratio(cpu, "its"),
      goal: `<= ${most}`,
      reached: cpu <= most,
    });
  return rows;
}

export async function throughput(jobs: number, rounds: number): Promise<Row[]> {
  const disk = await rowsOn("disk", jobs, rounds);
  return hasMemoryDisk() ? [...disk, ...(await rowsOn("memory", jobs, rounds))] : disk;
}
