/** Which files of a finished job are its inputs. */
import { mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { inputsOf } from "../../../src/change/inputs.ts";
import type { Disk, Look } from "../../../src/disk.ts";
import { realDisk } from "../../../src/disk.ts";
import { newToken } from "../../../src/records.ts";
import { makeFolder } from "../../harness.ts";

const BEGAN_S = 1_700_000_000;

/** A disk that knows times to the second, and only of the last change, as a mount through sshfs does. */
function coarse(disk: Disk): Disk {
  return {
    ...disk,
    look(path): Look | undefined {
      const look = disk.look(path);
      const atMs = Math.floor((look?.mtimeMs ?? 0) / 1000) * 1000;
      return look && { ...look, mtimeMs: atMs, ctimeMs: atMs, birthMs: atMs };
    },
  };
}

/** A folder whose job ran for ten seconds. */
function finished(): string {
  const folder = makeFolder();
  const token = newToken(new Date(BEGAN_S * 1000));
  const records = join(folder, ".jobmgr", `attempt-${token}`);
  mkdirSync(records, { recursive: true });
  const put = (path: string, text: string, atS: number) => {
    writeFileSync(path, text);
    utimesSync(path, atS, atS);
  };
  put(join(records, "started"), `jobmgr-started 1 ${token} host boot 1 1 end\n`, BEGAN_S);
  put(join(records, "exit"), `jobmgr-exit 1 ${token} 0 host end\n`, BEGAN_S + 10);
  put(join(folder, "earlier"), "", BEGAN_S - 1);
  put(join(folder, "at-the-start"), "", BEGAN_S);
  put(join(folder, "result"), "", BEGAN_S + 5);
  put(join(folder, "job.sh"), "", BEGAN_S + 5);
  put(join(folder, "later"), "", BEGAN_S + 11);
  return folder;
}

it("are what was there when it began, what came after its end, and job.sh, also where times are known to the second only", () => {
  const folder = finished();
  const disk = coarse(realDisk);
  const inputs = inputsOf(disk, folder, undefined);
  const kept = ["earlier", "at-the-start", "result", "job.sh", "later"].filter((name) => {
    const look = disk.look(join(folder, name));
    return look && inputs.keeps(name, look);
  });
  expect(kept).toEqual(["earlier", "at-the-start", "job.sh", "later"]);
  expect(inputs.leftOut).toEqual(["result"]);
  rmSync(folder, { recursive: true });
});
