/** What a path is as a job, and under which name; or why it can be none. Nothing is changed. */
import { basename, dirname, join, resolve } from "node:path";
import { ARCHIVE_ENDINGS, arrivalName } from "../archive/names.ts";
import type { Disk } from "../disk.ts";
import { FILES } from "../files.ts";
import { printable } from "../printable.ts";
import { isIgnoredName, isUnreadableName, type Root } from "../root.ts";
import { shellName, shellWord } from "../shell-word.ts";
import { PLACES } from "../stage.ts";
import { isOfEarlierLife } from "./inputs.ts";
import type { Source } from "./put-in.ts";

/** One thing to be submitted, under this name. */
export interface Submission {
  readonly name: string;
  readonly source: Source;
}

/** Why something cannot be submitted, in a sentence. */
export interface Fault {
  readonly fault: string;
}

/** "NAME~2" and an ending must fit behind it. */
const NAME_BYTES_MAX = 255;

/** How a path is submitted. */
interface Wanted {
  /** Instead of the path's own name. */
  readonly name: string | undefined;
  readonly finishedFile: string | undefined;
}

/** What a path is, by what lies there. A path may be a link: a person has named it. */
export function sourceOf(disk: Disk, root: Root, word: string, { name, finishedFile }: Wanted): Submission | Fault {
  const shown = printable(word);
  const given = resolve(word);
  if (!disk.look(given)) return { fault: `${shown} does not exist.` };
  let path: string;
  try {
    path = disk.realPath(given);
  } catch {
    return { fault: `${shown} is a link that leads nowhere.` };
  }
  const inRoot = faultOfPlace(disk, root, path);
  if (inRoot) return { fault: `${shown} ${inRoot}` };
  const kind = disk.look(path)?.kind;
  if (kind === "folder") {
    if (!disk.look(join(path, FILES.script)))
      return { fault: `${shown} has no job.sh. Write the commands to run into ${join(word, FILES.script)}.` };
    const keeps = (one: string) => !isOfEarlierLife(one, finishedFile);
    return named(name ?? basename(given), { is: "folder", path, keeps });
  }
  if (kind !== "file") return { fault: `${shown} is no folder, script or archive.` };
  return fileSource(disk, given, path, name);
}

function fileSource(disk: Disk, given: string, path: string, name: string | undefined): Submission | Fault {
  const file = basename(given);
  const arrival = arrivalName(file);
  if (arrival && arrival.form !== "script")
    return named(name ?? arrival.name, { is: "archive", path, ending: arrival.ending });
  const isScript = arrival !== undefined || disk.read(path, 2)?.toString("latin1") === "#!";
  if (isScript) return named(name ?? arrival?.name ?? file.replace(/(?<=.)\.[^.]*$/, ""), { is: "script", path });
  return {
    fault: `${printable(file)} is no folder, script or archive: a script ends in .sh or begins with #!, an archive ends in ${ARCHIVE_ENDINGS}.`,
  };
}

function named(name: string, source: Source): Submission | Fault {
  const fault = faultOfName(name);
  return fault ? { fault: `${printable(name)}: ${fault} Give it another one with --name.` } : { name, source };
}

/** Why no job can have this name. */
export function faultOfName(name: string): string | undefined {
  if (name === "" || name.includes("/") || name.includes("\0")) return 'a job needs a name without "/".';
  if (name.startsWith("-")) return "a name that begins with - is taken for an option.";
  if (isIgnoredName(name)) return "jobs of such a name are never looked at.";
  if (isUnreadableName(name)) return "a job needs a name in UTF-8.";
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) return `a job's name has ${NAME_BYTES_MAX} bytes at most.`;
  return undefined;
}

function faultOfPlace(disk: Disk, root: Root, path: string): string | undefined {
  const top = disk.realPath(root.path);
  if (path === top || `${top}/`.startsWith(path === "/" ? "/" : `${path}/`))
    return "holds the root itself, and cannot be a job in it.";
  for (const place of [...PLACES, ".jobmgr"])
    if (path === join(top, place)) return "is one of the root's own folders, and no job.";
  if (dirname(path) === join(top, "complete"))
    return `has ended. To run it again: jobmgr retry ${shellName(basename(path))}; to run a copy: jobmgr submit --from ${shellWord(basename(path))}`;
  if (dirname(path) === join(top, "inbox")) return "is in the inbox already.";
  return path.startsWith(`${join(top, "pending")}/`) ? "is a job that has not ended." : undefined;
}
