/** By which name a finished job is found, whatever is left of it. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { finishedFolder, finishedNames, isTakenInComplete } from "../../../src/archive/finished.ts";
import { realDisk } from "../../../src/disk.ts";
import { type Root, setUpRoot } from "../../../src/root.ts";
import { makeFolder } from "../../harness.ts";

let root: Root;

beforeEach(async () => {
  ({ root } = await setUpRoot(realDisk, join(makeFolder(), "root")));
  for (const name of ["folder", "beside", ".instead", "name.zip", "name"]) mkdirSync(join(root.complete, name));
  for (const name of ["beside.tar.gz", "instead.zip", "alone.tgz"]) writeFileSync(join(root.complete, name), "");
});

it("a job has one name, whether its folder is there, its archive, or both", () => {
  const names = finishedNames(realDisk, root, readdirSync(root.complete));
  expect(names.filter((name) => !name.startsWith(".")).sort()).toEqual([
    "alone.tgz",
    "beside",
    "folder",
    "instead",
    "name",
    "name.zip",
  ]);
});

it("what says how it ended is in its folder, or in what is hidden of it", () => {
  expect(finishedFolder(realDisk, root, "beside")).toBe(`${root.complete}/beside`);
  expect(finishedFolder(realDisk, root, "instead")).toBe(`${root.complete}/.instead`);
  expect(finishedFolder(realDisk, root, "none")).toBe(`${root.complete}/none`);
});

it.each([
  ["folder", undefined, true],
  ["instead", undefined, true],
  ["alone", undefined, false],
  ["alone", ".tgz", true],
  ["new", ".tgz", false],
] as const)("%s%s is taken: %s", (name, ending, isTaken) => {
  expect(isTakenInComplete(realDisk, root, name, ending)).toBe(isTaken);
});
