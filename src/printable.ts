/** Text from users and programs, made safe for a terminal. Pure. */

/** Without control characters, which could move a terminal's cursor about: they are shown as "\x1b". */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
