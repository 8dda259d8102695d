/** What PBS' commands are given, and how the whole of an answer is judged. */
import { describe, expect, it } from "vitest";
import type { Said } from "../../engines/batch/dialect.ts";
import { pbsDialect } from "../../engines/pbs/dialect.ts";
import type { Flavour } from "../../engines/pbs/flavour.ts";
import { idOfClaim } from "../../engines/pbs/plan.ts";
import type { Attempt, Dependency, Handle, Token } from "../../src/engine.ts";
import { OPENPBS_FINISHED, PBSPRO_RUNNING, SLURM_JOB, torqueJob } from "./pbs-transcripts.ts";

const TOKEN = "20261121T140311-0123456789ab" as Token;
const RUNNER = `.jobmgr/attempt-${TOKEN}/run.sh`;

function attempt(
  flavour: Flavour,
  text = "echo\n",
  folder = "/jobs/pending/a b",
  after?: readonly Dependency[],
): Attempt {
  const records = `${folder}/.jobmgr/attempt-${TOKEN}`;
  const means = { engineArgs: ["-q", "big"], shell: "/bin/sh" };
  return {
    token: TOKEN,
    folder,
    records,
    runner: `${records}/run.sh`,
    plan: pbsDialect(flavour, {}).plan({ folderName: "a b", text }, means, {}),
    madeOn: { host: "h", boot: "b" },
    ...(after && { after }),
  };
}

const argsOf = (flavour: Flavour, ...more: [text?: string, folder?: string, after?: readonly Dependency[]]) =>
  pbsDialect(flavour, {}).submitArgs(attempt(flavour, ...more));

describe("what qsub is given", () => {
  it("OpenPBS and Torque: a name, and the way to the runner from the job's folder", () => {
    const args = ["-N", "a_b", "-r", "n", "-S", "/bin/sh", "-q", "big", RUNNER];
    expect(argsOf("openpbs")).toEqual(args);
    expect(argsOf("torque")).toEqual(args);
  });

  it.each<[Flavour, string]>([
    ["openpbs", "depend=afterok:1:2[],afterany:3"],
    ["torque", "depend=afterok:1,afterokarray:2[],afterany:3"],
  ])("%s: jobs that it waits for", (flavour, depend) => {
    const after = [
      { handle: "1" as Handle, needs: "success" },
      { handle: "2[]" as Handle, needs: "success" },
      { handle: "3" as Handle, needs: "end" },
    ] as const;
    expect(argsOf(flavour, undefined, undefined, after).slice(-3)).toEqual(["-W", depend, RUNNER]);
  });

  it("Slurm: the name tells the token and the folder, and no word means anything to a shell", () => {
    const args = argsOf("slurm", "echo\n", "/jobs/pending/$(rm -rf x)`id`; 'a'");
    expect(args.join(" ")).toMatch(/^[\w@+=:,./ -]+%A -e [\w.]+%A [\w@+=:,./ -]+$/);
    expect(args.slice(0, 5)).toEqual(["-r", "n", "-q", "big", "-N"]);
    expect(args[5]).toBe(`a_b.${TOKEN}.${Buffer.from("/jobs/pending/$(rm -rf x)`id`; 'a'").toString("base64url")}`);
    expect(args).not.toContain("-S");
  });

  it("Slurm: outputs are joined where job.sh asks for it, and a % of the folder is no sign of Slurm's", () => {
    const args = argsOf("slurm", "#PBS -j oe\n", "/jobs/pending/it's %j");
    expect(args.slice(6, 10)).toEqual(["-o", "'/jobs/pending/it'\\''s %%j'/a_b.o%A", "-j", "oe"]);
  });

  it("Slurm: in a folder with a backslash, which turns off all signs of Slurm's, both outputs are one of a fixed name", () => {
    const args = argsOf("slurm", "#PBS -e err\n", "/jobs/pending/a\\b");
    const output = "'/jobs/pending/a\\\\b'/job_output.txt";
    expect(args.slice(6, 10)).toEqual(["-o", output, "-e", output]);
  });

  it("nothing of a job that the manager itself is part of", () => {
    const env = {
      PATH: "/bin",
      PBS_JOBID: "1.x",
      PBS_O_WORKDIR: "/x",
      PBS_SERVER: "pbs",
      SLURM_JOB_ID: "1",
      npm_x: "1",
    };
    expect(pbsDialect("openpbs", {}).environment(env)).toEqual({ PATH: "/bin", PBS_SERVER: "pbs" });
  });
});

