/** How a job in complete/ ended: read off the records of its attempt in force. */
import { finishedFolder } from "../archive/finished.ts";
import type { Disk } from "../disk.ts";
import { type OutcomeRecord, outcomeInForce } from "../records.ts";
import type { Root } from "../root.ts";

/** The record of a finished job's outcome; undefined where it has none that can be believed. */
export function finishedAs(disk: Disk, root: Root, name: string): OutcomeRecord | undefined {
  try {
    return outcomeInForce(disk, finishedFolder(disk, root, name));
  } catch {
    return undefined;
  }
}
