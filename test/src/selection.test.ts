/** Which jobs a word means. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { realDisk } from "../../src/disk.ts";
import { type Root, setUpRoot } from "../../src/root.ts";
import { AbsentError, selectJob, selectJobs } from "../../src/selection.ts";
import type { Place } from "../../src/stage.ts";
import { makeFolder } from "../harness.ts";

let root: Root;

beforeEach(async () => {
  ({ root } = await setUpRoot(realDisk, join(makeFolder(), "root")));
  for (const path of ["inbox/a", "inbox/b-1", "inbox/b-2", "pending/c", "complete/a", "complete/d [1]", "complete/é*"])
    mkdirSync(join(root.path, path));
});

const selected = (words: string[], places?: Place[]) =>
  selectJobs(realDisk, root, words, places).map(({ place, name }) => `${place}/${name}`);

describe("a word", () => {
  it.each<[string, string[]]>([
    ["a", ["inbox/a", "complete/a"]],
    ["complete/a", ["complete/a"]],
    ["complete/a/", ["complete/a"]],
    ["./complete/a", ["complete/a"]],
    ["b-*", ["inbox/b-1", "inbox/b-2"]],
    ["inbox/*", ["inbox/a", "inbox/b-1", "inbox/b-2"]],
    ["b-?", ["inbox/b-1", "inbox/b-2"]],
    ["b-[2-9]", ["inbox/b-2"]],
    ["b-[!2]", ["inbox/b-1"]],
    ["é?", ["complete/é*"]],
  ])("%s means %j", (word, jobs) => expect(selected([word])).toEqual(jobs));

  it("means the job of exactly this name, whatever signs are in it", () => {
    expect(selected(["d [1]"])).toEqual(["complete/d [1]"]);
    expect(selected(["é*"])).toEqual(["complete/é*"]);
  });

  it("may be the path of a folder", () => expect(selected([join(root.complete, "a")])).toEqual(["complete/a"]));

  it("that means none is an error with the nearest names, and so is one that means a job in another place", () => {
    expect(() => selected(["b1"])).toThrow(AbsentError);
    expect(() => selected(["b1"])).toThrow(/no job b1 in inbox, pending, complete\. Did you mean b-1\?/);
    expect(() => selected(["zzz*"])).toThrow(/status --all/);
    expect(() => selected(["c"], ["complete"])).toThrow(/c is in pending, not in complete/);
  });

  it("with something of a path in it leads nowhere else", () => {
    for (const word of ["../root", "..", ".", "", "/", "inbox/../complete/a/x", ".jobmgr"])
      expect(() => selected([word]), word).toThrow(AbsentError);
  });
});

it("several words give each job once, in their order", () => {
  expect(selected(["c", "b-*", "b-1", "c"])).toEqual(["pending/c", "inbox/b-1", "inbox/b-2"]);
});

it("where one job is asked for, the first place counts, and several names are refused", () => {
  expect(selectJob(realDisk, root, "a", ["pending", "complete", "inbox"])).toEqual({ place: "complete", name: "a" });
  expect(() => selectJob(realDisk, root, "b-*")).toThrow(/means several jobs: b-1, b-2/);
});
