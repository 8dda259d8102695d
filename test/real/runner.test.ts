/** run.sh by hand: which program runs job.sh, signals, the claim, the record of the end, odd surroundings. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Plan, Token } from "../../src/engine.ts";
import { latestRuns, NOT_RUN, parseExit, parseStarted, runnerText } from "../../src/runner.ts";
import { commandOfScript } from "../../src/script.ts";
import { somePlan } from "../fakes/plan.ts";
import { makeFolder, type Running, runToEnd, start, waitUntil } from "../harness.ts";
import { putProgram } from "../own-programs.ts";

const TOKEN = "20260101T000000-0123456789ab" as Token;
const PLAN = somePlan();

interface Job {
  readonly folder: string;
  readonly records: string;
  readonly runner: string;
  at(name: string): string;
  read(name: string): string;
  exit(): ReturnType<typeof parseExit>;
}

/** A job's folder with its runner, as the manager would make it. */
function makeJob(script: string, plan: Partial<Plan> = {}, folder = join(makeFolder(), "it's a job")): Job {
  const records = join(folder, ".jobmgr", `attempt-${TOKEN}`);
  mkdirSync(records, { recursive: true });
  writeFileSync(join(folder, "job.sh"), script, { mode: 0o644 });
  const runner = join(records, "run.sh");
  const text = runnerText({ token: TOKEN, folder, command: commandOfScript(script), plan: { ...PLAN, ...plan } });
  writeFileSync(runner, text);
  const at = (name: string) => join(folder, name);
  const read = (name: string) => (existsSync(at(name)) ? readFileSync(at(name), "utf8") : "");
  const exit = () => parseExit(existsSync(join(records, "exit")) ? readFileSync(join(records, "exit"), "utf8") : "");
  return { folder, records, runner, at, read, exit };
}

const run = (job: Job, options: Parameters<typeof start>[2] = {}) => runToEnd("sh", [job.runner], options);

describe("job.sh is run", () => {
  it("in its own folder, by its #! line, and its exit code is kept", async () => {
    const job = makeJob('#!/bin/sh\npwd; echo "$0"; exit 7\n');
    expect(await run(job, { cwd: "/" })).toEqual({ code: 7, stdout: `${job.folder}\n./job.sh\n`, stderr: "" });
    expect(job.exit()).toEqual({ token: TOKEN, code: 7 });
  });

  it("by bash when it has no #! line", async () => {
    const job = makeJob('[[ bash == b* ]] && echo "y $BASH_VERSION"\n');
    expect((await run(job)).stdout).toMatch(/^y \d/);
  });

  it("by whatever its #! line names, with one argument", async () => {
    const sed = makeJob("#!/bin/sed -n\n/^#!/p\n");
    expect((await run(sed)).code).not.toBe(75);
    const env = makeJob("#!/usr/bin/env -S bash -u\necho $unset\n");
    expect((await run(env)).stderr).toContain("unset: unbound variable");
    const awk = makeJob('#!/usr/bin/awk -f\nBEGIN { print "awk"; exit 4 }\n');
    expect(await run(awk)).toMatchObject({ code: 4, stdout: "awk\n" });
  });

  it("by python3, where there is one", async ({ skip }) => {
    if ((await runToEnd("sh", ["-c", "command -v python3"])).code !== 0) skip("there is no python3");
    const job = makeJob("#!/usr/bin/env python3\nimport sys\nprint('python')\nsys.exit(5)\n");
    expect(await run(job)).toMatchObject({ code: 5, stdout: "python\n" });
  });

  it("with and without its x bit, read-only and not", async () => {
    for (const mode of [0o400, 0o644, 0o755]) {
      const job = makeJob("#!/bin/sh\nexit 3\n");
      chmodSync(job.at("job.sh"), mode);
      expect((await run(job)).code, mode.toString(8)).toBe(3);
    }
  });

  it("and ends with 127 and the shell's words when its interpreter is not there", async () => {
    const job = makeJob("#!/no/such/interpreter\n");
    const { code, stderr } = await run(job);
    expect(code).toBe(127);
    expect(stderr).toContain("/no/such/interpreter");
    expect(job.exit()?.code).toBe(127);
  });

  it("and a death by signal is told as 128 + n", async () => {
    for (const [signal, code] of Object.entries({ KILL: 137, TERM: 143, SEGV: 139 })) {
      const job = makeJob(`#!/bin/sh\nkill -s ${signal} $$\n`);
      await run(job);
      expect(job.exit()?.code, signal).toBe(code);
    }
  });

  it("and what it leaves running in the background holds up neither runner nor record", async () => {
    const job = makeJob("#!/bin/sh\nsleep 5 >/dev/null 2>&1 &\necho $! > pid\nexit 2\n");
    expect((await run(job)).code).toBe(2);
    process.kill(Number(job.read("pid")), "SIGKILL");
  });
});

