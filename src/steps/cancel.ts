/** A job_cancel in a folder of pending/, and the record that is made of it. */
import { join } from "node:path";
import type { Disk } from "../disk.ts";
import type { Token } from "../engine.ts";
import { FILES } from "../files.ts";
import { attemptFolder, putRecord, readRecord } from "../records.ts";
import { freeNameIn, jobFolder } from "../root.ts";
import type { World } from "./world.ts";

const REASON_BYTES_MAX = 2000;

/** Turns job_cancel in a pending folder into a record of the attempt; returns the reason. Safe to repeat. */
export async function noteCancel(world: World, name: string, token: Token): Promise<string | undefined> {
  const { disk, root } = world;
  const folder = jobFolder(root, "pending", name);
  const reason = cancelReasonOf(disk, folder);
  if (reason === undefined) return undefined;
  world.assertOwned();
  const records = attemptFolder(folder, token);
  const noted = readRecord(disk, records, "cancel");
  if (!noted || noted.recalled) await putRecord(disk, records, "cancel", { reason, at: new Date().toISOString() });
  keepCancel(disk, folder, records);
  return reason;
}

/** Has an attempt ended that can never start, for more was asked for than there is. Safe to repeat. */
export async function giveUp(world: World, name: string, token: Token, why: string): Promise<void> {
  const records = attemptFolder(jobFolder(world.root, "pending", name), token);
  world.assertOwned();
  if (!readRecord(world.disk, records, "cancel"))
    await putRecord(world.disk, records, "cancel", { reason: why, at: new Date().toISOString(), givenUp: true });
}

/** The text of job_cancel, or what stands for it; undefined if there is none. */
export function cancelReasonOf(disk: Disk, folder: string): string | undefined {
  const request = join(folder, FILES.cancel);
  const look = disk.look(request);
  if (!look) return undefined;
  const text = look.kind === "file" ? disk.read(request, REASON_BYTES_MAX)?.toString("utf8").trim() : "";
  return text || "somebody put a file job_cancel into its folder.";
}

/** Puts the request beside the records, for it has been heard. */
export function keepCancel(disk: Disk, folder: string, records: string): void {
  const kept = freeNameIn(disk, records, FILES.cancel);
  disk.rename(join(folder, FILES.cancel), join(records, kept));
}
