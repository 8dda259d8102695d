/**
 * The files that an attempt's output goes to, and how they are read: only regular files inside of the job's folder, and
 * never through a link. What lies elsewhere is named: on a mounted root it is another machine's.
 */
import { basename, dirname, isAbsolute, join, normalize } from "node:path";
import type { Disk } from "../disk.ts";
import { isResultName } from "../files.ts";
import { outputName } from "../outputs.ts";
import type { AttemptHistory } from "./history.ts";

/** A file of output that is read. */
export interface OutputFile {
  /** As its plan has it, relative to the job's folder. */
  readonly name: string;
  readonly path: string;
}

/** The outputs of one attempt. */
export interface Outputs {
  readonly files: readonly OutputFile[];
  /** Sentences about those that are not read. */
  readonly notes: readonly string[];
}

/** The outputs of an attempt that was submitted; of an array those of all tasks, or of one. */
export function outputsOf(disk: Disk, folder: string, attempt: AttemptHistory, task?: number): Outputs {
  const { plan, id } = attempt;
  if (!plan || id === undefined) return { files: [], notes: [] };
  const patterns = Array.isArray(plan.outputs) ? plan.outputs.filter((one) => typeof one === "string") : [];
  const isArray = Array.isArray(plan.tasks) && plan.tasks.length > 0;
  const tasks = !isArray ? [undefined] : task === undefined ? plan.tasks : [task];
  const names = new Set(tasks.flatMap((one) => patterns.map((pattern) => outputName(pattern, id, one))));
  const files: OutputFile[] = [];
  const notes: string[] = [];
  for (const name of names) {
    const place = placeOf(disk, folder, attempt, name);
    if ("note" in place) notes.push(place.note);
    else files.push({ name, path: place.path });
  }
  if (patterns.length === 0)
    notes.push(`The name of its output has signs that only the engine knows (--output). Look into ${folder}.`);
  return { files, notes };
}

function placeOf(
  disk: Disk,
  folder: string,
  attempt: AttemptHistory,
  name: string,
): { readonly path: string } | { readonly note: string } {
  // What another attempt would have written over was moved to the records of this one.
  if (!attempt.isInForce && isResultName(name)) return { path: join(attempt.records, name) };
  const plain = normalize(name);
  if (isAbsolute(plain) || plain.startsWith(".."))
    return { note: `Its output ${name} is not in its folder, and is not read from here: tail -f ${name}` };
  for (let at = dirname(plain); at !== "."; at = dirname(at)) {
    const look = disk.look(join(folder, at));
    if (look && look.kind !== "folder")
      return { note: `Its output ${name} is not read: ${at} is no folder, and links are not followed.` };
  }
  const look = disk.look(join(folder, plain));
  if (look && look.kind !== "file")
    return {
      note: `Its output ${name} is not read: ${basename(plain)} is ${look.kind === "link" ? "a link, and links are not followed" : "no regular file"}.`,
    };
  return { path: join(folder, plain) };
}

const BLOCK_BYTES = 64 * 1024;

/** Where the last so many lines of a file begin; a last line without an end counts. */
export function offsetOfLastLines(disk: Disk, path: string, lines: number): number {
  const size = sizeOf(disk, path);
  if (lines === 0) return size;
  let count = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - BLOCK_BYTES);
    const block = disk.readFrom(path, start, end - start);
    if (!block) return 0;
    for (let at = block.length - 1; at >= 0; at--) {
      if (block[at] !== NEWLINE || start + at === size - 1) continue;
      if (++count === lines) return start + at + 1;
    }
    end = start;
  }
  return 0;
}

const NEWLINE = 0x0a;

/** In bytes; 0 for what is no regular file. */
export function sizeOf(disk: Disk, path: string): number {
  const look = disk.look(path);
  return look?.kind === "file" ? look.size : 0;
}
