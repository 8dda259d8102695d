/** What a pass remembers of a job in pending/ between two looks, and what follows from it. */
import type { News, Submitted } from "../engine.ts";
import type { Say } from "../events.ts";
import type { Seen } from "../steps/see.ts";

/** Waits after a fault of one job, in seconds: doubled each time, up to the most. */
export const RETRY_S = { first: 1, most: 60 } as const;

/** A job in pending/, as this manager knows it. */
export interface Job {
  readonly name: string;
  seen: Seen | undefined;
  /** Claimed, or its intent written, by this manager just now: nobody else can have started it. */
  fresh: boolean;
  news: News | undefined;
  /** The news may be of its end, and has not been weighed yet. */
  unweighed: boolean;
  busy: Promise<void> | undefined;
  retryAtMs: number;
  retryS: number;
  /** The engine has taken it, and the record of that is being written. */
  handed: boolean;
  /** It was taken in to be told that it is not to be run, and needs no place for that. */
  ending: boolean;
  /** It waits for something of its own, and is certainly not in the engine's queue. */
  aside: boolean;
  /** Its last step failed. */
  stuck: boolean;
  saidStarted: boolean;
  cancelled: boolean;
  /** All jobs behind which it was submitted have ended as they must. */
  met: boolean;
}

/** One that was found in pending/, or claimed just now (`fresh`). */
export function newJob(name: string, fresh: boolean): Job {
  return {
    name,
    seen: undefined,
    fresh,
    news: undefined,
    unweighed: false,
    busy: undefined,
    retryAtMs: 0,
    retryS: RETRY_S.first,
    handed: false,
    ending: false,
    aside: false,
    stuck: false,
    saidStarted: false,
    cancelled: false,
    met: false,
  };
}

/** It is not tried again before a while has passed, twice as long each time. */
export function postpone(job: Job): void {
  job.retryAtMs = performance.now() + job.retryS * 1000;
  job.retryS = Math.min(job.retryS * 2, RETRY_S.most);
}

/** Tells that it has started, once. */
export function sayStarted(job: Job, say: Say): void {
  job.saidStarted = true;
  say({ is: "started", name: job.name });
}

/** Why it waits, in the engine's words. */
export function whyOf(news: News | undefined): string | undefined {
  if (news?.is === "unknown") return news.word;
  return news?.is === "queued" || news?.is === "ending" ? news.why : undefined;
}

/** When it is expected to start, if the engine says so. */
export function expectedOf(news: News | undefined): string | undefined {
  return news?.is === "queued" ? news.expectedStart : undefined;
}

/** One whose step failed holds no place, unless it may be in a queue all the same. */
export function isOnItsWay(job: Job, hasQueue: boolean): boolean {
  if (job.ending) return false;
  if (job.seen?.stage === "submitting") return !job.aside && (hasQueue || !job.stuck);
  return job.seen?.stage === "claimed" && !job.stuck;
}

/** It waits in the queue, or is on its way there, for others to end. */
export function isBehind({ seen, news, met }: Job): boolean {
  const isWaiting = seen?.stage === "submitting" || (seen?.stage === "submitted" && !isPast(news));
  return isWaiting && !met && isAfterOthers({ seen });
}

/** It was submitted behind others, however they have ended. */
export function isAfterOthers({ seen }: Pick<Job, "seen">): boolean {
  return (seen?.attempt?.after?.length ?? 0) > 0;
}

function isPast(news: News | undefined): boolean {
  return news !== undefined && news.is !== "queued";
}

/** In words, for whom it waits in the queue. */
export function whyBehind({ seen }: Job): string {
  const names = (seen?.intent?.after ?? []).map(({ name }) => `"${name}"`);
  const more = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} more` : "";
  return `waits in the queue for ${names.slice(0, NAMED_MAX).join(", ")}${more}`;
}

const NAMED_MAX = 3;

/** Submitted, and not known to have ended. */
export function isInQueue(job: Job): boolean {
  return job.seen?.stage === "submitted" && job.news?.is !== "ended";
}

/** Places in the engine's queue that it takes, of so many that there are. */
export function placesOf(job: Job, most: number): number {
  return Math.min(job.seen?.attempt?.plan.places ?? 1, most);
}

/** For figures: its stage; of one that was submitted, the engine's last news. */
export function stateOf({ seen, news }: Job): string {
  if (seen?.stage === "submitted") return news?.is ?? "submitted";
  return seen?.stage ?? "left_alone";
}

/** False for a job that will not end unless somebody does something. */
export function goesOn(job: Job): boolean {
  if (job.busy) return true;
  if (job.seen?.stage === undefined || job.aside) return false;
  if (job.news?.is === "queued" && job.news.stuck) return false;
  return !(job.stuck && job.retryS >= RETRY_S.most && !isInQueue(job));
}

/** As the engine is asked about it; undefined before it was submitted. */
export function submittedOf(job: Job): Submitted | undefined {
  const { attempt, handle } = job.seen ?? {};
  return attempt && handle !== undefined ? { ...attempt, handle } : undefined;
}
