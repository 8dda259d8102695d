/** The root and the file system that it lies on. Nothing is changed there but a probe of our own, which is removed. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Settings } from "../config/config.ts";
import type { Disk } from "../disk.ts";
import { diskErrorText, isFull, unwritableText } from "../disk-error.ts";
import type { Symptom } from "../engine.ts";
import { type FileSystemKind, fileSystemKind } from "../file-systems.ts";
import { durationText } from "../outcome.ts";
import { openFolder } from "../owners.ts";
import { openRoot, type Root, RootError } from "../root.ts";
import { shellWord } from "../shell-word.ts";
import type { Surroundings } from "../verbs/call.ts";

/** Opens the root; what is wrong with it says what to do. */
export function openSymptom(disk: Disk, settings: Settings): { root?: Root; symptom: Symptom } {
  try {
    const root = openRoot(disk, settings.root);
    return {
      root,
      symptom: { level: "ok", about: "root", says: `${root.path}: set up, its three folders on one file system` },
    };
  } catch (failure) {
    if (!(failure instanceof RootError) && (failure as NodeJS.ErrnoException).syscall === undefined) throw failure;
    return { symptom: { level: "error", about: "root", says: diskErrorText(failure as NodeJS.ErrnoException) } };
  }
}

/** All else about a root that can be opened. `skewMs`: how far its file system's clock is ahead of this machine's. */
export async function rootSymptoms(
  disk: Disk,
  root: Root,
  settings: Settings,
  run: Surroundings["runProgram"],
): Promise<{ symptoms: Symptom[]; skewMs: number }> {
  const { symptoms, skewMs } = await probed(disk, root);
  const all = [
    ...symptoms,
    ...spaceSymptoms(disk, root),
    ...(await quotaSymptoms(run)),
    ...accessSymptoms(disk, root, settings),
  ];
  return { symptoms: all, skewMs };
}

/** How long an event may take to come. */
const EVENT_MS = 1000;
const TOUCH_MS = 50;

interface Probed {
  readonly symptoms: readonly Symptom[];
  readonly skewMs: number;
}

async function probed(disk: Disk, root: Root): Promise<Probed> {
  const folder = join(root.own, `doctor-${randomUUID()}`);
  const file = join(folder, "probe");
  const failed = (failure: unknown): Probed => ({
    symptoms: [
      {
        level: "error",
        about: "writing",
        says: unwritableText(root.path, failure as NodeJS.ErrnoException),
      },
    ],
    skewMs: 0,
  });
  try {
    disk.makeFolder(folder);
  } catch (failure) {
    return failed(failure);
  }
  try {
    disk.create(file, "probe\n");
    await disk.sync(file);
    const skewMs = (disk.look(file)?.ctimeMs ?? Date.now()) - Date.now();
    const kind = fileSystemKind(disk.fileSystem(root.path).type);
    const events = await eventsCome(disk, folder, file);
    const symptoms = [...kindSymptoms(kind), eventSymptom(events, kind), clockSymptom(skewMs)];
    return { symptoms, skewMs };
  } catch (failure) {
    return failed(failure);
  } finally {
    if (disk.look(file)) disk.remove(file);
    disk.removeFolder(folder);
  }
}

function kindSymptoms({ name, isMemory }: FileSystemKind): Symptom[] {
  const writing: Symptom = { level: "ok", about: "writing", says: `works (${name})` };
  if (!isMemory) return [writing];
  const says = "it is kept in memory, and all is lost when the machine is restarted. Put the root on a disk.";
  return [writing, { level: "warning", about: "file system", says }];
}

async function eventsCome(disk: Disk, folder: string, file: string): Promise<boolean> {
  const { InboxWatch } = await import("../wake.ts");
  return new Promise((done) => {
    const end = (came: boolean) => {
      watch.close();
      clearInterval(again);
      clearTimeout(limit);
      done(came);
    };
    const watch = new InboxWatch(folder, () => end(true));
    // The watch takes a moment to begin.
    const again = setInterval(() => disk.touch(file), TOUCH_MS);
    const limit = setTimeout(() => end(false), EVENT_MS);
    watch.adapt(0, 0);
  });
}

