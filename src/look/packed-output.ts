/** Output that is not in a job's folder any more, for its archive stands for that: how a person gets at it. */
import { join, normalize } from "node:path";
import { isArchiveOnly, resultArchive } from "../archive/finished.ts";
import { archiveName } from "../archive/names.ts";
import type { Disk } from "../disk.ts";
import { printable } from "../printable.ts";
import { jobFolder, type Root } from "../root.ts";
import { shellWord } from "../shell-word.ts";

/** So many files stand in the command: of an array there may be thousands. */
const FILES_SHOWN = 5;

/** A sentence with the command that shows these outputs of a finished job; undefined if its folder is there. */
export function packedOutputText(disk: Disk, root: Root, name: string, outputs: readonly string[]): string | undefined {
  if (!isArchiveOnly(disk, root, name)) return undefined;
  const shown = printable(name);
  const archive = resultArchive(disk, root, name);
  if (archive === undefined)
    return `The output of ${shown} is in the archive of its folder, which is not in complete/ any more, or was changed.`;
  const path = jobFolder(root, "complete", archive);
  const inside = outputs.slice(0, FILES_SHOWN).map((output) => join(name, normalize(output)));
  const command = archiveName(archive)?.form === "zip" ? unzipCommand(path, inside) : tarCommand(path, inside);
  const more = outputs.length > FILES_SHOWN ? `, and ${outputs.length - FILES_SHOWN} others` : "";
  return `The output of ${shown} is in complete/${printable(archive)}${more}: ${command}`;
}

function tarCommand(path: string, inside: readonly string[]): string {
  const words = inside.map(shellWord);
  return ["tar", "-xOf", shellWord(path), ...(inside.some(isLikeOption) ? ["--"] : []), ...words].join(" ");
}

/** To unzip, names are patterns. */
function unzipCommand(path: string, inside: readonly string[]): string {
  const patterns = inside.map((one) => one.replace(/[*?[\\]/g, "\\$&").replace(/^-/, "[-]"));
  return ["unzip", "-p", shellWord(path), ...patterns.map(shellWord)].join(" ");
}

function isLikeOption(word: string): boolean {
  return word.startsWith("-");
}
