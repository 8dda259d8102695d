/** The stage table: no folder can be in two stages, and ARCHITECTURE.md shows the same table as the code. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { PLACES, type Sight, STAGES, type Stage, stageOf } from "../../src/stage.ts";

const BOTH = [false, true] as const;
const SIGHTS: Sight[] = PLACES.flatMap((place) =>
  BOTH.flatMap((intent) =>
    BOTH.flatMap((handle) => BOTH.map((outcome): Sight => ({ place, intent, handle, outcome }))),
  ),
);

/** Written a second time, so that a slip in stageOf() or in the table shows. */
function rowsThatFit(sight: Sight): Stage[] {
  const signs = [sight.intent, sight.handle, sight.outcome];
  return Object.entries(STAGES)
    .filter(([, [place, ...wanted]]) => {
      const records = wanted.slice(0, 3);
      return place === sight.place && records.every((sign, i) => sign === "?" || (sign === "+") === signs[i]);
    })
    .map(([stage]) => stage as Stage);
}

/** The rows of the first Markdown table under a heading with this word, without their header. */
function tableUnder(text: string, word: RegExp): string[][] {
  const lines = text.split("\n");
  const heading = lines.findIndex((line) => line.startsWith("#") && word.test(line));
  const first = lines.findIndex((line, i) => i > heading && line.startsWith("|"));
  const after = lines.findIndex((line, i) => i > first && !line.startsWith("|"));
  const cells = (line: string) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.replace(/[`*]/g, "").trim());
  if (heading === -1 || first === -1) return [];
  return lines.slice(first, after === -1 ? undefined : after).map(cells);
}

describe("the stages", () => {
  it("each of the 24 things that a look can show fits one stage at most, and stageOf finds it", () => {
    expect(SIGHTS).toHaveLength(24);
    for (const sight of SIGHTS) {
      const fitting = rowsThatFit(sight);
      expect(fitting.length, JSON.stringify(sight)).toBeLessThanOrEqual(1);
      expect(stageOf(sight), JSON.stringify(sight)).toBe(fitting[0]);
    }
  });

  it("every stage can be reached by some sight", () => {
    expect(new Set(SIGHTS.map(stageOf).filter(Boolean))).toEqual(new Set(Object.keys(STAGES)));
  });

  it("a handle without an intent fits no stage, so that it is left alone", () => {
    expect(stageOf({ place: "pending", intent: false, handle: true, outcome: false })).toBeUndefined();
  });

  it("what has an outcome in pending is settled, whatever else is there", () => {
    for (const intent of BOTH)
      for (const handle of BOTH) expect(stageOf({ place: "pending", intent, handle, outcome: true })).toBe("settled");
  });

  it("the table in ARCHITECTURE.md is the table in the code", () => {
    const text = readFileSync(resolve(import.meta.dirname, "../../ARCHITECTURE.md"), "utf8");
    const [header, , ...rows] = tableUnder(text, /stage/i);
    expect(header).toEqual(["stage", "folder", "intent", "handle", "outcome", "next step"]);
    expect(rows).toEqual(Object.entries(STAGES).map(([stage, row]) => [stage, ...row]));
  });
});
