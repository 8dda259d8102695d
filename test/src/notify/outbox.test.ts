/** The outbox: what is noted is told at least once, whatever crash comes; many ends are one message. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { realDisk } from "../../../src/disk.ts";
import type { Ended } from "../../../src/notify/message.ts";
import { Outbox } from "../../../src/notify/outbox.ts";
import { newToken } from "../../../src/records.ts";
import { openRoot, type Root, setUpRoot } from "../../../src/root.ts";
import { CrashClock, crashDisk, MEMORY } from "../../fakes/crash-disk.ts";
import { makeFolder } from "../../harness.ts";

const NOBODY: ReadonlySet<string> = new Set();

function ended(name: string, result: Ended["result"] = "succeeded"): Ended {
  const at = new Date().toISOString();
  return { token: newToken(new Date()), name, result, why: "", at };
}

async function makeRoot(): Promise<Root> {
  const path = join(makeFolder(MEMORY), "root");
  await setUpRoot(realDisk, path);
  return openRoot(realDisk, path);
}

const inOutbox = (root: Root, folder = "") => {
  const path = join(root.own, "outbox/command", folder);
  return existsSync(path) ? readdirSync(path) : [];
};

/** Puts so many ends there, as a manager that was never heard would have left them. */
function fill(root: Root, place: string, count: number): void {
  const folder = join(root.own, "outbox/command", place);
  mkdirSync(folder, { recursive: true });
  for (let i = 0; i < count; i++) {
    const one = ended(`j${i}`, i % 100 === 0 ? "failed" : "succeeded");
    writeFileSync(join(folder, `${one.token}.json`), JSON.stringify(one));
  }
}

describe("the outbox of a target", () => {
  it("gives back what was put in, oldest first, until it is done", async () => {
    const outbox = new Outbox(realDisk, await makeRoot(), "command");
    const [a, b] = [ended("a"), ended("b", "failed")];
    await outbox.put(a, true, false);
    await outbox.put(b, true, false);
    const parcels = await outbox.parcels(NOBODY, new Date());
    expect(parcels.map((one) => one.is === "single" && one.ended.name).sort()).toEqual(["a", "b"]);
    for (const parcel of parcels) {
      await outbox.done(parcel);
      await outbox.done(parcel);
    }
    expect(await outbox.parcels(NOBODY, new Date())).toEqual([]);
  });

  it("tells of a batch only when it is closed, and counts what came later in the next one", async () => {
    const outbox = new Outbox(realDisk, await makeRoot(), "command");
    await outbox.put(ended("a"), false, true);
    await outbox.put(ended("b", "lost"), false, true);
    await outbox.put(ended("c", "cancelled"), false, true);
    expect(await outbox.parcels(NOBODY, new Date())).toEqual([]);
    outbox.seal(new Date());
    await outbox.put(ended("d"), false, true);
    const [batch, ...none] = await outbox.parcels(NOBODY, new Date());
    expect(none).toEqual([]);
    expect(batch).toMatchObject({
      is: "many",
      summary: { jobs: 3, succeeded: 1, failed: 1, cancelled: 1, results: { lost: 1 }, failedNames: ["b"] },
    });
    if (batch) await outbox.done(batch);
    outbox.seal(new Date());
    expect(await outbox.parcels(NOBODY, new Date())).toMatchObject([{ summary: { jobs: 1 } }]);
  });

  it("makes one batch of all that drained while the last one could not be told", async () => {
    const outbox = new Outbox(realDisk, await makeRoot(), "command");
    await outbox.put(ended("a"), false, true);
    outbox.seal(new Date());
    for (const name of ["b", "c", "d"]) {
      await outbox.put(ended(name), false, true);
      outbox.seal(new Date());
    }
    const [first, ...none] = await outbox.parcels(NOBODY, new Date());
    expect(none).toEqual([]);
    expect(first).toMatchObject({ summary: { jobs: 1 } });
    if (first) await outbox.done(first);
    outbox.seal(new Date());
    expect(await outbox.parcels(NOBODY, new Date())).toMatchObject([{ summary: { jobs: 3 } }]);
  });

  it("leaves out what has not arrived in complete", async () => {
    const outbox = new Outbox(realDisk, await makeRoot(), "command");
    const [a, b] = [ended("a"), ended("b")];
    for (const one of [a, b]) await outbox.put(one, true, true);
    const parcels = await outbox.parcels(new Set([a.token]), new Date());
    expect(parcels).toMatchObject([{ id: b.token }]);
    expect(await outbox.parcels(NOBODY, new Date())).toHaveLength(2);
  });

  it("tells of ten thousand in one message, whose names are few, and forgets them all", async () => {
    const root = await makeRoot();
    fill(root, "due", 10_000);
    const outbox = new Outbox(realDisk, root, "command");
    const [all, ...none] = await outbox.parcels(NOBODY, new Date());
    expect(none).toEqual([]);
    expect(all).toMatchObject({ is: "many", summary: { jobs: 10_000, failed: 100, succeeded: 9900 } });
    expect(all?.is === "many" && all.summary.failedNames).toHaveLength(20);
    if (all) await outbox.done(all);
    expect(inOutbox(root)).toEqual([]);
  });

  it.each(["merged", "batch"])("puts back one that is on its way, and was closed with the others: %s", async (kind) => {
    const root = await makeRoot();
    const place = kind === "batch" ? "open" : "due";
    fill(root, place, 150);
    const outbox = new Outbox(realDisk, root, "command");
    const late = ended("late");
    await outbox.put(late, kind === "merged", kind === "batch");
    if (kind === "batch") outbox.seal(new Date());
    const [many] = await outbox.parcels(new Set([late.token]), new Date());
    expect(many).toMatchObject({ is: "many", summary: { jobs: 150 } });
    if (many) await outbox.done(many);
    expect(inOutbox(root, place)).toEqual([`${late.token}.json`]);
    outbox.seal(new Date());
    expect(await outbox.parcels(NOBODY, new Date())).toHaveLength(1);
  });

  it("passes over files that are damaged, and none of its own", async () => {
    const root = await makeRoot();
    const outbox = new Outbox(realDisk, root, "command");
    const good = ended("good");
    await outbox.put(good, true, true);
    for (const text of ["", "{", "[]", "null", '{"token":"x"}'])
      for (const place of ["due", "open"])
        writeFileSync(join(root.own, "outbox/command", place, `${newToken(new Date())}.json`), text);
    writeFileSync(join(root.own, "outbox/command/due/notes.txt"), "mine");
    outbox.seal(new Date());
    expect(await outbox.parcels(NOBODY, new Date())).toMatchObject([{ id: good.token }, { summary: { jobs: 1 } }]);
  });
});

