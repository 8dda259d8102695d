/** From options as they were given to settings that can be relied on: every one is checked. */

import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { ConfigError } from "../errors.ts";
import { type Level, OCCASIONS, type Occasion } from "../events.ts";
import { FILES } from "../files.ts";
import { NO_RETRY, occasionsOf, type RetryRules } from "../retry/retry.ts";
import {
  keyOf,
  longFlag,
  OPTIONS,
  type Option,
  type OptionName,
  type Origin,
  type Origins,
  type RawOptions,
  variableOf,
} from "./options.ts";

/** A wrong option. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export { ConfigError };

const FILE_NAME_BYTES_MAX = 200;

/** Who is told of ends, of which, and how. */
export interface NotifySettings {
  readonly on: readonly Occasion[];
  readonly command: string | undefined;
  /** One of both at most. */
  readonly url: URL | undefined;
  readonly urlFile: string | undefined;
  readonly headerFile: string | undefined;
  readonly mail: readonly string[];
  readonly smtpFile: string | undefined;
}

/** All that was set, checked: units are in the names, paths are absolute. */
export interface Settings {
  readonly root: string;
  /** The name of one that comes with jobmgr, a package, or the absolute path of a file. */
  readonly engine: string;
  /** It is only shown what that engine would be given. */
  readonly dryRun: boolean;
  readonly engineArgs: readonly string[];
  readonly once: boolean;
  readonly periodS: number;
  readonly finishedFile: string | undefined;
  readonly groupWritable: boolean;
  /** undefined: the engine's own default. */
  readonly jobsMax: number | undefined;
  readonly pendingMax: number;
  readonly delayS: number;
  readonly pauseFile: string;
  readonly graceS: number;
  /** The least time between two questions to a scheduler. */
  readonly queryS: number;
  readonly doubtS: number;
  readonly lostAfterS: number;
  readonly settleS: number;
  readonly readyFile: string | undefined;
  readonly archiveResult: "beside" | "instead";
  readonly archiveBytesMax: number;
  readonly archiveEntriesMax: number;
  readonly archiveRatioMax: number;
  readonly errorsMax: number;
  readonly errorShare: number;
  readonly errorWindowS: number;
  readonly errorLeast: number;
  readonly errorCoolDownS: number;
  readonly retry: RetryRules;
  readonly allowOwners: readonly string[];
  readonly allowShared: boolean;
  readonly lockPatienceS: number;
  /** undefined: nobody is told. */
  readonly notify: NotifySettings | undefined;
  readonly metricsFile: string | undefined;
  readonly logFile: string | undefined;
  readonly logLevel: Level;
  readonly color: "auto" | "always" | "never";
}

/** Checks every option. Throws UsageError or ConfigError, which names the option, where it stands, and its range. */
export function settingsOf(raw: RawOptions, origins: Origins = {}): Settings {
  const given = { raw, origins };
  const root = pathOf(given, "root") ?? resolve(".");
  return {
    root,
    ...engineOf(given),
    engineArgs: listOf(given, "engineArg"),
    once: raw.once === true,
    periodS: numberOf(given, "period") ?? OPTIONS.period.default,
    finishedFile: fileNameOf(given, "finishedFile"),
    groupWritable: raw.groupWritable === true,
    jobsMax: numberOf(given, "maxJobs"),
    pendingMax: numberOf(given, "maxPending") ?? OPTIONS.maxPending.default,
    delayS: numberOf(given, "delay") ?? OPTIONS.delay.default,
    pauseFile: pathOf(given, "pauseFile") ?? join(root, "pause"),
    graceS: numberOf(given, "grace") ?? OPTIONS.grace.default,
    queryS: numberOf(given, "minQueryInterval") ?? OPTIONS.minQueryInterval.default,
    doubtS: numberOf(given, "doubt") ?? OPTIONS.doubt.default,
    lostAfterS: numberOf(given, "lostAfter") ?? OPTIONS.lostAfter.default,
    settleS: numberOf(given, "settle") ?? OPTIONS.settle.default,
    readyFile: fileNameOf(given, "readyFile"),
    archiveResult: choiceOf(given, "archiveResult") as Settings["archiveResult"],
    archiveBytesMax: (numberOf(given, "archiveSize") ?? OPTIONS.archiveSize.default) * 1e9,
    archiveEntriesMax: numberOf(given, "archiveEntries") ?? OPTIONS.archiveEntries.default,
    archiveRatioMax: numberOf(given, "archiveRatio") ?? OPTIONS.archiveRatio.default,
    errorsMax: numberOf(given, "maxErrors") ?? OPTIONS.maxErrors.default,
    errorShare: numberOf(given, "errorShare") ?? OPTIONS.errorShare.default,
    errorWindowS: numberOf(given, "errorWindow") ?? OPTIONS.errorWindow.default,
    errorLeast: numberOf(given, "errorLeast") ?? OPTIONS.errorLeast.default,
    errorCoolDownS: numberOf(given, "errorCooldown") ?? OPTIONS.errorCooldown.default,
    retry: retryOf(given),
    allowOwners: listOf(given, "allowOwner"),
    allowShared: raw.allowShared === true,
    lockPatienceS: numberOf(given, "lockPatience") ?? OPTIONS.lockPatience.default,
    notify: notifyOf(given),
    metricsFile: pathOf(given, "metrics"),
    logFile: pathOf(given, "logFile"),
    logLevel: choiceOf(given, "logLevel") as Level,
    color: choiceOf(given, "color") as Settings["color"],
  };
}

