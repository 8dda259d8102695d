/** settled -> archived: word of the end is left in the folder, and it moves to complete/. */
import { join } from "node:path";
import { isTakenInComplete } from "../archive/finished.ts";
import { notePacking } from "../archive/packing.ts";
import { resultEnding } from "../archive/source.ts";
import { type Disk, putDurably, putForReading, putSynced } from "../disk.ts";
import { errorText } from "../error-file.ts";
import { FILES } from "../files.ts";
import { openToGroup, openToOwner } from "../group.ts";
import { attemptFolder, attemptsOf, checkedToken, type Intent } from "../records.ts";
import { freeName, freeNameIn, jobFolder } from "../root.ts";
import { readScript } from "../script-file.ts";
import { statusText } from "../status-file.ts";
import { keepCancel } from "./cancel.ts";
import { attemptsText } from "./retry.ts";
import { outputIdOf, type Seen, toldIdOf } from "./see.ts";
import type { World } from "./world.ts";

/**
 * Leaves word of a failure, and moves the folder to complete/: the commit point. Returns its name there. If it throws,
 * the folder is in pending, still settled, perhaps with some of that word, which the next time writes again.
 */
export async function archive(world: World, name: string, seen: Seen): Promise<string> {
  const { disk, root } = world;
  const folder = jobFolder(root, "pending", name);
  const record = seen.outcome;
  if (!record || !seen.token) throw new Error(`${folder} has no outcome`);
  const records = attemptFolder(folder, seen.token);
  world.assertOwned();
  openToOwner(disk, folder);
  // One that came too late is not to cancel the next run.
  if (disk.look(join(folder, FILES.cancel))) keepCancel(disk, folder, records);
  const ending = resultEnding(disk, folder);
  const target = freeName(name, (free) => isTakenInComplete(disk, root, free, ending));
  const wanted =
    record.outcome.is === "succeeded"
      ? undefined
      : errorText(disk, {
          name: target,
          folder,
          outcome: record.outcome,
          attempt: seen.attempt,
          outputId: outputIdOf(world.engine, seen),
          command: seen.intent?.command ?? (seen.attempt && world.engine.command(seen.attempt)),
          attempts: attemptsText(world, name, seen),
          scriptChanged: isScriptChanged(world, folder, name, seen.intent),
        });
  await putErrorFile(disk, folder, records, wanted);
  const status = statusText(world.engine, target, record.outcome.is, seen);
  await putSynced(disk, folder, FILES.status, status);
  if (world.groupWritable) openToGroup(disk, folder);
  const marker = world.rules.finishedFile === undefined ? undefined : seen.token;
  if (marker) await putDurably(disk, finishingFolder(world), marker, JSON.stringify({ target }));
  await world.notices?.put({ token: seen.token, name: target, record, id: toldIdOf(world.engine, seen) });
  if (ending) await notePacking(disk, root, seen.token, { target, ending });
  disk.rename(folder, jobFolder(root, "complete", target));
  await keepStatus(disk, jobFolder(root, "complete", target), status);
  return target;
}

/**
 * A manager that has lost the root, and does not know it yet, may have written what it thought in between; here it reaches
 * nothing any more. Never throws: the records say the same.
 */
async function keepStatus(disk: Disk, folder: string, status: string): Promise<void> {
  try {
    if (disk.read(join(folder, FILES.status))?.toString("utf8") !== status)
      await putSynced(disk, folder, FILES.status, status);
  } catch {
    // Somebody has removed the folder, or the disk refuses: it has arrived all the same.
  }
}

function isScriptChanged(world: World, folder: string, name: string, intent: Intent | undefined): boolean {
  if (!intent || intent.adopted) return false;
  const read = readScript(world.disk, folder, name);
  return "fault" in read || read.sha256 !== intent.script;
}

/** job_error.txt is there if, and only if, the job did not succeed. One that the job itself wrote is kept with the records. */
async function putErrorFile(disk: Disk, folder: string, records: string, wanted: string | undefined): Promise<void> {
  const path = join(folder, FILES.error);
  const look = disk.look(path);
  const isOurs = look?.kind === "file" && wanted !== undefined && disk.read(path)?.toString("utf8") === wanted;
  if (isOurs) return;
  if (look) disk.rename(path, join(records, freeNameIn(disk, records, `${FILES.error}-of-the-job`)));
  if (wanted !== undefined) await putDurably(disk, folder, FILES.error, wanted);
}

/** One small file for each folder that is on its way to complete/ and is to get its finished file there. */
export function finishingFolder(world: World): string {
  return join(world.root.own, "finishing");
}

/** Writes the finished file of a folder that has arrived in complete/. Safe to repeat. */
export function finish(world: World, marker: string): void {
  const { disk, root } = world;
  const { finishedFile } = world.rules;
  if (finishedFile === undefined) return;
  const path = join(finishingFolder(world), marker);
  const text = disk.read(path)?.toString("utf8");
  if (text === undefined) return;
  const { target } = JSON.parse(text) as { target: string };
  const folder = jobFolder(root, "complete", target);
  const arrived =
    disk.look(folder)?.kind === "folder" && attemptsOf(disk, folder).inForce.includes(checkedToken(marker));
  if (arrived && !disk.look(join(folder, finishedFile))) putForReading(disk, folder, finishedFile, "");
  disk.remove(path);
}
