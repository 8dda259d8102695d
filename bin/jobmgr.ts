#!/usr/bin/env node
/** Arguments in, one verb loaded on use, errors to a message and an exit code; nothing else. */
import { readFileSync } from "node:fs";
import { Command, CommanderError, Option as Flag } from "commander";
import { OPTIONS, type Option, type OptionName, type RawOptions, settingsOf, UsageError } from "../src/config.ts";

/** What a shell or a cron job can go by; see README. */
const EXIT = { ok: 0, failed: 1, usage: 2, engine: 69, locked: 75, config: 78 } as const;

// A mask that hides a file from its own maker would make the records unreadable.
process.umask(process.umask() & 0o077);

// The reader of our output has left (head, less): that is no failure. A full disk under it is none of the jobs'.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT.ok);
  });
}

function version(): string {
  for (const path of ["../package.json", "../../package.json"]) {
    try {
      return JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")).version;
    } catch {
      // The sources lie one level higher than what is built of them.
    }
  }
  return "unknown";
}

function flagOf(option: Option): Flag {
  const flag = new Flag(option.flags, helpOf(option)).helpGroup(`${option.group}:`);
  if (option.type === "list")
    flag.argParser((value: string, list: readonly string[] | undefined) => [...(list ?? []), value]);
  return flag;
}

function helpOf(option: Option): string {
  const unit = option.type === "number" && option.unit === "s" ? " s" : "";
  const preset =
    "shown" in option && option.shown !== undefined
      ? option.shown
      : "default" in option && option.default !== undefined
        ? `${option.default}${unit}`
        : undefined;
  const range =
    option.type === "number"
      ? `${option.min} to ${option.max}`
      : option.type === "choice"
        ? option.choices.join(", ")
        : undefined;
  const notes = [preset === undefined ? undefined : `default ${preset}`, range].filter((note) => note !== undefined);
  return notes.length === 0 ? option.help : `${option.help} (${notes.join("; ")})`;
}

function addOptions(command: Command, names: readonly OptionName[]): Command {
  for (const name of names) command.addOption(flagOf(OPTIONS[name]));
  return command;
}

const EXAMPLES = `jobmgr runs the job folders that it finds in ROOT/inbox, and moves them to
ROOT/complete.

Examples:
  jobmgr --root ~/jobs --setup               make a root
  jobmgr --root ~/jobs -e LocalEngine -p 2   run its jobs on this machine
  jobmgr --root ~/jobs                       run its jobs on Slurm
  jobmgr --root ~/jobs status                see what is where
`;

function program(): Command {
  const main = new Command("jobmgr")
    .usage("[options] [command]")
    .addHelpText("beforeAll", "")
    .description("Drop a job folder into inbox/, find it in complete/ with its results.")
    .version(version(), "-V, --version", "show the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .addHelpText("before", EXAMPLES)
    .addHelpText(
      "after",
      "\nExit codes: 0 ok, 1 failed, 2 wrong usage, 69 engine not here, 75 managed by another,\n78 root unusable, 130/143 stopped by ctrl-C/TERM.",
    )
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`${text.trimEnd()}\nSee jobmgr --help.\n`) })
    .showSuggestionAfterError()
    .allowExcessArguments()
    .action(async (_options: unknown, command: Command) => {
      refuseUnknownCommand(command);
      process.exitCode = await runOrSetUp(command.opts());
    });
  addOptions(main, Object.keys(OPTIONS) as OptionName[]);

  const status = main
    .command("status")
    .description("show what is waiting, running and finished, from the disk alone")
    .option("--json", "as one JSON value (schema 1)")
    .option("--all", "all finished jobs, not only the latest")
    .addHelpText(
      "before",
      "Examples:\n  jobmgr --root ~/jobs status\n  jobmgr status --root ~/jobs --json | jq '.jobs[] | .name'\n",
    )
    .exitOverride()
    .action(async (_options: unknown, command: Command) => {
      await showStatus(command.optsWithGlobals());
    });
  addOptions(status, ["root", "color"]);
  return main;
}

/** Without a command the manager runs; so a misspelled one must not. */
function refuseUnknownCommand(command: Command): void {
  const [word] = command.args;
  if (word === undefined) return;
  const names = command.commands.map((one) => one.name());
  throw new UsageError(`There is no command "${word}". The commands are: ${names.join(", ")}`);
}

async function runOrSetUp(raw: RawOptions): Promise<number> {
  const settings = settingsOf(raw);
  if (raw.setup === true) {
    const { setUp } = await import("../src/verbs/setup.ts");
    for (const line of await setUp(settings.root, settings.groupWritable)) process.stdout.write(`${line}\n`);
    return EXIT.ok;
  }
  const [{ run }, { makeEngine }, { isAlive, isIgnored, startOf, thisMachine }] = await Promise.all([
    import("../src/verbs/run.ts"),
    import("../engines/index.ts"),
    import("../engines/process.ts"),
  ]);
  return run(settings, {
    makeEngine: () => makeEngine(settings.engine, settings),
    machine: thisMachine(),
    processStart: startOf(process.pid) ?? "",
    isAlive,
    isIgnored,
    uidOf,
  });
}

/** id(1) knows users of every kind of directory, which /etc/passwd does not. */
async function uidOf(user: string): Promise<number | undefined> {
  if (/^\d+$/.test(user)) return Number(user);
  const { runProgram } = await import("../engines/run-program.ts");
  const { exitCode, stdout } = await runProgram("id", ["-u", "--", user], 60_000);
  return exitCode === 0 && /^\d+$/.test(stdout.trim()) ? Number(stdout) : undefined;
}

async function showStatus(raw: RawOptions & { json?: boolean; all?: boolean }): Promise<void> {
  const settings = settingsOf(raw);
  const [{ report, reportLines }, { isAlive, thisMachine }] = await Promise.all([
    import("../src/verbs/status.ts"),
    import("../engines/process.ts"),
  ]);
  const all = report(settings.root, raw.all === true, isAlive, thisMachine().host);
  if (raw.json) {
    process.stdout.write(`${JSON.stringify(all, undefined, 1)}\n`);
    return;
  }
  const { makePaint, wantsColour } = await import("../src/paint.ts");
  const isTerminal = process.stdout.isTTY === true;
  const width = Number(process.env.COLUMNS) || process.stdout.columns || 80;
  const paint = makePaint(wantsColour(settings.color, isTerminal, process.env));
  process.stdout.write(
    `${reportLines(all, isTerminal ? width : Number(process.env.COLUMNS) || 200, paint).join("\n")}\n`,
  );
}

/** One switch for all: which message, which code. What is not known here is a bug, and shows its stack. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { name = "", message = "" } = error as Error;
  const code = { UsageError: EXIT.usage, RootError: EXIT.config, LockError: EXIT.locked, EngineError: EXIT.engine }[
    name
  ];
  const isDiskError = typeof (error as NodeJS.ErrnoException).syscall === "string";
  if (code === undefined && !isDiskError) {
    process.stderr.write(
      `${(error as Error).stack ?? String(error)}\nThis is a fault in jobmgr. No job is lost: start it again, and it goes on.\n`,
    );
    return EXIT.failed;
  }
  const isNoEngine = name === "EngineError" && (error as { verdict?: string }).verdict === "refused";
  const exitCode = isNoEngine ? EXIT.usage : (code ?? EXIT.config);
  process.stderr.write(`jobmgr: ${message}\n${exitCode === EXIT.usage ? "See jobmgr --help.\n" : ""}`);
  return exitCode;
}

try {
  await program().parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
