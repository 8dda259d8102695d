/** What schedulers have in common in the meaning of what a submit command said. Pure. */
import type { Answer, Said } from "./dialect.ts";

export type { Answer, Said };

/** A text and its meaning; $1 in the remedy is what the first parentheses caught. */
export type VerdictRow = readonly [text: RegExp, verdict: Answer["verdict"], remedy?: string];

/** Error codes of a start that failed, so that nothing ran (execve(2), fork(2)). Any other code may come later. */
const NOT_STARTED = new Set(
  "ENOENT EACCES EPERM ENOTDIR ELOOP ENOEXEC ETXTBSY EAGAIN ENOMEM EMFILE ENFILE EIO ESTALE E2BIG".split(" "),
);

/** The submit command could not even be started. */
export function isNotStarted({ errorCode }: Said): boolean {
  return errorCode !== undefined && NOT_STARTED.has(errorCode);
}

/** The first row of the table that fits the text. */
export function firstOf(table: readonly VerdictRow[], text: string): Answer | undefined {
  for (const [pattern, verdict, remedy] of table) {
    const match = pattern.exec(text);
    if (match) return remedy === undefined ? { verdict } : { verdict, remedy: filled(remedy, match) };
  }
  return undefined;
}

/** A remedy with what the first parentheses of its text caught. */
export function filled(remedy: string, match: RegExpExecArray): string {
  return remedy.replaceAll("$1", () => match[1]?.trim() ?? "");
}
