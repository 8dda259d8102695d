/** `jobmgr logs`: what a job has printed, word for word and byte for byte, and how it is followed. */
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { jobmgr, makeRoot, PROGRAM, type Running, start, type TestRoot, waitUntil } from "../harness.ts";
import { calm, FAILED, putJob, putManager, tokenOf } from "./put.ts";
import { transcript, type Where } from "./transcript.ts";

const GOOD = { is: "succeeded", why: "Exit code 0.", exitCode: 0 };
const LINES = Array.from({ length: 12 }, (_, i) => `line ${i + 1}\n`).join("");

const logs = (root: TestRoot, ...args: readonly string[]) => jobmgr(["--root", root.path, "logs", ...args]);
const follow = (root: TestRoot, ...args: readonly string[]): Running =>
  start(process.execPath, [PROGRAM, "--root", root.path, "logs", "-f", ...args]);

it.each<Where>(["terminal", "pipes"])("what is there, on %s", async (where) => {
  const root = await makeRoot("/tmp");
  putJob(root, "complete", "plain", [{ submitted: 1, started: 2, ended: 3, outcome: FAILED }], {
    "slurm-4711.out": LINES,
  });
  const two = { plan: { outputs: ["out/%j.txt", "err.txt"] } };
  putJob(root, "complete", "two", [{ ...two, submitted: 1, outcome: GOOD }], {
    "out/4711.txt": "out",
    "err.txt": "first\nsecond\n",
  });
  const array = { plan: { tasks: [1, 2, 3], outputs: ["slurm-%j_%t.out"] } };
  putJob(root, "complete", "array", [{ ...array, submitted: 1, outcome: GOOD }], {
    "slurm-4711_1.out": "one\n",
    "slurm-4711_3.out": "three\n",
  });
  const local = {
    engine: "LocalEngine",
    handle: "0::h:b",
    plan: { outputs: ["job_output.txt"] },
    submitted: 1,
  } as const;
  const folder = putJob(root, "complete", "again", [
    { ...local, past: true, outcome: FAILED },
    { ...local, outcome: GOOD },
  ]);
  writeFileSync(join(folder, "job_output.txt"), "the second\n");
  writeFileSync(join(folder, `.jobmgr/past-${tokenOf(1)}/job_output.txt`), "the first\n");
  putJob(root, "complete", "outside", [{ submitted: 1, plan: { outputs: ["/scratch/%j.out"] }, outcome: GOOD }]);
  putJob(root, "complete", "moved", [{ submitted: 1 }], { "slurm-4711.out": "moved by hand\n" });
  putJob(root, "complete", "silent", [{ submitted: 1, outcome: GOOD }]);
  putJob(root, "inbox", "waits");
  putJob(root, "inbox", "plain");
  putManager(root, { reasons: { waits: "it has no job.sh yet" } }, false);
  const calls = [
    ["complete/plain"],
    ["plain"],
    ["complete/plain", "-n", "2"],
    ["complete/plain", "-n", "0"],
    ["two", "-n", "1"],
    ["array"],
    ["array", "--task", "3"],
    ["array", "--task", "7"],
    ["again"],
    ["again", "--attempt", "1"],
    ["again", "--attempt", "3"],
    ["outside"],
    ["silent"],
    ["waits"],
    ["-f", "complete/plain"],
    ["-f", "--exit-code", "complete/plain"],
    ["-f", "--exit-code", "moved"],
    ["--exit-code", "complete/plain"],
    ["complete/plain", "-n", "x"],
    ["plan"],
  ];
  const text = await transcript(
    root,
    where,
    // A terminal differs in colour alone, and output has none.
    (where === "terminal" ? calls.slice(0, 5) : calls).map((call) => ["logs", ...call]),
  );
  await expect(calm(text)).toMatchFileSnapshot(`golden/logs-${where}.txt`);
});

it("follows a job from the inbox through its moves to its end, and ends with its exit code", async () => {
  const root = await makeRoot("/tmp");
  root.drop("a", { "job.sh": "echo one; while ! [ -e go ]; do sleep 0.1; done; echo two; exit 7\n", job_hold: "" });
  const following = follow(root, "a", "--exit-code");
  await waitUntil("it says that it waits", () => following.stderr().includes("waiting for it"));
  const manager = root.manage();
  rmSync(join(root.path, "inbox/a/job_hold"));
  await waitUntil("the first line is shown", () => following.stdout() === "one\n");
  writeFileSync(join(root.path, "pending/a/go"), "");
  expect(await following.ended).toBe(7);
  expect(following.stdout()).toBe("one\ntwo\n");
  expect(following.stderr()).toMatch(/\na: failed after .*\. Exit code 7\.\n$/);
  await manager.stop();
});

it("follows a job that is run again by rule into its next attempt", async () => {
  const root = await makeRoot("/tmp");
  const again = "times 1\non 3\npause 0\n";
  root.drop("a", { "job.sh": "echo run; [ -e once ] || { touch once; exit 3; }\n", "job_retry.txt": again });
  const following = follow(root, "a", "--exit-code");
  await waitUntil("it says that it waits", () => following.stderr().includes("waiting for it"));
  const manager = root.manage();
  expect(await following.ended).toBe(0);
  expect(following.stdout()).toBe("run\nrun\n");
  expect(following.stderr()).toMatch(/failed after .* It is run again\.\n[\s\S]*a: succeeded after/);
  await manager.stop();
});

