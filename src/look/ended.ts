/** How a job in complete/ ended: read off the records of its attempt in force. */

import { finishedFolder } from "../archive/finished.ts";
import type { Disk } from "../disk.ts";
import { attemptFolder, attemptsOf, type OutcomeRecord, readRecord } from "../records.ts";
import type { Root } from "../root.ts";

/** The record of a finished job's outcome; undefined where it has none that can be believed. */
export function finishedAs(disk: Disk, root: Root, name: string): OutcomeRecord | undefined {
  try {
    const folder = finishedFolder(disk, root, name);
    const [token, ...others] = attemptsOf(disk, folder).inForce;
    if (token === undefined || others.length > 0) return undefined;
    return readRecord(disk, attemptFolder(folder, token), "outcome");
  } catch {
    return undefined;
  }
}
