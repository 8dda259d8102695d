/** What LocalEngine reads of #SBATCH lines: as far as sbatch reads them, in Slurm's own formats. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readDirectives, secondsOf } from "../../../engines/local/directives.ts";
import { isEngineError } from "../../../src/engine-error.ts";

const head = (...lines: string[]) => readDirectives(`#!/bin/bash\n${lines.join("\n")}\necho run\n`);
const tasks = (value: string) => head(`#SBATCH --array=${value}`).tasks;

/** The sentence with which this script is refused. */
function refusal(...lines: string[]): string {
  try {
    head(...lines);
    return "";
  } catch (error) {
    expect(isEngineError(error) && error.verdict).toBe("refused");
    return (error as Error).message;
  }
}

describe("--time", () => {
  it.each([
    ["30", 1800],
    ["1:30", 90],
    ["30:00", 1800],
    ["2:00:00", 7200],
    ["1-0", 86_400],
    ["1-", 86_400],
    ["1-12", 129_600],
    ["1-12:30", 131_400],
    ["2-01:02:03", 176_523],
    ["0", 0],
    ["00:00:05", 5],
    ["UNLIMITED", 0],
    ["infinite", 0],
    ["-1", 0],
  ])("%s is %i seconds", (text, seconds) => {
    expect(secondsOf(text)).toBe(seconds);
    expect(head(`#SBATCH --time=${text}`).timeS).toBe(seconds);
  });

  it("not given is no limit", () => {
    expect(head().timeS).toBe(0);
  });

  it.each(["whenever", "1h", "-5", "1:2:3:4", "-", "1.5", ":30", "1-2-3"])(
    "%s is refused, and formats are named",
    (text) => {
      expect(refusal(`#SBATCH --time=${text}`)).toMatch(/--time=.*not a time such as/);
    },
  );

  it("any days, hours, minutes and seconds are added up", () => {
    const part = (max: number) => fc.integer({ min: 0, max });
    fc.assert(
      fc.property(part(300), part(23), part(59), part(59), (d, h, m, s) => {
        expect(secondsOf(`${d}-${h}:${m}:${s}`)).toBe(d * 86_400 + h * 3600 + m * 60 + s);
        expect(secondsOf(`${h}:${m}:${s}`)).toBe(h * 3600 + m * 60 + s);
        expect(secondsOf(`${m}:${s}`)).toBe(m * 60 + s);
      }),
    );
  });
});

describe("--array", () => {
  it.each([
    ["0-3", [0, 1, 2, 3]],
    ["7", [7]],
    ["1,3,5-7", [1, 3, 5, 6, 7]],
    ["0-15:4", [0, 4, 8, 12]],
    ["3,1,2,2", [1, 2, 3]],
    ["5-5", [5]],
  ])("%s is the tasks %j", (value, indices) => {
    expect(tasks(value)).toEqual(indices);
  });

  it("%N says how many run at a time", () => {
    expect(head("#SBATCH --array=0-9%3")).toMatchObject({ tasksAtOnce: 3, tasks: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] });
    expect(head("#SBATCH --array=0-9").tasksAtOnce).toBe(10);
    expect(head("#SBATCH --array=0-9%0").tasksAtOnce).toBeGreaterThanOrEqual(1);
    expect(head().tasksAtOnce).toBe(1);
  });

  it.each(["a", "3-1", "1-", "-1", "0-5:0", "0-10000000", "1 - 3x"])("%j is refused", (value) => {
    expect(refusal(`#SBATCH --array="${value}"`)).toMatch(/--array=.*list of indices/);
  });
});

describe("processors", () => {
  it("are cpus-per-task times ntasks", () => {
    expect(head("#SBATCH -c 4").cpus).toBe(4);
    expect(head("#SBATCH --ntasks=3").cpus).toBe(3);
    expect(head("#SBATCH -n2 --cpus-per-task 4").cpus).toBe(8);
    expect(head().cpus).toBe(1);
  });

  it.each(["0", "-1", "two", "1.5", "9999999"])("%s of them are refused", (count) => {
    expect(refusal(`#SBATCH --cpus-per-task=${count}`)).toContain("a number of 1 or more");
  });
});

