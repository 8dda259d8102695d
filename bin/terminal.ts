/** The real stdout, stderr and stdin, as a verb sees them. */
import { createInterface } from "node:readline/promises";
import type { Settings } from "../src/config/config.ts";
import { makePaint, wantsColour } from "../src/paint.ts";
import type { Terminal } from "../src/verbs/call.ts";
import { columnsOf } from "./columns.ts";
import { openScreen } from "./screen.ts";

/** Of a pipe: wide enough for whole lines. */
const PIPE_COLUMNS = 200;

/** The terminal, or the pipes, of this process. */
export function realTerminal(color: Settings["color"]): Terminal {
  const { stdin, stdout, stderr, env } = process;
  const isTerminal = stdout.isTTY === true;
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    isTerminal,
    width: () => columnsOf(stdout, PIPE_COLUMNS),
    paint: makePaint(wantsColour(color, isTerminal, env)),
    openScreen: () => (isTerminal ? openScreen() : undefined),
    async ask(question) {
      if (!stdin.isTTY || !stderr.isTTY) return undefined;
      const reader = createInterface({ input: stdin, output: stderr });
      // A closed input is no answer, and Ctrl-C is what it always is: neither would end the question by itself.
      const closed = new Promise<string>((resolve) => reader.once("close", () => resolve("")));
      reader.once("SIGINT", () => {
        reader.close();
        process.kill(process.pid, "SIGINT");
      });
      try {
        return await Promise.race([reader.question(question), closed]);
      } finally {
        reader.close();
      }
    },
  };
}
