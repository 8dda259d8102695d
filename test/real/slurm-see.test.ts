/** What status, explain and logs say of jobs in a real Slurm, and what becomes of those whose folders people move. */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { jobmgr, PROGRAM, start, waitUntil } from "../harness.ts";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "../slurm/cluster.ts";
import { makeSlurmRoot, PATIENCE_MS, PROMPT } from "./slurm.ts";

vi.setConfig({ testTimeout: 3 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

let cluster: Cluster;

beforeAll(async () => {
  if (missingSlurm(false) === undefined) cluster = await startCluster({ cpus: 2, settings: PROMPT });
});

afterAll(() => cluster?.stop());

beforeEach((context) => needSlurm(context, false));

it("a job that waits for resources has the start that Slurm expects; one that runs has its limit; both are followed", async () => {
  const root = await makeSlurmRoot(cluster);
  const all = "#!/bin/bash\n#SBATCH --cpus-per-task=2 --mem=1M\n#SBATCH --time=10\n";
  root.drop("first", `${all}echo one; while ! [ -e go ]; do sleep 0.1; done; exit 3\n`);
  const manager = root.manage();
  await root.waits("first", { state: "running" });
  root.drop("second", `${all}echo two\n`);
  const { expectedStart, whySince, command, asked } = await root.waits("second", {
    state: "queued",
    why: /^Resources: /,
    expectedStart: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
  });
  const inS = (Date.parse(String(expectedStart)) - Date.now()) / 1000;
  expect(inS).toBeGreaterThan(0);
  expect(inS).toBeLessThanOrEqual(600);
  expect(Date.parse(String(whySince))).toBeLessThanOrEqual(Date.now());
  expect(command).toMatch(/^sbatch --parsable .*\/run\.sh$/);
  expect(asked).toEqual({ time: "10", memory: "1M", cpus: "2" });

  const explain = async (name: string) => (await jobmgr(["--root", root.path, "explain", name])).stdout;
  const second = (await explain("second")).replace(/\s+/g, " ");
  expect(second).toMatch(/is job \d+ of SlurmEngine, where it waits\./);
  expect(second).toMatch(/SlurmEngine says since \d\d:\d\d \S+: Resources: It is next in line/);
  expect(second).toMatch(/SlurmEngine expects to start it at \d\d:\d\d \S+ \(in \d+ min/);
  expect(second).toContain(`The submit command: ${command}`);
  expect((await explain("first")).replace(/\s+/g, " ")).toMatch(
    /It has been running since .* Its time limit is 10 min, of which \d+ min( \d+ s)? are left\./,
  );
  const { stdout } = await jobmgr(["--root", root.path, "status"]);
  expect(stdout).toMatch(/^first +running +\d+ /m);
  expect(stdout).toMatch(/^second +queued +\d+ .*Resources: .*\(expected to start \d\d:\d\d( \S+)?\)$/m);

  const followers = ["first", "second"].map((name) =>
    start(process.execPath, [PROGRAM, "--root", root.path, "logs", "-f", "--exit-code", name]),
  );
  await waitUntil("the first one's line is shown", () => followers[0]?.stdout() === "one\n");
  writeFileSync(join(root.path, "pending/first/go"), "");
  expect(await Promise.all(followers.map(({ ended }) => ended))).toEqual([3, 0]);
  expect(followers[1]?.stdout()).toBe("two\n");
  await manager.stop();
});

it("a full queue is told with its limits, and an outage with the time since when it lasts", async () => {
  const root = await makeSlurmRoot(cluster);
  const all = "#!/bin/bash\n#SBATCH --cpus-per-task=2 --mem=1M --time=10\n";
  root.drop("a", `${all}while ! [ -e go ]; do sleep 0.1; done\n`);
  const manager = root.manage(["-m", "1"]);
  await root.waits("a", { state: "running" });
  root.drop("b", `${all}true\n`);
  await root.waits("b", { state: "queued", why: /^Resources: / });
  root.drop("c", `${all}true\n`);
  const explain = async () => (await jobmgr(["--root", root.path, "explain", "c"])).stdout.replace(/\s+/g, " ");
  let told = "";
  while (!told.includes("the next to be taken")) told = await explain();
  expect(told).toContain("The queue is full: 1 job waits there, and the limit is 1 (-m, --max-pending).");

  const began = Date.now();
  root.fake("squeue", 'echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1');
  const report = async () => JSON.parse((await jobmgr(["--root", root.path, "status", "--json"])).stdout);
  let seen = await report();
  while (!seen.outage) seen = await report();
  expect(Date.parse(seen.outage.since)).toBeGreaterThanOrEqual(began - 2000);
  expect(Date.parse(seen.outage.since)).toBeLessThanOrEqual(Date.now());
  expect(seen.problems.join()).toMatch(/^For .* s: SlurmEngine does not answer; no job changes its state\..*contact/);
  expect(await explain()).toContain("SlurmEngine does not answer");
  root.fake("squeue");
  while (seen.outage) seen = await report();
  writeFileSync(join(root.path, "pending/a/go"), "");
  await root.done("a", "b", "c");
  await manager.stop();
});

it("a folder whose job runs is moved to the inbox: it waits there for that job; one whose job waits in the queue is taken again", async () => {
  const root = await makeSlurmRoot(cluster);
  const manager = root.manage();
  const all = "#SBATCH --cpus-per-task=2 --mem=1M";
  root.dropGated("a", { head: all });
  await root.waits("a", { state: "running" });
  const id = await root.id("a");
  root.drop("b", `#!/bin/bash\n${all}\necho b >>'${root.ledger}'\n`);
  await root.waits("b", { state: "queued" });
  const first = await root.id("b");
  for (const name of ["a", "b"]) renameSync(join(root.path, "pending", name), join(root.path, "inbox", name));
  const why = `a waits for job ${id} of SlurmEngine, which may still run in this folder`;
  await waitUntil("it is told", () => manager.stderr().includes(why), PATIENCE_MS);
  await waitUntil("b is submitted again", () => root.submissions("b") === 2, PATIENCE_MS);
  expect([root.runs(), root.names("inbox")]).toEqual([["a"], ["a"]]);

  await cluster.run("scancel", id);
  root.openGate();
  const [again, other] = await root.done("a", "b");
  expect(root.runs().sort()).toEqual(["a", "a", "b"]);
  expect(again).toMatchObject({ state: "succeeded" });
  expect(other).toMatchObject({ state: "succeeded" });
  expect([again?.id, other?.id]).not.toContain(first);
});
