/** The life of a folder with the real program: names that are taken, holding, cancelling, pausing, limits of all kinds. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isSuperuser, jobmgr, makeFolder, makeRoot, type TestRoot, waitUntil } from "../harness.ts";
import { putProgram } from "../own-programs.ts";

const NOBODY = 65534;

/** The names in a folder of a job's records, all attempts together. */
function recordsOf(root: TestRoot, place: string, kind: "attempt" | "past"): string[] {
  const own = join(root.path, place, ".jobmgr");
  return readdirSync(own)
    .filter((name) => name.startsWith(`${kind}-`))
    .map((name) => join(own, name));
}

/** Waits until a job has put a file of this name into its folder. */
const running = (root: TestRoot, name: string, file = "ready") =>
  waitUntil(`${name} runs`, () => root.exists(`pending/${name}/${file}`));

/** A job that goes on until a file named `go` is in its folder. */
const UNTIL_GO = "touch ready; while [ ! -e go ]; do sleep 0.02; done";

const go = (root: TestRoot, name: string) => writeFileSync(join(root.path, "pending", name, "go"), "");

describe("names that are taken", () => {
  it("the same name dropped three times is NAME, NAME~2 and NAME~3, nothing nested or overwritten", async () => {
    const root = await makeRoot();
    root.manage();
    for (const [i, target] of ["job", "job~2", "job~3"].entries()) {
      root.drop("job", { "job.sh": `echo ${i}\n`, input: String(i) });
      await root.completed(target);
    }
    expect(root.names("complete")).toEqual(["job", "job~2", "job~3"]);
    for (const [i, target] of root.names("complete").entries()) {
      expect(root.read(`complete/${target}/job_output.txt`)).toBe(`${i}\n`);
      expect(root.read(`complete/${target}/input`)).toBe(String(i));
      expect(readdirSync(join(root.path, "complete", target)).sort()).toEqual(
        [".jobmgr", "input", "job.sh", "job_output.txt", "job_status.json"].sort(),
      );
      expect(root.status(target).name).toBe(target);
    }
  });

  it("the same name dropped while its namesake runs becomes NAME~2 in pending, and both end", async () => {
    const root = await makeRoot();
    root.manage(["-M", "2"]);
    root.dropLedger("job", UNTIL_GO);
    await running(root, "job");
    root.dropLedger("job", UNTIL_GO);
    await running(root, "job~2");
    for (const name of ["job~2", "job"]) go(root, name);
    await root.completed("job", "job~2");
    expect(root.runs()).toEqual(["job", "job"]);
  });

  it("an empty folder of that name in complete is not replaced", async () => {
    const root = await makeRoot();
    mkdirSync(join(root.path, "complete/job"));
    root.manage();
    root.dropLedger("job");
    await root.completed("job~2");
    expect(readdirSync(join(root.path, "complete/job"))).toEqual([]);
  });
});

describe("a folder that comes back", () => {
  it("runs again, and what its earlier attempts left can be read", async () => {
    const root = await makeRoot();
    root.manage();
    root.drop("job", 'echo "try $(cat tries 2>/dev/null)"; echo x >> tries; [ $(wc -l < tries) -ge 3 ]\n');
    for (const ends of ["failed", "failed", "succeeded"]) {
      await root.completed("job");
      expect(root.status("job").state).toBe(ends);
      expect(root.exists("complete/job/job_error.txt")).toBe(ends === "failed");
      if (ends === "failed") renameSync(join(root.path, "complete/job"), join(root.path, "inbox/job"));
      if (ends === "failed") await waitUntil("it was taken", () => !root.exists("inbox/job"));
    }
    const past = recordsOf(root, "complete/job", "past");
    expect(past).toHaveLength(2);
    expect(recordsOf(root, "complete/job", "attempt")).toHaveLength(1);
    for (const records of past) {
      expect(readFileSync(join(records, "job_error.txt"), "utf8")).toMatch(/^job: failed\. Exit code 1/);
      expect(readFileSync(join(records, "job_output.txt"), "utf8")).toMatch(/^try/);
      expect(JSON.parse(readFileSync(join(records, "job_status.json"), "utf8")).state).toBe("failed");
    }
  });

  it("a copy of a running job, with its records, runs as a job of its own", async () => {
    const root = await makeRoot();
    root.manage(["-M", "4"]);
    root.dropLedger("job", UNTIL_GO);
    await running(root, "job");
    // While a record is put into its place, a copy may meet a name that goes away.
    const isTold = () =>
      root.exists("pending/job/job_status.json") && root.status("job", "pending").state === "running";
    await waitUntil("all is written that is to be", isTold);
    const staging = join(root.path, "..", "copy");
    cpSync(join(root.path, "pending/job"), staging, { recursive: true, verbatimSymlinks: true });
    writeFileSync(join(staging, "go"), "");
    renameSync(staging, join(root.path, "inbox/copy"));
    await root.completed("copy");
    expect(root.exists("pending/job")).toBe(true);
    go(root, "job");
    await root.completed("job");
    expect(root.runs()).toEqual(["job", "job"]);
    for (const name of ["job", "copy"]) {
      const status = root.status(name);
      expect(status).toMatchObject({ state: "succeeded", exitCode: 0, id: String(status.token).slice(-12) });
    }
    expect(root.status("job").token).not.toBe(root.status("copy").token);
  });
});

