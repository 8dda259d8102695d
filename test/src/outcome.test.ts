/** The outcome made of its witnesses: what each says alone, and who is believed where they disagree. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { End, EndCause } from "../../src/engine.ts";
import { durationText, outcomeOf, type RunnerRecords, type Witnesses } from "../../src/outcome.ts";

const done = (exitCode: number, task?: number): RunnerRecords => ({
  task,
  started: true,
  exitCode,
  limitReached: false,
});
const started: RunnerRecords = { task: undefined, started: true, exitCode: undefined, limitReached: false };
const nothing: RunnerRecords = { task: undefined, started: false, exitCode: undefined, limitReached: false };
const gone = { is: "ended", word: "its process has gone" } as const;

function outcome(witnesses: Partial<Witnesses>) {
  return outcomeOf({
    records: [started],
    ended: undefined,
    cancelReason: undefined,
    limitS: 0,
    adopted: false,
    ...witnesses,
  });
}

/** The outcome, where there must be one. */
function decided(witnesses: Partial<Witnesses>) {
  const result = outcome(witnesses);
  if (result === undefined || result === "unstarted") throw new Error(`no outcome: ${result}`);
  return result;
}

describe("how an attempt ended", () => {
  it("exit code 0 is a success, with or without the engine's word", () => {
    expect(decided({ records: [done(0)] })).toMatchObject({ is: "succeeded", exitCode: 0 });
    expect(decided({ records: [done(0)], ended: { is: "ended", word: "exit code 0", exitCode: 0 } }).is).toBe(
      "succeeded",
    );
  });

  it.each([
    [1, "general error"],
    [126, "x bit"],
    [127, "not found"],
    [130, "INT"],
    [137, "ran out of memory"],
    [139, "SEGV"],
    [143, "TERM"],
  ])("exit code %i is a failure that is explained (%s)", (code, words) => {
    const result = decided({ records: [done(code)] });
    expect(result).toMatchObject({ is: "failed", exitCode: code });
    expect(result.why).toContain(`Exit code ${code}`);
    expect(result.why).toContain(words);
  });

  it("a code above 128 names its signal", () => {
    expect(decided({ records: [done(137)] }).signal).toBe("KILL");
    expect(decided({ records: [done(3)] }).signal).toBeUndefined();
    expect(decided({ records: [done(255)] }).signal).toBeUndefined();
  });

  it("nothing is decided while neither the runner nor the engine speaks of an end", () => {
    expect(outcome({ records: [started] })).toBeUndefined();
    expect(outcome({ records: [nothing] })).toBeUndefined();
    expect(outcome({ records: [nothing], cancelReason: "no need" })).toBeUndefined();
    expect(outcome({ records: [done(0, 1), { ...started, task: 2 }] })).toBeUndefined();
  });

  it("an attempt that ended without ever having started is made anew", () => {
    expect(outcome({ records: [nothing], ended: gone })).toBe("unstarted");
  });

  it("an attempt that was found running without records and has ended is lost, not made anew", () => {
    expect(decided({ records: [nothing], ended: gone, adopted: true })).toMatchObject({ is: "lost" });
  });

  it("an exit code from the engine without any claim shows that the records were destroyed", () => {
    const result = decided({ records: [nothing], ended: { is: "ended", word: "exit code 4", exitCode: 4 } });
    expect(result.is).toBe("lost");
    expect(result.why).toContain("destroyed");
  });

  it("what started and left no record of its end is lost, and says so", () => {
    const result = decided({ ended: gone });
    expect(result).toMatchObject({ is: "lost", engineWord: gone.word });
    expect(result.why).toContain("killed");
  });

  it("the engine's exit code stands in where the runner was killed before it could write", () => {
    expect(decided({ ended: { is: "ended", word: "exit code 9", exitCode: 9 } })).toMatchObject({
      is: "failed",
      exitCode: 9,
    });
  });

  it("a restart of the machine is an interruption", () => {
    const result = decided({ ended: { is: "ended", word: "the machine was restarted", cause: "interrupted" } });
    expect(result.is).toBe("interrupted");
  });

  it("a cancelled job that ended by the signal is cancelled, with the reason", () => {
    const result = decided({ records: [done(143)], cancelReason: "wrong input" });
    expect(result).toMatchObject({ is: "cancelled", exitCode: 143 });
    expect(result.why).toContain("wrong input");
  });

  it("a job that succeeded before the cancellation reached it has succeeded", () => {
    expect(decided({ records: [done(0)], cancelReason: "too late" }).is).toBe("succeeded");
  });

  it("a cancelled job that never started is cancelled", () => {
    expect(decided({ records: [nothing], ended: gone, cancelReason: "early" }).is).toBe("cancelled");
  });

  it("the time limit is named, also where the job ended in order after its TERM", () => {
    for (const code of [143, 0, 137]) {
      const result = decided({ records: [{ ...done(code), limitReached: true }], limitS: 60 });
      expect(result).toMatchObject({ is: "failed", engineWord: "TIMEOUT" });
      expect(result.why).toContain("time limit (1 min)");
    }
  });

  it("an array fails if one of its tasks does, and tells how each ended", () => {
    const result = decided({ records: [done(0, 1), done(5, 2), done(0, 3)] });
    expect(result).toMatchObject({ is: "failed", exitCode: 5, tasks: { 1: 0, 2: 5, 3: 0 } });
    expect(result.why).toContain("1 of 3 tasks did not succeed");
  });

  it("an array's task without a record is not given the code of the whole", () => {
    const result = decided({
      records: [done(0, 1), { ...started, task: 2 }],
      ended: { is: "ended", word: "exit code 0", exitCode: 0 },
    });
    expect(result).toMatchObject({ is: "lost", tasks: { 1: 0, 2: null } });
  });

  it("whatever the witnesses say, only exit codes of 0 throughout make a success", () => {
    const record = fc.record({
      task: fc.constant(undefined),
      started: fc.boolean(),
      exitCode: fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined }),
      limitReached: fc.boolean(),
    });
    const ended = fc.option(
      fc.record(
        {
          is: fc.constant("ended" as const),
          word: fc.string(),
          cause: fc.constantFrom("timeout" as const, "interrupted" as const, "node" as const),
          exitCode: fc.integer({ min: 0, max: 255 }),
        },
        { requiredKeys: ["is", "word"] },
      ),
      { nil: undefined },
    );
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 4 }),
        ended,
        fc.option(fc.string(), { nil: undefined }),
        fc.boolean(),
        (records, end, cancelReason, adopted) => {
          const tasks = records.length === 1 ? records : records.map((one, i) => ({ ...one, task: i }));
          const result = outcome({ records: tasks, ended: end, cancelReason, adopted });
          const whole = records.every((one) => one.exitCode !== undefined);
          if (result === undefined) return !whole && end === undefined;
          if (result === "unstarted") return records.every((one) => !one.started);
          if (result.is !== "succeeded") return result.why !== "";
          const sayZero = records.every((one) => (one.exitCode ?? (records.length === 1 ? end?.exitCode : 1)) === 0);
          return sayZero && !records.some((one) => one.limitReached);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("a duration for people", () => {
  it.each([
    [0.044, "0.04 s"],
    [3.25, "3.3 s"],
    [12.6, "13 s"],
    [59.7, "1 min"],
    [60, "1 min"],
    [125, "2 min 5 s"],
    [3599.6, "1 h"],
    [93_780, "26 h 3 min"],
  ])("%d seconds are shown as %s", (seconds, text) => {
    expect(durationText(seconds)).toBe(text);
  });

  it("never shows 60 seconds or 60 minutes beside a larger unit", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), (seconds) => {
        const text = durationText(seconds);
        return !/\b60 s\b|\b60 min\b/.test(text) && /^\d/.test(text);
      }),
    );
  });
});

