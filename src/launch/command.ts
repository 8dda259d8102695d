/** From programs to what is started: the command line of a launcher, or the processes themselves. Pure. */
import { shellWord } from "../shell-word.ts";
import { multiProgText } from "./multi-prog.ts";
import { checkPrograms, counted, LaunchError, type Program, totalOf } from "./program.ts";
import type { Kind, LauncherSettings } from "./settings.ts";

/** A launcher of which all is known that a command line needs. */
export interface KnownLauncher extends LauncherSettings {
  readonly name: string;
  readonly kind: Kind;
  readonly executable: string;
  /** The first number of its version; 0 where it is not known. */
  readonly version: number;
  /** The processors of this machine, where it is all that there is: no scheduler has given others. */
  readonly cores?: number;
}

/** One process to start. */
export interface Start {
  readonly argv: readonly string[];
  /** Variables beside those of this process. */
  readonly env: Readonly<Record<string, string>>;
  /** It reads what is typed; the others read nothing. */
  readonly readsInput: boolean;
  /** What stands before each line that it prints, where no launcher does that. */
  readonly prefix: string;
}

/** What a launch starts here. */
export interface StartPlan {
  readonly starts: readonly Start[];
  /** The text of the file whose path stands in the command line as MULTI_PROG. */
  readonly multiProg?: string;
}

/** Stands for the path of the file that is written before the start; always the last word. */
export const MULTI_PROG = "MULTI_PROG";

/** Stands between two programs. */
const SEPARATOR = ":";
const PROCESSES_FLAG = "-n %(np)d";

/** Throws LaunchError for what this launcher cannot be asked for. `label`: each line is to bear its rank. */
export function planOf(launcher: KnownLauncher, given: readonly Program[], label: boolean): StartPlan {
  checkPrograms(given);
  const programs = counted(given);
  if (launcher.kind === "local") return localPlan(programs, label);
  const total = totalOf(programs);
  const head = [
    launcher.executable,
    // Without it the first ctrl-C makes srun tell how its tasks do, and go on.
    ...(launcher.kind === "srun" ? ["--quit-on-interrupt"] : []),
    ...(isMoreThanCores(launcher, total) ? ["--oversubscribe"] : []),
    ...expanded(launcher.defaultOptions, total, launcher),
    ...(label ? labelFlags(launcher) : []),
  ];
  if (launcher.kind === "srun" && programs.length > 1) return multiProgPlan(launcher, programs, head, total);
  refuseSeparators(launcher, programs);
  const words = programs.map(({ argv, processes, options = [] }) => [
    ...countFlags(launcher, processes),
    ...options,
    ...expanded(launcher.presetOptions, processes, launcher),
    ...argv,
  ]);
  const argv = [...head, ...words.flatMap((part, i) => (i === 0 ? part : [SEPARATOR, ...part]))];
  return { starts: [{ argv, env: {}, readsInput: true, prefix: "" }] };
}

/** Whatever stands behind such a word would be a program of its own. */
function refuseSeparators({ name }: KnownLauncher, programs: readonly Program[]): void {
  for (const { argv, options = [] } of programs) {
    if (![...options, ...argv].includes(SEPARATOR)) continue;
    throw new LaunchError(
      `${argv[0]} has an argument ":", which the launcher ${name} takes for the end of the program. Put it into a script, and launch that.`,
    );
  }
}

/** Open MPI alone refuses to start more processes than there are processors. */
function isMoreThanCores({ kind, cores }: KnownLauncher, total: number | undefined): boolean {
  return kind === "openmpi" && cores !== undefined && total !== undefined && total > cores;
}

/** More would leave no process to others. */
const COPIES_MAX = 4096;

/** Plain copies. As with mpiexec, the first one reads what is typed. */
function localPlan(programs: readonly Program[], label: boolean): StartPlan {
  const option = programs.flatMap(({ options = [] }) => options)[0];
  if (option !== undefined)
    throw new LaunchError(`${option}: copies of this machine (local) are started without a launcher that had options`);
  const total = programs.reduce((sum, { processes = 1 }) => sum + processes, 0);
  if (total > COPIES_MAX)
    throw new LaunchError(
      `-n ${total}: at most ${COPIES_MAX} copies are started on this machine (local). Of more processes several machines take care: --backend mpi, or srun`,
    );
  const all = programs.flatMap(({ argv, processes = 1 }) => Array.from({ length: processes }, () => argv));
  const starts = all.map((argv, rank) => ({
    argv,
    env: { RANK: String(rank), SIZE: String(all.length) },
    readsInput: rank === 0,
    prefix: label ? `${rank}: ` : "",
  }));
  return { starts };
}

/** srun starts one step: what is said of it holds for all programs. */
function multiProgPlan(
  launcher: KnownLauncher,
  programs: readonly Program[],
  head: readonly string[],
  total: number | undefined,
): StartPlan {
  const [first, ...others] = programs;
  const option = others.flatMap(({ options = [] }) => options)[0];
  if (option !== undefined)
    throw new LaunchError(`${option}: of several programs srun takes options for all, before the first one`);
  const argv = [
    ...head,
    ...countFlags(launcher, total),
    ...(first?.options ?? []),
    ...expanded(launcher.presetOptions, total, launcher),
    "--multi-prog",
    MULTI_PROG,
  ];
  return { starts: [{ argv, env: {}, readsInput: true, prefix: "" }], multiProg: multiProgText(programs) };
}

/** Each launcher's own way to put the rank before each line. */
function labelFlags({ name, kind, version }: KnownLauncher): readonly string[] {
  if (kind === "srun") return ["--label"];
  if (kind === "mpich") return ["-prepend-rank"];
  // The older word is not known any more to later ones.
  if (kind === "openmpi") return version >= 5 ? ["--output", "tag"] : ["--tag-output"];
  throw new LaunchError(
    `--label: how ${name} is told to label its output is not known. Its own option for it may stand before the program.`,
  );
}

function countFlags(launcher: KnownLauncher, processes: number | undefined): readonly string[] {
  if (processes === undefined) return [];
  const words = (launcher.processesFlag ?? PROCESSES_FLAG).trim().split(/\s+/);
  const isTold = words.some((word) => word.includes("%("));
  return expanded(isTold ? words : [...words, "%(np)d"], processes, launcher);
}

/** "%(np)d" is the number of processes, "%%" a "%"; all else stands for itself. */
function expanded(
  words: readonly string[] | undefined,
  processes: number | undefined,
  { name }: KnownLauncher,
): readonly string[] {
  return (words ?? []).map((word) =>
    word.replace(/%%|%\((\w*)\)[ds]/g, (sign, variable?: string) => {
      if (variable === undefined) return "%";
      if (variable !== "np")
        throw new LaunchError(
          `"${word}" of launcher ${name}: there is no ${sign}; there is %(np)d, the number of processes`,
        );
      if (processes === undefined)
        throw new LaunchError(`"${word}" of launcher ${name} needs the number of processes: -n`);
      return String(processes);
    }),
  );
}

/** What is started, as lines that a person would type; the file for srun's --multi-prog stands behind, as a comment. */
export function linesOf({ starts, multiProg }: StartPlan): readonly string[] {
  const commands = starts.map(({ argv, env }) =>
    [...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...argv.map(shellWord)].join(" "),
  );
  if (multiProg === undefined) return commands;
  return [...commands, `# ${MULTI_PROG}:`, ...multiProg.trimEnd().split("\n")];
}
