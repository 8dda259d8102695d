/** The engines by name. One readable list. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Engine } from "../src/engine.ts";
import { EngineError } from "../src/engine-error.ts";

export interface EngineOptions {
  /** --max-jobs, where it was given. */
  readonly jobsMax: number | undefined;
  /** --grace, in seconds. */
  readonly graceS: number;
}

const ENGINES: Readonly<Record<string, (options: EngineOptions) => Promise<Engine>>> = {
  LocalEngine: async (options) => {
    const { LocalEngine } = await import("./local/index.ts");
    return LocalEngine.forThisMachine(options);
  },
  SlurmEngine: async () => {
    if (!isOnPath("sbatch")) {
      throw new EngineError(
        "unavailable",
        "There is no sbatch on this machine, so that SlurmEngine cannot run jobs here; to run them on this machine itself, add: -e LocalEngine",
      );
    }
    throw new EngineError(
      "unavailable",
      "This version of jobmgr does not drive Slurm yet; to run jobs on this machine itself, add: -e LocalEngine",
    );
  },
};

/** "LocalEngine", or "engines.LocalEngine" as in the original. Throws EngineError `refused` for an unknown name, `unavailable` for one that cannot run here. */
export async function makeEngine(name: string, options: EngineOptions): Promise<Engine> {
  const make = ENGINES[name.replace(/^engines\./, "")];
  if (!make)
    throw new EngineError(
      "refused",
      `There is no engine "${name}". The engines are: ${Object.keys(ENGINES).join(", ")}`,
    );
  return make(options);
}

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
