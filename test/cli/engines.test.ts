/** `jobmgr engines`, word for word. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { jobmgr, makeFolder, makeRoot, type TestRoot } from "../harness.ts";
import { putManager } from "./put.ts";
import { transcript } from "./transcript.ts";

function putPackage(root: TestRoot, name: string, text: string): void {
  const folder = join(root.path, "node_modules", `jobmgr-engine-${name}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "index.js"), text);
}

it("engines, found and given, those of no use with the reason", async () => {
  const root = await makeRoot("/tmp");
  putPackage(
    root,
    "flux",
    `export const flux = { contract: 1, name: "FluxEngine", version: "2.0.0", summary: "Flux, through flux submit",
       absence: () => "There is no flux on this machine.", make() {} };`,
  );
  putPackage(root, "old", 'export default { contract: 0, name: "OldEngine" };');
  // Of the programs that schedulers come with, none is here.
  const env = { PATH: "/nonexistent" };
  const calls = [["engines"], ["engines", "-e", "flux"], ["engines", "--json", "-e", "LocalEngine"], ["engines", "x"]];
  const text = await transcript(root, "pipes", calls, env);
  // Two of those that come with jobmgr are enough.
  const few = text
    .replaceAll(/^(?!Slurm|Local)\w+Engine[ :].*\n/gm, "")
    .replaceAll(/^ {2}\{\n {3}"word": "(?!Slurm|Local)\w+Engine"[^}]*\},\n/gm, "");
  await expect(few.replaceAll(/\b\d+\.\d+\.\d+\b/g, "X.Y.Z")).toMatchFileSnapshot("golden/engines-pipes.txt");
});

it("Slurm's commands on a machine that belongs to no cluster run no jobs, and its resources are not there", async () => {
  const bin = makeFolder();
  const said = "fatal: Could not establish a configuration source";
  for (const name of ["sbatch", "squeue", "scancel", "sinfo"])
    writeFileSync(join(bin, name), `#!/bin/sh\necho "${said}" >&2\nexit 1\n`, { mode: 0o755 });
  const env = { PATH: `${bin}:/usr/bin:/bin` };
  const why = new RegExp(
    `sbatch --version failed: ${said}\\. Does this machine belong to the cluster\\?.*-e LocalEngine$`,
  );
  const { engines } = JSON.parse((await jobmgr(["engines", "--json", "-e", "SlurmEngine"], { env })).stdout);
  expect(engines[0]).toMatchObject({ name: "SlurmEngine", runsHere: false, why: expect.stringMatching(why) });
  const { code, stderr } = await jobmgr(["resources", "-e", "SlurmEngine"], { env });
  expect([code, stderr.trim()]).toEqual([69, expect.stringMatching(why)]);
});

it("who looks on asks the engine of the root's manager, or of the last one, unless another one is named", async () => {
  const root = await makeRoot();
  putManager(root, { engine: "LocalEngine" }, true);
  const asked = async (cwd: string, env: NodeJS.ProcessEnv = {}) => {
    const { stdout } = await jobmgr(["engines", "--json"], { cwd, env: { PATH: "/nonexistent", ...env } });
    const { engines } = JSON.parse(stdout) as { engines: { name: string; inForce: boolean }[] };
    return engines.filter(({ inForce }) => inForce).map(({ name }) => name);
  };
  const inbox = join(root.path, "inbox");
  expect(await asked(inbox)).toEqual(["LocalEngine"]);
  expect(await asked(inbox, { JOBMGR_ENGINE: "PbsEngine" })).toEqual(["PbsEngine"]);
  expect(await asked("/")).toEqual(["SlurmEngine"]);
  const { stdout } = await jobmgr(["resources", "--json"], { cwd: inbox });
  expect(JSON.parse(stdout)).toMatchObject({ engine: "LocalEngine" });
  // As cron leaves it between two passes.
  rmSync(join(root.path, ".jobmgr/lock"), { recursive: true });
  expect(await asked(inbox)).toEqual(["LocalEngine"]);
  putManager(root, { engine: "MineEngine", engineFrom: join(root.path, "mine.js") }, false);
  expect(await asked(inbox)).toEqual(["SlurmEngine"]);
});
