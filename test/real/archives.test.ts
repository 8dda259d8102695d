/** Archives and scripts dropped into the inbox of the real program; made, and unpacked again, by real tar and zip. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isSuperuser, jobmgr, makeFolder, makeRoot, type TestRoot, waitUntil } from "../harness.ts";
import { putProgram } from "../own-programs.ts";
import { fill, makeSmallRoot } from "./surroundings.ts";

/** Packs a folder of these files by the program that a person would use; returns the path of the archive. */
function archive(file: string, files: Readonly<Record<string, string>>, inside = "one"): string {
  const around = makeFolder();
  const folder = join(around, inside);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const path = join(around, file);
  if (/zip$/i.test(file)) execFileSync("zip", ["-qr", path, inside], { cwd: around });
  else execFileSync("tar", ["-C", around, "-caf", path, inside]);
  return path;
}

/** Moves it into the inbox, whole. */
function drop(root: TestRoot, path: string, name = path.slice(path.lastIndexOf("/") + 1)): void {
  const hidden = join(root.path, "inbox", ".hidden");
  execFileSync("cp", [path, hidden]);
  renameSync(hidden, join(root.path, "inbox", name));
}

/** A job that says in the ledger that it runs. */
const jobOf = (root: TestRoot, name: string, more = "") => ({
  "job.sh": `echo '${name}' >> '${root.ledger}'\n${more}\n`,
});

/** Packed, dropped: a job that says in the ledger that it runs. */
function dropJob(root: TestRoot, file: string, more = "", files: Readonly<Record<string, string>> = {}): string {
  const path = archive(file, { ...jobOf(root, file, more), ...files });
  drop(root, path);
  return path;
}

/** Unpacks an archive by a real program. */
function unpacked(path: string): string {
  const folder = makeFolder();
  if (/zip$/i.test(path)) execFileSync("unzip", ["-q", path, "-d", folder]);
  else execFileSync("tar", ["-C", folder, "-xf", path]);
  return folder;
}

const inside = (root: TestRoot, folder: string) => readdirSync(join(root.path, folder)).sort();

/** Nothing is left of what was under way. */
function expectTidy(root: TestRoot): void {
  for (const folder of [".jobmgr/arriving", ".jobmgr/packing"])
    if (root.exists(folder)) expect(inside(root, folder)).toEqual([]);
}

const quiet = (root: TestRoot) =>
  waitUntil("all is tidy", () =>
    [".jobmgr/arriving", ".jobmgr/packing"].every(
      (folder) => !root.exists(folder) || inside(root, folder).length === 0,
    ),
  );

