/** What qsub reads of a script: each row was read off `qsub -verify` of Grid Engine 8.1.9. */
import { describe, expect, it } from "vitest";
import { sgeDialect } from "../../engines/sge/dialect.ts";
import { directivesFor } from "../../engines/sge/directives.ts";
import { canWaitFor, placeArgs } from "../../engines/sge/plan.ts";
import { remarksOn } from "../../engines/sge/remarks.ts";
import { givenInArgs, givenInScript, optionsOf, prefixIn } from "../../engines/sge/script.ts";
import type { Attempt, Handle, Scale } from "../../src/engine.ts";

const read = (text: string, args: readonly string[] = []) =>
  optionsOf([...givenInScript(text, prefixIn(args)), ...givenInArgs(args)]);

const plan = (text: string, scale: Scale = {}, engineArgs: readonly string[] = [], folderName = "a job") =>
  sgeDialect.plan({ folderName, text }, { engineArgs, shell: "/bin/sh" }, scale);

describe("a script's directives", () => {
  it.each([
    ['#$ -N "my name" -j y', { N: "my name -j y" }],
    ["#$ -N 'a' # comment", { N: "a" }],
    ["#$-N x1", { N: "x1" }],
    [" #$ -N x2", {}],
    ["##$ -N dd", {}],
    ["#$# -N ee", {}],
    ["#$ # -N q", {}],
    ["#$ -N a#b -j y", { N: "a" }],
    ["echo hi\n#$ -N late", { N: "late" }],
    ["cat <<E\n#$ -N heredoc\nE", { N: "heredoc" }],
    ['#$ -N a"b c"d -j y', { N: "ab cd -j y" }],
    ["#$\n#$ \n#$ -N tt\t-j  y", { N: "tt", j: "y" }],
    ["#$ -o a -o b -j y -j n", { o: "b", j: "n" }],
    ["#$ -cwd -wd /tmp", { wd: "/tmp" }],
    ["#$ -p -5 -P proj -A acc", { p: "-5", P: "proj", A: "acc" }],
    ["#$ -pe smp 4-8 -q all.q", { pe: "smp 4-8", q: "all.q" }],
    ["#$ -N old -clear -j y", { j: "y" }],
  ])("%j", (text, values) => {
    expect(read(text).values).toEqual(values);
  });

  it.each([
    ["#$ -l h_rt=60\n#$ -l h_rt=70,h_vmem=2G", { h_rt: "70", h_vmem: "2G" }],
    ["#$ -l h_rt=10,mem_free=1G -l h_rt=30 -l gpu=1", { h_rt: "30", mem_free: "1G", gpu: "1" }],
    ["#$ -soft -l h_rt=10 -hard -l h_vmem=2G", { h_vmem: "2G" }],
    ["#$ -l h_rt", { h_rt: "TRUE" }],
  ])("%j", (text, resources) => {
    expect(read(text).resources).toEqual(resources);
  });

  it("begin with what -C of the command line says, and with nothing if that is empty", () => {
    const text = "#$ -N x6\n#% -N x7\n";
    expect(read(text, ["-C", "#%"]).values).toMatchObject({ N: "x7" });
    expect(read(text, ["-C", ""]).values.N).toBeUndefined();
    expect(read(text, ["-C", "#%", "-C", ""]).values.N).toBe("x7");
    expect(read(text, ["-N", "-C"]).values.N).toBe("-C");
    expect(read('#$ -C "#%"\n#% -N x5\n').values.N).toBeUndefined();
  });

  it("lose to the command line, each resource by itself", () => {
    const text = "#$ -N x3 -l h_rt=10,h_vmem=1G\n";
    expect(read(text, ["-N", "cmd", "-l", "h_vmem=3G"])).toEqual({
      values: { N: "cmd" },
      resources: { h_rt: "10", h_vmem: "3G" },
    });
  });
});

