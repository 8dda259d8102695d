/** What Slurm's words for a job's state mean, and how its exit codes are read. Pure. */

/** Slurm's reason for a job that never starts, or that it has dropped, for one before it did not end as it must. */
export const STRANDED = "DependencyNeverSatisfied";

/** Why Slurm's job is over. `itself`: it ended by itself, well or not. `revoked`: a sibling cluster runs it. */
export type SlurmEnd = "itself" | "timeout" | "memory" | "cancelled" | "node" | "preempted" | "deadline" | "revoked";

/** What a state's word means. */
export type State =
  | { readonly is: "queued" | "running"; readonly word: string }
  | {
      readonly is: "ended";
      /** The long name, whatever form was read. */
      readonly word: string;
      readonly cause: SlurmEnd;
      /** Of "CANCELLED by 1000": the user id. */
      readonly by?: string;
    };

type Row = readonly [short: string, is: "queued" | "running" | SlurmEnd];

/**
 * Every state and flag by its long name: squeue(1) and sacct(1), JOB STATE CODES, of 22.05, and job_state_codes.html
 * of 25.11. squeue shows one word, and a flag hides the state beneath it: a flag never means that the job is over,
 * for what was set in motion (clean up, requeue, release) is not done yet.
 */
const STATES: Readonly<Record<string, Row>> = {
  PENDING: ["PD", "queued"],
  REQUEUED: ["RQ", "queued"],
  REQUEUE_FED: ["RF", "queued"],
  REQUEUE_HOLD: ["RH", "queued"],
  RESV_DEL_HOLD: ["RD", "queued"],
  // Held in the queue after an exit code that the site singled out; not an end.
  SPECIAL_EXIT: ["SE", "queued"],
  // The three are flags for a job that goes back to the queue.
  LAUNCH_FAILED: ["", "queued"],
  RECONFIG_FAIL: ["", "queued"],
  EXPEDITING: ["", "queued"],
  RUNNING: ["R", "running"],
  // Has its nodes, and may wait for them to boot.
  CONFIGURING: ["CF", "running"],
  POWER_UP_NODE: ["", "running"],
  // The script has ended, but its epilog has not.
  COMPLETING: ["CG", "running"],
  STAGE_OUT: ["SO", "running"],
  SUSPENDED: ["S", "running"],
  STOPPED: ["ST", "running"],
  RESIZING: ["RS", "running"],
  SIGNALING: ["SI", "running"],
  UPDATE_DB: ["", "running"],
  COMPLETED: ["CD", "itself"],
  FAILED: ["F", "itself"],
  CANCELLED: ["CA", "cancelled"],
  TIMEOUT: ["TO", "timeout"],
  OUT_OF_MEMORY: ["OOM", "memory"],
  NODE_FAIL: ["NF", "node"],
  BOOT_FAIL: ["BF", "node"],
  DEADLINE: ["DL", "deadline"],
  // A job that is to be requeued shows this for a moment in squeue; one that is gone from squeue has ended with it.
  PREEMPTED: ["PR", "preempted"],
  REVOKED: ["RV", "revoked"],
};
const LONG_BY_SHORT = new Map(Object.entries(STATES).flatMap(([long, [short]]) => (short ? [[short, long]] : [])));

/**
 * Reads squeue's State or StateCompact, or sacct's State: "CANCELLED by 1000", "CD", "OUT_OF_ME+". undefined for a
 * word never seen, and for a cut one that could mean two things ("COMPLET+"): the job is then taken to be alive.
 */
export function stateOf(raw: string): State | undefined {
  const [first = "", by, who] = raw.trim().split(/\s+/);
  const name = longName(first.toUpperCase());
  const row = name === undefined ? undefined : STATES[name];
  if (name === undefined || !row) return undefined;
  const [, is] = row;
  if (is === "queued" || is === "running") return { is, word: name };
  return { is: "ended", word: name, cause: is, ...(by === "by" && who && { by: who }) };
}

