/** Is it the same folder? A root may have several names: by links, by an automounter, on another machine. */
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Whether both lead to one folder, which is there, or are spelled alike. */
export function isSameFolder(one: string, other: string): boolean {
  return one === other || (existsSync(one) && existsSync(other) && realpathSync(one) === realpathSync(other));
}

/** ROOT/pending/NAME without the way to the root. */
export function tailOf(folder: string): string {
  return join(basename(dirname(dirname(folder))), basename(dirname(folder)), basename(folder));
}
