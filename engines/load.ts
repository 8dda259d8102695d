/**
 * Engines that do not come with jobmgr: from a file, or from a package. Whatever is wrong with one is an EngineError, in a
 * sentence that names it.
 */
import { existsSync, statSync } from "node:fs";
import { extname, resolve } from "node:path";
import { isEnginePath } from "../src/config/config.ts";
import type { EngineDefinition } from "../src/engine.ts";
import { EngineError, isEngineError } from "../src/engine-error.ts";
import { guardedDefinition, thrown } from "../src/guarded-engine.ts";
import { shellWord } from "../src/shell-word.ts";
import { importFile } from "./native-import.ts";
import { entryOf, findPackage, type Package, packageNames, whyNotTrusted } from "./packages.ts";

/** Where engines are looked for. */
export interface Places {
  /** Packages: in node_modules of these folders, and above them. */
  readonly folders: readonly string[];
  /** jobmgr itself: who owns it could have put anything into it, too. */
  readonly program: string | undefined;
}

/** An engine that was loaded. What it makes is guarded. */
export interface Foreign {
  readonly definition: EngineDefinition;
  /** An absolute path by which -e finds it again from anywhere: of a package its folder, else the file. */
  readonly from: string;
}

/** Loads what a word names, if it is a path or there is such a package; else undefined. Throws EngineError. */
export async function loadForeign(word: string, places: Places): Promise<Foreign | undefined> {
  if (isEnginePath(word)) return loadFile(resolve(word), word);
  for (const name of packageNames(word)) {
    const found = findPackage(name, places.folders);
    if (found) return loadPackage(found, places, word);
  }
  return undefined;
}

/** Loads a package that was found. Throws EngineError. */
export async function loadPackage(found: Package, { program }: Places, word?: string): Promise<Foreign> {
  const entry = entryFrom(found.folder);
  const trusted = new Set([process.getuid?.() ?? 0, 0, ...ownerOf(program)]);
  const why = whyNotTrusted(found, entry, trusted);
  if (why !== undefined) {
    const remedy = `To run it all the same, give its path: -e ${shellWord(found.folder)}`;
    throw new EngineError("unavailable", `The engine ${found.name} is not loaded: ${why}. ${remedy}`);
  }
  return { ...(await loadFile(entry, word)), from: found.folder };
}

async function loadFile(path: string, word?: string): Promise<Foreign> {
  const file = entryFrom(path);
  if (/^\.[cm]?ts$/.test(extname(file)) && !readsTypeScript()) {
    throw unavailable(
      `This Node (${process.version}) cannot read TypeScript, which ${file} is. Name the .js that is made of it, or use Node 22.18 or newer`,
    );
  }
  const exported = await imported(file);
  return { definition: guardedDefinition(definitionIn(exported, file, word), file), from: path };
}

function entryFrom(path: string): string {
  try {
    return entryOf(path);
  } catch (error) {
    throw new EngineError("refused", `There is no engine ${path}: ${(error as Error).message}.`, { cause: error });
  }
}

function readsTypeScript(): boolean {
  const { typescript } = process.features as { typescript?: string | false };
  return typeof typescript === "string";
}

/** Top-level code may wait for something that never comes. */
const LOAD_LIMIT_S = 30;

async function imported(file: string): Promise<Record<string, unknown>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), LOAD_LIMIT_S * 1000);
  });
  try {
    const exported = await Promise.race([importFile(file), late]);
    if (exported !== undefined) return exported as Record<string, unknown>;
  } catch (error) {
    throw unavailable(`${file} cannot be loaded: ${loadFault(error, file)}`, error);
  } finally {
    clearTimeout(timer);
  }
  throw unavailable(`${file} cannot be loaded: its own code has not come to an end within ${LOAD_LIMIT_S} s`);
}

function loadFault(error: unknown, file: string): string {
  const { code, message = "" } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === "ERR_MODULE_NOT_FOUND" && /package 'jobmgr'/.test(message))
    return `${thrown(error)}. It imports jobmgr, which is not installed where it lies: npm install jobmgr`;
  const said = thrown(error).replace(/\.$/, "");
  if (!(error instanceof SyntaxError) || /:\d+\)$/.test(said)) return said;
  // Of a text that is no JavaScript, the place is on the first line of the stack, or (of a module) nowhere.
  const [first = ""] = String(error.stack).split("\n");
  return /:\d+$/.test(first)
    ? `${said} (${first.replace(/^file:\/\//, "")})`
    : `${said}; \`node ${shellWord(file)}\` shows where`;
}

/** Throws EngineError also where what it gives away throws when it is looked at. */
function definitionIn(exported: Record<string, unknown>, file: string, word: string | undefined): unknown {
  try {
    return engineIn(exported, file, word);
  } catch (error) {
    if (isEngineError(error)) throw error;
    throw unavailable(`${file} is no engine: ${thrown(error)}`, error);
  }
}

/** What looks like a definition among all that a module gives away: the default export first, then the one of that name. */
function engineIn(exported: Record<string, unknown>, file: string, word: string | undefined): unknown {
  const inner = exported.default as Record<string, unknown> | undefined;
  const first = [exported.default, inner?.default].find(isLikeDefinition);
  if (first) return first;
  const named = [...new Set(Object.values(exported).filter(isLikeDefinition))];
  const [only, ...others] = named;
  if (only && others.length === 0) return only;
  const called = named.find((one) => (one as { name?: unknown }).name === word);
  if (called) return called;
  if (only) {
    const names = named.map((one) => String((one as { name?: unknown }).name)).join(", ");
    throw unavailable(`${file} gives away several engines (${names}). Make one of them its default export`);
  }
  const keys = Object.keys(exported);
  const what = keys.length === 0 ? "nothing" : keys.slice(0, 10).join(", ");
  throw unavailable(
    `${file} is no engine: it must give away one object with contract, name, version, summary and make, as its default export or by a name; it gives away ${what}`,
  );
}

function isLikeDefinition(value: unknown): value is object {
  return typeof value === "object" && value !== null && ("make" in value || "contract" in value);
}

function ownerOf(path: string | undefined): readonly number[] {
  return path !== undefined && existsSync(path) ? [statSync(path).uid] : [];
}

function unavailable(message: string, cause?: unknown): EngineError {
  return new EngineError("unavailable", /[.!?]$/.test(message) ? message : `${message}.`, { cause });
}
