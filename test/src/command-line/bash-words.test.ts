/** What bash reads back of what is put into its line: asked of bash itself. */
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bashInsertion, readBashLine } from "../../../src/command-line/bash-words.ts";

const BREAKS = " \t\n\"'><=;|&(:";

/** The words of a line, as bash understands them. */
function wordsOfBash(lines: readonly string[]): string[] {
  const script = lines.map((line) => `printf '%s\\0' ${line}`).join("\n");
  return execFileSync("bash", ["--norc", "-c", script], { encoding: "utf8" }).split("\0").slice(0, -1);
}

const name = fc
  .string({ unit: fc.constantFrom(..."ab '\"\\$`*?[]{}()<>|&;#!~=:@-%^,.é漢"), minLength: 1, maxLength: 12 })
  .filter((text) => !text.startsWith("-"));

describe("a name that is put into the line", () => {
  it("is read by bash as that name, wherever the typed part ends and however it is quoted", () => {
    const cases = fc.sample(fc.tuple(name, fc.nat(12), fc.constantFrom("", "'", '"')), { numRuns: 400, seed: 7 });
    const lines: string[] = [];
    const names: string[] = [];
    for (const [value, at, quote] of cases) {
      const head = value.slice(0, at);
      const plain = /^[ab.é漢]*$/.test(head) ? head : "";
      const typed = readBashLine(`jobmgr cancel ${quote}${plain}`, BREAKS);
      expect(typed).toMatchObject({ before: ["jobmgr", "cancel"], current: plain, quote, kept: "" });
      // readline replaces what was typed behind the quote, and closes the quote.
      lines.push(`${quote}${bashInsertion(value, typed)}${quote}`);
      names.push(value);
    }
    expect(wordsOfBash(lines)).toEqual(names);
  });

  it("goes on behind a sign that breaks words for readline", () => {
    const typed = readBashLine("jobmgr cancel a:b=c", BREAKS);
    expect(typed).toMatchObject({ current: "a:b=c", kept: "a:b=" });
    expect(bashInsertion("a:b=cd e", typed)).toBe("cd\\ e");
    const option = readBashLine("jobmgr --engine=Lo", BREAKS);
    expect(bashInsertion("--engine=LocalEngine", option)).toBe("LocalEngine");
  });
});

describe("a line that is being typed", () => {
  it.each([
    ["jobmgr ", [""], ""],
    ["jobmgr st", [], "st"],
    ["jobmgr cancel my\\ jo", ["cancel"], "my jo"],
    ["jobmgr cancel 'my jo", ["cancel"], "my jo"],
    ['jobmgr cancel "it\'s $x" a', ["cancel", "it's $x"], "a"],
    ['jobmgr cancel "a\\"b\\c', ["cancel"], 'a"b\\c'],
    ["jobmgr cancel my\\", ["cancel"], "my"],
    ["jobmgr cancel $(touch x", ["cancel", "$(touch"], "x"],
  ])("%s is read without running anything of it", (line, before, current) => {
    const read = readBashLine(line, BREAKS);
    expect([...read.before.slice(1), read.current]).toEqual([...before.filter(Boolean), current]);
  });
});
