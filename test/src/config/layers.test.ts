/** The layers of configuration: which one wins, and what is said of a mistake in each. */
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { ConfigError, settingsOf } from "../../../src/config/config.ts";
import { layersOver } from "../../../src/config/layers.ts";
import { OPTIONS, type Option, type OptionName, type RawOptions, variableOf } from "../../../src/config/options.ts";
import { realDisk } from "../../../src/disk.ts";
import { setUpRoot } from "../../../src/root.ts";
import { isSuperuser, jobmgr, makeFolder, makeRoot } from "../../harness.ts";

let folder: string;
let rootPath: string;
const at = (name: string) => join(folder, name);

beforeEach(async () => {
  folder = makeFolder();
  rootPath = at("root");
  await setUpRoot(realDisk, rootPath);
  mkdirSync(at("home/.config"), { recursive: true });
});

const files = { root: "root/jobmgr.toml", user: "home/.config/jobmgr.toml", system: "system.toml" };
const write = (file: keyof typeof files, text: string) => writeFileSync(at(files[file]), text);
const layers = (flags: RawOptions = {}, env: NodeJS.ProcessEnv = {}, cwd = rootPath) =>
  layersOver(flags, {
    disk: realDisk,
    env: { HOME: at("home"), ...env },
    cwd,
    uid: process.getuid?.() ?? 0,
    systemFile: at("system.toml"),
  });
const settings = (...given: Parameters<typeof layers>) => {
  const { raw, origins } = layers(...given);
  return settingsOf(raw, origins);
};

describe("precedence", () => {
  it("is flag, variable, root's file, user's file, system's file, default", () => {
    const periods = () => settings({}, {}).periodS;
    expect(periods()).toBe(60);
    write("system", "period = 5");
    expect(periods()).toBe(5);
    write("user", "period = 4");
    expect(periods()).toBe(4);
    write("root", "period = 3");
    expect(periods()).toBe(3);
    expect(settings({}, { JOBMGR_PERIOD: "2" }).periodS).toBe(2);
    expect(settings({ period: "1" }, { JOBMGR_PERIOD: "2" }).periodS).toBe(1);
  });

  it("tells of each value where it comes from", () => {
    write("user", 'settle = 1\nengine-arg = ["--qos=x", "--account=y"]');
    const { raw, origins, files: read } = layers({ delay: "1" }, { JOBMGR_GROUP_WRITABLE: "yes" });
    expect(raw).toMatchObject({ settle: "1", delay: "1", groupWritable: true, engineArg: ["--qos=x", "--account=y"] });
    expect(origins).toEqual({
      root: { is: "here" },
      settle: { is: "file", path: at(files.user) },
      engineArg: { is: "file", path: at(files.user) },
      groupWritable: { is: "variable" },
    });
    expect(read).toEqual([at(files.user)]);
  });

  it("a flag switches off what a file switches on", async () => {
    const root = await makeRoot();
    writeFileSync(join(root.path, "jobmgr.toml"), "group-writable = true\n");
    const { stdout } = await jobmgr(["config", "--root", root.path, "--json"]);
    expect(JSON.parse(stdout).options["group-writable"]).toMatchObject({ value: true });
    const { code } = await jobmgr(["--root", root.path, "--setup", "--no-group-writable"]);
    expect(code).toBe(0);
  });
});

describe("the root", () => {
  it("is the flag's, the variable's, the user's file's, the system's file's, or the one that one stands in", () => {
    mkdirSync(join(rootPath, "inbox/a/deep"), { recursive: true });
    expect(settings({}, {}, join(rootPath, "inbox/a/deep")).root).toBe(rootPath);
    write("system", 'root = "elsewhere"');
    expect(settings().root).toBe(at("elsewhere"));
    write("user", 'root = "~/jobs"');
    expect(settings().root).toBe(join(process.env.HOME ?? "", "jobs"));
    expect(settings({}, { JOBMGR_ROOT: at("v") }).root).toBe(at("v"));
    expect(settings({ root: at("f") }, { JOBMGR_ROOT: at("v") }).root).toBe(at("f"));
  });

  it("is where one stands, if nothing says otherwise", () => expect(settings({}, {}, folder).root).toBe(folder));
});

describe("paths", () => {
  it("in a file are meant from its folder", () => {
    write("user", 'log-file = "../jobmgr.log"\npause-file = "/abs"');
    expect(settings()).toMatchObject({ logFile: at("home/jobmgr.log"), pauseFile: "/abs" });
  });
});

