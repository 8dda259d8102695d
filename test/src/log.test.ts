/** What a person sees: dots and lines on a terminal, lines with times elsewhere, a log file that is rotated. */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import type { Event } from "../../src/events.ts";
import { Log, type LogOptions } from "../../src/log.ts";
import { makePaint } from "../../src/paint.ts";
import { makeFolder } from "../harness.ts";

const CHECK: Event = { is: "check" };
const note = (text: string, level: "error" | "warn" | "info" | "debug" = "info"): Event => ({
  is: "note",
  level,
  text,
});

function makeLog(more: Partial<LogOptions> = {}) {
  const said = { out: "", err: "" };
  const log = new Log({
    level: "info",
    file: undefined,
    isTerminal: true,
    paint: makePaint(false),
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
    ...more,
  });
  return { log, said };
}

describe("on a terminal", () => {
  it("each check is a dot, in rows of 20", () => {
    const { log, said } = makeLog();
    for (let i = 0; i < 45; i++) log.say(CHECK);
    expect(said.out).toBe(`${".".repeat(20)}\n${".".repeat(20)}\n.....`);
    log.close();
    expect(said.out.endsWith(".....\n")).toBe(true);
  });

  it("a line begins on a line of its own, and the row of dots begins anew", () => {
    const { log, said } = makeLog();
    for (let i = 0; i < 3; i++) log.say(CHECK);
    log.say({ is: "claimed", name: "a" });
    for (let i = 0; i < 20; i++) log.say(CHECK);
    log.print("Stopped.");
    expect(said.out).toMatch(/^\.\.\.\n\d\d:\d\d:\d\d claimed {2}a\n\.{20}\nStopped\.\n$/);
  });

  it("an event is told with name, result and duration", () => {
    const { log, said } = makeLog();
    log.say({ is: "started", name: "a" });
    log.say({ is: "finished", name: "a", result: "succeeded", succeeded: true, durationS: 3.21 });
    log.say({
      is: "finished",
      name: "b",
      result: "failed",
      succeeded: false,
      durationS: undefined,
      more: "Exit code 1.",
    });
    expect(said.out).toMatch(/started {2}a\n.*finished a: succeeded after 3\.2 s\n/);
    expect(said.err).toMatch(/finished b: failed\. Exit code 1\.\n/);
  });
});

describe("off a terminal", () => {
  it("there are no dots, and lines begin with the date", () => {
    const { log, said } = makeLog({ isTerminal: false });
    for (let i = 0; i < 50; i++) log.say(CHECK);
    log.say(note("something"));
    log.close();
    expect(said.out).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z something\n$/);
  });

  it("a sign of life comes after ten silent minutes, and only then", () => {
    const { log, said } = makeLog({ isTerminal: false });
    const start = performance.now();
    const spy = vi.spyOn(performance, "now");
    try {
      for (let minute = 1; minute <= 25; minute++) {
        spy.mockReturnValue(start + minute * 61_000);
        log.say(CHECK);
      }
      expect(said.out.match(/Still watching, after \d+ checks\./g)).toEqual([
        "Still watching, after 10 checks.",
        "Still watching, after 20 checks.",
      ]);
    } finally {
      spy.mockRestore();
    }
  });
});

describe("levels", () => {
  it.each([
    ["error", ["e"]],
    ["warn", ["e", "w"]],
    ["info", ["e", "w", "i"]],
    ["debug", ["e", "w", "i", "d"]],
  ] as const)("--log-level %s tells %j", (level, told) => {
    const { log, said } = makeLog({ level, isTerminal: false });
    for (const one of ["error", "warn", "info", "debug"] as const) log.say(note(`[${one[0]}]`, one));
    const shown = [...(said.err + said.out).matchAll(/\[(\w)\]/g)].map((match) => match[1]);
    expect(shown.sort()).toEqual([...told].sort());
  });

  it("warnings and errors go to stderr", () => {
    const { log, said } = makeLog();
    log.say(note("bad", "error"));
    log.say(note("hm", "warn"));
    expect(said.out).toBe("");
    expect(said.err.split("\n")).toHaveLength(3);
  });
});

describe("names that would move a terminal's cursor", () => {
  it("are shown with their control characters written out, on one line", () => {
    const { log, said } = makeLog();
    log.say({ is: "claimed", name: "a\nb\x1b[2Jc" });
    expect(said.out).toMatch(/claimed {2}a\\x0ab\\x1b\[2Jc\n$/);
    expect(said.out.split("\n")).toHaveLength(2);
  });
});

describe("the log file", () => {
  it("holds what is told, with time and level, but no dots", () => {
    const file = join(makeFolder(), "log");
    const { log } = makeLog({ file });
    log.say(CHECK);
    log.say(note("hello", "warn"));
    expect(readFileSync(file, "utf8")).toMatch(/^\d{4}-\d\d-\d\dT\S+Z warn hello\n$/);
  });

  it("that cannot be written is told of at once, and once", () => {
    const { log, said } = makeLog({ file: join(makeFolder(), "none", "log") });
    expect(said.err).toMatch(/^The log file .*none\/log cannot be written: there is no folder .*none\. Make it.*\n$/);
    log.say(note("hello"));
    expect(said.err).toMatch(/^The log file .*\n$/);
  });

  it("is rotated at 10 MB, and three old ones are kept", () => {
    const file = join(makeFolder(), "log");
    const { log } = makeLog({ file });
    const full = (text: string) => {
      writeFileSync(file, text);
      truncateSync(file, 10 * 1024 * 1024 + 1);
    };
    for (const generation of ["1", "2", "3", "4", "5"]) {
      full(generation);
      log.say(note(`after ${generation}`));
    }
    expect(readFileSync(file, "utf8")).toContain("after 5");
    expect(statSync(file).size).toBeLessThan(1000);
    expect(["1", "2", "3", "4"].map((n) => existsSync(`${file}.${n}`))).toEqual([true, true, true, false]);
    expect(["1", "2", "3"].map((n) => readFileSync(`${file}.${n}`, "latin1")[0])).toEqual(["5", "4", "3"]);
  });

  it("that cannot be written is told once, stops nothing, and is written again when it can be", () => {
    const folder = makeFolder();
    const file = join(folder, "away", "log");
    const { log, said } = makeLog({ file });
    log.say(note("one"));
    log.say(note("two"));
    expect(said.err.match(/cannot be written/g)).toHaveLength(1);
    expect(said.out).toContain("two");
    mkdirSync(join(folder, "away"));
    log.say(note("three"));
    expect(readFileSync(file, "utf8")).toContain("three");
    rmSync(join(folder, "away"), { recursive: true });
    log.say(note("four"));
    expect(said.err.match(/cannot be written/g)).toHaveLength(2);
  });
});
