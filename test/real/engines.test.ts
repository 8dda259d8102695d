/** Jobs of two engines on one root: a manager with another engine than the last one, in the midst of its jobs. */
import { readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { makeFolder, makeRoot, waitUntil } from "../harness.ts";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "../slurm/cluster.ts";
import { makeSlurmRoot, PATIENCE_MS, PROMPT, type SlurmRoot } from "./slurm.ts";

vi.setConfig({ testTimeout: PATIENCE_MS, hookTimeout: PATIENCE_MS });

let cluster: Cluster;
beforeAll(async () => {
  if (!missingSlurm(false)) cluster = await startCluster({ settings: PROMPT });
});
afterAll(() => cluster?.stop());

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

/** An engine of somebody's own, which starts processes and knows of them what their records say. */
const OWN_ENGINE = `
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
const plan = ({ folderName }) => ({
  jobName: folderName, shell: "/bin/sh", directives: "", args: [], identity: { job: "-", restart: "0", task: "" },
  limitS: 0, graceS: 0, tasks: [], tasksAtOnce: 1, places: 1, outputs: [], ignored: [],
});
const newsOf = ({ records }) => (existsSync(join(records, "exit")) ? { is: "ended", word: "over" } : { is: "running" });
export default {
  contract: 1, name: "OwnEngine", version: "4.2", summary: "processes",
  make: () => ({
    name: "OwnEngine", maxJobsDefault: 5, hasQueue: false, plan, outputId: () => "1", command: ({ runner }) => "sh " + runner,
    async submit({ runner, folder }) {
      const child = spawn("sh", [runner], { cwd: folder, detached: true, stdio: "ignore" });
      child.unref();
      return String(child.pid);
    },
    find: async (where) =>
      "token" in where && existsSync(join(where.records, "started"))
        ? { is: "found", handle: "1", token: where.token }
        : { is: "absent" },
    poll: async (jobs) => new Map(jobs.map((job) => [job.token, newsOf(job)])),
    cancel: async () => {},
    check: async () => {},
  }),
};
`;

describe("an engine of somebody's own", () => {
  it("is loaded for its jobs from where it was, by a manager with another one", async () => {
    const root = await makeRoot();
    const folder = makeFolder();
    writeFileSync(join(folder, "own.mjs"), OWN_ENGINE);
    root.drop("a", `echo a >> '${root.ledger}'\nwhile [ ! -e go ]; do sleep 0.05; done\n`);
    const first = root.manage(["-e", "./own.mjs"], { cwd: folder });
    await waitUntil("a runs", () => root.runs().length === 1);
    await first.stop();
    renameSync(join(folder, "own.mjs"), join(folder, "gone.mjs"));

    const second = root.manage();
    await waitUntil("it is missed", () =>
      second.stderr().includes(`Jobs of OwnEngine (${folder}/own.mjs) stay as they are`),
    );
    expect(second.stderr()).toContain(
      `-e ${folder}/own.mjs where it can; if it lies elsewhere now, make a link to it there.`,
    );
    await second.stop();
    expect(root.names("pending")).toEqual(["a"]);

    renameSync(join(folder, "gone.mjs"), join(folder, "own.mjs"));
    root.manage();
    root.dropLedger("b");
    writeFileSync(join(root.path, "pending/a/go"), "");
    await root.completed("a", "b");
    expect(root.status("a")).toMatchObject({ state: "succeeded", engine: "OwnEngine" });
    expect(root.status("b")).toMatchObject({ state: "succeeded", engine: "LocalEngine" });
    const [attempt = ""] = readdirSync(join(root.path, "complete/a/.jobmgr")).filter((name) =>
      name.startsWith("attempt"),
    );
    const intent = JSON.parse(root.read(`complete/a/.jobmgr/${attempt}/intent`));
    expect(intent).toMatchObject({ engineVersion: "4.2", engineFrom: join(folder, "own.mjs") });
  });

  it("is not taken for another one of the same name, which lies elsewhere", async () => {
    const root = await makeRoot();
    const folder = makeFolder();
    writeFileSync(join(folder, "own.mjs"), OWN_ENGINE);
    const ofOthers = 'existsSync(join(records, "intent")) && { is: "ended", word: "none of mine" }';
    const changed = OWN_ENGINE.replace(
      "const newsOf = ({ records }) =>",
      `const newsOf = ({ records, folder }) => folder.endsWith("/a") ? ${ofOthers} :`,
    );
    writeFileSync(join(folder, "other.mjs"), changed);
    root.drop("a", `echo a >> '${root.ledger}'\nwhile [ ! -e go ]; do sleep 0.05; done\n`);
    const first = root.manage(["-e", "./own.mjs"], { cwd: folder });
    await waitUntil("a runs", () => root.runs().length === 1);
    await first.stop();

    const second = root.manage(["-e", "./other.mjs"], { cwd: folder });
    root.dropLedger("b");
    await root.completed("b");
    expect(root.names("pending")).toEqual(["a"]);
    expect(second.stderr() + second.stdout()).toContain(
      `There are jobs of OwnEngine (${folder}/own.mjs). They go on there; new ones go to OwnEngine (${folder}/other.mjs).`,
    );
    writeFileSync(join(root.path, "pending/a/go"), "");
    await root.completed("a");
    expect(root.status("a")).toMatchObject({ state: "succeeded" });
  });
});

describe("a manager with another engine than the one before it", () => {
  beforeEach((context) => needSlurm(context));

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
