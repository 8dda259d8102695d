/** Jobs of two engines on one root: a manager with another engine than the last one, in the midst of its jobs. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "../slurm/cluster.ts";
import { makeSlurmRoot, PATIENCE_MS, PROMPT, type SlurmRoot } from "./slurm.ts";

vi.setConfig({ testTimeout: PATIENCE_MS, hookTimeout: PATIENCE_MS });

let cluster: Cluster;
beforeAll(async () => {
  if (!missingSlurm(false)) cluster = await startCluster({ settings: PROMPT });
});
afterAll(() => cluster?.stop());
beforeEach((context) => needSlurm(context));

const ENGINES = ["LocalEngine", "SlurmEngine"] as const;

/** Two of each kind of job: one that runs when the manager is stopped, and one that is new for the next one. */
async function changeEngines(root: SlurmRoot, from: string, to: string) {
  root.dropGated("a");
  const first = root.manage(["-e", from]);
  await root.ran("a");
  await first.stop();
  const second = root.manage(["-e", to]);
  root.dropGated("b");
  await root.ran("b");
  root.openGate();
  const [a, b] = await root.done("a", "b");
  expect(a).toMatchObject({ state: "succeeded", exitCode: 0, engine: from });
  expect(b).toMatchObject({ state: "succeeded", exitCode: 0, engine: to });
  expect(root.runs()).toEqual(["a", "b"]);
  return second;
}

describe("a manager with another engine than the one before it", () => {
  it.each([
    [ENGINES[0], ENGINES[1]],
    [ENGINES[1], ENGINES[0]],
  ])("lets jobs of %s go on there, and gives new ones to %s", async (from, to) => {
    const root = await makeSlurmRoot(cluster);
    await changeEngines(root, from, to);
  });

  it("cancels a job of the earlier one there", async () => {
    const root = await makeSlurmRoot(cluster);
    root.dropGated("a");
    const first = root.manage(["-e", "SlurmEngine"]);
    await root.ran("a");
    await first.stop();
    root.manage(["-e", "LocalEngine"]);
    root.cancel("a", "not needed any more");
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: "cancelled", engine: "SlurmEngine" });
  });
});
