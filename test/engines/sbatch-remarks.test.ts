/** What looks wrong in directives, and what does not. */
import { describe, expect, it } from "vitest";
import { remarksOn } from "../../engines/sbatch-remarks.ts";

function remarks(...lines: string[]): string[] {
  return remarksOn(`#!/bin/bash\n${lines.join("\n")}\n`);
}

describe("nothing is said of", () => {
  it.each([
    ["directives as they should be", ["#SBATCH --time=5", "#SBATCH -N 1", "true"]],
    ["#SLURM, which sbatch takes as well", ["#SLURM --time=5", "true"]],
    ["comments", ["# Batch - of the year", "#-----", "## SBATCH is not used here", "true"]],
    ["lines that were put out of force", ["##SBATCH --time=5", "true"]],
    ["#PBS lines, which sbatch reads", ["#PBS -N x", "true"]],
    ["one value said twice", ["#SBATCH -t 5", "#SBATCH --time=5", "true"]],
    ["the same option of two components", ["#SBATCH -N 1", "#SBATCH hetjob", "#SBATCH -N 2", "true"]],
    ["words that look like directives in a text", ["cat <<end", "SBATCH --x", "end"]],
  ])("%s", (_, lines) => {
    expect(remarks(...lines)).toEqual([]);
  });
});

describe("it is said", () => {
  it.each<[string, string[], RegExp]>([
    ["that letters are swapped", ["#SABTCH --time=5"], /^Line 2, "#SABTCH --time=5", is a comment/],
    ["that a blank makes it a comment", ["# SBATCH --time=5"], /^Line 2, .*is a comment/],
    [
      "that lines come too late, all in one sentence",
      ["true", "#SBATCH -n 1", "#SBATCH -N 1"],
      /^Lines 3, 4, "#SBATCH -n 1", stand behind the first command \(line 2\)/,
    ],
    [
      "that an option is not known, and what may be meant",
      ["#SBATCH --ntask-per-node=2"],
      /"--ntask-per-node=2" is no option .*--ntasks-per-node/,
    ],
    ["that a value is missing", ["#SBATCH --time"], /"--time": --time is not written like this/],
    [
      "that two options exclude each other",
      ["#SBATCH --mem=4G --mem-per-cpu=1G"],
      /^--mem and --mem-per-cpu exclude each other/,
    ],
  ])("%s", (_, lines, sentence) => {
    expect(remarks(...lines)).toEqual([expect.stringMatching(sentence)]);
  });

  it("of many only a few, and how many more there are", () => {
    const many = Array.from({ length: 20 }, (_, i) => `#SBATCH --no-such-${i}=1`);
    const said = remarks(...many);
    expect(said).toHaveLength(6);
    expect(said.at(-1)).toBe("And 15 more like this.");
  });
});
