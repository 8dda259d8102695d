/** What the inbox remembers of folders that wait for others: who gets its turn when a job ends, and what that costs. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { type Disk, realDisk } from "../../../src/disk.ts";
import { Inbox } from "../../../src/inbox/inbox.ts";
import type { ReadyRules } from "../../../src/inbox/ready.ts";
import type { Outcome } from "../../../src/outcome.ts";
import { attemptFolder, newToken } from "../../../src/records.ts";
import { FORMAT, type Root, setUpRoot } from "../../../src/root.ts";
import { MEMORY } from "../../fakes/crash-disk.ts";
import { makeFolder } from "../../harness.ts";

const RULES: ReadyRules = { settleS: 0, readyFile: undefined, owners: undefined, finishedFile: undefined };

let root: Root;
let calls: number;
let disk: Disk;

beforeEach(async () => {
  ({ root } = await setUpRoot(realDisk, join(makeFolder(MEMORY), "root")));
  calls = 0;
  const counted =
    <A extends unknown[], R>(call: (...args: A) => R) =>
    (...args: A): R => {
      calls++;
      return call(...args);
    };
  disk = { ...realDisk, look: counted(realDisk.look), read: counted(realDisk.read), list: counted(realDisk.list) };
});

function drop(name: string, after: readonly string[] = [], more: Readonly<Record<string, string>> = {}): void {
  const folder = join(root.inbox, name);
  mkdirSync(folder);
  const files = { "job.sh": "true\n", ...(after.length > 0 && { "job_after.txt": after.join("\n") }), ...more };
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
}

/** Moves a folder on, as the manager does: from the inbox to its end. */
function end(name: string, is: Outcome["is"] = "succeeded"): void {
  const folder = attemptFolder(join(root.complete, name), newToken(new Date()));
  renameSync(join(root.inbox, name), join(root.complete, name));
  mkdirSync(folder, { recursive: true });
  const outcome = { is, why: "Because." };
  writeFileSync(
    join(folder, "outcome"),
    JSON.stringify({ jobmgr: FORMAT, record: "outcome", outcome, at: new Date().toISOString() }),
  );
}

const listed = (rules: Partial<ReadyRules> = {}) => {
  const inbox = new Inbox(disk, root, { ...RULES, ...rules });
  inbox.list();
  return inbox;
};

/** Takes all that is ready now, in order. */
function takeAll(inbox: Inbox): string[] {
  const taken: string[] = [];
  for (let next = inbox.peek(); next !== undefined; next = inbox.peek()) {
    if (next === "later") continue;
    taken.push(next.name);
    inbox.pass(next.name);
  }
  return taken;
}

const endings = (inbox: Inbox, most = 100) => inbox.endings(most).map(({ name }) => name);
const number = (i: number) => `n${String(i).padStart(5, "0")}`;

describe("when a job has ended", () => {
  it("those that waited for it get their turn, in order, without a new listing", () => {
    for (const name of ["d", "b", "c"]) drop(name, ["z"]);
    drop("a", ["y", "z"]);
    drop("z");
    const inbox = listed();
    expect(takeAll(inbox)).toEqual(["z"]);
    end("z");
    inbox.changed("z");
    expect(takeAll(inbox)).toEqual(["b", "c", "d"]);
    expect(Object.fromEntries(inbox.reasons())).toEqual({ a: expect.stringContaining('waits for "y"') });
  });

  it("under another number than it had, or in other letters of the same look, they get it as well", () => {
    drop("a", ["größe".normalize("NFC")]);
    drop("größe".normalize("NFD"));
    const inbox = listed();
    expect(takeAll(inbox)).toEqual(["größe".normalize("NFD")]);
    end("größe".normalize("NFD"));
    inbox.changed("größe~2".normalize("NFD"));
    expect(takeAll(inbox)).toEqual(["a"]);
  });

  it("those that it lets fail are shown at once, and come no more when they were taken", () => {
    drop("a", ["z"]);
    drop("b", ["any z"]);
    drop("z");
    const inbox = listed();
    expect(endings(inbox)).toEqual([]);
    expect(takeAll(inbox)).toEqual(["z"]);
    end("z", "failed");
    inbox.changed("z");
    expect(endings(inbox)).toEqual(["a"]);
    inbox.pass("a");
    expect(endings(inbox)).toEqual([]);
    expect(takeAll(inbox)).toEqual(["b"]);
  });

  it("no more are shown than there is room for, and one that could not be taken waits for the next check", () => {
    drop("z");
    const inbox = listed();
    takeAll(inbox);
    end("z", "failed");
    for (let i = 0; i < 5; i++) drop(number(i), ["z"]);
    inbox.list();
    const [first = "", ...others] = endings(inbox, 2);
    expect(others).toHaveLength(1);
    inbox.putBack(first, "it changed");
    inbox.pass(others[0] ?? "");
    const rest = endings(inbox);
    expect(rest).toHaveLength(3);
    expect(rest).not.toContain(first);
    expect(endings(inbox)).toEqual([]);
    inbox.list();
    expect(endings(inbox)).toContain(first);
  });

  it("one that is still settling is shown when it has come to rest", () => {
    drop("z");
    end("z", "failed");
    drop("a", ["z"]);
    const inbox = listed({ settleS: 3600 });
    expect(endings(inbox)).toEqual([]);
    expect(inbox.reasons().get("a")).toContain("changed 0 s ago");
    expect(inbox.againAtMs(0)).toBeGreaterThan(performance.now());
  });
});

