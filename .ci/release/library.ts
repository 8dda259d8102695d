/**
 * What programs import of the package, each with all that it needs, so that the package has no dependencies; and the
 * declarations, as far as they can be reached from there.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { build } from "esbuild";
import { licencesOf } from "./licences.ts";

const HOME = resolve(import.meta.dirname, "../..");
const DIST = join(HOME, "dist");

/** The sources of what package.json exports, by the name of what is made of them. */
const ENTRIES: Readonly<Record<string, string>> = {
  library: "bin/library.ts",
  engine: "src/library/engine.ts",
  "engine-contract": "test/contract/engine-contract.ts",
};

/** What a module of ES needs to run the body of a CommonJS module. */
const HEAD = `import { createRequire as jobmgrRequire } from "node:module"; const require = jobmgrRequire(import.meta.url);`;

/** dist/library/NAME.mjs, and what several of them share. */
export async function makeLibrary(): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(HOME, "package.json"), "utf8")) as { version: string };
  const outdir = join(DIST, "library");
  rmSync(outdir, { recursive: true, force: true });
  const { metafile, warnings } = await build({
    entryPoints: ENTRIES,
    absWorkingDir: HOME,
    outdir,
    outExtension: { ".js": ".mjs" },
    chunkNames: "parts/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.9",
    // Whoever tests an engine has a vitest, and all of a test run must have the same one.
    external: ["vitest"],
    define: { JOBMGR_VERSION: JSON.stringify(version) },
    banner: { js: HEAD },
    minifySyntax: true,
    legalComments: "none",
    metafile: true,
    logLevel: "silent",
  });
  const [first] = warnings;
  if (first) throw new Error(`${first.location?.file ?? "?"}:${first.location?.line ?? "?"}: ${first.text}`);
  writeFileSync(join(outdir, "LICENCES.txt"), `${licencesOf(HOME, Object.keys(metafile.inputs))}\n`);
  makeTypes(join(DIST, "types"));
}

const IMPORT = /(?<=\bfrom "|\bimport\(")(\.[^"]*)\.ts(?="\)?)/g;

/** The declarations that the entries need, with imports that any TypeScript follows. */
function makeTypes(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  const needed = new Set(Object.values(ENTRIES).map((entry) => entry.replace(/\.ts$/, "")));
  for (const name of needed) {
    const text = readFileSync(join(DIST, `${name}.d.ts`), "utf8");
    for (const [, path = ""] of text.matchAll(IMPORT)) needed.add(relative(DIST, resolve(DIST, dirname(name), path)));
    const to = join(folder, `${name}.d.ts`);
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, text.replace(IMPORT, "$1.js"));
  }
}