describe("the plan", () => {
  it("keeps all directives at the head of the runner, and no line of it begins like one by chance", () => {
    const { directives, args, shell } = plan("#!/bin/bash\n#$ -N mine\necho\n#$ -l h_rt=60\n");
    expect(directives.split("\n").slice(0, 2)).toEqual(["#$ -N mine", "#$ -l h_rt=60"]);
    expect(args).toEqual(["-N", "mine"]);
    expect(shell).toBe("/bin/bash");
    const odd = plan("echo\n", {}, [], "x\n#$ -sync y\n$HOME");
    expect(odd.directives.split("\n").filter((line) => line.startsWith("#$"))).toEqual([]);
    expect(odd.outputs).toEqual(["job_output.txt"]);
  });

  it("names a job by its folder where job.sh does not, as Grid Engine takes it", () => {
    expect(plan("echo\n", {}, [], "1 odd:name/*").jobName).toBe("job1_odd_name_");
    expect(plan("echo\n", {}, [], "mesh-3").jobName).toBe("mesh-3");
  });

  it.each([
    ["", ["mesh.o%j", "mesh.e%j"]],
    ["#$ -j y", ["mesh.o%j"]],
    ["#$ -o out.$JOB_ID -e logs/", ["out.%j", "logs/mesh.e%j"]],
    ["#$ -t 1-3", ["mesh.o%j.%t", "mesh.e%j.%t"]],
    ["#$ -t 1-3 -o $JOB_NAME.$TASK_ID -j yes", ["mesh.%t"]],
    ["#$ -o $HOME/out -e host:/tmp/x", []],
    ["#$ -o :a:b.$JOB_ID -j y", ["a:b.%j"]],
    ["#$ -o /dev/null", ["mesh.e%j"]],
  ])("knows the names of outputs: %j", (text, outputs) => {
    expect(plan(text, {}, [], "mesh").outputs).toEqual(outputs);
  });

  it.each([
    ["3", [3]],
    ["1-10:3", [1, 4, 7, 10]],
    ["5-2", [2, 3, 4, 5]],
  ])("reads -t %s", (range, tasks) => {
    expect(plan(`#$ -t ${range}\n`).tasks).toEqual(tasks);
  });

  it.each([
    ...[
      "-sync y",
      "-b yes",
      "-now y",
      "-verify",
      "-w v",
      "-w p",
      "-t 0-4",
      "-t 1,3",
      "-t 1-9999999",
      "-t x",
      '-N "a b"',
      '-N "a b" -j y',
      "-N mésh",
    ],
  ])("refuses %s", (option) => {
    expect(() => plan(`#$ ${option}\n`)).toThrow(/^job\.sh asks for -/);
  });

  it.each([[["-sync", "y"]], [["-wd", "/tmp"]], [["-cwd"]], [["all.q"]]])("refuses --engine-arg %j", (args) => {
    expect(() => sgeDialect.checkEngineArgs(args)).toThrow("--engine-arg");
  });

  it("refuses directives that sh would run, for they stand at the head of the runner", () => {
    expect(() => sgeDialect.checkEngineArgs(["-C", "touch"])).toThrow("must begin with #");
    for (const prefix of ["#%", "#", ""]) expect(() => sgeDialect.checkEngineArgs(["-C", prefix])).not.toThrow();
  });

  it("takes what does no harm", () => {
    expect(() => plan("#$ -sync n -b n -now no -w e -cwd -V -notify -r y\n")).not.toThrow();
    expect(() => sgeDialect.checkEngineArgs(["-q", "all.q", "-pe", "smp", "4", "-V"])).not.toThrow();
  });

  it("tells what is asked for, and what is not honoured", () => {
    const { asked, timeS, ignored } = plan(
      "#!/bin/bash\n#$ -l h_rt=1:0:0,h_vmem=4G -pe smp 8 -q long.q\n#$ -S /bin/csh -wd /tmp\n",
    );
    expect(asked).toEqual({ time: "1:0:0", memory: "4G", cpus: "8", partition: "long.q" });
    expect(timeS).toBe(3600);
    expect(ignored).toEqual(["-S /bin/csh", "-wd /tmp"]);
    expect(plan("#!/bin/bash\n#$ -S /bin/bash -cwd -wd .\n").ignored).toEqual([]);
  });

  it("asks for more of what is asked for", () => {
    const raised = plan("#$ -l h_rt=18:0:0,h_vmem=1.5G\n", { time: 2, memory: 2 });
    expect(raised.args).toEqual(["-l", "h_rt=36:00:00", "-l", "h_vmem=3G", "-N", "a_job"]);
    expect(raised.raised).toEqual(["-l h_rt=36:00:00 instead of 18:0:0", "-l h_vmem=3G instead of 1.5G"]);
    expect(raised.timeS).toBe(129_600);
    expect(plan("#$ -l h_rt=INFINITY\n", { time: 2 }).raised).toBeUndefined();
  });
});

