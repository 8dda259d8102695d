/** What PBS' letters, comments and exit statuses mean. */
import { describe, expect, it } from "vitest";
import type { Flavour } from "../../engines/pbs/flavour.ts";
import { parseJson, parseText, type Row } from "../../engines/pbs/listing.ts";
import { nodesIn, queuesIn } from "../../engines/pbs/resources.ts";
import { endsOf, livingNews } from "../../engines/pbs/states.ts";
import {
  OPENPBS_FINISHED,
  PBSPRO_NODES,
  PBSPRO_QUEUES,
  PBSPRO_RUNNING,
  SLURM_JOB,
  SLURM_NODES,
  TORQUE_NODES,
  torqueJob,
} from "./pbs-transcripts.ts";

const openpbs = (facts: Record<string, string>): Row[] => [
  { shownId: "40.pbs", facts: new Map(Object.entries(facts)) },
];
const news = (facts: Record<string, string>) => livingNews(openpbs(facts), "openpbs");
const end = (facts: Record<string, string>, flavour: Flavour = "openpbs") =>
  endsOf(openpbs({ job_state: flavour === "torque" ? "C" : "F", ...facts }), flavour).get(undefined);

describe("a job that lives", () => {
  it.each(["R", "E", "S", "B", "U"])("%s runs", (job_state) => expect(news({ job_state })).toEqual({ is: "running" }));
  it("of a transcript", () =>
    expect(livingNews(parseJson(PBSPRO_RUNNING) ?? [], "openpbs")).toEqual({ is: "running" }));

  it.each([
    [
      "Q",
      { comment: "Not Running: Insufficient amount of resource: ncpus" },
      { why: "Not Running: Insufficient amount of resource: ncpus" },
    ],
    ["Q", {}, {}],
    ["T", {}, {}],
    ["W", {}, { why: expect.stringContaining("-a") }],
    ["H", { Hold_Types: "u" }, { stuck: true, why: expect.stringContaining("qrls 40.pbs") }],
    ["H", { Hold_Types: "s", depend: "afterok:39.pbs@pbs" }, { why: expect.stringContaining("waits for other jobs") }],
    [
      "H",
      { Hold_Types: "s", comment: "job held, too many failed attempts to run" },
      { stuck: true, why: expect.stringContaining("too many") },
    ],
    [
      "Q",
      { comment: "Can Never Run: Insufficient amount of resource: ncpus (R: 30 A: 2 T: 2)" },
      { stuck: true, asksTooMuch: true, why: expect.stringContaining("R: 30 A: 2") },
    ],
    ["Q", { "estimated.start_time": "Sat Nov 21 14:03:09 2026" }, { expectedStart: "2026-11-21T14:03:09Z" }],
  ])("%s %j waits", (job_state, facts, told) =>
    expect(news({ job_state, ...facts } as Record<string, string>)).toEqual({ is: "queued", ...told }),
  );

  it("a letter that nobody knows keeps it alive", () => {
    expect(news({ job_state: "Z" })).toMatchObject({ is: "unknown", word: expect.stringContaining('"Z"') });
    expect(livingNews(parseText(SLURM_JOB.replace("= R", "= U")), "slurm")?.is).toBe("unknown");
  });

  it("has no news once it has ended", () => {
    expect(livingNews(parseJson(OPENPBS_FINISHED) ?? [], "openpbs")).toBeUndefined();
    expect(livingNews(parseText(torqueJob("C", "0")), "torque")).toBeUndefined();
  });
});

