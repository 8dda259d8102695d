/**
 * Every verb: its arguments, options, sentence and examples, once. The command line, the help, the completion and the
 * man page are made of this table. No verb is loaded for it.
 */
import type { Completes, OptionName } from "../config/options.ts";

/** An option of one verb alone. */
export interface VerbOption {
  /** As commander takes it. */
  readonly flags: string;
  readonly help: string;
  /** What its value stands for, where it has one. */
  readonly completes?: Completes;
  /** May be repeated; the verb gets all of them. */
  readonly isList?: boolean;
}

/** One verb: all that help, completion and the manual page say of it. */
export interface VerbDefinition {
  /** Where it stands in the help. */
  readonly group: "See" | "Change" | "Run" | "Set up";
  /** As commander takes them: "<name...>". */
  readonly arguments: string;
  readonly completes?: Completes;
  /** What stands behind "--" is a command. */
  readonly takesCommand?: true;
  /** From its first word on that is no option of jobmgr, all is another program's: options too. */
  readonly takesProgram?: true;
  readonly help: string;
  readonly options: readonly VerbOption[];
  /** The general options that it takes, beside --root and --color; "all": its help points to the general help. */
  readonly settings: readonly OptionName[] | "all";
  /** Two at least. */
  readonly examples: readonly string[];
}

const YES: VerbOption = { flags: "-y, --yes", help: "do not ask" };
const JSON_OUTPUT: VerbOption = { flags: "--json", help: "as one JSON value (schema 1)" };

const TIMEOUT: VerbOption = {
  flags: "--timeout <duration>",
  help: "wait no longer, and end with 75: 90, 90s, 10m, 2h",
};

