/** Which jobs go into the queue of an engine behind others, and which wait in the inbox. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { realDisk } from "../../../src/disk.ts";
import { type Limits, Pass } from "../../../src/pass/index.ts";
import { type Root, setUpRoot } from "../../../src/root.ts";
import { LIMITS, NO_BRAKES } from "../../crash/calm.ts";
import { MemoryScheduler, WaitingEngine } from "../../fakes/memory-engine.ts";
import { memoryWorld } from "../../fakes/world.ts";

let folder: string;
let root: Root;
let scheduler: MemoryScheduler;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "jobmgr-behind-"));
  ({ root } = await setUpRoot(realDisk, join(folder, "root")));
  scheduler = new MemoryScheduler();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function drop(name: string, script: string, more: Readonly<Record<string, string>> = {}): void {
  mkdirSync(join(root.inbox, name));
  for (const [file, text] of Object.entries({ "job.sh": script, ...more }))
    writeFileSync(join(root.inbox, name, file), text);
}

/** A manager that goes on until nothing happens any more. */
async function manage(limits: Partial<Limits> = {}): Promise<void> {
  const world = memoryWorld(root, new WaitingEngine(scheduler));
  const nothing = () => {};
  const pass = new Pass(world, { ...LIMITS, jobsMax: 20, ...limits }, NO_BRAKES, nothing, nothing);
  for (let round = 0; round < 8; round++) {
    await pass.check();
    await pass.idle();
    await pass.advance("none");
    await pass.idle();
  }
}

const behind = () => [...scheduler.jobs.values()].filter(({ after }) => after.length > 0).length;

describe("jobs that wait for one in the queue", () => {
  it("take half of the places there, and keep out none that could run", async () => {
    drop("a", "wait\n");
    for (let i = 0; i < 10; i++) drop(`b${i}`, "exit 0\n", { "job_after.txt": "a\n" });
    drop("z", "exit 0\n");
    await manage({ pendingMax: 6 });
    expect(behind()).toBe(3);
    expect(readdirSync(root.inbox)).toHaveLength(7);
    expect(readdirSync(root.complete)).toEqual(["z"]);
  });

  it("wait in the inbox where there is one place", async () => {
    drop("a", "wait\n");
    drop("b", "exit 0\n", { "job_after.txt": "a\n" });
    await manage({ jobsMax: 1 });
    expect([behind(), readdirSync(root.inbox)]).toEqual([0, ["b"]]);
  });

  it("wait in the inbox for the mere end of one that may be run again by rule", async () => {
    drop("a", "wait\n", { "job_retry.txt": "times 1\non failed\n" });
    drop("b", "exit 0\n", { "job_after.txt": "any a\n" });
    drop("c", "exit 0\n", { "job_after.txt": "a\n" });
    await manage();
    expect([behind(), readdirSync(root.inbox)]).toEqual([1, ["b"]]);
  });

  it("wait in the inbox where the scheduler takes none behind others, and are no worse for that", async () => {
    drop("a", "slow\nexit 0\n");
    drop("b", "exit 0\n", { "job_after.txt": "a\n" });
    scheduler.faults.push(undefined, "refused");
    await manage();
    expect([behind(), readdirSync(root.complete)]).toEqual([0, ["a", "b"]]);
    expect(scheduler.ledger).toEqual(["a", "b"]);
  });

  it("wait in the inbox for one that is not in the queue", async () => {
    drop("a", "wait\n");
    drop("b", "exit 0\n", { "job_after.txt": "a\nlater\n" });
    await manage();
    expect([behind(), readdirSync(root.inbox)]).toEqual([0, ["b"]]);
  });
});
