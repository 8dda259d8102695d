/**
 * Takes jobs away for good: first one rename into .jobmgr/removing/, after which nobody sees them any more, then their
 * files are deleted, never through a link. What a crash leaves there is deleted by the next removal.
 */
import { basename, join } from "node:path";
import { finishedFolder, resultArchive } from "../archive/finished.ts";
import { archiveName } from "../archive/names.ts";
import { type Disk, removeTree } from "../disk.ts";
import { openToOwner } from "../group.ts";
import { jobFolder, nowAt, type Root, sortByCodePoint } from "../root.ts";
import type { JobRef } from "../selection.ts";
import { isAbandoned, type Stager, stagedName } from "./staging.ts";

/** Somebody else deletes the same files, or a job that nobody follows still writes there. */
const TRIES_MAX = 5;

/** What became of a job that was to be removed. */
export type Removed =
  | { readonly is: "removed" }
  /** It was moved away or removed meanwhile. */
  | { readonly is: "gone" }
  /** It is gone from its place, but not all of it could be deleted. */
  | { readonly is: "left"; readonly where: string; readonly why: string };

/** One removal, of one job or of many: they have a folder of their own. */
export class Removal {
  readonly #disk: Disk;
  readonly #root: Root;
  readonly #by: Stager;
  readonly #aside: string;

  constructor(disk: Disk, root: Root, by: Stager) {
    this.#disk = disk;
    this.#root = root;
    this.#by = by;
    this.#aside = join(removing(root), stagedName(by));
  }

  /** Removes a job, the parts of which these are, the first one first. Throws if that cannot be moved; then all is as it was. */
  async remove(parts: readonly JobRef[]): Promise<Removed> {
    const disk = this.#disk;
    const moved: string[] = [];
    for (const { place, name } of parts) {
      const path = join(this.#aside, place, name);
      for (const folder of [removing(this.#root), this.#aside, join(this.#aside, place)]) disk.makeFolder(folder);
      if (this.#move(jobFolder(this.#root, place, name), path)) moved.push(path);
      else if (moved.length === 0) return { is: "gone" };
    }
    await Promise.all([...new Set(parts.map(({ place }) => this.#root[place]))].map((folder) => disk.sync(folder)));
    let left: Removed | undefined;
    for (const where of moved)
      await deleteAll(disk, where).catch((error: Error) => {
        left = { is: "left", where, why: error.message };
      });
    return left ?? { is: "removed" };
  }

  #move(from: string, to: string): boolean {
    try {
      // A folder that is closed cannot be moved.
      if (this.#disk.look(from)?.kind === "folder") openToOwner(this.#disk, from);
      this.#disk.rename(from, to);
      return true;
    } catch (error) {
      if (codeOf(error) === "ENOENT") return false;
      throw error;
    }
  }

  /** Deletes what earlier removals have left, and the folder of this one, if nothing is left in it. Never throws. */
  async sweep(): Promise<void> {
    const disk = this.#disk;
    try {
      const now = nowAt(disk, this.#root);
      for (const name of disk.list(removing(this.#root))) {
        const path = join(removing(this.#root), name);
        const ageMs = now - (disk.look(path)?.ctimeMs ?? now);
        if (path === this.#aside || isAbandoned(name, ageMs, this.#by)) await deleteAll(disk, path).catch(() => {});
      }
    } catch {
      // Nothing was ever removed, or this user may not write there: the next removal tries again.
    }
  }
}

/** What a removal of one job is about. */
export interface Parts {
  /** Its folder, or what is left of it beside its archive; and the archive that was made of it. */
  readonly own: readonly JobRef[];
  /** Files of complete/ that are called like an archive of it, and are not: somebody put them there, or they are older. */
  readonly others: readonly string[];
}

/** What belongs to each job, and what only looks so. */
export function partsOf(disk: Disk, root: Root, jobs: readonly JobRef[]): ReadonlyMap<JobRef, Parts> {
  const named = new Map<string, string[]>();
  for (const name of jobs.some(({ place }) => place === "complete") ? disk.list(root.complete) : []) {
    const of = archiveName(name)?.name;
    // A folder may have such a name too: it is another job.
    const isArchive = of !== undefined && disk.look(jobFolder(root, "complete", name))?.kind === "file";
    if (isArchive) named.set(of, [...(named.get(of) ?? []), name]);
  }
  return new Map(
    jobs.map((job) => {
      if (job.place !== "complete" || disk.look(jobFolder(root, "complete", job.name))?.kind === "file")
        return [job, { own: [job], others: [] }];
      const folder = { ...job, name: basename(finishedFolder(disk, root, job.name)) };
      const archive = resultArchive(disk, root, job.name);
      const others = sortByCodePoint((named.get(job.name) ?? []).filter((name) => name !== archive));
      return [job, { own: [folder, ...(archive === undefined ? [] : [{ ...job, name: archive }])], others }];
    }),
  );
}

/** Out of sight, and on the same file system as the jobs. */
function removing(root: Root): string {
  return join(root.own, "removing");
}

async function deleteAll(disk: Disk, path: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    const look = disk.look(path);
    if (!look) return;
    try {
      if (look.kind === "folder") {
        openToOwner(disk, path);
        await removeTree(disk, path);
      } else disk.remove(path);
    } catch (error) {
      const isMoving = codeOf(error) === "ENOENT" || codeOf(error) === "ENOTEMPTY";
      if (!isMoving || tries === TRIES_MAX) throw error;
    }
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
