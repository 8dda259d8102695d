/** "Did you mean": what is near, and what is not. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { didYouMean, nearest } from "../../src/nearest.ts";

describe("nearest", () => {
  it.each([
    ["stauts", ["config", "status"], ["status"]],
    ["max-job", ["max-jobs", "max-pending", "max-errors"], ["max-jobs"]],
    ["100", ["100-primes", "200-scan"], ["100-primes"]],
    ["PRIMES", ["primes", "scan"], ["primes"]],
    ["xyz", ["status", "config"], []],
  ])("of %s among %j is %j", (word, names, near) => expect(nearest(word, names)).toEqual(near));

  it("shows three at most, the nearest first", () => {
    expect(nearest("job1", ["job22", "job2", "job3", "job1x", "job4"])).toEqual(["job1x", "job2", "job3"]);
  });

  it("finds a name of which one letter was changed, added, dropped or swapped", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{4,12}$/), fc.nat(), fc.constantFrom("#", ""), (name, at, letter) => {
        const i = at % name.length;
        for (const typed of [
          name.slice(0, i) + letter + name.slice(i + 1),
          `${name.slice(0, i)}#${name.slice(i)}`,
          name.slice(0, i) + [...name.slice(i, i + 2)].reverse().join("") + name.slice(i + 2),
        ])
          expect(nearest(typed, [name])).toEqual([name]);
      }),
    );
  });

  it("as a sentence is empty where nothing is near", () => {
    expect(didYouMean("stauts", ["status"])).toBe(" Did you mean status?");
    expect(didYouMean("zzz", ["status"])).toBe("");
  });
});
