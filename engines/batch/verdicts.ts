/** Reads what a submit command said by a table of texts. Pure. */
import type { Answer, Said } from "./dialect.ts";

export type { Answer, Said };

/** A text and its meaning; $1 in the remedy is what the first parentheses caught. */
export type VerdictRow = readonly [text: RegExp, verdict: Answer["verdict"], remedy?: string];

/** The first row of the table that fits the text. */
export function firstOf(table: readonly VerdictRow[], text: string): Answer | undefined {
  for (const [pattern, verdict, remedy] of table) {
    const match = pattern.exec(text);
    if (!match) continue;
    if (remedy === undefined) return { verdict };
    return { verdict, remedy: remedy.replaceAll("$1", () => match[1]?.trim() ?? "") };
  }
  return undefined;
}
