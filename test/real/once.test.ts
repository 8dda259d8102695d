/** `--once`, as cron starts it: no terminal, hardly any environment, and not a word of what went on before. */
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FAST, jobmgr, makeFolder, PROGRAM, runToEnd, waitUntil } from "../harness.ts";
import { type JobRoot, makeJobRoot, runningJobs } from "./surroundings.ts";

/** One run from cron: its environment is PATH, HOME and SHELL, its folder the user's home. */
function once(root: JobRoot, args: readonly string[] = []) {
  const line = [process.execPath, PROGRAM, "--root", root.path, ...FAST, "--once", ...args];
  return runToEnd("/usr/bin/env", ["-i", "PATH=/usr/bin:/bin", "HOME=/", "SHELL=/bin/sh", ...line], { cwd: "/" });
}

function locks(root: JobRoot): string[] {
  return readdirSync(join(root.path, ".jobmgr")).filter((name) => name.startsWith("lock"));
}

describe("--once", () => {
  it("starts jobs and leaves while they run; a later one collects them", async () => {
    const root = await makeJobRoot();
    for (const name of ["a", "b"]) root.dropGated(name);
    const first = await once(root, ["-M", "2"]);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).not.toContain("Starting Job Manager");
    expect(locks(root)).toEqual([]);
    await waitUntil("both run", () => runningJobs(root).length === 2);

    const between = await once(root, ["-M", "2"]);
    expect(between).toMatchObject({ code: 0, stderr: "" });
    expect(root.names("pending")).toEqual(["a", "b"]);

    root.openGate();
    await waitUntil("both have ended", () => runningJobs(root).length === 0);
    const last = await once(root, ["-M", "2"]);
    expect(last).toMatchObject({ code: 0, stderr: "" });
    expect(last.stdout).toMatch(/finished a: succeeded after/);
    expect(root.names("complete")).toEqual(["a", "b"]);
    expect(root.runs().sort()).toEqual(["a", "b"]);
    for (const name of ["a", "b"]) expect(root.status(name)).toMatchObject({ state: "succeeded", exitCode: 0 });
  });

  it("run again and again takes all jobs through, each exactly once", async () => {
    const root = await makeJobRoot();
    const names = Array.from({ length: 7 }, (_, i) => `j${i}`);
    for (const name of names) root.dropLedger(name);
    for (let runs = 0; root.names("complete").length < names.length; runs++) {
      expect(runs).toBeLessThan(60);
      expect(await once(root, ["-M", "3"])).toMatchObject({ code: 0, stderr: "" });
    }
    expect(root.runs().sort()).toEqual(names);
    for (const name of names) expect(root.status(name)).toMatchObject({ state: "succeeded" });
  }, 240_000);

  it("started several times at the same instant runs each job once, and each ends with 0 or 75", async () => {
    const root = await makeJobRoot();
    const names = Array.from({ length: 6 }, (_, i) => `j${i}`);
    for (const name of names) root.dropLedger(name);
    const codes: (number | string)[] = [];
    for (let runs = 0; root.names("complete").length < names.length; runs++) {
      expect(runs).toBeLessThan(40);
      const ended = await Promise.all([once(root), once(root), once(root)]);
      for (const { code, stderr } of ended) {
        codes.push(code);
        expect(code === 0 ? "" : "is managed by process", stderr).toBe(code === 0 ? stderr : "is managed by process");
      }
    }
    expect(codes.filter((code) => code !== 0 && code !== 75)).toEqual([]);
    expect(codes).toContain(0);
    expect(root.runs().sort()).toEqual(names);
  }, 240_000);

  it("leaves with 75 where a manager is at work, and touches nothing", async () => {
    const root = await makeJobRoot();
    const manager = root.manage(["-M", "1"]);
    root.dropGated("a");
    await waitUntil("a runs", () => root.runs().length === 1);
    root.dropLedger("b");
    const refused = await once(root, ["-M", "9"]);
    expect(refused).toMatchObject({ code: 75, stdout: "" });
    expect(refused.stderr).toContain(`is managed by process ${manager.pid} of `);
    expect(root.names("inbox")).toEqual(["b"]);
    root.openGate();
    await root.completed("a", "b");
    expect(root.runs()).toEqual(["a", "b"]);
  });

  it("leaves what has not settled to the next one", async () => {
    const root = await makeJobRoot();
    root.dropLedger("early");
    const restedS = () => (Date.now() - statSync(join(root.path, "inbox", "early")).ctimeMs) / 1000;
    await waitUntil("it has rested", () => restedS() > 2.2);
    root.dropLedger("late");
    const upload = setInterval(() => writeFileSync(join(root.path, "inbox", "late", "data"), "more"), 50);
    onTestFinished(() => clearInterval(upload));
    const first = await once(root, ["--settle", "2"]);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(root.names("inbox")).toEqual(["late"]);
    await waitUntil("the early one has run", () => root.runs().length === 1);
    clearInterval(upload);
    const second = await once(root, ["--settle", "0"]);
    expect(second).toMatchObject({ code: 0, stderr: "" });
    expect(root.names("inbox")).toEqual([]);
    await waitUntil("both have run", () => root.runs().length === 2);
    expect(root.runs()).toEqual(["early", "late"]);
  });

  it("leaves what is wrong for status and explain, which say how old that is", async () => {
    const root = await makeJobRoot();
    const away = makeFolder();
    const program = "#!/bin/sh\necho 'error: Unable to contact slurm controller (connect failure)' >&2\nexit 1\n";
    for (const name of ["sbatch", "squeue", "scancel", "sacct"])
      writeFileSync(join(away, name), program, { mode: 0o755 });
    root.dropLedger("a");
    const env = { PATH: `${away}:${process.env.PATH}` };
    const args = ["--root", root.path, "-e", "SlurmEngine", "--settle", "0", "--once"];
    expect(await jobmgr(args, { env })).toMatchObject({ code: 0 });
    const problem =
      /At the last check, \d+ s ago: a waits: whether it was submitted is not known yet: error: Unable to contact/;
    expect((await jobmgr(["--root", root.path, "status"])).stdout).toMatch(new RegExp(`^! ${problem.source}`, "m"));
    const explained = (await jobmgr(["--root", root.path, "explain", "a"], { env: { COLUMNS: "1000" } })).stdout;
    expect(explained).toMatch(problem);
  });

  it("with nothing to do says nothing, for cron would mail it", async () => {
    const root = await makeJobRoot();
    expect(await once(root)).toEqual({ code: 0, stdout: "", stderr: "" });
  });
});
