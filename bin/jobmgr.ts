#!/usr/bin/env node
/** Arguments in, errors to a message and an exit code; nothing else. */
import { CommanderError } from "commander";
import { diskErrorText } from "../src/disk-error.ts";
import { EXIT } from "../src/exit-codes.ts";
import { printable } from "../src/printable.ts";
import { columnsOf } from "./columns.ts";
import { commandLine, helpHint } from "./program.ts";
import { version } from "./version.ts";

// A mask that hides a file from its own maker would make the records unreadable.
process.umask(process.umask() & 0o077);

// The reader of our output has left (head, less): that is no failure. A full disk under it is none of the jobs'.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT.ok);
  });
}

const CODES: Readonly<Record<string, number>> = {
  UsageError: EXIT.usage,
  LaunchError: EXIT.usage,
  AbsentError: EXIT.absent,
  RootError: EXIT.config,
  ConfigError: EXIT.config,
  LockError: EXIT.locked,
  EngineError: EXIT.engine,
};

/** What is about to end by itself has so long. */
const LINGER_MS = 1000;

/** One switch for all: which message, which code. What is not known here is a bug, and shows its stack. */
async function exitCodeOf(error: unknown, hint: string): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { name = "", message = "" } = error as Error;
  const code = CODES[name];
  const isDiskError = typeof (error as NodeJS.ErrnoException).syscall === "string";
  if (code === undefined && !isDiskError) {
    process.stderr.write(
      `${(error as Error).stack ?? String(error)}\nThis is a fault in jobmgr. No job is lost: start it again, and it goes on.\n`,
    );
    return EXIT.failed;
  }
  const isNoEngine = name === "EngineError" && (error as { verdict?: string }).verdict === "refused";
  const exitCode = isNoEngine ? EXIT.usage : (code ?? EXIT.config);
  const text = code === undefined ? diskErrorText(error as NodeJS.ErrnoException) : message;
  const lines = await fitting(text.split("\n").map((line) => `jobmgr: ${printable(line)}`));
  process.stderr.write(`${lines.join("\n")}\n${exitCode === EXIT.usage ? `${hint}\n` : ""}`);
  return exitCode;
}

/** On a terminal, in lines that it has room for. */
async function fitting(lines: readonly string[]): Promise<readonly string[]> {
  if (!process.stderr.isTTY) return lines;
  const { prose } = await import("../src/prose.ts");
  return lines.flatMap((line) => prose(line, columnsOf(process.stderr), "  "));
}

// No await at the top: the main file of an executable is CommonJS, which has none.
const [word, ...words] = process.argv.slice(2);
if (word === "__complete") {
  // Whatever goes wrong, the line that is being typed stays as it is.
  import("./complete.ts").then(({ answerTo }) => process.stdout.write(answerTo(words))).catch(() => {});
} else if (word === "__man") {
  const today = new Date().toISOString().slice(0, 10);
  void import("../src/command-line/man-page.ts").then(({ manPage }) => process.stdout.write(manPage(version(), today)));
} else {
  const main = commandLine(version(), (exitCode) => {
    process.exitCode = exitCode;
  });
  main
    .parseAsync(process.argv.slice(2), { from: "user" })
    .catch(async (error: unknown) => {
      process.exitCode = await exitCodeOf(error, helpHint(main));
    })
    .finally(leave);
}

/** All is done. What an engine of somebody else keeps open, such as a timer or a connection, must not keep this process. */
function leave(): void {
  const isSaid = () => process.stdout.writableLength + process.stderr.writableLength === 0;
  setInterval(() => isSaid() && process.exit(), LINGER_MS).unref();
}
