/** What lies around a job of Slurm, through the whole program: names, environments, directives, clusters. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { makeFolder, PROGRAM, runToEnd } from "../harness.ts";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "../slurm/cluster.ts";
import { makeSlurmRoot, PATIENCE_MS, PROMPT, QUICK, type SlurmRoot } from "./slurm.ts";

vi.setConfig({ testTimeout: 3 * PATIENCE_MS, hookTimeout: 2 * PATIENCE_MS });

let cluster: Cluster;
let other: Cluster;

beforeAll(async () => {
  if (missingSlurm(true)) return;
  // Ids that are no number of anything else, for they are left out where jobs are compared.
  cluster = await startCluster({ accounting: true, settings: { ...PROMPT, FirstJobId: "70000" } });
  other = await startCluster({ joins: cluster, name: "other", settings: PROMPT });
});

afterAll(async () => {
  await other?.stop();
  await cluster?.stop();
});

beforeEach((context) => needSlurm(context, true));

async function must(program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.run(program, ...args);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr || stdout}`);
  return stdout.trim();
}

/** What Slurm itself says of a job, by the names of scontrol. */
async function shown(id: string): Promise<Record<string, string>> {
  const text = await must("scontrol", "show", "job", "--oneliner", id);
  return Object.fromEntries(
    text
      .split(/ (?=[A-Z][\w/:]*=)/)
      .map((field) => [field.split("=")[0] ?? "", field.slice(field.indexOf("=") + 1).trim()]),
  );
}

describe("the name of a job's folder", () => {
  const NAMES = [
    "with space",
    'quote\'s "both"',
    "-dash",
    "--help",
    "new\nline",
    "$(touch x)`id`;&|*?",
    "\u{1f600} emoji",
    "%j %x %%",
    "back\\slash",
    "back\\n%j",
    "record \x1e and unit \x1f",
    "tab\tand\x1b[31mcolour",
    "=,;:@~#!",
    "~",
    "n".repeat(255),
    "ü".repeat(127),
    "back\\slash with an output of its own",
  ];

  it("may be anything: each job runs once, in its own folder, and its output is there", async () => {
    const root = await makeSlurmRoot(cluster);
    for (const [i, name] of NAMES.entries()) {
      const directive = name.includes("of its own") ? "#SBATCH --output=own.txt\n" : "";
      root.drop(name, {
        "job.sh": `#!/bin/bash\n${directive}echo ${i} >> '${root.ledger}'\necho out of ${i}\n[ "$(cat mine)" = ${i} ] && [ -e job.sh ] || exit 9\nexit ${i % 2}\n`,
        mine: String(i),
      });
    }
    root.manage();
    const ended = await root.done(...NAMES);
    for (const [i, status] of ended.entries()) {
      const name = NAMES[i] ?? "";
      expect(status, name).toMatchObject({ name, exitCode: i % 2, state: i % 2 ? "failed" : "succeeded" });
      expect(status.jobName, name).toMatch(/^[\w.][\w.+=@-]{0,63}$/);
      if (i % 2) expect(root.errorOf(name), name).toContain(`:\n  out of ${i}\n`);
      else expect(outputOf(root, name, status), name).toBe(`out of ${i}\n`);
    }
    expect(root.runs().sort()).toEqual(NAMES.map((_, i) => String(i)).sort());
    expect(root.exists("x")).toBe(false);
  });

  it("is cancelled by its own name, and not another one's", async () => {
    const root = await makeSlurmRoot(cluster);
    const names = ["a b", "a\nb", "a%jb", "a*", "-a"];
    for (const [i, name] of names.entries())
      root.drop(
        name,
        `#!/bin/bash\necho ${i} >> '${root.ledger}'\nuntil [ -e '${root.ledger}.gate' ]; do sleep 0.05; done\n`,
      );
    root.manage();
    await root.runsReach(names.length);
    root.cancel("a*", "this one");
    root.cancel("a\nb", "and this");
    for (const status of await root.done("a*", "a\nb")) expect(status).toMatchObject({ state: "cancelled" });
    root.openGate();
    for (const status of await root.done("a b", "a%jb", "-a")) expect(status).toMatchObject({ state: "succeeded" });
    expect(root.runs()).toHaveLength(names.length);
  });

  it("makes the job's name plain; job_name.txt and a directive are taken as they are", async () => {
    const root = await makeSlurmRoot(cluster);
    const held = (more = "") => `#!/bin/bash\n#SBATCH --hold\n${more}true\n`;
    root.drop("two words, and %j", held());
    root.drop("from directive", held("#SBATCH -J my_name\n"));
    root.drop("from file", { "job.sh": held("#SBATCH -J my_name\n"), "job_name.txt": "Ada's run 7\nmore\n" });
    root.manage();
    const names = { "two words, and %j": "two_words_and_j", "from directive": "my_name", "from file": "Ada's run 7" };
    for (const [folder, name] of Object.entries(names)) {
      expect(await shown(await root.id(folder)), folder).toMatchObject({ JobName: name });
      await root.waits(folder, { jobName: name });
      root.cancel(folder);
    }
    await root.done(...Object.keys(names));
  });
});

