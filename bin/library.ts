/** `import ... from "jobmgr"`: what programs import. Nothing is read, started or kept before one of these is called. */
import { builtInName } from "../engines/index.ts";
import { settingsOf } from "../src/config/config.ts";
import { layersOver, optionsIn } from "../src/config/layers.ts";
import type { Origins } from "../src/config/options.ts";
import type { EngineUse, EngineUseOptions, JobRoot, Launcher, RootOptions } from "../src/library/api.ts";
import { TemporaryRoot } from "../src/library/engine-use.ts";
import { RequestError } from "../src/library/errors.ts";
import { type CallOf, openJobRoot } from "../src/library/root.ts";
import { checkShape, ENGINE_OPTIONS, ROOT_OPTIONS } from "../src/library/shapes.ts";
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
  checkShape(options, ROOT_OPTIONS, "openRoot()");
  if (typeof path !== "string") throw new RequestError("openRoot() needs the path of a root");
  return openJobRoot(path, options, callsOf(path, options));
}

/**
 * An engine by its name, as of `jobmgr -e`, to submit jobs without a root of one's own: "local" (this machine), "slurm",
 * a package, "./my-engine.js". It is looked for when the first job is submitted.
 */
export function getEngine(name: string, options: EngineUseOptions = {}): EngineUse {
  checkShape(options, ENGINE_OPTIONS, "getEngine()");
  if (typeof name !== "string") throw new RequestError("getEngine() needs the name of an engine");
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

/** "local" is LocalEngine, and so on, as it is called in records; all else is as it is. */
function engineWord(name: string): string {
  return builtInName(name) ?? name;
}

const SETTINGS = "settings";

/** The configuration is read when a root is opened, and again for each other engine. */
function callsOf(root: string, { settings = {} }: Pick<RootOptions, "settings">): CallOf {
  return (engine) => {
    const own = optionsIn(settings, SETTINGS, ["root", "engine"]);
    const flags = {
      ...own,
      root,
      ...(engine !== undefined && { engine: engineWord(engine) }),
    };
    const layered = layersOver(flags, placeHere());
    const { raw, files, launch } = layered;
    // What is wrong with one is said as of a file, and not as of a flag.
    const ofProgram = Object.keys(own).map((name) => [name, { is: "file", path: SETTINGS }]);
    const origins: Origins = { ...layered.origins, ...Object.fromEntries(ofProgram) };
    const checked = settingsOf(raw, origins);
    const around = surroundingsOf(checked, version());
    return { words: [], command: [], options: {}, settings: checked, raw, origins, files, launch, around };
  };
}
