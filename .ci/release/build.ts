/**
 * Makes of the program one file, and an executable.
 *
 *   jobmgr.mjs          dist/jobmgr.mjs, for any Node from 20.9
 *   library             dist/library/ and dist/types/, for programs that import it
 *   jobmgr-linux-x64    dist/jobmgr-linux-x64, with a Node of its own, which is fetched once; where it cannot be
 *                       fetched, there is none, and a line on stderr says so
 */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { bundle } from "./bundle.ts";
import { makeExecutable } from "./executable.ts";
import { makeLibrary } from "./library.ts";
import { NoNodeError } from "./nodes.ts";

const DIST = resolve(import.meta.dirname, "../../dist");

/** What a module of ES needs to run the body of a CommonJS module; and a word for a Node that could not. */
const HEAD = `#!/usr/bin/env node
import { createRequire } from "module";
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 9)) {
  process.stderr.write("jobmgr: it needs Node 20.9 or newer, and this is " + process.version +
    ". Where no newer one is to be had, jobmgr-linux-x64 brings its own.\\n");
  process.exit(1);
}
const require = createRequire(import.meta.url), nativeImport = (url) => import(url);
`;

const wanted = process.argv.slice(2);
const program = await bundle();
mkdirSync(DIST, { recursive: true });
if (wanted.includes("jobmgr.mjs")) {
  const path = join(DIST, "jobmgr.mjs");
  writeFileSync(path, `${HEAD}${program}`);
  chmodSync(path, 0o755);
}
if (wanted.includes("library")) await makeLibrary();
if (wanted.includes("jobmgr-linux-x64")) {
  try {
    await makeExecutable(program, join(DIST, "jobmgr-linux-x64"));
  } catch (error) {
    if (!(error instanceof NoNodeError)) throw error;
    process.stderr.write(`dist/jobmgr-linux-x64 is not made: ${error.message}.\n`);
  }
}
