/** Job arrays and heterogeneous jobs: one folder, done when all is over; on real Slurm. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "../slurm/cluster.ts";
import { makeSlurmRoot, PATIENCE_MS, PROMPT, type SlurmRoot } from "./slurm.ts";

vi.setConfig({ testTimeout: 3 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

const accounting = {
  cluster: undefined as unknown as Cluster,
  options: { accounting: true, nodes: 2, settings: PROMPT },
};
/** Ended tasks are gone from the queue at once, and nobody else knows of them. */
const forgetful = {
  cluster: undefined as unknown as Cluster,
  options: { nodes: 2, settings: { ...PROMPT, MinJobAge: "2" } },
};

beforeAll(async () => {
  if (missingSlurm(true)) return;
  for (const one of [accounting, forgetful]) one.cluster = await startCluster(one.options);
});

afterAll(async () => {
  for (const one of [accounting, forgetful]) await one.cluster?.stop();
});

beforeEach((context) => needSlurm(context, true));

async function must(cluster: Cluster, program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.run(program, ...args);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr || stdout}`);
  return stdout.trim();
}

/** An array whose tasks write "NAME-INDEX" into the ledger, and then do this. */
function dropArray(root: SlurmRoot, name: string, array: string, script = "", more = ""): void {
  const line = `echo "${name}-$SLURM_ARRAY_TASK_ID" >> '${root.ledger}'`;
  root.drop(name, `#!/bin/bash\n#SBATCH --array=${array}\n${more}${line}\n${script}\n`);
}

function runsOf(name: string, ...tasks: number[]): string[] {
  return tasks.map((task) => `${name}-${task}`).sort();
}

/** Goes on until the test opens a gate: of all tasks, or of one. */
const gated = (root: SlurmRoot) =>
  `until [ -e '${root.ledger}.gate' ] || [ -e '${root.ledger}.gate'-$SLURM_ARRAY_TASK_ID ]; do sleep 0.05; done`;

