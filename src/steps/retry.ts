/** settled -> waiting: a job that ended badly goes back to inbox/ for another attempt, if that is the rule. */
import { join } from "node:path";
import { putForReading } from "../disk.ts";
import type { Engine, Scale } from "../engine.ts";
import { isEngineError } from "../engine-error.ts";
import { FILES } from "../files.ts";
import { openToOwner } from "../group.ts";
import { attemptFolder, putRecord, type RetryRecord, readRecord } from "../records.ts";
import { retryRulesOf } from "../retry/again.ts";
import { decide, NO_RETRY, ordinal } from "../retry/retry.ts";
import { freeNameIn, jobFolder } from "../root.ts";
import type { Script } from "../script.ts";
import { readScript } from "../script-file.ts";
import { statusText } from "../status-file.ts";
import type { Seen } from "./see.ts";
import type { World } from "./world.ts";

/**
 * Lets a job that ended badly wait in the inbox for another attempt, if that is the rule; the attempt's records stay
 * in force until the next claim. Returns its name there. undefined: this was the last attempt, and nothing is changed.
 */
export async function sendBack(
  world: World,
  name: string,
  seen: Seen,
): Promise<{ name: string; record: RetryRecord } | undefined> {
  const { disk, root } = world;
  const { token, outcome } = seen;
  if (!token || !outcome || outcome.outcome.is === "succeeded") return undefined;
  const folder = jobFolder(root, "pending", name);
  const records = attemptFolder(folder, token);
  const decided = readRecord(disk, records, "retry");
  const next = decided ? { record: decided } : retryOf(world, name, seen);
  if (!("record" in next)) return undefined;
  world.assertOwned();
  openToOwner(disk, folder);
  if (!decided) {
    const { number, of, waitS } = next.record;
    const text = statusText(world.engine, name, outcome.outcome.is, seen, { next: { attempt: number, of, waitS } });
    putForReading(disk, folder, FILES.status, text);
    await putRecord(disk, records, "retry", next.record);
    world.assertOwned();
  }
  const back = freeNameIn(disk, root.inbox, name);
  disk.rename(folder, jobFolder(root, "inbox", back));
  return { name: back, record: next.record };
}

/** The record that the job is to be run again, or, where that is to be told, why it is not. */
function retryOf(world: World, name: string, seen: Seen): { record: RetryRecord } | { why?: string } {
  const { disk, root, engine } = world;
  const folder = jobFolder(root, "pending", name);
  const { intent, outcome: { outcome } = {} } = seen;
  // One whose records were destroyed has lost count of its attempts.
  if (!intent || intent.adopted || !outcome || outcome.is === "succeeded") return {};
  const records = attemptFolder(folder, intent.token);
  if (disk.look(join(records, "cancel")) || disk.look(join(folder, FILES.cancel))) return {};
  const rules = retryRulesOf(disk, folder, world.retry ?? NO_RETRY);
  if ("fault" in rules) return { why: `It is not run again: ${rules.fault}` };
  const { number = 1, scale, ends = [] } = intent.again ?? {};
  const again = decide(rules, outcome, number, scale);
  if (!again) return {};
  if (again.isAtMost && again.onlyRaised) {
    const most = `${rules.raiseMax} times what job.sh names (--retry-raise-max)`;
    return { why: `It is not run again with more ${again.raises}: it had the most that it may have, ${most}.` };
  }
  const read = readScript(world.disk, folder, name);
  if ("fault" in read) return { why: `It is not run again: ${read.fault}` };
  const raised = raisedOf(engine, read.script, again.scale);
  if (again.onlyRaised && again.raises && !raised[again.raises])
    return { why: `It is not run again with more ${again.raises}, for job.sh names none that could be raised.` };
  const record = {
    number: number + 1,
    of: rules.times + 1,
    ends: [...ends, `${outcome.is}. ${outcome.why}`].slice(-ENDS_MAX),
    waitS: again.waitS,
    scale: again.scale,
    raised: Object.values(raised).flat(),
    ino: disk.look(records)?.ino ?? 0,
    at: new Date().toISOString(),
  };
  return { record };
}

/** Of how many earlier attempts it is kept what happened to them. */
const ENDS_MAX = 10;

/** What an engine makes of each. */
function raisedOf(engine: Engine, script: Script, scale: Scale): { [K in keyof Scale]?: readonly string[] } {
  const { memory, time } = scale;
  try {
    const byMemory = memory === undefined ? undefined : engine.plan(script, { memory }).raised;
    const byTime = time === undefined ? undefined : engine.plan(script, { time }).raised;
    return { ...(byMemory && { memory: byMemory }), ...(byTime && { time: byTime }) };
  } catch (error) {
    if (!isEngineError(error)) throw error;
    return {};
  }
}

/** For job_error.txt: what happened to the attempts before the last one, and why none follows. */
export function attemptsText(world: World, name: string, seen: Seen): readonly string[] {
  const again = seen.intent?.again;
  const next = retryOf(world, name, seen);
  const why = "why" in next && next.why !== undefined ? [next.why] : [];
  if (!again) return why;
  const raised = seen.attempt?.plan.raised ?? [];
  const first = again.number - again.ends.length;
  return [
    `This was its ${ordinal(again.number)} attempt${raised.length > 0 ? `, with ${raised.join(" and ")}` : ""}. Before:`,
    ...again.ends.map((end, i) => `  ${ordinal(first + i)}: ${end}`),
    ...why,
  ];
}
