/** A manager that has lost the root without knowing it may write the status of a job that is just leaving pending/. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Disk, realDisk } from "../../../src/disk.ts";
import { Pass } from "../../../src/pass/index.ts";
import { setUpRoot } from "../../../src/root.ts";
import { LIMITS, NO_BRAKES } from "../../crash/calm.ts";
import { MemoryEngine, MemoryScheduler } from "../../fakes/memory-engine.ts";
import { memoryWorld } from "../../fakes/world.ts";
import { makeFolder } from "../../harness.ts";

it("the status of a job in complete/ is that of its end, whatever another manager writes at the last moment", async () => {
  const { root } = await setUpRoot(realDisk, join(makeFolder(), "root"));
  mkdirSync(join(root.inbox, "a"));
  writeFileSync(join(root.inbox, "a", "job.sh"), "exit 0\n");
  let isOverwritten = false;
  const disk: Disk = {
    ...realDisk,
    rename(from, to) {
      if (to === join(root.complete, "a")) {
        writeFileSync(join(from, "job_status.json"), '{ "state": "running" }\n');
        isOverwritten = true;
      }
      realDisk.rename(from, to);
    },
  };
  const world = memoryWorld(root, new MemoryEngine(new MemoryScheduler()), { disk });
  const pass = new Pass(
    world,
    LIMITS,
    NO_BRAKES,
    () => {},
    () => {},
  );
  for (let checks = 0; checks < 3; checks++) {
    await pass.check();
    await pass.idle();
  }
  expect(isOverwritten).toBe(true);
  expect(JSON.parse(readFileSync(join(root.complete, "a", "job_status.json"), "utf8"))).toMatchObject({
    state: "succeeded",
    exitCode: 0,
  });
});
