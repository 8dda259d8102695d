/**
 * Which jobs are meant: by name, by pattern (* ? [...]), or by the path of a folder, as a shell completes it. What
 * stands in two places may be told apart: pending/NAME, complete/NAME.
 */

import { basename, dirname, resolve } from "node:path";
import { finishedNames } from "./archive/finished.ts";
import type { Disk } from "./disk.ts";
import { AbsentError } from "./errors.ts";
import { nearest } from "./nearest.ts";
import { printable } from "./printable.ts";
import { isIgnoredName, isUnreadableName, jobFolder, type Root, sortByCodePoint } from "./root.ts";
import { isPlace, PLACES, type Place } from "./stage.ts";

/** A job's folder: where it was when it was looked for. */
export interface JobRef {
  readonly place: Place;
  readonly name: string;
}

export { AbsentError };

/** The names of the jobs in one place, in the order in which they are taken. */
export function namesIn(disk: Disk, root: Root, place: Place): string[] {
  const all = disk.list(root[place]);
  const names = place === "complete" ? finishedNames(disk, root, all) : all;
  return sortByCodePoint(names.filter((name) => !isIgnoredName(name) && !isUnreadableName(name)));
}

/** What words mean. */
export interface Selection {
  readonly jobs: readonly JobRef[];
  /** Of each word that means none a sentence, with the nearest names. */
  readonly absent: readonly string[];
}

/**
 * The jobs that the words mean, among these places, each once; in the order of the words, then of the places given,
 * then of the names. A word that means none there may mean jobs in the places of `lastly`.
 */
export function lookForJobs(
  disk: Disk,
  root: Root,
  words: readonly string[],
  places: readonly Place[] = PLACES,
  lastly: readonly Place[] = [],
): Selection {
  const names = new Map(PLACES.map((place) => [place, namesIn(disk, root, place)]));
  const selected = new Map<string, JobRef>();
  const absent = new Set<string>();
  for (const word of words) {
    const first = meant(word, disk, root, places, names);
    const found = first.length > 0 ? first : meant(word, disk, root, lastly, names);
    if (found.length === 0) absent.add(whyAbsent(word, [...places, ...lastly], names));
    for (const job of found) selected.set(`${job.place}/${job.name}`, job);
  }
  return { jobs: [...selected.values()], absent: [...absent] };
}

/** The same, where all must be there. Throws AbsentError, which tells of each word that means none. */
export function selectJobs(...asked: Parameters<typeof lookForJobs>): readonly JobRef[] {
  const { jobs, absent } = lookForJobs(...asked);
  if (absent.length > 0) throw new AbsentError(absent.join("\n"));
  return jobs;
}

/** The one job that a word means. Of several places the first that has it counts. Throws AbsentError; also if it means several names. */
export function selectJob(disk: Disk, root: Root, word: string, places: readonly Place[] = PLACES): JobRef {
  const [first, ...others] = selectJobs(disk, root, [word], places);
  if (!first) throw new AbsentError(`There is no job ${printable(word)}.`);
  const other = others.find((job) => job.name !== first.name);
  if (other)
    throw new AbsentError(
      `${printable(word)} means several jobs: ${printable(first.name)}, ${printable(other.name)}${others.length > 1 ? ", ..." : ""}. Name one.`,
    );
  return first;
}

type Names = ReadonlyMap<Place, readonly string[]>;

function meant(word: string, disk: Disk, root: Root, places: readonly Place[], names: Names): JobRef[] {
  const { name, only } = wordOf(word, root);
  const searched = places.filter((place) => only === undefined || place === only);
  // What came a moment ago may be missing in the listing of a mounted root, which is some seconds old.
  const isThere = (place: Place) =>
    names.get(place)?.includes(name) || (isNameOfJob(name) && isAt(disk, root, place, name));
  const shown = searched.filter(isThere).map((place) => ({ place, name }));
  const exact = shown.length > 1 ? shown.filter((job) => hasNotLeft(disk, root, job)) : shown;
  if (exact.length > 0 || !/[*?[]/.test(name)) return exact;
  const pattern = patternOf(name);
  return searched.flatMap((place) =>
    (names.get(place) ?? []).filter((one) => pattern.test(one)).map((one) => ({ place, name: one })),
  );
}

const NAME_BYTES_MAX = 255;

function isNameOfJob(name: string): boolean {
  const isPossible = name !== "" && !/[/\0]/.test(name) && Buffer.byteLength(name) <= NAME_BYTES_MAX;
  return isPossible && !isIgnoredName(name) && !isUnreadableName(name);
}

function isAt(disk: Disk, root: Root, place: Place, name: string): boolean {
  return disk.look(jobFolder(root, place, name)) !== undefined;
}

/** A mount (sshfs) shows a folder for seconds more where it is no longer; of its file system it asks the server. */
function hasNotLeft(disk: Disk, root: Root, { place, name }: JobRef): boolean {
  const folder = jobFolder(root, place, name);
  try {
    if (disk.look(folder)?.kind === "folder") disk.fileSystem(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}

/** "NAME", "complete/NAME", or a path to it from where one stands. */
function wordOf(word: string, root: Root): { name: string; only?: Place } {
  const plain = word.replace(/\/+$/, "");
  if (!plain.includes("/")) return { name: plain };
  const [first = "", ...rest] = plain.replace(/^\.\//, "").split("/");
  if (isPlace(first) && rest.length === 1) return { only: first, name: rest[0] ?? "" };
  const path = resolve(plain);
  const only = PLACES.find((place) => root[place] === dirname(path));
  return only ? { only, name: basename(path) } : { name: plain };
}

function whyAbsent(word: string, places: readonly Place[], names: Names): string {
  const { name } = wordOf(word, { path: "", id: "", inbox: "", pending: "", complete: "", own: "" });
  const elsewhere = PLACES.filter((place) => !places.includes(place) && names.get(place)?.includes(name));
  if (elsewhere.length > 0)
    return `${printable(name)} is in ${elsewhere.join(" and ")}, not in ${places.join(" or ")}, where this could be done.`;
  const near = nearest(name, new Set(places.flatMap((place) => names.get(place) ?? []))).map(printable);
  const hint = near.length === 0 ? " `jobmgr status --all` lists all." : ` Did you mean ${near.join(" or ")}?`;
  return `There is no job ${printable(word)} in ${places.join(", ")}.${hint}`;
}

/** As a shell's pattern: "*" any text, "?" one character, "[abc]" and "[!a-c]" one of these; all else means itself. */
function patternOf(glob: string): RegExp {
  const source = glob.replace(
    /\[(!?)([^\]]+)\]|[\s\S]/gu,
    (token, not: string | undefined, set: string | undefined) => {
      if (token === "*") return "[\\s\\S]*";
      if (token === "?") return "[\\s\\S]";
      if (set !== undefined) return `[${not ? "^" : ""}${set.replace(/[\\\]^]/g, "\\$&")}]`;
      return token.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    },
  );
  return new RegExp(`^${source}$`, "u");
}