function outputOf(root: SlurmRoot, name: string, status: Record<string, unknown>): string {
  const [output = "none"] = status.outputs as string[];
  return root.read(join("complete", name, output));
}

/** What an allocation, a shell's start file, or npm may have left behind. */
const POISON = {
  SLURM_JOB_ID: "4242",
  SLURM_JOBID: "4242",
  SLURM_ARRAY_JOB_ID: "4242",
  SLURM_ARRAY_TASK_ID: "7",
  SLURM_RESTART_COUNT: "3",
  SLURM_SUBMIT_DIR: "/nowhere",
  SLURM_MEM_PER_NODE: "17",
  SLURM_MEM_PER_CPU: "17",
  SLURM_NTASKS: "99",
  SLURM_TIME_FORMAT: "relative",
  SLURM_HINT: "nonsense",
  SBATCH_PARTITION: "nowhere",
  SBATCH_TIMELIMIT: "nonsense",
  SBATCH_ARRAY_INX: "1-3",
  SBATCH_WAIT: "1",
  SBATCH_EXPORT: "NONE",
  SBATCH_JOB_NAME: "poison",
  SBATCH_OUTPUT: "/nowhere/at/all",
  SBATCH_CLUSTERS: "nowhere",
  SBATCH_REQUEUE: "1",
  SQUEUE_FORMAT: "%i",
  SQUEUE_FORMAT2: "jobid",
  SQUEUE_STATES: "FAILED",
  SQUEUE_USERS: "nobody",
  SQUEUE_PARTITION: "nowhere",
  SQUEUE_NAMES: "nobody",
  SACCT_FORMAT: "jobid",
  SCANCEL_STATE: "PENDING",
  SCANCEL_INTERACTIVE: "1",
  PMI_RANK: "5",
  NODE_OPTIONS: "--no-deprecation",
  NODE_ENV: "poison",
  npm_config_poison: "yes",
};

