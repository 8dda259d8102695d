/** What a pass knows, in figures: for --metrics, and without another look at the disk. */
import type { Inbox } from "../inbox/inbox.ts";
import { stateOf } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import type { Lines } from "./lines.ts";
import type { Problems } from "./problems.ts";

/** So many folders that wait are looked at to tell the age of the oldest. */
const FIRST_WAITING = 100;

/** What a pass knows, in figures. */
export interface Facts {
  /** Folders of the inbox that are ready, or have not been looked into. */
  readonly waiting: number;
  /** Those that are held, incomplete or cannot be taken. */
  readonly unready: number;
  /** The first of those that wait, by name. */
  readonly first: readonly string[];
  /** Jobs in pending/, by stage; of those that were submitted, the engine's last news. */
  readonly pending: ReadonlyMap<string, number>;
  /** How long the engine has not answered; undefined if it does. */
  readonly outageMs: number | undefined;
  readonly problems: number;
}

interface Parts {
  readonly jobs: Jobs;
  readonly inbox: Inbox;
  readonly lines: Lines;
  readonly problems: Problems;
}

/** As they are now. */
export function factsOf({ jobs, inbox, lines, problems }: Parts): Facts {
  const pending = new Map<string, number>();
  for (const job of jobs) {
    const state = stateOf(job);
    pending.set(state, (pending.get(state) ?? 0) + 1);
  }
  const { count: waiting, first } = inbox.waiting(FIRST_WAITING);
  return {
    waiting,
    unready: inbox.reasons().size,
    first,
    pending,
    outageMs: lines.today.outageMs,
    problems: problems.all.size,
  };
}
