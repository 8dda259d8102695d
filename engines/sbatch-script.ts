/**
 * What sbatch reads of a script: the directives at its head, the options that take effect, the tasks of an array.
 * Every rule here was read off sbatch 22.05 (test/slurm/sbatch-script.test.ts asks it again). Pure.
 */

import type { Asked } from "../src/engine.ts";
import { EngineError } from "../src/engine-error.ts";

/**
 * The options that sbatch 22.05 gives to getopt_long(3), in getopt's signs: the short name, ":" for a value, "::" for
 * an optional one. A component of a heterogeneous job inherits from the one before it, except those with a "*".
 */
const SBATCH = {
  account: "A:",
  "acctg-freq": ":",
  array: "a:",
  batch: ":",
  bb: ":*",
  bbf: ":",
  begin: "b:",
  chdir: "D:",
  cluster: ":",
  "cluster-constraint": ":",
  clusters: "M:",
  comment: ":",
  constraint: "C:*",
  container: ":",
  context: ":",
  contiguous: "*",
  "core-spec": "S:*",
  "cores-per-socket": ":*",
  "cpu-freq": ":*",
  "cpus-per-gpu": ":*",
  "cpus-per-task": "c:*",
  deadline: ":",
  "delay-boot": ":",
  dependency: "d:",
  distribution: "m:*",
  error: "e:",
  exclude: "x:",
  exclusive: "::*",
  export: ":",
  "export-file": ":",
  "extra-node-info": "B:*",
  "get-user-env": "::",
  gid: ":",
  "gpu-bind": ":*",
  "gpu-freq": ":*",
  gpus: "G:*",
  "gpus-per-node": ":*",
  "gpus-per-socket": ":*",
  "gpus-per-task": ":*",
  gres: ":*",
  "gres-flags": ":*",
  help: "h",
  hint: ":",
  hold: "H",
  "ignore-pbs": "",
  input: "i:",
  "job-name": "J:",
  "kill-on-invalid-dep": ":",
  licenses: "L:*",
  "mail-type": ":*",
  "mail-user": ":*",
  "mcs-label": ":",
  mem: ":",
  "mem-bind": ":*",
  "mem-per-cpu": ":*",
  "mem-per-gpu": ":*",
  mincpus: ":*",
  network: ":*",
  nice: "::",
  "no-kill": "k::",
  "no-requeue": "",
  nodefile: "F:*",
  nodelist: "w:*",
  nodes: "N:*",
  ntasks: "n:*",
  "ntasks-per-core": ":*",
  "ntasks-per-gpu": ":*",
  "ntasks-per-node": ":*",
  "ntasks-per-socket": ":*",
  "ntasks-per-tres": ":*",
  "open-mode": ":",
  output: "o:",
  overcommit: "O*",
  oversubscribe: "s*",
  parsable: "",
  partition: "p:*",
  power: ":*",
  prefer: ":",
  priority: ":",
  profile: ":",
  propagate: "::",
  qos: "q:",
  quiet: "Q",
  reboot: "",
  requeue: "",
  reservation: ":",
  signal: ":",
  "sockets-per-node": ":*",
  "spread-job": "*",
  switches: ":*",
  "tasks-per-node": ":*",
  "test-only": "",
  "thread-spec": ":*",
  "threads-per-core": ":*",
  time: "t:",
  "time-min": ":",
  tmp: ":*",
  uid: ":",
  usage: "",
  "use-min-nodes": "*",
  verbose: "v",
  version: "V",
  wait: "W",
  "wait-all-nodes": ":",
  wckey: ":",
  wrap: ":",
};

/** Options by their long names, with their values as written, without quotes; "" for one without a value. */
export type SbatchValues = Readonly<Record<string, string>>;

