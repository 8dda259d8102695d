/** PbsEngine keeps the contract: with Slurm's own commands of PBS' names, over a real Slurm; and with a small PBS of our own. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { PbsEngine } from "../../engines/pbs/index.ts";
import { type FakePbs, makeFakePbs } from "../fakes/pbs-server.ts";
import { type Cluster, startCluster } from "../slurm/cluster.ts";
import { missingPbs, type PbsCommands, pbsCommands } from "../slurm/pbs.ts";
import { engineContract } from "./engine-contract.ts";

vi.setConfig({ testTimeout: 120_000 });

const RUN = "echo run >> runs\n";

/** Submits, and tells of it as if the answer had got lost; once, while there is a file "lose" beside it. */
const LOSING_QSUB = `
id=$("$real/qsub" "$@") || { echo "$id"; exit 1; }
rm "\${0%/*}/lose" 2>/dev/null || { echo "$id"; exit; }
echo "qsub: End of File" >&2
exit 1
`;

const OPTIONS = { engineArgs: [], queryS: 0.1, doubtS: 2, lostAfterS: 3 };

const COMMON = {
  scripts: {
    exit0: `${RUN}exit 0\n`,
    exit3: `${RUN}exit 3\n`,
    killedBy9: `${RUN}kill -9 $$\n`,
    endless: `${RUN}exec sleep 1000\n`,
    limited: `#PBS -l walltime=0:05:00\n${RUN}exit 0\n`,
    impossible: "#PBS -I\n",
  },
  patienceMs: 60_000,
  runsOf(folder: string) {
    const runs = join(folder, "runs");
    return existsSync(runs) ? readFileSync(runs, "utf8").split("\n").length - 1 : 0;
  },
};

describe.skipIf(!process.env.CI && missingPbs() !== undefined)("on a cluster", () => {
  let cluster: Cluster;
  let commands: PbsCommands;
  const { PATH, SLURM_CONF } = process.env;

  beforeAll(async () => {
    cluster = await startCluster();
    commands = pbsCommands(cluster);
    commands.fake("qsub", LOSING_QSUB);
    process.env.PATH = `${commands.folder}:${PATH}`;
    process.env.SLURM_CONF = cluster.env.SLURM_CONF;
  });

  afterAll(async () => {
    process.env.PATH = PATH;
    if (SLURM_CONF === undefined) delete process.env.SLURM_CONF;
    else process.env.SLURM_CONF = SLURM_CONF;
    await cluster?.stop();
  });

  it("tells of nodes and queues", async () => {
    expect(await new PbsEngine(OPTIONS, "slurm").resources()).toEqual({
      partitions: [{ name: "debug", isDefault: false, isUp: true }],
      nodes: [
        {
          name: "n1",
          state: "free",
          isUp: true,
          cpus: 64,
          cpusFree: 64,
          memoryB: 1_000_000 * 2 ** 20,
          partitions: ["debug"],
        },
      ],
    });
  });

  it("is known for what it is", async () => {
    expect((await PbsEngine.forThisMachine(OPTIONS)).directives({ cpus: 2 })).toEqual(["#PBS -l nodes=1:ppn=2"]);
  });

  engineContract("PbsEngine with Slurm's commands", () => ({
    ...COMMON,
    makeEngine: () => new PbsEngine(OPTIONS, "slurm"),
    async makeUnavailable() {
      await cluster.daemons.slurmctld.kill();
      return () => cluster.daemons.slurmctld.start();
    },
    loseNextAnswer: () => writeFileSync(join(commands.folder, "lose"), ""),
    async forget() {
      await cluster.daemons.slurmctld.kill();
      const state = join(cluster.folder, "state");
      rmSync(state, { recursive: true });
      mkdirSync(state);
      await cluster.daemons.slurmctld.start();
    },
  }));
});

describe.each(["openpbs", "torque"] as const)("with a small PBS that speaks like %s", (flavour) => {
  const { PATH } = process.env;
  let folder: string;
  let pbs: FakePbs;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "jobmgr-pbs-"));
    pbs = makeFakePbs(flavour, folder);
    process.env.PATH = `${pbs.folder}:${PATH}`;
  });

  afterAll(() => {
    process.env.PATH = PATH;
    pbs.end();
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  });

  engineContract(`PbsEngine with ${flavour}`, () => ({
    ...COMMON,
    makeEngine: () => new PbsEngine(OPTIONS, flavour),
    async makeUnavailable() {
      pbs.answers(false);
      return async () => pbs.answers(true);
    },
    loseNextAnswer: () => pbs.loseNextAnswer(),
    forget: async ({ handle }) => pbs.forget(Number(handle)),
  }));
});
