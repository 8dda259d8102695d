/** What sbatch reads of a script, case by case as the real one was seen to do it. */
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { directiveBlock, givenOptions, sbatchOptions, tasksOf } from "../../engines/sbatch-script.ts";
import { isEngineError } from "../../src/engine-error.ts";
import { ARRAYS, CASES } from "./sbatch-script.cases.ts";

const script = (lines: readonly string[]) => ["#!/bin/sh", ...lines].join("\n");

describe("sbatchOptions", () => {
  it.each(Object.entries(CASES))("%s", (_, { lines, args = [], components }) => {
    const text = script(lines);
    const isRefused = givenOptions(text).some((one) => one.refused);
    expect(isRefused).toBe(components === undefined);
    if (components) expect(sbatchOptions(text, args)).toEqual(components);
  });

  it("looks up abbreviations on the command line, too, and lets it win", () => {
    expect(sbatchOptions("#SBATCH -t 5", ["--job", "x", "-t7", "--arr=1"])).toEqual([
      { "job-name": "x", time: "7", array: "1" },
    ]);
  });

  it("goes on behind what it does not know, for a newer sbatch may", () => {
    const read = (line: string) => sbatchOptions(line)[0];
    expect(read("#SBATCH --oom-kill-step=1 -t 5")).toEqual({ time: "5" });
    expect(read("#SBATCH --tres-per-task cpu:2 -t 5")).toEqual({ time: "5" });
    expect(read("#SBATCH --unknown -t 5")).toEqual({ time: "5" });
    expect(read("#SBATCH -Zx -t 5 word -c 2")).toEqual({ time: "5", "cpus-per-task": "2" });
    expect(read('#SBATCH -t 5 -J "open')).toEqual({ time: "5" });
  });
});

describe("givenOptions", () => {
  it("tells of each option as it is written, and what it sets", () => {
    const text = script(["#SBATCH --part=p -N 2 -Ht5 --mem 4G", "#SBATCH --wrap=x foo --bar baz", "#PBS -j oe -N n"]);
    expect(givenOptions(text)).toEqual([
      { written: "--part=p", component: 0, sets: { partition: "p" }, refused: false },
      { written: "-N 2", component: 0, sets: { nodes: "2" }, refused: false },
      { written: "-H", component: 0, sets: { hold: "" }, refused: false },
      { written: "-t5", component: 0, sets: { time: "5" }, refused: false },
      { written: "--mem 4G", component: 0, sets: { mem: "4G" }, refused: false },
      { written: "--wrap=x", component: 0, sets: {}, refused: false },
      { written: "foo", component: 0, sets: {}, refused: true },
      { written: "--bar baz", component: 0, sets: {}, refused: true },
      { written: "-j oe", component: 0, sets: {}, refused: false },
      { written: "-N n", component: 0, sets: { "job-name": "n" }, refused: false },
    ]);
  });

  it("says in which component an option stands", () => {
    const given = givenOptions("#SBATCH -t 5\n#SBATCH hetjob\n#SBATCH -c 2\n");
    expect(given.map(({ written, component }) => [written, component])).toEqual([
      ["-t 5", 0],
      ["-c 2", 1],
    ]);
  });
});

