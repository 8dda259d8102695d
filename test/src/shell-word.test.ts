import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, it } from "vitest";
import { shellWord } from "../../src/shell-word.ts";

it("a shell reads of a word what it was made of, and a terminal is shown no control character", () => {
  const words = fc
    .sample(fc.string({ unit: "binary" }), { numRuns: 300, seed: 1 })
    .map((one) => one.replaceAll("\0", ""));
  const all = [
    ...words,
    "",
    "~root",
    "~/x",
    "=ls",
    "-n",
    "a=b",
    "it's",
    "new\nline",
    "\u001b[1m7",
    "\u0085",
    "back\\s",
    "ä",
  ];
  const shown = all.map(shellWord).join(" ");
  expect(shown).not.toMatch(/\p{Cc}/u);
  const read = execFileSync("bash", ["-c", `printf '%s\\0' ${shown}`], { encoding: "utf8" });
  expect(read.split("\0").slice(0, -1)).toEqual(all);
});
