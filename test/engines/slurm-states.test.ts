/** What Slurm's words for a job's state mean, its exit codes, and the sentences for job_error.txt. */
import { describe, expect, it } from "vitest";
import { type Exit, exitOf, explain, type Facts, isLaunchFailure, stateOf } from "../../engines/slurm/states.ts";

/** Long and short names: squeue(1), sacct(1) of 22.05; the flags without a short name: job_state_codes.html of 25.11. */
const LIVING: readonly [long: string, short: string, is: "queued" | "running"][] = [
  ["PENDING", "PD", "queued"],
  ["REQUEUED", "RQ", "queued"],
  ["REQUEUE_FED", "RF", "queued"],
  ["REQUEUE_HOLD", "RH", "queued"],
  ["RESV_DEL_HOLD", "RD", "queued"],
  ["SPECIAL_EXIT", "SE", "queued"],
  ["LAUNCH_FAILED", "", "queued"],
  ["RECONFIG_FAIL", "", "queued"],
  ["EXPEDITING", "", "queued"],
  ["RUNNING", "R", "running"],
  ["CONFIGURING", "CF", "running"],
  ["POWER_UP_NODE", "", "running"],
  ["COMPLETING", "CG", "running"],
  ["STAGE_OUT", "SO", "running"],
  ["SUSPENDED", "S", "running"],
  ["STOPPED", "ST", "running"],
  ["RESIZING", "RS", "running"],
  ["SIGNALING", "SI", "running"],
  ["UPDATE_DB", "", "running"],
];
const ENDED = [
  ["COMPLETED", "CD", "itself"],
  ["FAILED", "F", "itself"],
  ["CANCELLED", "CA", "cancelled"],
  ["TIMEOUT", "TO", "timeout"],
  ["OUT_OF_MEMORY", "OOM", "memory"],
  ["NODE_FAIL", "NF", "node"],
  ["BOOT_FAIL", "BF", "node"],
  ["DEADLINE", "DL", "deadline"],
  ["PREEMPTED", "PR", "preempted"],
  ["REVOKED", "RV", "revoked"],
] as const;

describe("a state", () => {
  it.each(LIVING)("%s (%s) is %s", (long, short, is) => {
    expect(stateOf(long)).toEqual({ is, word: long });
    if (short) expect(stateOf(short)).toEqual({ is, word: long });
  });

  it.each(ENDED)("%s (%s) has ended: %s", (long, short, cause) => {
    expect(stateOf(long)).toEqual({ is: "ended", word: long, cause });
    expect(stateOf(short)).toEqual({ is: "ended", word: long, cause });
  });

  it.each([
    ["CANCELLED by 1000", "CANCELLED", "cancelled", "1000"],
    [" CANCELLED by 0  ", "CANCELLED", "cancelled", "0"],
    ["CANCELLED+", "CANCELLED", "cancelled", undefined],
    ["OUT_OF_ME+", "OUT_OF_MEMORY", "memory", undefined],
    ["NODE_F+", "NODE_FAIL", "node", undefined],
    ["completed", "COMPLETED", "itself", undefined],
  ])("%s is read as %s", (raw, word, cause, by) => {
    expect(stateOf(raw)).toEqual({ is: "ended", word, cause, ...(by && { by }) });
  });

  it.each(["REQUEUE+", "REQUEUE_+"])("%s, cut, means the same whatever it was", (raw) => {
    expect(stateOf(raw)?.is).toBe("queued");
  });

  it.each(["COMPLET+", "R+", "+", "", "  ", "EXPLODED", "CANCELLE", "toString", "__proto__", "constructor", "?"])(
    "%j is not known, so that the job is taken to be alive",
    (raw) => expect(stateOf(raw)).toBeUndefined(),
  );
});

describe("an exit code", () => {
  it.each<[raw: string, exit: Exit | undefined]>([
    // squeue -O exit_code, each as Slurm 22.05.8 said: exit 3, kill -9, a lost folder, TIMEOUT, exit 300, exit 137, exit 255.
    ["0", { exitCode: 0 }],
    ["768", { exitCode: 3 }],
    ["9", { signal: 9 }],
    ["4021", { exitCode: 15, signal: 53 }],
    ["15", { signal: 15 }],
    ["11264", { exitCode: 44 }],
    ["35072", { exitCode: 137 }],
    ["65280", { exitCode: 255 }],
    ["256       ", { exitCode: 1 }],
    // Slurm's SIG_OOM.
    ["253", { signal: 125 }],
    // A core file was written: wait(2).
    ["139", { signal: 11 }],
    // sacct -o ExitCode.
    ["3:0", { exitCode: 3, reduced: true }],
    ["0:0", { exitCode: 0, reduced: true }],
    ["0:9", { signal: 9 }],
    ["0:53", { signal: 53 }],
    ["0:125", { signal: 125 }],
    ["15:53", { exitCode: 15, signal: 53 }],
    ["", undefined],
    ["N/A", undefined],
    ["3:", undefined],
    ["-1", undefined],
    ["3:0:0", undefined],
  ])("%j", (raw, exit) => expect(exitOf(raw)).toEqual(exit));

  it("tells of a script that could not be started", () => {
    expect(["4021", "0:53"].map((raw) => isLaunchFailure(exitOf(raw)))).toEqual([true, true]);
    expect(["9", "0:9", "53:0", "13568", ""].map((raw) => isLaunchFailure(exitOf(raw)))).toEqual(Array(5).fill(false));
  });
});

