/** Which lines of a script qsub reads, and what is planned for them. By OpenPBS' sources (script.ts names them). */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkEngineArgs, directivesFor, planOf, type Site } from "../../engines/pbs/plan.ts";
import {
  askedOf,
  directiveBlock,
  givenOptions,
  headLength,
  pbsOptions,
  prefixOf,
  tasksOf,
} from "../../engines/pbs/script.ts";
import { bytesIn, raisedMemory, raisedTime, secondsIn, timeText } from "../../engines/pbs/units.ts";
import type { Scale } from "../../src/engine.ts";
import { makeFolder } from "../harness.ts";

const written = (text: string, prefix = "#PBS") => givenOptions(text, prefix).map((given) => given.written);

describe("the lines that are read", () => {
  it.each<[text: string, options: string[]]>([
    ["#!/bin/bash\n#PBS -N a\n#PBS -l walltime=1:00:00\necho\n#PBS -q late\n", ["-N a", "-l walltime=1:00:00"]],
    ["#PBS -N a\n\n# a comment\n   #PBS -q b\n", ["-N a", "-q b"]],
    ["#!/bin/sh\n:\n#PBS -N a\n", ["-N a"]],
    ["cd /tmp\n#PBS -N a\n", []],
    ["# PBS -N a\n#pbs -N b\n##PBS -N c\n", []],
    ["#PBS -N 'a b' -v \"X=1,Y=a\\ b\" -V\n", ["-N a b", "-v X=1,Y=a\\ b", "-V"]],
    ["#PBS -l select=1:\\\nncpus=2 -q b\necho\n", ["-l select=1:ncpus=2", "-q b"]],
    ["#PBS -lnodes=1:ppn=2 -joe\n", ["-l nodes=1:ppn=2", "-j oe"]],
    ["#PBS -hV word\n", ["-h", "-V", "word"]],
  ])("%j", (text, options) => expect(written(text)).toEqual(options));

  it("-C and PBS_DPREFIX say what begins a directive", () => {
    expect(prefixOf([], {})).toBe("#PBS");
    expect(prefixOf([], { PBS_DPREFIX: "#QSUB" })).toBe("#QSUB");
    expect(prefixOf(["-C", "#X"], { PBS_DPREFIX: "#QSUB" })).toBe("#X");
    expect(prefixOf(["-C", ""], {})).toBe("");
    expect(written("#X -N a\n#PBS -N b\n", "#X")).toEqual(["-N a"]);
    expect(written("#PBS -N b\n", "")).toEqual([]);
  });

  it("a runner with a script's block is read as the script is", () => {
    const script = "#!/bin/bash\n# hello\n#PBS -N a\n\n   #PBS -l mem=1gb,\\\nwalltime=5\n#PBS -q b\necho\n#PBS -q c\n";
    const block = directiveBlock(script, "#PBS");
    const runner = `#!/bin/sh\n${block}jm_x=1\n#PBS -N no\n`;
    expect(pbsOptions(runner, [], "#PBS")).toEqual(pbsOptions(script, [], "#PBS"));
    expect(block).toBe("#PBS -N a\n#PBS -l mem=1gb,walltime=5\n#PBS -q b\n");
    expect(headLength(runner, "#PBS")).toBe(block.split("\n").length);
  });
});

describe("the options that take effect", () => {
  it("later ones and arguments win, each resource for itself", () => {
    const text = "#PBS -l walltime=1:00:00,mem=4gb\n#PBS -l mem=8gb -W depend=afterok:1,umask=022\n";
    const { values, resources, attributes } = pbsOptions(text, ["-l", "walltime=2:00:00", "-q", "b"], "#PBS");
    expect(resources).toEqual({ walltime: "2:00:00", mem: "8gb" });
    expect(attributes).toEqual({ depend: "afterok:1", umask: "022" });
    expect(values.q).toBe("b");
  });

  it.each([
    [
      "-l select=2:ncpus=4:mem=8gb:ngpus=1+1:ncpus=2,walltime=1:00:00",
      { time: "1:00:00", memory: "8gb per chunk", cpus: "10", nodes: "3", gpus: "2" },
    ],
    ["-l nodes=2:ppn=8,mem=4gb -q big", { memory: "4gb", cpus: "16", nodes: "2", partition: "big" }],
    ["-l nodes=n01+n02:ppn=2,pmem=1gb", { memory: "1gb per process", cpus: "2", nodes: "2" }],
    ["-l ncpus=4", { cpus: "4" }],
    ["-N a", undefined],
  ])("%s asks for", (line, asked) => expect(askedOf(pbsOptions(`#PBS ${line}\n`, [], "#PBS"))).toEqual(asked));
});

describe("the tasks of an array", () => {
  it.each([
    ["0-3", [0, 1, 2, 3]],
    ["2-7:2", [2, 4, 6]],
    ["1-4%2", [1, 2, 3, 4]],
    ["1,3,5-6", [1, 3, 5, 6]],
    ["7", [7]],
  ])("%s", (range, tasks) => expect(tasksOf("-J", range)).toEqual(tasks));

  it.each(["", "a", "5-1", "1-2:0", "-3", "1-", "0-1000000000"])("%j is none", (range) =>
    expect(() => tasksOf("-J", range)).toThrow(`-J ${range}`),
  );
});

