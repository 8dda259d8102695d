/**
 * What a configuration file says of launchers: the table [launch], with `backend`, and a table [launch.NAME] for each.
 * Every key once, and how its value must be. Pure.
 */
import { didYouMean } from "../nearest.ts";

/** What a launcher is like: which words it understands. */
export const KINDS = ["openmpi", "mpich", "srun", "local", "other"] as const;
export type Kind = (typeof KINDS)[number];

/** What may be said of one launcher. */
export interface LauncherSettings {
  /** Left out: mpiexec is asked for its version. */
  readonly kind?: Kind;
  /** A name that is looked for on the PATH, or an absolute path. */
  readonly executable?: string;
  /** Words right behind the executable. */
  readonly defaultOptions?: readonly string[];
  /** Words right before each program. */
  readonly presetOptions?: readonly string[];
  /** How the number of processes is told: "-n %(np)d". */
  readonly processesFlag?: string;
}

/** All of it. */
export interface LaunchSettings {
  /** The launcher where none is named. */
  readonly backend?: string;
  readonly launchers: Readonly<Record<string, LauncherSettings>>;
}

/** One value of a file. */
export interface LaunchValue {
  /** Whose it is; undefined for what stands in [launch] itself. */
  readonly launcher?: string;
  readonly key: string;
  readonly value: string | readonly string[];
  /** The file that it stands in. */
  readonly from: string;
}

/** A mistake in a file, in a sentence without the file's name. */
export class LaunchSettingsError extends Error {}

/** As it is named to people: "launch.mpi.executable". */
export function launchKey({ launcher, key }: LaunchValue): string {
  return ["launch", ...(launcher === undefined ? [] : [launcher]), key].join(".");
}

const KEYS = {
  kind: "kind",
  executable: "executable",
  "default-options": "defaultOptions",
  "preset-options": "presetOptions",
  "processes-flag": "processesFlag",
} as const satisfies Record<string, keyof LauncherSettings>;
type Key = keyof typeof KEYS;

const NAME = /^[A-Za-z0-9][\w-]*$/;
const BACKEND = "backend";

/** The values of a file's table [launch]. Throws LaunchSettingsError, whose message follows upon "PATH: ". */
export function readLaunchTable(table: unknown, from: string, asPath: (path: string) => string): LaunchValue[] {
  if (!isTable(table)) throw new LaunchSettingsError("launch must be a table: [launch.NAME]");
  return Object.entries(table).flatMap(([name, value]): LaunchValue[] => {
    if (name === BACKEND) {
      if (typeof value !== "string" || value === "") throw mistake("launch.backend must be a text in quotes");
      return [{ key: BACKEND, value, from }];
    }
    if (!isTable(value))
      throw mistake(
        `the table [launch] has the key "${name}", which is none.${didYouMean(name, [BACKEND])} What is said of a launcher stands in a table of its own: [launch.NAME]`,
      );
    if (!NAME.test(name))
      throw mistake(`[launch."${name}"]: a launcher's name is made of letters, digits, "_" and "-"`);
    return Object.entries(value).map(([key, one]) => ({
      launcher: name,
      key,
      value: checkedValue(name, key, one, asPath),
      from,
    }));
  });
}

function checkedValue(
  name: string,
  key: string,
  value: unknown,
  asPath: (path: string) => string,
): LaunchValue["value"] {
  const where = `[launch.${name}]`;
  if (!Object.hasOwn(KEYS, key))
    throw mistake(
      `${where} has the key "${key}", which is none there.${didYouMean(key, Object.keys(KEYS))} The keys are: ${Object.keys(KEYS).join(", ")}`,
    );
  if (key === "default-options" || key === "preset-options") {
    if (!Array.isArray(value) || !value.every((one) => typeof one === "string"))
      throw mistake(`${key} in ${where} must be a list with each word by itself, such as ["--bind-to", "core"]`);
    return value;
  }
  if (typeof value !== "string" || value.trim() === "" || value.includes("\0"))
    throw mistake(`${key} in ${where} must be a text in quotes, such as ${EXAMPLES[key as Key]}`);
  if (key === "kind" && !KINDS.some((kind) => kind === value))
    throw mistake(`kind = ${value} in ${where}: it must be one of ${KINDS.join(", ")}`);
  const strange = key === "processes-flag" ? /%(?!\(np\)[ds]).?/.exec(value.replaceAll("%%", "")) : null;
  if (strange)
    throw mistake(`${key} in ${where} has ${strange[0]}, which is none: %(np)d is the number of processes, and %% a %`);
  // A name alone is looked for on the PATH.
  return key === "executable" && value.includes("/") ? asPath(value) : value;
}

const EXAMPLES: Readonly<Record<Key, string>> = {
  kind: '"openmpi"',
  executable: '"/opt/mpi/bin/mpiexec"',
  "default-options": "",
  "preset-options": "",
  "processes-flag": '"-n %(np)d"',
};

/** What is in force, of the values of all files: where a key stands twice, the first one counts. */
export function laidOver(values: readonly LaunchValue[]): LaunchValue[] {
  const first = new Map<string, LaunchValue>();
  for (const value of values) if (!first.has(launchKey(value))) first.set(launchKey(value), value);
  return [...first.values()];
}

/** The same as settings. */
export function launchSettingsOf(values: readonly LaunchValue[]): LaunchSettings {
  const launchers: Record<string, LauncherSettings> = {};
  let backend: string | undefined;
  for (const { launcher, key, value } of values) {
    if (launcher === undefined) backend = String(value);
    else launchers[launcher] = { ...launchers[launcher], [KEYS[key as Key]]: value };
  }
  return { ...(backend !== undefined && { backend }), launchers };
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function mistake(sentence: string): LaunchSettingsError {
  return new LaunchSettingsError(sentence);
}