describe("directiveBlock", () => {
  it("is the head, without its #! line, as it stands", () => {
    expect(directiveBlock("#!/bin/bash\n#SBATCH -t 5\n# a comment\n\n#BB x\n\ntrue\n#SBATCH -c 2\n")).toBe(
      "#SBATCH -t 5\n# a comment\n\n#BB x\n\n",
    );
  });

  it("begins with the first line when that is no #! line", () => {
    expect(directiveBlock("#SBATCH -t 5\ntrue\n")).toBe("#SBATCH -t 5\n");
    expect(directiveBlock("true\n#SBATCH -t 5\n")).toBe("");
    expect(directiveBlock("")).toBe("");
  });

  it("ends with a line end, and not with a CRLF that the script has not", () => {
    expect(directiveBlock("#!/bin/sh\n#SBATCH -t 5")).toBe("#SBATCH -t 5\n");
    expect(directiveBlock("#!/bin/sh\n#SBATCH -t 5\r")).toBe("#SBATCH -t 5\n");
  });

  it("holds the #PBS and #BSUB lines from behind the first command, too", () => {
    expect(directiveBlock("#!/bin/sh\n#SBATCH -t 5\ntrue\n#PBS -N x\nfalse\n #PBS no\n#BSUB -W 5\n#SBATCH -c 2")).toBe(
      "#SBATCH -t 5\n#PBS -N x\n#BSUB -W 5\n",
    );
  });

  it("makes a line empty that is blank to sbatch, but a command to sh", () => {
    expect(directiveBlock("#!/bin/sh\n\f\n\v#x\n#SBATCH -t 5\n")).toBe("\n\n#SBATCH -t 5\n");
  });

  const line = fc.oneof(
    fc.constantFrom("", " ", "\f", "true", "#PBS -N x", "#SBATCH hetjob", "#!x", " # x", "#SBATCH -J x \\", "\r", ":"),
    fc.string().map((words) => `#SBATCH ${words}`),
    fc.string().map((words) => `#PBS ${words}`),
    fc.string({ unit: "binary" }),
  );
  const text = fc.array(line, { maxLength: 12 }).map((lines) => lines.join("\n"));

  it("reads the same as the whole script, also when it is read twice", () => {
    fc.assert(
      fc.property(text, (job) => {
        const block = directiveBlock(job);
        expect(sbatchOptions(`#!/bin/sh\n${block}`)).toEqual(
          sbatchOptions(`#!/bin/sh\n${directiveBlock(`\n${block}`)}`),
        );
        expect(sbatchOptions(block)).toEqual(sbatchOptions(job));
        expect(givenOptions(block)).toEqual(givenOptions(job));
      }),
      { numRuns: 2000 },
    );
  });

  it("is nothing but comments to sh", () => {
    fc.assert(
      fc.property(text, (job) => {
        expect(directiveBlock(job)).toMatch(/^(?:(?:#[^\n]*)?\n)*$/);
      }),
      { numRuns: 2000 },
    );
    const nasty = directiveBlock(
      "#!/bin/sh\n#SBATCH -J `touch x` $(touch x) \\\n#SBATCH '\n\f\n# \\\n#!/bin/false\ntrue\n",
    );
    for (const shell of ["sh", "bash"])
      expect(execFileSync(shell, ["-euc", `${nasty}echo ran`], { encoding: "utf8" })).toBe("ran\n");
  });

  it("takes a large script without delay", () => {
    const start = performance.now();
    const large = [`#SBATCH ${"a ".repeat(300_000)}`, `#SBATCH ${"\\".repeat(300_000)}`, "\r".repeat(300_000)];
    for (const one of [...large, ...large.map((each) => `#!/bin/sh\n${each}\ntrue\n`)])
      givenOptions(directiveBlock(one));
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});

/** As scontrol shows the tasks of an array. */
function shown({ tasks, atOnce }: ReturnType<typeof tasksOf>): string {
  const ranges: [number, number][] = [];
  for (const task of tasks) {
    const last = ranges.at(-1);
    if (last?.[1] === task - 1) last[1] = task;
    else ranges.push([task, task]);
  }
  const text = ranges.map(([from, to]) => (from === to ? from : `${from}-${to}`)).join(",");
  return atOnce < tasks.length ? `${text}%${atOnce}` : text;
}

describe("tasksOf", () => {
  it.each(ARRAYS.filter(([, expected]) => expected !== undefined))("%j is %s", (array = "", expected = "") => {
    const read = tasksOf(array);
    const limit = Number(/%(\d+)$/.exec(expected)?.[1] ?? Number.POSITIVE_INFINITY);
    expect(shown(read)).toBe(limit < read.tasks.length ? expected : expected.replace(/%.*/, ""));
    expect(read.atOnce).toBe(Math.max(1, Math.min(limit, read.tasks.length)));
  });

  const refusal = (array: string, sizeMax?: number): string => {
    try {
      return `not refused: ${tasksOf(array, sizeMax).tasks.length}`;
    } catch (error) {
      return isEngineError(error) && error.verdict === "refused" ? error.message : String(error);
    }
  };

  it.each(ARRAYS.filter(([, expected]) => expected === undefined))("%j is refused", (array = "") => {
    expect(refusal(array)).toMatch(/--array=.* is not a list of indices/s);
  });

  it("has a limit, before it makes a list", () => {
    expect(refusal("0-9", 9)).toContain("of at most 9 tasks");
    expect(tasksOf("20001-20010", 10).tasks).toHaveLength(10);
    expect(refusal("0-999999999")).toContain("of at most 4000001 tasks");
    expect(refusal(Array(1000).fill("0-99999").join(","))).toContain("of at most");
  });

  it("takes or refuses any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."0123%-:,[] +x") }), (array) => {
        expect(refusal(array)).toMatch(/^not refused: \d+$|is not a list of indices/s);
      }),
    );
  });
});
