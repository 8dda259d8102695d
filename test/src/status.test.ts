/** `jobmgr status`, from the disk alone: what is where, since when, and why it waits. */
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { realDisk } from "../../src/disk.ts";
import { takeLock } from "../../src/lock.ts";
import { cut, makePaint, table } from "../../src/paint.ts";
import { type Root, setUpRoot } from "../../src/root.ts";
import { statusText } from "../../src/status-file.ts";
import { type Report, report, reportLines } from "../../src/verbs/status.ts";
import { makeFolder } from "../harness.ts";

let root: Root;

beforeEach(async () => {
  ({ root } = await setUpRoot(realDisk, join(makeFolder(), "root")));
});

function put(place: "inbox" | "pending" | "complete", name: string, status?: object | string): void {
  mkdirSync(join(root[place], name));
  const text = typeof status === "string" ? status : JSON.stringify(status);
  if (status !== undefined) writeFileSync(join(root[place], name, "job_status.json"), text);
}

const all = (every = false, isAlive = true, host = "here") => report(root.path, every, () => isAlive, host);
const row = (name: string) => all(true).jobs.find((job) => job.name === name);
const lines = (what: Report, width = 80) => reportLines(what, width, makePaint(false));

const lock = () =>
  takeLock(realDisk, root, {
    machine: { host: "here", boot: "b" },
    pid: 42,
    start: "s",
    user: "u",
    isAlive: () => true,
    patienceS: 180,
  });

describe("the report", () => {
  it("of an empty root says so, and what to do", () => {
    const empty = all();
    expect(empty).toMatchObject({ schema: 1, root: root.path, jobs: [], problems: [] });
    expect(empty.counts).toEqual({ waiting: 0, pending: 0, complete: 0 });
    expect(lines(empty).join("\n")).toMatch(/no manager is running.*\n\nNo jobs\. Move a folder/);
  });

  it("shows pending first, then waiting, then the finished, each with its place", () => {
    put("inbox", "w");
    put("pending", "p", { state: "running", startedAt: "2026-01-01T00:00:00.000Z" });
    put("complete", "c", { state: "failed", exitCode: 3, why: "Exit code 3." });
    expect(all().jobs).toEqual([
      { name: "p", place: "pending", state: "running", startedAt: "2026-01-01T00:00:00.000Z" },
      { name: "w", place: "inbox", state: "waiting" },
      { name: "c", place: "complete", state: "failed", exitCode: 3, why: "Exit code 3." },
    ]);
  });

  it("a waiting folder has the reason that the manager left, and never the status of an earlier life", () => {
    put("inbox", "w", { state: "succeeded", exitCode: 0 });
    writeFileSync(join(root.own, "manager.json"), JSON.stringify({ reasons: { w: "it has no job.sh yet" } }));
    expect(row("w")).toEqual({ name: "w", place: "inbox", state: "waiting", why: "it has no job.sh yet" });
  });

  it("a held folder is shown as held, without a manager too", () => {
    put("inbox", "w");
    writeFileSync(join(root.inbox, "w", "job_hold"), "");
    expect(row("w")?.state).toBe("held");
  });

  it("a pending folder without a status is claimed, or submitting when it has an attempt", () => {
    put("pending", "a");
    put("pending", "b");
    mkdirSync(join(root.pending, "b/.jobmgr/attempt-20260101T000000-0123456789ab"), { recursive: true });
    expect([row("a")?.state, row("b")?.state]).toEqual(["claimed", "submitting"]);
  });

  it.each(["", "{", "null", "[]", "7", '"text"', "\0"])("a status file that is %j spoils nothing", (text) => {
    put("complete", "a", text);
    put("complete", "b", { state: "succeeded" });
    expect(row("a")).toMatchObject({ name: "a", state: "finished" });
    expect(row("b")?.state).toBe("succeeded");
    expect(lines(all()).join("\n")).toContain("2 complete");
  });

  it.each(["{", "null", "[]", '{"reasons":7}'])("a word of the manager that is %j spoils nothing", (text) => {
    put("inbox", "w");
    writeFileSync(join(root.own, "manager.json"), text);
    expect(row("w")).toEqual({ name: "w", place: "inbox", state: "waiting" });
  });

  it("a status file with members of other types is shown without a crash", () => {
    put("pending", "a", { state: 7, why: ["x"], startedAt: "yesterday", exitCode: "three" });
    expect(() => lines(all())).not.toThrow();
  });

  it("shows the ten that finished last; with --all every one", () => {
    for (let i = 0; i < 15; i++) put("complete", `c${i}`, { state: "succeeded" });
    expect(all().jobs).toHaveLength(10);
    expect(lines(all()).at(-1)).toBe("0 waiting, 0 pending, 15 complete (5 of them not shown: --all).");
    expect(all(true).jobs).toHaveLength(15);
  });

  it("reads only: nothing in the root changes", () => {
    put("inbox", "w");
    put("pending", "p");
    for (const name of readdirSync(root.path)) utimesSync(join(root.path, name), 1e9, 1e9);
    const before = readdirSync(root.path, { recursive: true }).sort();
    const times = () => readdirSync(root.path).map((name) => realDisk.look(join(root.path, name))?.mtimeMs);
    const timesBefore = times();
    all(true);
    expect(readdirSync(root.path, { recursive: true }).sort()).toEqual(before);
    expect(times()).toEqual(timesBefore);
  });

  it("shows every job that waits or runs, however many", () => {
    for (let i = 0; i < 1000; i++) put(i % 2 ? "inbox" : "pending", `job-${i}`);
    const seen = all();
    expect(seen.counts).toEqual({ waiting: 500, pending: 500, complete: 0 });
    expect(lines(seen).filter((line) => line.startsWith("job-"))).toHaveLength(1000);
  });
});

