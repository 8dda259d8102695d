/** `jobmgr status`, from the disk alone: what is where, since when, and why it waits. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { realDisk } from "../../src/disk.ts";
import { takeLock } from "../../src/lock.ts";
import { managerOf } from "../../src/look/manager-state.ts";
import { ALL } from "../../src/look/overview.ts";
import { cut, makePaint, table } from "../../src/paint.ts";
import { type Root, setUpRoot } from "../../src/root.ts";
import { statusText } from "../../src/status-file.ts";
import { linesOf, type Sight, sightOf } from "../../src/verbs/status.ts";
import { makeFolder } from "../harness.ts";

const TOKEN = "20260101T000000-0123456789ab";
const AT = "2026-01-01T00:00:00.000Z";
const INTENT = JSON.stringify({
  jobmgr: 1,
  record: "intent",
  token: TOKEN,
  engine: "E",
  plan: { tasks: [], outputs: [] },
  madeOn: {},
  script: "",
  at: AT,
});

let root: Root;

beforeEach(async () => {
  ({ root } = await setUpRoot(realDisk, join(makeFolder(), "root")));
});

function put(place: "inbox" | "pending" | "complete", name: string, status?: object | string): void {
  mkdirSync(join(root[place], name));
  const text = typeof status === "string" ? status : JSON.stringify(status);
  if (status !== undefined) writeFileSync(join(root[place], name, "job_status.json"), text);
}

const seen = (every = false, isAlive = true, host = "here", patienceS = 180) =>
  sightOf(
    realDisk,
    root,
    managerOf(realDisk, root, { host, isAlive: () => isAlive, patienceS }),
    ...(every ? [ALL] : []),
  );
const all = (...how: Parameters<typeof seen>) => seen(...how).report;
const row = (name: string) => all(true).jobs.find((job) => job.name === name);
const lines = (what: Sight, width = 80) => linesOf(what, width, makePaint(false));

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
    expect(lines(seen()).join("\n")).toMatch(/no manager is running.*\n\nNo jobs\. Move a folder/);
  });

  it("shows pending first, then waiting, then the finished, each with its place", () => {
    put("inbox", "w");
    put("pending", "p", { state: "running", startedAt: "2026-01-01T00:00:00.000Z" });
    put("complete", "c", { state: "failed", exitCode: 3, why: "Exit code 3." });
    const since = "2026-01-01T00:00:00.000Z";
    expect(all().jobs).toEqual([
      { name: "p", place: "pending", state: "running", startedAt: since, since },
      { name: "w", place: "inbox", state: "waiting", since: expect.any(String) },
      { name: "c", place: "complete", state: "failed", exitCode: 3, why: "Exit code 3." },
    ]);
  });

  it("a waiting folder has the reason that the manager left, and never the status of an earlier life", () => {
    put("inbox", "w", { state: "succeeded", exitCode: 0 });
    writeFileSync(join(root.own, "manager.json"), JSON.stringify({ reasons: { w: "it has no job.sh yet" } }));
    expect(row("w")).toEqual({
      since: expect.any(String),
      name: "w",
      place: "inbox",
      state: "waiting",
      why: "it has no job.sh yet",
    });
  });

  it("a held folder is shown as held, without a manager too", () => {
    put("inbox", "w");
    writeFileSync(join(root.inbox, "w", "job_hold"), "");
    expect(row("w")?.state).toBe("held");
  });

  it("a folder that is to be cancelled says so, without a manager too", () => {
    put("inbox", "w");
    writeFileSync(join(root.inbox, "w", "job_cancel"), "");
    expect(row("w")).toMatchObject({ state: "waiting", why: "it is to be cancelled (job_cancel)" });
  });

  it("a pending folder without a status has the state that its records show", () => {
    put("pending", "a");
    for (const name of ["b", "c", "d"]) {
      put("pending", name);
      const records = join(root.pending, name, `.jobmgr/attempt-${TOKEN}`);
      mkdirSync(records, { recursive: true });
      if (name !== "b") writeFileSync(join(records, "intent"), INTENT);
      if (name === "d") writeFileSync(join(records, "started"), `jobmgr-started 1 ${TOKEN} n1 b 7 8 12@c 0 end\n`);
    }
    expect(["a", "b", "c", "d"].map((name) => row(name)?.state)).toEqual([
      "claimed",
      "claimed",
      "submitting",
      "running",
    ]);
  });

  it("the status of an earlier attempt says nothing of one that is under way", () => {
    put("pending", "a", { token: "20250101T000000-0123456789ab", state: "queued", why: "old" });
    mkdirSync(join(root.pending, `a/.jobmgr/attempt-${TOKEN}`), { recursive: true });
    expect(row("a")).toEqual({ name: "a", place: "pending", state: "claimed", token: TOKEN });
  });

  it("a finished job whose status file is spoiled is told by its records", () => {
    put("complete", "a", "{");
    const records = join(root.complete, `a/.jobmgr/attempt-${TOKEN}`);
    mkdirSync(records, { recursive: true });
    const outcome = {
      jobmgr: 1,
      record: "outcome",
      outcome: { is: "failed", why: "Exit code 3.", exitCode: 3 },
      at: AT,
    };
    writeFileSync(join(records, "outcome"), JSON.stringify(outcome));
    expect(row("a")).toMatchObject({ state: "failed", why: "Exit code 3.", exitCode: 3, endedAt: AT });
  });

  it.each(["", "{", "null", "[]", "7", '"text"', "\0"])("a status file that is %j spoils nothing", (text) => {
    put("complete", "a", text);
    put("complete", "b", { state: "succeeded" });
    expect(row("a")).toMatchObject({ name: "a", state: "finished" });
    expect(row("b")?.state).toBe("succeeded");
    expect(lines(seen()).join("\n")).toContain("2 complete");
  });

  it.each(["{", "null", "[]", '{"reasons":7}'])("a word of the manager that is %j spoils nothing", (text) => {
    put("inbox", "w");
    writeFileSync(join(root.own, "manager.json"), text);
    expect(row("w")).toEqual({ since: expect.any(String), name: "w", place: "inbox", state: "waiting" });
  });

  it("a status file with members of other types is shown without a crash", () => {
    put("pending", "a", { state: 7, why: ["x"], startedAt: "yesterday", exitCode: "three" });
    expect(() => lines(seen())).not.toThrow();
  });

  it("shows the ten that finished last; with --all every one", () => {
    for (let i = 0; i < 15; i++) put("complete", `c${i}`, { state: "succeeded" });
    expect(all().jobs).toHaveLength(10);
    expect(lines(seen()).at(-1)).toBe("0 waiting, 0 pending, 15 complete. Not shown: 5 complete (--all).");
    expect(all(true).jobs).toHaveLength(15);
  });

  it("hostile folders and files spoil nothing, hold nothing up, and lead nowhere", () => {
    const outside = makeFolder();
    writeFileSync(join(outside, "job_status.json"), JSON.stringify({ state: "succeeded", why: "outside" }));
    mkdirSync(join(outside, ".jobmgr"));
    for (const place of ["inbox", "pending", "complete"] as const) {
      symlinkSync(outside, join(root[place], `link-${place}`));
      writeFileSync(join(root[place], `file-${place}`), "");
    }
    for (const place of ["pending", "complete"] as const) {
      put(place, `pipe-${place}`);
      execFileSync("mkfifo", [join(root[place], `pipe-${place}`, "job_status.json")]);
      put(place, `huge-${place}`, `{"state": "${"x".repeat(2_000_000)}"}`);
      put(place, `own-link-${place}`);
      symlinkSync(join(outside, ".jobmgr"), join(root[place], `own-link-${place}`, ".jobmgr"));
      symlinkSync(join(outside, "job_status.json"), join(root[place], `own-link-${place}`, "job_status.json"));
    }
    const told = Object.fromEntries(all(true).jobs.map(({ name, state }) => [name, state]));
    expect(told).toEqual({
      "link-inbox": "waiting",
      "file-inbox": "waiting",
      "link-pending": "no job",
      "file-pending": "no job",
      "pipe-pending": "claimed",
      "huge-pending": "claimed",
      "own-link-pending": "unknown",
      "link-complete": "no job",
      "file-complete": "no job",
      "pipe-complete": "finished",
      "huge-complete": "finished",
      "own-link-complete": "unknown",
    });
    expect(JSON.stringify(all(true))).not.toContain("outside");
    expect(row("link-complete")?.why).toBe("It is a link, and links are not followed.");
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

  it("shows of many what runs and what comes next, and says how many more there are; with --all every one", () => {
    for (let i = 0; i < 300; i++) put(i % 2 ? "inbox" : "pending", `job-${String(i).padStart(3, "0")}`);
    const shown = lines(seen()).filter((line) => line.startsWith("job-"));
    expect(shown).toHaveLength(70);
    expect(shown[50]).toMatch(/^job-001 +waiting/);
    expect(lines(seen()).at(-1)).toBe(
      "150 waiting, 150 pending, 0 complete. Not shown: 130 waiting, 100 pending (--all).",
    );
    expect(lines(seen(true)).filter((line) => line.startsWith("job-"))).toHaveLength(300);
    expect(all(true).jobs).toHaveLength(300);
  });
});

describe("who manages", () => {
  it("is told while the owner lives, with its engine and its last check", () => {
    lock();
    writeFileSync(
      join(root.own, "manager.json"),
      JSON.stringify({ engine: "LocalEngine", at: new Date().toISOString(), problems: { x: "the disk is full" } }),
    );
    expect(all().manager).toMatchObject({ host: "here", pid: 42, engine: "LocalEngine" });
    expect(lines(seen()).slice(0, 2).join("\n")).toMatch(
      /: LocalEngine on here \(process 42\), last check \d+ s ago\n! the disk is full/,
    );
  });

  it("is nobody when the owner is dead, and of its old problems is told how old they are", () => {
    lock();
    const at = new Date(Date.now() - 3 * 60_000).toISOString();
    const outage = { since: at, text: "no answer" };
    const word = { at, problems: { x: "the disk is full" }, outage };
    writeFileSync(join(root.own, "manager.json"), JSON.stringify(word));
    const told = all(false, false);
    expect(told.manager).toBeUndefined();
    expect(told.problems).toEqual(["At the last check, 3 min ago: the disk is full"]);
    expect(told.outage).toEqual(outage);
  });

  it("has been silent since its last sign of life, when that is long ago, and what is shown is as old", () => {
    lock();
    utimesSync(join(root.own, "lock/heartbeat"), 1e9, 1e9);
    expect(all().manager).not.toHaveProperty("silentSince");
    const told = all(false, false, "elsewhere", -1);
    expect(Date.parse(told.manager?.silentSince ?? "")).toBeGreaterThan(Date.now() - 60_000);
    expect(lines(seen(false, false, "elsewhere", -1))[1]).toMatch(/^! It has been silent for .*here is out of reach/);
  });

  it("without a manager, how old what is shown is", () => {
    writeFileSync(
      join(root.own, "manager.json"),
      JSON.stringify({ at: new Date(Date.now() - 7_200_000).toISOString() }),
    );
    expect(lines(seen())[0]).toMatch(
      /: no manager is running; the last check was 2 h ago\. To start one: jobmgr --root /,
    );
  });

  it("without a manager, to start one with the engine of the last, so that no job goes to another", () => {
    const start = (engine: string) => {
      writeFileSync(join(root.own, "manager.json"), JSON.stringify({ at: new Date().toISOString(), engine }));
      return lines(seen())[0];
    };
    expect(start("LocalEngine")).toMatch(/To start one: jobmgr --root \S+ -e LocalEngine$/);
    expect(start("SlurmEngine")).toMatch(/To start one: jobmgr --root \S+$/);
  });

  it("tells since when the engine does not answer", () => {
    lock();
    const since = new Date(Date.now() - 720_000).toISOString();
    const text = "SlurmEngine does not answer; no job changes its state.";
    const word = { problems: { engine: text, disk: "the disk is full" }, outage: { since, text } };
    writeFileSync(join(root.own, "manager.json"), JSON.stringify(word));
    expect(all()).toMatchObject({ outage: { since, text }, problems: [`For 12 min: ${text}`, "the disk is full"] });
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
    const jobs = lines(seen()).slice(2, -2);
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
    const colourful = linesOf(seen(), 80, makePaint(true)).find((line) => line.includes("failed")) ?? "";
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
