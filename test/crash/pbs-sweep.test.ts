/** The sweep with Slurm's commands of PBS' names, over a real Slurm, in samples: the manager killed at its effects, and cuts in qsub. */
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { type Cluster, startCluster } from "../slurm/cluster.ts";
import { missingPbs, type PbsCommands, pbsCommands } from "../slurm/pbs.ts";
import { type Between, type SubmittingEngine, sampledSweep, traceCommand } from "./submission-sweep.ts";

let cluster: Cluster;
let commands: PbsCommands;

const PBS: SubmittingEngine = {
  args: ["-e", "PbsEngine", "--doubt", "1", "--lost-after", "3", "--min-query-interval", "0.1"],
  period: "0.3",
  arrivalMs: 60_000,
  output: /^\w+\.[oe]\d+/,
  after: { good: "again" },
  env: () => ({ ...cluster.env, PATH: `${commands.folder}:${process.env.PATH}` }),
  async living(scene) {
    const { code, stdout } = await cluster.run("squeue", "--noheader", "--format=%Z");
    if (code !== 0) return Number.POSITIVE_INFINITY;
    return stdout.split("\n").filter((folder) => folder.startsWith(`${scene.root}/`)).length;
  },
  atOnce: 8,
  barriers: [["engines/batch/index.js", "if (extra.length + left.length > 0)", "if (false)"]],
};

const QSUB: Between = {
  name: "qsub",
  calls: ["clone", "fork", "vfork", "read", "wait4", "write", "exit_group"],
  /** From just before it starts sbatch. It reads its own modules first. */
  points(made) {
    const start = made.findIndex(({ name }) => /clone|fork/.test(name));
    return made.slice(start - 1);
  },
  trace: (...scene) => traceCommand("qsub", join(commands.real, "qsub"))(...scene),
};

const missing = missingPbs();
beforeAll(async () => {
  if (missing !== undefined) return;
  cluster = await startCluster({ settings: { KillWait: "2", MinJobAge: "300" } });
  commands = pbsCommands(cluster);
});
afterAll(() => cluster?.stop());

sampledSweep("killed at effects, with Slurm's commands of PBS' names", missing, {
  engine: PBS,
  between: QSUB,
  samples: { manager: 12, killed: 4, bothKilled: 2, before: 2, after: 3 },
});
