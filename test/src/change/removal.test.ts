import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { partsOf } from "../../../src/change/removal.ts";
import { realDisk } from "../../../src/disk.ts";
import { setUpRoot } from "../../../src/root.ts";

it("A folder whose name is like an archive's is another job, and no part of the one to be removed.", async () => {
  const around = mkdtempSync(join(tmpdir(), "jobmgr-removal-"));
  try {
    const { root } = await setUpRoot(realDisk, join(around, "root"));
    for (const name of ["sim", "sim.zip"]) realDisk.makeFolder(join(root.complete, name));
    realDisk.create(join(root.complete, "sim.tar.gz"), "");
    const job = { place: "complete", name: "sim" } as const;
    expect(partsOf(realDisk, root, [job]).get(job)).toEqual([job, { place: "complete", name: "sim.tar.gz" }]);
  } finally {
    rmSync(around, { recursive: true });
  }
});
