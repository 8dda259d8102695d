/** What a person sees in a real terminal, and what keys, signals and a closed terminal do to the manager and its jobs. */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it, onTestFinished, type TestContext } from "vitest";
import { isAlive, startOf } from "../../engines/process.ts";
import { jobmgr, PROGRAM, runToEnd, waitUntil } from "../harness.ts";
import { openTerminal, type Terminal } from "../tmux.ts";
import { makeJobRoot, need, runningJobs } from "./surroundings.ts";

const ESC = "\u001b";
const COLOUR = new RegExp(`${ESC}\\[[0-9;]*m`);
const CTRL_C = "C-c";

/** The same numbers in every run: a linear congruential generator (Numerical Recipes). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * below;
  };
}

async function managerIn(terminal: Terminal, line = "m"): Promise<void> {
  const before = terminal.screen().split("Watching inbox").length;
  terminal.run(line);
  await waitUntil("the manager has begun", () => terminal.screen().split("Watching inbox").length > before);
}

/** Waits until the prompt is back. */
async function shellIsBack(terminal: Terminal): Promise<void> {
  await waitUntil("the prompt is back", () => terminal.screen().endsWith("\n$"));
}

describe("in a terminal", () => {
  it("each check is a dot, 20 in a row; events, messages and the prompt begin on a line of their own", async (context) => {
    const root = await makeJobRoot();
    const terminal = await openTerminal(context, root);
    await managerIn(terminal);
    const dots = () => terminal.screen().match(/^\.+$/gm)?.join("").length ?? 0;
    await waitUntil("two rows and a half", () => dots() > 50);
    root.drop("good", "true");
    root.drop("bad", "exit 3");
    await root.completed("good", "bad");
    const after = dots();
    await waitUntil("some more", () => dots() > after + 25);
    terminal.press(CTRL_C);
    await shellIsBack(terminal);
    const text = terminal.screen();
    const lines = text.slice(text.indexOf("\nWatching inbox") + 1).split("\n");
    expect(text).toContain("Starting Job Manager: use ctrl-C to quit\nWatching inbox: ");
    expect(lines[0]).toBe(`Watching inbox: ${root.path}/inbox`);
    const event = /^\d\d:\d\d:\d\d (claimed {2}|started {2}|finished )(good|bad)(: (succeeded|failed) after .*)?$/;
    const rest = lines.slice(1).filter((line) => !event.test(line) && !/^\.{1,20}(\^C)?$/.test(line) && line !== "^C");
    expect(rest).toEqual([
      expect.stringMatching(
        /^(\^C)?Stopping: the step under way is finished, jobs are left running\. Once more: stop at once\.$/,
      ),
      "Stopped. No job is running.",
      "$",
    ]);
    expect(lines.filter((line) => event.test(line))).toHaveLength(6);
    for (const [i, line] of lines.entries()) {
      if (/^\.+$/.test(line) && /^\.+(\^C)?$/.test(lines[i + 1] ?? "")) expect(line).toHaveLength(20);
    }
    expect(await terminal.exitCode()).toBe(130);
  });

  it("names with escape sequences and line ends are shown as text, and so is the status", async (context) => {
    const root = await makeJobRoot();
    const terminal = await openTerminal(context, root);
    const evil = `a${ESC}[31mred${ESC}]0;title\u0007\nnew\rline\u009b2Jb`;
    const shown = "a\\x1b[31mred\\x1b]0;title\\x07\\x0anew\\x0dline\\x9b2Jb";
    await managerIn(terminal);
    root.drop(evil, "exit 3");
    root.drop(`wait-${evil}`, { data: "" });
    await root.completed(evil);
    await waitUntil("its end is told", () => terminal.screen().includes(`finished ${shown}: failed`));
    terminal.press(CTRL_C);
    await shellIsBack(terminal);
    terminal.run("clear; s --color never");
    await waitUntil("the status is told", () => terminal.screen().includes("1 complete."));
    expect(terminal.screen()).toContain("\nwait-a\\x1b[31m");
    expect(terminal.raw()).not.toContain(`${ESC}[31m`);
    expect(terminal.raw()).not.toContain(`${ESC}]0;`);
    expect(terminal.raw()).not.toContain("\u009b");
    expect(terminal.raw()).not.toMatch(/\n\r?new/);
  });

  it("what doctor and engines say is in lines that it has room for", async (context) => {
    const root = await makeJobRoot();
    const terminal = await openTerminal(context, root);
    terminal.resize(70, 50);
    for (const verb of ["doctor", "engines"]) {
      const before = terminal.raw().length;
      terminal.run(
        `PATH=/nonexistent ${process.execPath} ${PROGRAM} ${verb} --color never -e SlurmEngine; echo "told" now`,
      );
      await waitUntil(`${verb} has told`, () => terminal.raw().slice(before).includes("\ntold now"));
      const lines = terminal.raw().slice(before).split(/\r*\n/).slice(1);
      expect(lines.filter((line) => line.length > 70)).toEqual([]);
      expect(lines.join("\n")).toMatch(/\n {2,}\w/);
    }
  });

  it("colour is used there, and not with NO_COLOR or --color never", async (context) => {
    const root = await makeJobRoot();
    const terminal = await openTerminal(context, root);
    const added = async (line: string, until: string) => {
      const before = terminal.raw().length;
      terminal.run(line);
      await waitUntil(`${line}: ${until}`, () => terminal.raw().slice(before).includes(until));
      return terminal.raw().slice(before);
    };
    root.drop("bad", "exit 3");
    await managerIn(terminal);
    await waitUntil("its end is told", () => terminal.raw().includes("finished bad"));
    expect(terminal.raw()).toMatch(new RegExp(`${ESC}\\[33mfinished bad`));
    terminal.press(CTRL_C);
    await shellIsBack(terminal);
    expect(await added("s", "1 complete.")).toContain(`${ESC}[31mfailed`);
    expect(await added("s --color always", "1 complete.")).toContain(`${ESC}[31mfailed`);
    expect(await added("s --color never", "1 complete.")).not.toMatch(COLOUR);
    expect(await added("NO_COLOR=1 s", "1 complete.")).not.toMatch(COLOUR);
    expect(await added("NO_COLOR= s", "1 complete.")).toMatch(COLOUR);
    expect(await added("TERM=dumb s", "1 complete.")).not.toMatch(COLOUR);
    expect(await added("s | cat", "1 complete.")).not.toMatch(COLOUR);
    expect(await added("s --color always | cat", "1 complete.")).toMatch(COLOUR);
  });
});

