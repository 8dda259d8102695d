/** What `jobmgr check` has to say of one thing. */

export interface Finding {
  /** "error": it would not run as it is. */
  readonly level: "error" | "warning";
  /** In a sentence or two: what, and what to do. */
  readonly says: string;
}

export function error(says: string): Finding {
  return { level: "error", says };
}

export function warning(says: string): Finding {
  return { level: "warning", says };
}
