/** Who is a process? A pid alone is no identity, a zombie does not live, and a job outlives its runner. */
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, realpathSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { findByCommand, findByFolder, isAlive, isJobAlive, startOf, thisMachine } from "../../../engines/process.ts";
import { makeFolder, start, waitUntil } from "../../harness.ts";

describe("a process", () => {
  it("is alive under its pid and start time together, and under neither alone", () => {
    const mine = startOf(process.pid) ?? "";
    expect(mine).toMatch(/^\S+$/);
    expect(isAlive(process.pid, mine)).toBe(true);
    expect(isAlive(process.pid, `${mine}0`)).toBe(false);
    expect(isAlive(process.pid, "")).toBe(false);
    expect(isAlive(process.ppid, mine)).toBe(false);
  });

  it("that is not there is not alive, whatever start time is asked for", () => {
    for (const pid of [0, -1, 2 ** 22 + 1, Number.NaN]) {
      expect(startOf(pid)).toBeUndefined();
      expect(isAlive(pid, "1")).toBe(false);
    }
  });

  it("that has ended, and was not waited for, is a zombie and not alive", async () => {
    // The parent never waits for its child.
    const { process: parent, stdout } = start("sh", ["-c", "sh -c 'echo $$; exec sleep 0.2' & exec sleep 60"]);
    await waitUntil("the child tells its pid", () => stdout().includes("\n"));
    const pid = Number(stdout());
    const born = startOf(pid) ?? "";
    const stateOf = () =>
      execFileSync("ps", ["-o", "stat=", "-p", String(pid)])
        .toString()
        .trim();
    await waitUntil("it is a zombie", () => stateOf().startsWith("Z"));
    expect(startOf(pid)).toBeUndefined();
    expect(isAlive(pid, born)).toBe(false);
    parent.kill("SIGKILL");
  });

  it("whose name holds blanks and parentheses is known as well", async () => {
    const program = join(makeFolder(), "a) R 1 (b c");
    symlinkSync("/bin/sleep", program);
    const { pid } = start(program, ["60"]);
    await waitUntil("it runs under that name", () => readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("a)"));
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    expect(startOf(pid)).toBe(fields[19]);
  });

  it("is told by the runner as it is told here", async () => {
    const script = `read -r start </proc/$$/stat
      start=\${start##*) } start=\${start#* * * * * * * * * * * * * * * * * * * }
      echo "$$ \${start%% *}"; read -r wait`;
    const child = spawn("/bin/sh", ["-c", script], { stdio: ["pipe", "pipe", "ignore"] });
    onTestFinished(() => {
      child.kill("SIGKILL");
    });
    const told = await new Promise<string>((done) => child.stdout.once("data", (data) => done(String(data))));
    expect(told.trim()).toBe(`${child.pid} ${startOf(child.pid ?? 0)}`);
    child.stdin.end("\n");
  });
});

describe("a job", () => {
  it("lives as long as anything of its group does, though its runner is dead", async () => {
    const { process: leader, stdout } = start("setsid", ["sh", "-c", "sleep 60 & echo $!; echo $$"]);
    await waitUntil("the leader has left", () => leader.exitCode !== null);
    const [child = 0, group = 0] = stdout().trim().split("\n").map(Number);
    expect(startOf(group)).toBeUndefined();
    expect(isJobAlive(group, "1")).toBe(true);
    process.kill(child, "SIGKILL");
    await waitUntil("the group is dead", () => !isJobAlive(group, "1"));
  });

  it("does not live in a stranger who got its runner's pid, nor in that stranger's group", async () => {
    const { pid } = start("setsid", ["sleep", "60"]);
    await waitUntil("it runs", () => startOf(pid) !== undefined);
    expect(isJobAlive(pid, startOf(pid) ?? "")).toBe(true);
    expect(isJobAlive(pid, "1")).toBe(false);
  });

  it("of a group that nobody is in does not live", () => {
    expect(isJobAlive(2 ** 22 + 1, "1")).toBe(false);
  });
});

describe("processes that work for a job", () => {
  it("are found by a text in their command line, with their identity", async () => {
    const folder = makeFolder();
    const { pid } = start("sh", ["-c", "sleep 60; true", `${folder}/.jobmgr/attempt-x/run.sh`]);
    const find = () => findByCommand(`${folder}/.jobmgr/attempt-`).map((one) => ({ pid: one.pid, start: one.start }));
    // For an instant its child has the same command line.
    await expect.poll(find).toEqual([{ pid, start: startOf(pid) }]);
  });

  it("are found by the folder in which they work, however it is spelled, runners first", async () => {
    const folder = realpathSync(makeFolder());
    const link = join(makeFolder(), basename(folder));
    symlinkSync(folder, link);
    const other = start("sleep", ["60"], { cwd: folder });
    const runner = start("sh", ["-c", "read x; true", `${folder}/.jobmgr/attempt-x/run.sh`], {
      cwd: folder,
      input: "",
    });
    const endless = start("sh", ["-c", "sleep 60; true", `${folder}/.jobmgr/attempt-y/run.sh`], { cwd: folder });
    await runner.ended;
    for (const spelled of [folder, link]) {
      const found = () => findByFolder(spelled).map(({ pid }) => pid);
      await waitUntil("they are found", () => found().includes(other.pid) && found().includes(endless.pid));
      expect(found()[0]).toBe(endless.pid);
    }
    expect(findByFolder(makeFolder())).toEqual([]);
  });

  it("never are this process itself", () => {
    const pids = [...findByFolder(process.cwd()), ...findByCommand("node")].map(({ pid }) => pid);
    expect(pids).not.toContain(process.pid);
  });
});

describe("this machine", () => {
  it("is spelled without blanks, as it stands in a record of one line", () => {
    const { host, boot } = thisMachine();
    expect(host).toMatch(/^\S+$/);
    expect(boot).toMatch(/^\S+$/);
    expect(thisMachine()).toEqual({ host, boot });
  });
});
