/**
 * Starts processes that belong to the one who started this one: they write to his terminal, and hear his signals.
 *
 * On a terminal a launcher shares the group of this process, as with time(1) or sudo(8): the terminal itself sends it
 * ctrl-C, and it may read what is typed; what is sent to this process alone is handed on. All else is in a group of its
 * own, and gets each signal once, from here.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Start } from "../src/launch/command.ts";
import type { Output, ProcessEnd, RunTogether, TogetherOptions } from "../src/launch/launcher.ts";
import { keepCanary } from "./canary.ts";
import { copyLines, Sink } from "./launch-output.ts";
import { isAlive, startOf } from "./process.ts";

const PASSED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;
type Passed = (typeof PASSED)[number];
/** Those by which somebody asks for the end. */
const ENDING: ReadonlySet<Passed> = new Set(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]);
/** Those that a terminal sends to the whole group. */
const OF_TERMINAL: ReadonlySet<Passed> = new Set(["SIGINT", "SIGQUIT"]);
/** A launcher that is asked twice ends its processes by force; what is left then is killed. */
const KILL_AFTER_SECOND_MS = 2000;
const KILL_AFTER_ABORT_MS = 5000;

interface Running {
  readonly child: ChildProcess;
  readonly hasOwnGroup: boolean;
  readonly ended: Promise<ProcessEnd>;
  /** Nothing of it is left: who is in its group may hold its output open longer than itself. */
  readonly isOver: () => boolean;
}

/** As RunTogether says. Never throws. */
export const runTogether: RunTogether = async (starts, options) => {
  const isShared = options.isLauncher === true && options.passSignals === true && process.stdin.isTTY === true;
  const all: Running[] = [];
  const heir = isShared ? undefined : appointHeir();
  const passing = options.passSignals ? passSignals(all, isShared, options.isLauncher === true) : undefined;
  const abandon = endWith(options.signal, all);
  const sinkOf = sinks();
  try {
    const ends: (ProcessEnd | Promise<ProcessEnd>)[] = [];
    for (const start of starts) {
      // Many take long, and whoever asks for the end meanwhile asks for no further one.
      if (ends.length > 0) await setImmediate();
      const endedBy = passing?.endedBy() ?? (options.signal?.aborted ? "SIGTERM" : undefined);
      if (endedBy !== undefined) {
        ends.push({ exitCode: undefined, signal: endedBy });
        continue;
      }
      try {
        const running = begin(start, options, !isShared, sinkOf);
        heir?.knows(running.child);
        void running.ended.then(() => heir?.forgets(running.child));
        all.push(running);
        ends.push(running.ended);
      } catch (error) {
        // Node throws some of what a start may end with (E2BIG); those that were started go on.
        ends.push(notStarted(start.argv[0] ?? "", error as NodeJS.ErrnoException));
      }
    }
    return await Promise.all(ends);
  } finally {
    heir?.dismiss();
    passing?.release();
    abandon();
  }
};

/**
 * Reads groups, each by its leader, and "-LEADER" of one that is over and may soon be another's; then waits for a word. If
 * that never comes, whoever was to say it was killed, and the groups that are left end too.
 */
export const HEIR = `groups=' '
while read -r word; do
  case $word in
    done) exit 0 ;;
    -*) case $groups in *" $word "*) groups="\${groups%%" $word "*} \${groups#*" $word "}" ;; esac ;;
    *) groups="$groups-$word " ;;
  esac
done
[ "$groups" != ' ' ] || exit 0
kill -s TERM -- $groups
sleep 2
kill -s KILL -- $groups`;

interface Heir {
  /** This one leads a group that is to end with this process. */
  knows(child: ChildProcess): void;
  forgets(child: ChildProcess): void;
  dismiss(): void;
}

