/** `jobmgr service`: what it prints is really run here, as each of them would run it. */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished, type TestContext } from "vitest";
import { startOf } from "../../engines/process.ts";
import { jobmgr, makeFolder, makeRoot, PROGRAM, runToEnd, type TestRoot, waitUntil } from "../harness.ts";
import { need } from "../real/surroundings.ts";
import { transcript, type Where } from "./transcript.ts";

const LOCAL = ["-e", "LocalEngine", "--settle", "0"];

/** A root whose name is all that a shell, cron or systemd could take for something else. */
async function makeOddRoot(): Promise<TestRoot> {
  const root = await makeRoot();
  const path = join(dirname(root.path), `it's 50%h of $HOME; "a" & b*`);
  renameSync(root.path, path);
  return { ...root, path, exists: (name) => existsSync(join(path, name)) };
}

function drop(root: TestRoot, name: string): void {
  const staging = join(dirname(root.path), "staging");
  mkdirSync(staging);
  writeFileSync(join(staging, "job.sh"), "echo done > here\n");
  renameSync(staging, join(root.path, "inbox", name));
}

async function printed(root: TestRoot, kind: string, args: readonly string[] = LOCAL, env: NodeJS.ProcessEnv = {}) {
  const { code, stdout } = await jobmgr(["-r", root.path, "service", kind, ...args], { env });
  expect(code).toBe(0);
  return stdout;
}

it.each<Where>(["terminal", "pipes"])("service, on %s", async (where) => {
  const root = await makeRoot("/tmp");
  writeFileSync(join(root.path, "jobmgr.toml"), 'engine = "LocalEngine"\nmax-jobs = 3\n');
  const env = { HOME: "/home/ada", XDG_CONFIG_HOME: "", JOBMGR_PERIOD: "5", SLURM_CONF: "", SLURM_CLUSTERS: "" };
  const calls = [
    ["service", "systemd", "-m", "7"],
    ["service", "cron", "--allow-owner", "ada", "--no-group-writable"],
    ["service", "scrontab", "--log-file", "/var/log/x", "--notify-url", "https://x.example/SECRET"],
    ["service", "tmux", "--engine-arg=--account=bio"],
    ["service", "cron", "--install"],
    ["service", "corn"],
  ];
  const text = await transcript(root, where, calls, env);
  const program = text
    .replaceAll(process.execPath, "NODE")
    .replaceAll(PROGRAM, "JOBMGR")
    .replace(/for the root [0-9a-f]{16}/, "for the root HASH");
  await expect(program).toMatchFileSnapshot(`golden/service-${where}.txt`);
});

it("a service is printed for a root only", async () => {
  const folder = makeFolder();
  expect(await jobmgr(["-r", folder, "service", "cron"])).toMatchObject({
    code: 78,
    stdout: "",
    stderr: expect.stringContaining("was never set up"),
  });
});

it("the environment's options and Slurm's own go along; those of files stay where they are", async () => {
  const root = await makeRoot();
  writeFileSync(join(root.path, "jobmgr.toml"), "max-jobs = 3\n");
  const env = { JOBMGR_MAX_PENDING: "9", SLURM_CONF: "/etc/a b.conf", JOBMGR_LOG_FILE: "~/x.log", HOME: "/home/ada" };
  const text = await printed(root, "scrontab", [], env);
  expect(text).toContain("env 'SLURM_CONF=/etc/a b.conf' ");
  expect(text).toContain(" --max-pending 9 --log-file /home/ada/x.log --once");
  expect(text).not.toContain("max-jobs");
});

it("whoever does not name the engine that the last manager had is told so", async () => {
  const root = await makeRoot();
  await jobmgr(["-r", root.path, ...LOCAL, "--once"]);
  const told = async (...args: readonly string[]) =>
    (await jobmgr(["-r", root.path, "service", "tmux", ...args])).stderr;
  expect(await told()).toBe(
    "The last manager here ran jobs with LocalEngine, this one will with SlurmEngine. For the other one: jobmgr service tmux -e LocalEngine\n",
  );
  for (const engine of ["local", "slurm"]) expect(await told("-e", engine)).toBe("");
});