/** The options as they were given, and where each stands. */
interface Given {
  readonly raw: RawOptions;
  readonly origins: Origins;
}

function refusal({ origins }: Given, name: OptionName, value: string, why: string): UsageError | ConfigError {
  const origin = origins[name];
  const shown = (OPTIONS[name] as Option).isSecret ? "..." : value;
  if (!origin) return new UsageError(`${[longFlag(name), shown].filter(Boolean).join(" ")}: ${why}`);
  if (origin.is === "file") return new ConfigError(`${keyOf(name)} = ${shown} in ${origin.path}: ${why}`);
  return new ConfigError(`${variableOf(name)}=${shown}: ${why}`);
}

function textOf(given: Given, name: OptionName): string | undefined {
  const value = given.raw[name];
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value === "") throw refusal(given, name, "", "it needs a value");
  return value;
}

function listOf(given: Given, name: OptionName): readonly string[] {
  const value = given.raw[name];
  return Array.isArray(value) ? value : [];
}

/** A path in a configuration file is meant from that file's folder; "~" is a shell's word, which no shell has seen there. */
function pathOf(given: Given, name: OptionName): string | undefined {
  const value = textOf(given, name);
  if (value === undefined) return undefined;
  return absolutePath(value, given.origins[name]);
}

/** What a path means that was given there. */
export function absolutePath(value: string, origin: Origin | undefined): string {
  if (!origin) return resolve(value);
  const path = value === "~" || value.startsWith("~/") ? join(homedir(), value.slice(1)) : value;
  return origin.is === "file" ? resolve(dirname(origin.path), path) : resolve(path);
}

/** A name; or, of one that is written as a path, what it means where it was written. "DryRunEngine:" may stand before it. */
function engineOf(given: Given): { engine: string; dryRun: boolean } {
  const value = textOf(given, "engine") ?? OPTIONS.engine.default;
  const [, dry, rest] = DRY_RUN.exec(value) ?? [];
  const word = dry === undefined ? value : (rest ?? OPTIONS.engine.default);
  if (word === "") throw refusal(given, "engine", value, "it needs an engine behind its colon");
  return { engine: isEnginePath(word) ? absolutePath(word, given.origins.engine) : word, dryRun: dry !== undefined };
}

/** "DryRunEngine", for the engine that is configured beneath it, or "DryRunEngine:LocalEngine". */
const DRY_RUN = /^((?:engines\.)?DryRun(?:Engine)?)(?::(.*))?$/is;

/** True for "DryRunEngine" alone: which engine it stands before is said elsewhere. */
export function isBareDryRun(word: unknown): word is string {
  return typeof word === "string" && DRY_RUN.test(word) && !word.includes(":");
}

/** True for an engine that is named by its file, as "./engine.js": what has no such beginning is a name. */
export function isEnginePath(word: string): boolean {
  return /^(?:\.{1,2}|~)?\/|^\.{1,2}$/.test(word);
}

function fileNameOf(given: Given, name: OptionName): string | undefined {
  const value = textOf(given, name);
  const reserved = [...Object.values<string>(FILES), ".jobmgr", ".", ".."];
  const tooLong = value !== undefined && Buffer.byteLength(value) > FILE_NAME_BYTES_MAX;
  if (value !== undefined && (tooLong || value.includes("/") || reserved.includes(value))) {
    const rule = `it must be the name of a file in the job's folder, without "/", of at most ${FILE_NAME_BYTES_MAX} bytes, and not one that jobmgr uses itself`;
    throw refusal(given, name, value, rule);
  }
  return value;
}

