/** What qsub printed, and what kind of "no" it was. The texts are of public logs and of the two tables of messages. */
import { describe, expect, it } from "vitest";
import { idIn, verdictOf } from "../../engines/pbs/answers.ts";
import { flavourIn } from "../../engines/pbs/flavour.ts";

const said = (stderr: string, exitCode = 1) => ({ exitCode, stdout: "", stderr });
/** What Slurm's qsub makes of a "no" of sbatch's. */
const ofSbatch = (text: string, name = "a") => ({
  exitCode: 1,
  stdout: `There was an error running the Slurm sbatch command.\nThe command was:\n'/usr/bin/sbatch -J ${name} run.sh 2>&1'\nand the output was:\n'sbatch: error: ${text}\n'\n`,
  stderr: "",
});

describe("the id", () => {
  it.each([
    ["12860476.meta-pbs.metacentrum.cz\n", "12860476.meta-pbs.metacentrum.cz"],
    ["969390[].meta-pbs.metacentrum.cz\n", "969390[].meta-pbs.metacentrum.cz"],
    ["12\n", "12"],
    ["*** 2 nodes are down ***\n40.pbs\nYour project has 12 hours left\n", "40.pbs"],
    ["", undefined],
    ["40.pbs\n41.pbs\n", undefined],
    ["Job 40 was not submitted\n", undefined],
  ])("in %j", (stdout, id) => expect(idIn(stdout)).toBe(id));
});

describe("refused, with what to change", () => {
  it.each([
    ["qsub: Unknown queue", "#PBS -q"],
    ["qsub: submit error (Unknown queue MSG=requested queue not found)", "#PBS -q"],
    ["qsub: submit error (Unauthorized Request  MSG=group ACL is not satisfied: user jrm, queue training)", "queue"],
    ["qsub: Access to queue is denied", "#PBS -q"],
    ["qsub: Job violates queue and/or server resource limits", "#PBS -l"],
    ["qsub: submit error (Job rejected by all possible destinations (check syntax, queue resources, ...))", "#PBS -l"],
    ["qsub: Illegal attribute or resource value Resource_List.walltime", "(Resource_List.walltime)"],
    ["qsub: submit error (Illegal attribute or resource value for  MSG=bad mem)", "#PBS"],
    ['qsub: Resource invalid in "select" specification: walltime', "#PBS -l"],
    ["qsub: submit error (Bad UID for job execution MSG=ruserok failed validating u1/u1 from s001)", "login node"],
    ["qsub: illegal -N value", "#PBS -N"],
    ["qsub: cannot submit non-rerunable Array Job", "#PBS -r n"],
    ["qsub: Invalid Job Dependency", "#PBS -W depend"],
    ["qsub: submit error (No default queue specified MSG=requested queue not found)", "#PBS -q"],
    ["qsub: hook rejected request", "rule"],
    [
      "There was an error running the Slurm sbatch command.\nThe command was:\n'/usr/bin/sbatch -p nope run.sh 2>&1'\nand the output was:\n'sbatch: error: invalid partition specified: nope\n sbatch: error: Batch job submission failed: Invalid partition name specified\n'\n",
      "Change the #PBS lines",
    ],
  ])("%j", (stderr, remedy) => {
    const answer = verdictOf(said(stderr));
    expect(answer.verdict).toBe("refused");
    expect(answer.remedy).toContain(remedy);
  });
});

describe("full", () => {
  it.each([
    ["qsub: would exceed queue generic's per-user limit", undefined],
    ["qsub: would exceed queue generic's per-user limit of jobs in 'Q' state", undefined],
    ["qsub: would exceed complex's per-user limit", undefined],
    ["qsub: would exceed user shaofl's limit on resource ncpus in complex", undefined],
    [
      "qsub: submit error (Maximum number of jobs already in queue for user MSG=total number of current user's jobs)",
      undefined,
    ],
    ["qsub: Maximum number of jobs already in queue workq", true],
    ["qsub: would exceed limit on resource njobs-g in complex", true],
    ["qsub: would exceed complex's per-group limit", true],
    ["qsub: Queue is not enabled", true],
  ])("%j", (stderr, isGroupLimit) => {
    expect(verdictOf(said(stderr))).toMatchObject({ verdict: "full" });
    expect(verdictOf(said(stderr)).isGroupLimit).toBe(isGroupLimit);
  });
});

