/** Jobs that wait for others in Slurm's own queue: a chain goes on without a check, and never against the folder rule. */
import { existsSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { until } from "../daemons.ts";
import { waitUntil } from "../harness.ts";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "../slurm/cluster.ts";
import { makeSlurmRoot, PATIENCE_MS, PROMPT, type SlurmRoot } from "./slurm.ts";

vi.setConfig({ testTimeout: 2 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

let cluster: Cluster;
beforeAll(async () => {
  if (!missingSlurm(false)) cluster = await startCluster({ cpus: 8, settings: PROMPT });
});
afterAll(() => cluster?.stop());
beforeEach((context) => needSlurm(context));

/** A job that writes its name into the ledger, and waits for these. */
function dropAfter(root: SlurmRoot, name: string, after: string, directive = ""): void {
  const script = `#!/bin/bash\n${directive}\necho '${name}' >> '${root.ledger}'\n`;
  root.drop(name, { "job.sh": script, "job_after.txt": `${after}\n` });
}

const dependencies = (root: SlurmRoot) => root.calls("sbatch").filter((call) => call.includes("--dependency=after"));

describe("a chain in Slurm's queue", () => {
  it("goes on from job to job without a check", async () => {
    const root = await makeSlurmRoot(cluster);
    root.dropGated("a");
    dropAfter(root, "b", "a", "#SBATCH --array=0-1");
    dropAfter(root, "c", "b\nany a");
    const manager = root.manage(["-p", "3600"]);
    const [b, c] = [await root.id("b"), await root.id("c")];
    await root.ran("a");
    const states = (await root.queue()).map(({ id, state }) => [id, state]);
    expect(states).toEqual(
      expect.arrayContaining([
        [`${b}_0`, "PENDING"],
        [`${b}_1`, "PENDING"],
        [c, "PENDING"],
      ]),
    );
    const asked = root.calls("squeue").length;
    root.openGate();
    await root.runsReach(4);
    expect(root.runs()).toEqual(["a", "b", "b", "c"]);
    expect(root.calls("squeue")).toHaveLength(asked);
    await waitUntil("c has ended", () => root.job("c").has("exit"));
    await manager.stop();
    root.manage();
    for (const status of await root.done("a", "b", "c")) expect(status).toMatchObject({ state: "succeeded" });
    expect(dependencies(root)).toHaveLength(2);
    expect(root.runs()).toEqual(["a", "b", "b", "c"]);
  });

  it("is refused from the first job on that did not succeed, and leaves nothing in the queue", async () => {
    const root = await makeSlurmRoot(cluster);
    root.dropGated("a", { after: "exit 3" });
    dropAfter(root, "b", "a");
    dropAfter(root, "c", "b");
    root.manage();
    await root.id("c");
    await root.waits("b", { why: 'waits in the queue for "a"' });
    root.openGate();
    const [a, b, c] = await root.done("a", "b", "c");
    expect([a?.state, b?.state, c?.state]).toEqual(["failed", "refused", "refused"]);
    expect(root.paragraphsOf("c")).toContain('"a" failed: Exit code 3');
    expect(dependencies(root)).toHaveLength(2);
    expect(root.runs()).toEqual(["a"]);
    expect((await root.queue()).filter(({ state }) => state === "PENDING")).toEqual([]);
  });

  it("waits in the inbox while a job before it is run again, and starts after that", async () => {
    const root = await makeSlurmRoot(cluster);
    root.drop("a", {
      "job.sh": `#!/bin/bash\necho a >> '${root.ledger}'\nwhile [ ! -e '${root.ledger}.gate' ]; do sleep 0.05; done\n[ -e again ] || { touch again; exit 9; }\n`,
      "job_retry.txt": "times 1\non 9\npause 0\n",
    });
    dropAfter(root, "b", "a");
    root.manage();
    await root.id("b");
    root.openGate();
    const [a, b] = await root.done("a", "b");
    expect([a, b]).toMatchObject([{ state: "succeeded", attempt: 2 }, { state: "succeeded" }]);
    expect(root.runs()).toEqual(["a", "a", "b"]);
  });

  it("starts once the job before it has ended well, though Slurm would never start it behind that", async () => {
    const root = await makeSlurmRoot(cluster);
    root.dropGated("a");
    dropAfter(root, "b", "a", "#SBATCH --array=0-1");
    root.manage();
    const id = await root.id("b");
    await root.ran("a");
    // As it is when the node of the job before it fails after its last line.
    const asked = async (...args: string[]) => (await cluster.run("squeue", "-h", "-t", "all", ...args)).stdout;
    const bad = (await cluster.run("sbatch", "--parsable", "-o", "/dev/null", "--wrap", "exit 1")).stdout.trim();
    const hasFailed = async () => /FAILED/.test(await asked("-j", bad, "-o", "%T"));
    expect(await until(hasFailed, PATIENCE_MS, 100)).toBe(true);
    await cluster.run("scontrol", "update", `JobId=${id}`, `Dependency=afterok:${await root.id("a")},afterok:${bad}`);
    const neverStarts = async () => /DependencyNeverSatisfied/.test(await asked("-j", id, "-o", "%r"));
    expect(await until(neverStarts, PATIENCE_MS, 100)).toBe(true);
    root.openGate();
    const [, b] = await root.done("a", "b");
    expect(b).toMatchObject({ state: "succeeded" });
    expect(root.runs()).toEqual(["a", "b", "b"]);
    expect(dependencies(root)).toHaveLength(1);
  });

  it("does not start before the records of the job before it say that it has ended, whatever Slurm believes", async () => {
    const root = await makeSlurmRoot(cluster);
    root.dropGated("a");
    dropAfter(root, "b", "a");
    const manager = root.manage();
    const id = await root.id("b");
    await root.ran("a");
    await cluster.run("scontrol", "update", `JobId=${id}`, "Dependency=");
    await waitUntil("b waits in the inbox again", () => existsSync(`${root.path}/inbox/b`), PATIENCE_MS);
    expect(root.runs()).toEqual(["a"]);
    root.openGate();
    await root.done("a", "b");
    expect(root.runs()).toEqual(["a", "b"]);
    expect(manager.stdout()).toContain("b has left the queue, and was not started");
  });
});
