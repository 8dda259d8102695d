/** A verb that changes several jobs: each by itself, with a line about each, and what stands in the way of one stops no other. */

import type { Stager } from "../change/staging.ts";
import { realDisk } from "../disk.ts";
import { diskErrorText } from "../disk-error.ts";
import { EXIT } from "../exit-codes.ts";
import type { Owner } from "../lock.ts";
import { managerOf } from "../look/manager-state.ts";
import { printable } from "../printable.ts";
import type { Root } from "../root.ts";
import type { JobRef, Selection } from "../selection.ts";
import type { Call, Terminal } from "./call.ts";

/** What came of it for one job, in a sentence. */
export type Change = { readonly did: string } | { readonly didNot: string };

/** Names that mean no job, on stderr: nothing can be done for them, and all else is. */
export function tellAbsent(terminal: Terminal, absent: readonly string[]): void {
  for (const why of absent) terminal.err(`jobmgr: ${why}\n`);
}

/** Says what was done on stdout, and what was not on stderr. Returns the exit code: 1 if anything was not done. */
export async function changeEach<T extends Pick<JobRef, "name">>(
  terminal: Terminal,
  jobs: readonly T[],
  change: (job: T) => Promise<Change>,
): Promise<number> {
  let exitCode: number = EXIT.ok;
  for (const job of jobs) {
    const result = await change(job).catch((error: unknown) => didNot(job.name, error));
    if ("did" in result) terminal.out(`${result.did}\n`);
    else {
      terminal.err(`jobmgr: ${result.didNot}\n`);
      exitCode = EXIT.failed;
    }
  }
  return exitCode;
}

/** The same, for what words mean: 3 if one of them means no job. */
export async function changeSelected(
  terminal: Terminal,
  { jobs, absent }: Selection,
  change: (job: JobRef) => Promise<Change>,
): Promise<number> {
  tellAbsent(terminal, absent);
  const exitCode = await changeEach(terminal, jobs, change);
  return absent.length > 0 ? EXIT.absent : exitCode;
}

/** A disk that says no to one job; anything else is a fault of ours. */
function didNot(name: string, error: unknown): Change {
  if (typeof (error as NodeJS.ErrnoException).syscall !== "string") throw error;
  return { didNot: `${printable(name)}: ${diskErrorText(error as NodeJS.ErrnoException)}` };
}

/** The manager of a root, if one runs: told to look now, where that can be done. */
export interface ManagedBy {
  readonly owner: Owner | undefined;
  /** Lets a manager on this machine look at once. A hint: it may not arrive. */
  nudge(): void;
}

/** Looks who manages the root now; one that is silent does not count. */
export function managedBy({ settings, around }: Pick<Call, "settings" | "around">, root: Root): ManagedBy {
  const isAlive = (pid: number, start: string) => around.isAlive(pid, start);
  const { host } = around.machine;
  const state = managerOf(realDisk, root, { host, isAlive, patienceS: settings.lockPatienceS });
  // One that is silent ends nothing and takes nothing in.
  const owner = state.silentSince === undefined ? state.owner : undefined;
  return {
    owner,
    nudge() {
      if (owner?.host !== host) return;
      try {
        process.kill(owner.pid, "SIGUSR1");
      } catch {
        // Another user's, or it has just ended.
      }
    },
  };
}

/** This process, as one that stages something. */
export function stagerOf({ around }: Pick<Call, "around">): Stager {
  const isAlive = (pid: number, start: string) => around.isAlive(pid, start);
  return { machine: around.machine, pid: process.pid, start: around.processStart, isAlive };
}

/** So many names are shown in a question. */
const NAMED_MAX = 5;

/** What a question is about: "pending/a, pending/b". */
export function namesText(jobs: readonly JobRef[]): string {
  const shown = jobs.slice(0, NAMED_MAX).map(({ place, name }) => `${place}/${printable(name)}`);
  return [...shown, ...(jobs.length > shown.length ? ["..."] : [])].join(", ");
}

/** A person has said yes. */
export function isYes(answer: string): boolean {
  return /^y(es)?$/i.test(answer.trim());
}

/** "1 job", "3 jobs". */
export function jobsText(count: number): string {
  return count === 1 ? "1 job" : `${count} jobs`;
}
