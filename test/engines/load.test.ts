/** Engines that do not come with jobmgr: how they are found and loaded, and what is said of one that cannot be. */
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { engineNamed, listEngines } from "../../engines/index.ts";
import type { Places } from "../../engines/load.ts";
import { isSuperuser, makeFolder } from "../harness.ts";

/** A module's text: an engine of this name that can do nothing. */
const engineText = (name: string, how = "export default") =>
  `${how} { contract: 1, name: "${name}", version: "2.3", summary: "nothing", make() { throw new Error("no"); } };\n`;

const MANIFEST = '{ "type": "module" }';

let folder: string;
beforeEach(() => {
  folder = makeFolder();
});

function put(path: string, text: string): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

function putPackage(path: string, text: string, manifest: object = { type: "module" }): string {
  put(`${path}/package.json`, JSON.stringify(manifest));
  return put(`${path}/index.js`, text);
}

const places = (...folders: readonly string[]): Places => ({
  folders: folders.map((one) => join(folder, one)),
  program: undefined,
});

async function nameOf(word: string, where?: Places): Promise<string> {
  return (await engineNamed(word, where)).definition.name;
}

describe("a file", () => {
  it.each([
    ["a default export", "a.mjs", engineText("Mine")],
    ["a named export", "a.mjs", engineText("Mine", "export const mine =")],
    ["a module of CommonJS", "a.cjs", engineText("Mine", "module.exports =")],
    [
      "what a compiler makes of a default export",
      "a.cjs",
      engineText("Mine", "exports.__esModule = true; exports.default ="),
    ],
    ["a module that waits while it is loaded", "a.mjs", `await null;\n${engineText("Mine")}`],
  ])("with %s", async (_, name, text) => {
    const file = put(name, text);
    const { definition, foreign } = await engineNamed(file);
    expect([definition.name, foreign?.definition.version, foreign?.from]).toEqual(["Mine", "2.3", file]);
  });

  it("of TypeScript, where this Node can read it, else with a word on what to do", async () => {
    const file = put("a.mts", `const a: string = "x";\n${engineText("Mine")}`);
    const can = Boolean((process.features as { typescript?: unknown }).typescript);
    if (can) expect(await nameOf(file)).toBe("Mine");
    else
      await expect(nameOf(file)).rejects.toThrow(
        /cannot read TypeScript, which .*a\.mts is\. Name the \.js that is made of it/,
      );
  });

  it("stands for a folder by what its package.json names", async () => {
    putPackage("mine", "", { exports: { "./other": "./x.js", ".": { types: "./x.d.ts", import: "./lib/main.mjs" } } });
    put("mine/lib/main.mjs", engineText("Mine"));
    expect(await nameOf(join(folder, "mine"))).toBe("Mine");
    putPackage("old", "", { main: "lib/main" });
    put("old/lib/main.js", engineText("Old", "module.exports ="));
    expect(await nameOf(join(folder, "old"))).toBe("Old");
  });
});

describe("of a path that leads to no file, it is said why", () => {
  it.each<readonly [string, string, RegExp]>([
    ["a file that is not there", "none.js", /^There is no engine .*none\.js: there is no such file\.$/],
    ["a folder without an entry", "empty", /^There is no engine .*empty: there is no .*empty\/index\.js\.$/],
    ["a package.json that is none", "damaged", /^There is no engine .*damaged: .*JSON/],
    ["a package that gives nothing away", "closed", /closed\/package\.json exports nothing under "\."\.$/],
  ])("%s", async (_, name, said) => {
    mkdirSync(join(folder, "empty"));
    put("damaged/package.json", "{");
    put("closed/package.json", '{ "exports": {} }');
    await expect(nameOf(join(folder, name))).rejects.toMatchObject({
      verdict: "refused",
      message: expect.stringMatching(said),
    });
  });
});

