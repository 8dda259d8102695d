/** The manual page, jobmgr(1), in man(7): made of the same tables as the command line and its help. Pure. */
import {
  keyOf,
  longFlag,
  OPTIONS,
  type Option,
  type OptionName,
  rangeOf,
  shownDefault,
  variableOf,
} from "../config/options.ts";
import { VERBS, type VerbDefinition } from "./command-line.ts";

/** `date`: YYYY-MM-DD. */
export function manPage(version: string, date: string): string {
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ["NAME", ["jobmgr \\- drop a job folder into inbox/, find it in complete/ with its results"]],
    ["SYNOPSIS", synopsis()],
    ["DESCRIPTION", description()],
    ["FOLDERS", table(FOLDERS)],
    ["OPTIONS", options()],
    ["COMMANDS", commands()],
    ["FILES", table(FILES)],
    ["CONFIGURATION", configuration()],
    ["ENVIRONMENT", environment()],
    ["EXIT STATUS", table(EXIT_STATUS)],
    ["SEE ALSO", [".BR sbatch (1),", ".BR squeue (1),", ".BR crontab (5),", ".BR systemd.service (5)"]],
  ];
  const head = [`.TH JOBMGR 1 "${date}" ${quotedArgument(`jobmgr ${version}`)}`, ".ad l", ".nh"];
  return `${[...head, ...sections.flatMap(([title, lines]) => [`.SH ${title}`, ...begun(lines)])].join("\n")}\n`;
}

/** A section is a paragraph by itself. */
function begun(lines: readonly string[]): readonly string[] {
  return lines[0] === ".PP" ? lines.slice(1) : lines;
}

// -- what it says --

const FOLDERS = [
  ["move a folder with a job.sh into inbox/", "Run it, in alphabetical order (by code point)."],
  ["upload as inbox/.NAME, rename to NAME", "Run it, and never see a half of it."],
  ["touch inbox/NAME/job_hold", "Do not start it yet; delete the file to release it."],
  ["inbox/NAME/job_after.txt", 'Names of jobs, one a line: run it after these have succeeded; "any NAME": have ended.'],
  [
    "inbox/NAME/job_retry.txt",
    'Run it again when it ends badly: "times 3", "on NODE_FAIL 75", "pause 60", "memory 1.5", "time 2".',
  ],
  ["touch pending/NAME/job_cancel", "Cancel it; the file's text becomes the reason."],
  ["move complete/NAME back to inbox/", "Run it again; earlier attempts are kept."],
  ["touch ROOT/pause", "Take nothing more in; what runs goes on."],
] as const;

const FILES = [
  ["ROOT/inbox, ROOT/pending, ROOT/complete", "The jobs, by what is to be done with them."],
  ["ROOT/jobmgr.toml", "The configuration of this root."],
  ["~/.config/jobmgr.toml", "The user's configuration ($XDG_CONFIG_HOME/jobmgr.toml where that is set)."],
  ["/etc/jobmgr.toml", "The configuration of this machine."],
  ["NAME/job.sh", "What is run: by its #! line, or by bash."],
  ["NAME/job_name.txt", "The name that the engine shows, in its first line."],
  ["NAME/job_output.txt, NAME/slurm-JOBID.out", "What the job printed (LocalEngine, Slurm)."],
  ["NAME/job_error.txt", "Why it did not succeed; there if, and only if, it did not."],
  ["NAME/job_status.json", "State, times and exit code, for programs."],
] as const;

const EXIT_STATUS = [
  ["0", "All is well."],
  ["1", "Something failed."],
  ["2", "Wrong usage."],
  ["3", "There is no such job."],
  ["4", "The job did not succeed, and has no exit code of its own."],
  ["69", "The engine is not on this machine."],
  ["75", "Another manager has the root, or something took too long."],
  ["78", "The root or the configuration cannot be used."],
  ["129, 130, 143", "Stopped by HUP, INT (ctrl-C), TERM."],
] as const;

function synopsis(): string[] {
  return [".B jobmgr", text("[options]"), ".br", ".B jobmgr", text("[options] command [arguments]")];
}

function description(): string[] {
  return [
    ...paragraph(
      "A job is a folder with a job.sh in it. jobmgr takes it out of ROOT/inbox, runs it on Slurm or on this machine, and moves it to ROOT/complete. All that is known is in the folders: kill jobmgr at any moment, start it again, and nothing is lost and nothing runs twice.",
    ),
    ...paragraph(
      "Without a command it is the manager of the root: it stays until it is stopped (or makes one pass: --once). The commands work on the folders alone, with or without a manager.",
    ),
    ".PP",
    text("Examples:"),
    ...example([
      "jobmgr --root ~/jobs --setup               make a root",
      "jobmgr --root ~/jobs -e LocalEngine -p 2   run its jobs on this machine",
      "jobmgr --root ~/jobs                       run its jobs on Slurm",
      "jobmgr --root ~/jobs status                see what is where",
    ]),
  ];
}

