/** What a real sbatch says when it says no, and that each of its texts is understood. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Answer } from "../../engines/batch/verdicts.ts";
import { idIn, verdictOf } from "../../engines/slurm/answers.ts";
import { whyItWaits } from "../../engines/slurm/reasons.ts";
import { type Exit, exitOf, isLaunchFailure, stateOf } from "../../engines/slurm/states.ts";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "./cluster.ts";

let cluster: Cluster;
const folder = mkdtempSync(join(tmpdir(), "jobmgr-answers-"));

beforeAll(async () => {
  if (missingSlurm(true) !== undefined) return;
  cluster = await startCluster({
    accounting: true,
    settings: {
      AccountingStorageEnforce: "limits,qos",
      EnforcePartLimits: "ALL",
      MaxArraySize: "101",
      Licenses: "matlab:2",
      MessageTimeout: "3",
    },
  });
  await done("sacctmgr", "-i", "add", "account", "users");
  await done("sacctmgr", "-i", "add", "user", await me(), "account=users", "defaultaccount=users");
  await done("sacctmgr", "-i", "add", "qos", "tight");
  await done("sacctmgr", "-i", "modify", "qos", "tight", "set", "Flags=DenyOnLimit");
  await limit("user", await me(), "qos+=tight");
  await done("scontrol", "create", "PartitionName=short", "Nodes=ALL", "MaxTime=10", "MaxMemPerNode=100");
  await done("scontrol", "create", "PartitionName=closed", "Nodes=ALL", "State=INACTIVE");
  await done("scontrol", "create", "PartitionName=reserved", "Nodes=ALL", "ReqResv=YES");
});
beforeEach((context) => needSlurm(context, true));

afterAll(async () => {
  await cluster?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function done(program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.run(program, ...args);
  expect(`${code} ${stderr}`, [program, ...args].join(" ")).toBe("0 ");
  return stdout;
}

const me = async () => (await done("id", "-un")).trim();

/** slurmdbd tells slurmctld of it a moment later. */
async function limit(kind: "qos" | "user" | "account", name: string, ...set: string[]): Promise<void> {
  await done("sacctmgr", "-i", "modify", kind, name, "set", ...set);
  await new Promise((resolve) => setTimeout(resolve, 100));
}

async function submit(...args: string[]): Promise<Answer & { id: string | undefined; said: string }> {
  const ran = await cluster.run("sbatch", "--parsable", `--chdir=${folder}`, ...args);
  const id = idIn(ran.stdout)?.id;
  return { ...(id === undefined ? answerTo(ran) : { verdict: "unknown" }), id, said: ran.stderr };
}

function answerTo({ code, stdout, stderr }: Awaited<ReturnType<Cluster["run"]>>): Answer {
  return verdictOf({ exitCode: typeof code === "number" ? code : undefined, stdout, stderr });
}

/** A job that stays in the queue and never runs. */
const waiting = ["--begin=now+1hour", "--wrap=true"];

async function cancelAll(): Promise<void> {
  await done("scancel", "--user", await me());
  await expect.poll(() => done("squeue", "-h", "-t", "PD,R,CG")).toBe("");
}

