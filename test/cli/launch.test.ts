/** `jobmgr launch`, word for word: its help, and what it would start. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { makeFolder, makeRoot } from "../harness.ts";
import { transcript } from "./transcript.ts";

it("launch, in pipes", async () => {
  const root = await makeRoot("/tmp");
  const bin = makeFolder();
  // What is really started is in real/launch.test.ts; here a version is enough.
  for (const [name, says] of [
    ["mpiexec", "mpiexec (OpenRTE) 4.1.4"],
    ["srun", "slurm-wlm 22.05.8"],
  ] as const) {
    writeFileSync(join(bin, name), `#!/bin/sh\necho '${says}'\n`);
    chmodSync(join(bin, name), 0o755);
  }
  writeFileSync(
    join(root.path, "jobmgr.toml"),
    '[launch.site]\nkind = "other"\nexecutable = "srun"\nprocesses-flag = "--tasks=%(np)d"\ndefault-options = ["-v"]\n',
  );
  // In an allocation the number of this machine's processors does not matter.
  const env = { PATH: `${bin}:${process.env.PATH}`, SLURM_JOB_ID: "", PBS_JOBID: "1" };
  const dry = (...args: string[]) => ["launch", "--dry-run", ...args];
  const calls = [
    ["launch", "--help"],
    dry("-n", "4", "echo", "Hello, world!"),
    dry("--label", "-np", "2", "--bind-to", "core", "./ocean", "in file", ":", "-n", "8", "./atmosphere"),
    dry("--backend", "srun", "-n", "1", "./ocean", "in file", ":", "-n", "8", "./atmosphere", "it's"),
    dry("--backend", "local", "-n", "2", "./a", ""),
    dry("--backend", "site", "-n", "2", "--option", "-x", "--", "./a", "-y"),
    ["launch", "--backend", "sitr", "./a"],
    ["launch", "--backend", "srun", "--exact", "--label", "./a"],
    ["launch", "--backend", "local"],
    ["launch", "--bakend", "local", "./a"],
    ["launch", "--backend", "local", "--bind-to", "core", "./a"],
    ["config"],
  ];
  await expect(await transcript(root, "pipes", calls, env)).toMatchFileSnapshot("golden/launch-pipes.txt");
});
