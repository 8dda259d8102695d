/** The engine of the tests keeps the contract too, so that what is tested with it is true of the others. */
import { basename } from "node:path";
import { MemoryEngine, MemoryScheduler } from "../fakes/memory-engine.ts";
import { engineContract } from "./engine-contract.ts";

engineContract("MemoryEngine", () => {
  const scheduler = new MemoryScheduler();
  return {
    makeEngine: () => new MemoryEngine(scheduler),
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
    forget: async (job) => scheduler.forget(job.token),
    patienceMs: 2000,
    runsOf: (folder) => scheduler.ledger.filter((name) => name === basename(folder)).length,
  };
});
