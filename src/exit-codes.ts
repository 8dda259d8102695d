/** What a shell or a cron job can go by. Pure. */

/** By what a caller may do about it. */
export const EXIT = {
  ok: 0,
  failed: 1,
  /** Wrong usage. */
  usage: 2,
  /** There is no such job. */
  absent: 3,
  /** The job did not succeed, and has no exit code of its own. */
  jobFailed: 4,
  /** The engine is not here (EX_UNAVAILABLE, sysexits(3)). */
  engine: 69,
  /** Another manager has the root, or something took too long (EX_TEMPFAIL). */
  locked: 75,
  /** The root or the configuration cannot be used (EX_CONFIG). */
  config: 78,
} as const;
