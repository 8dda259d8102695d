/** One manager per root, among real processes: who is refused, who takes over and when, and what becomes of the jobs. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { startOf, thisMachine } from "../../engines/process.ts";
import { clockOf } from "../../src/clock.ts";
import { type Running, type TestRoot, waitUntil } from "../harness.ts";
import { makeJobRoot, runningJobs } from "./surroundings.ts";

const LOCKED = 75;
const GREETING = "Watching inbox";

/** Far less than the 180 s for which a silent owner is waited for. */
const AT_ONCE_MS = 20_000;

function lockFolder(root: TestRoot): string {
  return join(root.path, ".jobmgr", "lock");
}

/** The pid in the lock; undefined while there is none. */
function ownerPid(root: TestRoot): number | undefined {
  try {
    return JSON.parse(readFileSync(join(lockFolder(root), "owner.json"), "utf8")).pid;
  } catch {
    return undefined;
  }
}

/** A lock as another manager would have left it just now; a file that is undefined is not there. */
function leaveLock(root: TestRoot, owner: object | string | undefined, heartbeat: string | undefined = ""): void {
  mkdirSync(lockFolder(root));
  const text = typeof owner === "object" ? `${JSON.stringify(owner)}\n` : owner;
  if (text !== undefined) writeFileSync(join(lockFolder(root), "owner.json"), text);
  if (heartbeat !== undefined) writeFileSync(join(lockFolder(root), "heartbeat"), heartbeat);
}

function ownerElsewhere(more: object = {}): object {
  return {
    host: "elsewhere.example.org",
    boot: "11111111-2222-3333-4444-555555555555",
    uuid: "5e0cbb1c-7a53-4d3c-8e3e-0f3d6a1e7a10",
    pid: 4711,
    start: "12345",
    user: "alice",
    since: "2026-01-02T03:04:05.678Z",
    ...more,
  };
}

/** This machine, and a process that lives: this very one. */
function livingOwnerHere(more: object = {}): object {
  return ownerElsewhere({ ...thisMachine(), pid: process.pid, start: startOf(process.pid), ...more });
}

async function started(manager: Running): Promise<void> {
  await waitUntil("a manager has begun", () => manager.stdout().includes(GREETING));
}

/** Waits until nothing in the lock has changed for so long. */
function rested(root: TestRoot, seconds: number): Promise<void> {
  const newestMs = () =>
    Math.max(
      ...[lockFolder(root), ...readdirSync(lockFolder(root)).map((name) => join(lockFolder(root), name))].map(
        (path) => statSync(path).ctimeMs,
      ),
    );
  return waitUntil(`the lock has rested for ${seconds} s`, () => Date.now() - newestMs() > seconds * 1000);
}

/** Lock folders that lie about under other names would pile up. */
function litter(root: TestRoot): string[] {
  return readdirSync(join(root.path, ".jobmgr")).filter((name) => name.startsWith("lock-"));
}

async function expectRefused(manager: Running, words: RegExp): Promise<void> {
  expect(await manager.ended).toBe(LOCKED);
  expect(manager.stderr()).toMatch(words);
  expect(manager.stderr()).not.toContain("    at ");
  expect(manager.stdout()).not.toContain(GREETING);
}