describe("the sentence for job_error.txt", () => {
  it.each<[facts: Facts, sentence: string | undefined]>([
    [
      { state: "TIMEOUT", timeLimit: "1:00" },
      "It reached its time limit (0:01:00) and Slurm stopped it. Ask for more time: #SBATCH --time=0:02:00.",
    ],
    [
      { state: "TIMEOUT", timeLimit: "00:01:00" },
      "It reached its time limit (0:01:00) and Slurm stopped it. Ask for more time: #SBATCH --time=0:02:00.",
    ],
    [
      { state: "TO", timeLimit: "12:30:00" },
      "It reached its time limit (12:30:00) and Slurm stopped it. Ask for more time: #SBATCH --time=1-01:00:00.",
    ],
    [
      { state: "TIMEOUT", timeLimit: "1-00:00:00" },
      "It reached its time limit (1-00:00:00) and Slurm stopped it. Ask for more time: #SBATCH --time=2-00:00:00.",
    ],
    [
      { state: "TIMEOUT", timeLimit: "UNLIMITED" },
      "It reached its time limit and Slurm stopped it. Ask for more time: #SBATCH --time.",
    ],
    [{ state: "TIMEOUT" }, "It reached its time limit and Slurm stopped it. Ask for more time: #SBATCH --time."],
    [
      { state: "OUT_OF_MEMORY", memory: "100M" },
      "It needed more memory than it had asked for (100M), and was stopped. Ask for more: #SBATCH --mem=200M.",
    ],
    [
      { state: "OUT_OF_ME+", memory: "4G" },
      "It needed more memory than it had asked for (4G), and was stopped. Ask for more: #SBATCH --mem=8G.",
    ],
    [
      { state: "OOM", memory: "1.25G" },
      "It needed more memory than it had asked for (1.25G), and was stopped. Ask for more: #SBATCH --mem=2560M.",
    ],
    [
      { state: "OOM", memory: "2Gc" },
      "It needed more memory than it had asked for (2G), and was stopped. Ask for more: #SBATCH --mem-per-cpu=4G.",
    ],
    [
      { state: "OOM", memory: "512G" },
      "It needed more memory than it had asked for (512G), and was stopped. Ask for more: #SBATCH --mem=1T.",
    ],
    [
      { state: "OOM", memory: "0" },
      "It needed more memory than it had asked for, and was stopped. Ask for more: #SBATCH --mem.",
    ],
    [
      { state: "OOM", memory: "N/A" },
      "It needed more memory than it had asked for, and was stopped. Ask for more: #SBATCH --mem.",
    ],
    [{ state: "NODE_FAIL", node: "n17" }, "The node n17 failed while it ran. It did nothing wrong itself."],
    [{ state: "NODE_FAIL" }, "A node failed while it ran. It did nothing wrong itself."],
    [{ state: "BOOT_FAIL", node: "None assigned" }, "A node did not start up for it. It did nothing wrong itself."],
    [{ state: "CANCELLED by 1000" }, "It was cancelled in Slurm by the user with the id 1000."],
    [{ state: "CANCELLED by 1000", by: "ada" }, "It was cancelled in Slurm by ada."],
    [{ state: "CANCELLED by 0" }, "It was cancelled in Slurm by an administrator (root)."],
    [{ state: "CANCELLED" }, "It was cancelled in Slurm."],
    [
      { state: "CANCELLED", reason: "DependencyNeverSatisfied" },
      "Slurm cancelled it because a job that it depends on did not end as #SBATCH --dependency demands.",
    ],
    [
      { state: "DEADLINE" },
      "Slurm ended it because it could not end, or had not ended, before its deadline. Change #SBATCH --deadline, or ask for less time with #SBATCH --time.",
    ],
    [
      { state: "PREEMPTED" },
      "Slurm stopped it to make room for a job with a higher priority. With #SBATCH --requeue Slurm runs such a job again by itself.",
    ],
    [
      { state: "REVOKED" },
      "Another cluster of the same federation has taken it over, so that this cluster gave it up.",
    ],
    [
      { state: "FAILED", exit: { exitCode: 15, signal: 53 }, node: "n1", reason: "JobLaunchFailure" },
      "Slurm could not start it on n1: its folder, or the file for its output, could not be opened there. Is the folder on a file system that the nodes see too?",
    ],
    [
      { state: "FAILED", exit: { exitCode: 1 }, reason: "BadConstraints" },
      "Slurm refused it: no node of this cluster has what it asks for. Look at #SBATCH --constraint, --mem, --gres and --nodes.",
    ],
    // Slurm 22.05.8 gives this reason to every script that a signal ended.
    [{ state: "FAILED", exit: { signal: 9 }, reason: "JobLaunchFailure" }, undefined],
    [{ state: "FAILED", exit: { exitCode: 3 }, reason: "NonZeroExitCode" }, undefined],
    [{ state: "COMPLETED" }, undefined],
    [{ state: "RUNNING" }, undefined],
    [{ state: "EXPLODED" }, undefined],
  ])("%j", (facts, sentence) => expect(explain(facts)).toBe(sentence));
});
