/** What tests of `jobmgr launch` share: an MPI on the PATH, and a program that shows its arguments and signals. */
import { chmodSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { onTestFinished, type TestContext } from "vitest";
import { findByCommand, isAlive } from "../../engines/process.ts";
import { makeFolder, waitUntil } from "../harness.ts";
import { need } from "./surroundings.ts";

/** Words that a shell, or a launcher that makes a line of them, would read otherwise. */
export const ODD = ["a  b", "", "it's", '"', "$HOME %t \\n", "*", "x\ny", "-n", "#"] as const;

/** The environment in which `mpiexec` is that of Open MPI or of MPICH. */
export function mpi(context: TestContext, which: "openmpi" | "mpich"): NodeJS.ProcessEnv {
  const program = need(context, `mpiexec.${which}`);
  const folder = makeFolder();
  symlinkSync(program, join(folder, "mpiexec"));
  // MPICH looks for its helper beside itself.
  if (which === "mpich") symlinkSync(join(dirname(program), "hydra_pmi_proxy"), join(folder, "hydra_pmi_proxy"));
  return {
    PATH: `${folder}:${process.env.PATH}`,
    OMPI_ALLOW_RUN_AS_ROOT: "1",
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1",
  };
}

export interface Witness {
  /** The program. Its first argument is "show", which prints its arguments, or "stay", until a signal comes. */
  readonly path: string;
  /** The same under a name that needs quotes. */
  readonly oddPath: string;
  /** What copies have noted. */
  notes(): string[];
  /** Waits until so many copies stay. */
  up(count: number): Promise<void>;
  /** Waits until none is left. */
  gone(): Promise<void>;
}

/** A program in a folder of its own; what is left of it is killed when the test ends. */
export function makeWitness(): Witness {
  const folder = makeFolder();
  const path = join(folder, "witness");
  const log = join(folder, "log");
  writeFileSync(log, "");
  writeFileSync(
    path,
    `#!/bin/bash
here=$(dirname "$0")
if [ "$1" = show ]; then
  shift
  text=$(printf '<%s>' "$@"; printf .)
  printf '%s' "\${text%.}" | tr '\\n' '|'
  echo
  exit 0
fi
for signal in INT TERM; do
  [ "$1" = deaf ] || trap "echo $signal >>'\${here}/log'; exit 9" $signal
  [ "$1" != deaf ] || trap "echo $signal >>'\${here}/log'" $signal
done
echo up >>"\${here}/log"
echo up
while :; do sleep 0.05; done
`,
  );
  chmodSync(path, 0o755);
  // Slurm cannot end a program whose name holds a blank (proctrack/linuxproc of 22.05.8), so that one is for show.
  const oddPath = join(folder, "odd name's.sh");
  symlinkSync(path, oddPath);
  const alive = () => findByCommand(folder).filter(({ command }) => command.startsWith(`/bin/bash ${path}`));
  onTestFinished(() => {
    for (const { pid, start } of alive()) if (isAlive(pid, start)) process.kill(pid, "SIGKILL");
  });
  const notes = () => readFileSync(log, "utf8").split("\n").filter(Boolean);
  return {
    path,
    oddPath,
    notes,
    up: (count) => waitUntil(`${count} copies are up`, () => notes().filter((note) => note === "up").length === count),
    gone: () => waitUntil("no copy is left", () => alive().length === 0),
  };
}

/** What `show` prints of these words. */
export function shown(words: readonly string[]): string {
  return words.map((word) => `<${word.replaceAll("\n", "|")}>`).join("");
}