describe("cron", () => {
  /** As cron does: takes the backslash from "\%", ends the line at a bare "%", and hands it to sh with next to no environment. */
  async function asCron(text: string, home: string) {
    const [line = ""] = text.split("\n").filter((one) => one !== "" && !one.startsWith("#"));
    const [, times, command = ""] = /^((?:\S+ ){5})(.*)$/.exec(line) ?? [];
    expect(times).toBe("*/2 * * * * ");
    const seen = command.replace(/(?<!\\)%.*$/s, "").replaceAll("\\%", "%");
    return runToEnd("env", [
      "-i",
      `HOME=${home}`,
      "LOGNAME=ada",
      "PATH=/usr/bin:/bin",
      "SHELL=/bin/sh",
      "/bin/sh",
      "-c",
      seen,
    ]);
  }

  it("runs a pass, which says nothing and keeps a log", async () => {
    const root = await makeOddRoot();
    drop(root, "a");
    const line = await printed(root, "cron");
    const home = makeFolder();
    for (let pass = 0; pass < 40 && !root.exists("complete/a/here"); pass++)
      expect(await asCron(line, home)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(root.exists("complete/a/here")).toBe(true);
    expect(readFileSync(join(root.path, "jobmgr.log"), "utf8")).toContain("finished a: succeeded");
  });

  it("is silent when another manager has the root, and tells what is wrong with the root", async () => {
    const root = await makeOddRoot();
    const line = await printed(root, "cron");
    const home = makeFolder();
    const own = join(root.path, ".jobmgr", "lock");
    mkdirSync(own);
    const owner = { uuid: "u", host: "elsewhere", boot: "b", pid: 1, start: "1", user: "ada", since: "now" };
    writeFileSync(join(own, "owner.json"), JSON.stringify(owner));
    writeFileSync(join(own, "heartbeat"), "");
    expect(await asCron(line, home)).toEqual({ code: 0, stdout: "", stderr: "" });
    renameSync(join(root.path, "pending"), join(root.path, "gone"));
    expect((await asCron(line, home)).stdout).toMatch(/pending is missing/);
  });

  it("cannot carry some names, and says so", async () => {
    const root = await makeRoot();
    const path = join(dirname(root.path), "back\\slash");
    renameSync(root.path, path);
    for (const kind of ["cron", "scrontab"])
      expect(await jobmgr(["-r", path, "service", kind])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("reach it through a link"),
      });
  });
});

describe("tmux", () => {
  it("starts the manager in a session", async (context) => {
    need(context, "tmux");
    const root = await makeOddRoot();
    drop(root, "a");
    const folder = makeFolder();
    const text = await printed(root, "tmux", [...LOCAL, "-p", "0.1"]);
    const tmux = `tmux() { command tmux -S '${folder}/socket' -f /dev/null "$@"; }`;
    const started = await runToEnd("sh", ["-c", `${tmux}\n${text}\ntmux display-message -p '#{pid}'`], {
      env: { TMUX: "" },
    });
    const server = Number(started.stdout);
    onTestFinished(() => {
      if (startOf(server) !== undefined) process.kill(server, "SIGTERM");
    });
    expect(started).toMatchObject({ code: 0, stderr: "" });
    await waitUntil("the job has run", () => root.exists("complete/a/here"));
    const shown = await runToEnd("sh", ["-c", `${tmux}\ntmux ls -F '#{session_name}'`]);
    expect(shown.stdout).toBe("jobmgr-it-s-50-h-of-HOME-a-b\n");
    const manager = JSON.parse(readFileSync(join(root.path, ".jobmgr/lock/owner.json"), "utf8")).pid;
    process.kill(manager, "SIGTERM");
    await waitUntil("the manager has left", () => !root.exists(".jobmgr/lock"));
  });
});

