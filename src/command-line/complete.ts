/** What may stand where somebody presses Tab: verbs, options, their values, jobs, paths. Out of the tables alone. */
import { type Completes, longFlag, OPTIONS, type Option, type OptionName } from "../config/options.ts";
import { isPlace, PLACES, type Place } from "../stage.ts";
import { VERBS, type VerbDefinition } from "./command-line.ts";

/** One word that may stand there, and what it does. */
export interface Choice {
  readonly value: string;
  readonly help: string;
}

/** What can stand where Tab was pressed. */
export interface Choices {
  readonly choices: readonly Choice[];
  /** The shell itself knows best how paths are completed; where there are choices as well, these come first. */
  readonly paths: "none" | "any" | "folders";
}

/** A command line up to where Tab was pressed, without its first word, and without quotes. */
export interface Typed {
  readonly before: readonly string[];
  readonly current: string;
}

/** What only a look at the disk tells. `root`: as --root says; undefined: as the configuration says. */
export interface Here {
  /** The names of the jobs in a place of the root. */
  jobsIn(place: Place, root: string | undefined): readonly string[];
  /** The engines that there are, by their names. */
  engines(root: string | undefined): readonly string[];
}

interface Flag {
  readonly short: string | undefined;
  readonly long: string;
  readonly takesValue: boolean;
  /** All words up to the next option are values of it. */
  readonly takesMore?: boolean;
  readonly help: string;
  readonly completes: Completes | undefined;
}

const NONE: Choices = { choices: [], paths: "none" };

/** All that may stand there. The shell keeps of it what begins with what was typed. */
export function choicesFor({ before, current }: Typed, here: Here): Choices {
  const line = readLine(before);
  const known = {
    current,
    jobs: (place: Place) => here.jobsIn(place, line.root),
    engines: () => here.engines(line.root),
    prefix: "",
  };
  if (line.pending) return valuesOf(line.pending.completes, { ...known, said: [], isBehindDashes: true });
  if (!line.isBehindDashes && current.startsWith("-")) {
    const [, name, typed] = /^(--[^=]+)=(.*)$/s.exec(current) ?? [];
    const flag = line.flags.find(({ long }) => long === name);
    if (name === undefined) return optionsOf(line.flags);
    const where = { ...known, current: typed ?? "", prefix: `${name}=`, said: [], isBehindDashes: true };
    return flag ? valuesOf(flag.completes, where) : NONE;
  }
  if (line.verb === undefined) return line.words.length === 0 ? verbs() : NONE;
  if (line.open) return valuesOf(line.open.flag.completes, { ...known, said: line.open.said, isBehindDashes: false });
  const { words: said, isBehindDashes } = line;
  return valuesOf(VERBS_BY_NAME[line.verb]?.completes, { ...known, said, isBehindDashes });
}

const VERBS_BY_NAME: Readonly<Record<string, VerbDefinition>> = VERBS;

interface Line {
  readonly verb: string | undefined;
  readonly words: readonly string[];
  readonly flags: readonly Flag[];
  /** The option whose value comes next. */
  readonly pending: Flag | undefined;
  /** The option of which further values may come, and those that it has. */
  readonly open: { readonly flag: Flag; readonly said: string[] } | undefined;
  readonly isBehindDashes: boolean;
  readonly root: string | undefined;
}

function readLine(before: readonly string[]): Line {
  const words: string[] = [];
  let verb: string | undefined;
  let flags = flagsOf(undefined);
  let pending: Flag | undefined;
  let open: Line["open"];
  let isBehindDashes = false;
  let root: string | undefined;
  const take = (flag: Flag | undefined, value: string | undefined) => {
    if (value === undefined) pending = flag;
    else if (flag?.long === "--root") root = value;
  };
  for (const word of before) {
    if (pending) {
      const flag = pending;
      pending = undefined;
      take(flag, word);
      open = flag.takesMore ? { flag, said: [word] } : undefined;
    } else if (open && !/^-./.test(word)) open.said.push(word);
    else if (isBehindDashes || !/^-./.test(word)) {
      if (verb === undefined && !isBehindDashes && Object.hasOwn(VERBS, word)) {
        verb = word;
        flags = flagsOf(word);
      } else {
        words.push(word);
        // What follows is the program's.
        if (verb !== undefined && VERBS_BY_NAME[verb]?.takesProgram) isBehindDashes = true;
      }
    } else if (word === "--") {
      isBehindDashes = true;
      open = undefined;
    } else {
      open = undefined;
      const given = flagIn(word, flags);
      if (given?.flag.takesValue) take(given.flag, given.value);
    }
  }
  return { verb, words, flags, pending, open, isBehindDashes, root };
}

