/** How jobs stand, read off the disk: in each place, under each name that a job gets, and when nobody can tell. */
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { realDisk } from "../../../src/disk.ts";
import { readAfter, stateOfJob, verdictOfFolder } from "../../../src/inbox/dependencies.ts";
import type { Outcome } from "../../../src/outcome.ts";
import { attemptFolder, newToken } from "../../../src/records.ts";
import { FORMAT, numberedName, type Root, setUpRoot } from "../../../src/root.ts";
import { isSuperuser, makeFolder } from "../../harness.ts";

const ASKER = { place: "inbox", name: "asker" } as const;

let root: Root;

beforeEach(async () => {
  ({ root } = await setUpRoot(realDisk, join(makeFolder(), "root")));
});

const stateOf = (name: string, asker: Parameters<typeof stateOfJob>[3] = ASKER) =>
  stateOfJob(realDisk, root, name, asker);

/** A folder in complete/ that ended so, at this minute. */
function ended(name: string, is: Outcome["is"], minute = 0, more: Partial<Outcome> = {}): string {
  const records = attempt("complete", name);
  const at = new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
  const outcome = { is, why: `It ${is}.`, ...more };
  writeFileSync(join(records, "outcome"), JSON.stringify({ jobmgr: FORMAT, record: "outcome", outcome, at }));
  return records;
}

/** A folder with an attempt in force, and these records in it. */
function attempt(place: "pending" | "complete", name: string, ...records: string[]): string {
  const folder = attemptFolder(join(root[place], name), newToken(new Date()));
  mkdirSync(folder, { recursive: true });
  for (const record of records) writeFileSync(join(folder, record), "");
  return folder;
}

describe("a job that has not ended", () => {
  it("waits in the inbox", () => {
    mkdirSync(join(root.inbox, "job"));
    expect(stateOf("job")).toEqual({ is: "going", word: "waiting" });
    writeFileSync(join(root.inbox, "job", "job_hold"), "");
    expect(stateOf("job")).toEqual({ is: "going", word: "held" });
  });

  it.each([
    [[], "taken in"],
    [["intent"], "taken in"],
    [["intent", "handle"], "in the queue"],
    [["intent", "handle", "started"], "running"],
    [["intent", "handle", "started.7"], "running"],
    [["intent", "handle", "started-r1"], "running"],
    [["intent", "handle", "started", "outcome"], "ending"],
  ])("is in pending with the records %j: %s", (records, word) => {
    attempt("pending", "job", ...records);
    expect(stateOf("job")).toEqual({ is: "going", word });
  });

  it("goes on while any of its name does, whatever became of earlier ones", () => {
    ended("job", "failed");
    attempt("pending", "job~2", "intent", "handle", "started");
    expect(stateOf("job")).toEqual({ is: "going", word: 'running, as "job~2"' });
    renameSync(join(root.pending, "job~2"), join(root.inbox, "job~2"));
    expect(stateOf("job")).toEqual({ is: "going", word: 'waiting, as "job~2"' });
  });

  it("is not the asker itself by another number, but is itself in the inbox", () => {
    ended("job", "succeeded");
    mkdirSync(join(root.inbox, "job~2"));
    expect(stateOf("job")).toMatchObject({ is: "going" });
    expect(stateOf("job", { place: "inbox", name: "job~2" })).toMatchObject({ is: "ended", result: "succeeded" });
    expect(stateOf("job~2", { place: "inbox", name: "job~2" })).toMatchObject({ is: "going", word: "waiting" });
    renameSync(join(root.inbox, "job~2"), join(root.pending, "job"));
    expect(stateOf("job", { place: "pending", name: "job" })).toMatchObject({ is: "ended", result: "succeeded" });
  });
});

describe("a job that comes or leaves as a file", () => {
  it.each(["job.tar.gz", "job.zip", "job.sh"])("waits in the inbox as %s, whatever an earlier one did", (file) => {
    ended("job", "failed");
    writeFileSync(join(root.inbox, file), "");
    expect(stateOf("job")).toEqual({ is: "going", word: `waiting, as "${file}"` });
    // Who names the file means the job.
    expect(stateOf(file)).toEqual({ is: "going", word: `waiting, as "${file}"` });
    rmSync(join(root.inbox, file));
    expect(stateOf(file)).toMatchObject({ is: "ended", result: "failed" });
  });

  it("has ended as what is kept of its folder says", () => {
    ended(".job", "succeeded");
    writeFileSync(join(root.complete, "job.tar.gz"), "");
    expect(stateOf("job")).toMatchObject({ is: "ended", result: "succeeded" });
  });
});