describe("a job of another engine", () => {
  it("goes on with its own, which is loaded for it; new jobs go to today's", async () => {
    const root = await makeRoot();
    root.dropLedger("a", UNTIL_GO);
    const local = root.manage();
    await running(root, "a");
    await local.stop();

    const programs = makeFolder();
    for (const name of ["sbatch", "squeue", "sacct"])
      putProgram(join(programs, name), `echo ${name} >>'${programs}/calls'\nexit 1\n`);
    root.manage(["-e", "SlurmEngine"], { env: { PATH: `${programs}:${process.env.PATH}` } });
    root.dropLedger("b");
    await waitUntil("Slurm is asked to take b", () => existsSync(join(programs, "calls")));
    writeFileSync(join(root.path, "pending", "a", "go"), "");
    await root.completed("a");
    expect(root.runs()).toEqual(["a"]);
    expect(root.status("a")).toMatchObject({ state: "succeeded", engine: "LocalEngine" });
  });

  it("that cannot be used here is told of once, and stays as it is; all others go on", async () => {
    const root = await makeRoot();
    for (const name of ["a", "b"]) root.dropLedger(name, UNTIL_GO);
    const local = root.manage(["-M", "2"]);
    await Promise.all(["a", "b"].map((name) => running(root, name)));
    await local.stop();
    const changed = ["a", "b"].map((name) => {
      const [records = ""] = recordsOf(root, `pending/${name}`, "attempt");
      const intent = readFileSync(join(records, "intent"), "utf8");
      writeFileSync(join(records, "intent"), intent.replace('"engine": "LocalEngine"', '"engine": "FlyingEngine"'));
      return () => writeFileSync(join(records, "intent"), intent);
    });

    const other = root.manage();
    root.dropLedger("c");
    await root.completed("c");
    await waitUntil("it is told", () => other.stderr().includes("FlyingEngine"));
    expect(other.stderr().match(/Jobs of FlyingEngine stay as they are/g)).toHaveLength(1);
    const { stdout: explained } = await jobmgr(["--root", root.path, "explain", "a"]);
    expect(explained.replaceAll(/\s+/g, " ")).toContain("Jobs of FlyingEngine stay as they are");
    const { stdout: status } = await jobmgr(["--root", root.path, "status"]);
    expect(status.replaceAll(/\s+/g, " ")).toContain("! Jobs of FlyingEngine stay as they are");
    await other.stop();
    expect(root.names("pending")).toEqual(["a", "b"]);

    for (const back of changed) back();
    root.manage();
    for (const name of ["a", "b"]) writeFileSync(join(root.path, "pending", name, "go"), "");
    await root.completed("a", "b");
    expect(root.runs().sort()).toEqual(["a", "b", "c"]);
  });
});

