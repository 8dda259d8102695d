/** Verbs beside a manager that runs: what they ask for happens, and soon. And what they do where the disk says no. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  isSuperuser,
  jobmgr,
  makeFolder,
  makeRoot,
  PROGRAM,
  type Running,
  runToEnd,
  start,
  type TestRoot,
  waitUntil,
} from "../harness.ts";
import { makeSmallRoot } from "./surroundings.ts";

/** A manager that looks once a minute by itself. */
const LAZY = ["-p", "60"];

const runs = (root: TestRoot, name: string) => waitUntil(`${name} runs`, () => root.exists(`pending/${name}/ready`));

const verb = (root: TestRoot, ...args: string[]) => jobmgr(["--root", root.path, ...args]);

describe("beside a manager that looks once a minute", () => {
  it("cancel ends a job that runs at once, and its reason is told", async () => {
    const root = await makeRoot();
    const manager = root.manage(LAZY);
    root.drop("long", "touch ready; sleep 60\n");
    await runs(root, "long");
    const { code, stdout } = await verb(root, "cancel", "long", "--reason", "too long");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "cancelled long: the manager ends it at its next check\n" });
    await root.completed("long");
    expect(root.status("long")).toMatchObject({ state: "cancelled", why: expect.stringContaining("too long") });
    await manager.stop();
  });

  it("release and resume are seen at once", async () => {
    const root = await makeRoot();
    expect((await verb(root, "pause")).code).toBe(0);
    root.drop("held", { "job.sh": "true\n", job_hold: "" });
    root.drop("plain", "true\n");
    const manager = root.manage(LAZY);
    await waitUntil("it has looked", () => manager.stdout().includes("Paused by"));
    expect((await verb(root, "resume")).stdout).toBe("resumed: jobs are taken in again\n");
    await root.completed("plain");
    expect(root.names("inbox")).toEqual(["held"]);
    expect((await verb(root, "release", "held")).stdout).toBe("released held: it is taken in its turn\n");
    await root.completed("held");
    await manager.stop();
  });
});

