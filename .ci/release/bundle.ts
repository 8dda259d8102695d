/**
 * All of the program, with the packages that it uses, as one text. Only what every call needs is compiled when it
 * starts; each verb and engine is compiled when it is loaded, for to compile all of it costs half of what Node itself
 * costs to start.
 */
import { readFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { compileFunction } from "node:vm";
import { build, type Message, type Plugin, transform } from "esbuild";
import { commentOf, licencesOf } from "./licences.ts";

const HOME = resolve(import.meta.dirname, "../..");
const ENTRY = "bin/jobmgr.ts";
/** `nativeImport`: import() of files that do not belong to the program (engines/native-import.ts). */
const PARAMETERS = ["require", "module", "exports", "nativeImport"];

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
 * The body of a CommonJS module: it needs a `require` that knows Node's own modules, a `nativeImport`, and no file beside
 * it. Throws if something in it would not work in one file (`import.meta`, a package that is not there).
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
  const modules = new Map<string, Module>();
  for (const { path, text } of built.outputFiles) {
    const { imports = [] } = built.metafile.outputs[relative(HOME, path)] ?? {};
    modules.set(`./${basename(path)}`, {
      text: await asCommonJs(text),
      needs: imports.filter(({ kind }) => kind === "import-statement").map((one) => `./${basename(one.path)}`),
    });
  }
  const licences = commentOf(licencesOf(HOME, Object.keys(built.metafile.inputs)));
  return `${textOf("./jobmgr.js", modules)}\n${licences}`;
}

interface Module {
  readonly text: string;
  /** What is loaded before it. */
  readonly needs: readonly string[];
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

/** In the place of what would end a comment; in no module. */
const END = "*@/";

/**
 * Modules that `main` needs are functions. The others are comments, each in a function whose own text it is taken from
 * when it is loaded: V8 skips a comment much faster than it reads a string, and it is there whatever becomes of the file.
 */
function textOf(main: string, modules: ReadonlyMap<string, Module>): string {
  const early = new Set([main]);
  for (const name of early) for (const need of modules.get(name)?.needs ?? []) early.add(need);
  const entries = [...modules].map(([name, { text }]) => {
    if (text.includes(END)) throw new Error(`${name} holds ${END}`);
    const value = early.has(name)
      ? `function(${PARAMETERS.join(",")}){${text}}`
      : `()=>{/*${text.replaceAll("*/", END)}*/}`;
    return `${JSON.stringify(name)}:${value}`;
  });
  return `const modules={${entries.join(",\n")}},loaded={};
function load(name){
if(!Object.hasOwn(modules,name))return require(name);
if(!Object.hasOwn(loaded,name)){
const module=loaded[name]={exports:{}};
let run=modules[name];
const text=String(run);
if(text.startsWith("()=>{/*"))run=require("node:vm").compileFunction(text.slice(7,-3).replaceAll("${END}","*/"),${JSON.stringify(PARAMETERS)},{filename:"jobmgr/"+name.slice(2)});
run(load,module,module.exports,nativeImport);
}
return loaded[name].exports;
}
load(${JSON.stringify(main)});`;
}
