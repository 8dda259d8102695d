/** The inbox in order: who is next, what a look costs, and that nobody starves behind folders that are not ready. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Disk, realDisk } from "../../../src/disk.ts";
import { Inbox } from "../../../src/inbox/inbox.ts";
import type { ReadyRules } from "../../../src/inbox/ready.ts";
import { type Root, setUpRoot } from "../../../src/root.ts";
import { makeFolder } from "../../harness.ts";

const RULES: ReadyRules = { settleS: 0, readyFile: undefined, owners: undefined, finishedFile: undefined };

let root: Root;
let looks: string[];
let disk: Disk;

afterEach(() => void vi.restoreAllMocks());
beforeEach(async () => {
  ({ root } = await setUpRoot(realDisk, join(makeFolder(), "root")));
  looks = [];
  disk = {
    ...realDisk,
    list(path) {
      if (path !== root.inbox) looks.push(path.slice(root.inbox.length + 1));
      return realDisk.list(path);
    },
  };
});

function drop(name: string, ready = true): void {
  mkdirSync(join(root.inbox, name));
  if (ready) writeFileSync(join(root.inbox, name, "job.sh"), "true\n");
}

const inboxOf = (rules: Partial<ReadyRules> = {}) => new Inbox(disk, root, { ...RULES, ...rules });

/** Takes all that is ready now, in order. */
function takeAll(inbox: Inbox): string[] {
  const taken: string[] = [];
  for (let next = inbox.peek(); next !== undefined && next !== "later"; next = inbox.peek()) {
    taken.push(next.name);
    inbox.pass(next.name);
  }
  return taken;
}

