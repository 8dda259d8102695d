/**
 * How a file of the inbox, an archive or a script, becomes a job's folder there. The folder is made aside, whole:
 *
 *   .jobmgr/arriving/archive-TOKEN/NAME/    what was unpacked; .jobmgr/source/ is for the archive
 *   .jobmgr/arriving/script-TOKEN/NAME/     the script is to be its job.sh
 *   .jobmgr/arriving/refused-TOKEN/NAME/    the outcome is written; the archive is to lie beside it
 *
 * Then one rename takes the file out of the inbox and into that folder: from then on the folder is complete, and only
 * has to be renamed into the inbox, or into pending/ if the archive is refused. Without its file it is nothing, and is
 * removed. Recovery looks for nothing else.
 */
import { join } from "node:path";
import { bytesText } from "../archive/entries.ts";
import { ArchiveFault, ArchiveWait } from "../archive/fault.ts";
import { type ArrivalName, arrivalName } from "../archive/names.ts";
import { archiveRules } from "../archive/rules.ts";
import { sourceFolder } from "../archive/source.ts";
import { type Checked, checkArchive, type Reading, unpackArchive } from "../archive/unpack.ts";
import { type Look, type OpenFile, removeTree } from "../disk.ts";
import { FILES } from "../files.ts";
import { attemptFolder, newToken, ownFolder, putRecord } from "../records.ts";
import { arrivingFolder, fileSystemNow, freeNameIn, jobFolder } from "../root.ts";
import type { Place } from "../stage.ts";
import type { World } from "../steps/world.ts";
import { fileSignature } from "./ready.ts";
import { markWhole } from "./whole.ts";

/** Where a file has become a folder. */
export interface Arrived {
  readonly place: Place;
  readonly name: string;
}

const KINDS = ["archive", "script", "refused"] as const;
type Kind = (typeof KINDS)[number];

/** A folder that is being made for one file. */
interface Staged {
  readonly kind: Kind;
  readonly id: string;
  readonly name: string;
  readonly folder: string;
}

/** An archive whose end is missing may still be on its way, for so many times the time of rest. */
const CUT_PATIENCE = 12;

/** Room that is left to others, beside what an archive needs. */
const SPARE_BYTES = 1024 * 1024;
const SPARE_SHARE = 0.05;
/** What a small file takes. */
const FILE_BYTES = 4096;

/**
 * Makes a folder of a file that is ready, and moves it to the inbox, or to pending/ if it is an archive that is refused.
 * Throws ArchiveWait if it must wait, or what the disk says: the file is in the inbox then, and is tried again.
 */
export async function arrive(world: World, file: string, signature: string, stop: AbortSignal): Promise<Arrived> {
  const arrival = arrivalName(file);
  if (!arrival) throw new Error(`${file} is no archive and no script`);
  if (arrival.form === "script") {
    const staged = stage(world, "script", arrival.name);
    const look = lookAt(world, file, signature);
    await orDiscard(world, staged, () => take(world, staged, file, look, FILES.script));
    return complete(world, staged);
  }
  const opened = openArchive(world, file, signature);
  try {
    return await unpackOrRefuse(world, file, arrival, opened, stop);
  } finally {
    opened.close();
  }
}

/** Nothing to do with the archive: the file is not what it was. */
function changed(): ArchiveWait {
  return new ArchiveWait("it changed while it was taken in");
}

function lookAt({ disk, root }: World, file: string, signature: string): Look {
  const look = disk.look(join(root.inbox, file));
  if (!look || fileSignature(look) !== signature) throw changed();
  return look;
}

