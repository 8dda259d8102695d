/**
 * Attempts whose end nobody has seen, in a folder that is not in pending/: somebody has moved it out of there meanwhile, and
 * what was started may go on in it. A copy of a folder of pending/ looks the same.
 */
import type { Disk } from "../disk.ts";
import type { Handle, Token } from "../engine.ts";
import type { RunnerRecords } from "../outcome.ts";
import { attemptFolder, attemptsOf, type Intent, readRecord, recordNames, runnerRecords } from "../records.ts";
import { STARTED } from "../runner.ts";

/** One of them. */
export interface Unended {
  readonly token: Token;
  readonly intent: Intent;
  /** None where it was started, and the manager was killed before it had noted that. */
  readonly handle?: Handle;
  /** Its id for people, if that was noted. */
  readonly id?: string;
  /** What is known of those of its runners that have left no exit record. */
  readonly runners: readonly RunnerRecords[];
}

/** Of the attempts in force, those that were submitted and are not known to have ended. Throws RecordError. */
export function unendedIn(disk: Disk, folder: string): readonly Unended[] {
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
    if (runners.length === 0) return [];
    return [
      {
        token,
        intent,
        ...(handle && { handle: handle.handle }),
        ...(handle?.outputId !== undefined && { id: handle.outputId }),
        runners,
      },
    ];
  });
}
