/**
 * What is where: every job of a root as one row, read off the disk alone. Of the inbox and of complete/ no more folders
 * are looked into than are shown; of pending/ all, for those that run come first; for --failed all of complete/.
 */
import { join } from "node:path";
import { finishedFolder, finishedFolderThere, folderOfJob } from "../archive/finished.ts";
import { arrivalName } from "../archive/names.ts";
import type { Disk, Look } from "../disk.ts";
import { FILES } from "../files.ts";
import { hasRested, isForeign } from "../inbox/reasons.ts";
import { jsonObject, numberIn, textIn, timeIn } from "../json-file.ts";
import { shortage } from "../manager-word.ts";
import { isResult } from "../outcome.ts";
import { shortId } from "../outputs.ts";
import { isToken } from "../records.ts";
import { jobFolder, type Root } from "../root.ts";
import { type JobRef, namesIn } from "../selection.ts";
import type { Place } from "../stage.ts";
import { type AttemptHistory, historyOf, whyNoFolder, whyNoOutcome } from "./history.ts";
import { type ManagerState, problemsOf } from "./manager-state.ts";
import type { Report, Row } from "./report.ts";
import { secondsBetween } from "./times.ts";

/** What is to be shown. */
export interface View {
  /** These alone, all of them. */
  readonly selected?: readonly JobRef[];
  /** Finished jobs that did not succeed, alone. */
  readonly failedOnly: boolean;
  /** So many of each are shown at most. */
  readonly most: { readonly pending: number; readonly waiting: number; readonly finished: number };
}

/** No limit. */
export const ALL: View["most"] = {
  pending: Number.POSITIVE_INFINITY,
  waiting: Number.POSITIVE_INFINITY,
  finished: Number.POSITIVE_INFINITY,
};

/** Running first, then what is queued, then what waits in the order in which it is taken, then what finished last. */
export function reportOf(disk: Disk, root: Root, manager: ManagerState, view: View): Report {
  const at = new Date().toISOString();
  const { owner, silentSince, word } = manager;
  const names = {
    waiting: namesIn(disk, root, "inbox"),
    pending: namesIn(disk, root, "pending"),
    complete: namesIn(disk, root, "complete"),
  };
  return {
    schema: 1,
    root: root.path,
    at,
    ...(owner && {
      manager: {
        host: owner.host,
        pid: owner.pid,
        since: owner.since,
        ...(word.at !== undefined && { lastCheckAt: word.at }),
        ...(word.engine !== undefined && { engine: word.engine }),
        ...(silentSince !== undefined && { silentSince }),
      },
    }),
    ...(word.at !== undefined && { lastCheckAt: word.at }),
    problems: problemsOf(manager, at),
    ...(word.outage && { outage: word.outage }),
    counts: { waiting: names.waiting.length, pending: names.pending.length, complete: names.complete.length },
    jobs: view.failedOnly ? failedRows(disk, root, names.complete, view) : rowsOf(disk, root, manager, names, view),
  };
}

/** The row of one job; undefined if it is not there. */
export function rowOf(disk: Disk, root: Root, { place, name }: JobRef): Row | undefined {
  if (disk.look(folderOfJob(disk, root, { place, name })) === undefined) return undefined;
  if (place === "pending") return pendingRow(disk, root, name);
  if (place === "inbox") return waitingRow(disk, root, name, undefined);
  return finishedRow(disk, root, name, () => true);
}

function rowsOf(
  disk: Disk,
  root: Root,
  manager: ManagerState,
  names: { waiting: readonly string[]; pending: readonly string[]; complete: readonly string[] },
  { selected, most }: View,
): Row[] {
  const wanted = (place: Place, all: readonly string[]) =>
    selected ? selected.filter((job) => job.place === place).map(({ name }) => name) : all;
  const pending = wanted("pending", names.pending)
    .map((name) => pendingRow(disk, root, name))
    .sort((a, b) => orderOf(a) - orderOf(b));
  return [
    ...pending.slice(0, most.pending),
    ...wanted("inbox", names.waiting)
      .slice(0, most.waiting)
      .map((name) => waitingRow(disk, root, name, reasonOf(manager, name))),
    ...latest(disk, root, wanted("complete", names.complete))
      .slice(0, most.finished)
      .map((name) => finishedRow(disk, root, name, () => true))
      .filter((row) => row !== undefined),
  ];
}

