/** docs/comparison.md says what shows each of its lines; here, that this is so. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const TEST = resolve(import.meta.dirname, "..");
const TEXT = readFileSync(join(TEST, "../docs/comparison.md"), "utf8");

const cells = (line: string) =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
const rows = TEXT.split("\n")
  .filter((line) => /^\| (?!ability|fault |--)/.test(line))
  .map(cells);

const sourceOf = (path: string) =>
  [`${path}.test.ts`, `${path}.ts`].map((name) => join(TEST, name)).find((one) => existsSync(one));

describe("each line of the comparison", () => {
  it("has a test, but what is not there yet", () => {
    expect(rows.length).toBeGreaterThan(40);
    const without = rows.filter((row) => row.at(-1) === "" && !row.includes("not yet")).map(([what]) => what);
    expect(without).toEqual([]);
  });

  it.each(rows.filter((row) => row.at(-1) !== "").map((row) => [row[0], row.at(-1) ?? ""]))("%s", (_, shownBy) => {
    const [, path = "", words = ""] = /^`([\w/-]+)`: (.+)$/.exec(shownBy) ?? [];
    const source = sourceOf(path);
    expect(source, path).toBeDefined();
    expect(readFileSync(source ?? "", "utf8")).toContain(words);
  });
});
