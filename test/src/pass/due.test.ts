/** When something is to be done next: nothing that became due while a manager was busy waits for the next check. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { realDisk } from "../../../src/disk.ts";
import { type Limits, Pass } from "../../../src/pass/index.ts";
import { setUpRoot } from "../../../src/root.ts";
import { LIMITS, NO_BRAKES } from "../../crash/calm.ts";
import { MemoryEngine, MemoryScheduler } from "../../fakes/memory-engine.ts";
import { memoryWorld } from "../../fakes/world.ts";
import { makeFolder } from "../../harness.ts";

const nothing = () => {};

/** An hour passes in which the processor is another's: what comes due meanwhile is not seen. */
function passAnHour(): void {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, "now").mockImplementation(() => now() + 3_600_000);
}
afterEach(() => void vi.restoreAllMocks());

async function makePass(script = "exit 0\n", limits: Partial<Limits> = {}) {
  const { root } = await setUpRoot(realDisk, join(makeFolder(), "root"));
  mkdirSync(join(root.inbox, "a"));
  writeFileSync(join(root.inbox, "a", "job.sh"), script);
  const scheduler = new MemoryScheduler();
  const pass = new Pass(
    memoryWorld(root, new MemoryEngine(scheduler)),
    { ...LIMITS, ...limits },
    NO_BRAKES,
    nothing,
    nothing,
  );
  const check = async () => {
    await pass.check();
    await pass.idle();
  };
  return { root, scheduler, pass, check };
}

it("a job's next try that came due unseen is due at once, and only until it had its turn", async () => {
  const { scheduler, pass, check } = await makePass();
  scheduler.faults.push("lost answer");
  await check();
  expect(pass.dueInMs()).toBeGreaterThan(0);
  passAnHour();
  expect(pass.dueInMs()).toBe(0);
  await check();
  expect(scheduler.ledger).toEqual(["a"]);
  expect(pass.dueInMs()).toBeUndefined();
});

it("so is an engine's, and nothing is due for ever where the root has gone", async () => {
  const { root, scheduler, pass, check } = await makePass();
  scheduler.faults.push("full");
  await check();
  expect(pass.dueInMs()).toBeGreaterThan(0);
  rmSync(root.path, { recursive: true });
  passAnHour();
  expect(pass.dueInMs()).toBe(0);
  await check();
  expect(pass.dueInMs()).toBeUndefined();
});

it("an engine that was asked a moment ago is asked when it may be, if somebody wants to know, and not a period later", async () => {
  const { pass, check } = await makePass("wait\n", { queryS: 60, queryLeastS: 10 });
  await check();
  await check();
  expect(pass.dueInMs()).toBeUndefined();
  pass.askSoon();
  await check();
  expect(pass.dueInMs()).toBeGreaterThan(0);
  expect(pass.dueInMs()).toBeLessThanOrEqual(10_000);
  passAnHour();
  await check();
  expect(pass.dueInMs()).toBeUndefined();
});