describe("behind other jobs", () => {
  const BEFORE = "20251231T235959-ba9876543210" as Token;
  const END = (code: number) => `jobmgr-exit 1 ${BEFORE} ${code} host end\n`;

  /** A job behind one whose odd name is another word for every shell, in a root of its own; and where that one's records lie. */
  function makeBehind(needs: "success" | "end", tasks: readonly number[] = []) {
    const root = makeFolder();
    const name = "it's\n$(touch x) *";
    const job = makeJob("#!/bin/sh\necho ran\n", {}, join(root, "pending", "me"));
    const after = [{ name, token: BEFORE, needs, tasks }];
    const command = commandOfScript("#!/bin/sh\n");
    writeFileSync(job.runner, runnerText({ token: TOKEN, folder: job.folder, command, plan: PLAN, after }));
    const recordsIn = (place: string, record: string, text: string) => {
      const records = join(root, place.replace("NAME", name), ".jobmgr", `attempt-${BEFORE}`);
      mkdirSync(records, { recursive: true });
      if (record !== "") writeFileSync(join(records, record), text);
    };
    return { job, recordsIn };
  }

  it.each([
    ["success", "pending/NAME", "exit", 0],
    ["success", "complete/NAME", "exit", 0],
    ["success", "complete/NAME~2", "exit", 0],
    ["success", "complete/.NAME", "exit-r1", 0],
    ["end", "pending/NAME", "exit", 3],
  ] as const)(
    "starts when one that must end (%s) has its record in %s: %s, code %i",
    async (needs, place, record, code) => {
      const { job, recordsIn } = makeBehind(needs);
      recordsIn(place, record, END(code));
      for (const shell of ["dash", "bash"]) {
        expect(await runToEnd(shell, [job.runner])).toMatchObject({ code: 0, stdout: "ran\n" });
        for (const name of ["started", "exit"]) rmSync(join(job.records, name));
      }
    },
  );

  it("does not start when there is no record that shows it", async () => {
    const odd = {
      "it has failed": ["success", "exit", END(3)],
      "half a record": ["success", "exit", END(0).slice(0, -4)],
      "the record of another attempt": ["end", "exit", END(0).replace(BEFORE, TOKEN)],
      "no record": ["end", "", ""],
    } as const;
    const tries = Object.entries(odd).map(async ([what, [needs, record, text]]) => {
      const { job, recordsIn } = makeBehind(needs);
      recordsIn("pending/NAME", record, text);
      expect(await run(job), what).toMatchObject({ code: NOT_RUN, stdout: "" });
      expect(existsSync(join(job.records, "started")), what).toBe(false);
      writeFileSync(join(job.records, "met"), "");
      expect(await run(job), what).toMatchObject({ code: 0, stdout: "ran\n" });
    });
    const array = async () => {
      const { job, recordsIn } = makeBehind("success", [0, 7]);
      recordsIn("pending/NAME", "exit.0", END(0));
      expect(await run(job), "one task of two").toMatchObject({ code: NOT_RUN });
      recordsIn("pending/NAME", "exit.7", END(0));
      expect(await run(job), "both tasks").toMatchObject({ code: 0 });
    };
    await Promise.all([...tries, array()]);
  });
});

