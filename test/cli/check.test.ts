/** `jobmgr check`, word for word; and that it leaves nothing behind. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { jobmgr, makeFolder, makeRoot, runToEnd, type TestRoot } from "../harness.ts";
import { transcript, type Where } from "./transcript.ts";

const LOCAL = ["-e", "LocalEngine"];

/** A folder beside the root, with these files. */
function makeJob(root: TestRoot, name: string, files: string | Readonly<Record<string, string | Buffer>>): string {
  const folder = join(dirname(root.path), "work", name);
  fill(folder, files);
  return folder;
}

function fill(folder: string, files: string | Readonly<Record<string, string | Buffer>>): void {
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of Object.entries(typeof files === "string" ? { "job.sh": files } : files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
}

/** The lines that are said of this folder, without its name. */
async function said(folder: string, args: readonly string[] = LOCAL, env: NodeJS.ProcessEnv = {}) {
  const { code, stdout, stderr } = await jobmgr(["check", ...args, folder], { cwd: dirname(folder), env });
  expect(stderr).toBe("");
  return {
    code,
    lines: stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.replace(`${folder}: `, "")),
  };
}

it.each<Where>(["terminal", "pipes"])("check, on %s", async (where) => {
  const root = await makeRoot("/tmp");
  root.drop("a-good", "#!/bin/bash\n#SBATCH --time=5\necho hi\n");
  root.drop("b-odd", {
    "job.sh":
      "#!/bin/bash\n#SBATCH --time=5 --mem=4G\n#SBATHC --nodes=2\n#SBATCH --tme=3\necho hi\n#SBATCH --ntasks=2\n",
    job_hold: "",
    "job_after.txt": "nobody\n",
    "data.csv.part": "",
  });
  root.drop("c-broken", "#!/bin/bash\nif true; then\n  echo hi\n");
  root.drop("d-empty", { data: "" });
  const calls = [
    ["check", ...LOCAL, "a-good", "b-odd", "c-broken", "d-empty"],
    ["check", ...LOCAL, "--json", "a-good", "c-broken"],
    ["check", ...LOCAL, "a-god"],
    ["check", ...LOCAL, "/no/such/folder", "a-good", "a-god"],
    ["check", ...LOCAL, "--json", "/no/such/folder", "a-good"],
    ["check"],
  ];
  await expect(await transcript(root, where, calls)).toMatchFileSnapshot(`golden/check-${where}.txt`);
});

type Case = readonly [string, string | Readonly<Record<string, string | Buffer>>, number, readonly RegExp[]];