describe("a second manager", () => {
  it("is refused with exit code 75, and told host, process and time of the first", async () => {
    const root = await makeJobRoot();
    const first = root.manage();
    await started(first);
    const { since } = JSON.parse(readFileSync(join(lockFolder(root), "owner.json"), "utf8"));
    const second = root.manage();
    expect(await second.ended).toBe(LOCKED);
    expect(second.stderr()).toBe(
      `jobmgr: ${root.path} is managed by process ${first.pid} of ${userInfo().username} on ${thisMachine().host}, since ${clockOf(since, new Date().toISOString())}. One manager per root is enough: that one goes on.\n`,
    );
    expect(Math.abs(Date.now() - Date.parse(since))).toBeLessThan(60_000);
    root.dropLedger("a");
    await root.completed("a");
    expect(await first.stop()).toBe(130);
    expect(readdirSync(join(root.path, ".jobmgr")).filter((name) => name.startsWith("lock"))).toEqual([]);
  });

  it("started at the same instant leaves, 20 times over, and each job runs exactly once", async () => {
    const root = await makeJobRoot();
    const all: string[] = [];
    for (let round = 0; round < 20; round++) {
      const names = [1, 2, 3, 4, 5, 6].map((n) => `r${String(round).padStart(2, "0")}-${n}`);
      for (const name of names) root.dropLedger(name);
      all.push(...names);
      const managers = [root.manage(), root.manage()];
      const [code, loser] = await Promise.race(
        managers.map(async (manager) => [await manager.ended, manager] as const),
      );
      expect(code, loser.stderr()).toBe(LOCKED);
      const winner = managers.find((manager) => manager !== loser) as Running;
      expect(loser.stderr()).toContain(`process ${winner.pid} `);
      await root.completed(...names);
      expect(winner.process.exitCode).toBeNull();
      // By turns the next two find no lock, or that of a dead owner, which both want to move away.
      winner.signal(round % 2 === 0 ? "SIGINT" : "SIGKILL");
      expect(await winner.ended).toBe(round % 2 === 0 ? 130 : "SIGKILL");
    }
    expect(root.runs().sort()).toEqual(all);
    expect(litter(root)).toEqual([]);
  }, 240_000);
});

describe("a dead owner's lock is taken over at once", () => {
  it("when the owner was killed", async () => {
    const root = await makeJobRoot();
    const first = root.manage();
    root.dropGated("a");
    await waitUntil("a runs", () => root.runs().length === 1);
    first.signal("SIGKILL");
    await first.ended;
    root.dropLedger("b");
    const killedAtMs = performance.now();
    const second = root.manage(["-M", "2"]);
    await root.completed("b");
    expect(performance.now() - killedAtMs).toBeLessThan(AT_ONCE_MS);
    root.openGate();
    await root.completed("a");
    expect(ownerPid(root)).toBe(second.pid);
    expect(root.runs()).toEqual(["a", "b"]);
    expect(litter(root)).toEqual([]);
  });

  it.each([
    ["when its machine was restarted since", livingOwnerHere({ boot: "11111111-2222-3333-4444-555555555555" })],
    ["when its process id belongs to another process by now", livingOwnerHere({ start: "1" })],
    ["when its process id belongs to nobody", livingOwnerHere({ pid: 2 ** 22 + 1 })],
  ])("%s", async (_when, owner) => {
    const root = await makeJobRoot();
    leaveLock(root, owner);
    root.dropLedger("a");
    const startedAtMs = performance.now();
    const manager = root.manage();
    await root.completed("a");
    expect(performance.now() - startedAtMs).toBeLessThan(AT_ONCE_MS);
    expect(ownerPid(root)).toBe(manager.pid);
    expect(litter(root)).toEqual([]);
  });
});

describe("an owner that may live", () => {
  it("on this machine is not disturbed", async () => {
    const root = await makeJobRoot();
    leaveLock(root, livingOwnerHere());
    await expectRefused(root.manage(), new RegExp(`process ${process.pid} of alice on ${thisMachine().host}, since`));
  });

  it("on another machine is not disturbed while its heartbeat is fresh", async () => {
    const root = await makeJobRoot();
    leaveLock(root, ownerElsewhere());
    await expectRefused(
      root.manage(),
      /process 4711 of alice on elsewhere\.example\.org, since 2026-01-02 \d\d:\d\d \S+\. /,
    );
    expect(ownerPid(root)).toBe(4711);
    expect(litter(root)).toEqual([]);
  });

  it("on another machine is not disturbed while it goes on beating, even by an impatient manager", async () => {
    const root = await makeJobRoot();
    leaveLock(root, ownerElsewhere());
    const beat = setInterval(() => utimesSync(join(lockFolder(root), "heartbeat"), 0, 0), 50);
    onTestFinished(() => clearInterval(beat));
    await rested(root, 0);
    await expectRefused(root.manage(["--lock-patience", "1"]), /elsewhere/);
  });

  it("on another machine has lost the root when its heartbeat stood still for --lock-patience", async () => {
    const root = await makeJobRoot();
    leaveLock(root, ownerElsewhere());
    await rested(root, 1.2);
    root.dropLedger("a");
    const manager = root.manage(["--lock-patience", "1"]);
    await root.completed("a");
    expect(ownerPid(root)).toBe(manager.pid);
    expect(litter(root)).toEqual([]);
  });
});