describe("a job that has ended", () => {
  it.each(["succeeded", "failed", "cancelled", "refused", "interrupted", "lost"] as const)("has %s", (is) => {
    ended("job", is);
    expect(stateOf("job")).toEqual({ is: "ended", result: is, why: `It ${is}.` });
  });

  it("tells on account of which other one it was refused", () => {
    const after = { name: "first", is: "failed", why: "Exit code 3." } as const;
    ended("job", "refused", 0, { after });
    expect(stateOf("job")).toMatchObject({ after });
  });

  it("ended as the last one of its name did, by the time of its outcome", () => {
    ended("job", "failed", 30);
    ended("job~2", "succeeded", 20);
    expect(stateOf("job")).toMatchObject({ result: "failed" });
    ended("job~3", "succeeded", 40);
    expect(stateOf("job")).toMatchObject({ result: "succeeded" });
    // One that was taken away leaves a gap.
    rmSync(join(root.complete, "job~2"), { recursive: true });
    rmSync(join(root.complete, "job"), { recursive: true });
    expect(stateOf("job")).toMatchObject({ result: "succeeded" });
    expect(stateOf("job~3")).toMatchObject({ result: "succeeded" });
  });

  it("whose name had to be shortened for its number is found", () => {
    const long = "ü".repeat(127);
    ended(long, "failed", 1);
    ended(numberedName(long, 2), "succeeded", 2);
    expect(stateOf(long)).toMatchObject({ result: "succeeded" });
  });

  it("is found by the same letters, however they are put together", () => {
    const name = "größe-é";
    ended(name.normalize("NFD"), "succeeded");
    expect(stateOf(name.normalize("NFC"))).toMatchObject({ result: "succeeded" });
    ended("Å", "failed");
    expect(stateOf("A\u030a")).toMatchObject({ result: "failed" });
  });

  it("was put there by hand if it has no outcome, and says nothing; beside one that has, it does not matter", () => {
    mkdirSync(join(root.complete, "job"));
    expect(stateOf("job")).toMatchObject({ is: "unclear", why: expect.stringContaining("complete/job has no record") });
    ended("job~2", "succeeded");
    expect(stateOf("job")).toMatchObject({ is: "ended", result: "succeeded" });
  });

  it.each([
    ["is damaged", (records: string) => writeFileSync(join(records, "outcome"), '{"jobmgr": 1, "rec')],
    [
      "lacks what it must have",
      (records: string) => writeFileSync(join(records, "outcome"), '{"jobmgr": 1, "record": "outcome"}'),
    ],
    ["is one of two", (records: string) => mkdirSync(join(records, "..", `attempt-${newToken(new Date())}`))],
  ])("is unclear when its record %s", (_, damage) => {
    damage(ended("job", "succeeded"));
    expect(stateOf("job")).toMatchObject({ is: "unclear", why: expect.stringContaining("complete/job") });
  });

  it("is not what is no folder, or is reached through a link", () => {
    ended("other", "succeeded");
    symlinkSync("other", join(root.complete, "job"));
    writeFileSync(join(root.complete, "file"), "");
    expect(stateOf("job")).toEqual({ is: "unknown" });
    expect(stateOf("file")).toEqual({ is: "unknown" });
    expect(stateOf("none")).toEqual({ is: "unknown" });
  });
});

describe("job_after.txt on the disk", () => {
  const write = (text: string) => writeFileSync(join(root.inbox, "asker", "job_after.txt"), text);
  const verdict = () => verdictOfFolder(realDisk, root, ASKER);

  beforeEach(() => mkdirSync(join(root.inbox, "asker")));

  it("that is not there keeps nobody waiting; nor does one that names nothing", () => {
    expect(readAfter(realDisk, join(root.inbox, "asker"))).toBeUndefined();
    expect(verdict()).toEqual({ is: "met" });
    write("# nothing yet\n");
    expect(verdict()).toEqual({ is: "met" });
  });

  it("decides by how the jobs in it stand", () => {
    write("job\n");
    expect(verdict()).toMatchObject({ is: "waits", why: 'waits for "job" (there is no job of this name yet)' });
    ended("job", "failed");
    expect(verdict()).toMatchObject({ is: "failed" });
    write("any job\n");
    expect(verdict()).toEqual({ is: "met" });
  });

  it("that cannot be read lets the job wait, and says how to mend it", () => {
    symlinkSync("/etc/hostname", join(root.inbox, "asker", "job_after.txt"));
    expect(verdict()).toMatchObject({ is: "waits", why: expect.stringContaining("is a link") });
    rmSync(join(root.inbox, "asker", "job_after.txt"));
    mkdirSync(join(root.inbox, "asker", "job_after.txt"));
    expect(verdict()).toMatchObject({ is: "waits", why: expect.stringContaining("not a regular file") });
    rmSync(join(root.inbox, "asker", "job_after.txt"), { recursive: true });
    write("a/b\n");
    expect(verdict()).toMatchObject({ is: "waits", why: expect.stringContaining('"a/b" is a path') });
  });

  it("whose bits forbid it says which to set", () => {
    write("job\n");
    chmodSync(join(root.inbox, "asker", "job_after.txt"), 0);
    const denied = Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
    const read: typeof realDisk.read = (path, most) => {
      if (isSuperuser && path.endsWith("job_after.txt")) throw denied;
      return realDisk.read(path, most);
    };
    expect(verdictOfFolder({ ...realDisk, read }, root, ASKER)).toMatchObject({
      is: "waits",
      why: expect.stringContaining("chmod u+r job_after.txt"),
    });
  });
});
