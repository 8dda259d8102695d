/** The manager with PbsEngine: over a real Slurm through Slurm's commands of PBS' names, and with a small PBS of our own. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type FakePbs, makeFakePbs } from "../fakes/pbs-server.ts";
import { jobmgr, makeFolder, makeRoot, type TestRoot, waitUntil } from "../harness.ts";
import { type Cluster, startCluster } from "../slurm/cluster.ts";
import { missingPbs, needPbs, type PbsCommands, pbsCommands } from "../slurm/pbs.ts";

const QUICK = ["-e", "PbsEngine", "-p", "0.3", "--min-query-interval", "0.1", "--doubt", "1", "--lost-after", "5"];

function id(root: TestRoot, name: string): string | undefined {
  try {
    return root.status(name, "pending").id as string | undefined;
  } catch {
    return undefined;
  }
}

const submitted = (root: TestRoot, name: string) =>
  waitUntil(`${name} was submitted`, () => id(root, name) !== undefined).then(() => id(root, name) ?? "");

describe("over a real Slurm", () => {
  let cluster: Cluster;
  let commands: PbsCommands;
  beforeAll(async () => {
    if (missingPbs() !== undefined) return;
    cluster = await startCluster();
    commands = pbsCommands(cluster);
  });
  afterAll(() => cluster?.stop());

  const manage = (root: TestRoot) =>
    root.manage(QUICK, { env: { ...cluster.env, PATH: `${commands.folder}:${process.env.PATH}` } });

  it("jobs come to complete with their outputs and exit codes", async (context) => {
    needPbs(context);
    const root = await makeRoot();
    manage(root);
    root.drop("a job", { "job.sh": "#PBS -l walltime=0:05:00\necho hello; cat data.txt; pwd", "data.txt": "input\n" });
    root.dropLedger("fails", "exit 7");
    root.drop("odd", `#PBS -N a;touch\${IFS}${root.path}/shell\n#SBATCH --array=0-2\necho odd >> '${root.ledger}'\n`);
    await root.completed("a job", "fails", "odd");
    expect(root.status("a job")).toMatchObject({ state: "succeeded", exitCode: 0, engine: "PbsEngine" });
    const number = root.status("a job").id;
    expect(root.read(`complete/a job/a_job.o${number}`)).toBe(`hello\ninput\n${root.path}/pending/a job\n`);
    expect(root.status("fails")).toMatchObject({ state: "failed", exitCode: 7 });
    expect(root.status("odd")).toMatchObject({ state: "succeeded", exitCode: 0 });
    expect(root.runs().sort()).toEqual(["fails", "odd"]);
    expect(root.exists("shell")).toBe(false);
  });

  it("a job goes on when the manager is killed, and ends when somebody else deletes it", async (context) => {
    needPbs(context);
    const root = await makeRoot();
    const first = manage(root);
    root.dropLedger("a", "exec sleep 1000");
    await waitUntil("it runs", () => root.runs().length === 1);
    const number = await submitted(root, "a");
    first.signal("SIGKILL");
    await first.ended;
    manage(root);
    await cluster.run("scancel", number);
    await root.completed("a");
    expect(root.runs()).toEqual(["a"]);
    expect(root.status("a").state).not.toBe("succeeded");
  });
});

describe("with a small PBS", () => {
  async function makePbsRoot(flavour: "openpbs" | "torque") {
    const pbs: FakePbs = makeFakePbs(flavour, makeFolder());
    onTestFinished(pbs.end);
    const root = await makeRoot();
    const env = { PATH: `${pbs.folder}:${process.env.PATH}` };
    return { pbs, root, manage: (...args: string[]) => root.manage([...QUICK, ...args], { env }) };
  }

  it("OpenPBS: what is not whole in JSON is asked for as text, and no job is lost", async () => {
    const { pbs, root, manage } = await makePbsRoot("openpbs");
    pbs.tellOfOneOnly();
    manage();
    for (const name of ["a", "b", "c"]) root.dropLedger(name, "sleep 1.5; exit 3");
    await root.completed("a", "b", "c");
    expect(root.runs().sort()).toEqual(["a", "b", "c"]);
    for (const name of ["a", "b", "c"]) expect(root.status(name)).toMatchObject({ state: "failed", exitCode: 3 });
  });

  it.each([
    ["openpbs", "#PBS -J 0-2\n", "PBS_ARRAY_INDEX", "a.o1.2"],
    ["torque", "#PBS -t 0-2\n", "PBS_ARRAYID", "a.o1-2"],
  ] as const)("%s: an array is done when all its tasks are", async (flavour, directive, variable, output) => {
    const { root, manage } = await makePbsRoot(flavour);
    manage();
    root.drop("a", `#!/bin/bash\n${directive}echo task $${variable}; sleep $${variable}; exit $${variable}\n`);
    await root.completed("a");
    expect(root.status("a")).toMatchObject({
      state: "failed",
      id: "1[]",
      tasks: { "0": 0, "1": 1, "2": 2 },
    });
    expect(root.read(`complete/a/${output}`)).toBe("task 2\n");
  });

  it("OpenPBS: the history tells of a limit, where the runner left no word", async () => {
    const { pbs, root, manage } = await makePbsRoot("openpbs");
    manage();
    root.dropLedger("a", "exec sleep 1000");
    await waitUntil("it runs", () => root.runs().length === 1);
    pbs.tell(1, "status", "-29");
    pbs.kill(1);
    await root.completed("a");
    expect(root.paragraphsOf("a")).toContain("time limit (00:02:00)");
    expect(root.paragraphsOf("a")).toContain("#PBS -l walltime=00:04:00");
  });

  it("OpenPBS: what waits says why, and what is cancelled by a file is deleted", async () => {
    const { pbs, root, manage } = await makePbsRoot("openpbs");
    manage();
    root.dropLedger("a", "exec sleep 1000");
    await waitUntil("it runs", () => root.runs().length === 1);
    pbs.tell(1, "comment", "Not Running: Insufficient amount of resource: ncpus");
    pbs.tell(1, "letter", "Q");
    await waitUntil("it says why it waits", () => String(root.status("a", "pending").why).includes("ncpus"));
    root.drop("b", "true");
    await root.completed("b");
    writeFileSync(`${root.path}/pending/a/job_cancel`, "enough\n");
    await root.completed("a");
    expect(root.status("a").state).toBe("cancelled");
  });

  it.each([
    ["args", "", "running"],
    ["hidden", "yes", "ending"],
  ])("OpenPBS: a job that is not told of as it should be (%s) is waited for", async (fact, value, state) => {
    const { pbs, root, manage } = await makePbsRoot("openpbs");
    manage("--lost-after", "1");
    root.dropLedger("a", `while [ ! -e '${root.path}/gate' ]; do sleep 0.1; done`);
    await waitUntil("it runs", () => root.runs().length === 1);
    pbs.tell(1, fact, value);
    root.drop("b", "sleep 2");
    await root.completed("b");
    expect(root.status("a", "pending").state).toBe(state);
    writeFileSync(`${root.path}/gate`, "");
    await root.completed("a");
    expect(root.status("a")).toMatchObject({ state: "succeeded", id: "1" });
  });

  it("OpenPBS: a job that was put back and held after a run is held, and not taken out", async () => {
    const { pbs, root, manage } = await makePbsRoot("openpbs");
    manage();
    root.dropLedger("a", "while [ ! -e gate ]; do sleep 0.1; done");
    await waitUntil("it runs", () => root.runs().length === 1);
    pbs.tell(1, "letter", "H");
    pbs.tell(1, "stays", "yes");
    writeFileSync(`${root.path}/pending/a/gate`, "");
    await waitUntil("its run has ended", () => pbs.has(1, "exit"));
    root.drop("b", "sleep 1");
    await root.completed("b");
    expect(root.status("a", "pending").state).toBe("queued");
    expect(pbs.has(1, "substate")).toBe(false);
    pbs.tell(1, "ended", "");
    await root.completed("a");
  });

  it("Torque: what has run is not called cancelled before its exit code can have come", async () => {
    const { pbs, root, manage } = await makePbsRoot("torque");
    manage();
    root.dropLedger("a", `while [ ! -e '${root.path}/gate' ]; do sleep 0.1; done`);
    await waitUntil("it runs", () => root.runs().length === 1);
    pbs.tell(1, "hidden", "yes");
    writeFileSync(`${root.path}/pending/a/job_cancel`, "");
    root.drop("b", "sleep 1");
    await root.completed("b");
    writeFileSync(`${root.path}/gate`, "");
    await root.completed("a");
    expect(root.status("a")).toMatchObject({ state: "succeeded", exitCode: 0 });
  });

  it("Torque: a job whose answer was lost is found by its arguments, and runs once", async () => {
    const { pbs, root, manage } = await makePbsRoot("torque");
    pbs.loseNextAnswer();
    manage();
    root.dropLedger("a", "sleep 1");
    await root.completed("a");
    expect(root.runs()).toEqual(["a"]);
    expect(pbs.taken()).toBe(1);
    expect(root.status("a")).toMatchObject({ state: "succeeded", id: "1" });
  });

  it("a full queue makes a job wait, and a queue that is not there refuses it", async () => {
    const { pbs, root, manage } = await makePbsRoot("openpbs");
    pbs.refuse("qsub: would exceed queue generic's per-user limit of jobs in 'Q' state");
    manage();
    root.drop("a", "true");
    await root.completed("a");
    expect(root.status("a").state).toBe("succeeded");
    pbs.refuse("qsub: Unknown queue");
    root.drop("b", "#PBS -q nope\ntrue");
    await root.completed("b");
    expect(root.status("b").state).toBe("refused");
    expect(root.paragraphsOf("b")).toContain("Unknown queue. The queue does not exist.");
  });
});

it("a qstat that gives no answer is an outage, and no word against the job", async () => {
  const folder = makeFolder();
  for (const program of ["qsub", "qstat", "pbsnodes"]) {
    writeFileSync(
      join(folder, program),
      '#!/bin/sh\n[ "$1" = --version ] && echo pbs_version = 23 && exit\nkill -9 $$\n',
    );
    chmodSync(join(folder, program), 0o755);
  }
  const script = join(folder, "a.sh");
  writeFileSync(script, "echo\n");
  const env = { PATH: `${folder}:${process.env.PATH}` };
  const { code, stderr } = await jobmgr(["check", "-e", "PbsEngine", script], { env });
  expect(code).toBe(0);
  expect(stderr).toContain("The engine's dry run was left out: qstat gave no answer.");
});

describe("whose qsub it is", () => {
  /** Why PbsEngine cannot run jobs where these programs are. */
  const absence = async (...programs: string[]): Promise<string> => {
    const folder = makeFolder();
    for (const program of programs) {
      writeFileSync(join(folder, program), "#!/bin/sh\nexit 1\n");
      chmodSync(join(folder, program), 0o755);
    }
    const { stdout } = await jobmgr(["engines", "--json"], { env: { PATH: folder } });
    const { engines } = JSON.parse(stdout) as { engines: { name: string; runsHere: boolean; why?: string }[] };
    const pbs = engines.find(({ name }) => name === "PbsEngine");
    return pbs?.runsHere ? "it can" : String(pbs?.why);
  };

  it("is told by what lies beside it", async () => {
    expect(await absence("qsub", "pbsnodes", "qconf")).toBe("it can");
    expect(await absence("qsub")).toBe("it can");
    expect(await absence("qsub", "qconf", "qselect")).toContain("is Grid Engine's");
    expect(await absence("qstat")).toContain("There is no qsub");
  });
});
