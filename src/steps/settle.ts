/** submitted -> settled: the outcome is written, once it is certain. */
import type { Attempt, Ended, News } from "../engine.ts";
import { outcomeOf, type RunnerRecords } from "../outcome.ts";
import { type CancelRecord, pastFolder, readRecord, runnerRecords } from "../records.ts";
import { mayStart, standOf } from "./behind.ts";
import { putOutOfForce } from "./claim.ts";
import { putOutcome } from "./put-outcome.ts";
import type { Seen } from "./see.ts";
import type { World } from "./world.ts";

/**
 * Weighs the runner's records and the engine's news. Writes the outcome if it is certain, and returns what is there
 * then; puts an attempt that never started out of force ("unstarted"); else does nothing.
 */
export async function settle(
  world: World,
  seen: Seen & { readonly attempt: Attempt },
  news: News | undefined,
): Promise<Seen | "unstarted" | undefined> {
  const { disk } = world;
  const { records, token, plan } = seen.attempt;
  const runner = runnerRecords(disk, records, token, plan.tasks);
  const ended = news?.is === "ended" ? news : undefined;
  const cancel = readRecord(disk, records, "cancel");
  const adopted = seen.intent?.adopted === true;
  // One that was to be taken out of the queue, and had started, ends as it ends.
  const cancelReason = cancel?.recalled && ended?.cause !== "cancelled" ? undefined : cancel?.reason;
  if (ended && isTakenBack(world, seen, runner.records, cancel, isStranded(ended)))
    return putBackUnstarted(world, seen.attempt);
  const weighed = outcomeOf({ records: runner.records, ended, cancelReason, limitS: plan.limitS, adopted });
  const outcome = cancel?.givenUp === true ? asGivenUp(weighed, cancel.reason) : weighed;
  if (outcome === undefined) return undefined;
  if (outcome === "unstarted") return putBackUnstarted(world, seen.attempt);
  world.assertOwned();
  const iso = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString());
  const startedAt = iso(runner.startedAtMs);
  const at = new Date().toISOString();
  const endedAt = iso(runner.endedAtMs) ?? at;
  return { ...seen, ...(await putOutcome(world, records, { outcome, ...(startedAt && { startedAt }), endedAt, at })) };
}

/** Puts an attempt out of force that was not started. Does nothing if it was started meanwhile. */
function putBackUnstarted(world: World, attempt: Attempt): "unstarted" | undefined {
  const { disk } = world;
  const { records, token, plan, folder } = attempt;
  world.assertOwned();
  putOutOfForce(world, folder);
  // A runner that had created its claim, and wrote into it only now, would see that its folder has gone.
  const past = pastFolder(folder, token);
  const late = runnerRecords(disk, past, token, plan.tasks).records.some((record) => record.started);
  if (late) disk.rename(past, records);
  return late ? undefined : "unstarted";
}

/**
 * It has ended in the queue, unstarted, behind a job that did not end as it must, by the records or for the scheduler; whoever
 * took it out of there.
 */
function isTakenBack(
  world: World,
  { intent, attempt }: Seen,
  runners: readonly RunnerRecords[],
  cancel: CancelRecord | undefined,
  stranded: boolean,
): boolean {
  if (!intent?.after || !attempt || (cancel && !cancel.recalled)) return false;
  if (runners.some((record) => record.started || record.exitCode !== undefined)) return false;
  if (cancel || stranded) return true;
  return !mayStart(world, attempt.records) && standOf(world, intent.after).is === "broken";
}

function isStranded({ stranded, tasks = {} }: Ended): boolean {
  return stranded === true || Object.values(tasks).some((task) => task.stranded);
}

/** What was ended because it could never start has failed, and says why. */
function asGivenUp(outcome: ReturnType<typeof outcomeOf>, why: string): ReturnType<typeof outcomeOf> {
  return typeof outcome === "object" && outcome.is === "cancelled" ? { ...outcome, is: "failed", why } : outcome;
}
