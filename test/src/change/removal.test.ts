/** What goes with a job that is removed: its folder and the archive that was made of it, and no other file of that name. */
import { appendFileSync, cpSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { notePacking, pack } from "../../../src/archive/packing.ts";
import { archiveRules } from "../../../src/archive/rules.ts";
import { partsOf } from "../../../src/change/removal.ts";
import { realDisk } from "../../../src/disk.ts";
import { newToken } from "../../../src/records.ts";
import { openRoot, type Root, setUpRoot } from "../../../src/root.ts";
import type { JobRef } from "../../../src/selection.ts";
import { makeFolder } from "../../harness.ts";

const token = newToken(new Date());
const job = { place: "complete", name: "sim" } as const;
let root: Root;
const at = (name: string) => join(root.complete, name);

beforeEach(async () => {
  ({ root } = await setUpRoot(realDisk, join(makeFolder(), "root")));
  mkdirSync(join(at("sim"), ".jobmgr", `attempt-${token}`), { recursive: true });
});

async function packed(result: "beside" | "instead" = "beside"): Promise<void> {
  await notePacking(realDisk, root, token, { target: "sim", ending: ".tar" });
  const archives = { ...archiveRules({}), result };
  const world = { disk: realDisk, root, groupWritable: false, archives, assertOwned: () => {} };
  expect(await pack(world, token, new AbortController().signal)).toBe("sim.tar");
}

/** By their names. */
function parts(of = root, one: JobRef = job): { own: string[]; others: readonly string[] } {
  const { own, others } = partsOf(realDisk, of, [one]).get(one) ?? { own: [], others: [] };
  return { own: own.map(({ name }) => name), others };
}

it.each([
  ["beside", "sim"],
  ["instead", ".sim"],
] as const)("its own archive goes with it, %s its folder", async (result, folder) => {
  await packed(result);
  writeFileSync(at("sim.zip"), "mine");
  mkdirSync(at("sim.tar.gz"));
  expect(parts()).toEqual({ own: [folder, "sim.tar"], others: ["sim.zip"] });
});

it("a file that somebody has put in the place of its archive stays, and so does one that has grown", async () => {
  await packed();
  appendFileSync(at("sim.tar"), "more");
  expect(parts()).toEqual({ own: ["sim"], others: ["sim.tar"] });
  rmSync(at("sim.tar"));
  writeFileSync(at("sim.tar"), "mine");
  expect(parts()).toEqual({ own: ["sim"], others: ["sim.tar"] });
});

it("the archive of an earlier run stays when the job that was run again is removed", async () => {
  await packed();
  renameSync(join(at("sim"), ".jobmgr", `attempt-${token}`), join(at("sim"), ".jobmgr", `past-${token}`));
  mkdirSync(join(at("sim"), ".jobmgr", `attempt-${newToken(new Date())}`));
  expect(parts()).toEqual({ own: ["sim"], others: ["sim.tar"] });
});

it("in a copy of the root it is known again where the copy has kept its time, and stays where it has not", async () => {
  await packed();
  const copies = [1, 2].map(() => {
    const path = join(makeFolder(), "copy");
    cpSync(root.path, path, { recursive: true, preserveTimestamps: true });
    return openRoot(realDisk, path);
  });
  utimesSync(join(copies[1]?.complete ?? "", "sim.tar"), 1e9, 1e9);
  expect(copies.map((copy) => parts(copy))).toEqual([
    { own: ["sim", "sim.tar"], others: [] },
    { own: ["sim"], others: ["sim.tar"] },
  ]);
});

it("a copy of the folder under another name goes without the archive of the first", async () => {
  await packed();
  cpSync(at("sim"), at("copy"), { recursive: true });
  expect(parts(root, { ...job, name: "copy" })).toEqual({ own: ["copy"], others: [] });
});

it("a job that is no folder but a file goes alone", () => {
  rmSync(at("sim"), { recursive: true });
  writeFileSync(at("sim"), "");
  writeFileSync(at("sim.zip"), "");
  expect(parts()).toEqual({ own: ["sim"], others: [] });
});
