/** How long is waited for what, and how often something must be seen before it is believed; the same for all dialects. */

/** Submit commands try for minutes themselves, and then succeed (sbatch.c, MAX_RETRIES). */
export const SUBMIT_TIMEOUT_MS = 300_000;
/** A dry run leaves no doubt when it is cut short. */
export const CHECK_TIMEOUT_MS = 60_000;
/** Good answers in a row that are needed before "it is not there" is believed. */
export const GOOD_ANSWERS = 3;
/** Texts that nobody knows, and limits with nothing in the queue: so many tries, then it is the job's own fault. */
export const TRIES = 3;
/** How long an unknown text is taken for an outage, if nothing else gets through. */
export const UNKNOWN_MS = 900_000;
/**
 * Most schedulers save their state within this time (slurm.conf(5): each 5 s): what was in the queue so long after cannot
 * be lost by a crash.
 */
export const SAVED_MS = 60_000;
