/**
 * Slurm, Grid Engine and this machine serve one root by turns, and each manager is killed while it works: whichever engine
 * comes next, each job goes on where it is, runs as often as it should, and is told of truly.
 */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PROGRAM, start, waitUntil } from "../harness.ts";
import { missingSge, needSge, type SgeCluster, startSge } from "../sge/cluster.ts";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "../slurm/cluster.ts";
import { makeJobRoot } from "./surroundings.ts";

let slurm: Cluster;
let sge: SgeCluster;

beforeAll(async () => {
  if (missingSlurm(false) !== undefined || missingSge() !== undefined) return;
  [slurm, sge] = await Promise.all([startCluster(), startSge()]);
});
afterAll(async () => {
  await Promise.all([slurm?.stop(), sge?.stop()]);
});

/** What a job.sh says and does beside putting its name into the ledger, the files beside it, and what must become of it. */
interface Kind {
  readonly directives?: string;
  readonly does?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly state: string;
  readonly runs: number;
}

const KINDS: readonly Kind[] = [
  { does: "sleep 0.3", state: "succeeded", runs: 1 },
  { does: "sleep 1; exit 3", state: "failed", runs: 1 },
  { does: "exit 5", files: { "job_retry.txt": "times 2\non 5\npause 0\n" }, state: "failed", runs: 3 },
  // Slurm and this machine honour the one line, Grid Engine the other.
  { directives: "#SBATCH --array=1-2\n#$ -t 1-2", does: "sleep 0.5", state: "succeeded", runs: 2 },
  { files: { "job_after.txt": "00-0\n" }, state: "succeeded", runs: 1 },
  { files: { "job_after.txt": "00-1\n" }, state: "refused", runs: 0 },
];
const JOBS = 36;
const ENGINES = ["SlurmEngine", "SgeEngine", "LocalEngine", "SgeEngine", "SlurmEngine"];
/** How long a manager lives on when each engine has had a job: from "it has hardly started" to "it has seen jobs end". */
const LIVES_MS = [300, 1700, 500, 1100, 800, 2300, 400];
const ARGS = [
  "-p",
  "0.5",
  "--settle",
  "0",
  "--min-query-interval",
  "0.1",
  "--doubt",
  "2",
  "--lost-after",
  "3",
  "-M",
  "6",
];

describe("three engines by turns on one root", { timeout: 180_000 }, () => {
  it("run each job as often as it should, though every manager is killed", async (context) => {
    needSlurm(context);
    needSge(context);
    const root = await makeJobRoot();
    const jobs = Array.from({ length: JOBS }, (_, number) => {
      const kind = number % KINDS.length;
      const name = `${String(Math.floor(number / KINDS.length)).padStart(2, "0")}-${kind}`;
      return { name, ...(KINDS[kind] as Kind) };
    });
    for (const { name, directives = "", does = "", files = {} } of jobs)
      root.drop(name, { "job.sh": `${directives}\necho ${name} >> '${root.ledger}'\n${does}\n`, ...files });
    const env = { ...slurm.env, ...sge.env };
    const begin = (turn: number) => {
      const engine = ENGINES[turn % ENGINES.length] as string;
      return start(process.execPath, [PROGRAM, "--root", root.path, "-e", engine, ...ARGS], { env });
    };
    const hasHad = (engine: string | undefined, name: string) => {
      try {
        return root.status(name, root.exists(`pending/${name}`) ? "pending" : "complete").engine === engine;
      } catch {
        // It is on its way.
        return false;
      }
    };
    for (const [turn, lifeMs] of [...LIVES_MS, ...LIVES_MS].entries()) {
      const manager = begin(turn);
      const engine = ENGINES[turn % ENGINES.length];
      await waitUntil(`${engine} has had a job`, () => jobs.some(({ name }) => hasHad(engine, name)));
      await pause(lifeMs);
      manager.signal("SIGKILL");
      await manager.ended;
    }
    begin(0);
    await waitUntil("all are in complete", () => root.names("complete").length === JOBS, 120_000);

    const runs = root.runs();
    const seen = jobs.map(({ name }) => [name, root.status(name).state, runs.filter((run) => run === name).length]);
    expect(seen).toEqual(jobs.map((job) => [job.name, job.state, job.runs]));
  });
});
