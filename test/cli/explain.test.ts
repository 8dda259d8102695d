/** `jobmgr explain`, word for word: a job of each kind. */
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { jobmgr, makeRoot, PROGRAM, runToEnd, type TestRoot } from "../harness.ts";
import { at, calm, FAILED, putJob, putManager, tokenOf } from "./put.ts";
import { transcript, type Where } from "./transcript.ts";

const ASKED = { asked: { time: "2:00:00", memory: "4G" }, timeS: 7200 };
const MINUTES = 60;

function putWaiting(root: TestRoot): void {
  putJob(root, "inbox", "100-held", [], { job_hold: "" });
  putJob(root, "inbox", "200-after", [], { "job_after.txt": "300-next\n" });
  putJob(root, "inbox", "205-round", [], { "job_after.txt": "206-trip\n" });
  putJob(root, "inbox", "206-trip", [], { "job_after.txt": "any 205-round\n" });
  putJob(root, "inbox", "207-behind", [], { "job_after.txt": "206-trip\n" });
  putJob(root, "inbox", "210-misspelt", [], { "job_after.txt": "300-nxet\n" });
  putJob(root, "inbox", "215-cancelled", [], { job_cancel: "wrong input\n", job_hold: "" });
  const retry = { number: 2, of: 3, waitS: 3600, ends: ["failed. Exit code 3."], raised: ["--mem=8G instead of 4G"] };
  putJob(root, "inbox", "220-again", [{ submitted: 1, started: 2, ended: 3, outcome: FAILED, retry }]);
  mkdirSync(join(root.path, "inbox/250-empty"));
  for (const name of ["300-next", "310", "320", "330", "400-last"]) putJob(root, "inbox", name, [], { ready: "" });
}

function putPending(root: TestRoot): void {
  putJob(root, "pending", "submitting", [{ planned: 1 }]);
  const why = "Resources: It is next in line and waits until enough nodes, processors or memory are free.";
  const status = { state: "queued", why, whySince: at(10 * MINUTES), expectedStart: at(100 * 86_400) };
  putJob(root, "pending", "queued", [{ submitted: MINUTES, engineVersion: "0.1.0", plan: ASKED, status }]);
  const own = { engineVersion: "2.3", engineFrom: "/opt/mine.mjs" };
  putJob(root, "pending", "stuck", [
    { submitted: 1, ...own, status: { state: "queued", why: "JobHeldUser", stuck: true } },
  ]);
  putJob(root, "pending", "running", [
    { submitted: MINUTES, started: 4 * MINUTES, plan: { ...ASKED, limitS: 10_000_000 }, cancel: "wrong input" },
  ]);
  const array = { tasks: [1, 2, 3], outputs: ["slurm-%j_%t.out"], jobName: "other" };
  putJob(root, "pending", "array", [{ submitted: MINUTES, plan: array }]);
  const records = join(root.path, "pending/array/.jobmgr", `attempt-${tokenOf(1)}`);
  for (const task of [1, 2])
    writeFileSync(join(records, `started.${task}`), `jobmgr-started 1 ${tokenOf(1)} node7 b 7 8 4711@c 0 end\n`);
  writeFileSync(join(records, "exit.1"), `jobmgr-exit 1 ${tokenOf(1)} 0 node7 end\n`);
  putJob(root, "pending", "collected", [{ submitted: 1, started: 2, ended: 3, exit: 0 }]);
}