describe("when the engine knows why it ended", () => {
  const by = (cause: EndCause, more: Partial<End> = {}) =>
    ({ is: "ended", word: cause.toUpperCase(), cause, ...more }) as const;

  it.each([
    ["timeout", "failed"],
    ["memory", "failed"],
    ["deadline", "failed"],
    ["launch", "failed"],
    ["gone", "lost"],
    ["cancelled", "cancelled"],
    ["node", "interrupted"],
    ["preempted", "interrupted"],
    ["revoked", "interrupted"],
    ["interrupted", "interrupted"],
  ] as const)("%s: %s, in the engine's words", (cause, is) => {
    const result = decided({ records: [done(143)], ended: by(cause, { why: "Because." }) });
    expect(result).toMatchObject({ is, why: "Because.", exitCode: 143, engineWord: cause.toUpperCase() });
    expect(decided({ records: [nothing], ended: by(cause) }).is).toBe(is);
  });

  it.each([
    ["timeout", "failed"],
    ["memory", "failed"],
    ["deadline", "failed"],
    ["cancelled", "cancelled"],
    ["preempted", "interrupted"],
  ] as const)("%s outweighs the exit code 0 of a job that was told to end, which is told", (cause, is) => {
    const result = decided({ records: [done(0)], ended: by(cause, { why: "Because." }) });
    expect(result).toMatchObject({ is, why: "Because. Its own exit code was 0." });
  });

  it.each(["node", "revoked", "launch"] as const)("%s came too late for a job that had ended well", (cause) => {
    expect(decided({ records: [done(0)], ended: by(cause) }).is).toBe("succeeded");
  });

  it("a job that ended by itself before its cancellation keeps its real result", () => {
    const ended = by("itself", { exitCode: 3 });
    expect(decided({ records: [done(3)], ended, cancelReason: "no" })).toMatchObject({ is: "failed", exitCode: 3 });
    expect(decided({ records: [done(143)], ended: by("cancelled"), cancelReason: "no" })).toMatchObject({
      is: "cancelled",
      why: "It was cancelled: no",
    });
  });

  it("a disagreement is told, and is no success", () => {
    const well = decided({ records: [done(0)], ended: by("itself", { exitCode: 1, word: "FAILED 1:0" }) });
    expect(well).toMatchObject({ is: "failed", why: expect.stringContaining('the engine says "FAILED 1:0"') });
    const ill = decided({ records: [done(4)], ended: by("itself", { exitCode: 0, word: "COMPLETED" }) });
    expect(ill).toMatchObject({ is: "failed", why: expect.stringContaining('"COMPLETED"') });
  });

  it("a job that never claimed its attempt and ended as if it had run has lost its records", () => {
    expect(decided({ records: [nothing], ended: by("itself", { exitCode: 0 }) }).is).toBe("lost");
    expect(outcome({ records: [nothing], ended: { is: "ended", word: "gone" } })).toBe("unstarted");
  });

  it("killed with its runner, as the engine saw: failed by that signal", () => {
    expect(decided({ records: [started], ended: by("itself", { signal: "SIGKILL" }) })).toMatchObject({
      is: "failed",
      why: expect.stringContaining("SIGKILL"),
    });
  });
});

