/** Puts a dialect's questions to its scheduler. Believes an answer only if it is whole. */
import type { Submitted, Token } from "../../src/engine.ts";
import type { Details, Dialect, Row } from "./dialect.ts";
import { plannedAtMs, tokenIn } from "./identity.ts";
import { ask, askWell, byToken, Latest, notWhole, outOfReach } from "./questions.ts";

const IDS_PER_QUESTION = 500;
const IDS_PER_CANCEL = 200;
/** The history is believed to be of this attempt if it was submitted so long before it was planned: clocks differ. */
const EARLIER_MS = 86_400_000;

/** All jobs of this user, at one moment. */
export interface Queue {
  /** When it was asked for, by performance.now(). */
  readonly askedAtMs: number;
  readonly rows: readonly Row[];
  readonly byToken: ReadonlyMap<Token, readonly Row[]>;
}

/** What the history knew of the jobs that it was asked about. */
export interface Ended {
  /** "absent": none is kept; "down": it does not answer. */
  readonly is: "there" | "absent" | "down";
  /** Only those that are this very attempt's. */
  rowsOf(job: Submitted, id: string): readonly Row[];
  /** The queue itself still tells that this very attempt has left it. */
  hasLeft(job: Submitted, id: string): boolean;
}

/** Nothing is known of any job. */
export const NO_ANSWER: Ended = { is: "down", rowsOf: () => [], hasLeft: () => false };

/** Questions to the scheduler, and cancellations. Throws EngineError. */
export class Client {
  readonly #dialect: Dialect;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #user: string;
  readonly #queue = new Latest<Queue>();
  /** Of what is in the queue, by id. */
  #details = new Map<string, { readonly version: string | undefined; readonly known: Details }>();

  constructor(dialect: Dialect, environment: NodeJS.ProcessEnv, user: string) {
    this.#dialect = dialect;
    this.#environment = environment;
    this.#user = user;
  }

  /** All jobs of this user; an answer that was asked for after `sinceMs` may serve again. Throws `unavailable`. */
  queue(sinceMs: number): Promise<Queue> {
    return this.#queue.since(sinceMs, (askedAtMs) => this.#askQueue(askedAtMs));
  }

  async #askQueue(askedAtMs: number): Promise<Queue> {
    const question = this.#dialect.queueQuestion(this.#user);
    const found = this.#dialect.queueRows(await askWell(question, this.#environment));
    if (!found) throw notWhole(question.program);
    const rows = await this.#withDetails(found);
    return { askedAtMs, rows, byToken: byToken(rows, (row) => row.runner) };
  }

  /** Asks only for what is not known yet. A row without details has left the queue between the two questions. */
  async #withDetails(rows: readonly Row[]): Promise<Row[]> {
    const bare = rows.filter((row) => row.runner === undefined);
    const wanted = bare.filter((row) => {
      const kept = this.#details.get(row.id);
      return kept === undefined || kept.version !== row.version;
    });
    const ids = [...new Set(wanted.map((row) => row.id))];
    const known = new Map<string, Details>();
    for (let first = 0; first < ids.length; first += IDS_PER_QUESTION) {
      const some = await this.#askDetails(ids.slice(first, first + IDS_PER_QUESTION));
      if (!some) return [...rows];
      for (const [id, details] of some) known.set(id, details);
    }
    const before = this.#details;
    this.#details = new Map();
    return rows.flatMap((row) => {
      if (row.runner !== undefined) return [row];
      const details = known.get(row.id) ?? (ids.includes(row.id) ? undefined : before.get(row.id)?.known);
      if (!details) return [];
      this.#details.set(row.id, { version: row.version, known: details });
      if (details.row) return [details.row];
      const { runner, why } = details;
      const isStuck = row.news.is === "queued" && row.news.stuck && why !== undefined;
      return [{ ...row, runner, ...(isStuck && { news: { ...row.news, why } }) }];
    });
  }

  /** undefined where there are none. What is not whole is asked for once more, for a dialect may know another way. */
  async #askDetails(ids: readonly string[]): Promise<ReadonlyMap<string, Details> | undefined> {
    for (let left = 2; ; left--) {
      const question = this.#dialect.detailsQuestion?.(ids);
      if (!question) return undefined;
      const some = this.#dialect.details?.(await ask(question, this.#environment));
      if (some) return some;
      if (left === 1) throw notWhole(question.program);
    }
  }

  /** Asks nothing if there is no question. Throws `unavailable`. */
  async history(questions: readonly { readonly job: Submitted; readonly id: string }[]): Promise<Ended> {
    const ids = questions.map(({ id }) => id);
    const sinceMs = Math.min(...questions.map(({ job }) => plannedAtMs(job.token))) - EARLIER_MS;
    const rows: Row[] = [];
    let isAbsent = false;
    for (let first = 0; first < ids.length && !isAbsent; first += IDS_PER_QUESTION) {
      const some = ids.slice(first, first + IDS_PER_QUESTION);
      const answer = await this.#askHistory({ ids: some, sinceMs });
      if (answer === "down") return NO_ANSWER;
      if (answer === "absent") isAbsent = true;
      else rows.push(...answer);
    }
    const among = (all: readonly Row[], job: Submitted, id: string) =>
      all.filter((row) => row.id === id && isOf(row, job));
    const isKnown = questions.every(({ job, id }) => among(rows, job, id).length > 0);
    const left = isKnown ? [] : await this.#askLeft();
    return {
      is: isAbsent ? "absent" : "there",
      rowsOf: (job, id) => among(rows, job, id),
      hasLeft: (job, id) => among(left, job, id).length > 0,
    };
  }

  /** None where the scheduler does not tell. */
  async #askLeft(): Promise<readonly Row[]> {
    const question = this.#dialect.leftQuestion?.(this.#user);
    return (question && this.#dialect.queueRows(await ask(question, this.#environment))) ?? [];
  }

  /** What the history knows of an attempt, by its runner; "down" if it does not answer. */
  async findInHistory(token: Token): Promise<Row | undefined | "down"> {
    const answer = await this.#askHistory({ sinceMs: plannedAtMs(token) - EARLIER_MS });
    if (typeof answer === "string") return answer === "down" ? "down" : undefined;
    return answer.find((row) => row.runner !== undefined && tokenIn(row.runner) === token);
  }

  async #askHistory(of: { ids?: readonly string[]; sinceMs: number }): Promise<readonly Row[] | "absent" | "down"> {
    const { history } = this.#dialect;
    if (!history) return "absent";
    const question = history.question({ ...of, user: this.#user });
    return question ? history.rows(await ask(question, this.#environment)) : [];
  }

  /** Asks for the end of jobs; those that have ended already are no error. Throws `unavailable`. */
  async cancel(ids: readonly string[]): Promise<void> {
    for (let first = 0; first < ids.length; first += IDS_PER_CANCEL) {
      const question = this.#dialect.cancelQuestion(ids.slice(first, first + IDS_PER_CANCEL));
      const said = await ask(question, this.#environment);
      if (!this.#dialect.isCancelled(said)) throw outOfReach(question.program, said);
    }
  }
}

/** Ids are used again: a row must name the runner, or else what it was called, and be no older than the attempt. */
function isOf(row: Row, job: Submitted): boolean {
  if (row.runner !== undefined) return tokenIn(row.runner) === job.token;
  if (row.name !== undefined && row.name !== job.plan.jobName) return false;
  return row.submittedAtMs === undefined || row.submittedAtMs >= plannedAtMs(job.token) - EARLIER_MS;
}