function putFinished(root: TestRoot): void {
  const [submitted, started, ended] = [MINUTES, 4 * MINUTES, 124 * MINUTES];
  const times = { submitted, started, ended };
  const killed = {
    is: "failed",
    exitCode: 137,
    signal: "KILL",
    why: "Exit code 137 (the KILL signal; most likely the machine ran out of memory, or somebody used kill -9).",
  };
  putJob(root, "complete", "good", [{ ...times, outcome: { is: "succeeded", why: "Exit code 0.", exitCode: 0 } }]);
  putJob(root, "complete", "killed", [{ ...times, plan: ASKED, outcome: killed }]);
  const tasks = { 1: 0, 2: 3, 3: null };
  putJob(root, "complete", "array", [{ ...times, plan: { tasks: [1, 2, 3] }, outcome: { ...FAILED, tasks } }]);
  const cancelled = { is: "cancelled", why: "It was cancelled: wrong input" };
  putJob(root, "complete", "cancelled", [{ ...times, cancel: "wrong input", outcome: cancelled }]);
  putJob(root, "complete", "refused", [{ outcome: { is: "refused", why: "There is no partition gpu." } }]);
  const remedy = "The archive is in this folder. Put a better one into inbox/; this folder can be deleted.";
  const damaged = { is: "refused", why: "archive.tar.gz is refused, and nothing of it was unpacked.", remedy };
  putJob(root, "complete", "archive", [{ outcome: damaged }]);
  const rule = 'job_retry.txt, line 1: "memry 2" is not understood. Did you mean memory?';
  putJob(root, "complete", "rule", [{ outcome: { is: "refused", why: rule } }]);
  const after = { name: "killed", is: "failed", why: "Exit code 137." };
  const dependent = { is: "refused", why: 'It was to run after "killed", which failed: Exit code 137.', after };
  putJob(root, "complete", "dependent", [{ outcome: dependent }]);
  const lost = { is: "lost", why: "It started, but is gone without a record of how it ended." };
  putJob(root, "complete", "lost", [{ submitted, started, outcome: lost }]);
  const again = [
    { ...times, past: true, outcome: FAILED, retry: { number: 2, of: 3, raised: ["--mem=8G instead of 4G"] } },
    { submitted: 130 * MINUTES, started: 131 * MINUTES, ended: 132 * MINUTES, outcome: FAILED },
  ] as const;
  putJob(root, "complete", "again", again);
  putJob(root, "complete", "by-hand");
}

const explained = (...names: readonly string[]) => names.map((name) => ["explain", name]);

it.each<Where>(["terminal", "pipes"])("what waits, on %s", async (where) => {
  const root = await makeRoot("/tmp");
  putWaiting(root);
  const env = { JOBMGR_READY_FILE: "ready", TZ: "UTC" };
  const alone = await transcript(
    root,
    where,
    explained(
      "100-held",
      "200-after",
      "205-round",
      "207-behind",
      "210-misspelt",
      "215-cancelled",
      "220-again",
      "250-empty",
      "400-last",
    ),
    env,
  );
  const queue = { jobsMax: 40, pendingMax: 20, taken: 40, waiting: 20 };
  putManager(root, { queue, reasons: {} }, true);
  writeFileSync(join(root.path, "pause"), "");
  const managed = await transcript(root, where, explained("205-round", "300-next", "400-last"), env);
  await expect(calm([alone, managed].join("\n"))).toMatchFileSnapshot(`golden/explain-waiting-${where}.txt`);
});

it("what is pending", async () => {
  const root = await makeRoot("/tmp");
  putPending(root);
  const doubt = "submitting waits: whether it was submitted is not known; it is looked for in Slurm's queue.";
  // That it is stuck is told once, with what the engine says.
  putManager(root, { problems: { "doubt submitting": doubt, "news stuck": "stuck: JobHeldUser" } }, true);
  const calls = explained("submitting", "queued", "stuck", "running", "array", "collected");
  const text = await transcript(root, "pipes", calls, { TZ: "UTC" });
  await expect(calm(text)).toMatchFileSnapshot("golden/explain-pending.txt");
});

