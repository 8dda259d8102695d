/** job_after.txt: every form that people write, what follows from how jobs stand, and every circle found. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  AFTER_BYTES_MAX,
  afterText,
  circlesOf,
  circleText,
  type JobState,
  type Named,
  parseAfter,
  verdictOf,
} from "../../../src/inbox/after.ts";

const parsed = (text: string) => {
  const read = parseAfter(Buffer.from(text));
  return "fault" in read ? read.fault : read.dependencies.map(({ name, any }) => (any ? `any ${name}` : name));
};

describe("job_after.txt", () => {
  it.each([
    ["one name", "a", ["a"]],
    ["names, one a line, with or without a last line end", "a\nb\n", ["a", "b"]],
    ["empty lines, comments, and spaces around", "\n# first\n  a\t\n\n   \n\t# b\n", ["a"]],
    ["Windows line ends and a byte order mark", "\ufeffa\r\nany b\r\n", ["a", "any b"]],
    ["names with spaces, as they are within", "my  job\nany my  other job\n", ["my  job", "any my  other job"]],
    ["names of other alphabets", "größe\nany 計算\n", ["größe", "any 計算"]],
    ["any, with tabs and spaces", "any\ta\nany   b\n", ["any a", "any b"]],
    ["a name that begins like a word of this file, protected", "./any b\nany ./any b\n", ["any b", "any any b"]],
    ["a job that is called any, or anybody", "any\nanybody\n", ["any", "anybody"]],
    ["a name that begins like a comment, protected", "./#1\n", ["#1"]],
    ["a folder as shells complete it", "a/\n./b/\n", ["a", "b"]],
    ["the same line twice", "a\na\nany a\n", ["a", "any a"]],
    ["nothing at all", "", []],
  ])("is read: %s", (_, text, expected) => {
    expect(parsed(text)).toEqual(expected);
  });

  it.each([
    ["a path", "a\ncomplete/b\n", /line 2: "complete\/b" is a path\. Write the name of the job's folder alone/],
    ["the folder above", "../a\n", /line 1: "\.\.\/a" is a path/],
    ["a hidden name", ".a\n", /hidden name/],
    ["a name of nothing", "./\n", /line 1: there is no name/],
    ["a NUL byte", "a\0b\n", /NUL/],
    ["a name that no folder can have", `${"ü".repeat(128)}\n`, /more than 255 bytes/],
  ])("is not believed with %s, and says how to mend it", (_, text, fault) => {
    expect(parsed(text)).toMatch(fault);
  });

  it("is not believed when it is not UTF-8, or far too large", () => {
    expect(parseAfter(Buffer.from([0x61, 0xe4, 0x0a]))).toEqual({ fault: expect.stringContaining("not UTF-8") });
    expect(parseAfter(Buffer.alloc(AFTER_BYTES_MAX + 1, "a\n"))).toEqual({ fault: expect.stringContaining("larger") });
  });

  it("any names come out as they went in", () => {
    const name = fc
      .tuple(
        fc.constantFrom("", "any ", "any", "#", " ", "\t", "\ufeff"),
        fc.string({ unit: "grapheme", maxLength: 20 }),
      )
      .map((parts) => parts.join(""))
      .filter((one) => !/^\.|^$|[/\0\n]|[ \t\r]$/.test(one));
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(name, fc.boolean()), { selector: ([one]) => one }), (lines) => {
        const dependencies = lines.map(([one, any]) => ({ name: one, any }));
        expect(parseAfter(Buffer.from(afterText(dependencies)))).toEqual({ dependencies });
      }),
    );
  });

  it("no bytes crash the reader", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => Object.keys(parseAfter(bytes)).length === 1));
  });
});

const STATES: Readonly<Record<string, JobState>> = {
  good: { is: "ended", result: "succeeded", why: "Exit code 0." },
  bad: { is: "ended", result: "failed", why: "Exit code 3." },
  stopped: { is: "ended", result: "cancelled", why: "It was cancelled: no." },
  refused: {
    is: "ended",
    result: "refused",
    why: 'It was to run after "bad", which failed: Exit code 3.',
    after: { name: "bad", is: "failed", why: "Exit code 3." },
  },
  runs: { is: "going", word: "running" },
  waits: { is: "going", word: "waiting" },
  none: { is: "unknown" },
  nearly: { is: "unknown", nearest: ["nearby", "early"] },
  odd: { is: "unclear", why: "complete/odd has no record" },
};

function judged(...lines: string[]) {
  const dependencies = lines.map((line): Named => ({ name: line.replace("any ", ""), any: line.startsWith("any ") }));
  return verdictOf(dependencies, (name) => STATES[name] ?? { is: "unknown" });
}

describe("what follows from how jobs stand", () => {
  it("is met by successes, and with any by every end", () => {
    expect(judged()).toEqual({ is: "met" });
    expect(judged("good")).toEqual({ is: "met" });
    expect(judged("good", "any good", "any bad", "any stopped", "any refused")).toEqual({ is: "met" });
  });

  it.each([
    [["good", "runs"], 'waits for "runs" (running)'],
    [["any runs", "waits"], 'waits for "runs" (running), "waits" (waiting)'],
    [["runs", "waits", "none", "odd", "nearly"], / \(there is no job of this name yet\) and 2 more$/],
    [["nearly"], 'waits for "nearly" (there is no job of this name yet; nearest names: "nearby", "early")'],
    [["any odd"], 'waits for "odd" (complete/odd has no record)'],
  ])("%j waits, and says for what", (lines, why) => {
    const verdict = judged(...lines);
    expect(verdict).toMatchObject({ is: "waits", why: typeof why === "string" ? why : expect.stringMatching(why) });
  });

  it("one that did not succeed ends it at once, whatever else is still to come", () => {
    for (const lines of [["bad"], ["runs", "bad"], ["bad", "none", "good"]])
      expect(judged(...lines)).toMatchObject({
        is: "failed",
        why: 'It was to run after "bad", which failed: Exit code 3.',
        cause: { name: "bad", is: "failed", why: "Exit code 3." },
      });
    expect(judged("stopped")).toMatchObject({ why: expect.stringContaining('"stopped", which was cancelled: It was') });
  });

  it("through a chain, the first job that did not succeed is told, and the sentence does not grow", () => {
    let state: JobState = { is: "ended", result: "failed", why: "Exit code 3." };
    for (let link = 1; link < 1000; link++) {
      const verdict = verdictOf([{ name: `job-${link}`, any: false }], () => state);
      if (verdict.is !== "failed") throw new Error(verdict.is);
      expect(verdict.cause).toEqual({ name: "job-1", is: "failed", why: "Exit code 3." });
      expect(verdict.why.length).toBeLessThan(120);
      state = { is: "ended", result: "refused", why: verdict.why, after: verdict.cause };
    }
  });
});

describe("circles", () => {
  const found = (graph: Record<string, string[]>) =>
    circlesOf(new Map(Object.entries(graph))).map(({ names }) => names);

  it("are jobs that wait for each other, or for themselves", () => {
    expect(found({ a: ["b"], b: ["a"] })).toEqual([["a", "b"]]);
    expect(found({ a: ["a"] })).toEqual([["a"]]);
    expect(found({ c: ["a"], a: ["b"], b: ["c"] })).toEqual([["a", "b", "c"]]);
    expect(found({ a: ["b"], b: ["c", "d"], c: [], e: ["a"] })).toEqual([]);
    expect(found({ x: ["a"], a: ["b"], b: ["a"], p: ["q"], q: ["p", "a"] })).toHaveLength(2);
  });

  it("are told in words, long ones not in full", () => {
    const ring = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`job-${i}`, [`job-${(i + 1) % count}`]]));
    const textOf = (graph: Record<string, string[]>) => circlesOf(new Map(Object.entries(graph))).map(circleText);
    expect(textOf({ a: ["b"], b: ["a"] })).toEqual([
      '"a" after "b" after "a": these 2 jobs can never start. Change job_after.txt in one of them',
    ]);
    expect(textOf({ a: ["a"] })).toEqual([
      '"a" after "a": it can never start. Take its own name out of its job_after.txt',
    ]);
    expect(textOf(ring(50))[0]).toMatch(/"job-5" after \.\.\. after "job-0": these 50 jobs/);
  });

  it("of a chain of 20,000 jobs there is none, and of the ring one", () => {
    const count = 20_000;
    const graph = new Map(Array.from({ length: count }, (_, i) => [`job-${i}`, [`job-${i + 1}`]]));
    expect(circlesOf(graph)).toEqual([]);
    graph.set(`job-${count - 1}`, ["job-0"]);
    expect(circlesOf(graph)[0]?.members.size).toBe(count);
  });

  it("in any graph: exactly those are members that come back to themselves, and each way around is one", () => {
    const size = 8;
    const edges = fc.array(fc.array(fc.integer({ min: 0, max: size }), { maxLength: 4 }), {
      minLength: size,
      maxLength: size,
    });
    fc.assert(
      fc.property(edges, (lists) => {
        const graph = new Map(lists.map((list, i) => [String(i), list.map(String)]));
        const reaches = (from: string): Set<string> => {
          const seen = new Set<string>();
          const queue = [from];
          for (const at of queue)
            for (const next of graph.get(at) ?? [])
              if (!seen.has(next)) {
                seen.add(next);
                queue.push(next);
              }
          return seen;
        };
        const circles = circlesOf(graph);
        const members = circles.flatMap((circle) => [...circle.members]);
        expect(members.sort()).toEqual([...graph.keys()].filter((name) => reaches(name).has(name)).sort());
        for (const { names, members: all } of circles) {
          for (const [i, name] of names.entries()) {
            expect(all.has(name)).toBe(true);
            expect(graph.get(name)).toContain(names[(i + 1) % names.length]);
          }
        }
      }),
    );
  });
});
