/** Options of launchers whose values are words of their own: so many. All others are one word. Pure. */
import type { Kind } from "./settings.ts";

/** mpiexec --help all (Open MPI 4.1.4), and what Open MPI 5 adds. Each may be written with one dash or two. */
const OPENMPI = [
  "am app bind-to cf cartofile cpu-list cpu-set cpus-per-proc cpus-per-rank debugger default-hostfile H host hnp hostfile",
  "launch-agent machinefile map-by max-restarts max-vm-size N npernode npersocket ompi-server output-filename path",
  "personality ppr prefix preload-files rank-by report-events report-pid report-uri rf rankfile stdin timeout tune wd wdir",
  "x xml-file xterm c output display runtime-options dvm-uri pset",
];
const OPENMPI_TWO = ["mca gmca omca gomca prtemca pmixmca gpmixmca"];

/** mpiexec --help (MPICH 4.0.2; Intel MPI and MVAPICH have the same process manager). */
const MPICH = [
  "genvlist f hosts host wdir configfile envlist launcher launcher-exec rmk topolib bind-to map-by membind demux iface ppn",
  "perhost prepend-pattern outfile-pattern errfile-pattern nameserver order-nodes localhost usize gpus-per-proc hostfile",
  "machinefile path arch bootstrap bootstrap-exec",
];
const MPICH_TWO = ["genv env"];

/** srun(1) of Slurm 22.05: those with a value that is not optional. */
const SRUN = [
  "A account accel-bind acctg-freq bb bbf bcast-exclude b begin D chdir cluster-constraint M clusters comment C constraint",
  "container S core-spec cores-per-socket cpu-bind cpu-freq cpus-per-gpu c cpus-per-task deadline delay-boot d dependency m",
  "distribution epilog e error x exclude export B extra-node-info gid gpu-bind gpu-freq G gpus gpus-per-node",
  "gpus-per-socket gpus-per-task gres gres-flags het-group hint i input J job-name jobid L licenses mail-type mail-user",
  "mcs-label mem mem-bind mem-per-cpu mem-per-gpu mincpus mpi msg-timeout network F nodefile w nodelist N nodes",
  "ntasks-per-core ntasks-per-gpu ntasks-per-node ntasks-per-socket open-mode output p partition power prefer",
  "priority profile prolog q qos relative reservation signal slurmd-debug sockets-per-node switches task-epilog task-prolog",
  "thread-spec T threads threads-per-core t time time-min tmp uid W wait wckey o tres-per-task",
];

const NONE: readonly string[] = [];

const ONE: Readonly<Record<Kind, readonly string[]>> = {
  openmpi: OPENMPI,
  mpich: MPICH,
  srun: SRUN,
  local: NONE,
  other: NONE,
};
const TWO: Readonly<Record<Kind, readonly string[]>> = {
  openmpi: OPENMPI_TWO,
  mpich: MPICH_TWO,
  srun: NONE,
  local: NONE,
  other: NONE,
};

/** How many words behind this option are its values, with a launcher of this kind. */
export function valuesOfOption(kind: Kind, option: string): number {
  const name = option.replace(/^--?/, "");
  const has = (lists: readonly string[]) => lists.some((list) => list.split(" ").includes(name));
  if (has(TWO[kind])) return 2;
  // srun's "-p" is not its "--p", which is the beginning of a longer one.
  if (kind === "srun" && option.startsWith("--") !== name.length > 1) return 0;
  return has(ONE[kind]) ? 1 : 0;
}
