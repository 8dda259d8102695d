/** What a program asks for, checked, and the text of a job.sh that does it. No shell executes a value of it. Pure. */
import { faultOfName } from "../change/sources.ts";
import type { Engine, Request } from "../engine.ts";
import { isReservedName, isResultName } from "../files.ts";
import { quoted } from "../runner.ts";
import { commandOfScript, faultOfScript } from "../script.ts";
import type { JobRequest } from "./api.ts";
import { RequestError } from "./errors.ts";
import { checkShape, REQUEST } from "./shapes.ts";

/** Throws RequestError for what no job can be made of. */
export function checkRequest(request: JobRequest): void {
  checkShape(request, REQUEST, "a job");
  if (request.name === undefined) throw new RequestError("a job needs a name");
  const fault = faultOfName(request.name);
  if (fault) throw new RequestError(`the name ${JSON.stringify(request.name)}: ${fault}`);
  const kinds = [request.commands, request.script, request.folder].filter((one) => one !== undefined);
  if (kinds.length !== 1) throw refused(request, "it needs one of commands, script and folder");
  if (request.commands?.length === 0) throw refused(request, "it has no commands");
  const { ifThere = "refuse" } = request;
  if (!["refuse", "adopt", "number"].includes(ifThere))
    throw refused(request, `ifThere is ${JSON.stringify(ifThere)}: it must be refuse, adopt or number`);
}

function refused({ name }: JobRequest, why: string): RequestError {
  return new RequestError(`The job ${JSON.stringify(name)} cannot be made: ${why}.`);
}

/** What the engine is asked for. Throws RequestError for a number that is none. */
export function engineRequest(request: JobRequest): Request {
  const count = (key: "nodes" | "cpus" | "gpus", least: number) => {
    const value = request[key];
    if (value === undefined) return {};
    if (!Number.isSafeInteger(value) || value < least)
      throw refused(request, `${key} is ${value}: it must be a whole number of ${least} or more`);
    // None is what it has anyway.
    return value === 0 ? {} : { [key]: value };
  };
  const { timeLimitS } = request;
  if (timeLimitS !== undefined && !(timeLimitS > 0 && timeLimitS <= TIME_S_MAX))
    throw refused(request, `timeLimitS is ${timeLimitS}: it must be a number of seconds, of more than 0`);
  const memoryB = memoryOf(request);
  return {
    ...count("nodes", 1),
    ...count("cpus", 1),
    ...count("gpus", 0),
    ...(memoryB !== undefined && { memoryB }),
    ...(timeLimitS !== undefined && { timeLimitS }),
    ...outputOf(request, "output"),
    ...outputOf(request, "error"),
  };
}

/** Ten years, which is more than any scheduler counts. */
const TIME_S_MAX = 3650 * 86_400;

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

function memoryOf(request: JobRequest): number | undefined {
  const { memory } = request;
  if (memory === undefined) return undefined;
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?) ?([KMGT]?)(?:i?B)?$/i.exec(String(memory)) ?? [];
  const bytes = Math.ceil(Number(number) * (UNITS[unit.toUpperCase()] ?? Number.NaN));
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw refused(
    request,
    `memory is ${JSON.stringify(memory)}: it must be a number of bytes, or such as "512M" or "16G"`,
  );
}

function outputOf(request: JobRequest, key: "output" | "error"): Partial<Request> {
  const path = request[key];
  if (path === undefined) return {};
  const parts = path.split("/");
  const isInside = path !== "" && parts.every((part) => part !== "" && part !== ".." && part !== ".");
  if (!isInside) throw refused(request, `${key} ${JSON.stringify(path)} is no path of a file in the job's folder`);
  const [first = ""] = parts;
  if (first === ".jobmgr" || isReservedName(first) || (parts.length > 1 && isResultName(first)))
    throw refused(request, `${key} ${JSON.stringify(path)} is a name that jobmgr has a use for`);
  // No scheduler reads all of these in a directive as they are.
  const odd = [...path].find((sign) => `"'\\`.includes(sign) || sign < " " || sign === "\x7f");
  if (odd !== undefined || path !== path.trim())
    throw refused(request, `${key} ${JSON.stringify(path)} has signs that a directive cannot hold`);
  return { [key]: path };
}