describe("the environment", () => {
  it("of an allocation reaches neither sbatch nor the job; what is the user's own does", async () => {
    const root = await makeSlurmRoot(cluster);
    root.dropLedger("a", "env -0 > seen");
    root.dropLedger("b", "exec sleep 1000");
    root.manage([], { env: { ...POISON, MINE: "two\nlines" } });
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: "succeeded", jobName: "a" });
    const seen = new Map(
      root
        .read("complete/a/seen")
        .split("\0")
        .map((one) => [one.split("=")[0] ?? "", one.slice(one.indexOf("=") + 1)]),
    );
    expect(seen.get("MINE")).toBe("two\nlines");
    expect(seen.get("SLURM_JOB_ID")).toBe(a?.id);
    expect(seen.get("SLURM_SUBMIT_DIR")).not.toBe("/nowhere");
    const own = /^SLURM_(JOB_ID|JOBID|SUBMIT_DIR)$/;
    const leaked = Object.entries(POISON).filter(([name, value]) => !own.test(name) && seen.get(name) === value);
    expect(leaked).toEqual([]);
    await root.ran("b");
    root.cancel("b", "enough");
    const [b] = await root.done("b");
    expect(b).toMatchObject({ state: "cancelled", why: "It was cancelled: enough" });
    expect(root.runs().sort()).toEqual(["a", "b"]);
  });

  it("of a real allocation in which the manager runs does not make its jobs parts of it", async () => {
    const root = await makeSlurmRoot(cluster);
    root.dropLedger("a", `echo "$SLURM_JOB_ID $SLURM_JOB_NAME \${SLURM_CPUS_PER_TASK-none}" > seen`);
    const once = () =>
      runToEnd(
        "salloc",
        ["--quiet", "--job-name=outer", "--cpus-per-task=2", "--time=5", process.execPath, PROGRAM].concat([
          "--root",
          root.path,
          ...QUICK,
          "--once",
        ]),
        { env: cluster.env },
      );
    for (let passes = 0; !root.exists("complete/a"); passes++) {
      expect(passes).toBeLessThan(30);
      expect(await once()).toMatchObject({ code: 0, stderr: "" });
    }
    const { id, state } = root.status("a");
    expect(state).toBe("succeeded");
    expect(root.read("complete/a/seen")).toBe(`${id} a none\n`);
    expect(root.runs()).toEqual(["a"]);
  });

  it("of a login shell is there for a job.sh that asks for one", async () => {
    const root = await makeSlurmRoot(cluster);
    const home = makeFolder();
    writeFileSync(join(home, ".bash_profile"), 'module() { echo loaded "$@"; }\n');
    root.drop(
      "login",
      `#!/bin/bash -l\necho login >> '${root.ledger}'\nshopt -q login_shell && module load solver/2\n`,
    );
    root.drop(
      "plain",
      `#!/bin/bash\necho plain >> '${root.ledger}'\nshopt -q login_shell && module load solver/2\nexit 0\n`,
    );
    root.manage([], { env: { HOME: home } });
    const [login = {}, plain = {}] = await root.done("login", "plain");
    expect(login).toMatchObject({ state: "succeeded" });
    expect(outputOf(root, "login", login)).toBe("loaded load solver/2\n");
    expect(outputOf(root, "plain", plain)).toBe("");
  });

  it("is kept from a job by --export=NONE, and the job runs all the same", async () => {
    const root = await makeSlurmRoot(cluster);
    root.drop("a", `#!/bin/bash\n#SBATCH --export=NONE\necho a >> '${root.ledger}'\necho "\${MINE-none}" > seen\n`);
    root.drop(
      "b",
      `#!/bin/bash\n#SBATCH --export=OWN=yes,MINE\necho b >> '${root.ledger}'\necho "$MINE $OWN" > seen\n`,
    );
    root.manage([], { env: { MINE: "mine" } });
    for (const status of await root.done("a", "b")) expect(status).toMatchObject({ state: "succeeded" });
    expect(root.read("complete/a/seen")).toBe("none\n");
    expect(root.read("complete/b/seen")).toBe("mine yes\n");
    expect(root.runs().sort()).toEqual(["a", "b"]);
  });
});