function longName(word: string): string | undefined {
  const whole = word.replace(/\+$/, "");
  if (Object.hasOwn(STATES, whole)) return whole;
  if (whole === word) return LONG_BY_SHORT.get(word);
  const fits = whole === "" ? [] : Object.keys(STATES).filter((name) => name.startsWith(whole));
  const meanings = new Set(fits.map((name) => STATES[name]?.[1]));
  return meanings.size === 1 ? fits[0] : undefined;
}

/** An exit code as Slurm tells it ("3:0"), taken apart. */
export interface Exit {
  readonly exitCode?: number;
  /** A number; above 64 it is one of Slurm's own (125: out of memory). */
  readonly signal?: number;
  /** The code is what is left of the true one after sacct took 128 off every code from 128 on. */
  readonly reduced?: true;
}

/**
 * Slurm's account of how the batch script ended.
 * - squeue -O exit_code: the status of wait(2) as a decimal. 768 is code 3; 9 is signal 9; 4021 is signal 53 and code
 *   15; 253 is out of memory (Slurm 22.05.8 said so; its own SIG_OOM).
 * - sacct ExitCode: "3:0" is code 3, "0:9" signal 9. sacct takes 128 off a code from 128 on: `exit 137` reads "9:0",
 *   `exit 255` "127:0" and `exit 128` "0:0", though the state is FAILED (Slurm 22.05.8 said so). Such an answer is
 *   marked `reduced`: it is no witness of the code.
 */
export function exitOf(raw: string): Exit | undefined {
  const text = raw.trim();
  const pair = /^(\d{1,3}):(\d{1,3})$/.exec(text);
  if (pair) {
    const code = Number(pair[1]);
    const signal = Number(pair[2]);
    if (signal === 0) return { exitCode: code, reduced: true };
    return code === 0 ? { signal } : { exitCode: code, signal };
  }
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const status = Number(text);
  const signal = status & 0x7f;
  const code = (status >> 8) & 0xff;
  if (signal === 0) return { exitCode: code };
  return code === 0 ? { signal } : { exitCode: code, signal };
}

/** Slurm's own signal for a script that it could not start (slurmstepd; 22.05.8 said so for a lost folder or output). */
const LAUNCH_SIGNAL = 53;

/**
 * Slurm could not start the script: its folder or the file for its output could not be opened on the node. The reason
 * "JobLaunchFailure" says less: Slurm 22.05.8 gives it to every script that a signal ended.
 */
export function isLaunchFailure(exit: Exit | undefined): boolean {
  return exit?.signal === LAUNCH_SIGNAL;
}

/** What is known of a job that has ended, each as Slurm spells it. */
export interface Facts {
  /** squeue's or sacct's State. */
  readonly state: string;
  /** "1:00", "00:01:00", "1-00:00:00", "UNLIMITED". */
  readonly timeLimit?: string;
  /** "100M", "4G", "4Gc". */
  readonly memory?: string;
  /** The nodes it ran on; "None assigned" where it had none. */
  readonly node?: string;
  readonly reason?: string;
  /** The id or name of the user who cancelled it. */
  readonly by?: string;
  readonly exit?: Exit;
}

/** What happened and what to change, for job_error.txt; undefined where the exit code alone tells it (COMPLETED, FAILED). */
export function explain(facts: Facts): string | undefined {
  const state = stateOf(facts.state);
  if (state?.is !== "ended") return undefined;
  return EXPLANATIONS[state.cause](facts, state);
}

type EndState = Extract<State, { is: "ended" }>;

