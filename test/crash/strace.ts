/**
 * A real program under strace(1), which kills it at its N-th call of a kind, or fails that call. The kill comes as the
 * call is entered, so that it has no effect: to be killed at an effect is to be killed right after the one before it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { type Running, start } from "../harness.ts";

/** One call of the program: the how-manyeth of its name it is, and what it is about, without names that change. */
export interface Call {
  readonly name: string;
  readonly n: number;
  readonly about: string;
  /** As `about`, whichever job it is. */
  readonly kind: string;
  /** It creates, changes, removes or tells something. */
  readonly isEffect: boolean;
}

export interface Injection {
  readonly call: string;
  readonly when: string;
  readonly what: "signal=KILL" | "signal=STOP" | `error=${string}`;
}

export const STRACE = "strace";

/** Empty if strace can be used here, else what is to be done about it. */
export function straceFault(): string {
  const { status, error } = spawnSync(STRACE, ["-DD", "-o", "/dev/null", "-e", "trace=none", "true"]);
  if (error) return "strace is missing: apt-get install strace";
  return status === 0 ? "" : "strace may not trace here: allow ptrace(2), for example with --cap-add=SYS_PTRACE";
}

/**
 * The arguments of strace before those of the program. The tracer stands aside (-DD), so that the program's pid and
 * exit are its parent's to see. Its children are not traced, but for fsync, which a thread of its own calls.
 */
export function straceArgs(log: string, calls: readonly string[], injection?: Injection): string[] {
  const threads = calls.includes("fsync") ? ["-f"] : [];
  const inject = injection ? ["-e", `inject=${injection.call}:${injection.what}:when=${injection.when}`] : [];
  return [
    "-DD",
    "-q",
    "-y",
    "-o",
    log,
    ...threads,
    "-e",
    "signal=kill,stop,pipe",
    "-e",
    `trace=${calls.join(",")}`,
    ...inject,
  ];
}

/** Starts a program under strace. */
export function startTraced(
  command: readonly string[],
  options: { log: string; calls: readonly string[]; injection?: Injection; env?: NodeJS.ProcessEnv },
): Running {
  // One thread for what is not synchronous, so that its calls can be counted; and no calls of malloc's, which come by chance.
  return start(STRACE, [...straceArgs(options.log, options.calls, options.injection), ...command], {
    env: { ...options.env, UV_THREADPOOL_SIZE: "1", MALLOC_ARENA_MAX: "1" },
  });
}

/** True if the log says that the program, or a thread of it, was killed. */
export function wasKilled(log: string): boolean {
  return existsSync(log) && readFileSync(log, "utf8").includes("+++ killed by SIGKILL +++");
}

/** True if the log says that the program has been stopped. */
export function wasStopped(log: string): boolean {
  return existsSync(log) && readFileSync(log, "utf8").includes("--- stopped by SIGSTOP ---");
}

/** True if the log says that the program has ended. */
export function hasEnded(log: string): boolean {
  return existsSync(log) && /^\+\+\+ (exited|killed)/m.test(readFileSync(log, "utf8"));
}

/** True if the log says that something was injected. */
export function wasHit(log: string): boolean {
  return existsSync(log) && /\(INJECTED\)|\+\+\+ killed by SIGKILL/.test(readFileSync(log, "utf8"));
}

const LINE = /^(?:(?<thread>\d+) +)?(?<name>\w+)\((?<args>.*)$/;

/** The calls in a log of strace, counted as strace counts them: by thread and name. */
export function callsIn(log: string, root: string): Call[] {
  const counts = new Map<string, number>();
  const calls = [];
  for (const line of existsSync(log) ? readFileSync(log, "utf8").split("\n") : []) {
    const { thread = "", name, args } = LINE.exec(line)?.groups ?? {};
    if (name === undefined || args === undefined) continue;
    const n = (counts.get(thread + name) ?? 0) + 1;
    counts.set(thread + name, n);
    const about = aboutOf(args, root);
    const told = `${name} ${about ?? ""}`.trimEnd();
    const kind = told.replaceAll(/(inbox|pending|complete)\/\w+/g, "$1/JOB");
    calls.push({ name, n, about: told, kind, isEffect: isEffect(name, args, about) });
  }
  return calls;
}

/** The paths under the root that a call names, without tokens and other chance. */
function aboutOf(args: string, root: string): string | undefined {
  if (/^[12]</.test(args)) return "to stdout or stderr";
  const paths = [...args.matchAll(/["<]([^">]*)[">]/g)]
    .map(([, path = ""]) => path)
    .filter((path) => path.startsWith(root));
  if (paths.length === 0) return undefined;
  return [...new Set(paths)]
    .map((path) => path.slice(root.length + 1))
    .join(" -> ")
    .replaceAll(/\d{8}T\d{6}-[0-9a-f]{12}/g, "TOKEN")
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "UUID");
}

function isEffect(name: string, args: string, about: string | undefined): boolean {
  if (name === "clone") return true;
  if (name === "openat") return about !== undefined && args.includes("O_CREAT");
  return about !== undefined;
}