describe("directives", () => {
  /** What two submissions of the same script cannot have in common. */
  const OWN =
    /^(JobId|SubmitTime|EligibleTime|AccrueTime|LastSchedEval|Priority|Command|StartTime|EndTime|Scheduler|AllocNode:Sid)$/;

  const SCRIPTS = {
    common:
      "#!/bin/bash\n#SBATCH -J my-job\n#SBATCH --time=1:23:00\n#SBATCH --comment='two words'\n#SBATCH -n 2 -c3 --mem=300M\n",
    "with gaps and comments":
      "#!/bin/bash\n\n# a comment\n#SBATCH --time=7\n\n  # SBATCH --time=9\n##SBATCH --time=9\n #SBATCH --time=9\n#SBATCH --nice=5\n",
    "after a command": "#!/bin/bash\n#SBATCH --time=7\nset -e\n#SBATCH --time=9 --nice=7\n",
    "without a first line of its own": "#SBATCH --time=7\n#SBATCH --job-name=x\n",
    outputs: "#!/bin/bash\n#SBATCH -J x -o %x-%j.txt -e err-%u.txt\n#SBATCH --open-mode=truncate --input=/dev/null\n",
    "quotes and hashes": '#!/bin/bash\n#SBATCH --comment="it\'s # one" --time=7 # --time=9\n',
    "requeue and mail":
      "#!/bin/bash\n#SBATCH --no-requeue --mail-type=END --mail-user=nobody@localhost --signal=B:USR1@60\n",
    array: "#!/bin/bash\n#SBATCH --array=1-5:2%2\n#SBATCH --output=%A-%a.txt\n",
    PBS: "#!/bin/bash\n#PBS -N pbs-name\n#PBS -l walltime=0:11:00\n",
  };

  it.each(Object.entries(SCRIPTS))("are honoured as sbatch itself does: %s", async (kind, head) => {
    const root = await makeSlurmRoot(cluster);
    // What sbatch would be given, were it a script that has a first line.
    const script = `${head}\nexit 0\n`;
    const plain = join(root.path, "..", "plain", "a");
    mkdirSync(plain, { recursive: true });
    writeFileSync(join(plain, "job.sh"), kind.startsWith("without") ? `#!/bin/bash\n${script}` : script);
    root.drop("a", script);
    root.manage(["--engine-arg=--hold"]);
    const id = await root.id("a");
    const line = ["sbatch", "--parsable", "--hold", `--chdir=${plain}`, join(plain, "job.sh")];
    const plainId = await must("env", "-C", plain, ...line);
    const [ours, theirs] = [await shown(id), await shown(plainId)];
    await must("scancel", plainId);
    const comparable = (job: Record<string, string>, folder: string, own: string) =>
      Object.fromEntries(
        Object.entries(job)
          .filter(([name]) => !OWN.test(name))
          .map(([name, value]) => [
            name,
            value.replaceAll(folder, "FOLDER").replaceAll(new RegExp(`\\b${own}\\b`, "g"), "ID"),
          ]),
      );
    const wanted = comparable(theirs, plain, plainId);
    // Only where nothing else names the job, its folder does.
    if (wanted.JobName === "job.sh") wanted.JobName = "a";
    expect(comparable(ours, join(root.path, "pending", "a"), id)).toEqual(wanted);
    expect(Object.keys(wanted).length).toBeGreaterThan(30);
    root.cancel("a");
    await root.done("a");
  });

  it("of --engine-arg go to sbatch, before those of job.sh", async () => {
    const root = await makeSlurmRoot(cluster);
    root.drop("a", "#!/bin/bash\n#SBATCH --time=7 --comment=mine --hold\ntrue\n");
    root.manage(["--engine-arg=--comment=two words", "--engine-arg=--nice=3"]);
    expect(await shown(await root.id("a"))).toMatchObject({ Comment: "two words", Nice: "3", TimeLimit: "00:07:00" });
    root.cancel("a");
    await root.done("a");
  });
});

