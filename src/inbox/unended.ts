/**
 * Attempts whose end nobody has seen, in a folder that is not in pending/: somebody has moved it out of there meanwhile, and
 * what was started may go on in it. A copy looks the same, but for the original being in pending/.
 */
import type { Disk } from "../disk.ts";
import type { Handle, Token } from "../engine.ts";
import type { RunnerRecords } from "../outcome.ts";
import { toldId } from "../outputs.ts";
import { attemptFolder, attemptsOf, type Intent, readRecord, recordNames, runnerRecords } from "../records.ts";
import { jobFolder, type Root } from "../root.ts";
import { STARTED } from "../runner.ts";
import type { JobRef } from "../selection.ts";

/** One of them. */
export interface Unended {
  readonly token: Token;
  readonly intent: Intent;
  /** None where it was started, and the manager was killed before it had noted that. */
  readonly handle?: Handle;
  /** The id that people are told, if that was noted. */
  readonly toldId?: string;
  /** What is known of those of its runners that have left no exit record. */
  readonly runners: readonly RunnerRecords[];
}

/** Of the attempts in force, those that were submitted, are not known to have ended, and are not in pending/. Throws RecordError. */
export function unendedIn(disk: Disk, root: Root, { place, name }: JobRef): readonly Unended[] {
  const folder = jobFolder(root, place, name);
  return attemptsOf(disk, folder).inForce.flatMap((token) => {
    const names = [...recordNames(disk, folder, token)];
    if (names.includes("outcome")) return [];
    if (!names.some((name) => name === "handle" || name.startsWith(STARTED))) return [];
    const records = attemptFolder(folder, token);
    const intent = readRecord(disk, records, "intent");
    if (!intent) return [];
    const handle = readRecord(disk, records, "handle");
    const all = runnerRecords(disk, records, token, intent.plan.tasks).records;
    const runners = all.filter(({ exitCode }) => exitCode === undefined);
    if (runners.length === 0 || isPending(disk, root, token)) return [];
    return [
      {
        token,
        intent,
        ...(handle && { handle: handle.handle }),
        ...(handle?.outputId !== undefined && { toldId: toldId(handle.handle, handle.outputId) }),
        runners,
      },
    ];
  });
}

/** Whether something that was started in a folder may go on there, as far as its records can be believed. */
export function mayStillRun(disk: Disk, root: Root, job: JobRef): boolean {
  try {
    return unendedIn(disk, root, job).some(({ runners }) => runners.some(({ started }) => started));
  } catch {
    return false;
  }
}

/** Looked for after it was seen elsewhere, so that no move from here to there makes two of one. */
function isPending(disk: Disk, root: Root, token: Token): boolean {
  return disk.list(root.pending).some((name) => disk.look(attemptFolder(jobFolder(root, "pending", name), token)));
}
