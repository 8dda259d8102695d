/** What Grid Engine 8.1.9 said when it was made to, and what it means; each text is as qsub, qstat or qdel printed it. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { accountingQuestion, accountingRows, hasNoFile } from "../../engines/sge/accounting.ts";
import { firstLine, idIn, verdictOf } from "../../engines/sge/answers.ts";
import { sgeDialect } from "../../engines/sge/dialect.ts";
import { detailsIn, newsOfState, queueRows } from "../../engines/sge/queue.ts";
import { queuesIn, resourcesIn } from "../../engines/sge/resources.ts";
import { parseXml } from "../../engines/sge/xml.ts";
import { makeFolder } from "../harness.ts";
import { putProgram } from "../own-programs.ts";

const said = (stderr: string, stdout = "", exitCode = 1) => ({ exitCode, stdout, stderr });
const unable = (text: string) => said(`Unable to run job: ${text}\nExiting.\n`);

describe("the id", () => {
  it.each([
    ["1\n", "", "1"],
    ["2.1-6:2\n", "", "2"],
    ['Your job 35 ("r.sh") has been submitted\n', "", "35"],
    ['Your job-array 36.1-5:1 ("a b") has been submitted\n', "", "36"],
    [
      "",
      'Unable to run job: warning: root\'s job is not allowed to run in any queue\nYour job 1 ("hello") has been submitted\nExiting.\n',
      "1",
    ],
    ["12", "", undefined],
    ["", "", undefined],
    ["1\n2\n", "", undefined],
  ])("in %j, %j", (stdout, stderr, id) => {
    expect(idIn({ stdout, stderr })).toBe(id);
  });
});

describe("a no", () => {
  const REFUSED = /error: commlib error: got select error \(Connection refused\)/;
  const DOWN =
    'error: commlib error: got select error (Connection refused)\nUnable to run job: unable to send message to qmaster using port 27544 on host "localhost": got send error\nExiting.\n';

  it.each([
    [unable('Job was rejected because job requests unknown queue "nope"'), "refused", /There is no queue nope\./],
    [unable('unknown resource "bogus"'), "refused", /no resource bogus/],
    [unable('attribute "h_vmem" is not a memory value'), "refused", /The value of h_vmem/],
    [unable('attribute "h_rt" is not a time value'), "refused", /The value of h_rt/],
    [unable('job rejected: the requested parallel environment "nope" does not exist'), "refused", /nope/],
    [unable('job rejected: the requested project "nope" does not exist'), "refused", /qconf -sprjl/],
    [unable('denied: "1a" is not a valid object name (cannot start with a digit)'), "refused", /name is not possible/],
    [unable("job rejected: 0 is an invalid task id"), "refused", /tasks/],
    [unable("job rejected: you tried to submit a job with more than 75000 tasks"), "refused", /tasks/],
    [unable("error: no suitable queues"), "refused", /No queue can run/],
    [said("qsub: Unknown option \n", "", 7), "refused", /no option/],
    [
      said('Unable to read script file because of error: invalid option argument "-bogus"\n', "", 14),
      "refused",
      /-bogus/,
    ],
    [
      said("Unable to read script file because of error: -N option must have argument\n"),
      "refused",
      /-N needs a value/,
    ],
    [said(DOWN), "unavailable", /nothing was submitted/],
    [
      said(
        '\nUnable to initialize environment because of error: SGE_ROOT directory "/nope" doesn\'t exist\nExiting.\n',
      ),
      "unavailable",
      /not set up/,
    ],
    [unable('denied: host "n7" is no submit host'), "unavailable", /n7/],
    // Frozen for 100 s, then ended: it may have been sent.
    [
      unable('unable to send message to qmaster using port 27544 on host "localhost": got send error'),
      "ambiguous",
      /lost/,
    ],
    [
      unable("failed receiving gdi request response for mid=1 (got syncron message receive timeout error)."),
      "ambiguous",
      /lost/,
    ],
    [unable("Error reading answer list from qmaster"), "ambiguous", /lost/],
    [unable("job rejected: only 10 jobs are allowed per user (current job count: 10)"), "full", /max_u_jobs/],
    // What one job asks for must not be taken for the state of all.
    [unable('can\'t resolve hostname "a"'), "refused", /a machine, a, that is not known/],
    [
      unable('unable to send message to qmaster using port 6444 on host "nosuchhost": can\'t resolve host name'),
      "unavailable",
      /out of reach/,
    ],
    [unable("something that nobody has ever seen"), "unknown", /^$/],
    [said("", "", 0), "ambiguous", /lost/],
    [said("", "", 143), "ambiguous", /lost/],
    [{ ...said(""), errorCode: "ENOENT", exitCode: undefined }, "unavailable", /module/],
  ] as const)("%j is %s", (answer, verdict, remedy) => {
    expect(verdictOf(answer).verdict).toBe(verdict);
    expect(verdictOf(answer).remedy ?? "").toMatch(remedy);
  });

  it("is told by the line that says it", () => {
    expect(firstLine(unable('unknown resource "bogus"'))).toBe('unknown resource "bogus"');
    expect(firstLine(said(DOWN))).toMatch(/^unable to send message/);
    expect(DOWN).toMatch(REFUSED);
  });

  it("of qdel is none where the job has ended", () => {
    const isCancelled = (stdout: string, exitCode = 1) => sgeDialect.isCancelled({ exitCode, stdout, stderr: "" });
    expect(isCancelled('denied: job "9" does not exist\ndenied: job "99999" does not exist\n')).toBe(true);
    expect(isCancelled("root has registered the job 58 for deletion\n", 0)).toBe(true);
    expect(isCancelled('root has deleted job 58\ndenied: job "9" does not exist\n')).toBe(true);
    expect(isCancelled("error: commlib error: got select error (Connection refused)\n")).toBe(false);
    expect(isCancelled("")).toBe(false);
  });
});

const LIST = (jobs: string) => `<?xml version='1.0'?>
<job_info  xmlns:xsd="http://arc.liv.ac.uk/repos/darcs/sge/source/dist/util/resources/schemas/qstat/qstat.xsd">
  <queue_info>
${jobs}  </queue_info>
  <job_info>
  </job_info>
</job_info>
`;
const JOB = (id: number, state: string, more = "") => `    <job_list state="pending">
      <JB_job_number>${id}</JB_job_number>
      <JAT_prio>0.50000</JAT_prio>
      <JB_name>arr</JB_name>
      <JB_owner>root</JB_owner>
      <state>${state}</state>
      <JB_submission_time>2026-11-21T14:10:05</JB_submission_time>
      <queue_name></queue_name>
      <slots>1</slots>
${more}    </job_list>
`;

describe("the queue", () => {
  it("has a row for each job, and for each task that runs", () => {
    const rows = queueRows(
      LIST(JOB(2, "Eqw", "      <tasks>1</tasks>\n") + JOB(2, "qw", "      <tasks>3,5</tasks>\n") + JOB(3, "dr")),
    );
    expect(rows).toMatchObject([
      { id: "2", task: 1, news: { is: "queued", stuck: true }, version: "arr Eqw" },
      { id: "2", news: { is: "queued" }, version: "arr " },
      { id: "3", news: { is: "running" }, isEnding: true },
    ]);
    expect(rows?.[1]).not.toHaveProperty("task");
    expect(queueRows(LIST(""))).toEqual([]);
  });

  it("is not believed where the answer is cut, or is another", () => {
    const whole = LIST(JOB(2, "qw"));
    for (let end = 0; end < whole.lastIndexOf("</job_info>") + 5; end += 7)
      expect(queueRows(whole.slice(0, end))).toBeUndefined();
    expect(queueRows("error: commlib error")).toBeUndefined();
    expect(queueRows(whole.replaceAll("job_info", "other"))).toBeUndefined();
    expect(queueRows(LIST(JOB(2, "")))).toBeUndefined();
  });

  it.each([
    ["qw", "queued"],
    ["hqw", "queued"],
    ["hRwq", "queued"],
    ["Rq", "queued"],
    ["t", "running"],
    ["r", "running"],
    ["Rr", "running"],
    ["s", "running"],
    ["S", "running"],
    ["T", "running"],
    ["dr", "running"],
    ["dt", "running"],
    ["dqw", "queued"],
    ["Eqw", "queued"],
    ["z", "ended"],
    ["X9", "unknown"],
  ])("%s is %s", (state, is) => {
    expect(newsOfState(state, "7")).toMatchObject({ is, ...(state === "Eqw" && { stuck: true }) });
  });

  it("is told of more by a second question: who a job is, and why it is stuck", () => {
    const element = (id: number, path: string, task = "") =>
      `<element><JB_job_number>${id}</JB_job_number><JB_script_file>${path}</JB_script_file>${task}</element>`;
    const stuck = `<JB_ja_tasks><ulong_sublist><JAT_task_number>1</JAT_task_number><JAT_message_list><ulong_sublist>
      <QIM_type>1</QIM_type>
      <QIM_message>11/21/2026 14:10:06 [0:9260]: error: can&apos;t chdir to /tmp/new: No such file or directory</QIM_message>
      </ulong_sublist></JAT_message_list></ulong_sublist></JB_ja_tasks>`;
    const xml = `<?xml version='1.0'?>\n<detailed_job_info  xmlns:xsd="x"><djob_info>${element(2, "/r/a\nb&amp;%lt;&quot;/run.sh", stuck)}${element(3, "/r/c/run.sh")}</djob_info><messages/></detailed_job_info>`;
    const details = detailsIn(xml);
    expect(details?.get("2")?.runner).toBe('/r/a\nb&<"/run.sh');
    expect(details?.get("2")?.why).toMatch(/^Eqw: can't chdir to \/tmp\/new: .*same path\?.*qmod -cj 2`/);
    expect(details?.get("3")).toEqual({ runner: "/r/c/run.sh" });
    expect(detailsIn(xml.slice(0, -10))).toBeUndefined();
    expect(
      detailsIn(
        "<?xml version='1.0'?><unknown_jobs xmlns:xsd='x'><element><ST_name>99</ST_name></element></unknown_jobs>",
      )?.size,
    ).toBe(0);
  });
});

/** As they stood in the accounting file, but for their numbers. */
const RECORD = (name: string, id: number, middle: string, category: string, maxVmem = "0.000000") => {
  const usage = "0.01:0.01:4936.0:0:0:0:0:807:0:0:0.0:16:0:0:0:11:8";
  const [times = "", failed = "", exit = "", wall = "", task = "0"] = middle.split(" ");
  return `all.q:localhost:root:root:${name}:${id}:sge:0:${times}:${failed}:${exit}:${wall}:${usage}:NONE:defaultdepartment:NONE:1:${task}:0.02:0.0:0.0:${category}:0.000000:NONE:${maxVmem}:0:0\n`;
};
const TIMES = "1795270867:1795270867:1795270871";

