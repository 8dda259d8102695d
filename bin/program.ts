/** The command line, made of the tables of options and verbs. Each verb is loaded when it is called. */
import { Command, Option as Flag, Help } from "commander";
import { keyOfFlags, VERBS, type VerbDefinition, type VerbName } from "../src/command-line/command-line.ts";
import { settingsOf, UsageError } from "../src/config/config.ts";
import {
  longFlag,
  OPTIONS,
  type Option,
  type OptionName,
  type RawOptions,
  rangeOf,
  shownDefault,
  variableOf,
} from "../src/config/options.ts";
import { didYouMean } from "../src/nearest.ts";
import type { Call, Verb } from "../src/verbs/call.ts";
import { columnsOf } from "./columns.ts";

type Loads = () => Promise<Verb<never>>;

/** Where each verb is. */
const LOADS: Readonly<Record<VerbName, Loads>> = {
  status: async () => (await import("../src/verbs/status.ts")).status,
  explain: async () => (await import("../src/verbs/explain.ts")).explain,
  logs: async () => (await import("../src/verbs/logs.ts")).logs,
  check: async () => (await import("../src/verbs/check.ts")).check,
  doctor: async () => (await import("../src/verbs/doctor.ts")).doctor,
  engines: async () => (await import("../src/verbs/engines.ts")).engines,
  submit: async () => (await import("../src/verbs/submit.ts")).submit,
  wait: async () => (await import("../src/verbs/wait.ts")).wait,
  cancel: async () => (await import("../src/verbs/cancel.ts")).cancel,
  hold: async () => (await import("../src/verbs/hold.ts")).hold,
  release: async () => (await import("../src/verbs/hold.ts")).release,
  retry: async () => (await import("../src/verbs/retry.ts")).retry,
  remove: async () => (await import("../src/verbs/remove.ts")).remove,
  clean: async () => (await import("../src/verbs/remove.ts")).clean,
  pause: async () => (await import("../src/verbs/pause.ts")).pause,
  resume: async () => (await import("../src/verbs/pause.ts")).resume,
  launch: async () => (await import("../src/verbs/launch.ts")).launch,
  resources: async () => (await import("../src/verbs/resources.ts")).resources,
  config: async () => (await import("../src/verbs/config.ts")).config,
  service: async () => (await import("../src/verbs/service.ts")).service,
  completion: async () => (await import("../src/verbs/completion.ts")).completion,
};

/** What one does without a verb. */
const RUN: Loads = async () => (await import("../src/verbs/run.ts")).run;
const SET_UP: Loads = async () => (await import("../src/verbs/setup.ts")).setUp;

/** Where options that all verbs take stand in the help of one. */
const GENERAL = "General";
const NAMES = Object.keys(OPTIONS) as OptionName[];
const GROUPS = [...new Set(Object.values<VerbDefinition>(VERBS).map(({ group }) => group))];

const INTRODUCTION = `jobmgr runs the job folders that it finds in ROOT/inbox, and moves them to
ROOT/complete.

Examples:
  jobmgr --root ~/jobs --setup               make a root
  jobmgr --root ~/jobs -e LocalEngine -p 2   run its jobs on this machine
  jobmgr --root ~/jobs                       run its jobs on Slurm
  jobmgr --root ~/jobs status                see what is where
`;

const EXIT_CODES = `
Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 no such job, 4 the job did not
succeed and has no code of its own, 69 engine not here, 75 managed by another
or --timeout is over, 78 root or configuration unusable, 130/143 stopped by
ctrl-C/TERM.`;

/** `ended` is told the exit code of the verb that was called. */
export function commandLine(version: string, ended: (exitCode: number) => void): Command {
  const main = new Command("jobmgr")
    .usage("[options] [command]")
    .addHelpText("beforeAll", "")
    .description("Drop a job folder into inbox/, find it in complete/ with its results.")
    .version(version, "-V, --version", "show the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .addHelpText("before", INTRODUCTION)
    .addHelpText("after", EXIT_CODES)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(`${text.replace(/^error/, "jobmgr").trimEnd()}\n${helpHint(main)}\n`),
      getOutHelpWidth: () => columnsOf(process.stdout),
    })
    .showSuggestionAfterError()
    // What stands behind a verb is read by that verb alone: it knows which word is the value of an option.
    .enablePositionalOptions()
    .allowExcessArguments()
    .action(async (_options: unknown, command: Command) => {
      const [word, ...words] = command.args;
      if (word === "help") return void (await main.parseAsync(helpWords(main, words), { from: "user" }));
      refuseUnknownVerb(command);
      ended(await call(version, command.opts().setup ? SET_UP : RUN, NO_WORDS, {}, command.opts()));
    });
  addSettings(main, NAMES);
  for (const [name, verb] of Object.entries(VERBS) as [VerbName, VerbDefinition][]) addVerb(main, name, verb);
  main.configureHelp({
    subcommandTerm: (command) => `${command.name()} ${VERBS[command.name() as VerbName].arguments}`.trim(),
    formatHelp: (command, helper) => verbsFirst(Help.prototype.formatHelp.call(helper, command, helper)),
  });
  // Options of twenty verbs would be made at each start, and one verb is called.
  main.hook("preSubcommand", (_main, command) =>
    completeVerb(main, command, (...called) => call(version, ...called).then(ended)),
  );
  return main;
}

