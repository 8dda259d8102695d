/** A word as a person types it into a shell: quoted only where it must be. Pure. */
import { printable } from "./printable.ts";
import { quoted } from "./runner.ts";

/** What is no plain word is quoted, and made fit for a terminal. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./~-]+$/.test(text) ? text : quoted(printable(text));
}
