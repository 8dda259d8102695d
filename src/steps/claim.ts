/** waiting -> claimed: a folder that is ready moves from inbox/ to pending/; or back, if it changed meanwhile. */
import { join } from "node:path";
import { FILES, isResultName } from "../files.ts";
import { signatureOf } from "../inbox/ready.ts";
import { markedWholeAtMs, spendWhole } from "../inbox/whole.ts";
import { attemptFolder, attemptsOf, closeAttempt, newToken, ownFolder, pastFolder, spendTurns } from "../records.ts";
import { fileSystemNow, freeNameIn, jobFolder } from "../root.ts";
import type { World } from "./world.ts";

/**
 * Takes a folder that is ready out of the inbox. Returns its name in pending, or undefined if it changed while it
 * was moved, and is back in the inbox. If it throws, it is in the inbox, or in pending without an intent. Without a
 * signature it is taken as it is: it is not to be run.
 */
export function claim(world: World, name: string, signature: string | undefined): string | undefined {
  const { disk, root } = world;
  world.assertOwned();
  putOutOfForce(world, jobFolder(root, "inbox", name));
  // From its claim on a folder has a .jobmgr: one without has lost it.
  disk.makeFolder(ownFolder(jobFolder(root, "inbox", name)));
  spendTurns(disk, jobFolder(root, "inbox", name));
  const wholeAtMs = markedWholeAtMs(disk, jobFolder(root, "inbox", name));
  spendWhole(disk, jobFolder(root, "inbox", name));
  const taken = freeNameIn(disk, root.pending, name);
  disk.rename(jobFolder(root, "inbox", name), jobFolder(root, "pending", taken));
  if (signature === undefined) return taken;
  const folder = jobFolder(root, "pending", taken);
  // Whoever held it in this moment has been told that it is held.
  const isHeld = disk.look(join(folder, FILES.hold)) !== undefined;
  if (signature === "" && !isHeld) return taken;
  // Whoever still held a file open went on writing through the first look.
  const after = signatureOf(disk, folder, world.rules, () => fileSystemNow(disk, root), wholeAtMs);
  if (after === signature && !isHeld) return taken;
  putBack(world, taken);
  return undefined;
}

/** Moves a folder that has no intent from pending to the inbox again. */
export function putBack({ disk, root }: World, name: string): void {
  const back = freeNameIn(disk, root.inbox, name);
  disk.rename(jobFolder(root, "pending", name), jobFolder(root, "inbox", back));
}

/**
 * Ends the force of whatever attempt a folder brings along, and puts the files that it left for people beside its
 * records, so that no crash can mistake the old outcome for the new one. The rename comes last: until then it
 * can be done again.
 */
export function putOutOfForce(world: World, folder: string): void {
  const { disk } = world;
  const results = disk.list(folder).filter((name) => isResultName(name) || name === world.rules.finishedFile);
  const attempts = attemptsOf(disk, folder);
  const [last, ...others] = attempts.inForce;
  if (last === undefined && results.length === 0) return;
  const keep = last === undefined ? pastFolder(folder, newToken(new Date())) : attemptFolder(folder, last);
  if (last === undefined) {
    disk.makeFolder(ownFolder(folder));
    disk.makeFolder(keep);
  }
  for (const name of results) disk.rename(join(folder, name), join(keep, freeNameIn(disk, keep, name)));
  for (const token of others) closeAttempt(disk, folder, token);
  if (last !== undefined) closeAttempt(disk, folder, last);
}
