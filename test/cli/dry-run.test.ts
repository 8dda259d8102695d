/** `jobmgr -e DryRunEngine`, word for word; and nothing is changed by it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { realDisk, signOf, walkTree } from "../../src/disk.ts";
import { makeRoot } from "../harness.ts";
import { transcript } from "./transcript.ts";

it("a dry run shows what each engine would be given, and each folder stays where it is", async () => {
  const root = await makeRoot("/tmp");
  root.drop("100-good", "#!/bin/bash\n#SBATCH --time=10\n#SBATCH --mem=2G\necho hi\n");
  root.drop("200-bad", "#SBATCH --wait\necho hi\n");
  root.drop("300-after", { "job.sh": "echo hi\n", "job_after.txt": "100-good\n" });
  root.drop("400-held", { "job.sh": "echo hi\n", job_hold: "" });
  root.drop("450-cancelled", { "job.sh": "echo hi\n", job_cancel: "" });
  writeFileSync(join(root.path, "inbox", "500-alone.sh"), "echo hi\n");
  const tree = () =>
    [...walkTree(realDisk, root.path, () => false)].map(({ path, look }) => look && signOf(path, look));
  const before = tree();
  const env = { PATH: "/nonexistent" };
  const calls = [
    ["-e", "DryRunEngine", "--settle", "0"],
    ["-e", "DryRunEngine:LocalEngine", "--settle", "0"],
    ["-e", "DryRunEngine:none"],
    ["-e", "DryRunEngine:"],
  ];
  const text = await transcript(root, "pipes", calls, env);
  expect(tree()).toEqual(before);
  await expect(text.replaceAll(/ The engines are: .*$/gm, "")).toMatchFileSnapshot("golden/dry-run-pipes.txt");
});

it("the engine beneath is the one that would count without it", async () => {
  const root = await makeRoot("/tmp");
  root.drop("100-good", "echo hi\n");
  writeFileSync(join(root.path, "jobmgr.toml"), 'engine = "LocalEngine"\n');
  const calls = [["-e", "DryRunEngine", "--settle", "0"]];
  expect(await transcript(root, "pipes", calls)).toContain("  /bin/sh ROOT/pending/100-good/");
  const env = { JOBMGR_ENGINE: "DryRunEngine" };
  expect(await transcript(root, "pipes", [["--settle", "0"]], env)).toContain("  /bin/sh ROOT/pending/100-good/");
  const other = { JOBMGR_ENGINE: "SlurmEngine" };
  expect(await transcript(root, "pipes", calls, other)).toContain("  sbatch --parsable");
});