describe("files that are verbs", () => {
  it("job_hold keeps a folder in the inbox, with the reason shown, until it is deleted", async () => {
    const root = await makeRoot();
    root.drop("job", { "job.sh": "true\n", job_hold: "" });
    root.manage();
    root.dropLedger("other");
    await root.completed("other");
    expect(root.names("inbox")).toEqual(["job"]);
    const { stdout } = await jobmgr(["--root", root.path, "status", "--json"]);
    expect(JSON.parse(stdout).jobs).toContainEqual(expect.objectContaining({ name: "job", state: "held" }));
    rmSync(join(root.path, "inbox/job/job_hold"));
    await root.completed("job");
  });

  it("job_cancel ends a running job, and its text is the reason", async () => {
    const root = await makeRoot();
    root.manage();
    root.dropLedger("job", "touch ready; sleep 60");
    await running(root, "job");
    writeFileSync(join(root.path, "pending/job/job_cancel"), "wrong input\n");
    await root.completed("job");
    expect(root.status("job")).toMatchObject({ state: "cancelled", exitCode: 143, signal: "TERM" });
    expect(root.read("complete/job/job_error.txt")).toMatch(/^job: cancelled\. It was cancelled: wrong input\n/);
    expect(root.exists("complete/job/job_cancel")).toBe(false);
  });

  it("a job that ignores TERM is killed after the grace, with all that it started", async () => {
    const root = await makeRoot();
    root.manage(["--grace", "0.5"]);
    root.dropLedger(
      "job",
      "trap '' TERM; (trap '' TERM; sleep 60) & echo $! > child; touch ready; while :; do sleep 0.1; done",
    );
    await running(root, "job");
    const child = Number(root.read("pending/job/child"));
    writeFileSync(join(root.path, "pending/job/job_cancel"), "");
    await root.completed("job");
    expect(root.status("job").state).toBe("cancelled");
    await waitUntil("its child is gone", () => !existsSync(`/proc/${child}`));
  });

  it("an array is cancelled whole: what runs is ended, what waits never starts", async () => {
    const root = await makeRoot();
    root.manage(["-M", "2"]);
    root.drop("job", `#!/bin/bash\n#SBATCH --array=1-6\ntouch "ready.$SLURM_ARRAY_TASK_ID"; sleep 60\n`);
    for (const task of [1, 2]) await running(root, "job", `ready.${task}`);
    writeFileSync(join(root.path, "pending/job/job_cancel"), "enough");
    await root.completed("job");
    expect(root.status("job")).toMatchObject({ state: "cancelled", tasks: { 1: 143, 2: 143, 3: null, 6: null } });
    const files = readdirSync(join(root.path, "complete/job"));
    expect(files.filter((name) => name.startsWith("ready."))).toHaveLength(2);
  });

  it("a job that had finished when it was cancelled keeps its real result", async () => {
    const root = await makeRoot();
    const manager = root.manage();
    root.dropLedger("job", UNTIL_GO);
    await running(root, "job");
    manager.signal("SIGKILL");
    await manager.ended;
    go(root, "job");
    const exit = () => recordsOf(root, "pending/job", "attempt").some((records) => existsSync(join(records, "exit")));
    await waitUntil("it has ended", exit);
    writeFileSync(join(root.path, "pending/job/job_cancel"), "too late");
    root.manage();
    await root.completed("job");
    expect(root.status("job")).toMatchObject({ state: "succeeded", exitCode: 0 });
    expect(root.exists("complete/job/job_error.txt")).toBe(false);
  });

  it.each(["ROOT/pause", "--pause-file"])("%s stops the intake, and what runs goes on", async (which) => {
    const root = await makeRoot();
    const pause = which === "ROOT/pause" ? join(root.path, "pause") : join(root.path, "..", "stop");
    const manager = root.manage(which === "ROOT/pause" ? [] : ["--pause-file", pause]);
    root.dropLedger("a", UNTIL_GO);
    await running(root, "a");
    writeFileSync(pause, "");
    root.dropLedger("b");
    await waitUntil("it says so", () => manager.stdout().includes(`Paused by ${pause}`));
    go(root, "a");
    await root.completed("a");
    expect(root.names("inbox")).toEqual(["b"]);
    rmSync(pause);
    await root.completed("b");
    expect(manager.stdout()).toContain("taken in again");
  });
});

/** A job that notes in the ledger when it begins and ends, so that the jobs themselves tell how many ran at once. */
const counted = (ledger: string, weight = 1) =>
  `echo +${weight} >> '${ledger}'; sleep 0.2; echo -${weight} >> '${ledger}'\n`;

function mostAtOnce(root: TestRoot): number {
  let now = 0;
  return Math.max(
    ...root.runs().map((line) => {
      now += Number(line);
      return now;
    }),
  );
}

