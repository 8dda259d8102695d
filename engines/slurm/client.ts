/** Asks Slurm through squeue(1), sacct(1) and scancel(1). Believes an answer only if it is whole. */
import { randomBytes } from "node:crypto";
import type { Attempt, Resources, Submitted, Token } from "../../src/engine.ts";
import type { Said } from "../batch/dialect.ts";
import { plannedAtMs, tokenIn } from "../batch/identity.ts";
import { ask, byToken, Latest, notWhole, outOfReach } from "../batch/questions.ts";
import { type AccountingOf, accountingArgs, cancelArgs, queueArgs } from "./commands.ts";
import {
  ACCOUNTING_FIELDS,
  type AccountingRow,
  baseId,
  parseAccounting,
  parseQueue,
  type QueueRow,
  queueFormat,
} from "./queue.ts";
import { parseResources, resourcesArgs } from "./resources.ts";

const IDS_PER_QUESTION = 1000;
const IDS_PER_CANCEL = 200;
/** Accounting is asked from so long before the first submission: clocks differ. */
const EARLIER_MS = 2 * 86_400_000;

/** All jobs of this user, at one moment. */
export interface Queue {
  /** When it was asked for, by performance.now(). */
  readonly askedAtMs: number;
  readonly rows: readonly QueueRow[];
  readonly byToken: ReadonlyMap<Token, readonly QueueRow[]>;
}

/** What sacct knew of the jobs that it was asked about. */
export interface Accounting {
  /** "absent": this cluster has none; "down": it does not answer. */
  readonly is: "there" | "absent" | "down";
  /** The latest start of a job and of each of its tasks, with their steps; only if they are this very attempt's. */
  rowsOf(job: Submitted, id: string): readonly AccountingRow[];
}

/** Questions to Slurm, and cancellations. Throws EngineError. */
export class Client {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #uid: number;
  /** Of each set of clusters. */
  readonly #queues = new Map<string, Latest<Queue>>();
  #hasAccounting = true;

  constructor(environment: NodeJS.ProcessEnv, uid: number) {
    this.#environment = environment;
    this.#uid = uid;
  }

  /** False once Slurm has said that it keeps none. */
  get mayHaveAccounting(): boolean {
    return this.#hasAccounting;
  }

  /** All jobs of this user; an answer that was asked for after `sinceMs` may serve again. Throws `unavailable`. */
  queue(clusters: string | undefined, sinceMs: number): Promise<Queue> {
    const queue = this.#queues.get(clusters ?? "") ?? new Latest<Queue>();
    this.#queues.set(clusters ?? "", queue);
    return queue.since(sinceMs, (askedAtMs) => this.#askQueue(clusters, askedAtMs));
  }

  async #askQueue(clusters: string | undefined, askedAtMs: number): Promise<Queue> {
    const nonce = randomBytes(6).toString("hex");
    const said = await this.#askWell("squeue", queueArgs(this.#uid, clusters, queueFormat(nonce)));
    const rows = parseQueue(said.stdout, nonce);
    if (!rows) throw notWhole("squeue");
    return { askedAtMs, rows, byToken: byToken(rows, (row) => row.command) };
  }

  /** What there is to run jobs on, in one question. Throws `unavailable`. */
  async resources(clusters: string | undefined): Promise<Resources> {
    const nonce = randomBytes(6).toString("hex");
    const said = await this.#askWell("sinfo", resourcesArgs(clusters, nonce));
    const resources = parseResources(said.stdout, nonce);
    if (!resources) throw notWhole("sinfo");
    return resources;
  }

