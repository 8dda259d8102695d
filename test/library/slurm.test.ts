/** The library feeds real Slurm, which keeps no accounts: what is asked for arrives there, and each end is told for what it is. */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { makeFolder, makeRoot, runToEnd } from "../harness.ts";
import { PATIENCE_MS, PROMPT } from "../real/slurm.ts";
import { needSlurm, startCluster } from "../slurm/cluster.ts";

const LIBRARY = resolve(import.meta.dirname, "../../dist/library/library.mjs");

const TEXT = `
import { execFileSync } from "node:child_process";
import { openRoot } from ${JSON.stringify(LIBRARY)};
const settings = { period: 0.5, "min-query-interval": 0.2 };
const root = await openRoot(process.argv[2], { engine: "slurm", manage: true, settings });
const asked = await root.submit({
  name: "asked",
  commands: ['scontrol --oneliner show job "$SLURM_JOB_ID" >shown', 'printf %s "$A" >a', "echo out", "echo err >&2"],
  cpus: 2,
  nodes: 1,
  memory: "64M",
  timeLimitS: 36 * 3600,
  env: { A: "$(id) \\n#SBATCH", TMPDIR: null },
  output: "my out.txt",
  error: "err.txt",
});
const late = await root.submit({ name: "late", commands: ["sleep 1000"], timeLimitS: 60 });
const cancelled = await root.submit({ name: "cancelled", commands: ["sleep 1000"], cpus: 1 });
const nowhere = await root.submit({ name: "nowhere", commands: ["true"], directives: ["#SBATCH --partition=nowhere"] });
const next = await root.submit({ name: "next", commands: ["true"], after: [asked] });
const started = (job) => new Promise((done) => job.on("start", done));
await Promise.all([started(late), started(cancelled)]);
const states = [late.state, cancelled.state];
execFileSync("scontrol", ["update", "jobid=" + late.look().id, "EndTime=now"]);
execFileSync("scontrol", ["suspend", cancelled.look().id]);
// Two checks later the manager has asked for a job that was suspended before.
for (let seen = 0, last; seen < 3; await new Promise((done) => setTimeout(done, 100))) {
  const { lastCheckAt } = await root.status();
  if (lastCheckAt !== last) seen++;
  last = lastCheckAt;
}
states.push(cancelled.state);
await cancelled.cancel("not needed");
const ends = {};
for (const job of [asked, late, cancelled, nowhere, next]) ends[job.id] = await job.result({ timeoutMs: ${PATIENCE_MS} });
await root.close();
console.log(JSON.stringify({ states, ends }));
`;

it("a program's jobs on Slurm, and the program ends", { timeout: 240_000 }, async (context) => {
  needSlurm(context);
  const cluster = await startCluster({ cpus: 4, settings: PROMPT });
  onTestFinished(() => cluster.stop());
  const root = await makeRoot();
  const path = join(makeFolder(), "program.mjs");
  writeFileSync(path, TEXT);
  const { code, stdout, stderr } = await runToEnd(process.execPath, [path, root.path], { env: cluster.env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const { states, ends } = JSON.parse(stdout);
  expect(states).toEqual(["running", "running", "running"]);
  expect(ends.asked).toMatchObject({ is: "succeeded", isSuccess: true, exitCode: 0, engineId: expect.any(String) });
  const read = (file: string) => readFileSync(join(root.path, "complete/asked", file), "utf8");
  expect(read("shown")).toMatch(/ TimeLimit=1-12:00:00 /);
  expect(read("shown")).toMatch(/ NumNodes=1 NumCPUs=2 NumTasks=2 /);
  expect([read("a"), read("my out.txt"), read("err.txt")]).toEqual(["$(id) \n#SBATCH", "out\n", "err\n"]);
  expect(ends.late).toMatchObject({ is: "failed", isSuccess: false, cause: "timeout" });
  expect(ends.cancelled).toMatchObject({ is: "cancelled", isSuccess: false });
  expect(ends.nowhere).toMatchObject({ is: "refused", isSuccess: false });
  expect(ends.next).toMatchObject({ is: "succeeded" });
});