describe("a package", () => {
  it("is found by its name, or by what stands behind jobmgr-engine-, also in a scope", async () => {
    putPackage("node_modules/jobmgr-engine-mine", engineText("Mine"));
    putPackage("node_modules/mine", "throw new Error('not this one');\n");
    putPackage("node_modules/@lab/jobmgr-engine-ours", engineText("Ours"));
    putPackage("node_modules/plain", engineText("Plain"));
    expect(await nameOf("mine", places("."))).toBe("Mine");
    expect(await nameOf("jobmgr-engine-mine", places("."))).toBe("Mine");
    expect(await nameOf("@lab/ours", places("."))).toBe("Ours");
    expect(await nameOf("plain", places("."))).toBe("Plain");
  });

  it("is looked for in each place and above it, the first place first", async () => {
    putPackage("root/node_modules/jobmgr-engine-mine", engineText("AtTheRoot"));
    putPackage("node_modules/jobmgr-engine-mine", engineText("Above"));
    putPackage("global/node_modules/jobmgr-engine-other", engineText("Other"));
    expect(await nameOf("mine", places("root", "here"))).toBe("AtTheRoot");
    expect(await nameOf("mine", places("here/deep", "root"))).toBe("Above");
    expect(await nameOf("other", places("here", "root", "global/node_modules/jobmgr/dist"))).toBe("Other");
  });

  it("is known again by its folder", async () => {
    putPackage("node_modules/jobmgr-engine-mine", engineText("Mine"));
    const from = (await engineNamed("mine", places("."))).foreign?.from;
    expect(from).toBe(join(folder, "node_modules/jobmgr-engine-mine"));
    expect(await nameOf(from ?? "")).toBe("Mine");
  });

  it("may be linked from where it is developed", async () => {
    const file = putPackage("work/mine", engineText("Mine"));
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(dirname(file), join(folder, "node_modules/jobmgr-engine-mine"));
    expect(await nameOf("mine", places("."))).toBe("Mine");
  });

  it("that anybody could have put there is not run, unless its path is given", async () => {
    const file = putPackage("node_modules/jobmgr-engine-mine", engineText("Mine"));
    chmodSync(file, 0o666);
    await expect(nameOf("mine", places("."))).rejects.toThrow(
      /jobmgr-engine-mine is not loaded: everybody may write to .*index\.js\. To run it all the same, give its path: -e \//,
    );
    chmodSync(file, 0o644);
    chmodSync(join(folder, "node_modules"), 0o777);
    await expect(nameOf("mine", places("."))).rejects.toThrow("everybody may write to");
    expect(await nameOf(file)).toBe("Mine");
  });

  it.skipIf(!isSuperuser)("of another user is not run, unless jobmgr itself is that user's", async () => {
    const file = putPackage("node_modules/jobmgr-engine-mine", engineText("Mine"));
    const program = put("jobmgr.mjs", "");
    for (const path of [file, program, join(folder, "node_modules")]) chownSync(path, 12345, 12345);
    await expect(nameOf("mine", places("."))).rejects.toThrow("belongs to another user (uid 12345)");
    expect(await nameOf("mine", { ...places("."), program })).toBe("Mine");
  });

  it("that is not there is told of, with where it was looked for, and what may have been meant", async () => {
    putPackage("node_modules/jobmgr-engine-flux", engineText("Flux"));
    await expect(nameOf("fluxx", places("."))).rejects.toMatchObject({
      verdict: "refused",
      message: expect.stringMatching(
        /^There is no engine "fluxx"\. Did you mean flux\? The engines are: .*LocalEngine, .*SlurmEngine\. Nor is there a package jobmgr-engine-fluxx or fluxx in node_modules of \/.*, or of a folder above\.$/,
      ),
    });
    for (const word of ["LocalEngine", "local", "LOCAL", "engines.LocalEngine"])
      expect(await nameOf(word)).toBe("LocalEngine");
    await expect(nameOf("LocalEngin")).rejects.toThrow('There is no engine "LocalEngin". Did you mean LocalEngine?');
    await expect(nameOf("package.json")).rejects.toThrow("Did you mean the file ./package.json?");
    await expect(nameOf("/etc", places("."))).rejects.toThrow(
      /^There is no engine \/etc: there is no \/etc\/index\.js/,
    );
    await expect(nameOf("a/../../b", places("."))).rejects.toThrow('There is no engine "a/../../b"');
  });
});

it("all that are found are listed, those of no use with the reason; the one in force once", async () => {
  putPackage("node_modules/jobmgr-engine-mine", engineText("Mine"));
  putPackage("node_modules/jobmgr-engine-broken", "throw new Error('no licence');\n");
  put("node_modules/no-engine/package.json", MANIFEST);
  const listed = await listEngines("mine", "9.9", places("."));
  const own = listed.filter(({ from }) => from !== undefined);
  expect(own.map(({ word }) => word)).toEqual(["broken", "mine"]);
  expect(own[0]?.absence).toContain("no licence");
  expect(own[1]).toMatchObject({ name: "Mine", version: "2.3", summary: "nothing", isInForce: true });
  expect(listed.filter(({ isInForce }) => isInForce)).toHaveLength(1);
  expect(listed.find(({ word }) => word === "LocalEngine")).toMatchObject({ version: "9.9", isInForce: false });
  const [given] = (await listEngines(put("a.mjs", "throw 5;"), "9.9", places("."))).slice(-1);
  expect(given).toMatchObject({ isInForce: true, absence: expect.stringContaining("cannot be loaded: 5") });
});
