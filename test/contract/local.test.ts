/** LocalEngine keeps the contract. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LocalEngine } from "../../engines/local/index.ts";
import { engineContract } from "./engine-contract.ts";

const RUN = "echo run >> runs\n";

engineContract("LocalEngine", () => ({
  makeEngine: () => new LocalEngine({ places: 4, graceS: 1 }),
  scripts: {
    exit0: `${RUN}exit 0\n`,
    exit3: `${RUN}exit 3\n`,
    killedBy9: `${RUN}kill -9 $$\n`,
    endless: `${RUN}exec sleep 1000\n`,
    limited: `#SBATCH --time=5\n${RUN}exit 0\n`,
    impossible: "#SBATCH --time=whenever\n",
  },
  patienceMs: 20_000,
  runsOf: (folder) => {
    const runs = join(folder, "runs");
    return existsSync(runs) ? readFileSync(runs, "utf8").split("\n").length - 1 : 0;
  },
}));