  /** Never throws: accounting is a witness that one can do without. Asks nothing if there is no question. */
  async accounting(
    questions: readonly { readonly job: Submitted; readonly id: string }[],
    clusters: string | undefined,
  ): Promise<Accounting> {
    const ids = questions.map(({ id }) => id);
    const since = sinceOf(questions.map(({ job }) => job));
    const rows: AccountingRow[] = [];
    for (let first = 0; first < ids.length; first += IDS_PER_QUESTION) {
      const some = ids.slice(first, first + IDS_PER_QUESTION);
      const answer = await this.#askAccounting({ ids: some }, clusters, since);
      if (typeof answer === "string") return { is: answer, rowsOf: () => [] };
      rows.push(...answer);
    }
    return { is: this.#hasAccounting ? "there" : "absent", rowsOf: (job, id) => latestOf(rows, job, id) };
  }

  /** What accounting knows of an attempt, by its runner's path; "down" if it does not answer. */
  async findInAccounting(attempt: Attempt, clusters: string | undefined): Promise<AccountingRow | undefined | "down"> {
    const answer = await this.#askAccounting({ uid: this.#uid }, clusters, sinceOf([attempt]));
    if (typeof answer === "string") return answer === "down" ? "down" : undefined;
    return answer.find((row) => tokenIn(row.submitLine) === attempt.token);
  }

  async #askAccounting(
    of: AccountingOf,
    clusters: string | undefined,
    since: Date,
  ): Promise<AccountingRow[] | "absent" | "down"> {
    if (!this.#hasAccounting) return "absent";
    const separator = `\x1f${randomBytes(6).toString("hex")}\x1f`;
    const args = accountingArgs(of, { clusters, since, separator, fields: ACCOUNTING_FIELDS });
    const ran = await this.#ask("sacct", args).catch(() => undefined);
    if (!ran) return "down";
    this.#hasAccounting = !/accounting storage is disabled/i.test(ran.stderr);
    if (ran.exitCode !== 0) return this.#hasAccounting ? "down" : "absent";
    return parseAccounting(ran.stdout, separator);
  }

  /** Asks for the end of jobs; those that have ended already are no error. Throws `unavailable`. */
  async cancel(ids: readonly string[], clusters: string | undefined, state?: "PENDING" | "RUNNING"): Promise<void> {
    for (let first = 0; first < ids.length; first += IDS_PER_CANCEL) {
      const some = ids.slice(first, first + IDS_PER_CANCEL);
      const ran = await this.#ask("scancel", cancelArgs(some, clusters, state));
      const isOver = ran.stderr
        .split("\n")
        .filter(Boolean)
        .every((line) => /already complet|Invalid job id/i.test(line));
      if (ran.exitCode !== 0 && !(isOver && ran.stderr !== "")) throw outOfReach("scancel", ran);
    }
  }

  async #askWell(program: string, args: readonly string[]): Promise<Said> {
    const said = await this.#ask(program, args);
    // What a table has begun with is no message.
    if (said.exitCode !== 0) throw outOfReach(program, { ...said, stdout: "" });
    return said;
  }

  #ask(program: string, args: readonly string[]): Promise<Said> {
    return ask({ program, args }, this.#environment);
  }
}

function sinceOf(jobs: readonly Attempt[]): Date {
  return new Date(Math.min(...jobs.map(({ token }) => plannedAtMs(token))) - EARLIER_MS);
}

/** Ids are used again: a job's row must name its runner, and its steps follow it. Of several starts the last counts. */
function latestOf(rows: readonly AccountingRow[], job: Submitted, id: string): AccountingRow[] {
  const latest = new Map<string, AccountingRow[]>();
  let group: AccountingRow[] | undefined;
  for (const row of rows) {
    if (!row.shownId.includes(".")) {
      const isOurs = baseId(row.shownId) === id && isOf(row, job);
      group = isOurs ? [row] : undefined;
      if (group) latest.set(row.shownId, group);
    } else group?.push(row);
  }
  return [...latest.values()].flat();
}

function isOf(row: AccountingRow, job: Submitted): boolean {
  return row.submitLine === "" ? row.folder === job.folder : tokenIn(row.submitLine) === job.token;
}