/** What kills this process may not know of theirs: an engine ends the group of its job, and they are in others. */
function appointHeir(): Heir {
  const heir = spawn("sh", ["-c", HEIR], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  // It is a comfort, and nothing fails without it.
  heir.on("error", () => {});
  // Where there are too many open files, it has no stdin.
  const { stdin }: Partial<ChildProcess> = heir;
  stdin?.on("error", () => {});
  heir.unref();
  const tell = (sign: string, pid: number | undefined) => void (pid !== undefined && stdin?.write(`${sign}${pid}\n`));
  return {
    knows: ({ pid }) => tell("", pid),
    forgets: ({ pid }) => tell("-", pid),
    dismiss: () => void stdin?.end("done\n"),
  };
}

function begin(
  start: Start,
  options: TogetherOptions,
  hasOwnGroup: boolean,
  sinkOf: ReturnType<typeof sinks>,
): Running {
  const [program = "", ...args] = start.argv;
  const { stdin = "inherit", stdout = "inherit", stderr = "inherit" } = options;
  const child = spawn(program, args, {
    detached: hasOwnGroup,
    env: environmentOf(start, options),
    stdio: [start.readsInput ? stdin : "ignore", wayOf(stdout, start), wayOf(stderr, start)],
  });
  const copy = async (from: NodeJS.ReadableStream | null | undefined, output: Output, own: NodeJS.WritableStream) => {
    if (from && output !== "ignore") await copyLines(from, sinkOf(output === "inherit" ? own : output), start.prefix);
  };
  // Whatever becomes of its output: it ends.
  const copied = Promise.allSettled([
    copy(child.stdout, stdout, process.stdout),
    copy(child.stderr, stderr, process.stderr),
  ]);
  let isOver = false;
  const ended = new Promise<ProcessEnd>((done) => {
    child.on("error", (error: NodeJS.ErrnoException) => {
      // One that could not be killed has not ended.
      if (child.pid === undefined) done(notStarted(program, error));
    });
    child.on("close", (code, signal) => {
      // From now on its group may be another's.
      isOver = true;
      void copied.then(() => done({ exitCode: code ?? undefined, signal: signal ?? undefined }));
    });
  });
  return { child, hasOwnGroup, ended, isOver: () => isOver };
}

function environmentOf(start: Start, { env = {} }: TogetherOptions): NodeJS.ProcessEnv {
  const all: NodeJS.ProcessEnv = { ...process.env };
  for (const [name, value] of Object.entries({ ...env, ...start.env })) {
    if (value === null) delete all[name];
    else all[name] = value;
  }
  return all;
}

/** What is not to be changed on its way goes to its place without us. */
function wayOf(output: Output, { prefix }: Start): "inherit" | "ignore" | "pipe" {
  if (output === "ignore") return "ignore";
  return output === "inherit" && prefix === "" ? "inherit" : "pipe";
}

/** One for each stream, however many write to it. */
function sinks(): (to: NodeJS.WritableStream) => Sink {
  const known = new Map<NodeJS.WritableStream, Sink>();
  return (to) => {
    const sink = known.get(to) ?? new Sink(to);
    known.set(to, sink);
    return sink;
  };
}

/** The codes that a shell has for it. */
function notStarted(program: string, { code, message }: NodeJS.ErrnoException): ProcessEnd {
  if (code === "ENOENT") return { exitCode: 127, signal: undefined, fault: `there is no program ${program}` };
  const why = code === "EACCES" ? "it may not be executed" : message;
  return { exitCode: 126, signal: undefined, fault: `${program} cannot be started: ${why}` };
}

/** Can a program of this name, or at this path, be started? */
export function isProgram(program: string): boolean {
  const folders = program.includes("/") ? [""] : (process.env.PATH ?? "").split(delimiter);
  return folders.some((folder) => {
    try {
      accessSync(folder === "" ? program : join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

// -- signals --

interface Passing {
  /** The first signal by which somebody asked for the end. */
  endedBy(): Passed | undefined;
  release(): void;
}

/** Hands on what this process gets, until it is released. */
function passSignals(all: readonly Running[], isShared: boolean, isLauncher: boolean): Passing {
  let asked = 0;
  let endedBy: Passed | undefined;
  let timer: NodeJS.Timeout | undefined;
  let started: readonly Known[] = [];
  const canary = isShared ? keepCanary() : undefined;
  const sendAll = (signal: Passed) => {
    for (const one of all) send(one, signal);
  };
  const handlers = PASSED.map((signal) => {
    const handler = () => {
      if (ENDING.has(signal)) endedBy ??= signal;
      // A launcher that is asked twice may end at once, and leave behind what it has started.
      if (ENDING.has(signal) && ++asked === 2) {
        started = startedBy(all);
        timer = setTimeout(() => kill(all, started), isLauncher ? KILL_AFTER_SECOND_MS : 0);
      }
      if (!canary || !OF_TERMINAL.has(signal)) sendAll(signal);
      else void canary.hasHeard().then((isHeard) => isHeard || sendAll(signal));
    };
    process.on(signal, handler);
    return [signal, handler] as const;
  });
  const stop = () => {
    // Processes in another session are not stopped by a terminal.
    for (const one of all) send(one, isLauncher ? "SIGTSTP" : "SIGSTOP");
    process.kill(process.pid, "SIGSTOP");
  };
  const goOn = () => {
    for (const one of all) send(one, "SIGCONT");
  };
  if (!isShared) process.on("SIGTSTP", stop).on("SIGCONT", goOn);
  const release = () => {
    clearTimeout(timer);
    canary?.dismiss();
    kill(all, started);
    for (const [signal, handler] of handlers) process.off(signal, handler);
    process.off("SIGTSTP", stop).off("SIGCONT", goOn);
  };
  return { endedBy: () => endedBy, release };
}

function endWith(signal: AbortSignal | undefined, all: readonly Running[]): () => void {
  let timer: NodeJS.Timeout | undefined;
  const end = () => {
    for (const one of all) send(one, "SIGTERM");
    timer = setTimeout(() => kill(all, startedBy(all)), KILL_AFTER_ABORT_MS);
  };
  signal?.addEventListener("abort", end, { once: true });
  if (signal?.aborted) end();
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  };
}

function send({ child, hasOwnGroup, isOver }: Running, signal: NodeJS.Signals): void {
  const hasEnded = hasOwnGroup ? isOver() : child.exitCode !== null || child.signalCode !== null;
  if (child.pid === undefined || hasEnded) return;
  try {
    process.kill(hasOwnGroup ? -child.pid : child.pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

interface Known {
  readonly pid: number;
  readonly start: string | undefined;
}

/** Launchers put what they start into groups of its own; whom they leave behind would go on for ever. */
function startedBy(all: readonly Running[]): readonly Known[] {
  const alive = all.flatMap(({ child }) => (child.pid !== undefined && child.exitCode === null ? [child.pid] : []));
  return descendantsOf(alive).map((pid) => ({ pid, start: startOf(pid) }));
}

function kill(all: readonly Running[], started: readonly Known[]): void {
  for (const one of all) send(one, "SIGKILL");
  for (const { pid, start } of started) {
    try {
      if (start !== undefined && isAlive(pid, start)) process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}

function descendantsOf(pids: readonly number[]): number[] {
  const found = pids.flatMap((pid) => childrenOf(pid));
  return found.length === 0 ? [] : [...found, ...descendantsOf(found)];
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
  } catch {
    // It has ended, or this is no Linux.
    return [];
  }
}
