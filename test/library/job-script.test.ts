/** What a program asks for becomes a job.sh, and nothing of it is executed that is no command. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { RequestError } from "../../bin/library.ts";
import { EngineError } from "../../src/engine-error.ts";
import type { JobRequest } from "../../src/library/api.ts";
import {
  checkRequest,
  directivesOf,
  engineRequest,
  scriptOfCommands,
  scriptWith,
} from "../../src/library/job-script.ts";

const request = (more: Partial<JobRequest> = {}): JobRequest => ({ name: "a", commands: ["true"], ...more });

function run(script: string): string {
  const folder = mkdtempSync(join(tmpdir(), "jobmgr-test-"));
  try {
    writeFileSync(join(folder, "job.sh"), script, { mode: 0o755 });
    return execFileSync(join(folder, "job.sh"), { cwd: folder, encoding: "utf8", env: { ...process.env, GONE: "no" } });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("the environment of a job", () => {
  const DOLLAR = "$";
  const ODD = {
    PLAIN: "a",
    NUMBER: 8,
    EMPTY: "",
    QUOTES: `'"\\`,
    COMMANDS: `$(touch here); \`touch here\` ${DOLLAR}{HOME} && touch here`,
    LINES: "one\n#SBATCH --time=1\n#PBS -l x\n#$ -N y\n",
    BLANKS: "  a  b  ",
    LETTERS: "\u00e4\u{1f600}",
  };
  const print = (name: string) => `printf '%s\\0' "$${name}"`;

  it("has its values as they are, whatever is in them", () => {
    const names = Object.keys(ODD);
    const script = scriptOfCommands(request({ commands: names.map(print), env: ODD }), []);
    expect(run(script).split("\0").slice(0, -1)).toEqual(Object.values(ODD).map(String));
    expect(script).not.toMatch(/^#(SBATCH|PBS|\$)/m);
  });

  it("lacks what is null, and has nothing that was not asked for", () => {
    const commands = [`echo ${DOLLAR}{GONE-unset} ${DOLLAR}{jobmgr_newline-unset}`];
    expect(run(scriptOfCommands(request({ commands, env: { GONE: null, LINES: "\n" } }), []))).toBe("unset unset\n");
  });

  it.each(["", "1A", "A-B", "A=B", "A\nB", "PATH;touch x"])("has no variable of the name %j", (name) => {
    expect(() => scriptOfCommands(request({ env: { [name]: "x" } }), [])).toThrow(RequestError);
  });

  it("is not for a script that no shell reads", () => {
    const env = { A: "1" };
    expect(() => scriptWith(request({ env }), "#!/usr/bin/python3\nprint(1)\n", [])).toThrow(/shell/);
    expect(() => scriptWith(request({ env }), "#!/usr/bin/env -S python3 -u\nprint(1)\n", [])).toThrow(/shell/);
    const heads = ["", "#!/bin/sh\n", "#!/usr/bin/env bash\n", "#!/bin/bash -l\n", "#! /bin/dash\n"];
    for (const head of [...heads, "#!/usr/bin/env -S bash -eu\n", "#!/usr/bin/env -S A=2 ksh\n"])
      expect(scriptWith(request({ env }), `${head}echo $A\n`, [])).toContain("export A='1'\necho");
  });
});

describe("the commands of a job", () => {
  it("stop at the first one that fails, with its exit code", () => {
    const script = scriptOfCommands(request({ commands: ["echo one", "(exit 7)", "echo two"] }), []);
    expect(() => run(script)).toThrow(expect.objectContaining({ status: 7, stdout: "one\n" }));
  });

  it("may have several lines", () => {
    expect(run(scriptOfCommands(request({ commands: ["for i in 1 2\ndo echo $i\ndone"] }), []))).toBe("1\n2\n");
  });
});

describe("lines for the engine", () => {
  const engine = { name: "AnEngine", directives: () => ["#X 1"] };

  it("stand at the head, behind those that are there, so that they count", () => {
    const text = "#!/bin/sh\n#X 0\n\n# a comment\necho '\n#X 2'\n";
    expect(scriptWith(request({ env: { A: "b" } }), text, ["#X 1"])).toBe(
      "#!/bin/sh\n#X 0\n\n# a comment\n#X 1\nexport A='b'\necho '\n#X 2'\n",
    );
    expect(scriptWith(request(), "#!/bin/sh", ["#X 1"])).toBe("#!/bin/sh\n#X 1\n");
    expect(scriptWith(request(), "echo\n", ["#X 1"])).toBe("#X 1\necho\n");
  });

  it("leave a script alone where there are none", () => {
    const text = "#!/usr/bin/python3\nprint(1)";
    expect(scriptWith(request(), text, [])).toBe(text);
  });

  it("are the engine's, then the program's own", async () => {
    const mute = async () => ({ name: "Mute" });
    expect(await directivesOf(request({ cpus: 1, directives: ["#X 2"] }), async () => engine)).toEqual([
      "#X 1",
      "#X 2",
    ]);
    await expect(directivesOf(request({ cpus: 1 }), mute)).rejects.toThrow(/Mute does not say.*cpus/);
    for (const odd of ["rm -rf x", "#X\nrm", "", "#"])
      await expect(directivesOf(request({ directives: [odd] }), mute)).rejects.toThrow(RequestError);
  });

  it("need no engine where there is nothing to ask it for", async () => {
    const absent = () => Promise.reject(new Error("not here"));
    expect(await directivesOf(request({ directives: ["#X 2"] }), absent)).toEqual(["#X 2"]);
    await expect(directivesOf(request({ cpus: 1 }), absent)).rejects.toThrow("not here");
  });
});

describe("what is asked for", () => {
  it("is counted in bytes and seconds", () => {
    expect(engineRequest(request({ memory: "1.5G", timeLimitS: 90_000, cpus: 4, nodes: 2, gpus: 0 }))).toEqual({
      memoryB: 1.5 * 2 ** 30,
      timeLimitS: 90_000,
      cpus: 4,
      nodes: 2,
    });
    for (const [memory, bytes] of [
      [1e9, 1e9],
      ["512", 512],
      ["3 kb", 3 * 2 ** 10],
      ["2MiB", 2 * 2 ** 20],
      ["1T", 2 ** 40],
    ] as const)
      expect(engineRequest(request({ memory })).memoryB).toBe(bytes);
  });

  it.each<Partial<JobRequest>>([
    { cpus: 0 },
    { cpus: 1.5 },
    { cpus: Number.NaN },
    { nodes: -1 },
    { gpus: -1 },
    { memory: "lots" },
    { memory: 0 },
    { memory: "4G4" },
    { timeLimitS: 0 },
    { timeLimitS: Number.POSITIVE_INFINITY },
    { output: "/etc/passwd" },
    { output: "../out" },
    { output: "job_hold/out" },
    { output: "job_output.txt/out" },
    { output: "a/../../b" },
    { output: "" },
    { output: "job_error.txt" },
    { output: ".jobmgr/x" },
    { output: "a\n#SBATCH --wrap=x" },
    { error: `a"b` },
    { error: " a" },
  ])("is refused where it is none: %j", (more) => {
    expect(() => engineRequest(request(more))).toThrow(RequestError);
  });

  it.each<JobRequest>([
    { name: "", commands: ["x"] },
    { name: "a/b", commands: ["x"] },
    { name: ".a", commands: ["x"] },
    { name: "-a", commands: ["x"] },
    { name: "a" },
    { name: "a", commands: [] },
    { name: "a", commands: ["x"], script: "x" },
    { name: "a", commands: ["x"], ifThere: "maybe" as "adopt" },
  ])("is no job: %j", (odd) => {
    expect(() => checkRequest(odd)).toThrow(RequestError);
  });

  it.each<[unknown, RegExp]>([
    [undefined, /a job must be an object/],
    [{ name: "a", commands: "echo" }, /commands of a job must be a list of texts/],
    [{ name: "a", commands: ["x", 1] }, /commands of a job must be a list of texts/],
    [{ name: "a", commands: ["x"], timelimits: 3 }, /a job has no "timelimits"\. Did you mean timeLimitS\?/],
    [{ name: "a", commands: ["x"], toString: 3 }, /a job has no "toString"/],
    [{ name: "a", folder: 1 }, /folder of a job must be a text/],
    [{ name: "a", commands: ["x"], after: "b" }, /after of a job must be a list of jobs or their names/],
    [{ name: "a", commands: ["x"], after: [Promise.resolve()] }, /after of a job must be a list/],
    [{ name: "a", commands: ["x"], env: ["A=1"] }, /env of a job must be an object/],
    [{ name: "a", commands: ["x"], directives: "#X" }, /directives of a job must be a list of texts/],
  ])("is no job of a program without types: %j", (odd, sentence) => {
    expect(() => checkRequest(odd as JobRequest)).toThrow(RequestError);
    expect(() => checkRequest(odd as JobRequest)).toThrow(sentence);
  });

  it("is refused with the engine's own words where it can never have it", async () => {
    const refusing = {
      name: "Small",
      directives: () => {
        throw new EngineError("refused", "It has one node.");
      },
    };
    await expect(directivesOf(request({ nodes: 2 }), async () => refusing)).rejects.toThrow("It has one node.");
  });

  it("is text, and no Windows one", () => {
    expect(() => scriptOfCommands(request({ commands: ["echo\r\n"] }), [])).toThrow(/CRLF/);
    expect(() => scriptOfCommands(request({ commands: ["echo \0"] }), [])).toThrow(/NUL/);
  });
});