describe("a mistake", () => {
  const message = (...given: Parameters<typeof settings>): string => {
    try {
      settings(...given);
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      return (error as Error).message;
    }
    return "";
  };

  it.each([
    ["max-job = 3", /jobmgr.toml has the key "max-job", which is no option there. Did you mean max-jobs\?/],
    ["once = true", /has the key "once", which is no option there/],
    ['root = "/x"', /has the key "root", which is no option there/],
    ["period = 0", /^period = 0 in .*jobmgr.toml: it must be a number from 0\.1 to 86400 seconds$/],
    ["period = true", /^period in .*jobmgr.toml must be a number$/],
    ['group-writable = "yes"', /^group-writable in .* must be true or false$/],
    ["allow-owner = [true]", /^allow-owner in .* must be a list of texts/],
    ["[period]\nx = 1", /^period in .* must be a number$/],
    ["period = \n\n", /jobmgr.toml, line 1: /],
    [
      "period = 3\nengine = LocalEngine\n",
      /jobmgr.toml, line 2: .*\. A text stands in quotes: engine = "LocalEngine"$/,
    ],
    ["notify-url = https://ada:SECRET@example.org\n", /line 1: [^"]*$/],
    ['engine = "local\n', /line 1: .* A text stands in quotes: engine = "local"$/],
    ['log-level = "loud"', /^log-level = loud in .*: it must be one of error, warn, info, debug$/],
  ])("in a file, %j, names the file and the key", (text, sentence) => {
    write("root", text);
    expect(message()).toMatch(sentence);
  });

  it.each([
    ["JOBMGR_PERIODS", "3", /has JOBMGR_PERIODS, which is no option\. Did you mean JOBMGR_PERIOD\?/],
    ["JOBMGR_PERIOD", "0", /^JOBMGR_PERIOD=0: it must be a number from/],
    ["JOBMGR_ALLOW_SHARED", "perhaps", /^JOBMGR_ALLOW_SHARED=perhaps: it must be 1 or 0$/],
  ])("in the variable %s is named", (name, value, sentence) =>
    expect(message({}, { [name]: value })).toMatch(sentence),
  );

  it("of the program ends with 78", async () => {
    const root = await makeRoot();
    writeFileSync(join(root.path, "jobmgr.toml"), "perid = 3\n");
    const { code, stderr } = await jobmgr(["status", "--root", root.path]);
    expect({ code, stderr }).toEqual({ code: 78, stderr: expect.stringContaining("Did you mean period?") });
  });
});

describe("a file", () => {
  it("that everybody may write to, or that belongs to another, is refused", ({ skip }) => {
    if (!isSuperuser) skip("only root can give a file away");
    write("root", "period = 3");
    chmodSync(at(files.root), 0o666);
    expect(() => settings()).toThrow(/everybody may write to it\. Close it: chmod o-w/);
    chmodSync(at(files.root), 0o644);
    chownSync(at(files.root), 65534, 65534);
    expect(() => settings()).toThrow(/belongs to another user \(uid 65534\)/);
  });

  it("may be a link, as those of people who keep their settings elsewhere are", () => {
    writeFileSync(at("kept.toml"), "period = 7");
    symlinkSync(at("kept.toml"), at(files.user));
    expect(settings().periodS).toBe(7);
  });

  it("may set every option that is no flag only", () => {
    for (const [name, option] of Object.entries(OPTIONS) as [OptionName, Option][]) {
      if (option.isFlagOnly || name === "root") continue;
      const key = variableOf(name).slice("JOBMGR_".length).toLowerCase().replaceAll("_", "-");
      const value = { switch: "true", text: '"x"', list: '["x"]', choice: '"x"', number: "1" }[option.type];
      write("root", `${key} = ${value}`);
      expect(layers().origins[name], key).toEqual({ is: "file", path: at(files.root) });
    }
  });
});

describe("jobmgr config", () => {
  it("shows what is set, where it comes from, and all with --all", async () => {
    const root = await makeRoot();
    writeFileSync(join(root.path, "jobmgr.toml"), 'engine = "LocalEngine"\nmax-jobs = 3\n');
    const { stdout, code } = await jobmgr(["config", "--root", root.path, "--color", "never"], {
      env: { JOBMGR_PERIOD: "7", COLUMNS: "300" },
    });
    expect(code).toBe(0);
    const rows = stdout.split("\n").map((line) => line.split(/\s{2,}/));
    expect(rows).toContainEqual(["engine", "LocalEngine", `${root.path}/jobmgr.toml`]);
    expect(rows).toContainEqual(["period", "7", "JOBMGR_PERIOD"]);
    expect(rows).toContainEqual(["color", "never", "--color"]);
    expect(stdout).toMatch(/\d+ more have their default: jobmgr config --all/);
    const all = await jobmgr(["config", "--root", root.path, "--all"]);
    expect(all.stdout).toMatch(/^settle +5 +default$/m);
    expect(all.stdout).not.toContain("more have their default");
  });
});
