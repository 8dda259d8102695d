/**
 * The engine of the tests keeps the contract too, so that what is tested with it is true of the others; and so do
 * one whose calls are counted, and one that is guarded.
 */
import { basename } from "node:path";
import type { Engine, Submitted } from "../../src/engine.ts";
import { guardedEngine } from "../../src/guarded-engine.ts";
import { CallCounts, metered } from "../../src/metrics.ts";
import { MemoryEngine, MemoryScheduler, WaitingEngine } from "../fakes/memory-engine.ts";
import { engineContract } from "./engine-contract.ts";

engineContract("MemoryEngine", () => memoryScene((engine) => engine));
engineContract("MemoryEngine that waits for jobs", () => memoryScene((engine) => engine, WaitingEngine));
engineContract("MemoryEngine, guarded", () => memoryScene((engine) => guardedEngine(engine)));
engineContract("MemoryEngine, metered", () => memoryScene((engine) => metered(engine, new CallCounts())));

function memoryScene(wrapped: (engine: Engine) => Engine, Made = MemoryEngine) {
  const scheduler = new MemoryScheduler();
  return {
    makeEngine: () => wrapped(new Made(scheduler)),
    scripts: {
      exit0: "exit 0\n",
      exit3: "exit 3\n",
      killedBy9: "signal 9\n",
      endless: "wait\n",
      limited: "#MEM time 5\nexit 0\n",
      impossible: "#MEM impossible\n",
    },
    async makeUnavailable() {
      scheduler.down = true;
      return async () => {
        scheduler.down = false;
      };
    },
    loseNextAnswer: () => scheduler.faults.push("lost answer"),
    forget: async (job: Submitted) => scheduler.forget(job.token),
    patienceMs: 2000,
    runsOf: (folder: string) => scheduler.ledger.filter((name) => name === basename(folder)).length,
  };
}
