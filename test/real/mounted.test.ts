/**
 * A root as people have it on their laptops: mounted through a real sshfs, over a server of the test's own, with the
 * manager on the server's side. Every verb does there what it does on the root itself.
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, type TestContext } from "vitest";
import { FAST, jobmgr, makeFolder, PROGRAM, start, waitUntil } from "../harness.ts";
import { mountDirectly, mountOver, startServer } from "./ssh.ts";
import { type JobRoot, makeJobRoot } from "./surroundings.ts";

/** What a mount has seen it believes for 20 s, unless it is told otherwise. */
const BRIEFLY = ["dcache_timeout=1"];

const WORD = ".jobmgr/manager.json";

interface MountedRoot {
  /** The root itself, on the server. */
  readonly root: JobRoot;
  /** A verb on the mounted root. */
  verb(...args: string[]): ReturnType<typeof jobmgr>;
  /** As verb, which must succeed. Returns what it printed. */
  done(...args: string[]): Promise<string>;
  /** Waits until the mount, which believes an older view for a while, shows so many folders in each place. */
  shows(counts: Readonly<Record<"waiting" | "pending" | "complete", number>>): Promise<void>;
  readonly path: string;
}

async function mountedRoot(context: TestContext, how: readonly string[]): Promise<MountedRoot> {
  const server = await startServer(context);
  const root = await makeJobRoot();
  const path = await mountOver(context, server, root.path, how);
  const verb = (...args: string[]) => jobmgr(["--root", path, ...args]);
  const done = async (...args: string[]) => {
    const { code, stdout, stderr } = await verb(...args);
    expect({ code, stderr }, args.join(" ")).toEqual({ code: 0, stderr: "" });
    return stdout;
  };
  return {
    root,
    path,
    verb,
    done,
    async shows(counts) {
      await expect
        .poll(async () => JSON.parse(await done("status", "--json")).counts, { interval: 200 })
        .toMatchObject(counts);
    },
  };
}

/** A folder of a person's own. */
function makeSource(script: string): string {
  const folder = join(makeFolder(), "source");
  mkdirSync(join(folder, "deep"), { recursive: true });
  writeFileSync(join(folder, "job.sh"), script);
  writeFileSync(join(folder, "deep", "data"), "1234");
  symlinkSync("deep/data", join(folder, "link"));
  return folder;
}

function hiddenIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith("."));
}