describe("how much at a time", () => {
  it("never more jobs run than there are places, and all places are used", async () => {
    const root = await makeRoot();
    const names = Array.from({ length: 9 }, (_, i) => `job${i}`);
    for (const name of names) root.drop(name, counted(root.ledger));
    root.manage(["-M", "3"]);
    await root.completed(...names);
    expect(root.runs()).toHaveLength(18);
    expect(mostAtOnce(root)).toBe(3);
  });

  it("a job takes as many places as it asks for processors, and one that asks for more than all gets all", async () => {
    const root = await makeRoot();
    const job = (cpus: number) =>
      `#!/bin/bash\n#SBATCH --cpus-per-task=${cpus}\n${counted(root.ledger, Math.min(cpus, 4))}`;
    const sizes = [1, 3, 2, 2, 99, 1, 1, 3];
    for (const [i, cpus] of sizes.entries()) root.drop(`job${i}`, job(cpus));
    root.manage(["-M", "4"]);
    await root.completed(...sizes.map((_, i) => `job${i}`));
    expect(root.runs()).toHaveLength(2 * sizes.length);
    expect(mostAtOnce(root)).toBe(4);
  });

  it("one that needs more places than are free says so, and those behind it say that they wait for it", async () => {
    const root = await makeRoot();
    root.drop("a", UNTIL_GO);
    const settle = ["--settle", "0.2"];
    root.manage(["-M", "2", ...settle]);
    await running(root, "a");
    root.drop("b", "#!/bin/bash\n#SBATCH --ntasks=2\n");
    root.drop("c", "true\n");
    await waitUntil("b is the next one", () => "next" in JSON.parse(root.read(".jobmgr/manager.json")).queue);
    const ask = async (...args: readonly string[]) =>
      JSON.parse((await jobmgr(["--root", root.path, ...args, "--json"])).stdout);
    const { jobs } = await ask("status", "b", "c");
    expect(jobs.map((job: { why?: string }) => job.why)).toEqual([
      "it asks for 2 places, and 1 of 2 is free",
      undefined,
    ]);
    const { sentences: ofB } = await ask("explain", ...settle, "b");
    expect(ofB).toEqual(["It is ready, and the next to be taken.", "It asks for 2 places, and 1 of 2 is free."]);
    const { sentences: ofC } = await ask("explain", ...settle, "c");
    expect(ofC).toEqual([
      "It is ready, and behind one other, which is taken first, by name: b.",
      "b asks for 2 places, and 1 of 2 is free.",
    ]);
    go(root, "a");
    await root.completed("a", "b", "c");
  });

  it("the tasks of an array share the places with other jobs", async () => {
    const root = await makeRoot();
    root.drop("a", `#!/bin/bash\n#SBATCH --array=1-6%2\n${counted(root.ledger)}`);
    root.drop("b", counted(root.ledger));
    root.manage(["-M", "3"]);
    await root.completed("a", "b");
    expect(root.runs()).toHaveLength(14);
    expect(mostAtOnce(root)).toBeLessThanOrEqual(3);
  });

  it("--delay lies between two submissions", async () => {
    const root = await makeRoot();
    for (const name of ["a", "b", "c"]) root.dropLedger(name);
    root.manage(["-M", "3", "-d", "0.4"]);
    await root.completed("a", "b", "c");
    const [a = 0, b = 0, c = 0] = ["a", "b", "c"].map((name) => Date.parse(String(root.status(name).submittedAt)));
    // The time of a submission is noted a moment before the delay begins; timers and clocks round by a millisecond.
    for (const gap of [b - a, c - b]) expect(gap).toBeGreaterThanOrEqual(398);
  });
});

