/**
 * Is a folder in the inbox complete? scp, rsync and sshfs write slowly, in any order, and set old mtimes. So rest
 * is judged by ctime, which nobody can set, against the clock of the file system that keeps it.
 */
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { ARCHIVE_ENDINGS, arrivalName, onlyArchive } from "../archive/names.ts";
import { clockOf, secondOf } from "../clock.ts";
import { type Disk, type Look, signOf, walkTree } from "../disk.ts";
import { FILES, isResultName } from "../files.ts";
import type { RetryRecord } from "../records.ts";
import { type Waiting, waitingRetry, wasMet } from "../retry/again.ts";
import { ordinal } from "../retry/retry.ts";
import { foreignText, unsettledText } from "./reasons.ts";
import { markedWholeAtMs } from "./whole.ts";

/** When a folder is taken to be complete. */
export interface ReadyRules {
  /** Nothing may have changed for so long, in seconds. */
  readonly settleS: number;
  /** With this file there, the folder is ready at once. */
  readonly readyFile: string | undefined;
  /** The file that jobmgr itself writes into a finished folder: an earlier attempt's says nothing of an upload. */
  readonly finishedFile: string | undefined;
  /** Whose folders are taken; undefined: everybody's. */
  readonly owners: ReadonlySet<number> | undefined;
}

/** What a look at a folder says. */
export type Readiness =
  /** `isFile`: an archive or a script, of which a folder is to be made. */
  | { readonly is: "ready"; readonly signature: string; readonly isFile?: true }
  /** `againInS`: when looking again may show something else, if that is known. */
  | { readonly is: "unready"; readonly why: string; readonly againInS?: number };

/** More files than this are not all looked at: the rest is taken to be at rest when these are. */
export const ENTRIES_MAX = 20_000;

/** Names under which uploaders keep a file that is not finished (rsync, WinSCP, browsers, curl, sftp, sshfs, NFS). */
const UNFINISHED = [
  /^\..+\.[A-Za-z0-9]{6}$/,
  /^\.~tmp~$/,
  /\.filepart$/i,
  /\.part$/i,
  /\.partial$/i,
  /\.crdownload$/i,
  /\.download$/i,
  /^\.sftp-/,
  /^\.#/,
  /^\.nfs[0-9a-f]+$/i,
  /^\.fuse_hidden/,
];

/** True for a name that an uploader uses for an unfinished file, beside the names given. */
export function isUnfinishedName(name: string, beside: ReadonlySet<string>): boolean {
  // "data~" is an editor's backup if "data" is there as well, else an upload under way.
  if (name.endsWith("~") && name.length > 1) return !beside.has(name.slice(0, -1));
  return UNFINISHED.some((pattern) => pattern.test(name));
}

function unready(why: string, againInS?: number): Readiness {
  return againInS === undefined ? { is: "unready", why } : { is: "unready", why, againInS };
}

/**
 * Looks at one folder of the inbox. `nowMs` is by the file system's clock, and asked for only when needed; so is
 * `waitsFor`, which says why a folder with a job_after.txt waits for other jobs, if it does.
 */
export function readinessOf(
  disk: Disk,
  folder: string,
  rules: ReadyRules,
  nowMs: () => number,
  waitsFor: () => string | undefined = () => undefined,
): Readiness {
  const top = disk.look(folder);
  if (!top) return unready("it has gone");
  if (top.kind === "link") return unready("it is a link; links are not followed. Move the folder itself here");
  if (top.kind === "file" && arrivalName(basename(folder))) return fileReadiness(top, rules, nowMs);
  if (top.kind !== "folder")
    return unready(`it is no folder, script or archive: a script ends in .sh, an archive in ${ARCHIVE_ENDINGS}`);
  const names = disk.list(folder);
  const script = names.includes(FILES.script) ? disk.look(join(folder, FILES.script)) : undefined;
  if (!script) return unready(`it has no job.sh yet${archiveHint(names, rules)}`);
  const stranger = [top, script].find((look) => rules.owners && !rules.owners.has(look.uid));
  if (stranger) return foreign(stranger);
  if (names.includes(FILES.hold)) return unready("it is held. To release it, delete its file job_hold");
  const retry = names.includes(".jobmgr") ? waitingRetry(disk, folder) : undefined;
  const waits = names.includes(FILES.after) && !wasMet(disk, folder) ? waitsFor() : undefined;
  if (waits !== undefined) return unready(waits);
  const early = retry && beforeItsTime(retry, nowMs());
  if (early) return early;
  if (retry?.isItself) return restSince(retry.atMs, disk, folder, top, rules, nowMs());
  if (rules.readyFile !== undefined) {
    if (names.includes(rules.readyFile) || isWhole(disk, folder, top, rules)) return READY;
    return unready(`it has no ${rules.readyFile} yet`);
  }
  const wholeAtMs = markedWholeAtMs(disk, folder, top);
  return restOf(disk, folder, sinceWhole(top, wholeAtMs), rules, nowMs(), wholeAtMs);
}

/** As a refused archive comes back. */
function archiveHint(names: readonly string[], rules: ReadyRules): string {
  const archive = onlyArchive(names.filter((name) => !isOfJobmgr(name, rules)));
  return archive === undefined ? "" : `. If ${archive} in it is the job, move that into inbox/ itself`;
}

function foreign({ uid }: Look): Readiness {
  return unready(foreignText(uid));
}

