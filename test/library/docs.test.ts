/** What is written of the library: its examples are type-checked and run, against the package as npm installs it. */
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { apiDocs } from "../../.ci/release/api-docs.ts";
import { makeFolder, runToEnd } from "../harness.ts";

const HOME = resolve(import.meta.dirname, "../..");

/** The examples of a page, by their place in it. */
function examplesIn(page: string): { name: string; text: string }[] {
  const text = readFileSync(join(HOME, page), "utf8");
  const found = [...text.matchAll(/(?<=^```ts\n)[\s\S]*?(?=^```$)/gm)];
  return found.map(([example], i) => ({ name: `${page.replace(/\W/g, "-")}-${i + 1}`, text: example }));
}

/** An empty project with the package in it, and nothing else but the types of Node. */
async function makeProject(): Promise<string> {
  const folder = makeFolder();
  const packed = await runToEnd("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: HOME,
  });
  expect(packed.code, packed.stderr).toBe(0);
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
  await runToEnd("tar", ["-xzf", join(folder, filename)], { cwd: folder });
  mkdirSync(join(folder, "node_modules/@types"), { recursive: true });
  cpSync(join(folder, "package"), join(folder, "node_modules/jobmgr"), { recursive: true });
  symlinkSync(join(HOME, "node_modules/@types/node"), join(folder, "node_modules/@types/node"));
  symlinkSync(join(HOME, "node_modules/undici-types"), join(folder, "node_modules/undici-types"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  return folder;
}

describe("docs/api.md", () => {
  it("is made of the declarations as they are (npm run docs)", () => {
    expect(readFileSync(join(HOME, "docs/api.md"), "utf8")).toBe(apiDocs());
  });

  it("has all that the package gives away", async () => {
    const all = Object.keys(await import("../../bin/library.ts")).filter((name) => name !== "isEngineError");
    const text = apiDocs();
    expect(all.filter((name) => !text.includes(`### ${name}\n`) && !text.includes(`\n- \`${name}\``))).toEqual([]);
  });
});

describe("the examples", () => {
  it("are right by their types, and those of the guides run", { timeout: 180_000 }, async () => {
    const project = await makeProject();
    const guides = [...examplesIn("README.md"), ...examplesIn("docs/library.md")];
    const all = [...guides, ...examplesIn("docs/api.md")];
    expect(guides.length).toBeGreaterThan(4);
    for (const { name, text } of all) writeFileSync(join(project, `${name}.ts`), text);
    const compilerOptions = {
      target: "es2023",
      module: "nodenext",
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      types: ["node"],
    };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
    const checked = await runToEnd(join(HOME, "node_modules/.bin/tsc"), ["-p", project]);
    expect(checked.stdout + checked.stderr).toBe("");
    for (const { name, text } of guides) {
      // What has no types in it is JavaScript, which every Node reads.
      writeFileSync(join(project, `${name}.mjs`), text);
      const { code, stderr } = await runToEnd(process.execPath, [`${name}.mjs`], { cwd: project });
      expect({ name, code, stderr }).toEqual({ name, code: 0, stderr: "" });
    }
    expect(existsSync(join(project, "jobs/complete"))).toBe(true);
    expect(readFileSync(join(project, "jobs/complete/sum/job_output.txt"), "utf8")).toBe("a\nb\nc\n");
  });
});
