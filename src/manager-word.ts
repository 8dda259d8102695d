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
  return { jobsMax, pendingMax, taken, waiting };
}
