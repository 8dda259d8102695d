/**
 * The steps of a job, one for each row of the stage table: the only code that changes a job's folder. Each may be
 * cut short anywhere, by a crash or an error, and done again; each ends with one rename.
 */
import { basename, join } from "node:path";
import { isTakenInComplete } from "./archive/finished.ts";
import { notePacking, resultEnding } from "./archive/packing.ts";
import type { ArchiveRules } from "./archive/rules.ts";
import { type Disk, digest, putDurably, putForReading, putSynced } from "./disk.ts";
import type { Attempt, Engine, Found, Handle, Machine, News, Plan, Scale, Token } from "./engine.ts";
import { isEngineError } from "./engine-error.ts";
import { errorText } from "./error-file.ts";
import { FILES, isResultName } from "./files.ts";
import { openToGroup } from "./group.ts";
import { verdictOfFolder } from "./inbox/dependencies.ts";
import { type ReadyRules, signatureOf } from "./inbox/ready.ts";
import { markedWholeAtMs, spendWhole } from "./inbox/whole.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import {
  attemptFolder,
  attemptsOf,
  checkedToken,
  closeAttempt,
  type Intent,
  newToken,
  type OutcomeRecord,
  ownFolder,
  pastFolder,
  putRecord,
  RecordError,
  type RetryRecord,
  readRecord,
  recordNames,
  runnerRecords,
  type Series,
  spendTurns,
  takeTurn,
} from "./records.ts";
import { goesOn, retryRulesOf, wasMet } from "./retry/again.ts";
import { decide, NO_RETRY, ordinal, type RetryRules } from "./retry/retry.ts";
import { fileSystemNow, freeName, jobFolder, type Root } from "./root.ts";
import { runnerText } from "./runner.ts";
import { commandOfScript, faultOfScript, SCRIPT_BYTES_MAX, type Script } from "./script.ts";
import { type Place, type Stage, stageOf } from "./stage.ts";
import { statusText } from "./status-file.ts";

/** A job on its way to complete/, for those who are to be told of it. */
export interface Ending {
  readonly token: Token;
  /** Its name in complete/. */
  readonly name: string;
  readonly record: OutcomeRecord;
  readonly handle: Handle | undefined;
}

/** Who tells people that a job has ended. */
export interface Notices {
  /** Notes an end, durably, before the folder moves. Never throws: a job does not wait for its messages. Safe to repeat. */
  put(ending: Ending): Promise<void>;
}

/** All that a step may touch or ask. */
export interface World {
  readonly disk: Disk;
  readonly root: Root;
  readonly engine: Engine;
  readonly machine: Machine;
  readonly rules: ReadyRules;
  readonly groupWritable: boolean;
  /** When a job is run again that says nothing of it itself; undefined: never. */
  readonly retry?: RetryRules;
  /** Where nobody is to be told, there is none. */
  readonly notices?: Notices | undefined;
  readonly archives?: ArchiveRules;
  /** Throws if another manager has taken over; called before every step that others could see. */
  assertOwned(): void;
}

/** What the disk says of one job in pending/, after its records were read and checked. */
export interface Seen {
  readonly stage: Stage | undefined;
  /** For a folder that fits no stage: what is odd about it. */
  readonly odd?: string;
  readonly token?: Token;
  readonly attempt?: Attempt;
  readonly intent?: Intent;
  readonly handle?: Handle;
  readonly submittedAt?: string;
  readonly outcome?: OutcomeRecord;
  readonly cancelReason?: string;
}

