/**
 * What a person asks of a job by a file in its folder: to end it, to hold it back, to let it go. Each is one file that
 * comes into place whole, or goes, while managers may move the folder at any moment.
 */
import { setTimeout } from "node:timers/promises";
import { type Disk, putNew } from "../disk.ts";
import { fileSystemKind } from "../file-systems.ts";
import { FILES } from "../files.ts";
import { follow, followOn, type Trace, traceOf } from "../look/trace.ts";
import { attemptFolder, attemptsOf, recordNames } from "../records.ts";
import { jobFolder, type Root } from "../root.ts";
import type { JobRef } from "../selection.ts";
import type { Place } from "../stage.ts";

/** What came of a request. */
export type Asked =
  /** The file is in place. `name`, `place`: where the job was then. */
  | { readonly is: "done"; readonly name: string; readonly place: Place }
  /** It was so before. */
  | { readonly is: "already" }
  /** The job is past it. */
  | { readonly is: "submitted" }
  | { readonly is: "ended" }
  /** No folder: an archive or a script that has not been taken in yet, or a link. */
  | { readonly is: "no folder" }
  | { readonly is: "gone" };

/** The folder may move between a look and a deed; so often we look again. */
const TRIES_MAX = 10;

/** A claim that finds the folder changed puts it back: that takes no longer than this, mostly. */
const SETTLED_MS = 3000;
const LOOK_MS = 50;

type Deed = (at: Trace, folder: string) => Promise<Asked | undefined>;

/** Does something where the job is; again, if it was moved meanwhile (`undefined`, or ENOENT). */
async function whereItIs(disk: Disk, root: Root, job: JobRef, deed: Deed): Promise<Asked> {
  let at = traceOf(disk, root, job);
  let last = at;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    if (at && at.kind !== "folder") return { is: "no folder" };
    const done = at && (await orMoved(() => deed(at as Trace, jobFolder(root, at?.place ?? "inbox", at?.name ?? ""))));
    if (done) return done;
    await setTimeout(LOOK_MS);
    // What is not there any more may still be shown there by a mount, which others change too.
    const next: Trace | undefined = at && isShared(disk, root) ? followOn(disk, root, at) : undefined;
    last = next ?? at ?? last;
    at = next ?? (last && follow(disk, root, last));
  }
  return { is: "gone" };
}

function isShared(disk: Disk, root: Root): boolean {
  const kind = fileSystemKind(disk.fileSystem(root.path).type);
  return kind.isShared === true || kind.isUnknown === true;
}

async function orMoved<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Asks for the end of a job that has not ended. The manager makes a record of it, and does it. */
export function askToCancel(disk: Disk, root: Root, job: JobRef, reason: string): Promise<Asked> {
  return whereItIs(disk, root, job, async (at, folder) => {
    if (at.place === "complete") return { is: "ended" };
    const records = recordsOf(disk, folder);
    if (at.place === "pending" && records.has("outcome")) return { is: "ended" };
    if (disk.look(`${folder}/${FILES.cancel}`) || (at.place === "pending" && records.has("cancel")))
      return { is: "already" };
    if (!(await putNew(disk, folder, FILES.cancel, `${reason}\n`))) return { is: "already" };
    return (await cameTooLate(disk, root, at)) ? { is: "ended" } : { is: "done", name: at.name, place: at.place };
  });
}

/** A request that comes while a job is on its way to complete/ would cancel its next run: it is taken back. */
async function cameTooLate(disk: Disk, root: Root, asked: Trace): Promise<boolean> {
  const end = performance.now() + SETTLED_MS;
  for (let at = follow(disk, root, asked); at; at = follow(disk, root, at)) {
    const folder = jobFolder(root, at.place, at.name);
    if (at.place === "complete") {
      if (disk.look(`${folder}/${FILES.cancel}`)?.kind === "file") disk.remove(`${folder}/${FILES.cancel}`);
      return true;
    }
    if (at.place === "inbox" || !recordsOf(disk, folder).has("outcome") || performance.now() > end) return false;
    await setTimeout(LOOK_MS);
  }
  return false;
}

/** Holds a job back that is in the inbox. */
export function hold(disk: Disk, root: Root, job: JobRef): Promise<Asked> {
  return whereItIs(disk, root, job, async (at, folder) => {
    if (at.place !== "inbox") return past(at);
    const path = `${folder}/${FILES.hold}`;
    try {
      disk.create(path, "");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return { is: "already" };
      throw error;
    }
    const held = await isHeld(disk, root, at);
    if (held)
      await Promise.all([disk.sync(`${jobFolder(root, "inbox", held)}/${FILES.hold}`), syncJob(disk, root, held)]);
    return held ? { is: "done", name: held, place: "inbox" } : { is: "submitted" };
  });
}

async function syncJob(disk: Disk, root: Root, name: string): Promise<void> {
  await disk.sync(jobFolder(root, "inbox", name));
}

/** The name under which a job is held in the inbox; undefined if the manager was faster: then our file goes again. */
async function isHeld(disk: Disk, root: Root, asked: Trace): Promise<string | undefined> {
  const end = performance.now() + SETTLED_MS;
  let last = asked;
  for (let at: Trace | undefined = follow(disk, root, last); ; at = follow(disk, root, last)) {
    last = at ?? last;
    if (at?.place === "inbox") return at.name;
    const folder = jobFolder(root, last.place, last.name);
    const isPast = at?.place === "complete" || (at !== undefined && recordsOf(disk, folder).has("intent"));
    if (isPast || performance.now() > end) {
      if (at && disk.look(`${folder}/${FILES.hold}`)?.kind === "file") disk.remove(`${folder}/${FILES.hold}`);
      return undefined;
    }
    await setTimeout(LOOK_MS);
  }
}

/** Lets a job go that is held in the inbox. */
export function release(disk: Disk, root: Root, job: JobRef): Promise<Asked> {
  return whereItIs(disk, root, job, async (at, folder) => {
    if (at.place !== "inbox") return past(at);
    const path = `${folder}/${FILES.hold}`;
    if (!disk.look(path)) return { is: "already" };
    disk.remove(path);
    await disk.sync(folder);
    return { is: "done", name: at.name, place: "inbox" };
  });
}

function past({ place }: JobRef): Asked {
  return place === "complete" ? { is: "ended" } : { is: "submitted" };
}

/** The records of the attempt in force; none where they cannot be read. */
function recordsOf(disk: Disk, folder: string): ReadonlySet<string> {
  try {
    const [token] = attemptsOf(disk, folder).inForce;
    return token && disk.look(attemptFolder(folder, token)) ? recordNames(disk, folder, token) : new Set();
  } catch {
    return new Set();
  }
}