describe("when jobs fail", () => {
  it("-x stops the manager after so many, with 1 and a sentence, and nothing of the rest is lost", async () => {
    const root = await makeRoot();
    const names = ["a", "b", "c", "d", "e", "f"];
    for (const name of names) root.dropLedger(name, "sleep 0.3; exit 1");
    const manager = root.manage(["-x", "2", "-M", "1"]);
    expect(await manager.ended).toBe(1);
    expect(manager.stdout()).toContain("jobs have failed (--max-errors)");
    // What was under way when the second one was weighed may still have begun.
    expect(root.runs().length).toBeLessThanOrEqual(3);
    expect(root.names("inbox").at(-1)).toBe("f");
    root.manage();
    await root.completed(...names);
    expect(root.runs()).toEqual(names);
  });

  it("--error-share pauses the intake for the cool-down, and it goes on by itself", async () => {
    const root = await makeRoot();
    const names = ["a", "b", "c", "d", "e", "f"];
    for (const name of names) root.drop(name, `date +%s%N >> '${root.ledger}'; sleep 0.3; exit 1\n`);
    const manager = root.manage(["--error-share", "0.5", "--error-least", "3", "--error-cooldown", "2", "-M", "1"]);
    await root.completed(...names);
    expect(manager.stderr()).toContain("3 of the latest 3 jobs failed: nothing is taken in for 2 s");
    const times = root.runs().map((line) => Number(line) / 1e6);
    const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    expect(Math.max(...gaps)).toBeGreaterThan(1000);
  });
});

describe("what is written beside the results", () => {
  it("--finished-file comes after the last move, also for one that failed, and anew at the second run", async () => {
    const root = await makeRoot();
    root.manage(["--finished-file", "done.flag"]);
    root.dropLedger("good", "[ ! -e done.flag ]");
    root.dropLedger("bad", "exit 1");
    for (const name of ["good", "bad"])
      await waitUntil(`${name} is marked`, () => root.exists(`complete/${name}/done.flag`));
    renameSync(join(root.path, "complete/good"), join(root.path, "inbox/good"));
    await waitUntil("good is taken", () => !root.exists("inbox/good"));
    await waitUntil("good is marked again", () => root.exists("complete/good/done.flag"));
    expect(root.status("good")).toMatchObject({ state: "succeeded" });
    expect(root.runs().sort()).toEqual(["bad", "good", "good"]);
  });

  it("-g opens a finished folder to the group, and nothing outside through a link", async () => {
    const root = await makeRoot();
    const outside = makeFolder();
    writeFileSync(join(outside, "secret"), "");
    for (const path of [outside, join(outside, "secret")]) chmodSync(path, 0o700);
    root.manage(["-g"], { env: {} });
    root.drop(
      "job",
      `umask 077; mkdir results; echo x > results/file; ln -s '${outside}' out; ln -s '${outside}/secret' sec; ln '${outside}/secret' hard\n`,
    );
    await root.completed("job");
    const mode = (path: string) => statSync(join(root.path, "complete/job", path)).mode & 0o7777;
    expect(mode("results/file")).toBe(0o660);
    expect(mode("results")).toBe(0o2770);
    expect(mode(".") & 0o2072).toBe(0o2070);
    for (const path of [outside, join(outside, "secret")]) expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(statSync(join(root.path, "inbox")).mode & 0o2072).toBe(0o2070);
  });
});

describe("whose code runs", () => {
  it.each(["", "inbox"])(
    "a root whose %j everybody may write to is refused, and --allow-shared accepts it",
    async (place) => {
      const root = await makeRoot();
      chmodSync(join(root.path, place), 0o777);
      const { code, stderr } = await jobmgr(["--root", root.path, "-e", "LocalEngine", "--once"]);
      expect(code).toBe(78);
      expect(stderr).toMatch(/Everybody may write to .*chmod o-w .*--allow-shared/);
      root.dropLedger("job");
      root.manage(["--allow-shared"]);
      await root.completed("job");
    },
  );

  it("a folder of another user waits with that reason, unless that user or everybody is allowed", async ({ skip }) => {
    if (!isSuperuser) skip("only root can give a folder away");
    for (const allowed of [["--allow-owner", "nobody"], ["--allow-owner", String(NOBODY)], ["--allow-shared"]]) {
      const root = await makeRoot();
      root.dropLedger("theirs");
      for (const path of ["inbox/theirs", "inbox/theirs/job.sh"]) chownSync(join(root.path, path), NOBODY, NOBODY);
      root.dropLedger("zz-mine");
      const strict = root.manage();
      await root.completed("zz-mine");
      expect(root.names("inbox")).toEqual(["theirs"]);
      const { stdout } = await jobmgr(["--root", root.path, "status", "--json"]);
      expect(stdout).toContain("it belongs to another user (uid 65534)");
      const cancel = join(root.path, "inbox/theirs/job_cancel");
      writeFileSync(cancel, "");
      for (const verb of ["status", "explain"])
        expect((await jobmgr(["--root", root.path, verb, "theirs", "--json"])).stdout).toMatch(
          /t is to be cancelled \(job_cancel\), but it belongs to another user/,
        );
      rmSync(cancel);
      await strict.stop();
      root.manage(allowed);
      await root.completed("theirs");
    }
  });
});