/** Reads the stage of a job off the disk. Throws RecordError for records that cannot be believed. */
export function see(world: World, place: Place, name: string): Seen {
  const { disk } = world;
  const folder = jobFolder(world.root, place, name);
  const attempts = attemptsOf(disk, folder);
  if (attempts.inForce.length > 1) {
    return {
      stage: undefined,
      odd: `it has ${attempts.inForce.length} attempts in force (.jobmgr/attempt-*). Keep the one that ran, and rename the others to past-*`,
    };
  }
  const [token] = attempts.inForce;
  if (token === undefined) return { stage: stageOf({ place, intent: false, handle: false, outcome: false }) };

  const records = attemptFolder(folder, token);
  const names = recordNames(disk, folder, token);
  const stage = stageOf({
    place,
    intent: names.has("intent"),
    handle: names.has("handle"),
    outcome: names.has("outcome"),
  });
  const intent = names.has("intent") ? readRecord(disk, records, "intent") : undefined;
  const isElsewhere = intent !== undefined && !names.has("outcome") && intent.engine !== world.engine.name;
  if (isElsewhere)
    return { stage: undefined, token, odd: `it is a job of ${intent.engine}. To go on with it: -e ${intent.engine}` };
  const odd = stage ? {} : { odd: "its records fit no stage (a handle without an intent)" };
  if (intent && intent.token !== token)
    throw new RecordError(`${records}/intent is another attempt's (${intent.token})`);
  const handle = names.has("handle") ? readRecord(disk, records, "handle") : undefined;
  const outcome = names.has("outcome") ? readRecord(disk, records, "outcome") : undefined;
  const cancel = names.has("cancel") ? readRecord(disk, records, "cancel") : undefined;
  return {
    stage,
    ...odd,
    token,
    ...(intent && { intent, attempt: attemptOf(folder, intent) }),
    ...(handle && { handle: handle.handle, submittedAt: handle.at }),
    ...(outcome && { outcome }),
    ...(cancel && { cancelReason: cancel.reason }),
  };
}

/** What plans of the first version lack. */
const PLANNED_BEFORE: Pick<Plan, "shell" | "args" | "identity"> = {
  shell: "/bin/sh",
  args: [],
  identity: { job: "-", restart: "0", task: "$JOBMGR_TASK" },
};

function attemptOf(folder: string, intent: Intent): Attempt {
  const { token } = intent;
  const records = attemptFolder(folder, token);
  const plan = { ...PLANNED_BEFORE, ...intent.plan };
  return { token, folder, records, runner: join(records, "run.sh"), plan, madeOn: intent.madeOn };
}

// waiting -> claimed ------------------------------------------------------------------------------------------

/**
 * Takes a folder that is ready out of the inbox. Returns its name in pending, or undefined if it changed while it
 * was moved, and is back in the inbox. Without a signature it is taken as it is: it is not to be run.
 */
export function claim(world: World, name: string, signature: string | undefined): string | undefined {
  const { disk, root } = world;
  world.assertOwned();
  putOutOfForce(world, jobFolder(root, "inbox", name));
  // From its claim on a folder has a .jobmgr: one without has lost it.
  disk.makeFolder(ownFolder(jobFolder(root, "inbox", name)));
  spendTurns(disk, jobFolder(root, "inbox", name));
  const wholeAtMs = markedWholeAtMs(disk, jobFolder(root, "inbox", name));
  spendWhole(disk, jobFolder(root, "inbox", name));
  const taken = freeName(name, (free) => disk.look(jobFolder(root, "pending", free)) !== undefined);
  disk.rename(jobFolder(root, "inbox", name), jobFolder(root, "pending", taken));
  if (signature === undefined) return taken;
  const folder = jobFolder(root, "pending", taken);
  // Whoever held it in this moment has been told that it is held.
  const isHeld = disk.look(join(folder, FILES.hold)) !== undefined;
  if (signature === "" && !isHeld) return taken;
  // Whoever still held a file open went on writing through the first look.
  const after = signatureOf(disk, folder, world.rules, () => fileSystemNow(disk, root), wholeAtMs);
  if (after === signature && !isHeld) return taken;
  putBack(world, taken);
  return undefined;
}

/** Moves a folder that has no intent from pending to the inbox again. */
function putBack({ disk, root }: World, name: string): void {
  const back = freeName(name, (free) => disk.look(jobFolder(root, "inbox", free)) !== undefined);
  disk.rename(jobFolder(root, "pending", name), jobFolder(root, "inbox", back));
}

/**
 * Ends the force of whatever attempt a folder brings along, and puts the files that it left for people beside its
 * records, so that no crash can mistake the old outcome for the new one. The rename comes last: until then it
 * can be done again.
 */
