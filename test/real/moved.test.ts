/** A person moves the folder of a job that runs: nothing is started beside it, and what is told of it is true. */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import { parseStarted } from "../../src/runner.ts";
import { jobmgr, waitUntil } from "../harness.ts";
import { type JobRoot, makeJobRoot } from "./surroundings.ts";

/** Waits until a job runs, and all is written that the manager writes then. */
async function untilRunning(root: JobRoot, name: string): Promise<void> {
  const isTold = () =>
    root.exists(`pending/${name}/job_status.json`) && root.status(name, "pending").state === "running";
  await waitUntil(`${name} runs`, () => root.runs().includes(name) && isTold());
}

function move(root: JobRoot, from: string, to: string): void {
  renameSync(join(root.path, from), join(root.path, to));
}

/** Where the records of the attempt in force are. */
function recordsOf(root: JobRoot, folder: string): string {
  const own = join(root.path, folder, ".jobmgr");
  return join(own, readdirSync(own).find((name) => name.startsWith("attempt-")) ?? "");
}

/** Ends all that runs in a folder, wherever that lies: a runner that is left alone looks for its folder for a while. */
function endIn(root: JobRoot, folder: string): void {
  const records = recordsOf(root, folder);
  for (const name of readdirSync(records).filter((one) => one.startsWith("started"))) {
    const claim = parseStarted(readFileSync(join(records, name), "utf8"));
    if (claim) process.kill(-claim.pid, "SIGKILL");
  }
}

async function told(root: JobRoot, verb: string, ...words: string[]): Promise<string> {
  const { stdout } = await jobmgr(["--root", root.path, verb, ...words], { env: { JOBMGR_SETTLE: "0" } });
  return stdout.replaceAll(/\s+/g, " ");
}

const WAITS = /waits for job \w+ of LocalEngine, which may still run in this folder: it was moved out of pending/;

it("a folder that is moved to the inbox while its job runs waits there for its end, and then runs again", async () => {
  const root = await makeJobRoot();
  const manager = root.manage(["-M", "4"]);
  root.dropGated("job");
  await untilRunning(root, "job");
  move(root, "pending/job", "inbox/job");
  await waitUntil("it is told", () => WAITS.test(manager.stderr()));
  root.dropLedger("other");
  await root.completed("other");
  expect(root.names("inbox")).toEqual(["job"]);
  expect(await told(root, "explain", "job")).toMatch(new RegExp(`inbox/job: waiting It ${WAITS.source}`));
  expect(manager.stderr().match(new RegExp(WAITS, "g"))).toHaveLength(1);
  expect(manager.stderr()).toContain("move the folder back to pending/job.");

  endIn(root, "inbox/job");
  root.openGate();
  await root.completed("job");
  expect(root.runs()).toEqual(["job", "other", "job"]);
  const explained = await told(root, "explain", "job");
  expect(explained).toMatch(/ 1 unknown .* 2 succeeded /);
  expect(explained).toMatch(/1: It was started as job \w+ of LocalEngine, and no record tells how it ended/);
});

it("the end of a job is recorded where its folder was moved to meanwhile, which is taken at the next look", async () => {
  const root = await makeJobRoot();
  const manager = root.manage(["-M", "4"]);
  root.dropGated("job");
  await untilRunning(root, "job");
  const records = recordsOf(root, "pending/job");
  move(root, "pending/job", "inbox/job");
  await waitUntil("it is told", () => WAITS.test(manager.stderr()));
  writeFileSync(join(root.path, "inbox/job/job_hold"), "");
  root.openGate();
  await waitUntil("it is over", () => manager.stdout().includes("Nothing runs in job any more."));
  expect(readFileSync(join(root.path, "inbox/job/.jobmgr", basename(records), "exit"), "utf8")).toMatch(/ 0 \S+ end$/m);
  expect(await told(root, "status")).not.toContain("may still run");
  rmSync(join(root.path, "inbox/job/job_hold"));
  await root.completed("job");
  expect(root.runs()).toEqual(["job", "job"]);
  expect(await told(root, "explain", "job")).toContain("1: It ended with exit code 0, and its folder was moved");
});

