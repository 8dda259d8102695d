/** Jobs that are run again by rule, with the real program: how often, when, with what, and what a person sees of it. */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { jobmgr, makeFolder, makeRoot, type TestRoot, waitUntil } from "../harness.ts";
import { makeJobRoot } from "./surroundings.ts";

/** Succeeds when it runs for the n-th time. */
const untilRun = (times: number) => `echo run >> runs; [ $(wc -l < runs) -ge ${times} ] || exit 7`;

/** A job that writes into the ledger, with rules of its own. */
function drop(root: TestRoot, name: string, script: string, retry?: string): void {
  const rules = retry === undefined ? {} : { "job_retry.txt": retry };
  const [directives, commands] = script.startsWith("#") ? script.split("\n\n", 2) : ["", script];
  root.drop(name, { "job.sh": `${directives}\necho '${name}' >> '${root.ledger}'\n${commands}\n`, ...rules });
}

/** What each attempt of a job left of itself, the earlier ones first. */
function attempts(root: TestRoot, name: string): { past: string[]; last: string } {
  const own = join(root.path, "complete", name, ".jobmgr");
  const turns = readdirSync(own)
    .filter((entry) => entry.startsWith("turn-"))
    .sort();
  const past = turns.map((turn) => readlinkSync(join(own, turn)).replace("attempt-", "past-"));
  const [last = ""] = readdirSync(own).filter((entry) => entry.startsWith("attempt-"));
  return {
    past: past.map((entry) => join(own, entry)).filter((folder) => existsSync(folder)),
    last: join(own, last),
  };
}

/** Waits until the manager says this of why a folder waits. */
const says = (root: TestRoot, name: string, text: string) =>
  waitUntil(`${name}: ${text}`, () => {
    const { reasons } = JSON.parse(root.exists(WORD) ? root.read(WORD) : "{}") as { reasons?: Record<string, string> };
    return reasons?.[name]?.includes(text) === true;
  });
const WORD = ".jobmgr/manager.json";

const statusIn = (folder: string) => JSON.parse(readFileSync(join(folder, "job_status.json"), "utf8"));