/** What is in a folder, the exit code, and what is said of it. */
const CASES: readonly Case[] = [
  ["nothing", "echo hi\n", 0, [/^ok$/]],
  ["Windows line ends", "echo hi\r\n", 1, [/^error: job\.sh has Windows line ends .*sed -i/]],
  ["a byte order mark", "\ufeff#!/bin/sh\ntrue\n", 1, [/^error: .*byte order mark/]],
  ["a program", { "job.sh": Buffer.from("\x7fELF\0\0") }, 1, [/^error: .*NUL/]],
  ["an empty script", "", 1, [/^error: job\.sh is empty/]],
  ["a script of another name", { "run.sh": "true\n" }, 1, [/^error: it has no job\.sh\. Is it run\.sh\?/]],
  ["a folder in the folder", { "inner/job.sh": "true\n" }, 1, [/^error: it has no job\.sh\. There is one in inner\//]],
  [
    "an interpreter that is not here",
    "#!/no/such/python\n",
    0,
    [/^warning: .*\/no\/such\/python, which is not on this machine/],
  ],
  ["one that env does not find", "#!/usr/bin/env no-such-python\n", 0, [/^warning: .*no-such-python, which is not/]],
  ["two words for env", "#!/usr/bin/env bash -l\ntrue\n", 1, [/^error: .*env -S bash -l/]],
  [
    "a script that its shell cannot read",
    "#!/bin/sh\necho 'open\n",
    1,
    [/^error: sh cannot read job\.sh to its end: .*nterminated/],
  ],
  ["directives for Grid Engine", "#!/bin/sh\n#$ -l h_rt=1:0:0\ntrue\n", 0, [/^warning: Line 2, .*Grid Engine/]],
  ["directives in small letters", "#!/bin/sh\n#sbatch --time=5\ntrue\n", 0, [/^warning: Line 2, .*in capitals/]],
  [
    "directives that somebody has put out of force",
    "#!/bin/sh\n##SBATCH --time=5\n# a comment - really\ntrue\n",
    0,
    [/^ok$/],
  ],
  [
    "one option with two values",
    "#!/bin/sh\n#SBATCH -t 5\n#SBATCH --time=6\ntrue\n",
    0,
    [/^warning: --time is given more than once \("5", "6"\)/],
  ],
  ["a value that cannot be", "#!/bin/sh\n#SBATCH --time=soon\ntrue\n", 1, [/^error: job\.sh asks for --time=soon/]],
  [
    "an output outside",
    "#!/bin/sh\n#SBATCH --output=../x\ntrue\n",
    0,
    [/^warning: LocalEngine does not honour: --output=\.\.\/x/],
  ],
  [
    "an output in a folder that is not there",
    "#!/bin/sh\n#SBATCH --output=logs/x\ntrue\n",
    1,
    [/^error: Its output cannot go to logs\/x: there is no folder logs/],
  ],
  [
    "what it waits for, cancels it, or is wrong",
    { "job.sh": "true\n", job_cancel: "", "job_retry.txt": "tiems 3\n", "job_after.txt": "a/b\n" },
    1,
    [
      /^warning: it has a job_cancel/,
      /^error: job_after\.txt, line 1: "a\/b" is a path/,
      /^error: job_retry\.txt, line 1: .*Did you mean times/,
    ],
  ],
  [
    "a temporary name",
    { "job.sh": "true\n", "deep/er/.sftp-x": "" },
    1,
    [/^error: deep\/er\/\.sftp-x looks like an unfinished upload/],
  ],
];

describe("check finds in a folder", () => {
  it("all that the table above names, and nothing else", async () => {
    const work = makeFolder();
    for (const [at, [, files]] of CASES.entries()) fill(join(work, String(at)), files);
    // One call for all of them: Node takes longer to start than a folder to be checked.
    const { stdout } = await jobmgr(["check", ...LOCAL, "--json", ...[...CASES.keys()].map(String)], { cwd: work });
    const { checked } = JSON.parse(stdout) as { checked: { findings: { level: string; says: string }[] }[] };
    const told = CASES.map(([what, , code, patterns], at) => {
      const lines = (checked[at]?.findings ?? []).map(({ level, says }) => `${level}: ${says}`);
      const fits =
        patterns.length === Math.max(1, lines.length) && patterns.every((one, i) => one.test(lines[i] ?? "ok"));
      const isCode = lines.some((line) => line.startsWith("error")) === (code !== 0);
      return { what, lines: fits && isCode ? "as they should be" : lines };
    });
    expect(told).toEqual(CASES.map(([what]) => ({ what, lines: "as they should be" })));
  });

  it("links that lead out of it or nowhere, and not those that stay inside", async () => {
    const root = await makeRoot();
    const folder = makeJob(root, "job", { "job.sh": "true\n", "in/data": "" });
    symlinkSync("in/data", join(folder, "good"));
    symlinkSync("/etc/passwd", join(folder, "out"));
    symlinkSync("../..", join(folder, "in", "up"));
    symlinkSync("gone", join(folder, "dead"));
    const { code, lines } = await said(folder);
    expect(lines.sort()).toEqual([
      expect.stringMatching(/^warning: dead -> gone is a link that leads nowhere/),
      expect.stringMatching(/^warning: in\/up -> \.\.\/\.\. is a link that leads out/),
      expect.stringMatching(/^warning: out -> \/etc\/passwd is a link that leads out/),
    ]);
    expect(code).toBe(0);
  });

  it("that job.sh is a link, or the folder itself", async () => {
    const root = await makeRoot();
    const folder = makeJob(root, "job", { real: "true\n" });
    symlinkSync("real", join(folder, "job.sh"));
    expect((await said(folder)).lines).toEqual([expect.stringMatching(/^error: job\.sh is a link/)]);
    symlinkSync(folder, `${folder}-link`);
    expect((await said(`${folder}-link`)).lines).toEqual([expect.stringMatching(/^error: it is a link/)]);
  });

  it("names that are not UTF-8", async () => {
    const root = await makeRoot();
    const folder = makeJob(root, "job", "true\n");
    const odd = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x61, 0xff])]);
    writeFileSync(odd, "");
    expect((await said(folder)).lines).toEqual([
      expect.stringMatching(/^warning: a\ufffd has a name that is not UTF-8/),
    ]);
  });

  it("that another user owns it, and what its owner may not do", async ({ skip }) => {
    if (process.getuid?.() !== 0) skip("only root can give files away");
    const root = await makeRoot();
    const folder = makeJob(root, "job", "true\n");
    chownSync(folder, 65534, 65534);
    expect(await said(folder)).toMatchObject({
      code: 0,
      lines: [expect.stringMatching(/^warning: .*uid 65534.*--allow-owner 65534/)],
    });
    expect((await said(folder, [...LOCAL, "--allow-owner", "65534"])).lines).toEqual(["ok"]);
    renameSync(folder, join(root.path, "inbox", "job"));
    expect((await said(join(root.path, "inbox", "job"), [...LOCAL, "-r", root.path])).code).toBe(1);
  });

  it("that its name is taken in the root", async () => {
    const root = await makeRoot();
    for (const place of ["inbox", "complete"]) mkdirSync(join(root.path, place, "job"));
    mkdirSync(join(root.path, "pending", "job~2"));
    const { code, lines } = await said(makeJob(root, "job", "true\n"), [...LOCAL, "-r", root.path]);
    expect(lines).toEqual([
      expect.stringMatching(/^warning: the inbox has something of this name already/),
      expect.stringMatching(/^warning: complete has "job" already: this one becomes "job~2"/),
    ]);
    expect(code).toBe(0);
    writeFileSync(join(root.path, "complete/job/job.sh"), "true\n");
    renameSync(join(root.path, "inbox/job"), join(root.path, "inbox/other"));
    expect((await said(join(root.path, "complete/job"), [...LOCAL, "-r", root.path])).lines).toEqual(["ok"]);
  });
});