describe("not in a terminal", () => {
  it("there are no dots, and each event is a line with its time in full", async () => {
    const root = await makeJobRoot();
    const manager = root.manage([], { env: { FORCE_COLOR: "" } });
    root.drop("good", "true");
    root.drop("bad", "exit 3");
    root.dropGated("long");
    await waitUntil("it runs", () => root.runs().length === 1);
    root.openGate();
    await root.completed("good", "bad", "long");
    expect(await manager.stop()).toBe(130);
    const lines = `${manager.stdout()}${manager.stderr()}`.trimEnd().split("\n");
    const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (claimed {2}|started {2}|finished )\S/;
    expect(lines.filter((line) => iso.test(line))).toHaveLength(9);
    expect(lines.filter((line) => !iso.test(line))).toEqual([
      "Starting Job Manager: use ctrl-C to quit",
      `Watching inbox: ${root.path}/inbox`,
      expect.stringMatching(/^Stopping: /),
      "Stopped. No job is running.",
    ]);
    expect(lines.join("\n")).not.toMatch(COLOUR);
  });

  it("colour is used only where --color always or FORCE_COLOR asks for it", async () => {
    const root = await makeJobRoot();
    root.drop("bad", "exit 3");
    const manager = root.manage(["--color", "always"]);
    await waitUntil("its end is told", () => manager.stderr().includes("finished"));
    expect(manager.stderr()).not.toContain(ESC.repeat(2));
    await manager.stop();
    const status = async (args: string[], env: NodeJS.ProcessEnv = {}) => {
      const plain = { NO_COLOR: "", FORCE_COLOR: "", CLICOLOR_FORCE: "", ...env };
      return (await jobmgr(["--root", root.path, "status", ...args], { env: plain })).stdout;
    };
    expect(await status([])).not.toMatch(COLOUR);
    expect(await status(["--color", "always"])).toMatch(COLOUR);
    expect(await status(["--color", "always"], { NO_COLOR: "1" })).toMatch(COLOUR);
    expect(await status(["--color", "never"], { FORCE_COLOR: "1" })).not.toMatch(COLOUR);
    expect(await status([], { FORCE_COLOR: "1" })).toMatch(COLOUR);
    expect(await status([], { FORCE_COLOR: "1", NO_COLOR: "1" })).not.toMatch(COLOUR);
    expect(await status(["--json"], { FORCE_COLOR: "1" })).not.toMatch(COLOUR);
  });

  it("a status whose reader leaves early ends with 0, and says nothing of it", async () => {
    const root = await makeJobRoot();
    // More than a pipe holds, so that the rest finds no reader.
    for (let i = 0; i < 3000; i++)
      mkdirSync(join(root.path, "inbox", `${String(i).padStart(4, "0")}-${"x".repeat(60)}`));
    for (const how of ["", "--json"]) {
      const line = `"$0" "$1" --root "$2" status ${how} | head -1; echo "code=\${PIPESTATUS[0]}"`;
      const { stdout, stderr } = await runToEnd("bash", ["-c", line, process.execPath, PROGRAM, root.path]);
      expect(stdout).toMatch(/^.+\ncode=0\n$/);
      expect(stderr).toBe("");
    }
  });
});

