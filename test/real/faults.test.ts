import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isSuperuser, jobmgr, makeFolder, makeRoot, type Running, type TestRoot, waitUntil } from "../harness.ts";
import { fill, makeSmallRoot } from "./surroundings.ts";

const NOBODY = 65534;

const running = (root: TestRoot, name: string, file = "ready") =>
  waitUntil(`${name} runs`, () => root.exists(`pending/${name}/${file}`));

const UNTIL_GO = "touch ready; while [ ! -e go ]; do sleep 0.02; done";
const go = (root: TestRoot, name: string) => writeFileSync(join(root.path, "pending", name, "go"), "");

/** The folder of the one attempt in force. */
function attemptOf(root: TestRoot, name: string): string {
  const own = join(root.path, "pending", name, ".jobmgr");
  return join(own, readdirSync(own).find((one) => one.startsWith("attempt-")) ?? "");
}

/** Another job goes through while this one is in trouble. */
async function othersGoOn(root: TestRoot, name = "zz"): Promise<void> {
  root.dropLedger(name);
  await root.completed(name);
}

async function kill(manager: Running): Promise<void> {
  manager.signal("SIGKILL");
  await manager.ended;
}

const timesIn = (text: string, word: string) => text.split(word).length - 1;

describe("a job that damages its own folder runs once, and the others go on", () => {
  it.each([
    ["rm -rf *", "rm -rf *; exit 5"],
    ["rm -rf of all, dot files included", "rm -rf ./* ./.??*; exit 5"],
    ["rm -rf of its folder itself", 'rm -rf "$PWD"; exit 5'],
    ["a file in the place of its records", "rm -rf .jobmgr; echo mine > .jobmgr; exit 5"],
    [
      "folders named as the files that are to be written",
      "mkdir job_error.txt .job_error.txt.new job_status.json; exit 5",
    ],
    ["its folder renamed under itself", 'mv "$PWD" "$PWD-moved"; exit 5'],
  ])("%s", async (_, script) => {
    const root = await makeRoot();
    const manager = root.manage();
    root.dropLedger("job", script);
    await waitUntil("it ran", () => root.runs().length === 1);
    await othersGoOn(root);
    await manager.stop();
    root.manage();
    await othersGoOn(root, "zzz");
    expect(root.runs()).toEqual(["job", "zz", "zzz"]);
  });

  it("rm -rf * still ends with its exit code", async () => {
    const root = await makeRoot();
    root.manage();
    root.dropLedger("job", "rm -rf *; exit 5");
    await root.completed("job");
    expect(root.status("job")).toMatchObject({ state: "failed", exitCode: 5 });
  });

  it("chmod 000 of its folder is mended, and it ends with its exit code", async ({ skip }) => {
    if (!isSuperuser) skip("only root can become another user");
    const root = await makeRoot();
    const folder = join(root.path, "..");
    root.dropLedger("job", "chmod 000 .; exit 5");
    for (const name of ["", ...(readdirSync(folder, { recursive: true }) as string[])])
      chownSync(join(folder, name), NOBODY, NOBODY);
    root.manage([], { uid: NOBODY });
    await root.completed("job");
    expect(root.status("job")).toMatchObject({ state: "failed", exitCode: 5 });
    expect(root.runs()).toEqual(["job"]);
  });
});

describe("a folder that its user deletes or moves while it is pending", () => {
  it("is told once, its job is not started again, and the others go on", async () => {
    const root = await makeRoot();
    const manager = root.manage();
    root.dropLedger("job", "touch ready; echo $$ > pid; sleep 60");
    await running(root, "job", "pid");
    await waitUntil("it is known to run", () => manager.stdout().includes("started  job"));
    const pid = Number(root.read("pending/job/pid"));
    rmSync(join(root.path, "pending/job"), { recursive: true });
    await waitUntil("it is told", () => /pending\/job .*moved away or deleted/.test(manager.stderr()));
    await othersGoOn(root);
    expect(timesIn(manager.stderr(), "moved away or deleted")).toBe(1);
    expect(root.runs()).toEqual(["job", "zz"]);
    process.kill(pid, "SIGKILL");
  });
});

