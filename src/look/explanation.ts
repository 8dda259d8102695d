/** Why a job is where it is, in sentences, and what one can do about it. Read off the disk alone. */
import { join } from "node:path";
import { folderOfJob, isArchiveOnly, resultArchive } from "../archive/finished.ts";
import { clockOf } from "../clock.ts";
import type { Disk } from "../disk.ts";
import type { Asked } from "../engine.ts";
import { FILES } from "../files.ts";
import type { ReadyRules } from "../inbox/ready.ts";
import { isForeign } from "../inbox/reasons.ts";
import { jsonObject, numberIn, textIn, timeIn } from "../json-file.ts";
import { type QueueWord, shortage } from "../manager-word.ts";
import { nearest } from "../nearest.ts";
import { durationText, type Outcome, type Result } from "../outcome.ts";
import { engineKey } from "../records.ts";
import { jobFolder, type Root } from "../root.ts";
import { type JobRef, namesIn } from "../selection.ts";
import { PLACES } from "../stage.ts";
import { type AttemptHistory, historyOf, whyNoFolder, whyNoOutcome } from "./history.ts";
import { type ManagerState, problemsOf, startCommand } from "./manager-state.ts";
import { lookUnlessShut, pendingRow, waitsAgainSince } from "./overview.ts";
import { ago, secondsBetween } from "./times.ts";
import { jobsBefore, readinessNow } from "./waiting.ts";

/** What `explain` says of a job. */
export interface Explanation {
  readonly state: string;
  /** Why it is here, the most important first. */
  readonly sentences: readonly string[];
  /** Verbs, and what they do. */
  readonly next: readonly (readonly [verb: string, does: string])[];
  readonly attempts: readonly AttemptHistory[];
}

/** What must be known beside the disk. */
export interface Scene {
  readonly disk: Disk;
  readonly root: Root;
  readonly manager: ManagerState;
  readonly rules: ReadyRules;
  readonly pauseFile: string;
  readonly now: string;
}

/** Why a job is where it is, in sentences, with all that its records say. Reads only. */
export function explain(scene: Scene, job: JobRef): Explanation {
  const folder = folderOfJob(scene.disk, scene.root, job);
  const odd = whyNoFolder(scene.disk, folder);
  // What lies in the inbox may become a job, or be an archive or a script.
  if (odd !== undefined && job.place !== "inbox") return { state: "no job", sentences: [odd], next: [], attempts: [] };
  const { attempts, fault } = odd === undefined ? historyOf(scene.disk, folder) : { attempts: [] };
  if (fault !== undefined && job.place !== "inbox")
    return { state: "unknown", sentences: [withStop(`Its records cannot be read: ${fault}`)], next: [], attempts };
  const damaged = [fault, ...attempts.flatMap(({ faults }) => faults)].filter((one) => one !== undefined);
  const { state, sentences, next } = EXPLAIN[job.place](scene, job.name, attempts);
  // Whose runner has stopped, and is to be started again.
  const isAgain = ({ isInForce, state: own }: AttemptHistory) => isInForce && state === "queued" && own !== "submitted";
  return {
    state,
    sentences: [...sentences, ...damaged.map((one) => `${withStop(one)}`)],
    next,
    attempts: attempts.map((attempt) => (isAgain(attempt) ? { ...attempt, state } : attempt)),
  };
}

type Part = Omit<Explanation, "attempts">;

const EXPLAIN = { inbox: explainWaiting, pending: explainPending, complete: explainFinished } as const;

const SUBMIT_AGAIN = ["retry", "runs it again; this attempt is kept"] as const;
const SUBMIT_SENT = ["submit --from", "runs what was sent once more, as a new job"] as const;
const SHOW_OUTPUT = ["logs", "shows what it has printed"] as const;
const FOLLOW = ["logs -f", "follows what it prints, until it ends"] as const;
const REMOVE = ["remove", "deletes it"] as const;
const HOLD = ["hold", "keeps it here until it is released"] as const;
const CANCEL_UNRUN = ["cancel", "ends it without running it"] as const;
const CANCEL = ["cancel", "ends it; what it has done so far is kept"] as const;

// -- inbox --