describe("an owner that was stopped and goes on", () => {
  it("has lost the root, leaves with 75, and has touched no job", async () => {
    const root = await makeJobRoot();
    const first = root.manage(["-M", "1"]);
    root.dropGated("a");
    await waitUntil("a runs, and is told of", () => root.runs().length === 1 && first.stdout().includes("started  a"));
    first.signal("SIGSTOP");
    root.dropLedger("b");
    root.dropLedger("c");
    await expectRefused(root.manage(["--lock-patience", "3600"]), new RegExp(`process ${first.pid} `));
    await rested(root, 1.2);
    const second = root.manage(["-M", "1", "--lock-patience", "1"]);
    await started(second);
    const before = first.stdout();
    first.signal("SIGCONT");
    expect(await first.ended).toBe(LOCKED);
    expect(first.stderr()).toMatch(
      new RegExp(`was away and lost .* to process ${second.pid} .*It leaves; no job was touched`),
    );
    expect(first.stdout()).toBe(before);
    expect(root.names("inbox")).toEqual(["b", "c"]);
    expect(ownerPid(root)).toBe(second.pid);
    root.openGate();
    await root.completed("a", "b", "c");
    expect(root.runs()).toEqual(["a", "b", "c"]);
    expect(root.status("a")).toMatchObject({ state: "succeeded" });
    expect(second.stderr()).toBe("");
    expect(await second.stop()).toBe(130);
  });

  it("touches nothing either when its jobs have ended and were collected meanwhile", async () => {
    const root = await makeJobRoot();
    const first = root.manage(["-M", "3"]);
    for (const name of ["a", "b", "c"]) root.dropGated(name);
    await waitUntil("all run", () => root.runs().length === 3);
    first.signal("SIGSTOP");
    root.dropLedger("d");
    await rested(root, 1.2);
    const second = root.manage(["-M", "4", "--lock-patience", "1"]);
    await root.completed("d");
    root.openGate();
    await root.completed("a", "b", "c");
    first.signal("SIGCONT");
    expect(await first.ended).toBe(LOCKED);
    expect(first.stdout()).not.toContain("finished");
    expect(root.names("complete")).toEqual(["a", "b", "c", "d"]);
    expect(root.runs().sort()).toEqual(["a", "b", "c", "d"]);
    for (const name of ["a", "b", "c", "d"]) expect(root.status(name)).toMatchObject({ state: "succeeded" });
    expect(second.stderr()).toBe("");
  });

  it("touches nothing either when its jobs end at the very instant at which it goes on", async () => {
    const root = await makeJobRoot();
    const names = Array.from({ length: 8 }, (_, i) => `j${i}`);
    const first = root.manage(["-M", "8"]);
    for (const name of names) root.dropGated(name);
    await waitUntil("all run", () => root.runs().length === names.length);
    first.signal("SIGSTOP");
    await rested(root, 1.2);
    const second = root.manage(["-M", "8", "--lock-patience", "1"]);
    await started(second);
    root.openGate();
    first.signal("SIGCONT");
    expect(await first.ended).toBe(LOCKED);
    await root.completed(...names);
    expect(first.stdout()).not.toContain("finished");
    expect(root.runs().sort()).toEqual(names);
    for (const name of names) expect(root.status(name)).toMatchObject({ state: "succeeded" });
  });
});

