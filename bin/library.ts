/** `import ... from "jobmgr"`: what programs import. Nothing is read, started or kept before one of these is called. */
import { builtInNames } from "../engines/index.ts";
import { settingsOf } from "../src/config/config.ts";
import { layersOver, optionsIn } from "../src/config/layers.ts";
import type { EngineUse, EngineUseOptions, JobRoot, Launcher, RootOptions } from "../src/library/api.ts";
import { TemporaryRoot } from "../src/library/engine-use.ts";
import { type CallOf, openJobRoot } from "../src/library/root.ts";
import { placeHere } from "./place.ts";
import { surroundingsOf } from "./surroundings.ts";
import { version } from "./version.ts";

export { EngineError, isEngineError } from "../src/engine-error.ts";
export { AbsentError, ConfigError, LockError, RootError } from "../src/errors.ts";
export { LaunchError } from "../src/launch/program.ts";
export type * from "../src/library/api.ts";
export { asCompleted, type Completed } from "../src/library/as-completed.ts";
export {
  ClosedError,
  JobThereError,
  ManagerError,
  RequestError,
  ResultTimeoutError,
} from "../src/library/errors.ts";

/**
 * Opens the root at that path: a folder that holds inbox, pending and complete. Throws RootError, and ConfigError for a
 * jobmgr.toml or a variable that cannot be used; with `manage` also LockError, if it is managed already, and EngineError,
 * if the engine cannot run jobs here.
 */
export async function openRoot(path: string, options: RootOptions = {}): Promise<JobRoot> {
  return openJobRoot(path, options, callsOf(path, options));
}

/**
 * An engine by its name, as of `jobmgr -e`, to submit jobs without a root of one's own: "local" (this machine), "slurm",
 * a package, "./my-engine.js". It is looked for when the first job is submitted.
 */
export function getEngine(name: string, options: EngineUseOptions = {}): EngineUse {
  return new TemporaryRoot(engineWord(name), options, (path) => callsOf(path, options));
}

/**
 * The launcher of that name: "mpi", "srun", "local", or one of a jobmgr.toml ([launch.NAME]); without a name, that of this
 * place. Throws LaunchError for an unknown name, EngineError, if it is not here, and ConfigError.
 */
export async function getLauncher(name?: string): Promise<Launcher> {
  const [{ makeLauncher }, { launchSettingsOf }] = await Promise.all([
    import("../src/launch/launcher.ts"),
    import("../src/launch/settings.ts"),
  ]);
  const { raw, origins, launch } = layersOver({}, placeHere());
  const around = surroundingsOf(settingsOf(raw, origins), version());
  return makeLauncher(name, launchSettingsOf(launch), await around.launchers());
}

/** "local" is LocalEngine, and so on; all else is as it is. */
function engineWord(name: string): string {
  const full = `${name}Engine`.toLowerCase();
  return builtInNames().find((one) => one.toLowerCase() === full) ?? name;
}

/** The configuration is read when a root is opened, and again for each other engine. */
function callsOf(root: string, { settings = {} }: Pick<RootOptions, "settings">): CallOf {
  return (engine) => {
    const flags = {
      ...optionsIn(settings, "settings", ["root", "engine"]),
      root,
      ...(engine !== undefined && { engine: engineWord(engine) }),
    };
    const { raw, origins, files, launch } = layersOver(flags, placeHere());
    const checked = settingsOf(raw, origins);
    const around = surroundingsOf(checked, version());
    return { words: [], command: [], options: {}, settings: checked, raw, origins, files, launch, around };
  };
}