/** All that are finished and did not succeed, the latest first. */
function failedRows(disk: Disk, root: Root, complete: readonly string[], { selected }: View): Row[] {
  const names = selected ? selected.filter((job) => job.place === "complete").map(({ name }) => name) : complete;
  // Most have succeeded, of most roots: no row is made of these.
  const failed = names
    .map((name) => finishedRow(disk, root, name, (state) => state !== "succeeded"))
    .filter((row) => row !== undefined);
  const order = new Map(
    latest(
      disk,
      root,
      failed.map(({ name }) => name),
    ).map((name, i) => [name, i]),
  );
  return failed.sort((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0));
}

/** The move to complete/ is the last change of a folder, unless somebody has worked in it since. */
function latest(disk: Disk, root: Root, names: readonly string[]): string[] {
  return names
    .map((name) => ({
      name,
      atMs: (disk.look(jobFolder(root, "complete", name)) ?? disk.look(finishedFolder(disk, root, name)))?.ctimeMs ?? 0,
    }))
    .sort((a, b) => b.atMs - a.atMs)
    .map(({ name }) => name);
}

/** Until a manager has seen that somebody asked for it. */
const TO_BE_CANCELLED = `it is to be cancelled (${FILES.cancel})`;

function orderOf(row: Row): number {
  return ["running", "ending", "ended"].includes(row.state) ? 0 : 1;
}

/** What the manager wrote last; and what the records of the runner say, which may know more than it. */
export function pendingRow(disk: Disk, root: Root, name: string): Row {
  const folder = jobFolder(root, "pending", name);
  const { attempts, fault } = historyOf(disk, folder);
  const odd = oddRow(disk, folder, "pending", name);
  if (odd) return odd;
  const attempt = attempts.find(({ isInForce }) => isInForce);
  const said = jsonObject(disk, join(folder, FILES.status));
  const told = factsIn(said);
  // One of another attempt says nothing.
  const status = attempt === undefined || told.token === attempt.token ? told : {};
  const known = attempt ? factsOf(attempt) : { state: told.state ?? (fault === undefined ? "claimed" : "unknown") };
  const againSince = attempt && waitsAgainSince(attempt, said);
  if (againSince !== undefined) {
    const { startedAt: _started, endedAt: _ended, ...facts } = { ...known, ...status, state: "queued" };
    return { ...facts, name, place: "pending", since: againSince };
  }
  const isLater = attempt !== undefined && ["running", "ended"].includes(attempt.state);
  const state = isLater || attempt?.outcome ? attempt.state : (status.state ?? known.state);
  const isCancelled = !attempt?.outcome && lookUnlessShut(disk, join(folder, FILES.cancel)) !== undefined;
  const saysNow = isCancelled ? TO_BE_CANCELLED : isLater ? undefined : status.why;
  const why = fault ?? attempt?.faults[0] ?? attempt?.outcome?.why ?? saysNow;
  const { why: _why, ...others } = { ...status, ...known };
  return withSince({ ...others, name, place: "pending", state, ...(why !== undefined && { why }) });
}

/**
 * Since when it waits to be started again (ISO-8601 UTC), by its job_status.json: its scheduler has put it back into the
 * queue after all that its runner has recorded. Undefined for any other job.
 */
export function waitsAgainSince(
  { state, token, tasks, recordedAt = "" }: AttemptHistory,
  said: Readonly<Record<string, unknown>>,
): string | undefined {
  // Of an array some tasks may wait for the first time.
  const hasStarted = state === "ended" || (state === "running" && !tasks);
  if (!hasStarted || said.state !== "queued" || said.token !== token) return undefined;
  const since = timeIn(said.whySince);
  return since !== undefined && since > recordedAt ? since : undefined;
}

/** What the manager said of a folder of the inbox at its last check, if that may still be so. */
function reasonOf({ owner, word }: ManagerState, name: string): string | undefined {
  const reason = word.reasons.get(name);
  const now = new Date().toISOString();
  if (reason !== undefined) return hasRested(reason, secondsBetween(word.at ?? now, now)) ? undefined : reason;
  const short = owner && word.queue?.next?.name === name ? shortage(word.queue) : undefined;
  return short && `it ${short}`;
}

/** An inbox folder has no status file of this life; one that it brought along is of an earlier one. */
function waitingRow(disk: Disk, root: Root, name: string, reason: string | undefined): Row {
  const folder = jobFolder(root, "inbox", name);
  const odd = oddRow(disk, folder, "inbox", name);
  if (odd) return reason === undefined ? odd : { ...odd, why: reason };
  const isHeld = lookUnlessShut(disk, join(folder, FILES.hold)) !== undefined;
  const isCancelled = lookUnlessShut(disk, join(folder, FILES.cancel)) !== undefined;
  const ctimeMs = lookUnlessShut(disk, folder)?.ctimeMs;
  return {
    name,
    place: "inbox",
    state: isHeld ? "held" : "waiting",
    ...(isCancelled
      ? { why: `${TO_BE_CANCELLED}${isForeign(reason) ? `, but ${reason}` : ""}` }
      : reason !== undefined && { why: reason }),
    ...(ctimeMs !== undefined && { since: new Date(ctimeMs).toISOString() }),
  };
}