describe("times and sizes", () => {
  it.each([
    ["1:30:00", 5400],
    ["90:00", 5400],
    ["5400", 5400],
    ["00:00:30.5", 30],
    ["26:00:00", 93_600],
    ["1-00:00", undefined],
    ["", undefined],
  ])("%j is %s s", (text, seconds) => expect(secondsIn(text)).toBe(seconds));

  it.each([
    ["8gb", 8 * 2 ** 30],
    ["400MB", 400 * 2 ** 20],
    ["16000000kb", 16_000_000 * 1024],
    ["1024", 1024],
    ["1gw", 8 * 2 ** 30],
    ["1.5gb", 1.5 * 2 ** 30],
    ["many", undefined],
  ])("%j is %s bytes", (text, bytes) => expect(bytesIn(text)).toBe(bytes));

  it("raised: rounded up, beyond a day, and never without bounds", () => {
    expect(raisedTime("12:00:00", 2.5)).toBe("30:00:00");
    expect(raisedTime("10", 1.1)).toBe("00:00:11");
    expect(raisedTime("1:00", 1)).toBeUndefined();
    expect(raisedMemory("4gb", 1.5)).toBe("6gb");
    expect(raisedMemory("1000mb", 1.1)).toBe("1100mb");
    expect(raisedMemory("999kb", 1.5)).toBe("1499kb");
    expect(timeText(360_000)).toBe("100:00:00");
  });
});

const site = (more: Partial<Site> = {}): Site => ({
  flavour: "openpbs",
  engineArgs: [],
  shell: "/bin/sh",
  environment: {},
  ...more,
});
const plan = (text: string, more: Partial<Site> = {}, scale: Scale = {}, folderName = "a job") =>
  planOf({ folderName, text }, site(more), scale);