describe("Ctrl-C", () => {
  it.for([
    [1, "1 job goes on; start jobmgr again to collect the results."],
    [3, "3 jobs go on; start jobmgr again to collect the results."],
  ] as const)(
    "with %i running says so, leaves with 130, and the next manager collects",
    async ([count, words], context) => {
      const root = await makeJobRoot();
      const terminal = await openTerminal(context, root);
      const names = Array.from({ length: count }, (_, i) => `j${i}`);
      await managerIn(terminal, "m -M 3");
      for (const name of names) root.dropGated(name);
      await waitUntil("all run", () => root.runs().length === count);
      terminal.press(CTRL_C);
      await shellIsBack(terminal);
      expect(terminal.screen()).toContain(`\nStopped. ${words}\n`);
      expect(await terminal.exitCode()).toBe(130);
      expect(runningJobs(root)).toEqual(names);
      root.openGate();
      const next = root.manage();
      await root.completed(...names);
      expect(root.runs().sort()).toEqual(names);
      for (const name of names) expect(root.status(name)).toMatchObject({ state: "succeeded" });
      expect(next.stderr()).toBe("");
    },
  );

  it("at any instant, 10 times over, loses no job and runs none twice", async (context) => {
    const root = await makeJobRoot();
    const terminal = await openTerminal(context, root);
    const below = numbers(20_260_101);
    const all: string[] = [];
    for (let round = 0; round < 10; round++) {
      const names = ["a", "b", "c", "d"].map((name) => `r${round}${name}`);
      const before = root.names("pending").length;
      terminal.run("clear");
      await waitUntil("the screen is clear", () => !terminal.screen().includes("Watching inbox"));
      await managerIn(terminal, "m -M 100");
      for (const name of names) root.dropGated(name, `gate${round}`);
      all.push(...names);
      // Those of the last round end while this one begins.
      root.openGate(`gate${round - 1}`);
      const instant = below(400);
      await new Promise((resolve) => setTimeout(resolve, instant));
      terminal.press(CTRL_C);
      await shellIsBack(terminal);
      const told =
        /^Stopped\. (?:(\d+) jobs? (?:goes|go) on; start jobmgr again to collect the results|No job is running)\.$/m;
      const match = told.exec(terminal.screen());
      expect(match, terminal.screen()).not.toBeNull();
      const going = Number(match?.[1] ?? 0);
      const ofThisRound = () => runningJobs(root).filter((name) => names.includes(name)).length;
      const context = `round ${round}, after ${instant} ms`;
      expect(going, context).toBeLessThanOrEqual(before + names.length);
      await waitUntil(`${context}: what was submitted runs`, () => ofThisRound() >= going - before);
      expect(ofThisRound(), context).toBeLessThanOrEqual(going);
      expect(await terminal.exitCode(), context).toBe(130);
    }
    root.openGate("gate9");
    const next = root.manage(["-M", "100"]);
    await root.completed(...all);
    expect(root.runs().sort()).toEqual(all);
    expect(root.names("complete")).toEqual(all);
    for (const name of all) expect(root.status(name)).toMatchObject({ name, state: "succeeded" });
    expect(next.stderr()).toBe("");
    expect(await next.stop()).toBe(130);
  }, 240_000);

  describe("while the disk does not answer", () => {
    it("leaves after ten seconds, and no job is lost", async (context) => {
      const { root, terminal, manager } = await slowDisk(context);
      terminal.press(CTRL_C);
      await waitUntil("the end is told", () => terminal.screen().includes("\nStopped. No job is running."), 20_000);
      await waitUntil("the manager has gone", () => !isAlive(manager.pid, manager.start));
      expect(root.runs()).toEqual([]);
      root.manage();
      await root.completed("a");
      expect(root.runs()).toEqual(["a"]);
    });

    it("leaves at once when it is pressed twice, and no job is lost", async (context) => {
      const { root, terminal, manager } = await slowDisk(context);
      terminal.press(CTRL_C);
      await waitUntil("the stop is told", () => terminal.screen().includes("Once more: stop at once."));
      terminal.press(CTRL_C);
      await waitUntil("the manager has gone", () => !isAlive(manager.pid, manager.start));
      expect(terminal.screen()).not.toContain("Stopped.");
      expect(root.runs()).toEqual([]);
      root.manage();
      await root.completed("a");
      expect(root.runs()).toEqual(["a"]);
    });
  });
});