describe("how it ended", () => {
  it("of transcripts", () => {
    expect(endsOf(parseJson(OPENPBS_FINISHED) ?? [], "openpbs").get(undefined)).toEqual({
      word: 'PBS job 40.pbs: F, exit status 0, after 00:00:10 of 00:02:00, on pbs, "Job run at Wed Mar 17 at 20:36 on (pbs:ncpus=1) and finished"',
      cause: "itself",
      exitCode: 0,
    });
    expect(endsOf(parseText(torqueJob("C", "-11")), "torque").get(undefined)).toMatchObject({
      cause: "timeout",
      why: "It reached its time limit (01:00:00) and PBS stopped it. Ask for more time: #PBS -l walltime=02:00:00.",
    });
    expect(endsOf(parseText(torqueJob("C", "3")), "torque").get(undefined)).toMatchObject({
      cause: "itself",
      exitCode: 3,
    });
  });

  it.each<[Record<string, string>, object]>([
    [{ Exit_status: "143" }, { cause: "itself", exitCode: 143 }],
    [
      { Exit_status: "271", substate: "91" },
      { cause: "cancelled", signal: "SIGTERM" },
    ],
    [{ Exit_status: "143", substate: "91" }, { cause: "cancelled" }],
    [{ substate: "91" }, { cause: "cancelled" }],
    [
      { Exit_status: "-29", "Resource_List.walltime": "30:00:00" },
      { cause: "timeout", why: expect.stringContaining("walltime=60:00:00") },
    ],
    [
      { Exit_status: "-27", "Resource_List.mem": "4gb" },
      { cause: "memory", why: expect.stringContaining("8gb") },
    ],
    [{ Exit_status: "-1" }, { cause: "launch" }],
    [{ Exit_status: "-4" }, { cause: "node" }],
    [{ Exit_status: "-11" }, { cause: "node" }],
    [{ Exit_status: "-99" }, { why: expect.stringContaining("not known") }],
    [
      { Exit_status: "271", "Resource_List.walltime": "01:00:00", "resources_used.walltime": "01:00:21" },
      { cause: "timeout", signal: "SIGTERM" },
    ],
    [{ comment: "Job deleted as result of dependency on job 39.pbs" }, { cause: "cancelled", stranded: true }],
  ])("OpenPBS %j", (facts, told) => expect(end(facts)).toMatchObject(told));

  it.each<[Record<string, string>, object]>([
    [{ exit_status: "265" }, { signal: "SIGKILL" }],
    [{ exit_status: "-10" }, { cause: "memory" }],
    [{ exit_status: "-9" }, { cause: "launch" }],
  ])("Torque %j", (facts, told) => expect(end(facts, "torque")).toMatchObject(told));

  it("a signal alone is no witness of who sent it, and no status none of anything", () => {
    expect(end({ Exit_status: "265" })).not.toHaveProperty("cause");
    expect(end({})).toEqual({ word: "PBS job 40.pbs: F, no exit status" });
    expect(endsOf(parseText(SLURM_JOB.replace("= R", "= C")), "slurm").get(undefined)).not.toHaveProperty("cause");
  });
});

describe("what there is to run jobs on", () => {
  it("nodes of PBS Professional", () =>
    expect(nodesIn(PBSPRO_NODES, ["a"])).toEqual([
      {
        name: "ip-60-0-174-166",
        state: "free",
        isUp: true,
        cpus: 1,
        cpusFree: 1,
        memoryB: 7_706_180 * 1024,
        memoryFreeB: 7_706_180 * 1024,
        partitions: ["normal"],
      },
    ]));

  it("nodes of Torque", () =>
    expect(nodesIn(TORQUE_NODES, ["batch"])).toEqual([
      {
        name: "node0001",
        state: "free",
        isUp: true,
        cpus: 12,
        cpusFree: 10,
        memoryB: 24_599_108 * 1024,
        partitions: ["batch"],
      },
      { name: "i51", state: "down,job-exclusive", isUp: false, cpus: 8, cpusFree: 0, partitions: ["batch"] },
    ]));

  it("nodes of Slurm's own pbsnodes, which does not tell what is free of a node in part", () =>
    expect(nodesIn(SLURM_NODES, ["debug"])).toEqual([
      { name: "n1", state: "mixed", isUp: true, cpus: 64, memoryB: 1_000_000 * 2 ** 20, partitions: ["debug"] },
    ]));

  it("queues, but not those that hand jobs on", () =>
    expect(queuesIn(PBSPRO_QUEUES, "workq")).toEqual([
      { name: "workq", isDefault: true, isUp: true, timeLimitS: 72 * 3600 },
      { name: "long", isDefault: false, isUp: true, timeLimitS: 336 * 3600 },
      { name: "old", isDefault: false, isUp: false, timeLimitS: 24 * 3600 },
    ]));
});
