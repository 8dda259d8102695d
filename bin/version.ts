/** Which jobmgr this is. */
import { readFileSync } from "node:fs";

/** The version, where all of the program is one file, with no package.json near it; set by .ci/release/. */
declare const JOBMGR_VERSION: string | undefined;

export function version(): string {
  if (typeof JOBMGR_VERSION === "string") return JOBMGR_VERSION;
  for (const path of ["../package.json", "../../package.json"]) {
    try {
      return JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")).version;
    } catch {
      // The sources lie one level higher than what is built of them.
    }
  }
  return "unknown";
}