/** "--root=X", "-rX", or "-sr", whose last one waits for its value. */
function flagIn(word: string, flags: readonly Flag[]): { flag: Flag; value: string | undefined } | undefined {
  const [, long, value] = /^(--[^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  if (long !== undefined) {
    const flag = flags.find((one) => one.long === long);
    return flag && { flag, value };
  }
  for (let at = 1; at < word.length; at++) {
    const flag = flags.find(({ short }) => short === `-${word[at]}`);
    if (flag?.takesValue) return { flag, value: word.slice(at + 1) || undefined };
  }
  return undefined;
}

/** Those general options that a verb does not take are not offered, but read over. */
function flagsOf(verb: string | undefined): readonly (Flag & { readonly isOffered?: boolean })[] {
  const { options = [], settings = [] } = VERBS_BY_NAME[verb ?? ""] ?? {};
  const offered = verb === undefined || settings === "all" ? undefined : new Set(["root", "color", ...settings]);
  const general = (Object.keys(OPTIONS) as OptionName[]).map((name) => {
    const option: Option = OPTIONS[name];
    return {
      short: shortOf(option.flags),
      long: longFlag(name),
      takesValue: option.type !== "switch",
      help: option.help,
      completes: completesOf(option),
      isOffered: offered?.has(name) ?? true,
    };
  });
  const own = options.map(({ flags, help, completes }) => ({
    short: shortOf(flags),
    long: /--[\w-]+/.exec(flags)?.[0] ?? flags,
    takesValue: flags.includes("<") || flags.includes("["),
    takesMore: flags.includes("..."),
    help,
    completes,
    isOffered: true,
  }));
  const said = new Set(own.map(({ long }) => long));
  const always = [
    { short: "-h", long: "--help", takesValue: false, help: "show this help", completes: undefined, isOffered: true },
    ...(verb === undefined
      ? [{ short: "-V", long: "--version", takesValue: false, help: "show the version", completes: undefined }]
      : []),
  ];
  return [...own, ...general.filter(({ long }) => !said.has(long)), ...always];
}

function shortOf(flags: string): string | undefined {
  return /^-\w(?=,|$)/.exec(flags)?.[0];
}

function completesOf(option: Option): Completes | undefined {
  if (option.completes) return option.completes;
  if (option.type === "choice") return option.choices;
  return option.type === "text" && option.isPath ? "path" : undefined;
}

function optionsOf(flags: readonly (Flag & { readonly isOffered?: boolean })[]): Choices {
  const offered = flags.filter(({ isOffered }) => isOffered !== false);
  return { choices: offered.map(({ long, help }) => ({ value: long, help })), paths: "none" };
}

function verbs(): Choices {
  return { choices: Object.entries(VERBS).map(([value, { help }]) => ({ value, help })), paths: "none" };
}

interface ValuePlace {
  /** What was typed of the value. */
  readonly current: string;
  readonly jobs: (place: Place) => readonly string[];
  readonly engines: () => readonly string[];
  /** What stands before it in the same word: "--engine=". */
  readonly prefix: string;
  /** Words that were given already, and are not offered again. */
  readonly said: readonly string[];
  /** A name that begins with "-" is taken for a name. */
  readonly isBehindDashes: boolean;
}

function valuesOf(completes: Completes | undefined, where: ValuePlace): Choices {
  if (completes === undefined) return NONE;
  if (completes === "path") return { choices: [], paths: "any" };
  if (completes === "folder") return { choices: [], paths: "folders" };
  if (completes === "engine") return { ...wordsOf(where.engines(), where), paths: "any" };
  if (completes === "job") return jobsOf(PLACES, where, "none");
  if ("jobs" in completes) return jobsOf(completes.jobs, where, completes.orPath ? "any" : "none");
  return wordsOf(completes, where);
}

function wordsOf(words: readonly string[], { prefix }: ValuePlace): Choices {
  return { choices: words.map((word) => ({ value: prefix + word, help: "" })), paths: "none" };
}

/** Job names; behind "pending/" those of that place, as where one name is in several. */
function jobsOf(places: readonly Place[], where: ValuePlace, paths: Choices["paths"]): Choices {
  const [, first = "", rest] = /^([^/]*)\/(.*)$/s.exec(where.current) ?? [];
  const only = rest !== undefined && isPlace(first) && places.includes(first) ? first : undefined;
  if (rest !== undefined && only === undefined) return { choices: [], paths };
  const said = new Set(where.said);
  const values = new Set<string>();
  for (const place of only === undefined ? places : [only]) {
    for (const name of where.jobs(place)) {
      // On a line of a shell's list there is room for neither.
      if (/\p{Cc}/u.test(name)) continue;
      const isOptionLike = name.startsWith("-") && !where.isBehindDashes;
      values.add(only !== undefined || isOptionLike ? `${place}/${name}` : name);
    }
  }
  const choices = [...values]
    .filter((value) => !said.has(value))
    .map((value) => ({ value: where.prefix + value, help: "" }));
  return { choices, paths };
}
