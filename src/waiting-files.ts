/** Jobs that are files still: archives and scripts in the inbox, and those of which a folder is being made. */
import { join } from "node:path";
import { ENDINGS } from "./archive/names.ts";
import type { Disk } from "./disk.ts";
import { jobFolder, type Root } from "./root.ts";

/** What would be a job of this name, in words; undefined if there is no such file. */
export function waitingFile(disk: Disk, root: Root, name: string): string | undefined {
  const file = ENDINGS.map((ending) => name + ending).find(
    (one) => disk.look(jobFolder(root, "inbox", one))?.kind === "file",
  );
  if (file !== undefined) return `as ${file}`;
  const arriving = join(root.own, "arriving");
  if (disk.look(arriving)?.kind !== "folder") return undefined;
  return disk.list(arriving).some((id) => disk.look(join(arriving, id, name))) ? "being unpacked" : undefined;
}
