/** Readiness: a folder is taken when it is whole, at rest and its owner's; each reason to wait is a sentence. */
import { execFileSync } from "node:child_process";
import { chownSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { type Disk, realDisk } from "../../../src/disk.ts";
import { isUnfinishedName, type ReadyRules, readinessOf, signatureOf } from "../../../src/inbox/ready.ts";
import { makeFolder } from "../../harness.ts";

const RULES: ReadyRules = { settleS: 5, readyFile: undefined, owners: undefined, finishedFile: undefined };
const MINUTE_MS = 60_000;

let folder: string;

beforeEach(() => {
  folder = join(makeFolder(), "job");
  mkdirSync(folder);
  writeFileSync(join(folder, "job.sh"), "true\n");
});

const nowMs = () => Date.now();
const later = () => Date.now() + MINUTE_MS;

/** Why the folder waits, `now` being what the file system's clock shows; "" if it is ready. */
function why(rules: Partial<ReadyRules> = {}, now: () => number = later): string {
  const readiness = readinessOf(realDisk, folder, { ...RULES, ...rules }, now);
  return readiness.is === "ready" ? "" : readiness.why;
}

describe("a folder at rest", () => {
  it("is ready", () => {
    expect(why()).toBe("");
  });

  it("is not ready before the settle time, says for how long, and when to look again", () => {
    const readiness = readinessOf(realDisk, folder, RULES, nowMs);
    expect(readiness).toMatchObject({ is: "unready", why: expect.stringMatching(/changed 0 s ago.*5 s of rest/) });
    if (readiness.is === "unready") {
      expect(readiness.againInS).toBeGreaterThan(3);
      expect(readiness.againInS).toBeLessThanOrEqual(5.01);
    }
  });

  it("is judged by the newest change anywhere in it", () => {
    mkdirSync(join(folder, "a/b/c"), { recursive: true });
    writeFileSync(join(folder, "a/b/c/data"), "");
    const newest = realDisk.look(join(folder, "a/b/c/data"))?.ctimeMs ?? 0;
    expect(why({}, () => newest + 4900)).toContain("changed 4 s ago");
    expect(why({}, () => newest + 5100)).toBe("");
  });

  it("old modification times, as rsync -a and scp -p set them, do not make it older", () => {
    utimesSync(join(folder, "job.sh"), 1e9, 1e9);
    utimesSync(folder, 1e9, 1e9);
    expect(why({}, nowMs)).toContain("changed 0 s ago");
  });

  it("times in the future, from a skewed clock, let it wait and never crash", () => {
    expect(why({}, () => Date.now() - 3600_000)).toContain("changed 0 s ago");
  });

  it("with a settle time of 0 is ready at once", () => {
    expect(why({ settleS: 0 }, () => realDisk.look(join(folder, "job.sh"))?.ctimeMs ?? 0)).toBe("");
  });

  it("any settle time and any clock: it is ready exactly when the newest change is as old", () => {
    const newest = Math.max(...["", "/job.sh"].map((path) => realDisk.look(folder + path)?.ctimeMs ?? 0));
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100_000 }),
        fc.integer({ min: -1_000_000, max: 1_000_000 }),
        (settleS, offsetMs) => {
          expect(why({ settleS }, () => newest + offsetMs) === "").toBe(offsetMs >= settleS * 1000);
        },
      ),
    );
  });

  it("an empty folder inside, links and odd files are at rest as any other", () => {
    mkdirSync(join(folder, "empty"));
    symlinkSync("/nonexistent", join(folder, "link"));
    symlinkSync("/", join(folder, "root"));
    execFileSync("mkfifo", [join(folder, "fifo")]);
    expect(why()).toBe("");
  });
});

describe("a folder waits", () => {
  it.each<[string, () => void, RegExp]>([
    ["without a job.sh", () => rmSync(join(folder, "job.sh")), /no job\.sh yet/],
    ["while it is held", () => writeFileSync(join(folder, "job_hold"), ""), /held.*delete its file job_hold/],
    ["when it has gone", () => rmSync(folder, { recursive: true }), /gone/],
    [
      "when it is a file",
      () => {
        rmSync(folder, { recursive: true });
        writeFileSync(folder, "");
      },
      /no folder, script or archive: a script ends in \.sh/,
    ],
    [
      "when it is a link",
      () => {
        rmSync(folder, { recursive: true });
        symlinkSync("/tmp", folder);
      },
      /link.*not followed/,
    ],
    [
      "while something is being uploaded",
      () => writeFileSync(join(folder, "x.filepart"), ""),
      /x\.filepart.*unfinished/,
    ],
    [
      "while something deep inside is being uploaded",
      () => {
        mkdirSync(join(folder, "a/b"), { recursive: true });
        writeFileSync(join(folder, "a/b/.data.AbC123"), "");
      },
      /unfinished/,
    ],
  ])("%s", (_, spoil, sentence) => {
    spoil();
    expect(why()).toMatch(sentence);
  });

  it("while it belongs to somebody else, and says how to take it all the same", ({ skip }) => {
    if (process.getuid?.() !== 0) skip("only root can give a file away");
    const owners = new Set([0]);
    expect(why({ owners })).toBe("");
    chownSync(join(folder, "job.sh"), 65534, 65534);
    expect(why({ owners })).toMatch(/another user \(uid 65534\).*--allow-owner 65534/);
    expect(why({ owners: new Set([0, 65534]) })).toBe("");
    expect(why({ owners: undefined })).toBe("");
    chownSync(join(folder, "job.sh"), 0, 0);
    chownSync(folder, 65534, 65534);
    expect(why({ owners })).toMatch(/another user/);
  });
});

