/** How qstat's answers are read: whole ones, cut ones, and those that are no JSON. */
import { describe, expect, it } from "vitest";
import { absencesIn, folderIn, nameOf, parseJson, parseText, taskOf, tokenIn } from "../../engines/pbs/listing.ts";
import { OPENPBS_BROKEN, OPENPBS_FINISHED, PBSPRO_RUNNING, SLURM_JOB, torqueJob } from "./pbs-transcripts.ts";

const TOKEN = "20261121T140311-0123456789ab";
const RUNNER = `.jobmgr/attempt-${TOKEN}/run.sh`;

describe("as JSON", () => {
  it("a job of the history", () => {
    const [row] = parseJson(OPENPBS_FINISHED) ?? [];
    expect(row?.shownId).toBe("40.pbs");
    expect(Object.fromEntries(row?.facts ?? [])).toMatchObject({
      job_state: "F",
      substate: "92",
      Exit_status: "0",
      "Resource_List.walltime": "00:02:00",
      "resources_used.walltime": "00:00:10",
      Submit_arguments: "-q workq /tmp/stage/generate.sh",
      PBS_O_WORKDIR: "/tmp/stage",
    });
  });

  it("keeps nothing of the user's environment", () => {
    const [row] = parseJson(PBSPRO_RUNNING) ?? [];
    expect([...(row?.facts.keys() ?? [])].filter((name) => name.startsWith("Variable_List"))).toEqual([]);
  });

  it("values that are no JSON", () => {
    const [row] = parseJson(OPENPBS_BROKEN) ?? [];
    expect(row?.facts.get("job_state")).toBe("H");
    expect(row?.facts.get("comment")).toBe('HEALTH-CHECK: reboot "zaskly sdileny scratch" (Sep 04 14:13 SCHEDULED)');
    expect(row && folderIn(row)).toBe("/home/user/it's a, folder");
  });

  it("an empty queue, behind a banner", () => {
    expect(
      parseJson('Welcome!\n{\n    "timestamp":1,\n    "pbs_version":"19.0.0",\n    "pbs_server":"pbs"\n}\n'),
    ).toEqual([]);
  });

  it.each(["", "<html>", "{}", OPENPBS_FINISHED.slice(0, 700), "qstat: cannot connect to server"])(
    "%j is no answer",
    (text) => expect(parseJson(text)).toBeUndefined(),
  );
});

describe("as text", () => {
  it("a job of Torque, its lines wrapped", () => {
    const [row] = parseText(torqueJob("C", "271"));
    expect(row?.shownId).toBe("42940.carah.localdomain");
    expect(row?.facts.get("exit_status")).toBe("271");
    expect(row && folderIn(row)).toBe("/export/home/tech/user");
  });

  it("a job of Slurm's own qstat, which tells of no path", () => {
    const [row] = parseText(SLURM_JOB);
    expect(row?.shownId).toBe("1");
    expect(row?.facts.get("job_state")).toBe("R");
    expect(row && [nameOf(row), tokenIn(row), folderIn(row)]).toEqual(["a", TOKEN, "/root/jobs/pending/a"]);
  });

  it("several jobs, of which one is cut", () => {
    const text = torqueJob("R") + torqueJob("Q").replaceAll("42940", "42941").slice(0, 200);
    expect(parseText(text).map((row) => row.shownId)).toEqual(["42940.carah.localdomain"]);
  });

  it.each(["", "\n", "qstat: cannot connect to server", "Job Id: nonsense\n    job_state = R\n"])(
    "%j holds no job",
    (text) => expect(parseText(text)).toEqual([]),
  );
});

describe("whose job it is", () => {
  const rowWith = (args: string) => {
    const [row] = parseText(torqueJob("R").replace("submit_args = test.sh", `submit_args = ${args}`));
    return row && tokenIn(row);
  };
  it.each([
    [`-N a -r n ${RUNNER}`, TOKEN],
    [`-N a "${RUNNER}"`, TOKEN],
    [`/home/user/pending/a/${RUNNER}`, TOKEN],
    [`<jsdl-hpcpa:Argument>${RUNNER}</jsdl-hpcpa:Argument>`, TOKEN],
    [`-N a x${RUNNER}`, undefined],
    ["-N a test.sh", undefined],
  ])("%j", (args, token) => expect(rowWith(args)).toBe(token));
});

it("what is said of ids that are not there", () => {
  const stderr = `qstat: Unknown Job Id 2315.pbs
qstat: Unknown Job Id Error 8.torque
qstat: 1453338.pbs02 Job has finished, use -x or -H to obtain historical job information
`;
  expect([...absencesIn(stderr)]).toEqual([
    ["2315", "unknown"],
    ["8", "unknown"],
    ["1453338", "finished"],
  ]);
});

it.each([
  ["969390[1].meta-pbs.metacentrum.cz", 1],
  ["969390[].meta-pbs.metacentrum.cz", undefined],
  ["12-7.torque", 7],
  ["12.torque", undefined],
])("the task of %s", (id, task) => expect(taskOf(id)).toBe(task));
