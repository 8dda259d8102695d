/**
 * `npm run bench`: measures jobmgr and its peers in the same run, and prints the ratios beside the goals. Absolute
 * figures move from machine to machine, and from hour to hour; the ratios are what counts. It is no test: it ends with
 * 0 even if a goal is missed.
 *
 *   --jobs N      so many trivial jobs (2000)
 *   --quick       300 jobs, one round, fewer folders
 *   --drops       also 40,000 drops while the program stands still (slow)
 *   --only WORD   one part alone: throughput, slurm (or slurm-submit, slurm-jobs, slurm-checks), inbox, pending, start,
 *                 idle, help, status, drops
 */
import { parseArgs } from "node:util";
import { type Row, removeFolders, stopManagers } from "./measure.ts";
import { pendingJobs, statusOf, waitingFolders } from "./scale.ts";
import { slurmChecks, slurmJobs, slurmSubmissions } from "./slurm.ts";
import { throughput } from "./throughput.ts";
import { blockedDrops, dropToStart, help, idle } from "./waking.ts";

const { values } = parseArgs({
  options: {
    jobs: { type: "string" },
    quick: { type: "boolean", default: false },
    drops: { type: "boolean", default: false },
    only: { type: "string" },
  },
});
const { quick } = values;
const jobs = Number(values.jobs ?? (quick ? 300 : 2000));
if (!Number.isInteger(jobs) || jobs < 1) throw new Error(`--jobs ${values.jobs}: it must be a whole number from 1 on`);

const parts: Record<string, () => Row[] | Promise<Row[]>> = {
  help,
  start: () => dropToStart(quick ? 30 : 100),
  throughput: () => throughput(jobs, quick ? 1 : 3),
  "slurm-submit": () => slurmSubmissions(quick ? 200 : 500, quick ? 1 : 3),
  "slurm-jobs": () => slurmJobs(quick ? 200 : 1000),
  "slurm-checks": () => slurmChecks(quick ? [100, 1000] : [100, 1000, 10_000]),
  idle: () => idle(10),
  inbox: () => waitingFolders(quick ? 10_000 : 100_000),
  pending: () => pendingJobs(quick ? 1000 : 10_000),
  status: () => statusOf(quick ? 2000 : 10_000),
  drops: () => blockedDrops(quick ? 4000 : 40_000),
};

function isWanted(part: string): boolean {
  if (values.only !== undefined) return part === values.only || part.startsWith(`${values.only}-`);
  return part !== "drops" || values.drops;
}

function print(rows: readonly Row[]): void {
  const verdict = (row: Row) => (row.reached === undefined ? "" : row.reached ? "reached" : "NOT REACHED");
  const lines = rows.map((row) => [row.what, row.figure, row.ratio ?? "", row.goal ?? "", verdict(row)]);
  const table = [["what", "figure", "ratio", "goal", ""], ...lines];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  for (const line of table)
    process.stdout.write(
      `${line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd()}\n`,
    );
}

const rows: Row[] = [];
try {
  for (const [name, measure] of Object.entries(parts)) {
    if (!isWanted(name)) continue;
    try {
      rows.push(...(await measure()));
    } catch (error) {
      stopManagers();
      rows.push({ what: name, figure: `could not be measured: ${(error as Error).message}` });
    }
  }
  print(rows);
} finally {
  removeFolders();
}