export function putOutOfForce(world: World, folder: string): void {
  const { disk } = world;
  const results = disk.list(folder).filter((name) => isResultName(name) || name === world.rules.finishedFile);
  const attempts = attemptsOf(disk, folder);
  const [last, ...others] = attempts.inForce;
  if (last === undefined && results.length === 0) return;
  const keep = last === undefined ? pastFolder(folder, newToken(new Date())) : attemptFolder(folder, last);
  if (last === undefined) {
    disk.makeFolder(ownFolder(folder));
    disk.makeFolder(keep);
  }
  for (const name of results)
    disk.rename(
      join(folder, name),
      join(
        keep,
        freeName(name, (free) => disk.look(join(keep, free)) !== undefined),
      ),
    );
  for (const token of others) closeAttempt(disk, folder, token);
  if (last !== undefined) closeAttempt(disk, folder, last);
}

// claimed -> submitting ---------------------------------------------------------------------------------------

type ScriptRead = { readonly script: Script; readonly sha256: string } | { readonly fault: string };

/** Reads job.sh, and what names the job. Never follows a link. */
export function readScript(world: Pick<World, "disk">, folder: string, folderName: string): ScriptRead {
  const { disk } = world;
  const look = disk.look(join(folder, FILES.script));
  if (!look) return { fault: "job.sh is not there any more." };
  if (look.kind === "link")
    return {
      fault: 'job.sh is a link. Put the script itself here: cp --remove-destination "$(readlink -f job.sh)" job.sh',
    };
  if (look.kind === "folder") return { fault: "job.sh is a folder. It must be the script that is to be run." };
  if (look.kind === "other") return { fault: "job.sh is not a regular file. It must be the script that is to be run." };
  let bytes: Buffer | undefined;
  try {
    bytes = disk.read(join(folder, FILES.script), SCRIPT_BYTES_MAX + 1);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    return { fault: "job.sh cannot be read by the manager's user. Mend it with: chmod u+r job.sh" };
  }
  const fault = faultOfScript(bytes ?? Buffer.alloc(0));
  if (fault) return { fault };
  const named = jobNameOf(disk, folder);
  if ("fault" in named) return named;
  const text = bytes?.toString("utf8") ?? "";
  return { script: { folderName, text, ...named }, sha256: digest(text) };
}

/** The first line of job_name.txt, if there is one. */
function jobNameOf(disk: Disk, folder: string): { jobName?: string } | { fault: string } {
  const path = join(folder, FILES.name);
  if (!disk.look(path)) return {};
  try {
    const jobName = disk
      .read(path, 1024)
      ?.toString("utf8")
      .split("\n")[0]
      ?.replace(/\p{Cc}/gu, "")
      .trim();
    return jobName ? { jobName } : {};
  } catch (error) {
    return {
      fault: `${FILES.name} cannot be read: ${(error as Error).message}. It must be a text file, or not be there.`,
    };
  }
}

/**
 * Writes the intent, or the outcome of a job that is not to be run at all: cancelled, after one that did not succeed,
 * or impossible. Returns what is there then; or why it waits, if it is in the inbox again, for the jobs before it
 * have not ended.
 */