/**
 * The manager's last word is in the status file; where that is of no use, or is not the last one, the records tell.
 * Undefined if its state is not wanted.
 */
function finishedRow(disk: Disk, root: Root, name: string, isWanted: (state: string) => boolean): Row | undefined {
  const there = finishedFolderThere(disk, root, name);
  const folder = there ?? jobFolder(root, "complete", name);
  const odd = there === undefined ? oddRow(disk, folder, "complete", name) : undefined;
  if (odd) return odd;
  const told = jsonObject(disk, join(folder, FILES.status));
  const state = textIn(told.state);
  if (state !== undefined && isResult(state))
    return isWanted(state) ? withSince({ ...factsIn(told), name, place: "complete", state }) : undefined;
  const { attempts, fault } = historyOf(disk, folder);
  const attempt = attempts.at(-1);
  const unknown = fault === undefined ? { state: "finished" } : { state: "unknown", why: fault };
  const known = attempt ? finishedFactsOf(attempt) : unknown;
  return isWanted(known.state) ? withSince({ ...known, name, place: "complete" }) : undefined;
}

/** Of one that somebody has moved there before its end was seen, it is not known whether it still runs. */
function finishedFactsOf(attempt: AttemptHistory): Facts & { readonly state: string } {
  const facts = factsOf(attempt);
  return attempt.outcome ? facts : { ...facts, state: "unknown", why: attempt.faults[0] ?? whyNoOutcome(attempt) };
}

/** What is no folder is no job, and is not looked into: a link would lead elsewhere. */
function oddRow(disk: Disk, folder: string, place: Place, name: string): Row | undefined {
  const why = whyNoFolder(disk, folder);
  // A lone script or an archive is a job, too.
  if (place === "inbox" && arrivalName(name) && disk.look(folder)?.kind === "file") return undefined;
  return why === undefined ? undefined : { name, place, state: STATES_OF_NO_JOB[place], why };
}

const STATES_OF_NO_JOB: Readonly<Record<Place, string>> = { inbox: "waiting", pending: "no job", complete: "no job" };

/** A folder may be shut to this user. */
export function lookUnlessShut(disk: Disk, path: string): Look | undefined {
  try {
    return disk.look(path);
  } catch {
    return undefined;
  }
}

type Facts = Omit<Row, "name" | "place" | "state" | "since"> & { readonly state?: string };

/** A job may have written anything into its job_status.json. */
function factsIn(status: Readonly<Record<string, unknown>>): Facts {
  const token = textIn(status.token);
  const facts = {
    state: textIn(status.state),
    id: textIn(status.id),
    token: token !== undefined && isToken(token) ? token : undefined,
    engine: textIn(status.engine),
    why: textIn(status.why),
    stuck: status.stuck === true ? true : undefined,
    plannedAt: timeIn(status.plannedAt),
    submittedAt: timeIn(status.submittedAt),
    expectedStart: timeIn(status.expectedStart),
    startedAt: timeIn(status.startedAt),
    endedAt: timeIn(status.endedAt),
    exitCode: numberIn(status.exitCode),
    signal: textIn(status.signal),
  };
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}

function factsOf(attempt: AttemptHistory): Facts & { readonly state: string } {
  const { token, state, engine, toldId: id, plannedAt, submittedAt, startedAt, endedAt, outcome } = attempt;
  const facts = { token, engine, id, plannedAt, submittedAt, startedAt, endedAt };
  const end = outcome && { why: outcome.why, exitCode: outcome.exitCode, signal: outcome.signal };
  const known = Object.entries({ ...facts, ...end }).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(known), state };
}

function withSince({ name, place, state, ...facts }: Row): Row {
  const since = facts.endedAt ?? facts.startedAt ?? facts.submittedAt ?? facts.plannedAt;
  return { name, place, state, ...facts, ...(since !== undefined && { since }) };
}

/** "4711", "4711;cluster". */
export function isSchedulersId(id: string): boolean {
  return /^\d+(;[\w.-]+)?$/.test(id);
}

/** An id that a person can use: the scheduler's own, or the short one by which the engine's outputs are named. */
export function shownId(row: Pick<Row, "id" | "token">): string {
  if (row.id === undefined) return "-";
  if (isSchedulersId(row.id)) return row.id;
  return row.token !== undefined && isToken(row.token) ? shortId(row.token) : "-";
}