describe("who manages", () => {
  it("is told while the owner lives, with its engine and its last check", () => {
    lock();
    writeFileSync(
      join(root.own, "manager.json"),
      JSON.stringify({ engine: "LocalEngine", at: new Date().toISOString(), problems: { x: "the disk is full" } }),
    );
    const seen = all();
    expect(seen.manager).toMatchObject({ host: "here", pid: 42, engine: "LocalEngine" });
    expect(lines(seen).slice(0, 2).join("\n")).toMatch(
      /: LocalEngine on here \(process 42\), last check \d+ s ago\n! the disk is full/,
    );
  });

  it("is nobody when the owner is dead, and its old problems are not shown", () => {
    lock();
    writeFileSync(join(root.own, "manager.json"), JSON.stringify({ problems: { x: "the disk is full" } }));
    const seen = all(false, false);
    expect(seen.manager).toBeUndefined();
    expect(seen.problems).toEqual([]);
  });

  it("is believed to live where it runs on another machine, whose processes cannot be seen from here", () => {
    lock();
    expect(all(false, false, "elsewhere").manager).toMatchObject({ host: "here" });
  });
});

describe("the table", () => {
  it("fits the width, whatever the names and reasons", () => {
    put("inbox", "n".repeat(255));
    put("inbox", "\u{1f600}".repeat(60));
    put("inbox", "line\nbreak\x1b[2J");
    const reasons = { ["n".repeat(255)]: "because ".repeat(50) };
    writeFileSync(join(root.own, "manager.json"), JSON.stringify({ reasons }));
    const jobs = lines(all()).slice(2, -2);
    for (const line of jobs) expect([...line].length, line).toBeLessThanOrEqual(80);
    expect(jobs.join("\n")).toContain("line\\x0abreak\\x1b[2J");
  });

  it("has columns under each other, also with wide characters", () => {
    const rows = table(
      [
        ["NAME", "STATE"],
        ["日本", "x"],
        ["abcd", "y"],
      ],
      80,
    );
    expect(rows).toEqual(["NAME  STATE", "日本  x", "abcd  y"]);
  });

  it("cuts with three dots, and only what is too long", () => {
    expect(cut("0123456789", 10)).toBe("0123456789");
    expect(cut("0123456789a", 10)).toBe("0123456...");
    expect(cut("日本日本日本", 10)).toBe("日本日...");
  });

  it("colours the state and never the same word in a name", () => {
    put("complete", "failed", { state: "failed" });
    const colourful = reportLines(all(), 80, makePaint(true)).find((line) => line.includes("failed")) ?? "";
    expect(colourful.startsWith("failed  \u001b[31mfailed\u001b[39m")).toBe(true);
  });
});

describe("job_status.json", () => {
  it("has a schema, and leaves out what is not known", () => {
    const text = statusText({ name: "LocalEngine", outputId: () => "1" }, "a", "claimed", { stage: "claimed" });
    expect(JSON.parse(text)).toEqual({ schema: 1, name: "a", state: "claimed", engine: "LocalEngine" });
    expect(text.endsWith("\n")).toBe(true);
  });

  it("tells the end of a job as it is on record", () => {
    const status = JSON.parse(
      statusText({ name: "E", outputId: () => "1" }, "a", "failed", {
        stage: "settled",
        outcome: {
          outcome: { is: "failed", why: "Exit code 137.", exitCode: 137, signal: "KILL", tasks: { 1: 0, 2: 137 } },
          startedAt: "2026-01-01T00:00:00.000Z",
          endedAt: "2026-01-01T00:00:01.000Z",
          at: "2026-01-01T00:00:02.000Z",
        },
      }),
    );
    expect(status).toMatchObject({
      state: "failed",
      exitCode: 137,
      signal: "KILL",
      tasks: { 1: 0, 2: 137 },
      startedAt: "2026-01-01T00:00:00.000Z",
      endedAt: "2026-01-01T00:00:01.000Z",
    });
  });
});