describe("another cluster", () => {
  const WAYS = {
    "a directive": { directive: "#SBATCH -M other\n", args: [], env: {} },
    "--engine-arg": { directive: "", args: ["--engine-arg=--clusters=other"], env: {} },
    SLURM_CLUSTERS: { directive: "", args: [], env: { SLURM_CLUSTERS: "other" } },
  };

  it.each(Object.entries(WAYS))("is reached by %s: jobs end there, well, badly, cancelled", async (_, way) => {
    const root = await makeSlurmRoot(cluster);
    const job = (name: string, script: string) =>
      root.drop(
        name,
        `#!/bin/bash\n${way.directive}echo "${name} on $SLURM_CLUSTER_NAME" >> '${root.ledger}'\n${script}\n`,
      );
    job("good", "exit 0");
    job("bad", "exit 3");
    job("endless", "exec sleep 1000");
    job("killed", "kill -9 $PPID; sleep 1000");
    const manager = root.manage(way.args, { env: way.env });
    const [good, bad, killed] = await root.done("good", "bad", "killed");
    expect(good).toMatchObject({ state: "succeeded", id: expect.stringMatching(/^\d+;other$/) });
    expect(bad).toMatchObject({ state: "failed", exitCode: 3 });
    expect(killed).toMatchObject({ state: "failed", why: expect.stringContaining("KILL") });
    expect(root.exists(`complete/good/slurm-${String(good?.id).split(";")[0]}.out`)).toBe(true);
    await root.waits("endless", { state: "running" });
    // The next manager may have been started without any of that.
    await manager.stop();
    root.manage();
    await root.waits("endless", { state: "running" });
    root.cancel("endless", "enough");
    const [endless] = await root.done("endless");
    expect(endless).toMatchObject({ state: "cancelled", why: "It was cancelled: enough" });
    expect(root.runs().sort()).toEqual(["bad on other", "endless on other", "good on other", "killed on other"]);
  });

  it("is looked at too when the answer of a submission got lost", async () => {
    const root = await makeSlurmRoot(cluster);
    root.fake(
      "sbatch",
      'real "$@" >/dev/null; echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2; exit 1',
    );
    root.drop("a", `#!/bin/bash\n#SBATCH -M other\necho "a on $SLURM_CLUSTER_NAME" >> '${root.ledger}'\nexit 3\n`);
    root.drop("held", `#!/bin/bash\n#SBATCH -M other --hold\necho held >> '${root.ledger}'\n`);
    root.manage();
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: "failed", exitCode: 3 });
    expect(await root.id("held")).toMatch(/^\d+;other$/);
    root.cancel("held");
    await root.done("held");
    expect(root.runs()).toEqual(["a on other"]);
  });

  it("among several sbatch chooses, and jobs on both are followed", async () => {
    const root = await makeSlurmRoot(cluster);
    const job = (name: string, directive: string) =>
      root.drop(
        name,
        `#!/bin/bash\n#SBATCH ${directive}\necho "${name} on $SLURM_CLUSTER_NAME" >> '${root.ledger}'\nexit 2\n`,
      );
    job("here", `-M ${cluster.name}`);
    job("plain", "--time=5");
    job("there", "-M other");
    job("any", `-M ${cluster.name},other`);
    root.manage();
    const [here, plain, there, any] = await root.done("here", "plain", "there", "any");
    for (const status of [here, plain, there, any]) expect(status).toMatchObject({ state: "failed", exitCode: 2 });
    const chosen = String(any?.id).split(";")[1] ?? cluster.name;
    expect(root.runs().sort()).toEqual(
      [`any on ${chosen}`, `here on ${cluster.name}`, `plain on ${cluster.name}`, "there on other"].sort(),
    );
  });

  it("that does not exist makes only that job fail, with a remedy", async () => {
    const root = await makeSlurmRoot(cluster);
    root.drop("a", `#!/bin/bash\n#SBATCH -M nowhere\necho a >> '${root.ledger}'\n`);
    root.dropLedger("b");
    root.manage();
    const [a, b] = await root.done("a", "b");
    expect(a).toMatchObject({ state: "refused", why: expect.stringContaining("sacctmgr show clusters") });
    expect(b).toMatchObject({ state: "succeeded" });
    expect(root.runs()).toEqual(["b"]);
  });
});

describe("the way to a root", () => {
  it("may be spelled otherwise by each manager, and its jobs are followed all the same", async () => {
    const root = await makeSlurmRoot(cluster);
    const link = join(root.path, "..", "another way");
    symlinkSync(root.path, link);
    root.dropGated("a");
    const first = root.manage(["--root", link]);
    await root.ran("a");
    await root.waits("a", { state: "running" });
    await first.stop();
    root.manage();
    root.openGate();
    const [a] = await root.done("a");
    expect(a).toMatchObject({ state: "succeeded" });
    expect(root.runs()).toEqual(["a"]);
    expect(readFileSync(root.ledger, "utf8")).toBe("a\n");
  });
});
