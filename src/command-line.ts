/**
 * Every verb: its arguments, options, sentence and examples, once. The command line, the help, the completion and the
 * man page are made of this table. No verb is loaded for it.
 */
import type { OptionName } from "./config.ts";

/** What a word on the command line stands for, so that a shell can complete it. */
export type Completes = "job" | "path" | readonly string[];

export interface VerbOption {
  /** As commander takes it. */
  readonly flags: string;
  readonly help: string;
  /** What its value stands for, where it has one. */
  readonly completes?: Completes;
  /** May be repeated; the verb gets all of them. */
  readonly isList?: boolean;
}

export interface VerbDefinition {
  /** Where it stands in the help. */
  readonly group: "See" | "Change" | "Set up";
  /** As commander takes them: "<name...>". */
  readonly arguments: string;
  readonly completes?: Completes;
  readonly help: string;
  readonly options: readonly VerbOption[];
  /** The general options that it takes, beside --root and --color. */
  readonly settings: readonly OptionName[];
  /** Two at least. */
  readonly examples: readonly string[];
}

const JSON_OUTPUT: VerbOption = { flags: "--json", help: "as one JSON value (schema 1)" };

export const VERBS = {
  status: {
    group: "See",
    arguments: "[name...]",
    completes: "job",
    help: "what is waiting, running and finished, from the disk alone",
    options: [
      { flags: "--all", help: "all jobs, not only the next and the latest" },
      { flags: "--failed", help: "the finished jobs that did not succeed, all of them" },
      { flags: "--watch", help: "live, every two seconds, until q or ctrl-C" },
      JSON_OUTPUT,
    ],
    settings: [],
    examples: [
      "jobmgr --root ~/jobs status",
      "jobmgr status --watch",
      "jobmgr status 'mesh-*' --json | jq '.jobs[] | .name'",
    ],
  },
  explain: {
    group: "See",
    arguments: "<name>",
    completes: "job",
    help: "why a job is where it is, how it was submitted, and its attempts",
    options: [JSON_OUTPUT],
    settings: [],
    examples: ["jobmgr explain 300-mesh", "jobmgr explain complete/300-mesh"],
  },
  logs: {
    group: "See",
    arguments: "<name>",
    completes: "job",
    help: "what a job has printed, wherever its engine puts it",
    options: [
      { flags: "-f, --follow", help: "go on with what it prints, until it ends" },
      { flags: "-n, --lines <n>", help: "the last n lines of each file (default all; with -f, 10)" },
      { flags: "--attempt <k>", help: "that of its k-th attempt (default the last)" },
      { flags: "--task <t>", help: "that of one task of an array" },
      { flags: "--exit-code", help: "with -f: end with the exit code of the job, or 4 if it has none" },
    ],
    settings: [],
    examples: ["jobmgr logs 300-mesh", "jobmgr logs -f 300-mesh", "jobmgr logs 300-mesh -n 50 --attempt 1"],
  },
  config: {
    group: "Set up",
    arguments: "",
    help: "the value of each option, and where it comes from",
    options: [JSON_OUTPUT, { flags: "--all", help: "those that have their default as well" }],
    settings: [],
    examples: ["jobmgr --root ~/jobs config", "jobmgr config --all"],
  },
} as const satisfies Record<string, VerbDefinition>;

export type VerbName = keyof typeof VERBS;

/** The name of an option as commander gives it to a verb: "--older-than" is "olderThan". */
export function keyOfFlags(flags: string): string {
  const long = /--([\w-]+)/.exec(flags)?.[1] ?? flags;
  return long.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
