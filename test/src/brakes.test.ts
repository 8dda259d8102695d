/** The brakes: a stop for good after so many failures, a pause of the intake when too large a share fails. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BrakeRules, Brakes } from "../../src/brakes.ts";

const RULES: BrakeRules = { errorsMax: 0, share: 0.5, windowS: 100, least: 4, coolDownS: 30 };

/** Notes these ends one second apart, from second 1 on; returns what was said at each. */
function notes(brakes: Brakes, ends: readonly boolean[]): (string | undefined)[] {
  return ends.map((failed, i) => brakes.note(failed, (i + 1) * 1000));
}

describe("the brakes", () => {
  it("pause when the share of failures is reached, for the cool-down, and say why", () => {
    const brakes = new Brakes(RULES);
    expect(notes(brakes, [true, false, true])).toEqual([undefined, undefined, undefined]);
    expect(brakes.note(false, 4000)).toBe("2 of the latest 4 jobs failed: nothing is taken in for 30 s");
    expect(brakes.pausedForMs(4000)).toBe(30_000);
    expect(brakes.pausedForMs(33_999)).toBe(1);
    expect(brakes.pausedForMs(34_000)).toBe(0);
  });

  it("do not judge on fewer jobs than the least number", () => {
    const brakes = new Brakes(RULES);
    expect(notes(brakes, [true, true, true]).every((said) => said === undefined)).toBe(true);
    expect(brakes.pausedForMs(3000)).toBe(0);
  });

  it("forget jobs that ended before the window", () => {
    const brakes = new Brakes(RULES);
    notes(brakes, [true, true, true]);
    expect(brakes.note(true, 500_000)).toBeUndefined();
  });

  it("judge anew after a pause: the failures before it do not count twice", () => {
    const brakes = new Brakes(RULES);
    notes(brakes, [true, true, true, true]);
    expect(brakes.note(true, 40_000)).toBeUndefined();
    expect(brakes.pausedForMs(40_000)).toBe(0);
  });

  it("say nothing more of what was taken in before a pause, and ends in it", () => {
    const brakes = new Brakes(RULES);
    notes(brakes, [true, true, true, true]);
    expect([5, 6, 7, 8, 33].map((s) => brakes.note(true, s * 1000)).filter(Boolean)).toEqual([]);
    expect(brakes.pausedForMs(34_000)).toBe(0);
    expect(brakes.errors).toBe(9);
  });

  it("stand open with a share of 0, and with no failures", () => {
    expect(notes(new Brakes({ ...RULES, share: 0 }), Array(50).fill(true)).filter(Boolean)).toEqual([]);
    expect(notes(new Brakes(RULES), Array(50).fill(false)).filter(Boolean)).toEqual([]);
  });

  it("stop for good after the most failures, counted over the whole run; never with 0", () => {
    const brakes = new Brakes({ ...RULES, share: 0, errorsMax: 3 });
    notes(brakes, [true, false, true]);
    expect(brakes.spent).toBe(false);
    brakes.note(true, 1e9);
    expect(brakes.spent).toBe(true);
    expect(brakes.errors).toBe(3);
    const never = new Brakes(RULES);
    notes(never, Array(100).fill(true));
    expect(never.spent).toBe(false);
  });

  it("pause only if the share was reached by enough jobs of the window, whatever the order", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (ends) => {
        const brakes = new Brakes(RULES);
        let since: boolean[] = [];
        let goesOnAt = 0;
        return notes(brakes, ends).every((said, i) => {
          if (i < goesOnAt) return said === undefined;
          since.push(ends[i] as boolean);
          const due = since.length >= RULES.least && since.filter(Boolean).length / since.length >= RULES.share;
          if (due) since = [];
          if (due) goesOnAt = i + RULES.coolDownS;
          return due === (said !== undefined);
        });
      }),
    );
  });
});
