/**
 * A command line as bash has it while somebody types: read without running anything of it, and written so that bash
 * reads it back as it was meant. Pure.
 */

/** A line up to the cursor. */
export interface BashLine {
  /** The words before the one at the cursor, without their quotes. */
  readonly before: readonly string[];
  /** The word at the cursor, as far as it was typed, without its quotes. */
  readonly current: string;
  /** The quote that is still open at the cursor. */
  readonly quote: "" | "'" | '"';
  /** What of `current` readline leaves alone: it replaces what comes behind the open quote, or the last word break. */
  readonly kept: string;
}

/** `breaks`: COMP_WORDBREAKS, the signs where readline sees a new word begin. */
export function readBashLine(line: string, breaks: string): BashLine {
  const words: string[] = [];
  let word: string | undefined;
  let quote: BashLine["quote"] = "";
  let kept = "";
  for (let at = 0; at < line.length; at++) {
    const sign = line.charAt(at);
    if (quote === "" && /[ \t\n]/.test(sign)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      kept = "";
      continue;
    }
    word ??= "";
    if (sign === quote) {
      quote = "";
      // Readline searches back over what is quoted to the word's beginning.
      kept = "";
    } else if (quote === "" && (sign === "'" || sign === '"')) {
      quote = sign;
      kept = word;
    } else if (sign === "\\" && quote !== "'") {
      at++;
      // In double quotes a backslash stands for itself, unless it quotes one of these.
      const next = line.charAt(at);
      word += quote === '"' && !/["\\$`]/.test(next) ? sign + next : next;
    } else {
      word += sign;
      if (quote === "" && breaks.includes(sign)) kept = word;
    }
  }
  return { before: words, current: word ?? "", quote, kept };
}

/** What readline is to put in place of the typed part, so that bash reads the whole as `value`. */
export function bashInsertion(value: string, { quote, kept }: BashLine): string {
  const rest = value.slice(kept.length);
  if (quote === "'") return rest.replaceAll("'", "'\\''");
  // "!" keeps its meaning in double quotes, and its backslash as well.
  if (quote === '"') return rest.replace(/["\\$`]/g, "\\$&").replace(/!+/g, `"'$&'"`);
  const quoted = rest.replace(/[^\w.,/:=@%+^\u0080-\u{10ffff}-]/gu, "\\$&");
  return quoted;
}
