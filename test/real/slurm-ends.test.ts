/** How jobs of Slurm end, and why they wait: what the program makes of it, on real Slurm. */
import { appendFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { jobmgr, waitUntil } from "../harness.ts";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "../slurm/cluster.ts";
import { makeSlurmRoot, PATIENCE_MS, PROMPT } from "./slurm.ts";

vi.setConfig({ testTimeout: 3 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

/** All of n2, so that no other job runs beside it. */
const ALL_OF_N2 = "#SBATCH --cpus-per-task=8";
const PARTITIONS = [
  "other Nodes=n2",
  "yields Nodes=n2 PriorityTier=1 PreemptMode=REQUEUE",
  "victims Nodes=n2 PriorityTier=1 PreemptMode=CANCEL",
  "urgent Nodes=n2 PriorityTier=9 PreemptMode=OFF",
  "single Nodes=ALL MaxNodes=1",
];

async function startAccounting(): Promise<Cluster> {
  const cluster = await startCluster({
    accounting: true,
    nodes: 2,
    cpus: 8,
    settings: { ...PROMPT, PreemptType: "preempt/partition_prio", PreemptMode: "REQUEUE" },
  });
  const control = (...args: string[]) => must(cluster, "scontrol", ...args);
  for (const partition of PARTITIONS) await control("create", ...`PartitionName=${partition} State=UP`.split(" "));
  await control("update", "PartitionName=debug", "Nodes=n1", "PreemptMode=OFF");
  return cluster;
}

async function must(cluster: Cluster, program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.run(program, ...args);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr || stdout}`);
  return stdout.trim();
}

const accounting = { cluster: undefined as unknown as Cluster, start: startAccounting };
const plain = { cluster: undefined as unknown as Cluster, start: () => startCluster({ cpus: 8, settings: PROMPT }) };

beforeAll(async () => {
  if (missingSlurm(true)) return;
  for (const one of [accounting, plain]) one.cluster = await one.start();
});

afterAll(async () => {
  for (const one of [accounting, plain]) await one.cluster?.stop();
});

beforeEach((context) => needSlurm(context, true));

/** Slurm does not start a job in the same second in which it was taken off its node ("credential revoked"). */
const AGAIN = "StartTime=now+2";
const SLEEP = "exec sleep 1000";
/** Goes on until Slurm takes it off its node; started again, it ends with this code. */
const firstSleeps = (code: number) => `[ -z "$SLURM_RESTART_COUNT" ] || exit ${code}\n${SLEEP}`;

describe.each([
  ["with accounting", accounting],
  ["without accounting", plain],
])("on a cluster %s", (_, on) => {
  it("ends that a job makes itself have its own exit code, and are explained", async () => {
    const root = await makeSlurmRoot(on.cluster);
    root.dropLedger("ok", "echo out; exit 0");
    root.dropLedger("three", "echo before the end; exit 3");
    root.dropLedger("killed", "exit 137");
    root.dropLedger("suicide", "kill -9 $$");
    root.drop("missing", `#!/bin/bash\necho missing >> '${root.ledger}'\nnosuchprogram\n`);
    root.manage();
    const [ok, three, killed, suicide, missing] = await root.done("ok", "three", "killed", "suicide", "missing");
    expect(ok).toMatchObject({ state: "succeeded", exitCode: 0 });
    expect(root.exists("complete/ok/job_error.txt")).toBe(false);
    expect(root.read(`complete/ok/slurm-${ok?.id}.out`)).toBe("out\n");
    expect(three).toMatchObject({ state: "failed", exitCode: 3 });
    expect(root.errorOf("three")).toMatch(/^three: failed\. Exit code 3\.$/m);
    expect(root.errorOf("three")).toMatch(/The engine's own word: Slurm job \d+: FAILED, exit code 3:0, /);
    expect(root.errorOf("three")).toMatch(/The command: sbatch --parsable --chdir=/);
    expect(root.errorOf("three")).toContain(`The last line of slurm-${three?.id}.out:\n  before the end\n`);
    expect(killed).toMatchObject({ state: "failed", exitCode: 137, signal: "KILL" });
    expect(suicide).toMatchObject({ state: "failed", exitCode: 137, signal: "KILL" });
    expect(missing).toMatchObject({ state: "failed", exitCode: 127 });
    expect(root.errorOf("missing")).toContain("a command was not found");
    expect(root.runs().sort()).toEqual(["killed", "missing", "ok", "suicide", "three"]);
  });

  it("a runner that was killed by kill -9 leaves a failure that says so, and is not started again", async () => {
    const root = await makeSlurmRoot(on.cluster);
    root.dropLedger("a", `kill -9 $PPID\n${SLEEP}`);
    root.manage();
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: "failed" });
    expect(a).not.toHaveProperty("exitCode");
    expect(root.errorOf("a")).toMatch(/killed by the signal (SIG)?KILL/);
    expect(root.errorOf("a")).toMatch(/exit code 0:9/);
    expect(root.runs()).toEqual(["a"]);
  });

  it("an output that cannot be opened is a launch failure, which names what to look at", async () => {
    const root = await makeSlurmRoot(on.cluster);
    root.drop("a", `#!/bin/bash\n#SBATCH --output=nowhere/x.out\necho a >> '${root.ledger}'\n`);
    root.manage();
    const [a] = await root.done("a");
    expect(a).toMatchObject({
      state: "failed",
      why: expect.stringMatching(
        /^Slurm could not start it\. Its output is to go to nowhere\/, and there is no such folder/,
      ),
    });
    expect(root.errorOf("a")).toContain("nowhere is not a folder");
    expect(root.runs()).toEqual([]);
  });

  it("job_cancel ends a running, a queued and a not yet submitted job, and the reason is kept", async () => {
    const root = await makeSlurmRoot(on.cluster);
    root.dropLedger("running", SLEEP);
    root.drop("waiting", `#!/bin/bash\n#SBATCH --hold\necho waiting >> '${root.ledger}'\n`);
    const manager = root.manage(["-M", "2"]);
    await root.ran("running");
    await root.waits("waiting", { state: "queued" });
    for (const name of ["running", "waiting"]) root.cancel(name, `${name} was a mistake`);
    const [running, waiting] = await root.done("running", "waiting");
    expect(running).toMatchObject({ state: "cancelled", why: "It was cancelled: running was a mistake" });
    expect(waiting).toMatchObject({ state: "cancelled", why: "It was cancelled: waiting was a mistake" });
    expect(root.errorOf("running")).toMatch(/Slurm job \d+: CANCELLED/);
    expect(await manager.stop()).toBe(130);

    // The controller takes nothing, so that it is claimed and planned only.
    const calls = root.calls("sbatch").length;
    root.fake(
      "sbatch",
      'echo "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)" >&2; exit 1',
    );
    root.dropLedger("early", SLEEP);
    root.manage();
    await waitUntil("it was tried", () => root.calls("sbatch").length > calls, PATIENCE_MS);
    root.cancel("early");
    root.fake("sbatch");
    const [early] = await root.done("early");
    expect(early).toMatchObject({ state: "cancelled", why: expect.stringContaining("before it was submitted") });
    expect(root.runs()).toEqual(["running"]);
  });

  it("jobs that wait for others: Slurm is not asked for those that are not to be run", async () => {
    const root = await makeSlurmRoot(on.cluster);
    const bash = (name: string, more: string) => `#!/bin/bash\necho ${name} >> '${root.ledger}'\n${more}\n`;
    root.drop("z-first", bash("z-first", "exit 3"));
    root.drop("refused", { "job.sh": bash("refused", ""), "job_after.txt": "z-first\n" });
    root.drop("through", { "job.sh": bash("through", ""), "job_after.txt": "refused\n" });
    root.drop("any", { "job.sh": bash("any", ""), "job_after.txt": "any through\n" });
    root.drop("dropped", { "job.sh": bash("dropped", ""), job_cancel: "not this one\n" });
    root.manage(["-M", "1"]);
    const states = (await root.done("z-first", "refused", "through", "any", "dropped")).map(({ state }) => state);
    expect(states).toEqual(["failed", "refused", "refused", "succeeded", "cancelled"]);
    expect(root.paragraphsOf("through")).toMatch(/was refused, because "z-first" failed: .*xit code 3/);
    expect(root.runs()).toEqual(["z-first", "any"]);
    expect(root.calls("sbatch").join("\n")).not.toMatch(/refused|through|dropped/);
  });

  it("job_cancel is heeded by the next manager, when it came while there was none", async () => {
    const root = await makeSlurmRoot(on.cluster);
    root.dropLedger("a", SLEEP);
    const manager = root.manage();
    await root.ran("a");
    await root.id("a");
    manager.signal("SIGKILL");
    await manager.ended;
    root.cancel("a", "nobody was there");
    root.manage();
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: "cancelled", why: "It was cancelled: nobody was there" });
    expect(root.runs()).toEqual(["a"]);
  });

  it("a job that had finished before it was cancelled keeps its real result", async () => {
    const root = await makeSlurmRoot(on.cluster);
    root.dropLedger("a", "exit 0");
    root.dropLedger("b", "exit 4");
    const manager = root.manage(["-p", "1000"]);
    await root.ran("a");
    await root.ran("b");
    const ids = [await root.id("a"), await root.id("b")];
    const isOver = async () => (await must(on.cluster, "squeue", "-h", `--jobs=${ids}`)) === "";
    while (!(await isOver()));
    for (const name of ["a", "b"]) root.cancel(name, "too late");
    manager.signal("SIGUSR1");
    const [a, b] = await root.done("a", "b");
    expect(a).toMatchObject({ state: "succeeded", exitCode: 0 });
    expect(b).toMatchObject({ state: "failed", exitCode: 4 });
  });

  it("scancel by somebody ends a running and a queued job as cancelled in Slurm", async () => {
    const root = await makeSlurmRoot(on.cluster);
    root.dropLedger("running", SLEEP);
    root.drop("waiting", `#!/bin/bash\n#SBATCH --hold\necho waiting >> '${root.ledger}'\n`);
    root.manage();
    await root.ran("running");
    await must(on.cluster, "scancel", await root.id("running"), await root.id("waiting"));
    for (const status of await root.done("running", "waiting")) {
      expect(status).toMatchObject({ state: "cancelled" });
      expect(status.why).toMatch(
        on === plain ? /^It was cancelled in Slurm\.$/ : /^It was cancelled in Slurm by an administrator \(root\)\.$/,
      );
    }
    expect(root.runs()).toEqual(["running"]);
  });

  it("a job that Slurm queues anew is followed to its real end, and each run is in the ledger", async () => {
    const root = await makeSlurmRoot(on.cluster);
    root.dropLedger("a", firstSleeps(5));
    root.manage();
    await root.ran("a");
    const id = await root.id("a");
    await must(on.cluster, "scontrol", "requeue", id);
    await root.waits("a", { state: "queued", why: /^BeginTime: / });
    await must(on.cluster, "scontrol", "update", `JobId=${id}`, AGAIN);
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: "failed", exitCode: 5, id });
    expect(root.runs()).toEqual(["a", "a"]);
  });

  it("a job that was queued anew and held is marked, until somebody releases it", async () => {
    const root = await makeSlurmRoot(on.cluster);
    for (const name of ["held", "special"]) root.dropLedger(name, firstSleeps(0));
    root.manage();
    for (const name of ["held", "special"]) await root.ran(name);
    const ids = [await root.id("held"), await root.id("special")] as const;
    await must(on.cluster, "scontrol", "requeuehold", ids[0]);
    await must(on.cluster, "scontrol", "requeuehold", "State=SpecialExit", ids[1]);
    for (const name of ["held", "special"]) {
      const { why } = await root.waits(name, { state: "queued", stuck: true });
      expect(why).toMatch(/held until somebody releases it: scontrol release/);
    }
    const { stdout } = await jobmgr(["--root", root.path, "status", "--json"]);
    const { jobs } = JSON.parse(stdout) as { jobs: Record<string, unknown>[] };
    expect(jobs.map(({ name, stuck }) => [name, stuck])).toEqual([
      ["held", true],
      ["special", true],
    ]);
    for (const id of ids) {
      await must(on.cluster, "scontrol", "release", id);
      await must(on.cluster, "scontrol", "update", `JobId=${id}`, AGAIN);
    }
    for (const status of await root.done("held", "special")) expect(status).toMatchObject({ state: "succeeded" });
    expect(root.runs().sort()).toEqual(["held", "held", "special", "special"]);
  });

  it("a state that nobody knows keeps a job alive, and is shown raw", async () => {
    const root = await makeSlurmRoot(on.cluster);
    root.fake("squeue", 'real "$@" | sed s/RUNNING/HIBERNATING/');
    root.dropGated("a");
    const manager = root.manage();
    await root.waits("a", { state: "unknown", why: /"HIBERNATING"/ });
    const { stdout } = await jobmgr(["--root", root.path, "status"]);
    expect(stdout).toContain("HIBERNATING");
    root.openGate();
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: "succeeded" });
    expect(manager.stderr() + manager.stdout()).toContain("HIBERNATING");
    expect(root.runs()).toEqual(["a"]);
  });

  it("a job that ran out of memory is told which directive to change", async () => {
    const root = await makeSlurmRoot(on.cluster);
    // Without cgroups nothing is enforced, so that the words come from a Slurm that pretends.
    const pretend = 'real "$@" | sed s/FAILED/OUT_OF_MEMORY/';
    root.fake("squeue", pretend);
    root.fake("sacct", pretend);
    root.drop("a", `#!/bin/bash\n#SBATCH --mem=300M\necho a >> '${root.ledger}'\nexit 137\n`);
    root.manage();
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: "failed", why: expect.stringContaining("more memory") });
    expect(root.errorOf("a")).toContain("#SBATCH --mem=600M");
    expect(root.errorOf("a")).toContain("OUT_OF_MEMORY");
    expect(root.runs()).toEqual(["a"]);
  });
});