it("what ended and was put back into the queue is no more said to have ended, until it is started again", async () => {
  const root = await makeRoot("/tmp");
  const times = { submitted: 1, started: 2, ended: 3, exit: 143 };
  const status = (whySince: string) => ({ state: "queued", why: "BeginTime: It waits for its time.", whySince });
  putJob(root, "pending", "again", [{ ...times, status: status(at(4)) }]);
  putJob(root, "pending", "killed", [{ submitted: 1, started: 2, status: status(at(4)) }]);
  putJob(root, "pending", "since", [{ ...times, status: status(at(1)) }]);
  const args = (...more: readonly string[]) => ["--root", root.path, ...more, "--json"];
  const { jobs } = JSON.parse((await jobmgr(args("status"))).stdout);
  expect(jobs).toMatchObject([
    { name: "since", state: "ended" },
    { name: "again", state: "queued", why: "BeginTime: It waits for its time.", since: at(4) },
    { name: "killed", state: "queued" },
  ]);
  const { state, sentences, attempts } = JSON.parse((await jobmgr(args("explain", "again"))).stdout);
  expect([state, attempts[0].state]).toEqual(["queued", "queued"]);
  expect(sentences.slice(0, 3)).toEqual([
    expect.stringMatching(/is job 4711 of SlurmEngine, where it waits\.$/),
    expect.stringMatching(/^It was started at .*, stopped with exit code 143, and put back into the queue/),
    expect.stringMatching(/^SlurmEngine says since .*: BeginTime: It waits for its time\.$/),
  ]);
});

it("what has ended", async () => {
  const root = await makeRoot("/tmp");
  putFinished(root);
  putJob(root, "inbox", "good");
  const names = [
    "killed",
    "array",
    "cancelled",
    "refused",
    "archive",
    "rule",
    "dependent",
    "lost",
    "again",
    "by-hand",
    "complete/good",
  ];
  const text = await transcript(root, "pipes", [...explained(...names, "godo"), ["explain", "again", "--json"]], {
    TZ: "UTC",
  });
  await expect(calm(text)).toMatchFileSnapshot("golden/explain-finished.txt");
});

it("a folder full of hostile things is explained all the same, and nothing leads out of it", async () => {
  const root = await makeRoot("/tmp");
  const sequence = "\u001b]0;owned\u0007";
  const folder = putJob(root, "complete", "hostile", [
    { submitted: 1, outcome: { ...FAILED, why: `bad ${sequence}` } },
  ]);
  const records = join(folder, ".jobmgr", `attempt-${tokenOf(1)}`);
  rmSync(join(records, "handle"));
  symlinkSync("/etc/passwd", join(records, "handle"));
  mkdirSync(join(records, "started"));
  symlinkSync("/etc", join(folder, ".jobmgr", `past-${tokenOf(2)}`));
  rmSync(join(folder, "job_status.json"));
  symlinkSync("/etc/passwd", join(folder, "job_status.json"));
  const { code, stdout } = await jobmgr(["--root", root.path, "explain", "hostile"]);
  expect(code).toBe(0);
  expect(stdout).not.toContain("root:");
  expect(stdout).not.toContain("\u001b");
  expect(stdout).toContain("bad \\x1b]0;owned\\x07");
  expect(stdout).toMatch(/handle/);
});

/** As somebody does it who copies a command that is shown. */
async function paste(root: TestRoot, command: string) {
  const program = `jobmgr() { '${process.execPath}' '${PROGRAM}' "$@"; }`;
  return runToEnd("bash", ["-c", `${program}\n${command}`], { env: { JOBMGR_ROOT: root.path } });
}

it.each([
  ["that begins with a dash", "-dash", "hold"],
  ["with a newline in it", "it's\nnew\\", "hold"],
  ["of a home folder", "~root", "hold"],
  ["of a file that is no job", "file.txt", "remove"],
])("what one can do can be pasted for a name %s", async (_, name, verb) => {
  const root = await makeRoot("/tmp");
  const path = join(root.path, "inbox", name);
  if (verb === "hold") putJob(root, "inbox", name);
  else writeFileSync(path, "");
  const { stdout } = await jobmgr(["explain", "--", name], { env: { JOBMGR_ROOT: root.path } });
  const command = /^What one can do:\n {2}(jobmgr .*?) {2}/m.exec(stdout)?.[1] ?? "";
  expect(command).toMatch(new RegExp(`^jobmgr ${verb} `));
  // There is no terminal to be asked on.
  const pasted = await paste(root, verb === "remove" ? `${command} --yes` : command);
  expect(pasted).toMatchObject({ code: 0, stderr: "" });
  expect(existsSync(verb === "hold" ? join(path, "job_hold") : path)).toBe(verb === "hold");
});
