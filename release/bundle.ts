/**
 * All of the program, with the packages that it uses, as one text. Only what every call needs is compiled when it
 * starts; each verb and engine is a string in it, compiled when it is loaded, for to compile all of it costs half of
 * what Node itself costs to start.
 */
import { readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { compileFunction } from "node:vm";
import { build, type Message, type Plugin, transform } from "esbuild";
import { licencesOf } from "./licences.ts";

const HOME = resolve(import.meta.dirname, "..");
const ENTRY = "bin/jobmgr.ts";
const PARAMETERS = ["require", "module", "exports"];

/** Names stay as they are, so that the stack of a fault can be read. */
const SHORT = { minifyWhitespace: true, minifySyntax: true, legalComments: "none", target: "node20.9" } as const;

/** commander asks for it at its own start, and uses it for subcommands that are programs of their own: not here. */
const LATE_CHILD_PROCESS: Plugin = {
  name: "late-child-process",
  setup(plugin) {
    const namespace = "late";
    plugin.onResolve({ filter: /^node:child_process$/ }, ({ path, importer }) =>
      importer.includes("/node_modules/commander/") ? { path, namespace } : undefined,
    );
    plugin.onLoad({ filter: /./, namespace }, ({ path }) => ({
      contents: `module.exports = { get spawn() { return require(${JSON.stringify(path)}).spawn; } };`,
    }));
  },
};

/**
 * The body of a CommonJS module: it needs a `require` that knows Node's own modules, and no file beside it. Throws if
 * something in it would not work in one file (`import.meta`, a package that is not there).
 */
export async function bundle(): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(HOME, "package.json"), "utf8")) as { version: string };
  const built = await build({
    ...SHORT,
    entryPoints: [ENTRY],
    absWorkingDir: HOME,
    outdir: "one",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    define: { JOBMGR_VERSION: JSON.stringify(version) },
    plugins: [LATE_CHILD_PROCESS],
    metafile: true,
    write: false,
    logLevel: "silent",
  });
  refuse(built.warnings);
  const modules = new Map<string, string>();
  for (const { path, text } of built.outputFiles) modules.set(`./${basename(path)}`, await asCommonJs(text));
  const main = modules.get("./jobmgr.js");
  if (main === undefined) throw new Error(`${ENTRY} gave no jobmgr.js`);
  modules.delete("./jobmgr.js");
  return `${textOf(main, modules)}\n${licencesOf(HOME, Object.keys(built.metafile.inputs))}`;
}

/** In strict mode, as the modules are that it is made of. */
async function asCommonJs(text: string): Promise<string> {
  const withoutFirstLine = text.replace(/^#!.*\n/, "");
  const { code, warnings } = await transform(withoutFirstLine, {
    ...SHORT,
    format: "cjs",
    platform: "node",
    supported: { "dynamic-import": false },
    logLevel: "silent",
  });
  refuse(warnings);
  const strict = `"use strict";${code}`;
  compileFunction(strict, PARAMETERS);
  return strict;
}

/** What esbuild warns of works beside its sources only. */
function refuse(warnings: readonly Message[]): void {
  const [first] = warnings;
  if (first) throw new Error(`${first.location?.file ?? "?"}:${first.location?.line ?? "?"}: ${first.text}`);
}

function textOf(main: string, modules: ReadonlyMap<string, string>): string {
  return `const modules=${JSON.stringify(Object.fromEntries(modules))},loaded={};
function load(name){
if(!Object.hasOwn(modules,name))return require(name);
if(!Object.hasOwn(loaded,name)){
const module=loaded[name]={exports:{}};
require("node:vm").compileFunction(modules[name],${JSON.stringify(PARAMETERS)},{filename:"jobmgr/"+name.slice(2)})(load,module,module.exports);
}
return loaded[name].exports;
}
(function(${PARAMETERS.join(",")}){${main}})(load,{},{});`;
}
