/**
 * Puts a job into the inbox, whole or not at all: made under a hidden name there, all of it on the device, then one
 * rename. What a crash leaves of it is hidden, and swept by whoever comes next.
 */
import { join } from "node:path";
import { finishedFolderThere } from "../archive/finished.ts";
import { type Disk, type Look, moveFileUnlessTaken, moveFolderUnlessTaken, removeTree } from "../disk.ts";
import { FILES } from "../files.ts";
import { markWhole } from "../inbox/whole.ts";
import type { Trace } from "../look/trace.ts";
import { freeName, jobFolder, nowAt, type Root } from "../root.ts";
import type { JobRef } from "../selection.ts";
import { PLACES } from "../stage.ts";
import { copyFile, copyTree, type Keeps } from "./copy-tree.ts";
import { isAbandoned, type Stager, stagedName } from "./staging.ts";

/** What is to become a job. */
export type Source =
  /** The folder is copied, as far as it is to be. */
  | { readonly is: "folder"; readonly path: string; readonly keeps: Keeps }
  /** The file is to be its job.sh. */
  | { readonly is: "script"; readonly path: string }
  /** The file is put into the inbox as it is, and unpacked there. */
  | { readonly is: "archive"; readonly path: string; readonly ending: string }
  /** The text is to be its job.sh. */
  | { readonly is: "command"; readonly text: string };

/** What is added to the folder's own files. */
export interface Additions {
  readonly hold: boolean;
  /** Lines of job_after.txt, behind those that it has. */
  readonly after: readonly string[];
  /** Its job.sh, in place of the one that it brings. */
  readonly script?: string;
  /** Folders in it, each behind the one that it is in. */
  readonly folders?: readonly string[];
}

/** What is done where jobs of that name are: "number" makes it NAME~2; "leave" puts nothing there. */
type IfThere = "number" | "leave";

const PREFIX = ".jobmgr-submit-";
const AFTER_BYTES_MAX = 1024 * 1024;

/**
 * Returns what it is in the inbox. Its name is NAME, or NAME~2 where a job of that name is, in whatever place. If it
 * throws, nothing is there that anybody would see. Throws CopyError for what cannot be copied.
 */
export async function putIn(
  disk: Disk,
  root: Root,
  name: string,
  source: Source,
  additions: Additions,
  by: Stager,
): Promise<Trace> {
  const trace = await put(disk, root, name, source, additions, by, "number");
  if (trace === undefined) throw new Error(`${name} was not put in`);
  return trace;
}

/** As putIn, unless there is a job of this very name, in whatever place: then nothing is done, and it is undefined. */
export async function putInUnlessThere(
  disk: Disk,
  root: Root,
  name: string,
  source: Exclude<Source, { is: "archive" }>,
  additions: Additions,
  by: Stager,
): Promise<Trace | undefined> {
  if (jobOfName(disk, root, name)) return undefined;
  return put(disk, root, name, source, additions, by, "leave");
}

/**
 * Where a job of this very name is. Looked for twice, in the order in which jobs go, so that one is found that is moved
 * meanwhile, also when it is sent back to the inbox.
 */
export function jobOfName(disk: Disk, root: Root, name: string): JobRef | undefined {
  for (const place of [...PLACES, ...PLACES]) {
    const isThere = disk.look(jobFolder(root, place, name)) !== undefined;
    if (isThere || (place === "complete" && finishedFolderThere(disk, root, name) !== undefined))
      return { place, name };
  }
  return undefined;
}