it("follows a script that becomes a job of its own", async () => {
  const root = await makeRoot("/tmp");
  writeFileSync(join(root.path, "inbox/lone.sh"), "echo lone\n");
  const following = follow(root, "lone.sh", "--exit-code");
  await waitUntil("it says that it waits", () => following.stderr().includes("waiting for it"));
  const manager = root.manage();
  expect(await following.ended).toBe(0);
  expect(following.stdout()).toBe("lone\n");
  await manager.stop();
});

it("a job that ends without having been started ends the following too, with 4", async () => {
  const root = await makeRoot("/tmp");
  root.drop("a", "#SBATCH --time=never\ntrue\n");
  const following = follow(root, "a", "--exit-code");
  const manager = root.manage();
  expect(await following.ended).toBe(4);
  expect(following.stderr()).toMatch(/a: refused\. job\.sh asks for --time=never/);
  await manager.stop();
});

it("without a manager the end is read off the runner's record; ctrl-C ends the following alone", async () => {
  const root = await makeRoot("/tmp");
  const folder = putJob(root, "pending", "a", [{ submitted: 1, started: 2 }], { "slurm-4711.out": LINES });
  const following = follow(root, "a", "-n", "1");
  await waitUntil("the last line is shown", () => following.stdout() === "line 12\n");
  expect(await following.stop()).toBe(130);
  const other = follow(root, "a", "-n", "1", "--exit-code");
  await waitUntil("the last line is shown", () => other.stdout() === "line 12\n");
  truncateSync(join(folder, "slurm-4711.out"), 0);
  await waitUntil("the cut is told", () => other.stderr().includes("slurm-4711.out was cut short"));
  appendFileSync(join(folder, "slurm-4711.out"), "anew\n");
  await waitUntil("the new line is shown", () => other.stdout() === "line 12\nanew\n");
  const records = join(folder, ".jobmgr", `attempt-${tokenOf(1)}`);
  writeFileSync(join(records, "exit"), `jobmgr-exit 1 ${tokenOf(1)} 9 node7 end\n`);
  expect(await other.ended).toBe(9);
  expect(other.stderr()).toContain("a has ended with exit code 9");
});

it("a folder that goes away ends the following", async () => {
  const root = await makeRoot("/tmp");
  const folder = putJob(root, "pending", "a", [{ submitted: 1, started: 2 }], { "slurm-4711.out": "here\n" });
  const following = follow(root, "a");
  await waitUntil("it follows", () => following.stdout() === "here\n");
  putJob(root, "complete", "a~2");
  rmSync(folder, { recursive: true });
  expect(await following.ended).toBe(1);
  expect(following.stderr()).toContain("a has gone: it was moved away or deleted.\n");
});

it("bytes come out as they went in, many of them in little memory, and a reader may leave", async () => {
  const root = await makeRoot("/tmp");
  const folder = putJob(root, "complete", "a", [{ submitted: 1, outcome: GOOD }]);
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const path = join(folder, "slurm-4711.out");
  writeFileSync(path, bytes);
  const run = (script: string) =>
    execFileSync("bash", ["-c", script, process.execPath, PROGRAM, root.path], { maxBuffer: 2 ** 20 });
  expect(run('"$0" "$1" --root "$2" logs a')).toEqual(bytes);
  truncateSync(path, 400 * 1024 * 1024);
  appendFileSync(path, "\nlast\n");
  expect(run('ulimit -v 1500000; "$0" --max-old-space-size=64 "$1" --root "$2" logs a | tail -n 1').toString()).toBe(
    "last\n",
  );
  expect(run('set -o pipefail; "$0" "$1" --root "$2" logs a | head -c 5').toString("hex")).toBe("0001020304");
  expect(run('"$0" "$1" --root "$2" logs a -n 1').toString()).toBe("last\n");
});

it("never reads through a link, from a pipe, or out of the folder", async () => {
  const root = await makeRoot("/tmp");
  const secret = join(root.path, "secret");
  mkdirSync(secret);
  writeFileSync(join(secret, "file"), "secret\n");
  const outputs = ["link", "pipe", "way/file", "../../secret/file", "/etc/passwd", "folder", "good\u001b[2J"];
  const folder = putJob(root, "complete", "a", [{ submitted: 1, plan: { outputs }, outcome: GOOD }], {
    "folder/x": "",
    "good\u001b[2J": "good\n",
  });
  symlinkSync(join(secret, "file"), join(folder, "link"));
  symlinkSync(secret, join(folder, "way"));
  execFileSync("mkfifo", [join(folder, "pipe")]);
  writeFileSync(join(folder, "job_status.json"), `{"state": "${"x".repeat(3_000_000)}`);
  const { code, stdout, stderr } = await logs(root, "a");
  expect([code, stdout]).toEqual([0, "good\n"]);
  expect(stderr.split("\n").filter(Boolean)).toHaveLength(6);
  expect(stderr + stdout).not.toContain("\u001b");
  expect(readFileSync(join(secret, "file"), "utf8")).toBe("secret\n");
});
