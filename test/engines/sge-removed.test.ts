/** What SgeEngine makes of a job that has left the queue without a record, on a qstat that says what it is told to say. */
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { SgeEngine } from "../../engines/sge/index.ts";
import type { Handle, News, Submitted, Token } from "../../src/engine.ts";
import { makeFolder } from "../harness.ts";
import { putProgram, setEnvironment } from "../own-programs.ts";

const TOKEN = "20260101T000000-0123456789ab" as Token;

/** `-s z` tells of what has left the queue, and the queue is empty. */
const QSTAT = `
case "$*" in *"-s z"*) list=$(cat "$SGE_ROOT/left") ;; esac
echo "<?xml version='1.0'?><job_info><queue_info></queue_info><job_info>$list</job_info></job_info>"
`;
const LEFT = (id: number, name: string) =>
  `<job_list state="zombie"><JB_job_number>${id}</JB_job_number><JB_name>${name}</JB_name><JB_owner>root</JB_owner><state>z</state><JB_submission_time>2026-01-01T00:00:05</JB_submission_time></job_list>`;

interface Scene {
  readonly job: Submitted;
  left(...jobs: string[]): void;
  /** What a manager of its own says, so many seconds after it was first not seen. */
  newsAfter(seconds: number): Promise<News | undefined>;
}

function makeScene(text = "true\n"): Scene {
  const folder = makeFolder();
  const cell = join(folder, "default", "common");
  const records = join(folder, "pending", "mine", ".jobmgr", `attempt-${TOKEN}`);
  for (const one of [cell, records]) mkdirSync(one, { recursive: true });
  putProgram(join(folder, "qstat"), QSTAT);
  for (const file of [join(cell, "accounting"), join(folder, "left")]) writeFileSync(file, "");
  onTestFinished(setEnvironment({ PATH: `${folder}:${process.env.PATH}`, SGE_ROOT: folder, SGE_CELL: "default" }));
  const makeEngine = () => new SgeEngine({ engineArgs: [], queryS: 0.1, doubtS: 0, lostAfterS: 100 });
  const job: Submitted = {
    token: TOKEN,
    handle: "7" as Handle,
    folder: join(folder, "pending", "mine"),
    records,
    runner: join(records, "run.sh"),
    plan: makeEngine().plan({ folderName: "mine", text }),
    madeOn: { host: "h", boot: "b" },
  };
  return {
    job,
    left: (...jobs) => writeFileSync(join(folder, "left"), jobs.join("")),
    async newsAfter(seconds) {
      const ago = Date.now() / 1000 - seconds;
      if (seconds > 0) utimesSync(join(records, "absent-since"), ago, ago);
      return (await makeEngine().poll([job])).get(TOKEN);
    },
  };
}

it("what was taken out of the queue before any check saw it is cancelled, when the accounting has had its time", async () => {
  const scene = makeScene();
  scene.left(LEFT(7, "mine"));
  expect(await scene.newsAfter(0)).toMatchObject({ is: "ending" });
  expect(await scene.newsAfter(10)).toMatchObject({ is: "ending" });
  const news = await scene.newsAfter(30);
  expect(news).toMatchObject({
    is: "ended",
    cause: "cancelled",
    why: expect.stringContaining("taken out of the queue"),
  });
});

it("it is not submitted again either, if that is forgotten meanwhile", async () => {
  const scene = makeScene();
  scene.left(LEFT(7, "mine"));
  await scene.newsAfter(0);
  scene.left();
  expect(await scene.newsAfter(200)).toMatchObject({ is: "ended", cause: "gone" });
});

it("what has gone without a trace before any check saw it may be submitted again, whoever had its id before", async () => {
  const scene = makeScene();
  scene.left(LEFT(7, "another"), LEFT(8, "mine"));
  await scene.newsAfter(0);
  const news = await scene.newsAfter(200);
  expect(news).toMatchObject({ is: "ended" });
  expect(news).not.toHaveProperty("cause");
});

it("what has started was not taken out before, though nothing tells of its end", async () => {
  const scene = makeScene();
  scene.left(LEFT(7, "mine"));
  writeFileSync(join(scene.job.records, "started"), "");
  await scene.newsAfter(0);
  expect(await scene.newsAfter(30)).toMatchObject({ is: "ending" });
});

it("of an array, it is the tasks that had not started", async () => {
  const scene = makeScene("#$ -t 1-2\n");
  scene.left(LEFT(7, "mine"));
  writeFileSync(join(scene.job.records, "exit.1"), `jobmgr-exit 1 ${TOKEN} 0 n1 end\n`);
  await scene.newsAfter(0);
  const news = await scene.newsAfter(30);
  expect(news).toMatchObject({ is: "ended", tasks: { 2: { cause: "cancelled" } } });
  expect(news).not.toHaveProperty("tasks.1.cause");
});
