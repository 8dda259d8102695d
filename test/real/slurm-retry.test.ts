/** Jobs of Slurm that are run again by rule: after what a node or other jobs did to them, and with more of what ran out. */
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished, vi } from "vitest";
import { waitUntil } from "../harness.ts";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "../slurm/cluster.ts";
import { makeSlurmRoot, PATIENCE_MS, PROMPT } from "./slurm.ts";

vi.setConfig({ testTimeout: 2 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

let cluster: Cluster;

beforeAll(async () => {
  if (missingSlurm(false)) return;
  cluster = await startCluster({ cpus: 8, settings: { ...PROMPT, JobRequeue: "0" } });
});
afterAll(async () => {
  await cluster?.stop();
});
beforeEach((context) => needSlurm(context, false));

/** What Slurm itself says that a job asks for. */
async function asks(id: string): Promise<string> {
  return (await cluster.run("scontrol", "show", "job", id)).stdout;
}

it("a job whose node fails is run again when there is one, and what a node did is no failed job", async () => {
  const root = await makeSlurmRoot(cluster);
  root.drop("a", {
    "job.sh": `#!/bin/bash\necho a >> '${root.ledger}'\n[ $(wc -l < '${root.ledger}') -gt 1 ] || exec sleep 1000\n`,
    "job_retry.txt": "times 2\non NODE_FAIL\npause 0\n",
  });
  const manager = root.manage(["-x", "1"]);
  await root.ran("a");
  const first = await root.id("a");
  await cluster.run("scontrol", "update", "NodeName=n1", "State=DOWN", "Reason=test");
  await waitUntil("it is run again", () => manager.stderr().includes("retrying a"), PATIENCE_MS);
  // It may have come back by itself (ReturnToService), and then cannot be brought back.
  await cluster.run("scontrol", "update", "NodeName=n1", "State=RESUME");
  const [a] = await root.done("a");
  expect(a).toMatchObject({ state: "succeeded", attempt: 2 });
  expect(a?.id).not.toBe(first);
  expect(root.runs()).toEqual(["a", "a"]);
  expect(manager.stderr()).toMatch(/retrying a: interrupted\. .*n1.* Again at once \(2nd of 3 attempts\)\.\n/);
});

it("after an end for want of memory or time Slurm is asked for more, by the factor of each", async () => {
  const root = await makeSlurmRoot(cluster);
  // Slurm's own limits need cgroups for the one and half a minute for the other.
  root.fake("squeue", 'real "$@" | sed -e "/oom/s/FAILED/OUT_OF_MEMORY/" -e "/slow/s/FAILED/TIMEOUT/"');
  const drop = (name: string, directives: string, retry: string) =>
    root.drop(name, {
      "job.sh": `#!/bin/bash\n${directives}\necho ${name} >> '${root.ledger}'\n[ $(grep -cx ${name} '${root.ledger}') -gt 2 ] || exit 9\n`,
      "job_retry.txt": retry,
    });
  drop("oom", "#SBATCH --mem=100M --time=10", "times 3\nmemory 1.5\npause 0\n");
  drop("slow", "#SBATCH --mem-per-cpu=50 --time=0:01:00", "times 3\ntime 2\npause 0\n");
  drop("oom-unsaid", "#SBATCH --time=10", "times 3\nmemory 1.5\npause 0\n");
  const manager = root.manage();
  const [oom, slow, unsaid] = await root.done("oom", "slow", "oom-unsaid");
  expect(oom).toMatchObject({ state: "succeeded", attempt: 3, raised: ["--mem=225M instead of 100M"] });
  expect(slow).toMatchObject({ state: "succeeded", attempt: 3, raised: ["--time=0:04:00 instead of 0:01:00"] });
  expect(await asks(String(oom?.id))).toMatch(/TimeLimit=00:10:00[\s\S]*MinMemoryNode=225M/);
  expect(await asks(String(slow?.id))).toMatch(/TimeLimit=00:04:00[\s\S]*MinMemoryCPU=50M/);
  expect(manager.stderr()).toContain("Again at once (2nd of 4 attempts), with --mem=150M instead of 100M.");
  expect(unsaid).toMatchObject({ state: "failed" });
  expect(root.errorOf("oom-unsaid")).toContain("It is not run again with more memory, for job.sh names none that");
  expect(root.runs().sort()).toEqual(["oom", "oom", "oom", "oom-unsaid", "slow", "slow", "slow"]);
});

it("what Slurm does not allow any more is refused, and the error tells of the attempts before", async () => {
  const root = await makeSlurmRoot(cluster);
  root.fake("squeue", 'real "$@" | sed s/FAILED/OUT_OF_MEMORY/');
  root.drop("a", {
    "job.sh": `#!/bin/bash\n#SBATCH --mem=50G\necho a >> '${root.ledger}'\nexit 9\n`,
    "job_retry.txt": "times 3\nmemory 4\ntime 4\npause 0\n",
  });
  root.manage();
  const [a] = await root.done("a");
  expect(root.runs().length).toBeGreaterThan(1);
  expect(a).toMatchObject({ state: "refused", raised: [expect.stringMatching(/^--mem=\d+[MG] instead of 50G$/)] });
  expect(root.errorOf("a")).toMatch(/attempt, with --mem=\d+[MG] instead of 50G\. Before:\n {2}1st: failed\. /);
});

it("what was raised beyond the partition's limit, and would wait for ever, has failed, and names the limit", async () => {
  const root = await makeSlurmRoot(cluster);
  root.fake("squeue", 'real "$@" | sed s/FAILED/TIMEOUT/');
  await cluster.run("scontrol", "update", "PartitionName=debug", "MaxTime=2");
  onTestFinished(async () => {
    await cluster.run("scontrol", "update", "PartitionName=debug", "MaxTime=INFINITE");
  });
  root.drop("a", {
    "job.sh": `#!/bin/bash\n#SBATCH --time=1\necho a >> '${root.ledger}'\nexit 9\n`,
    "job_retry.txt": "times 3\non failed\ntime 4\npause 0\n",
  });
  const manager = root.manage();
  const [a] = await root.done("a");
  expect(root.runs()).toEqual(["a"]);
  const why = /--time=0:04:00 instead of 1\), and that is beyond a limit: Partition(TimeLimit|Config): /;
  expect(a).toMatchObject({ state: "failed", attempt: 2, why: expect.stringMatching(why) });
  expect(manager.stderr()).toMatch(/a is given up\. More was asked for by rule/);
  expect(root.errorOf("a")).toMatch(/2nd attempt, with --time=0:04:00 instead of 1\. Before:\n {2}1st: failed\. /);
});

it("an array is run again as a whole", async () => {
  const root = await makeSlurmRoot(cluster);
  root.drop("a", {
    "job.sh": `#!/bin/bash\n#SBATCH --array=1-2\necho $SLURM_ARRAY_TASK_ID >> '${root.ledger}'\n[ $SLURM_ARRAY_TASK_ID = 1 ] || [ $(grep -cx 2 '${root.ledger}') -gt 1 ] || exit 75\n`,
    "job_retry.txt": "times 1\non 75\npause 0\n",
  });
  const manager = root.manage();
  const [a] = await root.done("a");
  expect(a).toMatchObject({ state: "succeeded", attempt: 2 });
  expect(root.runs().sort()).toEqual(["1", "1", "2", "2"]);
  expect(manager.stderr()).toContain("(2nd of 2 attempts). All its tasks run again.");
});