function explainWaiting(scene: Scene, name: string, attempts: readonly AttemptHistory[]): Part {
  const { disk, root, manager, rules } = scene;
  const near = (unknown: string) => {
    const all = PLACES.flatMap((place) => namesIn(disk, root, place));
    return nearest(unknown, new Set(all.filter((one) => one !== name)));
  };
  const readiness = readinessNow(disk, root, name, rules, near);
  const hold = lookUnlessShut(disk, join(jobFolder(root, "inbox", name), FILES.hold));
  const reason = manager.owner && manager.word.reasons.get(name);
  const told = problemsOf(manager, scene.now, `inbox/${name}`);
  const more = [...told, ...unendedSentence(attempts.at(-1))];
  if (lookUnlessShut(disk, join(jobFolder(root, "inbox", name), FILES.cancel))) {
    const sentence = isForeign(reason)
      ? `It is to be cancelled (${FILES.cancel}), but ${withStop(reason ?? "")}`
      : `It is to be cancelled (${FILES.cancel}), and ends without being run when a manager has seen that.`;
    return { state: "waiting", sentences: [...more, sentence, ...noManager(scene)], next: [REMOVE] };
  }
  if (hold) {
    const since = new Date(hold.ctimeMs).toISOString();
    const sentence = `It is held since ${clockOf(since, scene.now)} (for ${ago(since, scene.now)}) by the file ${FILES.hold} in its folder.`;
    return {
      state: "held",
      sentences: [...more, sentence, ...noManager(scene)],
      next: [["release", "lets it run when its turn comes"], REMOVE],
    };
  }
  const isFolder = lookUnlessShut(disk, jobFolder(root, "inbox", name))?.kind === "folder";
  const next = isFolder ? [HOLD, CANCEL_UNRUN] : [REMOVE];
  if (readiness.is === "unready")
    return { state: "waiting", sentences: [...more, whyUnready(readiness.why), ...noManager(scene)], next };
  // What only the manager knows: users, what it has tried.
  if (reason !== undefined && !/ changed \d+ s ago|no job\.sh|is held/.test(reason))
    return { state: "waiting", sentences: [...told, whyUnready(reason)], next };
  return { state: "waiting", sentences: [...more, ...turnOf(scene, name)], next };
}

/** It was moved here before its end was seen. */
function unendedSentence(attempt: AttemptHistory | undefined): string[] {
  if (!attempt?.isInForce || attempt.outcome || !["submitted", "running"].includes(attempt.state)) return [];
  return [`${whyNoOutcome(attempt)} It is taken when its engine says that nothing of it runs any more.`];
}

function whyUnready(why: string): string {
  // Of jobs that wait for each other their names are said first (circleText).
  if (why.startsWith('"')) return withStop(why);
  if (why.startsWith("waits for")) return `It ${withStop(why)}`;
  return why.startsWith("it waits") ? `It ${withStop(why.slice("it ".length))}` : `It is not ready: ${withStop(why)}`;
}

const NAMED_MAX = 3;

/** It is ready, and something else keeps it. */
function turnOf(scene: Scene, name: string): string[] {
  const { disk, root, manager, rules, pauseFile, now } = scene;
  const { word, owner } = manager;
  const before = jobsBefore(disk, root, name, rules, owner ? word.reasons : new Map());
  const shown = before.slice(0, NAMED_MAX).join(", ") + (before.length > NAMED_MAX ? ", ..." : "");
  const others = before.length === 1 ? "one other, which is" : `${before.length} others, which are`;
  const sentences = [
    before.length === 0
      ? "It is ready, and the next to be taken."
      : `It is ready, and behind ${others} taken first, by name: ${shown}.`,
  ];
  if (owner && word.queue) sentences.push(...fullness(word.queue), ...shortageOf(word.queue, name, before));
  if (disk.look(pauseFile)) sentences.push(`The root is paused: nothing is taken in until ${pauseFile} is removed.`);
  if (owner && word.brakedUntil !== undefined && word.brakedUntil > now)
    sentences.push(`Too many jobs have failed of late: nothing is taken in until ${clockOf(word.brakedUntil, now)}.`);
  return [...sentences, ...engineProblems(manager, now), ...noManager(scene)];
}

