/** What squeue's rows and the runners' records together say of an attempt: nothing is decided before it is certain. */
import { describe, expect, it } from "vitest";
import type { Runs } from "../../engines/batch/records.ts";
import { copiesOf, endedNews, endsOf, livingNews } from "../../engines/slurm/judge.ts";
import type { AccountingRow, QueueRow } from "../../engines/slurm/queue.ts";
import type { Run } from "../../src/runner.ts";
import { somePlan } from "../fakes/plan.ts";

const TOKEN = "20261121T104219-91bbde48256d";
const PLAN = somePlan();

function row(shownId: string, state: string, more: Partial<QueueRow> = {}): QueueRow {
  return {
    shownId,
    state,
    reason: "None",
    exitCode: "0",
    restarts: "0",
    timeLimit: "1:00",
    timeUsed: "0:10",
    memory: "0",
    nodes: "n1",
    startTime: "N/A",
    cluster: "c",
    folder: "/r/pending/a",
    command: `/r/pending/a/.jobmgr/attempt-${TOKEN}/run.sh`,
    ...more,
  };
}

function sacct(shownId: string, state: string, exitCode = "0:0"): AccountingRow {
  const { reason: _reason, command: _command, restarts: _restarts, ...others } = row(shownId, state, { exitCode });
  return { ...others, submitLine: "sbatch run.sh" };
}

const CLAIM = { token: TOKEN, host: "n1", boot: "b", pid: 1, start: "1", job: "7@c", restart: 0 };

function run(exitCode?: number, started = true): Run {
  return {
    ...(started && { started: CLAIM }),
    startedName: "started",
    ...(exitCode !== undefined && { exit: { token: TOKEN, code: exitCode } }),
    exitName: "exit",
    limitReached: false,
  };
}

const runsOf = (...runs: readonly (readonly [number | undefined, Run])[]): Runs => new Map(runs);

describe("while any of it lives, a job has not ended", () => {
  it.each([
    ["RUNNING", { is: "running" }],
    ["COMPLETING", { is: "running" }],
    ["SUSPENDED", { is: "running" }],
    ["PENDING", { is: "queued" }],
    ["REQUEUE_HOLD", { is: "queued" }],
    ["SPECIAL_EXIT", { is: "queued" }],
    ["HIBERNATING", { is: "unknown" }],
  ])("%s", (state, news) => {
    expect(livingNews([row("7", state)])).toMatchObject(news);
    expect(livingNews([row("7_1", "COMPLETED"), row("7_2", state)])).toMatchObject(news);
  });

  it("a word that nobody knows is shown as it is", () => {
    expect(livingNews([row("7", "HIBERNATING")])).toMatchObject({ word: expect.stringContaining('"HIBERNATING"') });
  });

  it("why it waits is told, and whether it will wait for ever", () => {
    expect(livingNews([row("7", "PENDING", { reason: "Resources" })])).toMatchObject({
      why: expect.stringContaining("Resources: "),
    });
    expect(livingNews([row("7", "PENDING", { reason: "DependencyNeverSatisfied" })])).toMatchObject({
      stuck: true,
      stranded: true,
    });
    expect(livingNews([row("7_[1-4]", "PENDING", { reason: "JobHeldUser" })])).toMatchObject({
      why: expect.stringMatching(/: scontrol release 7\.$/),
    });
    expect(livingNews([row("7", "PENDING", { reason: "Priority" })])).not.toHaveProperty("stuck");
  });

  it("the reason of a task that waits for ever outweighs the others'", () => {
    const rows = [row("7_1", "PENDING", { reason: "Priority" }), row("7_2", "PENDING", { reason: "JobHeldAdmin" })];
    expect(livingNews(rows)).toMatchObject({ stuck: true, why: expect.stringContaining("JobHeldAdmin") });
  });

  it("none lives when all have ended", () => {
    expect(livingNews([row("7_1", "COMPLETED"), row("7_2", "TIMEOUT")])).toBeUndefined();
    expect(livingNews([])).toBeUndefined();
  });
});