describe("check reads an archive through", () => {
  it("and its job.sh, without unpacking anything", async () => {
    const root = await makeRoot();
    const work = join(dirname(root.path), "work");
    const folder = makeJob(root, "in", { "job.sh": "#!/bin/bash\n#SBATCH --output=logs/x\ntrue\n", "logs/.keep": "" });
    const tar = (...args: string[]) => runToEnd("tar", ["-C", work, ...args]);
    await tar("-czf", join(work, "good.tar.gz"), "in");
    await tar("-cf", join(work, "wrong.zip"), "in");
    symlinkSync("/etc/passwd", join(folder, "link"));
    writeFileSync(join(folder, "job.sh"), "#!/bin/bash\nif\n");
    await tar("-cf", join(work, "link.tar"), "in");
    await tar("-czf", join(work, "broken.tgz"), "-C", folder, "job.sh");
    mkdirSync(join(root.path, "complete", "good"));
    const temporary = makeFolder();
    const names = ["good.tar.gz", "wrong.zip", "link.tar", "broken.tgz"];
    const env = { TMPDIR: temporary, JOBMGR_ROOT: root.path };
    const { code, stdout } = await jobmgr(["check", ...LOCAL, ...names], { cwd: work, env });
    expect(stdout.trimEnd().split("\n")).toEqual([
      'good.tar.gz: warning: complete has "good" already: this one becomes "good~2".',
      expect.stringMatching(/^wrong\.zip: error: Its name says that it is zip, but it is plain tar/),
      expect.stringMatching(/^link\.tar: error: It holds a symbolic link, in\/link/),
      expect.stringMatching(/^broken\.tgz: error: bash cannot read job\.sh/),
    ]);
    expect(code).toBe(1);
    expect(readdirSync(temporary)).toEqual([]);
    expect(readdirSync(work).sort()).toEqual([...names, "in"].sort());
  });

  it("and says of other files that the inbox takes none of that name", async () => {
    const root = await makeRoot();
    const folder = makeJob(root, "in", { "run.py": "#!/bin/sh\ntrue\n", "notes.txt": "a\n" });
    expect((await said(join(folder, "run.py"))).lines).toEqual([
      expect.stringMatching(/^warning: the inbox takes no file of this name\. Call it run\.py\.sh/),
    ]);
    const { code, lines } = await said(join(folder, "notes.txt"));
    expect(lines).toEqual([expect.stringMatching(/^error: it is no folder, script or archive/)]);
    expect(code).toBe(1);
  });
});

