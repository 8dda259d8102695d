/** The root: its identity, the names in it, and a free name where one is taken. */
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { realDisk } from "../../src/disk.ts";
import { isReservedName, isResultName } from "../../src/files.ts";
import {
  fileSystemNow,
  freeName,
  isIgnoredName,
  isRootThere,
  isUnreadableName,
  openRoot,
  RootError,
  setUpRoot,
  sortByCodePoint,
} from "../../src/root.ts";
import { makeFolder } from "../harness.ts";

const bytes = (text: string) => Buffer.byteLength(text);

/** Why this root is refused. */
function refusal(path: string): string {
  try {
    openRoot(realDisk, path);
  } catch (error) {
    expect(error).toBeInstanceOf(RootError);
    return (error as Error).message;
  }
  return "";
}

describe("a free name", () => {
  it("is the name itself, then NAME~2, NAME~3", () => {
    const taken = new Set<string>();
    const next = () => {
      const name = freeName("job", (one) => taken.has(one));
      taken.add(name);
      return name;
    };
    expect([next(), next(), next()]).toEqual(["job", "job~2", "job~3"]);
  });

  it("fits into 255 bytes, by shortening the name and never its ending", () => {
    const name = "n".repeat(255);
    expect(freeName(name, () => false)).toBe(name);
    expect(freeName(name, (one) => one === name)).toBe(`${"n".repeat(253)}~2`);
    const tenth = freeName(name, (one) => one === name || /~\d$/.test(one));
    expect(tenth).toBe(`${"n".repeat(252)}~10`);
  });

  it("cuts no character in two", () => {
    const name = `${"\u{1f600}".repeat(63)}abc`;
    expect(bytes(name)).toBe(255);
    expect(freeName(name, (one) => one === name)).toBe(`${"\u{1f600}".repeat(63)}a~2`);
    expect(freeName("\u{1f600}".repeat(63).concat("ä", "b"), (one) => !one.includes("~"))).toBe(
      `${"\u{1f600}".repeat(63)}~2`,
    );
  });

  it("of any name is not taken, of at most 255 bytes, and whole characters", () => {
    const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }).filter((one) => bytes(one) <= 255);
    fc.assert(
      fc.property(name, fc.integer({ min: 0, max: 30 }), (wanted, count) => {
        const taken = new Set<string>();
        for (let i = 0; i < count; i++) taken.add(freeName(wanted, (one) => taken.has(one)));
        const free = freeName(wanted, (one) => taken.has(one));
        expect(taken.has(free)).toBe(false);
        expect(taken.size).toBe(count);
        expect(bytes(free)).toBeLessThanOrEqual(255);
        expect(Buffer.from(free).toString("utf8")).toBe(free);
      }),
    );
  });
});

describe("the order of names", () => {
  it("is that of their UTF-8 bytes, whatever the names", () => {
    const point = fc.integer({ min: 1, max: 0x10ffff }).filter((code) => code < 0xd800 || code > 0xdfff);
    const name = fc.array(point, { maxLength: 6 }).map((codes) => String.fromCodePoint(...codes));
    fc.assert(
      fc.property(fc.array(name, { maxLength: 20 }), (names) => {
        const byBytes = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect(sortByCodePoint([...names])).toEqual(byBytes);
      }),
    );
  });

  it("puts what lies beyond UTF-16's first plane last", () => {
    expect(sortByCodePoint(["\u{1f600}", "\uffee", "a", "B", "10", "9"])).toEqual([
      "10",
      "9",
      "B",
      "a",
      "\uffee",
      "\u{1f600}",
    ]);
  });
});

