/** The fixture itself: clusters come up, work, can be broken and mended, do not meet, and leave nothing behind. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { describe, it, type TestContext } from "vitest";
import { type Cluster, type ClusterOptions, needSlurm, startCluster } from "./cluster.ts";

async function makeCluster(context: TestContext, options: ClusterOptions = {}): Promise<Cluster> {
  needSlurm(context, options.accounting);
  const cluster = await startCluster(options);
  context.onTestFinished(() => cluster.stop());
  return cluster;
}

async function submit(cluster: Cluster, script: string, ...args: readonly string[]): Promise<string> {
  const answer = await cluster.run("sbatch", "--parsable", "-o", "/dev/null", ...args, "--wrap", script);
  if (answer.code !== 0) throw new Error(answer.stderr);
  return answer.stdout.trim();
}

const stateOf = async (cluster: Cluster, job: string) =>
  (await cluster.run("squeue", "-h", "-t", "all", "-j", job, "-o", "%T")).stdout.trim();

async function waitFor(what: string, condition: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`after ${limitMs} ms still not: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

const hasState = (cluster: Cluster, job: string, state: string) =>
  waitFor(`job ${job} ${state}`, async () => (await stateOf(cluster, job)) === state);

/** The processes that have this text in their arguments or environment, but for this one. */
function processesWith(text: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) return false;
    try {
      return ["cmdline", "environ"].some((file) => readFileSync(join("/proc", pid, file), "utf8").includes(text));
    } catch {
      return false;
    }
  });
}

/** Jobs that do what they can to be left behind: a session of their own, no environment, deaf to SIGTERM. */
const CLINGING = (mark: string) =>
  `trap '' TERM; env -i setsid sh -c 'sleep 987; : ${mark}' & setsid sh -c 'sleep 986; : ${mark}' & (setsid sh -c 'sleep 985; : ${mark}' &) ; wait`;

