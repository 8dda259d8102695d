/**
 * The layers of configuration: flags, then JOBMGR_* variables, then ROOT/jobmgr.toml, the user's jobmgr.toml, and
 * /etc/jobmgr.toml. Which root it is must be known before its file can be read. The only importer of smol-toml.
 */
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import type { Disk } from "../disk.ts";
import { LaunchSettingsError, type LaunchValue, laidOver, readLaunchTable } from "../launch/settings.ts";
import { didYouMean } from "../nearest.ts";
import { shellWord } from "../shell-word.ts";
import { absolutePath, ConfigError, isBareDryRun, settingsOf } from "./config.ts";
import {
  keyOf,
  OPTIONS,
  type Option,
  type OptionName,
  type Origin,
  type Origins,
  type RawOptions,
  variableOf,
} from "./options.ts";

const NAMES = Object.keys(OPTIONS) as OptionName[];
const OWN_FILE = "jobmgr.toml";
/** The table of launchers; all other keys of a file are options. */
const LAUNCH = "launch";

/** Variables that a job of LocalEngine finds in its environment, and may hand on to a jobmgr that it starts. */
const OF_A_JOB = new Set(["JOBMGR_JOB_ID", "JOBMGR_JOB_NAME", "JOBMGR_TASK"]);

/** What the layers are read from. */
export interface Place {
  readonly disk: Disk;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly uid: number;
  /** /etc/jobmgr.toml */
  readonly systemFile: string;
}

/** What all layers say together. */
export interface Layered {
  readonly raw: RawOptions;
  /** Of each value that is not a flag's. */
  readonly origins: Origins;
  /** The files that were read. */
  readonly files: readonly string[];
  /** What they say of launchers, in tables [launch.NAME]: the values in force. */
  readonly launch: readonly LaunchValue[];
}

/** Lays the flags over all else that is configured. Throws ConfigError, which names file and key. */
export function layersOver(flags: RawOptions, place: Place): Layered {
  const userFolder = place.env.XDG_CONFIG_HOME || join(place.env.HOME || homedir(), ".config");
  const layers: Layer[] = [
    { raw: flags, origin: undefined },
    { raw: variables(place.env), origin: { is: "variable" } as const },
    ...[join(userFolder, OWN_FILE), place.systemFile].flatMap((path) => fileLayer(place, path, [])),
  ];
  const whole = overlaid(layers);
  const { root } = settingsOf({ root: whole.raw.root ?? rootAround(place) }, whole.origins);
  // Between the variables and the user's file.
  layers.splice(2, 0, ...fileLayer(place, join(root, OWN_FILE), ["root"]));
  const { raw, origins } = overlaid(layers);
  const files = layers.flatMap(({ origin }) => (origin?.is === "file" ? [origin.path] : []));
  if (raw.root === undefined) {
    raw.root = root;
    origins.root = { is: "here" };
  }
  return { raw, origins, files, launch: laidOver(layers.flatMap(({ launch = [] }) => launch)) };
}

interface Layer {
  readonly raw: RawOptions;
  readonly origin: Origins[OptionName] | undefined;
  readonly launch?: readonly LaunchValue[];
}

/** The first layer that has a value gives it. DryRunEngine stands before the engine that would count without it. */
function overlaid(layers: readonly Layer[]): { raw: RawOptions; origins: Origins } {
  const raw: RawOptions = {};
  const origins: Origins = {};
  for (const name of NAMES) {
    const layer = layers.find((one) => one.raw[name] !== undefined);
    const value = layer?.raw[name];
    if (value === undefined) continue;
    raw[name] = value;
    if (layer?.origin) origins[name] = layer.origin;
  }
  if (isBareDryRun(raw.engine)) {
    const beneath = layers.find((one) => one.raw.engine !== undefined && !isBareDryRun(one.raw.engine));
    raw.engine = `${raw.engine}:${beneath?.raw.engine ?? OPTIONS.engine.default}`;
    if (beneath?.origin) origins.engine = beneath.origin;
  }
  return { raw, origins };
}

/** The nearest folder from here upwards that is a root; else where one stands. */
function rootAround({ disk, cwd }: Place): string {
  for (let at = resolve(cwd); ; at = dirname(at)) {
    if (isReachable(disk, join(at, ".jobmgr", "root.json"))) return at;
    if (at === dirname(at)) return cwd;
  }
}

function variables(env: NodeJS.ProcessEnv): RawOptions {
  const raw: RawOptions = {};
  const known = new Map(NAMES.filter(isConfigurable).map((name) => [variableOf(name), name]));
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith("JOBMGR_") || OF_A_JOB.has(variable) || text === undefined || text === "") continue;
    const name = known.get(variable);
    if (name === undefined)
      throw new ConfigError(
        `The environment has ${variable}, which is no option.${didYouMean(variable, known.keys())} Unset it, or name it right; \`jobmgr config --all\` shows all.`,
      );
    raw[name] = variableValue(name, variable, text);
  }
  return raw;
}

