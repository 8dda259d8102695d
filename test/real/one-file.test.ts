/** What people copy to a login node, and what npm installs: nothing of this project may be needed beside it. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { NODE_INSIDE } from "../../.ci/release/executable.ts";
import { type NodeVersion, NoNodeError, nodeOf } from "../../.ci/release/nodes.ts";
import { VERBS } from "../../src/command-line/command-line.ts";
import { FAST, jobmgr, makeFolder, makeRoot, runToEnd, start, waitUntil } from "../harness.ts";
import { needSlurm, startCluster } from "../slurm/cluster.ts";
import { PATIENCE_MS, PROMPT, QUICK } from "./slurm.ts";

const HOME = resolve(import.meta.dirname, "../..");
const ONE_FILE = join(HOME, "dist/jobmgr.mjs");
const EXECUTABLE = join(HOME, "dist/jobmgr-linux-x64");
const { version: VERSION } = JSON.parse(readFileSync(join(HOME, "package.json"), "utf8")) as { version: string };

/** The oldest that is promised, and the later ones of today. */
const VERSIONS: readonly NodeVersion[] = ["20.9.0", "22.23.3", NODE_INSIDE];

interface Program {
  readonly name: string;
  /** The Node that runs it, where it has none inside. */
  readonly node?: NodeVersion;
  readonly file: string;
}

const PROGRAMS: readonly Program[] = [
  ...VERSIONS.map((node): Program => ({ name: `jobmgr.mjs under Node ${node}`, node, file: ONE_FILE })),
  { name: "the executable", file: EXECUTABLE },
];

/** Those that can be had: CI has a registry, elsewhere one may work without. */
const nodes = new Map(await Promise.all(VERSIONS.map(async (version) => [version, await programOf(version)] as const)));

async function programOf(version: NodeVersion): Promise<string | undefined> {
  try {
    return (await nodeOf(version)).program;
  } catch (error) {
    if (error instanceof NoNodeError) return undefined;
    throw error;
  }
}

function there(file: string | undefined): string {
  if (file !== undefined && existsSync(file)) return file;
  throw new Error(`There is no ${file ?? "such Node"}: npm run build makes it, where the npm registry can be reached.`);
}

/** What all tests here share: a folder with all programs of this machine but Node, to be the PATH. */
const shared = mkdtempSync(join(tmpdir(), "jobmgr-test-"));
const PATH = join(shared, "bin");

beforeAll(() => {
  mkdirSync(PATH);
  for (const from of ["/bin", "/usr/bin"]) {
    for (const name of readdirSync(from)) {
      if (/^(node|nodejs|npm|npx|corepack)$/.test(name) || existsSync(join(PATH, name))) continue;
      symlinkSync(join(from, name), join(PATH, name));
    }
  }
});

afterAll(() => {
  rmSync(shared, { recursive: true, force: true, maxRetries: 5 });
});

