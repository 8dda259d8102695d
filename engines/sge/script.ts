/**
 * What qsub reads of a script: its `#$` lines, wherever they stand, and the options that take effect. Every rule here was
 * read off qsub of Grid Engine 8.1.9 (`qsub -verify`). Pure.
 */

/** How many words follow an option of qsub(1): "" none, ":" one. */
const QSUB: Readonly<Record<string, "" | ":">> = {
  ...named(
    ":",
    "a ac Ap astnode at A b binding c ckpt C dc dl dul e he hold_jid hold_jid_ad i j js jsv l M m masterq mattr N now",
  ),
  ...named(":", "o ot P p pe q r R sc shell srqs sync S t tc v w wd @ display"),
  ...named("", "clear cwd h hard help notify soft terse verify verbose V"),
};

function named<T>(arity: T, names: string): Record<string, T> {
  return Object.fromEntries(names.split(" ").map((name) => [name, arity]));
}

/** The names of all options, without the "-". */
export const QSUB_NAMES: readonly string[] = Object.keys(QSUB);

/** One option as it was given. "-pe smp 4" has two values. */
export interface Given {
  readonly written: string;
  readonly name: string;
  readonly value: string;
  /** It stands behind -soft: wished for, not asked for. */
  readonly isSoft: boolean;
  /** qsub 8.1.9 does not know it. */
  readonly isUnknown: boolean;
}

/** The prefix of directives, unless it is changed with -C. */
const PREFIX = "#$";

/**
 * The prefix that these arguments of qsub set; an empty one turns directives off. Of several -C the first one counts, and
 * one in a script changes nothing.
 */
export function prefixIn(args: readonly string[]): string {
  return givenIn(args).find(({ name }) => name === "C")?.value ?? PREFIX;
}

/** The lines that qsub reads, as they stand: the whole script is looked through, here-documents too. */
export function directiveLines(text: string, prefix = PREFIX): readonly string[] {
  return prefix === "" ? [] : text.split("\n").filter((line) => line.startsWith(prefix));
}

/**
 * The words of a directive line. A "#" ends it. The first word with a quote takes all that is left of the line, with blanks
 * and without quotes: qsub 8.1.9 reads `-N "a b" -j y` as one name.
 */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  let rest = line.trim();
  while (rest !== "" && !rest.startsWith("#")) {
    const [word = ""] = /^[^ \t]+/.exec(rest) ?? [];
    if (/["']/.test(word)) return [...words, unquoted(rest)];
    const [plain = ""] = word.split("#");
    words.push(plain);
    if (plain !== word) break;
    rest = rest.slice(word.length).trimStart();
  }
  return words;
}

function unquoted(text: string): string {
  let quote = "";
  let result = "";
  for (const sign of text) {
    if (quote === "" && sign === "#") break;
    if (sign === quote) quote = "";
    else if (quote === "" && (sign === '"' || sign === "'")) quote = sign;
    else result += sign;
  }
  return result.trim();
}

/** Options out of words. What is no option is told of as unknown. */
function givenIn(words: readonly string[]): Given[] {
  const given: Given[] = [];
  let isSoft = false;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const name = word.startsWith("-") ? word.slice(1) : "";
    const arity = QSUB[name];
    const count = name === "pe" ? 2 : arity === ":" ? 1 : 0;
    const values = words.slice(at + 1, at + 1 + count);
    at += count;
    if (name === "soft" || name === "hard") isSoft = name === "soft";
    const isUnknown = arity === undefined || values.length < count;
    given.push({ written: [word, ...values].join(" "), name, value: values.join(" "), isSoft, isUnknown });
  }
  return given;
}

/** The options in the arguments of a qsub. */
export function givenInArgs(args: readonly string[]): readonly Given[] {
  return givenIn(args);
}

/** The options in the directives of a script. An option and its value stand in one line. */
export function givenInScript(text: string, prefix = PREFIX): readonly Given[] {
  return directiveLines(text, prefix).flatMap((line) => givenIn(wordsOf(line.slice(prefix.length))));
}

/** What takes effect. */
export interface Options {
  /** By name, the last value; "" for an option without one. */
  readonly values: Readonly<Record<string, string>>;
  /** -l: what is asked for (not what is wished for), by name. */
  readonly resources: Readonly<Record<string, string>>;
}

/** Later ones win; of -l each resource by itself. -clear forgets what stood before it. */
export function optionsOf(given: readonly Given[]): Options {
  let values: Record<string, string> = {};
  let resources: Record<string, string> = {};
  for (const { name, value, isSoft, isUnknown } of given) {
    if (isUnknown) continue;
    if (name === "clear") {
      values = {};
      resources = {};
    } else if (name === "l") {
      if (!isSoft) Object.assign(resources, resourcesIn(value));
    } else {
      if (name === "cwd" || name === "wd") for (const other of ["cwd", "wd"]) delete values[other];
      values[name] = value;
    }
  }
  return { values, resources };
}

/** "h_rt=1:0:0,gpu" as a table; one without a value is TRUE. */
export function resourcesIn(list: string): Record<string, string> {
  const pairs = list
    .split(",")
    .filter(Boolean)
    .map((one) => {
      const [name = "", ...value] = one.split("=");
      return [name, value.length === 0 ? "TRUE" : value.join("=")] as const;
    });
  return Object.fromEntries(pairs);
}