describe("systemd", () => {
  /** The words of ExecStart by systemd's rules (systemd.syntax(7), systemd.service(5)), as far as they are used. */
  function execWords(unit: string): string[] {
    const [, line = ""] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
    const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) =>
      quoted === undefined
        ? (plain ?? "")
        : quoted.replace(/\\(x[0-9a-f]{2}|.)/g, (_, sign: string) =>
            sign.length > 1 ? String.fromCharCode(Number.parseInt(sign.slice(1), 16)) : sign,
          ),
    );
    for (const word of words) expect(word.replaceAll("%%", "").replaceAll("$$", "")).not.toMatch(/[%$]/);
    return words.map((word) => word.replaceAll("%%", "%").replaceAll("$$", "$"));
  }

  it("takes the unit without a complaint, and runs the very words", async (context) => {
    need(context, "systemd-analyze");
    const root = await makeOddRoot();
    drop(root, "a");
    const unit = await printed(root, "systemd");
    const folder = makeFolder();
    const path = join(folder, "jobmgr-x.service");
    writeFileSync(path, unit);
    const env = { XDG_RUNTIME_DIR: folder };
    const verified = await runToEnd("systemd-analyze", ["verify", "--user", path], { env });
    expect(verified).toEqual({ code: 0, stdout: "", stderr: "" });
    const [program = "", ...words] = execWords(unit);
    expect(words.slice(2, 6)).toEqual([process.execPath, PROGRAM, "--root", root.path]);
    await runToEnd(program, [...words, "--once"]);
    expect(root.exists("pending/a") || root.exists("complete/a")).toBe(true);
  });

  /** A systemctl that notes what it is told. */
  function fakeSystemctl(
    context: TestContext,
    works: boolean,
  ): { env: NodeJS.ProcessEnv; told: () => string; home: string } {
    need(context, "sh");
    const folder = makeFolder();
    const told = join(folder, "told");
    writeFileSync(told, "");
    writeFileSync(join(folder, "systemctl"), `#!/bin/sh\necho "$*" >> '${told}'\n${works ? "exit 0" : "exit 1"}\n`);
    writeFileSync(join(folder, "loginctl"), "#!/bin/sh\necho Linger=yes\n");
    for (const program of ["systemctl", "loginctl"]) chmodSync(join(folder, program), 0o755);
    const home = makeFolder();
    const env = { PATH: `${folder}:${process.env.PATH}`, HOME: home, XDG_CONFIG_HOME: "" };
    return { env, told: () => readFileSync(told, "utf8"), home };
  }

  it("gets its unit by --install, is told of it, and is told anew only after a yes", async (context) => {
    const root = await makeRoot();
    const { env, told, home } = fakeSystemctl(context, true);
    const install = (...args: string[]) =>
      jobmgr(["-r", root.path, "service", "systemd", "--install", ...args], { env });
    const path = join(home, ".config/systemd/user/jobmgr-root.service");
    expect(await install()).toMatchObject({
      code: 0,
      stdout: "",
      stderr: expect.stringMatching(/^Made: .*\n(Done: .*\n){2}Lingering is on/),
    });
    expect(told()).toBe("--user show-environment\n--user daemon-reload\n--user enable --now jobmgr-root.service\n");
    const before = readFileSync(path, "utf8");
    expect((await install()).stderr).toContain("nothing was changed");
    expect(await install("-p", "7")).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") });
    expect(readFileSync(path, "utf8")).toBe(before);
    expect(await install("-p", "7", "--yes")).toMatchObject({ code: 0 });
    expect(readFileSync(path, "utf8")).toContain("--period 7");
    expect(told()).toContain("--user restart jobmgr-root.service\n");
  });

  it("says what to do by hand where systemd does not look after the user", async (context) => {
    const root = await makeRoot();
    const { env, told } = fakeSystemctl(context, false);
    const { code, stderr } = await jobmgr(["-r", root.path, "service", "systemd", "--install"], { env });
    expect(stderr).toContain(
      "Where it does:\n  systemctl --user daemon-reload\n  systemctl --user enable --now jobmgr-root.service\n",
    );
    expect({ code, told: told() }).toEqual({ code: 0, told: "--user show-environment\n" });
  });

  it("keeps two roots of one name apart, and never writes over a unit of somebody else's", async (context) => {
    const [one, other, third] = [await makeRoot(), await makeRoot(), await makeRoot()];
    const { env, home } = fakeSystemctl(context, false);
    const install = (root: TestRoot) => jobmgr(["-r", root.path, "service", "systemd", "--install"], { env });
    for (const root of [one, other, one]) expect((await install(root)).code).toBe(0);
    const folder = join(home, ".config/systemd/user");
    expect(readFileSync(join(folder, "jobmgr-root.service"), "utf8")).toContain(one.path);
    expect(readFileSync(join(folder, "jobmgr-root-2.service"), "utf8")).toContain(other.path);
    symlinkSync("/etc/passwd", join(folder, "jobmgr-root-3.service"));
    expect(await install(third)).toMatchObject({ code: 78, stderr: expect.stringContaining("not written by jobmgr") });
  });
});