describe.each(PROGRAMS)("$name, alone in a folder, with no Node on the PATH", ({ name, node, file }) => {
  const isMissing = node === undefined ? !existsSync(file) : nodes.get(node) === undefined;
  const test = it.skipIf(isMissing && !process.env.CI);
  const home = join(shared, name);
  const copy = join(home, basename(file));
  const command = (): readonly [string, ...string[]] => (node === undefined ? [copy] : [there(nodes.get(node)), copy]);

  beforeAll(() => {
    mkdirSync(home);
    if (!isMissing || process.env.CI) copyFileSync(there(file), copy);
  });

  test("does the whole demo", async () => {
    const folder = makeFolder();
    const { code, stdout, stderr } = await runToEnd("bash", [join(HOME, "docs/demo.sh"), ...command()], {
      cwd: home,
      env: { PATH, DEMO_PERIOD: "0.2", DEMO_SETTLE: "0.2", TMPDIR: folder },
    });
    expect(stderr).not.toMatch(/warning|Error/i);
    expect(code).toBe(0);
    for (const job of ["100-primes", "200-words", "300-array", "500-late"])
      expect(stdout).toMatch(new RegExp(`finished ${job}: succeeded`));
    expect(stdout).toContain("400-broken: failed. Exit code 127");
    expect(stdout).toContain("0 waiting, 0 pending, 5 complete.");
    expect(stdout).toContain("complete/300-array/job_output_3.txt");
  });

  test("leaves jobs running when it is killed, collects them, and tells them nothing of its Node", async () => {
    const root = await makeRoot();
    const folder = makeFolder();
    const [program, ...first] = command();
    const options = { cwd: home, env: { PATH, NODE_NO_WARNINGS: "1" } };
    root.dropLedger("one", `env >env.txt; touch '${folder}/begun'; while [ ! -e '${folder}/go' ]; do sleep 0.05; done`);
    const args = [...first, "--root", root.path, ...FAST];
    const manager = start(program, args, options);
    await waitUntil("the job runs", () => existsSync(join(folder, "begun")));
    manager.signal("SIGKILL");
    expect(await manager.ended).toBe("SIGKILL");
    const next = start(program, args, options);
    mkdirSync(join(folder, "go"));
    await root.completed("one");
    expect(await next.stop()).toBe(130);
    expect(root.runs()).toEqual(["one"]);
    expect(root.status("one").state).toBe("succeeded");
    const seen = root.read("complete/one/env.txt");
    expect(seen).toMatch(/^JOBMGR_JOB_NAME=one$/m);
    expect(seen).not.toMatch(/^NODE_/m);
  });

  test("loads an engine that somebody else has written, also one that waits while it is loaded", async () => {
    const folder = makeFolder();
    const definition = `{ contract: 1, name: "Mine", version: "2.3", summary: "nothing", make() {} }`;
    writeFileSync(join(folder, "mine.mjs"), `await null;\nexport default ${definition};\n`);
    writeFileSync(join(folder, "mine.ts"), `const mine: object = ${definition};\nexport default mine;\n`);
    const [program, ...first] = command();
    const listed = async (file: string) =>
      runToEnd(program, [...first, "engines", "-e", file], { cwd: folder, env: { PATH, NODE_NO_WARNINGS: "1" } });
    expect(await listed("./mine.mjs")).toMatchObject({
      stdout: expect.stringMatching(/yes +Mine: nothing/),
      stderr: "",
    });
    const typed = node === "20.9.0" ? /mine\.ts: This Node \(v20\.9\.0\) cannot read TypeScript/ : /yes +Mine: nothing/;
    expect((await listed("./mine.ts")).stdout).toMatch(typed);
  });

  // The help of each verb is made of one table, under whichever Node.
  const verbs = node === NODE_INSIDE || node === undefined ? Object.keys(VERBS) : [];

  test("says its version, its help and what is wrong as the program it was made of", async () => {
    const [program, ...first] = command();
    const options = { cwd: home, env: { PATH, COLUMNS: "90" } };
    const calls = [["--version"], ["--help"], ["--no-such-option"], ["statsu"], ["status", "--root", home]];
    for (const call of [...calls, ...verbs.map((verb) => [verb, "--help"])]) {
      const [one, other] = await Promise.all([runToEnd(program, [...first, ...call], options), jobmgr(call, options)]);
      expect({ call, ...one }).toEqual({ call, ...other });
    }
  });
});

describe("on Slurm", () => {
  const sides = [
    ["jobmgr.mjs", ONE_FILE],
    ["the executable", EXECUTABLE],
  ] as const;
  it("each runs a job, and tells it nothing of its Node", { timeout: 180_000 }, async (context) => {
    needSlurm(context);
    const cluster = await startCluster({ cpus: 4, settings: PROMPT });
    onTestFinished(() => cluster.stop());
    for (const [name, program] of sides) {
      if (!existsSync(program) && !process.env.CI) continue;
      const root = await makeRoot();
      root.dropLedger(name, "env >env.txt");
      const manager = start(there(program), ["--root", root.path, ...QUICK], {
        env: { ...cluster.env, NODE_NO_WARNINGS: "1" },
      });
      await waitUntil(`${name} in complete`, () => root.exists(`complete/${name}`), PATIENCE_MS);
      expect(await manager.stop()).toBe(130);
      expect(root.runs()).toEqual([name]);
      expect(root.status(name)).toMatchObject({ state: "succeeded", engine: "SlurmEngine" });
      expect(root.read(`complete/${name}/env.txt`)).not.toMatch(/^NODE_/m);
    }
  });
});

