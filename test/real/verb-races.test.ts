/**
 * What people ask for while a manager is at work, at the same instant: cancel, hold, release, retry, remove. Whoever wins,
 * no job is lost, none runs twice, and what was answered is true.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, it } from "vitest";
import { isAlive, startOf, thisMachine } from "../../engines/process.ts";
import { Removal } from "../../src/change/removal.ts";
import { askToCancel, hold, release } from "../../src/change/requests.ts";
import { sendBack } from "../../src/change/send-back.ts";
import { realDisk } from "../../src/disk.ts";
import { Waiting } from "../../src/look/wait-for.ts";
import { openRoot, type Root } from "../../src/root.ts";
import { PLACES } from "../../src/stage.ts";
import { makeRoot, type TestRoot } from "../harness.ts";

const ROUNDS = 50;

interface Raced {
  readonly name: string;
  retries: number;
  removed: boolean;
  cancelledInTime: boolean;
}

function placesOf(root: Root, name: string): string[] {
  return PLACES.filter((place) => existsSync(join(root[place], name)));
}

function runsOf(testRoot: TestRoot, name: string): number {
  return testRoot.runs().filter((one) => one === name).length;
}

it("verbs that race with a manager lose no job, and let none run twice", async () => {
  const testRoot = await makeRoot();
  const root = openRoot(realDisk, testRoot.path);
  const by = { machine: thisMachine(), pid: process.pid, start: startOf(process.pid) ?? "", isAlive };
  const manager = testRoot.manage(["-M", "4"]);
  const held: string[] = [];
  const jobs: Raced[] = [];

  /** So long after the drop that the manager is just about to take it, run it, or put it away. */
  const race = async (round: number): Promise<void> => {
    const name = `job${round}`;
    const job: Raced = { name, retries: 0, removed: false, cancelledInTime: false };
    jobs.push(job);
    testRoot.dropLedger(name);
    await setTimeout((round * 7) % 60);
    const place = PLACES.find((one) => existsSync(join(root[one], name))) ?? "pending";
    const ref = { place, name };
    if (round % 5 === 0) {
      const before = runsOf(testRoot, name);
      const asked = await askToCancel(realDisk, root, ref, "raced");
      expect(["done", "ended"]).toContain(asked.is);
      job.cancelledInTime = asked.is === "done" && before === 0;
    } else if (round % 5 === 1) {
      const asked = await hold(realDisk, root, ref);
      expect(["done", "submitted", "ended"]).toContain(asked.is);
      if (asked.is === "done") {
        held.push(name);
        const runs = runsOf(testRoot, name);
        await setTimeout(300);
        expect({ name, runs: runsOf(testRoot, name), places: placesOf(root, name) }).toEqual({
          name,
          runs,
          places: ["inbox"],
        });
      }
    } else if (round % 5 === 2) {
      for (let tries = 0; tries < 3; tries++) {
        if ((await sendBack(realDisk, root, name)) !== undefined) job.retries++;
        await setTimeout(15);
      }
    } else {
      // Never what is pending, as the verb does.
      const [removal, at] = [new Removal(realDisk, root, by), placesOf(root, name)[0]];
      if (at === "pending" || at === undefined) return;
      const removed = await removal.remove([{ place: at as "inbox" | "complete", name }]);
      job.removed = removed.is === "removed";
      await removal.sweep();
    }
  };
  for (let round = 0; round < ROUNDS; round += 5) {
    await Promise.all([0, 1, 2, 3, 4].map((one) => race(round + one)));
  }
  const waiting = new Waiting(realDisk, root);
  for (const name of held) {
    expect((await release(realDisk, root, { place: "inbox", name })).is).toBe("done");
  }
  const left = jobs.filter(({ removed }) => !removed);
  for (const { name } of left) {
    const place = PLACES.find((one) => existsSync(join(root[one], name)));
    waiting.add({ place: place ?? "complete", name });
  }
  const waited = await waiting.wait({
    timeoutS: 60,
    stop: new AbortController().signal,
    patienceS: 5,
    progress: () => {},
  });
  expect(waited.filter(({ is }) => is !== "ended")).toEqual([]);
  await manager.stop();

  for (const { name, retries, removed } of jobs) {
    expect({ name, places: placesOf(root, name) }).toEqual({ name, places: removed ? [] : ["complete"] });
    expect(runsOf(testRoot, name), name).toBeLessThanOrEqual(1 + retries);
  }
  for (const { name, retries } of left) {
    const status = testRoot.status(name);
    if (status.state === "succeeded")
      expect({ name, runs: runsOf(testRoot, name) }).toEqual({ name, runs: 1 + retries });
    else expect(status).toMatchObject({ state: "cancelled" });
    expect(existsSync(join(root.complete, name, "job_cancel")), `${name} would be cancelled when run again`).toBe(
      false,
    );
    expect(existsSync(join(root.complete, name, "job_hold")), `${name} would be held when run again`).toBe(false);
  }
  expect(held.length, "some are held in time").toBeGreaterThan(0);
  expect(readFileSync(testRoot.ledger, "utf8")).not.toBe("");
});
