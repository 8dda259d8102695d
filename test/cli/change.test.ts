/** The verbs that change jobs, word for word, where no manager runs. */
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { jobmgr, makeRoot, PROGRAM, runToEnd, type TestRoot } from "../harness.ts";
import { transcript, type Where } from "./transcript.ts";

let template: Promise<string> | undefined;

/** Waiting: a, b, c (held). Pending, though no manager is there to go on with it: p. Ended: good, bad, bad2, refused. */
async function someJobs(): Promise<TestRoot> {
  template ??= makeJobs();
  const root = await makeRoot("/tmp");
  cpSync(await template, root.path, { recursive: true, verbatimSymlinks: true });
  return root;
}

/** Made once, for it takes longer than all that is done to it. */
async function makeJobs(): Promise<string> {
  const root = await makeRoot("/tmp");
  root.drop("good", "true\n");
  root.drop("bad", "exit 3\n");
  root.drop("bad2", "exit 4\n");
  root.drop("refused", "\r\n");
  // One at a time, so that they end in the order of their names.
  const manager = root.manage(["-M", "1"]);
  await root.completed("bad", "bad2", "good", "refused");
  await manager.stop();
  for (const name of ["a", "b", "p"]) root.drop(name, "true\n");
  root.drop("c", { "job.sh": "true\n", job_hold: "" });
  renameSync(join(root.path, "inbox", "p"), join(root.path, "pending", "p"));
  const kept = mkdtempSync("/tmp/jobmgr-test-");
  cpSync(root.path, kept, { recursive: true, verbatimSymlinks: true });
  return kept;
}

afterAll(async () => {
  if (template) rmSync(await template, { recursive: true });
});

async function isAsKept(name: string, calls: string[][], where: Where = "pipes", root?: TestRoot): Promise<TestRoot> {
  const on = root ?? (await someJobs());
  await expect(await transcript(on, where, calls)).toMatchFileSnapshot(`golden/${name}-${where}.txt`);
  return on;
}

describe("on a terminal", () => {
  it("cancel, wait and retry say the same as in pipes, in one stream", async () => {
    const calls = [
      ["cancel", "a", "good"],
      ["wait", "bad"],
      ["wait", "a", "good", "--timeout", "0"],
      ["retry", "bad"],
    ];
    await isAsKept("change", calls, "terminal");
  });

  it.each([
    ["y", ["a", "b", "c"].slice(1)],
    ["n", ["a", "b", "c"]],
    ["", ["a", "b", "c"]],
  ])("remove asks, and does it only when told so (%j)", async (answer, left) => {
    const root = await someJobs();
    const command = `'${process.execPath}' '${PROGRAM}' --root '${root.path}' remove a`;
    const { stdout, code } = await runToEnd("script", ["-qec", command, "/dev/null"], { input: `${answer}\n` });
    expect(stdout).toContain("Remove 1 job, with all files in them: inbox/a? [y/N]");
    expect(code).toBe(answer === "y" ? 0 : 1);
    expect(root.names("inbox")).toEqual(left);
  });

  it.each([
    ["y", 0],
    ["n", 1],
  ])("cancel --all-pending asks, and does it only when told so (%s)", async (answer, expected) => {
    const root = await someJobs();
    const command = `'${process.execPath}' '${PROGRAM}' --root '${root.path}' cancel --all-pending`;
    const { stdout, code } = await runToEnd("script", ["-qec", command, "/dev/null"], { input: `${answer}\n` });
    expect(stdout).toContain("End 1 job, also those that run: pending/p? [y/N]");
    expect(code).toBe(expected);
    expect(root.exists("pending/p/job_cancel")).toBe(answer === "y");
  });

  it("remove does nothing where there is nobody to ask", async () => {
    const root = await someJobs();
    const { code, stderr } = await jobmgr(["--root", root.path, "remove", "a"]);
    expect({ code, names: root.names("inbox") }).toEqual({ code: 2, names: ["a", "b", "c"] });
    expect(stderr).toContain("add --yes");
  });
});