describe("with a ready file", () => {
  it("a folder waits for it, and is then ready at once, without any rest", () => {
    expect(why({ readyFile: "done" }, nowMs)).toBe("it has no done yet");
    writeFileSync(join(folder, "done"), "");
    expect(why({ readyFile: "done" }, nowMs)).toBe("");
  });

  it("job.sh and job_hold are still asked for", () => {
    writeFileSync(join(folder, "done"), "");
    writeFileSync(join(folder, "job_hold"), "");
    expect(why({ readyFile: "done" })).toContain("held");
    rmSync(join(folder, "job.sh"));
    expect(why({ readyFile: "done" })).toContain("no job.sh");
  });
});

describe("names of unfinished files", () => {
  const nobody: ReadonlySet<string> = new Set();

  it.each([
    ".data.bin.Xy12Zq",
    ".~tmp~",
    "a.filepart",
    "a.part",
    "a.PARTIAL",
    "a.crdownload",
    "a.download",
    ".sftp-x",
    ".#a",
    ".nfs000000000abc",
    ".fuse_hidden0001",
    "a~",
  ])("%s is one", (name) => {
    expect(isUnfinishedName(name, nobody)).toBe(true);
  });

  it.each(["a", "a.txt", ".hidden", ".gitignore", "a.parts", "part", "tmp", "~", ".bashrc", "NAME~2", ".nfsx"])(
    "%s is none",
    (name) => {
      expect(isUnfinishedName(name, nobody)).toBe(false);
    },
  );

  it("an editor's backup beside its file is none", () => {
    expect(isUnfinishedName("job.sh~", new Set(["job.sh", "job.sh~"]))).toBe(false);
  });
});

describe("the second look, after the claim", () => {
  const first = (rules = RULES) => {
    const readiness = readinessOf(realDisk, folder, rules, later);
    return readiness.is === "ready" ? readiness.signature : "not ready";
  };
  const second = (rules = RULES) => signatureOf(realDisk, folder, rules, later);

  it("shows the same when nothing changed, though the move changed the folder's own ctime", () => {
    const before = first();
    utimesSync(folder, new Date(), new Date());
    renameSync(folder, `${folder}2`);
    folder = `${folder}2`;
    expect(second()).toBe(before);
  });

  it.each<[string, () => void]>([
    ["a file that grew", () => writeFileSync(join(folder, "job.sh"), "more\n", { flag: "a" })],
    ["a file that was replaced by one of the same size", () => writeFileSync(join(folder, "job.sh"), "tru2\n")],
    ["a new file", () => writeFileSync(join(folder, "new"), "")],
    ["a file that has gone", () => rmSync(join(folder, "data"))],
    ["an upload that began", () => writeFileSync(join(folder, "x.part"), "")],
  ])("shows %s", (_, change) => {
    writeFileSync(join(folder, "data"), "");
    const before = first();
    change();
    expect(second()).not.toBe(before);
  });

  it("asks nothing where a ready file speaks", () => {
    const rules = { ...RULES, readyFile: "done" };
    writeFileSync(join(folder, "done"), "");
    const before = first(rules);
    writeFileSync(join(folder, "new"), "");
    expect(second(rules)).toBe(before);
  });
});

describe("what a look costs", () => {
  it("the clock is not asked for a folder that waits for another reason", () => {
    rmSync(join(folder, "job.sh"));
    let asked = 0;
    readinessOf(realDisk, folder, RULES, () => ++asked);
    expect(asked).toBe(0);
  });

  it("a folder without end keeps nobody waiting: the look ends at 20,000 entries", () => {
    const count = { looks: 0, lists: 0 };
    const endless: Disk = {
      ...realDisk,
      list() {
        count.lists++;
        return ["job.sh", "a", "b", "c", "d", "e", "f", "g", "h"];
      },
      look(path) {
        count.looks++;
        const look = realDisk.look(folder);
        return look && { ...look, kind: path.endsWith("job.sh") ? "file" : "folder", ctimeMs: 0 };
      },
    };
    expect(readinessOf(endless, folder, RULES, later).is).toBe("ready");
    expect(count.looks).toBeLessThan(25_000);
    expect(count.lists).toBeLessThan(5000);
  });
});