describe("of several copies in the queue", () => {
  const two = [row("7", "PENDING"), row("8", "PENDING")];

  it("the one that was recorded stays, and the other may be cancelled", () => {
    expect(copiesOf(two, "8", undefined)).toMatchObject({ id: "8", extra: ["7"] });
  });

  it("the one with the claim stays, whatever was recorded", () => {
    expect(copiesOf(two, "8", "7")).toMatchObject({ id: "7", extra: ["8"] });
  });

  it("the first stays, if the recorded one is over", () => {
    expect(copiesOf([row("6", "CANCELLED"), row("10", "PENDING"), row("9", "PENDING")], "6", undefined)).toMatchObject({
      id: "9",
      extra: ["10"],
    });
  });

  it("one that runs is not cancelled as long as no claim is seen, for it may be its own", () => {
    expect(copiesOf([row("7", "PENDING"), row("8", "RUNNING")], "7", undefined).extra).toEqual([]);
  });
});

describe("how it ended", () => {
  const news = (rows: readonly (QueueRow | AccountingRow)[], runs: Runs, waited = false, plan = PLAN) =>
    endedNews(plan, endsOf(rows), runs, waited);

  it("by itself: its code comes with Slurm's word", () => {
    expect(news([row("7", "FAILED", { exitCode: "768" })], runsOf([undefined, run(3)]))).toMatchObject({
      is: "ended",
      cause: "itself",
      exitCode: 3,
    });
  });

  it("by itself, but its record cannot be seen: not decided before it was waited for", () => {
    const rows = [row("7", "COMPLETED")];
    expect(news(rows, runsOf([undefined, run()]))).toMatchObject({ is: "ending" });
    expect(news(rows, runsOf())).toMatchObject({ is: "ending" });
  });

  it("Slurm's 0 for a job that has left no record is no success: a copy that steps aside ends so as well", () => {
    const end = news([row("7", "COMPLETED")], runsOf([undefined, run()]), true);
    expect(end).toMatchObject({ is: "ended", why: expect.stringContaining("no record") });
    expect(end).not.toHaveProperty("exitCode");
  });

  it("the record of an earlier start is not taken for that of the last one", () => {
    const rows = [row("7", "COMPLETED", { restarts: "1" })];
    expect(news(rows, runsOf([undefined, run(143)]))).toMatchObject({ is: "ending" });
    const again = { ...run(0), started: { ...CLAIM, restart: 1 } };
    expect(news(rows, runsOf([undefined, again]))).toMatchObject({ is: "ended", exitCode: 0 });
  });

  it("a runner that says that it has not run job.sh is no end of job.sh", () => {
    const end = news([row("7", "FAILED", { exitCode: String(75 << 8) })], runsOf(), true);
    expect(end).toMatchObject({ is: "ended" });
    expect(end).not.toHaveProperty("cause");
    expect(end).not.toHaveProperty("exitCode");
  });

  it("exit code 75 of job.sh itself is its own", () => {
    const end = news([row("7", "FAILED", { exitCode: String(75 << 8) })], runsOf([undefined, run(75)]));
    expect(end).toMatchObject({ cause: "itself", exitCode: 75 });
  });

  it("Slurm could not start it: told at once, and not tried for ever", () => {
    expect(news([row("7", "FAILED", { exitCode: "4021", reason: "JobLaunchFailure" })], runsOf())).toMatchObject({
      is: "ended",
      cause: "launch",
      why: expect.stringContaining("could not start it"),
    });
  });

  it("killed together with its runner", () => {
    expect(news([row("7", "FAILED", { exitCode: "9" })], runsOf([undefined, run()]))).toMatchObject({
      cause: "itself",
      signal: "SIGKILL",
    });
  });

  it.each([
    ["TIMEOUT", "timeout", "--time"],
    ["OUT_OF_MEMORY", "memory", "--mem"],
    ["NODE_FAIL", "node", "n1"],
    ["BOOT_FAIL", "node", "n1"],
    ["DEADLINE", "deadline", "--deadline"],
    ["PREEMPTED", "preempted", "priority"],
    ["CANCELLED", "cancelled", "cancelled"],
    ["REVOKED", "revoked", "cluster"],
  ])("%s is told with what to do about it", (state, cause, word) => {
    expect(news([row("7", state, { memory: "4G" })], runsOf([undefined, run()]))).toMatchObject({
      is: "ended",
      cause,
      why: expect.stringContaining(word),
    });
  });

  it("accounting tells who cancelled it", () => {
    expect(news([sacct("7", "CANCELLED by 1000")], runsOf())).toMatchObject({ why: expect.stringContaining("1000") });
  });

  it("out of memory in one step is told, though the whole ended well", () => {
    const rows = [sacct("7", "COMPLETED"), sacct("7.batch", "COMPLETED"), sacct("7.0", "OUT_OF_MEMORY", "0:125")];
    expect(news(rows, runsOf([undefined, run(0)]))).toMatchObject({ cause: "memory" });
  });

  it("of a het job the part with the script tells", () => {
    const rows = [row("7+0", "FAILED", { exitCode: "768" }), row("7+1", "COMPLETED")];
    expect(news(rows, runsOf([undefined, run(3)]))).toMatchObject({ exitCode: 3 });
  });

  it("sacct's 0:0 of a job that failed is no witness for success", () => {
    expect(news([sacct("7", "FAILED", "0:0")], runsOf([undefined, run(128)]))).not.toHaveProperty("exitCode");
    expect(news([row("7", "FAILED")], runsOf([undefined, run(0)]))).not.toHaveProperty("exitCode");
  });
});

