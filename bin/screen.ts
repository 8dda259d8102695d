/**
 * The alternate screen of a terminal (xterm's 1049, which every terminal emulator, tmux and screen know): what was on
 * the terminal, and its cursor, are there again when it is left.
 */
import type { Screen } from "../src/verbs/call.ts";

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[2K";
const CLEAR_BELOW = "\x1b[J";

const CTRL_C = "\x03";
const CTRL_Z = "\x1a";

/** These end a program; the terminal is given back first. */
const ENDINGS = ["SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/** Takes the terminal, until it is closed. Keys, and a change of its size, are its events. */
export function openScreen(): Screen {
  const { stdin, stdout } = process;
  const hasKeys = stdin.isTTY === true;
  const events = new Events();
  const enter = () => {
    if (hasKeys) stdin.setRawMode(true);
    stdout.write(ENTER);
  };
  const leave = () => {
    stdout.write(LEAVE);
    if (hasKeys) stdin.setRawMode(false);
  };
  const onKeys = (bytes: Buffer) => {
    for (const key of bytes.toString("latin1")) {
      if (key === CTRL_Z) suspend();
      else events.tell(key);
    }
  };
  const onResize = () => events.tell("resize");
  const onInterrupt = () => events.tell(CTRL_C);
  /** As a shell expects of Ctrl-Z: the terminal is its own until `fg`. */
  const suspend = () => {
    leave();
    process.kill(process.pid, "SIGSTOP");
  };
  const onContinue = () => {
    enter();
    onResize();
  };
  const end = (signal: NodeJS.Signals) => {
    close();
    process.kill(process.pid, signal);
  };
  const close = () => {
    for (const signal of ENDINGS) process.off(signal, end);
    process.off("SIGINT", onInterrupt);
    process.off("SIGCONT", onContinue);
    stdout.off("resize", onResize);
    stdin.off("data", onKeys);
    if (hasKeys) stdin.pause();
    leave();
  };

  for (const signal of ENDINGS) process.on(signal, end);
  process.on("SIGINT", onInterrupt);
  process.on("SIGCONT", onContinue);
  stdout.on("resize", onResize);
  if (hasKeys) stdin.on("data", onKeys);
  enter();
  return {
    height: () => stdout.rows || 24,
    show: (lines) => {
      const text = lines.map((line) => CLEAR_LINE + line).join("\r\n");
      stdout.write(`${HOME}${text}${CLEAR_BELOW}`);
    },
    next: (ms) => events.next(ms),
    close,
  };
}

/** What has happened and was not asked for yet. */
class Events {
  readonly #events: string[] = [];
  #wake = () => {};

  tell(event: string): void {
    this.#events.push(event);
    this.#wake();
  }

  /** The oldest; waits for one, so long at most. */
  async next(ms: number): Promise<string | undefined> {
    if (this.#events.length === 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#events.shift();
  }
}
