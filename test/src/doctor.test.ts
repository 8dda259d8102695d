/** What doctor makes of a root at a later hour: files cannot be made older than they are. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { settingsOf } from "../../src/config/config.ts";
import { realDisk } from "../../src/disk.ts";
import { managerSymptoms } from "../../src/doctor/manager.ts";
import { openRoot } from "../../src/root.ts";
import { makeRoot, type TestRoot } from "../harness.ts";

const HOUR_MS = 3_600_000;

function told(root: TestRoot, laterMs: number): string[] {
  const around = { machine: { host: "here", boot: "b" }, isAlive: () => true };
  const settings = settingsOf({ root: root.path });
  const symptoms = managerSymptoms(realDisk, openRoot(realDisk, root.path), settings, around, Date.now() + laterMs);
  return symptoms.map(({ level, about, says }) => `${level} ${about}: ${says}`);
}

function hold(root: TestRoot, host: string): void {
  const lock = join(root.path, ".jobmgr/lock");
  mkdirSync(lock);
  const owner = { uuid: "u", host, boot: "b", pid: 7, start: "1", user: "ada", since: "2026-01-01T12:00:00.000Z" };
  writeFileSync(join(lock, "owner.json"), JSON.stringify(owner));
  writeFileSync(join(lock, "heartbeat"), "");
}

describe("after an hour", () => {
  it("a manager elsewhere without a sign of life is taken to be dead", async () => {
    const root = await makeRoot();
    hold(root, "elsewhere");
    expect(told(root, 0)).toEqual([
      expect.stringMatching(/^ok manager: process 7 of ada on elsewhere, since 2026-01-0\d \d\d:\d\d \S+$/),
    ]);
    expect(told(root, HOUR_MS)).toEqual([
      expect.stringMatching(
        /^warning manager: .*last sign of life was 1 h( \d+ min)? ago\. It is taken to be dead: the next one takes over/,
      ),
    ]);
  });

  it("one that lives here, and gives no sign of life, may be stopped", async () => {
    const root = await makeRoot();
    hold(root, "here");
    expect(told(root, HOUR_MS)).toEqual([expect.stringMatching(/^warning manager: .*Is it stopped\? ps 7$/)]);
  });

  it("what was staged and not finished is a leftover, and what belongs there is none", async () => {
    const root = await makeRoot();
    for (const name of ["lock-x", "arriving/archive-y", "removing/z", "finishing"])
      mkdirSync(join(root.path, ".jobmgr", name), { recursive: true });
    expect(told(root, 0).join()).not.toContain("leftovers");
    expect(told(root, 2 * HOUR_MS)).toContainEqual(
      expect.stringMatching(/^ok leftovers: 3 in .*: lock-x, arriving\/archive-y, removing\/z\. /),
    );
  });
});
