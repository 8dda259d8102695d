/** Which files of a job are what it was given, and which came out of it: for a new job with the same inputs. */
import { join } from "node:path";
import type { Disk, Look } from "../disk.ts";
import { FILES, isResultName } from "../files.ts";
import { outputName, shortId } from "../outputs.ts";
import { attemptFolder, attemptsOf, pastFolder, readRecord, runnerRecords } from "../records.ts";
import type { Keeps } from "./copy-tree.ts";

/** What a job says of itself. */
const SAID: ReadonlySet<string> = new Set([FILES.script, FILES.name, FILES.after, FILES.retry]);

/** jobmgr's own, and its words about an earlier life. The finished file is one too. */
export function isOfEarlierLife(path: string, finishedFile: string | undefined): boolean {
  return path === ".jobmgr" || path === FILES.cancel || path === finishedFile || isResultName(path);
}

/** Which files of a finished folder are inputs. */
export interface Inputs {
  readonly keeps: Keeps;
  /** What was left out because it came out of the job, as far as has been asked. */
  readonly leftOut: readonly string[];
}

/**
 * An output is what an engine wrote, by its name, and what came into being while the job ran; never what a job says of
 * itself, job.sh above all. Where the file system does not tell when a file came into being, it is the time of its last
 * change; then a folder counts as an input, and so does a file of the very moment of the start, for a mount may know
 * times to the second only.
 */
export function inputsOf(disk: Disk, folder: string, finishedFile: string | undefined): Inputs {
  const names = outputNames(disk, folder);
  const ran = whenItRan(disk, folder);
  const leftOut: string[] = [];
  return {
    leftOut,
    keeps(path, look) {
      if (isOfEarlierLife(path, finishedFile) || path === FILES.hold) return false;
      const isOutput = !SAID.has(path) && (names.has(path) || (ran !== undefined && cameIn(look, ran)));
      if (isOutput) leftOut.push(path);
      return !isOutput;
    },
  };
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

function cameIn(look: Look, { fromMs, toMs }: Span): boolean {
  if (look.birthMs <= 0 && look.kind === "folder") return false;
  const atMs = look.birthMs > 0 ? look.birthMs : look.ctimeMs;
  return atMs > fromMs && atMs <= toMs;
}

/** From the start of the attempt in force to its end, by the clock of the file system; undefined if it never started. */
function whenItRan(disk: Disk, folder: string): Span | undefined {
  const [token] = attemptsOf(disk, folder).inForce;
  if (token === undefined) return undefined;
  const records = attemptFolder(folder, token);
  const tasks = readRecord(disk, records, "intent")?.plan.tasks ?? [];
  const { startedAtMs, endedAtMs } = runnerRecords(disk, records, token, tasks);
  if (startedAtMs === undefined) return undefined;
  return {
    fromMs: startedAtMs,
    toMs: endedAtMs ?? disk.look(join(records, "outcome"))?.mtimeMs ?? Number.POSITIVE_INFINITY,
  };
}

/** The outputs of all its attempts, as their engines named them: by their own id, or by the token. */
function outputNames(disk: Disk, folder: string): ReadonlySet<string> {
  const { inForce, past } = attemptsOf(disk, folder);
  const found = new Set<string>();
  const attempts = [
    ...inForce.map((token) => ({ token, records: attemptFolder(folder, token) })),
    ...past.map((token) => ({ token, records: pastFolder(folder, token) })),
  ];
  for (const { token, records } of attempts) {
    const plan = readRecord(disk, records, "intent")?.plan;
    if (!plan) continue;
    const handle = readRecord(disk, records, "handle")?.handle.split(";")[0];
    const ids = [...(handle === undefined ? [] : [handle]), shortId(token)];
    const tasks = plan.tasks.length > 0 ? plan.tasks : [undefined];
    for (const pattern of plan.outputs)
      for (const id of ids) for (const task of tasks) found.add(outputName(pattern, id, task));
  }
  return found;
}