describe("the form of a line", () => {
  it("long and short options, attached, with = and apart, are the same", () => {
    for (const line of ["--time=5", "--time 5", "-t5", "-t 5", "--time '5'"])
      expect(head(`#SBATCH ${line}`).timeS, line).toBe(300);
    for (const line of ["--job-name=x", "-J x", "-Jx"]) expect(head(`#SBATCH ${line}`).jobName, line).toBe("x");
  });

  it("quotes hold blanks together and are taken away", () => {
    expect(head('#SBATCH --job-name="two words" -t 5')).toMatchObject({ jobName: "two words", timeS: 300 });
    expect(head("#SBATCH --output='a b.txt'").output).toBe("a b.txt");
    expect(head('#SBATCH -J "it\'s"').jobName).toBe("it's");
    expect(head('#SBATCH --job-name=a"b c"d').jobName).toBe("ab cd");
  });

  it("a # begins a comment, but not in quotes", () => {
    expect(head("#SBATCH --job-name=x # --time=5")).toMatchObject({ jobName: "x", timeS: 0 });
    expect(head("#SBATCH --job-name=a#b --time=5")).toMatchObject({ jobName: "a", timeS: 0 });
    expect(head('#SBATCH --job-name="a # b"').jobName).toBe("a # b");
  });

  it("several options on a line, and the last of the same ones counts", () => {
    expect(head("#SBATCH -t 5 -c 2 -J x", "#SBATCH -t 7")).toMatchObject({ timeS: 420, cpus: 2, jobName: "x" });
  });

  it("a line that only looks like one is none", () => {
    expect(head("# SBATCH -t 5", "##SBATCH -t 5", " #SBATCH -t 5", "#sbatch -t 5").timeS).toBe(0);
  });

  it("a tab separates as a blank does", () => {
    expect(head("#SBATCH\t-t\t5").timeS).toBe(300);
  });
});

describe("how far is read", () => {
  it("up to the first command, as sbatch does", () => {
    const read = readDirectives(
      "#!/bin/sh\n\n#SBATCH -c 2\n# a comment\n\n#SBATCH -t 5\ntrue\n#SBATCH -c 9\n#SBATCH -J late\n",
    );
    expect(read).toMatchObject({ cpus: 2, timeS: 300, jobName: undefined });
  });

  it("a command in the first line ends it at once", () => {
    expect(readDirectives("true\n#SBATCH -t 5\n").timeS).toBe(0);
  });

  it("a script of comments alone is read to its end", () => {
    expect(readDirectives("#SBATCH -t 5").timeS).toBe(300);
  });

  it("a line that goes on in the next is a comment, which a shell ends at the line's end", () => {
    const read = readDirectives("#!/bin/sh\n#SBATCH -J x \\\n#SBATCH -t 5\ntrue\n");
    expect(read).toMatchObject({ timeS: 300 });
    expect(read.jobName).toBe("x");
  });
});

describe("what else sbatch reads", () => {
  it("of a heterogeneous job, the first component is the script's", () => {
    const read = head("#SBATCH -c 2 -t 5", "#SBATCH hetjob", "#SBATCH -c 4 -J x");
    expect(read).toMatchObject({ cpus: 2, timeS: 300, jobName: undefined, ignored: ["-c 4", "-J x"] });
  });

  it("#PBS lines, also behind commands, unless they are to be ignored", () => {
    const read = "true\n#PBS -N pbs -l walltime=0:30 -j oe\n";
    expect(readDirectives(read)).toMatchObject({ jobName: "pbs", timeS: 30, ignored: ["-j oe"] });
    expect(readDirectives(`#SBATCH --ignore-pbs\n${read}`)).toMatchObject({ timeS: 0, ignored: ["--ignore-pbs"] });
  });
});

describe("what is ignored", () => {
  it("is kept as it was written, to be named once", () => {
    const read = head("#SBATCH --partition=long -N 2 --exclusive", "#SBATCH --mem 4G -t 5", "#SBATCH -A account");
    expect(read.ignored).toEqual(["--partition=long", "-N 2", "--exclusive", "--mem 4G", "-A account"]);
    expect(read.timeS).toBe(300);
  });

  it("an honoured option without a value is ignored, and named", () => {
    expect(head("#SBATCH --time")).toMatchObject({ timeS: 0, ignored: ["--time"] });
  });

  it("any text after #SBATCH is read or refused, and never crashes in another way", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        try {
          readDirectives(`#SBATCH ${text}\n`);
        } catch (error) {
          expect(isEngineError(error)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});