export async function plan(world: World, name: string): Promise<Seen | { why: string }> {
  const { disk, root, engine } = world;
  const folder = jobFolder(root, "pending", name);
  world.assertOwned();
  const cancelReason = cancelReasonOf(disk, folder);
  const isMet = cancelReason !== undefined || wasMet(disk, folder);
  const verdict = isMet ? ({ is: "met" } as const) : verdictOfFolder(disk, root, { place: "pending", name });
  if (verdict.is === "waits") {
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
  const read = readScript(world, folder, name);
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
  const intent = await putIntent(world, folder, token, plan, { ...read, ...(again && { again }) });
  // The way to the intent must be as durable as the intent itself, or a submitted job could be found in the inbox.
  await Promise.all([disk.sync(ownFolder(folder)), disk.sync(folder), disk.sync(root.pending)]);
  return { stage: "submitting", token, intent, attempt: attemptOf(folder, intent) };
}

async function putIntent(
  world: World,
  folder: string,
  token: Token,
  plan: Plan,
  read: { script: Script; sha256: string; adopted?: boolean; again?: Series },
): Promise<Intent> {
  const { disk, engine, machine } = world;
  const records = attemptFolder(folder, token);
  putRunner(world, { token, folder, records, plan }, read.script.text);
  const attempt = { token, folder, records, runner: join(records, "run.sh"), plan, madeOn: machine };
  const intent: Intent = {
    token,
    engine: engine.name,
    plan,
    madeOn: machine,
    script: read.sha256,
    command: engine.command(attempt),
    ...(read.adopted && { adopted: true }),
    ...(read.again && { again: read.again }),
    at: new Date().toISOString(),
  };
  await putRecord(disk, records, "intent", intent);
  return intent;
}

function putRunner(
  world: World,
  attempt: Pick<Attempt, "token" | "folder" | "records" | "plan">,
  script: string,
): void {
  const text = runnerText({ ...attempt, command: commandOfScript(script) });
  putForReading(world.disk, attempt.records, "run.sh", text);
}

/** Writes the runner anew: it was not synced, for it can be made again as long as it was not submitted. */
function remakeRunner(world: World, attempt: Attempt): void {
  const read = readScript(world, attempt.folder, basename(attempt.folder));
  if (!("fault" in read)) putRunner(world, attempt, read.script.text);
}

async function refuse(world: World, records: string, outcome: Omit<Outcome, "is">): Promise<Settled> {
  return putOutcome(world, records, { outcome: { is: "refused", ...outcome }, at: new Date().toISOString() });
}

async function cancelUnsubmitted(world: World, records: string, reason: string): Promise<Settled> {
  const why = `It was cancelled before it was submitted: ${reason}`;
  return putOutcome(world, records, { outcome: { is: "cancelled", why }, at: new Date().toISOString() });
}

type Settled = { readonly stage: "settled"; readonly outcome: OutcomeRecord };

async function putOutcome(world: World, records: string, outcome: OutcomeRecord): Promise<Settled> {
  await putRecord(world.disk, records, "outcome", outcome);
  return { stage: "settled", outcome };
}

/**
 * What to do with a folder in pending that has no records and was not claimed by this manager just now: perhaps they
 * were destroyed. "plan" if it provably never ran; "settled" or "submitted" if it did; else why nobody can tell.
 */
export async function rescue(
  world: World,
  name: string,
  stop: AbortSignal,
): Promise<"plan" | "done" | { why: string }> {
  const { disk, root, engine } = world;
  const folder = jobFolder(root, "pending", name);
  const found = await engine.find({ folder }, stop);
  if (found.is === "unsure") return { why: found.why };
  // In this order: who sees a trace, and then no intent, was not merely overtaken by another manager.
  const trace = disk.look(ownFolder(folder)) ? disk.list(folder).find(isResultName) : "the lack of .jobmgr";
  if (see(world, "pending", name).stage !== "claimed") return "done";
  if (found.is === "found") {
    await adopt(world, name, found);
    return "done";
  }
  if (trace === undefined) return "plan";
  world.assertOwned();
  const token = takeTurn(disk, folder, attemptsOf(disk, folder), newToken(new Date()));
  disk.makeFolder(attemptFolder(folder, token));
  const why = `Its records (.jobmgr) were destroyed, and ${trace} shows that it may have been started, so that it is not started again.`;
  const at = new Date().toISOString();
  await putOutcome(world, attemptFolder(folder, token), { outcome: { is: "lost", why }, at });
  return "done";
}

/** Writes the records of a job that the engine knows and the disk has forgotten. */
async function adopt(world: World, name: string, found: Extract<Found, { is: "found" }>): Promise<void> {
  const { disk, root, engine } = world;
  const folder = jobFolder(root, "pending", name);
  world.assertOwned();
  const read = readScript(world, folder, name);
  const script: Script = "fault" in read ? { folderName: name, text: "" } : read.script;
  disk.makeFolder(ownFolder(folder));
  disk.makeFolder(attemptFolder(folder, found.token));
  const intent = await putIntent(world, folder, found.token, engine.plan(script), {
    script,
    sha256: "",
    adopted: true,
  });
  await putHandle(world, attemptOf(folder, intent), found.handle);
}

// submitting -> submitted -------------------------------------------------------------------------------------

/**
 * Submits once. Unless this manager wrote the intent itself and has not called the engine since (`fresh`), the engine
 * is asked first. Returns what is there then, or why it must wait, if the engine cannot tell. Calls `answered` when the
 * engine has taken the job, and only its record remains to be written.
 */
export async function submit(
  world: World,
  seen: Seen & { readonly attempt: Attempt },
  fresh: boolean,
  stop: AbortSignal,
  answered: () => void,
): Promise<Seen | { why: string }> {
  const { disk, engine } = world;
  const { attempt } = seen;
  if (!fresh) {
    const found = await engine.find(attempt, stop);
    if (found.is === "unsure") return { why: found.why };
    if (found.is === "found") return { ...seen, ...(await putHandle(world, attempt, found.handle)) };
    remakeRunner(world, attempt);
  }
  world.assertOwned();
  const cancel = readRecord(disk, attempt.records, "cancel");
  if (cancel) return { ...seen, ...(await cancelUnsubmitted(world, attempt.records, cancel.reason)) };
  let handle: Handle;
  try {
    handle = await engine.submit(attempt, stop);
  } catch (error) {
    if (!isEngineError(error) || error.verdict !== "refused") throw error;
    const { message: why, command, output } = error;
    const refusal = { why, ...(command && { command }), ...(output && { engineWord: output }) };
    return { ...seen, ...(await refuse(world, attempt.records, refusal)) };
  }
  const put = putHandle(world, attempt, handle);
  answered();
  return { ...seen, ...(await put) };
}

async function putHandle(world: World, attempt: Attempt, handle: Handle) {
  const at = new Date().toISOString();
  const outputId = world.engine.outputId({ ...attempt, handle });
  await putRecord(world.disk, attempt.records, "handle", { handle, at, outputId });
  return { stage: "submitted", handle, submittedAt: at } as const;
}

// submitted -> settled ----------------------------------------------------------------------------------------

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
  const cancelReason = readRecord(disk, records, "cancel")?.reason;
  const adopted = seen.intent?.adopted === true;
  const outcome = outcomeOf({ records: runner.records, ended, cancelReason, limitS: plan.limitS, adopted });
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

// settled -> waiting ------------------------------------------------------------------------------------------

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
  const read = readScript(world, folder, name);
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
  // A job may have closed its own folder, which then can be neither written to nor moved.
  disk.addMode(folder, OWNER_ALL);
  if (!decided) {
    const { number, of, waitS } = next.record;
    const text = statusText(world.engine, name, outcome.outcome.is, seen, { next: { attempt: number, of, waitS } });
    putForReading(disk, folder, FILES.status, text);
    await putRecord(disk, records, "retry", next.record);
    world.assertOwned();
  }
  const back = freeName(name, (free) => disk.look(jobFolder(root, "inbox", free)) !== undefined);
  disk.rename(folder, jobFolder(root, "inbox", back));
  return { name: back, record: next.record };
}

