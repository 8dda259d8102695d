/** manager.json: a few words for `jobmgr status`, left at each check, and at the end: why folders wait, how the engine is. */
import type { Brakes } from "../brakes.ts";
import { putForReading } from "../disk.ts";
import { diskTroubleText } from "../disk-error.ts";
import type { Inbox } from "../inbox/inbox.ts";
import type { ManagerWord } from "../manager-word.ts";
import { engineIn } from "../steps/world.ts";
import type { Limits } from "./limits.ts";
import type { Lines } from "./lines.ts";
import type { Places } from "./places.ts";
import type { Problems } from "./problems.ts";

/** So many folders that wait are named. */
const REASONS_MAX = 200;

interface Parts {
  /** ISO-8601 UTC. */
  readonly checkedAt: string;
  readonly limits: Limits;
  readonly inbox: Inbox;
  readonly lines: Lines;
  readonly places: Places;
  readonly brakes: Brakes;
  readonly problems: Problems;
  readonly next: ManagerWord["queue"]["next"];
}

/** Writes it. Never throws: what is wrong with it is a problem like others. */
export function leaveWord(parts: Parts): void {
  const { lines, problems } = parts;
  const { disk, root } = lines.today.world;
  try {
    putForReading(disk, root.own, "manager.json", `${JSON.stringify(wordOf(parts), undefined, 1)}\n`);
    problems.resolve("word", "debug", "manager.json can be written again.");
  } catch (error) {
    problems.report("word", "warn", `${root.own}/manager.json cannot be written: ${diskTroubleText(error)}`);
  }
}

function wordOf({ checkedAt, limits, inbox, lines, places, brakes, problems, next }: Parts): ManagerWord {
  const { world, outage } = lines.today;
  const pausedMs = brakes.pausedForMs(performance.now());
  return {
    schema: 1,
    ...engineIn(world),
    at: checkedAt,
    problems: Object.fromEntries(problems.all),
    ...(outage && { outage }),
    ...(pausedMs > 0 && { brakedUntil: new Date(Date.now() + pausedMs).toISOString() }),
    queue: {
      jobsMax: limits.jobsMax,
      pendingMax: limits.pendingMax,
      taken: places.taken,
      waiting: places.waiting,
      ...(next && { next }),
    },
    reasons: Object.fromEntries([...inbox.reasons()].slice(0, REASONS_MAX)),
  };
}