function retryOf(given: Given): RetryRules {
  const words = listOf(given, "retryOn").join(" ");
  const read = given.raw.retryOn === undefined ? { on: NO_RETRY.on } : occasionsOf(words);
  if ("fault" in read) throw refusal(given, "retryOn", words, read.fault);
  return {
    times: numberOf(given, "retryTimes") ?? NO_RETRY.times,
    on: read.on,
    pauseS: numberOf(given, "retryPause") ?? NO_RETRY.pauseS,
    memory: factorOf(given, "retryMemory"),
    time: factorOf(given, "retryTime"),
    raiseMax: numberOf(given, "retryRaiseMax") ?? NO_RETRY.raiseMax,
  };
}

/** A factor of 1 is none. */
function factorOf(given: Given, name: OptionName): number | undefined {
  const factor = numberOf(given, name);
  return factor === 1 ? undefined : factor;
}

function notifyOf(given: Given): NotifySettings | undefined {
  const settings: NotifySettings = {
    on: notifyOnOf(given),
    command: pathOf(given, "notifyCommand"),
    url: webAddressOf(given, "notifyUrl"),
    urlFile: pathOf(given, "notifyUrlFile"),
    headerFile: pathOf(given, "notifyHeaderFile"),
    mail: addressesOf(given, "notifyMail"),
    smtpFile: pathOf(given, "notifySmtpFile"),
  };
  const { command, url, urlFile, headerFile, mail, smtpFile } = settings;
  const isUrl = url !== undefined || urlFile !== undefined;
  const needs = (name: OptionName, what: string) => refusal(given, name, "", `it says nothing without ${what}`);
  if (url && urlFile !== undefined) throw refusal(given, "notifyUrlFile", urlFile, "--notify-url is given as well");
  if (headerFile !== undefined && !isUrl) throw needs("notifyHeaderFile", "--notify-url or --notify-url-file");
  if (smtpFile !== undefined && mail.length === 0) throw needs("notifySmtpFile", "--notify-mail");
  if (command !== undefined || isUrl || mail.length > 0) return settings;
  if (given.raw.notifyOn === undefined) return undefined;
  throw needs("notifyOn", "--notify-command, --notify-url or --notify-mail");
}

function notifyOnOf(given: Given): readonly Occasion[] {
  const words = listOf(given, "notifyOn").flatMap((text) => text.split(/[\s,]+/).filter(Boolean));
  const unknown = words.find((word) => !(OCCASIONS as readonly string[]).includes(word));
  if (unknown !== undefined) throw refusal(given, "notifyOn", unknown, `it must be of ${OCCASIONS.join(", ")}`);
  return words.length === 0 ? ["failure", "batch"] : (words as Occasion[]);
}

function webAddressOf(given: Given, name: OptionName): URL | undefined {
  const text = textOf(given, name);
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw refusal(given, name, text, "it must be an address that begins with http:// or https://");
}

/** An address is handed to sendmail, which takes what begins with "-" for an option of its own. */
function addressesOf(given: Given, name: OptionName): readonly string[] {
  const addresses = listOf(given, name).flatMap((text) => text.split(/[\s,]+/).filter(Boolean));
  const wrong = addresses.find((address) => !/^[^-\s<>"',;@][^\s<>"',;@]*(@[^\s<>"',;@]+)?$/.test(address));
  if (wrong !== undefined) throw refusal(given, name, wrong, "it must be an address, such as ada@example.org");
  return addresses;
}

/** Every number is checked here, also where the caller has a default. */
function numberOf(given: Given, name: OptionName): number | undefined {
  const option: Option = OPTIONS[name];
  const text = textOf(given, name);
  if (option.type !== "number") throw new Error(`${name} is no number`);
  if (text === undefined) return undefined;
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : Number.NaN;
  const fits = value >= option.min && value <= option.max && (option.whole !== true || Number.isInteger(value));
  if (!fits) {
    const kind = option.whole ? "a whole number" : "a number";
    const unit = option.unit === "s" ? " seconds" : "";
    throw refusal(given, name, text, `it must be ${kind} from ${option.min} to ${option.max}${unit}`);
  }
  return value;
}

function choiceOf(given: Given, name: OptionName): string {
  const option: Option = OPTIONS[name];
  if (option.type !== "choice") throw new Error(`${name} is no choice`);
  const value = textOf(given, name) ?? option.default;
  if (!option.choices.includes(value))
    throw refusal(given, name, value, `it must be one of ${option.choices.join(", ")}`);
  return value;
}
