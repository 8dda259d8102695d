/** check and doctor on real Slurm: its dry run, its accounting, and a controller that is away. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jobmgr, makeFolder, makeRoot } from "../harness.ts";
import { type Cluster, missingSlurm, startCluster } from "../slurm/cluster.ts";

const SLURM_IS_THERE = process.env.CI !== undefined || missingSlurm(true) === undefined;

function makeJob(script: string): string {
  const folder = join(makeFolder(), "it's a %j job");
  mkdirSync(folder);
  writeFileSync(join(folder, "job.sh"), script);
  return folder;
}

describe.runIf(SLURM_IS_THERE)("on a cluster without accounting", () => {
  let cluster: Cluster;
  const check = (folder: string, ...args: string[]) =>
    jobmgr(["check", folder, ...args], { env: { ...cluster.env, TMPDIR: makeFolder() } });

  beforeAll(async () => {
    cluster = await startCluster({ settings: { MessageTimeout: "2", MinJobAge: "20" } });
  });

  afterAll(() => cluster?.stop());

  it("check makes sbatch's dry run, which submits nothing and leaves nothing", async () => {
    const folder = makeJob("#!/bin/bash\n#SBATCH --time=1 --ntasks=1\ntrue\n");
    const temporary = makeFolder();
    const answer = await jobmgr(["check", folder], { env: { ...cluster.env, TMPDIR: temporary } });
    expect(answer).toEqual({ code: 0, stdout: `${folder}: ok\n`, stderr: "" });
    expect(readdirSync(temporary)).toEqual([]);
    expect(readdirSync(folder)).toEqual(["job.sh"]);
    expect((await cluster.run("squeue", "--all", "--noheader", "--states=all")).stdout).toBe("");
  });

  it("check tells Slurm's own no, with what to change, for folders, scripts and --engine-arg", async () => {
    const folder = makeJob("#!/bin/bash\n#SBATCH --partition=gpu\ntrue\n");
    const answer = await check(folder);
    expect(answer.stdout).toMatch(/: error: .*invalid partition specified: gpu.*`sinfo -s` lists those there are/);
    expect(answer).toMatchObject({ code: 1, stderr: "" });
    expect((await check(join(folder, "job.sh"))).stdout).toMatch(/job\.sh: error: .*invalid partition specified: gpu/);
    const good = makeJob("true\n");
    expect((await check(good, "--engine-arg=--nodes=99")).stdout).toMatch(/: error: /);
    expect((await check(good)).code).toBe(0);
  });

  it("doctor finds Slurm well, without accounting, and that it forgets soon", async () => {
    const root = await makeRoot();
    const { stdout } = await jobmgr(["-r", root.path, "doctor"], { env: { ...cluster.env } });
    expect(stdout).toMatch(/^ok .*Slurm's commands: sbatch, squeue, scancel, sacct: version \d+\./m);
    expect(stdout).toMatch(/^ok .*Slurm's answer: in \d+ ms; 0 jobs of yours/m);
    expect(stdout).toMatch(/^ok .*accounting: this cluster keeps none; jobmgr does without/m);
    expect(stdout).toMatch(/^ok .*Slurm's limits: MaxJobCount \d+, MaxArraySize \d+, MinJobAge 20 sec/m);
    expect(stdout).toMatch(/^warning .*MinJobAge: Slurm forgets a job 20 s after its end.*--period 10$/m);
  });

  // The last one: the controller does not come back.
  it("both say that the controller is away; check does the rest, and asks once", async () => {
    await cluster.daemons.slurmctld.kill("SIGTERM");
    const [one, other] = [makeJob("true\n"), makeJob("#!/bin/sh\nif\n")];
    const answer = await check(one, other);
    expect(answer.stdout).toMatch(/job: ok\n.*: error: sh cannot read job\.sh/);
    expect(answer.stderr).toMatch(/^The engine's dry run was left out: .*\n$/);
    expect(answer.code).toBe(1);
    const root = await makeRoot();
    const { code, stdout } = await jobmgr(["-r", root.path, "doctor"], { env: { ...cluster.env } });
    expect(stdout).toMatch(/^error .*Slurm's answer: squeue failed: .*none is lost\. Is it down\? scontrol ping$/m);
    expect(stdout).toMatch(/^ok .*root: /m);
    expect(code).toBe(1);
  });
});

describe.runIf(SLURM_IS_THERE)("on a cluster with accounting", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ accounting: true });
  });

  afterAll(() => cluster?.stop());

  it("doctor finds it, and says when its database is away", async () => {
    const root = await makeRoot();
    const doctor = () => jobmgr(["-r", root.path, "doctor"], { env: { ...cluster.env } });
    const well = await doctor();
    expect(well.stdout).toMatch(/^ok .*accounting: sacct answers \(accounting_storage\/slurmdbd\)$/m);
    expect(well.stdout).not.toContain("MinJobAge: ");
    await cluster.daemons.slurmdbd?.kill();
    const sick = await doctor();
    expect(sick.stdout).toMatch(/^warning .*accounting: sacct failed: .*Jobs go on/m);
    expect(sick.code).toBe(0);
  });
});