describe("an array", () => {
  const plan = { ...PLAN, tasks: [1, 2, 3] };

  it("tells of each task", () => {
    const rows = [
      row("7_1", "COMPLETED"),
      row("7_2", "TIMEOUT", { exitCode: "15" }),
      row("7_3", "FAILED", { exitCode: "1280" }),
    ];
    const runs = runsOf([1, run(0)], [2, run(143)], [3, run(5)]);
    const news = endedNews(plan, endsOf(rows), runs, false);
    expect(news).toMatchObject({
      is: "ended",
      cause: "timeout",
      tasks: { 1: { exitCode: 0 }, 2: { cause: "timeout" }, 3: { exitCode: 5 } },
    });
  });

  it("waits for the record of each", () => {
    const rows = [row("7_1", "COMPLETED"), row("7_2", "COMPLETED"), row("7_3", "COMPLETED")];
    expect(endedNews(plan, endsOf(rows), runsOf([1, run(0)], [3, run(0)]), false)).toMatchObject({ is: "ending" });
  });

  it("tells of the rest, if some were purged", () => {
    const news = endedNews(
      plan,
      endsOf([row("7_3", "FAILED", { exitCode: "256" })]),
      runsOf([1, run(0)], [3, run(1)]),
      false,
    );
    expect(news).toMatchObject({ is: "ended", tasks: { 3: { exitCode: 1 } } });
  });

  it("cancelled while it waited has one row for all tasks that have none", () => {
    const rows = [row("7_1", "COMPLETED"), row("7", "CANCELLED")];
    expect(endedNews(plan, endsOf(rows), runsOf([1, run(0)]), false)).toMatchObject({
      cause: "cancelled",
      tasks: { 1: { exitCode: 0 }, 2: { cause: "cancelled" }, 3: { cause: "cancelled" } },
    });
  });

  it("of which no task could claim has not been started", () => {
    const rows = [1, 2, 3].map((task) => row(`7_${task}`, "FAILED", { exitCode: String(75 << 8) }));
    expect(endedNews(plan, endsOf(rows), runsOf(), true)).not.toHaveProperty("cause");
  });
});
