/** Every option, table-driven: what it is by default, and that a value out of range is refused with the range. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isEnginePath, settingsOf, UsageError } from "../../../src/config/config.ts";
import { OPTIONS, type Option, type OptionName, type RawOptions } from "../../../src/config/options.ts";

const ALL = Object.entries(OPTIONS) as [OptionName, Option][];
const NUMBERS = ALL.flatMap(([name, option]) => (option.type === "number" ? [{ name, ...option }] : []));
const CHOICES = ALL.flatMap(([name, option]) => (option.type === "choice" ? [{ name, ...option }] : []));

const longOf = (flags: string) => /--[\w-]+/.exec(flags)?.[0] ?? "";

/** The refusal of this value. */
function refusal(name: OptionName, value: string): string {
  try {
    settingsOf({ [name]: value } as RawOptions);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  return "";
}

describe("every option", () => {
  it.each(ALL)("%s has a long flag, a sentence of help and a group", (_, option) => {
    expect(option.flags).toMatch(/^(-\w, )?--[a-z]+(-[a-z]+)*( <[a-z]+>)?$/);
    expect(option.help.length).toBeGreaterThan(5);
    expect(option.group).toBeTruthy();
  });

  it("no flag is given twice", () => {
    const flags = ALL.flatMap(([, option]) => option.flags.match(/(?<!\S)--?[\w-]+/g) ?? []);
    expect(new Set(flags).size).toBe(flags.length);
  });

  it("the key of every option is what commander makes of its long flag", () => {
    for (const [name, option] of ALL) {
      const camel = longOf(option.flags)
        .slice(2)
        .replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
      expect(camel).toBe(name);
    }
  });

  it("the flags of the original are kept", () => {
    const flags = ALL.map(([, option]) => option.flags).join(" ");
    for (const flag of ["-r", "-s", "-e", "-p", "-M", "-m", "-d", "-x", "-g", "-L", "-l"])
      expect(flags).toMatch(new RegExp(`(^|\\s)${flag},`));
  });
});

describe("a number", () => {
  it.each(NUMBERS)("$name: its default is in its range", (option) => {
    if (option.default !== undefined) {
      expect(option.default).toBeGreaterThanOrEqual(option.min);
      expect(option.default).toBeLessThanOrEqual(option.max);
    } else expect(option.shown).toBeTruthy();
  });

  it.each(NUMBERS)("$name: both ends of its range are taken", ({ name, min, max }) => {
    expect(refusal(name, String(min))).toBe("");
    expect(refusal(name, String(max))).toBe("");
  });

  it.each(NUMBERS)("$name: what is out of range is refused, and the range is said", ({ name, flags, min, max }) => {
    for (const value of [String(min - 0.01), String(max * 1.01), "-1e9", "1e99"]) {
      const said = refusal(name, value);
      expect(said).toContain(`${longOf(flags)} ${value}`);
      expect(said).toContain(`from ${min} to ${max}`);
    }
  });

  it.each(NUMBERS)("$name: what is no number is refused, and nothing is guessed", ({ name }) => {
    for (const value of ["", " ", "two", "5s", "0x10", "1_000", "NaN", "Infinity", "1,5", "--", "٣"])
      expect(refusal(name, value), value).not.toBe("");
  });

  it("one of jobs is a whole number", () => {
    for (const option of NUMBERS.filter(({ unit }) => unit === "jobs"))
      expect(refusal(option.name, "1.5"), option.name).toContain("a whole number");
  });

  it("any number in the range of a period is taken as it is", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 86_400, noNaN: true }), (period) => {
        expect(settingsOf({ period: String(period) }).periodS).toBe(period);
      }),
    );
  });

  it("any text is a number in the range or a UsageError, never something else", () => {
    fc.assert(
      fc.property(fc.constantFrom(...NUMBERS.map(({ name }) => name)), fc.string(), (name, text) => {
        try {
          settingsOf({ [name]: text } as RawOptions);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
    );
  });
});

describe("the other kinds", () => {
  it.each(CHOICES)("$name: only what it names is taken", ({ name, choices }) => {
    for (const choice of choices) expect(refusal(name, choice)).toBe("");
    expect(refusal(name, "Sometimes")).toContain(choices.join(", "));
  });

  it("a name of a file in the job's folder is no path, and none of those that mean something", () => {
    for (const name of ["finishedFile", "readyFile"] as const) {
      for (const value of ["a/b", "/etc/passwd", "..", ".", ".jobmgr", "job.sh", "n".repeat(201), ""])
        expect(refusal(name, value), value).not.toBe("");
      for (const value of ["done", ".done", "ä b", "n".repeat(200)]) expect(refusal(name, value)).toBe("");
    }
  });

  it("an engine is a path where it begins like one, and else a name", () => {
    expect([".", "..", "./a", "../a", "/a", "~/a"].filter((word) => !isEnginePath(word))).toEqual([]);
    expect(["a", "a.js", "@me/a", ".a", "~a"].filter(isEnginePath)).toEqual([]);
  });

  it("the pause file is ROOT/pause unless told otherwise", () => {
    expect(settingsOf({ root: "/r" }).pauseFile).toBe("/r/pause");
    expect(settingsOf({ root: "/r", pauseFile: "/elsewhere/stop" }).pauseFile).toBe("/elsewhere/stop");
  });

  it("without anything, the settings are those of the original: Slurm, 60 s", () => {
    expect(settingsOf({})).toMatchObject({
      root: process.cwd(),
      engine: "SlurmEngine",
      periodS: 60,
      settleS: 5,
      jobsMax: undefined,
      pendingMax: 20,
      once: false,
      groupWritable: false,
      allowShared: false,
      allowOwners: [],
      errorsMax: 0,
    });
  });
});
