/** What SlurmEngine makes of a job.sh, and the command and environment that it gives to sbatch. */
import { describe, expect, it } from "vitest";
import { commandText } from "../../engines/batch/texts.ts";
import { jobEnvironment, questionEnvironment, submitArgs } from "../../engines/slurm/commands.ts";
import { canWaitFor, checkEngineArgs, clustersOf, planOf } from "../../engines/slurm/plan.ts";
import type { Attempt, Handle, Token } from "../../src/engine.ts";

const TOKEN = "20261121T104219-91bbde48256d" as Token;

const plan = (text: string, more: { folderName?: string; jobName?: string; args?: string[] } = {}) =>
  planOf(
    { folderName: more.folderName ?? "a", text, ...(more.jobName && { jobName: more.jobName }) },
    more.args ?? [],
    "/bin/sh",
  );

function attempt(folder: string, text = "true\n", args: string[] = []): Attempt {
  const records = `${folder}/.jobmgr/attempt-${TOKEN}`;
  const made = { token: TOKEN, folder, records, runner: `${records}/run.sh`, madeOn: { host: "h", boot: "b" } };
  return { ...made, plan: plan(text, { args }) };
}

describe("the name of a job", () => {
  it("is that of job_name.txt, else job.sh's, else the folder's", () => {
    expect(plan("#SBATCH -J mine\n", { jobName: "theirs" })).toMatchObject({
      jobName: "theirs",
      args: ["--job-name=theirs"],
    });
    expect(plan("#SBATCH -J mine\n")).toMatchObject({ jobName: "mine", args: [] });
    expect(plan("true\n", { folderName: "100-primes" })).toMatchObject({ args: ["--job-name=100-primes"] });
  });

  it.each([
    ["with space", "with_space"],
    ["-dash", "job-dash"],
    ["new\nline", "new_line"],
    ["$(touch x)`id`;&|*?", "_touch_x_id_"],
    ["n".repeat(255), "n".repeat(64)],
  ])("made of the folder %j is plain", (folderName, jobName) => {
    expect(plan("true\n", { folderName }).jobName).toBe(jobName);
  });
});

describe("the outputs of a job", () => {
  it.each([
    ["", ["slurm-%j.out"]],
    ["#SBATCH -o out-%j.txt -e err.txt\n", ["out-%j.txt", "err.txt"]],
    ["#SBATCH -a 1-3\n", ["slurm-%j_%t.out"]],
    ['#SBATCH --array=""\n', ["slurm-%j.out"]],
    ["#SBATCH -J n -o %x-%%.txt\n", ["n-%.txt"]],
    ["#SBATCH -o %N.txt\n", []],
    ["#SBATCH -a 1-3 -o %j.txt\n", []],
  ])("of %j are known as far as they can be", (text, outputs) => {
    expect(plan(text).outputs).toEqual(outputs);
  });
});

describe("a job behind others", () => {
  const after = [
    { handle: "12" as Handle, needs: "success" },
    { handle: "7" as Handle, needs: "end" },
  ] as const;
  const optionsOf = (text: string, args: string[] = []) =>
    submitArgs({ ...attempt("/r/pending/a", text, args), after }).filter((arg) => /dep/.test(arg));

  it.each([
    ["true\n", ["--dependency=afterok:12,afterany:7", "--kill-on-invalid-dep=no"]],
    ["#SBATCH -d singleton\n", ["--dependency=singleton,afterok:12,afterany:7", "--kill-on-invalid-dep=no"]],
    ["#SBATCH --kill-on-invalid-dep=yes\n", ["--dependency=afterok:12,afterany:7"]],
  ])("waits in Slurm's queue, also for what job.sh asks for: %j", (text, options) => {
    expect(canWaitFor(plan(text), after, {})).toBe(true);
    expect(optionsOf(text)).toEqual(options);
  });

  it("waits for what --engine-arg asks for, too", () => {
    const [, own, ours] = ["", ...optionsOf("true\n", ["--dependency=after:3"])];
    expect([own, ours]).toEqual(["--dependency=after:3", "--dependency=after:3,afterok:12,afterany:7"]);
  });

  it.each(["#SBATCH -d afterok:1?afterok:2\n", "#SBATCH -M other\n", "#SBATCH -n 1\n#SBATCH hetjob\n#SBATCH -n 1\n"])(
    "waits in the inbox with %j",
    (text) => {
      expect(canWaitFor(plan(text), after, {})).toBe(false);
    },
  );

  it("waits in the inbox for jobs of another cluster, or where clusters are named", () => {
    const other = [{ handle: "12;other" as Handle, needs: "success" }] as const;
    expect(canWaitFor(plan("true\n"), other, {})).toBe(false);
    expect(canWaitFor(plan("true\n"), after, { SLURM_CLUSTERS: "one" })).toBe(false);
  });
});

describe("what is refused at once", () => {
  it.each(["--wait", "-W", "--test-only", "--bbf=x"])("%s in job.sh", (option) => {
    expect(() => plan(`#SBATCH ${option}\n`)).toThrow(/job\.sh asks for --/);
    expect(() => plan(`#SBATCH hetjob\n#SBATCH ${option}\n`)).toThrow(/job\.sh asks for --/);
  });

  it("a --array that is none", () => {
    expect(() => plan("#SBATCH --array=x\n")).toThrow("--array=x");
  });

  it.each([["--wait"], ["--version"], ["--wrap=ls"], ["--chdir=/"], ["bio"]])("--engine-arg %s", (arg) => {
    expect(() => checkEngineArgs([arg])).toThrow("--engine-arg");
    expect(() => checkEngineArgs(["account=bio"])).toThrow(/e\.g\. --engine-arg=--account=bio$/);
    expect(() => checkEngineArgs(["--account=bio", "-t5"])).not.toThrow();
  });
});

