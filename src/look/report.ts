/** What is told of a root: the form of `status --json`. */
import type { Place } from "../stage.ts";

/** One job, with what is known of it. Times are ISO-8601 UTC. */
export interface Row {
  readonly name: string;
  readonly place: Place;
  readonly state: string;
  /** As people are told it: the scheduler's, or that in the names of its outputs. */
  readonly id?: string;
  readonly token?: string;
  readonly engine?: string;
  readonly why?: string;
  /** It waits for something that will not come by itself. */
  readonly stuck?: boolean;
  /** Since when it is in this state. */
  readonly since?: string;
  readonly plannedAt?: string;
  readonly submittedAt?: string;
  /** When the engine expects to start it. */
  readonly expectedStart?: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly exitCode?: number;
  readonly signal?: string;
}

/** The value of `status --json`. */
export interface Report {
  readonly schema: 1;
  readonly root: string;
  readonly at: string;
  /** Absent when nobody manages the root. */
  readonly manager?: {
    readonly host: string;
    readonly pid: number;
    readonly since: string;
    readonly lastCheckAt?: string;
    readonly engine?: string;
    /** It has shown no sign of life since then. */
    readonly silentSince?: string;
  };
  /** When what is known was looked at last, by whatever manager. */
  readonly lastCheckAt?: string;
  /** What is wrong, in sentences; where no manager runs, what was at the last check. */
  readonly problems: readonly string[];
  /** The engine does not answer, or did not at the last check. */
  readonly outage?: { readonly since: string; readonly text: string };
  readonly counts: { readonly waiting: number; readonly pending: number; readonly complete: number };
  readonly jobs: readonly Row[];
}
