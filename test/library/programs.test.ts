/** Programs that use the library, as processes of their own: killed anywhere, and ending by themselves. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { makeFolder, makeRoot, type Running, runToEnd, start, waitUntil } from "../harness.ts";

const LIBRARY = resolve(import.meta.dirname, "../../dist/library/library.mjs");

function program(text: string): string {
  const path = join(makeFolder(), "program.mjs");
  writeFileSync(path, `import { getEngine, openRoot } from ${JSON.stringify(LIBRARY)};\n${text}`);
  return path;
}

describe("a program that is killed and started again", () => {
  const JOBS = 5;
  const TEXT = `
const [path, ledger] = process.argv.slice(2);
const root = await openRoot(path, { engine: "local", manage: true, settings: { period: 0.2, "max-jobs": 2 } });
const jobs = [];
for (let i = 1; i <= ${JOBS}; i++)
  jobs.push(await root.submit({
    name: "job-" + i,
    commands: ["echo $JOBMGR_JOB_NAME >>'" + ledger + "'", "sleep 0.05"],
    after: jobs.slice(-1).filter(() => i % 2 === 0),
    ifThere: "adopt",
  }));
const ends = await Promise.all(jobs.map((job) => job.result()));
console.log(JSON.stringify(ends.map(({ name, is }) => [name, is])));
await root.close();
`;

  it("runs each job once, wherever it was killed", async () => {
    const path = program(TEXT);
    for (const round of [1, 2]) {
      const root = await makeRoot();
      const args = [path, root.path, root.ledger];
      for (let kill = 0; kill < 6; kill++) {
        const running = start(process.execPath, args);
        // From the load of the library on to the last end; a seed would not make another process any more repeatable.
        const lastMs = 120 + 80 * kill + Math.random() * 80;
        await Promise.race([running.ended, new Promise((done) => setTimeout(done, lastMs))]);
        running.signal("SIGKILL");
        await running.ended;
      }
      const { code, stdout, stderr } = await runToEnd(process.execPath, args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const names = Array.from({ length: JOBS }, (_, i) => `job-${i + 1}`);
      expect(JSON.parse(stdout)).toEqual(names.map((name) => [name, "succeeded"]));
      expect(root.runs().sort(), `round ${round}`).toEqual(names);
      expect(root.names("complete")).toEqual(names);
      expect(readdirSync(join(root.path, "inbox"))).toEqual([]);
    }
  });
});

describe("a program", () => {
  const ended = ({ ended }: Running) => ended;

  it("that imports the library and does nothing, ends", async () => {
    expect(await runToEnd(process.execPath, [program("")])).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("that leaves a root open which it does not manage, ends", async () => {
    const { path } = await makeRoot();
    const text = `const root = await openRoot(${JSON.stringify(path)});
await root.submit({ name: "one", commands: ["true"] });
await root.status();
for await (const change of root.watch()) break;`;
    expect(await runToEnd(process.execPath, [program(text)])).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("that submits a job to an engine lives until that has ended, and leaves nothing behind", async () => {
    const TMPDIR = makeFolder();
    const text = `const engine = getEngine("local");
const job = await engine.submit({ name: "hello-world", commands: ["sleep 0.1", "echo 'Hello, world!'"], cpus: 1 });
job.on("end", async (outcome) => console.log(outcome.exitCode, await job.output()));`;
    const { code, stdout, stderr } = await runToEnd(process.execPath, [program(text)], { env: { TMPDIR } });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "0 Hello, world!\n\n", stderr: "" });
    expect(readdirSync(TMPDIR)).toEqual([]);
  });

  it("that ends before its job has, leaves the job and its root to others", async () => {
    const TMPDIR = makeFolder();
    const text = `const engine = getEngine("local", { log: (line) => console.log(line) });
const job = await engine.submit({ name: "a", commands: ["sleep 0.2", "echo done"] });
job.on("start", () => process.exit(3));`;
    const running = start(process.execPath, [program(text)], { env: { TMPDIR } });
    expect(await ended(running)).toBe(3);
    const [root = ""] = readdirSync(TMPDIR);
    expect(running.stdout()).toContain(`1 jobs go on in ${join(TMPDIR, root)}: jobmgr --root`);
    const output = join(TMPDIR, root, "pending/a/job_output.txt");
    await waitUntil("the job is done", () => existsSync(output) && readFileSync(output, "utf8") === "done\n");
  });

  it("may be killed by its own signals, and its jobs go on", async () => {
    const root = await makeRoot();
    const text = `const root = await openRoot(${JSON.stringify(root.path)}, { engine: "local", manage: true });
const job = await root.submit({ name: "one", commands: ["echo one >>'${root.ledger}'", "sleep 0.3"] });
job.on("start", () => console.log("started"));`;
    const running = start(process.execPath, [program(text)]);
    await waitUntil("it has started", () => running.stdout() === "started\n");
    running.signal("SIGTERM");
    expect(await ended(running)).toBe("SIGTERM");
    root.manage();
    await root.completed("one");
    expect(root.runs()).toEqual(["one"]);
  });

  it("may submit and cancel more jobs at once than it may have files open", async () => {
    const { path, names } = await makeRoot();
    const text = `const root = await openRoot(${JSON.stringify(path)}, { engine: "local" });
const submit = (_, i) => root.submit({ name: "job-" + i, commands: ["true"] });
const jobs = await Promise.all(Array.from({ length: 80 }, submit));
await Promise.all(jobs.map((job) => job.cancel()));`;
    const shell = 'ulimit -n 64; exec "$0" "$@"';
    const { code, stderr } = await runToEnd("sh", ["-c", shell, process.execPath, program(text)]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(names("inbox")).toHaveLength(80);
  });

  it("that waits where nobody manages the root, is told so once", async () => {
    const root = await makeRoot();
    const text = `const root = await openRoot(${JSON.stringify(root.path)}, { engine: "local" });
const job = await root.submit({ name: "one", commands: ["true"] });
console.log((await job.result()).is);`;
    const running = start(process.execPath, [program(text)]);
    await waitUntil("it is told", () => running.stderr().includes("JobmgrWarning: No manager is running for"));
    root.manage();
    expect(await ended(running)).toBe(0);
    expect(running.stdout()).toBe("succeeded\n");
    expect(running.stderr().match(/No manager/g)).toHaveLength(1);
  });

  it("whose listener fails, is told by Node", async () => {
    const text = `const job = await getEngine("local").submit({ name: "a", commands: ["true"] });
job.on("end", () => { throw new Error("mine"); });`;
    const { code, stderr } = await runToEnd(process.execPath, [program(text)], { env: { TMPDIR: makeFolder() } });
    expect(code).toBe(1);
    expect(stderr).toContain("Error: mine");
  });

  it("whose log fails, is told by Node, and the manager goes on", async () => {
    const text = `const told = new Set();
process.on("uncaughtException", ({ message }) => told.add(message));
const engine = getEngine("local", { log: () => { throw new Error("mine"); } });
const job = await engine.submit({ name: "a", commands: ["true"] });
console.log((await job.result()).is, ...told);`;
    const { stdout } = await runToEnd(process.execPath, [program(text)], { env: { TMPDIR: makeFolder() } });
    expect(stdout).toBe("succeeded mine\n");
  });
});
