/**
 * All that is known of one job, read from its records: its attempts in order, each with its plan, its times and how it
 * ended. Reads only, follows no link, and tells of what is damaged instead of failing on it.
 */
import { join } from "node:path";
import type { Disk } from "../disk.ts";
import type { Handle, Plan, Token } from "../engine.ts";
import type { Outcome } from "../outcome.ts";
import { shortId, toldId } from "../outputs.ts";
import {
  attemptFolder,
  attemptsInOrder,
  type Intent,
  type OutcomeRecord,
  pastFolder,
  type RecordOf,
  readRecord,
} from "../records.ts";
import { latestRuns, type Run } from "../runner.ts";

/** One attempt, as its records tell it. Times are ISO-8601 UTC. */
export interface AttemptHistory {
  readonly token: Token;
  /** Its folder of records. */
  readonly records: string;
  readonly isInForce: boolean;
  /**
   * "claimed", "submitting", "submitted", "running", "ended" (and not yet collected), or how it ended; "unknown" for an
   * earlier one that was started and left no record of its end.
   */
  readonly state: string;
  readonly engine?: string;
  readonly engineVersion?: string;
  /** Where the engine was loaded from, if it does not come with jobmgr. */
  readonly engineFrom?: string;
  /** The id as people are told it. */
  readonly toldId?: string;
  /** The id in the names of its outputs. */
  readonly id?: string;
  readonly command?: string;
  readonly plan?: Plan;
  readonly plannedAt?: string;
  readonly submittedAt?: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** When its runners have recorded something last. */
  readonly recordedAt?: string;
  /** Where it runs or ran; of an array, where its first task does. */
  readonly host?: string;
  /** Of an array: how many tasks have started, and how many have ended. */
  readonly tasks?: { readonly all: number; readonly started: number; readonly ended: number };
  /** The exit code in the runner's record; of an array, the largest. Undefined until all tasks have one. */
  readonly exitCode?: number;
  readonly outcome?: Outcome;
  /** The reason of a cancellation that was asked for. */
  readonly cancel?: { readonly reason: string; readonly at: string };
  /** Records that cannot be believed, and why. */
  readonly faults: readonly string[];
}

/** The attempts of a job, the oldest first, and why they cannot be read, if so. Those that never came to be are left out. */
export function historyOf(
  disk: Disk,
  folder: string,
): { readonly attempts: readonly AttemptHistory[]; readonly fault?: string } {
  try {
    const odd = whyNoFolder(disk, folder);
    if (odd !== undefined) return { attempts: [], fault: odd };
    const attempts = attemptsInOrder(disk, folder).flatMap(({ token, isInForce }) => {
      const records = isInForce ? attemptFolder(folder, token) : pastFolder(folder, token);
      const attempt = believedOrNot(disk, records, token, isInForce);
      return attempt ? [attempt] : [];
    });
    return { attempts };
  } catch (error) {
    return { attempts: [], fault: (error as Error).message };
  }
}

/** What is odd about the folder of a job, which may be a link that leads elsewhere; undefined for a folder. */
export function whyNoFolder(disk: Disk, folder: string): string | undefined {
  const kind = disk.look(folder)?.kind;
  if (kind === "folder") return undefined;
  if (kind === undefined) return "It has gone.";
  return kind === "link" ? "It is a link, and links are not followed." : "It is not a folder.";
}

/** What is known of the end of an attempt that has no outcome, and that no manager follows, in a sentence. */
export function whyNoOutcome({ state, engine, toldId, exitCode, faults }: AttemptHistory): string {
  const job = toldId === undefined || engine === undefined ? "" : ` as job ${toldId} of ${engine}`;
  const moved = "its folder was moved, or copied, out of pending/ before that";
  if (state === "running" || state === "unknown")
    return `It was started${job}, and no record tells how it ended: ${moved}.`;
  if (state === "ended") return `It ended with exit code ${exitCode}, and ${moved} was collected.`;
  return faults.length > 0 ? "What became of it cannot be read." : "It was not started.";
}

/** A job may have written anything into its records, and one that cannot be read hides no other. */
function believedOrNot(disk: Disk, records: string, token: Token, isInForce: boolean): AttemptHistory | undefined {
  try {
    return attemptIn(disk, records, token, isInForce);
  } catch (error) {
    return { token, records, isInForce, state: "damaged", faults: [(error as Error).message] };
  }
}