describe("records that were destroyed", () => {
  it.each(["while the manager looks on", "while no manager lives"])(
    "under a running job, %s: it does not run twice",
    async (when) => {
      const root = await makeRoot();
      const manager = root.manage();
      root.dropLedger("job", UNTIL_GO);
      await running(root, "job");
      if (when === "while no manager lives") await kill(manager);
      rmSync(join(root.path, "pending/job/.jobmgr"), { recursive: true, maxRetries: 10 });
      if (when === "while no manager lives") root.manage();
      await othersGoOn(root);
      go(root, "job");
      await root.completed("job");
      expect(root.runs()).toEqual(["job", "zz"]);
      expect(root.status("job").state).toMatch(/^(lost|succeeded)$/);
    },
  );

  it("of a job that ended meanwhile: it is lost, says so, and does not run twice", async () => {
    const root = await makeRoot();
    const manager = root.manage();
    root.dropLedger("job", UNTIL_GO);
    await running(root, "job");
    await kill(manager);
    const records = attemptOf(root, "job");
    go(root, "job");
    await waitUntil("it has ended", () => existsSync(join(records, "exit")));
    rmSync(join(root.path, "pending/job/.jobmgr"), { recursive: true, maxRetries: 10 });
    root.manage();
    await root.completed("job");
    expect(root.runs()).toEqual(["job"]);
    expect(root.read("complete/job/job_error.txt")).toMatch(/^job: lost\. Its records \(\.jobmgr\) were destroyed/);
  });

  it.each(["intent", "handle"])(
    "the %s alone, damaged: it is reported once and left alone while others go on",
    async (record) => {
      const root = await makeRoot();
      const first = root.manage();
      root.dropLedger("job", UNTIL_GO);
      await running(root, "job");
      await waitUntil("its handle is there", () => existsSync(join(attemptOf(root, "job"), "handle")));
      await kill(first);
      const path = join(attemptOf(root, "job"), record);
      const whole = readFileSync(path, "utf8");
      writeFileSync(path, whole.slice(0, 20));
      const second = root.manage();
      await waitUntil("it is told", () => second.stderr().includes(`${record} is damaged`));
      await othersGoOn(root);
      go(root, "job");
      await othersGoOn(root, "zzz");
      expect(timesIn(second.stderr(), `${record} is damaged`)).toBe(1);
      expect(readFileSync(path, "utf8")).toBe(whole.slice(0, 20));
      expect(root.names("pending")).toEqual(["job"]);
      // Mended by hand, it goes on without a restart.
      writeFileSync(path, whole);
      await root.completed("job");
      expect(root.runs()).toEqual(["job", "zz", "zzz"]);
    },
  );

  it("of a newer jobmgr are left alone", async () => {
    const root = await makeRoot();
    const own = join(root.path, "pending/job/.jobmgr/attempt-20260101T000000-0123456789ab");
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, "intent"), '{"jobmgr":2,"record":"intent"}');
    writeFileSync(join(root.path, "pending/job/job.sh"), `echo run >> '${root.ledger}'\n`);
    const manager = root.manage();
    await waitUntil("it is told", () => manager.stderr().includes("written by a newer jobmgr"));
    await othersGoOn(root);
    expect(root.runs()).toEqual(["zz"]);
  });

  it("of two attempts in force: it is reported, and neither runs", async () => {
    const root = await makeRoot();
    for (const end of ["a", "b"])
      mkdirSync(join(root.path, `pending/job/.jobmgr/attempt-20260101T000000-0123456789a${end}`), { recursive: true });
    writeFileSync(join(root.path, "pending/job/job.sh"), `echo run >> '${root.ledger}'\n`);
    const manager = root.manage();
    await waitUntil("it is told", () => manager.stderr().includes("2 attempts in force"));
    await othersGoOn(root);
    expect(root.runs()).toEqual(["zz"]);
    const { stdout } = await jobmgr(["--root", root.path, "status"]);
    expect(stdout).toContain("2 attempts in force");
  });

  it("a file in pending is reported and left alone", async () => {
    const root = await makeRoot();
    writeFileSync(join(root.path, "pending/stray"), "mine");
    const manager = root.manage();
    await waitUntil("it is told", () => manager.stderr().includes("pending/stray is left alone: it is not a folder"));
    await othersGoOn(root);
    expect(root.read("pending/stray")).toBe("mine");
  });
});

describe("a full disk", () => {
  it("loses nothing and runs nothing twice, and the manager goes on by itself when there is space again", async (context) => {
    const { root, disk } = await makeSmallRoot(context, "256k");
    const ledger = join(makeFolder(), "ledger");
    for (const name of ["a", "b", "c"]) root.drop(name, { "job.sh": `echo ${name} >> '${ledger}'\n`, input: name });
    const pause = join(makeFolder(), "pause");
    writeFileSync(pause, "");
    const manager = root.manage(["-M", "2", "--pause-file", pause]);
    await waitUntil("it pauses", () => manager.stdout().includes("Paused by"));
    const balloon = fill(disk);
    rmSync(pause);
    await waitUntil("the full disk is told", () => /ENOSPC|no space left/i.test(manager.stderr()));
    expect(manager.process.exitCode).toBe(null);
    expect(manager.stderr()).toMatch(/ENOSPC.* Make room there: delete what you do not need; it goes on by itself\./);
    const noRoom = `There is no room left on the disk of ${root.path}: nothing can be taken in`;
    expect((await jobmgr(["--root", root.path, "status"])).stdout).toContain(`\n! ${noRoom}`);
    expect((await jobmgr(["--root", root.path, "explain", "a", "--json"])).stdout).toContain(noRoom);
    rmSync(balloon);
    await root.completed("a", "b", "c");
    expect(readFileSync(ledger, "utf8").split("\n").filter(Boolean).sort()).toEqual(["a", "b", "c"]);
    for (const name of ["a", "b", "c"]) expect(root.read(`complete/${name}/input`)).toBe(name);
    await manager.stop();
  });
});

describe("a root that goes away and comes back", () => {
  it("is waited for with patience: told once, no job changes its state, nothing is made in its place", async () => {
    const root = await makeRoot();
    const manager = root.manage();
    root.dropLedger("job", UNTIL_GO);
    await running(root, "job");
    const away = `${root.path}-away`;
    renameSync(root.path, away);
    mkdirSync(root.path);
    await waitUntil("it is told", () => manager.stderr().includes("is not there"));
    // Some more checks, each of which is a chance to do something wrong.
    manager.signal("SIGUSR1");
    await new Promise((done) => setTimeout(done, 500));
    expect(readdirSync(root.path)).toEqual([]);
    expect(timesIn(manager.stderr(), "is not there")).toBe(1);
    rmSync(root.path, { recursive: true });
    renameSync(away, root.path);
    await waitUntil("it is told", () => manager.stdout().includes("is there again"));
    go(root, "job");
    await root.completed("job");
    await othersGoOn(root);
    expect(root.runs()).toEqual(["job", "zz"]);
    expect(root.status("job").state).toBe("succeeded");
    expect(lstatSync(root.path).isDirectory()).toBe(true);
  });
});
