/**
 * Who is a process? A pid alone is no identity: pids are used again, and mean nothing on another machine or after
 * a restart. So the start time and the boot id belong to it. From /proc; where there is none (macOS), from ps.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { hostname } from "node:os";
import { basename } from "node:path";
import { isatty } from "node:tty";
import type { Machine } from "../src/engine.ts";

const HAS_PROC = existsSync("/proc/self/stat");

function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch {
    return undefined;
  }
}

/** ps(1) of macOS; undefined if it finds nothing. */
function ps(args: readonly string[]): string | undefined {
  try {
    return execFileSync("ps", args, {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return undefined;
  }
}

/** This machine, spelled as the runner spells it. */
export function thisMachine(): Machine {
  const host = readProc("sys/kernel/hostname")?.trim() ?? hostname();
  const boot =
    readProc("sys/kernel/random/boot_id")?.trim() ??
    execFileSync("sysctl", ["-n", "kern.boottime"], { encoding: "utf8" }).replace(/\D/g, "");
  return { host, boot };
}

interface Stat {
  readonly state: string;
  readonly group: number;
  readonly start: string;
}

/** Fields 3, 5 and 22 of /proc/PID/stat; see proc(5). The name before them may hold blanks and parentheses. */
function statOf(pid: number): Stat | undefined {
  if (!HAS_PROC) {
    const [state = "", group, ...start] =
      ps(["-o", "stat=,pgid=,lstart=", "-p", String(pid)])
        ?.trim()
        .split(/\s+/) ?? [];
    return group === undefined ? undefined : { state, group: Number(group), start: start.join("") };
  }
  const text = readProc(`${pid}/stat`);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", group: Number(fields[2]), start: fields[19] ?? "" };
}

/** When a process started, as the runner would tell it; undefined if it does not live. */
export function startOf(pid: number): string | undefined {
  const stat = statOf(pid);
  return stat && !stat.state.startsWith("Z") ? stat.start : undefined;
}

/** Does this very process live? */
export function isAlive(pid: number, start: string): boolean {
  return startOf(pid) === start;
}

function allPids(): number[] {
  if (HAS_PROC) {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  }
  return (ps(["-axo", "pid="]) ?? "")
    .split("\n")
    .map(Number)
    .filter((pid) => pid > 0);
}

/**
 * Does a runner live, or anything of its group, though it is dead itself? After its death its pid is nobody's as long as
 * its group lives; a process of that pid with another start time is a stranger, and so is its group.
 */
export function isJobAlive(runner: number, start: string): boolean {
  // Not known, or no process of ours: kernel threads are in group 0.
  if (!(runner > 1)) return false;
  const now = startOf(runner);
  return now === start || (now === undefined && isGroupAlive(runner));
}

function isGroupAlive(group: number): boolean {
  return allPids().some((pid) => {
    const stat = statOf(pid);
    return stat?.group === group && !stat.state.startsWith("Z");
  });
}

interface Process {
  readonly pid: number;
  readonly start: string;
  readonly command: string;
}

function commandOf(pid: number): string | undefined {
  return HAS_PROC ? readProc(`${pid}/cmdline`)?.replaceAll("\0", " ") : ps(["-o", "command=", "-p", String(pid)]);
}

function* others(): Generator<Process> {
  for (const pid of allPids()) {
    const command = commandOf(pid);
    const start = startOf(pid);
    if (pid !== process.pid && command !== undefined && start !== undefined) yield { pid, start, command };
  }
}

/** Processes whose command line holds this text. */
export function findByCommand(text: string): Process[] {
  return [...others()].filter(({ command }) => command.includes(text));
}

/** Processes that work in this folder, however it is spelled; runners before others. Where there is no /proc: runners alone. */
export function findByFolder(folder: string): Process[] {
  const real = existsSync(folder) ? realpathSync(folder) : folder;
  const runner = `/${basename(folder)}/.jobmgr/attempt-`;
  const there = [...others()].filter(({ pid, command }) =>
    HAS_PROC ? workingFolder(pid) === real : command.includes(runner),
  );
  return there.sort((a, b) => Number(b.command.includes(runner)) - Number(a.command.includes(runner)));
}

function workingFolder(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

/**
 * True if this process is to survive its terminal: it has one, and none of its streams leads there, as nohup has it. Which
 * signals it was started to ignore cannot be asked, for Node forgets them when it starts. Not known without /proc.
 */
export function outlivesTerminal(): boolean {
  const text = readProc("self/stat") ?? "";
  const terminal = text.slice(text.lastIndexOf(")") + 2).split(" ")[4] ?? "0";
  return terminal !== "0" && ![0, 1, 2].some((stream) => isatty(stream));
}