const EXPLANATIONS: Readonly<Record<SlurmEnd, (facts: Facts, state: EndState) => string | undefined>> = {
  timeout: ({ timeLimit }) => {
    const limit = timeLimit === undefined ? undefined : secondsOf(timeLimit);
    return limit === undefined
      ? "It reached its time limit and Slurm stopped it. Ask for more time: #SBATCH --time."
      : `It reached its time limit (${timeText(limit)}) and Slurm stopped it. Ask for more time: #SBATCH --time=${timeText(2 * limit)}.`;
  },
  memory: ({ memory }) => {
    const asked = memory === undefined ? undefined : doubled(memory);
    return asked === undefined
      ? "It needed more memory than it had asked for, and was stopped. Ask for more: #SBATCH --mem."
      : `It needed more memory than it had asked for (${asked.was}), and was stopped. Ask for more: #SBATCH ${asked.directive}.`;
  },
  node: ({ node }, { word }) => {
    const which = known(node) ? `The node ${node}` : "A node";
    return word === "BOOT_FAIL"
      ? `${which} did not start up for it. It did nothing wrong itself.`
      : `${which} failed while it ran. It did nothing wrong itself.`;
  },
  preempted: () =>
    "Slurm stopped it to make room for a job with a higher priority. With #SBATCH --requeue Slurm runs such a job again by itself.",
  deadline: () =>
    "Slurm ended it because it could not end, or had not ended, before its deadline. Change #SBATCH --deadline, or ask for less time with #SBATCH --time.",
  revoked: () => "Another cluster of the same federation has taken it over, so that this cluster gave it up.",
  cancelled: ({ by, reason }, state) => {
    if (reason === STRANDED) {
      return "Slurm cancelled it because a job that it depends on did not end as #SBATCH --dependency demands.";
    }
    const who = by ?? state.by;
    if (who === undefined) return "It was cancelled in Slurm.";
    if (who === "0" || who === "root") return "It was cancelled in Slurm by an administrator (root).";
    return `It was cancelled in Slurm by ${/^\d+$/.test(who) ? `the user with the id ${who}` : who}.`;
  },
  itself: ({ reason, exit, node }) => {
    if (isLaunchFailure(exit)) {
      const where = known(node) ? ` on ${node}` : "";
      return `Slurm could not start it${where}: its folder, or the file for its output, could not be opened there. Is the folder on a file system that the nodes see too?`;
    }
    if (reason === "BadConstraints") {
      return "Slurm refused it: no node of this cluster has what it asks for. Look at #SBATCH --constraint, --mem, --gres and --nodes.";
    }
    return undefined;
  },
};

function known(node: string | undefined): node is string {
  return node !== undefined && node !== "" && node !== "None assigned" && node !== "(null)";
}

/**
 * Seconds of a limit as squeue and sacct print it: [days-]hours:minutes:seconds, or minutes:seconds (squeue's "1:00" is
 * a minute; sbatch would read the same as one too).
 */
function secondsOf(text: string): number | undefined {
  const match = /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)$/.exec(text.trim());
  if (!match) return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
}

/** As #SBATCH --time takes it: "0:02:00", "1-12:00:00". */
function timeText(seconds: number): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3600);
  const rest = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  return days > 0 ? `${days}-${two(hours)}:${rest}` : `${hours}:${rest}`;
}

/** Mebibytes by the unit letter; Slurm's plain numbers are MB (sbatch(1), --mem). */
const MEBIBYTES: Readonly<Record<string, number>> = { K: 1 / 1024, "": 1, M: 1, G: 1024, T: 1024 * 1024 };

/** "4Gc" was ReqMem before 21.08: c for each processor, n for each node. Zero and "all of the node" are not doubled. */
function doubled(memory: string): { was: string; directive: string } | undefined {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)([cn]?)$/.exec(memory.trim());
  const unit = MEBIBYTES[match?.[2] ?? "?"];
  const amount = Number(match?.[1] ?? 0) * (unit ?? 0);
  if (!match || amount === 0) return undefined;
  const option = match[3] === "c" ? "--mem-per-cpu" : "--mem";
  return { was: `${match[1]}${match[2]}`, directive: `${option}=${memoryText(2 * amount)}` };
}

/** --mem takes whole numbers only (sbatch(1)), so that half a gigabyte must be told in megabytes. */
function memoryText(mebibytes: number): string {
  for (const [unit, size] of [
    ["T", 1024 * 1024],
    ["G", 1024],
  ] as const) {
    if (mebibytes >= size && mebibytes % size === 0) return `${mebibytes / size}${unit}`;
  }
  return `${Math.ceil(mebibytes)}M`;
}
