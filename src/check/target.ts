/** What is to be checked: a path, or the name of a job in the inbox. */
import { basename, dirname, resolve } from "node:path";
import { type ArrivalName, arrivalName } from "../archive/names.ts";
import type { Disk } from "../disk.ts";
import { printable } from "../printable.ts";
import { jobFolder, type Root } from "../root.ts";
import { lookForJobs } from "../selection.ts";

/** What `check` looks at. */
export interface Target {
  /** As it was asked for. */
  readonly word: string;
  readonly path: string;
  /** What the job would be called. */
  readonly name: string;
  readonly is: "folder" | "file" | "link" | "other";
  /** What a file is, by its name; undefined where it is none that the inbox takes. */
  readonly form: ArrivalName["form"] | undefined;
  readonly isInInbox: boolean;
}

/** A word that is neither. */
export interface Absent {
  readonly word: string;
  /** A sentence, with the nearest names. */
  readonly absent: string;
}

/** What a word means. */
export function targetsOf(disk: Disk, root: Root | undefined, word: string): readonly (Target | Absent)[] {
  const path = resolve(word);
  const look = disk.look(path);
  if (look) {
    const isInInbox = root !== undefined && isSame(disk, dirname(path), root.inbox);
    return [{ word, path, ...jobOf(path, look.kind), isInInbox }];
  }
  if (word.includes("/") || !root)
    return [
      {
        word,
        absent: `There is no ${printable(word)}: no file or folder${root ? "" : ", and no root whose inbox it could be in (--root)"}.`,
      },
    ];
  const { jobs, absent } = lookForJobs(disk, root, [word], ["inbox"]);
  const found = jobs.map(({ name }) => {
    const folder = jobFolder(root, "inbox", name);
    return { word: name, path: folder, ...jobOf(folder, disk.look(folder)?.kind ?? "other"), isInInbox: true };
  });
  return [...found, ...absent.map((why) => ({ word, absent: `No file or folder ${printable(word)} is here. ${why}` }))];
}

/** A file becomes a job that is called as the file is, without its ending. */
function jobOf(path: string, is: Target["is"]): Pick<Target, "is" | "name" | "form"> {
  const file = basename(path);
  const arrival = is === "file" ? arrivalName(file) : undefined;
  return { is, name: arrival?.name ?? file, form: arrival?.form };
}

function isSame(disk: Disk, a: string, b: string): boolean {
  const [one, other] = [disk.look(disk.realPath(a)), disk.look(disk.realPath(b))];
  return one !== undefined && one.ino === other?.ino && one.dev === other.dev;
}