describe("names", () => {
  it("hostile ones go through whole, and each job works in its own folder", async () => {
    const root = await makeRoot();
    const names = [
      "with space",
      'quote\'s "here"',
      "-rf",
      "--help",
      "new\nline",
      "$(touch pwned)`id`;&|*?",
      "back\\slash",
      "%j%x%s",
      "\u{1f600} emoji",
      "é-nfc",
      "e\u0301-nfd",
      "~",
      "...x",
      "n".repeat(255),
      "ä".repeat(127),
      "\t tab ",
      "\x1b[31mred",
    ].filter((name) => !name.startsWith("."));
    for (const name of names)
      root.drop(name, { "job.sh": `pwd > here; cat input; echo x >> '${root.ledger}'\n`, input: name });
    const manager = root.manage(["-M", "4"]);
    await root.completed(...names);
    for (const name of names) {
      expect(root.read(`complete/${name}/here`)).toBe(`${root.path}/pending/${name}\n`);
      expect(root.read(`complete/${name}/job_output.txt`)).toBe(name);
    }
    expect(root.runs()).toHaveLength(names.length);
    expect(root.names("complete")).toHaveLength(names.length);
    expect(manager.stdout()).not.toContain("\x1b");
  });

  it("one that is not UTF-8 is reported once and left, and the others go on", async () => {
    const root = await makeRoot();
    const odd = Buffer.concat([Buffer.from(`${root.path}/inbox/caf`), Buffer.from([0xe9])]);
    root.drop("x", { "job.sh": "true\n" });
    renameSync(join(root.path, "inbox/x"), odd);
    const manager = root.manage();
    root.dropLedger("a");
    await root.completed("a");
    root.dropLedger("b");
    await root.completed("b");
    expect(existsSync(odd)).toBe(true);
    expect(manager.stderr().match(/has a name that is not UTF-8/g)).toHaveLength(1);
  });

  it("hidden folders are never taken, and are when they are renamed", async () => {
    const root = await makeRoot();
    root.dropLedger(".hidden");
    root.manage();
    root.dropLedger("a");
    await root.completed("a");
    expect(root.exists("inbox/.hidden")).toBe(true);
    renameSync(join(root.path, "inbox/.hidden"), join(root.path, "inbox/shown"));
    await root.completed("shown");
  });
});

describe("a script that cannot be run is refused with a sentence that says how to mend it", () => {
  const refused = async (make: (folder: string) => void, options: { uid?: number } = {}) => {
    const root = await makeRoot();
    root.drop("job", { "job.sh": `echo run >> '${root.ledger}'\n` });
    make(join(root.path, "inbox/job"));
    if (options.uid !== undefined) giveAway(join(root.path, ".."), options.uid);
    const manager = root.manage([], options);
    await root.completed("job");
    expect(root.status("job").state).toBe("refused");
    expect(root.runs()).toEqual([]);
    await manager.stop();
    return root.read("complete/job/job_error.txt").split("\n\n")[0]?.replaceAll("\n", " ") ?? "";
  };
  const script = (content: string | Buffer) => (folder: string) => writeFileSync(join(folder, "job.sh"), content);
  const replaced = (make: (path: string) => void) => (folder: string) => {
    rmSync(join(folder, "job.sh"));
    make(join(folder, "job.sh"));
  };

  it.each<[string, (folder: string) => void, RegExp]>([
    ["Windows line ends", script("#!/bin/sh\r\necho\r\n"), /CRLF.*sed -i/],
    ["a byte order mark", script("\ufeff#!/bin/sh\necho\n"), /byte order mark.*sed -i/],
    ["an empty file", script(""), /is empty\. Write/],
    ["a directive that means nothing", script("#SBATCH --time=whenever\n"), /--time=whenever.*not a time such as/],
    ["a directory", replaced((path) => mkdirSync(path)), /is a folder\. It must be the script/],
    ["a link", replaced((path) => symlinkSync("/bin/true", path)), /is a link\. Put the script itself here/],
    [
      "a name of the job that is a folder",
      (folder) => mkdirSync(join(folder, "job_name.txt")),
      /job_name\.txt cannot be read/,
    ],
  ])("%s", async (_, make, sentence) => {
    expect(await refused(make)).toMatch(sentence);
  });

  it("a pipe, which is never waited for", async () => {
    expect(await refused(replaced((path) => execFileSync("mkfifo", [path])))).toMatch(/not a regular file/);
  });

  it("a file that the manager's user cannot read", async ({ skip }) => {
    if (!isSuperuser) skip("only root can become another user");
    const make = (folder: string) => chmodSync(join(folder, "job.sh"), 0o000);
    expect(await refused(make, { uid: NOBODY })).toMatch(/cannot be read.*chmod u\+r job\.sh/);
  });
});

