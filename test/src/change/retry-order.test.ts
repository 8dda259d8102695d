/** Who goes back to the inbox first when several are run again. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { inRetryOrder } from "../../../src/change/retry-order.ts";
import { realDisk } from "../../../src/disk.ts";
import { setUpRoot } from "../../../src/root.ts";
import { makeFolder } from "../../harness.ts";

/** Finished jobs with what each waits for, in this order. */
async function ordered(jobs: Readonly<Record<string, string>>): Promise<string[]> {
  const { root } = await setUpRoot(realDisk, join(makeFolder(), "root"));
  for (const [name, after] of Object.entries(jobs)) {
    mkdirSync(join(root.complete, name));
    if (after !== "") writeFileSync(join(root.complete, name, "job_after.txt"), after);
  }
  const refs = Object.keys(jobs).map((name) => ({ place: "complete", name }) as const);
  return inRetryOrder(realDisk, root, refs).map(({ name }) => name);
}

it.each([
  ["none waits for another", { c: "", a: "absent", b: "" }, ["c", "a", "b"]],
  ["a chain, the last one first", { a: "b\n", b: "any c", c: "" }, ["c", "b", "a"]],
  ["several before one, and one before several", { e: "d\nc", d: "a", c: "a", a: "" }, ["a", "d", "c", "e"]],
  ["a name that was used again", { b: "a", "a~2": "a", a: "" }, ["a", "a~2", "b"]],
  ["a name as of an archive, or with its accents apart", { b: "a\u0301.tgz\n", "\u00e1": "" }, ["\u00e1", "b"]],
  ["one that cannot be read", { b: "x/y\n", a: "b" }, ["b", "a"]],
])("%s", async (_, jobs, order) => {
  expect(await ordered(jobs as Readonly<Record<string, string>>)).toEqual(order);
});

it("a circle ends, and so does a chain of thousands", async () => {
  expect((await ordered({ a: "b", b: "c", c: "a\nd", d: "d" })).sort()).toEqual(["a", "b", "c", "d"]);
  const names = Array.from({ length: 3000 }, (_, i) => `n${i}`);
  const chain = Object.fromEntries(names.map((name, i) => [name, names[i + 1] ?? ""]));
  expect(await ordered(chain)).toEqual(names.toReversed());
});

it("does not look through a link", async () => {
  const { root } = await setUpRoot(realDisk, join(makeFolder(), "root"));
  const elsewhere = makeFolder();
  writeFileSync(join(elsewhere, "job_after.txt"), "b");
  symlinkSync(elsewhere, join(root.complete, "a"));
  mkdirSync(join(root.complete, "b"));
  const jobs = ["a", "b"].map((name) => ({ place: "complete", name }) as const);
  expect(inRetryOrder(realDisk, root, jobs)).toEqual(jobs);
});
