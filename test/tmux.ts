/** Real terminals for tests: any program in a tmux of its own, the keys that are pressed there, and what the screen shows. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished, type TestContext } from "vitest";
import { isAlive, startOf } from "../engines/process.ts";
import { quoted } from "../src/runner.ts";
import { makeFolder, PROGRAM, waitUntil } from "./harness.ts";
import { need } from "./real/surroundings.ts";

/** A program that runs on a terminal. */
export interface Screen {
  /** The pid of the program. */
  readonly pid: number;
  /** Types these signs, as they are. */
  type(text: string): void;
  /** Presses keys by tmux's names for them: Enter, Tab, C-c. */
  press(...keys: string[]): void;
  /** The text that is or was on the screen. */
  text(): string;
  /** What is on the screen now, line by line; the alternate screen has no past. */
  visible(): string;
  /** All bytes that programs wrote to it. */
  raw(): string;
  resize(columns: number, lines: number): void;
  close(): void;
}

/** Starts a command line on a new terminal, which goes when the test ends. */
export function openScreen(
  context: TestContext,
  command: string,
  options: { columns?: number; lines?: number; env?: NodeJS.ProcessEnv } = {},
): Screen {
  const program = need(context, "tmux");
  const folder = makeFolder();
  const raw = join(folder, "raw");
  const { NO_COLOR: _no, FORCE_COLOR: _force, CLICOLOR_FORCE: _cli, TMUX: _tmux, ...env } = process.env;
  const tmux = (...args: string[]) =>
    execFileSync(program, ["-u", "-S", join(folder, "socket"), "-f", "/dev/null", ...args], {
      encoding: "utf8",
      env: { ...env, LC_ALL: "C.UTF-8", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
  const size = ["-x", String(options.columns ?? 180), "-y", String(options.lines ?? 50)];
  tmux("new-session", "-d", ...size, command);
  const server = Number(tmux("display-message", "-p", "#{pid}"));
  const serverStart = startOf(server) ?? "";
  const pid = Number(tmux("display-message", "-p", "#{pane_pid}"));
  onTestFinished(() => {
    if (isAlive(server, serverStart)) process.kill(server, "SIGTERM");
  });
  tmux("set-option", "-g", "history-limit", "10000");
  tmux("pipe-pane", "-o", `cat >> ${quoted(raw)}`);
  return {
    pid,
    type: (text) => {
      tmux("send-keys", "-l", text);
    },
    press: (...keys) => {
      tmux("send-keys", ...keys);
    },
    text: () =>
      tmux("capture-pane", "-p", "-J", "-S", "-")
        .replace(/[ \t]+$/gm, "")
        .trimEnd(),
    visible: () =>
      tmux("capture-pane", "-p")
        .replace(/[ \t]+$/gm, "")
        .trimEnd(),
    raw: () => (existsSync(raw) ? readFileSync(raw, "utf8") : ""),
    resize: (columns, lines) => {
      tmux("resize-window", "-x", String(columns), "-y", String(lines));
    },
    close: () => {
      tmux("kill-pane");
    },
  };
}

/** A terminal with a shell in it. `m` in that shell is the manager of the root, `s` its status, `l` its logs. */
export interface Terminal extends Pick<Screen, "press" | "visible" | "raw" | "resize" | "close"> {
  /** Types a command line, and Enter. */
  run(line: string): void;
  /** The text that is or was on the screen, without what the shell was told to do. */
  screen(): string;
  /** Asks for the exit code of the last command, when the shell has it. */
  exitCode(): Promise<number>;
  /** The pid of the manager that runs in it. */
  managerPid(): number;
}

export async function openTerminal(context: TestContext, root: { readonly path: string }): Promise<Terminal> {
  const rc = join(makeFolder(), "rc");
  const jobmgrHere = `${quoted(process.execPath)} ${quoted(PROGRAM)} --root ${quoted(root.path)}`;
  writeFileSync(
    rc,
    [
      "PS1='$ '; unset PROMPT_COMMAND HISTFILE",
      "bind 'set enable-bracketed-paste off'",
      `m() { ${jobmgrHere} -e LocalEngine -p 0.1 --settle 0 "$@"; }`,
      `s() { ${jobmgrHere} status "$@"; }`,
      `l() { ${jobmgrHere} logs "$@"; }`,
      `slow() { strace -f -qq -o /dev/null -e trace=fsync,fdatasync -e inject=fsync,fdatasync:delay_enter=40000000 ${jobmgrHere} -e LocalEngine -p 0.1 --settle 0; }`,
      "",
    ].join("\n"),
  );
  const screen = openScreen(context, `exec bash --noprofile --rcfile ${quoted(rc)} -i`);
  await waitUntil("the shell is there", () => screen.text().endsWith("$"));
  const { press, visible, raw, resize, close } = screen;
  let asked = 0;
  const run = (line: string) => {
    screen.type(line);
    press("Enter");
  };
  return {
    ...{ press, visible, raw, resize, close },
    run,
    screen: screen.text,
    async exitCode() {
      const mark = `code${++asked}=`;
      run(`echo "code"${asked}=$?`);
      const answer = new RegExp(`^${mark}(\\d+)$`, "m");
      await waitUntil("the shell tells an exit code", () => answer.test(screen.text()));
      return Number(answer.exec(screen.text())?.[1]);
    },
    managerPid() {
      const children = readFileSync(`/proc/${screen.pid}/task/${screen.pid}/children`, "utf8").trim().split(" ");
      return Number(children[0]);
    },
  };
}