function openArchive({ disk, root }: World, file: string, signature: string): OpenFile {
  let opened: OpenFile;
  try {
    opened = disk.open(join(root.inbox, file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    throw new ArchiveWait("it cannot be read by the manager's user. Mend it with: chmod a+r");
  }
  if (fileSignature(opened.look()) === signature) return opened;
  opened.close();
  throw changed();
}

async function unpackOrRefuse(
  world: World,
  file: string,
  arrival: ArrivalName,
  opened: OpenFile,
  stop: AbortSignal,
): Promise<Arrived> {
  const { limits, filter } = archiveRules(world);
  const look = opened.look();
  const form = arrival.form as Reading["form"];
  const reading = { file: opened, form, limits, filter, stop };
  try {
    const checked = await checkArchive(reading);
    checkRoom(world, checked);
    const staged = stage(world, "archive", arrival.name);
    await orDiscard(world, staged, async () => {
      world.disk.makeFolder(ownFolder(staged.folder));
      world.disk.makeFolder(sourceFolder(staged.folder));
      await unpackArchive(world.disk, reading, checked, staged.folder);
      await markWhole(world.disk, staged.folder);
      await take(world, staged, file, look, join(".jobmgr", "source", file));
    });
    return await complete(world, staged);
  } catch (error) {
    if (!(error instanceof ArchiveFault)) throw error;
    // What was broken off says nothing of the archive.
    stop.throwIfAborted();
    if (fileSignature(opened.look()) !== fileSignature(look)) throw changed();
    const restedS = (fileSystemNow(world.disk, world.root) - look.ctimeMs) / 1000;
    const leftS = world.rules.settleS * CUT_PATIENCE - restedS;
    if (error.isCut && leftS > 0)
      throw new ArchiveWait("its end is missing: perhaps it is still being uploaded", leftS);
    return refuse(world, file, arrival, look, error.message);
  }
}

/** Throws ArchiveWait where there is no room for what is to be unpacked. */
export function checkRoom({ disk, root }: World, { bytes, count }: Pick<Checked, "bytes" | "count">): void {
  const { bytesFree, files, filesFree } = disk.fileSystem(root.own);
  const needed = (bytes + count * FILE_BYTES) * (1 + SPARE_SHARE) + SPARE_BYTES;
  const lacksFiles = files > 0 && count >= filesFree;
  if (needed <= bytesFree && !lacksFiles) return;
  const what = needed > bytesFree ? bytesText(needed) : `${count} files`;
  const there = needed > bytesFree ? bytesText(bytesFree) : `${filesFree} files`;
  throw new ArchiveWait(`it needs room for ${what}, and there is room for ${there}`, undefined, { bytes, count });
}

function stage(world: World, kind: Kind, name: string): Staged {
  const { disk } = world;
  const id = `${kind}-${newToken(new Date())}`;
  const around = join(arrivingFolder(world.root), id);
  disk.makeFolder(arrivingFolder(world.root));
  disk.makeFolder(around);
  const folder = join(around, name);
  disk.makeFolder(folder);
  return { kind, id, name, folder };
}

async function orDiscard(world: World, staged: Staged, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    // A manager that is to stop does not stay to tidy up.
    if ((error as Error).name !== "AbortError") await discard(world, staged);
    throw error;
  }
}

/** Moves the file out of the inbox into its folder: the one rename that counts. */
async function take(world: World, staged: Staged, file: string, look: Look, as: string): Promise<void> {
  const { disk, root } = world;
  const from = join(root.inbox, file);
  const to = join(staged.folder, as);
  // The way to what was made, before anything of the user's is put there.
  for (const path of [staged.folder, join(staged.folder, ".."), arrivingFolder(world.root)]) await disk.sync(path);
  if (as !== file && as !== FILES.script)
    await Promise.all([disk.sync(ownFolder(staged.folder)), disk.sync(join(to, ".."))]);
  world.assertOwned();
  const now = disk.look(from);
  if (!now || contentSignature(now) !== contentSignature(look)) throw changed();
  disk.rename(from, to);
  // Whoever still held it open went on writing through the first look.
  const after = disk.look(to);
  if (after && contentSignature(after) === contentSignature(look)) return;
  const back = freeNameIn(disk, root.inbox, file);
  disk.rename(to, join(root.inbox, back));
  throw changed();
}

/** What a rename leaves as it is. */
function contentSignature({ ino, size, mtimeMs }: Look): string {
  return `${ino} ${size} ${mtimeMs}`;
}

/** Moves a folder that has its file to where it belongs. Safe to repeat. */
async function complete(world: World, { kind, id, name, folder }: Staged): Promise<Arrived> {
  const { disk, root } = world;
  if (kind === "script") {
    await disk.sync(join(folder, FILES.script));
    await markWhole(disk, folder);
  }
  await Promise.all([disk.sync(folder), disk.sync(kind === "archive" ? sourceFolder(folder) : ownFolder(folder))]);
  const place = kind === "refused" ? "pending" : "inbox";
  const free = freeNameIn(disk, root[place], name);
  world.assertOwned();
  disk.rename(folder, jobFolder(root, place, free));
  await Promise.all([disk.sync(root[place]), disk.sync(root.inbox)]);
  disk.removeFolder(join(arrivingFolder(world.root), id));
  return { place, name: free };
}

/** Moves an archive to pending/, in a folder that says why it is refused. */
async function refuse(world: World, file: string, { name }: ArrivalName, look: Look, why: string): Promise<Arrived> {
  const { disk } = world;
  const staged = stage(world, "refused", name);
  await orDiscard(world, staged, async () => {
    const token = newToken(new Date());
    disk.makeFolder(ownFolder(staged.folder));
    disk.makeFolder(attemptFolder(staged.folder, token));
    const outcome = {
      is: "refused",
      why: `${file} is refused, and nothing of it was unpacked. ${why}`,
      remedy: REMEDY,
    } as const;
    await putRecord(disk, attemptFolder(staged.folder, token), "outcome", { outcome, at: new Date().toISOString() });
    await disk.sync(ownFolder(staged.folder));
    await take(world, staged, file, look, file);
  });
  return complete(world, staged);
}

const REMEDY =
  "The archive is in this folder. Put a better one into inbox/, or what is in it as a folder with job.sh at its top; this folder can be deleted.";

/** True once the file lies in the folder that was made for it. */
function hasFile({ disk }: World, kind: Kind, folder: string): boolean {
  if (kind === "script") return disk.look(join(folder, FILES.script)) !== undefined;
  if (kind === "refused") return disk.list(folder).some((name) => name !== ".jobmgr");
  return disk.look(sourceFolder(folder)) !== undefined && disk.list(sourceFolder(folder)).length > 0;
}

/** Removes a folder that has not got its file, and of which nothing is known but to jobmgr. */
async function discard(world: World, { kind, id, name }: Staged): Promise<void> {
  const { disk } = world;
  const here = join(arrivingFolder(world.root), id);
  const aside = join(arrivingFolder(world.root), `${GONE}${id}`);
  if (!disk.look(here)) return;
  disk.rename(here, aside);
  // From now on no other manager finds the way into it. What one has put there just before is not lost.
  if (disk.look(join(aside, name)) && hasFile(world, kind, join(aside, name))) return disk.rename(aside, here);
  await removeTree(disk, aside);
}

const GONE = ".gone-";

/** The folders that were left by a crash, or are under way. */
export function arrivingIds(world: World): string[] {
  const { disk } = world;
  return disk.look(arrivingFolder(world.root))?.kind === "folder" ? disk.list(arrivingFolder(world.root)) : [];
}

/** Goes on with what a crash has left: a folder that has its file is moved on, another is removed. */
export async function recoverArriving(world: World, id: string): Promise<Arrived | undefined> {
  const { disk } = world;
  world.assertOwned();
  const around = join(arrivingFolder(world.root), id);
  const kind = KINDS.find((one) => id.startsWith(`${one}-`));
  const [name] = disk.list(around);
  if (id.startsWith(GONE) || name === undefined) {
    await removeTree(disk, around);
    return undefined;
  }
  if (kind === undefined) return undefined;
  const staged = { kind, id, name, folder: join(around, name) };
  if (hasFile(world, kind, staged.folder)) return complete(world, staged);
  await discard(world, staged);
  return undefined;
}