describe("kinds of names", () => {
  it("hidden names and what desktops leave behind are ignored", () => {
    for (const name of [".a", ".DS_Store", "._x", "Thumbs.db", "desktop.ini"]) expect(isIgnoredName(name)).toBe(true);
    for (const name of ["a", "a.b", "-a", " a", "~a"]) expect(isIgnoredName(name)).toBe(false);
  });

  it("results are the files that jobmgr writes for people, and no others", () => {
    for (const name of ["job_error.txt", "job_status.json", "job_output.txt", "job_output_12.txt"])
      expect(isResultName(name)).toBe(true);
    for (const name of ["job.sh", "job_output.txt~", "job_output_x.txt", "my_job_output.txt", "job_name.txt"])
      expect(isResultName(name)).toBe(false);
  });

  it("an output may not have a name that means something", () => {
    for (const name of [
      "job.sh",
      "job_error.txt",
      "job_status.json",
      "job_cancel",
      "job_hold",
      "job_name.txt",
      "job_after.txt",
    ])
      expect(isReservedName(name)).toBe(true);
    for (const name of ["job_output.txt", "out.txt", "job_output_1.txt"]) expect(isReservedName(name)).toBe(false);
  });

  it("a name that is not UTF-8 is known", () => {
    const folder = makeFolder();
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x61, 0xff])]), "");
    expect(readdirSync(folder).map(isUnreadableName)).toEqual([true]);
    expect(isUnreadableName("ä\u{1f600}")).toBe(false);
  });
});

