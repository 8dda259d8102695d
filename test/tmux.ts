/** Real terminals for tests: any program in a tmux of its own, the keys that are pressed there, and what the screen shows. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished, type TestContext } from "vitest";
import { isAlive, startOf } from "../engines/process.ts";
import { makeFolder } from "./harness.ts";
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
  /** All bytes that programs wrote to it. */
  raw(): string;
  resize(columns: number, lines: number): void;
  close(): void;
}

/** A word that sh reads as exactly this text. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
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
  tmux("pipe-pane", "-o", `cat >> ${quote(raw)}`);
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
    raw: () => (existsSync(raw) ? readFileSync(raw, "utf8") : ""),
    resize: (columns, lines) => {
      tmux("resize-window", "-x", String(columns), "-y", String(lines));
    },
    close: () => {
      tmux("kill-pane");
    },
  };
}