/** The folders that its outputs are to lie in, where no folder of the program's own brings them; not those whose names come later. */
export function outputFolders({ folder, output = "", error = "" }: JobRequest): string[] {
  if (folder !== undefined) return [];
  const around = (path: string): string[] => {
    const at = path.lastIndexOf("/");
    return at === -1 ? [] : [...around(path.slice(0, at)), path.slice(0, at)];
  };
  return [...new Set([...around(output), ...around(error)])].filter((path) => !/[%$]/.test(path));
}

/**
 * The lines by which job.sh asks for it, in the words of the engine, which is loaded only if there is something to ask it
 * for. Throws RequestError, or EngineError `refused`.
 */
export async function directivesOf(
  request: JobRequest,
  engineOf: () => Promise<Pick<Engine, "name" | "directives">>,
): Promise<readonly string[]> {
  const asked = engineRequest(request);
  const own = request.directives ?? [];
  const odd = own.find((line) => !/^#[^\n\r\0]+$/.test(line));
  if (odd !== undefined)
    throw refused(request, `the directive ${JSON.stringify(odd)} must be one line that begins with "#"`);
  if (Object.keys(asked).length === 0) return own;
  const engine = await engineOf();
  if (!engine.directives)
    throw refused(
      request,
      `${engine.name} does not say how it is asked for ${Object.keys(asked).join(", ")}. Give the lines themselves (directives)`,
    );
  return [...engine.directives(asked), ...own];
}

/** The whole job.sh of these commands. */
export function scriptOfCommands(request: JobRequest, directives: readonly string[]): string {
  const commands = request.commands ?? [];
  const lines = ["#!/usr/bin/env bash", ...directives, ...environmentLines(request), "set -e", ...commands];
  return checked(request, `${lines.join("\n")}\n`);
}

/** A job.sh with these lines at its head, behind its own: what stands later counts. */
export function scriptWith(request: JobRequest, text: string, directives: readonly string[]): string {
  const environment = environmentLines(request);
  if (environment.length > 0 && !isShell(text))
    throw refused(request, "env is for a job.sh that a shell reads, and this one is not. Set the variables in it");
  const added = [...directives, ...environment].map((line) => `${line}\n`).join("");
  if (added === "") return checked(request, text);
  const at = endOfHead(text);
  const head = text.slice(0, at);
  return checked(request, `${head}${head === "" || head.endsWith("\n") ? "" : "\n"}${added}${text.slice(at)}`);
}

/** Where the first line begins that is neither empty nor a comment: so far schedulers read directives. */
function endOfHead(text: string): number {
  return /^(?:[ \t]*(?:#[^\n]*)?(?:\n|$))*/.exec(text)?.[0].length ?? 0;
}

const SHELLS = new Set(["sh", "bash", "dash", "ksh", "mksh", "zsh", "ash"]);

/** "#!/bin/bash -l", "#!/usr/bin/env bash", "#!/usr/bin/env -S A=1 bash -u". */
function isShell(text: string): boolean {
  const line = commandOfScript(text).slice(0, -1).join(" ");
  const [program = ""] = line.replace(/^\S*\/env +(?:-S *)?(?:\w+=\S* +)*/, "").split(" ");
  return SHELLS.has(program.replace(/^.*\//, ""));
}

function environmentLines(request: JobRequest): string[] {
  const entries = Object.entries(request.env ?? {});
  const lines = entries.map(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      throw refused(request, `${JSON.stringify(name)} is no name of a variable that a shell can set`);
    if (value === null) return `unset ${name}`;
    if (typeof value !== "string" && typeof value !== "number")
      throw refused(request, `the variable ${name} must be a text, a number or null`);
    if (String(value).includes("\0")) throw refused(request, `the variable ${name} holds a NUL byte`);
    return `export ${name}=${quotedInLine(String(value))}`;
  });
  // What begins a line of job.sh might be taken for a directive: some schedulers read them all.
  const isMany = lines.some((line) => line.includes("$jobmgr_newline"));
  return isMany ? ["jobmgr_newline='", "'", ...lines, "unset jobmgr_newline"] : lines;
}

function quotedInLine(text: string): string {
  return quoted(text).replaceAll("\n", `'"$jobmgr_newline"'`);
}

function checked(request: JobRequest, text: string): string {
  const fault = faultOfScript(Buffer.from(text));
  if (fault) throw refused(request, fault.replace(/\.$/, ""));
  return text;
}
