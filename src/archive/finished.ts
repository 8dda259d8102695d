/**
 * By which name a finished job is found in complete/. One that came as an archive leaves an archive of its name there
 * as well, or instead of its folder: then what says how it ended lies in a hidden folder.
 */

import type { Disk, Look } from "../disk.ts";
import { attemptFolder, attemptsOf, type ResultRecord, readRecord } from "../records.ts";
import { jobFolder, type Root } from "../root.ts";
import type { Place } from "../stage.ts";
import { archiveName } from "./names.ts";

/** What is left of a finished folder that its archive stands for. */
export function hiddenName(name: string): string {
  return `.${name}`;
}

/** A finished job's folder, what is left of it, and its archive (of this ending) all go by one name. */
export function isTakenInComplete(disk: Disk, root: Root, name: string, ending: string | undefined): boolean {
  const names = [name, hiddenName(name), ...(ending === undefined ? [] : [name + ending])];
  return names.some((one) => disk.look(jobFolder(root, "complete", one)) !== undefined);
}

/** The folder that says how a finished job ended: its own, or what is left of it beside its archive. */
export function finishedFolder(disk: Disk, root: Root, name: string): string {
  return finishedFolderThere(disk, root, name) ?? jobFolder(root, "complete", name);
}

/** As finishedFolder; undefined if there is no folder of either name. */
export function finishedFolderThere(disk: Disk, root: Root, name: string): string | undefined {
  const folders = [name, hiddenName(name)].map((one) => jobFolder(root, "complete", one));
  return folders.find((folder) => disk.look(folder)?.kind === "folder");
}

/** True for a finished job of whose folder only that is left which says how it ended. */
export function isArchiveOnly(disk: Disk, root: Root, name: string): boolean {
  return finishedFolder(disk, root, name) !== jobFolder(root, "complete", name);
}

/**
 * The name in complete/ of the archive that was made of a finished job; undefined if there is none, or none any more,
 * whatever else has its name now.
 */
export function resultArchive(disk: Disk, root: Root, name: string): string | undefined {
  const record = resultRecord(disk, finishedFolder(disk, root, name));
  // A copy of a job under another name has the record too, and not the archive.
  if (record === undefined || archiveName(record.file)?.name !== name) return undefined;
  const look = disk.look(jobFolder(root, "complete", record.file));
  return look && isSameFile(look, record) ? record.file : undefined;
}

function resultRecord(disk: Disk, folder: string): ResultRecord | undefined {
  try {
    const [token] = disk.look(folder)?.kind === "folder" ? attemptsOf(disk, folder).inForce : [];
    return token && readRecord(disk, attemptFolder(folder, token), "result");
  } catch {
    // What cannot be read says of no file that it may go.
    return undefined;
  }
}

/** Copies, and some mounts, keep whole seconds only. */
function isSameFile({ kind, size, mtimeMs }: Look, record: ResultRecord): boolean {
  return kind === "file" && size === record.size && Math.floor(mtimeMs / 1000) === Math.floor(record.mtimeMs / 1000);
}

/** The folder that holds what is known of a job, wherever it is. */
export function folderOfJob(disk: Disk, root: Root, { place, name }: { place: Place; name: string }): string {
  return place === "complete" ? finishedFolder(disk, root, name) : jobFolder(root, place, name);
}

/** The names of the jobs in complete/, given all names there: without archives, and with those of which only that is left. */
export function finishedNames(disk: Disk, root: Root, all: readonly string[]): string[] {
  const there = new Set(all);
  const jobOf = (name: string) => {
    const job = archiveName(name)?.name;
    if (job === undefined || !(there.has(job) || there.has(hiddenName(job)))) return name;
    return disk.look(jobFolder(root, "complete", name))?.kind === "file" ? job : name;
  };
  return [...new Set(all.map(jobOf))];
}
