/** What may stand where somebody presses Tab. */
import { describe, expect, it } from "vitest";
import { builtInNames } from "../../../engines/index.ts";
import { VERBS } from "../../../src/command-line/command-line.ts";
import { choicesFor, type Here } from "../../../src/command-line/complete.ts";
import { OPTIONS } from "../../../src/config/options.ts";

const HERE: Here = {
  jobsIn: (place, root) =>
    root === "/other" ? [`other-${place}`] : [`${place}-1`, `${place} 2`, "-dash", "line\nend"],
  engines: (root) => [...builtInNames(), root === "/other" ? "other" : "flux"],
};

function words(...typed: string[]): string[] {
  return choicesFor({ before: typed.slice(0, -1), current: typed.at(-1) ?? "" }, HERE).choices.map(
    ({ value }) => value,
  );
}

function paths(...typed: string[]): string {
  return choicesFor({ before: typed.slice(0, -1), current: typed.at(-1) ?? "" }, HERE).paths;
}

describe("what may stand there", () => {
  it("first is a verb, and after options with their values still one", () => {
    expect(words("")).toEqual(Object.keys(VERBS));
    expect(words("--root", "/x", "-p", "2", "-M3", "")).toEqual(Object.keys(VERBS));
    expect(words("no-such-verb", "")).toEqual([]);
  });

  it("behind dashes is an option: all of them before a verb, its own and the general ones that it heeds after it", () => {
    for (const { flags } of Object.values(OPTIONS)) expect(words("-")).toContain(/--[\w-]+/.exec(flags)?.[0]);
    expect(words("remove", "--")).toEqual(["--yes", "--root", "--color", "--help"]);
    expect(words("service", "--")).toContain("--max-jobs");
  });

  it("as a value is what the option takes", () => {
    expect(words("--engine", "")).toEqual([...builtInNames(), "flux"]);
    expect(words("--root=/other", "--engine", "")).toContain("other");
    expect(paths("--engine", "./")).toBe("any");
    expect(words("-e", "Lo")).toContain("LocalEngine");
    expect(words("--engine=Lo")).toContain("--engine=LocalEngine");
    expect(words("--log-level", "")).toEqual(["error", "warn", "info", "debug"]);
    expect(words("--period", "")).toEqual([]);
    expect([paths("--root", ""), paths("-L", ""), paths("--root=/x"), paths("-p", "")]).toEqual([
      "folders",
      "any",
      "folders",
      "none",
    ]);
  });

  it("is a job in the places of the verb, once, and not one that stands there already", () => {
    expect(words("check", "")).toEqual(["inbox-1", "inbox 2", "inbox/-dash"]);
    expect(words("check", "inbox-1", "")).toEqual(["inbox 2", "inbox/-dash"]);
    expect(paths("check", "")).toBe("any");
    expect(words("explain", "")).toHaveLength(9);
  });

  it("is only what the verb can do something with", () => {
    expect(words("cancel", "").filter((word) => !word.includes("-dash"))).toEqual([
      "pending-1",
      "pending 2",
      "inbox-1",
      "inbox 2",
    ]);
    expect(words("retry", "")).toEqual(["complete-1", "complete 2", "complete/-dash"]);
    expect(words("submit", "--from", "c")).toContain("complete-1");
    expect(words("submit", "--after", "a", "--after", "")).toContain("pending-1");
    expect(words("submit", "x", "--after", "a", "")).toContain("pending-1");
    expect(words("submit", "x", "--after", "pending-1", "")).not.toContain("pending-1");
    expect(paths("submit", "--after=a", "")).toBe("any");
    expect([paths("submit", "x", ""), paths("submit", "--", "ls", "")]).toEqual(["any", "any"]);
    expect(words("pause", "")).toEqual([]);
  });

  it("is the program's from the program on", () => {
    expect(words("launch", "--")).toContain("--dry-run");
    expect(words("launch", "--backend", "")).toEqual(["mpi", "srun", "local"]);
    expect([words("launch", "./a", "--"), paths("launch", "./a", "--")]).toEqual([[], "any"]);
  });

  it("is a job behind its place", () => {
    expect(words("explain", "complete/")).toEqual(["complete/complete-1", "complete/complete 2", "complete/-dash"]);
    expect(words("check", "complete/x")).toEqual([]);
  });

  it("is a name with a dash in front only where it is no option", () => {
    expect(words("explain", "--", "-")).toContain("-dash");
    expect(words("explain", "-")).not.toContain("-dash");
  });

  it.each([["--root", "/other"], ["--root=/other"], ["-r", "/other"], ["-r/other"]])(
    "is of the root that %s names",
    (...root) => {
      expect(words(...root, "check", "")).toEqual(["other-inbox"]);
      expect(words("check", ...root, "")).toEqual(["other-inbox"]);
    },
  );
});
