/** Jobs that others move about are found again, and no other is taken for them. */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { type Disk, realDisk } from "../../../src/disk.ts";
import { follow, type Trace, traceOf } from "../../../src/look/trace.ts";
import { jobFolder, type Root, setUpRoot } from "../../../src/root.ts";
import type { JobRef } from "../../../src/selection.ts";
import type { Place } from "../../../src/stage.ts";
import { makeFolder } from "../../harness.ts";

let root: Root;

beforeEach(async () => {
  ({ root } = await setUpRoot(realDisk, join(makeFolder(), "root")));
});

const at = (place: Place, name: string) => jobFolder(root, place, name);

function make(place: Place, name: string, token?: string): void {
  mkdirSync(join(at(place, name), ".jobmgr", ...(token ? [`attempt-${token}`] : [])), { recursive: true });
}

function begin(place: Place, name: string, disk: Disk = realDisk): Trace {
  const trace = traceOf(disk, root, { place, name });
  if (!trace) throw new Error(`${place}/${name} is not there`);
  return trace;
}

const shown = (found: JobRef | undefined) => found && `${found.place}/${found.name}`;

it("through other names, though others have its name by then", () => {
  make("inbox", "a");
  make("pending", "a");
  make("complete", "a");
  const first = begin("inbox", "a");
  renameSync(at("inbox", "a"), at("pending", "a~2"));
  make("inbox", "a");
  const second = follow(realDisk, root, first);
  expect(shown(second)).toBe("pending/a~2");
  renameSync(at("pending", "a~2"), at("complete", "a~3"));
  const third = follow(realDisk, root, second as Trace);
  expect(shown(third)).toBe("complete/a~3");
  renameSync(at("complete", "a~3"), at("inbox", "a~3"));
  expect(shown(follow(realDisk, root, third as Trace))).toBe("inbox/a~3");
});

it("when its number got a number, and when its name was too long for one", () => {
  for (const [first, next] of [
    ["a~2", "a~2~2"],
    ["a~2~2", "a~2~3"],
    ["n".repeat(255), `${"n".repeat(253)}~2`],
    [`${"n".repeat(252)}~10`, `${"n".repeat(252)}~~2`],
  ] as const) {
    make("inbox", first);
    const trace = begin("inbox", first);
    renameSync(at("inbox", first), at("complete", next));
    expect(shown(follow(realDisk, root, trace))).toBe(`complete/${next}`);
  }
});

it("by the token of its attempt where inodes are made up, and by its name where it has none yet", () => {
  let next = 1;
  const sshfs: Disk = {
    ...realDisk,
    look(path) {
      const look = realDisk.look(path);
      return look && { ...look, ino: next++ };
    },
  };
  const token = "20260101T000000-0123456789ab";
  make("inbox", "a");
  make("complete", "a");
  const strangers = new Set(["complete/a"]);
  const first = begin("inbox", "a", sshfs);
  expect(shown(follow(sshfs, root, first, strangers))).toBe("inbox/a");
  renameSync(at("inbox", "a"), at("pending", "a"));
  mkdirSync(join(at("pending", "a"), ".jobmgr", `attempt-${token}`));
  const second = follow(sshfs, root, first, strangers);
  expect(second).toMatchObject({ place: "pending", name: "a", token });
  renameSync(at("pending", "a"), at("complete", "a~2"));
  expect(shown(follow(sshfs, root, second as Trace, strangers))).toBe("complete/a~2");
});

it("an archive as the job that was unpacked of it, also where only its archive is left", () => {
  writeFileSync(at("inbox", "a.tar.gz"), "x");
  make("complete", "a");
  const first = begin("inbox", "a.tar.gz");
  const strangers = new Set(["complete/a"]);
  renameSync(at("inbox", "a.tar.gz"), join(root.own, "unpacked"));
  expect(follow(realDisk, root, first, strangers)).toBeUndefined();
  make("pending", "a");
  const second = follow(realDisk, root, first, strangers);
  expect(shown(second)).toBe("pending/a");
  renameSync(at("pending", "a"), at("complete", ".a"));
  expect(shown(follow(realDisk, root, second as Trace, strangers))).toBe("complete/.a");
});

it("is nowhere once it was removed, though a namesake of old is there", () => {
  make("pending", "a");
  make("complete", "a");
  const first = begin("pending", "a");
  renameSync(at("pending", "a"), join(root.own, "gone"));
  expect(follow(realDisk, root, first, new Set(["complete/a"]))).toBeUndefined();
});
