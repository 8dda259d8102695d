/** The door to the file system: links are never followed, a pipe holds nobody up, and a put is whole or nothing. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { type Disk, moveSurely, putDurably, putForReading, realDisk } from "../../src/disk.ts";
import { makeFolder } from "../harness.ts";

let folder: string;
let outside: string;

beforeEach(() => {
  folder = makeFolder();
  outside = join(makeFolder(), "outside");
  writeFileSync(outside, "outside\n", { mode: 0o600 });
});

const at = (name: string) => join(folder, name);

describe("a look", () => {
  it("tells what a thing is, without following a link", () => {
    writeFileSync(at("file"), "12345");
    mkdirSync(at("folder"));
    symlinkSync(outside, at("link"));
    symlinkSync("nowhere", at("dangling"));
    execFileSync("mkfifo", [at("fifo")]);
    expect(["file", "folder", "link", "dangling", "fifo"].map((name) => realDisk.look(at(name))?.kind)).toEqual([
      "file",
      "folder",
      "link",
      "link",
      "other",
    ]);
    expect(realDisk.look(at("file"))?.size).toBe(5);
  });

  it("at what is not there is undefined, also below a file", () => {
    writeFileSync(at("file"), "");
    expect(realDisk.look(at("absent"))).toBeUndefined();
    expect(realDisk.look(at("n".repeat(256)))).toBeUndefined();
    expect(realDisk.look(at("file/below"))).toBeUndefined();
    expect(realDisk.read(at("absent"))).toBeUndefined();
    expect(realDisk.readTail(at("absent"), 10)).toBeUndefined();
    expect(realDisk.readLink(at("absent"))).toBeUndefined();
  });
});

describe("reading", () => {
  it("takes so many bytes from the start, or from the end", () => {
    writeFileSync(at("file"), "0123456789");
    expect(realDisk.read(at("file"))?.toString()).toBe("0123456789");
    expect(realDisk.read(at("file"), 4)?.toString()).toBe("0123");
    expect(realDisk.readTail(at("file"), 4)?.toString()).toBe("6789");
    expect(realDisk.readTail(at("file"), 400)?.toString()).toBe("0123456789");
  });

  it("does not follow a link", () => {
    symlinkSync(outside, at("link"));
    expect(() => realDisk.read(at("link"))).toThrow(/ELOOP/);
    expect(() => realDisk.readTail(at("link"), 10)).toThrow(/ELOOP/);
  });

  it("of a pipe, a folder or a device is refused at once, and waits for nobody", { timeout: 5000 }, () => {
    execFileSync("mkfifo", [at("fifo")]);
    for (const path of [at("fifo"), folder, "/dev/zero"]) {
      expect(() => realDisk.read(path)).toThrow();
      expect(() => realDisk.readTail(path, 10)).toThrow();
    }
  });
});

describe("writing", () => {
  it("creates only what is not there, and never through a link", () => {
    writeFileSync(at("file"), "old");
    symlinkSync(outside, at("link"));
    symlinkSync(join(folder, "new"), at("dangling"));
    for (const name of ["file", "link", "dangling"]) expect(() => realDisk.create(at(name), "x")).toThrow(/EEXIST/);
    expect(readFileSync(at("file"), "utf8")).toBe("old");
    expect(readFileSync(outside, "utf8")).toBe("outside\n");
    expect(readdirSync(folder)).not.toContain("new");
  });

  it("a folder or link whose name is taken is not made, and says so", () => {
    expect(realDisk.makeFolder(at("a"))).toBe(true);
    expect(realDisk.makeFolder(at("a"))).toBe(false);
    expect(realDisk.makeLink(at("l"), "one")).toBe(true);
    expect(realDisk.makeLink(at("l"), "two")).toBe(false);
    expect(readlinkSync(at("l"))).toBe("one");
  });

  it("mode bits and times are never set through a link", () => {
    symlinkSync(outside, at("link"));
    const before = statSync(outside);
    expect(() => realDisk.touch(at("link"))).toThrow();
    try {
      realDisk.addMode(at("link"), 0o077);
    } catch {
      // Refused, or nothing to do: a link has all bits itself.
    }
    expect(statSync(outside).mode).toBe(before.mode);
    expect(statSync(outside).mtimeMs).toBe(before.mtimeMs);
  });

  it("mode bits are added, none is taken away", () => {
    writeFileSync(at("file"), "", { mode: 0o640 });
    chmodSync(at("file"), 0o640);
    mkdirSync(at("folder"));
    chmodSync(at("folder"), 0o2500);
    realDisk.addMode(at("file"), 0o004);
    realDisk.addMode(at("folder"), 0o200);
    expect(statSync(at("file")).mode & 0o7777).toBe(0o644);
    expect(statSync(at("folder")).mode & 0o7777).toBe(0o2700);
  });
});

describe("a move", () => {
  const lost = Object.assign(new Error("ENOENT: no such file or directory"), { code: "ENOENT" });
  const fails = () => {
    throw lost;
  };

  it("that was done is none that failed, though the file system says so, as NFS may", () => {
    mkdirSync(at("a"));
    moveSurely(
      (from, to) => {
        renameSync(from, to);
        fails();
      },
      at("a"),
      at("b"),
    );
    expect(readdirSync(folder)).toEqual(["b"]);
  });

  it("that was not done has failed, whatever lies at its end", () => {
    for (const name of ["a", "b"]) writeFileSync(at(name), name);
    expect(() => moveSurely(fails, at("a"), at("c"))).toThrow(lost);
    expect(() => moveSurely(fails, at("a"), at("b"))).toThrow(lost);
    expect(() => moveSurely(fails, at("gone"), at("b"))).toThrow(lost);
    // Somebody was faster, and moved it to another place.
    const stolen = () => {
      renameSync(at("a"), at("elsewhere"));
      fails();
    };
    expect(() => moveSurely(stolen, at("a"), at("b"))).toThrow(lost);
    expect(readdirSync(folder)).toEqual(["b", "elsewhere"]);
  });
});

describe("putting a file into place", () => {
  const puts = { putForReading, putDurably };

  it.each(Object.entries(puts))("%s replaces what was there, whole, and leaves nothing beside it", async (_, put) => {
    await put(realDisk, folder, "record", "one");
    await put(realDisk, folder, "record", "two");
    expect(readFileSync(at("record"), "utf8")).toBe("two");
    expect(readdirSync(folder)).toEqual(["record"]);
  });

  it.each(Object.entries(puts))("%s replaces a link instead of writing through it", async (_, put) => {
    symlinkSync(outside, at("record"));
    symlinkSync(outside, at(".record.new"));
    await put(realDisk, folder, "record", "new");
    expect(readFileSync(outside, "utf8")).toBe("outside\n");
    expect(realDisk.look(at("record"))?.kind).toBe("file");
    expect(readFileSync(at("record"), "utf8")).toBe("new");
  });

  it.each(Object.entries(puts))("%s does not write into a file that has a second name", async (_, put) => {
    linkSync(outside, at("record"));
    linkSync(outside, at(".record.new"));
    await put(realDisk, folder, "record", "new");
    expect(readFileSync(outside, "utf8")).toBe("outside\n");
  });

  it.each(Object.entries(puts))("%s moves a folder of that name aside, with all that is in it", async (_, put) => {
    mkdirSync(at("record"));
    writeFileSync(at("record/mine"), "mine");
    mkdirSync(at(".record.new"));
    await put(realDisk, folder, "record", "new");
    expect(readFileSync(at("record"), "utf8")).toBe("new");
    expect(readFileSync(at("record~2/mine"), "utf8")).toBe("mine");
  });

  it.each(Object.entries(puts))("%s that fails leaves the old file, and the next one succeeds", async (_, put) => {
    await put(realDisk, folder, "record", "old");
    const full: Disk = {
      ...realDisk,
      create(path) {
        realDisk.create(path, "ne");
        throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
      },
    };
    await expect(async () => put(full, folder, "record", "new")).rejects.toThrow("no space left");
    expect(readFileSync(at("record"), "utf8")).toBe("old");
    await put(realDisk, folder, "record", "new");
    expect(readFileSync(at("record"), "utf8")).toBe("new");
    expect(readdirSync(folder)).toEqual(["record"]);
  });

  it("putDurably syncs the content before the rename, and the folder after it", async () => {
    const calls: string[] = [];
    const watched: Disk = {
      ...realDisk,
      rename(from, to) {
        calls.push(`rename to ${to}`);
        realDisk.rename(from, to);
      },
      async sync(path) {
        calls.push(`sync ${path}`);
        await realDisk.sync(path);
      },
    };
    await putDurably(watched, folder, "record", "x");
    expect(calls).toEqual([`sync ${at(".record.new")}`, `rename to ${at("record")}`, `sync ${folder}`]);
  });
});
