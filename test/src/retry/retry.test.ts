/** The rules for running a job again: how job_retry.txt is read, and what the rules make of an end. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EndCause } from "../../../src/engine.ts";
import type { Outcome, Result } from "../../../src/outcome.ts";
import {
  decide,
  mergeRetry,
  NO_RETRY,
  type Occasion,
  occasionsOf,
  ordinal,
  parseRetry,
  type RetryRules,
} from "../../../src/retry/retry.ts";

const rules = (more: Partial<RetryRules>): RetryRules => ({ ...NO_RETRY, times: 3, ...more });
const ended = (is: Result, more: Partial<Outcome> = {}): Outcome => ({ is, why: "Because.", ...more });

describe("job_retry.txt", () => {
  it.each<[string, Partial<RetryRules>]>([
    ["times 3", { times: 3 }],
    ["3", { times: 3 }],
    ["  7  # so often\r\n", { times: 7 }],
    ["TIMES: 2\r\nPause=5m\r\n", { times: 2, pauseS: 300 }],
    ["\ufefftimes 2\n", { times: 2 }],
    ["pause 60", { pauseS: 60 }],
    ["pause 1.5 h", { pauseS: 5400 }],
    ["pause 2 min", { pauseS: 120 }],
    ["pause 30 sec", { pauseS: 30 }],
    ["pause 2 hours", { pauseS: 7200 }],
    ["pause 1d", { pauseS: 86_400 }],
    ["on NODE_FAIL PREEMPTED interrupted 75 137", { on: ["node", "preempted", "interrupted", 75, 137] }],
    ["on = oom, out-of-memory\non: TIMEOUT", { on: ["memory", "memory", "timeout"] }],
    ["memory 1.5\ntime 2", { memory: 1.5, time: 2 }],
    ["memory 1", { memory: undefined }],
    ["", {}],
    ["# only a comment\n\n", {}],
  ])("%j is understood", (text, expected) => {
    expect(parseRetry(text)).toEqual(expected);
  });

  it.each([
    ["tiems 3", /line 1: "tiems 3" is not understood\. Did you mean times/],
    ["times 3\n\non NODE_FIAL", /line 3: "NODE_FIAL" is no end of a job\. Did you mean node or node_fail\?/],
    ["on cancelled", /line 1: a job that was cancelled is never run again/],
    ["on 0", /0 is no exit code of a failure/],
    ["on 256", /256 is no exit code/],
    ["on", /it names no end/],
    ["times", /times must be a whole number from 0 to 1000, and not ""/],
    ["times -1", /times must be/],
    ["times 1.5", /times must be/],
    ["times 3\ntimes 4", /line 2: times was said before/],
    ["3\n4", /line 2: 4 was said before/],
    ["pause soon", /pause must be a time such as/],
    ["pause 31d", /at most 30d/],
    ["memory 0.5", /memory must be a factor/],
    ["time 2x", /time must be a factor/],
    ["-3", /"-3" is not understood/],
    ["times 3\0", /is not text/],
  ])("%j is refused, with the line and what was probably meant", (text, fault) => {
    expect(parseRetry(text)).toEqual({ fault: expect.stringMatching(fault) });
    expect(parseRetry(text)).toEqual({ fault: expect.stringMatching(/^job_retry\.txt.*\.$/) });
  });

  it("no text at all makes it throw, and each is either rules in their ranges or a fault", () => {
    const words = fc.constantFrom(
      "times",
      "on",
      "pause",
      "memory",
      "time",
      "3",
      "1.5",
      "5m",
      "NODE_FAIL",
      "=",
      ":",
      "\n",
    );
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(words).map((some) => some.join(" ")),
    );
    fc.assert(
      fc.property(text, (some) => {
        const read = parseRetry(some);
        if ("fault" in read) return read.fault.length > 20;
        const { times = 0, pauseS = 0, memory = 1, time = 1 } = read;
        return times >= 0 && Number.isInteger(times) && pauseS >= 0 && memory >= 1 && time >= 1;
      }),
    );
  });

  it("its lines win over the configuration's; one that is there without a number means three times", () => {
    const base = rules({ times: 1, on: ["timeout"], pauseS: 5, memory: 2 });
    expect(mergeRetry(base, {})).toEqual(base);
    expect(mergeRetry(base, { times: 0 })).toEqual({ ...base, times: 0 });
    expect(mergeRetry(base, { on: [75], memory: undefined })).toEqual({ ...base, on: [75], memory: undefined });
    expect(mergeRetry(NO_RETRY, { pauseS: 1 })).toEqual({ ...NO_RETRY, times: 3, pauseS: 1 });
  });
});

describe("whether a job is run again", () => {
  const yes = (on: readonly Occasion[], outcome: Outcome) => decide(rules({ on }), outcome, 1) !== undefined;

  it("never without a word of anybody", () => {
    expect(decide(NO_RETRY, ended("interrupted", { cause: "node" }), 1)).toBeUndefined();
  });

  it.each<[string, Outcome]>([
    ["node_fail", ended("interrupted", { cause: "node" })],
    ["preempted", ended("interrupted", { cause: "preempted", exitCode: 143 })],
    ["interrupted", ended("interrupted", { cause: "interrupted" })],
    ["interrupted", ended("interrupted", { cause: "node" })],
    ["revoked", ended("interrupted", { cause: "revoked" })],
    ["launch", ended("failed", { cause: "launch" })],
    ["TIMEOUT", ended("failed", { cause: "timeout", exitCode: 143 })],
    ["OUT_OF_MEMORY", ended("failed", { cause: "memory", exitCode: 137 })],
    ["deadline", ended("failed", { cause: "deadline" })],
    ["137", ended("failed", { cause: "memory", exitCode: 137 })],
    ["75", ended("failed", { exitCode: 75 })],
    ["failed", ended("failed", { exitCode: 1 })],
    ["failed", ended("failed", { cause: "timeout" })],
    ["failed", ended("interrupted", { cause: "node" })],
    ["lost", ended("lost")],
    ["lost", ended("lost", { cause: "gone" })],
  ])("%s names an end", (word, outcome) => {
    const read = occasionsOf(word);
    if ("fault" in read) throw new Error(read.fault);
    expect(yes(read.on, outcome)).toBe(true);
    expect(yes(["deadline", 99].filter((one) => one !== read.on[0]) as Occasion[], outcome)).toBe(false);
  });

  it("a success, a cancellation and a refusal are final, whatever the rules say", () => {
    const all: Occasion[] = ["failed", "interrupted", "lost", "node", "timeout", "memory", 1, 75];
    for (const is of ["succeeded", "cancelled", "refused"] as const)
      for (const cause of ["node", "timeout", "memory"] as const)
        expect(decide(rules({ on: all, memory: 2, time: 2 }), ended(is, { cause, exitCode: 1 }), 1)).toBeUndefined();
  });

  it("one that is lost may have run, so that only its own word means it", () => {
    expect(yes(["failed", "interrupted", "node", 1], ended("lost", { cause: "node", exitCode: 1 }))).toBe(false);
  });

  it("as often as the rules say, and no more", () => {
    const outcome = ended("failed", { exitCode: 1 });
    for (let attempt = 1; attempt <= 3; attempt++)
      expect(decide(rules({ on: ["failed"] }), outcome, attempt)).toBeDefined();
    expect(decide(rules({ on: ["failed"] }), outcome, 4)).toBeUndefined();
  });

  it("the pause is doubled each time, up to an hour; one that is longer from the first stays so", () => {
    const pauses = (pauseS: number) =>
      [1, 2, 3, 8, 30].map(
        (attempt) => decide(rules({ on: ["failed"], times: 99, pauseS }), ended("failed"), attempt)?.waitS,
      );
    expect(pauses(60)).toEqual([60, 120, 240, 3600, 3600]);
    expect(pauses(0)).toEqual([0, 0, 0, 0, 0]);
    expect(pauses(7200)).toEqual([7200, 7200, 7200, 7200, 7200]);
  });

  it("a factor means that its end is followed by another attempt, which asks for so many times as much", () => {
    const both = rules({ on: ["node"], memory: 1.5, time: 2 });
    const oom = ended("failed", { cause: "memory" });
    const timeout = ended("failed", { cause: "timeout" });
    expect(decide(both, oom, 1)).toMatchObject({ scale: { memory: 1.5 }, raises: "memory", onlyRaised: true });
    expect(decide(both, oom, 2, { memory: 1.5 })).toMatchObject({ scale: { memory: 2.25 } });
    expect(decide(both, timeout, 2, { memory: 1.5 })).toMatchObject({
      scale: { memory: 1.5, time: 2 },
      raises: "time",
    });
    expect(decide(rules({ on: ["timeout"], time: 2 }), timeout, 1)).toMatchObject({ onlyRaised: false });
    expect(decide(rules({ on: ["node"] }), timeout, 1)).toBeUndefined();
    // What was raised stays so after an end of another kind.
    const node = ended("interrupted", { cause: "node" });
    expect(decide(both, node, 2, { time: 2 })).toMatchObject({ scale: { time: 2 }, raises: undefined });
  });

  it("never asks for more than the most, and says when it has been reached", () => {
    const capped = rules({ times: 9, on: ["node"], memory: 4, raiseMax: 10 });
    const oom = ended("failed", { cause: "memory" });
    expect(decide(capped, oom, 2, { memory: 4 })).toMatchObject({ scale: { memory: 10 }, isAtMost: false });
    expect(decide(capped, oom, 3, { memory: 10 })).toMatchObject({ scale: { memory: 10 }, isAtMost: true });
    // What was raised when more was allowed is not taken back.
    expect(decide(capped, oom, 3, { memory: 16 })).toMatchObject({ scale: { memory: 16 }, isAtMost: true });
  });

  it("whatever happens, there are never more attempts than the rules allow, and the scale never shrinks", () => {
    const causes = fc.constantFrom<EndCause | undefined>("timeout", "memory", "node", "launch", undefined);
    const results = fc.constantFrom<Result>("failed", "interrupted", "lost", "succeeded", "cancelled", "refused");
    const ends = fc.array(fc.record({ is: results, cause: causes }), { minLength: 50, maxLength: 50 });
    fc.assert(
      fc.property(ends, fc.nat(20), fc.double({ min: 1.01, max: 3, noNaN: true }), (outcomes, times, factor) => {
        const given = rules({ times, on: ["failed", "lost"], memory: factor, time: factor });
        let attempt = 1;
        let scale = {};
        for (const { is, cause } of outcomes) {
          const again = decide(given, ended(is, cause && { cause }), attempt, scale);
          if (!again) break;
          const { memory = 1, time = 1 } = scale as { memory?: number; time?: number };
          if ((again.scale.memory ?? 1) < memory || (again.scale.time ?? 1) < time) return false;
          scale = again.scale;
          attempt++;
        }
        return attempt <= times + 1;
      }),
    );
  });
});

it("numbers in their order", () => {
  expect([1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111].map(ordinal)).toEqual(
    "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 101st 111th".split(" "),
  );
});
