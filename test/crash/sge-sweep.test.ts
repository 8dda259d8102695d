/** The sweep on a real Grid Engine, in samples: the manager killed at its effects, and cuts in qsub. */
import { afterAll, beforeAll } from "vitest";
import { missingSge, type SgeCluster, startSge } from "../sge/cluster.ts";
import { type Between, type SubmittingEngine, sampledSweep, traceCommand } from "./submission-sweep.ts";

let cluster: SgeCluster;

const SGE: SubmittingEngine = {
  args: ["-e", "SgeEngine", "--doubt", "1", "--lost-after", "3", "--min-query-interval", "0.1"],
  period: "0.3",
  arrivalMs: 60_000,
  output: /^\w+\.[oe]\d+/,
  env: () => cluster.env,
  async living(scene) {
    const listed = await cluster.run("qstat", "-xml", "-s", "a");
    const ids = [...listed.stdout.matchAll(/<JB_job_number>(\d+)</g)].map(([, id]) => id);
    if (listed.code !== 0) return Number.POSITIVE_INFINITY;
    if (ids.length === 0) return 0;
    const told = await cluster.run("qstat", "-xml", "-j", ids.join(","));
    return told.stdout.split("<JB_script_file>").filter((text) => text.startsWith(`${scene.root}/`)).length;
  },
  atOnce: 6,
  barriers: [["engines/batch/index.js", "if (extra.length + left.length > 0)", "if (false)"]],
};

const QSUB: Between = {
  name: "qsub",
  calls: ["openat", "connect", "write", "exit_group"],
  /** From where it reads the runner on. */
  points(made) {
    const first = made.findIndex(({ name, about }) => name === "openat" && about.endsWith("run.sh"));
    return made.filter(({ name }, i) => i === first || (i > first && name !== "openat"));
  },
  trace: traceCommand("qsub", "/usr/lib/gridengine/qsub"),
};

const missing = missingSge();
beforeAll(async () => {
  if (missing === undefined) cluster = await startSge();
});
afterAll(() => cluster?.stop());

sampledSweep("killed at effects, on Grid Engine", missing, {
  engine: SGE,
  between: QSUB,
  samples: { manager: 18, killed: 5, bothKilled: 3, before: 2, after: 4 },
});
