/** What changes in a root, by looking at it from time to time. */
import { setTimeout } from "node:timers/promises";
import { isDiskError } from "../disk-error.ts";
import type { Row } from "../look/report.ts";
import type { RootChange, RootStatus } from "./api.ts";
import { TIMER_MS_MAX } from "./timer.ts";

const EVERY_MS = 2000;
const LEAST_MS = 100;

/** How it looks, and until when. */
export interface WatchRules {
  readonly everyMs: number | undefined;
  readonly stop: AbortSignal;
  /** Reads it now. Throws what the disk says. */
  readonly look: () => RootStatus;
  /** Whether a job of this name is anywhere in the root. */
  readonly isThere: (name: string) => boolean;
}

/** Tells at once how it is, then each change. While the disk does not answer, nothing has changed. */
export async function* changesOf({ everyMs = EVERY_MS, stop, look, isThere }: WatchRules): AsyncGenerator<RootChange> {
  const pauseMs = Math.min(TIMER_MS_MAX, Math.max(LEAST_MS, everyMs));
  let last: RootStatus | undefined;
  while (!stop.aborted) {
    const change = last === undefined ? changeOf(last, look(), isThere) : ifDiskAnswers(last);
    if (change) {
      last = change.status;
      yield change;
    }
    await setTimeout(pauseMs, undefined, { signal: stop }).catch(() => {});
  }

  function ifDiskAnswers(before: RootStatus): RootChange | undefined {
    try {
      return changeOf(before, look(), isThere);
    } catch (error) {
      if (isDiskError(error)) return undefined;
      throw error;
    }
  }
}

/** Undefined if nothing has changed but the time. */
function changeOf(
  last: RootStatus | undefined,
  status: RootStatus,
  isThere: (name: string) => boolean,
): RootChange | undefined {
  const before = new Map((last?.jobs ?? []).map((row) => [keyOf(row), JSON.stringify(row)]));
  const now = new Set(status.jobs.map(({ name }) => name));
  const changed = status.jobs.filter((row) => before.get(keyOf(row)) !== JSON.stringify(row));
  const names = new Set((last?.jobs ?? []).map(({ name }) => name));
  const gone = [...names].filter((name) => !now.has(name) && !isThere(name));
  const isSame = last !== undefined && JSON.stringify(plain(last)) === JSON.stringify(plain(status));
  return isSame ? undefined : { status, changed, gone };
}

/** The same name may stand in two places. */
function keyOf({ place, name }: Row): string {
  return `${place}/${name}`;
}

/** Without what changes at each look, or each check. */
function plain({ at: _at, lastCheckAt: _lastCheckAt, manager, problems, outage, ...others }: RootStatus) {
  // Sentences about a problem tell since when it lasts.
  const is = {
    ...manager,
    lastCheckAt: undefined,
    silentSince: undefined,
    isSilent: manager?.silentSince !== undefined,
  };
  return { ...others, manager: manager && is, problems: problems.length, outage: outage?.since };
}
