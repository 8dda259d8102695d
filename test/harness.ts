/** What tests of the real program share: a root of their own, folders dropped into it, the program, and a ledger. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { onTestFinished } from "vitest";
import { realDisk } from "../src/disk.ts";
import { setUpRoot } from "../src/root.ts";

/**
 * The one file that people get, which also starts in half the time of the modules that it is made of. What is in
 * TESTED_PROGRAM is tested instead: dist/bin/jobmgr.js, where a stack is to lead into the sources.
 */
export const PROGRAM = resolve(process.env.TESTED_PROGRAM ?? join(import.meta.dirname, "../dist/jobmgr.mjs"));

/** Whether a test may become another user, give files away and mount a file system. */
export const isSuperuser = process.getuid?.() === 0;

/** Waits for a condition by looking again, where a file that is not there is as good as false; the error names what did not come true. */
export async function waitUntil(what: string, condition: () => boolean, limitMs = 60_000): Promise<void> {
  const begin = performance.now();
  while (!isTrue(condition)) {
    const waited = performance.now() - begin;
    if (waited > limitMs) throw new Error(`after ${limitMs} ms still not: ${what}`);
    await new Promise((done) => setTimeout(done, pauseMs(waited)));
  }
}

function isTrue(condition: () => boolean): boolean {
  try {
    return condition();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** Until the next look of one who has waited so long: looks, a hundred a second, cost as much as what they wait for. */
function pauseMs(waitedMs: number): number {
  return Math.min(50, 10 + waitedMs / 50);
}

/** The running program, with all that it has said. */
export interface Running {
  readonly process: ChildProcess;
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** The exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
  signal(name: NodeJS.Signals): void;
  /** Ctrl-C, and the exit code. */
  stop(): Promise<number | string>;
}

/** Starts any program; it is killed when the test ends. */
export function start(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; uid?: number; input?: string } = {},
): Running {
  const { cwd, env, uid } = options;
  const child = spawn(program, args, {
    ...(cwd !== undefined && { cwd }),
    ...(uid !== undefined && { uid, gid: uid }),
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  // A program need not read what it is given.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  const said = { out: "", err: "" };
  child.stdout.on("data", (data) => {
    said.out += data;
  });
  child.stderr.on("data", (data) => {
    said.err += data;
  });
  const ended = new Promise<number | string>((done, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => done(code ?? signal ?? "?"));
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  return {
    process: child,
    pid: child.pid ?? 0,
    stdout: () => said.out,
    stderr: () => said.err,
    ended,
    signal: (name) => child.kill(name),
    stop() {
      child.kill("SIGINT");
      return ended;
    },
  };
}

/** Runs a program to its end. */
export async function runToEnd(
  program: string,
  args: readonly string[],
  options: Parameters<typeof start>[2] = {},
): Promise<{ code: number | string; stdout: string; stderr: string }> {
  const running = start(program, args, options);
  const code = await running.ended;
  return { code, stdout: running.stdout(), stderr: running.stderr() };
}

export function jobmgr(
  args: readonly string[],
  options: Parameters<typeof start>[2] = {},
): Promise<{ code: number | string; stdout: string; stderr: string }> {
  return runToEnd(process.execPath, [PROGRAM, ...args], options);
}

/** A folder of the test's own, removed when it ends. */
export function makeFolder(under = tmpdir()): string {
  const folder = mkdtempSync(join(under, "jobmgr-test-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return folder;
}

export interface TestRoot {
  readonly path: string;
  /** A file outside of the root to which each run of a job appends its name. */
  readonly ledger: string;
  /** The lines of the ledger, in the order in which they were written. */
  runs(): string[];
  names(place: "inbox" | "pending" | "complete"): string[];
  read(path: string): string;
  /** job_error.txt of a finished job, each paragraph in one line. */
  paragraphsOf(name: string): string;
  exists(path: string): boolean;
  /** Puts a folder with these files into the inbox, whole. A text alone is its job.sh. */
  drop(name: string, files: string | Readonly<Record<string, string>>): void;
  /** As drop, with a job.sh that writes its name into the ledger and then does this. */
  dropLedger(name: string, script?: string): void;
  /** Starts the manager with LocalEngine, checking ten times a second, without settle time. */
  manage(args?: readonly string[], options?: Parameters<typeof start>[2]): Running;
  /** Waits until these are all in complete. */
  completed(...names: string[]): Promise<void>;
  status(name: string, place?: "pending" | "complete"): Record<string, unknown>;
}

export const FAST = ["-e", "LocalEngine", "-p", "0.1", "--settle", "0"] as const;

export async function makeRoot(under?: string): Promise<TestRoot> {
  const folder = makeFolder(under);
  const path = join(folder, "root");
  const ledger = join(folder, "ledger");
  await setUpRoot(realDisk, path);
  appendFileSync(ledger, "");
  const at = (name: string) => join(path, name);
  const root: TestRoot = {
    path,
    ledger,
    runs: () => readFileSync(ledger, "utf8").split("\n").filter(Boolean),
    names: (place) =>
      readdirSync(at(place))
        .filter((name) => !name.startsWith("."))
        .sort(),
    read: (name) => readFileSync(at(name), "utf8"),
    paragraphsOf: (name) => root.read(`complete/${name}/job_error.txt`).replaceAll(/(?<!\n)\n(?!\n)/g, " "),
    exists: (name) => existsSync(at(name)),
    drop(name, files) {
      const staging = join(folder, "staging");
      mkdirSync(staging, { recursive: true });
      for (const [file, text] of Object.entries(typeof files === "string" ? { "job.sh": files } : files)) {
        const target = join(staging, file);
        mkdirSync(join(target, ".."), { recursive: true });
        writeFileSync(target, text);
      }
      renameSync(staging, join(path, "inbox", name));
    },
    dropLedger(name, script = "") {
      root.drop(name, `echo '${name}' >> '${ledger}'\n${script}\n`);
    },
    manage: (args = [], options = {}) => start(process.execPath, [PROGRAM, "--root", path, ...FAST, ...args], options),
    completed: (...names) =>
      waitUntil(`${names} in complete`, () => names.every((name) => existsSync(join(path, "complete", name)))),
    status: (name, place = "complete") => JSON.parse(readFileSync(join(path, place, name, "job_status.json"), "utf8")),
  };
  return root;
}
