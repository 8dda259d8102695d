/** Which launcher is meant, and what it is like: its kind is what its --version says. */
import { EngineError } from "../engine-error.ts";
import { didYouMean } from "../nearest.ts";
import type { KnownLauncher } from "./command.ts";
import { LaunchError } from "./program.ts";
import type { Kind, LauncherSettings, LaunchSettings } from "./settings.ts";

/** What must be known of this machine. */
export interface LaunchMachine {
  readonly env: NodeJS.ProcessEnv;
  /** Processors that this process may use. */
  readonly cores: number;
  isOnPath(program: string): boolean;
  runProgram(
    program: string,
    args: readonly string[],
    timeoutMs: number,
  ): Promise<{ readonly exitCode: number | undefined; readonly stdout: string; readonly stderr: string }>;
}

/** It answers in some hundredths of a second, and from a slow file system in some seconds. */
const VERSION_TIMEOUT_MS = 30_000;

const BUILT_IN: Readonly<Record<string, LauncherSettings>> = {
  mpi: { executable: "mpiexec" },
  srun: { kind: "srun", executable: "srun" },
  local: { kind: "local" },
};

const EXECUTABLES: Readonly<Record<Kind, string | undefined>> = {
  openmpi: "mpiexec",
  mpich: "mpiexec",
  srun: "srun",
  local: "",
  other: undefined,
};

/** What is configured; else srun inside of an allocation of Slurm, else mpiexec, else plain copies. */
export function defaultLauncher({ backend }: LaunchSettings, { env, isOnPath }: LaunchMachine): string {
  if (backend !== undefined) return backend;
  if (isInAllocation(env) && isOnPath("srun")) return "srun";
  return isOnPath("mpiexec") ? "mpi" : "local";
}

/** Slurm has given this process a place to start others in. */
export function isInAllocation(env: NodeJS.ProcessEnv): boolean {
  return Boolean(env.SLURM_JOB_ID);
}

/** Variables by which a scheduler tells a process where it may start others. */
const ALLOCATIONS = ["SLURM_JOB_ID", "PBS_JOBID", "PE_HOSTFILE", "LSB_JOBID"] as const;

/** Throws LaunchError for a name that there is not, EngineError `unavailable` if its executable is not here. */
export async function knownLauncher(
  name: string,
  settings: LaunchSettings,
  machine: LaunchMachine,
): Promise<KnownLauncher> {
  const names = [...new Set([...Object.keys(BUILT_IN), ...Object.keys(settings.launchers)])];
  if (!names.includes(name))
    throw new LaunchError(
      `There is no launcher "${name}".${didYouMean(name, names)} The launchers are: ${names.join(", ")}; others are described in jobmgr.toml, as [launch.NAME]`,
    );
  const said = { ...BUILT_IN[name], ...settings.launchers[name] };
  const executable = said.executable ?? (said.kind === undefined ? "mpiexec" : EXECUTABLES[said.kind]);
  if (executable === undefined)
    throw new LaunchError(`[launch.${name}] has kind = "${said.kind}", so that it must name its executable`);
  if (said.kind === "local") {
    if (Object.keys(said).length > 1)
      throw new LaunchError(
        `[launch.${name}] starts copies on this machine, without a launcher that its other keys could be for: it has none but kind = "local"`,
      );
    return { name, kind: "local", executable: "", version: 0 };
  }
  if (!machine.isOnPath(executable))
    throw new EngineError(
      "unavailable",
      `There is no ${executable} on this machine, so that launcher ${name} cannot start anything. On many clusters: module load; to start plain copies on this machine: --backend local`,
    );
  const version = said.kind === "srun" || said.kind === "other" ? "" : await versionOf(executable, machine);
  const isAlone = !ALLOCATIONS.some((variable) => machine.env[variable]);
  return {
    ...said,
    name,
    executable,
    kind: said.kind ?? kindIn(version),
    version: numberIn(version),
    ...(isAlone && { cores: machine.cores }),
  };
}

async function versionOf(executable: string, { runProgram }: LaunchMachine): Promise<string> {
  const { stdout, stderr } = await runProgram(executable, ["--version"], VERSION_TIMEOUT_MS);
  return stdout + stderr;
}

/** "mpiexec (OpenRTE) 4.1.4", "mpirun (Open MPI) 5.0.3"; "HYDRA build details:", "Intel(R) MPI Library for Linux". */
function kindIn(version: string): Kind {
  if (/\((OpenRTE|Open MPI|PRRTE)\)|open-mpi\.org/.test(version)) return "openmpi";
  return /HYDRA|MPICH|Intel\(R\) MPI|MVAPICH/i.test(version) ? "mpich" : "other";
}

function numberIn(version: string): number {
  return Number(/\((?:OpenRTE|Open MPI)\) (\d+)/.exec(version)?.[1] ?? 0);
}
