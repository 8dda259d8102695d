/** What the steps of a manager are given in memory: an engine that is an object, and a root where folders are ready at once. */
import { realDisk } from "../../src/disk.ts";
import type { Engine } from "../../src/engine.ts";
import type { Root } from "../../src/root.ts";
import type { World } from "../../src/steps/world.ts";

/** `more`: what is otherwise. */
export function memoryWorld(root: Root, engine: Engine, more: Partial<World> = {}): World {
  return {
    disk: realDisk,
    root,
    engine,
    machine: { host: "memory", boot: "boot" },
    rules: { settleS: 0, readyFile: undefined, finishedFile: undefined, owners: undefined },
    groupWritable: false,
    assertOwned: () => {},
    ...more,
  };
}
