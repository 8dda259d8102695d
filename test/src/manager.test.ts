/** When a manager rests, and what wakes it. */
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { realDisk } from "../../src/disk.ts";
import type { Lock } from "../../src/lock.ts";
import { Manager } from "../../src/manager.ts";
import { Pass } from "../../src/pass/index.ts";
import { setUpRoot } from "../../src/root.ts";
import { LIMITS, NO_BRAKES } from "../crash/calm.ts";
import { MemoryEngine, MemoryScheduler } from "../fakes/memory-engine.ts";
import { memoryWorld } from "../fakes/world.ts";
import { makeFolder } from "../harness.ts";

const TURNS = 40;
const nothing = () => {};
const lock: Lock = { assertOwned: nothing, beat: nothing, release: nothing };

it("one that is told to stop does so, in whatever moment, and not at its next check in an hour", async () => {
  const { root } = await setUpRoot(realDisk, join(makeFolder(), "root"));
  const begin = () => {
    const world = memoryWorld(root, new MemoryEngine(new MemoryScheduler()));
    const makePass = (wake: () => void) => new Pass(world, LIMITS, NO_BRAKES, nothing, wake);
    return new Manager(makePass, lock, { periodS: 3600, once: false, inbox: root.inbox });
  };
  for (let turns = 0; turns < TURNS; turns++) {
    const manager = begin();
    const ended = manager.run();
    for (let at = 0; at < turns; at++) await turn();
    manager.stop();
    await expect(ended).resolves.toBeUndefined();
  }
});
