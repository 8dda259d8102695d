/** Real terminals for tests: a shell in tmux(1), on a server of its own. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished, type TestContext } from "vitest";
import { isAlive, startOf } from "../engines/process.ts";
import { makeFolder, PROGRAM, waitUntil } from "./harness.ts";
import { need } from "./real/surroundings.ts";

/** A terminal with a shell in it. `m` in that shell is the manager of the root, `s` its status. */
export interface Terminal {
  /** Types a command line, and Enter. */
  run(line: string): void;
  press(...keys: string[]): void;
  /** The text that is or was on the screen, without what the shell was told to do. */
  screen(): string;
  /** All bytes that programs wrote to it. */
  raw(): string;
  /** Asks for the exit code of the last command, when the shell has it. */
  exitCode(): Promise<number>;
  /** The pid of the manager that runs in it. */
  managerPid(): number;
  close(): void;
  /** What is on the screen now, line by line; the alternate screen has no past. */
  visible(): string;
  resize(columns: number, rows: number): void;
}

const COLUMNS = 180;

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

export async function openTerminal(context: TestContext, root: { readonly path: string }): Promise<Terminal> {
  const program = need(context, "tmux");
  const folder = makeFolder();
  const raw = join(folder, "raw");
  const jobmgrHere = `${quote(process.execPath)} ${quote(PROGRAM)} --root ${quote(root.path)}`;
  writeFileSync(
    join(folder, "rc"),
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
  const { NO_COLOR: _no, FORCE_COLOR: _force, CLICOLOR_FORCE: _cli, TMUX: _tmux, ...env } = process.env;
  const tmux = (...args: string[]) =>
    execFileSync(program, ["-u", "-S", join(folder, "socket"), "-f", "/dev/null", ...args], {
      encoding: "utf8",
      env: { ...env, LC_ALL: "C.UTF-8" },
      stdio: ["ignore", "pipe", "pipe"],
    });
  tmux(
    "new-session",
    "-d",
    "-x",
    String(COLUMNS),
    "-y",
    "50",
    `exec bash --noprofile --rcfile ${quote(join(folder, "rc"))} -i`,
  );
  const server = Number(tmux("display-message", "-p", "#{pid}"));
  const serverStart = startOf(server) ?? "";
  const shell = Number(tmux("display-message", "-p", "#{pane_pid}"));
  onTestFinished(() => {
    if (isAlive(server, serverStart)) process.kill(server, "SIGTERM");
  });
  tmux("set-option", "-g", "history-limit", "10000");
  tmux("pipe-pane", "-o", `cat >> ${quote(raw)}`);
  const screen = () =>
    tmux("capture-pane", "-p", "-J", "-S", "-")
      .replace(/[ \t]+$/gm, "")
      .trimEnd();
  await waitUntil("the shell is there", () => screen().endsWith("$"));
  let asked = 0;
  const terminal: Terminal = {
    run(line) {
      tmux("send-keys", "-l", line);
      tmux("send-keys", "Enter");
    },
    press: (...keys) => {
      tmux("send-keys", ...keys);
    },
    screen,
    raw: () => (existsSync(raw) ? readFileSync(raw, "utf8") : ""),
    async exitCode() {
      const mark = `code${++asked}=`;
      terminal.run(`echo "code"${asked}=$?`);
      const answer = new RegExp(`^${mark}(\\d+)$`, "m");
      await waitUntil("the shell tells an exit code", () => answer.test(screen()));
      return Number(answer.exec(screen())?.[1]);
    },
    managerPid() {
      const children = readFileSync(`/proc/${shell}/task/${shell}/children`, "utf8").trim().split(" ");
      return Number(children[0]);
    },
    close() {
      tmux("kill-pane");
    },
    visible: () =>
      tmux("capture-pane", "-p")
        .replace(/[ \t]+$/gm, "")
        .trimEnd(),
    resize: (columns, rows) => {
      tmux("resize-window", "-x", String(columns), "-y", String(rows));
    },
  };
  return terminal;
}
