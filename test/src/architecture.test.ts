/** The rooms of ARCHITECTURE.md: those that there are, and no others. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const HOUSE = resolve(import.meta.dirname, "../..");

/** The rows under "The rooms", each as one line: one that begins far to the right belongs to the row above. */
function rows(): string[] {
  const text = readFileSync(join(HOUSE, "ARCHITECTURE.md"), "utf8");
  const section = text.slice(text.indexOf("## The rooms")).split(/\n## |\nDependencies go /)[0] ?? "";
  return section.replace(/\n {10,}/g, " ").match(/(?<=^ {4})\S.*$/gm) ?? [];
}

/** What a row names, from the house: what it begins with ("src/check/ doctor/"), and each file in its text. */
function named(row: string): string[] {
  const [first = "", ...others] = /^\S+(?: [\w-]+(?:\.ts|\/)(?= ))*/.exec(row)?.[0].split(" ") ?? [];
  const folder = first.slice(0, first.replace(/\/$/, "").lastIndexOf("/") + 1);
  const heads = [first, ...others.map((other) => folder + other)];
  const around = [...heads.filter((head) => head.endsWith("/")), folder];
  const files = (row.match(/[\w./-]+\.ts\b/g) ?? []).filter((file) => file !== first);
  const places = files.map((file) => around.map((one) => one + file).find((path) => existsSync(join(HOUSE, path))));
  return [...heads, ...files.map((file, i) => places[i] ?? `${folder}${file}`)];
}

/** The sources right in this folder, and its folders, with a "/" behind. */
function within(folder: string): string[] {
  return readdirSync(join(HOUSE, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || entry.name.endsWith(".ts"))
    .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? "/" : ""}`);
}

describe("the rooms in ARCHITECTURE.md", () => {
  const all = rows().flatMap(named);

  it("are there, and so is each file that is named in them", () => {
    expect(all.length).toBeGreaterThan(80);
    expect(all.filter((path) => !existsSync(join(HOUSE, path)))).toEqual([]);
  });

  it("are all that there are", () => {
    const there = ["src/", "src/pass/", "bin/", "engines/", "engines/local/", "engines/slurm/"].flatMap(within);
    expect([...there, "test/", "bench/", ".ci/"].filter((path) => !all.includes(path))).toEqual([]);
  });
});
