/**
 * What a job waits for, read off the disk: its job_after.txt, and how each job named there stands. Nothing is
 * remembered here, so that the answer before a claim and the one after it come from the same place.
 */
import { join } from "node:path";
import { finishedFolder } from "../archive/finished.ts";
import { arrivalFiles, arrivalName } from "../archive/names.ts";
import type { Disk, Look } from "../disk.ts";
import type { Token } from "../engine.ts";
import { FILES } from "../files.ts";
import {
  attemptFolder,
  attemptsOf,
  engineKey,
  type OutcomeRecord,
  outcomeInForce,
  RecordError,
  readRecord,
  recordNames,
} from "../records.ts";
import { arrivingFolder, jobFolder, numberedName, type Root, unnumberedName } from "../root.ts";
import { EXIT } from "../runner.ts";
import type { Place } from "../stage.ts";
import {
  AFTER_BYTES_MAX,
  type AfterRead,
  type Circle,
  circlesOf,
  dependenciesIn,
  type JobState,
  parseAfter,
  type Queued,
  type Verdict,
  verdictOf,
} from "./after.ts";

/** A folder that asks, which is never its own dependency by another number of its name. */
export interface Asker {
  readonly place: Place;
  readonly name: string;
}

/** What job_after.txt of a folder says, or what is wrong with it; undefined if there is none. */
export function readAfter(disk: Disk, folder: string): AfterRead | undefined {
  const path = join(folder, FILES.after);
  const look = disk.look(path);
  if (!look) return undefined;
  if (look.kind === "link")
    return { fault: `${FILES.after} is a link; links are not followed. Put the file itself here` };
  if (look.kind !== "file") return { fault: `${FILES.after} is not a regular file. It must be a list of names` };
  try {
    const bytes = disk.read(path, AFTER_BYTES_MAX + 1);
    return bytes && parseAfter(bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    return { fault: `${FILES.after} cannot be read by the manager's user; \`chmod u+r ${FILES.after}\` lets it` };
  }
}

/** What has become of the jobs that a folder is to run after. Met, too, if it names none. */
export function verdictOfFolder(disk: Disk, root: Root, asker: Asker, near?: Near): Verdict {
  const read = readAfter(disk, jobFolder(root, asker.place, asker.name));
  if (read === undefined) return { is: "met" };
  if ("fault" in read) return { is: "waits", why: read.fault };
  return verdictOf(read.dependencies, (name) => {
    const state = stateOfJob(disk, root, name, asker);
    return state.is === "unknown" && near ? { ...state, nearest: near(name) } : state;
  });
}

/** Of each folder that waits, which others that wait it waits for: by name, or by that and a number. */
export function graphOf(reads: ReadonlyMap<string, AfterRead>): ReadonlyMap<string, readonly string[]> {
  const numbered = numberedAmong(reads.keys());
  const edges = (name: string, read: AfterRead) =>
    dependenciesIn(read).flatMap(({ name: one }) => [
      one,
      ...(numbered.get(one) ?? []).filter((other) => other !== name),
    ]);
  return new Map([...reads].map(([name, read]) => [name, edges(name, read)]));
}

/** By a name those that are it and a number. */
function numberedAmong(names: Iterable<string>): ReadonlyMap<string, readonly string[]> {
  const numbered = new Map<string, string[]>();
  for (const name of names) {
    const stem = unnumberedName(name);
    if (stem !== name) numbered.set(stem, [...(numbered.get(stem) ?? []), name]);
  }
  return numbered;
}

/** So many folders that wait for each other are read for one question. */
const CHAIN_MAX = 20_000;

/** The circle that a folder of the inbox is in, or else one that it waits for: read off the disk, along its chain. */
export function circleBefore(disk: Disk, root: Root, name: string): Circle | undefined {
  const numbered = numberedAmong(disk.list(root.inbox));
  const reads = new Map<string, AfterRead>();
  const chain = new Set([name]);
  // A set goes on over what is added on the way.
  for (const one of chain) {
    if (reads.size > CHAIN_MAX) return undefined;
    const read = readAfter(disk, jobFolder(root, "inbox", one));
    if (read === undefined) continue;
    reads.set(one, read);
    for (const { name: before } of dependenciesIn(read))
      for (const form of [before, ...(numbered.get(before) ?? [])]) chain.add(form);
  }
  const circles = circlesOf(graphOf(reads));
  return circles.find(({ members }) => members.has(name)) ?? circles[0];
}

/** The names of jobs that somebody may have meant who named one that is not there. */
export type Near = (name: string) => readonly string[];

/** Numbers of a name that are looked for behind the last one found: some may have been moved away. */
const GAP_MAX = 4;

/**
 * How a job stands, by name. A name that was used again is NAME~2 in pending/ and complete/: the job goes on while any
 * of them does, and ended as the one that ended last. The order of the looks is that in which a job moves.
 */
export function stateOfJob(disk: Disk, root: Root, name: string, asker: Asker): JobState {
  for (const form of formsOf(name)) {
    const state = stateOfExactly(disk, root, form, asker);
    if (state.is !== "unknown") return state;
  }
  return { is: "unknown" };
}

/**
 * The name as it is written; as other systems write the same letters: macOS takes accents apart; and of the name of an
 * archive or a script that of the job which it becomes.
 */
export function formsOf(name: string): ReadonlySet<string> {
  return new Set(
    [name, arrivalName(name)?.name ?? name].flatMap((one) => [one, one.normalize("NFC"), one.normalize("NFD")]),
  );
}

function stateOfExactly(disk: Disk, root: Root, name: string, asker: Asker): JobState {
  const file = arrivalOf(disk, root, name);
  if (file !== undefined) return { is: "going", word: `waiting, as "${file}"` };
  if (isArriving(disk, root, name)) return { is: "going", word: "being unpacked" };
  for (const { name: one, folder } of namesakes(disk, root, "inbox", name, asker)) {
    const word = isHeld(disk, folder) ? "held" : "waiting";
    return { is: "going", word: one === name ? word : `${word}, as "${one}"` };
  }
  const [first, ...others] = namesakes(disk, root, "pending", name, asker);
  if (first) {
    const word = wordOf(disk, first.folder);
    const queued = others.length === 0 ? queuedIn(disk, first) : undefined;
    return { is: "going", word: first.name === name ? word : `${word}, as "${first.name}"`, ...(queued && { queued }) };
  }
  return endOf(disk, root, name, asker);
}

/** A file of the inbox that is to become a job of this name. */
function arrivalOf(disk: Disk, root: Root, name: string): string | undefined {
  return arrivalFiles(name).find((file) => disk.look(jobFolder(root, "inbox", file))?.kind === "file");
}

/** True while it is on its way from a file of the inbox to a folder there. */
function isArriving(disk: Disk, root: Root, name: string): boolean {
  const arriving = arrivingFolder(root);
  if (disk.look(arriving)?.kind !== "folder") return false;
  return disk.list(arriving).some((staged) => disk.look(join(arriving, staged, name))?.kind === "folder");
}

/** So many of one name are looked into, the latest ones: each was moved to complete/ when it ended. */
const ENDED_MAX = 16;

function endOf(disk: Disk, root: Root, name: string, asker: Asker): JobState {
  const latest = [...namesakes(disk, root, "complete", name, asker)]
    .sort((a, b) => b.look.ctimeMs - a.look.ctimeMs)
    .slice(0, ENDED_MAX);
  let last: OutcomeRecord | undefined;
  let unclear: string | undefined;
  for (const { name: one, folder } of latest) {
    try {
      const record = outcomeInForce(disk, folder);
      if (record === undefined)
        unclear ??= `complete/${one} has no record of how it ended. Was it moved there by hand?`;
      else if (last === undefined || Date.parse(record.at) > Date.parse(last.at)) last = record;
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      return { is: "unclear", why: `how complete/${one} ended cannot be read: ${error.message}` };
    }
  }
  if (last !== undefined) {
    const { is: result, why, after } = last.outcome;
    return { is: "ended", result, why, ...(after && { after }) };
  }
  return unclear === undefined ? { is: "unknown" } : { is: "unclear", why: unclear };
}

/** Folders of a place that are called NAME, or that and a number; never the asker, but for the name itself. */
function* namesakes(disk: Disk, root: Root, place: Place, name: string, asker: Asker): Generator<Namesake> {
  for (let count = 1, gap = 0; gap < GAP_MAX; count++, gap++) {
    const one = numberedName(name, count);
    // Of a finished job that left as an archive, only what says how it ended may be there.
    const folder = place === "complete" ? finishedFolder(disk, root, one) : jobFolder(root, place, one);
    const look = disk.look(folder);
    const isAsker = place === asker.place && one === asker.name;
    if (look) gap = -1;
    // Whoever waits for itself is told so in the inbox; in pending it is judged by its earlier lives.
    if (isAsker && (count > 1 || place !== "inbox")) continue;
    if (look?.kind === "folder") yield { name: one, folder, look };
  }
}

interface Namesake {
  readonly name: string;
  readonly folder: string;
  readonly look: Look;
}

/** The attempt of a job in pending/, if its engine has taken it, and it is neither known to have ended nor to end soon. */
function queuedIn(disk: Disk, { name, folder }: Namesake): Queued | undefined {
  try {
    const [token, ...others] = attemptsOf(disk, folder).inForce;
    if (token === undefined || others.length > 0) return undefined;
    const names = recordNames(disk, folder, token);
    if (["outcome", "cancel", EXIT].some((record) => names.has(record))) return undefined;
    const records = attemptFolder(folder, token);
    const [intent, handle] = [readRecord(disk, records, "intent"), readRecord(disk, records, "handle")];
    if (!intent || !handle || intent.token !== token) return undefined;
    return { name, token, handle: handle.handle, engine: engineKey(intent), tasks: intent.plan.tasks };
  } catch {
    // Whoever looks at that job itself says what is wrong with it.
    return undefined;
  }
}

/** An attempt that another job waits for in the queue: where it is, and how it ended if it has. Throws RecordError. */
export interface AttemptBefore {
  readonly place: "pending" | "complete";
  readonly outcome: OutcomeRecord | undefined;
  /** It is being taken out of the queue itself. */
  readonly isRecalled: boolean;
}

/** Looks for an attempt that was in force in pending/NAME; undefined if it is in force nowhere, or in the inbox again. */
export function attemptBefore(disk: Disk, root: Root, name: string, token: Token): AttemptBefore | undefined {
  const nobody: Asker = { place: "inbox", name: "" };
  const stem = unnumberedName(name);
  const pending = { name, folder: jobFolder(root, "pending", name), place: "pending" as const };
  // A folder of this name that is in complete/ already makes it another number.
  const complete = [...new Set([name, stem])].flatMap((one) => [...namesakes(disk, root, "complete", one, nobody)]);
  for (const { folder, place } of [pending, ...complete.map((one) => ({ ...one, place: "complete" as const }))]) {
    if (disk.look(folder)?.kind !== "folder" || !attemptsOf(disk, folder).inForce.includes(token)) continue;
    const records = attemptFolder(folder, token);
    const isRecalled = readRecord(disk, records, "cancel")?.recalled === true;
    return { place, outcome: readRecord(disk, records, "outcome"), isRecalled };
  }
  return undefined;
}

function isHeld(disk: Disk, folder: string): boolean {
  return disk.look(join(folder, FILES.hold)) !== undefined;
}

/** Where a job in pending is, for people. */
function wordOf(disk: Disk, folder: string): string {
  try {
    const [token] = attemptsOf(disk, folder).inForce;
    const names = token === undefined ? new Set<string>() : recordNames(disk, folder, token);
    if (names.has("outcome")) return "ending";
    if ([...names].some((name) => /^started\b/.test(name))) return "running";
    return names.has("handle") ? "in the queue" : "taken in";
  } catch {
    return "pending";
  }
}
