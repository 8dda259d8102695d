import { describe, expect, it } from "vitest";
import { LocalEngine } from "../../engines/local/index.ts";
import { isWithoutGpu } from "../../engines/local/resources.ts";
import { sbatchLines } from "../../engines/sbatch-request.ts";
import { sbatchOptions } from "../../engines/sbatch-script.ts";
import { timeInS } from "../../engines/sbatch-units.ts";
import { planOf } from "../../engines/slurm/plan.ts";

const read = (request: Parameters<typeof sbatchLines>[0]) => sbatchOptions(`${sbatchLines(request).join("\n")}\n`)[0];

describe("what a program asks for, as #SBATCH lines", () => {
  it("says nothing of what is not asked for", () => {
    expect(sbatchLines({})).toEqual([]);
  });

  it.each([1, 59, 60, 3600, 86_399, 86_400, 86_401, 100 * 3600, 40 * 86_400 + 1])(
    "a limit of %d s is that long",
    (s) => {
      expect(timeInS(read({ timeLimitS: s }).time ?? "")).toBe(s);
    },
  );

  it("rounds up what has no whole number", () => {
    expect(read({ timeLimitS: 0.2, memoryB: 1 })).toEqual({ time: "0:00:01", mem: "1M" });
  });

  it("asks for memory by the node, and for processors as tasks on one node", () => {
    expect(read({ memoryB: 6 * 1024 ** 3, nodes: 3, cpus: 12, gpus: 2 })).toEqual({
      mem: "2048M",
      nodes: "3",
      ntasks: "12",
      gpus: "2",
    });
    expect(read({ cpus: 4 })).toEqual({ nodes: "1", ntasks: "4" });
  });

  it("names outputs with blanks and signs", () => {
    const request = { output: "my out #1.txt", error: "errors/e.txt" };
    expect(read(request)).toEqual(request);
    const text = `${sbatchLines(request).join("\n")}\n`;
    expect(planOf({ folderName: "a", text }, [], "/bin/sh").outputs).toEqual(Object.values(request));
  });
});

describe("what a program asks LocalEngine for", () => {
  const engine = new LocalEngine({ places: 8, graceS: 1 });

  it("is what it honours", () => {
    const lines = engine.directives({ cpus: 4, timeLimitS: 90_000, output: "a b.txt", nodes: 1 });
    const plan = engine.plan({ folderName: "a", text: `${lines.join("\n")}\n` });
    expect(plan).toMatchObject({ places: 4, limitS: 90_000, outputs: ["a b.txt"], ignored: [] });
  });

  it("cannot be two machines", () => {
    expect(() => engine.directives({ nodes: 2 })).toThrow(/2 nodes/);
  });

  it("is refused GPUs where there is none", () => {
    const lines = () => engine.directives({ gpus: 1 });
    if (isWithoutGpu()) expect(lines).toThrow("has no GPU");
    else expect(lines()).toEqual(["#SBATCH --gpus=1"]);
  });

  it("names what it does not honour", () => {
    const lines = engine.directives({ memoryB: 2 ** 30 });
    expect(engine.plan({ folderName: "a", text: `${lines.join("\n")}\n` }).ignored).toEqual(["--mem=1024M"]);
  });
});
