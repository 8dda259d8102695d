/** `jobmgr doctor`: what it finds in healthy and in sick surroundings, and that it leaves nothing behind. */
import { chmodSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { jobmgr, makeFolder, makeRoot, PROGRAM, runToEnd, waitUntil } from "../harness.ts";

const LOCAL = ["-e", "LocalEngine"];

interface Told {
  readonly code: number | string;
  readonly lines: readonly string[];
}

async function doctor(path: string, args: readonly string[] = LOCAL, env: NodeJS.ProcessEnv = {}): Promise<Told> {
  const { code, stdout, stderr } = await jobmgr(["-r", path, "doctor", ...args], { env });
  expect(stderr).toBe("");
  return { code, lines: stdout.trimEnd().split("\n") };
}

function line({ lines }: Told, about: string): string {
  return lines.find((one) => one.includes(` ${about}: `)) ?? lines.join("\n");
}

describe("doctor", () => {
  it("tells of all that it looked at, one line each, and leaves the root as it was", async () => {
    const root = await makeRoot("/tmp");
    writeFileSync(join(root.path, "jobmgr.toml"), "period = 5\n");
    const told = await doctor(root.path);
    const patterns = {
      jobmgr: /^ok {7}jobmgr: \d+\.\d+\.\d+ \(\//,
      Node: /^ok {7}Node: v\d+\.\d+\.\d+ on linux/,
      configuration: /^ok {7}configuration: .*\/jobmgr\.toml$/,
      "LocalEngine, bash": /^ok /,
      "LocalEngine, fast starts": /^ok /,
      "LocalEngine, places": /^ok .*: \d+ at a time/,
      root: /^ok .*: \/.*: set up/,
      writing: /^ok .*: works \(.+\)$/,
      "file events": /^ok .*: come/,
      clocks: /^ok .*: .* agree$/,
      space: /^(ok|warning) .*\d+ [kMGTP]?B .*\(\d+ %\)/,
      "who may drop": /^ok /,
      manager: /^ok .*: none is running\. To start one: jobmgr --root \//,
      limits: /^(ok|warning) .*open files/,
      machine: /^(ok|warning) .*\d+ cores?, \d+ [MG]B/,
      TMPDIR: /^ok /,
      "logging out": /^(ok|warning) /,
    };
    for (const [about, pattern] of Object.entries(patterns)) expect(line(told, about)).toMatch(pattern);
    expect(told.code).toBe(0);
    for (const one of told.lines) expect(one).toMatch(/^(ok {5}|warning|error {2}) {2}[^:]+: .+/);
    expect(readdirSync(join(root.path, ".jobmgr"))).toEqual(["root.json"]);
  });

  it("as JSON is one value", async () => {
    const root = await makeRoot();
    const { stdout } = await jobmgr(["-r", root.path, "doctor", ...LOCAL, "--json"]);
    const told = JSON.parse(stdout);
    expect(told).toMatchObject({ schema: 1, ok: true });
    for (const symptom of told.symptoms)
      expect(symptom).toEqual({
        level: expect.stringMatching(/^(ok|warning|error)$/),
        about: expect.any(String),
        says: expect.any(String),
      });
  });

  it("goes on where the root cannot be used", async () => {
    const root = await makeRoot();
    renameSync(join(root.path, "pending"), join(root.path, "elsewhere"));
    for (const [path, what] of [
      [root.path, "pending is missing"],
      ["/no/such/root", "does not exist"],
    ] as const) {
      const told = await doctor(path);
      expect(line(told, "root")).toMatch(new RegExp(`^error .*${what}.*--setup$`));
      expect(line(told, "TMPDIR")).toMatch(/^ok/);
      expect(told.code).toBe(1);
    }
  });

  it("finds a root that others may write to, and one that this user may not write to", async ({ skip }) => {
    if (process.getuid?.() !== 0) skip("only root can become another user");
    const root = await makeRoot();
    chmodSync(join(root.path, "inbox"), 0o777);
    expect(line(await doctor(root.path), "who may drop")).toMatch(/^error .*chmod o-w .*--allow-shared$/);
    expect(line(await doctor(root.path, [...LOCAL, "--allow-shared"]), "who may drop")).toMatch(/^ok/);
    for (const path of [join(root.path, ".."), root.path, join(root.path, ".jobmgr")]) chmodSync(path, 0o755);
    const other = await jobmgr(["-r", root.path, "doctor", ...LOCAL], { uid: 65534, cwd: "/" });
    expect(other.stdout).toMatch(/^error {4}writing: Nothing can be written to .*this user may not write there/m);
    expect(other.stdout).toMatch(/^warning {2}owner: .*uid 0/m);
    expect(other.code).toBe(1);
  });

  it("tells who manages the root, when it looked last, and that it has died", async () => {
    const root = await makeRoot();
    const manager = root.manage();
    await waitUntil("the manager has looked", () => root.exists(".jobmgr/manager.json"));
    const told = await doctor(root.path);
    expect(line(told, "manager")).toMatch(new RegExp(`^ok .*: process ${manager.pid} of `));
    expect(line(told, "last check")).toMatch(/^ok .*: \d+ s ago$/);
    manager.signal("SIGKILL");
    await manager.ended;
    const after = await doctor(root.path);
    expect(line(after, "manager")).toMatch(/^warning .*has died; the next one takes over/);
    expect(after.code).toBe(0);
  });

  it("tells of a manager elsewhere that is silent, of a damaged record, of a pause, and of leftovers", async () => {
    const root = await makeRoot();
    const lock = join(root.path, ".jobmgr/lock");
    mkdirSync(lock);
    writeFileSync(join(root.path, "pause"), "");
    const owner = {
      uuid: "u",
      host: "elsewhere",
      boot: "b",
      pid: 1,
      start: "1",
      user: "ada",
      since: "2026-01-01T12:00:00.000Z",
    };
    writeFileSync(join(lock, "owner.json"), JSON.stringify(owner));
    writeFileSync(join(lock, "heartbeat"), "");
    const told = await doctor(root.path);
    expect(line(told, "manager")).toMatch(/^ok .*: process 1 of ada on elsewhere, since 2026-01-0\d \d\d:\d\d \S+$/);
    expect(line(told, "pause")).toMatch(/^warning .*\/pause is there/);
    writeFileSync(join(lock, "owner.json"), "{");
    expect(line(await doctor(root.path), "manager")).toMatch(/^warning .*damaged/);
  });

  it("warns of limits that are narrow", async () => {
    const root = await makeRoot();
    const call = `ulimit -n 100; ulimit -t 1000; exec "$@"`;
    const { stdout } = await runToEnd("bash", [
      "-c",
      call,
      "x",
      process.execPath,
      PROGRAM,
      "-r",
      root.path,
      "doctor",
      ...LOCAL,
    ]);
    expect(stdout).toMatch(/^warning {2}limits: 100 open files are few\. Raise it: ulimit -n/m);
    expect(stdout).toMatch(/^warning {2}processor time: .*16 min 40 s of processor time/m);
  });

  it("says what is missing of Slurm, with the remedy, where there is none or one that cannot be asked", async () => {
    const root = await makeRoot();
    const bin = makeFolder();
    for (const program of ["bash", "sh"])
      symlinkSync((await runToEnd("which", [program])).stdout.trim(), join(bin, program));
    const none = await doctor(root.path, [], { PATH: bin });
    expect(line(none, "SlurmEngine, Slurm's commands")).toMatch(
      /^error .*sbatch, squeue, scancel not found\..*-e LocalEngine$/,
    );
    expect(none.code).toBe(1);
    for (const program of ["sbatch", "squeue", "scancel", "sacct"]) {
      writeFileSync(
        join(bin, program),
        `#!/bin/sh\n[ "$1" = --version ] && echo "slurm ${program === "sacct" ? "23.11.1" : "22.05.8"}" || { echo "$0: error: Unable to contact slurm controller" >&2; exit 1; }\n`,
      );
      chmodSync(join(bin, program), 0o755);
    }
    const sick = await doctor(root.path, [], { PATH: bin });
    expect(line(sick, "SlurmEngine, Slurm's commands")).toMatch(/^warning .*different versions .*sacct 23\.11\.1/);
    expect(line(sick, "SlurmEngine, Slurm's answer")).toMatch(
      /^error .*Unable to contact slurm controller\. .*none is lost/,
    );
  });

  it("refuses an engine that there is not", async () => {
    const root = await makeRoot();
    const { code, stderr } = await jobmgr(["-r", root.path, "doctor", "-e", "x"]);
    expect(stderr).toContain('There is no engine "x"');
    expect(code).toBe(2);
  });
});