describe("the claim", () => {
  it("is written before job.sh starts, and says who it is", async () => {
    const job = makeJob(`#!/bin/sh\ncat .jobmgr/attempt-${TOKEN}/started\n`);
    const running = start("sh", [job.runner]);
    await running.ended;
    const claim = parseStarted(running.stdout());
    expect(claim).toMatchObject({ token: TOKEN, pid: running.pid });
    expect(claim?.boot).toBe(readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
    expect(claim?.start).toMatch(/^\d+$/);
  });

  it("lets a second copy step aside: it runs nothing, and ends with 0", async () => {
    const job = makeJob("#!/bin/sh\necho run >> runs\nexit 9\n");
    expect((await run(job)).code).toBe(9);
    const second = await run(job);
    expect(second).toMatchObject({ code: 0, stdout: "" });
    expect(second.stderr).toContain("started already");
    expect(job.read("runs")).toBe("run\n");
    expect(job.exit()?.code).toBe(9);
  });

  it("of 20 copies at once lets one run", async () => {
    const job = makeJob("#!/bin/sh\necho run >> runs\nexit 9\n");
    const copies = Array.from({ length: 20 }, () => run(job));
    const codes = (await Promise.all(copies)).map(({ code }) => code);
    expect(codes.filter((code) => code === 9)).toHaveLength(1);
    expect(codes.filter((code) => code === 0)).toHaveLength(19);
    expect(job.read("runs")).toBe("run\n");
  });

  it("is each task's own in an array", async () => {
    const job = makeJob('#!/bin/sh\necho "$JOBMGR_TASK" >> runs\nexit "$JOBMGR_TASK"\n', { tasks: [1, 2] });
    for (const task of ["1", "2", "1"]) await run(job, { env: { JOBMGR_TASK: task } });
    expect(job.read("runs")).toBe("1\n2\n");
    const exits = ["1", "2"].map((task) => parseExit(readFileSync(join(job.records, `exit.${task}`), "utf8"))?.code);
    expect(exits).toEqual([1, 2]);
  });

  it("that was created and never written lets nothing run, and says that it may be tried again", async () => {
    const job = makeJob("#!/bin/sh\necho run >> runs\n");
    writeFileSync(join(job.records, "started"), "");
    // It waits for the writer in vain; the waits are made short by a sleep that does not.
    const bin = makeFolder();
    putProgram(join(bin, "sleep"), "");
    expect((await run(job, { env: { PATH: `${bin}:${process.env.PATH}` } })).code).toBe(NOT_RUN);
    expect(job.read("runs")).toBe("");
  });

  it("cannot be made in a folder that has gone, or by an attempt that is out of force: 75, and nothing runs", async () => {
    const gone = makeJob("#!/bin/sh\necho run >> ../runs\n");
    const copy = join(gone.folder, "..", "copy");
    renameSync(gone.runner, copy);
    rmSync(gone.folder, { recursive: true });
    expect((await runToEnd("sh", [copy])).code).toBe(NOT_RUN);
    const past = makeJob("#!/bin/sh\necho run >> ../runs\n");
    const running = join(past.folder, ".jobmgr", `past-${TOKEN}`);
    renameSync(past.records, running);
    const { code, stderr } = await runToEnd("sh", [join(running, "run.sh")]);
    expect(code).toBe(NOT_RUN);
    expect(stderr).toContain("job.sh was not started");
    for (const job of [gone, past]) expect(existsSync(join(job.folder, "..", "runs"))).toBe(false);
    expect(existsSync(join(running, "exit"))).toBe(false);
  });
});

describe("the record of the end", () => {
  it("is not believed half: any prefix of it is no end", async () => {
    const job = makeJob("exit 12\n");
    await run(job);
    const text = readFileSync(join(job.records, "exit"), "utf8");
    expect(parseExit(text)).toEqual({ token: TOKEN, code: 12 });
    for (let length = 0; length < text.length; length++) expect(parseExit(text.slice(0, length))).toBeUndefined();
    const claim = readFileSync(join(job.records, "started"), "utf8");
    for (let length = 0; length < claim.length; length++) expect(parseStarted(claim.slice(0, length))).toBeUndefined();
  });

  it("of something else is none", () => {
    for (const text of [
      "",
      "\n",
      "0\n",
      "jobmgr-exit 2 t 0 h end\n",
      "jobmgr-exit 1 t -1 h end\n",
      "x jobmgr-exit 1 t 0 h end\n",
    ])
      expect(parseExit(text), text).toBeUndefined();
  });

  it("is written also when job.sh closed its own folder", async ({ skip }) => {
    if (process.getuid?.() !== 0) skip("only root can become another user");
    const job = makeJob("#!/bin/sh\nchmod 000 .jobmgr/* .jobmgr .\nexit 6\n");
    for (const path of [join(job.folder, ".."), job.folder, job.at("job.sh"), join(job.folder, ".jobmgr"), job.records])
      chownSync(path, 65534, 65534);
    expect((await run(job, { uid: 65534 })).code).toBe(6);
    expect(job.exit()?.code).toBe(6);
  });
});

describe("the time limit", () => {
  it("stops job.sh and all that it started, and leaves a note", async () => {
    const job = makeJob("#!/bin/sh\nsleep 60 &\necho $! > pid\nwait\n", { limitS: 1, graceS: 1 });
    const { code } = await runToEnd("setsid", ["-w", "sh", job.runner]);
    expect(code).toBe(143);
    expect(existsSync(join(job.records, "limit"))).toBe(true);
    const sleeper = Number(job.read("pid"));
    await waitUntil("what it started is gone", () => !existsSync(`/proc/${sleeper}`));
  });

  it("kills a job that does not heed TERM, after the grace", async () => {
    const job = makeJob("#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n", { limitS: 1, graceS: 1 });
    await runToEnd("setsid", ["-w", "sh", job.runner]);
    expect(existsSync(join(job.records, "limit"))).toBe(true);
    expect(job.exit()?.code ?? 137).toBe(137);
  });

  it("that is not reached leaves nothing running", async () => {
    const job = makeJob("#!/bin/sh\nps -o sid= -p $$ > session\nexit 3\n", { limitS: 100_000 });
    expect((await runToEnd("setsid", ["-w", "sh", job.runner])).code).toBe(3);
    const session = job.read("session").trim();
    const living = async () => {
      const { stdout } = await runToEnd("ps", ["-o", "stat=", "-s", session]);
      return stdout.split("\n").filter((state) => state !== "" && !state.startsWith("Z"));
    };
    let left = await living();
    for (let i = 0; i < 100 && left.length > 0; i++) left = await living();
    expect(left).toEqual([]);
  });
});

describe("signals to the runner", () => {
  const TRAPS = `#!/bin/sh
for name in TERM INT HUP USR1 USR2; do trap "echo $name >> got" $name; done
echo $$ > ready
while [ ! -e enough ]; do sleep 0.05; done
exit 4
`;

  it.each(["dash", "bash"])("reach a job.sh that traps them, under %s", async (shell) => {
    const job = makeJob(TRAPS);
    const running: Running = start(shell, [job.runner]);
    await waitUntil("job.sh is ready", () => job.read("ready").endsWith("\n"));
    for (const name of ["TERM", "INT", "HUP", "USR1", "USR2"]) {
      running.signal(`SIG${name}` as NodeJS.Signals);
      await waitUntil(`${name} arrived`, () => job.read("got").endsWith(`${name}\n`));
    }
    writeFileSync(job.at("enough"), "");
    expect(await running.ended).toBe(4);
    expect(job.read("got")).toBe("TERM\nINT\nHUP\nUSR1\nUSR2\n");
    expect(job.exit()?.code).toBe(4);
  });

  it.each(["dash", "bash"])(
    "end a job.sh that does not trap them, and its code is 128 + n, under %s",
    async (shell) => {
      for (const [name, code] of [
        ["TERM", 143],
        ["INT", 130],
        ["HUP", 129],
        ["USR1", 138],
      ] as const) {
        const job = makeJob("#!/bin/sh\necho > ready\nexec sleep 60\n");
        const running = start(shell, [job.runner]);
        await waitUntil("job.sh is ready", () => job.read("ready") !== "");
        running.signal(`SIG${name}` as NodeJS.Signals);
        expect(await running.ended, name).toBe(code);
        expect(job.exit()?.code, name).toBe(code);
      }
    },
  );

  it.each(["dash", "bash", "bash --posix"])("that go to all of a job leave its code, under %s", async (shell) => {
    for (const [name, code] of [
      ["SIGUSR1", 138],
      ["SIGUSR2", 140],
      ["SIGXCPU", 152],
    ] as const) {
      const job = makeJob("#!/bin/sh\necho > ready\nexec sleep 60\n");
      const running = start("setsid", [...shell.split(" "), job.runner]);
      await waitUntil("job.sh is ready", () => job.read("ready") !== "");
      process.kill(-running.pid, name);
      expect(await running.ended, name).toBe(code);
      expect(job.exit()?.code, name).toBe(code);
    }
  });

  it("let a stopped job.sh go on with CONT", async () => {
    const job = makeJob("#!/bin/sh\necho > ready\nkill -STOP $$\nsleep 0.3\nexit 8\n");
    const running = start("sh", [job.runner]);
    await waitUntil("job.sh is ready", () => job.read("ready") !== "");
    const nudge = setInterval(() => running.signal("SIGCONT"), 50);
    expect(await running.ended).toBe(8);
    clearInterval(nudge);
  });

  it("that come at the very moment of its end do not change its code", async () => {
    // CONT is passed on, and does nothing to a job that is not stopped. (Under bash, wait itself may lose the code then.)
    for (let round = 0; round < 60; round++) {
      const job = makeJob("#!/bin/sh\nexit 5\n");
      const running = start("dash", [job.runner]);
      const storm = setInterval(() => running.signal("SIGCONT"), 0);
      await running.ended;
      clearInterval(storm);
      expect(job.exit()?.code, `round ${round}`).toBe(5);
    }
  });
});

describe("odd surroundings", () => {
  it.each(["0777", "0377", "0000"])("a umask of %s hides no record from the runner, and job.sh runs", async (umask) => {
    const job = makeJob("#!/bin/sh\nexit 3\n");
    const { code } = await runToEnd("sh", ["-c", `umask ${umask}; exec sh "$0"`, job.runner]);
    expect(code).toBe(3);
    expect(job.exit()?.code).toBe(3);
  });

  it("ENV and BASH_ENV that would break every shell do not break the runner", async () => {
    const trap = join(makeFolder(), "profile");
    writeFileSync(trap, "set -eu; IFS=0; false\n");
    const job = makeJob("#!/bin/sh\nexit 3\n");
    expect((await run(job, { env: { ENV: trap, BASH_ENV: trap } })).code).toBe(3);
  });

  it("IFS, CDPATH, POSIXLY_CORRECT and SHELLOPTS from outside change nothing", async () => {
    const env = { IFS: "0123456789", CDPATH: "/tmp:/", POSIXLY_CORRECT: "1", GREP_OPTIONS: "-v" };
    for (const shell of ["dash", "bash"]) {
      const job = makeJob("#!/bin/sh\npwd\nexit 3\n");
      expect(await runToEnd(shell, [job.runner], { env })).toMatchObject({ code: 3, stdout: `${job.folder}\n` });
    }
  });

  it("a closed stdin and a full output do not stop it from writing its record", async () => {
    const job = makeJob("#!/bin/sh\necho lost\nexit 3\n");
    const { code } = await runToEnd("sh", ["-c", 'exec sh "$0" <&- >/dev/full 2>&1', job.runner]);
    expect(code).toBe(3);
    expect(job.exit()?.code).toBe(3);
  });

  it.each(["with space", 'quote\'s "here"', "-dash", "new\nline", "$(touch x)`id`;&|*?", "\\", "%s%n", "\u{1f600}"])(
    "a folder named %j is its folder",
    async (name) => {
      const parent = makeFolder();
      const job = makeJob("#!/bin/sh\npwd\nexit 3\n", {}, join(parent, name));
      expect(await run(job)).toMatchObject({ code: 3, stdout: `${job.folder}\n`, stderr: "" });
      expect(existsSync(join(parent, "x"))).toBe(false);
    },
  );
});

describe("what job.sh finds is what its runner was given", () => {
  it("variables, of whatever name", async () => {
    const names = [..."run name host id job start token limit folder code me index restart left nl".split(" ")];
    const job = makeJob(`echo ${names.map((name) => `$${name}`).join(" ")}\n`);
    const env = Object.fromEntries(names.map((name) => [name, `my-${name}`]));
    expect((await run(job, { env })).stdout).toBe(`${names.map((name) => `my-${name}`).join(" ")}\n`);
  });

  it("its standard input", async () => {
    for (const shell of ["sh", "bash"]) {
      const job = makeJob('read -r line; echo "got $line"\n');
      expect((await runToEnd(shell, [job.runner], { input: "a line\n" })).stdout).toBe("got a line\n");
    }
  });

  it("even none", async () => {
    for (const shell of ["sh", "bash"]) {
      const job = makeJob("read -r line; echo $?\n");
      expect(await runToEnd(shell, ["-c", `exec ${shell} "$0" <&-`, job.runner])).toMatchObject({
        code: 0,
        stdout: "1\n",
      });
    }
  });
});

it("nothing in the name of a folder begins a line of the runner, where it might be a directive", async () => {
  const folder = join(makeFolder(), 'x\n#PBS -N evil\n#SBATCH --hold\n"$nl" it\'s');
  const job = makeJob("pwd\n", {}, folder);
  expect(readFileSync(job.runner, "utf8")).not.toMatch(/^#(PBS|SBATCH)/m);
  expect((await run(job)).stdout).toBe(`${folder}\n`);
});

describe("a job that its scheduler starts again", () => {
  const identity = { job: '"$ID"', restart: '"$RESTART"', task: '"$TASK"' };
  const as = (id: string, restart: number, task = "") => ({ env: { ID: id, RESTART: String(restart), TASK: task } });
  const script = 'echo run >>runs; exit "$(cat code)"\n';

  function makeAgain(): Job {
    const job = makeJob(script, { identity });
    writeFileSync(job.at("code"), "3");
    return job;
  }
  const latest = (job: Job, task?: number) =>
    latestRuns(TOKEN, readdirSync(job.records), (name) =>
      existsSync(join(job.records, name)) ? readFileSync(join(job.records, name), "utf8") : undefined,
    ).get(task);

  it("runs again under the same id, with records of its own, and the last one counts", async () => {
    const job = makeAgain();
    expect((await run(job, as("7", 0))).code).toBe(3);
    writeFileSync(job.at("code"), "0");
    expect((await run(job, as("7", 1))).code).toBe(0);
    expect(job.read("runs")).toBe("run\nrun\n");
    expect(latest(job)).toMatchObject({ started: { job: "7", restart: 1 }, exit: { code: 0 } });
    expect(job.exit()?.code).toBe(3);
  });

  it("has not ended while its later start has left no record", async () => {
    const job = makeAgain();
    await run(job, as("7", 0));
    writeFileSync(
      join(job.records, "started-r1"),
      readFileSync(join(job.records, "started"), "utf8").replace("7 0 end", "7 1 end"),
    );
    expect(latest(job)?.exit).toBeUndefined();
  });

  it("does not run under another id, or as the same start", async () => {
    const job = makeAgain();
    await run(job, as("7", 0));
    for (const [id, restart] of [
      ["8", 0],
      ["8", 1],
      ["7", 0],
      ["-", 5],
    ] as const) {
      expect(await run(job, as(id, restart))).toMatchObject({
        code: 0,
        stderr: expect.stringContaining("stepping aside"),
      });
    }
    expect(job.read("runs")).toBe("run\n");
  });

  it("does not run twice as the same later start, nor as an earlier one", async () => {
    const job = makeAgain();
    await run(job, as("7", 0));
    await run(job, as("7", 2));
    expect((await run(job, as("7", 2))).stderr).toContain("stepping aside");
    expect(job.read("runs")).toBe("run\nrun\n");
  });

  it("may claim for the first time at a later start", async () => {
    const job = makeAgain();
    await run(job, as("7", 4));
    expect((await run(job, as("7", 1))).stderr).toContain("stepping aside");
    expect(job.read("runs")).toBe("run\n");
    expect(latest(job)).toMatchObject({ started: { restart: 4 }, exit: { code: 3 } });
  });

  it("does so for each task of an array", async () => {
    const job = makeAgain();
    await run(job, as("7", 0, "1"));
    await run(job, as("7", 0, "2"));
    writeFileSync(job.at("code"), "0");
    await run(job, as("7", 1, "2"));
    expect(latest(job, 1)?.exit?.code).toBe(3);
    expect(latest(job, 2)?.exit?.code).toBe(0);
  });

  it("with a restart count that is no number runs as a first start", async () => {
    const job = makeAgain();
    await run(job, { env: { ID: "7", RESTART: "many", TASK: "" } });
    expect(job.read("runs")).toBe("run\n");
  });
});