describe("limits of time", () => {
  it("a job that reaches its limit is told which, and which directive to change; so is one with a deadline", async () => {
    const { cluster } = accounting;
    const roots = [await makeSlurmRoot(cluster), await makeSlurmRoot(plain.cluster)] as const;
    const limited = (name: string, ledger: string, more = "") =>
      `#!/bin/bash\n#SBATCH --time=7\necho ${name} >> '${ledger}'\n${more}${SLEEP}\n`;
    for (const root of roots) {
      root.drop("long", limited("long", root.ledger));
      root.drop("deaf", limited("deaf", root.ledger, "trap '' TERM\n"));
      root.manage();
    }
    const [first] = roots;
    const wide = (name: string, directive: string) =>
      first.drop(
        name,
        `#!/bin/bash\n#SBATCH --partition=other ${directive}\n${ALL_OF_N2}\necho ${name} >> '${first.ledger}'\n${SLEEP}\n`,
      );
    wide("filler", "");
    await first.ran("filler");
    wide("late", "--deadline=now+2");
    for (const [at, root] of roots.entries()) {
      for (const name of ["long", "deaf"]) {
        await root.ran(name);
        await must(
          at === 0 ? cluster : plain.cluster,
          "scontrol",
          "update",
          `JobId=${await root.id(name)}`,
          "EndTime=now",
        );
      }
    }
    for (const root of roots) {
      for (const name of ["long", "deaf"]) {
        const [status] = await root.done(name);
        expect(status).toMatchObject({ state: "failed" });
        expect(status?.why).toMatch(/^It reached its time limit \(.*\) and Slurm stopped it\. /);
        expect(root.errorOf(name)).toMatch(/#SBATCH --time=/);
        expect(root.errorOf(name)).toMatch(/Slurm job \d+: TIMEOUT, /);
      }
      expect(
        root
          .runs()
          .filter((name) => name !== "filler")
          .sort(),
      ).toEqual(["deaf", "long"]);
    }
    const [late] = await first.done("late");
    expect(late).toMatchObject({ state: "failed", why: expect.stringContaining("#SBATCH --deadline") });
    expect(first.errorOf("late")).toMatch(/Slurm job \d+: DEADLINE, /);
  });
});

describe("what other people and machines do", () => {
  const scontrol = (...args: string[]) => must(accounting.cluster, "scontrol", ...args);

  async function whileNodeIsDown(then: () => Promise<void>): Promise<void> {
    await scontrol("update", "NodeName=n2", "State=DOWN", "Reason=test");
    try {
      await then();
    } finally {
      // It may have come back by itself (ReturnToService), and then cannot be brought back.
      await accounting.cluster.run("scontrol", "update", "NodeName=n2", "State=RESUME");
    }
  }

  it("a node that fails ends a job that must not be queued anew, and starts another one again", async () => {
    const root = await makeSlurmRoot(accounting.cluster);
    const head = "#!/bin/bash\n#SBATCH --partition=other";
    root.drop("once", `${head} --no-requeue\necho once >> '${root.ledger}'\n${SLEEP}\n`);
    root.drop("twice", `${head}\necho twice >> '${root.ledger}'\n${firstSleeps(0)}\n`);
    root.manage();
    for (const name of ["once", "twice"]) await root.ran(name);
    const id = await root.id("twice");
    await whileNodeIsDown(async () => {
      const [once] = await root.done("once");
      expect(once).toMatchObject({ state: "interrupted", why: expect.stringContaining("The node n2 failed") });
      expect(root.errorOf("once")).toMatch(/Slurm job \d+: NODE_FAIL, /);
      await root.waits("twice", { state: "queued" });
    });
    await scontrol("update", `JobId=${id}`, AGAIN);
    const [twice] = await root.done("twice");
    expect(twice).toMatchObject({ state: "succeeded", exitCode: 0, id });
    expect(root.runs().sort()).toEqual(["once", "twice", "twice"]);
  });

  it("a preempted job goes on to its real end where it is queued anew, and is interrupted where it is cancelled", async () => {
    const root = await makeSlurmRoot(accounting.cluster);
    const job = (partition: string, name: string, script: string) =>
      root.drop(
        name,
        `#!/bin/bash\n#SBATCH --partition=${partition}\n${ALL_OF_N2}\necho ${name} >> '${root.ledger}'\n${script}\n`,
      );
    root.manage();
    job("yields", "yields", firstSleeps(0));
    await root.ran("yields");
    const id = await root.id("yields");
    job("urgent", "urgent1", "exit 0");
    await root.done("urgent1");
    await root.waits("yields", { state: "queued", why: /^BeginTime: / });
    const told = JSON.parse((await jobmgr(["--root", root.path, "explain", "yields", "--json"])).stdout);
    expect(told).toMatchObject({
      state: "queued",
      sentences: expect.arrayContaining([expect.stringMatching(/^It was started at .* put back into the queue/)]),
    });
    job("victims", "victim", SLEEP);
    await root.ran("victim");
    job("urgent", "urgent2", "exit 0");
    const [victim] = await root.done("victim", "urgent2");
    expect(victim).toMatchObject({ state: "interrupted", why: expect.stringContaining("to make room") });
    expect(root.errorOf("victim")).toMatch(/Slurm job \d+: PREEMPTED, /);
    await scontrol("update", `JobId=${id}`, AGAIN);
    const [yields] = await root.done("yields");
    expect(yields).toMatchObject({ state: "succeeded", id });
    expect(root.runs().sort()).toEqual(["urgent1", "urgent2", "victim", "yields", "yields"]);
  });

  it("says why a job waits, and marks what will never heal", async () => {
    const root = await makeSlurmRoot(accounting.cluster);
    const job = (name: string, directive: string) =>
      root.drop(name, `#!/bin/bash\n#SBATCH ${directive}\necho ${name} >> '${root.ledger}'\n`);
    root.dropLedger("failing", "exit 1");
    root.manage();
    const [failing] = await root.done("failing");
    job("dependent", `--dependency=afterok:${failing?.id}`);
    job("held", "--hold");
    job("later", "--begin=now+1hour");
    job("wide", "--partition=single --nodes=2");
    job("admin", "--begin=now+1hour");
    await scontrol("hold", await root.id("admin"));
    const blue = (features: string) =>
      scontrol("update", "NodeName=n1", `AvailableFeatures=${features}`, `ActiveFeatures=${features}`);
    await blue("blue");
    job("blue", "--hold --constraint=blue");
    const id = await root.id("blue");
    await blue("");
    await scontrol("release", id);
    const stuck = { state: "queued", stuck: true };
    const reasons = {
      dependent: await root.waits("dependent", { ...stuck, why: /^DependencyNeverSatisfied: It never starts/ }),
      held: await root.waits("held", { ...stuck, why: /^JobHeldUser: It is held/ }),
      admin: await root.waits("admin", { ...stuck, why: /^JobHeldAdmin: / }),
      blue: await root.waits("blue", { ...stuck, why: /^BadConstraints: It never starts/ }),
      wide: await root.waits("wide", { state: "queued", why: /^PartitionNodeLimit: It asks for more nodes/ }),
      later: await root.waits("later", { state: "queued", why: /^BeginTime: / }),
    };
    expect(reasons.later).not.toHaveProperty("stuck");
    const { stdout } = await jobmgr(["--root", root.path, "status"], { env: { COLUMNS: "200" } });
    for (const { why } of Object.values(reasons)) expect(stdout).toContain(String(why).split(":")[0]);
    const json = JSON.parse((await jobmgr(["--root", root.path, "status", "--json"])).stdout);
    expect(
      json.jobs.filter((one: Record<string, unknown>) => one.stuck).map((one: { name: string }) => one.name),
    ).toEqual(expect.arrayContaining(["admin", "blue", "dependent", "held"]));
    expect(root.runs()).toEqual(["failing"]);
  });

  it("a queue that has forgotten an ended job leaves its exit record to tell the result", async () => {
    const root = await makeSlurmRoot(plain.cluster);
    // From here on this cluster forgets ended jobs after two seconds (MinJobAge).
    appendFileSync(join(plain.cluster.folder, "slurm.conf"), "MinJobAge=2\n");
    await must(plain.cluster, "scontrol", "reconfigure");
    root.dropGated("good");
    root.dropLedger("bad", `while [ ! -e '${root.ledger}.gate' ]; do sleep 0.05; done; exit 6`);
    const manager = root.manage();
    for (const name of ["good", "bad"]) await root.ran(name);
    await root.waits("good", { state: "running" });
    const ids = [await root.id("good"), await root.id("bad")].join();
    await manager.stop();
    root.openGate();
    const isKnown = async () =>
      (await plain.cluster.run("squeue", "-h", "-t", "all", `--jobs=${ids}`)).stdout.trim() !== "";
    while (await isKnown());
    root.manage();
    const [good, bad] = await root.done("good", "bad");
    expect(good).toMatchObject({ state: "succeeded", exitCode: 0 });
    expect(bad).toMatchObject({ state: "failed", exitCode: 6 });
    expect(root.runs().sort()).toEqual(["bad", "good"]);
  });
});
