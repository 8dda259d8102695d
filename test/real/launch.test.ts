/** `jobmgr launch` with real launchers: Open MPI, MPICH, and plain copies. Slurm's is in slurm-launch.test.ts. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, type TestContext } from "vitest";
import { findByCommand } from "../../engines/process.ts";
import { quoted } from "../../src/runner.ts";
import { jobmgr, makeFolder, PROGRAM, start, waitUntil } from "../harness.ts";
import { openScreen } from "../tmux.ts";
import { makeWitness, mpi, ODD, shown } from "./launchers.ts";

type Backend = "openmpi" | "mpich" | "local";
const BACKENDS: readonly Backend[] = ["openmpi", "mpich", "local"];

const environment = (context: TestContext, backend: Backend) => (backend === "local" ? {} : mpi(context, backend));
const nameOf = (backend: Backend) => (backend === "local" ? "local" : "mpi");
const sorted = (text: string) => text.split("\n").filter(Boolean).sort();

describe.each(BACKENDS)("with %s", (backend) => {
  const launch = (context: TestContext, args: readonly string[], input = "") =>
    jobmgr(["launch", "--backend", nameOf(backend), ...args], { env: environment(context, backend), input });

  it("a program runs so many times", async (context) => {
    const { code, stdout } = await launch(context, ["-n", "4", "echo", "Hello, world!"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "Hello, world!\n".repeat(4) });
  });

  it("odd arguments of an odd program reach it as they are", async (context) => {
    const { oddPath } = makeWitness();
    const { code, stdout } = await launch(context, ["-n", "1", oddPath, "show", ...ODD]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${shown(ODD)}\n` });
  });

  it("several programs run together, each with ranks and a label of its own", async (context) => {
    const rank = "$OMPI_COMM_WORLD_RANK$PMI_RANK$RANK";
    const programs = ["-n", "1", "sh", "-c", `echo first ${rank}`, ":", "-np", "2", "sh", "-c", `echo second ${rank}`];
    const { code, stdout } = await launch(context, ["--label", ...programs]);
    expect(code).toBe(0);
    const labels = { openmpi: "[1,N]<stdout>:", mpich: "[N] ", local: "N: " };
    const line = (at: number, text: string) => `${labels[backend].replace("N", String(at))}${text} ${at}`;
    expect(sorted(stdout)).toEqual([line(0, "first"), line(1, "second"), line(2, "second")].sort());
  });

  it("the exit code is the program's", async (context) => {
    expect((await launch(context, ["-n", "2", "sh", "-c", "exit 7"])).code).toBe(7);
  });

  it.for(["SIGTERM", "SIGINT"] as const)("%s reaches all, and nothing is left", async (signal, context) => {
    const witness = makeWitness();
    const env = environment(context, backend);
    const args = [PROGRAM, "launch", "--backend", nameOf(backend), "-n", "2", witness.path, "stay"];
    const running = start(process.execPath, args, { env });
    await witness.up(2);
    running.signal(signal);
    const code = await running.ended;
    // Open MPI makes TERM of it and ends with 1, and one that it has asked to end may be killed when the other has ended.
    // MPICH, interrupted soon after its start, now and then ends with 0.
    if (backend === "local") expect(code).toBe(9);
    else expect([0, 1, 9]).toContain(code);
    expect(witness.notes().filter((note) => note !== "up").length).toBeGreaterThanOrEqual(
      backend === "openmpi" ? 1 : 2,
    );
    await witness.gone();
  });

  it("a second signal ends those that are deaf to the first", async (context) => {
    const witness = makeWitness();
    const args = [PROGRAM, "launch", "--backend", nameOf(backend), "-n", "2", witness.path, "deaf"];
    const running = start(process.execPath, args, { env: environment(context, backend) });
    await witness.up(2);
    running.signal("SIGINT");
    running.signal("SIGTERM");
    expect(await running.ended).not.toBe(0);
    await witness.gone();
  });

  it("Ctrl-C on a terminal reaches all, and the shell has its prompt again", async (context) => {
    const witness = makeWitness();
    const env = environment(context, backend);
    const call = [process.execPath, PROGRAM, "launch", "--backend", nameOf(backend), "-n", "2", witness.path, "stay"];
    const screen = openScreen(context, `bash -c ${quoted(`${call.map(quoted).join(" ")}; echo code=$?; read x`)}`, {
      env,
    });
    await witness.up(2);
    screen.press("C-c");
    await witness.gone();
    await expect.poll(() => screen.text()).toMatch(/code=(0|1|9)$/m);
  });
});

describe("on a terminal", () => {
  it.for(["ctrl-C", "kill"] as const)("INT by %s comes once to the launcher", async (way, context) => {
    // In place of a real one: it tells how often it is asked, and takes a while to end what it has started.
    const bin = makeFolder();
    const text = `#!/bin/bash
[ "$1" != --version ] || { echo 'HYDRA build details:'; exit; }
left=1000
trap 'echo INT >>"${bin}/noted"; left=15' INT
echo up >>"${bin}/noted"
while ((left-- > 0)); do sleep 0.05; done
`;
    writeFileSync(join(bin, "mpiexec"), text, { mode: 0o755 });
    const call = [process.execPath, PROGRAM, "launch", "--backend", "mpi", join(bin, "x")].map(quoted).join(" ");
    const screen = openScreen(context, `bash -c ${quoted(`${call}; echo code=$?; read x`)}`, {
      env: { PATH: `${bin}:${process.env.PATH}` },
    });
    const noted = () => (existsSync(join(bin, "noted")) ? readFileSync(join(bin, "noted"), "utf8").split("\n") : []);
    await waitUntil("it is up", () => noted()[0] === "up");
    if (way === "ctrl-C") screen.press("C-c");
    else process.kill(findByCommand(`${PROGRAM} launch --backend mpi ${bin}`)[0]?.pid ?? Number.NaN, "SIGINT");
    await expect.poll(() => screen.text()).toMatch(/code=\d+$/m);
    expect(noted()).toEqual(["up", "INT", ""]);
  });
});

describe("what is typed", () => {
  it.for<Backend>(["openmpi", "local"])("is read by the first process: %s", async (backend, context) => {
    const env = environment(context, backend);
    const args = ["launch", "--backend", nameOf(backend), "-n", "2", "cat"];
    expect(await jobmgr(args, { env, input: "hello\n" })).toMatchObject({ code: 0, stdout: "hello\n" });
  });
});

describe("copies on this machine", () => {
  const local = (...args: string[]) => jobmgr(["launch", "--backend", "local", ...args]);

  it("end with the highest code of all, and 128 + n after a signal", async () => {
    expect((await local("-n", "3", "sh", "-c", "exit $RANK")).code).toBe(2);
    expect((await local("-n", "2", "sh", "-c", "[ $RANK = 0 ] || kill -9 $$")).code).toBe(137);
  });

  it("that cannot be started end as a shell would have it, and say why", async () => {
    const absent = await local("no-such-program-here");
    expect(absent).toMatchObject({ code: 127, stderr: "jobmgr: there is no program no-such-program-here\n" });
    expect(await local("/etc/passwd")).toMatchObject({
      code: 126,
      stderr: expect.stringContaining("may not be executed"),
    });
  });

  it("that are deaf end with a jobmgr that is killed, as by an engine that knows its group alone", async () => {
    const witness = makeWitness();
    const args = [PROGRAM, "launch", "--backend", "local", "--label", "-n", "2", witness.path, "deaf"];
    const running = start(process.execPath, args);
    await waitUntil("jobmgr hears of both", () => sorted(running.stdout()).join() === "0: up,1: up");
    running.signal("SIGKILL");
    await witness.gone();
  });

  it("have their lines whole, each with its label, also the last one without an end", async () => {
    const script = "for i in $(seq 200); do echo $RANK $i; done; printf 'end %s' $RANK; echo oops >&2";
    const { stdout, stderr } = await local("--label", "-n", "3", "sh", "-c", script);
    const lines = stdout.split("\n").filter(Boolean);
    expect(lines).toHaveLength(603);
    for (const line of lines) expect(line).toMatch(/^(\d): (\1 \d+|end \1)$/);
    expect(sorted(stderr)).toEqual(["0: oops", "1: oops", "2: oops"]);
  });
});

describe("which launcher", () => {
  it("is mpiexec where it is on the PATH, and copies where it is not", async (context) => {
    const empty = makeFolder();
    const here = { PATH: empty, SLURM_JOB_ID: "" };
    const args = ["launch", "--dry-run", "-n", "1", "echo"];
    expect((await jobmgr(args, { env: here })).stdout).toBe("RANK=0 SIZE=1 echo\n");
    expect((await jobmgr(args, { env: { ...mpi(context, "mpich"), SLURM_JOB_ID: "" } })).stdout).toBe(
      "mpiexec -n 1 echo\n",
    );
  });

  it("that is not here ends with 69 and says what to do", async () => {
    const { code, stderr } = await jobmgr(["launch", "--backend", "mpi", "x"], { env: { PATH: makeFolder() } });
    expect(stderr).toBe(
      "jobmgr: There is no mpiexec on this machine, so that launcher mpi cannot start anything. On many clusters: module load; to start plain copies on this machine: --backend local\n",
    );
    expect(code).toBe(69);
  });

  it("comes from the configuration, its options too, with paths from there and the number of processes", async (context) => {
    const folder = makeFolder();
    const env = { ...mpi(context, "openmpi"), XDG_CONFIG_HOME: folder };
    mkdirSync(join(folder, "bin"));
    symlinkSync("/bin/echo", join(folder, "bin/run"));
    const text = [
      ["[launch]", 'backend = "site"', "[launch.site]", 'executable = "bin/run"', 'default-options = ["all=%(np)d"]'],
      ['preset-options = ["--"]', 'processes-flag = "--tasks=%(np)d"', "[launch.mpi]", 'default-options = ["--quiet"]'],
    ];
    writeFileSync(join(folder, "jobmgr.toml"), `${text.flat().join("\n")}\n`);
    const run = (...args: string[]) => jobmgr(["launch", ...args], { env });
    expect((await run("-n", "3", "a", "b")).stdout).toBe("all=3 --tasks=3 -- a b\n");
    expect((await run("--backend", "mpi", "-n", "2", "echo", "x")).stdout).toBe("x\nx\n");
    expect((await run("--backend", "mpi", "--dry-run", "echo")).stdout).toBe("mpiexec --quiet echo\n");
    const { stdout } = await jobmgr(["config", "--json"], { env });
    const { options } = JSON.parse(stdout);
    expect(options["launch.backend"]).toEqual({ value: "site", from: join(folder, "jobmgr.toml") });
    expect(options["launch.site.executable"].value).toBe(join(folder, "bin/run"));
  });
});

describe("a launch that cannot be", () => {
  it.each<[string, string[], RegExp]>([
    [
      "of an unknown launcher",
      ["--backend", "mp", "a"],
      /There is no launcher "mp"\. Did you mean mpi\?.*\[launch\.NAME\]/,
    ],
    ["of no program", ["--backend", "local", "-n", "2"], /missing required argument|a program is missing/],
    ["of no program behind a colon", ["--backend", "local", "a", ":"], /a program is missing/],
    ["of no number", ["--backend", "local", "-n", "x", "a"], /-n x: it must be a whole number from 1 on/],
    [
      "with an option of a launcher that has none",
      ["--backend", "local", "--exact", "true"],
      /--exact: copies of this/,
    ],
  ])("%s ends with 2 and leads to the help", async (_, args, sentence) => {
    const { code, stdout, stderr } = await jobmgr(["launch", ...args]);
    expect(stderr).toMatch(sentence);
    expect(stderr).toContain("See jobmgr launch --help.");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  it("for the program is taken for the value of an option is told so", async (context) => {
    const { code, stderr } = await jobmgr(["launch", "--strange", "cor", "ls"], { env: mpi(context, "openmpi") });
    expect(stderr).toContain(
      "There is no program cor. If it belongs to --strange, say so: --option --strange --option cor",
    );
    expect(code).toBe(2);
  });
});