/** Those behind the next one wait with it. */
function shortageOf(queue: QueueWord, name: string, before: readonly string[]): string[] {
  const { next } = queue;
  const who = next?.name === name ? "It" : next && before.includes(next.name) ? next.name : undefined;
  return who === undefined ? [] : [`${who} ${shortage(queue)}.`];
}

function fullness(queue: QueueWord): string[] {
  const { jobsMax, pendingMax, taken, waiting } = queue;
  const sentences: string[] = [];
  if (waiting >= pendingMax)
    sentences.push(
      `The queue is full: ${waiting === 1 ? "1 job waits" : `${waiting} jobs wait`} there, and the limit is ${pendingMax} (-m, --max-pending).`,
    );
  if (taken >= jobsMax) sentences.push(`All places are taken: ${taken}, and the limit is ${jobsMax} (-M, --max-jobs).`);
  return sentences;
}

/** The engine of a job may be another one than that of new jobs. */
function engineProblems(manager: ManagerState, now: string, attempt?: AttemptHistory): string[] {
  const { engine = "", engineFrom } = manager.word;
  const today = engineKey({ engine, engineFrom });
  const key = attempt?.engine === undefined ? today : engineKey({ ...attempt, engine: attempt.engine });
  const ofEngine = ["engine", "full"].map((word) => (key === today ? word : `${word} ${key}`));
  const abouts = [...ofEngine, "root", "list", "word"];
  return abouts.flatMap((about) => problemsOf(manager, now, about));
}

function noManager({ manager, root, now }: Scene): string[] {
  const { owner, silentSince, word } = manager;
  if (owner && silentSince !== undefined)
    return [
      `The manager on ${owner.host} has been silent for ${ago(silentSince, now)}: it is stopped or dead, or out of reach.`,
    ];
  if (owner) return [];
  const last = word.at === undefined ? "" : `; the last check was ${ago(word.at, now)} ago`;
  return [`No manager is running${last}. To start one: ${startCommand(root, word)}`];
}

// -- pending --

function explainPending(scene: Scene, name: string, attempts: readonly AttemptHistory[]): Part {
  const { disk, root, manager, now } = scene;
  const row = pendingRow(disk, root, name);
  const attempt = attempts.find(({ isInForce }) => isInForce);
  const said = jsonObject(disk, join(jobFolder(root, "pending", name), FILES.status));
  const isAgain = attempt !== undefined && waitsAgainSince(attempt, said) !== undefined;
  // What its engine says of one that waits is told with that.
  const isTold = textIn(said.why) !== undefined && (isAgain || attempt?.state === "submitted");
  const news = isTold ? [] : [`news ${name}`];
  const told = [name, `doubt ${name}`, `step ${name}`, ...news].flatMap((about) => problemsOf(manager, now, about));
  const cancel = attempt?.cancel;
  const asked = cancel
    ? [`It was asked to end ${ago(cancel.at, now)} ago: ${withStop(cancel.reason)} Its end has not been seen yet.`]
    : lookUnlessShut(disk, join(jobFolder(root, "pending", name), FILES.cancel))
      ? ["It is to be cancelled (job_cancel), which the manager has not seen yet."]
      : [];
  const around = [...asked, ...told, ...engineProblems(manager, now, attempt), ...noManager(scene)];
  const is = (sentences: readonly string[], next: Part["next"]): Part => ({
    state: row.state,
    sentences: [...sentences, ...around],
    next,
  });
  if (!attempt || attempt.state === "claimed" || attempt.state === "submitting") {
    const since = attempt?.plannedAt === undefined ? "" : ` ${ago(attempt.plannedAt, now)} ago`;
    return is([`It was taken in${since}, and is to be submitted.`], [CANCEL]);
  }
  if (attempt.outcome) {
    const { is: result, why } = attempt.outcome;
    return is([`It has ended: ${result}. ${withStop(why)}`, "It is on its way to complete/."], [SHOW_OUTPUT]);
  }
  if (isAgain) return is(queuedSentences(scene, attempt, said, againSentence(attempt, now)), [SHOW_OUTPUT, CANCEL]);
  if (attempt.state === "ended") {
    const code = attempt.exitCode === undefined ? "" : ` with exit code ${attempt.exitCode}`;
    return is([`It has ended${code}, and the manager sees to it at its next check.`], [SHOW_OUTPUT]);
  }
  if (attempt.state === "running") return is(runningSentences(attempt, now), [FOLLOW, CANCEL]);
  return is(queuedSentences(scene, attempt, said), [CANCEL]);
}

