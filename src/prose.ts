/** Sentences in lines that fit. Pure. */
import { wrapped } from "./paint.ts";

/** In place of a blank at which no line may end: no text has it that is shown. */
const NO_BREAK = "\0";

/** In quotes; in backticks; a command at the end of a line, or before what else may be done. */
const COPIED =
  /^ +|"[^"\n]*"|`[^`\n]*`|(?<=\b(?:with|Run|then): ).*$|(?<=: )(?=(?:jobmgr|chmod|mv|cp|ls|tar|unzip|npm|loginctl) ).*?(?=; if |$)/gm;

/** Sentences in lines of at most so many columns, each but the first after this indent. What one copies from them is not broken. */
export function prose(text: string, width: number, indent = ""): string[] {
  const whole = text.replaceAll(COPIED, (words) => words.replaceAll(" ", NO_BREAK));
  const lines = whole.split("\n").flatMap((line) => wrapped(line, width, indent));
  return lines.map((line) => line.replaceAll(NO_BREAK, " "));
}
