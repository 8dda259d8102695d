/** Durations as people type them. */
import { expect, it } from "vitest";
import { durationOf } from "../../src/duration.ts";

it.each([
  ["45s", 45],
  ["90m", 5400],
  ["12h", 43_200],
  ["30d", 2_592_000],
  ["2W", 1_209_600],
  ["1.5 h", 5400],
  ["0s", 0],
])("%s is %d seconds", (text, seconds) => {
  expect(durationOf(text)).toBe(seconds);
});

it.each(["", "30", "d", "-1d", "1y", "1d2h", "1e3s", "٣d", "30 days"])("%j is none", (text) => {
  expect(durationOf(text)).toBeUndefined();
});
