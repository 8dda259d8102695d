/** The words behind `jobmgr launch`: whose each of them is. */
import { describe, expect, it } from "vitest";
import { valuesOfOption } from "../../../src/launch/option-words.ts";
import type { Kind } from "../../../src/launch/settings.ts";
import { readWords } from "../../../src/launch/words.ts";

const read = (words: readonly string[], kind: Kind = "openmpi", first = {}) =>
  readWords(words, first, (option) => valuesOfOption(kind, option));

describe("the words of a launch", () => {
  it("are the launcher's up to the program, and the program's from there on", () => {
    const { programs } = read(["--oversubscribe", "echo", "-n", "--label", "--", "-x"]);
    expect(programs).toEqual([{ options: ["--oversubscribe"], argv: ["echo", "-n", "--label", "--", "-x"] }]);
  });

  it.each<[Kind, string[], string[]]>([
    ["openmpi", ["--map-by", "node"], ["./a"]],
    ["openmpi", ["-mca", "btl", "self", "-x", "PATH"], ["./a"]],
    ["openmpi", ["--bind-to=core"], ["./a"]],
    ["mpich", ["-genv", "A", "1", "-ppn", "2"], ["./a"]],
    ["srun", ["-N", "2", "--mem", "4G", "--exclusive", "-c4"], ["./a"]],
    ["srun", ["--cpu-bind=none", "--kill-on-bad-exit"], ["./a"]],
    ["other", ["--strange"], ["./a"]],
  ])("hold the values of what %s knows: %j", (kind, options, argv) => {
    expect(read([...options, ...argv], kind).programs).toEqual([{ options, argv }]);
  });

  it("tell the number of processes in each way that mpiexec has, before each program", () => {
    const counts = (words: string[]) => read(words).programs.map(({ processes }) => processes);
    expect(counts(["-n", "3", "a", ":", "-np", "4", "b", ":", "--np=5", "c", ":", "-n6", "d"])).toEqual([3, 4, 5, 6]);
    expect(read(["a", ":", "b"], "local", { processes: 2 }).programs).toMatchObject([{ processes: 2 }, {}]);
  });

  it("hand on any word behind --option, and end the options at --", () => {
    const { programs } = read(["--option", "--strange", "--option=-n", "--option", "9", "--", "a"], "other");
    expect(programs).toEqual([{ options: ["--strange", "-n", "9"], argv: ["a"] }]);
  });

  it("leave in doubt what stands behind an option that is not known", () => {
    expect(read(["--strange", "core", "a"]).doubtful).toBe("--strange");
    for (const words of [["--strange=1", "a"], ["--map-by", "node", "a"], ["--strange", "--", "a"], ["a"]])
      expect(read(words).doubtful, words.join(" ")).toBeUndefined();
  });

  it.each([
    [["-n", "x", "a"], /-n x: it must be a whole number/],
    [["-n", "0", "a"], /-n 0/],
    [["-n"], /-n: it needs a value/],
    [["--map-by"], /--map-by: it needs a value/],
    [["--oversubscribe", "--dry-run", "a"], /--dry-run: jobmgr's own options must stand before/],
    [["a", ":", "--backend=mpi", "b"], /--backend=mpi: jobmgr's own options must stand before/],
  ])("are refused where they make no sense: %j", (words, sentence) => {
    expect(() => read(words)).toThrow(sentence);
  });
});