describe("a lock that was removed by hand", () => {
  it("lets a second manager in; the first one leaves, and each job still runs exactly once", async () => {
    const root = await makeJobRoot();
    const all: string[] = [];
    for (let round = 0; round < 5; round++) {
      const first = root.manage(["-M", "4"]);
      await started(first);
      const names = Array.from({ length: 16 }, (_, i) => `r${round}-${String(i).padStart(2, "0")}`);
      all.push(...names);
      rmSync(lockFolder(root), { recursive: true });
      const second = root.manage(["-M", "4"]);
      for (const [i, name] of names.entries()) {
        root.dropLedger(name);
        // Not all at once, for the time in which both managers are at work is to see new ones.
        await waitUntil("most of them run", () => root.runs().length >= round * names.length + i - 3);
      }
      await started(second);
      expect(await first.ended).toBe(LOCKED);
      expect(first.stderr()).toMatch(/was away and lost/);
      await root.completed(...names);
      expect(await second.stop()).toBe(130);
    }
    expect(root.runs().sort()).toEqual(all);
    for (const name of all) expect(root.status(name)).toMatchObject({ name, state: "succeeded" });
    expect(root.names("complete")).toEqual(all);
  }, 240_000);

  it("while jobs run and wait: two managers at work at the same instant start none of them twice", async () => {
    const root = await makeJobRoot();
    const names = Array.from({ length: 60 }, (_, i) => `j${String(i).padStart(2, "0")}`);
    for (const name of names) root.dropLedger(name, "sleep 0.1");
    const first = root.manage(["-M", "8"]);
    await waitUntil("the first is at work", () => root.runs().length > 2);
    rmSync(lockFolder(root), { recursive: true });
    const second = root.manage(["-M", "8"]);
    expect(await first.ended).toBe(LOCKED);
    await root.completed(...names);
    expect(root.runs().sort()).toEqual(names);
    expect(root.names("complete")).toEqual(names);
    for (const name of names) expect(root.status(name)).toMatchObject({ name, state: "succeeded" });
    expect(await second.stop()).toBe(130);
  });
});

describe("a damaged lock", () => {
  const damages: [string, string | undefined, string | undefined][] = [
    ["an empty owner.json", "", ""],
    ["an owner.json that was cut short", '{"host":"elsewh', ""],
    ["an owner.json of zero bytes' values", "\0".repeat(200), ""],
    ["an owner.json that is another kind of JSON", "[1,2]", ""],
    ["an owner.json that says null", "null", ""],
    ["no owner.json", undefined, ""],
    ["an empty owner.json, and no heartbeat", "", undefined],
    ["nothing in it", undefined, undefined],
  ];

  it.each(damages)("with %s does not block for ever", async (_what, owner, heartbeat) => {
    const root = await makeJobRoot();
    mkdirSync(lockFolder(root));
    if (owner !== undefined) writeFileSync(join(lockFolder(root), "owner.json"), owner);
    if (heartbeat !== undefined) writeFileSync(join(lockFolder(root), "heartbeat"), heartbeat);
    await rested(root, 1.2);
    root.dropLedger("a");
    const manager = root.manage(["--lock-patience", "1"]);
    const code = await Promise.race([manager.ended, root.completed("a")]);
    expect(code, manager.stderr()).toBeUndefined();
    expect(ownerPid(root)).toBe(manager.pid);
    expect(litter(root)).toEqual([]);
  });

  it("of another machine's owner without a heartbeat does not block for ever", async () => {
    const root = await makeJobRoot();
    mkdirSync(lockFolder(root));
    writeFileSync(join(lockFolder(root), "owner.json"), JSON.stringify(ownerElsewhere()));
    await rested(root, 1.2);
    root.dropLedger("a");
    const manager = root.manage(["--lock-patience", "1"]);
    const code = await Promise.race([manager.ended, root.completed("a")]);
    expect(code, manager.stderr()).toBeUndefined();
  });

  it("is respected as long as it may be that of a manager that lives", async () => {
    const root = await makeJobRoot();
    leaveLock(root, "{");
    await expectRefused(root.manage(), /somebody whose record, .*owner\.json, cannot be read/);
  });
});

it("a manager that has left leaves its jobs running, and no lock", async () => {
  const root = await makeJobRoot();
  const first = root.manage();
  root.dropGated("a");
  await waitUntil("a runs", () => root.runs().length === 1);
  expect(await first.stop()).toBe(130);
  expect(readdirSync(join(root.path, ".jobmgr")).filter((name) => name.startsWith("lock"))).toEqual([]);
  await waitUntil("the jobs run", () => isDeepStrictEqual(runningJobs(root), ["a"]));
  root.manage();
  root.openGate();
  await root.completed("a");
  expect(root.runs()).toEqual(["a"]);
});