/** Every verb, in the order of the help. */
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
    settings: ["lockPatience"],
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
    settings: ["settle", "readyFile", "finishedFile", "allowOwner", "allowShared", "pauseFile", "lockPatience"],
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
    settings: ["lockPatience"],
    examples: ["jobmgr logs 300-mesh", "jobmgr logs -f 300-mesh", "jobmgr logs 300-mesh -n 50 --attempt 1"],
  },
  check: {
    group: "See",
    arguments: "<path...>",
    completes: { jobs: ["inbox"], orPath: true },
    help: "what can be known of a job without running it",
    options: [JSON_OUTPUT],
    settings: [
      "engine",
      "engineArg",
      "readyFile",
      "finishedFile",
      "archiveSize",
      "archiveEntries",
      "archiveRatio",
      "allowOwner",
      "allowShared",
    ],
    examples: ["jobmgr check ~/work/primes", "jobmgr --root ~/jobs check -e LocalEngine work/*"],
  },
  doctor: {
    group: "See",
    arguments: "",
    help: "whether all that jobmgr needs is here, and well",
    options: [JSON_OUTPUT],
    settings: ["engine", "engineArg", "period", "pauseFile", "allowOwner", "allowShared", "lockPatience"],
    examples: ["jobmgr --root ~/jobs doctor", "jobmgr --root ~/jobs doctor -e LocalEngine"],
  },
  engines: {
    group: "See",
    arguments: "",
    help: "which engines there are, and whether each can run jobs here",
    options: [JSON_OUTPUT],
    settings: ["engine"],
    examples: ["jobmgr engines", "jobmgr --root ~/jobs engines --json", "jobmgr engines -e ./my-engine.js"],
  },
  submit: {
    group: "Change",
    arguments: "[path...]",
    completes: "path",
    takesCommand: true,
    help: "put folders, scripts, archives or a command into the inbox, whole",
    options: [
      { flags: "--name <name>", help: "the job's name" },
      {
        flags: "--from <job>",
        help: "a copy of that job's inputs, without its outputs",
        completes: { jobs: ["complete", "inbox"] },
      },
      {
        flags: "--after <job...>",
        help: "start when these jobs have succeeded: all words up to the next option",
        completes: "job",
        isList: true,
      },
      {
        flags: "--after-any <job...>",
        help: "the same, when they have ended, however",
        completes: "job",
        isList: true,
      },
      { flags: "--hold", help: "do not start it before jobmgr release" },
      { flags: "--here", help: "run the command where you are, not in the job's folder" },
      { flags: "-v, --verbose", help: "with --from: name what was left out" },
      { flags: "--wait", help: "as jobmgr wait, for what was submitted" },
      TIMEOUT,
      JSON_OUTPUT,
    ],
    settings: ["finishedFile", "lockPatience"],
    examples: [
      "jobmgr submit 300-mesh/ --after 100-fetch 200-scan",
      "jobmgr submit --from 300-mesh --name 301-mesh --hold",
      "jobmgr submit --name convert --here -- convert in.png out.pdf",
    ],
  },
  wait: {
    group: "See",
    arguments: "[name...]",
    completes: { jobs: ["pending", "inbox"] },
    help: "return when jobs have ended: with the job's own exit code; of several, with 0 if all succeeded, else 1",
    options: [{ flags: "--all", help: "all that have not ended now" }, TIMEOUT, JSON_OUTPUT],
    settings: ["lockPatience"],
    examples: ["jobmgr wait 300-mesh && less complete/300-mesh/result", "jobmgr wait --all --timeout 2h"],
  },
  cancel: {
    group: "Change",
    arguments: "[name...]",
    completes: { jobs: ["pending", "inbox"] },
    help: "end jobs that wait or run",
    options: [
      { flags: "--all-pending", help: "all jobs in pending/: those that wait in the queue, and those that run" },
      YES,
      { flags: "--reason <text>", help: "is told with the job's end" },
    ],
    settings: ["lockPatience"],
    examples: ["jobmgr cancel 300-mesh", "jobmgr cancel '4*' --reason 'wrong input'", "jobmgr cancel --all-pending"],
  },
  hold: {
    group: "Change",
    arguments: "<name...>",
    completes: { jobs: ["inbox"] },
    help: "do not start jobs of the inbox yet",
    options: [],
    settings: [],
    examples: ["jobmgr hold 300-mesh", "jobmgr hold '4*'"],
  },
  release: {
    group: "Change",
    arguments: "<name...>",
    completes: { jobs: ["inbox"] },
    help: "let jobs go that are held",
    options: [],
    settings: ["lockPatience"],
    examples: ["jobmgr release 300-mesh", "jobmgr release '*'"],
  },
  retry: {
    group: "Change",
    arguments: "[name...]",
    completes: { jobs: ["complete"] },
    help: "move finished jobs back to the inbox, to be run again",
    options: [{ flags: "--failed", help: "those that failed, were interrupted, or lost: all, or of the names given" }],
    settings: ["finishedFile", "lockPatience"],
    examples: ["jobmgr retry 300-mesh", "jobmgr retry --failed", "jobmgr retry --failed 'mesh-*'"],
  },
  remove: {
    group: "Change",
    arguments: "<name...>",
    completes: { jobs: ["complete", "inbox"] },
    help: "delete jobs that wait or have ended, with all their files",
    options: [YES],
    settings: [],
    examples: ["jobmgr remove 300-mesh", "jobmgr remove --yes 'complete/4*'"],
  },
  clean: {
    group: "Change",
    arguments: "",
    help: "delete jobs that ended long ago, with all their files",
    options: [
      { flags: "--older-than <duration>", help: "how long ago they ended: 45s, 90m, 12h, 30d, 2w" },
      { flags: "--keep-failed", help: "only those that succeeded" },
      { flags: "-n, --dry-run", help: "show what would be removed, and remove nothing" },
      YES,
    ],
    settings: [],
    examples: ["jobmgr clean --older-than 30d --dry-run", "jobmgr clean --older-than 2w --keep-failed --yes"],
  },
  pause: {
    group: "Change",
    arguments: "",
    help: "take nothing more in; what runs goes on",
    options: [],
    settings: ["pauseFile"],
    examples: ["jobmgr pause", "jobmgr --root ~/jobs pause"],
  },
  resume: {
    group: "Change",
    arguments: "",
    help: "take jobs in again after a pause",
    options: [],
    settings: ["pauseFile", "lockPatience"],
    examples: ["jobmgr resume", "jobmgr --root ~/jobs resume"],
  },
  launch: {
    group: "Run",
    arguments: "<program...>",
    completes: "path",
    takesProgram: true,
    help: "run a program in parallel with this place's launcher (mpiexec, srun), or in copies",
    options: [
      {
        flags: "--backend <name>",
        help: "mpi, srun, local, or one of jobmgr.toml (default: what is configured; srun in a Slurm job; mpiexec; local)",
        completes: ["mpi", "srun", "local"],
      },
      { flags: "-n, --np <n>", help: "how many processes (default: as many as the launcher makes of itself)" },
      { flags: "--label", help: "the rank before each line of output" },
      { flags: "--dry-run", help: "print the command, and start nothing" },
      { flags: "--option <word>", help: "a word for the launcher, as it is (may be repeated)", isList: true },
    ],
    settings: [],
    examples: [
      "jobmgr launch -n 4 echo 'Hello, world!'",
      "jobmgr launch -n 1 ./ocean : -n 8 ./atmosphere",
      "jobmgr launch --backend mpi --dry-run -n 8 ./solver in.dat",
    ],
  },
  resources: {
    group: "See",
    arguments: "",
    help: "nodes, processors, memory, GPUs and partitions that jobs can have",
    options: [JSON_OUTPUT],
    settings: ["engine", "engineArg"],
    examples: ["jobmgr resources", "jobmgr resources -e LocalEngine --json"],
  },
  config: {
    group: "Set up",
    arguments: "",
    help: "the value of each option, and where it comes from",
    options: [JSON_OUTPUT, { flags: "--all", help: "those that have their default as well" }],
    settings: "all",
    examples: ["jobmgr --root ~/jobs config", "jobmgr config --all"],
  },
  service: {
    group: "Set up",
    arguments: "<kind>",
    completes: ["systemd", "cron", "scrontab", "tmux"],
    help: "what keeps a manager going, with the options that are in force",
    options: [
      { flags: "--install", help: "put the systemd user unit into place, and start it" },
      { flags: "-y, --yes", help: "write a unit of ours anew without asking" },
    ],
    settings: "all",
    examples: ["jobmgr --root ~/jobs service systemd --install", "jobmgr --root ~/jobs -M 500 -m 50 service cron"],
  },
  completion: {
    group: "Set up",
    arguments: "<shell>",
    completes: ["bash", "zsh", "fish"],
    help: "what makes a shell complete jobmgr's words by Tab, job names too",
    options: [],
    settings: [],
    examples: [
      `echo 'eval "$(jobmgr completion bash)"' >> ~/.bashrc`,
      "jobmgr completion fish > ~/.config/fish/completions/jobmgr.fish",
    ],
  },
} as const satisfies Record<string, VerbDefinition>;

/** A verb as it is typed. */
export type VerbName = keyof typeof VERBS;

/** The name of an option as commander gives it to a verb: "--older-than" is "olderThan". */
export function keyOfFlags(flags: string): string {
  const long = /--([\w-]+)/.exec(flags)?.[1] ?? flags;
  return long.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
