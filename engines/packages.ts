/** Packages with engines: where they lie, and which file of them is loaded. Nothing of them is run here. */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";

/** A package of this name brings an engine, and may be called by what stands behind it. */
const PREFIX = "jobmgr-engine-";

const NAME = /^(?:@[\w~-][\w.~-]*\/)?[\w~-][\w.~-]*$/;

/** A package that was found. */
export interface Package {
  readonly name: string;
  readonly folder: string;
}

/** The names that a package may have for this word, the likeliest first. */
export function packageNames(word: string): readonly string[] {
  if (!NAME.test(word)) return [];
  const prefixed = word.replace(/[^/]+$/, (last) => (last.startsWith(PREFIX) ? last : PREFIX + last));
  return [...new Set([prefixed, word])];
}

/** The first package of this name: in a node_modules of one of these folders, or above it. */
export function findPackage(name: string, from: readonly string[]): Package | undefined {
  for (const modules of modulesFolders(from)) {
    const folder = join(modules, name);
    if (existsSync(join(folder, "package.json"))) return { name, folder };
  }
  return undefined;
}

/** All packages with engines that can be found from these folders; of two of one name the first. */
export function findPackages(from: readonly string[]): readonly Package[] {
  const found = new Map<string, Package>();
  for (const modules of modulesFolders(from)) {
    const scopes = namesIn(modules).filter((one) => one.startsWith("@"));
    const names = [
      ...namesIn(modules),
      ...scopes.flatMap((scope) => namesIn(join(modules, scope)).map((one) => join(scope, one))),
    ];
    for (const name of names.filter((one) => basename(one).startsWith(PREFIX)).sort())
      if (!found.has(name) && existsSync(join(modules, name, "package.json")))
        found.set(name, { name, folder: join(modules, name) });
  }
  return [...found.values()];
}

/** By what -e calls a package. */
export function wordOf({ name }: Package): string {
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
}

/** The node_modules of these folders and of those above them, the nearest first. */
function modulesFolders(from: readonly string[]): readonly string[] {
  const folders = new Set<string>();
  for (const first of from) {
    for (let at = resolve(first); ; at = dirname(at)) {
      folders.add(basename(at) === "node_modules" ? at : join(at, "node_modules"));
      if (at === dirname(at)) break;
    }
  }
  return [...folders];
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

// -- the file --

/** What a package gives to one who loads it by import, in the order of its own list. */
const CONDITIONS = new Set(["node", "import", "module-sync", "default", "require"]);

/** The file that stands for a path: itself, or what the package.json of a folder names. Throws an Error that says why there is none. */
export function entryOf(path: string): string {
  const file = isFolder(path) ? join(path, mainOf(path)) : path;
  const tried = [file, `${file}.js`, join(file, "index.js")];
  const entry = (extname(file) === "" ? tried : [file]).find((one) => existsSync(one) && !isFolder(one));
  if (entry === undefined) throw new Error(file === path ? "there is no such file" : `there is no ${file}`);
  return realpathSync(entry);
}

function mainOf(folder: string): string {
  const manifest = join(folder, "package.json");
  if (!existsSync(manifest)) return "index.js";
  const { exports, main } = JSON.parse(readFileSync(manifest, "utf8")) as { exports?: unknown; main?: unknown };
  const target = exports === undefined ? main : targetOf(exports);
  if (exports !== undefined && target === undefined) throw new Error(`${manifest} exports nothing under "."`);
  return typeof target === "string" ? target : "index.js";
}

/** What stands there for ".": https://nodejs.org/api/packages.html#conditional-exports */
function targetOf(exports: unknown): string | undefined {
  if (typeof exports === "string") return exports;
  if (Array.isArray(exports)) return exports.map(targetOf).find((one) => one !== undefined);
  if (typeof exports !== "object" || exports === null) return undefined;
  const entries = Object.entries(exports);
  if (entries.some(([key]) => key.startsWith("."))) return targetOf((exports as Record<string, unknown>)["."]);
  for (const [condition, target] of entries) {
    const found = CONDITIONS.has(condition) ? targetOf(target) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

const OTHERS_WRITE = 0o002;

/**
 * Why a package that was only searched for must not be run: somebody else could have put it there, as into /tmp. Who
 * gives its path means that very file.
 */
export function whyNotTrusted(
  { name, folder }: Package,
  entry: string,
  trusted: ReadonlySet<number>,
): string | undefined {
  const depth = name.split("/").map(() => "..");
  for (const path of [join(folder, ...depth), entry]) {
    const { uid, mode } = statSync(path);
    if (!trusted.has(uid)) return `${path} belongs to another user (uid ${uid})`;
    if ((mode & OTHERS_WRITE) !== 0) return `everybody may write to ${path}`;
  }
  return undefined;
}
