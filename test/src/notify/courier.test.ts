/** The courier: tries again, keeps on with the others, says so once, and gives up after a week. */
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { realDisk } from "../../../src/disk.ts";
import { Courier } from "../../../src/notify/courier.ts";
import type { Ended, Message } from "../../../src/notify/message.ts";
import { Outbox } from "../../../src/notify/outbox.ts";
import type { Rules } from "../../../src/notify/rules.ts";
import { DeliveryError } from "../../../src/notify/target.ts";
import { newToken } from "../../../src/records.ts";
import { openRoot, setUpRoot } from "../../../src/root.ts";
import { MEMORY } from "../../fakes/crash-disk.ts";
import { makeFolder, waitUntil } from "../../harness.ts";

/** A courier of a target that takes what `takes` says. */
async function makeCourier(takes: (message: Message) => boolean, more: Partial<Rules> = {}) {
  const path = join(makeFolder(MEMORY), "root");
  await setUpRoot(realDisk, path);
  const root = openRoot(realDisk, path);
  const taken: Message[] = [];
  const said: string[] = [];
  const problems = new Map<string, string>();
  const tries: string[] = [];
  const outbox = new Outbox(realDisk, root, "webhook");
  const rules: Rules = {
    on: new Set(["end", "failure", "batch"]),
    isOnce: false,
    pauses: { firstS: 0.02, mostS: 0.1 },
    spaceMs: 0,
    batchMax: 10,
    ...more,
  };
  const office = {
    underWay: () => new Set<string>(),
    assertOwned: () => {},
    say: (event: { is: string; text?: string }) => void said.push(event.text ?? ""),
    problem(about: string, text: string | undefined, wasSaid = false) {
      if (text !== undefined && !problems.has(about) && !wasSaid) said.push(text);
      if (text === undefined) problems.delete(about);
      else problems.set(about, text);
    },
  };
  const target = {
    name: "webhook",
    title: "the webhook",
    async deliver(message: Message) {
      tries.push(message.job?.name ?? message.id);
      if (!takes(message)) throw new DeliveryError("it answered 500");
      taken.push(message);
    },
  } as const;
  const make = () =>
    new Courier(target, outbox, rules, { root: root.path, complete: root.complete, host: "n1" }, office);
  const courier = make();
  onTestFinished(() => courier.close(0));
  const put = async (name: string, at = new Date()) => {
    const ended: Ended = { token: newToken(at), name, result: "succeeded", why: "", at: at.toISOString() };
    await outbox.put(ended, true, false);
  };
  const folder = join(root.own, "outbox/webhook");
  return { courier, make, outbox, put, taken, said, problems, tries, folder };
}

const names = (messages: readonly Message[]) => messages.map(({ job }) => job?.name);

describe("a target that takes nothing for a while", () => {
  it("is tried again until it does; each message arrives once, and there are two lines about it", async () => {
    let isUp = false;
    const { courier, put, taken, said, problems, tries, folder } = await makeCourier(() => isUp);
    for (const name of ["a", "b", "c"]) await put(name);
    courier.poke();
    await waitUntil("it was tried again and again", () => tries.length > 4);
    expect([...problems.values()]).toEqual([
      "Messages to the webhook cannot be delivered: it answered 500. They are kept, and tried again for 7 days.",
    ]);
    isUp = true;
    await waitUntil("all have arrived", () => taken.length === 3);
    await courier.idle();
    expect(names(taken).sort()).toEqual(["a", "b", "c"]);
    expect(said).toEqual([
      expect.stringMatching(/cannot be delivered/),
      "Messages to the webhook are delivered again.",
    ]);
    expect(problems.size).toBe(0);
    expect(readdirSync(folder)).toEqual(["due"]);
  });

  it("is told of more than a hundred ends in one message when it does again", async () => {
    let isUp = false;
    const { courier, put, taken, tries } = await makeCourier(() => isUp);
    await put("first");
    courier.poke();
    await waitUntil("it was tried", () => tries.length > 0);
    for (let i = 0; i < 101; i++) await put(`j${i}`);
    // The second try from now on has looked for messages after the last of them was put.
    const before = tries.length;
    await waitUntil("it was tried with all of them", () => tries.length > before + 1);
    isUp = true;
    await waitUntil("it has heard", () => taken.length > 0);
    await courier.idle();
    expect(taken).toMatchObject([{ event: "batch", batch: { jobs: 102, succeeded: 102 } }]);
  });

  it("is not spoken of again by each manager that lives for one pass", async () => {
    const first = await makeCourier(() => false, { isOnce: true });
    await first.put("a");
    first.courier.poke();
    await first.courier.idle();
    const second = first.make();
    second.poke();
    await second.idle();
    expect(first.tries).toEqual(["a", "a"]);
    expect(first.said).toHaveLength(1);
    expect(first.problems.size).toBe(1);
    await second.close(0);
  });

  it("is given up after a week, in one line for all", async () => {
    const { courier, put, taken, said, tries, folder } = await makeCourier(() => true);
    const old = new Date(Date.now() - 7 * 86_400_000 - 1000);
    for (const name of ["a", "b"]) await put(name, old);
    await put("new");
    courier.poke();
    await courier.idle();
    expect(names(taken)).toEqual(["new"]);
    expect(tries).toEqual(["new"]);
    expect(said).toEqual(["2 messages to the webhook could not be delivered for 7 days, and will not be."]);
    expect(readdirSync(join(folder, "due"))).toEqual([]);
  });
});

describe("a message that its target refuses", () => {
  it("does not hold up the others, and is not spoken of again and again", async () => {
    const { courier, put, taken, said, tries } = await makeCourier(({ job }) => job?.name !== "odd");
    await put("odd", new Date(Date.now() - 60_000));
    for (const name of ["a", "b"]) await put(name);
    courier.poke();
    await waitUntil("the others have arrived", () => taken.length === 2);
    const before = tries.length;
    await waitUntil("it is tried still", () => tries.length > before);
    expect(names(taken).sort()).toEqual(["a", "b"]);
    expect(said).toHaveLength(2);
    await put("c");
    courier.poke();
    await waitUntil("one that comes later arrives", () => names(taken).includes("c"));
    expect(said).toHaveLength(2);
  });
});

describe("an outbox that cannot be written", () => {
  it("does not make a message go out twice", async () => {
    const { courier, put, taken, problems, folder, outbox } = await makeCourier(() => {
      // Between the delivery and its mark, somebody puts a folder in the place of the file.
      for (const name of readdirSync(join(folder, "due"))) {
        if (existsSync(join(folder, "aside"))) break;
        renameSync(join(folder, "due", name), join(folder, "aside"));
        mkdirSync(join(folder, "due", name));
        writeFileSync(join(folder, "due", name, "mine"), "");
      }
      return true;
    });
    await put("a");
    courier.poke();
    await waitUntil("it is told", () => problems.size > 0);
    expect(names(taken)).toEqual(["a"]);
    const [name = ""] = readdirSync(join(folder, "due"));
    renameSync(join(folder, "due", name), join(folder, "mine"));
    await waitUntil("it is in order again", () => problems.size === 0);
    expect(names(taken)).toEqual(["a"]);
    expect(await outbox.parcels(new Set(), new Date())).toEqual([]);
  });
});