it.each([
  ["j12", "12"],
  ["j12[]", "12[]"],
  ["j", undefined],
  ["-", undefined],
])("a claim %j is of job %s", (claim, id) => expect(idOfClaim(claim)).toBe(id));

const said = (stdout: string, stderr = "", exitCode = 0): Said => ({ stdout, stderr, exitCode });
const withRunner = (text: string) => text.replace(/(ubmit_arg[^\n]*[=:] ?"?)[^\n"]*/, `$1-N a ${RUNNER}`);

describe("what is in the queue", () => {
  it.each<[Flavour, string, string[]]>([
    ["openpbs", "40.pbs\n969390[].meta-pbs.metacentrum.cz\n", ["40", "969390[]"]],
    ["torque", "12.torque.example.org\n", ["12"]],
    [
      "slurm",
      "\nlocalhost:\n                                                          Req'd  Req'd      Elap\nJob id  Username\n-------- -----\n17                   root     debug    a                    --         1     1     -- 00:10 R 00:00\n",
      ["17"],
    ],
    ["openpbs", "", []],
  ])("%s: %j", (flavour, stdout, ids) =>
    expect(
      pbsDialect(flavour, {})
        .queueRows(said(stdout))
        ?.map((row) => row.id),
    ).toEqual(ids),
  );

  it("tasks of an array are one job, and what is none of ours is asked about twice at the most", () => {
    const dialect = pbsDialect("torque", {});
    const versions = (stdout: string) => dialect.queueRows(said(stdout))?.map(({ id, version }) => `${id} ${version}`);
    expect(dialect.queueRows(said("7[0].t\n7[1].t\n42940.t\n"))?.map(({ id }) => id)).toEqual(["7[]", "42940"]);
    dialect.detailsQuestion?.(["42940"]);
    dialect.details?.(said(torqueJob("R")));
    expect(versions("42940.t\n")).toEqual(versions("42940.t\n"));
    expect(versions("42940.t\n")).toEqual(["42940 stranger"]);
    expect(versions("1.t\n")).not.toEqual(["1 stranger"]);
    expect(versions("42940.t\n")).not.toEqual(["42940 stranger"]);
  });

  it("of what tells no arguments it is not known whose it is, and it is asked about again", () => {
    const dialect = pbsDialect("torque", {});
    dialect.detailsQuestion?.(["42940"]);
    const known = dialect.details?.(said(torqueJob("R").replace(/submit_args.*/, "x = y")));
    expect(known?.get("42940")?.row).not.toHaveProperty("runner");
    expect(dialect.queueRows(said("42940.t\n"))?.[0]?.version).not.toBe("stranger");
  });

  it("OpenPBS: JSON, until that lacks a job", () => {
    const dialect = pbsDialect("openpbs", {});
    expect(dialect.detailsQuestion?.(["3472664", "41"]).args).toEqual(["-f", "-F", "json", "3472664", "41"]);
    const unknown = "qstat: Unknown Job Id 41.pbs\n";
    const whole = dialect.details?.(said(withRunner(PBSPRO_RUNNING), unknown, 153));
    expect(whole?.get("3472664")).toMatchObject({
      runner: `/home/user/main/${RUNNER}`,
      row: { id: "3472664", news: { is: "running" } },
    });
    dialect.detailsQuestion?.(["3472664", "42"]);
    expect(dialect.details?.(said(PBSPRO_RUNNING))).toBeUndefined();
    expect(dialect.detailsQuestion?.(["3472664", "42"]).args).toEqual(["-f", "3472664", "42"]);
  });

  it("Torque: jobs that have ended are there for a while, with their status", () => {
    const dialect = pbsDialect("torque", {});
    dialect.detailsQuestion?.(["42940"]);
    const known = dialect.details?.(said(withRunner(torqueJob("C", "3"))));
    expect(known?.get("42940")?.row?.news).toMatchObject({ is: "ended", cause: "itself", exitCode: 3 });
  });

  it("Slurm: what it does not know it does not name", () => {
    const dialect = pbsDialect("slurm", {});
    dialect.detailsQuestion?.(["1", "2"]);
    expect([...(dialect.details?.(said(SLURM_JOB)) ?? [])].map(([id, { runner }]) => [id, runner])).toEqual([
      ["1", `/root/jobs/pending/a/${RUNNER}`],
    ]);
    dialect.detailsQuestion?.(["2"]);
    expect(dialect.details?.(said("", "", 153))?.size).toBe(0);
    expect(dialect.details?.(said("", "Problem loading jobs.\n", 8))).toBeUndefined();
  });

  it("an answer that a connection cut short is none", () => {
    const dialect = pbsDialect("torque", {});
    dialect.detailsQuestion?.(["42940", "42941"]);
    expect(dialect.details?.(said(torqueJob("R"), "qstat: End of File\n", 1))).toBeUndefined();
  });
});