describe("who is next", () => {
  it("a folder that is sent back is listed again when its time has come, and at once if it need not wait", () => {
    const inbox = inboxOf();
    inbox.list();
    const before = performance.now();
    inbox.expect("late", "it waits", 1000);
    expect(inbox.againAtMs(before)).toBeGreaterThan(before + 999_000);
    expect(inbox.reasons().get("late")).toBe("it waits");
    inbox.expect("now", "it waits", 0);
    expect(inbox.againAtMs(before)).toBeLessThan(performance.now() + 1000);
    for (const name of ["late", "now"]) drop(name);
    inbox.list();
    expect(takeAll(inbox)).toEqual(["now"]);
  });

  it("is the first by code point that is ready, and looking does not take it", () => {
    for (const name of ["b", "a", "B", "10", "9"]) drop(name);
    const inbox = inboxOf();
    inbox.list();
    expect(inbox.peek()).toMatchObject({ name: "10" });
    expect(inbox.peek()).toMatchObject({ name: "10" });
    expect(takeAll(inbox)).toEqual(["10", "9", "B", "a", "b"]);
    expect(inbox.peek()).toBeUndefined();
  });

  it("20 folders that are not ready starve nobody behind them", () => {
    for (let i = 10; i < 30; i++) drop(`a${i}`, false);
    for (const name of ["b", "c"]) drop(name);
    const inbox = inboxOf();
    for (let check = 0; check < 3; check++) {
      inbox.list();
      expect(takeAll(inbox)).toEqual(["b", "c"]);
    }
    expect([...inbox.reasons().keys()]).toHaveLength(20);
    expect(inbox.reasons().get("a10")).toBe("it has no job.sh yet");
  });

  it("a folder that becomes ready takes its place in the order again", () => {
    drop("a", false);
    drop("b");
    const inbox = inboxOf();
    inbox.list();
    expect(takeAll(inbox)).toEqual(["b"]);
    writeFileSync(join(root.inbox, "a", "job.sh"), "true\n");
    inbox.list();
    expect(takeAll(inbox)[0]).toBe("a");
    expect(inbox.reasons().size).toBe(0);
  });

  it("hidden names are passed over, and a name that is not UTF-8 is told", () => {
    drop(".uploading");
    drop("a");
    const odd = Buffer.concat([Buffer.from(`${root.inbox}/x`), Buffer.from([0xe4])]);
    renameSync(join(root.inbox, "a"), odd);
    drop("b");
    const inbox = inboxOf();
    expect(inbox.list()).toEqual(["x\ufffd"]);
    expect(takeAll(inbox)).toEqual(["b"]);
  });

  it("a folder that cannot be looked into waits with the reason, and the others go on", () => {
    drop("a");
    drop("b");
    const { list } = disk;
    disk = {
      ...disk,
      list(path) {
        if (path.endsWith("/a")) throw new Error("EACCES: permission denied");
        return list(path);
      },
    };
    const inbox = inboxOf();
    inbox.list();
    expect(takeAll(inbox)).toEqual(["b"]);
    expect(inbox.reasons().get("a")).toContain("permission denied");
  });

  it("what was put back waits with its reason, until a later check", () => {
    drop("a");
    const inbox = inboxOf();
    inbox.list();
    inbox.peek();
    inbox.putBack("a", "it changed");
    expect(inbox.peek()).toBeUndefined();
    expect(inbox.reasons().get("a")).toBe("it changed");
    inbox.list();
    expect(inbox.peek()).toMatchObject({ name: "a" });
  });

  it("a folder that has gone is forgotten, with its reason", () => {
    drop("a", false);
    const inbox = inboxOf();
    inbox.list();
    expect(inbox.peek()).toBeUndefined();
    rmSync(join(root.inbox, "a"), { recursive: true });
    inbox.list();
    expect(inbox.reasons().size).toBe(0);
  });

  it("any names, ready or not: those that are ready come, each once, in the order of their bytes", () => {
    const name = fc.stringMatching(/^[a-zA-Z0-9 äß\u{1f600}]{1,6}$/u);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, fc.boolean()), { selector: ([one]) => one, maxLength: 12 }),
        (folders) => {
          rmSync(root.inbox, { recursive: true });
          mkdirSync(root.inbox);
          for (const [one, ready] of folders) drop(one, ready);
          const inbox = inboxOf();
          inbox.list();
          const expected = folders.filter(([, ready]) => ready).map(([one]) => one);
          expect(takeAll(inbox)).toEqual(expected.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("when to look again", () => {
  it("is known for a folder that is settling, and it is not looked into before", () => {
    drop("a");
    const inbox = inboxOf({ settleS: 3600 });
    inbox.list();
    const now = performance.now();
    expect(inbox.peek()).toBeUndefined();
    const again = (inbox.againAtMs(now) ?? 0) - now;
    expect(again).toBeGreaterThan(3_500_000);
    expect(again).toBeLessThan(3_700_000);
    looks.length = 0;
    for (let check = 0; check < 10; check++) {
      inbox.list();
      expect(inbox.peek()).toBeUndefined();
    }
    expect(looks).toEqual([]);
  });

  it("is past for one that became due before anybody asked, also if a check in between came too early, until one comes that looks", () => {
    drop("a");
    const inbox = inboxOf({ settleS: 3600 });
    for (const _ of ["first", "too early"]) {
      inbox.list();
      expect(inbox.peek()).toBeUndefined();
    }
    const listed = performance.now();
    const now = listed + 2 * 3_600_000;
    vi.spyOn(performance, "now").mockReturnValue(now);
    expect(inbox.againAtMs(listed)).toBeLessThan(now);
    inbox.list();
    expect(inbox.againAtMs(now)).toBeUndefined();
    looks.length = 0;
    expect(inbox.peek()).toBeUndefined();
    expect(looks).not.toEqual([]);
    expect(inbox.againAtMs(now)).toBeGreaterThan(now);
  });

  it("is not known for one that waits for a person", () => {
    drop("a", false);
    const inbox = inboxOf();
    inbox.list();
    inbox.peek();
    expect(inbox.againAtMs(0)).toBeUndefined();
  });
});

describe("what 1000 folders cost", () => {
  it("one that is ready is one look, however many wait behind it", () => {
    for (let i = 0; i < 1000; i++) drop(`n${String(i).padStart(4, "0")}`);
    const inbox = inboxOf();
    inbox.list();
    for (let i = 0; i < 5; i++) {
      inbox.peek();
      inbox.pass(`n${String(i).padStart(4, "0")}`);
    }
    // Each is listed for job.sh and walked for rest.
    expect(new Set(looks).size).toBe(5);
    expect(looks.length).toBeLessThanOrEqual(10);
  });

  it("that are not ready are looked into in turns: others get theirs, and a later check asks few of them again", () => {
    for (let i = 0; i < 1000; i++) drop(`n${String(i).padStart(4, "0")}`, false);
    drop("z");
    const inbox = inboxOf();
    inbox.list();
    let rounds = 0;
    let next = inbox.peek();
    for (; next === "later"; next = inbox.peek()) {
      rounds++;
      expect(looks.length).toBeLessThanOrEqual(rounds * 300);
    }
    expect(next).toMatchObject({ name: "z" });
    expect(rounds).toBeGreaterThan(1);
    looks.length = 0;
    for (let check = 0; check < 4; check++) {
      inbox.list();
      while (inbox.peek() === "later");
    }
    expect(looks.length).toBeLessThan(4 * 600);
  });
});

describe("archives and scripts", () => {
  const put = (name: string, text = "true\n") => writeFileSync(join(root.inbox, name), text);

  it("have their turn by their names among the folders", () => {
    for (const name of ["b", "d"]) drop(name);
    for (const name of ["a.zip", "c.sh", "e.tar.gz"]) put(name);
    const inbox = inboxOf();
    inbox.list();
    expect(inbox).toMatchObject({ entries: 5, known: 5 });
    expect(takeAll(inbox)).toEqual(["a.zip", "b", "c.sh", "d", "e.tar.gz"]);
    expect(inbox.known).toBe(0);
  });

  it("wait while none can be taken, and are not looked at; folders do not wait", () => {
    for (const name of ["b", "d"]) drop(name);
    for (const name of ["a.zip", "c.sh"]) put(name);
    const inbox = inboxOf();
    inbox.list();
    expect(inbox.peek(false)).toMatchObject({ name: "b", isFile: false });
    inbox.pass("b");
    expect(inbox.peek()).toMatchObject({ name: "a.zip", isFile: true });
    inbox.putBack("a.zip", "it is being unpacked");
    expect(inbox.peek(false)).toMatchObject({ name: "d" });
    inbox.pass("d");
    expect(inbox.peek(false)).toBeUndefined();
    expect(inbox.peek()).toMatchObject({ name: "c.sh" });
    expect(inbox.reasons().get("a.zip")).toBe("it is being unpacked");
  });

  it("are followed by what they have become", () => {
    for (const name of ["b", "d"]) drop(name);
    put("c.sh");
    const inbox = inboxOf();
    inbox.list();
    expect(inbox.peek()).toMatchObject({ name: "b" });
    inbox.pass("b");
    expect(inbox.peek()).toMatchObject({ name: "c.sh" });
    inbox.pass("c.sh");
    drop("a");
    drop("c");
    inbox.insert("a");
    inbox.insert("c");
    inbox.insert("c");
    expect(takeAll(inbox)).toEqual(["a", "c", "d"]);
  });

  it("are only files of certain names; others, empty ones and links say why they wait", () => {
    for (const name of ["a.tar.gz.part", "b.txt", "c.gz", ".d.zip", "Thumbs.db"]) put(name);
    put("e.zip", "");
    symlinkSync("/etc/passwd", join(root.inbox, "f.sh"));
    const inbox = inboxOf();
    inbox.list();
    expect(takeAll(inbox)).toEqual([]);
    const reasons = Object.fromEntries(inbox.reasons());
    expect(Object.keys(reasons).sort()).toEqual(["a.tar.gz.part", "b.txt", "c.gz", "e.zip", "f.sh"]);
    expect(reasons).toMatchObject({
      "b.txt": expect.stringMatching(/no folder, script or archive/),
      "e.zip": "it is empty",
      "f.sh": expect.stringMatching(/is a link/),
    });
  });

  it("come to rest as folders do, whatever file folders must have, and are their owner's", () => {
    put("a.zip");
    drop("b");
    const resting = inboxOf({ settleS: 3600, readyFile: "go" });
    resting.list();
    expect(takeAll(resting)).toEqual([]);
    expect(resting.reasons().get("a.zip")).toMatch(/it changed \d+ s ago \(it is taken after 3600 s of rest\)/);
    const foreign = inboxOf({ owners: new Set([12_345]) });
    foreign.list();
    expect(takeAll(foreign)).toEqual([]);
    expect(foreign.reasons().get("a.zip")).toMatch(/belongs to another user/);
    const ready = inboxOf({ readyFile: "go" });
    ready.list();
    expect(takeAll(ready)).toEqual(["a.zip"]);
  });
});
