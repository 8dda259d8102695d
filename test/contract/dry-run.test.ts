/** DryRunEngine keeps of the contract what an engine can that starts nothing. */
import { DryRunEngine } from "../../engines/dry-run/index.ts";
import { LocalEngine } from "../../engines/local/index.ts";
import { engineContract } from "./engine-contract.ts";

engineContract(
  "DryRunEngine",
  () => ({
    makeEngine: () => new DryRunEngine(new LocalEngine({ places: 4, graceS: 1 })),
    scripts: { limited: "#SBATCH --time=5\nexit 0\n", impossible: "#SBATCH --time=whenever\n" },
  }),
  { runsNothing: true },
);