describe("a job that is run again by rule", () => {
  it("fails twice, succeeds the third time, and keeps what each attempt left", async () => {
    const root = await makeRoot();
    // What a job leaves does not look to us as an upload under way.
    drop(root, "a", `touch data.part; echo out; ${untilRun(3)}`, "times 5\r\non 7\r\npause 0.2\r\n");
    const manager = root.manage(["--settle", "1"]);
    await root.completed("a");
    expect(root.runs()).toEqual(["a", "a", "a"]);
    expect(root.status("a")).toMatchObject({ state: "succeeded", attempt: 3, exitCode: 0 });
    expect(root.exists("complete/a/job_error.txt")).toBe(false);
    expect(root.read("complete/a/job_output.txt")).toBe("out\n");
    const { past } = attempts(root, "a");
    expect(past).toHaveLength(2);
    for (const [i, folder] of past.entries()) {
      expect(statusIn(folder)).toMatchObject({
        state: "failed",
        exitCode: 7,
        why: "Exit code 7.",
        next: { attempt: i + 2, of: 6 },
      });
      expect(readFileSync(join(folder, "job_output.txt"), "utf8")).toBe("out\n");
      expect(existsSync(join(folder, "job_error.txt"))).toBe(false);
      expect(existsSync(join(folder, "outcome"))).toBe(true);
    }
    expect(manager.stderr()).toContain("retrying a: failed. Exit code 7. Again in 0.2 s (2nd of 6 attempts).\n");
    expect(manager.stderr()).toContain("retrying a: failed. Exit code 7. Again in 0.4 s (3rd of 6 attempts).\n");
    expect(manager.stdout().match(/finished a: succeeded/g)).toHaveLength(1);
  });

  it("is given up after so many times, and job_error.txt tells of all of them", async () => {
    const root = await makeRoot();
    drop(root, "a", "exit 7", "times 2\non failed\npause 0\n");
    drop(root, "b", "exit 8", "times 9\non 7\npause 0\n");
    drop(root, "c", "exit 7");
    root.manage(["--finished-file", "done"]);
    await root.completed("a", "b", "c");
    expect(root.runs().sort()).toEqual(["a", "a", "a", "b", "c"]);
    expect(root.status("a")).toMatchObject({ state: "failed", attempt: 3 });
    expect(root.read("complete/a/job_error.txt")).toContain(
      "This was its 3rd attempt. Before:\n  1st: failed. Exit code 7.\n  2nd: failed. Exit code 7.\n",
    );
    expect(root.read("complete/c/job_error.txt")).not.toContain("attempt. Before");
    // It follows the rename into complete/.
    await waitUntil("the finished file is there", () => root.exists("complete/a/done"));
    for (const folder of attempts(root, "a").past) expect(readdirSync(folder)).not.toContain("done");
  });

  it("is not given more time than the most that it may have", async () => {
    const root = await makeRoot();
    root.drop("a", {
      "job.sh": `#!/bin/bash\n#SBATCH --time=0:01\necho a >> '${root.ledger}'\nsleep 60\n`,
      "job_retry.txt": "times 9\ntime 1.5\npause 0\n",
    });
    root.manage(["--retry-raise-max", "1"]);
    await root.completed("a");
    expect(root.runs()).toEqual(["a"]);
    const text = root.read("complete/a/job_error.txt").replaceAll("\n", " ");
    expect(text).toContain("It is not run again with more time: it had the most that it may have, 1 times what");
  });

  it("by the configuration too, which the job's own lines outweigh", async () => {
    const root = await makeRoot();
    writeFileSync(join(root.path, "jobmgr.toml"), 'retry-times = 1\nretry-on = ["timeout", 7]\nretry-pause = 0\n');
    drop(root, "a", "exit 7");
    drop(root, "b", "exit 8");
    drop(root, "c", "exit 7", "times 0\n");
    drop(root, "d", "exit 7", "times 2\n");
    drop(root, "e", "exit 8", "on 8\n");
    root.manage(["-M", "5"]);
    await root.completed("a", "b", "c", "d", "e");
    expect(root.runs().sort()).toEqual("a a b c d d d e e".split(" "));
    const wrong = await jobmgr(["--root", root.path, "--once", "--retry-on", "tiemout"]);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining("Did you mean timeout?") });
  });

  it("a job_retry.txt that cannot be understood refuses the job before anything runs", async () => {
    const root = await makeRoot();
    drop(root, "a", "exit 7", "times 3\non NOD_FAIL\n");
    root.drop("b", { "job.sh": `echo b >> '${root.ledger}'\n`, "job_retry.txt/x": "" });
    root.manage();
    await root.completed("a", "b");
    expect(root.runs()).toEqual([]);
    expect(root.status("a").state).toBe("refused");
    expect(root.read("complete/a/job_error.txt")).toMatch(
      /job_retry\.txt, line 2: "NOD_FAIL" is no end of a job\. Did you/,
    );
    expect(root.read("complete/b/job_error.txt")).toContain("job_retry.txt is not a regular file");
  });

  it("a job may say itself, while it runs, that it need not be run again; what it garbles is told", async () => {
    const root = await makeRoot();
    drop(root, "a", "echo times 0 > job_retry.txt; exit 7", "times 9\non 7\npause 0\n");
    drop(root, "b", "echo never > job_retry.txt; exit 7", "times 9\non 7\npause 0\n");
    drop(root, "c", "rm job.sh; exit 7", "times 9\non 7\npause 0\n");
    root.manage(["-M", "3"]);
    await root.completed("a", "b", "c");
    expect(root.runs().sort()).toEqual(["a", "b", "c"]);
    expect(root.read("complete/b/job_error.txt")).toContain(
      'It is not run again: job_retry.txt, line 1: "never" is not',
    );
    expect(root.read("complete/c/job_error.txt")).toContain("It is not run again: job.sh is not there any more.");
  });

  it("is given more time after it reached its limit", async () => {
    const root = await makeRoot();
    drop(root, "a", "#SBATCH --time=0:01\n\nsleep 1.4", "times 3\ntime 2\npause 0\n");
    drop(root, "b", "exit 7", "times 3\ntime 2\nmemory 2\npause 0\n");
    const manager = root.manage(["-M", "2"]);
    await root.completed("a", "b");
    expect(root.runs().sort()).toEqual(["a", "a", "b"]);
    expect(root.status("a")).toMatchObject({
      state: "succeeded",
      attempt: 2,
      raised: ["--time=0:00:02 instead of 0:01"],
    });
    expect(manager.stderr()).toContain("Again at once (2nd of 4 attempts), with --time=0:00:02 instead of 0:01.\n");
    expect(root.read("complete/a/job.sh")).toContain("#SBATCH --time=0:01\n");
  });

  it("counts as one failed job at most, for the brakes", async () => {
    const root = await makeRoot();
    drop(root, "a", untilRun(4), "times 3\non 7\npause 0\n");
    drop(root, "b", "exit 7", "times 3\non 7\npause 0\n");
    root.drop("c", "exit 0\n");
    const manager = root.manage(["-x", "2", "--error-share", "0.6", "--error-least", "3", "-M", "3"]);
    await root.completed("a", "b", "c");
    root.drop("d", "exit 1\n");
    expect(await manager.ended).toBe(1);
    expect(manager.stdout()).toContain("Stopped: 2 jobs have failed (--max-errors).");
    expect(manager.stderr()).not.toContain("nothing is taken in");
  });
});