function script(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

describe("sbatch refuses, for good", () => {
  it.each([
    ["an unknown partition", ["--partition=nope"], "There is no partition nope."],
    ["an unknown account", ["--account=nope"], "#SBATCH --account"],
    ["an unknown QOS", ["--qos=nope"], "#SBATCH --qos"],
    ["a time that is none", ["--time=banana"], "#SBATCH --time"],
    ["more time than the partition allows", ["--partition=short", "--time=60"], "#SBATCH --time"],
    ["more memory than the partition allows", ["--partition=short", "--mem=200"], "#SBATCH --mem"],
    ["a partition that needs a reservation", ["--partition=reserved"], "#SBATCH --partition"],
    ["an unknown feature", ["--constraint=nope"], "#SBATCH --constraint"],
    ["an unknown device", ["--gres=banana:1"], "#SBATCH --gres"],
    ["more memory than a node has", ["--mem=999T"], "#SBATCH --mem"],
    ["more processors than a node has", ["--mincpus=9999"], "#SBATCH --mincpus"],
    ["more nodes than there are", ["--nodes=5"], "#SBATCH --nodes"],
    ["more tasks than there are processors", ["--ntasks=9999"], "#SBATCH --ntasks"],
    ["an array number that is too high", ["--array=0-101"], "MaxArraySize"],
    ["an unknown reservation", ["--reservation=nope"], "#SBATCH --reservation"],
    ["the exclusion of every node", ["--exclude=n1"], "--exclude"],
    ["an unknown node", ["--nodelist=n99"], "#SBATCH --nodelist"],
    ["a dependency that cannot be read", ["--dependency=banana"], "#SBATCH --dependency"],
    ["an unknown license", ["--licenses=nope"], "#SBATCH --licenses"],
    ["more licenses than there are", ["--licenses=matlab:3"], "#SBATCH --licenses"],
    ["an option that sbatch does not know", ["--banana"], "--banana"],
    ["a begin that is no time", ["--begin=banana"], "#SBATCH --begin"],
    ["a deadline in the past", ["--deadline=2001-01-01"], "--deadline"],
    ["an unknown cluster", ["--clusters=nope"], "There is no cluster nope."],
  ])("%s", async (_name, args, part) => {
    const { verdict, remedy, said } = await submit(...args, "--wrap=true");
    expect([verdict, remedy], said).toEqual(["refused", expect.stringContaining(part)]);
  });

  it.each([
    ["no #! line", "echo hi\n", "#!/bin/bash"],
    ["Windows line ends", "#!/bin/bash\r\necho hi\r\n", "dos2unix"],
    ["nothing in it", "", "empty"],
    ["a zero byte", "#!/bin/bash\nx\0y\n", "zero byte"],
    ["an option that sbatch does not know", "#!/bin/bash\n#SBATCH --banana\n", "--banana"],
    ["a word that is no option", "#!/bin/bash\n#SBATCH banana\n", "banana"],
    ["a quote that is not closed", '#!/bin/bash\n#SBATCH --job-name="x\n', "quotes"],
    ["more than 4 MB", `#!/bin/bash\n${"#".repeat(5_000_000)}\n`, "4 MB"],
  ])("a script with %s", async (_name, text, part) => {
    const { verdict, remedy, said } = await submit(script("job.sh", text));
    expect([verdict, remedy], said).toEqual(["refused", expect.stringContaining(part)]);
  });

  it("a script that is not there", async () => {
    expect(await submit(join(folder, "missing.sh"))).toMatchObject({ verdict: "refused" });
  });

  it("the same with --test-only", async () => {
    const ran = await cluster.run("sbatch", "--test-only", "--partition=nope", "--wrap=true");
    expect(answerTo(ran)).toMatchObject({ verdict: "refused" });
  });

  it("and leaves the row of a failed job where no node fits", async () => {
    await submit("--job-name=leftover", "--mem=999T", "--wrap=true");
    const row = await done("squeue", "-h", "-t", "all", "--name=leftover", "-o", "%T %r");
    expect(row.trim()).toBe("FAILED BadConstraints");
  });
});

describe("sbatch refuses a job that is too large for a QOS with DenyOnLimit", () => {
  it.each([
    ["MaxWall=10", "MaxWall=-1", ["--time=60"], "#SBATCH --time"],
    ["MaxTRESPerJob=cpu=4", "MaxTRESPerJob=cpu=-1", ["--ntasks=8"], "#SBATCH --ntasks"],
    ["MaxTRESPerUser=cpu=4", "MaxTRESPerUser=cpu=-1", ["--ntasks=8"], "#SBATCH --ntasks"],
    ["GrpTRES=cpu=4", "GrpTRES=cpu=-1", ["--ntasks=8"], "#SBATCH --ntasks"],
    ["MinTRESPerJob=cpu=4", "MinTRESPerJob=cpu=-1", ["--ntasks=1"], "asks for less"],
    ["MaxTRESMinsPerJob=cpu=10", "MaxTRESMinsPerJob=cpu=-1", ["--ntasks=8", "--time=60"], "#SBATCH --time"],
  ])("%s", async (set, unset, args, part) => {
    await limit("qos", "tight", set);
    const { verdict, remedy, said } = await submit("--qos=tight", ...args, "--wrap=true");
    await limit("qos", "tight", unset);
    expect([verdict, remedy], said).toEqual(["refused", expect.stringContaining(part)]);
  });
});

describe("the queue is full", () => {
  it.each([
    ["of one user", "user", "MaxSubmitJobs", [], "AssocMaxSubmitJobLimit", false],
    ["of an account", "account", "GrpSubmitJobs", [], "AssocGrpSubmitJobsLimit", true],
    ["of one user in a QOS", "qos", "MaxSubmitJobsPerUser", ["--qos=tight"], "QOSMaxSubmitJobPerUserLimit", false],
    ["of an account in a QOS", "qos", "MaxSubmitJobsPerAccount", ["--qos=tight"], "MaxSubmitJobsPerAccount", true],
    ["of a QOS", "qos", "GrpSubmitJobs", ["--qos=tight"], "QOSGrpSubmitJobsLimit", true],
  ] as const)("%s", async (_name, kind, name, args, word, isGroupLimit) => {
    const whose = kind === "user" ? await me() : kind === "account" ? "users" : "tight";
    await limit(kind, whose, `${name}=1`);
    const first = await submit("--account=users", ...args, ...waiting);
    const second = await submit("--account=users", ...args, ...waiting);
    await cancelAll();
    const array = await submit("--account=users", ...args, "--array=1-5", ...waiting);
    await limit(kind, whose, `${name}=-1`);
    expect(first.id, first.said).toBeDefined();
    expect(second.said).toContain(word);
    expect(second).toMatchObject({ verdict: "full", isGroupLimit });
    // Also an array with more tasks than the limit, though the queue is empty: the texts are the same.
    expect(array).toMatchObject({ verdict: "full", isGroupLimit });
  });

  it("of a partition that takes no jobs", async () => {
    expect(await submit("--partition=closed", "--wrap=true")).toMatchObject({ verdict: "full", isGroupLimit: true });
  });
});

describe("what squeue says of a job that waits, and of one that has ended", () => {
  it.each([
    ["JobHeldUser", false, ["--hold"]],
    ["BeginTime", true, ["--begin=now+1hour"]],
    ["DependencyNeverSatisfied", false, ["--dependency=afternotok:DONE"]],
  ])("%s", async (word, heals, args) => {
    const before = await submit("--wrap=true");
    await expect.poll(() => done("squeue", "-h", "-t", "all", "-j", `${before.id}`, "-o", "%T")).toBe("COMPLETED\n");
    const { id } = await submit(...args.map((arg) => arg.replace("DONE", `${before.id}`)), "--wrap=true");
    await expect.poll(() => done("squeue", "-h", "-j", `${id}`, "-o", "%r")).toBe(`${word}\n`);
    const shown = (await done("squeue", "-h", "-j", `${id}`, "-o", "%T")).trim();
    await cancelAll();
    expect(stateOf(shown)?.is).toBe("queued");
    expect(whyItWaits(word)).toMatchObject({ heals });
    expect(whyItWaits(word).sentence).not.toBe(word);
  });

  it("exit codes as squeue and as sacct tell them", async () => {
    // sacct takes 128 off every code from 128 on.
    const jobs: { command: string; args: string[]; squeue: Exit; sacct: Exit }[] = [
      { command: "exit 3", args: [], squeue: { exitCode: 3 }, sacct: { exitCode: 3, reduced: true } },
      { command: "exit 137", args: [], squeue: { exitCode: 137 }, sacct: { exitCode: 9, reduced: true } },
      { command: "exit 128", args: [], squeue: { exitCode: 128 }, sacct: { exitCode: 0, reduced: true } },
      { command: "kill -9 $$", args: [], squeue: { signal: 9 }, sacct: { signal: 9 } },
      { command: "true", args: ["--chdir=/nope"], squeue: { exitCode: 15, signal: 53 }, sacct: { signal: 53 } },
    ];
    const ids: string[] = [];
    for (const { command, args } of jobs) ids.push((await submit(...args, `--wrap=${command}`)).id ?? "");
    const words = async (program: string, ...args: string[]) =>
      new Map(
        (await done(program, ...args))
          .trim()
          .split("\n")
          .map((line) => line.trim().split(/[\s|]+/))
          .map(([id = "", state, exit = ""]) => [id, { cause: stateOf(state ?? ""), exit: exitOf(exit) }]),
      );
    const queue = () => words("squeue", "-h", "-t", "all", "-j", ids.join(), "-O", "JobID:20,State:20,exit_code:20");
    const accounting = () => words("sacct", "-n", "-X", "-P", "-j", ids.join(), "-o", "JobID,State,ExitCode");
    const failed = { is: "ended", word: "FAILED", cause: "itself" };
    const expected = (by: "squeue" | "sacct") =>
      new Map(ids.map((id, i) => [id, { cause: failed, exit: jobs[i]?.[by] }]));
    await expect.poll(queue).toEqual(expected("squeue"));
    await expect.poll(accounting, { interval: 500 }).toEqual(expected("sacct"));
    expect(jobs.map((job) => isLaunchFailure(job.sacct))).toEqual([false, false, false, false, true]);
  });
});

describe("Slurm is out of reach", () => {
  /** sbatch with a configuration like the cluster's, but for one line. */
  async function submitWith(line: RegExp, instead: string) {
    const conf = readFileSync(join(cluster.folder, "slurm.conf"), "utf8");
    const other = script("other.conf", conf.replace(line, instead));
    return cluster.run("env", `SLURM_CONF=${other}`, "sbatch", "--parsable", `--chdir=${folder}`, ...waiting);
  }

  it.each([
    ["no munge", /AuthInfo=socket=.*/, "AuthInfo=socket=/nope"],
    ["no controller", /SlurmctldPort=.*/, "SlurmctldPort=1"],
    ["no such plug-in", /AuthType=.*/, "AuthType=auth/banana"],
    ["an unreadable configuration", /AuthType=.*/, "Banana=yes"],
  ])("%s", async (_name, line, instead) => {
    const ran = await submitWith(line, instead);
    expect(answerTo(ran).verdict, ran.stderr).toBe("unavailable");
  });

  it("a controller that does not answer, and takes the job when it goes on", async () => {
    cluster.daemons.slurmctld.freeze();
    const { verdict, said } = await submit("--job-name=late", ...waiting);
    cluster.daemons.slurmctld.thaw();
    expect(verdict, said).toBe("ambiguous");
    await expect.poll(() => done("squeue", "-h", "--name=late", "-o", "%j")).toBe("late\n");
    await cancelAll();
  });

  it("a munge that dies while sbatch waits: the job was taken, and sbatch cannot read the answer", async () => {
    const socket = join(folder, "munge.socket");
    const files = ["pid", "log", "seed"].map((what) => `--${what}-file=${socket}.${what}`);
    const key = `--key-file=${join(cluster.folder, "munge.key")}`;
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
    const program = "munged";
    const munged = spawn(program, ["--foreground", "--force", key, `--socket=${socket}`, ...files], { env });
    await expect.poll(() => existsSync(socket)).toBe(true);

    cluster.daemons.slurmctld.freeze();
    const answer = submitWith(/AuthInfo=.*/, `AuthInfo=socket=${socket}`);
    // It has its credential at once, and then waits for the controller.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    munged.kill();
    await new Promise((resolve) => munged.on("exit", resolve));
    cluster.daemons.slurmctld.thaw();

    const ran = await answer;
    expect(ran.stderr).toContain("Batch job submission failed: Unspecified error");
    expect(answerTo(ran).verdict, ran.stderr).toBe("ambiguous");
    expect(await done("squeue", "-h", "-o", "%T")).toBe("PENDING\n");
    await cancelAll();
  });

  it("a controller that is killed while sbatch waits", async () => {
    cluster.daemons.slurmctld.freeze();
    const answer = submit(...waiting);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await cluster.daemons.slurmctld.kill();
    const { verdict, said } = await answer;
    await cluster.daemons.slurmctld.start();
    expect(verdict, said).toBe("ambiguous");
  });

  it("no sbatch", async () => {
    const ran = await cluster.run("/bin/sh", "-c", "PATH=/nope; sbatch --parsable");
    expect(answerTo(ran).verdict).toBe("unavailable");
  });
});