function eventSymptom(came: boolean, { name, isShared }: FileSystemKind): Symptom {
  const about = "file events";
  if (isShared)
    return {
      level: "ok",
      about,
      says: `on ${name} none come of what other machines do: what is dropped is seen at the next check (--period)`,
    };
  if (came) return { level: "ok", about, says: "come, so that what is dropped is seen at once" };
  return {
    level: "warning",
    about,
    says: "none came within 1 s, so that what is dropped is seen at the next check (--period). Watches may be used up: sysctl fs.inotify.max_user_watches",
  };
}

const SKEW_MS = 5000;

function clockSymptom(skewMs: number): Symptom {
  const about = "clocks";
  if (Math.abs(skewMs) < SKEW_MS) return { level: "ok", about, says: "this machine and the file system agree" };
  const skew = `${durationText(Math.round(Math.abs(skewMs) / 1000))} ${skewMs > 0 ? "ahead of" : "behind"}`;
  return {
    level: "warning",
    about,
    says: `the file system's clock is ${skew} this machine's. jobmgr goes by the file system's; your programs (make) may not. Tell the administrator: NTP`,
  };
}

const FREE_SHARE = 0.05;
const FREE_BYTES = 1e9;

function spaceSymptoms(disk: Disk, root: Root): Symptom[] {
  const fileSystem = disk.fileSystem(root.path);
  const { bytes, bytesFree, files, filesFree } = fileSystem;
  const share = (free: number, all: number) => `${Math.floor((free / all) * 100)} %`;
  const space = `${sizeText(bytesFree)} free of ${sizeText(bytes)} (${share(bytesFree, bytes)})`;
  const few = bytes > 0 && (bytesFree < FREE_BYTES || bytesFree < bytes * FREE_SHARE);
  const about = "space";
  const symptoms: Symptom[] = [
    isFull({ ...fileSystem, files: 0 })
      ? {
          level: "error",
          about,
          says: `hardly any is left (${sizeText(bytesFree)}). Nothing can be taken in or recorded: delete something, e.g. in ${root.complete}`,
        }
      : few
        ? { level: "warning", about, says: `${space}. Delete what you do not need, e.g. in ${root.complete}` }
        : { level: "ok", about, says: space },
  ];
  // Some file systems make inodes as they are needed, and tell of none.
  if (files === 0) return symptoms;
  const inodes = `${filesFree.toLocaleString("en")} files more (${share(filesFree, files)})`;
  return [
    ...symptoms,
    filesFree < files * FREE_SHARE
      ? {
          level: filesFree === 0 ? "error" : "warning",
          about: "inodes",
          says: `room for ${inodes}. Delete small files, or pack them into archives.`,
        }
      : { level: "ok", about: "inodes", says: `room for ${inodes}` },
  ];
}

function sizeText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1000 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.floor(value)} ${units[power]}`;
}

const QUOTA_TIMEOUT_MS = 10_000;

/** quota(1) -q speaks only of file systems where the limit is passed. */
async function quotaSymptoms(run: Surroundings["runProgram"]): Promise<Symptom[]> {
  const { stdout, errorCode } = await run("quota", ["-q"], QUOTA_TIMEOUT_MS);
  const said = stdout
    .trim()
    .split("\n")
    .map((line) => line.trim())
    .join("; ");
  if (errorCode !== undefined || said === "") return [];
  return [{ level: "warning", about: "quota", says: `${said}. Delete what you do not need, or ask for more.` }];
}

function accessSymptoms(disk: Disk, root: Root, settings: Settings): Symptom[] {
  const open = openFolder(disk, root, settings);
  const uid = process.getuid?.() ?? 0;
  const owner = disk.look(disk.realPath(root.path))?.uid;
  const about = "who may drop";
  const symptoms: Symptom[] = [];
  if (open !== undefined)
    symptoms.push({
      level: "error",
      about,
      says: `everybody may write to ${open}, and what is dropped there runs as you. Close it: chmod o-w ${shellWord(open)}; or accept it: --allow-shared`,
    });
  else
    symptoms.push({
      level: "ok",
      about,
      says: settings.allowShared ? "everybody (--allow-shared)" : "nobody but you and whom you allow",
    });
  if (owner !== undefined && owner !== uid)
    symptoms.push({
      level: "warning",
      about: "owner",
      says: `the root belongs to another user (uid ${owner}). Make one of your own: jobmgr --root PATH --setup`,
    });
  return symptoms;
}