describe.each([
  ["with accounting", accounting],
  ["that forgets ended jobs at once", forgetful],
])("on a cluster %s", (_, on) => {
  it("an array is one job: each task runs once, and each result is kept", async () => {
    const root = await makeSlurmRoot(on.cluster);
    dropArray(root, "plain", "0-3", "echo out");
    dropArray(root, "gaps", "1-2,5,8-12:2");
    dropArray(root, "one", "7", "exit 2");
    root.manage();
    const [plain, gaps, one] = await root.done("plain", "gaps", "one");
    expect(plain).toMatchObject({ state: "succeeded", tasks: { 0: 0, 1: 0, 2: 0, 3: 0 } });
    expect(gaps).toMatchObject({ state: "succeeded", tasks: { 1: 0, 2: 0, 5: 0, 8: 0, 10: 0, 12: 0 } });
    expect(one).toMatchObject({ state: "failed", tasks: { 7: 2 } });
    expect(root.read(`complete/plain/slurm-${plain?.id}_3.out`)).toBe("out\n");
    expect(root.exists("complete/plain/job_error.txt")).toBe(false);
    const all = [...runsOf("plain", 0, 1, 2, 3), ...runsOf("gaps", 1, 2, 5, 8, 10, 12), ...runsOf("one", 7)];
    expect(root.runs().sort()).toEqual(all.sort());
  });

  it("of tasks that fail the worst decides, and job_error.txt shows the output of the first", async () => {
    const root = await makeSlurmRoot(on.cluster);
    dropArray(root, "a", "1-4", `echo task $SLURM_ARRAY_TASK_ID says; [ $SLURM_ARRAY_TASK_ID = 3 ] && exit 9\nexit 0`);
    root.manage();
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: "failed", exitCode: 9, tasks: { 1: 0, 2: 0, 3: 9, 4: 0 } });
    expect(a?.why).toMatch(/^1 of 4 tasks did not succeed; the worst of them: Exit code 9\./);
    expect(a?.outputs).toEqual([`slurm-${a?.id}_%t.out`]);
    expect(root.errorOf("a")).toContain("Exit codes of the tasks: 3: 9\n");
    expect(root.errorOf("a")).toContain(`The last line of slurm-${a?.id}_3.out:\n  task 3 says\n`);
    expect(root.runs().sort()).toEqual(runsOf("a", 1, 2, 3, 4));
  });

  it("a throttled array is not done before its last task", async () => {
    const root = await makeSlurmRoot(on.cluster);
    dropArray(root, "a", "1-5%2", gated(root));
    root.manage();
    await root.runsReach(2);
    await root.waits("a", { state: "running" });
    const waiting = await must(on.cluster, "squeue", "-h", "-t", "PD", "-o", "%i %r", "-j", await root.id("a"));
    expect(waiting).toMatch(/^\d+_\[3-5%2\] JobArrayTaskLimit$/);
    root.openGate();
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: "succeeded", tasks: { 1: 0, 2: 0, 3: 0, 4: 0, 5: 0 } });
    expect(root.runs().sort()).toEqual(runsOf("a", 1, 2, 3, 4, 5));
  });

  it("while some of its tasks are purged from the queue and others run, an array goes on", async () => {
    const root = await makeSlurmRoot(on.cluster);
    dropArray(root, "a", "1-3", `[ $SLURM_ARRAY_TASK_ID = 1 ] && exit 4\n${gated(root)}`);
    root.manage();
    await root.runsReach(3);
    const id = await root.id("a");
    if (on === forgetful) {
      const isThere = async () =>
        (await must(on.cluster, "squeue", "-h", "-r", "-t", "all", "-j", id)).includes(`${id}_1`);
      while (await isThere());
    }
    await root.waits("a", { state: "running" });
    root.openGate();
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: "failed", exitCode: 4, tasks: { 1: 4, 2: 0, 3: 0 } });
    expect(root.runs().sort()).toEqual(runsOf("a", 1, 2, 3));
  });

  it("a task that was purged before it left a result is the only one whose result is not known", async () => {
    const root = await makeSlurmRoot(on.cluster);
    // The runner is killed with its task, so that only Slurm knows.
    dropArray(root, "a", "1-2", `[ $SLURM_ARRAY_TASK_ID = 1 ] && kill -9 $PPID\n${gated(root)}`);
    // This manager does not look again, so that nobody sees the end before it is purged.
    const manager = root.manage(["-p", "1000"]);
    await root.runsReach(2);
    const id = await root.id("a");
    await manager.stop();
    if (on === forgetful) {
      const isThere = async () =>
        (await must(on.cluster, "squeue", "-h", "-r", "-t", "all", "-j", id)).includes(`${id}_1`);
      while (await isThere());
    }
    root.openGate();
    root.manage();
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: on === forgetful ? "lost" : "failed", tasks: { 1: null, 2: 0 } });
    expect(root.runs().sort()).toEqual(runsOf("a", 1, 2));
  });

  it("a task that somebody cancels is told apart from those that go on", async () => {
    const root = await makeSlurmRoot(on.cluster);
    dropArray(root, "a", "1-3%2", gated(root));
    root.manage();
    await root.runsReach(2);
    const id = await root.id("a");
    // One that runs, and one that has not begun.
    await must(on.cluster, "scancel", `${id}_3`, `${id}_2`);
    root.openGate("gate-1");
    const [a] = await root.done("a");
    expect(a).toMatchObject({ tasks: { 1: 0 } });
    expect(a?.tasks).not.toMatchObject({ 2: 0 });
    expect(a?.tasks).not.toMatchObject({ 3: 0 });
    expect(a?.state).not.toBe("succeeded");
    if (on === accounting) {
      expect(a).toMatchObject({ state: "cancelled" });
      expect(a?.why).toMatch(/^2 of 3 tasks did not succeed; the worst of them: It was cancelled in Slurm/);
    }
    expect(root.runs().sort()).toEqual(runsOf("a", 1, 2));
  });

  it("job_cancel ends all tasks, those that run and those that have not begun", async () => {
    const root = await makeSlurmRoot(on.cluster);
    dropArray(root, "a", "1-4%2", gated(root));
    root.manage();
    await root.runsReach(2);
    await root.id("a");
    root.cancel("a", "wrong input");
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: "cancelled" });
    expect(a?.why).toContain("It was cancelled: wrong input");
    expect(root.runs().sort()).toEqual(runsOf("a", 1, 2));
  });

  it("a single task that is queued anew runs again, and the array is done when it is", async () => {
    const root = await makeSlurmRoot(on.cluster);
    dropArray(root, "a", "1-2", `[ -z "$SLURM_RESTART_COUNT" ] || exit 0\n${gated(root)}`);
    root.manage();
    await root.runsReach(2);
    const id = await root.id("a");
    await must(on.cluster, "scontrol", "requeue", `${id}_2`);
    root.openGate("gate-1");
    await root.waits("a", { state: "queued", why: /^BeginTime: / });
    await must(on.cluster, "scontrol", "update", `JobId=${id}_2`, "StartTime=now+2");
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: "succeeded", tasks: { 1: 0, 2: 0 } });
    expect(root.runs().sort()).toEqual(["a-1", "a-2", "a-2"]);
  });

  it("a heterogeneous job runs its script once, on its first component, and is done when all of it is", async () => {
    const root = await makeSlurmRoot(on.cluster);
    const het = "#!/bin/bash\n#SBATCH --ntasks=1 --nodelist=n1\n#SBATCH hetjob\n#SBATCH --ntasks=2 --nodelist=n2\n";
    for (const [name, code] of [
      ["good", 0],
      ["bad", 3],
    ] as const) {
      const line = `echo "${name} $SLURM_HET_SIZE" >> '${root.ledger}'`;
      root.drop(name, `${het}${line}\nexit ${code}\n`);
    }
    root.manage();
    const [good, bad] = await root.done("good", "bad");
    expect(good).toMatchObject({ state: "succeeded", exitCode: 0 });
    expect(bad).toMatchObject({ state: "failed", exitCode: 3 });
    expect(good).not.toHaveProperty("tasks");
    expect(root.runs().sort()).toEqual(["bad 2", "good 2"]);
  });

  it("a heterogeneous job that is cancelled ends with all its components", async () => {
    const root = await makeSlurmRoot(on.cluster);
    root.drop(
      "a",
      `#!/bin/bash\n#SBATCH -n1\n#SBATCH hetjob\n#SBATCH -n2\necho a >> '${root.ledger}'\nexec sleep 1000\n`,
    );
    root.manage();
    await root.ran("a");
    const id = await root.id("a");
    root.cancel("a", "enough");
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: "cancelled", why: "It was cancelled: enough" });
    const isOver = async () => (await on.cluster.run("squeue", "-h", `--jobs=${id}`)).stdout.trim() === "";
    const end = performance.now() + PATIENCE_MS;
    while (!(await isOver())) expect(performance.now()).toBeLessThan(end);
    expect(root.runs()).toEqual(["a"]);
  });
});