async function put(
  disk: Disk,
  root: Root,
  name: string,
  source: Source,
  additions: Additions,
  by: Stager,
  ifThere: IfThere,
): Promise<Trace | undefined> {
  const staged = join(root.inbox, PREFIX + stagedName(by));
  try {
    if (source.is === "archive") {
      await copyFile(disk, source.path, staged, lookAt(disk, source.path));
      const file = lookAt(disk, staged);
      const move = (to: string) => moveFileUnlessTaken(disk, staged, to);
      return traceFrom(file, await moveIn(disk, root, name, source.ending, move));
    }
    disk.makeFolder(staged, source.is === "folder" ? (lookAt(disk, source.path).mode & 0o777) | 0o700 : 0o777);
    await fill(disk, staged, source);
    await add(disk, staged, additions);
    await markWhole(disk, staged);
    await Promise.all([disk.sync(join(staged, ".jobmgr")), disk.sync(staged)]);
    const folder = lookAt(disk, staged);
    const move = (to: string) => moveFolderUnlessTaken(disk, staged, to);
    if (ifThere === "number") return traceFrom(folder, await moveIn(disk, root, name, "", move));
    // Nothing may come between this look and the move but what somebody else does in the same millisecond.
    if (jobOfName(disk, root, name) === undefined && move(jobFolder(root, "inbox", name))) {
      await disk.sync(root.inbox);
      return traceFrom(folder, name);
    }
    await discard(disk, staged);
    return undefined;
  } catch (error) {
    await discard(disk, staged);
    throw error;
  }
}

function traceFrom({ kind, dev, ino }: Look, name: string): Trace {
  return { place: "inbox", name, kind, dev, ino, token: undefined };
}

async function fill(disk: Disk, folder: string, source: Exclude<Source, { is: "archive" }>): Promise<void> {
  if (source.is === "folder") return copyTree(disk, source.path, folder, source.keeps);
  const script = join(folder, FILES.script);
  if (source.is === "script") return copyFile(disk, source.path, script, lookAt(disk, source.path));
  disk.create(script, source.text, 0o777);
  await disk.sync(script);
}

function lookAt(disk: Disk, path: string): Look {
  const look = disk.look(path);
  if (!look) throw Object.assign(new Error(`${path} has gone`), { code: "ENOENT", syscall: "lstat" });
  return look;
}

async function add(disk: Disk, folder: string, { hold, after, script, folders = [] }: Additions): Promise<void> {
  for (const one of folders) disk.makeFolder(join(folder, one));
  for (const one of folders) await disk.sync(join(folder, one));
  if (script !== undefined) {
    const path = join(folder, FILES.script);
    const mode = disk.look(path)?.mode ?? 0o777;
    disk.remove(path);
    disk.create(path, script, mode & 0o777);
    await disk.sync(path);
  }
  if (hold && !disk.look(join(folder, FILES.hold))) {
    disk.create(join(folder, FILES.hold), "");
    await disk.sync(join(folder, FILES.hold));
  }
  if (after.length === 0) return;
  const path = join(folder, FILES.after);
  const own = disk.read(path, AFTER_BYTES_MAX)?.toString("utf8");
  if (own !== undefined) disk.remove(path);
  const lines = own === undefined || own === "" || own.endsWith("\n") ? (own ?? "") : `${own}\n`;
  disk.create(path, `${lines}${after.join("\n")}\n`);
  await disk.sync(path);
}

async function moveIn(
  disk: Disk,
  root: Root,
  name: string,
  ending: string,
  move: (to: string) => boolean,
): Promise<string> {
  // A job keeps its name to its end, so that whoever was told it finds this job by it, and no earlier one.
  const isTaken = (one: string) =>
    disk.look(jobFolder(root, "inbox", one + ending)) !== undefined || jobOfName(disk, root, one) !== undefined;
  for (;;) {
    const free = freeName(name, isTaken) + ending;
    if (!move(jobFolder(root, "inbox", free))) continue;
    await disk.sync(root.inbox);
    return free;
  }
}

/** Removes what earlier submissions have left that did not come to their end. Never throws. */
export async function sweepSubmissions(disk: Disk, root: Root, by: Stager): Promise<void> {
  try {
    const now = nowAt(disk, root);
    for (const name of disk.list(root.inbox).filter((one) => one.startsWith(PREFIX))) {
      const path = join(root.inbox, name);
      const ageMs = now - (disk.look(path)?.ctimeMs ?? now);
      if (isAbandoned(name.slice(PREFIX.length), ageMs, by)) await discard(disk, path);
    }
  } catch {
    // Litter under a hidden name: harmless.
  }
}

async function discard(disk: Disk, path: string): Promise<void> {
  try {
    const kind = disk.look(path)?.kind;
    if (kind === "folder") await removeTree(disk, path);
    else if (kind !== undefined) disk.remove(path);
  } catch {
    // The next one sweeps it.
  }
}