/** Gives a folder with all that is in it to another user. */
function giveAway(path: string, uid: number): void {
  for (const name of readdirSync(path, { recursive: true }) as string[]) {
    const each = join(path, name);
    if (!lstatSync(each).isSymbolicLink()) chownSync(each, uid, uid);
  }
  chownSync(path, uid, uid);
}

describe("links never lead a write outside", () => {
  it.each(["job_output.txt", "job_error.txt", "job_status.json", "job_cancel", "job_name.txt", ".jobmgr", "done"])(
    "one named %s",
    async (name) => {
      const root = await makeRoot();
      const outside = makeFolder();
      writeFileSync(join(outside, "file"), "untouched\n");
      mkdirSync(join(outside, "folder"));
      root.drop("job", "echo output; exit 1\n");
      const target = name === ".jobmgr" ? "folder" : "file";
      symlinkSync(join(outside, target), join(root.path, "inbox/job", name));
      const manager = root.manage(["--finished-file", "done"]);
      root.dropLedger("zz");
      await root.completed("zz");
      // The job ends somehow, or is reported and left; what counts is what lies outside.
      const settled = () => root.exists("complete/job") || manager.stderr().includes("job");
      await waitUntil("the job is settled or reported", settled);
      expect(readFileSync(join(outside, "file"), "utf8")).toBe("untouched\n");
      expect(readdirSync(outside).sort()).toEqual(["file", "folder"]);
      expect(readdirSync(join(outside, "folder"))).toEqual([]);
    },
  );

  it("made by the job itself while it runs", async () => {
    const root = await makeRoot();
    const outside = makeFolder();
    writeFileSync(join(outside, "file"), "untouched\n");
    root.manage();
    const links = ["job_error.txt", "job_status.json", ".job_error.txt.new", ".job_status.json.new", "job_cancel"];
    root.drop("job", `for name in ${links.join(" ")}; do rm -f $name; ln -s '${outside}/file' $name; done; exit 1\n`);
    await root.completed("job");
    expect(readFileSync(join(outside, "file"), "utf8")).toBe("untouched\n");
    expect(lstatSync(join(root.path, "complete/job/job_error.txt")).isFile()).toBe(true);
  });

  it("a hard link named job_output.txt is not written to", async () => {
    const root = await makeRoot();
    const outside = join(root.path, "..", "outside");
    writeFileSync(outside, "untouched\n");
    root.drop("job", "echo output\n");
    linkSync(outside, join(root.path, "inbox/job/out.txt"));
    writeFileSync(join(root.path, "inbox/job/job.sh"), "#!/bin/sh\n#SBATCH --output=out.txt\necho output\n");
    root.manage();
    await root.completed("job");
    expect(readFileSync(outside, "utf8")).toBe("untouched\n");
    expect(root.status("job").state).toBe("refused");
  });

  it("a folder that is a link is not taken", async () => {
    const root = await makeRoot();
    const outside = makeFolder();
    writeFileSync(join(outside, "job.sh"), `echo run >> '${root.ledger}'\n`);
    symlinkSync(outside, join(root.path, "inbox/job"));
    root.manage();
    root.dropLedger("zz");
    await root.completed("zz");
    expect(root.runs()).toEqual(["zz"]);
    expect(readdirSync(outside)).toEqual(["job.sh"]);
  });
});