type Called = (loads: Loads, words: Words, options: object, flags: RawOptions) => Promise<void>;

/** Where to read on after wrong usage: in the help of the verb that was called. */
export function helpHint(main: Command): string {
  const [word] = main.args;
  return word !== undefined && Object.hasOwn(VERBS, word) ? `See jobmgr ${word} --help.` : "See jobmgr --help.";
}

/** `jobmgr help cancel` is `jobmgr cancel --help`; a command that there is not is refused as such. */
function helpWords(main: Command, words: readonly string[]): string[] {
  const [verb] = words;
  const isUnknown = verb !== undefined && !main.commands.some((command) => command.name() === verb);
  return isUnknown ? [verb] : [...words.slice(0, 1), "--help"];
}

/** The options are many; what one looks for are the verbs. */
function verbsFirst(help: string): string {
  const isOfVerbs = (part: string) => GROUPS.some((group) => part.startsWith(`${group}:`));
  const parts = help.trimEnd().split("\n\n");
  const verbs = parts.filter(isOfVerbs);
  const others = parts.filter((part) => !isOfVerbs(part));
  const at = others.findIndex((part) => part.startsWith("Options:"));
  return `${[...others.slice(0, at), ...verbs, ...others.slice(at)].join("\n\n")}\n`;
}

/** What the list of verbs shows of it. */
function addVerb(main: Command, name: VerbName, verb: VerbDefinition): void {
  const rest = verb.takesProgram ? "[launcher's options] <program> [args...] [: ...]" : verb.arguments;
  const usage = ["[options]", rest, verb.takesCommand ? "[-- command...]" : ""].filter(Boolean).join(" ");
  main
    .command(verb.arguments ? `${name} ${verb.arguments}` : name)
    .usage(usage)
    .allowExcessArguments(false)
    .summary(verb.help)
    .helpGroup(`${verb.group}:`);
}

/** The rest of it, when it is called. */
function completeVerb(main: Command, command: Command, called: Called): void {
  const name = command.name() as VerbName;
  const verb: VerbDefinition = VERBS[name];
  command
    .description(`${verb.help[0]?.toUpperCase()}${verb.help.slice(1)}.`)
    .addHelpText("before", `Examples:\n${verb.examples.map((line) => `  ${line}\n`).join("")}`)
    .exitOverride()
    .action(async () => {
      const all = beforeAndAfter(main.opts(), command.opts());
      const own = verb.options.map(({ flags }) => keyOfFlags(flags)).map((key) => [key, all[key]] as const);
      const given = Object.fromEntries(own.filter(([, value]) => value !== undefined));
      const words = split(command.args, verb);
      refuseAlone(name, all);
      refuseUnused(name, all);
      refuseEmpty(verb.takesProgram ? [] : words.words, given);
      await called(LOADS[name], words, given, all as RawOptions);
    });
  for (const option of verb.options) {
    const flag = new Flag(option.flags, option.help);
    command.addOption(option.isList ? flag.argParser(appended) : flag);
  }
  if (verb.settings === "all") {
    addSettings(command, ["root", "color"], GENERAL);
    command.addHelpText("after", "\nAll other options of jobmgr may stand here too: jobmgr --help lists them.");
  } else {
    // Where a verb has no options of its own, a group for the others says nothing.
    const group = verb.options.length > 0 ? GENERAL : "Options";
    addSettings(command, settingsTaken(verb), group);
  }
  if (verb.takesProgram) {
    command.passThroughOptions().allowUnknownOption();
    return;
  }
  const own = new Set(command.options.map(({ long }) => long));
  for (const name of NAMES) if (!own.has(longFlag(name))) addSetting(command, name, (flag) => flag.hideHelp());
}

/** General options may stand before the verb and after it; what stands later counts, and a list goes on. */
function beforeAndAfter(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>) {
  const all = { ...before };
  for (const [key, value] of Object.entries(after)) {
    const earlier = before[key];
    if (value !== undefined) all[key] = Array.isArray(earlier) && Array.isArray(value) ? [...earlier, ...value] : value;
  }
  return all;
}

/** The general options that make a difference to a verb. */
function settingsTaken({ settings }: VerbDefinition): readonly OptionName[] {
  return settings === "all" ? NAMES : ["root", "color", ...settings];
}

/** A general option that changes nothing would be passed over in silence. One in a file or the environment is for all verbs. */
function refuseUnused(name: VerbName, options: Readonly<Record<string, unknown>>): void {
  const taken = settingsTaken(VERBS[name]);
  const unused = NAMES.filter((one) => options[one] !== undefined && !taken.includes(one));
  if (unused.length === 0) return;
  const told = unused.map((one) => {
    const takers = Object.entries<VerbDefinition>(VERBS).filter(([, verb]) => settingsTaken(verb).includes(one));
    return `${name} takes no ${longFlag(one)}. Who takes it: the manager (jobmgr without a command), ${takers.map(([taker]) => taker).join(", ")}`;
  });
  throw new UsageError(told.join("\n"));
}

