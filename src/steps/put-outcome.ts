/** ... -> settled: how the outcome of a job is written, also of one that was not run. */
import type { Outcome } from "../outcome.ts";
import { type OutcomeRecord, putRecord } from "../records.ts";
import type { World } from "./world.ts";

/** It is not to be run: a fault of the job. */
export async function refuse(world: World, records: string, outcome: Omit<Outcome, "is">): Promise<Settled> {
  return putOutcome(world, records, { outcome: { is: "refused", ...outcome }, at: new Date().toISOString() });
}

/** Somebody asked for its end before the engine was called. */
export async function cancelUnsubmitted(world: World, records: string, reason: string): Promise<Settled> {
  const why = `It was cancelled before it was submitted: ${reason}`;
  return putOutcome(world, records, { outcome: { is: "cancelled", why }, at: new Date().toISOString() });
}

type Settled = { readonly stage: "settled"; readonly outcome: OutcomeRecord };

/** The commit point: on the device when it resolves. */
export async function putOutcome(world: World, records: string, outcome: OutcomeRecord): Promise<Settled> {
  await putRecord(world.disk, records, "outcome", outcome);
  return { stage: "settled", outcome };
}
