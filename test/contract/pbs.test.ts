/** PbsEngine keeps the contract: with Slurm's own commands of PBS' names, over a real Slurm; and with a small PBS of our own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { PbsEngine } from "../../engines/pbs/index.ts";
import { type FakePbs, makeFakePbs } from "../fakes/pbs-server.ts";
import { setEnvironment } from "../own-programs.ts";
import { type Cluster, startCluster } from "../slurm/cluster.ts";
import { missingPbs, type PbsCommands, pbsCommands } from "../slurm/pbs.ts";
import { engineContract } from "./engine-contract.ts";

vi.setConfig({ testTimeout: 120_000 });

/** Submits, and tells of it as if the answer had got lost; once, while there is a file "lose" beside it. */
const LOSING_QSUB = `
id=$("$real/qsub" "$@") || { echo "$id"; exit 1; }
rm "\${0%/*}/lose" 2>/dev/null || { echo "$id"; exit; }
echo "qsub: End of File" >&2
exit 1
`;

const OPTIONS = { engineArgs: [], queryS: 0.1, doubtS: 2, lostAfterS: 3 };

const COMMON = {
  scripts: { limited: "#PBS -l walltime=0:05:00\nexit 0\n", impossible: "#PBS -I\n" },
  patienceMs: 60_000,
};

describe.skipIf(!process.env.CI && missingPbs() !== undefined)("on a cluster", () => {
  let cluster: Cluster;
  let commands: PbsCommands;
  let restore = () => {};

  beforeAll(async () => {
    cluster = await startCluster();
    commands = pbsCommands(cluster);
    commands.fake("qsub", LOSING_QSUB);
    restore = setEnvironment({ ...cluster.env, PATH: `${commands.folder}:${process.env.PATH}` });
  });

  afterAll(async () => {
    restore();
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
      // A KILL would make it forget the newest jobs as well.
      await cluster.daemons.slurmctld.kill("SIGTERM");
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
  let restore = () => {};
  let folder: string;
  let pbs: FakePbs;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "jobmgr-pbs-"));
    pbs = makeFakePbs(flavour, folder);
    restore = setEnvironment({ PATH: `${pbs.folder}:${process.env.PATH}` });
  });

  afterAll(() => {
    restore();
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
