/** SlurmEngine keeps the contract, on real Slurm. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, vi } from "vitest";
import { SlurmEngine } from "../../engines/slurm/index.ts";
import { type Cluster, missingSlurm, startCluster } from "../slurm/cluster.ts";
import { type ContractSubject, engineContract } from "./engine-contract.ts";

vi.setConfig({ testTimeout: 120_000 });

const RUN = "echo run >> runs\n";

const SCRIPTS = {
  exit0: `${RUN}exit 0\n`,
  exit3: `${RUN}exit 3\n`,
  killedBy9: `${RUN}kill -9 $$\n`,
  endless: `${RUN}exec sleep 1000\n`,
  limited: `#SBATCH --time=5\n${RUN}exit 0\n`,
  impossible: "#SBATCH --wait\n",
};

/** Submits, and tells of it as if the answer had got lost; once, while there is a file "lose" beside it. */
const LOSING_SBATCH = `
id=$(/usr/bin/sbatch "$@") || exit
rm "\${0%/*}/lose" 2>/dev/null || { echo "$id"; exit; }
echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2
exit 1
`;

/** What the suite cannot know of a cluster: how it is taken out of reach, and how it forgets. */
interface Means {
  readonly accounting: boolean;
  readonly daemon: "munged" | "slurmctld";
  forget(cluster: Cluster, fakes: string): Promise<void>;
}

function describeSlurm(name: string, means: Means): void {
  describe.skipIf(!process.env.CI && missingSlurm(means.accounting) !== undefined)(`on a cluster ${name}`, () => {
    let cluster: Cluster;
    let fakes: string;
    const { PATH, SLURM_CONF } = process.env;

    beforeAll(async () => {
      cluster = await startCluster({ accounting: means.accounting });
      fakes = join(cluster.folder, "fakes");
      mkdirSync(fakes);
      putProgram(join(fakes, "sbatch"), LOSING_SBATCH);
      process.env.PATH = `${fakes}:${PATH}`;
      process.env.SLURM_CONF = cluster.env.SLURM_CONF;
    });

    afterAll(async () => {
      process.env.PATH = PATH;
      if (SLURM_CONF === undefined) delete process.env.SLURM_CONF;
      else process.env.SLURM_CONF = SLURM_CONF;
      await cluster?.stop();
    });

    engineContract(`SlurmEngine ${name}`, (): ContractSubject => {
      for (const program of ["squeue", "sacct"]) rmSync(join(fakes, program), { force: true });
      return {
        makeEngine: () => new SlurmEngine({ engineArgs: [], queryS: 0.1, doubtS: 2, lostAfterS: 3 }),
        scripts: SCRIPTS,
        patienceMs: 60_000,
        async makeUnavailable() {
          await cluster.daemons[means.daemon].kill();
          return () => cluster.daemons[means.daemon].start();
        },
        loseNextAnswer: () => writeFileSync(join(fakes, "lose"), ""),
        forget: () => means.forget(cluster, fakes),
        runsOf(folder) {
          const runs = join(folder, "runs");
          return existsSync(runs) ? readFileSync(runs, "utf8").split("\n").length - 1 : 0;
        },
      };
    });
  });
}

function putProgram(path: string, script: string): void {
  writeFileSync(path, `#!/bin/sh\n${script}`);
  chmodSync(path, 0o755);
}

describeSlurm("without accounting", {
  accounting: false,
  daemon: "slurmctld",
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
  daemon: "slurmctld",
  // Accounting itself does not forget a job that a controller has lost.
  async forget(_, fakes) {
    putProgram(join(fakes, "squeue"), `PATH="\${PATH#*:}" squeue "$@" | head -n 1\n`);
    putProgram(join(fakes, "sacct"), "exit 0\n");
  },
});
