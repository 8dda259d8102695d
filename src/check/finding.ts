/** What `jobmgr check` has to say of one thing. */

/** One thing that is wrong with what is to be a job. */
export interface Finding {
  /** "error": it would not run as it is. */
  readonly level: "error" | "warning";
  /** In a sentence or two: what, and what to do. */
  readonly says: string;
}

/** It would not run. */
export function error(says: string): Finding {
  return { level: "error", says };
}

/** It would run, or wait, perhaps otherwise than is meant. */
export function warning(says: string): Finding {
  return { level: "warning", says };
}