/** A manager's life with an outbox: three jobs end, the batch drains, all is told. Returns what was told. */
async function live(root: Root, disk: typeof realDisk, noted: Ended[], arrived: Set<string>, told: string[][]) {
  const outbox = new Outbox(disk, root, "command");
  await outbox.sweep();
  for (const one of noted.filter(({ name }) => !arrived.has(name))) {
    await outbox.put(one, one.name === "b", true);
    arrived.add(one.name);
  }
  outbox.seal(new Date());
  for (const parcel of await outbox.parcels(NOBODY, new Date())) {
    told.push([parcel.id, parcel.is === "single" ? parcel.ended.name : String(parcel.summary.jobs)]);
    await outbox.done(parcel);
  }
  outbox.seal(new Date());
}

describe("a crash at any effect", () => {
  it.each(["before", "after"] as const)("%s it: each end is told, and counted in one batch", async (when) => {
    let crashes = 0;
    for (let at = 0; ; at++) {
      const root = await makeRoot();
      const clock = new CrashClock({ at, when });
      const noted = [ended("a"), ended("b", "failed"), ended("c")];
      const arrived = new Set<string>();
      const told: string[][] = [];
      await live(root, crashDisk(clock), noted, arrived, told).catch((error) => expect(error.name).toBe("Crash"));
      const isCrashed = clock.crashed;
      if (isCrashed) {
        crashes++;
        await live(root, realDisk, noted, arrived, told);
      }
      const unlike = new Map(told.map(([id = "", what = ""]) => [id, what]));
      expect([...unlike.values()], `at effect ${at}`).toContain("b");
      const counted = [...unlike.values()].filter((what) => what !== "b").map(Number);
      expect(
        counted.reduce((sum, count) => sum + count, 0),
        `at effect ${at}: ${told}`,
      ).toBe(3);
      expect(inOutbox(root, "due").filter((name) => !name.startsWith("."))).toEqual([]);
      expect(inOutbox(root).filter((name) => !["due", "open"].includes(name))).toEqual([]);
      rmSync(root.path, { recursive: true });
      if (!isCrashed) break;
    }
    expect(crashes).toBeGreaterThan(20);
  });
});