describe("while a job waits in the inbox for its next attempt", () => {
  /** A job that has failed once, and is to be run again in an hour. */
  async function waiting(root: TestRoot, name = "a", args: readonly string[] = []) {
    drop(root, name, untilRun(2), "times 3\non 7\npause 1h\n");
    const manager = root.manage(args);
    await waitUntil(`${name} waits`, () => root.exists(`inbox/${name}/job_status.json`));
    return manager;
  }

  it("status says until when and for what, by each manager, and it is not run before", async () => {
    const root = await makeRoot();
    const manager = await waiting(root);
    const why =
      /it waits until \d\d:\d\d:\d\d (UTC|[+-]\d\d:\d\d) for its 2nd attempt \(the last one: failed\. Exit code 7\)/;
    const row = async () => JSON.parse((await jobmgr(["--root", root.path, "status", "--json"])).stdout).jobs[0];
    await says(root, "a", "for its 2nd attempt");
    expect(await row()).toMatchObject({ name: "a", place: "inbox", why: expect.stringMatching(why) });
    expect(await manager.stop()).toBe(130);
    await jobmgr(["--root", root.path, "-e", "LocalEngine", "--settle", "0", "--once"]);
    expect(await row()).toMatchObject({ name: "a", place: "inbox", why: expect.stringMatching(why) });
    expect(root.runs()).toEqual(["a"]);
  });

  it("job_cancel ends it at once, and job_hold holds it", async () => {
    const root = await makeRoot();
    await waiting(root);
    writeFileSync(join(root.path, "inbox", "a", "job_cancel"), "not worth it\n");
    await root.completed("a");
    expect(root.status("a")).toMatchObject({ state: "cancelled", why: expect.stringContaining("not worth it") });
    expect(root.runs()).toEqual(["a"]);

    drop(root, "b", "touch job_hold; exit 7", "times 3\non 7\npause 0\n");
    await waitUntil("b waits", () => root.exists("inbox/b/job_status.json"));
    await says(root, "b", "it is held");
    expect(root.runs()).toEqual(["a", "b"]);
  });

  it("a cancellation while it runs is the end of it", async () => {
    const root = await makeJobRoot();
    root.drop("a", {
      "job.sh": `echo a >> '${root.ledger}'\nexec sleep 1000\n`,
      "job_retry.txt": "on failed 143\npause 0\n",
    });
    root.manage(["--grace", "1"]);
    await waitUntil("it runs", () => root.runs().length === 1);
    writeFileSync(join(root.path, "pending", "a", "job_cancel"), "");
    await root.completed("a");
    expect(root.status("a")).toMatchObject({ state: "cancelled" });
    expect(root.runs()).toEqual(["a"]);
  });

  it("its name may be taken meanwhile: it comes back under another, and the count goes on", async () => {
    const root = await makeJobRoot();
    const gate = `${root.ledger}.gate`;
    root.drop("a", {
      "job.sh": `echo a >> '${root.ledger}'\nwhile [ ! -e '${gate}' ]; do sleep 0.05; done\nexit 7\n`,
      "job_retry.txt": "times 1\non 7\npause 0\n",
    });
    const manager = root.manage();
    await waitUntil("it runs", () => root.runs().length === 1);
    root.drop("a", { "job.sh": "exit 0\n", job_hold: "" });
    writeFileSync(gate, "");
    await root.completed("a~2");
    expect(root.names("inbox")).toEqual(["a"]);
    expect(root.status("a~2")).toMatchObject({ state: "failed", attempt: 2 });
    expect(root.runs()).toEqual(["a", "a"]);
    expect(manager.stderr()).toContain("(2nd of 2 attempts). It is inbox/a~2.\n");
  });

  it("the jobs that it was to run after are not missed, once they were met", async () => {
    const root = await makeRoot();
    root.drop("before", "exit 0\n");
    root.drop("a", {
      "job.sh": `echo a >> '${root.ledger}'\nrm -rf ../../complete/before\n${untilRun(2)}\n`,
      "job_retry.txt": "times 1\non 7\npause 0\n",
      "job_after.txt": "before\n",
    });
    root.drop("b", { "job.sh": "exit 0\n", "job_after.txt": "a\n" });
    root.manage();
    await root.completed("a", "b");
    expect(root.runs()).toEqual(["a", "a"]);
    expect(root.status("a")).toMatchObject({ state: "succeeded", attempt: 2 });
    expect(root.status("b")).toMatchObject({ state: "succeeded" });
  });

  it("what a person changes in it then must come to rest first", async () => {
    const root = await makeRoot();
    drop(root, "a", `touch job_hold mine.part; ${untilRun(2)}`, "times 3\non 7\npause 0\n");
    root.manage(["--settle", "1"]);
    await says(root, "a", "it is held");
    const job = join(root.path, "inbox", "a");
    writeFileSync(join(job, "data.bin.part"), "half");
    rmSync(join(job, "job_hold"));
    await says(root, "a", "data.bin.part looks like an unfinished upload");
    expect(root.runs()).toEqual(["a"]);
    renameSync(join(job, "data.bin.part"), join(job, "data.bin"));
    await root.completed("a");
    expect(root.runs()).toEqual(["a", "a"]);
  });
});