const YES = /^(1|true|yes|on)$/i;
const NO = /^(0|false|no|off)$/i;

function variableValue(name: OptionName, variable: string, text: string): string | boolean | readonly string[] {
  const { type } = OPTIONS[name];
  if (type === "list") return text.split(/\s+/).filter(Boolean);
  if (type !== "switch") return text;
  if (!YES.test(text) && !NO.test(text)) throw new ConfigError(`${variable}=${text}: it must be 1 or 0`);
  return YES.test(text);
}

function isConfigurable(name: OptionName): boolean {
  return (OPTIONS[name] as Option).isFlagOnly !== true;
}

/** The layer of one file; none if it is not there. `without`: options that this file cannot set. */
function fileLayer(place: Place, path: string, without: readonly OptionName[]): Layer[] {
  const text = readFile(place, path);
  if (text === undefined) return [];
  const origin = { is: "file", path } as const;
  const { [LAUNCH]: table, ...options } = parsed(path, text);
  const launch = table === undefined ? [] : launchValues(table, origin);
  return [{ raw: optionsIn(options, path, without), origin, launch }];
}

/** What values say by the keys of a configuration file. `where`: how a message names them. Throws ConfigError. */
export function optionsIn(
  values: Readonly<Record<string, unknown>>,
  where: string,
  without: readonly OptionName[] = [],
): RawOptions {
  const raw: RawOptions = {};
  const known = new Map(NAMES.filter(isConfigurable).map((name) => [keyOf(name), name]));
  for (const name of without) known.delete(keyOf(name));
  for (const [key, value] of Object.entries(values)) {
    const name = known.get(key);
    if (name === undefined)
      throw new ConfigError(
        `${where} has the key "${key}", which is no option there.${didYouMean(key, [...known.keys(), LAUNCH])} \`jobmgr --help\` lists the options; a key is the long one without its "--".`,
      );
    raw[name] = fileValue(name, key, value, where);
  }
  return raw;
}

function launchValues(table: unknown, origin: Origin & { is: "file" }): readonly LaunchValue[] {
  try {
    return readLaunchTable(table, origin.path, (path) => absolutePath(path, origin));
  } catch (error) {
    if (error instanceof LaunchSettingsError) throw new ConfigError(`${origin.path}: ${error.message}`);
    throw error;
  }
}

const OTHERS_WRITE = 0o002;

/** What a configuration says may be run: so it must be the user's own, or the administrator's. */
function readFile({ disk, uid }: Place, path: string): string | undefined {
  const unusable = (why: string) => new ConfigError(`${path} cannot be used: ${why}`);
  // A folder on the way that is closed to this user holds nothing for him.
  if (!isReachable(disk, path)) return undefined;
  try {
    const real = disk.look(path)?.kind === "link" ? disk.realPath(path) : path;
    const look = disk.look(real);
    if (!look) return undefined;
    if (look.kind !== "file") throw new Error("it is not a file");
    if (look.uid !== uid && look.uid !== 0) throw new Error(`it belongs to another user (uid ${look.uid})`);
    if ((look.mode & OTHERS_WRITE) !== 0)
      throw new Error(`everybody may write to it. Close it: chmod o-w ${shellWord(path)}`);
    return disk.read(real)?.toString("utf8");
  } catch (error) {
    throw unusable((error as Error).message);
  }
}

function isReachable(disk: Disk, path: string): boolean {
  try {
    return disk.look(path) !== undefined;
  } catch {
    return false;
  }
}

function parsed(path: string, text: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [what = ""] = error.message.replace(/^Invalid TOML document: /, "").split("\n");
    throw new ConfigError(`${path}, line ${error.line}: ${what}${quotesHint(text.split("\n")[error.line - 1] ?? "")}`);
  }
}

/** The slip that most people make. What may be a secret is not shown. */
function quotesHint(line: string): string {
  const [, key, value] = /^\s*([\w-]+)\s*=\s*["']?([A-Za-z~./][^"'[\]{}#]*)["']?\s*$/.exec(line) ?? [];
  const isSecret = NAMES.some((name) => keyOf(name) === key && (OPTIONS[name] as Option).isSecret);
  return value === undefined || isSecret ? "" : `. A text stands in quotes: ${key} = "${value.trim()}"`;
}

function fileValue(name: OptionName, key: string, value: unknown, path: string): string | boolean | readonly string[] {
  const { type } = OPTIONS[name];
  const wrong = (kind: string) => new ConfigError(`${key} in ${path} must be ${kind}`);
  if (type === "switch") {
    if (typeof value !== "boolean") throw wrong("true or false");
    return value;
  }
  if (type === "list") {
    const list = Array.isArray(value) ? value : [value];
    if (!list.every((item) => typeof item === "string" || typeof item === "number"))
      throw wrong('a list of texts, such as ["a", "b"]');
    return list.map(String);
  }
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (typeof value !== "string") throw wrong(type === "number" ? "a number" : 'a text in quotes, such as "a"');
  return value;
}