function runningSentences(attempt: AttemptHistory, now: string): string[] {
  const { startedAt, host, tasks, plan } = attempt;
  const since = startedAt === undefined ? "" : ` since ${clockOf(startedAt, now)} (for ${ago(startedAt, now)})`;
  const sentences = [`It has been running${since}${host === undefined ? "" : ` on ${host}`}.`];
  if (tasks)
    sentences.push(
      `Of its ${tasks.all} tasks, ended: ${tasks.ended}, running: ${Math.max(0, tasks.started - tasks.ended)}.`,
    );
  const limitS = plan?.limitS || plan?.timeS || 0;
  if (limitS > 0 && startedAt !== undefined && !tasks) {
    const leftS = limitS - secondsBetween(startedAt, now);
    sentences.push(
      leftS > 0
        ? `Its time limit is ${durationText(limitS)}, of which ${durationText(Math.floor(leftS))} are left.`
        : `Its time limit of ${durationText(limitS)} is over.`,
    );
  }
  return [...sentences, ...askedSentences(plan?.asked, "asks")];
}

/** Its scheduler has put it back into the queue. */
function againSentence({ startedAt, exitCode }: AttemptHistory, now: string): string[] {
  const since = startedAt === undefined ? "" : ` at ${clockOf(startedAt, now)}`;
  const end = exitCode === undefined ? "" : ` with exit code ${exitCode}`;
  return [`It was started${since}, stopped${end}, and put back into the queue: it is to be started again.`];
}

/** `said`: its job_status.json. */
function queuedSentences(
  { now }: Scene,
  attempt: AttemptHistory,
  said: Readonly<Record<string, unknown>>,
  more: readonly string[] = [],
): string[] {
  const { submittedAt, engine = "the engine", id, plan } = attempt;
  const own = said.token === attempt.token ? said : {};
  const [why, whySince, soon] = [textIn(own.why), timeIn(own.whySince), timeIn(own.expectedStart)];
  const since = submittedAt === undefined ? "" : ` ${ago(submittedAt, now)} ago`;
  const sentences = [`It was submitted${since} and is job ${id} of ${engine}, where it waits.`, ...more];
  if (why !== undefined) {
    const from = whySince === undefined ? "" : ` since ${clockOf(whySince, now)}`;
    sentences.push(`${engine} says${from}: ${withStop(why)}`);
  }
  if (own.stuck === true) sentences.push("It will not start unless somebody does something about that.");
  if (soon !== undefined) {
    const inS = -secondsBetween(soon, now);
    const how = inS > 0 ? `in ${durationText(Math.ceil(inS))}` : "now";
    sentences.push(`${engine} expects to start it at ${clockOf(soon, now)} (${how}).`);
  }
  return [...sentences, ...askedSentences(plan?.asked, "asks")];
}

// -- complete --

const GOES_ON =
  "If it still runs, or to have its end collected: move the folder back to pending/, where it goes on as before.";

const WHAT_NEXT: Readonly<Record<Result, readonly (readonly [string, string])[]>> = {
  succeeded: [SHOW_OUTPUT],
  failed: [SHOW_OUTPUT, SUBMIT_AGAIN],
  cancelled: [SHOW_OUTPUT, SUBMIT_AGAIN],
  refused: [SUBMIT_AGAIN],
  interrupted: [SHOW_OUTPUT, SUBMIT_AGAIN],
  lost: [SHOW_OUTPUT, SUBMIT_AGAIN],
};

const ADVICE: Partial<Readonly<Record<Result, string>>> = {
  interrupted: "It did nothing wrong itself; it can be run again.",
  lost: "Look first whether it left anything half done, and whether it still runs somewhere; then run it again.",
  refused: "Mend what is wrong in its folder, then run it again.",
};

