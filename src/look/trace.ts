/**
 * A job that somebody goes after while others move it: from the inbox to pending, to complete, and back. Known by its
 * inode; on file systems that make up inodes (sshfs) by the token of its attempt; and at last by its name.
 */
import { hiddenName } from "../archive/finished.ts";
import { arrivalName } from "../archive/names.ts";
import type { Disk, Look } from "../disk.ts";
import type { Token } from "../engine.ts";
import { attemptsOf } from "../records.ts";
import { jobFolder, type Root } from "../root.ts";
import type { JobRef } from "../selection.ts";
import { PLACES, type Place } from "../stage.ts";

/** Where a job was when it was last looked at, and by what it is known again. */
export interface Trace extends JobRef {
  readonly kind: Look["kind"];
  readonly dev: number;
  readonly ino: number;
  readonly token: Token | undefined;
}

/** Begins to follow what is there now; undefined if nothing is. */
export function traceOf(disk: Disk, root: Root, { place, name }: JobRef): Trace | undefined {
  const folder = jobFolder(root, place, name);
  const look = disk.look(folder);
  if (!look) return undefined;
  return { place, name, kind: look.kind, dev: look.dev, ino: look.ino, token: tokenOf(disk, folder, look) };
}

/** As traceOf; also of a job of which nothing is there under its own name, but for what is left beside its archive. */
export function beginTrace(disk: Disk, root: Root, job: JobRef): Trace {
  return traceOf(disk, root, job) ?? { ...job, kind: "folder", dev: -1, ino: -1, token: undefined };
}

/** "place/name" of all that is there before jobs are followed: none of it is one of them, but the jobs themselves. */
export function strangersIn(disk: Disk, root: Root): Set<string> {
  return new Set(PLACES.flatMap((place) => disk.list(root[place]).map((name) => `${place}/${name}`)));
}

/** This job is no stranger, nor is what is left of it beside its archive. */
export function acquaint(strangers: Set<string>, { place, name }: JobRef): void {
  strangers.delete(`${place}/${name}`);
  if (place === "complete") strangers.delete(`complete/${hiddenName(name)}`);
}

/** By which name a job is known that lies in complete/, as its folder, its archive, or what is left beside that. */
export function finishedNameOf({ kind, name }: Trace): string {
  return (kind === "file" ? arrivalName(name)?.name : undefined) ?? name.replace(/^\./, "");
}

/**
 * Where the job is now; undefined if it cannot be found. `strangers`: "place/name" of what was there before, and so
 * cannot be this job under its name. While it stays where it was, this is one look.
 */
export function follow(
  disk: Disk,
  root: Root,
  last: Trace,
  strangers: ReadonlySet<string> = new Set(),
): Trace | undefined {
  const here = traceOf(disk, root, last);
  if (here && isSame(here, last)) return here;
  const found = search(disk, root, last);
  if (found) return found;
  return here ?? byName(disk, root, last, strangers);
}

/** The steps forward first: most who vanish have gone on. */
function byName(disk: Disk, root: Root, last: Trace, strangers: ReadonlySet<string>): Trace | undefined {
  for (const place of ahead(last.place)) {
    for (const name of [last.name, ...otherNames(last, place)]) {
      const other = strangers.has(`${place}/${name}`) ? undefined : traceOf(disk, root, { place, name });
      if (other) return other;
    }
  }
  return undefined;
}

/**
 * Where a job is that has left the place where it was last; undefined if it is nowhere else. A mount (sshfs) may show it
 * there for many seconds more, while it answers truly of a place that nobody has looked at.
 */
export function followOn(disk: Disk, root: Root, last: Trace): Trace | undefined {
  const left = `${last.place}/${last.name}`;
  return search(disk, root, last, left) ?? byName(disk, root, last, new Set([left]));
}

function isSame(one: Trace, other: Trace): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

/** Looks among all jobs whose names could have come from this one's; not at "place/name" `left`. */
function search(disk: Disk, root: Root, last: Trace, left?: string): Trace | undefined {
  for (const place of ahead(last.place)) {
    for (const name of disk.list(root[place])) {
      if (!isKin(name, last.name) && !isKin(name, hiddenName(last.name))) continue;
      if (`${place}/${name}` === left) continue;
      const other = traceOf(disk, root, { place, name });
      if (other && (isSame(other, last) || (last.token !== undefined && other.token === last.token))) return other;
    }
  }
  return undefined;
}

/** Where a job may have got to, the likeliest first. */
function ahead(place: Place): readonly Place[] {
  const first = PLACES.indexOf(place);
  return [...PLACES.slice(first + 1), ...PLACES.slice(0, first + 1)];
}

/** The names by which it may be found in a place that are not its own: an archive's job; what is left beside an archive. */
function otherNames({ kind, name }: Trace, place: Place): string[] {
  const job = (kind === "file" ? arrivalName(name)?.name : undefined) ?? name;
  return [job, ...(place === "complete" ? [hiddenName(job)] : [])].filter((one) => one !== name);
}

/** A name longer than this may have lost its end to a number. */
const LONG_BYTES = 240;

/** Whether one of two names may have been made of the other by the number that a name gets where it is taken. */
function isKin(one: string, other: string): boolean {
  const [short = "", long = ""] = [stemOf(one), stemOf(other)].sort((a, b) => a.length - b.length);
  return short === long || (Buffer.byteLength(long) > LONG_BYTES && long.startsWith(short));
}

/** Without its numbers: NAME~2, taken again, is NAME~2~2. */
function stemOf(name: string): string {
  return name.replace(/(?:~[1-9]\d*)+$/, "");
}

function tokenOf(disk: Disk, folder: string, look: Look): Token | undefined {
  if (look.kind !== "folder") return undefined;
  try {
    return attemptsOf(disk, folder).inForce[0];
  } catch {
    return undefined;
  }
}
