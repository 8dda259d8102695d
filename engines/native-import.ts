/** import() of a file that is no part of jobmgr, as Node itself does it. */
import { pathToFileURL } from "node:url";

/** Where all of the program is one file, import() inside of it is turned off; its first lines hand in Node's own (.ci/release/build.ts). */
declare const nativeImport: ((url: string) => Promise<object>) | undefined;

/** All that a module gives away. Throws what it throws when it is loaded. */
export function importFile(path: string): Promise<object> {
  const { href } = pathToFileURL(path);
  return typeof nativeImport === "function" ? nativeImport(href) : import(href);
}