describe("the executable", () => {
  const test = it.skipIf(!existsSync(EXECUTABLE) && !process.env.CI);

  test("takes no options that are meant for another Node", async () => {
    const env = { NODE_OPTIONS: "--no-such-option --require=/no/such/file" };
    expect(await runToEnd(EXECUTABLE, ["--version"], { env })).toEqual({
      code: 0,
      stdout: `${VERSION}\n`,
      stderr: "",
    });
  });

  test("tells cron its own path, found by its name alone on the PATH", async () => {
    const { path } = await makeRoot();
    const env = { PATH: `${PATH}:${join(HOME, "dist")}` };
    const { stdout } = await runToEnd("bash", ["-c", 'jobmgr-linux-x64 service cron --root "$1"', "bash", path], {
      env,
    });
    expect(stdout).toContain(`${EXECUTABLE} --root ${path} --once`);
  });

  test("needs no newer glibc than 2.28, which RHEL 8 has", () => {
    const names = readFileSync(EXECUTABLE, "latin1").match(/\bGLIBC_2\.\d+/g) ?? [];
    const newest = Math.max(...names.map((name) => Number(name.split(".")[1])));
    expect(newest).toBe(28);
  });
});

describe("the package", () => {
  async function pack(folder: string): Promise<{ tarball: string; files: string[] }> {
    // Its scripts would build dist/ anew under the other tests.
    const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
    const { stdout, stderr, code } = await runToEnd("npm", args, { cwd: HOME });
    expect(code, stderr).toBe(0);
    const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
    return { tarball: join(folder, filename), files: files.map(({ path }) => path) };
  }

  it("holds the one file, its man page, what programs import and texts for people, needs no other package and runs nothing when it is installed", async () => {
    const folder = makeFolder();
    const { tarball, files } = await pack(folder);
    expect(files).toEqual(expect.arrayContaining(["README.md", "LICENSE"]));
    const texts = /^([A-Z]+\.md|LICENSE|docs\/[\w-]+\.md|package\.json)$/;
    const imported = /^dist\/(library\/(parts\/)?[\w-]+\.mjs|types\/[\w/-]+\.d\.ts)$/;
    expect(files.filter((file) => !texts.test(file) && !imported.test(file))).toEqual([
      "dist/jobmgr.1",
      "dist/jobmgr.mjs",
      "dist/library/LICENCES.txt",
    ]);
    await runToEnd("tar", ["-xzf", tarball], { cwd: folder });
    const manifest = JSON.parse(readFileSync(join(folder, "package/package.json"), "utf8"));
    expect(Object.keys(manifest.scripts)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/install$|^prepare$/)]),
    );
    // All that runs is in the one file, so what it is made of belongs to devDependencies.
    for (const kind of ["dependencies", "optionalDependencies"]) expect(manifest[kind]).toBeUndefined();
    // Who tests an engine has a vitest already.
    const optional = Object.keys(manifest.peerDependencies).filter(
      (one) => manifest.peerDependenciesMeta[one].optional,
    );
    expect(optional).toEqual(Object.keys(manifest.peerDependencies));
    const targets = Object.values<string | Record<string, string>>(manifest.exports).flatMap((one) =>
      typeof one === "string" ? one : Object.values(one),
    );
    expect(targets.filter((target) => !existsSync(join(folder, "package", target)))).toEqual([]);
    const text = readFileSync(ONE_FILE, "utf8");
    for (const name of [
      "chokidar",
      "commander",
      "execa",
      "fs-extra",
      "kleur",
      "nodemailer",
      "smol-toml",
      "tar",
      "yauzl",
      "yazl",
    ])
      expect(text).toContain(`\n${name} ${manifest.devDependencies[name]} (`);
    expect(text).not.toContain("sourceMappingURL");
    expect(text).not.toContain(HOME);
  });

  it("is installed without a registry, and what it installs runs a job", async () => {
    const folder = makeFolder();
    const root = await makeRoot();
    const { tarball } = await pack(folder);
    const args = ["install", "--global", "--offline", "--no-audit", "--no-fund", "--prefix", folder, tarball];
    const installed = await runToEnd("npm", args, { cwd: folder });
    expect(installed).toMatchObject({ code: 0, stdout: expect.stringContaining("added 1 package") });
    expect(installed.stderr).not.toContain("scripts");
    expect(existsSync(join(folder, "share/man/man1/jobmgr.1"))).toBe(true);
    const program = join(folder, "bin/jobmgr");
    expect(statSync(program).mode & 0o111).toBe(0o111);
    expect((await runToEnd(program, ["--version"], { cwd: folder })).stdout).toBe(`${VERSION}\n`);
    root.dropLedger("one");
    const manager = start(program, ["--root", root.path, ...FAST], { cwd: folder });
    await root.completed("one");
    expect(await manager.stop()).toBe(130);
    expect(root.runs()).toEqual(["one"]);
  });
});
