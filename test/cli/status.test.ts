/** `jobmgr status`, word for word. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { makeRoot, type TestRoot } from "../harness.ts";
import { at, calm, FAILED, putJob, putManager } from "./put.ts";
import { transcript, type Where } from "./transcript.ts";

const ASKED = { asked: { time: "2:00:00", memory: "4G" } };

/** One of each kind. */
function putAll(root: TestRoot): void {
  putJob(root, "pending", "200-scan", [{ submitted: 60, started: 120, plan: ASKED, status: { state: "queued" } }]);
  const why = "Resources: It is next in line and waits until enough nodes, processors or memory are free.";
  const expectedStart = at(86_400);
  putJob(root, "pending", "100-queued", [{ submitted: 60, status: { state: "queued", why, expectedStart } }]);
  putJob(root, "inbox", "500-waits");
  putJob(root, "inbox", "400-held", [], { job_hold: "" });
  // What ended last comes first; of what ended at one moment, what comes first by name.
  putJob(root, "complete", "003-odd\u001b[2J\nname", [{ submitted: 1, outcome: { is: "lost", why: "It is gone." } }]);
  putJob(root, "complete", "002-a-name-that-is-too-long-for-the-table", [
    { submitted: 1, started: 2, ended: 3, outcome: FAILED },
  ]);
  putJob(root, "complete", "001-good", [{ submitted: 1, started: 2, ended: 3, outcome: { is: "succeeded", why: "" } }]);
}

it.each<Where>(["terminal", "pipes"])("status, on %s", async (where) => {
  const root = await makeRoot("/tmp");
  const empty = await transcript(root, where, [["status"]]);
  putAll(root);
  const alone = await transcript(root, where, [["status"], ["status", "--failed"], ["status", "002-*", "--json"]]);
  putManager(
    root,
    {
      problems: { engine: "SlurmEngine does not answer; no job changes its state." },
      outage: { since: at(0), text: "SlurmEngine does not answer; no job changes its state." },
      reasons: { "500-waits": "data.bin changed 2 s ago (it is taken after 3600 s of rest)" },
    },
    true,
  );
  const calls = [
    ["status", "200-scan", "inbox/*"],
    ["status", "20-scan", "200-scn"],
    ["status", "20-scan", "200-scan", "200-scn"],
  ];
  const managed = await transcript(root, where, calls);
  const wide = await transcript(root, where, [["status"]], { COLUMNS: "150" });
  const text = calm([empty, alone, managed, wide].join("\n"));
  await expect(text).toMatchFileSnapshot(`golden/status-${where}.txt`);
});

it("of a job that is to be cancelled says so before a manager sees it, and not how long one ran whose end nobody knows", async () => {
  const root = await makeRoot("/tmp");
  putJob(root, "pending", "a", [{ submitted: 1, started: 2 }], { job_cancel: "enough\n" });
  putJob(root, "pending", "b", [{ submitted: 1, status: { state: "queued", why: "Priority" } }], { job_cancel: "" });
  putJob(root, "complete", "moved", [{ submitted: 1, started: 2 }]);
  const text = await transcript(root, "pipes", [["status"], ["explain", "moved"]], { COLUMNS: "130" });
  expect(text).toMatch(/^a +running .* it is to be cancelled \(job_cancel\)$/m);
  expect(text).toMatch(/^b +queued .* it is to be cancelled \(job_cancel\)$/m);
  expect(text).toMatch(/^moved +unknown +4711 +\d+ \S+ +- +It was started as job 4711/m);
  expect(text).toMatch(/^1 +running .* -$/m);
});

it("of many shows those that come first, and how many more there are", async () => {
  const root = await makeRoot("/tmp");
  for (let i = 0; i < 100; i++) mkdirSync(join(root.path, i % 2 ? "inbox" : "complete", `job-${100 + i}`));
  const text = await transcript(root, "pipes", [["status"], ["status", "--all"]]);
  expect(text).toContain("50 waiting, 0 pending, 50 complete. Not shown: 30 waiting, 40 complete (--all).");
  expect(text.match(/^job-/gm)).toHaveLength(30 + 100);
});

it("--watch without a terminal is a wrong usage, which says what to do instead", async () => {
  const root = await makeRoot("/tmp");
  writeFileSync(join(root.path, "inbox/.x"), "");
  await expect(
    await transcript(root, "pipes", [
      ["status", "--watch"],
      ["status", "--watch", "--json"],
    ]),
  ).toMatchFileSnapshot("golden/status-watch.txt");
});