describe("the plan", () => {
  it("a job is not started again by PBS unless it asks for that", () => {
    expect(plan("echo\n").args).toEqual(["-r", "n", "-S", "/bin/sh"]);
    expect(plan("#PBS -r y\necho\n").args).toEqual(["-r", "y", "-S", "/bin/sh"]);
    expect(plan("echo\n").identity.restart).toBe("0");
  });

  it.each([
    ["openpbs", "#PBS -J 0-1\n", "y"],
    ["openpbs", "#PBS -r n\n#PBS -J 0-1\n", "n"],
    ["torque", "#PBS -t 0-1\n", "n"],
  ] as const)("%s: whether it may start an array again, %j: %s", (flavour, text, may) =>
    expect(plan(text, { flavour }).args.slice(0, 2)).toEqual(["-r", may]),
  );

  it("where it may be started again, its starts are counted, of each task for itself", () => {
    const folder = makeFolder();
    const records = join(folder, "it's $x", ".jobmgr", "attempt-t");
    mkdirSync(records, { recursive: true });
    const { restart } = plan("#PBS -r y\n").identity;
    const starts = (env: NodeJS.ProcessEnv = {}) => {
      const script = `jm_token=t; jm_folder=$1; jm_restart=${restart} jm_id=a; echo "$jm_restart"`;
      return execFileSync("sh", ["-c", script, "sh", join(folder, "it's $x")], { env, encoding: "utf8" }).trim();
    };
    expect(starts()).toBe("0");
    for (const name of ["started", "started-r1", "started.1"]) writeFileSync(join(records, name), "");
    expect(starts()).toBe("2");
    expect(starts({ PBS_ARRAY_INDEX: "1" })).toBe("1");
    expect(starts({ PBS_ARRAYID: "0" })).toBe("0");
  });

  it.each([
    ["openpbs", "#PBS -J 0-1\n", [0, 1], ["a_job.o%j.%t", "a_job.e%j.%t"]],
    ["torque", "#PBS -t 0-1\n#PBS -j oe\n", [0, 1], ["a_job.o%j-%t"]],
    ["openpbs", "#PBS -j eo\n", [], ["a_job.e%j"]],
    ["openpbs", "#PBS -o out.txt -e node7:err.txt\n", [], ["out.txt"]],
    ["slurm", "#PBS -o out.txt\n", [], ["a_job.o%j", "a_job.e%j"]],
  ] as const)("%s: tasks and outputs of %j", (flavour, text, tasks, outputs) => {
    expect(plan(text, { flavour })).toMatchObject({ tasks, outputs });
  });

  it.each([
    ["a job", "", "a_job"],
    ["1st", "", "j1st"],
    ["\u{1f600}", "", "j_"],
    ["n".repeat(255), "", "n".repeat(15)],
    ["a", "#PBS -N own\n", "own"],
  ])("the name of %j with %j is %s", (folder, text, name) => expect(plan(text, {}, {}, folder).jobName).toBe(name));

  it("more is asked for by the kind, and all of -l is said again", () => {
    const text = "#PBS -l select=2:ncpus=4:mem=8gb\n#PBS -l walltime=1:00:00\n";
    const raised = plan(text, {}, { memory: 2, time: 2 });
    expect(raised.args.slice(-2)).toEqual(["-l", "select=2:ncpus=4:mem=16gb,walltime=02:00:00"]);
    expect(raised.raised).toEqual([
      "-l walltime=02:00:00 instead of 1:00:00",
      "-l select=2:ncpus=4:mem=16gb instead of 2:ncpus=4:mem=8gb",
    ]);
    expect(raised.timeS).toBe(7200);
  });

  it.each([
    ["#PBS -I\n", "-I"],
    ["#PBS -z\n", "-z"],
    ["#PBS -W block=true\n", "-W block"],
    ["#PBS -t 0-3\n", "OpenPBS takes -J"],
    ["#PBS -J 3-0\n", "-J 3-0"],
  ])("refuses %j", (text, why) => expect(() => plan(text)).toThrow(why));

  it("refuses arrays where they could not be followed", () => {
    expect(() => plan("#PBS -J 0-3\n", { flavour: "slurm" })).toThrow("SlurmEngine");
    expect(() => plan("#PBS -J 0-3\n", { flavour: "torque" })).toThrow("Torque takes -t");
  });

  it("hands nothing to Slurm's qsub that means something to a shell, or to sbatch, which reads the runner", () => {
    const text = "#SBATCH --array=0-3\n#BSUB -J a\n#PBS -N $(id)\n#PBS -l walltime=60,proc='a b'\n# a comment\necho\n";
    const { jobName, directives, raised } = plan(text, { flavour: "slurm" }, { time: 2 });
    expect({ jobName, directives, raised }).toEqual({
      jobName: "j_id_",
      directives: "#PBS -N $(id)\n#PBS -l walltime=60,proc='a b'\n",
    });
    expect(() => checkEngineArgs(["-q", "a b"], "slurm")).toThrow("-e SlurmEngine");
    expect(() => checkEngineArgs(["-A", "$(id)"], "slurm")).toThrow("-e SlurmEngine");
    expect(() => plan("#PBS --array=0-3\n", { flavour: "slurm" })).toThrow("--array=0-3");
  });

  it("tells of a shell that is not used", () => {
    expect(plan("#PBS -S /usr/bin/python3\nprint()\n").ignored).toEqual(["-S /usr/bin/python3"]);
    expect(plan("#!/usr/bin/python3\n#PBS -S /bin/csh\n").ignored).toEqual([]);
  });

  it("tells of outputs that go elsewhere, where Slurm's own qsub is told of its own", () => {
    expect(plan("#PBS -o log -e err\n", { flavour: "slurm" }).ignored).toEqual(["-o log", "-e err"]);
    expect(plan("#PBS -o log -e err\n").ignored).toEqual([]);
  });

  it("refuses arguments that no job could be submitted with", () => {
    expect(() => checkEngineArgs(["-q", "big", "-lwalltime=5"], "openpbs")).not.toThrow();
    expect(() => checkEngineArgs(["-z"], "openpbs")).toThrow("-z");
    expect(() => checkEngineArgs(["big"], "openpbs")).toThrow("no option of qsub");
    expect(() => checkEngineArgs(["-C", "%%"], "openpbs")).toThrow("must begin with #");
  });

  it("refuses a job of another server, which would be lost from sight, and whose absence would hold up all others", () => {
    expect(() => plan("#PBS -q big@there\n")).toThrow("-q big@there, but jobs of another server cannot be followed");
    expect(() => checkEngineArgs(["-q", "@there"], "torque")).toThrow("--engine-arg asks for -q @there");
  });
});

describe("the lines for what a program asks for", () => {
  const request = { nodes: 2, cpus: 8, gpus: 2, memoryB: 2 ** 33, timeLimitS: 90_000, output: "my out.txt" };
  it("OpenPBS: chunks", () =>
    expect(directivesFor(request, "openpbs")).toEqual([
      "#PBS -l select=2:ncpus=4:mpiprocs=4:ngpus=1:mem=4gb",
      "#PBS -l place=scatter",
      "#PBS -l walltime=25:00:00",
      "#PBS -o 'my out.txt'",
      "#PBS -j oe",
    ]));
  it("Torque: nodes and ppn", () =>
    expect(directivesFor({ ...request, error: "err.txt" }, "torque")).toEqual([
      "#PBS -l nodes=2:ppn=4:gpus=1",
      "#PBS -l mem=8gb",
      "#PBS -l walltime=25:00:00",
      "#PBS -o 'my out.txt'",
      "#PBS -e 'err.txt'",
    ]));
  it("no output that PBS would take for one on another machine", () =>
    expect(() => directivesFor({ output: "log", error: "a:b" }, "torque")).toThrow(/cannot be told of an output a:b/));
  it("nothing for nothing", () => expect(directivesFor({}, "openpbs")).toEqual([]));
  it.each(["openpbs", "torque"] as const)("%s: they are read as they were meant", (flavour) => {
    const options = pbsOptions(directivesFor(request, flavour).join("\n"), [], "#PBS");
    expect(askedOf(options)).toMatchObject({ cpus: "8", gpus: "2", nodes: "2", time: "25:00:00" });
    expect(options.values.o).toBe("my out.txt");
  });
});