it("moved back to pending, the job goes on as before, and can be cancelled there", async () => {
  const root = await makeJobRoot();
  const manager = root.manage(["-M", "4"]);
  for (const name of ["a", "b"]) {
    root.dropGated(name);
    await untilRunning(root, name);
    move(root, `pending/${name}`, `inbox/${name}`);
    await waitUntil("it is told", () => manager.stderr().includes(`${name} waits for job`));
  }
  expect(await told(root, "cancel", "b")).toContain("To end what runs in it, move it back to pending");
  for (const name of ["a", "b"]) move(root, `inbox/${name}`, `pending/${name}`);
  await root.completed("b");
  expect(root.status("b")).toMatchObject({ state: "cancelled", exitCode: 143 });
  root.openGate();
  await root.completed("a");
  expect(root.status("a")).toMatchObject({ state: "succeeded", exitCode: 0 });
  expect(root.runs()).toEqual(["a", "b"]);
});

it("of one that is moved to complete while it runs status and explain say what is known, and retry starts nothing beside it", async () => {
  const root = await makeJobRoot();
  const manager = root.manage(["-M", "4"]);
  root.dropGated("job");
  await untilRunning(root, "job");
  move(root, "pending/job", "complete/job");
  const known = /It was started as job \w+ of LocalEngine, and no record tells how it ended: its folder was moved/;
  const { stdout } = await jobmgr(["--root", root.path, "status", "--json"]);
  expect(JSON.parse(stdout).jobs).toEqual([
    expect.objectContaining({ name: "job", place: "complete", state: "unknown", why: expect.stringMatching(known) }),
  ]);
  expect(await told(root, "explain", "job")).toMatch(new RegExp(`complete/job: unknown ${known.source}`));
  const removed = await jobmgr(["--root", root.path, "remove", "job", "--yes"]);
  expect([removed.code, removed.stderr]).toEqual([1, expect.stringContaining("complete/job may still run")]);
  expect(await told(root, "retry", "job")).toContain("it is run again when nothing of it runs any more");
  await waitUntil("it is told", () => WAITS.test(manager.stderr()));
  expect(root.runs()).toEqual(["job"]);
  endIn(root, "inbox/job");
  root.openGate();
  await root.completed("job");
  expect(root.runs()).toEqual(["job", "job"]);
});

it("cron's passes ask for it as well; without the engine's word it is not taken, but without its records it is", async () => {
  const root = await makeJobRoot();
  const manager = root.manage();
  root.dropGated("job");
  await untilRunning(root, "job");
  await manager.stop();
  move(root, "pending/job", "inbox/job");
  const once = async (...args: string[]) => {
    const pass = root.manage(["--once", ...args]);
    await pass.ended;
    return pass.stderr();
  };
  expect(await once()).toMatch(WAITS);
  // An engine that has to be loaded for it.
  expect(await once("-e", "SlurmEngine")).toMatch(WAITS);
  const intent = join(recordsOf(root, "inbox/job"), "intent");
  const text = readFileSync(intent, "utf8");
  writeFileSync(intent, text.replace('"engine": "LocalEngine"', '"engine": "FlyingEngine"'));
  expect(await once()).toContain("Jobs of FlyingEngine stay as they are");
  expect(await told(root, "status")).toContain("waits for job");
  writeFileSync(intent, text);
  expect(root.runs()).toEqual(["job"]);

  rmSync(join(root.path, "inbox/job/.jobmgr"), { recursive: true });
  root.openGate();
  await once();
  await waitUntil("it runs", () => root.runs().length === 2);
});

it("the tasks of an array that have not begun are not begun where it was moved to", async () => {
  const root = await makeJobRoot();
  const manager = root.manage(["-M", "4"]);
  const gate = `while [ ! -e '${root.ledger}.gate' ]; do sleep 0.05; done`;
  root.drop("job", `#!/bin/bash\n#SBATCH --array=1-3%1\necho job >>'${root.ledger}'\n${gate}\n`);
  await untilRunning(root, "job");
  move(root, "pending/job", "inbox/job");
  await waitUntil("it is told", () => WAITS.test(manager.stderr()));
  root.dropLedger("other");
  await root.completed("other");
  expect(readdirSync(join(root.path, "inbox/job")).filter((name) => name.startsWith("job_output"))).toEqual([
    "job_output_1.txt",
  ]);
  endIn(root, "inbox/job");
  root.openGate();
  await root.completed("job");
  expect(root.runs()).toEqual(["job", "other", "job", "job", "job"]);
});