describe("on a root that is mounted through sshfs", { timeout: 240_000 }, () => {
  it("what is submitted runs on the other side, and is seen, followed, explained and waited for", async (context) => {
    const { root, path, verb, done, shows } = await mountedRoot(context, BRIEFLY);
    const manager = root.manage();
    const source = makeSource("cat link\nexit 3\n");
    expect(await done("check", "-e", "LocalEngine", source)).toContain(": ok\n");
    expect(await done("submit", source, "--name", "folder")).toBe("folder\n");
    expect(await verb("wait", "folder")).toMatchObject({ code: 3, stderr: "folder: failed. Exit code 3.\n" });
    expect(await done("logs", "folder")).toBe("1234");
    expect(await done("explain", "folder")).toContain("complete/folder: failed\n");

    const gate = `${root.ledger}.gate`;
    const command = `echo begin; while [ ! -e '${gate}' ]; do sleep 0.1; done; echo end; exit 4`;
    expect(await done("submit", "--name", "command", "--", "sh", "-c", command)).toBe("command\n");
    const following = start(process.execPath, [PROGRAM, "--root", path, "logs", "-f", "--exit-code", "command"]);
    await waitUntil("what it has printed is shown", () => following.stdout() === "begin\n");
    await shows({ waiting: 0, pending: 1, complete: 1 });
    expect(JSON.parse(await done("status", "--json"))).toMatchObject({
      manager: { pid: manager.pid, engine: "LocalEngine" },
    });
    expect(await done("explain", "command")).toContain("pending/command: running\n");
    appendFileSync(gate, "");
    expect(await following.ended, following.stderr()).toBe(4);
    expect(following.stdout()).toBe("begin\nend\n");
    expect(following.stderr()).not.toContain("cannot be read");

    expect(await verb("submit", "--from", "folder", "--name", "again")).toMatchObject({ code: 0, stdout: "again\n" });
    expect((await verb("wait", "again", "--timeout", "30")).code).toBe(3);
    expect(hiddenIn(join(root.path, "inbox"))).toEqual([]);
  });

  it("hold, release, cancel, retry, remove, clean, pause and resume change what is on the other side", async (context) => {
    const { root, verb, done, shows } = await mountedRoot(context, BRIEFLY);
    expect(await done("pause")).toContain("paused");
    expect(root.exists("pause")).toBe(true);
    root.manage();
    for (const name of ["held", "long"]) root.dropGated(name);
    root.dropLedger("plain", "exit 3");
    expect(await done("hold", "held")).toBe("held held: it is not started until jobmgr release held\n");
    expect(root.exists("inbox/held/job_hold")).toBe(true);
    await waitUntil("the manager has looked", () => root.exists(WORD) && root.read(WORD).includes("Paused by"));
    expect(await done("status")).toContain("Paused by");
    expect(await done("resume")).toBe("resumed: jobs are taken in again\n");
    await root.completed("plain");
    await waitUntil("it runs", () => root.runs().includes("long"));
    expect(await done("cancel", "long", "--reason", "too long")).toContain("cancelled long");
    await root.completed("long");
    expect(root.status("long")).toMatchObject({ state: "cancelled", why: expect.stringContaining("too long") });
    expect(root.names("inbox")).toEqual(["held"]);
    root.openGate();
    expect(await done("release", "held")).toBe("released held: it is taken in its turn\n");
    expect((await verb("wait", "held", "plain")).code).toBe(1);
    expect(await done("retry", "plain")).toContain("moved plain back to the inbox");
    expect((await verb("wait", "plain")).code).toBe(3);
    expect(root.runs().sort()).toEqual(["held", "long", "plain", "plain"]);
    expect(await done("remove", "--yes", "held")).toBe("removed complete/held\n");
    await shows({ waiting: 0, pending: 0, complete: 2 });
    expect((await done("clean", "--older-than", "0s", "--yes")).split("\n").sort()).toEqual([
      "",
      "removed complete/long",
      "removed complete/plain",
    ]);
    expect(root.names("complete")).toEqual([]);
    expect(readdirSync(join(root.path, ".jobmgr/removing"))).toEqual([]);
  });

  it("a job is found that the mount still shows where it was, and where it was only", async (context) => {
    const { root, verb, done } = await mountedRoot(context, []);
    writeFileSync(join(root.path, "pause"), "");
    root.dropGated("moving");
    root.dropGated("other");
    expect(await done("status")).toContain("moving  waiting");
    root.manage();
    await waitUntil("the manager has looked", () => root.exists(WORD));
    await jobmgr(["--root", root.path, "resume"]);
    await waitUntil("both run", () => root.runs().length === 2);
    expect(await verb("hold", "moving")).toMatchObject({
      code: 1,
      stderr: "jobmgr: moving has been submitted already; cancel it instead\n",
    });
    expect(await done("cancel", "moving")).toBe("cancelled moving: the manager ends it at its next check\n");
    await root.completed("moving");
    root.openGate();
    await root.completed("other");
    expect(root.status("other")).toMatchObject({ state: "succeeded" });
  });

  it("what has grown since the mount saw it is read to its end", async (context) => {
    const { root, path, done } = await mountedRoot(context, []);
    root.drop("job", { "job.sh": "echo first; exit 3\n" });
    const manager = root.manage();
    await root.completed("job");
    await manager.stop();
    expect(await done("logs", "job")).toBe("first\n");
    expect(existsSync(join(path, "complete/job/job_output.txt"))).toBe(true);
    appendFileSync(join(root.path, "complete/job/job_output.txt"), "second\n");
    expect(await done("logs", "job")).toBe("first\nsecond\n");
  });
});

describe("a manager whose root is mounted", { timeout: 60_000 }, () => {
  it("waits while the file system hangs, and goes on when it answers, or the next one does: nothing is lost or runs twice", async (context) => {
    const root = await makeJobRoot();
    const { path, server } = await mountDirectly(context, root.path, BRIEFLY);
    const manage = () => start(process.execPath, [PROGRAM, "--root", path, ...FAST]);
    const manager = manage();
    root.dropGated("runs");
    await waitUntil("it runs", () => root.runs().includes("runs"));
    process.kill(server, "SIGSTOP");
    root.openGate();
    root.dropLedger("later");

    const told = await jobmgr(["--root", root.path, "status", "--json"]);
    expect(JSON.parse(told.stdout)).toMatchObject({
      manager: { pid: manager.pid },
      counts: { waiting: 1, pending: 1, complete: 0 },
      problems: [],
    });
    const other = await jobmgr(["--root", root.path, ...FAST, "--once"]);
    expect([other.code, other.stderr]).toEqual([75, expect.stringContaining(`process ${manager.pid}`)]);
    expect([root.names("inbox"), root.names("pending")]).toEqual([["later"], ["runs"]]);

    process.kill(server, "SIGCONT");
    await root.completed("runs", "later");
    root.dropGated("goes-on", "second");
    await waitUntil("it runs", () => root.runs().includes("goes-on"));
    process.kill(server, "SIGSTOP");
    root.openGate("second");
    manager.signal("SIGKILL");
    process.kill(server, "SIGCONT");
    await manager.ended;
    const next = manage();
    await root.completed("goes-on");
    for (const name of ["runs", "later", "goes-on"])
      expect(root.status(name)).toMatchObject({ state: "succeeded", exitCode: 0 });
    expect(root.runs()).toEqual(["runs", "later", "goes-on"]);
    expect([manager.stderr(), next.stderr()]).toEqual(["", ""]);
  });
});
