/** LocalEngine keeps the contract. */
import { LocalEngine } from "../../engines/local/index.ts";
import { engineContract } from "./engine-contract.ts";

engineContract("LocalEngine", () => ({
  makeEngine: () => new LocalEngine({ places: 4, graceS: 1 }),
  scripts: {
    limited: "#SBATCH --time=5\nexit 0\n",
    impossible: "#SBATCH --time=whenever\n",
  },
}));
