/** `jobmgr launch`: runs programs in parallel with the launcher of this place, in the foreground. */
import { VERBS } from "../command-line/command-line.ts";
import { UsageError } from "../config/config.ts";
import { EXIT } from "../exit-codes.ts";
import { isInAllocation } from "../launch/choice.ts";
import { type Launcher, type LaunchSurroundings, makeLauncher } from "../launch/launcher.ts";
import { valuesOfOption } from "../launch/option-words.ts";
import type { Program } from "../launch/program.ts";
import { launchSettingsOf } from "../launch/settings.ts";
import { countOf, readWords } from "../launch/words.ts";
import { didYouMean } from "../nearest.ts";
import { printable } from "../printable.ts";
import { shellWord } from "../shell-word.ts";
import type { Call } from "./call.ts";

interface Options {
  readonly backend?: string;
  readonly np?: string;
  readonly label?: boolean;
  readonly dryRun?: boolean;
  readonly option?: readonly string[];
}

/** Returns the exit code of what was run. Throws UsageError, and EngineError `unavailable` if the launcher is not here. */
export async function launch({ words, options, launch: values, around, terminal }: Call<Options>): Promise<number> {
  const { backend, label = false, dryRun = false } = options;
  const machine = await around.launchers();
  const launcher = await makeLauncher(backend, launchSettingsOf(values), machine);
  const programs = programsOf(words, options, launcher, machine);
  const lines = launcher.command(programs, { label });
  if (dryRun) {
    for (const line of lines) terminal.out(`${line}\n`);
    return EXIT.ok;
  }
  const say = (sentence: string) => terminal.err(`jobmgr: ${sentence}\n`);
  if (launcher.kind === "srun" && !isInAllocation(machine.env))
    say("this is not inside of an allocation: srun asks Slurm for one, and waits for it");
  const { exitCode, fault } = await launcher.run(programs, { label, passSignals: true });
  if (fault !== undefined) say(printable(fault));
  return exitCode;
}

const OWN_FLAGS = VERBS.launch.options.flatMap(({ flags }) => /--[\w-]+/.exec(flags) ?? []);

function programsOf(
  words: readonly string[],
  { np, option = [] }: Options,
  launcher: Launcher,
  { isOnPath }: LaunchSurroundings,
): readonly Program[] {
  const [count, rest] = countIn(np, words);
  const first = { options: option, ...(count !== undefined && { processes: countOf(count) }) };
  const { programs, doubtful } = readWords(rest, first, (word) => valuesOfOption(launcher.kind, word));
  const [program = ""] = programs[0]?.argv ?? [];
  if (doubtful === undefined || program === "" || isOnPath(program)) return programs;
  const near = didYouMean(doubtful, OWN_FLAGS);
  const more =
    launcher.kind === "local"
      ? ` Copies on this machine (local) have no launcher that ${printable(doubtful)} could be for.`
      : ` If it belongs to ${printable(doubtful)}, say so: --option ${shellWord(doubtful)} --option ${shellWord(program)}`;
  throw new UsageError(`There is no program ${printable(program)}.${near}${more}`);
}

/** "-np 4" is what mpiexec(1) takes, and is read as -n with the value "p" here. */
function countIn(np: string | undefined, words: readonly string[]): [string | undefined, readonly string[]] {
  if (np === undefined || !/^p\d*$/.test(np)) return [np, words];
  return np === "p" ? [words[0] ?? "", words.slice(1)] : [np.slice(1), words];
}