/** For job_error.txt: what happened to the attempts before the last one, and why none follows. */
function attemptsText(world: World, name: string, seen: Seen): readonly string[] {
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

// settled -> archived -----------------------------------------------------------------------------------------

const OWNER_ALL = 0o700;

/** Leaves word of a failure, and moves the folder to complete/. Returns its name there. */
export async function archive(world: World, name: string, seen: Seen): Promise<string> {
  const { disk, root } = world;
  const folder = jobFolder(root, "pending", name);
  const record = seen.outcome;
  if (!record || !seen.token) throw new Error(`${folder} has no outcome`);
  const records = attemptFolder(folder, seen.token);
  world.assertOwned();
  // A job may have closed its own folder, which then can be neither written to nor moved.
  disk.addMode(folder, OWNER_ALL);
  // One that came too late is not to cancel the next run.
  if (disk.look(join(folder, FILES.cancel))) keepCancel(disk, folder, records);
  const ending = resultEnding(disk, folder);
  const target = freeName(name, (free) => isTakenInComplete(disk, root, free, ending));
  const wanted =
    record.outcome.is === "succeeded"
      ? undefined
      : errorText(disk, {
          name: target,
          folder,
          outcome: record.outcome,
          attempt: seen.attempt,
          outputId: outputIdOf(world, seen),
          command: seen.attempt && world.engine.command(seen.attempt),
          attempts: attemptsText(world, name, seen),
          scriptChanged: isScriptChanged(world, folder, name, seen.intent),
        });
  await putErrorFile(disk, folder, records, wanted);
  await putSynced(disk, folder, FILES.status, statusText(world.engine, target, record.outcome.is, seen));
  if (world.groupWritable) openToGroup(disk, folder);
  const marker = world.rules.finishedFile === undefined ? undefined : seen.token;
  if (marker) await putDurably(disk, finishingFolder(world), marker, JSON.stringify({ target }));
  await world.notices?.put({ token: seen.token, name: target, record, handle: seen.handle });
  if (ending) await notePacking(disk, root, seen.token, { target, ending });
  disk.rename(folder, jobFolder(root, "complete", target));
  return target;
}

/** Undefined for what was never submitted: it has no outputs. */
function outputIdOf({ engine }: World, { attempt, handle }: Seen): string | undefined {
  return attempt && handle && engine.outputId({ ...attempt, handle });
}

function isScriptChanged(world: World, folder: string, name: string, intent: Intent | undefined): boolean {
  if (!intent || intent.adopted) return false;
  const read = readScript(world, folder, name);
  return "fault" in read || read.sha256 !== intent.script;
}

/** job_error.txt is there if, and only if, the job did not succeed. One that the job itself wrote is kept with the records. */
async function putErrorFile(disk: Disk, folder: string, records: string, wanted: string | undefined): Promise<void> {
  const path = join(folder, FILES.error);
  const look = disk.look(path);
  const isOurs = look?.kind === "file" && wanted !== undefined && disk.read(path)?.toString("utf8") === wanted;
  if (isOurs) return;
  if (look)
    disk.rename(
      path,
      join(
        records,
        freeName(`${FILES.error}-of-the-job`, (free) => disk.look(join(records, free)) !== undefined),
      ),
    );
  if (wanted !== undefined) await putDurably(disk, folder, FILES.error, wanted);
}

/** One small file for each folder that is on its way to complete/ and is to get its finished file there. */
export function finishingFolder(world: World): string {
  return join(world.root.own, "finishing");
}

/** Writes the finished file of a folder that has arrived in complete/. Safe to repeat. */
export function finish(world: World, marker: string): void {
  const { disk, root } = world;
  const { finishedFile } = world.rules;
  if (finishedFile === undefined) return;
  const path = join(finishingFolder(world), marker);
  const text = disk.read(path)?.toString("utf8");
  if (text === undefined) return;
  const { target } = JSON.parse(text) as { target: string };
  const folder = jobFolder(root, "complete", target);
  const arrived =
    disk.look(folder)?.kind === "folder" && attemptsOf(disk, folder).inForce.includes(checkedToken(marker));
  if (arrived && !disk.look(join(folder, finishedFile))) putForReading(disk, folder, finishedFile, "");
  disk.remove(path);
}

// cancel ------------------------------------------------------------------------------------------------------

const REASON_BYTES_MAX = 2000;

/** Turns job_cancel in a pending folder into a record of the attempt; returns the reason. Safe to repeat. */
export async function noteCancel(world: World, name: string, token: Token): Promise<string | undefined> {
  const { disk, root } = world;
  const folder = jobFolder(root, "pending", name);
  const reason = cancelReasonOf(disk, folder);
  if (reason === undefined) return undefined;
  world.assertOwned();
  const records = attemptFolder(folder, token);
  if (!readRecord(disk, records, "cancel"))
    await putRecord(disk, records, "cancel", { reason, at: new Date().toISOString() });
  keepCancel(disk, folder, records);
  return reason;
}

/** The text of job_cancel, or what stands for it; undefined if there is none. */
function cancelReasonOf(disk: Disk, folder: string): string | undefined {
  const request = join(folder, FILES.cancel);
  const look = disk.look(request);
  if (!look) return undefined;
  const text = look.kind === "file" ? disk.read(request, REASON_BYTES_MAX)?.toString("utf8").trim() : "";
  return text || "somebody put a file job_cancel into its folder.";
}

/** Puts the request beside the records, for it has been heard. */
function keepCancel(disk: Disk, folder: string, records: string): void {
  const kept = freeName(FILES.cancel, (free) => disk.look(join(records, free)) !== undefined);
  disk.rename(join(folder, FILES.cancel), join(records, kept));
}
