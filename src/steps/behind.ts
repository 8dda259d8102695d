/**
 * Jobs that are submitted before those that they wait for have ended: the scheduler keeps them back, so that a chain does
 * not wait for checks. What they wait for stands in the intent, so that any later manager knows it. The folder rule
 * (inbox/) still decides: when a job before it does not end as it must, a job is taken out of the queue, and is judged anew.
 */
import { join } from "node:path";
import { putDurably } from "../disk.ts";
import { isEngineError } from "../engine-error.ts";
import type { Behind } from "../inbox/after.ts";
import { attemptBefore } from "../inbox/dependencies.ts";
import { attemptFolder, attemptsOf, type Before, engineKey, pastFolder, putRecord, readRecord } from "../records.ts";
import { retryRulesOf } from "../retry/again.ts";
import { NO_RETRY } from "../retry/retry.ts";
import { jobFolder } from "../root.ts";
import { MET, STARTED } from "../runner.ts";
import { readScript } from "../script-file.ts";
import type { Place } from "../stage.ts";
import { putOutOfForce } from "./claim.ts";
import { engineIn, type World } from "./world.ts";

/**
 * The jobs behind which a folder may be submitted now; undefined where the engine cannot keep it back for all of them, or
 * where it is to wait in the inbox. Throws what the disk throws, and RecordError.
 */
export function beforesOf(
  world: World,
  { place, name }: { place: Place; name: string },
  behind: readonly Behind[] | undefined,
): readonly Before[] | undefined {
  const { engine, disk, root } = world;
  if (!behind || !engine.waitsForJobs || behind.some((one) => one.engine !== engineKey(engineIn(world))))
    return undefined;
  const befores = behind.map(({ engine: _, ...before }): Before => before);
  if (befores.some((before) => mayEndAgain(world, before))) return undefined;
  const folder = jobFolder(root, place, name);
  if (befores.some(({ token }) => wasBehind(world, folder, token))) return undefined;
  const read = readScript(disk, folder, name);
  if ("fault" in read) return undefined;
  try {
    return engine.waitsForJobs(engine.plan(read.script), befores) ? befores : undefined;
  } catch (error) {
    if (!isEngineError(error)) throw error;
    return undefined;
  }
}

/** Whoever waits for the end of a job that is run again by rule waits for its last one, which no scheduler knows. */
function mayEndAgain({ disk, root, retry }: World, { name, needs }: Before): boolean {
  if (needs === "success") return false;
  const rules = retryRulesOf(disk, jobFolder(root, "pending", name), retry ?? NO_RETRY);
  return "fault" in rules || rules.times > 0;
}

/** It was in the queue behind that attempt before, and was taken back, or the scheduler was wrong: not a second time. */
function wasBehind({ disk }: World, folder: string, token: Before["token"]): boolean {
  const { past, inForce } = attemptsOf(disk, folder);
  const all = [...past.map((one) => pastFolder(folder, one)), ...inForce.map((one) => attemptFolder(folder, one))];
  return all.some((records) => {
    const isAfter = readRecord(disk, records, "intent")?.after?.some((before) => before.token === token);
    if (!isAfter) return false;
    return disk.look(join(records, "handle")) !== undefined || readRecord(disk, records, "cancel")?.recalled === true;
  });
}

/** Whether all of them wait or run: what is submitted now waits for them. */
export function areQueued({ disk, root }: World, befores: readonly Before[]): boolean {
  return befores.every(({ name, token }) => {
    const before = attemptBefore(disk, root, name, token);
    return before?.place === "pending" && !before.outcome && !before.isRecalled;
  });
}

/** How it stands with the jobs before one that is in the queue. */
export type Stand =
  | { readonly is: "waits" }
  /** All of them have ended as they must. */
  | { readonly is: "met" }
  /** It is not to start: one of them has not ended as it must, or is run again. */
  | { readonly is: "broken"; readonly why: string };

/** Read off the disk. Throws RecordError for records that cannot be believed. */
export function standOf({ disk, root }: World, befores: readonly Before[]): Stand {
  let waits = false;
  for (const { name, token, needs } of befores) {
    const before = attemptBefore(disk, root, name, token);
    if (!before) return { is: "broken", why: `"${name}", which it waits for, is not in the queue any more.` };
    const { outcome } = before;
    if (!outcome && before.isRecalled)
      return { is: "broken", why: `"${name}", which it waits for, is taken out of the queue.` };
    // Until it has left for complete/, it may be sent back to be run again.
    if (!outcome || (needs === "end" && before.place === "pending")) waits = true;
    else if (needs === "success" && outcome.outcome.is !== "succeeded")
      return { is: "broken", why: `"${name}", which it waits for, has not succeeded.` };
  }
  return { is: waits ? "waits" : "met" };
}

/** It may start, or has done so, whatever becomes of the folders before it now. */
export function mayStart(world: World, records: string): boolean {
  return world.disk.look(join(records, MET)) !== undefined || hasStarted(world, records);
}

/** A runner of it has begun. */
export function hasStarted({ disk }: World, records: string): boolean {
  return disk.list(records).some((name) => name.startsWith(STARTED));
}

/** All before it have ended as they must: it may start. Durable when it resolves. */
export async function noteMet(world: World, records: string): Promise<void> {
  world.assertOwned();
  await putDurably(world.disk, records, MET, "");
}

/** Has a job taken out of the queue. It is judged anew once it certainly never starts there. Safe to repeat. */
export async function recall(world: World, records: string, why: string): Promise<void> {
  world.assertOwned();
  if (!readRecord(world.disk, records, "cancel"))
    await putRecord(world.disk, records, "cancel", { reason: why, at: new Date().toISOString(), recalled: true });
}

/** Puts an attempt that was never submitted out of force, so that its job is judged anew. */
export function takeBack(world: World, folder: string): { readonly stage: "claimed" } {
  world.assertOwned();
  putOutOfForce(world, folder);
  return { stage: "claimed" };
}