it("archives and lone scripts are run again too, and the archive is given back once, in the end", async () => {
  const root = await makeRoot();
  const made = makeFolder();
  const rules = ["--retry-times", "2", "--retry-on", "7", "--retry-pause", "0"];
  writeFileSync(join(made, "job.sh"), `echo archived >> '${root.ledger}'\n${untilRun(2)}\n`);
  execFileSync("tar", ["-czf", join(root.path, "inbox", ".x"), "-C", made, "job.sh"]);
  renameSync(join(root.path, "inbox", ".x"), join(root.path, "inbox", "x.tar.gz"));
  writeFileSync(join(root.path, "inbox", "lone.sh"), `echo lone >> '${root.ledger}'\n${untilRun(2)}\n`);
  root.manage(rules);
  await root.completed("x.tar.gz", "lone");
  expect(root.runs().sort()).toEqual(["archived", "archived", "lone", "lone"]);
  expect(root.names("complete").filter((name) => name.endsWith(".gz"))).toEqual(["x.tar.gz"]);
  expect(root.status("lone")).toMatchObject({ state: "succeeded", attempt: 2 });
});

it("a copy of a folder that was run again is an upload like any other: it must come to rest", async () => {
  const root = await makeRoot();
  drop(root, "a", untilRun(2), "times 3\non 7\npause 0\n");
  const first = root.manage();
  await root.completed("a");
  await first.stop();
  // A copy half way: the last attempt is not there yet.
  const copy = join(root.path, "inbox", "b");
  cpSync(join(root.path, "complete", "a"), copy, { recursive: true, verbatimSymlinks: true });
  rmSync(join(copy, ".jobmgr", basename(attempts(root, "a").last)), { recursive: true });
  await jobmgr(["--root", root.path, "-e", "LocalEngine", "--settle", "1000", "--once"]);
  expect(root.names("inbox")).toEqual(["b"]);
  expect((await jobmgr(["--root", root.path, "status"])).stdout).toContain("it is taken after 1000 s of rest");
  // Nobody has looked since it came to rest.
  const word = JSON.parse(root.read(".jobmgr/manager.json"));
  writeFileSync(join(root.path, ".jobmgr/manager.json"), JSON.stringify({ ...word, at: "2026-01-01T00:00:00.000Z" }));
  expect((await jobmgr(["--root", root.path, "status"])).stdout).not.toContain("of rest");
  root.manage();
  await root.completed("b");
  expect(root.status("b")).toMatchObject({ state: "succeeded" });
});

describe("the count of attempts", () => {
  it("goes on after kill -9 at any time, and begins anew when a person moves the finished folder back", async () => {
    const root = await makeRoot();
    drop(root, "a", "sleep 0.2; exit 7", "times 4\non 7\npause 0.1\n");
    for (let kills = 0; kills < 4; kills++) {
      const manager = root.manage();
      await waitUntil(`run ${kills + 1}`, () => root.runs().length > kills || root.exists("complete/a"));
      manager.signal("SIGKILL");
      await manager.ended;
    }
    root.manage();
    await root.completed("a");
    expect(root.runs()).toHaveLength(5);
    expect(root.status("a")).toMatchObject({ state: "failed", attempt: 5 });
    mkdirSync(join(root.path, "stage"));
    renameSync(join(root.path, "complete", "a"), join(root.path, "stage", "a"));
    writeFileSync(join(root.path, "stage", "a", "job_retry.txt"), "times 1\non 7\npause 0\n");
    renameSync(join(root.path, "stage", "a"), join(root.path, "inbox", "a"));
    await root.completed("a");
    expect(root.runs()).toHaveLength(7);
    expect(root.status("a")).toMatchObject({ state: "failed", attempt: 2 });
    expect(root.read("complete/a/job_error.txt")).toContain("This was its 2nd attempt. Before:\n  1st: failed.");
  });

  it("with --once each pass goes one step, and keeps the pauses", async () => {
    const root = await makeRoot();
    drop(root, "a", untilRun(3), "times 3\non 7\npause 0.5\n");
    for (let passes = 0; root.names("complete").length === 0; passes++) {
      expect(passes).toBeLessThan(100);
      expect((await jobmgr(["--root", root.path, "-e", "LocalEngine", "--settle", "0", "--once"])).code).toBe(0);
    }
    expect(root.runs()).toEqual(["a", "a", "a"]);
    expect(root.status("a")).toMatchObject({ state: "succeeded", attempt: 3 });
  });
});