describe("check", () => {
  it("takes a lone script, a folder by its path from anywhere, and patterns of names in the inbox", async () => {
    const root = await makeRoot();
    const folder = makeJob(root, "job", "#!/bin/sh\n#SBATCH --output=logs/x\nif\n");
    root.drop("mesh-1", "true\n");
    root.drop("mesh-2", "true\n");
    const script = await jobmgr(["check", ...LOCAL, "job/job.sh"], { cwd: dirname(folder) });
    expect(script.stdout).toMatch(
      /^job\/job\.sh: error: sh cannot read .*\njob\/job\.sh: error: Its output cannot go to logs\/x/,
    );
    const names = await jobmgr(["check", ...LOCAL, "-r", root.path, "mesh-*"]);
    expect(names).toMatchObject({ code: 0, stdout: "mesh-1: ok\nmesh-2: ok\n" });
  });

  it("knows a root, and the top of the file system, for no job", async () => {
    const root = await makeRoot();
    const { stdout } = await jobmgr(["check", ...LOCAL, root.path, "/"]);
    expect(stdout).toBe(
      `${root.path}: error: it is a root, not a job. To check what waits in it: jobmgr check ${root.path}/inbox/*\n/: error: it is the top of the file system, and no job.\n`,
    );
  });

  it("says so where there is no room for its dry run", async () => {
    const root = await makeRoot();
    const { code, stderr } = await jobmgr(["check", ...LOCAL, makeJob(root, "job", "true\n")], {
      env: { TMPDIR: "/no/such" },
    });
    expect(stderr).toMatch(/^jobmgr: TMPDIR \(\/no\/such\) cannot be used: .*Set it to a folder of yours\.\n$/);
    expect(code).toBe(78);
  });

  it("needs no root, but one that is named must be there", async () => {
    const root = await makeRoot();
    const folder = makeJob(root, "job", "true\n");
    expect((await said(folder)).lines).toEqual(["ok"]);
    const wrong = await jobmgr(["check", ...LOCAL, "-r", "/no/such/root", folder]);
    expect(wrong).toMatchObject({
      code: 78,
      stdout: "",
      stderr: expect.stringContaining("/no/such/root does not exist"),
    });
  });

  it("leaves nothing behind, neither in the folder nor in TMPDIR", async () => {
    const root = await makeRoot();
    const folder = makeJob(root, "job", "#!/bin/sh\n#SBATCH --output=logs/x\ntrue\n");
    const temporary = makeFolder();
    await said(folder, LOCAL, { TMPDIR: temporary });
    await jobmgr(["check", ...LOCAL, join(folder, "job.sh")], { env: { TMPDIR: temporary } });
    expect(readdirSync(temporary)).toEqual([]);
    expect(readdirSync(folder)).toEqual(["job.sh"]);
    expect(existsSync(join(tmpdir(), "job.sh"))).toBe(false);
  });

  it("says that the dry run was left out where there is no sbatch, and does the rest", async () => {
    const root = await makeRoot();
    const folder = makeJob(root, "job", "#!/bin/sh\n#SBATCH --wait\ntrue\n");
    const good = makeJob(root, "good", "#!/bin/sh\ntrue\n");
    const bin = makeFolder();
    for (const program of ["sh", "env"])
      symlinkSync((await runToEnd("which", [program])).stdout.trim(), join(bin, program));
    const { code, stdout, stderr } = await jobmgr(["check", folder, good], { env: { PATH: bin } });
    expect(stdout).toMatch(new RegExp(`^${folder}: error: job\\.sh asks for --wait, .*\\n${good}: ok\\n$`));
    expect(stderr).toMatch(/^The engine's dry run was left out: There is no sbatch on this machine/);
    expect(code).toBe(1);
  });

  it.each([
    ["SlurmEngine", ["sbatch", "squeue", "scancel"], "#SBATCH --output=out/%a.txt --array=1-2"],
    ["SgeEngine", ["qsub", "qstat", "qdel", "qconf"], "#$ -o out/ -j y"],
    ["PbsEngine", ["qsub", "qstat", "qdel"], "#PBS -o out/all.txt"],
  ])(
    "finds that the output of %s is to go to a folder that is not there, but for what an archive brings along",
    async (engine, programs, directive) => {
      const root = await makeRoot();
      const script = `#!/bin/sh\n${directive}\ntrue\n`;
      const [bad, good] = [makeJob(root, "bad", script), makeJob(root, "good", { "job.sh": script, "out/.keep": "" })];
      const archive = join(dirname(good), "packed.tar.gz");
      execFileSync("tar", ["-czf", archive, "-C", good, "."]);
      const bin = makeFolder();
      for (const program of programs)
        writeFileSync(join(bin, program), "#!/bin/sh\necho slurm 22.05.8\n", { mode: 0o755 });
      mkdirSync(join(bin, "default/common"), { recursive: true });
      writeFileSync(join(bin, "default/common/act_qmaster"), "localhost\n");
      const env = { PATH: `${bin}:${process.env.PATH}`, SGE_ROOT: bin, SGE_CELL: "default" };
      const { stdout, stderr, code } = await jobmgr(["check", "-e", engine, bad, good, archive], { env });
      expect([stdout, stderr]).toEqual([
        `${bad}: error: Its output is to go to out/, and there is no such folder in the job's folder: make it.\n${good}: ok\n${archive}: ok\n`,
        "",
      ]);
      expect(code).toBe(1);
    },
  );

  it("tells what may not be read", async ({ skip }) => {
    if (process.getuid?.() !== 0) skip("only root can become another user");
    const root = await makeRoot();
    const folder = makeJob(root, "job", { "job.sh": "true\n", "shut/x": "", closed: "" });
    for (const path of [dirname(root.path), dirname(folder)]) chmodSync(path, 0o755);
    for (const name of ["", "job.sh", "shut", "closed"]) chownSync(join(folder, name), 65534, 65534);
    chmodSync(join(folder, "shut"), 0);
    chmodSync(join(folder, "closed"), 0);
    const { stdout } = await jobmgr(["check", ...LOCAL, folder], { uid: 65534, cwd: "/" });
    expect(stdout).toMatch(/error: shut is a folder that cannot be read/);
    expect(stdout).toMatch(/warning: closed may not be read by its owner/);
    chmodSync(join(folder, "job.sh"), 0);
    const again = await jobmgr(["check", ...LOCAL, folder], { uid: 65534, cwd: "/" });
    expect(again.stdout).toMatch(/error: job\.sh cannot be read by the manager's user/);
  });
});
