/** Asks Slurm through squeue(1), sacct(1) and scancel(1). Believes an answer only if it is whole. */
import { randomBytes } from "node:crypto";
import type { Attempt, Resources, Submitted, Token } from "../../src/engine.ts";
import { EngineError } from "../../src/engine-error.ts";
import { plannedAtMs, tokenIn } from "../batch/identity.ts";
import { type Ran, runProgram } from "../run-program.ts";
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

/** Slurm's commands give up by themselves after MessageTimeout, some of them several times; see slurm.conf(5). */
const TIMEOUT_MS = 60_000;
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
  /** The latest question to each set of clusters, answered or under way. */
  readonly #questions = new Map<string, { readonly askedAtMs: number; readonly answer: Promise<Queue> }>();
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
    const known = this.#questions.get(clusters ?? "");
    if (known && known.askedAtMs >= sinceMs) return known.answer;
    const askedAtMs = performance.now();
    const answer = this.#askQueue(clusters, askedAtMs);
    const question = { askedAtMs, answer };
    this.#questions.set(clusters ?? "", question);
    answer.catch(() => {
      if (this.#questions.get(clusters ?? "") === question) this.#questions.delete(clusters ?? "");
    });
    return answer;
  }

  async #askQueue(clusters: string | undefined, askedAtMs: number): Promise<Queue> {
    const nonce = randomBytes(6).toString("hex");
    const ran = await this.#ask("squeue", queueArgs(this.#uid, clusters, queueFormat(nonce)));
    if (ran.exitCode !== 0) throw outOfReach("squeue", ran);
    const rows = parseQueue(ran.stdout, nonce);
    if (!rows) throw new EngineError("unavailable", "squeue's answer was not whole.");
    const byToken = new Map<Token, QueueRow[]>();
    for (const row of rows) {
      const token = tokenIn(row.command);
      const others = token && byToken.get(token);
      if (others) others.push(row);
      else if (token) byToken.set(token, [row]);
    }
    return { askedAtMs, rows, byToken };
  }

  /** What there is to run jobs on, in one question. Throws `unavailable`. */
  async resources(clusters: string | undefined): Promise<Resources> {
    const nonce = randomBytes(6).toString("hex");
    const ran = await this.#ask("sinfo", resourcesArgs(clusters, nonce));
    if (ran.exitCode !== 0) throw outOfReach("sinfo", ran);
    const resources = parseResources(ran.stdout, nonce);
    if (!resources) throw new EngineError("unavailable", "sinfo's answer was not whole.");
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
    const ran = await this.#ask("sacct", accountingArgs(of, { clusters, since, separator, fields: ACCOUNTING_FIELDS }));
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

  #ask(program: string, args: readonly string[]): Promise<Ran> {
    return runProgram(program, args, TIMEOUT_MS, this.#environment);
  }
}

function sinceOf(jobs: readonly Attempt[]): Date {
  return new Date(Math.min(...jobs.map(({ token }) => plannedAtMs(token))) - EARLIER_MS);
}

function outOfReach(program: string, ran: Ran): EngineError {
  if (ran.errorCode === "ENOENT") return new EngineError("unavailable", `There is no ${program} here any more.`);
  if (ran.timedOut) return new EngineError("unavailable", `${program} gave no answer in ${TIMEOUT_MS / 1000} s.`);
  const [first = ""] = ran.stderr.trim().split("\n");
  return new EngineError("unavailable", first === "" ? `${program} failed without a word.` : `${first}.`);
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
