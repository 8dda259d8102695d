/** claimed -> submitting: the intent is written; or at once the outcome of a job that is not to be run. */
import { basename, join } from "node:path";
import { putForReading } from "../disk.ts";
import type { Attempt, Plan, Token } from "../engine.ts";
import { isEngineError } from "../engine-error.ts";
import { verdictOfFolder } from "../inbox/dependencies.ts";
import {
  attemptFolder,
  attemptsOf,
  type Before,
  type Intent,
  newToken,
  ownFolder,
  putRecord,
  type Series,
  takeTurn,
} from "../records.ts";
import { goesOn, retryRulesOf, wasMet } from "../retry/again.ts";
import { NO_RETRY } from "../retry/retry.ts";
import { jobFolder } from "../root.ts";
import { runnerText } from "../runner.ts";
import { commandOfScript, type Script } from "../script.ts";
import { readScript } from "../script-file.ts";
import { beforesOf } from "./behind.ts";
import { cancelReasonOf } from "./cancel.ts";
import { putBack } from "./claim.ts";
import { cancelUnsubmitted, refuse } from "./put-outcome.ts";
import { attemptOf, type Seen } from "./see.ts";
import { engineIn, type World } from "./world.ts";

/**
 * Writes the intent, or the outcome of a job that is not to be run at all: cancelled, after one that did not succeed,
 * or impossible. Returns what is there then; or why it waits, if it is in the inbox again, for the jobs before it
 * have not ended. One that waits for jobs in the queue of its engine may go behind them.
 */
export async function plan(world: World, name: string): Promise<Seen | { why: string }> {
  const { disk, root, engine } = world;
  const folder = jobFolder(root, "pending", name);
  world.assertOwned();
  const cancelReason = cancelReasonOf(disk, folder);
  const isMet = cancelReason !== undefined || wasMet(disk, folder);
  const verdict = isMet ? ({ is: "met" } as const) : verdictOfFolder(disk, root, { place: "pending", name });
  const after = verdict.is === "waits" ? beforesOf(world, { place: "pending", name }, verdict.behind) : undefined;
  if (verdict.is === "waits" && !after) {
    putBack(world, name);
    return { why: verdict.why };
  }
  const attempts = attemptsOf(disk, folder);
  const token = takeTurn(disk, folder, attempts, newToken(new Date()));
  const records = attemptFolder(folder, token);
  disk.makeFolder(records);

  if (cancelReason !== undefined) return { token, ...(await cancelUnsubmitted(world, records, cancelReason)) };
  if (verdict.is === "failed") {
    const { why, cause: after } = verdict;
    return { token, ...(await refuse(world, records, { why, after })) };
  }
  const read = readScript(world.disk, folder, name);
  if ("fault" in read) return { token, ...(await refuse(world, records, { why: read.fault })) };
  const rules = retryRulesOf(disk, folder, world.retry ?? NO_RETRY);
  if ("fault" in rules) return { token, ...(await refuse(world, records, { why: rules.fault })) };
  const again = goesOn(disk, folder, attempts, token);
  let plan: Plan;
  try {
    plan = engine.plan(read.script, again?.scale);
  } catch (error) {
    if (!isEngineError(error) || error.verdict !== "refused") throw error;
    return { token, ...(await refuse(world, records, { why: error.message })) };
  }
  const intent = await putIntent(world, folder, token, plan, {
    ...read,
    ...(again && { again }),
    ...(after && { after }),
  });
  // The way to the intent must be as durable as the intent itself, or a submitted job could be found in the inbox.
  await Promise.all([disk.sync(ownFolder(folder)), disk.sync(folder), disk.sync(root.pending)]);
  return { stage: "submitting", token, intent, attempt: attemptOf(folder, intent) };
}

/** Writes the runner, then the intent. On the device when it resolves, but not the way to it. */
export async function putIntent(
  world: World,
  folder: string,
  token: Token,
  plan: Plan,
  read: { script: Script; sha256: string; adopted?: boolean; again?: Series; after?: readonly Before[] },
): Promise<Intent> {
  const { disk, engine, machine, origin } = world;
  const records = attemptFolder(folder, token);
  const { after } = read;
  const attempt: Attempt = {
    token,
    folder,
    records,
    runner: join(records, "run.sh"),
    plan,
    madeOn: machine,
    ...(after && { after }),
  };
  putRunner(world, attempt, after, read.script.text);
  const intent: Intent = {
    token,
    ...engineIn(world),
    ...(origin && { engineVersion: origin.version }),
    plan,
    runner: attempt.runner,
    madeOn: machine,
    script: read.sha256,
    command: engine.command(attempt),
    ...(read.adopted && { adopted: true }),
    ...(read.again && { again: read.again }),
    ...(after && { after }),
    at: new Date().toISOString(),
  };
  await putRecord(disk, records, "intent", intent);
  return intent;
}

function putRunner(
  world: World,
  attempt: Pick<Attempt, "token" | "folder" | "records" | "plan">,
  after: readonly Before[] | undefined,
  script: string,
): void {
  const text = runnerText({ ...attempt, command: commandOfScript(script), after: after ?? [] });
  putForReading(world.disk, attempt.records, "run.sh", text);
}

/** Writes the runner anew: it was not synced, for it can be made again as long as it was not submitted. */
export function remakeRunner(world: World, attempt: Attempt, after: readonly Before[] | undefined): void {
  const read = readScript(world.disk, attempt.folder, basename(attempt.folder));
  if (!("fault" in read)) putRunner(world, attempt, after, read.script.text);
}
