/** When a batch is over: nothing goes on, nothing could, and nothing has moved since the last check. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { realDisk } from "../../../src/disk.ts";
import type { Token } from "../../../src/engine.ts";
import type { Event } from "../../../src/events.ts";
import { type Jobs, Notifier } from "../../../src/notify/index.ts";
import type { Message } from "../../../src/notify/message.ts";
import { newToken } from "../../../src/records.ts";
import { openRoot, setUpRoot } from "../../../src/root.ts";
import { MEMORY } from "../../fakes/crash-disk.ts";
import { makeFolder } from "../../harness.ts";

const CHECK: Event = { is: "check" };
const FINISHED: Event = { is: "finished", name: "x", result: "succeeded", succeeded: true, durationS: 1 };

async function makeNotifier(on: readonly ("end" | "failure" | "batch")[] = ["batch"]) {
  const path = join(makeFolder(MEMORY), "root");
  await setUpRoot(realDisk, path);
  const root = openRoot(realDisk, path);
  const told: Message[] = [];
  const target = { name: "webhook", title: "w", deliver: async (message: Message) => void told.push(message) } as const;
  const rules = { on: new Set(on), isOnce: false, pauses: { firstS: 1, mostS: 1 }, spaceMs: 0, batchMax: 5 };
  const notifier = new Notifier(realDisk, root, "n1", rules, [target], { assertOwned: () => {}, say: () => {} });
  onTestFinished(() => notifier.close(0));
  const jobs = { rest: "busy" as Jobs["rest"], underWay: () => new Set<string>(), problem: () => {} };
  const put = (is: "succeeded" | "failed" | "cancelled" = "succeeded") =>
    notifier.put({
      token: newToken(new Date()) as Token,
      name: "x",
      record: { outcome: { is, why: "w" }, at: new Date().toISOString() },
      id: undefined,
    });
  /** A check, and what was told at it. */
  const check = async (rest: Jobs["rest"]) => {
    jobs.rest = rest;
    const before = told.length;
    notifier.hear(CHECK, jobs);
    await notifier.flush(jobs, false, 5000);
    return told.slice(before).map(({ batch }) => batch?.jobs);
  };
  return { notifier, jobs, told, put, check, folder: join(root.own, "outbox") };
}

describe("a batch is told", () => {
  it("at the first check at which all is quiet, and then never again", async () => {
    const { put, check, notifier, jobs } = await makeNotifier();
    await put();
    await put("failed");
    expect(await check("busy")).toEqual([]);
    expect(await check("settling")).toEqual([]);
    notifier.hear(FINISHED, jobs);
    expect(await check("drained")).toEqual([]);
    expect(await check("drained")).toEqual([2]);
    expect(await check("drained")).toEqual([]);
  });

  it("with those that waited for its last job, for they are taken in at the next check", async () => {
    const { put, check, notifier, jobs } = await makeNotifier();
    await put();
    notifier.hear(FINISHED, jobs);
    expect(await check("drained")).toEqual([]);
    notifier.hear({ is: "claimed", name: "next" }, jobs);
    expect(await check("busy")).toEqual([]);
    await put();
    notifier.hear(FINISHED, jobs);
    expect(await check("drained")).toEqual([]);
    expect(await check("drained")).toEqual([2]);
  });

  it("when it has grown large, though there is always something to run", async () => {
    const { put, check, notifier, jobs } = await makeNotifier();
    for (let i = 0; i < 4; i++) await put();
    notifier.hear(FINISHED, jobs);
    expect(await check("busy")).toEqual([]);
    await put();
    notifier.hear(FINISHED, jobs);
    expect(await check("busy")).toEqual([5]);
    await put();
    expect(await check("busy")).toEqual([]);
  });

  it("at the end of a manager that takes nothing in any more", async () => {
    const { put, notifier, jobs, told } = await makeNotifier();
    await put("failed");
    notifier.hear(FINISHED, jobs);
    jobs.rest = "drained";
    await notifier.flush(jobs, true, 5000);
    expect(told).toMatchObject([{ batch: { jobs: 1, failed: 1 } }]);
  });
});

describe("the outbox holds", () => {
  it.each([
    [["failure"], "succeeded", []],
    [["failure"], "cancelled", []],
    [["failure"], "failed", ["due"]],
    [["end"], "succeeded", ["due"]],
    [["batch"], "failed", ["open"]],
    [["failure", "batch"], "failed", ["due", "open"]],
  ] as const)("where %j is told, of one that %s: %j", async (on, result, places) => {
    const { put, folder } = await makeNotifier(on);
    await put(result);
    expect(existsSync(folder) ? readdirSync(join(folder, "webhook")).sort() : []).toEqual(places);
  });
});
