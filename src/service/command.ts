/** The command line of a manager that is to do, unattended, what a call from here would do. Pure. */
import { absolutePath, isEnginePath, type Settings } from "../config/config.ts";
import { longFlag, OPTIONS, type Option, type OptionName, type Origins, type RawOptions } from "../config/options.ts";

/** What a manager needs of the environment, beside its PATH. */
const VARIABLES = ["SLURM_CONF", "SLURM_CLUSTERS"];

/** The command that a unit, or a line of cron, runs. */
export interface ServiceCommand {
  /** The program and its arguments, each one word. */
  readonly words: readonly string[];
  /** Variables that belong to it, as "NAME=value". */
  readonly variables: readonly string[];
  /** Secrets, which anybody could read in a list of processes: they are left out. */
  readonly left: readonly OptionName[];
}

/**
 * Options that come from flags and the environment are said on the command line, for a service has neither; those of
 * configuration files stay there. `more`: options that this kind of service needs, if they are not said already.
 */
export function serviceCommand(
  call: { readonly settings: Settings; readonly raw: RawOptions; readonly origins: Origins },
  program: readonly string[],
  env: NodeJS.ProcessEnv,
  more: readonly string[] = [],
): ServiceCommand {
  const { settings, raw, origins } = call;
  const left: OptionName[] = [];
  const words = [...program, "--root", settings.root];
  for (const name of Object.keys(OPTIONS) as OptionName[]) {
    const option: Option = OPTIONS[name];
    const isOfFile = origins[name]?.is === "file";
    if (name === "root" || name === "color" || option.isFlagOnly || raw[name] === undefined || isOfFile) continue;
    if (option.isSecret) left.push(name);
    else words.push(...optionWords(name, option, raw[name], origins[name]));
  }
  const variables = VARIABLES.flatMap((name) => (env[name] ? [`${name}=${env[name]}`] : []));
  return { words: [...words, ...more], variables, left };
}

function optionWords(
  name: OptionName,
  option: Option,
  value: RawOptions[OptionName],
  origin: Origins[OptionName],
): string[] {
  const flag = longFlag(name);
  if (option.type === "switch") return [value === true ? flag : flag.replace("--", "--no-")];
  // "=" for what begins with "-", as --engine-arg does.
  if (option.type === "list") return (Array.isArray(value) ? value : []).map((one) => `${flag}=${one}`);
  // A relative path would mean something else where a service is started.
  const isPath = option.type === "text" && (option.isPath || (name === "engine" && isEnginePath(String(value))));
  if (isPath) return [flag, absolutePath(String(value), origin)];
  return String(value).startsWith("-") ? [`${flag}=${value}`] : [flag, String(value)];
}