function options(): string[] {
  const names = Object.keys(OPTIONS) as OptionName[];
  const groups = [...new Set(names.map((name) => OPTIONS[name].group))];
  const always = [
    ...item("-h, --help", "Show the help; behind a command, that command's."),
    ...item("-V, --version", "Show the version."),
  ];
  return [
    ...groups.flatMap((group) => [
      `.SS ${quotedArgument(group)}`,
      ...names
        .filter((name) => OPTIONS[name].group === group)
        .flatMap((name) => item(OPTIONS[name].flags, optionText(name))),
    ]),
    `.SS ${quotedArgument("Always")}`,
    ...always,
  ];
}

function optionText(name: OptionName): string {
  const option: Option = OPTIONS[name];
  const notes = [
    shownDefault(option) === undefined ? "" : `Default: ${shownDefault(option)}.`,
    rangeOf(option) === undefined ? "" : `Values: ${rangeOf(option)}.`,
    option.type === "switch" && !option.isFlagOnly ? `To undo it: --no-${keyOf(name)}.` : "",
  ].filter(Boolean);
  return [sentence(option.help), ...notes].join(" ");
}

function commands(): string[] {
  const verbs = Object.entries(VERBS) as [string, VerbDefinition][];
  const groups = [...new Set(verbs.map(([, { group }]) => group))];
  return groups.flatMap((group) => [
    `.SS ${quotedArgument(group)}`,
    ...verbs.filter(([, verb]) => verb.group === group).flatMap(([name, verb]) => command(name, verb)),
  ]);
}

function command(name: string, verb: VerbDefinition): string[] {
  const also = verb.settings === "all" ? "All options of the manager may stand here." : alsoOf(verb.settings);
  return [
    ".TP",
    `.B ${quotedArgument(`${name} ${verb.arguments}`.trim())}`,
    text([sentence(verb.help), also].filter(Boolean).join(" ")),
    ...(verb.options.length === 0
      ? []
      : [".RS", ...verb.options.flatMap(({ flags, help }) => item(flags, sentence(help))), ".RE"]),
    ".RS",
    ...example(verb.examples),
    ".RE",
  ];
}

function alsoOf(settings: readonly OptionName[]): string {
  if (settings.length === 0) return "";
  return `It heeds ${settings.map(longFlag).join(", ")}.`;
}

function configuration(): string[] {
  return [
    ...paragraph(
      'Each long option, without its dashes, is a key in a configuration file, in TOML: max-jobs = 50. A list is written ["a", "b"], a switch true or false. Flags outweigh variables of the environment, these ROOT/jobmgr.toml, that the user\'s file, and that /etc/jobmgr.toml. A relative path in a file is meant from that file\'s folder. `jobmgr config` shows each value and where it comes from.',
    ),
  ];
}

function environment(): string[] {
  const names = (Object.keys(OPTIONS) as OptionName[]).filter((name) => (OPTIONS[name] as Option).isFlagOnly !== true);
  return [
    ...paragraph(
      `Each option but ${(Object.keys(OPTIONS) as OptionName[])
        .filter((name) => !names.includes(name))
        .map(longFlag)
        .join(", ")} is a variable too:`,
    ),
    ...paragraph(`${names.map(variableOf).join(", ")}.`),
    ...paragraph(
      "A list is written with blanks between its items. NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE and COLUMNS are honoured. SLURM_CONF and SLURM_CLUSTERS are handed on to Slurm; other variables of its commands are not.",
    ),
  ];
}

// -- man(7) --

/** Text that is shown as it is. */
function text(plain: string): string {
  const escaped = escapedText(plain);
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

function escapedText(plain: string): string {
  return plain
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha")
    .replaceAll("`", "\\(ga")
    .replaceAll("'", "\\(aq")
    .replaceAll('"', "\\(dq");
}

function quotedArgument(plain: string): string {
  return `"${escapedText(plain)}"`;
}

function sentence(plain: string): string {
  const first = `${plain[0]?.toUpperCase()}${plain.slice(1)}`;
  return /[.?!)]$/.test(first) && !first.endsWith(")") ? first : `${first}.`;
}

function paragraph(plain: string): string[] {
  return [".PP", text(plain)];
}

function item(term: string, plain: string): string[] {
  return [".TP", `.B ${quotedArgument(term)}`, text(plain)];
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  return rows.flatMap(([term, meaning]) => item(term, meaning));
}

/** Lines that are not filled. */
function example(lines: readonly string[]): string[] {
  return [".PP", ".nf", ".RS", ...lines.map(text), ".RE", ".fi"];
}