describe("an archive in the inbox", () => {
  it.each(["a.tar.gz", "a.tgz", "a.tar", "a.tar.xz", "a.zip", "A.ZIP"])(
    "%s is run as a folder, and an archive of what came of it is put beside it",
    async (file) => {
      const root = await makeRoot();
      const name = file.split(".")[0] ?? "";
      root.manage();
      const work = `cat deep/ünï > result; mkdir -p out/empty; ln -s ../result out/link; : > out/zero; chmod 640 result`;
      const sent = dropJob(root, file, work, { "deep/ünï": "data\n", [`n${"n".repeat(200)}`]: "long\n" });
      await root.completed(name, file);
      await quiet(root);
      expect(root.runs()).toEqual([file]);
      expect(inside(root, "inbox")).toEqual([]);
      const folder = join(root.path, "complete", name);
      const given = unpacked(join(root.path, "complete", file));
      expect(readdirSync(given)).toEqual([name]);
      execFileSync("diff", ["-r", "--no-dereference", "-x", ".jobmgr", join(given, name), folder]);
      expect(readFileSync(join(given, name, "result"), "utf8")).toBe("data\n");
      expect(statSync(join(given, name, "result")).mode & 0o777).toBe(0o640);
      expect(existsSync(join(given, name, "out/empty"))).toBe(true);
      expect(existsSync(join(given, name, ".jobmgr"))).toBe(false);
      // What was sent is kept as it was.
      expect(readFileSync(join(folder, ".jobmgr/source", file)).equals(readFileSync(sent))).toBe(true);
      expectTidy(root);
    },
  );

  it("is run by one pass of --once, many of them too", async () => {
    const root = await makeRoot();
    for (const name of ["a", "b", "c"]) dropJob(root, `${name}.tgz`);
    writeFileSync(join(root.path, "inbox/d.sh"), `echo d.sh >> '${root.ledger}'\n`);
    await jobmgr(["--root", root.path, "-e", "LocalEngine", "--settle", "0", "-M", "9", "--once"]);
    expect(inside(root, "inbox")).toEqual([]);
    await waitUntil("all have run", () => root.runs().length === 4);
    await jobmgr(["--root", root.path, "-e", "LocalEngine", "--settle", "0", "--once"]);
    expect(root.names("complete")).toEqual(["a", "a.tgz", "b", "b.tgz", "c", "c.tgz", "d"]);
    expectTidy(root);
  });

  it("has its turn by its name, and leaves the inbox only when there is room", async () => {
    const root = await makeRoot();
    for (const name of ["a", "c", "e"]) dropJob(root, `${name}.tar`, "while [ ! -e go ]; do sleep 0.02; done");
    for (const name of ["b", "d"]) root.dropLedger(name);
    const manager = root.manage(["-M", "1"]);
    await waitUntil("the first runs", () => root.runs().length === 1);
    expect(root.names("inbox")).toEqual(["b", "c.tar", "d", "e.tar"]);
    for (const name of ["a", "c", "e"]) {
      await waitUntil(
        `${name} runs`,
        () => root.exists(`pending/${name}/.jobmgr`) && root.runs().includes(`${name}.tar`),
      );
      writeFileSync(join(root.path, "pending", name, "go"), "");
    }
    await root.completed("a", "b", "c", "d", "e");
    expect(root.runs()).toEqual(["a.tar", "b", "c.tar", "d", "e.tar"]);
    await manager.stop();
  });

  it("waits until it has come to rest, and until job_hold in it is removed", async () => {
    const root = await makeRoot();
    const whole = readFileSync(archive("slow.tgz", jobOf(root, "slow")));
    const manager = root.manage(["--settle", "1"]);
    dropJob(root, "held.zip", "", { job_hold: "" });
    const target = join(root.path, "inbox/slow.tgz");
    writeFileSync(target, whole.subarray(0, 10));
    for (let at = 10; at < whole.length; at += 30) {
      appendFileSync(target, whole.subarray(at, at + 30));
      await new Promise((done) => setTimeout(done, 100));
    }
    await root.completed("slow");
    expect(root.status("slow").state).toBe("succeeded");
    await waitUntil("it is held", () => root.exists("inbox/held/job_hold"));
    rmSync(join(root.path, "inbox/held/job_hold"));
    await root.completed("held");
    expect(root.runs().sort()).toEqual(["held.zip", "slow"]);
    expect(manager.stderr()).toBe("");
  });

  it("whose end is missing is given time, and is taken when it has come", async () => {
    const root = await makeRoot();
    const whole = readFileSync(archive("cut.zip", jobOf(root, "cut")));
    const manager = root.manage(["--settle", "0.5"]);
    writeFileSync(join(root.path, "inbox/cut.zip"), whole.subarray(0, -20));
    await waitUntil("it is told", () => /cut\.zip waits: its end is missing/.test(manager.stderr()));
    appendFileSync(join(root.path, "inbox/cut.zip"), whole.subarray(-20));
    await root.completed("cut");
    expect(root.runs()).toEqual(["cut"]);
  });

  it("needs no file that says that a folder is complete, and runs at once", async () => {
    const root = await makeRoot();
    root.manage(["--ready-file", "go"]);
    dropJob(root, "a.tgz");
    root.dropLedger("b");
    await root.completed("a");
    expect(root.names("inbox")).toEqual(["b"]);
  });

  it("has the same new name as its folder where the old one is taken, and nothing is overwritten", async () => {
    const root = await makeRoot();
    root.drop("a", "true\n");
    mkdirSync(join(root.path, "complete/b"));
    writeFileSync(join(root.path, "complete/b.tgz"), "mine");
    root.manage();
    await root.completed("a");
    dropJob(root, "a.tgz");
    dropJob(root, "b.tgz");
    await root.completed("a~2.tgz", "b~2.tgz");
    await quiet(root);
    expect(root.names("complete")).toEqual(["a", "a~2", "a~2.tgz", "b", "b.tgz", "b~2", "b~2.tgz"]);
    expect(root.read("complete/b.tgz")).toBe("mine");
    expect(readdirSync(unpacked(join(root.path, "complete/a~2.tgz")))).toEqual(["a~2"]);
  });

  it("that came, ran, and is moved back as a folder gives an archive again, as long as it has what was sent", async () => {
    const root = await makeRoot();
    root.manage(["--settle", "0.3"]);
    dropJob(root, "a.tgz");
    dropJob(root, "b.tgz");
    await root.completed("a.tgz", "b.tgz");
    await quiet(root);
    for (const name of ["a", "b"]) {
      if (name === "b") rmSync(join(root.path, "complete/b/.jobmgr/source"), { recursive: true });
      rmSync(join(root.path, `complete/${name}.tgz`));
      renameSync(join(root.path, "complete", name), join(root.path, "inbox", name));
    }
    await root.completed("a", "b", "a.tgz");
    await quiet(root);
    expect(root.names("complete")).toEqual(["a", "a.tgz", "b"]);
    expect(root.runs().sort()).toEqual(["a.tgz", "a.tgz", "b.tgz", "b.tgz"]);
  });

  it("of a job that failed says so in the archive, too", async () => {
    const root = await makeRoot();
    root.manage();
    dropJob(root, "a.tgz", "exit 3");
    dropJob(root, "b.zip", "", { "job.sh": "echo b\r\n" });
    await root.completed("a.tgz", "b.zip");
    for (const [file, word] of [
      ["a.tgz", "failed. Exit code 3"],
      ["b.zip", "refused"],
    ] as const) {
      const name = file[0] ?? "";
      const given = unpacked(join(root.path, "complete", file));
      expect(readFileSync(join(given, name, "job_error.txt"), "utf8")).toContain(word);
      expect(JSON.parse(readFileSync(join(given, name, "job_status.json"), "utf8"))).toMatchObject({ name });
    }
    expect(root.runs()).toEqual(["a.tgz"]);
  });
});