describe("the accounting", () => {
  /** Asks as the engine does, of a cell whose file holds this. */
  const asked = (text: string | undefined, spoil: (file: string) => void = () => {}, path = process.env.PATH) => {
    const root = makeFolder();
    const common = join(root, "default", "common");
    mkdirSync(common, { recursive: true });
    for (const folder of [root, join(root, "default"), common]) chmodSync(folder, 0o755);
    if (text !== undefined) writeFileSync(join(common, "accounting"), text);
    spoil(join(common, "accounting"));
    const { program, args } = accountingQuestion(["7", "64"], 1_795_270_000_000) ?? { program: "", args: [] };
    const nobody = process.getuid?.() === 0 && { uid: 65_534, gid: 65_534 };
    const env = { ...process.env, PATH: path, SGE_ROOT: root, SGE_CELL: "default", LC_ALL: "C" };
    const { status, stdout, stderr } = spawnSync(program, [...args], { cwd: "/", encoding: "utf8", env, ...nobody });
    return { exitCode: status ?? undefined, stdout, stderr };
  };
  const newsOf = (record: string) => {
    const rows = accountingRows(asked(record));
    return typeof rows === "string" ? rows : rows[0]?.news;
  };

  it.each([
    ["exit 3", `${TIMES} 0 3 0`, "NONE", { cause: "itself", exitCode: 3 }],
    ["h_rt", `${TIMES} 37 137 4`, "-l h_rt=3", { cause: "timeout" }],
    ["h_rt of the queue", `${TIMES} 37 137 4`, "NONE", { cause: "timeout" }],
    ["h_rt, seen after it", `${TIMES} 100 137 4`, "-l h_rt=3", { cause: "timeout" }],
    ["s_rt", `${TIMES} 100 138 4`, "-l s_rt=3", { cause: "timeout" }],
    ["USR1 of somebody else", `${TIMES} 100 138 1`, "-l s_rt=3", { cause: "itself", signal: "SIGUSR1" }],
    ["qdel", `${TIMES} 100 137 0`, "NONE", { cause: "cancelled", ifNoRecord: true }],
    ["no folder", "1795270868:0:0 28 0 0", "NONE", { cause: "launch" }],
    ["no output", "1795270868:0:0 26 0 0", "NONE", { cause: "launch" }],
    ["a machine that failed", `${TIMES} 22 0 9`, "NONE", { cause: "node" }],
    ["put back", "0:0:0 25 0 0", "NONE", { is: "queued" }],
    ["asked for another start", `${TIMES} 25 99 0`, "NONE", { is: "queued" }],
  ])("of %s", (_, middle, category, expected) => {
    expect(newsOf(RECORD("a", 7, middle, category))).toMatchObject({ is: "ended", ...expected });
  });

  it("tells of memory by what was used", () => {
    const killed = (used: string) => newsOf(RECORD("mem", 7, `${TIMES} 100 137 4`, "-l h_rt=60,h_vmem=500M", used));
    expect(killed("525000000.0")).toMatchObject({ cause: "memory" });
    expect(killed("1000000.0")).toMatchObject({ cause: "cancelled" });
  });

  it("is read as far as it is whole, and names task, name and time", () => {
    const whole = RECORD("arr", 64, `${TIMES} 0 7 1 2`, "NONE");
    for (const part of ["", whole.slice(0, 60), whole.slice(0, -7)]) {
      const rows = accountingRows(asked(RECORD("other", 640, `${TIMES} 0 0 1`, "NONE") + whole + part));
      expect(rows).toMatchObject([{ id: "64", task: 2, name: "arr", submittedAtMs: 1_795_270_867_000 }]);
      expect(rows).toHaveLength(1);
    }
  });

  it("tells of a parallel job, and not of what that has started on its machines", () => {
    const job = RECORD("par", 7, `${TIMES} 0 0 3`, "-pe tight 2", "10596352.000000");
    const slave = RECORD("par", 7, `${TIMES} 0 7 2`, "-pe tight 2").replace(":NONE:0.000000:0:0", ":1.n2:0.000000:0:0");
    expect(slave).toContain(":1.n2:");
    expect(accountingRows(asked(job + slave))).toMatchObject([{ id: "7", news: { cause: "itself", exitCode: 0 } }]);
  });

  it("holds nothing while there is no file, and is believed only if all of it was read", () => {
    const whole = RECORD("a", 7, `${TIMES} 0 0 1`, "NONE");
    expect(accountingRows(asked(""))).toEqual([]);
    expect(accountingRows(asked(undefined))).toEqual([]);
    expect([hasNoFile(asked("")), hasNoFile(asked(undefined))]).toEqual([false, true]);
    expect(accountingRows(asked(whole, (file) => chmodSync(file, 0)))).toBe("absent");
    expect(accountingRows(asked(undefined, (file) => rmSync(join(file, ".."), { recursive: true })))).toBe("absent");
    expect(accountingRows(asked(undefined, (file) => mkdirSync(file)))).toBe("down");
    const bin = makeFolder();
    chmodSync(bin, 0o755);
    putProgram(join(bin, "tail"), '/usr/bin/tail "$@"; exit 1\n');
    expect(accountingRows(asked(whole, undefined, `${bin}:${process.env.PATH}`))).toBe("down");
    expect(accountingRows({ exitCode: undefined, stdout: whole, stderr: "" })).toBe("down");
  });

  it("is read as well where it was put aside, packed or not, unless that was before any of the jobs", () => {
    const exit = (code: number) => RECORD("a", 7, `${TIMES} 0 ${code} 1`, "NONE");
    const putAside = (name: string, code: number, time: number) => (file: string) => {
      const path = join(dirname(file), name);
      writeFileSync(path, name.endsWith(".gz") ? gzipSync(exit(code)) : exit(code));
      utimesSync(path, time, time);
    };
    const codes = (text: string, ...spoils: ((file: string) => void)[]) => {
      const rows = accountingRows(
        asked(text, (file) => {
          for (const spoil of spoils) spoil(file);
        }),
      );
      return typeof rows === "string" ? rows : rows.map(({ news }) => news.is === "ended" && news.exitCode);
    };
    const older = putAside("accounting-20261121.gz", 4, 1_795_271_000);
    const newer = putAside("accounting.0", 5, 1_795_272_000);
    expect(codes(exit(6), newer, older)).toEqual([4, 5, 6]);
    expect(codes("", newer)).toEqual([5]);
    expect(codes("", putAside("accounting.1", 3, 1_795_180_000), (file) => chmodSync(file, 0))).toBe("absent");
    expect(codes("", putAside("accounting.1", 3, 1_795_180_000))).toEqual([]);
  });

  it("is asked for all jobs at once, and only for numbers", () => {
    expect(accountingQuestion(["1", "2", "x;y"], 0)?.args).toContain("1|2");
    expect(accountingQuestion(undefined, 0)).toBeUndefined();
  });
});

