/** What is told of jobs that have ended: the form of a message, and its one line for people. Pure. */
import type { Occasion } from "../events.ts";
import { durationText, type Result } from "../outcome.ts";

const MESSAGE_SCHEMA = 1;

/** One job's end, as it lies in the outbox. Times are ISO-8601 UTC. */
export interface Ended {
  readonly token: string;
  /** Its name in complete/. */
  readonly name: string;
  readonly result: Result;
  readonly why: string;
  readonly exitCode?: number;
  readonly signal?: string;
  /** Its id in the engine, as people are told it. */
  readonly id?: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** It was not run, because of another job that did not succeed. */
  readonly isConsequence?: true;
  /** When it was noted. */
  readonly at: string;
}

/** Many ends in one message. */
export interface Summary {
  readonly jobs: number;
  readonly succeeded: number;
  /** Those that did not succeed and were not cancelled: `results` says how they ended. */
  readonly failed: number;
  readonly cancelled: number;
  readonly results: Readonly<Partial<Record<Result, number>>>;
  /** The first of those that failed. */
  readonly failedNames: readonly string[];
  readonly since: string;
  readonly until: string;
}

/** The JSON that is sent. A message that had to be sent again has the same id. */
export interface Message {
  readonly schema: number;
  readonly event: Occasion;
  readonly id: string;
  readonly root: string;
  readonly host: string;
  readonly at: string;
  /** One line for people, in the member that chat programs show. */
  readonly text: string;
  readonly job?: {
    readonly name: string;
    readonly state: Result;
    readonly why: string;
    readonly exitCode?: number;
    readonly signal?: string;
    readonly id?: string;
    readonly startedAt?: string;
    readonly endedAt?: string;
    readonly folder: string;
  };
  readonly batch?: Summary;
}

/** Where messages come from. */
export interface Sender {
  readonly root: string;
  readonly complete: string;
  readonly host: string;
}

/** What a person did on purpose is no failure. */
function isFailure(result: Result): boolean {
  return result !== "succeeded" && result !== "cancelled";
}

/**
 * The occasion on which this end is told by itself, if any: a failure is told as one where that is wanted. Of a chain
 * of jobs the first failure is, and not the many that were not run for it.
 */
export function occasionOf(
  { result, isConsequence }: Pick<Ended, "result" | "isConsequence">,
  wanted: ReadonlySet<Occasion>,
): "end" | "failure" | undefined {
  if (isFailure(result) && !isConsequence && wanted.has("failure")) return "failure";
  return wanted.has("end") ? "end" : undefined;
}

/** The message about one job. */
export function jobMessage(ended: Ended, event: "end" | "failure", sender: Sender, now: Date): Message {
  const { token, name, result: state, why, exitCode, signal, id, startedAt, endedAt } = ended;
  const took = spanOf(startedAt, endedAt);
  const text = `${name} ${state}${took && ` after ${took}`} on ${sender.host}. ${why}`;
  return {
    ...headOf(event, `${token}-${event}`, text, sender, now),
    job: {
      name,
      state,
      why,
      ...(exitCode !== undefined && { exitCode }),
      ...(signal !== undefined && { signal }),
      ...(id !== undefined && { id }),
      ...(startedAt !== undefined && { startedAt }),
      ...(endedAt !== undefined && { endedAt }),
      folder: `${sender.complete}/${name}`,
    },
  };
}

/** The message about many jobs. */
export function batchMessage(batch: Summary, id: string, sender: Sender, now: Date): Message {
  const { succeeded, failed, cancelled, failedNames, since, until } = batch;
  const took = spanOf(since, until);
  const counts = [
    `${succeeded} done`,
    failed > 0 ? `${failed} failed${listOf(failedNames, failed)}` : "",
    cancelled > 0 ? `${cancelled} cancelled` : "",
  ];
  const text = `${counts.filter(Boolean).join(", ")}. ${sender.root} on ${sender.host}${took && `, in ${took}`}.`;
  return { ...headOf("batch", id, text, sender, now), batch };
}

function headOf(event: Occasion, id: string, text: string, sender: Sender, now: Date) {
  const { root, host } = sender;
  return { schema: MESSAGE_SCHEMA, event, id, root, host, at: now.toISOString(), text: oneLine(text) };
}

const NAMES_IN_TEXT = 5;

function listOf(names: readonly string[], all: number): string {
  const shown = names.slice(0, NAMES_IN_TEXT);
  return ` (${shown.join(", ")}${all > shown.length ? ", ..." : ""})`;
}

function spanOf(from: string | undefined, to: string | undefined): string {
  const seconds = from !== undefined && to !== undefined ? (Date.parse(to) - Date.parse(from)) / 1000 : Number.NaN;
  return seconds >= 0 ? durationText(seconds) : "";
}

const TEXT_LENGTH_MAX = 500;

/** Names and reasons come from users: in a chat they must neither break the line nor call everybody ("<!channel>"). */
function oneLine(text: string): string {
  const plain = text
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ")
    .replace(/[<>]/g, (sign) => (sign === "<" ? "‹" : "›"));
  const letters = Array.from(plain);
  return letters.length <= TEXT_LENGTH_MAX ? plain : `${letters.slice(0, TEXT_LENGTH_MAX - 3).join("")}...`;
}

const FAILED_NAMES_MAX = 20;

function byRank(a: { readonly rank: string }, b: { readonly rank: string }): number {
  return a.rank < b.rank ? -1 : Number(a.rank > b.rank);
}

/** Counts ends, one after the other, so that any number of them fits into memory. */
export class Tally {
  readonly #results: Partial<Record<Result, number>> = {};
  /** The first that failed, by their ends. */
  #failed: { readonly name: string; readonly rank: string }[] = [];
  #since: string | undefined;
  #until: string | undefined;

  add(ended: Ended): void {
    this.#results[ended.result] = (this.#results[ended.result] ?? 0) + 1;
    const from = ended.startedAt ?? ended.endedAt ?? ended.at;
    const to = ended.endedAt ?? ended.at;
    if (this.#since === undefined || from < this.#since) this.#since = from;
    if (this.#until === undefined || to > this.#until) this.#until = to;
    if (!isFailure(ended.result)) return;
    // Those that were not run for it come behind those that failed themselves.
    const failed = [...this.#failed, { name: ended.name, rank: `${ended.isConsequence ? 1 : 0}${to}` }];
    this.#failed = failed.sort(byRank).slice(0, FAILED_NAMES_MAX);
  }

  /** undefined if nothing was counted. */
  summary(): Summary | undefined {
    if (this.#since === undefined || this.#until === undefined) return undefined;
    const results = this.#results;
    const jobs = Object.values(results).reduce((sum, count) => sum + count, 0);
    const { succeeded = 0, cancelled = 0 } = results;
    const failed = jobs - succeeded - cancelled;
    const failedNames = this.#failed.map(({ name }) => name);
    return { jobs, succeeded, failed, cancelled, results, failedNames, since: this.#since, until: this.#until };
  }
}