/** One option of a script, or a word in an option's place. */
export interface Given {
  readonly written: string;
  /** The component of the heterogeneous job (sbatch(1)) that it stands in: 0 is the batch script's. */
  readonly component: number;
  /** Empty for what has no effect in a script, such as --wrap, and for what is refused. */
  readonly sets: SbatchValues;
  /** sbatch 22.05 would not submit this script; a newer one, or one with plug-ins, may. */
  readonly refused: boolean;
}

/** What isspace(3) knows; "\s" knows more. */
const BLANKS = " \t\n\v\f\r";
const COMPONENT = /^[ \t\n\v\f\r]*(?:hetjob|packjob)(?![^ \t\n\v\f\r])/i;
const COMMENT = /^[ \t\n\v\f\r]*(?:#|$)/;
const DIRECTIVE = /^#(?:SBATCH|SLURM)/;
const FOREIGN_DIRECTIVE = /^#(?:BSUB|PBS)/;

/** sbatch looks for #PBS and #BSUB lines as far as to the 101st line that does not begin with "#". */
const FOREIGN_OTHER_LINES_MAX = 100;

interface Lines {
  /** Up to the first command. */
  readonly head: readonly string[];
  /** The #PBS and #BSUB lines, of which sbatch reads those further down as well. */
  readonly foreign: readonly string[];
  /** Those of them that do not stand in the head. */
  readonly late: readonly string[];
}

function linesOf(text: string): Lines {
  // A "\r" at the end of a text is a blank, but sbatch refuses it before a line end.
  const lines = text.replace(/(?<!\r)\r+$/, "").split("\n");
  if (lines.at(-1) === "") lines.pop();
  const command = lines.findIndex((line) => !COMMENT.test(line));
  const head = command === -1 ? lines : lines.slice(0, command);
  let others = 0;
  const seen = lines.findIndex((line) => !line.startsWith("#") && ++others > FOREIGN_OTHER_LINES_MAX);
  const isForeign = (line: string, at: number) => (seen === -1 || at < seen) && FOREIGN_DIRECTIVE.test(line);
  return {
    head,
    foreign: lines.filter(isForeign),
    late: lines.filter((line, at) => at >= head.length && isForeign(line, at)),
  };
}

/**
 * The lines to stand behind the "#!" line of another sh script, so that sbatch 22.05 reads from that one what it would
 * have read from this one. All comments of the head are kept, for site plug-ins have directives of their own. To sh,
 * each line is a comment or empty; no line of the other script may begin with #PBS or #BSUB.
 */
export function directiveBlock(text: string): string {
  const { head, late } = linesOf(text);
  const own = head[0]?.startsWith("#!") ? head.slice(1) : head;
  // What is blank to sbatch may be a command to sh ("\f"), but counts as a line.
  return [...own.map((line) => (line.startsWith("#") ? line : "")), ...late].map((line) => `${line}\n`).join("");
}

/** How many lines stand before the first command: so far directives are read. */
export function headLength(text: string): number {
  return linesOf(text).head.length;
}

/** True for a line that begins as sbatch wants its directives to begin. */
export function isDirective(line: string): boolean {
  return DIRECTIVE.test(line);
}

/** The long names of all options that are known. */
export const SBATCH_NAMES: readonly string[] = Object.keys(SBATCH);

interface Words {
  readonly words: readonly string[];
  /** Where sbatch gives up: an open quote, or a ":" where a word should begin. */
  readonly broken?: string;
}

/**
 * The words of a directive line, by sbatch's own rules: a backslash takes the meaning from the next character, also in
 * quotes, but cannot hold a blank; a "#" ends the line, also inside of a word; and so does an empty word.
 */
function wordsOf(line: string): Words {
  const words: string[] = [];
  for (let at = 0; ; ) {
    while (at < line.length && BLANKS.includes(line.charAt(at))) at++;
    const rest = line.slice(at);
    if (COMPONENT.test(rest)) return { words };
    if (rest.startsWith(":")) return { words, broken: rest };
    let word = "";
    let quote = "";
    let escaped = false;
    for (; at < line.length && (quote !== "" || !BLANKS.includes(line.charAt(at))); at++) {
      const sign = line.charAt(at);
      if (escaped) {
        escaped = false;
        word += sign;
      } else if (sign === "\\") escaped = true;
      else if (sign === quote) quote = "";
      else if (quote !== "") word += sign;
      else if (sign === '"' || sign === "'") quote = sign;
      else if (sign === "#") break;
      else word += sign;
    }
    if (quote !== "") return { words, broken: rest };
    if (word === "") return { words };
    words.push(word);
  }
}

/** The words of all these lines as one command line, which is how sbatch reads them. */
function argvOf(lines: readonly string[]): Words {
  const words: string[] = [];
  for (const line of lines) {
    const read = wordsOf(line);
    for (const word of read.words) words.push(word);
    if (read.broken !== undefined) return { words, broken: read.broken };
  }
  return { words };
}

type Arity = "none" | "value" | "optional";

interface Grammar {
  readonly arity: ReadonlyMap<string, Arity>;
  readonly longOf: ReadonlyMap<string, string>;
}

function grammarOf(specs: Readonly<Record<string, string>>): Grammar {
  const arity = new Map<string, Arity>();
  const longOf = new Map<string, string>();
  for (const [name, spec] of Object.entries(specs)) {
    arity.set(name, spec.includes("::") ? "optional" : spec.includes(":") ? "value" : "none");
    if (/^\w/.test(spec)) longOf.set(spec.charAt(0), name);
  }
  return { arity, longOf };
}

/** A long name, or the beginning of only one. */
function longName(start: string, { arity }: Grammar): string | undefined {
  if (arity.has(start)) return start;
  const names = [...arity.keys()].filter((name) => name.startsWith(start));
  return names.length === 1 ? names[0] : undefined;
}

interface Got {
  readonly written: string;
  /** Undefined for what getopt refuses. */
  readonly name: string | undefined;
  readonly value: string;
}

/** As getopt_long(3) with "+" does; but it goes on behind what is refused, for a newer sbatch may know it. */
function getopt(argv: readonly string[], grammar: Grammar): Got[] {
  const got: Got[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    const take = (written: string, name: string | undefined, attached: string | undefined) => {
      const arity = grammar.arity.get(name ?? "");
      const next = argv[i + 1];
      const wantsNext = arity === "value" || (arity === undefined && !next?.startsWith("-"));
      const value = attached ?? (wantsNext ? next : undefined);
      const isNext = attached === undefined && value !== undefined;
      const fits = arity === "optional" || (arity === "value") === (value !== undefined);
      if (isNext) i++;
      got.push({
        written: isNext ? `${written} ${value}` : written,
        name: fits ? name : undefined,
        value: value ?? "",
      });
    };
    if (word === "--") {
      for (const written of argv.slice(i + 1)) got.push({ written, name: undefined, value: "" });
      break;
    }
    const [, long, attached] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (long !== undefined) {
      take(word, longName(long, grammar), attached);
    } else if (/^-./s.test(word)) {
      for (let at = 1; at < word.length; at++) {
        const name = grammar.longOf.get(word.charAt(at));
        const isFlag = grammar.arity.get(name ?? "") === "none";
        take(
          `-${word.slice(at, isFlag ? at + 1 : undefined)}`,
          name,
          isFlag ? undefined : word.slice(at + 1) || undefined,
        );
        if (!isFlag) break;
      }
    } else {
      got.push({ written: word, name: undefined, value: "" });
    }
  }
  return got;
}

/** What an option of another scheduler means to sbatch. */
type Foreign = Readonly<Record<string, readonly [spec: string, means?: (value: string) => SbatchValues]>>;

/** The options of #PBS lines, as sbatch 22.05 takes them; their long names are sbatch's own invention. */
const PBS: Foreign = {
  start_time: ["a:", (begin) => ({ begin })],
  account: ["A:", (account) => ({ account })],
  checkpoint: ["c:"],
  working_dir: ["C:"],
  error: ["e:", (error) => ({ error })],
  hold: ["h", () => ({ hold: "" })],
  interactive: ["I"],
  join: ["j:"],
  job_array: ["J:", (array) => ({ array })],
  keep: ["k:"],
  resource_list: ["l:", pbsResources],
  mail_options: ["m:"],
  mail_user_list: ["M:", (user) => ({ "mail-user": user })],
  job_name: ["N:", (name) => ({ "job-name": name })],
  out: ["o:", (output) => ({ output })],
  priority: ["p:", (nice) => ({ nice })],
  destination: ["q:", (partition) => ({ partition })],
  rerunable: ["r:"],
  script_path: ["S:"],
  array: ["t:", (array) => ({ array })],
  running_user: ["u:"],
  variable_list: ["v:", (names) => ({ export: names })],
  all_env: ["V"],
  attributes: ["W:"],
  no_std: ["z"],
};

/** The options of #BSUB lines, as sbatch 22.05 takes them. */
const BSUB: Foreign = {
  cwd: ["c:", (chdir) => ({ chdir })],
  error_file: ["e:", (error) => ({ error })],
  job_name: ["J:", (name) => ({ "job-name": name })],
  hostname: ["m:"],
  memory_limit: ["M:"],
  n: ["n:", (range) => ({ ntasks: range.slice(range.indexOf(",") + 1) })],
  output_file: ["o:", (output) => ({ output })],
  queue_name: ["q:", (partition) => ({ partition })],
  time: ["W:", (time) => ({ time })],
  exclusive: ["x", () => ({ exclusive: "" })],
};

/** What sbatch 22.05 makes of "#PBS -l": times and numbers of tasks and processors; sizes and --nice are left out. */
function pbsResources(list: string): SbatchValues {
  const sets: Record<string, string> = {};
  // sbatch skips one character of a key that it does not know, so that "xwalltime=" is "walltime=".
  const keys =
    /(cput|pcput|walltime|nodes)=([^,]*)|(select|ncpus|mpiprocs)=([^:]*)|(?:arch|file|host|mem|nice|opsys|other|pmem|proc|pvmem|software|vmem)=[^,]*/g;
  for (const [, key, value = "", proKey, proValue = ""] of list.matchAll(keys)) {
    if (key === "nodes") Object.assign(sets, pbsNodes(value));
    else if (key) sets.time = value;
    else if (proKey === "select") sets.nodes = proValue;
    else if (proKey === "ncpus") sets.mincpus = proValue;
    else if (proKey) sets["ntasks-per-node"] = proValue;
  }
  const cpus = Math.floor(Number(sets.mincpus) / Number(sets["ntasks-per-node"]));
  if (sets.nodes && cpus > 0 && sets.mincpus !== sets["ntasks-per-node"]) sets["cpus-per-task"] = String(cpus);
  return sets;
}

function pbsNodes(value: string): SbatchValues {
  let nodes = 0;
  let perNode = 0;
  for (const part of value.split(/[+:]/)) {
    if (/^\d/.test(part)) nodes += Number.parseInt(part, 10);
    if (part.startsWith("ppn=")) perNode += Number.parseInt(part.slice("ppn=".length), 10) || 0;
  }
  return {
    ...(nodes > 0 && { nodes: String(nodes) }),
    ...(perNode > 0 && { ntasks: String(perNode * Math.max(1, nodes)) }),
  };
}

const SBATCH_GRAMMAR = grammarOf(SBATCH);
const OWN_TO_A_COMPONENT = Object.entries(SBATCH).flatMap(([name, spec]) => (spec.endsWith("*") ? [name] : []));
const FOREIGN = [
  { prefix: /^#BSUB/, means: BSUB },
  { prefix: /^#PBS/, means: PBS },
].map((foreign) => ({
  ...foreign,
  grammar: grammarOf(Object.fromEntries(Object.entries(foreign.means).map(([name, [spec]]) => [name, spec]))),
}));

/** Options that sbatch takes from its command line only. */
const COMMAND_LINE_ONLY = new Set(["help", "quiet", "usage", "verbose", "version", "wrap"]);

/** Two names of one option. */
const SYNONYMS: Readonly<Record<string, string>> = { cluster: "clusters", "tasks-per-node": "ntasks-per-node" };

/** The one undoes the other. */
const OPPOSITES: Readonly<Record<string, string>> = { requeue: "no-requeue", "no-requeue": "requeue" };

function meaning(got: Got): SbatchValues {
  return got.name === undefined ? {} : { [SYNONYMS[got.name] ?? got.name]: got.value };
}

function readOwn(lines: readonly string[], component: number): Given[] {
  const { words, broken } = argvOf(lines.map((line) => line.replace(DIRECTIVE, "")));
  const given = getopt(words, SBATCH_GRAMMAR).map((got) => ({
    written: got.written,
    component,
    sets: COMMAND_LINE_ONLY.has(got.name ?? "") ? {} : meaning(got),
    refused: got.name === undefined,
  }));
  return broken === undefined ? given : [...given, { written: broken, component, sets: {}, refused: true }];
}

/** #BSUB lines, or else #PBS lines: where there are any of the one, sbatch does not look for the other. */
function readForeign(lines: readonly string[]): Given[] {
  const found = FOREIGN.find(({ prefix }) => lines.some((line) => prefix.test(line)));
  if (!found) return [];
  const { words, broken } = argvOf(
    lines.filter((line) => found.prefix.test(line)).map((line) => line.replace(found.prefix, "")),
  );
  // LSF's "-cwd" is an option to sbatch only in each second place.
  const argv = found.means === BSUB ? words.map((word, at) => (word === "-cwd" && at % 2 === 0 ? "-c" : word)) : words;
  const given = getopt(argv, found.grammar).map(({ written, name, value }) => ({
    written,
    component: 0,
    sets: found.means[name ?? ""]?.[1]?.(value) ?? {},
    refused: name === undefined,
  }));
  return broken === undefined ? given : [...given, { written: broken, component: 0, sets: {}, refused: true }];
}

function apply(options: Record<string, string>, values: SbatchValues): void {
  for (const [name, value] of Object.entries(values)) {
    const opposite = OPPOSITES[name];
    if (opposite) delete options[opposite];
    const isNone = (name === "output" || name === "error" || name === "input") && /^none$/i.test(value);
    options[name] = isNone ? "/dev/null" : value;
  }
}

/**
 * The options that take effect in sbatch 22.05, for each component of a heterogeneous job; a plain job has one, and the
 * first is the batch script's. A script and its directiveBlock give the same. Later ones win: #SBATCH lines, then #BSUB
 * or #PBS lines, then SBATCH_* variables (not looked at here), then the command line. All but #SBATCH lines hold for
 * each component. A relative --output that a component inherits lies in the --chdir of the one it comes from.
 */
export function sbatchOptions(text: string, args: readonly string[] = []): readonly [SbatchValues, ...SbatchValues[]] {
  const { head, foreign } = linesOf(text);
  const others = readForeign(foreign);
  const command = getopt(args, SBATCH_GRAMMAR).map(meaning);
  const options: Record<string, string> = {};
  // sbatch reads its command line once before all else, which is how it comes to know of --ignore-pbs in time.
  for (const values of command) apply(options, values);
  const components = componentsOf(head).map((lines, component) => {
    for (const name of OWN_TO_A_COMPONENT) delete options[name];
    for (const { sets } of readOwn(lines, component)) apply(options, sets);
    if (options["ignore-pbs"] === undefined) for (const { sets } of others) apply(options, joined(options, sets));
    for (const values of command) apply(options, values);
    return { ...options };
  });
  const [first = {}, ...more] = components;
  return [first, ...more];
}

/** What options ask for, for people to read. */
export function askedOf(options: SbatchValues): Asked | undefined {
  const perCpu = options["mem-per-cpu"];
  const values = {
    time: options.time,
    memory: options.mem ?? (perCpu === undefined ? undefined : `${perCpu} per processor`),
    cpus: options["cpus-per-task"],
    tasks: options.ntasks,
    nodes: options.nodes,
    gpus: options.gpus ?? options.gres,
    partition: options.partition,
  };
  const named = Object.entries(values).filter(([, value]) => value !== undefined && value !== "");
  return named.length === 0 ? undefined : Object.fromEntries(named);
}

/** What stands in a script, in the order in which sbatch 22.05 reads it. */
export function givenOptions(text: string): readonly Given[] {
  const { head, foreign } = linesOf(text);
  const own = componentsOf(head).flatMap(readOwn);
  return sbatchOptions(text)[0]["ignore-pbs"] === undefined ? [...own, ...readForeign(foreign)] : own;
}

/** "#PBS -v" is the one option that adds to what was said before. */
function joined(before: SbatchValues, sets: SbatchValues): SbatchValues {
  return before.export && sets.export ? { ...sets, export: `${before.export},${sets.export}` } : sets;
}

/** The #SBATCH lines of each component. What stands behind "hetjob" in the same line is not read. */
function componentsOf(head: readonly string[]): string[][] {
  const components: string[][] = [[]];
  for (const line of head.filter((one) => DIRECTIVE.test(one))) {
    if (COMPONENT.test(line.replace(DIRECTIVE, ""))) components.push([]);
    else components.at(-1)?.push(line);
  }
  return components;
}

/** The largest MaxArraySize (slurm.conf(5)); its default is 1001. */
const ARRAY_SIZE_MAX = 4_000_001;

/** A part of --array, whose numbers sbatch reads by strtol(3), so that no digits are 0. */
const ARRAY_PART = new RegExp(
  "^\\[?(?!_-\\d)(?:_\\+?(\\d{1,9}))?\\]?(?:-(?:_\\+?(\\d{1,9}))?\\]?(?::_\\+?(\\d{1,9})\\]?)?)?$".replaceAll(
    "_",
    `[${BLANKS}]*`,
  ),
);

/** The tasks of a job array, in ascending order, and how many of them may run at a time. */
export interface ArrayTasks {
  readonly tasks: readonly number[];
  readonly atOnce: number;
}

/**
 * Reads --array as sbatch 22.05 does: "0-9", "1,3,5-7", "0-15:4", in brackets or not; the first "%N" anywhere says how
 * many at a time. An empty one is no array. Throws `refused`, also for an index or more tasks than `sizeMax` allows.
 */
export function tasksOf(array: string, sizeMax: number = ARRAY_SIZE_MAX): ArrayTasks {
  const refused = (more = "") =>
    new EngineError(
      "refused",
      `job.sh asks for --array=${array}, which is not a list of indices such as 0-9, 1,3,5-7 or 0-15:4%2${more}.`,
    );
  const tasks = new Set<number>();
  let size = 0;
  for (const part of array.split(",").filter((one) => one !== "")) {
    const range = part.replace(/%.*$/s, "");
    const match = ARRAY_PART.exec(range);
    if (!match) throw refused();
    const first = Number(match[1] ?? 0);
    const last = range.includes("-") ? Number(match[2] ?? 0) : first;
    const step = Number(match[3] ?? 1);
    if (last < first || step === 0) throw refused();
    size += Math.floor((last - first) / step) + 1;
    if (size > sizeMax) throw refused(`, of at most ${sizeMax} tasks`);
    for (let task = first; task <= last; task += step) tasks.add(task);
  }
  const limit = Number(/^[^%]*%[ \t\n\v\f\r]*\+?(\d+)/.exec(array)?.[1] ?? 0);
  return {
    tasks: [...tasks].sort((a, b) => a - b),
    atOnce: Math.max(1, limit === 0 ? tasks.size : Math.min(limit, tasks.size)),
  };
}