describe("nothing happened", () => {
  it.each([
    "Connection refused\nqsub: cannot connect to server pbs01 (errno=15010)",
    "qsub: cannot connect to server polaris (errno=15008)",
    "hpc: qsub failed: Unknown Host.\nqsub: cannot connect to server aqua (errno=15008)",
    "pbs_iff: cannot read reply from pbs_server\nNo Permission.\nqsub: cannot connect to server gaebatch.ciemat.es (errno=15007) Unauthorized Request",
    "Communication failure.\nqsub: cannot connect to server torque (errno=15137) could not connect to trqauthd",
    "qsub: submit error (Pbs Server is currently too busy to service this request. Please retry this request. MSG=x)",
    "qsub: Request not allowed: Server shutting down",
    "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
  ])("%j", (stderr) => expect(verdictOf(said(stderr)).verdict).toBe("unavailable"));

  it.each([
    "Batch job submission failed: Unable to contact slurm controller (connect failure)",
    "resolve_ctls_from_dns_srv: x\nsbatch: error: fetch_config: y\nsbatch: fatal: Unable to establish control machine address",
    "Batch job submission failed: Invalid authentication credential",
  ])("sbatch: %j", (text) => expect(verdictOf(ofSbatch(text)).verdict).toBe("unavailable"));

  it("a qsub that cannot be started", () => {
    expect(verdictOf({ ...said(""), exitCode: undefined, errorCode: "ENOENT" }).verdict).toBe("unavailable");
  });
});

describe("it may have happened", () => {
  it.each([
    [said("qsub: End of File")],
    [said("qsub: submit error (Premature End of File)")],
    [said("qsub: submit error (Error reading data from socket)")],
    [said("qsub: PBS server internal error")],
    [said("Communication failure.")],
    [said("", 137)],
    [{ exitCode: undefined, stdout: "", stderr: "" }],
    [{ exitCode: 1, stdout: "40.pbs\n", stderr: "qsub: would exceed complex's per-user limit" }],
    [{ exitCode: 0, stdout: "", stderr: "" }],
    [ofSbatch("Batch job submission failed: Unable to contact slurm controller (receive failure)")],
    [ofSbatch("Batch job submission failed: Unable to contact slurm controller (send failure)")],
    [ofSbatch("Batch job submission failed: Connection refused")],
    [ofSbatch("Batch job submission failed: Socket timed out on send/recv operation")],
  ])("%j", (answer) => expect(verdictOf(answer).verdict).toBe("ambiguous"));
});

it("a word of the user's own, in the command that Slurm's qsub shows, says nothing", () => {
  const answer = ofSbatch("Batch job submission failed: Invalid partition name specified", "Time_out");
  expect(verdictOf(answer).verdict).toBe("refused");
});

it("a text that nobody knows is told as such", () => {
  expect(verdictOf(said("qsub: the moon is full")).verdict).toBe("unknown");
});

describe("which PBS it is", () => {
  it.each([
    ["pbs_version = 19.1.3\n", "", "openpbs"],
    ["pbs_version = 2021.1.3.20220217134230\n", "", "openpbs"],
    ["Version: 6.1.2\nCommit: 661e092552de43a785c15d39a3634a541d86898e\n", "", "torque"],
    ["", "version: 2.5.12\n", "torque"],
    ["", "Unknown option: version\nUsage:\n    qstat [-f]\n", "slurm"],
    ["GE 8.1.9\n", "", undefined],
  ])("%j %j", (stdout, stderr, flavour) => expect(flavourIn({ stdout, stderr })).toBe(flavour));
});