describe("submit", () => {
  it("copies a folder as it is, and nothing of an earlier life; the folder itself stays as it was", async () => {
    const root = await makeRoot();
    const source = makeFolder();
    mkdirSync(join(source, "deep", "er"), { recursive: true });
    mkdirSync(join(source, ".jobmgr"));
    for (const name of ["job_error.txt", "job_output.txt", "job_status.json"]) writeFileSync(join(source, name), "old");
    writeFileSync(join(source, "job.sh"), "true\n", { mode: 0o750 });
    writeFileSync(join(source, "deep", "er", "data~"), Buffer.alloc(3_000_000, "x"));
    utimesSync(join(source, "deep", "er", "data~"), 1e9, 1e9);
    symlinkSync("deep/er", join(source, "link"));
    symlinkSync("/nowhere", join(source, "dead"));
    const before = readdirSync(source, { recursive: true }).sort();
    expect(await verb(root, "submit", source, "--name", "copy")).toMatchObject({
      code: 0,
      stdout: "copy\n",
      stderr: "",
    });
    expect(readdirSync(source, { recursive: true }).sort()).toEqual(before);
    const copy = join(root.path, "inbox", "copy");
    expect(readdirSync(copy).sort()).toEqual([".jobmgr", "dead", "deep", "job.sh", "link"]);
    expect(statSync(join(copy, "job.sh")).mode & 0o777).toBe(0o750);
    expect(readFileSync(join(copy, "deep/er/data~")).equals(readFileSync(join(source, "deep/er/data~")))).toBe(true);
    expect(statSync(join(copy, "deep/er/data~")).mtimeMs).toBe(1e12);
    expect([readlinkSync(join(copy, "link")), readlinkSync(join(copy, "dead"))]).toEqual(["deep/er", "/nowhere"]);
    // It came whole, so that neither a name like an upload's nor the time of rest holds it up.
    const manager = root.manage(["--settle", "600"]);
    await root.completed("copy");
    await manager.stop();
  });

  it("tells the name that the job keeps to its end, where earlier jobs of that name are", async () => {
    const root = await makeRoot();
    const manager = root.manage();
    const submit = (script: string) => verb(root, "submit", "--name", "job", "--", "sh", "-c", script);
    expect(await submit("exit 7")).toMatchObject({ code: 0, stdout: "job\n" });
    await root.completed("job");
    expect(await submit("echo second; exit 8")).toMatchObject({ code: 0, stdout: "job~2\n" });
    await root.completed("job~2");
    expect((await verb(root, "wait", "job~2")).code).toBe(8);
    expect((await verb(root, "logs", "job~2")).stdout).toBe("second\n");
    // By the name that they have in common others run after the one that ended last.
    await verb(root, "submit", "--name", "then", "--after", "job", "--", "true");
    await root.completed("then");
    expect(root.status("then")).toMatchObject({ state: "refused", why: expect.stringContaining("8") });
    await manager.stop();
  });

  it("refuses what is no file, and leaves nothing of the rest", async () => {
    const root = await makeRoot();
    const source = makeFolder();
    writeFileSync(join(source, "job.sh"), "true\n");
    execFileSync("mkfifo", [join(source, "pipe")]);
    const { code, stderr } = await verb(root, "submit", source);
    expect({ code, left: readdirSync(join(root.path, "inbox")) }).toEqual({ code: 1, left: [] });
    expect(stderr).toContain("/pipe is no file, folder or link");
  });

  it("on a full disk says so, and leaves nothing", async (context) => {
    const { root } = await makeSmallRoot(context, "256k");
    const source = makeFolder();
    writeFileSync(join(source, "job.sh"), "true\n");
    writeFileSync(join(source, "big"), Buffer.alloc(1_000_000));
    const { code, stdout, stderr } = await verb(root, "submit", source, "--name", "big");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^jobmgr: big was not submitted: .*ENOSPC/);
    expect(readdirSync(join(root.path, "inbox"))).toEqual([]);
  });

  it("sweeps what one that was killed has left, and nothing else that is hidden", async () => {
    const root = await makeRoot();
    const inbox = join(root.path, "inbox");
    const source = makeFolder();
    writeFileSync(join(source, "job.sh"), "true\n");
    const big = join(source, "big");
    writeFileSync(big, Buffer.alloc(200_000_000));
    const killed = start(process.execPath, [PROGRAM, "--root", root.path, "submit", source]);
    await waitUntil("it copies", () => readdirSync(inbox).length > 0);
    killed.signal("SIGKILL");
    await killed.ended;
    mkdirSync(join(inbox, ".upload"));
    expect(root.names("inbox")).toEqual([]);
    rmSync(big);
    expect((await verb(root, "submit", source, "--name", "small")).code).toBe(0);
    expect(readdirSync(inbox).sort()).toEqual([".upload", "small"]);
  });

  it("--from copies what a job was given, and not what came out of it", async () => {
    const root = await makeRoot();
    const manager = root.manage();
    const script = "cat in >out; mkdir made; echo 1 >made/x; echo more >>in; echo sub >deep/out; sleep 0.05; exit 3\n";
    root.drop("first", { "job.sh": script, in: "1\n", "deep/in": "2\n" });
    await root.completed("first");
    writeFileSync(join(root.path, "complete/first/added-later"), "");
    await verb(root, "pause");
    const { code, stdout, stderr } = await verb(root, "submit", "--from", "first", "--name", "second", "-v");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "second\n" });
    expect(stderr.split("\n").slice(1).filter(Boolean).sort()).toEqual(["  deep/out", "  made", "  out"].sort());
    const all = readdirSync(join(root.path, "inbox/second"), { recursive: true, encoding: "utf8" }).sort();
    expect(all.filter((name) => !name.startsWith(".jobmgr"))).toEqual([
      "added-later",
      "deep",
      "deep/in",
      "in",
      "job.sh",
    ]);
    await manager.stop();
  });

  it("-- makes a job of a command, with each word as it is", async () => {
    const root = await makeRoot();
    const here = makeFolder();
    const words = ["printf", "%s|", "a b", "it's", "$HOME", "", "two\nlines"];
    const manager = root.manage();
    const command = [PROGRAM, "--root", root.path, "submit", "--wait", "--name", "words", "--", ...words];
    expect(await runToEnd(process.execPath, command)).toMatchObject({ code: 0, stdout: "words\n" });
    expect(root.read("complete/words/job_output.txt")).toBe("a b|it's|$HOME||two\nlines|");
    const pwd = [PROGRAM, "--root", root.path, "submit", "--wait", "--here", "--", "pwd"];
    expect(await runToEnd(process.execPath, pwd, { cwd: here })).toMatchObject({ code: 0 });
    expect(root.read("complete/pwd/job_output.txt")).toBe(`${here}\n`);
    await manager.stop();
  });
});