describe("of an array whose tasks the engine tells apart", () => {
  const open = (task: number): RunnerRecords => ({ task, started: true, exitCode: undefined, limitReached: false });
  const unseen = (task: number): RunnerRecords => ({ ...open(task), started: false });
  const tasks = {
    1: { word: "COMPLETED", cause: "itself", exitCode: 0 },
    2: { word: "TIMEOUT", cause: "timeout", why: "Too slow." },
    3: { word: "CANCELLED", cause: "cancelled", why: "Not wanted." },
  } as const;

  it("the worst decides, and each is told of", () => {
    const result = decided({ records: [done(0, 1), open(2), open(3)], ended: { is: "ended", word: "x", tasks } });
    expect(result).toMatchObject({ is: "failed", engineWord: "TIMEOUT", tasks: { 1: 0, 2: null, 3: null } });
    expect(result.why).toBe("2 of 3 tasks did not succeed; the worst of them: Too slow.");
  });

  it("one cancelled task does not make the others fail", () => {
    const result = decided({
      records: [done(0, 1), unseen(3)],
      ended: { is: "ended", word: "x", tasks: { 1: tasks[1], 3: tasks[3] } },
    });
    expect(result).toMatchObject({ is: "cancelled", tasks: { 1: 0, 3: null } });
  });

  it("a task of which nothing is known is lost, and so is the whole", () => {
    const result = decided({
      records: [done(0, 1), unseen(2)],
      ended: { is: "ended", word: "x", tasks: { 1: tasks[1] } },
    });
    expect(result).toMatchObject({ is: "lost", tasks: { 1: 0, 2: null } });
  });
});
