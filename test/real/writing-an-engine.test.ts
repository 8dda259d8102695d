/** docs/writing-an-engine.md, followed word for word in an empty folder, with jobmgr as npm packs it. */
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { makeFolder, runToEnd } from "../harness.ts";

const HOME = resolve(import.meta.dirname, "../..");
const PAGE = readFileSync(join(HOME, "docs/writing-an-engine.md"), "utf8");

/** What a reader is told to do, in order: to write a file, to replace a piece of it, to type commands and see what they say. */
const ORDERS =
  /Write `(?<write>[^`]+)`:\n\n```js\n(?<text>.*?)```|In `(?<edit>[^`]+)`, replace `(?<old>[^`]+)` by:\n\n```js\n(?<new>.*?)```|```console\n(?<console>.*?)```/gs;

it("leads from an empty engine to one that keeps the contract and runs a job", { timeout: 180_000 }, async () => {
  const folder = makeFolder();
  const project = join(folder, "project");
  mkdirSync(project);
  await packInto(folder);
  const orders = [...PAGE.matchAll(ORDERS)].map(({ groups = {} }) => groups);
  expect(PAGE.match(/```\w/g)).toHaveLength(orders.length);
  for (const order of orders) {
    if (order.write !== undefined) writeFileSync(join(project, order.write), order.text ?? "");
    if (order.edit !== undefined) replaceIn(join(project, order.edit), order.old ?? "", order.new ?? "");
    if (order.console !== undefined) await typeAll(order.console, project);
  }
});

async function packInto(folder: string): Promise<void> {
  // Its scripts would build dist/ anew under the other tests.
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const { stdout, stderr, code } = await runToEnd("npm", args, { cwd: HOME });
  expect(code, stderr).toBe(0);
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  renameSync(join(folder, filename), join(folder, "jobmgr.tgz"));
}

/** A line of the file is replaced whole, for it is indented there. */
function replaceIn(file: string, old: string, text: string): void {
  const before = readFileSync(file, "utf8");
  const lines = before.split("\n").filter((line) => line.trim() === old);
  expect(lines, `${old} in ${file}`).toHaveLength(1);
  writeFileSync(
    file,
    before.replace(`${lines[0]}\n`, () => text),
  );
}

/** Types what stands behind "$ ", and looks in the answer for the lines under it, in their order; "..." stands for anything. */
async function typeAll(block: string, cwd: string): Promise<void> {
  for (const part of block.split(/^\$ /m).filter(Boolean)) {
    const [command = "", ...expected] = part.trimEnd().split("\n");
    const { stdout, stderr, code } = await type(command, cwd);
    const said = `${stdout}\n${stderr}`;
    const isFailing = expected.some((line) => line.startsWith("×"));
    expect(code === 0, `${command}\n${said}`).toBe(!isFailing && !/is not written yet/.test(part));
    let at = 0;
    for (const line of expected) {
      for (const piece of line.split("...").filter(Boolean)) {
        const found = said.indexOf(piece.trim(), at);
        expect(found, `"${piece}" in what is said by ${command}:\n${said}`).toBeGreaterThan(-1);
        at = found + piece.trim().length;
      }
    }
  }
}

/** Without a registry: this repository has a vitest, which is linked in the place of a fetched one. */
async function type(command: string, cwd: string) {
  const env = {
    NO_COLOR: "1",
    FORCE_COLOR: "",
    CI: "",
    npm_config_offline: "true",
    npm_config_audit: "false",
    npm_config_fund: "false",
  };
  const result = await runToEnd("bash", ["-c", command.replace(/^(npm install .*) vitest$/, "$1")], { cwd, env });
  const modules = join(cwd, "node_modules");
  if (command.startsWith("npm install") && !existsSync(join(modules, "vitest"))) {
    symlinkSync(join(HOME, "node_modules/vitest"), join(modules, "vitest"));
    mkdirSync(join(modules, ".bin"), { recursive: true });
    symlinkSync("../vitest/vitest.mjs", join(modules, ".bin/vitest"));
  }
  return result;
}
