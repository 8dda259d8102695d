/** The lock, with managers that are objects: who lives, who is dead, who was away. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Disk, realDisk } from "../../src/disk.ts";
import { LockError, type Locker, readOwner, takeLock } from "../../src/lock.ts";
import { type Root, RootError, setUpRoot } from "../../src/root.ts";
import { makeFolder } from "../harness.ts";

const HERE = { host: "here", boot: "boot-1" };
const THERE = { host: "there", boot: "boot-9" };

let root: Root;

beforeEach(async () => {
  ({ root } = await setUpRoot(realDisk, join(makeFolder(), "root")));
});

function locker(pid: number, more: Partial<Locker> = {}): Locker {
  return { machine: HERE, pid, start: `s${pid}`, user: "u", isAlive: () => true, patienceS: 180, ...more };
}

const litter = () => readdirSync(root.own).filter((name) => name.startsWith("lock-"));

/** Lets this much time pass for the lock's own clock. */
async function later(ms: number, action: () => void | Promise<void>): Promise<void> {
  const now = performance.now();
  const spy = vi.spyOn(performance, "now").mockImplementation(() => now + ms);
  try {
    await action();
  } finally {
    spy.mockRestore();
  }
}

/** A disk whose file system's clock is ahead of all that lies on it. */
function diskAhead(seconds: number): Disk {
  const isClock = (path: string) => path.endsWith("/clock");
  return {
    ...realDisk,
    look(path) {
      const look = realDisk.look(path);
      return look && isClock(path) ? { ...look, ctimeMs: look.ctimeMs + seconds * 1000 } : look;
    },
  };
}

describe("one manager per root", () => {
  it("the second is told who has it: host, process, user, since when", () => {
    takeLock(realDisk, root, locker(1));
    expect(() => takeLock(realDisk, root, locker(2))).toThrow(LockError);
    expect(() => takeLock(realDisk, root, locker(2))).toThrow(/process 1 of u on here, since \d\d:\d\d \S+\. One/);
    expect(litter()).toEqual([]);
  });

  it("given back, it is free, and nothing is left behind", () => {
    takeLock(realDisk, root, locker(1)).release();
    expect(readdirSync(root.own).filter((name) => name.startsWith("lock"))).toEqual([]);
    takeLock(realDisk, root, locker(2));
    expect(readOwner(realDisk, root)).toMatchObject({ pid: 2, host: "here" });
  });

  it("a dead owner on this machine is taken over at once", () => {
    takeLock(realDisk, root, locker(1));
    takeLock(realDisk, root, locker(2, { isAlive: (pid) => pid !== 1 }));
    expect(readOwner(realDisk, root)?.pid).toBe(2);
    expect(litter()).toEqual([]);
  });

  it("a process with the same id but another start time is not the owner", () => {
    takeLock(realDisk, root, locker(1));
    takeLock(realDisk, root, locker(2, { isAlive: (pid, start) => pid === 1 && start === "later" }));
    expect(readOwner(realDisk, root)?.pid).toBe(2);
  });

  it("an owner from before a restart of this machine is dead, whatever its process id says", () => {
    takeLock(realDisk, root, locker(1));
    takeLock(realDisk, root, locker(2, { machine: { ...HERE, boot: "boot-2" }, isAlive: () => true }));
    expect(readOwner(realDisk, root)?.pid).toBe(2);
  });

  it("an owner on another machine lives while its heartbeat is young, whatever processes there are here", () => {
    takeLock(realDisk, root, locker(1, { machine: THERE }));
    expect(() => takeLock(realDisk, root, locker(2, { isAlive: () => false }))).toThrow(/on there/);
    expect(() => takeLock(diskAhead(179), root, locker(2))).toThrow(LockError);
  });

  it("an owner that is stopped is not said to go on", () => {
    takeLock(realDisk, root, locker(1));
    const silent =
      /is managed by process 1 .* no sign of life for 1 min.*ctrl-Z.* After 3 min of that another one takes over/;
    expect(() => takeLock(diskAhead(60), root, locker(2))).toThrow(silent);
  });

  it("an owner whose heartbeat stood still long enough by the file system's clock is taken over", () => {
    takeLock(realDisk, root, locker(1, { machine: THERE }));
    takeLock(diskAhead(181), root, locker(2));
    expect(readOwner(realDisk, root)?.pid).toBe(2);
  });

  it("a heartbeat makes the owner young again", async () => {
    const lock = takeLock(realDisk, root, locker(1, { machine: THERE }));
    const before = realDisk.look(join(root.own, "lock/heartbeat"))?.ctimeMs ?? 0;
    await new Promise((done) => setTimeout(done, 20));
    lock.beat();
    expect(realDisk.look(join(root.own, "lock/heartbeat"))?.ctimeMs).toBeGreaterThan(before);
  });

  it.each(["", "{", "null", "{}", "\0\0"])("an owner's record that is %j is judged by the heartbeat alone", (text) => {
    takeLock(realDisk, root, locker(1));
    writeFileSync(join(root.own, "lock/owner.json"), text);
    expect(() => takeLock(realDisk, root, locker(2, { isAlive: () => false }))).toThrow(/cannot be read/);
    takeLock(diskAhead(181), root, locker(2));
    expect(readOwner(realDisk, root)?.pid).toBe(2);
  });

  it("an empty lock folder, as a crash of another program may leave it, is taken over", () => {
    mkdirSync(join(root.own, "lock"));
    takeLock(realDisk, root, locker(1));
    expect(readOwner(realDisk, root)?.pid).toBe(1);
  });

  it("a root that may not be written to is a root that cannot be used, not a lock that is held", () => {
    const denied = Object.assign(new Error("permission denied"), { code: "EACCES", syscall: "mkdir" });
    const disk: Disk = {
      ...realDisk,
      makeFolder: () => {
        throw denied;
      },
    };
    expect(() => takeLock(disk, root, locker(1))).toThrow(RootError);
  });
});

