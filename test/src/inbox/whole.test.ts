/** A folder that came in one step is ready at once, and no other is taken for one. */
import { cpSync, mkdirSync, renameSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { realDisk } from "../../../src/disk.ts";
import { type ReadyRules, readinessOf, signatureOf } from "../../../src/inbox/ready.ts";
import { markedWholeAtMs, markWhole, spendWhole } from "../../../src/inbox/whole.ts";
import { makeFolder, waitUntil } from "../../harness.ts";

const RULES: ReadyRules = { settleS: 3600, readyFile: undefined, owners: undefined, finishedFile: undefined };

let around: string;
let folder: string;

beforeEach(() => {
  around = makeFolder();
  folder = join(around, "job");
  mkdirSync(join(folder, "sub"), { recursive: true });
  writeFileSync(join(folder, "job.sh"), "true\n");
  writeFileSync(join(folder, "sub/data.part"), "1");
});

const readiness = (path = folder, rules: Partial<ReadyRules> = {}) =>
  readinessOf(realDisk, path, { ...RULES, ...rules }, () => Date.now());

/** So that what is done next has a later time by the clock of the file system. */
async function tick(): Promise<void> {
  const before = realDisk.look(join(folder, ".jobmgr/whole"))?.ctimeMs ?? 0;
  const probe = join(around, "probe");
  await waitUntil("its clock has gone on", () => {
    writeFileSync(probe, "");
    return (realDisk.look(probe)?.ctimeMs ?? 0) > before;
  });
}

describe("a folder that is marked", () => {
  beforeEach(() => markWhole(realDisk, folder));

  it("is ready at once, also when it has been renamed, and whatever its files are called", async () => {
    await tick();
    renameSync(folder, join(around, "inbox"));
    expect(readiness(join(around, "inbox"))).toMatchObject({ is: "ready" });
  });

  it("is ready without the file that others must have", () => {
    expect(readiness(folder, { readyFile: "go" })).toMatchObject({ is: "ready" });
  });

  it("is not ready while it is held", () => {
    writeFileSync(join(folder, "job_hold"), "");
    expect(readiness()).toMatchObject({ is: "unready", why: expect.stringMatching(/held/) });
  });

  it.each<[string, () => void]>([
    ["a file is added", () => writeFileSync(join(folder, "more"), "")],
    ["a file is removed", () => unlinkSync(join(folder, "sub/data.part"))],
    ["a file deep in it is changed", () => writeFileSync(join(folder, "sub/data.part"), "22")],
    ["a file gets an old time", () => utimesSync(join(folder, "job.sh"), 1e9, 1e9)],
  ])("settles as any other once %s", async (_, change) => {
    await tick();
    change();
    expect(readiness()).toMatchObject({ is: "unready" });
    expect(readiness(folder, { readyFile: "go" })).toMatchObject({ is: "unready" });
  });

  it("is not what its copy is", () => {
    cpSync(folder, join(around, "copy"), { recursive: true });
    expect(readiness(join(around, "copy"))).toMatchObject({ is: "unready" });
  });

  it("looks the same before and after it was taken, unless it was changed between", async () => {
    const before = readiness();
    const wholeAtMs = markedWholeAtMs(realDisk, folder);
    spendWhole(realDisk, folder);
    const taken = join(around, "pending");
    renameSync(folder, taken);
    const lookAgain = () => signatureOf(realDisk, taken, RULES, () => Date.now(), wholeAtMs);
    expect(before).toEqual({ is: "ready", signature: lookAgain() });
    renameSync(taken, folder);
    await tick();
    writeFileSync(join(folder, "job.sh"), "false\n");
    renameSync(folder, taken);
    expect(lookAgain()).toBeUndefined();
  });

  it("settles when its mark has been spent", () => {
    spendWhole(realDisk, folder);
    expect(readiness()).toMatchObject({ is: "unready" });
    spendWhole(realDisk, folder);
  });
});

describe("a folder that is not marked", () => {
  it.each<[string, () => void]>([
    ["with nothing", () => {}],
    ["with another folder's number", () => writeFileSync(join(folder, ".jobmgr/whole"), "1\n")],
    ["with a folder in the mark's place", () => mkdirSync(join(folder, ".jobmgr/whole"))],
  ])("settles, %s", (_, put) => {
    mkdirSync(join(folder, ".jobmgr"));
    put();
    expect(readiness()).toMatchObject({ is: "unready" });
    spendWhole(realDisk, folder);
  });
});
