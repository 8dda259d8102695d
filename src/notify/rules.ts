/** What is told, and to whom. Secrets are read from their files once, at the start. */
import { ConfigError, type NotifySettings } from "../config/config.ts";
import { longFlag, type OptionName } from "../config/options.ts";
import type { Disk } from "../disk.ts";
import type { Occasion } from "../events.ts";
import { shellWord } from "../shell-word.ts";
import { commandTarget, type FeedProgram, type Target, webhookTarget } from "./target.ts";

/** When somebody is told, and how often it is tried. */
export interface Rules {
  readonly on: ReadonlySet<Occasion>;
  /** This manager lives for one pass: what an earlier one has said is not said again. */
  readonly isOnce: boolean;
  /** After a failure, in seconds: doubled each time, up to the most. */
  readonly pauses: { readonly firstS: number; readonly mostS: number };
  /** Between two messages: to start a program for each of many short jobs would hold up the jobs. */
  readonly spaceMs: number;
  /** Where there is always something to run, a message is due after so many jobs, and files are not to pile up. */
  readonly batchMax: number;
}

/** What cannot be configured. */
export const LIMITS: Omit<Rules, "on" | "isOnce"> = {
  pauses: { firstS: 10, mostS: 3600 },
  spaceMs: 200,
  batchMax: 10_000,
};

/** Who writes. */
export interface Writer {
  readonly user: string;
  readonly host: string;
  readonly rootId: string;
}

/** Whom to tell. Throws ConfigError, which names a file and never what is in it. */
export async function targetsOf(
  disk: Disk,
  settings: NotifySettings,
  writer: Writer,
  feed: FeedProgram,
): Promise<Target[]> {
  const targets: Target[] = [];
  if (settings.command !== undefined) {
    checkProgram(disk, "notifyCommand", settings.command);
    targets.push(commandTarget(settings.command, feed));
  }
  const url = settings.urlFile === undefined ? settings.url : urlIn(disk, "notifyUrlFile", settings.urlFile, WEB);
  if (url !== undefined) targets.push(webhookTarget(url, headersIn(disk, settings.headerFile)));
  if (settings.mail.length > 0) {
    const { smtpFile, mail: to } = settings;
    const smtp = smtpFile === undefined ? undefined : urlIn(disk, "notifySmtpFile", smtpFile, MAIL);
    const { mailTarget } = await import("./mail.ts");
    targets.push(await mailTarget({ to, smtp, ...writer }, feed));
  }
  return targets;
}

const WEB = ["http:", "https:"];
const MAIL = ["smtp:", "smtps:"];
const SECRET_BYTES_MAX = 64 * 1024;

function urlIn(disk: Disk, name: OptionName, path: string, protocols: readonly string[]): URL {
  const [line = ""] = linesIn(disk, name, path);
  const url = URL.canParse(line) ? new URL(line) : undefined;
  if (url && protocols.includes(url.protocol) && url.hostname !== "") return url;
  throw wrong(name, path, `its first line must be an address that begins with ${protocols.join("// or ")}//`);
}

function headersIn(disk: Disk, path: string | undefined): Headers {
  const headers = new Headers();
  if (path === undefined) return headers;
  for (const [i, line] of linesIn(disk, "notifyHeaderFile", path).entries()) {
    if (line === "" || line.startsWith("#")) continue;
    const [, key = "", value = ""] = /^([^:]+):(.*)$/.exec(line) ?? [];
    try {
      headers.append(key.trim(), value.trim());
    } catch {
      throw wrong("notifyHeaderFile", path, `line ${i + 1} is no header; it must be like "Name: value"`);
    }
  }
  return headers;
}

const ANYBODY_RUNS = 0o111;

/** A mistake in its name is told at the start, and not when the first job has failed. */
function checkProgram(disk: Disk, name: OptionName, path: string): void {
  if (!disk.look(path)) throw wrong(name, path, "there is no such file");
  const there = disk.look(disk.realPath(path));
  if (there?.kind !== "file") throw wrong(name, path, "it is no file");
  if ((there.mode & ANYBODY_RUNS) === 0)
    throw wrong(name, path, `it is no program. Make it one: chmod +x ${shellWord(path)}`);
}

function linesIn(disk: Disk, name: OptionName, path: string): string[] {
  let text: string | undefined;
  try {
    text = disk.read(disk.look(path)?.kind === "link" ? disk.realPath(path) : path, SECRET_BYTES_MAX)?.toString("utf8");
  } catch (error) {
    throw wrong(name, path, (error as Error).message);
  }
  if (text === undefined) throw wrong(name, path, "there is no such file");
  return text.split("\n").map((line) => line.trim());
}

function wrong(name: OptionName, path: string, why: string): ConfigError {
  return new ConfigError(`${longFlag(name)} ${path}: ${why}`);
}