describe("the history", () => {
  const { history, queueRows: _ } = pbsDialect("openpbs", {});
  const question = (ids?: readonly string[]) => history?.question({ user: "u", sinceMs: 0, ...(ids && { ids }) });
  it("is asked for by id alone", () => {
    expect(question(["40"])?.args).toEqual(["-x", "-f", "-F", "json", "40"]);
    expect(question()).toBeUndefined();
    expect(pbsDialect("torque", {}).history).toBeUndefined();
  });
  it("tells how a job ended", () => {
    question(["40"]);
    expect(history?.rows(said(withRunner(OPENPBS_FINISHED)))).toMatchObject([
      { id: "40", runner: `/tmp/stage/${RUNNER}`, news: { is: "ended", cause: "itself", exitCode: 0 } },
    ]);
  });
  it("may not be kept, or not answer", () => {
    question(["40"]);
    expect(history?.rows(said("", "qstat: PBS is not configured to maintain job history 40.pbs\n", 1))).toBe("absent");
    expect(history?.rows(said("", "qstat: cannot connect to server pbs (errno=15010)\n", 2))).toBe("down");
  });
});

describe("qdel", () => {
  const { isCancelled } = pbsDialect("openpbs", {});
  it.each([
    [said("")],
    [said("", "qdel: Unknown Job Id 12.pbs\n", 153)],
    [said("", "qdel: Job has finished 12.pbs\n", 35)],
    [said("", "qdel: Request invalid for state of job MSG=invalid state for job - COMPLETE 12.torque\n", 170)],
    [said("", "", 1)],
  ])("%j: it is over", (answer) => expect(isCancelled(answer)).toBe(true));
  it.each([
    [said("", "Connection refused\nqdel: cannot connect to server pbs (errno=15010)\n", 1)],
    [said("qdel: Kill job error on job id 1: Unable to contact slurm controller (connect failure)\n", "", 1)],
    [{ stdout: "", stderr: "", errorCode: "ENOENT" }],
  ])("%j: it is not", (answer) => expect(isCancelled(answer)).toBe(false));
});

it.each([
  ["qsub: Unknown queue\n", "", "Unknown queue"],
  ["qsub: submit error (Unauthorized Request  MSG=no)\n", "", "Unauthorized Request  MSG=no"],
  [
    "",
    "There was an error running the Slurm sbatch command.\nThe command was:\n'sbatch -p nope'\nand the output was:\n'sbatch: error: invalid partition specified: nope\n sbatch: error: Batch job submission failed: Invalid partition name specified\n'\n",
    "Batch job submission failed: Invalid partition name specified",
  ],
])("the line that says it in %j %j", (stderr, stdout, line) =>
  expect(pbsDialect("openpbs", {}).firstLine(said(stdout, stderr, 1))).toBe(line),
);