describe.concurrent("a cluster", () => {
  it("runs jobs and keeps their exit codes", async (context) => {
    const cluster = await makeCluster(context);
    const job = await submit(cluster, "exit 3");
    await hasState(cluster, job, "FAILED");
    const answer = await cluster.run("squeue", "-h", "-t", "all", "-j", job, "-O", "exit_code:.9,ReasonList:.30");
    // The status of wait(2), not the exit code.
    context.expect(answer.stdout.trim()).toMatch(/^768 +\(NonZeroExitCode\)$/);
    const accounts = await cluster.run("sacct", "-j", job);
    context.expect(accounts).toMatchObject({ code: 1, stderr: "Slurm accounting storage is disabled\n" });
  });

  it("takes settings: other values, other lines, lines out", async (context) => {
    const settings = {
      MessageTimeout: "7",
      SchedulerParameters: "",
      PartitionName: "one Nodes=ALL\nPartitionName=two",
    };
    const cluster = await makeCluster(context, { settings, cpus: 5, name: "other" });
    const conf = (await cluster.run("scontrol", "show", "config")).stdout;
    context.expect(conf).toMatch(/MessageTimeout +?= 7 sec/);
    context.expect(conf).toMatch(/SchedulerParameters +?= \(null\)/);
    context.expect(conf).toMatch(/ClusterName +?= other/);
    context.expect((await cluster.run("sinfo", "-h", "-o", "%P %c")).stdout.split("\n")).toContain("one 5");
  });

  it("with accounting: sacct tells how a job ended; a second cluster joins it, and -M reaches both", async (context) => {
    const cluster = await makeCluster(context, { accounting: true });
    const other = await makeCluster(context, { joins: cluster });
    const here = await submit(cluster, "exit 4");
    const there = await submit(cluster, "env > env; sleep 300", "-M", other.name, "-D", other.folder);
    context.expect([here, there]).toEqual(["1", "1;second"]);
    const accounts = (...args: readonly string[]) =>
      cluster.run("sacct", "-nXP", "-o", "JobID,State,ExitCode", ...args);
    await waitFor("sacct knows", async () => (await accounts("-j", here)).stdout === "1|FAILED|4:0\n");
    await waitFor("it runs there", () => existsSync(join(other.folder, "env")));
    context.expect((await cluster.run("squeue", "-h", "-M", other.name, "-o", "%i %T")).stdout).toContain("1 RUNNING");
    context.expect((await accounts("-j", "1", "-M", other.name)).stdout).toMatch(/^1\|(PENDING|RUNNING)\|0:0\n$/);

    const { slurmdbd, mariadbd } = cluster.daemons;
    await slurmdbd?.kill();
    context.expect((await accounts("-j", here)).code).toBe(1);
    await slurmdbd?.start();
    context.expect((await accounts("-j", here)).stdout).toBe("1|FAILED|4:0\n");
    await mariadbd?.kill();
    await mariadbd?.start();
    await waitFor("sacct again", async () => (await accounts("-j", here)).stdout === "1|FAILED|4:0\n");
  });

  it("with a frozen slurmctld answers nobody, and does what it was asked for when it thaws", async (context) => {
    const cluster = await makeCluster(context, { settings: { MessageTimeout: "2" } });
    cluster.daemons.slurmctld.freeze();
    const [queue, batch] = await Promise.all([
      cluster.run("squeue"),
      cluster.run("sbatch", "-o", "/dev/null", "--wrap", "exit"),
    ]);
    const timedOut = { code: 1, stderr: context.expect.stringContaining("Socket timed out on send/recv operation") };
    context.expect(queue).toMatchObject(timedOut);
    context.expect(batch).toMatchObject(timedOut);
    cluster.daemons.slurmctld.thaw();
    await hasState(cluster, "1", "COMPLETED");
  });

  it("keeps its jobs when slurmctld or slurmd is killed and started again", async (context) => {
    const cluster = await makeCluster(context);
    const { slurmctld, slurmd } = cluster.daemons;
    const job = await submit(
      cluster,
      "touch runs; while [ ! -e go ]; do sleep 0.05; done; exit 5",
      "-D",
      cluster.folder,
    );
    await waitFor("it runs", () => existsSync(join(cluster.folder, "runs")));
    await cluster.saved(job);
    const before = slurmctld.pid();
    await slurmctld.kill();
    context.expect(() => slurmctld.pid()).toThrow("does not run");
    context.expect((await cluster.run("squeue")).code).toBe(1);
    await slurmctld.start();
    context.expect(slurmctld.pid()).not.toBe(before);
    context.expect(await stateOf(cluster, job)).toBe("RUNNING");
    await slurmd.kill();
    await slurmd.start();
    await cluster.run("touch", join(cluster.folder, "go"));
    await hasState(cluster, job, "FAILED");
    context.expect((await cluster.run("scontrol", "show", "job", job)).stdout).toContain("ExitCode=5:0");
  });

  it("is alone: another one does not know its jobs", async (context) => {
    const clusters = await Promise.all([1, 2, 3].map(() => makeCluster(context)));
    const jobs = await Promise.all(clusters.map((cluster, i) => submit(cluster, "sleep 300", "-J", `job-${i}`)));
    context.expect(jobs).toEqual(["1", "1", "1"]);
    const seen = await Promise.all(clusters.map((cluster) => cluster.run("squeue", "-h", "-o", "%j")));
    context.expect(seen.map(({ stdout }) => stdout)).toEqual(["job-0\n", "job-1\n", "job-2\n"]);
  });

  it("of two nodes runs heterogeneous jobs", async (context) => {
    const cluster = await makeCluster(context, { nodes: 2 });
    const script = `cat > job.sh <<'END'
#!/bin/bash
#SBATCH -w n1
#SBATCH hetjob
#SBATCH -w n2
srun --het-group=0,1 sh -c 'echo $SLURMD_NODENAME'
exit 6
END
sbatch --parsable -o out job.sh`;
    const { stdout } = await cluster.run("sh", "-c", `cd '${cluster.folder}'; ${script}`);
    context.expect(stdout).toBe("1\n");
    await waitFor("both", async () => (await stateOf(cluster, "1")) === "FAILED\nFAILED");
    const out = readFileSync(join(cluster.folder, "out"), "utf8");
    context.expect(out.split("\n").sort()).toEqual(["", "n1", "n2"]);
    const ids = (await cluster.run("squeue", "-h", "-t", "all", "-o", "%i %A")).stdout;
    context.expect(ids.split("\n").sort()).toEqual(["", "1+0 1", "1+1 2"]);
  });

  it("leaves no process and no file behind, whatever runs and is frozen", async (context) => {
    needSlurm(context, true);
    const cluster = await startCluster({ accounting: true, nodes: 2 });
    const mark = `clings-to-${cluster.folder}`;
    const jobs = await Promise.all(["n1", "n2"].map((node) => submit(cluster, CLINGING(mark), "-w", node)));
    for (const job of jobs) await hasState(cluster, job, "RUNNING");
    await waitFor("all cling", () => processesWith(mark).length >= 6);
    cluster.daemons.slurmctld.freeze();
    cluster.daemons.slurmd.freeze();
    context.expect(processesWith(cluster.folder).length).toBeGreaterThan(12);
    await cluster.stop();
    context.expect(processesWith(cluster.folder)).toEqual([]);
    context.expect(existsSync(cluster.folder)).toBe(false);
    context.expect(() => cluster.daemons.slurmctld.pid()).toThrow("does not run");
  });

  it("ends when who started it is killed", async (context) => {
    needSlurm(context);
    const fixture = resolve(import.meta.dirname, "cluster.ts");
    const program = `
      import { startCluster } from ${JSON.stringify(fixture)};
      const cluster = await startCluster();
      await cluster.run("sbatch", "-o", "/dev/null", "--wrap", "sleep 300");
      while (!(await cluster.run("squeue", "-h", "-o", "%T")).stdout.includes("RUNNING"));
      console.log(cluster.folder);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    context.onTestFinished(() => {
      child.kill("SIGKILL");
    });
    const [folder] = (await once(createInterface(child.stdout), "line")) as [string];
    context.expect(processesWith(folder).length).toBeGreaterThanOrEqual(6);
    child.kill("SIGKILL");
    await waitFor("all are dead", () => processesWith(folder).length === 0);
    await waitFor("the folder is gone", () => !existsSync(folder));
  });
});
