/** A word as a person types it into a shell: quoted only where it must be. Pure. */
import { quoted } from "./runner.ts";

/** What is no plain word is quoted. One with control characters is as bash, zsh and ksh read it, and fit for a terminal. */
export function shellWord(text: string): string {
  if (/^[\w@%+:,./-][\w@%+=:,./~-]*$/.test(text)) return text;
  return /\p{Cc}/u.test(text) ? `$${quotedByCodes(text)}` : quoted(text);
}

/** As shellWord, for a name behind a verb: one that begins with "-" would be taken for an option. */
export function shellName(name: string): string {
  return name.startsWith("-") ? `-- ${shellWord(name)}` : shellWord(name);
}

function quotedByCodes(text: string): string {
  const inside = text
    .replace(/[\\']/g, "\\$&")
    .replace(/\p{Cc}/gu, (char) =>
      [...Buffer.from(char)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join(""),
    );
  return `'${inside}'`;
}
