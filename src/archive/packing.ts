/**
 * A job that came as an archive leaves as one: when its folder is in complete/, an archive of the same kind is made of
 * it, aside, and put into complete/ whole.
 *
 *   .jobmgr/packing/TOKEN          which folder is to be packed, written before its last rename; then what became of it
 *   .jobmgr/packing/.TOKEN.part    the archive, until it is whole
 *
 * When it is there, the record "result" of the attempt says which file it is: only that one is removed with its job.
 * With --archive-result=instead the folder is then renamed to complete/.NAME, which hides it, and only what says how the
 * job ended is kept there.
 */
import { join } from "node:path";
import {
  type Disk,
  digest,
  moveFileUnlessTaken,
  moveFolderUnlessTaken,
  putDurably,
  removeTree,
  signOf,
  walkTree,
} from "../disk.ts";
import { FILES } from "../files.ts";
import { attemptFolder, attemptsOf, checkedToken, putRecord } from "../records.ts";
import { freeNameIn, jobFolder, type Root } from "../root.ts";
import { PackFault } from "./fault.ts";
import { hiddenName } from "./finished.ts";
import { type ArchiveForm, archiveName } from "./names.ts";
import { packFolder } from "./pack.ts";
import { type ArchiveRules, archiveRules } from "./rules.ts";
import { readThrough } from "./unpack.ts";

/** What is to be packed, and then what it has become. */
interface Note {
  readonly target: string;
  readonly ending: string;
  readonly file?: string;
  readonly ino?: number;
  /** What the folder held before it was packed; empty where it is to stay. */
  readonly content?: string;
  /** It held the same when it had been hidden: from now on what is packed of it goes. */
  readonly isChecked?: true;
}

function packingFolder(root: Root): string {
  return join(root.own, "packing");
}

/** Notes that a folder is about to arrive in complete/, and is to be packed there. On the device when it resolves. */
export async function notePacking(disk: Disk, root: Root, token: string, note: Note): Promise<void> {
  disk.makeFolder(packingFolder(root));
  await putDurably(disk, packingFolder(root), token, JSON.stringify(note));
}

/** The attempts whose folders are to be packed, oldest first. */
export function notedForPacking(disk: Disk, root: Root): string[] {
  if (disk.look(packingFolder(root))?.kind !== "folder") return [];
  return disk
    .list(packingFolder(root))
    .filter((name) => !name.startsWith("."))
    .sort();
}

/** Whether the folder of this attempt is to be packed. */
export function isNotedForPacking(disk: Disk, root: Root, token: string): boolean {
  return disk.look(join(packingFolder(root), token)) !== undefined;
}

interface Packer {
  readonly disk: Disk;
  readonly root: Root;
  readonly groupWritable: boolean;
  readonly archives?: ArchiveRules;
  assertOwned(): void;
}

/**
 * Packs the folder of an attempt that has arrived in complete/. Returns the archive's name, or undefined if the folder
 * is not there any more. Safe to repeat. Throws PackFault if it cannot be packed (dropPacking() then gives it up), ArchiveWait, an
 * AbortError, or what the disk says.
 */
export async function pack(world: Packer, token: string, stop: AbortSignal): Promise<string | undefined> {
  const { disk, root } = world;
  const text = disk.read(join(packingFolder(root), token))?.toString("utf8");
  if (text === undefined) return undefined;
  const note = JSON.parse(text) as Note;
  const placed = isPlaced(world, note) ? note : await makeArchive(world, token, note, stop);
  if (placed) await recordResult(world, token, placed);
  if (placed && archiveRules(world).result === "instead") await hide(world, token, placed);
  dropPacking(world, token);
  return placed?.file;
}

function isPlaced({ disk, root }: Packer, { file, ino }: Note): boolean {
  return file !== undefined && disk.look(jobFolder(root, "complete", file))?.ino === ino;
}

/** Lets the job know its archive. One that has been moved away meanwhile does without. Safe to repeat. */
async function recordResult(world: Packer, token: string, { target, file = "" }: Note): Promise<void> {
  const { disk, root } = world;
  const look = disk.look(jobFolder(root, "complete", file));
  const name = [target, hiddenName(target)].find((one) => isThere(world, token, one));
  if (!look || name === undefined) return;
  const records = attemptFolder(jobFolder(root, "complete", name), checkedToken(token));
  const { size, mtimeMs } = look;
  await putRecord(disk, records, "result", { file, size, mtimeMs, at: new Date().toISOString() });
}

