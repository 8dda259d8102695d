/** Which files of the inbox are jobs, by their names. Pure. */
import { isIgnoredName } from "../root.ts";

/** How an archive is made. */
export type ArchiveForm = "tar" | "tar.gz" | "tar.xz" | "zip";

/** A file that is a job by itself: an archive of a folder, or a script. */
export interface ArrivalName {
  /** The name of the job. */
  readonly name: string;
  /** What follows it in the file's name, with the dot, as it is written there. */
  readonly ending: string;
  readonly form: ArchiveForm | "script";
}

const FORMS: Readonly<Record<string, ArchiveForm | "script">> = {
  ".tar.gz": "tar.gz",
  ".tgz": "tar.gz",
  ".tar.xz": "tar.xz",
  ".tar": "tar",
  ".zip": "zip",
  ".sh": "script",
};

/** For people: how the names of archives end. */
export const ARCHIVE_ENDINGS = ".tar.gz, .tgz, .tar.xz, .tar or .zip";

/** What a file of this name would be as a job; undefined if it would be none. */
export function arrivalName(file: string): ArrivalName | undefined {
  // Asked of each of ten thousand folders.
  if (!file.includes(".")) return undefined;
  for (const [known, form] of Object.entries(FORMS)) {
    const ending = file.slice(-known.length);
    const name = file.slice(0, -known.length);
    if (ending.toLowerCase() === known && name !== "" && !isIgnoredName(name)) return { name, ending, form };
  }
  return undefined;
}

/** The archive among these names, if it is the only thing there. */
export function onlyArchive(names: readonly string[]): string | undefined {
  const [one = "", ...others] = names;
  return others.length === 0 && archiveName(one) ? one : undefined;
}

/** The files that would be a job of this name. */
export function arrivalFiles(name: string): string[] {
  return Object.keys(FORMS).map((ending) => name + ending);
}

/** As arrivalName, for archives only. */
export function archiveName(file: string): (ArrivalName & { readonly form: ArchiveForm }) | undefined {
  const arrival = arrivalName(file);
  return arrival && arrival.form !== "script" ? { ...arrival, form: arrival.form } : undefined;
}
