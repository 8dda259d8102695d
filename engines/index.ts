/** The engines by name. One readable list. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Engine, EngineDefinition, EngineOptions } from "../src/engine.ts";
import { EngineError } from "../src/engine-error.ts";

/** An engine that comes with jobmgr has the contract and the version of jobmgr itself. */
type BuiltIn = Omit<EngineDefinition, "contract" | "version">;

const BUILT_IN: readonly BuiltIn[] = [
  {
    name: "SlurmEngine",
    summary: "Slurm, through sbatch, squeue, sacct and scancel",
    absence: () => absenceOfProgram("sbatch", "SlurmEngine"),
    async make(options) {
      const { SlurmEngine } = await import("./slurm/index.ts");
      return new SlurmEngine(options);
    },
  },
  {
    name: "LocalEngine",
    summary: "processes of this machine",
    async make(options) {
      const [arg] = options.engineArgs;
      if (arg !== undefined)
        throw new EngineError("refused", `--engine-arg=${arg}: LocalEngine has no submit command that it could go to`);
      const { LocalEngine } = await import("./local/index.ts");
      return LocalEngine.forThisMachine(options);
    },
  },
];

/** "LocalEngine", or "engines.LocalEngine" as in the original. Throws EngineError `refused` for an unknown name, `unavailable` for one that cannot run here. */
export async function makeEngine(name: string, options: EngineOptions): Promise<Engine> {
  const known = engineNamed(name);
  const absence = known.absence?.();
  if (absence !== undefined) throw new EngineError("unavailable", absence);
  return known.make(options);
}

/** As makeEngine, for somebody who runs no job: it need not be able to run here. */
export async function makeReader(name: string, options: EngineOptions): Promise<Engine> {
  return engineNamed(name).make(options);
}

/** Why an engine of this name cannot run jobs here; undefined if it can. */
export function absenceOf(name: string): string | undefined {
  try {
    return engineNamed(name).absence?.();
  } catch (error) {
    return (error as Error).message;
  }
}

function engineNamed(name: string): BuiltIn {
  const plain = name.replace(/^engines\./, "");
  const known = BUILT_IN.find((one) => one.name === plain);
  if (known) return known;
  const names = BUILT_IN.map((one) => one.name)
    .sort()
    .join(", ");
  throw new EngineError("refused", `There is no engine "${name}". The engines are: ${names}`);
}

function absenceOfProgram(program: string, engine: string): string | undefined {
  if (isOnPath(program)) return undefined;
  return `There is no ${program} on this machine, so that ${engine} cannot run jobs here; to run them on this machine itself, add: -e LocalEngine`;
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