/** A single file comes to rest as a folder does; a file that says that all is there cannot lie beside it. */
function fileReadiness(look: Look, { owners, settleS }: ReadyRules, nowMs: () => number): Readiness {
  if (owners && !owners.has(look.uid)) return foreign(look);
  if (look.size === 0) return unready("it is empty");
  const restedS = (nowMs() - look.ctimeMs) / 1000;
  if (restedS < settleS) return unsettled("it", restedS, settleS);
  return { is: "ready", signature: fileSignature(look), isFile: true };
}

/** What a file looks like that nobody has touched. */
export function fileSignature({ ino, size, ctimeMs }: Look): string {
  return `${ino} ${size} ${ctimeMs}`;
}

function unsettled(name: string, restedS: number, settleS: number): Readiness {
  const seconds = Math.max(0, Math.floor(restedS));
  return unready(unsettledText(name, seconds, settleS), Math.max(0.01, settleS - restedS));
}

/** The folder itself was renamed after it was marked as whole, which says nothing; but its names may have changed since. */
function sinceWhole(top: Look, wholeAtMs: number | undefined): Look {
  return wholeAtMs !== undefined && top.mtimeMs <= wholeAtMs ? { ...top, ctimeMs: 0 } : top;
}

/** True if nothing has changed in a folder since it was marked as whole. */
function isWhole(disk: Disk, folder: string, top: Look, rules: ReadyRules): boolean {
  const wholeAtMs = markedWholeAtMs(disk, folder, top);
  if (wholeAtMs === undefined) return false;
  // Of what has changed since, nothing has rested for so long at that moment.
  const nowMs = wholeAtMs + rules.settleS * 1000;
  return restOf(disk, folder, sinceWhole(top, wholeAtMs), rules, nowMs, wholeAtMs).is === "ready";
}

/** At once, whatever changes. */
const READY: Readiness = { is: "ready", signature: "" };

/** A job that ended badly waits for the time of its next attempt. */
function beforeItsTime(retry: Waiting, nowMs: number): Readiness | undefined {
  const untilMs = retry.atMs + retry.waitS * 1000;
  if (nowMs >= untilMs) return undefined;
  return unready(whyItWaitsAgain(retry, untilMs, nowMs), (untilMs - nowMs) / 1000);
}

/** What a job left there itself is no upload; what came later may be one. */
function restSince(
  sinceMs: number,
  disk: Disk,
  folder: string,
  top: Look,
  rules: ReadyRules,
  nowMs: number,
): Readiness {
  const rest = restOf(disk, folder, { ...top, ctimeMs: 0 }, rules, nowMs, sinceMs);
  return rest.is === "ready" ? READY : rest;
}

/** A sentence for people: until when a job waits for its next attempt, and what became of the last one. */
export function whyItWaitsAgain(retry: RetryRecord, untilMs: number, nowMs: number): string {
  const last = retry.ends.at(-1)?.replace(/\.$/, "");
  return `it waits until ${untilMs - nowMs < HOURS_20_MS ? secondOf(new Date(untilMs)) : clockOf(iso(untilMs), iso(nowMs))} for its ${ordinal(retry.number)} attempt (the last one: ${last})`;
}

const HOURS_20_MS = 72_000_000;

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** What lies at the top of a job's folder, and is no part of an upload. */
export function isOfJobmgr(name: string, { finishedFile }: Pick<ReadyRules, "finishedFile">): boolean {
  return name === ".jobmgr" || isResultName(name) || name === finishedFile;
}

/** Walks the folder until something is found that has changed lately. What did not change since `sinceMs` is at rest. */
function restOf(disk: Disk, folder: string, top: Look, rules: ReadyRules, nowMs: number, sinceMs = 0): Readiness {
  const { settleS } = rules;
  const signature = createHash("sha256");
  let entries = 0;
  let newest = { ctimeMs: top.ctimeMs, name: "it" };
  for (const { path, name, look, beside } of walkTree(disk, folder, (one) => isOfJobmgr(one, rules))) {
    if (++entries > ENTRIES_MAX) break;
    if (!look) continue;
    const isNew = look.ctimeMs > sinceMs;
    if (isNew && isUnfinishedName(name, beside)) return unready(`${name.trim()} looks like an unfinished upload`);
    if (isNew && look.ctimeMs > newest.ctimeMs) newest = { ctimeMs: look.ctimeMs, name };
    signature.update(signOf(path, look));
  }
  const restedS = (nowMs - newest.ctimeMs) / 1000;
  if (restedS < settleS) return unsettled(newest.name, restedS, settleS);
  return { is: "ready", signature: signature.digest("hex") };
}

/**
 * What a folder that was ready looks like now; undefined if it is no longer so. For the second look, after the claim.
 * `wholeAtMs`: when it was marked as whole, if it was.
 */
export function signatureOf(
  disk: Disk,
  folder: string,
  rules: ReadyRules,
  nowMs: () => number,
  wholeAtMs?: number,
): string | undefined {
  // The claim itself changed the folder's own times, and nothing else.
  const top = disk.look(folder);
  if (!top || rules.readyFile !== undefined) return top && "";
  const rest = restOf(disk, folder, { ...top, ctimeMs: 0 }, rules, nowMs(), wholeAtMs);
  return rest.is === "ready" ? rest.signature : undefined;
}
