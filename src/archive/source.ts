/** The archive that a job came as: kept in its .jobmgr/source/, as it was sent. */
import { join } from "node:path";
import type { Disk } from "../disk.ts";
import { ownFolder } from "../records.ts";
import { archiveName } from "./names.ts";

/** Where a job that came as an archive keeps it. */
export function sourceFolder(folder: string): string {
  return join(ownFolder(folder), "source");
}

/** The name in there of the archive that a job came as; undefined if it came as a folder. */
export function sentArchive(disk: Disk, folder: string): string | undefined {
  const source = sourceFolder(folder);
  if (disk.look(ownFolder(folder))?.kind !== "folder" || disk.look(source)?.kind !== "folder") return undefined;
  return disk.list(source).find((name) => archiveName(name) !== undefined);
}

/** The ending of the archive that a job came as, and leaves as; undefined if it came as a folder. */
export function resultEnding(disk: Disk, folder: string): string | undefined {
  return archiveName(sentArchive(disk, folder) ?? "")?.ending;
}
