/** claimed, but perhaps only because its records were destroyed: what the engine and the folder know of it. */
import type { Found } from "../engine.ts";
import { isResultName } from "../files.ts";
import { attemptFolder, attemptsOf, newToken, ownFolder, takeTurn } from "../records.ts";
import { jobFolder } from "../root.ts";
import type { Script } from "../script.ts";
import { readScript } from "../script-file.ts";
import { putIntent } from "./plan.ts";
import { putOutcome } from "./put-outcome.ts";
import { attemptOf, see } from "./see.ts";
import { putHandle } from "./submit.ts";
import type { World } from "./world.ts";

/**
 * What to do with a folder in pending that has no records and was not claimed by this manager just now: perhaps they
 * were destroyed. All engines that are known here are asked; today's is the first. "plan" if it provably never ran; "done" if it did, and has records now (a handle, or the outcome "lost"),
 * or got some meanwhile; else why nobody can tell. Throws EngineError if the engine cannot be asked: nothing is changed then.
 */
export async function rescue(
  worlds: readonly [World, ...World[]],
  name: string,
  stop: AbortSignal,
): Promise<"plan" | "done" | { why: string }> {
  const [world] = worlds;
  const { disk, root } = world;
  const folder = jobFolder(root, "pending", name);
  const answers = await Promise.all(
    worlds.map(async (one) => ({ world: one, found: await one.engine.find({ folder }, stop) })),
  );
  // In this order: who sees a trace, and then no intent, was not merely overtaken by another manager.
  const trace = disk.look(ownFolder(folder)) ? disk.list(folder).find(isResultName) : "the lack of .jobmgr";
  if (see(world, "pending", name).stage !== "claimed") return "done";
  for (const { world: its, found } of answers) {
    if (found.is !== "found") continue;
    await adopt(its, name, found);
    return "done";
  }
  for (const { found } of answers) if (found.is === "unsure") return { why: found.why };
  if (trace === undefined) return "plan";
  world.assertOwned();
  const token = takeTurn(disk, folder, attemptsOf(disk, folder), newToken(new Date()));
  disk.makeFolder(attemptFolder(folder, token));
  const why = `Its records (.jobmgr) were destroyed, and ${trace} shows that it may have been started, so that it is not started again.`;
  const at = new Date().toISOString();
  await putOutcome(world, attemptFolder(folder, token), { outcome: { is: "lost", why }, at });
  return "done";
}

/** Writes the records of a job that the engine knows and the disk has forgotten. */
async function adopt(world: World, name: string, found: Extract<Found, { is: "found" }>): Promise<void> {
  const { disk, root, engine } = world;
  const folder = jobFolder(root, "pending", name);
  world.assertOwned();
  const read = readScript(world.disk, folder, name);
  const script: Script = "fault" in read ? { folderName: name, text: "" } : read.script;
  disk.makeFolder(ownFolder(folder));
  disk.makeFolder(attemptFolder(folder, found.token));
  const intent = await putIntent(world, folder, found.token, engine.plan(script), {
    script,
    sha256: "",
    adopted: true,
  });
  await putHandle(world, attemptOf(folder, intent), found.handle);
}
