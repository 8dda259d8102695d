/** Whoever looks on means the engine that runs the root's jobs, unless another one is named. */
import { realDisk } from "../disk.ts";
import { managerOf } from "../look/manager-state.ts";
import { openRoot } from "../root.ts";
import type { Call } from "./call.ts";

/**
 * The same call, with the engine of the root's manager, or of the last one where none runs, for cron's pass is hardly ever
 * seen alive; unless an engine is named by a flag, a variable or a file.
 */
export function withManagersEngine<T>(call: Call<T>): Call<T> {
  const engine = call.raw.engine === undefined ? engineOfManager(call) : undefined;
  if (engine === undefined || engine === call.settings.engine) return call;
  return { ...call, settings: { ...call.settings, engine }, around: call.around.withEngine(engine) };
}

function engineOfManager({ settings, around }: Call<unknown>): string | undefined {
  const observer = { host: around.machine.host, isAlive: around.isAlive, patienceS: settings.lockPatienceS };
  try {
    const { owner, word } = managerOf(realDisk, openRoot(realDisk, settings.root), observer);
    // One that was started a moment ago has not said which it is: the word is of the one before.
    if (owner !== undefined && (word.at === undefined || word.at < owner.since)) return undefined;
    if (word.engineFrom === undefined) return word.engine;
    return realDisk.look(word.engineFrom) && word.engineFrom;
  } catch {
    // What is wrong with the root is told by those who need one.
    return undefined;
  }
}
