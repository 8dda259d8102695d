/** `jobmgr launch` with srun, inside of a real allocation and outside, and `jobmgr resources` of a real Slurm. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { quoted } from "../../src/runner.ts";
import { jobmgr, makeFolder, PROGRAM, start } from "../harness.ts";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "../slurm/cluster.ts";
import { makeWitness, ODD, shown } from "./launchers.ts";
import { PATIENCE_MS, PROMPT } from "./slurm.ts";

vi.setConfig({ testTimeout: PATIENCE_MS, hookTimeout: PATIENCE_MS });

/** For expect.poll. */
const LONG = { timeout: PATIENCE_MS / 2 };

let cluster: Cluster;

beforeAll(async () => {
  if (missingSlurm(false) !== undefined) return;
  const PartitionName = "debug Nodes=ALL Default=YES MaxTime=1-02:03:00 MaxNodes=3";
  cluster = await startCluster({ nodes: 2, cpus: 4, settings: { ...PROMPT, PartitionName } });
});

afterAll(() => cluster?.stop());

beforeEach((context) => needSlurm(context, false));

const launchWords = (args: readonly string[]) => [process.execPath, PROGRAM, "launch", ...args];
/** In an allocation of so many tasks, as salloc gives it to what it starts. */
const allocated = (tasks: number, ...args: string[]) =>
  cluster.run("salloc", "--quiet", `--ntasks=${tasks}`, ...launchWords(args));
const lines = (text: string) => text.split("\n").filter(Boolean).sort();

it("inside of an allocation srun is the launcher, and starts as many as there are tasks", async () => {
  const { code, stdout, stderr } = await allocated(3, "sh", "-c", "echo rank $SLURM_PROCID");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(lines(stdout)).toEqual(["rank 0", "rank 1", "rank 2"]);
});

it("odd arguments reach one program as they are, and several those that its file can hold", async () => {
  const { oddPath } = makeWitness();
  expect((await allocated(1, oddPath, "show", ...ODD)).stdout).toBe(`${shown(ODD)}\n`);
  const words = ODD.filter((word) => !word.includes("\n"));
  const { code, stdout } = await allocated(
    3,
    "--label",
    "-n",
    "1",
    oddPath,
    "show",
    ...words,
    ":",
    "-n",
    "2",
    "echo",
    "%t",
  );
  expect(code).toBe(0);
  expect(lines(stdout)).toEqual([`0: ${shown(words)}`, "1: %t", "2: %t"]);
  const refused = await allocated(2, "a", "x\ny", ":", "b");
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("an argument holds a newline") });
});

it("what is written for several programs is removed when they have ended, and when they were interrupted", async () => {
  const witness = makeWitness();
  const temporary = makeFolder();
  const env = { ...cluster.env, TMPDIR: temporary };
  const program = [witness.path, "stay"];
  const running = start(process.execPath, launchWords(["--backend", "srun", ...program, ":", ...program]).slice(1), {
    env,
  });
  await witness.up(2);
  expect(readdirSync(temporary)).toEqual([expect.stringMatching(/^jobmgr-launch-/)]);
  running.signal("SIGINT");
  expect(await running.ended, running.stderr()).not.toBe(0);
  await witness.gone();
  expect(readdirSync(temporary)).toEqual([]);
});

it("the exit code is the program's, and 128 + n after a signal", async () => {
  expect((await allocated(2, "sh", "-c", "exit $((5 + SLURM_PROCID))")).code).toBe(6);
  expect((await allocated(1, "sh", "-c", "kill -9 $$")).code).toBe(137);
});

it("outside of an allocation srun asks for one, and that is told", async () => {
  const { code, stdout, stderr } = await jobmgr(["launch", "--backend", "srun", "-n", "2", "echo", "x"], {
    env: { ...cluster.env },
  });
  expect({ code, stdout }).toEqual({ code: 0, stdout: "x\nx\n" });
  expect(stderr).toContain("this is not inside of an allocation: srun asks Slurm for one");
});

it("in a job.sh it is srun too, over all nodes of the job", async () => {
  const folder = makeFolder();
  const script = `#!/bin/bash\n${launchWords(["--label", "sh", "-c", "echo $SLURMD_NODENAME"]).map(quoted).join(" ")} > out\n`;
  writeFileSync(join(folder, "job.sh"), script);
  const args = ["--wait", "--nodes=2", "--ntasks=2", `--chdir=${folder}`, "--output=err", join(folder, "job.sh")];
  expect(await cluster.run("sbatch", ...args)).toMatchObject({ code: 0 });
  expect(lines(readFileSync(join(folder, "out"), "utf8"))).toEqual(["0: n1", "1: n2"]);
});

it("resources tells nodes and partitions as they are now", async () => {
  const holder = start("salloc", ["--quiet", "--ntasks=3", "--nodelist=n1", "--mem=1024", "sleep", "60"], {
    env: { ...cluster.env },
  });
  await expect.poll(async () => (await cluster.run("squeue", "-h", "-t", "R")).stdout, LONG).not.toBe("");
  expect((await cluster.run("scontrol", "update", "NodeName=n2", "State=drain", "Reason=x")).code).toBe(0);
  try {
    const env = { ...cluster.env, COLUMNS: "80" };
    const { code, stdout } = await jobmgr(["resources", "--json"], { env });
    expect(code).toBe(0);
    const MIB = 1024 * 1024;
    const common = { memoryB: 1_000_000 * MIB, cpus: 4, gpus: 0, gpusFree: 0, partitions: ["debug"] };
    expect(JSON.parse(stdout)).toEqual({
      schema: 1,
      engine: "SlurmEngine",
      nodes: [
        {
          ...common,
          name: "n1",
          state: expect.stringMatching(/^mixed/),
          isUp: true,
          cpusFree: 1,
          memoryFreeB: expect.any(Number),
        },
        { ...common, name: "n2", state: "drained", isUp: false, cpusFree: 0, memoryFreeB: 1_000_000 * MIB },
      ],
      partitions: [{ name: "debug", isDefault: true, isUp: true, timeLimitS: 93_780, nodesMax: 3 }],
    });
    const table = (await jobmgr(["resources"], { env })).stdout;
    expect(table).toContain("debug*     up     1/2       1/8        -          1-02:03:00  3\n");
    expect(table).toMatch(/^1 {6}drained {2}0\/4 .* n2$/m);
    for (const line of table.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  } finally {
    holder.signal("SIGTERM");
    await cluster.run("scontrol", "update", "NodeName=n2", "State=resume");
  }
});

it("resources of a controller that is away is a sentence, and ends with 69", async () => {
  const conf = join(makeFolder(), "slurm.conf");
  writeFileSync(
    conf,
    `${readFileSync(join(cluster.folder, "slurm.conf"), "utf8")}\n`.replace(
      /^SlurmctldPort=.*/m,
      "SlurmctldPort=1\nMessageTimeout=2",
    ),
  );
  const { code, stdout, stderr } = await jobmgr(["resources"], { env: { SLURM_CONF: conf } });
  expect({ code, stdout }).toEqual({ code: 69, stdout: "" });
  expect(stderr).toMatch(/^jobmgr: .*(Unable to contact|connect failure|Connection refused).*\n/i);
});