describe("the machines", () => {
  const HOSTS = `<?xml version='1.0'?>
<qhost xmlns:xsd="x">
 <host name='global'><hostvalue name='num_proc'>-</hostvalue></host>
 <host name='localhost'>
   <hostvalue name='num_proc'>2</hostvalue>
   <hostvalue name='load_avg'>3.55</hostvalue>
   <hostvalue name='mem_total'>23.5G</hostvalue>
   <resourcevalue name='mem_total' dominance='hl'>23.541G</resourcevalue>
   <resourcevalue name='mem_free' dominance='hl'>21.562G</resourcevalue>
 <queue name='all.q'>
   <queuevalue qname='all.q' name='qtype_string'>BIP</queuevalue>
   <queuevalue qname='all.q' name='slots_used'>1</queuevalue>
   <queuevalue qname='all.q' name='slots'>4</queuevalue>
   <queuevalue qname='all.q' name='state_string'></queuevalue>
 </queue>
 </host>
 <host name='gone'>
   <hostvalue name='num_proc'>-</hostvalue>
   <hostvalue name='load_avg'>-</hostvalue>
   <hostvalue name='mem_total'>-</hostvalue>
 <queue name='all.q'>
   <queuevalue qname='all.q' name='slots'>4</queuevalue>
   <queuevalue qname='all.q' name='state_string'>au</queuevalue>
 </queue>
 </host>
</qhost>
`;

  it("and queues are told of as qhost and qconf do", () => {
    expect(queuesIn(HOSTS)).toEqual(["all.q"]);
    const resources = resourcesIn(HOSTS, "qname all.q\ns_rt INFINITY\nh_rt  48:00:00,[fast=1:0:0]\n");
    expect(resources?.partitions).toEqual([{ name: "all.q", isDefault: false, isUp: true, timeLimitS: 172_800 }]);
    expect(resources?.nodes).toMatchObject([
      { name: "localhost", state: "in use", isUp: true, cpus: 2, cpusFree: 2, partitions: ["all.q"] },
      { name: "gone", state: "unknown", isUp: false, cpus: 4 },
    ]);
    expect(resourcesIn(HOSTS.slice(0, 300), "")).toBeUndefined();
  });
});

describe("XML", () => {
  it("is read with attributes, entities and empty elements; what is cut or crossed is none", () => {
    const root = parseXml("<?xml version='1.0'?><a x='1' y=\"&lt;2\"><b/>t&amp;lt;&#65;<c>&gt;</c></a>");
    expect(root).toMatchObject({ name: "a", attributes: { x: "1", y: "<2" }, text: "t&lt;A" });
    expect(root?.children.map(({ name, text }) => [name, text])).toEqual([
      ["b", ""],
      ["c", ">"],
    ]);
    expect(parseXml("<a><b></a></b>")).toBeUndefined();
    expect(parseXml("<a><b>")).toBeUndefined();
    expect(parseXml("")).toBeUndefined();
  });
});
