/** What the manager leaves in .jobmgr/manager.json at each check and at its end, for those who look. It never reads it itself. */
import { join } from "node:path";
import type { Disk } from "./disk.ts";
import { jsonObject, numberIn, textIn, textsIn, timeIn } from "./json-file.ts";
import type { Root } from "./root.ts";

/** As it is written. Times are ISO-8601 UTC. */
export interface ManagerWord {
  readonly schema: 1;
  readonly engine: string;
  /** Where one was loaded from that does not come with jobmgr, by an absolute path. */
  readonly engineFrom?: string;
  /** When its last check came to an end. */
  readonly at: string;
  /** What is wrong, by what it is about. */
  readonly problems: Readonly<Record<string, string>>;
  /** The engine does not answer. */
  readonly outage?: Outage;
  /** Too many jobs have failed: nothing is taken in until then. */
  readonly brakedUntil?: string;
  readonly queue: QueueWord;
  /** Why folders of the inbox wait, of those that were looked into. */
  readonly reasons: Readonly<Record<string, string>>;
}

/** Since when (ISO-8601 UTC), and what was wrong, for a person. */
export interface Outage {
  readonly since: string;
  readonly text: string;
}

/** How full the engine's queue is: in places (-M), and in jobs that wait there (-m). */
export interface QueueWord {
  readonly jobsMax: number;
  readonly pendingMax: number;
  readonly taken: number;
  readonly waiting: number;
  /** The next to be taken, where it needs more places than are free, and how many it needs. */
  readonly next?: { readonly name: string; readonly places: number };
}

/** As it is read: whatever of it is there. */
export interface WordRead {
  readonly engine: string | undefined;
  readonly engineFrom: string | undefined;
  readonly at: string | undefined;
  readonly problems: ReadonlyMap<string, string>;
  readonly outage: Outage | undefined;
  readonly brakedUntil: string | undefined;
  readonly queue: QueueWord | undefined;
  readonly reasons: ReadonlyMap<string, string>;
}

/** What the manager said at its last check; nothing where there is no such file, or a damaged one. */
export function readWord(disk: Disk, root: Root): WordRead {
  const word = jsonObject(disk, join(root.own, "manager.json"));
  return {
    engine: textIn(word.engine),
    engineFrom: textIn(word.engineFrom),
    at: timeIn(word.at),
    problems: textsIn(word.problems),
    outage: outageIn(word.outage),
    brakedUntil: timeIn(word.brakedUntil),
    queue: queueIn(word.queue),
    reasons: textsIn(word.reasons),
  };
}

function outageIn(value: unknown): Outage | undefined {
  const { since, text } = (value ?? {}) as Record<string, unknown>;
  const at = timeIn(since);
  return at === undefined ? undefined : { since: at, text: textIn(text) ?? "" };
}

function queueIn(value: unknown): QueueWord | undefined {
  const queue = (value ?? {}) as Record<string, unknown>;
  const numbers = [queue.jobsMax, queue.pendingMax, queue.taken, queue.waiting].map(numberIn);
  const [jobsMax, pendingMax, taken, waiting] = numbers;
  if (jobsMax === undefined || pendingMax === undefined || taken === undefined || waiting === undefined)
    return undefined;
  const next = nextIn(queue.next);
  return { jobsMax, pendingMax, taken, waiting, ...(next && { next }) };
}

function nextIn(value: unknown): QueueWord["next"] {
  const next = (value ?? {}) as Record<string, unknown>;
  const [name, places] = [textIn(next.name), numberIn(next.places)];
  return name === undefined || places === undefined ? undefined : { name, places };
}

/** Why that job waits, if it is the next one and needs more places than are free: the end of a sentence about it. */
export function shortage({ jobsMax, taken, next }: QueueWord): string | undefined {
  const free = Math.max(0, jobsMax - taken);
  return next && `asks for ${next.places} places, and ${free} of ${jobsMax} ${free === 1 ? "is" : "are"} free`;
}
