/** The library, with LocalEngine and real processes. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Writable } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  AbsentError,
  asCompleted,
  ClosedError,
  ConfigError,
  getEngine,
  getLauncher,
  type Job,
  type JobOutcome,
  type JobRoot,
  JobThereError,
  LaunchError,
  LockError,
  ManagerError,
  openRoot,
  RequestError,
  ResultTimeoutError,
  RootError,
  type RootOptions,
  type WaitOptions,
} from "../../bin/library.ts";
import { changesOf } from "../../src/library/watch.ts";
import { jobmgr, makeFolder, makeRoot, type TestRoot, waitUntil } from "../harness.ts";

const QUICK = { period: 0.1, settle: 0 };

/** A root, and the library's view of it. */
async function opened(options: RootOptions = {}): Promise<{ files: TestRoot; root: JobRoot }> {
  const files = await makeRoot();
  const root = await openRoot(files.path, { engine: "local", settings: QUICK, ...options });
  onTestFinished(() => root.close());
  return { files, root };
}

const managed = (options: RootOptions = {}) => opened({ manage: true, ...options });

/** An engine that does not come with jobmgr; its file. */
function ownEngine(folder: string): string {
  const local = resolve(import.meta.dirname, "../../dist/engines/local/index.js");
  const text = `import { LocalEngine } from ${JSON.stringify(local)};
export default { contract: 1, name: "OwnEngine", version: "1.2", summary: "a test's", make(options) {
  return Object.defineProperty(LocalEngine.forThisMachine(options), "name", { value: "OwnEngine" });
} };`;
  writeFileSync(join(folder, "own.mjs"), text);
  return join(folder, "own.mjs");
}

/** Until that file is there, or its folder has gone: jobs outlive the test. */
const until = (path: string) => `while [ -d '${dirname(path)}' ] && [ ! -e '${path}' ]; do sleep 0.02; done`;