it("the tasks of an array may come from --engine-arg, and clusters from both", () => {
  expect(plan("true\n", { args: ["--array=2,4"] }).tasks).toEqual([2, 4]);
  expect(clustersOf(plan("#SBATCH -M one,two\n"), {})).toBe("one,two");
  const three = plan("#SBATCH -M one\n", { args: ["--clusters=three"] });
  expect(clustersOf(three, { SLURM_CLUSTERS: "four" })).toBe("three");
  expect(clustersOf(plan("#SBATCH -M one\n"), { SLURM_CLUSTERS: "four" })).toBeUndefined();
});

describe("the arguments of sbatch", () => {
  it("are few, and end with the runner", () => {
    expect(submitArgs(attempt("/r/pending/a", "true\n", ["--account=bio"]))).toEqual([
      "--parsable",
      "--chdir=/r/pending/a",
      "--open-mode=append",
      "--job-name=a",
      "--account=bio",
      `/r/pending/a/.jobmgr/attempt-${TOKEN}/run.sh`,
    ]);
  });

  it.each([
    ["/r/%j", "", "--output=/r/%%j/slurm-%j.out"],
    ["/r/%j", "#SBATCH -o o%x\n", "--output=/r/%%j/o%x"],
    ["/r/%j", "#SBATCH -a 1\n", "--output=/r/%%j/slurm-%A_%a.out"],
    ["/r/%j\\", "", "--output=/r/%j\\\\/job_output.txt"],
  ])("say the output in full for the folder %j", (folder, text, output) => {
    expect(submitArgs(attempt(folder, text))).toContain(output);
  });

  it("leave an absolute output alone", () => {
    const args = submitArgs(attempt("/r/%j", "#SBATCH -o /scratch/%j\n"));
    expect(args.filter((arg) => arg.startsWith("--output"))).toEqual([]);
  });

  it("are shown as a shell would read them", () => {
    expect(commandText("sbatch", ["--chdir=/a b", "it's"])).toBe("sbatch '--chdir=/a b' 'it'\\''s'");
  });
});

it("nothing of an allocation, nor of this program's own surroundings, reaches a job", () => {
  const env = {
    HOME: "/h",
    SLURM_CONF: "/c",
    SLURM_CLUSTERS: "one",
    SLURM_JOB_ID: "1",
    SBATCH_PARTITION: "p",
    SQUEUE_FORMAT: "%i",
    SACCT_FORMAT: "x",
    PMI_RANK: "0",
    PMIX_RANK: "0",
    NODE_OPTIONS: "--x",
    JOBMGR_ROOT: "/r",
    LC_ALL: "de_DE.UTF-8",
  };
  const kept = { HOME: "/h", SLURM_CONF: "/c", SLURM_CLUSTERS: "one", LC_ALL: "de_DE.UTF-8" };
  expect(jobEnvironment(env)).toEqual(kept);
  expect(questionEnvironment(env)).toEqual({ ...kept, TZ: "UTC" });
});

describe("more than job.sh asks for", () => {
  const raised = (text: string, args: string[] = [], scale = { memory: 1.5, time: 2 }) => {
    const { args: made, raised: said } = planOf({ folderName: "a", text, jobName: "a" }, args, "/bin/sh", scale);
    return { args: made.slice(1), said };
  };

  it("stands behind all other arguments, so that it wins, and is named", () => {
    expect(raised("#SBATCH --mem=4G\n#SBATCH -t 1:00:00\n")).toEqual({
      args: ["--time=2:00:00", "--mem=6G"],
      said: ["--time=2:00:00 instead of 1:00:00", "--mem=6G instead of 4G"],
    });
    expect(raised("#SBATCH --mem=4G\n", ["--mem=10G"])).toEqual({
      args: ["--mem=10G", "--mem=15G"],
      said: ["--mem=15G instead of 10G"],
    });
    expect(raised("#PBS -l walltime=01:00:00\n").said).toEqual(["--time=2:00:00 instead of 01:00:00"]);
  });

  it("is asked for in the way in which job.sh asks", () => {
    expect(raised("#SBATCH --mem-per-cpu=1000\n#SBATCH --mem-per-gpu 2G\n").said).toEqual([
      "--mem-per-cpu=1500M instead of 1000",
      "--mem-per-gpu=3G instead of 2G",
    ]);
  });

  it("is not asked for where job.sh names nothing, or no limit", () => {
    for (const text of ["true\n", "#SBATCH --mem=0 --time=UNLIMITED\n"])
      expect(raised(text)).toEqual({ args: [], said: undefined });
    expect(raised("#SBATCH --mem=4G --time=60\n", [], { memory: 1, time: 1 })).toEqual({ args: [], said: undefined });
  });

  it("of a heterogeneous job is what all components ask for alike", () => {
    const parts = (second: string) => `#SBATCH --mem=4G --time=60\n#SBATCH hetjob\n#SBATCH --mem=${second}\n`;
    expect(raised(parts("4G")).said).toEqual(["--time=2:00:00 instead of 60", "--mem=6G instead of 4G"]);
    expect(raised(parts("8G")).said).toEqual(["--time=2:00:00 instead of 60"]);
  });
});