/** A manager in the middle of a step, on a disk that takes 40 s to say that something is on it. */
async function slowDisk(context: TestContext) {
  const strace = need(context, "strace");
  const probe = await runToEnd(strace, ["-o", "/dev/null", "true"]);
  if (probe.code !== 0) context.skip(`strace cannot trace here: ${probe.stderr}`);
  const root = await makeJobRoot();
  const terminal = await openTerminal(context, root);
  await managerIn(terminal, "slow");
  const tracer = terminal.managerPid();
  const tracerStart = startOf(tracer) ?? "";
  // It waits out the delay that it has begun, also when the manager has long gone.
  onTestFinished(() => {
    if (isAlive(tracer, tracerStart)) process.kill(tracer, "SIGKILL");
  });
  root.dropLedger("a");
  await waitUntil("a is claimed", () => terminal.screen().includes("claimed  a"));
  // The process itself is asked whether it has gone, for its tracer stays longer.
  const manager = JSON.parse(root.read(".jobmgr/lock/owner.json")) as { pid: number; start: string };
  return { root, terminal, manager };
}

describe("a terminal that is closed", () => {
  it("leaves the jobs running, and the next manager collects them", async (context) => {
    const root = await makeJobRoot();
    const terminal = await openTerminal(context, root);
    await managerIn(terminal, "m -M 2");
    for (const name of ["a", "b"]) root.dropGated(name);
    await waitUntil("both run", () => root.runs().length === 2);
    const pid = terminal.managerPid();
    const start = startOf(pid) ?? "";
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toContain(PROGRAM);
    terminal.close();
    await waitUntil("the manager has gone", () => !isAlive(pid, start));
    await waitUntil("the jobs run", () => isDeepStrictEqual(runningJobs(root), ["a", "b"]));
    const next = root.manage();
    root.openGate();
    await root.completed("a", "b");
    expect(root.runs().sort()).toEqual(["a", "b"]);
    for (const name of ["a", "b"]) expect(root.status(name)).toMatchObject({ state: "succeeded" });
    expect(next.stderr()).toBe("");
  });

  it("does not stop a manager that was started by nohup", async (context) => {
    const root = await makeJobRoot();
    const terminal = await openTerminal(context, root);
    const line = `${process.execPath} ${PROGRAM} --root ${root.path} -e LocalEngine -p 0.1 --settle 0`;
    terminal.run(`nohup ${line} >${root.ledger}.out 2>&1 &`);
    const owner = join(root.path, ".jobmgr/lock/owner.json");
    await waitUntil("it manages the root", () => readFileSync(`${root.ledger}.out`, "utf8").includes("Watching"));
    const { pid, start } = JSON.parse(readFileSync(owner, "utf8"));
    onTestFinished(() => {
      if (isAlive(pid, start)) process.kill(pid, "SIGKILL");
    });
    const shell = Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
    const shellStart = startOf(shell) ?? "";
    terminal.close();
    await waitUntil("the shell has gone", () => !isAlive(shell, shellStart));
    process.kill(pid, "SIGHUP");
    root.dropLedger("a");
    await root.completed("a");
    expect(isAlive(pid, start)).toBe(true);
    process.kill(pid, "SIGTERM");
    await waitUntil("it has gone", () => !isAlive(pid, start));
  });
});

describe("a signal", () => {
  it.each([
    ["SIGTERM", 143],
    ["SIGHUP", 129],
    ["SIGINT", 130],
  ] as const)("%s stops the manager with code %i, and leaves the job running and no lock", async (signal, code) => {
    const root = await makeJobRoot();
    const manager = root.manage();
    root.dropGated("a");
    await waitUntil("it is told to run", () => manager.stdout().includes("started  a"));
    manager.signal(signal);
    expect(await manager.ended).toBe(code);
    expect(manager.stdout()).toMatch(/\nStopped\. 1 job goes on; start jobmgr again to collect the results\.\n$/);
    expect(root.exists(".jobmgr/lock")).toBe(false);
    await waitUntil("the jobs run", () => isDeepStrictEqual(runningJobs(root), ["a"]));
    root.openGate();
    root.manage();
    await root.completed("a");
    expect(root.runs()).toEqual(["a"]);
  });

  it("USR1 makes it look at once, however long it would have slept", async () => {
    const root = await makeJobRoot();
    const manager = root.manage(["-p", "3600"]);
    root.drop("a", { "job.sh": "true", job_hold: "" });
    const why = () =>
      root.exists(".jobmgr/manager.json") ? JSON.parse(root.read(".jobmgr/manager.json")).reasons.a : "";
    await waitUntil("it was looked at, and is held", () => /held/.test(why() ?? ""));
    // Inside of a folder nobody watches, so that only a look can find this.
    rmSync(join(root.path, "inbox", "a", "job_hold"));
    manager.signal("SIGUSR1");
    await root.completed("a");
    expect(manager.process.exitCode).toBeNull();
  });
});
