/** How a scheduler is asked: with a limit of time, and once for all who want to know at the same moment. */
import type { Token } from "../../src/engine.ts";
import { EngineError } from "../../src/engine-error.ts";
import { runProgram } from "../run-program.ts";
import type { Question, Said } from "./dialect.ts";
import { tokenIn } from "./identity.ts";

const TIMEOUT_MS = 60_000;

/** Throws `unavailable` if there is no answer in a minute. */
export async function ask({ program, args }: Question, environment: NodeJS.ProcessEnv): Promise<Said> {
  const ran = await runProgram(program, args, TIMEOUT_MS, environment);
  if (!ran.timedOut) return ran;
  throw new EngineError("unavailable", `${program} gave no answer in ${TIMEOUT_MS / 1000} s.`);
}

/** As ask(); throws `unavailable` also if the program failed. */
export async function askWell(question: Question, environment: NodeJS.ProcessEnv): Promise<Said> {
  const said = await ask(question, environment);
  if (said.exitCode !== 0) throw outOfReach(question.program, said);
  return said;
}

/** What a program that failed says of the scheduler behind it. */
export function outOfReach(program: string, said: Said): EngineError {
  if (said.errorCode === "ENOENT") return new EngineError("unavailable", `There is no ${program} here any more.`);
  const [first = ""] = (said.stderr.trim() || said.stdout.trim()).split("\n");
  return new EngineError("unavailable", first === "" ? `${program} failed without a word.` : `${first.trim()}.`);
}

/** An answer that was cut off, or is none. */
export function notWhole(program: string): EngineError {
  return new EngineError("unavailable", `The answer of ${program} was not whole.`);
}

/** One question that is asked again and again; its latest answer, had or under way, serves whom it is new enough for. */
export class Latest<Answer> {
  #asked: { readonly atMs: number; readonly answer: Promise<Answer> } | undefined;

  /** An answer that was asked for at `sinceMs` (performance.now()) or later. */
  since(sinceMs: number, question: (askedAtMs: number) => Promise<Answer>): Promise<Answer> {
    if (this.#asked && this.#asked.atMs >= sinceMs) return this.#asked.answer;
    const atMs = performance.now();
    const asked = { atMs, answer: question(atMs) };
    this.#asked = asked;
    asked.answer.catch(() => {
      if (this.#asked === asked) this.#asked = undefined;
    });
    return asked.answer;
  }
}

/** Rows by the attempt whose runner the text of a row names; those that name none are another's. */
export function byToken<Row>(rows: readonly Row[], textOf: (row: Row) => string | undefined): Map<Token, Row[]> {
  const found = new Map<Token, Row[]>();
  for (const row of rows) {
    const token = tokenIn(textOf(row) ?? "");
    const others = token && found.get(token);
    if (others) others.push(row);
    else if (token) found.set(token, [row]);
  }
  return found;
}