describe("wait", () => {
  /** It has begun to wait, and listens to signals: HUP among them, which Node itself leaves alone. */
  const listens = (program: Running) =>
    waitUntil("it waits", () => {
      const caught = /SigCgt:\s*(\S+)/.exec(readFileSync(`/proc/${program.pid}/status`, "utf8"))?.[1] ?? "0";
      return (Number.parseInt(caught.slice(-2), 16) & 1) !== 0;
    });

  it("has the job's own exit code, 130 after Ctrl-C, 75 when the time is over", async () => {
    const root = await makeRoot();
    const waits = (...args: string[]) => start(process.execPath, [PROGRAM, "--root", root.path, "wait", ...args]);
    root.drop("a", "touch ready; while [ ! -e go ]; do sleep 0.02; done; exit 42\n");
    const idle = waits("a", "--timeout", "1");
    expect(await idle.ended).toBe(75);
    expect(idle.stderr()).toMatch(/^No manager is running.*\njobmgr: after 1 s, 1 of 1 had not ended: a\n$/);
    const manager = root.manage();
    const [one, both, interrupted] = [waits("a"), waits("--all"), waits("a")];
    await runs(root, "a");
    await listens(interrupted);
    interrupted.signal("SIGINT");
    expect(await interrupted.ended).toBe(130);
    writeFileSync(join(root.path, "pending/a/go"), "");
    expect(await one.ended).toBe(42);
    expect(await both.ended).toBe(42);
    await manager.stop();
  });

  it("follows a job through other names, and one that is run again; a removed one has gone", async () => {
    const root = await makeRoot();
    root.drop("a", "exit 1\n");
    const first = root.manage();
    await root.completed("a");
    root.drop("gone", { "job.sh": "true\n", job_hold: "" });
    root.drop("a", "touch ready; while [ ! -e go ]; do sleep 0.02; done; test -e mended\n");
    await runs(root, "a");
    const waiting = start(process.execPath, [PROGRAM, "--root", root.path, "wait", "a", "gone", "--json"]);
    await listens(waiting);
    // An ended one goes on being looked at while others have not: it was mended, and is run again.
    writeFileSync(join(root.path, "pending/a/go"), "");
    await root.completed("a~2");
    writeFileSync(join(root.path, "complete/a~2/mended"), "");
    expect((await verb(root, "retry", "a~2")).code).toBe(0);
    await waitUntil(
      "it has run again",
      () => root.exists("complete/a~2/job_status.json") && !root.exists("complete/a~2/job_error.txt"),
    );
    expect((await verb(root, "remove", "gone", "--yes")).code).toBe(0);
    expect(await waiting.ended).toBe(1);
    expect(JSON.parse(waiting.stdout()).jobs).toMatchObject([
      { name: "a~2", state: "succeeded" },
      { name: "gone", state: "gone" },
    ]);
    await first.stop();
  });
});

