/** Reasons that are kept as text are read as they were meant. */
import { expect, it } from "vitest";
import { foreignText, hasRested, isForeign, unsettledText } from "../../../src/inbox/reasons.ts";

it.each([
  ["it", 0, 5, 4.9, false],
  ["it", 0, 5, 5, true],
  ["a (b) changed 9 s ago", 3, 0.5, 0, true],
  ["data.bin", 1, 3600, 3598, false],
])(
  "%s that changed %i s ago, with %d s of rest, has rested %d s later: %s",
  (what, agoS, settleS, laterS, expected) => {
    expect(hasRested(unsettledText(what, agoS, settleS), laterS)).toBe(expected);
  },
);

it("what is none of them says nothing of rest, nor of an owner", () => {
  for (const reason of ["it is held", foreignText(7)]) expect(hasRested(reason, 1e9)).toBe(false);
  expect([foreignText(7), unsettledText("it", 1, 2), undefined].map(isForeign)).toEqual([true, false, false]);
});