/** What is done without a verb alone: beside one it would be passed over in silence. */
function refuseAlone(verb: VerbName, options: Readonly<Record<string, unknown>>): void {
  const alone = NAMES.find((name) => (OPTIONS[name] as Option).isFlagOnly === true && options[name] === true);
  if (alone !== undefined)
    throw new UsageError(`${longFlag(alone)} and ${verb} do not go together: call one, then the other`);
}

/** Nothing is called "": it is what a shell makes of a variable that is not set. */
function refuseEmpty(words: readonly string[], options: Readonly<Record<string, unknown>>): void {
  if (words.includes("")) throw new UsageError('an empty name, "", was given. Is a variable of the shell not set?');
  const [empty] = Object.entries(options).find(([, value]) => [value].flat().includes("")) ?? [];
  if (empty !== undefined) throw new UsageError(`--${dashed(empty)}: it needs a value`);
}

/** "olderThan" is --older-than. */
function dashed(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

interface Words {
  readonly words: readonly string[];
  readonly command: readonly string[];
}

const NO_WORDS: Words = { words: [], command: [] };

/** Commander does not tell which words stood behind "--". */
function split(all: readonly string[], { takesCommand, takesProgram }: VerbDefinition): Words {
  if (takesProgram) {
    const isBehindDashes = process.argv.at(-all.length - 1) === "--";
    return { words: isBehindDashes ? ["--", ...all] : all, command: [] };
  }
  const dashes = process.argv.indexOf("--");
  const count = takesCommand && dashes !== -1 ? process.argv.length - dashes - 1 : 0;
  return { words: all.slice(0, all.length - count), command: all.slice(all.length - count) };
}

function appended(value: string, list: readonly string[] | undefined): readonly string[] {
  return [...(list ?? []), value];
}

/** Loads a verb, lays the flags over the configuration, and calls it. */
async function call(
  version: string,
  loads: Loads,
  words: Words,
  options: object,
  flags: Record<string, unknown>,
): Promise<number> {
  const [{ layersOver }, { placeHere }, { surroundingsOf }, { realTerminal }] = await Promise.all([
    import("../src/config/layers.ts"),
    import("./place.ts"),
    import("./surroundings.ts"),
    import("./terminal.ts"),
  ]);
  const given = Object.fromEntries(
    NAMES.filter((name) => flags[name] !== undefined).map((name) => [name, flags[name]]),
  );
  const { raw, origins, files, launch } = layersOver(given, placeHere());
  const settings = settingsOf(raw, origins);
  // What is a secret is none of the jobs': they inherit this environment.
  for (const name of NAMES) if ((OPTIONS[name] as Option).isSecret) delete process.env[variableOf(name)];
  const around = surroundingsOf(settings, version);
  const terminal = realTerminal(settings.color);
  const verb = (await loads()) as Verb<object>;
  return verb({ ...words, options, settings, raw, origins, files, launch, around, terminal } satisfies Call);
}

/** Without a verb the manager runs; so a misspelled one must not. */
function refuseUnknownVerb(command: Command): void {
  const [word] = command.args;
  if (word === undefined) return;
  const names = Object.keys(VERBS);
  throw new UsageError(
    `There is no command "${word}".${ofListBefore(word)}${didYouMean(word, names)} The commands are: ${names.join(", ")}`,
  );
}

/** What somebody may have meant who gives several values to an option that takes one at a time. */
function ofListBefore(word: string): string {
  const at = process.argv.indexOf(word);
  const [twoBefore = "", before = ""] = process.argv.slice(Math.max(0, at - 2), at);
  const flag = NAMES.filter((name) => OPTIONS[name].type === "list")
    .map(longFlag)
    .find((one) => one === twoBefore || before.startsWith(`${one}=`));
  return flag === undefined ? "" : ` If it belongs to ${flag}, repeat that: ${flag} ${word}.`;
}

/** `group`: where they stand in the help, if not each in its own. */
function addSettings(command: Command, names: readonly OptionName[], group?: string): void {
  for (const name of names) addSetting(command, name, (flag) => (group ? flag.helpGroup(`${group}:`) : flag));
}

function addSetting(command: Command, name: OptionName, shown: (flag: Flag) => Flag): void {
  const option: Option = OPTIONS[name];
  command.addOption(shown(flagOf(option)));
  // What a file switches on, a flag can switch off.
  if (option.type === "switch" && !option.isFlagOnly)
    command.addOption(new Flag(`--no-${longFlag(name).slice("--".length)}`).hideHelp());
}

function flagOf(option: Option): Flag {
  const flag = new Flag(option.flags, helpOf(option)).helpGroup(`${option.group}:`);
  return option.type === "list" ? flag.argParser(appended) : flag;
}

function helpOf(option: Option): string {
  const preset = shownDefault(option);
  const notes = [preset === undefined ? undefined : `default ${preset}`, rangeOf(option)];
  const shown = notes.filter((note) => note !== undefined);
  return shown.length === 0 ? option.help : `${option.help} (${shown.join("; ")})`;
}
