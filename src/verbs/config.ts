/** `jobmgr config`: the value of each option, and where it comes from. */
import {
  keyOf,
  longFlag,
  OPTIONS,
  type Option,
  type OptionName,
  type Origins,
  type RawOptions,
  variableOf,
} from "../config/options.ts";
import { EXIT } from "../exit-codes.ts";
import { launchKey } from "../launch/settings.ts";
import { table } from "../paint.ts";
import { printable } from "../printable.ts";
import type { Call } from "./call.ts";

/** One option as `config --json` tells it. */
interface Line {
  readonly key: string;
  readonly value: string | boolean | readonly string[] | undefined;
  readonly from: string;
}

/** Shows what was laid over what. Secrets are not shown. */
export async function config({
  options,
  raw,
  origins,
  files,
  launch,
  terminal,
}: Call<{ json?: boolean; all?: boolean }>): Promise<number> {
  const names = (Object.keys(OPTIONS) as OptionName[]).filter((name) => (OPTIONS[name] as Option).isFlagOnly !== true);
  const launchers = launch.map((one) => ({ key: launchKey(one), value: one.value, from: one.from }));
  const lines: Line[] = [...names.map((name) => lineOf(name, raw, origins)), ...launchers];
  const shown = options.all ? lines : lines.filter(({ from }) => from !== "default");
  if (options.json) {
    const values = Object.fromEntries(shown.map(({ key, value, from }) => [key, { value: value ?? null, from }]));
    terminal.out(`${JSON.stringify({ schema: 1, files, options: values }, undefined, 1)}\n`);
    return EXIT.ok;
  }
  const rows = shown.map(({ key, value, from }) => [key, printable(textOf(value)), from]);
  // A path that is cut is of no use.
  for (const line of table([["OPTION", "VALUE", "FROM"], ...rows], Number.POSITIVE_INFINITY)) terminal.out(`${line}\n`);
  const hidden = lines.length - shown.length;
  if (hidden > 0) terminal.out(`\n${hidden} more have their default: jobmgr config --all\n`);
  return EXIT.ok;
}

function lineOf(name: OptionName, raw: RawOptions, origins: Origins): Line {
  const option: Option = OPTIONS[name];
  const given = raw[name];
  const origin = origins[name];
  const value = given !== undefined && option.isSecret ? "(not shown)" : (given ?? defaultOf(option));
  return { key: keyOf(name), value, from: given === undefined ? "default" : fromOf(name, origin) };
}

function fromOf(name: OptionName, origin: Origins[OptionName]): string {
  if (!origin) return longFlag(name);
  if (origin.is === "here") return "where one stands";
  return origin.is === "variable" ? variableOf(name) : origin.path;
}

function defaultOf(option: Option): Line["value"] {
  if (option.type === "switch") return false;
  if ("shown" in option && option.shown !== undefined) return option.shown;
  if (option.type === "list") return [];
  return "default" in option && option.default !== undefined ? String(option.default) : undefined;
}

function textOf(value: Line["value"]): string {
  if (value === undefined) return "-";
  return Array.isArray(value) ? (value.length === 0 ? "-" : value.join(" ")) : String(value);
}