describe("in pipes", () => {
  it("cancel", async () => {
    const root = await isAsKept("cancel", [
      ["cancel"],
      ["cancel", "nope", "a", "nobody", "no*"],
      ["cancel", "b", "--reason", "-p 3"],
      ["cancel", "a"],
      ["cancel", "good", "pending/p"],
      ["cancel", "--all-pending", "a"],
      ["cancel", "--all-pending"],
      ["cancel", "[bc]"],
    ]);
    expect(root.read("inbox/b/job_cancel")).toBe("-p 3\n");
    expect(root.read("inbox/a/job_cancel")).toMatch(/^by .+ with jobmgr cancel\.\n$/);
    expect(root.read("pending/p/job_cancel")).toMatch(/^by /);
    expect(root.exists("complete/good/job_cancel")).toBe(false);
  });

  it("hold and release", async () => {
    const root = await isAsKept("hold", [
      ["hold"],
      ["hold", "a", "c"],
      ["hold", "pending/p", "good", "b"],
      ["release", "a", "b", "c"],
      ["release", "a", "pending/p", "bad"],
      ["release", "nope", "c", "nobody"],
    ]);
    for (const name of ["a", "b", "c"]) expect(root.exists(`inbox/${name}/job_hold`)).toBe(false);
  });

  it("retry", async () => {
    const root = await someJobs();
    // As a refused archive leaves it.
    root.drop("archive", {});
    renameSync(join(root.path, "inbox/archive"), join(root.path, "complete/archive"));
    const calls = [
      ["retry"],
      ["retry", "archive"],
      ["retry", "--failed", "good", "bad2"],
      ["retry", "--failed", "goood", "nope"],
      ["retry", "good", "a", "pending/p"],
      ["retry", "--failed"],
      ["retry", "--failed"],
      ["retry", "refused"],
    ];
    await isAsKept("retry", calls, "pipes", root);
    expect(root.names("complete")).toEqual(["archive"]);
    expect(root.names("inbox")).toEqual(["a", "b", "bad", "bad2", "c", "good", "refused"]);
  });

  it("retry of a refused archive says what to do with it, and so does one that was moved back by hand", async () => {
    const root = await makeRoot("/tmp");
    root.drop("bad", { "bad.tgz": "no archive\n", "job_error.txt": "bad: refused.\n", ".jobmgr/x": "" });
    renameSync(join(root.path, "inbox/bad"), join(root.path, "complete/bad"));
    const { code, stderr } = await jobmgr(["--root", root.path, "retry", "bad"]);
    expect(code).toBe(1);
    const command = /nothing to run in its folder\. Put a mended one into the inbox; or .* as it is: (mv .*)\n/.exec(
      stderr,
    );
    renameSync(join(root.path, "complete/bad"), join(root.path, "inbox/bad"));
    const { stdout } = await jobmgr(["--root", root.path, "explain", "bad"]);
    expect(stdout).toContain("it has no job.sh yet. If bad.tgz in it is the job, move that into inbox/ itself.");
    renameSync(join(root.path, "inbox/bad"), join(root.path, "complete/bad"));
    expect((await runToEnd("sh", ["-c", command?.[1] ?? "false"])).code).toBe(0);
    expect(root.names("inbox")).toEqual(["bad.tgz"]);
  });

  it("remove and clean", async () => {
    const root = await isAsKept("remove", [
      ["remove", "nope", "nobody", "--yes"],
      ["remove", "a", "pending/p", "nope", "good", "--yes"],
      ["clean"],
      ["clean", "--older-than", "30"],
      ["clean", "--older-than", "30d", "--yes"],
      ["clean", "--older-than", "0s", "--dry-run", "--keep-failed"],
      ["clean", "--older-than", "0s", "--yes", "--keep-failed"],
      ["clean", "--older-than", "0s", "--yes"],
    ]);
    expect(root.names("complete")).toEqual([]);
    expect(root.names("inbox")).toEqual(["b", "c"]);
    expect(root.names("pending")).toEqual(["p"]);
  });

  it("pause and resume", async () => {
    await isAsKept("pause", [["pause"], ["pause"], ["resume"], ["resume"]], "pipes", await makeRoot("/tmp"));
  });

  it("submit", async () => {
    const root = await makeRoot("/tmp");
    const up = (name: string) => join(root.path, "mine", name);
    for (const name of ["mesh", "empty"]) mkdirSync(up(name), { recursive: true });
    writeFileSync(up("mesh/job.sh"), "true\n");
    writeFileSync(up("scan.sh"), "true\n");
    writeFileSync(up("notes.txt"), "no script\n");
    await isAsKept(
      "submit",
      [
        ["submit"],
        ["submit", up("mesh")],
        ["submit", up("mesh"), up("scan.sh")],
        ["submit", up("mesh"), up("empty"), up("notes.txt"), up("nope"), root.path, join(root.path, "inbox", "mesh")],
        ["submit", up("mesh"), "--name", "a/b"],
        ["submit", "--name", "--", "echo"],
        ["submit", up("mesh"), "--name", "other", "--after", "scan", "--after-any", "mesh*", "--hold"],
        ["submit", up("mesh"), "--after", "skan", "--after-any", "mash"],
        ["submit", up("mesh"), "--name", "late", "--after", "scan", "mesh", "--hold"],
        ["submit", "--after", "scan", up("mesh")],
        ["submit", "--name", "late2", "--after", "scan", "mesh", "--", "true"],
        ["submit", "--json", "--", "echo", "a b"],
        ["submit", up("mesh"), "--", "echo"],
      ],
      "pipes",
      root,
    );
    expect(root.names("inbox")).toEqual(["echo", "late", "late2", "mesh", "mesh~2", "other", "scan"]);
    expect(root.read("inbox/other/job_after.txt")).toBe("scan\nany mesh\nany mesh~2\n");
    for (const name of ["late", "late2"]) expect(root.read(`inbox/${name}/job_after.txt`)).toBe("scan\nmesh\n");
    expect(root.exists("inbox/other/job_hold")).toBe(true);
    expect(root.read("inbox/echo/job.sh")).toBe("#!/bin/sh\nexec 'echo' 'a b'\n");
  });

  it("wait", async () => {
    await isAsKept("wait", [
      ["wait"],
      ["wait", "good", "nope", "nobody"],
      ["wait", "good"],
      ["wait", "bad"],
      ["wait", "bad", "good"],
      ["wait", "bad", "--json"],
      ["wait", "refused"],
      ["wait", "good", "--timeout", "soon"],
    ]);
  });
});

it("--help of each has two examples at least, and fits 80 columns", async () => {
  const verbs = ["submit", "wait", "cancel", "hold", "release", "retry", "remove", "clean", "pause", "resume"];
  for (const verb of verbs) {
    const { code, stdout } = await jobmgr([verb, "--help"], { env: { COLUMNS: "80" } });
    expect(code).toBe(0);
    expect(stdout.split("\n").filter((line) => line.startsWith("  jobmgr ")).length).toBeGreaterThanOrEqual(2);
    expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
  }
});
