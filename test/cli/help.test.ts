/** The command line as a person meets it: help, versions, wrong options, roots that cannot be used, status. */
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { OPTIONS, type Option } from "../../src/config/options.ts";
import { FAST, isSuperuser, jobmgr, makeFolder, makeRoot, PROGRAM, runToEnd, waitUntil } from "../harness.ts";

const ALL: readonly Option[] = Object.values(OPTIONS);
const NOBODY = 65534;

describe("--help", () => {
  it("lists each option with its sentence, default, unit and range", async () => {
    const { code, stdout } = await jobmgr(["--help"], { env: { COLUMNS: "300" } });
    expect(code).toBe(0);
    const text = stdout.replace(/\s+/g, " ");
    for (const option of ALL) {
      expect(text).toContain(option.flags);
      expect(text).toContain(option.help);
      if (option.type !== "number") continue;
      const preset = option.shown ?? `${option.default}${option.unit === "s" ? " s" : ""}`;
      expect(text).toContain(`(default ${preset}; ${option.min} to ${option.max})`);
    }
  });

  it("begins with what it does and examples, and ends with the exit codes", async () => {
    const { stdout } = await jobmgr(["-h"]);
    expect(stdout).toMatch(/^jobmgr runs the job folders[\s\S]{1,100}\n\nExamples:\n {2}jobmgr --root ~\/jobs --setup/);
    for (const code of ["0 ok", "2 wrong usage", "69", "75", "78"]) expect(stdout.slice(-300)).toContain(code);
  });

  it("fits a terminal of 80 columns", async () => {
    const { stdout } = await jobmgr(["--help"], { env: { COLUMNS: "80" } });
    const long = stdout.split("\n").filter((line) => line.length > 80 && !line.startsWith("Exit codes"));
    expect(long).toEqual([]);
  });

  it("of status tells its own options", async () => {
    const { code, stdout } = await jobmgr(["status", "--help"]);
    expect(code).toBe(0);
    for (const flag of ["--json", "--all", "--root"]) expect(stdout).toContain(flag);
  });
});

