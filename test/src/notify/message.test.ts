/** The messages: their form, and their one line for people. */
import { describe, expect, it } from "vitest";
import { batchMessage, type Ended, jobMessage, occasionOf, Tally } from "../../../src/notify/message.ts";

const SENDER = { root: "/r", complete: "/r/complete", host: "n1" };
const NOW = new Date("2026-11-21T10:00:00Z");

function ended(name: string, more: Partial<Ended> = {}): Ended {
  const at = "2026-11-21T09:30:00.000Z";
  return { token: "20261121T093000-0123456789ab", name, result: "failed", why: "Exit code 3.", at, ...more };
}

function tallied(all: readonly Ended[]) {
  const tally = new Tally();
  for (const one of all) tally.add(one);
  return tally.summary();
}

describe("a message about a job", () => {
  it("says all that is known, and nothing of what is not", () => {
    const times = { startedAt: "2026-11-21T09:28:00.000Z", endedAt: "2026-11-21T09:30:00.000Z" };
    expect(jobMessage(ended("scan", { exitCode: 3, id: "4711", ...times }), "failure", SENDER, NOW)).toEqual({
      schema: 1,
      event: "failure",
      id: "20261121T093000-0123456789ab-failure",
      root: "/r",
      host: "n1",
      at: "2026-11-21T10:00:00.000Z",
      text: "scan failed after 2 min on n1. Exit code 3.",
      job: {
        name: "scan",
        state: "failed",
        why: "Exit code 3.",
        exitCode: 3,
        id: "4711",
        ...times,
        folder: "/r/complete/scan",
      },
    });
    const refused = jobMessage(ended("x", { result: "refused", why: "No job.sh." }), "end", SENDER, NOW);
    expect(refused.text).toBe("x refused on n1. No job.sh.");
    expect(Object.keys(refused.job ?? {})).toEqual(["name", "state", "why", "folder"]);
  });

  it("has one line for people, whatever its name and reason hold", () => {
    const odd = ended("a\nb <!channel>\u202e\u0007", { why: "x".repeat(2000) });
    const { text, job } = jobMessage(odd, "failure", SENDER, NOW);
    expect(text).not.toMatch(/[\p{Cc}\p{Cf}<>]/u);
    expect(text.length).toBeLessThanOrEqual(500);
    expect(job?.name).toBe(odd.name);
  });

  it.each([
    ["succeeded", ["failure", "batch"], undefined],
    ["succeeded", ["end"], "end"],
    ["failed", ["failure"], "failure"],
    ["lost", ["end", "failure"], "failure"],
    ["failed", ["end"], "end"],
    ["cancelled", ["failure"], undefined],
    ["cancelled", ["end", "failure"], "end"],
    ["failed", ["batch"], undefined],
  ] as const)("is made of one that %s where %j is wanted: %s", (result, wanted, occasion) => {
    expect(occasionOf({ result }, new Set(wanted))).toBe(occasion);
  });

  it("is none of a failure that only follows from another one's", () => {
    const one = { result: "refused", isConsequence: true } as const;
    expect(occasionOf(one, new Set(["failure", "batch"]))).toBeUndefined();
    expect(occasionOf(one, new Set(["end", "failure"]))).toBe("end");
  });
});

describe("a message about a batch", () => {
  it("counts, and names the first that failed, by their ends", () => {
    const at = (minute: number) => `2026-11-21T09:${String(minute).padStart(2, "0")}:00.000Z`;
    const failed = Array.from({ length: 30 }, (_, i) => ended(`f${29 - i}`, { endedAt: at(59 - i) }));
    const more = [ended("s", { result: "succeeded", startedAt: at(1) }), ended("c", { result: "cancelled" })];
    const summary = tallied([...failed, ...more, ended("l", { result: "lost", endedAt: at(2) })]);
    expect(summary).toEqual({
      jobs: 33,
      succeeded: 1,
      failed: 31,
      cancelled: 1,
      results: { failed: 30, succeeded: 1, cancelled: 1, lost: 1 },
      failedNames: ["l", ...Array.from({ length: 19 }, (_, i) => `f${i}`)],
      since: at(1),
      until: at(59),
    });
    expect(summary && batchMessage(summary, "batch-1", SENDER, NOW)).toMatchObject({
      id: "batch-1",
      event: "batch",
      text: "1 done, 31 failed (l, f0, f1, f2, f3, ...), 1 cancelled. /r on n1, in 58 min.",
    });
  });

  it("names those that failed themselves first", () => {
    const at = "2026-11-21T09:00:00.000Z";
    const first = ended("not-run", { result: "refused", isConsequence: true, endedAt: at });
    expect(tallied([first, ended("culprit")])?.failedNames).toEqual(["culprit", "not-run"]);
  });

  it("says only what there is", () => {
    const summary = tallied([ended("s", { result: "succeeded" })]);
    expect(summary && batchMessage(summary, "b", SENDER, NOW).text).toBe("1 done. /r on n1, in 0 s.");
    expect(tallied([])).toBeUndefined();
  });
});
