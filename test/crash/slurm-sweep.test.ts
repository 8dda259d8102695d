/** The sweep on a real cluster; and cuts in what stands between the manager and Slurm: the shell that submits, and sbatch. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, missingSlurm, startCluster } from "../slurm/cluster.ts";
import { type Change, killSweep, putTraced, type SweptEngine, variant } from "./kill-sweep.ts";
import { type Between, killAtSome, pidAt, submissionSweep, traceCommand } from "./submission-sweep.ts";

let cluster: Cluster;

const SLURM: SweptEngine = {
  args: ["-e", "SlurmEngine", "--doubt", "1", "--lost-after", "3", "--min-query-interval", "0.1"],
  period: "0.2",
  arrivalMs: 60_000,
  output: /^slurm-\d+\.out/,
  env: () => cluster.env,
  async living(scene) {
    const { code, stdout } = await cluster.run("squeue", "--noheader", "--format=%o");
    if (code !== 0) return Number.POSITIVE_INFINITY;
    return stdout.split("\n").filter((command) => command.startsWith(`${scene.root}/`)).length;
  },
  isThorough: false,
  atOnce: 10,
  tracedRunner: ["src/runner.js", `return \`#!\${job.plan.shell}\n`, `return \`#!\${job.folder}/../../../runner\n`],
  barriers: [["engines/slurm/index.js", "if (extra.length > 0)", "if (false)"]],
  afterKill: { states: ["failed", "lost"], claimsLeast: 0 },
};

const TRACED_SHELL: Change = ["engines/batch/submitter.js", "spawn(program, [", "spawn(process.env.TRACED_SHELL, ["];

const SBATCH: Between = {
  name: "sbatch",
  calls: ["openat", "connect", "sendto", "recvfrom", "write", "writev", "exit_group"],
  /** From where it reads the runner on. How often it looks for the answer is chance, but for the first time. */
  points(made) {
    const first = made.findIndex(({ name, about }) => name === "openat" && about.endsWith("run.sh"));
    const lastSent = made.findLastIndex(({ name }) => name === "sendto");
    const answer = made.findIndex(({ name }, i) => name === "recvfrom" && i > lastSent);
    const isOnce = (name: string) => name !== "openat" && name !== "recvfrom";
    return made.filter(({ name }, i) => i === first || i === answer || (i > first && isOnce(name)));
  },
  trace: traceCommand("sbatch"),
};

const SHELL: Between = {
  name: "the shell that calls sbatch",
  calls: ["read", "chdir", "openat", "vfork", "fork", "clone", "wait4", "write"],
  /** It reads letter by letter, and opens libraries first. */
  points(made) {
    const reads = made.filter(({ name }) => name === "read");
    const some = [reads[1], reads[2], reads[Math.floor(reads.length / 2)], reads.at(-2), reads.at(-1)];
    const first = made.findIndex(({ name }) => name === "chdir");
    return made.filter((call, i) => (call.name === "read" ? some.includes(call) : i >= first));
  },
  trace(scene, calls, injection, changes = []) {
    const path = join(scene.folder, "shell");
    const log = putTraced(path, "/bin/sh", calls, injection);
    return { log, program: variant(TRACED_SHELL, ...changes), env: { TRACED_SHELL: path }, pid: () => pidAt(path) };
  },
};

const missing = missingSlurm(false);
if (missing === undefined) sweep();
else it.skipIf(process.env.CI !== "true")(`killed at every effect, on Slurm (${missing})`, () => expect.fail(missing));

function sweep(): void {
  beforeAll(async () => {
    cluster = await startCluster({ settings: { KillWait: "2", MinJobAge: "300" } });
  });
  afterAll(() => cluster?.stop());
  killSweep(SLURM, () => {
    for (const between of [SBATCH, SHELL]) submissionSweep(SLURM, between);
    it("a manager that is killed loses no job that is submitted behind another, and runs none twice", () =>
      killAtSome({ ...SLURM, after: { good: "again" } }, 12));
  });
}