describe("instead of its folder", () => {
  it.each(["a.tar.gz", "a.zip", "a.tar.xz"])("%s is all that is seen, and status knows how it ended", async (file) => {
    const root = await makeRoot();
    const manager = root.manage(["--archive-result", "instead"]);
    dropJob(root, file, "echo data > result; mkdir -m 500 shut; ln -s result link; exit 3");
    await root.completed(file);
    await quiet(root);
    expect(root.names("complete")).toEqual([file]);
    const given = unpacked(join(root.path, "complete", file));
    expect(readFileSync(join(given, "a/link"), "utf8")).toBe("data\n");
    expect(inside(root, "complete/.a")).toEqual([".jobmgr", "job_error.txt", "job_status.json"]);
    const { stdout } = await jobmgr(["--root", root.path, "status"]);
    expect(stdout).toMatch(/^a +failed .*Exit code 3/m);
    expect(stdout).toContain("1 complete");
    // The next of this name leaves it alone.
    dropJob(root, file);
    await root.completed(file.replace("a", "a~2"));
    await quiet(root);
    expect(readdirSync(join(root.path, "complete")).sort()).toEqual(
      [".a", ".a~2", file, file.replace("a", "a~2")].sort(),
    );
    await manager.stop();
  });
});

describe("a job of which only its archive is left", () => {
  const names = ["a", "it's [one]"];
  let root: TestRoot;
  const verb = (...args: readonly string[]) => jobmgr(["--root", root.path, ...args]);

  async function packed(): Promise<void> {
    root = await makeRoot();
    const manager = root.manage(["--archive-result", "instead"]);
    dropJob(root, "a.tgz", "echo 'the output'");
    drop(root, archive("b.zip", jobOf(root, "b", "echo 'the output'; exit 3")), "it's [one].zip");
    await root.completed("a.tgz", "it's [one].zip");
    await quiet(root);
    await manager.stop();
  }

  it("is told of by its name, and logs says how to see its output", async () => {
    await packed();
    const { stdout } = await verb("wait", "--json", ...names);
    expect(JSON.parse(stdout).jobs.map(({ name }: { name: string }) => name)).toEqual(names);
    for (const name of names) {
      const logs = await verb("logs", name);
      expect(logs).toMatchObject({ code: 1, stdout: "" });
      const command = /^The output of .* is in complete\/.*?: ((tar|unzip) .*)$/m.exec(logs.stderr)?.[1] ?? "";
      expect(execFileSync("sh", ["-c", command], { encoding: "utf8" })).toBe("the output\n");
      const followed = await verb("logs", "-f", "--exit-code", name);
      expect(followed.code).toBe(name === "a" ? 0 : 3);
      expect(followed.stderr).toContain(command);
    }
    rmSync(join(root.path, "complete/a.tgz"));
    writeFileSync(join(root.path, "complete/a.tgz"), "mine");
    expect((await verb("logs", "a")).stderr).toContain("which is not in complete/ any more, or was changed");
  });

  it("is run once more with what was sent, and goes with its archive alone", async () => {
    await packed();
    const retried = await verb("retry", "a");
    expect(retried.code).toBe(1);
    expect(retried.stderr).toContain("To run what was sent once more, as a new job: jobmgr submit --from a\n");
    const { stdout } = await verb("explain", "complete/it's [one]");
    expect(stdout).toContain("Its files are in complete/it's [one].zip.");
    expect(stdout).toMatch(/jobmgr --root \S+ submit --from 'it'\\''s \[one\]' +runs what was sent once more/);
    expect(stdout).not.toContain("jobmgr retry");
    expect(await verb("submit", "--from", "a", "--name", "again")).toMatchObject({ code: 0, stdout: "again.tgz\n" });
    const manager = root.manage();
    await root.completed("again.tgz");
    await quiet(root);
    expect(root.read("complete/again/job_output.txt")).toBe("the output\n");
    await manager.stop();
    writeFileSync(join(root.path, "complete/a.zip"), "mine");
    const removed = await verb("remove", "--yes", "a", "again");
    expect(removed.stdout).toBe(
      "removed complete/a; complete/a.zip stays, for it is not the archive that jobmgr made of this job\nremoved complete/again\n",
    );
    expect(inside(root, "complete")).toEqual([".it's [one]", "a.zip", "it's [one].zip"]);
  });
});

describe("a job that waits for one that is an archive", () => {
  it.each(["beside", "instead"])(
    "runs after it, with the archive %s its folder, and is told by its name",
    async (where) => {
      const root = await makeRoot();
      root.drop("before", { "job.sh": `echo before >> '${root.ledger}'\n`, "job_after.txt": "long\n" });
      const gate = join(makeFolder(), "gate");
      const manager = root.manage(["--archive-result", where]);
      await waitUntil(
        "it waits for a job that is not there",
        () => root.exists(".jobmgr/manager.json") && /long/.test(root.read(".jobmgr/manager.json")),
      );
      dropJob(root, "long.tgz", `while [ ! -e '${gate}' ]; do sleep 0.02; done`);
      await waitUntil("the other one runs", () => root.runs().length === 1);
      writeFileSync(gate, "");
      await root.completed("before", "long.tgz");
      expect(root.runs()).toEqual(["long.tgz", "before"]);
      await manager.stop();
    },
  );
});

describe("odd names", () => {
  it.each([
    ["as long as they may be", `${"ü".repeat(125)}.tgz`],
    ["with a newline, quotes and a dash", `-a'b"\n$c.tgz`],
    ["of one archive in another's", "a.zip.tgz"],
  ])("%s are names of jobs and of their archives", async (_, file) => {
    const root = await makeRoot();
    root.manage();
    drop(root, archive("plain.tgz", jobOf(root, "odd")), file);
    const name = file.slice(0, -4);
    await root.completed(name, file);
    await quiet(root);
    expect(root.runs()).toEqual(["odd"]);
    expect(root.names("complete")).toEqual([name, file]);
  });
});

describe("a script in the inbox", () => {
  it("is a job of its own", async () => {
    const root = await makeRoot();
    root.manage();
    const script = `#!/bin/bash\n#SBATCH --job-name=mine\necho lone >> '${root.ledger}'; pwd\n`;
    writeFileSync(join(root.path, "inbox/lone.sh"), script);
    await root.completed("lone");
    expect(root.runs()).toEqual(["lone"]);
    expect(root.read("complete/lone/job.sh")).toBe(script);
    expect(root.read("complete/lone/job_output.txt")).toBe(`${root.path}/pending/lone\n`);
    expect(root.status("lone")).toMatchObject({ state: "succeeded", jobName: "mine" });
    expect(root.names("complete")).toEqual(["lone"]);
    expect(inside(root, "inbox")).toEqual([]);
    expectTidy(root);
  });

  it("other files, unfinished uploads and other people's archives stay where they are, and others go on", async () => {
    const root = await makeRoot();
    const names = ["a.tgz.part", "b.zip.filepart", "c.txt", "d.tar.bz2"];
    for (const name of names) writeFileSync(join(root.path, "inbox", name), "echo no\n");
    if (isSuperuser) {
      writeFileSync(join(root.path, "inbox/e.sh"), `echo stranger >> '${root.ledger}'\n`);
      chownSync(join(root.path, "inbox/e.sh"), 65534, 65534);
      names.push("e.sh");
    }
    root.manage();
    writeFileSync(join(root.path, "inbox/z.sh"), `echo z >> '${root.ledger}'\n`);
    await root.completed("z");
    expect(inside(root, "inbox")).toEqual(names);
    expect(root.runs()).toEqual(["z"]);
  });
});

describe("an archive that is refused", () => {
  it("is kept in complete with the reason and the remedy, and nothing of it is ever unpacked", async () => {
    const root = await makeRoot();
    const around = makeFolder();
    writeFileSync(join(around, "job.sh"), `echo no >> '${root.ledger}'\n`);
    symlinkSync("/etc/passwd", join(around, "link"));
    const at = (name: string) => join(root.path, "inbox", name);
    execFileSync("tar", ["-C", around, "-czf", at("link.tgz"), "job.sh", "link"]);
    execFileSync("tar", ["-C", around, "-cPf", at("up.tar"), "--transform", "s,^,../../,", "job.sh"]);
    execFileSync("zip", ["-q", "-P", "secret", at("secret.zip"), "job.sh"], { cwd: around });
    execFileSync("sh", ["-c", `zstd -q -c job.sh > '${at("odd.tar.gz")}'`], { cwd: around });
    const reasons = {
      link: /refused\. link\.tgz is refused, and nothing of it was unpacked\. It holds a symbolic link, link\./,
      up: /It holds a name that leads out of it: \.\.\/\.\.\/job\.sh/,
      secret: /It is encrypted\. Make it without a password/,
      odd: /Its name says that it is gzip, but it is zstd/,
    };
    const sent = Object.fromEntries(inside(root, "inbox").map((name) => [name, readFileSync(at(name))]));
    const manager = root.manage();
    await root.completed(...Object.keys(reasons));
    await quiet(root);
    for (const [name, reason] of Object.entries(reasons)) {
      expect(root.paragraphsOf(name)).toMatch(reason);
      expect(root.paragraphsOf(name)).toMatch(/Put a better one into inbox\//);
      expect(root.status(name).state).toBe("refused");
    }
    for (const [file, bytes] of Object.entries(sent)) {
      const name = file.split(".")[0];
      expect(inside(root, `complete/${name}`)).toEqual([".jobmgr", "job_error.txt", "job_status.json", file].sort());
      expect(readFileSync(join(root.path, `complete/${name}/${file}`)).equals(bytes)).toBe(true);
    }
    expect(root.names("complete")).toEqual(Object.keys(reasons).sort());
    expect(root.runs()).toEqual([]);
    expectTidy(root);
    expect(await manager.stop()).toBe(130);
  });
});

/** A PATH on which xz is this; the manager's own programs are there, too. */
function pathWithXz(text: string | undefined): { PATH: string; folder: string } {
  const folder = makeFolder();
  const programs = (process.env.PATH ?? "").split(":").filter((one) => existsSync(one));
  for (const bin of programs)
    for (const name of readdirSync(bin))
      if (name !== "xz" && !existsSync(join(folder, name))) symlinkSync(join(bin, name), join(folder, name));
  if (text !== undefined) putProgram(join(folder, "xz"), text);
  return { PATH: folder, folder };
}

const XZ = execFileSync("sh", ["-c", "command -v xz"], { encoding: "utf8" }).trim();

describe("while an archive is unpacked", () => {
  it("all else goes on, a stop does not wait for it, and the next manager begins anew", async () => {
    const root = await makeRoot();
    const gate = join(makeFolder(), "gate");
    const { PATH } = pathWithXz(`while [ ! -e '${gate}' ]; do sleep 0.05; done; exec ${XZ} "$@"`);
    const first = root.manage([], { env: { PATH } });
    dropJob(root, "a.tar.xz");
    for (const name of ["b", "c"]) root.dropLedger(name);
    await root.completed("b", "c");
    const { stdout } = await jobmgr(["--root", root.path, "status"]);
    expect(stdout).toMatch(/a\.tar\.xz +waiting .*it is being unpacked/);
    const began = performance.now();
    expect(await first.stop()).toBe(130);
    expect(performance.now() - began).toBeLessThan(8000);
    expect(inside(root, "inbox")).toEqual(["a.tar.xz"]);
    writeFileSync(gate, "");
    root.manage([], { env: { PATH } });
    await root.completed("a.tar.xz");
    await quiet(root);
    const [last, ...before] = root.runs().reverse();
    expect([last, before.sort()]).toEqual(["a.tar.xz", ["b", "c"]]);
    expectTidy(root);
  });

  it("without xz it waits and says what is missing, and goes on when that is there", async () => {
    const root = await makeRoot();
    const { PATH, folder } = pathWithXz(undefined);
    const manager = root.manage([], { env: { PATH } });
    dropJob(root, "a.tar.xz");
    dropJob(root, "b.tgz");
    await waitUntil("it is told", () =>
      /a\.tar\.xz waits: the program xz.*is not on this machine/.test(manager.stderr()),
    );
    await root.completed("b.tgz");
    expect(manager.stderr().split("program xz").length).toBe(2);
    putProgram(join(folder, "xz"), `exec ${XZ} "$@"`);
    await root.completed("a.tar.xz");
    expect(root.runs()).toEqual(["b.tgz", "a.tar.xz"]);
  });
});

describe("a full disk", () => {
  it("lets an archive wait, and its result, and both go on when there is room", async (context) => {
    const { root, disk } = await makeSmallRoot(context, "8m");
    const gate = join(makeFolder(), "gate");
    const wait = `while [ ! -e '${gate}' ]; do sleep 0.02; done`;
    const noise = randomBytes(1_100_000).toString("base64");
    const path = archive("big.tar", { ...jobOf(root, "big", wait), noise });
    drop(root, path);
    const balloon = fill(disk, 52 * 102_400);
    const manager = root.manage();
    await waitUntil("it waits", () => /big\.tar waits: it needs room for 2\.\d MB/.test(manager.stderr()));
    expect(inside(root, "inbox")).toEqual(["big.tar"]);
    expect(readdirSync(join(root.path, "pending"))).toEqual([]);
    root.dropLedger("other");
    await root.completed("other");
    rmSync(balloon);
    await waitUntil("it runs", () => root.runs().includes("big"));
    fill(disk);
    truncateSync(balloon, statSync(balloon).size - 400_000);
    writeFileSync(gate, "");
    await waitUntil("its result waits", () => /The archive of .* waits: .*(ENOSPC|no space)/i.test(manager.stderr()));
    expect(root.exists("complete/big/job_status.json")).toBe(true);
    expect(root.exists("complete/big.tar")).toBe(false);
    rmSync(balloon);
    await root.completed("big.tar");
    await quiet(root);
    execFileSync("diff", [
      "-r",
      "-x",
      ".jobmgr",
      join(unpacked(join(root.path, "complete/big.tar")), "big"),
      join(root.path, "complete/big"),
    ]);
    expect(root.runs().sort()).toEqual(["big", "other"]);
    await manager.stop();
  });
});
