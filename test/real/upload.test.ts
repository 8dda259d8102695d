/**
 * Real uploads into the inbox of a real manager: rsync, scp and sshfs, slowly, with job.sh first and old times, over a
 * server of the test's own. No job may start before all of its data is there.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { open, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { isUnfinishedName } from "../../src/inbox/ready.ts";
import { jobmgr, makeFolder, type Running, runToEnd, start, type TestRoot, waitUntil } from "../harness.ts";
import { ME, mountOver, slowLine, startServer, withO } from "./ssh.ts";
import { makeJobRoot, need } from "./surroundings.ts";

const SETTLE_S = 3;
const UPLOAD_MS = 60_000;
const OLD = new Date("2001-02-03T04:05:06Z");

/** Bytes that no compression makes fewer, the same in every run. */
function noise(seed: string, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) =>
    createHash("sha256").update(`${seed} ${i}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, length);
}

/** Files by their path in the folder. All sort behind job.sh, which uploaders therefore send first. */
const DATA: Readonly<Record<string, Buffer>> = {
  "x-1.bin": noise("one", 130_000),
  "x-2.bin": noise("two", 90_001),
  "x-empty": Buffer.alloc(0),
  "y/deep/z with blank, ä.bin": noise("deep", 150_000),
  "z-last.bin": noise("last", 60_000),
};

/** Fails unless every file is there, whole, and no other. */
const CHECKING_JOB = `set -e
sha256sum --quiet --strict -c <<'END'
${Object.entries(DATA)
  .map(([path, bytes]) => `${createHash("sha256").update(bytes).digest("hex")}  ${path}`)
  .join("\n")}
END
test "$(find . -type f -not -path './.jobmgr/*' -not -name 'job*' | wc -l)" = ${Object.keys(DATA).length}
stat -c %s x-1.bin
`;

/** Every file and folder below a folder that its sender knows of: content, permissions, and time in seconds. */
function treeOf(folder: string): Record<string, string> {
  const tree: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
    if (/^\.jobmgr(\/|$)|^job_(output\.txt|status\.json)$/.test(entry)) continue;
    const { mode, mtimeMs } = lstatSync(join(folder, entry));
    const isFolder = statSync(join(folder, entry)).isDirectory();
    const content = isFolder
      ? "folder"
      : createHash("sha256")
          .update(readFileSync(join(folder, entry)))
          .digest("hex");
    tree[entry] = `${content} ${(mode & 0o777).toString(8)} ${isFolder ? "" : Math.floor(mtimeMs / 1000)}`.trim();
  }
  return tree;
}

/** The folder as its sender has it, all of it old. */
function makeSource(name: string): string {
  const folder = join(makeFolder(), name);
  const files = { "job.sh": Buffer.from(CHECKING_JOB), ...DATA };
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
    chmodSync(join(folder, path), path === "job.sh" ? 0o755 : 0o640);
  }
  for (const path of [...Object.keys(files), "y/deep", "y", ""]) utimesSync(join(folder, path), OLD, OLD);
  return folder;
}

/** Starts the manager that people would have: one that waits for rest. */
async function watchedRoot(): Promise<{ root: TestRoot; manager: Running }> {
  const root = await makeJobRoot();
  const manager = root.manage(["--settle", String(SETTLE_S), "-p", "0.2"]);
  await waitUntil("the manager has begun", () => manager.stdout().includes("Watching inbox"));
  return { root, manager };
}

/** Watches an upload to its end: the job may not be taken before, and its result is that of a whole folder. */
async function expectWholeJob(
  { root, manager }: { root: TestRoot; manager: Running },
  name: string,
  source: string,
  upload: Promise<{ code: number | string; stderr: string }>,
): Promise<void> {
  const startedAtMs = performance.now();
  let uploaded = false;
  const done = upload.finally(() => {
    uploaded = true;
  });
  await waitUntil(
    "job.sh has arrived",
    () => uploaded || existsSync(join(root.path, "inbox", name, "job.sh")),
    UPLOAD_MS,
  );
  expect(uploaded, "the upload was over before it could be watched").toBe(false);
  const { code, stderr } = await done;
  expect(code, stderr).toBe(0);
  const tookS = (performance.now() - startedAtMs) / 1000;
  expect(tookS, "an upload faster than the settle time proves nothing").toBeGreaterThan(SETTLE_S + 0.5);
  expect(manager.stdout()).not.toContain("claimed");
  await root.completed(name);
  expect(root.status(name), root.read(`complete/${name}/job_output.txt`)).toMatchObject({
    state: "succeeded",
    exitCode: 0,
  });
  expect(root.read(`complete/${name}/job_output.txt`)).toBe(`${DATA["x-1.bin"]?.length}\n`);
  expect(treeOf(join(root.path, "complete", name))).toEqual(treeOf(source));
  expect(manager.stdout().match(/claimed/g)).toHaveLength(1);
  expect(root.names("inbox")).toEqual([]);
  expect(manager.stderr()).toBe("");
}

// -- over a server --------------------------------------------------------------------------------------------

describe("an upload over ssh", { timeout: 240_000 }, () => {
  it("by rsync -a, slow and with old times, is started once it is whole", async (context) => {
    const rsync = need(context, "rsync");
    const server = await startServer(context);
    const watched = await watchedRoot();
    const source = makeSource("by-rsync");
    const shell = ["ssh", "-F", "none", "-p", String(server.port), ...withO(server.options)].join(" ");
    const upload = runToEnd(rsync, ["-a", "--bwlimit=70", "-e", shell, source, `${ME}:${watched.root.path}/inbox/`]);
    await expectWholeJob(watched, "by-rsync", source, upload);
  });

  it("by an rsync that stands still in the middle of a file waits, however long, and goes on", async (context) => {
    const rsync = need(context, "rsync");
    const server = await startServer(context);
    const { root, manager } = await watchedRoot();
    const source = makeSource("stalled");
    const shell = ["ssh", "-F", "none", "-p", String(server.port), ...withO(server.options)].join(" ");
    const upload = start(rsync, ["-a", "--bwlimit=70", "-e", shell, source, `${ME}:${root.path}/inbox/`]);
    const folder = join(root.path, "inbox", "stalled");
    const unfinished = () =>
      existsSync(folder) ? readdirSync(folder).find((name) => name.startsWith(".x-1.bin.")) : undefined;
    await waitUntil("a file is under way", () => unfinished() !== undefined || upload.process.exitCode !== null);
    upload.signal("SIGSTOP");
    const restedS = () =>
      (Date.now() - Math.max(...["", ...readdirSync(folder)].map((name) => lstatSync(join(folder, name)).ctimeMs))) /
      1000;
    await waitUntil("it stood still for twice the settle time", () => restedS() > 2 * SETTLE_S);
    expect(unfinished()).toBeDefined();
    expect(await whyOf(root, "stalled")).toBe(`${unfinished()} looks like an unfinished upload`);
    expect(manager.stdout()).not.toContain("claimed");
    upload.signal("SIGCONT");
    expect(await upload.ended, upload.stderr()).toBe(0);
    await root.completed("stalled");
    expect(root.status("stalled")).toMatchObject({ state: "succeeded" });
    expect(treeOf(join(root.path, "complete", "stalled"))).toEqual(treeOf(source));
  });

  it.for([
    ["sftp", ["-s"]],
    ["old", ["-O"]],
  ] as const)(
    "by scp -p -r (%s protocol), slow and with old times, is started once it is whole",
    async ([, how], context) => {
      const scp = need(context, "scp");
      const server = await slowLine(await startServer(context), 70_000);
      const watched = await watchedRoot();
      const source = makeSource("by-scp");
      mkdirSync(join(watched.root.path, "inbox", "by-scp"), { mode: 0o755 });
      // One by one, for scp -r of the folder itself sends its files in no order: here job.sh is the first.
      const upload = runToEnd(scp, [
        ...["-F", "none", "-P", String(server.port), "-p", "-r", "-q", ...how],
        ...withO(server.options),
        ...readdirSync(source)
          .sort()
          .map((name) => join(source, name)),
        `${ME}:${watched.root.path}/inbox/by-scp/`,
      ]);
      await expectWholeJob(watched, "by-scp", source, upload);
    },
  );

  it("through an sshfs mount, written slowly and with old times, is started once it is whole", async (context) => {
    const server = await startServer(context);
    const watched = await watchedRoot();
    const source = makeSource("by-sshfs");
    const mounted = await mountOver(context, server, join(watched.root.path, "inbox"));
    const upload = writeSlowly(source, join(mounted, "by-sshfs")).then(
      () => ({ code: 0, stderr: "" }),
      (error: Error) => ({ code: 1, stderr: error.message }),
    );
    await expectWholeJob(watched, "by-sshfs", source, upload);
    // What the person with the mount sees.
    expect(readdirSync(mounted)).toEqual([]);
    expect(await watched.manager.stop()).toBe(130);
  });
});

/** Copies a folder as programs write: a piece, a pause; each file gets its old time when it is closed. */
async function writeSlowly(source: string, target: string): Promise<void> {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 400));
  const files = ["job.sh", ...Object.keys(DATA)];
  mkdirSync(target);
  for (const path of files) {
    const bytes = readFileSync(join(source, path));
    mkdirSync(dirname(join(target, path)), { recursive: true });
    const file = await open(join(target, path), "wx", statSync(join(source, path)).mode & 0o777);
    for (let at = 0; at < bytes.length; at += 40_000) {
      await file.write(bytes, at, Math.min(40_000, bytes.length - at));
      await pause();
    }
    await file.chmod(statSync(join(source, path)).mode & 0o777);
    await file.close();
    await utimes(join(target, path), OLD, OLD);
  }
  await utimes(target, OLD, OLD);
}

// -- without a server -----------------------------------------------------------------------------------------

/** Why a folder waits, as `jobmgr status` tells it. */
async function whyOf(root: TestRoot, name: string): Promise<string | undefined> {
  const { stdout } = await jobmgr(["--root", root.path, "status", "--json"]);
  return JSON.parse(stdout).jobs.find((job: { name: string }) => job.name === name)?.why;
}

/** A folder that was dropped later has rested and has run: so whatever else waits does not wait for time to pass. */
async function laterOneHasRun(root: TestRoot, name: string): Promise<void> {
  root.drop(name, { "job.sh": "true", done: "" });
  await root.completed(name);
}

/** What uploaders call a file that they have not finished, and what it is called afterwards. */
const UNFINISHED: readonly (readonly [by: string, name: string, finished: string])[] = [
  ["rsync", ".data.bin.aB3dE6", "data.bin"],
  ["rsync --delay-updates", ".~tmp~", "data"],
  ["WinSCP", "data.bin.filepart", "data.bin"],
  ["Firefox", "data.bin.part", "data.bin"],
  ["lftp and others", "DATA.BIN.PARTIAL", "DATA.BIN"],
  ["Chromium", "data.bin.crdownload", "data.bin"],
  ["Safari", "data.bin.download", "data.bin"],
  ["an sftp client", ".sftp-0a1b2c", "data.bin"],
  ["Emacs", ".#data.bin", "data.bin"],
  ["NFS", ".nfs00000000012d6879000000b1", "data.bin"],
  ["FUSE", ".fuse_hidden0000000a00000001", "data.bin"],
  ["an uploader with a tilde", "data.bin~", "data.bin"],
];

describe("an unfinished upload", () => {
  it("waits as long as any file in it has an uploader's name, at any depth, and is started afterwards", async () => {
    const root = await makeJobRoot();
    root.manage(["--settle", "0.3"]);
    const folders = UNFINISHED.flatMap(([by, name, finished], i) => [
      { folder: `top-${i}`, by, from: name, to: finished },
      { folder: `deep-${i}`, by, from: `a/b/${name}`, to: `a/b/${finished}` },
    ]);
    for (const { folder, from } of folders)
      root.drop(folder, { "job.sh": "find . -type f -iname '*data*'", [from]: "half" });
    await laterOneHasRun(root, "zz-later");
    expect(root.names("inbox")).toEqual(folders.map(({ folder }) => folder).sort());
    const { stdout } = await jobmgr(["--root", root.path, "status", "--json"]);
    const why = Object.fromEntries(
      JSON.parse(stdout).jobs.map((job: { name: string; why?: string }) => [job.name, job.why]),
    );
    for (const { folder, from, by } of folders)
      expect(why[folder], by).toBe(`${from.split("/").at(-1)} looks like an unfinished upload`);
    for (const { folder, from, to } of folders)
      renameSync(join(root.path, "inbox", folder, from), join(root.path, "inbox", folder, to));
    await root.completed(...folders.map(({ folder }) => folder));
    for (const { folder, to } of folders) {
      expect(root.status(folder)).toMatchObject({ state: "succeeded" });
      expect(root.read(`complete/${folder}/job_output.txt`)).toBe(`./${to}\n`);
    }
  });

  it("is not seen in an editor's backup, or in names that only resemble an uploader's", async () => {
    const root = await makeJobRoot();
    const names = ["job.sh~", "part", "partial.txt", "my.parts", ".bashrc", ".nfsrc", "download", "#data#", "a.~1~x"];
    expect(names.filter((name) => isUnfinishedName(name, new Set(["job.sh"])))).toEqual([]);
    root.manage(["--settle", "0.3"]);
    root.drop("a", { "job.sh": "true", ...Object.fromEntries(names.map((name) => [name, ""])) });
    await root.completed("a");
  });

  it("under a hidden name is never looked at, and is taken once it is renamed", async () => {
    const root = await makeJobRoot();
    const manager = root.manage(["--settle", "0.3"]);
    root.drop(".a", { "job.sh": "cat data", data: "all\n" });
    await laterOneHasRun(root, "later");
    expect(root.exists("inbox/.a/data")).toBe(true);
    expect(manager.stdout() + manager.stderr()).not.toContain(".a");
    renameSync(join(root.path, "inbox", ".a"), join(root.path, "inbox", "a"));
    await root.completed("a");
    expect(root.read("complete/a/job_output.txt")).toBe("all\n");
    expect(readdirSync(join(root.path, "inbox"))).toEqual([]);
  });

  it("without its job.sh waits for it, and says so", async () => {
    const root = await makeJobRoot();
    root.manage(["--settle", "0.3"]);
    root.drop("a", { data: "all\n" });
    await laterOneHasRun(root, "later");
    expect(root.names("inbox")).toEqual(["a"]);
    expect(await whyOf(root, "a")).toBe("it has no job.sh yet");
    writeFileSync(join(root.path, "inbox", "a", "job.sh"), "cat data");
    await root.completed("a");
    expect(root.read("complete/a/job_output.txt")).toBe("all\n");
  });

  it("that goes on in a sub-folder keeps its folder waiting, for as long as it goes on", async () => {
    const root = await makeJobRoot();
    root.manage(["--settle", "1"]);
    root.drop("a", { "job.sh": "wc -l <sub/deep/log", "sub/deep/log": "" });
    const log = join(root.path, "inbox", "a", "sub", "deep", "log");
    let lines = 0;
    const write = setInterval(() => {
      writeFileSync(log, "line\n", { flag: "a" });
      utimesSync(log, OLD, OLD);
      lines++;
    }, 100);
    onTestFinished(() => clearInterval(write));
    await waitUntil("it was written to for three settle times", () => lines >= 30);
    expect(root.names("inbox")).toEqual(["a"]);
    clearInterval(write);
    await root.completed("a");
    expect(root.read("complete/a/job_output.txt").trim()).toBe(String(lines));
  });
});

describe("with --ready-file", () => {
  it("a folder is not taken before that file is there, and at once afterwards", async () => {
    const root = await makeJobRoot();
    const manager = root.manage(["--settle", "3600", "--ready-file", "done"]);
    root.drop("a", { "job.sh": "cat data", data: "half\n" });
    await laterOneHasRun(root, "later");
    expect(root.names("inbox")).toEqual(["a"]);
    expect(await whyOf(root, "a")).toBe("it has no done yet");
    writeFileSync(join(root.path, "inbox", "a", "data"), "all\n");
    writeFileSync(join(root.path, "inbox", "a", "done"), "");
    await root.completed("a");
    expect(root.read("complete/a/job_output.txt")).toBe("all\n");
    expect(root.exists("complete/a/done")).toBe(true);
    expect(manager.stderr()).toBe("");
  });

  it("that file says it all: not even an uploader's temporary name matters then", async () => {
    const root = await makeJobRoot();
    root.manage(["--settle", "3600", "--ready-file", "done"]);
    root.drop("a", { "job.sh": "true", "data.part": "", done: "" });
    await root.completed("a");
    expect(root.exists("complete/a/data.part")).toBe(true);
  });
});
