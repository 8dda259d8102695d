/** What each kind of launcher is started with. */
import { describe, expect, it } from "vitest";
import { type KnownLauncher, linesOf, planOf } from "../../../src/launch/command.ts";
import type { Program } from "../../../src/launch/program.ts";

const known = (more: Partial<KnownLauncher> & Pick<KnownLauncher, "kind">): KnownLauncher => ({
  name: "site",
  executable: more.kind === "srun" ? "srun" : "mpiexec",
  version: 4,
  ...more,
});
const lines = (launcher: KnownLauncher, programs: readonly Program[], label = false) =>
  linesOf(planOf(launcher, programs, label));
const A: Program = { argv: ["a", "x y"], processes: 2 };
const B: Program = { argv: ["b", ""] };

describe("the command line", () => {
  it("quotes what a shell would read otherwise, and nothing else", () => {
    expect(lines(known({ kind: "mpich" }), [{ argv: ["echo", "Hello, world!", "it's", ""] }])).toEqual([
      "mpiexec echo 'Hello, world!' 'it'\\''s' ''",
    ]);
  });

  it("has each program behind a colon, with a process where no number is given", () => {
    expect(lines(known({ kind: "openmpi" }), [A, { ...B, options: ["--bind-to", "core"] }])).toEqual([
      "mpiexec -n 2 a 'x y' : -n 1 --bind-to core b ''",
    ]);
  });

  it.each([
    [{ kind: "openmpi", cores: 1 }, "mpiexec --oversubscribe -n 2 a 'x y'"],
    [{ kind: "openmpi", cores: 2 }, "mpiexec -n 2 a 'x y'"],
    [{ kind: "openmpi" }, "mpiexec -n 2 a 'x y'"],
    [{ kind: "mpich", cores: 1 }, "mpiexec -n 2 a 'x y'"],
  ] as const)("asks Open MPI for more processes than %j has cores, where it is alone", (launcher, line) => {
    expect(lines(known(launcher), [A])).toEqual([line]);
  });

  it("of srun for several programs names a file with a line for each", () => {
    expect(
      lines(known({ kind: "srun" }), [{ ...A, options: ["--exact"] }, B, { argv: ["it's"], processes: 3 }]),
    ).toEqual([
      "srun --quit-on-interrupt -n 6 --exact --multi-prog MULTI_PROG",
      "# MULTI_PROG:",
      "0-1 a 'x y'",
      "2 b ''",
      "3-5 'it'\\''s'",
    ]);
  });

  it("of copies is a line for each, with its rank", () => {
    expect(lines(known({ kind: "local", executable: "" }), [A, B])).toEqual([
      "RANK=0 SIZE=3 a 'x y'",
      "RANK=1 SIZE=3 a 'x y'",
      "RANK=2 SIZE=3 b ''",
    ]);
  });

  it("has a colon as an argument where no launcher reads the words", () => {
    const colon: Program = { argv: ["a", ":", "b"] };
    expect(lines(known({ kind: "local", executable: "" }), [colon])).toEqual(["RANK=0 SIZE=1 a : b"]);
    expect(lines(known({ kind: "srun" }), [colon, B])).toContain("0 a : b");
  });

  it("has what is configured: default options once, preset options before each program, the number as it is told", () => {
    const site = known({
      kind: "other",
      executable: "/opt/run",
      defaultOptions: ["--total=%(np)d", "100%%"],
      presetOptions: ["-c", "%(np)d"],
      processesFlag: "--tasks=%(np)d",
    });
    expect(lines(site, [A, B])).toEqual(["/opt/run --total=3 100% --tasks=2 -c 2 a 'x y' : --tasks=1 -c 1 b ''"]);
    expect(lines(known({ kind: "other", processesFlag: "-np" }), [A])).toEqual(["mpiexec -np 2 a 'x y'"]);
  });

  it.each<[Partial<KnownLauncher> & Pick<KnownLauncher, "kind">, string]>([
    [{ kind: "openmpi", version: 4 }, "mpiexec --tag-output -n 2 a 'x y'"],
    [{ kind: "openmpi", version: 5 }, "mpiexec --output tag -n 2 a 'x y'"],
    [{ kind: "mpich" }, "mpiexec -prepend-rank -n 2 a 'x y'"],
    [{ kind: "srun" }, "srun --quit-on-interrupt --label -n 2 a 'x y'"],
  ])("asks for labels in the launcher's own way: %j", (launcher, line) => {
    expect(lines(known(launcher), [A], true)).toEqual([line]);
  });

  it.each<[Partial<KnownLauncher> & Pick<KnownLauncher, "kind">, Program[], boolean, RegExp]>([
    [{ kind: "other" }, [A], true, /--label: how site is told to label its output is not known/],
    [{ kind: "openmpi", defaultOptions: ["-N", "%(np)d"] }, [B], false, /needs the number of processes: -n/],
    [{ kind: "openmpi", defaultOptions: ["%(nodes)d"] }, [A], false, /there is no %\(nodes\)d; there is %\(np\)d/],
    [{ kind: "srun" }, [A, { ...B, options: ["--mem=1"] }], false, /--mem=1: of several programs srun takes options/],
    [{ kind: "srun" }, [A, { argv: ["b", "x\ny"] }], false, /a newline, which srun cannot be told/],
    [{ kind: "openmpi" }, [{ argv: ["a", ":", "b"] }], false, /a has an argument ":".*site takes for the end.*script/],
    [{ kind: "mpich" }, [A, { argv: ["b", ":"] }], false, /b has an argument ":"/],
    [{ kind: "srun" }, [{ argv: ["a"], options: [":"] }], false, /a has an argument ":"/],
    [{ kind: "srun" }, [A, { argv: Array(200).fill("x") }], false, /more arguments than srun can be told/],
    [{ kind: "local" }, [{ ...A, options: ["--bind-to"] }], false, /--bind-to: copies of this machine/],
    [
      { kind: "local" },
      [A, { argv: ["b"], processes: 99_999 }],
      false,
      /-n 100001: at most 4096 copies.*--backend mpi/,
    ],
    [{ kind: "openmpi" }, [{ argv: ["--version"] }], false, /--version would be taken for an option.*\.\/--version/],
    [{ kind: "openmpi" }, [A, { ...B, options: ["x\0"] }], false, /null character/],
    [{ kind: "openmpi" }, [{ argv: [] }], false, /a program is missing/],
    [{ kind: "openmpi" }, [{ argv: ["a"], processes: 1e9 }], false, /-n 1000000000: it must be a whole number/],
  ])("is not made of what it cannot say: %#", (launcher, programs, label, sentence) => {
    expect(() => lines(known(launcher), programs, label)).toThrow(sentence);
  });
});