describe("what LocalEngine honours of #SBATCH lines", () => {
  it("--output and --error with %j and %x, and the name in job_name.txt before --job-name", async () => {
    const root = await makeRoot();
    root.manage();
    root.drop("job", {
      "job.sh": "#!/bin/bash\n#SBATCH -J other -o out-%x-%j.txt -e err-%x.txt\necho out; echo err >&2\n",
      "job_name.txt": "my name\nmore\n",
    });
    await root.completed("job");
    const status = root.status("job");
    expect(status.jobName).toBe("my name");
    const id = String(status.token).split("-")[1];
    expect(root.read(`complete/job/out-my name-${id}.txt`)).toBe("out\n");
    expect(root.read("complete/job/err-my name.txt")).toBe("err\n");
    expect(root.exists("complete/job/job_output.txt")).toBe(false);
  });

  it("an output that would lie outside is written to job_output.txt, and that is named", async () => {
    const root = await makeRoot();
    root.manage();
    root.drop("job", "#!/bin/bash\n#SBATCH -o ../../outside.txt --partition=long\necho out\n");
    await root.completed("job");
    expect(root.read("complete/job/job_output.txt")).toBe("out\n");
    const ignored = root.status("job").ignoredDirectives;
    expect(ignored).toEqual(expect.arrayContaining(["--partition=long", expect.stringContaining("../../outside.txt")]));
  });

  it("--cpus-per-task and --ntasks are what the script reads of them, and are told of if they are more than there are", async () => {
    const root = await makeRoot();
    root.manage(["-M", "2"]);
    const print = "echo $SLURM_CPUS_PER_TASK, $SLURM_NTASKS";
    root.drop("few", `#!/bin/bash\n#SBATCH --cpus-per-task=2\n${print}\n`);
    root.drop("many", `#!/bin/bash\n#SBATCH -c 2 -n 32\n${print}\n`);
    await root.completed("few", "many");
    expect(root.read("complete/few/job_output.txt")).toBe("2,\n");
    expect(root.read("complete/many/job_output.txt")).toBe("2, 32\n");
    expect(root.status("few").ignoredDirectives).toBeUndefined();
    expect(root.status("many").ignoredDirectives).toEqual([
      "64 processors at a time (there are 2 places, and it takes them all)",
    ]);
  });

  it("--array: each index is a task, and one that fails is told with its output", async () => {
    const root = await makeRoot();
    root.manage(["-M", "2"]);
    root.drop(
      "job",
      '#!/bin/bash\n#SBATCH --array=1,3,5\necho "task $SLURM_ARRAY_TASK_ID"; [ "$SLURM_ARRAY_TASK_ID" != 3 ]\n',
    );
    await root.completed("job");
    expect(root.status("job")).toMatchObject({ state: "failed", tasks: { 1: 0, 3: 1, 5: 0 } });
    const error = root.read("complete/job/job_error.txt");
    expect(error).toContain("1 of 3 tasks did not succeed");
    expect(error).toContain("job_output_3.txt:\n  task 3");
    for (const task of [1, 3, 5]) expect(root.read(`complete/job/job_output_${task}.txt`)).toBe(`task ${task}\n`);
  });

  it("--time is enforced also while no manager lives, and is told as TIMEOUT", async () => {
    const root = await makeRoot();
    const manager = root.manage();
    root.drop("job", "#!/bin/bash\n#SBATCH --time=00:00:01\necho $$ > pid; touch ready; sleep 60\n");
    await running(root, "job");
    manager.signal("SIGKILL");
    await manager.ended;
    const pid = Number(root.read("pending/job/pid"));
    await waitUntil("the job is gone", () => !existsSync(`/proc/${pid}`));
    root.manage();
    await root.completed("job");
    const error = root.read("complete/job/job_error.txt");
    expect(error).toMatch(/^job: failed\. It reached its time limit \(1 s\) and was stopped\./);
    expect(error).toContain("The engine's own word: TIMEOUT");
  });

  it("the environment is the user's own: nothing of the manager's runtime, the job's own words added", async () => {
    const root = await makeRoot();
    root.manage([], { env: { NODE_OPTIONS: "--no-warnings", npm_config_x: "1", MINE: "kept", HOME: "/some/home" } });
    root.drop("job", "env; pwd > here\n");
    await root.completed("job");
    const env = root.read("complete/job/job_output.txt");
    expect(env).not.toMatch(/^(NODE_|npm_)/m);
    for (const line of ["MINE=kept", "HOME=/some/home", "JOBMGR_JOB_NAME=job"]) expect(env).toContain(`${line}\n`);
    expect(root.read("complete/job/here")).toBe(`${root.path}/pending/job\n`);
  });
});
