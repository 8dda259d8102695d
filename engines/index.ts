/** The engines by name. One readable list. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Engine } from "../src/engine.ts";
import { EngineError } from "../src/engine-error.ts";

/** What the configuration says to every engine. Each takes of it what it has a use for. */
export interface EngineOptions {
  /** --max-jobs, where it was given. */
  readonly jobsMax: number | undefined;
  /** --grace, in seconds. */
  readonly graceS: number;
  /** --engine-arg, each an argument of the submit command. */
  readonly engineArgs: readonly string[];
  /** --min-query-interval, --doubt and --lost-after, in seconds. */
  readonly queryS: number;
  readonly doubtS: number;
  readonly lostAfterS: number;
}

interface Known {
  /** Throws `unavailable` where the engine cannot run jobs. */
  readonly assertHere?: () => void;
  /** Makes it, also where it cannot run jobs: it can then still read a job.sh. */
  readonly make: (options: EngineOptions) => Promise<Engine>;
}

const ENGINES: Readonly<Record<string, Known>> = {
  LocalEngine: {
    async make(options) {
      const [arg] = options.engineArgs;
      if (arg !== undefined)
        throw new EngineError("refused", `--engine-arg=${arg}: LocalEngine has no submit command that it could go to`);
      const { LocalEngine } = await import("./local/index.ts");
      return LocalEngine.forThisMachine(options);
    },
  },
  SlurmEngine: {
    assertHere() {
      if (isOnPath("sbatch")) return;
      throw new EngineError(
        "unavailable",
        "There is no sbatch on this machine, so that SlurmEngine cannot run jobs here; to run them on this machine itself, add: -e LocalEngine",
      );
    },
    async make(options) {
      const { SlurmEngine } = await import("./slurm/index.ts");
      return new SlurmEngine(options);
    },
  },
};

/** "LocalEngine", or "engines.LocalEngine" as in the original. Throws EngineError `refused` for an unknown name, `unavailable` for one that cannot run here. */
export async function makeEngine(name: string, options: EngineOptions): Promise<Engine> {
  const known = engineNamed(name);
  known.assertHere?.();
  return known.make(options);
}

/** As makeEngine, for somebody who runs no job: it need not be able to run here. */
export async function makeReader(name: string, options: EngineOptions): Promise<Engine> {
  return engineNamed(name).make(options);
}

/** Why an engine of this name cannot run jobs here; undefined if it can. */
export function absenceOf(name: string): string | undefined {
  try {
    engineNamed(name).assertHere?.();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function engineNamed(name: string): Known {
  const known = ENGINES[name.replace(/^engines\./, "")];
  if (known) return known;
  throw new EngineError("refused", `There is no engine "${name}". The engines are: ${Object.keys(ENGINES).join(", ")}`);
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