describe("a job that a program submits", () => {
  it("runs, and tells how it ended and when", async () => {
    const { files, root } = await managed();
    const job = await root.submit({ name: "one", commands: ["echo out", "echo err >&2", "exit 3"] });
    const outcome = await job.result();
    expect(outcome).toMatchObject({ name: "one", is: "failed", isSuccess: false, exitCode: 3, why: "Exit code 3." });
    expect(outcome.folder).toBe(join(files.path, "complete/one"));
    expect([outcome.submittedAt, outcome.startedAt, outcome.endedAt].every((at) => at instanceof Date)).toBe(true);
    expect([job.id, job.state, job.folder]).toEqual(["one", "failed", outcome.folder]);
    expect(job.look()).toMatchObject({ place: "complete", state: "failed", exitCode: 3 });
    expect(await job.output()).toBe("out\nerr\n");
    expect(await job.output({ bytesMax: 4 })).toBe("err\n");
    expect(await job.cancel()).toBe(false);
  });

  it("has what was asked for", async () => {
    const { root } = await managed();
    const job = await root.submit({
      name: "one",
      commands: [`echo "$A"`, "echo e >&2"],
      env: { A: "$(id)\n`id`", HOME: null },
      cpus: 1,
      memory: "1G",
      timeLimitS: 36 * 3600,
      output: "my out.txt",
      error: "logs/of one/my err.txt",
      directives: ["#SBATCH --job-name=other"],
    });
    expect((await job.result()).isSuccess).toBe(true);
    const { folder = "" } = job;
    expect(readFileSync(join(folder, "my out.txt"), "utf8")).toBe("$(id)\n`id`\n");
    expect(readFileSync(join(folder, "logs/of one/my err.txt"), "utf8")).toBe("e\n");
    const status = JSON.parse(readFileSync(join(folder, "job_status.json"), "utf8"));
    expect(status).toMatchObject({ jobName: "other", asked: { time: "1-12:00:00", memory: "1024M" } });
  });

  it("is a copy of a folder, which stays as it is", async () => {
    const { root } = await managed();
    const folder = join(makeFolder(), "work");
    mkdirSync(folder);
    const script = "#!/bin/sh\n#SBATCH --job-name=mine\ncat data; echo $A\n";
    writeFileSync(join(folder, "job.sh"), script, { mode: 0o640 });
    writeFileSync(join(folder, "data"), "data\n");
    const job = await root.submit({ name: "one", folder, timeLimitS: 60, env: { A: "b c" } });
    expect(await job.result()).toMatchObject({ isSuccess: true });
    expect(await job.output()).toBe("data\nb c\n");
    expect(readFileSync(join(folder, "job.sh"), "utf8")).toBe(script);
    expect((await (await root.submit({ name: "two", folder })).result()).isSuccess).toBe(true);
  });

  it("may be a script of any language", async () => {
    const { root } = await managed();
    const job = await root.submit({ name: "one", script: "#!/usr/bin/perl\nprint 1 + 1, qq(\\n);\n", cpus: 1 });
    expect((await job.result()).isSuccess).toBe(true);
    expect(await job.output()).toBe("2\n");
  });

  it("is not made of what is no job, and leaves nothing behind", async () => {
    const { files, root } = await opened();
    const folder = makeFolder();
    const linked = join(folder, "linked");
    mkdirSync(linked);
    writeFileSync(join(folder, "elsewhere"), "true\n");
    symlinkSync("../elsewhere", join(linked, "job.sh"));
    for (const wrong of [
      { name: "a", folder },
      { name: "a", folder: join(folder, "none") },
      { name: "a", folder: join(folder, "elsewhere") },
      { name: "a", folder: linked, cpus: 1 },
      { name: "a", folder: files.path },
      { name: "a/b", commands: ["true"] },
      { name: "a", commands: ["true"], cpus: -1 },
    ])
      await expect(root.submit(wrong)).rejects.toThrow(RequestError);
    await expect(root.submit({ name: "a", commands: ["true"], nodes: 2 })).rejects.toThrow(/2 nodes/);
    await expect(root.submit({ name: "a", commands: ["true"], after: ["b"] })).rejects.toThrow(AbsentError);
    expect(files.names("inbox")).toEqual([]);
  });

  it("is not put in once its signal has aborted, and nothing is left of it", async () => {
    const { files, root } = await opened();
    const folder = makeFolder();
    for (const name of ["job.sh", "a", "b", "c"]) writeFileSync(join(folder, name), "true\n");
    const stop = new AbortController();
    const submitted = root.submit({ name: "one", folder }, { signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(submitted).rejects.toThrow("enough");
    await expect(root.submit({ name: "one", folder }, { signal: stop.signal })).rejects.toThrow("enough");
    expect(readdirSync(join(files.path, "inbox"))).toEqual([]);
  });

  it("starts after those that it is to run after", async () => {
    const { files, root } = await managed();
    const first = await root.submit({ name: "first", commands: [until(`${files.ledger}-go`), "exit 1"] });
    const next = await root.submit({ name: "next", commands: ["true"], after: [first] });
    const any = await root.submit({ name: "any", commands: ["true"], afterAny: ["first"] });
    expect(next.state).toBe("waiting");
    writeFileSync(`${files.ledger}-go`, "");
    expect(await next.result()).toMatchObject({ is: "refused", after: { name: "first", is: "failed" } });
    expect(await any.result()).toMatchObject({ is: "succeeded" });
  });
});

describe("ends that are no success", () => {
  it("are a time limit, a cancellation, and a death by signal", async () => {
    const { root } = await managed({ settings: { ...QUICK, grace: 1 } });
    const late = await root.submit({ name: "late", commands: ["sleep 1000"], timeLimitS: 0.2 });
    const killed = await root.submit({ name: "killed", commands: ["kill -9 $$"] });
    const cancelled = await root.submit({ name: "cancelled", commands: ["sleep 1000"] });
    await new Promise((started) => cancelled.on("start", started));
    expect(cancelled.state).toBe("running");
    expect(await cancelled.cancel("no longer needed")).toBe(true);
    expect(await cancelled.result()).toMatchObject({
      is: "cancelled",
      isSuccess: false,
      why: expect.stringContaining("no longer needed"),
    });
    expect(await late.result()).toMatchObject({ is: "failed", isSuccess: false, cause: "timeout" });
    expect(await killed.result()).toMatchObject({ is: "failed", exitCode: 137, signal: "KILL" });
  });

  it("are a folder that was removed, and one without records", async () => {
    const { files, root } = await opened();
    const job = await root.submit({ name: "one", commands: ["true"] });
    const result = job.result();
    rmSync(join(files.path, "inbox/one"), { recursive: true });
    expect(await result).toMatchObject({ is: "gone", isSuccess: false, folder: undefined });
    expect([job.state, job.folder, job.look()]).toEqual(["gone", undefined, undefined]);
    mkdirSync(join(files.path, "complete/odd"));
    const odd = await root.job("odd");
    expect(await odd.result()).toMatchObject({ is: "unknown", isSuccess: false });
    expect(odd.state).toBe("unknown");
    rmSync(join(files.path, "complete/odd"), { recursive: true });
    expect([odd.state, odd.folder, await odd.output()]).toEqual(["unknown", undefined, ""]);
  });

  it("are known also when their folders have been removed since", async () => {
    const { root } = await managed();
    const job = await root.submit({ name: "one", commands: ["true"] });
    const { folder = "" } = await job.result();
    expect(job.folder).toBe(folder);
    rmSync(folder, { recursive: true });
    expect([job.state, job.folder, job.look()]).toEqual(["succeeded", undefined, undefined]);
    expect(await job.result()).toMatchObject({ is: "succeeded", exitCode: 0, folder: undefined });
    expect(await job.output()).toBe("");
  });
});

describe("a job of a name that is there", () => {
  it("is refused, adopted or numbered, as was said", async () => {
    const { files, root } = await managed();
    const one = { name: "one", commands: [`echo run >>'${files.ledger}'`, until(`${files.ledger}-go`)] };
    const first = await root.submit(one);
    await expect(root.submit(one)).rejects.toThrow(JobThereError);
    const same = await root.submit({ ...one, ifThere: "adopt" });
    await new Promise((started) => same.on("start", started));
    await expect(root.submit(one)).rejects.toThrow(/pending/);
    writeFileSync(`${files.ledger}-go`, "");
    expect(await same.result()).toEqual(await first.result());
    await expect(root.submit(one)).rejects.toThrow(/complete/);
    const again = await root.submit({ ...one, ifThere: "adopt" });
    expect((await again.result()).isSuccess).toBe(true);
    expect(files.runs()).toHaveLength(1);
    const other = await root.submit({ ...one, ifThere: "number" });
    expect((await other.result()).name).toBe("one~2");
    expect(files.runs()).toHaveLength(2);
  });

  it("is put in once, however many programs and calls submit it at once", async () => {
    const { files, root } = await managed();
    const others = await Promise.all([1, 2, 3].map(() => openRoot(files.path, { engine: "local" })));
    const one = { name: "one", commands: [`echo run >>'${files.ledger}'`], ifThere: "adopt" } as const;
    const jobs = await Promise.all([root, ...others, root, ...others].map((each) => each.submit(one)));
    for (const job of jobs) expect((await job.result()).isSuccess).toBe(true);
    expect(files.runs()).toHaveLength(1);
    for (const other of others) await other.close();
  });

  it("is found by its name, and one that is not there is told", async () => {
    const { root } = await managed();
    await (await root.submit({ name: "one", commands: ["exit 4"] })).result();
    expect(await (await root.job("one")).result()).toMatchObject({ exitCode: 4 });
    await expect(root.job("ona")).rejects.toThrow(/Did you mean one/);
    await expect(root.job("*")).rejects.toThrow(AbsentError);
  });
});

describe("waiting", () => {
  it("ends when its time is over or its signal aborts, and the job goes on", async () => {
    const { root } = await opened();
    const job = await root.submit({ name: "one", commands: ["true"] });
    await expect(job.result({ timeoutMs: 10 })).rejects.toThrow(ResultTimeoutError);
    await expect(job.result({ timeoutMs: 10 })).rejects.toThrow(
      /No manager is running.* jobmgr --root .* -e LocalEngine/,
    );
    const stop = new AbortController();
    const result = job.result({ signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(result).rejects.toThrow("enough");
    await expect(job.result({ signal: stop.signal })).rejects.toThrow("enough");
    await expect(job.result({ timeoutMs: Number.NaN })).rejects.toThrow(RequestError);
    await expect(job.result({ timeout: 5 } as WaitOptions)).rejects.toThrow(/no "timeout"\. Did you mean timeoutMs/);
    expect(job.state).toBe("waiting");
  });

  it("goes on while the disk does not answer, and tells so when its time is over", async () => {
    const { files, root } = await opened();
    const job = await root.submit({ name: "one", commands: ["true"] });
    const pending = join(files.path, "pending");
    renameSync(join(files.path, "inbox/one"), join(pending, "one"));
    expect(job.state).toBe("queued");
    const started = new Promise((done) => job.on("start", done));
    const result = job.result();
    // Of all that is under a folder which leads to itself, no call tells anything.
    renameSync(pending, `${pending}-away`);
    symlinkSync(pending, pending);
    expect(() => job.state).toThrow(/ELOOP/);
    const late = await job.result({ timeoutMs: 500 }).catch((error: unknown) => error);
    expect(late).toBeInstanceOf(ResultTimeoutError);
    expect(late).toMatchObject({ message: expect.stringContaining("ELOOP"), cause: { code: "ELOOP" } });
    unlinkSync(pending);
    renameSync(`${pending}-away`, pending);
    files.manage();
    await started;
    expect(await result).toMatchObject({ is: "succeeded" });
  });

  it("ends with an error when the root is closed, which may be repeated", async () => {
    const { root } = await managed();
    const job = await root.submit({ name: "one", commands: ["sleep 1000"] });
    const result = job.result();
    job.on("end", () => expect.unreachable());
    await Promise.all([expect(result).rejects.toThrow(ClosedError), root.close()]);
    await root.close();
    await expect(job.result()).rejects.toThrow(ClosedError);
    await expect(root.submit({ name: "two", commands: ["true"] })).rejects.toThrow(ClosedError);
    const again = await openRoot(root.path, { engine: "local", manage: true, settings: { ...QUICK, grace: 0.1 } });
    expect(await (await again.job("one")).cancel()).toBe(true);
    expect(await (await again.job("one")).result()).toMatchObject({ is: "cancelled" });
    await again.close();
  });

  it("is told of each start and end once, also of those that are over", async () => {
    const { root } = await managed();
    const told: string[] = [];
    const job = await root.submit({ name: "one", commands: ["true"] });
    const listen = () =>
      new Promise<JobOutcome>((ended) => {
        job.on("start", () => told.push("start"));
        job.on("end", (outcome) => {
          told.push("end");
          ended(outcome);
        });
      });
    job.on("end", () => told.push("never"))();
    expect((await listen()).isSuccess).toBe(true);
    expect(await listen()).toEqual(await job.result());
    expect(told).toEqual(["start", "end", "start", "end"]);
    expect(() => job.on("exit" as "end", () => {})).toThrow(RequestError);
    expect(() => job.on("end", undefined as unknown as () => void)).toThrow(RequestError);
  });

  it("gives jobs as they end", async () => {
    const { files, root } = await managed({ settings: { ...QUICK, "max-jobs": 3 } });
    const go = (n: number) => `${files.ledger}-${n}`;
    const jobs = await Promise.all(
      [1, 2, 3].map((n) => root.submit({ name: `job-${n}`, commands: [until(go(n)), `exit ${n}`] })),
    );
    const seen: unknown[] = [];
    writeFileSync(go(2), "");
    for await (const { job, outcome } of asCompleted(jobs)) {
      seen.push([job.id, outcome.exitCode]);
      writeFileSync(go(seen.length === 1 ? 3 : 1), "");
    }
    expect(seen).toEqual([
      ["job-2", 2],
      ["job-3", 3],
      ["job-1", 1],
    ]);
    const last = await root.submit({ name: "last", commands: [until(go(4))] });
    const rest = asCompleted([...jobs, last], { timeoutMs: 300 });
    for (const _ of jobs) expect((await rest.next()).value).toMatchObject({ outcome: { is: "failed" } });
    await expect(rest.next()).rejects.toThrow(/^1 of 4 jobs have not ended: last has not ended within 300 ms/);
    await expect(asCompleted(["job-1" as unknown as Job]).next()).rejects.toThrow(RequestError);
    writeFileSync(go(4), "");
  });

  it("for many jobs with one signal warns of nothing", async () => {
    const { root } = await opened();
    const warnings: Error[] = [];
    const hear = (warning: Error) => warnings.push(warning);
    process.on("warning", hear);
    onTestFinished(() => void process.off("warning", hear));
    const stop = new AbortController();
    const jobs = await Promise.all(
      Array.from({ length: 30 }, (_, i) => root.submit({ name: `job-${i}`, commands: ["true"] })),
    );
    const results = jobs.map((job) => job.result({ signal: stop.signal }));
    stop.abort();
    expect((await Promise.allSettled(results)).map(({ status }) => status)).toEqual(jobs.map(() => "rejected"));
    await new Promise((done) => setImmediate(done));
    expect(warnings).toEqual([]);
  });
});

describe("a root that is open", () => {
  it("is managed by one at a time, and any other manager will do", async () => {
    const { files, root } = await managed();
    await expect(openRoot(files.path, { engine: "local", manage: true })).rejects.toThrow(LockError);
    const other = await openRoot(files.path);
    const job = await other.submit({ name: "one", commands: ["true"] });
    expect((await job.result()).isSuccess).toBe(true);
    expect((await other.status()).manager).toMatchObject({ pid: process.pid, engine: "LocalEngine" });
    await root.close();
    expect(await other.status()).not.toHaveProperty("manager");
    await other.close();
  });

  it("is told by other programs that there is news", async () => {
    const { files, root } = await managed({ settings: { settle: 0, grace: 1 } });
    const job = await root.submit({ name: "one", commands: ["sleep 1000"] });
    await new Promise((started) => job.on("start", started));
    expect((await jobmgr(["--root", files.path, "cancel", "one"])).code).toBe(0);
    expect(await job.result()).toMatchObject({ is: "cancelled" });
  });

  it("is made where that was said, and not else", async () => {
    const path = join(makeFolder(), "new");
    await expect(openRoot(path)).rejects.toThrow(RootError);
    const root = await openRoot(path, { setUp: true });
    expect(await root.status()).toMatchObject({ root: path, counts: { waiting: 0, pending: 0, complete: 0 } });
    await root.close();
    await expect(openRoot(path, { settings: { perod: 1 } })).rejects.toThrow(/perod.*period/);
    await expect(openRoot(path, { settings: { period: -1 } })).rejects.toThrow(/period/);
    await expect(openRoot(path, { settings: { "max-jobs": "many" } })).rejects.toThrow(ConfigError);
    await expect(openRoot(path, { settings: { "max-jobs": "many" } })).rejects.toThrow(/max-jobs = many in settings/);
    await expect(openRoot(path, { engin: "local" } as RootOptions)).rejects.toThrow(/no "engin"\. Did you mean engine/);
    await expect(openRoot(undefined as unknown as string)).rejects.toThrow(RequestError);
    expect(() => getEngine(undefined as unknown as string)).toThrow(RequestError);
    // A manager in a program goes on until it is closed.
    await expect(openRoot(path, { settings: { once: true } })).rejects.toThrow(/once/);
    await expect(openRoot(path, { engine: "none", manage: true })).rejects.toThrow(/There is no engine/);
    await expect(openRoot(path, { engine: "dryrun", manage: true })).rejects.toThrow(/runs no jobs/);
  });

  it("ends what waits with the reason, when its manager stops by itself", async () => {
    const lines: string[] = [];
    const settings = { ...QUICK, "max-errors": 1, "max-jobs": 2 };
    const { files, root } = await managed({ settings, log: (line) => lines.push(line) });
    const slow = await root.submit({ name: "slow", commands: [until(`${files.ledger}-go`)] });
    const ended = slow.result();
    await new Promise((started) => slow.on("start", started));
    await root.submit({ name: "bad", commands: ["exit 1"] });
    await expect(ended).rejects.toThrow(ManagerError);
    await expect(root.submit({ name: "next", commands: ["true"] })).rejects.toThrow(/max-errors/);
    writeFileSync(`${files.ledger}-go`, "");
    expect(lines.join("\n")).toContain("Stopped: ");
  });

  it("leaves nothing in the program that hears its errors, when another manager has taken over", async () => {
    const listeners = () => ["uncaughtException", "unhandledRejection"].map((name) => process.listenerCount(name));
    const before = listeners();
    const { files, root } = await managed({ engine: ownEngine(makeFolder()) });
    expect(listeners()).toEqual(before.map((count) => count + 1));
    const job = await root.submit({ name: "one", commands: [until(`${files.ledger}-go`)] });
    const ended = job.result();
    rmSync(join(files.path, ".jobmgr/lock"), { recursive: true });
    await expect(ended).rejects.toThrow(ManagerError);
    expect(listeners()).toEqual(before);
    writeFileSync(`${files.ledger}-go`, "");
  });

  it("tells what changes", async () => {
    const { files, root } = await managed();
    const stop = new AbortController();
    const seen: string[] = [];
    let gone: readonly string[] = [];
    const job = await root.submit({ name: "one", commands: [until(`${files.ledger}-go`)] });
    for await (const change of root.watch({ everyMs: 100, signal: stop.signal })) {
      for (const { name, state } of change.changed)
        if (seen.at(-1) !== `${name} ${state}`) seen.push(`${name} ${state}`);
      if (change.gone.length > 0) {
        gone = change.gone;
        stop.abort();
      }
      if (job.state === "running") writeFileSync(`${files.ledger}-go`, "");
      if (job.state === "succeeded") rmSync(join(files.path, "complete/one"), { recursive: true, force: true });
    }
    expect(gone).toEqual(["one"]);
    expect(seen.at(-1)).toBe("one succeeded");
    expect(seen).toContain("one running");
    for await (const change of root.watch()) {
      expect(change.status.jobs).toEqual([]);
      break;
    }
  });
});

describe("the engine that reads what is submitted", () => {
  it("is that of the manager elsewhere, also where it comes from a file", async () => {
    const { files } = await managed({ engine: ownEngine(makeFolder()) });
    const other = await openRoot(files.path);
    onTestFinished(() => other.close());
    await waitUntil("the manager has said who it is", () => existsSync(join(files.path, ".jobmgr/manager.json")));
    const job = await other.submit({ name: "a", commands: ["true"], timeLimitS: 60 });
    expect(await job.result()).toMatchObject({ isSuccess: true });
    expect(job.look()).toMatchObject({ engine: "OwnEngine" });
    expect(readFileSync(join(job.folder ?? "", "job.sh"), "utf8")).toContain("#SBATCH --time=");
  });

  it("may come to be there after it was asked for in vain", async () => {
    const folder = makeFolder();
    const { root } = await opened({ engine: join(folder, "own.mjs") });
    const one = { name: "a", commands: ["true"], timeLimitS: 60 };
    await expect(root.submit(one)).rejects.toThrow(/own\.mjs/);
    ownEngine(folder);
    expect((await root.submit(one)).state).toBe("waiting");
  });
});

describe("a queue to look at", () => {
  it("takes no options that there are not, for a mistyped one would be passed over", async () => {
    const { root } = await opened();
    await expect(root.status({ finishedMx: 1 } as never)).rejects.toThrow(
      /has no "finishedMx"\. Did you mean finishedMax/,
    );
    await expect(
      root
        .watch({ everyS: 1 } as never)
        [Symbol.asyncIterator]()
        .next(),
    ).rejects.toThrow(/no "everyS"/);
    await expect(root.submit({ name: "a", commands: ["true"] }, { sign: 1 } as never)).rejects.toThrow(/no "sign"/);
    await expect(root.job(5 as never)).rejects.toThrow(/needs the name of a job/);
  });

  it("is looked at again when the disk has refused to tell whether a job has gone", async () => {
    const { files, root } = await opened();
    await root.submit({ name: "one", commands: ["true"] });
    const refusal = Object.assign(new Error("EIO: i/o error, lstat"), { code: "EIO", syscall: "lstat" });
    const answers = [refusal, refusal, false];
    const statuses = [await root.status()];
    rmSync(join(files.path, "inbox/one"), { recursive: true });
    const after = await root.status();
    const changes = changesOf({
      everyMs: 1,
      stop: new AbortController().signal,
      look: () => statuses.shift() ?? after,
      isThere() {
        const answer = answers.shift();
        if (answer instanceof Error) throw answer;
        return answer ?? false;
      },
    });
    expect((await changes.next()).value).toMatchObject({ changed: [{ name: "one" }] });
    expect((await changes.next()).value).toMatchObject({ gone: ["one"] });
    expect(answers).toEqual([]);
  });

  it("is not looked at without a pause where that is too long for a timer", async () => {
    const { root } = await opened();
    const warnings: Error[] = [];
    const hear = (warning: Error) => warnings.push(warning);
    process.on("warning", hear);
    onTestFinished(() => void process.off("warning", hear));
    for (const everyMs of [2 ** 31, Number.POSITIVE_INFINITY]) {
      const changes = root.watch({ everyMs, signal: AbortSignal.timeout(50) });
      for await (const { status } of changes) expect(status.jobs).toEqual([]);
    }
    expect(warnings).toEqual([]);
  });
});

describe("an engine without a root", () => {
  it("runs jobs in a root that is gone when it is closed", async () => {
    const engine = getEngine("local", { folder: makeFolder(), settings: QUICK });
    expect(engine.name).toBe("LocalEngine");
    const jobs = [await engine.submit({ name: "a", commands: ["echo a"] })];
    expect((await jobs[0]?.result())?.isSuccess).toBe(true);
    jobs.push(await engine.submit({ name: "b", commands: ["exit 2"], after: ["a"] }));
    expect(await jobs[1]?.result()).toMatchObject({ exitCode: 2 });
    const { folder = "" } = jobs[1] ?? {};
    expect(existsSync(folder)).toBe(true);
    await engine.close();
    expect(existsSync(join(folder, "../.."))).toBe(false);
    await expect(engine.submit({ name: "c", commands: ["true"] })).rejects.toThrow(ClosedError);
  });

  it("does not take a root from jobs that go on", async () => {
    const folder = makeFolder();
    const lines: string[] = [];
    const engine = getEngine("local", { folder, settings: QUICK, log: (line) => lines.push(line) });
    const job = await engine.submit({ name: "a", commands: [until(join(folder, "go"))] });
    await new Promise((started) => job.on("start", started));
    const { folder: own = "" } = job;
    await engine.close();
    expect(existsSync(own)).toBe(true);
    expect(lines.at(-1)).toContain(`1 jobs go on in ${join(own, "../..")}`);
    writeFileSync(join(folder, "go"), "");
    await waitUntil("it has ended", () => existsSync(join(own, "job_output.txt")));
  });

  it("may be anybody's, by its path", async () => {
    const folder = makeFolder();
    const engine = getEngine(ownEngine(folder), { folder, settings: QUICK });
    const job = await engine.submit({ name: "a", commands: ["grep '^#SBATCH' job.sh"], timeLimitS: 100_000 });
    expect((await job.result()).isSuccess).toBe(true);
    expect(await job.output()).toBe("#SBATCH --time=1-03:46:40\n");
    expect(job.look()).toMatchObject({ engine: "OwnEngine" });
    await engine.close();
  });

  it("that there is not, or has wrong settings, is told when the first job is submitted", async () => {
    const folder = makeFolder();
    for (const [name, settings] of [
      ["no-such-engine", {}],
      ["local", { perod: 1 }],
    ] as const) {
      const engine = getEngine(name, { folder, settings });
      await expect(engine.submit({ name: "a", commands: ["true"] })).rejects.toThrow(/no-such-engine|perod/);
      await engine.close();
    }
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("a launcher", () => {
  it("runs copies of a program, and hands back what they print", async () => {
    const launcher = await getLauncher("local");
    expect([launcher.name, launcher.kind]).toEqual(["local", "local"]);
    const programs = [{ argv: ["sh", "-c", "echo Hello; exit 3"], processes: 4 }];
    expect(launcher.command(programs)).toHaveLength(4);
    let text = "";
    const stdout = new Writable({
      write(chunk, _encoding, done) {
        text += chunk;
        done();
      },
    });
    expect(await launcher.run(programs, { stdout })).toMatchObject({ exitCode: 3 });
    expect(text).toBe("Hello\n".repeat(4));
    await expect(getLauncher("nobody")).rejects.toThrow(LaunchError);
    const argv = "echo hello" as unknown as string[];
    expect(() => launcher.command([{ argv }])).toThrow(/argv .* must be a list of texts/);
    const mistyped = { argv: ["true"], np: 4 };
    expect(() => launcher.command([mistyped])).toThrow(/has no "np"\. It has argv, processes, options/);
    await expect(launcher.run(programs, { lable: true } as never)).rejects.toThrow(/no "lable"\. Did you mean label/);
    await expect(launcher.run(programs, { stdout: "x" } as never)).rejects.toThrow(/stdout .* or a stream to write to/);
    await expect(launcher.run([{} as never])).rejects.toThrow(/a program is missing/);
  });
});
