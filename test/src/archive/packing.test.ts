/** A finished folder that its archive is to stand for: only what is in the archive goes. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { notePacking, pack } from "../../../src/archive/packing.ts";
import { archiveRules } from "../../../src/archive/rules.ts";
import { realDisk } from "../../../src/disk.ts";
import { newToken } from "../../../src/records.ts";
import { type Root, setUpRoot } from "../../../src/root.ts";
import { makeFolder } from "../../harness.ts";

const token = newToken(new Date());
const never = new AbortController().signal;
let root: Root;
const at = (name: string) => join(root.complete, name);

beforeEach(async () => {
  ({ root } = await setUpRoot(realDisk, join(makeFolder(), "root")));
  mkdirSync(join(at("a"), ".jobmgr", `attempt-${token}`), { recursive: true });
  writeFileSync(join(at("a"), "result.txt"), "42\n");
  await notePacking(realDisk, root, token, { target: "a", ending: ".tar" });
});

const packIt = (assertOwned = () => {}) => {
  const archives = { ...archiveRules({}), result: "instead" } as const;
  return pack({ disk: realDisk, root, groupWritable: false, archives, assertOwned }, token, never);
};

it("goes from sight, and its files with it", async () => {
  expect(await packIt()).toBe("a.tar");
  expect(existsSync(at("a"))).toBe(false);
  expect(existsSync(at(".a/result.txt"))).toBe(false);
  expect(readFileSync(at("a.tar"), "latin1")).toContain("42\n");
});

it("stays, whole, if something was written into it while it was packed", async () => {
  let times = 0;
  const late = () => {
    if (times++ === 0) writeFileSync(join(at("a"), "late.txt"), "of a child that was left behind\n");
  };
  await expect(packIt(late)).rejects.toThrow(/a was changed while it was packed, so that it stays/);
  expect(readFileSync(at("a/late.txt"), "utf8")).toContain("left behind");
  expect(readFileSync(at("a/result.txt"), "utf8")).toBe("42\n");
  expect(existsSync(at(".a"))).toBe(false);
  expect(existsSync(at("a.tar"))).toBe(true);
});