describe("setting up a root", () => {
  it("makes the three folders and an identity, and opens them again", async () => {
    const path = join(makeFolder(), "root");
    const { root, made } = await setUpRoot(realDisk, path);
    expect(made).toEqual(["", "/inbox", "/pending", "/complete", "/.jobmgr/root.json"].map((name) => path + name));
    expect(readdirSync(path).sort()).toEqual([".jobmgr", "complete", "inbox", "pending"]);
    expect(openRoot(realDisk, path)).toEqual(root);
    expect(isRootThere(realDisk, root)).toBe(true);
  });

  it("changes nothing the second time, and mends what is missing", async () => {
    const path = join(makeFolder(), "root");
    const first = await setUpRoot(realDisk, path);
    expect(await setUpRoot(realDisk, path)).toEqual({ root: first.root, made: [] });
    rmSync(first.root.complete, { recursive: true });
    expect((await setUpRoot(realDisk, path)).made).toEqual([first.root.complete]);
  });

  it("is told how to be made in a command that can be pasted", () => {
    const path = join(makeFolder(), "my root");
    expect(refusal(path)).toContain(`jobmgr --root '${path}' --setup`);
  });

  it("makes no folder above the root, and says so", async () => {
    const folder = makeFolder();
    await expect(setUpRoot(realDisk, join(folder, "a", "b"))).rejects.toThrow(/does not exist.*Make it first/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("makes none where it would be a place or a job of another one, nor of the whole system", async () => {
    const { root } = await setUpRoot(realDisk, join(makeFolder(), "root"));
    mkdirSync(join(root.inbox, "job"));
    for (const path of [
      root.inbox,
      root.own,
      join(root.inbox, "new"),
      join(root.pending, "new"),
      join(root.inbox, "job"),
    ])
      await expect(setUpRoot(realDisk, path)).rejects.toThrow(`${path} lies in the root ${root.path}, `);
    symlinkSync(root.inbox, `${root.path}-link`);
    await expect(setUpRoot(realDisk, `${root.path}-link/new`)).rejects.toThrow(`lies in the root ${root.path}, `);
    await expect(setUpRoot(realDisk, "/")).rejects.toThrow("/ cannot be a root");
    expect(readdirSync(root.inbox)).toEqual(["job"]);
    // That of a program which a job runs is not ours to forbid.
    await setUpRoot(realDisk, join(root.inbox, "job", "own"));
  });

  it("leaves alone what is in the way", async () => {
    const path = makeFolder();
    writeFileSync(join(path, "inbox"), "mine");
    await expect(setUpRoot(realDisk, path)).rejects.toThrow(/inbox is in the way/);
    expect(readFileSync(join(path, "inbox"), "utf8")).toBe("mine");
  });

  it("two at the same instant make one root", async () => {
    const path = join(makeFolder(), "root");
    await Promise.all([setUpRoot(realDisk, path), setUpRoot(realDisk, path)]);
    const root = openRoot(realDisk, path);
    expect((await setUpRoot(realDisk, path)).root.id).toBe(root.id);
  });
});

describe("a root that cannot be used is refused with what to do", () => {
  it.each<[string, (path: string) => void, RegExp]>([
    ["one that is not there", (path) => rmSync(path, { recursive: true }), /does not exist.*--setup/],
    [
      "an empty folder, as an unmounted file system shows",
      (path) => {
        rmSync(path, { recursive: true });
        mkdirSync(path);
      },
      /is empty.*not mounted.*--setup/,
    ],
    [
      "a folder that was never set up",
      (path) => rmSync(join(path, ".jobmgr"), { recursive: true }),
      /never set up.*--setup/,
    ],
    [
      "a file",
      (path) => {
        rmSync(path, { recursive: true });
        writeFileSync(path, "");
      },
      /not a folder/,
    ],
    ["a damaged identity", (path) => writeFileSync(join(path, ".jobmgr/root.json"), "{"), /damaged.*--setup/],
    ["an identity cut to nothing", (path) => writeFileSync(join(path, ".jobmgr/root.json"), ""), /damaged/],
    [
      "a foreign identity",
      (path) => writeFileSync(join(path, ".jobmgr/root.json"), '{"a":1}'),
      /not what jobmgr wrote/,
    ],
    [
      "an identity that is not even an object",
      (path) => writeFileSync(join(path, ".jobmgr/root.json"), "null"),
      /not what jobmgr wrote|damaged/,
    ],
    [
      "a newer format",
      (path) => writeFileSync(join(path, ".jobmgr/root.json"), '{"jobmgr":2,"id":"x"}'),
      /newer jobmgr \(format 2/,
    ],
    ["a missing folder", (path) => rmSync(join(path, "pending"), { recursive: true }), /pending is missing.*--setup/],
    [
      "a folder that is a link",
      (path) => {
        renameSync(join(path, "inbox"), join(path, "elsewhere"));
        symlinkSync("elsewhere", join(path, "inbox"));
      },
      /inbox is not a folder but a link/,
    ],
  ])("%s", async (_, spoil, sentence) => {
    const path = join(makeFolder(), "root");
    await setUpRoot(realDisk, path);
    spoil(path);
    expect(refusal(path)).toMatch(sentence);
  });

  it("a root may itself be reached through a link", async () => {
    const folder = makeFolder();
    await setUpRoot(realDisk, join(folder, "root"));
    symlinkSync("root", join(folder, "link"));
    expect(refusal(join(folder, "link"))).toBe("");
  });

  it("a root whose identity changed, or cannot be read, is not there", async () => {
    const path = join(makeFolder(), "root");
    const { root } = await setUpRoot(realDisk, path);
    writeFileSync(join(path, ".jobmgr/root.json"), '{"jobmgr":1,"id":"another"}');
    expect(isRootThere(realDisk, root)).toBe(false);
    writeFileSync(join(path, ".jobmgr/root.json"), "");
    expect(isRootThere(realDisk, root)).toBe(false);
    rmSync(path, { recursive: true });
    expect(isRootThere(realDisk, root)).toBe(false);
  });
});

describe("the clock of the file system", () => {
  it("goes on from look to look, and is the one that dates files", async () => {
    const { root } = await setUpRoot(realDisk, join(makeFolder(), "root"));
    const before = fileSystemNow(realDisk, root);
    writeFileSync(join(root.inbox, "file"), "");
    const dated = realDisk.look(join(root.inbox, "file"))?.ctimeMs ?? 0;
    const after = fileSystemNow(realDisk, root);
    expect(before).toBeLessThanOrEqual(dated);
    expect(dated).toBeLessThanOrEqual(after);
  });

  it("is read also where another manager makes its file at the same instant", async () => {
    const { root } = await setUpRoot(realDisk, join(makeFolder(), "root"));
    let looks = 0;
    const look: typeof realDisk.look = (path) => {
      if (looks++ > 0) return realDisk.look(path);
      writeFileSync(join(root.own, "clock"), "");
      return undefined;
    };
    expect(fileSystemNow({ ...realDisk, look }, root)).toBeGreaterThan(0);
  });

  it("is read also where its file cannot be written to any more, for touching needs no space", async () => {
    const { root } = await setUpRoot(realDisk, join(makeFolder(), "root"));
    const first = fileSystemNow(realDisk, root);
    chmodSync(join(root.own, "clock"), 0o400);
    expect(fileSystemNow(realDisk, root)).toBeGreaterThanOrEqual(first);
  });
});