describe("qsub is told", () => {
  it("where a job runs, but for a folder whose name Grid Engine would change", () => {
    expect(placeArgs({ folder: "/r/pending/a b" })).toEqual(["-wd", "/r/pending/a b"]);
    expect(placeArgs({ folder: "/r/pending/a\nb" })).toEqual(["-wd", "/r/pending", "-o", "/dev/null", "-j", "y"]);
    expect(placeArgs({ folder: "/r$USER/pending/a$HOME" })[1]).toBe("/");
  });

  it("when it is to check, to start nothing, whatever --engine-arg says", () => {
    const args = ["-w", "e", "-q", "all.q"];
    const attempt = { folder: "/r/pending/a", runner: "/r/run.sh", plan: plan("true\n", {}, args) } as Attempt;
    const submitted = sgeDialect.submitArgs(attempt);
    const checked = sgeDialect.checkQuestion?.(attempt)?.args;
    expect(checked).toEqual([...submitted.slice(0, -1), "-w", "v", "/r/run.sh"]);
  });

  it("what makes a job one of jobmgr's behind --engine-arg, which might undo it", () => {
    const args = ["-S", "/bin/csh", "-clear"];
    const attempt = { folder: "/r/pending/a", runner: "/r/run.sh", plan: plan("true\n", {}, args) } as Attempt;
    const { values } = read("", sgeDialect.submitArgs(attempt).slice(0, -1));
    expect(values).toMatchObject({ S: attempt.plan.shell, N: "a_job", terse: "", b: "n", wd: "/r/pending/a" });
  });

  it("to wait for other jobs only where their end is enough, and job.sh says nothing of that", () => {
    const one = (needs: "end" | "success") => [{ handle: "7" as Handle, needs, token: "t" as never }];
    expect(canWaitFor(plan("echo\n"), one("end") as never)).toBe(true);
    expect(canWaitFor(plan("echo\n"), one("success") as never)).toBe(false);
    expect(canWaitFor(plan("#$ -hold_jid 5\n"), one("end") as never)).toBe(false);
  });

  it("what programs ask for, in lines that it reads as they are meant", () => {
    const lines = directivesFor({
      cpus: 4,
      gpus: 1,
      memoryB: 8 * 1024 ** 3,
      timeLimitS: 90_000,
      output: "my out",
      error: 'a"b',
    });
    expect(lines).toEqual([
      "#$ -pe smp 4",
      "#$ -l gpu=1",
      "#$ -l h_vmem=2G",
      "#$ -l h_rt=90000",
      '#$ -o "my out"',
      "#$ -e 'a\"b'",
    ]);
    expect(read(lines.join("\n")).values).toMatchObject({ pe: "smp 4", o: "my out", e: 'a"b' });
    expect(directivesFor({ nodes: 2, output: "out" })).toEqual(["#$ -pe mpi 2", "#$ -o out", "#$ -j y"]);
    expect(directivesFor({ output: "a:b", error: "c: d" })).toEqual(["#$ -o :a:b", '#$ -e ":c: d"']);
    for (const output of ["a,b", "$HOME.txt"])
      expect(() => directivesFor({ output })).toThrow(`cannot be told of an output ${output}`);
  });
});

describe("remarks", () => {
  it.each([
    ["#SBATCH --time=5", /directive of another scheduler/],
    ["#$ -bogus x", /is no option of qsub/],
    ["#$ -N", /-N needs a value/],
    ['#$ -N "a b" -j y', /all that follows a quote/],
    ["#!/bin/bash\n#$ -S /bin/csh", /-S \/bin\/csh is not honoured/],
  ])("of %j", (text, remark) => {
    expect(remarksOn(text).join("\n")).toMatch(remark);
  });

  it("of a good script there are none", () => {
    expect(remarksOn('#!/bin/bash\n#$ -S /bin/bash -cwd -j y\n#$ -l h_rt=60\n#$ -N "a b"\n')).toEqual([]);
  });
});