describe("remove", () => {
  it("follows no link, opens closed folders, and is over the moment it is done", async () => {
    const root = await makeRoot();
    const outside = makeFolder();
    writeFileSync(join(outside, "mine"), "");
    root.drop("x", { "job.sh": "true\n", "closed/in/file": "" });
    symlinkSync(outside, join(root.path, "inbox/x/out"));
    chmodSync(join(root.path, "inbox/x/closed/in"), 0);
    chmodSync(join(root.path, "inbox/x"), 0);
    expect(await verb(root, "remove", "x", "--yes")).toMatchObject({
      code: 0,
      stdout: "removed inbox/x\n",
      stderr: "",
    });
    expect(readdirSync(outside)).toEqual(["mine"]);
    expect(root.names("inbox")).toEqual([]);
    expect(readdirSync(join(root.path, ".jobmgr/removing"))).toEqual([]);
  });

  it("takes the archive of a job with it and no other, and clean goes by the time of the end", async () => {
    const root = await makeRoot();
    const around = makeFolder();
    writeFileSync(join(around, "job.sh"), "true\n");
    execFileSync("tar", ["-C", around, "-czf", join(root.path, "inbox/old.tar.gz"), "job.sh"]);
    root.drop("young", "true\n");
    const manager = root.manage();
    await root.completed("young", "old", "old.tar.gz");
    await waitUntil("all is packed", () => readdirSync(join(root.path, ".jobmgr/packing")).length === 0);
    await manager.stop();
    for (const mine of ["old.zip", "old.tgz"]) writeFileSync(join(root.path, "complete", mine), "");
    const records = join(root.path, "complete/old/.jobmgr");
    const [attempt = ""] = readdirSync(records).filter((name) => name.startsWith("attempt-"));
    const outcome = JSON.parse(readFileSync(join(records, attempt, "outcome"), "utf8"));
    const longAgo = new Date(Date.now() - 40 * 86_400_000).toISOString();
    writeFileSync(join(records, attempt, "outcome"), JSON.stringify({ ...outcome, endedAt: longAgo }));
    expect((await verb(root, "clean", "--older-than", "30d", "--yes")).stdout).toMatch(
      /^removed complete\/old; complete\/old\.tgz, complete\/old\.zip stay, for they are not the archives that/,
    );
    expect(root.names("complete")).toEqual(["old.tgz", "old.zip", "young"]);
  });
});

describe("on another user's root", () => {
  const NOBODY = 65_534;

  it("clean looks, and says what it may not do", async ({ skip }) => {
    if (!isSuperuser) skip("only root can act as another user");
    const root = await makeRoot();
    chmodSync(join(root.path, ".."), 0o755);
    const manager = root.manage();
    root.drop("a", "true\n");
    await root.completed("a");
    await manager.stop();
    expect(root.exists(".jobmgr/clock")).toBe(true);
    const clean = (...args: string[]) =>
      jobmgr(["--root", root.path, "clean", "--older-than", "0s", ...args], { uid: NOBODY, cwd: "/" });
    expect(await clean("--dry-run")).toMatchObject({ code: 0, stdout: expect.stringContaining("would remove a") });
    const { code, stderr } = await clean("--yes");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^jobmgr: a: EACCES: .* Do it as a user who may: ls -ld \S+ tells who\n$/);
    expect(root.names("complete")).toEqual(["a"]);
  });

  it("that has become one's own, a manager takes over the clock, which was the other's", async ({ skip }) => {
    if (!isSuperuser) skip("only root can give files away");
    const root = await makeRoot();
    root.drop("a", "true\n");
    chmodSync(join(root.path, ".."), 0o755);
    execFileSync("chown", ["-R", `${NOBODY}:${NOBODY}`, root.path]);
    writeFileSync(join(root.path, ".jobmgr/clock"), "");
    root.manage([], { uid: NOBODY, cwd: "/" });
    await root.completed("a");
    expect(root.status("a")).toMatchObject({ state: "succeeded" });
    expect(statSync(join(root.path, ".jobmgr/clock")).uid).toBe(NOBODY);
  });
});
