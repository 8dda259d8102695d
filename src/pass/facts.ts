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
  /**
   * By the name of an engine, also of those that only earlier jobs have: since when it has not answered, as ISO-8601 UTC;
   * undefined if it does.
   */
  readonly outages: ReadonlyMap<string, string | undefined>;
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
    outages: outagesOf(lines),
    problems: problems.all.size,
  };
}

/** As in Facts. Of two engines of one name that which has been silent for longer. */
export function outagesOf(lines: Lines): ReadonlyMap<string, string | undefined> {
  const outages = new Map<string, string | undefined>();
  for (const { engine, outage } of lines.all) {
    const [since] = [outages.get(engine.name), outage?.since].filter((one) => one !== undefined).sort();
    outages.set(engine.name, since);
  }
  return outages;
}
