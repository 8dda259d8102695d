/** Colour and tables. The only importer of kleur. */
import kleur from "kleur";
import type { Level } from "./events.ts";

/** Text for people, coloured by what it means. */
export interface Paint {
  level(level: Level, text: string): string;
  state(state: string): string;
  dim(text: string): string;
}

/** --color, then NO_COLOR, FORCE_COLOR and CLICOLOR_FORCE (if they say something), then TERM, then the stream itself. */
export function wantsColour(choice: "auto" | "always" | "never", isTerminal: boolean, env: NodeJS.ProcessEnv): boolean {
  if (choice !== "auto") return choice === "always";
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR && env.FORCE_COLOR !== "0") return true;
  if (env.CLICOLOR_FORCE && env.CLICOLOR_FORCE !== "0") return true;
  return isTerminal && env.TERM !== "dumb";
}

const LEVEL_COLOURS: Partial<Record<Level, (text: string) => string>> = { error: kleur.red, warn: kleur.yellow };
const STATE_COLOURS: Readonly<Record<string, (text: string) => string>> = {
  succeeded: kleur.green,
  running: kleur.cyan,
  failed: kleur.red,
  lost: kleur.red,
  refused: kleur.red,
  interrupted: kleur.red,
};

/** Colours that are none unless they are wanted. */
export function makePaint(colour: boolean): Paint {
  const apply = (paint: ((text: string) => string) | undefined, text: string): string => {
    kleur.enabled = colour;
    return paint ? paint(text) : text;
  };
  return {
    level: (level, text) => apply(LEVEL_COLOURS[level], text),
    state: (state) => apply(STATE_COLOURS[state.trim()], state),
    dim: (text) => apply(kleur.dim, text),
  };
}

/** Rows as columns, each as wide as its widest cell; the last one is cut at the width of the terminal. */
export function table(rows: readonly (readonly string[])[], width: number): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => displayWidth(row[i] ?? ""))));
  return rows.map((row) => {
    const line = row
      .map((cell, i) => (i === row.length - 1 ? cell : cell + " ".repeat((widths[i] ?? 0) - displayWidth(cell))))
      .join("  ");
    return cut(line, width);
  });
}

/** Columns that a text takes on a terminal: two for wide East Asian characters and emoji. */
function displayWidth(text: string): number {
  // Nearly all are plain, and a table of ten thousand rows has a hundred thousand.
  if (/^[ -~]*$/.test(text)) return text.length;
  let width = 0;
  for (const char of text)
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        char,
      )
        ? 2
        : 1;
  return width;
}

/** A text in lines of at most so many columns, broken at blanks; each but the first after this indent. */
export function wrapped(text: string, width: number, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && displayWidth(`${line} ${word}`) > width) {
      lines.push(line);
      line = indent + word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** A text of at most so many columns, with "..." where something was left out. */
export function cut(text: string, width: number): string {
  if (displayWidth(text) <= width) return text.trimEnd();
  let short = "";
  for (const char of text) {
    if (displayWidth(short + char) > width - 3) break;
    short += char;
  }
  return `${short}...`;
}
