/** Times and sizes as sbatch takes them, and so many times as much. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { raisedMemory, raisedTime, timeInS, timeText } from "../../engines/sbatch-units.ts";

describe("a time", () => {
  it.each([
    ["30", 2, "1:00:00"],
    ["0:30", 2, "0:01:00"],
    ["1:30", 1.5, "0:02:15"],
    ["2:00:00", 1.5, "3:00:00"],
    ["1-12", 2, "3-00:00:00"],
    ["1-", 1.5, "1-12:00:00"],
    ["1-0:30", 2, "2-01:00:00"],
    ["1-00:00:01", 2, "2-00:00:02"],
    ["23:59:59", 1.1, "1-02:23:59"],
    ["10", 1.1, "0:11:00"],
    ["3000-0", 2, "3650-00:00:00"],
  ])("%s, %d times, is %s", (text, factor, raised) => {
    expect(raisedTime(text, factor)).toBe(raised);
  });

  it.each(["0", "UNLIMITED", "infinite", "-1", "whenever", "", "3650-0"])("%j is not raised", (text) => {
    expect(raisedTime(text, 2)).toBeUndefined();
  });

  it("is raised by no factor, and by one up to 1, not at all", () => {
    for (const factor of [undefined, 0, 1]) expect(raisedTime("30", factor)).toBeUndefined();
    expect(raisedTime(undefined, 2)).toBeUndefined();
  });

  it("that was written is read as it was, and a raised one is never less, and at most a second more than it should be", () => {
    const days = fc.nat(3649);
    fc.assert(fc.property(days, fc.nat(86_399), (d, s) => timeInS(timeText(d * 86_400 + s)) === d * 86_400 + s));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000_000 }),
        fc.double({ min: 1.01, max: 20, noNaN: true }),
        (s, factor) => {
          const raised = timeInS(raisedTime(timeText(s), factor) ?? "") ?? 0;
          return raised >= s * factor - 1e-3 && raised < s * factor + 1;
        },
      ),
    );
  });
});

describe("a memory size", () => {
  it.each([
    ["4G", 1.5, "6G"],
    ["4g", 2, "8G"],
    ["4GB", 2, "8G"],
    ["4000", 1.5, "6000M"],
    ["4000M", 1.5, "6000M"],
    ["512", 2, "1G"],
    ["3G", 1.1, "3380M"],
    ["1T", 2, "2048G"],
    ["1024K", 2, "2M"],
    ["100K", 1.5, "1M"],
    ["1000T", 100, "1048576G"],
  ])("%s, %d times, is %s", (text, factor, raised) => {
    expect(raisedMemory(text, factor)).toBe(raised);
  });

  it.each(["0", "0G", "lots", "4 apples", "1.5G", "", "-1", "1024T"])("%j is not raised", (text) => {
    expect(raisedMemory(text, 2)).toBeUndefined();
  });

  it("raised is never less than it should be, and at most a megabyte more", () => {
    const inM = (text: string) => Number.parseInt(text, 10) * (text.endsWith("G") ? 1024 : 1);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.double({ min: 1.01, max: 20, noNaN: true }),
        (m, factor) => {
          const raised = inM(raisedMemory(`${m}M`, factor) ?? "");
          return raised >= m * factor - 1e-3 && raised < m * factor + 1;
        },
      ),
    );
  });
});