describe("an owner that was away", () => {
  const takeOver = () => takeLock(realDisk, root, locker(2, { isAlive: (pid) => pid !== 1 }));

  it("finds that it lost the root, is told to whom, and does not disturb the new owner", async () => {
    const lock = takeLock(realDisk, root, locker(1));
    takeOver();
    await later(1001, () => expect(() => lock.assertOwned()).toThrow(/lost .* to process 2 of u on here/));
    lock.beat();
    lock.release();
    expect(readOwner(realDisk, root)?.pid).toBe(2);
  });

  it("finds so also when the new owner has left already", async () => {
    const lock = takeLock(realDisk, root, locker(1));
    takeOver().release();
    await later(1001, () => expect(() => lock.assertOwned()).toThrow(/somebody who has left/));
  });

  it("finds so after a sleep in which the monotonic clock stood still", () => {
    const lock = takeLock(realDisk, root, locker(1));
    takeOver();
    const wall = Date.now();
    const spy = vi.spyOn(Date, "now").mockReturnValue(wall + 3_600_000);
    try {
      expect(() => lock.assertOwned()).toThrow(LockError);
    } finally {
      spy.mockRestore();
    }
  });

  it("goes on as long as it owns the root, looking at the disk once a second at most", async () => {
    let reads = 0;
    const counting: Disk = {
      ...realDisk,
      read(path, most) {
        reads++;
        return realDisk.read(path, most);
      },
    };
    const lock = takeLock(counting, root, locker(1));
    reads = 0;
    for (let i = 0; i < 100; i++) lock.assertOwned();
    expect(reads).toBe(0);
    await later(1001, () => {
      for (let i = 0; i < 100; i++) lock.assertOwned();
    });
    expect(reads).toBe(1);
  });

  it("leaves without a word when the disk is away at the end", () => {
    const lock = takeLock(realDisk, root, locker(1));
    rmSync(root.path, { recursive: true });
    expect(() => lock.release()).not.toThrow();
  });
});

describe("two that take over the same dead owner", () => {
  it("at every possible point of interleaving, one gets it and the other is told", () => {
    let interrupted = true;
    for (let at = 0; interrupted; at++) {
      rmSync(join(root.own, "lock"), { recursive: true, force: true });
      takeLock(realDisk, root, locker(1));
      const isAlive = (pid: number) => pid !== 1;
      let calls = 0;
      interrupted = false;
      let second: "has it" | "was told" | undefined;
      const takeSecond = () => {
        try {
          takeLock(realDisk, root, locker(3, { isAlive }));
          second = "has it";
        } catch (error) {
          expect(error).toBeInstanceOf(LockError);
          second = "was told";
        }
      };
      const between = <A extends unknown[], R>(action: (...args: A) => R) => {
        return (...args: A): R => {
          if (calls++ === at) {
            interrupted = true;
            takeSecond();
          }
          return action(...args);
        };
      };
      const disk: Disk = {
        ...realDisk,
        look: between(realDisk.look),
        read: between(realDisk.read),
        create: between(realDisk.create),
        makeFolder: between(realDisk.makeFolder),
        rename: between(realDisk.rename),
        remove: between(realDisk.remove),
        list: between(realDisk.list),
      };
      let first: "has it" | "was told" = "has it";
      try {
        takeLock(disk, root, locker(2, { isAlive }));
      } catch (error) {
        expect(error, `interrupted at call ${at}`).toBeInstanceOf(LockError);
        first = "was told";
      }
      if (!interrupted) takeSecond();
      const owner = readOwner(realDisk, root)?.pid;
      expect(
        [first, second].filter((one) => one === "has it"),
        `interrupted at call ${at}`,
      ).toHaveLength(1);
      expect(owner, `interrupted at call ${at}`).toBe(first === "has it" ? 2 : 3);
    }
  });
});

describe("litter of lockers that died", () => {
  it("is swept by a later owner when it is old, and left while somebody may be using it", () => {
    mkdirSync(join(root.own, "lock-of-a-dead-one"));
    writeFileSync(join(root.own, "lock-of-a-dead-one/owner.json"), "");
    takeLock(realDisk, root, locker(1)).release();
    expect(litter()).toEqual(["lock-of-a-dead-one"]);
    takeLock(diskAhead(3700), root, locker(1)).release();
    expect(litter()).toEqual([]);
  });

  it("never costs a file that is not the lock's", () => {
    writeFileSync(join(root.own, "notes"), "mine");
    takeLock(diskAhead(3700), root, locker(1)).release();
    expect(readFileSync(join(root.own, "notes"), "utf8")).toBe("mine");
  });
});