describe("what waits, without being looked into in its turn", () => {
  it("has its reason all the same", () => {
    drop("a", ["b"]);
    drop("b", ["c"]);
    const inbox = listed();
    inbox.endings(10);
    expect(Object.fromEntries(inbox.reasons())).toEqual({
      a: 'waits for "b" (waiting)',
      b: expect.stringContaining('waits for "c" (there is no job of this name yet'),
    });
  });

  it("is in a circle only as long as its file says so", () => {
    drop("a", ["b"]);
    drop("b", ["a"]);
    drop("a~2", ["b"]);
    const inbox = listed();
    expect(inbox.circles.map(({ members }) => [...members].sort())).toEqual([["a", "a~2", "b"]]);
    inbox.endings(10);
    expect(inbox.reasons().get("b")).toContain("can never start");
    writeFileSync(join(root.inbox, "b", "job_after.txt"), "# nobody\n");
    inbox.list();
    expect(inbox.circles).toEqual([]);
    expect(takeAll(inbox)).toEqual(["b"]);
  });

  it("and is gone is forgotten", () => {
    drop("a", ["b"]);
    const inbox = listed();
    rmSync(join(root.inbox, "a"), { recursive: true });
    inbox.list();
    expect(endings(inbox)).toEqual([]);
    expect(inbox.reasons().size).toBe(0);
  });
});

describe("what thousands of folders cost", () => {
  it("in a chain, each end is a few calls, however many wait", () => {
    const count = 1500;
    for (let i = 0; i < count; i++) drop(number(i), i === 0 ? [] : [number(i - 1)]);
    const inbox = listed();
    expect(takeAll(inbox)).toEqual([number(0)]);
    let after = calls;
    const costs: number[] = [];
    for (let i = 0; i < 200; i++) {
      end(number(i));
      inbox.changed(number(i));
      expect(takeAll(inbox)).toEqual([number(i + 1)]);
      costs.push(calls - after);
      after = calls;
    }
    expect(Math.max(...costs)).toBeLessThan(60);
  });

  it("one that waits for a thousand does not look for all of them when one ends", () => {
    const all = Array.from({ length: 1000 }, (_, i) => number(i));
    for (const name of all) drop(name);
    drop("z", all);
    const inbox = listed();
    expect(takeAll(inbox)).toEqual(all);
    const before = calls;
    for (const name of all.slice(0, 50)) {
      end(name);
      inbox.changed(name);
      expect(inbox.peek()).toBeUndefined();
    }
    expect(calls - before).toBeLessThan(50 * 60);
  });

  it("a check asks some hundred of them whether they are cancelled, new ones first, all of them in turns", () => {
    for (let i = 0; i < 3000; i++) drop(number(i), [], { job_hold: "" });
    const inbox = listed();
    takeAll(inbox);
    for (let check = 0; check < 6; check++) inbox.list();
    writeFileSync(join(root.inbox, number(2700), "job_cancel"), "");
    drop("new", [], { job_cancel: "" });
    let before = calls;
    inbox.list();
    expect(endings(inbox)).toContain("new");
    expect(calls - before).toBeLessThan(1500);
    const found = new Set<string>();
    for (let check = 0; check < 6; check++) {
      before = calls;
      inbox.list();
      expect(calls - before).toBeLessThan(1500);
      for (const name of endings(inbox)) found.add(name);
    }
    expect([...found].sort()).toEqual(["new", number(2700)].sort());
  });

  it("when many are cancelled at once, they are found sooner", () => {
    for (let i = 0; i < 3000; i++) drop(number(i), [], { job_hold: "" });
    const inbox = listed();
    for (let check = 0; check < 6; check++) inbox.list();
    for (let i = 0; i < 3000; i++) writeFileSync(join(root.inbox, number(i), "job_cancel"), "");
    inbox.list();
    expect(endings(inbox, 5000).length).toBe(3000);
  });
});