describe("a general option with a verb", () => {
  it.each([
    ["behind it", ["status", "-p", "2"], /status takes no --period\. Who takes it: .*without a command.*doctor/],
    ["before it", ["-e", "X", "status"], /status takes no --engine\. Who takes it: .*check, doctor/],
    ["as a switch", ["pause", "--no-allow-shared"], /pause takes no --allow-shared\./],
    ["several", ["-M", "3", "wait", "x", "-l", "warn"], /no --max-jobs\.[^\n]*\njobmgr: wait takes no --log-level\./],
  ])("that it does not use is told, and who uses it: %s", async (_, args, sentence) => {
    const root = await makeRoot();
    const { code, stderr, stdout } = await jobmgr(["--root", root.path, ...args]);
    expect(stderr).toMatch(sentence);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  it("from a file or the environment is for all verbs, and none of them minds", async () => {
    const root = await makeRoot();
    writeFileSync(join(root.path, "jobmgr.toml"), "max-jobs = 3\n");
    const { code } = await jobmgr(["status"], { env: { JOBMGR_ROOT: root.path, JOBMGR_PERIOD: "3" } });
    expect(code).toBe(0);
  });

  it("may stand before the verb and behind it: the last one counts, and lists are joined", async () => {
    const root = await makeRoot();
    const args = ["-r", "/nowhere", "--engine-arg=-A", "-p", "3", "config", "--json"];
    const { stdout } = await jobmgr([...args, "-p", "4", "--root", root.path, "--engine-arg", "-p"]);
    const { root: path, period, "engine-arg": list } = JSON.parse(stdout).options;
    expect([path.value, period.value, list.value]).toEqual([root.path, "4", ["-A", "-p"]]);
  });
});

describe("jobmgr help", () => {
  it.each([["cancel"], []])("%s is the same as with --help", async (...verb) => {
    const help = await jobmgr([...verb, "--help"]);
    expect(await jobmgr(["help", ...verb])).toEqual(help);
    expect(await jobmgr(["--root", "/nonexistent", "help", ...verb])).toEqual(help);
  });

  it("refuses a command that there is not", async () => {
    const { code, stderr } = await jobmgr(["help", "cancle"]);
    expect(code).toBe(2);
    expect(stderr).toContain('There is no command "cancle". Did you mean cancel?');
  });
});

describe("--version", () => {
  it("is that of the package", async () => {
    const text = readFileSync(resolve(import.meta.dirname, "../../package.json"), "utf8");
    for (const flag of ["--version", "-V"])
      expect(await jobmgr([flag])).toMatchObject({ code: 0, stdout: `${JSON.parse(text).version}\n` });
  });
});

describe("wrong usage ends with 2 and a hint, and does nothing", () => {
  it.each<[string, string[], RegExp]>([
    ["an unknown option", ["--maxjobs", "3"], /unknown option '--maxjobs'[\s\S]*--max-jobs/],
    ["an unknown short option", ["-z"], /unknown option '-z'/],
    ["a command that does not exist", ["stauts"], /no command "stauts".*status/],
    [
      "several words",
      ["--notify-on", "end", "failure", "batch"],
      /"failure"\. If it belongs to --notify-on, repeat that: --notify-on failure\./,
    ],
    ["a value out of range", ["-p", "0"], /--period 0: .*from 0\.1 to 86400 seconds/],
    ["a negative value", ["-d", "-1"], /--delay -1: .*from 0 to 3600 seconds/],
    ["a fraction where whole numbers belong", ["-M", "1.5"], /--max-jobs 1\.5: .*whole number/],
    ["text where a number belongs", ["--settle", "soon"], /--settle soon: .*a number from 0 to 86400/],
    ["an option without its value", ["--root"], /argument missing/],
    ["a word that is no choice", ["-l", "loud"], /--log-level loud: .*error, warn, info, debug/],
    ["an unknown engine", ["-e", "NoEngine"], /no engine "NoEngine".*SlurmEngine/],
    [
      "an unknown user",
      ["-e", "LocalEngine", "--allow-owner", "no-such-user"],
      /--allow-owner no-such-user.*no such user/,
    ],
    ["a path where a name belongs", ["--ready-file", "a/b"], /--ready-file a\/b: .*name of a file/],
  ])("%s", async (_, args, sentence) => {
    const root = await makeRoot();
    root.drop("a", "true\n");
    const { code, stderr, stdout } = await jobmgr(["--root", root.path, "--once", "--settle", "0", ...args]);
    expect(stderr).toMatch(sentence);
    expect(stderr).toContain("See jobmgr --help.");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(root.names("inbox")).toEqual(["a"]);
  });
});

describe("words that a verb does not know what to do with", () => {
  it.each<[string, string[], RegExp]>([
    ["one too many", ["pause", "now"], /too many arguments for 'pause'/],
    ["a second name where one belongs", ["explain", "a", "b"], /too many arguments for 'explain'/],
    ["an empty name", ["remove", "--yes", ""], /an empty name, "", was given/],
    ["an option that is empty", ["submit", "--name", "", "--", "true"], /--name: it needs a value/],
    ["what is done without a verb", ["status", "--setup"], /--setup and status do not go together/],
    ["an option of another verb", ["hold", "--older-than", "1d", "a"], /unknown option '--older-than'/],
  ])("%s: ends with 2, does nothing, and leads to the help of the verb", async (_, args, sentence) => {
    const root = await makeRoot();
    root.drop("a", "true\n");
    const { code, stderr, stdout } = await jobmgr(["--root", root.path, ...args]);
    expect(stderr).toMatch(sentence);
    expect(stderr).toMatch(/^jobmgr: .*\nSee jobmgr (\w+) --help\.\n$/);
    expect(stderr).toContain(`See jobmgr ${args[0]} --help.`);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(root.names("inbox")).toEqual(["a"]);
    expect(root.exists("pause")).toBe(false);
  });
});

describe("engines", () => {
  it("SlurmEngine is the default, and says in one sentence that there is no sbatch, and what to do", async () => {
    const root = await makeRoot();
    const empty = makeFolder();
    const { code, stderr, stdout } = await jobmgr(["--root", root.path], { env: { PATH: empty } });
    expect(stderr).toMatch(/^jobmgr: There is no sbatch on this machine.*-e LocalEngine\n$/);
    expect({ code, stdout }).toEqual({ code: 69, stdout: "" });
    expect(readdirSync(join(root.path, ".jobmgr"))).toEqual(["root.json"]);
  });

  it.each([
    ["-e", "engines.LocalEngine", "-p2"],
    ["--engine=local", "--period=2"],
    ["-eLocalEngine", "-p", "2"],
  ])("%s %s is taken", async (...args) => {
    const root = await makeRoot();
    root.dropLedger("a");
    const { code } = await jobmgr(["--root", root.path, "--settle", "0", "--once", ...args]);
    expect(code).toBe(0);
    expect([...root.names("pending"), ...root.names("complete")]).toEqual(["a"]);
    const own = join(root.path, "pending/a/.jobmgr");
    const hasEnded = () => !existsSync(own) || readdirSync(own).some((one) => existsSync(join(own, one, "exit")));
    await waitUntil("the job has ended, which would write into a folder that is being removed", hasEnded);
  });
});

describe("a root that cannot be used ends with 78 and with what to do", () => {
  it("one that does not exist", async () => {
    const path = join(makeFolder(), "absent");
    const { code, stderr } = await jobmgr(["--root", path, ...FAST]);
    expect(stderr).toBe(`jobmgr: ${path} does not exist. To make it a root: jobmgr --root ${path} --setup\n`);
    expect(code).toBe(78);
    expect(existsSync(path)).toBe(false);
  });

  it("an empty folder, as an unmounted file system shows, and nothing is made in it", async () => {
    const path = makeFolder();
    for (const args of [[...FAST], ["status"]]) {
      const { code, stderr } = await jobmgr(["--root", path, ...args]);
      expect(stderr).toContain("is empty and was never set up, or its file system is not mounted");
      expect(code).toBe(78);
    }
    expect(readdirSync(path)).toEqual([]);
  });

  it("a folder with something else in it", async () => {
    const path = makeFolder();
    writeFileSync(join(path, "thesis.txt"), "");
    const { code, stderr } = await jobmgr(["--root", path, ...FAST]);
    expect(stderr).toContain("was never set up as a root. To do so: jobmgr --root");
    expect(code).toBe(78);
    expect(readdirSync(path)).toEqual(["thesis.txt"]);
  });

  it("on a terminal in lines that fit, with the command in one", async () => {
    const path = join(makeFolder(), "absent");
    const command = `'${process.execPath}' '${PROGRAM}' --root '${path}' status`;
    const { stdout } = await runToEnd("script", ["-qec", command, "/dev/null"], { env: { COLUMNS: "80" } });
    expect(stdout.replaceAll("\r", "")).toBe(
      `jobmgr: ${path} does not exist. To make it a root:\n  jobmgr --root ${path} --setup\n`,
    );
  });

  it("one below a file", async () => {
    const file = join(makeFolder(), "file");
    writeFileSync(file, "");
    const { code, stderr } = await jobmgr(["--root", join(file, "root"), "--setup"]);
    expect(stderr).toMatch(/^jobmgr: ENOTDIR.* is a file, and no folder: give another path\.\n$/);
    expect(code).toBe(78);
  });

  it("one that this user may not write to", async ({ skip }) => {
    if (!isSuperuser) skip("only root can become another user");
    const root = await makeRoot();
    for (const path of [join(root.path, ".."), root.path]) chmodSync(path, 0o755);
    const { code, stderr } = await jobmgr(["--root", root.path, ...FAST], { uid: NOBODY });
    expect(stderr).toMatch(
      /^jobmgr: Nothing can be written to .*: this user may not write there\. .* start it as that one\.\n$/,
    );
    expect(code).toBe(78);
  });

  it("one that this user may not even enter", async ({ skip }) => {
    if (!isSuperuser) skip("only root can become another user");
    const root = await makeRoot();
    const { code, stderr } = await jobmgr(["--root", root.path, ...FAST], { uid: NOBODY });
    expect(stderr).toMatch(/^jobmgr: .*permission denied.*\n$/);
    expect(code).toBe(78);
  });

  it("one that belongs to another user, who has closed its inbox", async ({ skip }) => {
    if (!isSuperuser) skip("only root can become another user");
    const root = await makeRoot();
    for (const path of [join(root.path, ".."), root.path, join(root.path, ".jobmgr")]) chmodSync(path, 0o755);
    chownSync(join(root.path, ".jobmgr"), NOBODY, NOBODY);
    chmodSync(join(root.path, "inbox"), 0o700);
    const manager = await jobmgr(["--root", root.path, ...FAST, "--once"], { uid: NOBODY });
    expect(manager.stderr).toMatch(/cannot be read.*permission denied/);
  });
});

describe("--setup", () => {
  it("makes a root, says what it made and what to do next, and changes nothing the second time", async () => {
    const path = join(makeFolder(), "root");
    const first = await jobmgr(["--root", path, "--setup"]);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    for (const name of ["inbox", "pending", "complete", ".jobmgr/root.json"]) {
      expect(first.stdout).toContain(join(path, name));
      expect(existsSync(join(path, name))).toBe(true);
    }
    expect(first.stdout).toContain(`jobmgr --root ${path} -e LocalEngine`);
    const identity = readFileSync(join(path, ".jobmgr/root.json"), "utf8");
    const second = await jobmgr(["-r", path, "-s"]);
    expect(second).toMatchObject({ code: 0, stderr: "" });
    expect(second.stdout).toContain("is a root already; nothing was changed");
    expect(readFileSync(join(path, ".jobmgr/root.json"), "utf8")).toBe(identity);
  });

  it("mends a root, and keeps what lies in it", async () => {
    const root = await makeRoot();
    root.drop("a", "true\n");
    rmSync(join(root.path, "complete"), { recursive: true });
    const { stdout } = await jobmgr(["--root", root.path, "--setup"]);
    expect(stdout).toContain(`Made a root in ${root.path}:\n  ${root.path}/complete\n\n`);
    expect(root.names("inbox")).toEqual(["a"]);
  });

  it("makes nothing where the parent folder is missing", async () => {
    const folder = makeFolder();
    const { code, stderr } = await jobmgr(["--root", join(folder, "a/b"), "--setup"]);
    expect(stderr).toContain(`${folder}/a does not exist`);
    expect(code).toBe(78);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("status", () => {
  it("as a table fits 80 columns", async () => {
    const root = await makeRoot();
    for (const name of ["n".repeat(255), "\u{1f600}".repeat(60), "short", "new\nline"]) root.drop(name, { data: "" });
    expect((await jobmgr(["--root", root.path, ...FAST, "--once"])).code).toBe(0);
    const { code, stdout } = await jobmgr(["--root", root.path, "status"], { env: { COLUMNS: "80" } });
    expect(code).toBe(0);
    const table = stdout.split("\n").slice(2, -3);
    expect(table).toHaveLength(5);
    for (const line of table) expect([...line].length, line).toBeLessThanOrEqual(80);
    expect(table.join("\n")).toContain("it has no job.sh yet");
    expect(table.join("\n")).toContain("new\\x0aline");
  });

  it("as JSON has a schema, and is one value", async () => {
    const root = await makeRoot();
    root.drop("a", { data: "" });
    for (const args of [
      ["--root", root.path, "status", "--json"],
      ["status", "--json", "--root", root.path],
    ]) {
      const { code, stdout, stderr } = await jobmgr(args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(JSON.parse(stdout)).toMatchObject({
        schema: 1,
        root: root.path,
        counts: { waiting: 1, pending: 0, complete: 0 },
        jobs: [{ name: "a", place: "inbox", state: "waiting" }],
      });
    }
  });

  it("works while a manager runs, and tells who it is", async () => {
    const root = await makeRoot();
    const manager = root.manage();
    root.dropLedger("a");
    await root.completed("a");
    const { stdout } = await jobmgr(["--root", root.path, "status", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      manager: { pid: manager.pid, engine: "LocalEngine" },
      jobs: [{ name: "a", place: "complete", state: "succeeded", exitCode: 0 }],
    });
  });

  it("has no colour off a terminal, and colour when it is asked for", async () => {
    const root = await makeRoot();
    root.drop("a", "exit 1\n");
    root.manage();
    await root.completed("a");
    const ESC = String.fromCharCode(27);
    expect((await jobmgr(["--root", root.path, "status"], { env: { FORCE_COLOR: "" } })).stdout).not.toContain(ESC);
    const { stdout } = await jobmgr(["--root", root.path, "status", "--color", "always"]);
    expect(stdout).toContain(`${ESC}[31mfailed`);
  });

  it("of 10,000 folders is shown whole", async () => {
    const root = await makeRoot();
    for (let i = 0; i < 10_000; i++) mkdirSync(join(root.path, i % 2 ? "inbox" : "complete", `job-${i}`));
    const { code, stdout } = await jobmgr(["--root", root.path, "status", "--json", "--all"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).jobs).toHaveLength(10_000);
    const table = await jobmgr(["--root", root.path, "status"]);
    expect(table.stdout).toContain(
      "5000 waiting, 0 pending, 5000 complete. Not shown: 4980 waiting, 4990 complete (--all).",
    );
  });

  it("ends quietly when its reader leaves early", async () => {
    const root = await makeRoot();
    for (let i = 0; i < 3000; i++) mkdirSync(join(root.path, "inbox", `job-${i}`));
    const line = `'${process.execPath}' '${PROGRAM}' --root '${root.path}' status | head -1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await runToEnd("bash", ["-c", line]);
    expect(stdout).toMatch(/no manager is running.*\n0\n$/);
    expect(stderr).toBe("");
  });
});
