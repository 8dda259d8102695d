/** submitted -> settled: the outcome is written, once it is certain. */
import type { Attempt, News } from "../engine.ts";
import { outcomeOf } from "../outcome.ts";
import { pastFolder, readRecord, runnerRecords } from "../records.ts";
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
  const { records, token, plan, folder } = seen.attempt;
  const runner = runnerRecords(disk, records, token, plan.tasks);
  const ended = news?.is === "ended" ? news : undefined;
  const cancel = readRecord(disk, records, "cancel");
  const adopted = seen.intent?.adopted === true;
  const cancelReason = cancel?.reason;
  const weighed = outcomeOf({ records: runner.records, ended, cancelReason, limitS: plan.limitS, adopted });
  const outcome = cancel?.givenUp === true ? asGivenUp(weighed, cancel.reason) : weighed;
  if (outcome === undefined) return undefined;
  world.assertOwned();
  if (outcome === "unstarted") {
    putOutOfForce(world, folder);
    // A runner that had created its claim, and wrote into it only now, would see that its folder has gone.
    const past = pastFolder(folder, token);
    const late = runnerRecords(disk, past, token, plan.tasks).records.some((record) => record.started);
    if (late) disk.rename(past, records);
    return late ? undefined : "unstarted";
  }
  const iso = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString());
  const startedAt = iso(runner.startedAtMs);
  const at = new Date().toISOString();
  const endedAt = iso(runner.endedAtMs) ?? at;
  return { ...seen, ...(await putOutcome(world, records, { outcome, ...(startedAt && { startedAt }), endedAt, at })) };
}

/** What was ended because it could never start has failed, and says why. */
function asGivenUp(outcome: ReturnType<typeof outcomeOf>, why: string): ReturnType<typeof outcomeOf> {
  return typeof outcome === "object" && outcome.is === "cancelled" ? { ...outcome, is: "failed", why } : outcome;
}
