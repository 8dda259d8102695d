/**
 * What all measurements share: folders to work in, the cost of a process tree, medians, and the rows of the table.
 *
 * Nothing is removed on a disk while measurements go on: after a tree was deleted, ext4 creates files up to 25 times
 * slower for minutes. All is removed at the very end.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";

export const PROGRAM = resolve(import.meta.dirname, "../dist/bin/jobmgr.js");
/** What people install: the same in one file, and with a Node of its own. */
export const ONE_FILE = resolve(import.meta.dirname, "../dist/jobmgr.mjs");
export const EXECUTABLE = resolve(import.meta.dirname, "../dist/jobmgr-linux-x64");

/** A line of the table. `reached` is undefined where there is no goal. */
export interface Row {
  readonly what: string;
  readonly figure: string;
  readonly ratio?: string;
  readonly goal?: string;
  readonly reached?: boolean | undefined;
}

/** Certificates that are loaded at start make every node process slower, on both sides of a ratio. */
export function cleanEnvironment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, ...rest } = process.env;
  return { ...rest, ...more };
}

const folders: string[] = [];

/** On the disk, or in memory, where fsync is free. */
export type Where = "disk" | "memory";

/** A folder to work in. */
export function makeFolder(where: Where): string {
  const folder = mkdtempSync(join(where === "disk" ? tmpdir() : "/dev/shm", "jobmgr-bench-"));
  folders.push(folder);
  return folder;
}

export function hasMemoryDisk(): boolean {
  return existsSync("/dev/shm");
}

export function removeFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** The first of these programs that is installed. */
export function installed(...names: readonly string[]): string | undefined {
  const paths = (process.env.PATH ?? "").split(delimiter);
  return names.find((name) => paths.some((path) => existsSync(join(path, name))));
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

export async function waitUntil(what: string, condition: () => boolean, lookMs = 2, limitMs = 600_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`after ${limitMs} ms still not: ${what}`);
    await sleep(lookMs);
  }
}

export interface Cost {
  readonly wallMs: number;
  /** User and system time of the whole tree, as far as its processes were waited for. */
  readonly cpuMs: number;
}

/** Runs a line of bash, and asks bash itself for what it cost: the time of all its children, and of theirs. */
export async function costOf(line: string, cwd: string, env: NodeJS.ProcessEnv = {}): Promise<Cost> {
  const timed = `TIMEFORMAT='%R %U %S'; { time { ${line}\n} >/dev/null 2>&1 ; } 2>&1; true`;
  const { stdout } = await promisify(execFile)("bash", ["-c", timed], { cwd, env: cleanEnvironment(env) });
  const [wallS = Number.NaN, userS = 0, systemS = 0] = stdout.trim().split(/\s+/).map(Number);
  return { wallMs: wallS * 1000, cpuMs: (userS + systemS) * 1000 };
}

// -- jobmgr itself --

/** Makes a root in a folder; returns its path. */
export function makeRoot(folder: string): string {
  const root = join(folder, "root");
  execFileSync(process.execPath, [PROGRAM, "--root", root, "--setup"], { env: cleanEnvironment(), stdio: "ignore" });
  return root;
}

export function addJob(inbox: string, name: string, script: string): void {
  const folder = join(inbox, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "job.sh"), script);
}

export interface Running {
  readonly pid: number;
  /** Ctrl-C, until it has gone. */
  stop(): Promise<void>;
}

const managers: ChildProcess[] = [];

/** After a measurement that failed, nothing of it is to go on beside the next one. */
export function stopManagers(): void {
  for (const manager of managers.splice(0)) manager.kill("SIGKILL");
}

export function manage(root: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(process.execPath, [PROGRAM, "--root", root, ...args], {
    env: cleanEnvironment(env),
    stdio: "ignore",
  });
  managers.push(child);
  const ended = new Promise<void>((done) => child.on("exit", () => done()));
  return {
    pid: child.pid ?? 0,
    stop() {
      child.kill("SIGINT");
      return ended;
    },
  };
}

/** manager.json is written at the end of each check; undefined before the first. */
export function lastCheck(root: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(root, ".jobmgr", "manager.json"), "utf8")) as { at?: string }).at;
  } catch {
    return undefined;
  }
}

/** One check on demand, in ms: from the signal to the rename of manager.json. */
export async function checkMs(root: string, manager: Running): Promise<number> {
  const own = join(root, ".jobmgr");
  const before = lastCheck(root);
  const started = performance.now();
  await new Promise<void>((done) => {
    const watcher = watch(own, (_event, name) => {
      if (name !== "manager.json" || lastCheck(root) === before) return;
      watcher.close();
      done();
    });
    process.kill(manager.pid, "SIGUSR1");
  });
  return performance.now() - started;
}

/** What a process holds in memory now, in MB. */
export function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

/** The most that it ever held, in MB. */
export function peakMb(pid: number): number {
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

/** Time on a processor so far, in ms, of all threads of a process. */
export function cpuMsOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const ns = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]),
  );
  return ns.reduce((sum, one) => sum + one, 0) / 1e6;
}

/** USER_HZ, in which proc(5) counts processor time: 100 a second on every Linux of today. */
const TICK_MS = 10;

/**
 * Processor time so far, in ms, of a process and of all that lives below it, with the children that each has waited
 * for. To be asked while they live: what a process leaves behind when it ends first is counted by nobody.
 */
export function treeCpuMs(pid: number): number {
  const stats = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(Number(name)))
    .filter((stat) => stat !== undefined);
  const members = new Set([pid]);
  for (let size = 0; size < members.size; ) {
    size = members.size;
    for (const stat of stats) if (members.has(stat.parent)) members.add(stat.pid);
  }
  return stats.filter((stat) => members.has(stat.pid)).reduce((sum, stat) => sum + stat.ticks * TICK_MS, 0);
}

/** The parent (field 4), and utime, stime, cutime and cstime (14 to 17); undefined for a process that has gone. */
function statOf(pid: number): { pid: number; parent: number; ticks: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text
      .slice(text.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + (fields[at] ?? 0), 0);
    return { pid, parent: fields[1] ?? 0, ticks };
  } catch {
    return undefined;
  }
}

export function figure(value: number, unit: string, digits = value < 10 ? 2 : value < 100 ? 1 : 0): string {
  return `${value.toFixed(digits)} ${unit}`;
}

export function ratio(value: number, of: string): string {
  return `${value.toFixed(2)} x ${of}`;
}

export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