function attemptIn(disk: Disk, records: string, token: Token, isInForce: boolean): AttemptHistory | undefined {
  if (disk.look(records)?.kind !== "folder") return undefined;
  const names = new Set(disk.list(records));
  const faults: string[] = [];
  const read = <K extends keyof RecordOf>(name: K): RecordOf[K] | undefined => {
    try {
      return names.has(name) ? readRecord(disk, records, name) : undefined;
    } catch (error) {
      faults.push((error as Error).message);
      return undefined;
    }
  };
  const [intent, handle, outcome, cancel] = [read("intent"), read("handle"), read("outcome"), read("cancel")];
  if (!intent && !outcome && faults.length === 0 && !isInForce) return undefined;
  const runs = runsIn(disk, records, token, names);
  const times = timesOf(disk, records, runs, intent, outcome);
  const command = outcome?.outcome.command ?? intent?.command;
  const exitCode = exitCodeOf(runs, intent);
  const id = handle && (handle.outputId ?? idOf(handle.handle, token));
  return {
    token,
    records,
    isInForce,
    state: outcome?.outcome.is ?? stateOf(runs, intent, handle !== undefined, exitCode, isInForce),
    ...(intent && { engine: intent.engine, plan: intent.plan, plannedAt: intent.at }),
    ...(intent?.engineVersion !== undefined && { engineVersion: intent.engineVersion }),
    ...(intent?.engineFrom !== undefined && { engineFrom: intent.engineFrom }),
    ...(handle && { submittedAt: handle.at }),
    ...(handle && id !== undefined && { id, toldId: toldId(handle.handle, id) }),
    ...(command !== undefined && { command }),
    ...times,
    ...hostIn(runs),
    ...(intent && intent.plan.tasks.length > 0 && { tasks: tasksIn(runs, intent.plan) }),
    ...(exitCode !== undefined && { exitCode }),
    ...(outcome && { outcome: outcome.outcome }),
    ...(cancel && { cancel: { reason: cancel.reason, at: cancel.at } }),
    faults,
  };
}

/** Of handles that were recorded without it. */
function idOf(handle: Handle, token: Token): string {
  return /^\d+(?=;|$)/.exec(handle)?.[0] ?? shortId(token);
}

const RECORD_BYTES_MAX = 4096;

type Runs = ReadonlyMap<number | undefined, Run>;

function runsIn(disk: Disk, records: string, token: Token, names: ReadonlySet<string>): Runs {
  const read = (name: string) => {
    try {
      return names.has(name) ? disk.read(join(records, name), RECORD_BYTES_MAX)?.toString("utf8") : undefined;
    } catch {
      // Whatever a job has put there in place of a record.
      return undefined;
    }
  };
  return latestRuns(token, names, read);
}

function stateOf(
  runs: Runs,
  intent: Intent | undefined,
  isSubmitted: boolean,
  exitCode: number | undefined,
  isInForce: boolean,
): string {
  if (exitCode !== undefined) return "ended";
  if ([...runs.values()].some((run) => run.started)) return isInForce ? "running" : "unknown";
  if (isSubmitted) return "submitted";
  return intent ? "submitting" : "claimed";
}

function timesOf(
  disk: Disk,
  records: string,
  runs: Runs,
  intent: Intent | undefined,
  outcome: OutcomeRecord | undefined,
): Pick<AttemptHistory, "startedAt" | "endedAt" | "recordedAt"> {
  const atMs = (name: string) => disk.look(join(records, name))?.mtimeMs ?? Number.NaN;
  const iso = (ms: number) => (Number.isFinite(ms) ? new Date(ms).toISOString() : undefined);
  const all = [...runs.values()];
  const started = all.filter((run) => run.started).map((run) => atMs(run.startedName));
  const ended = all.filter((run) => run.exit).map((run) => atMs(run.exitName));
  const startedAt = outcome?.startedAt ?? iso(Math.min(...started));
  const isOver = exitCodeOf(runs, intent) !== undefined;
  const endedAt = outcome ? (outcome.endedAt ?? outcome.at) : isOver ? iso(Math.max(...ended)) : undefined;
  const recordedAt = iso(Math.max(...started, ...ended));
  return { ...(startedAt && { startedAt }), ...(endedAt && { endedAt }), ...(recordedAt && { recordedAt }) };
}

/** What its runners have recorded, once all of them have. */
function exitCodeOf(runs: Runs, intent: Intent | undefined): number | undefined {
  const tasks = intent && intent.plan.tasks.length > 0 ? intent.plan.tasks : [undefined];
  const codes = tasks.map((task) => runs.get(task)?.exit?.code);
  return codes.every((code) => code !== undefined) ? Math.max(...codes) : undefined;
}

function tasksIn(runs: Runs, plan: Plan): { all: number; started: number; ended: number } {
  const all = [...runs.values()];
  return {
    all: plan.tasks.length,
    started: all.filter((run) => run.started).length,
    ended: all.filter((run) => run.exit).length,
  };
}

function hostIn(runs: Runs): { host?: string } {
  const host = [...runs.values()].find((run) => run.started)?.started?.host;
  return host === undefined ? {} : { host };
}
