/** The manual page: whole, and such that man and mandoc have nothing to say against it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { VERBS, type VerbDefinition } from "../../../src/command-line/command-line.ts";
import { manPage } from "../../../src/command-line/man-page.ts";
import { OPTIONS, type Option, type OptionName, variableOf } from "../../../src/config/options.ts";
import { EXIT } from "../../../src/exit-codes.ts";
import { jobmgr, makeFolder, runToEnd } from "../../harness.ts";
import { need } from "../../real/surroundings.ts";

const BACKSPACE = String.fromCharCode(8);

async function shown(program: string, page: string, columns = "500"): Promise<string> {
  const path = join(makeFolder(), "jobmgr.1");
  writeFileSync(path, page);
  const { code, stdout } = await runToEnd(program, ["-l", path], {
    env: { MANWIDTH: columns, LC_ALL: "C.UTF-8", MANPAGER: "cat" },
  });
  expect(code).toBe(0);
  // Bold is a letter struck twice.
  return stdout.replaceAll(new RegExp(`.${BACKSPACE}`, "g"), "").replaceAll(/\s+/g, " ");
}

it("tells each option, verb, variable and exit code", async (context) => {
  need(context, "man");
  const text = await shown("man", manPage("1.2.3", "2026-01-02"));
  const tells = (what: string) => expect(text).toContain(what.replaceAll(/\s+/g, " "));
  for (const [name, option] of Object.entries(OPTIONS) as [OptionName, Option][]) {
    tells(option.flags);
    tells(option.help.slice(1));
    if (!option.isFlagOnly) tells(variableOf(name));
  }
  for (const [name, verb] of Object.entries(VERBS) as [string, VerbDefinition][]) {
    tells(`${name} ${verb.arguments}`.trim());
    tells(verb.help.slice(1));
    for (const { flags, help } of verb.options) for (const one of [flags, help.slice(1)]) tells(one);
    for (const example of verb.examples) tells(example);
  }
  for (const code of Object.values(EXIT)) expect(text).toMatch(new RegExp(` ${code} [A-Z]`));
  for (const word of ["NAME", "SYNOPSIS", "DESCRIPTION", "FOLDERS", "FILES", "job_after.txt", "jobmgr 1.2.3"])
    tells(word);
});

it("is without a fault to mandoc", async (context) => {
  need(context, "mandoc");
  const { stdout } = await jobmgr(["__man"]);
  const { code, stdout: said } = await runToEnd("mandoc", ["-Tlint", "-W", "warning"], { input: stdout });
  expect({ code, said }).toEqual({ code: 0, said: "" });
});