/** True if the attempt's own folder is there by this name. */
function isThere({ disk, root }: Packer, token: string, name: string): boolean {
  const folder = jobFolder(root, "complete", name);
  return disk.look(folder)?.kind === "folder" && attemptsOf(disk, folder).inForce.includes(checkedToken(token));
}

function partOf({ root }: Packer, token: string): string {
  return join(packingFolder(root), `.${token}.part`);
}

/** Nothing more is done for this attempt. */
export function dropPacking(world: Packer, token: string): void {
  removePart(world, token);
  world.disk.remove(join(packingFolder(world.root), token));
}

function removePart(world: Packer, token: string): void {
  const part = partOf(world, token);
  if (world.disk.look(part)) world.disk.remove(part);
}

/** What a folder holds, .jobmgr apart: whatever is changed in it changes this. */
function contentOf(disk: Disk, folder: string): string {
  const signs: string[] = [];
  for (const { path, look } of walkTree(disk, folder, (name) => name === ".jobmgr"))
    if (look) signs.push(signOf(path, look));
  return digest(signs.sort().join(""));
}

async function makeArchive(world: Packer, token: string, note: Note, stop: AbortSignal): Promise<Note | undefined> {
  const { disk, root } = world;
  const { target, ending } = note;
  if (!isThere(world, token, target)) return undefined;
  const form = archiveName(`x${ending}`)?.form ?? "tar";
  const part = partOf(world, token);
  removePart(world, token);
  const isToGo = archiveRules(world).result === "instead";
  const content = isToGo ? contentOf(disk, jobFolder(root, "complete", target)) : "";
  try {
    await writeArchive(world, target, form, part, stop);
  } catch (error) {
    // The room that it takes may be what is missing.
    removePart(world, token);
    throw error;
  }
  world.assertOwned();
  for (;;) {
    const file = freeNameIn(disk, root.complete, target, ending);
    const placed = { target, ending, file, ino: disk.look(part)?.ino ?? 0, content };
    await notePacking(disk, root, token, placed);
    if (!moveFileUnlessTaken(disk, part, jobFolder(root, "complete", file))) continue;
    await disk.sync(root.complete);
    return placed;
  }
}

async function writeArchive(
  world: Packer,
  target: string,
  form: ArchiveForm,
  part: string,
  stop: AbortSignal,
): Promise<void> {
  const { disk, root, groupWritable } = world;
  const { filter, result } = archiveRules(world);
  const written = disk.openNew(part);
  let count: number;
  try {
    count = await packFolder(
      { disk, folder: jobFolder(root, "complete", target), name: target, form, filter, stop },
      written,
    );
  } finally {
    written.close();
  }
  if (groupWritable) disk.addMode(part, 0o060);
  if (result !== "instead") return;
  // Before anything is removed, it has been seen that all of it can be read.
  const file = disk.open(part);
  try {
    const read = await readThrough({ file, form, filter, stop });
    if (read !== count) throw new Error(`the archive holds ${read} entries, not ${count}`);
  } finally {
    file.close();
  }
}

/** Only these are kept of a folder that its archive stands for. */
const KEPT: ReadonlySet<string> = new Set([".jobmgr", FILES.status, FILES.error]);

/**
 * Takes away of a folder what its archive holds. Throws PackFault if it is not what was packed any more: then it is in
 * its place again, whole.
 */
async function hide(world: Packer, token: string, note: Note): Promise<void> {
  const { disk, root } = world;
  const { target } = note;
  const hidden = jobFolder(root, "complete", hiddenName(target));
  if (isThere(world, token, target)) {
    if (disk.look(hidden)) throw new PackFault(`${hidden} is in the way.`);
    world.assertOwned();
    try {
      disk.rename(jobFolder(root, "complete", target), hidden);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENAMETOOLONG")
        throw new PackFault(`${target} is too long a name to be hidden.`);
      throw error;
    }
    await disk.sync(root.complete);
  }
  if (!isThere(world, token, hiddenName(target))) return;
  if (!note.isChecked) {
    if (contentOf(disk, hidden) !== note.content) throw shownAgain(world, target, hidden);
    await notePacking(disk, root, token, { ...note, isChecked: true });
  }
  await removeTree(disk, hidden, (name) => KEPT.has(name));
}

/** Somebody wrote into the folder while it was packed. */
function shownAgain({ disk, root }: Packer, target: string, hidden: string): PackFault {
  for (;;) {
    const name = freeNameIn(disk, root.complete, target);
    if (moveFolderUnlessTaken(disk, hidden, jobFolder(root, "complete", name)))
      return new PackFault(`${name} was changed while it was packed, so that it stays beside its archive.`);
  }
}