function explainFinished({ disk, root, now }: Scene, name: string, attempts: readonly AttemptHistory[]): Part {
  const attempt = attempts.at(-1);
  if (attempt && !attempt.outcome)
    return {
      state: "unknown",
      sentences: [whyNoOutcome(attempt), GOES_ON],
      next: [["retry", "runs it again, when its engine says that nothing of it runs any more"]],
    };
  if (!attempt?.outcome) {
    const state = textIn(jsonObject(disk, join(root.complete, name, FILES.status)).state);
    const said = state === undefined ? "" : ` Its ${FILES.status} says "${state}".`;
    return {
      state: "finished",
      sentences: [
        `It is in complete/, and no record tells how it ended: it was put there by hand, or its records are gone.${said}`,
      ],
      next: [SUBMIT_AGAIN],
    };
  }
  const { is: result, why, cause, engineWord, tasks, exitCode } = attempt.outcome;
  const { startedAt, endedAt, host, plan, cancel } = attempt;
  const when = endedAt === undefined ? "" : ` at ${clockOf(endedAt, now)} (${ago(endedAt, now)} ago)`;
  const ran = startedAt === undefined || endedAt === undefined ? "" : `, after ${ago(startedAt, endedAt)}`;
  const where = host === undefined ? "" : ` on ${host}`;
  const sentences = [`It ${VERBS[result]}${when}${ran}${where}.`, withStop(why)];
  if (cancel && result !== "cancelled")
    sentences.push(`It had been asked to end at ${clockOf(cancel.at, now)}: ${withStop(cancel.reason)}`);
  if (result !== "succeeded") {
    if (exitCode === KILLED || cause === "memory") sentences.push(...memorySentence(plan?.asked));
    sentences.push(...askedSentences(plan?.asked, "had asked"));
    if (tasks) sentences.push(`Tasks that did not end with 0: ${tasksText(tasks)}.`);
    if (engineWord !== undefined) sentences.push(`The engine's own word: ${withStop(oneLine(engineWord))}`);
  }
  const isPacked = isArchiveOnly(disk, root, name);
  if (isPacked) sentences.push(packedSentence(disk, root, name));
  const advice = adviceOf(attempt.outcome);
  // Where it says what to do instead, to run it again is of no use.
  const usual = attempt.outcome.remedy === undefined ? WHAT_NEXT[result] : [REMOVE];
  const next = isPacked ? usual.map((one) => (one === SUBMIT_AGAIN ? SUBMIT_SENT : one)) : usual;
  return { state: result, sentences: advice === undefined ? sentences : [...sentences, advice], next };
}

/** Only what says how it ended is left of its folder. */
function packedSentence(disk: Disk, root: Root, name: string): string {
  const archive = resultArchive(disk, root, name);
  return archive === undefined
    ? "Its files are in an archive that is not in complete/ any more, or was changed."
    : `Its files are in complete/${archive}.`;
}

/** The same as job_error.txt says. */
function adviceOf({ is: result, remedy, after }: Outcome): string | undefined {
  if (remedy !== undefined) return remedy;
  return after === undefined ? ADVICE[result] : `Run "${after.name}" again first, then this one.`;
}

const KILLED = 137;

const VERBS: Readonly<Record<Result, string>> = {
  succeeded: "succeeded",
  failed: "failed",
  cancelled: "was cancelled",
  refused: "was refused",
  interrupted: "was interrupted",
  lost: "was lost",
};

function memorySentence(asked: Asked | undefined): string[] {
  return asked?.memory === undefined
    ? ["It named no memory (#SBATCH --mem), and got what is given without a word."]
    : [];
}

function askedSentences(asked: Asked | undefined, verb: string): string[] {
  const parts = Object.entries(asked ?? {}).map(([what, value]) => `${what} ${String(value)}`);
  return parts.length === 0 ? [] : [`It ${verb} for ${parts.join(", ")}.`];
}

const TASKS_SHOWN = 20;

function tasksText(tasks: Readonly<Record<string, unknown>>): string {
  const bad = Object.entries(tasks).filter(([, code]) => code !== 0);
  const shown = bad.slice(0, TASKS_SHOWN).map(([task, code]) => {
    const number = numberIn(code);
    return `${task} (${number === undefined ? "no exit code" : `exit code ${number}`})`;
  });
  const more = bad.length - shown.length;
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/g, "; ");
}

function withStop(sentence: string): string {
  const text = sentence.trim();
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
