/** Who runs this program, as people call them. */
import { userInfo } from "node:os";

/** The user's name; "uid 1000" for one who has none on this machine. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.()}`;
  }
}
