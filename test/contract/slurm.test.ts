/** SlurmEngine keeps the contract, on real Slurm. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, vi } from "vitest";
import { SlurmEngine } from "../../engines/slurm/index.ts";
import { putProgram, setEnvironment } from "../own-programs.ts";
import { type Cluster, missingSlurm, startCluster } from "../slurm/cluster.ts";
import { type ContractSubject, engineContract } from "./engine-contract.ts";

vi.setConfig({ testTimeout: 120_000 });

/** Submits, and tells of it as if the answer had got lost; once, while there is a file "lose" beside it. */
const LOSING_SBATCH = `
id=$(/usr/bin/sbatch "$@") || exit
rm "\${0%/*}/lose" 2>/dev/null || { echo "$id"; exit; }
echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2
exit 1
`;

/** What the suite cannot know of a cluster: how it forgets. */
interface Means {
  readonly accounting: boolean;
  forget(cluster: Cluster, fakes: string): Promise<void>;
}

function describeSlurm(name: string, means: Means): void {
  describe.skipIf(!process.env.CI && missingSlurm(means.accounting) !== undefined)(`on a cluster ${name}`, () => {
    let cluster: Cluster;
    let fakes: string;
    let restore = () => {};

    beforeAll(async () => {
      cluster = await startCluster({ accounting: means.accounting });
      fakes = join(cluster.folder, "fakes");
      mkdirSync(fakes);
      putProgram(join(fakes, "sbatch"), LOSING_SBATCH);
      restore = setEnvironment({ ...cluster.env, PATH: `${fakes}:${process.env.PATH}` });
    });

    afterAll(async () => {
      restore();
      await cluster?.stop();
    });

    engineContract(`SlurmEngine ${name}`, (): ContractSubject => {
      for (const program of ["squeue", "sacct"]) rmSync(join(fakes, program), { force: true });
      return {
        makeEngine: () => new SlurmEngine({ engineArgs: [], queryS: 0.1, doubtS: 2, lostAfterS: 3 }),
        scripts: { limited: "#SBATCH --time=5\nexit 0\n", impossible: "#SBATCH --wait\n" },
        patienceMs: 60_000,
        async makeUnavailable() {
          // A KILL would make it forget the newest jobs as well.
          await cluster.daemons.slurmctld.kill("SIGTERM");
          return () => cluster.daemons.slurmctld.start();
        },
        loseNextAnswer: () => writeFileSync(join(fakes, "lose"), ""),
        forget: () => means.forget(cluster, fakes),
      };
    });
  });
}

describeSlurm("without accounting", {
  accounting: false,
  async forget(cluster) {
    await cluster.daemons.slurmctld.kill();
    const state = join(cluster.folder, "state");
    rmSync(state, { recursive: true });
    mkdirSync(state);
    await cluster.daemons.slurmctld.start();
  },
});

describeSlurm("with accounting", {
  accounting: true,
  // Accounting itself does not forget a job that a controller has lost.
  async forget(_, fakes) {
    putProgram(join(fakes, "squeue"), `PATH="\${PATH#*:}" squeue "$@" | head -n 1\n`);
    putProgram(join(fakes, "sacct"), "exit 0\n");
  },
});
