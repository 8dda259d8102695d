/**
 * The real program, killed at every kind of effect that an archive or a script brings about, and with each of them
 * failing; then started again. The archive is never lost, nothing is half unpacked, and its job runs exactly once.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeFolder, PROGRAM, waitUntil } from "../harness.ts";
import { attemptsOf, copyOf, emptyScene, manage, managerArgs, once, removeScene, runsOf, type Scene } from "./scene.ts";
import { type Call, callsIn, type Injection, startTraced, straceFault, wasHit } from "./strace.ts";

const ENGINE = {
  args: ["-e", "LocalEngine"],
  period: "0.1",
  arrivalMs: 25_000,
  output: /^job_output\.txt/,
  env: () => ({}),
  living: async () => 0,
};

const CALLS = ["rename", "link", "mkdir", "rmdir", "unlink", "openat"];
/** These have no effect of their own that a kill could cut; but they can fail. */
const MORE_CALLS = [["write", "utimensat"], ["fsync"]];

/** What only archives and scripts bring about; all else has a sweep of its own. */
const OURS = /arriving|packing|\.part|source|whole|\.tgz|JOB\.sh|\.zip/;

const DATA = "data of the job\n".repeat(1000);
const LEDGER = "../../../ledger";
const AT_ONCE = 4;

/** An archive that is run, one that is refused, and a script. */
async function fullInbox(): Promise<Scene> {
  const scene = await emptyScene(ENGINE);
  const around = makeFolder();
  const inbox = join(scene.root, "inbox");
  mkdirSync(join(around, "job/deep"), { recursive: true });
  writeFileSync(join(around, "job/job.sh"), `echo a >>${LEDGER}\n`);
  writeFileSync(join(around, "job/deep/data"), DATA);
  symlinkSync("deep", join(around, "link"));
  execFileSync("tar", ["-C", around, "-czf", join(inbox, "a.tgz"), "job"]);
  writeFileSync(join(inbox, "b.sh"), `echo b >>${LEDGER}\n`);
  execFileSync("zip", ["-qry", join(inbox, "c.zip"), "job", "link"], { cwd: around });
  return scene;
}

/** As fullInbox, taken in, and run: what is left is to archive, and to pack. */
async function allRun(inbox: Scene): Promise<Scene> {
  const scene = copyOf(inbox);
  await once(scene);
  const exits = (name: string) =>
    attemptsOf(join(scene.root, "pending", name)).some((attempt) => existsSync(join(attempt, "exit")));
  await waitUntil("all have run", () => exits("a") && exits("b"));
  return scene;
}

async function tracedOnce(scene: Scene, calls: readonly string[], injection?: Injection): Promise<Call[]> {
  const log = join(scene.folder, "strace.log");
  const command = [process.execPath, PROGRAM, ...managerArgs(scene, "--once")];
  await startTraced(command, { log, calls, ...(injection && { injection }) }).ended;
  return callsIn(log, scene.root);
}

/** One of each kind of effect of one pass. */
async function effectsOf(from: Scene, all: readonly (readonly string[])[]): Promise<Call[]> {
  const effects: Call[] = [];
  for (const calls of all) effects.push(...(await tracedOnce(copyOf(from), calls)).filter(({ isEffect }) => isEffect));
  const ours = effects.filter(({ kind }) => OURS.test(kind));
  return [...new Map(ours.map((effect) => [effect.kind, effect])).values()];
}

const namesIn = (scene: Scene, path: string) =>
  existsSync(join(scene.root, path)) ? readdirSync(join(scene.root, path)).sort() : [];

/** All files below the root of this name. */
function found(scene: Scene, name: string): string[] {
  const all = readdirSync(scene.root, { recursive: true }) as string[];
  return all.filter((path) => path.endsWith(`/${name}`));
}

/** What is wrong right after a cut, whatever has been done by then. */
function faultsNow(from: Scene, scene: Scene): string[] {
  const faults: string[] = [];
  for (const name of ["a.tgz", "c.zip"]) {
    const sent = found(from, name).filter((path) => !path.startsWith("complete/a.tgz"));
    const there = found(scene, name).filter((path) => path !== "complete/a.tgz");
    const original = readFileSync(join(from.root, sent[0] ?? ""));
    if (there.length !== 1) faults.push(`${name} is there ${there.length} times: ${there}`);
    else if (!readFileSync(join(scene.root, there[0] ?? "")).equals(original)) faults.push(`${name} was changed`);
  }
  for (const place of ["inbox", "pending", "complete"]) {
    const data = join(scene.root, place, "a/deep/data");
    if (existsSync(join(scene.root, place, "a")) && (!existsSync(data) || readFileSync(data, "utf8") !== DATA))
      faults.push(`${place}/a is not whole`);
  }
  const packed = join(scene.root, "complete/a.tgz");
  if (existsSync(packed)) faults.push(...faultsOfResult(packed));
  return faults;
}

function faultsOfResult(path: string): string[] {
  const list = execFileSync("tar", ["-tzf", path], { encoding: "utf8" }).split("\n").filter(Boolean);
  const must = ["a/", "a/deep/", "a/deep/data", "a/done", "a/job.sh", "a/job_output.txt", "a/job_status.json"];
  const missing = must.filter((name) => !list.includes(name) && name !== "a/done");
  const more = list.filter((name) => !must.includes(name));
  return missing.length + more.length === 0 ? [] : [`a.tgz lacks ${missing} and has ${more}`];
}

/** What is wrong when all should have arrived. */
function faultsOf(from: Scene, scene: Scene): string[] {
  const faults = faultsNow(from, scene);
  const same = (what: string, is: unknown, must: unknown) => {
    if (JSON.stringify(is) !== JSON.stringify(must)) faults.push(`${what} is ${JSON.stringify(is)}`);
  };
  same("the ledger", runsOf(scene), ["a", "b"]);
  same("inbox", namesIn(scene, "inbox"), []);
  same("pending", namesIn(scene, "pending"), []);
  same("complete", namesIn(scene, "complete"), ["a", "a.tgz", "b", "c"]);
  same("arriving", namesIn(scene, ".jobmgr/arriving"), []);
  same("packing", namesIn(scene, ".jobmgr/packing"), []);
  same("c", namesIn(scene, "complete/c"), [".jobmgr", "c.zip", "done", "job_error.txt", "job_status.json"]);
  return faults;
}

async function recover(scene: Scene): Promise<void> {
  const manager = manage(scene);
  const isDone = () =>
    ["a/done", "b/done", "c/done", "a.tgz"].every((name) => existsSync(join(scene.root, "complete", name))) &&
    [".jobmgr/finishing", ".jobmgr/packing", ".jobmgr/arriving"].every((folder) => namesIn(scene, folder).length === 0);
  try {
    await waitUntil("all has arrived", isDone, ENGINE.arrivalMs);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${manager.stdout()}${manager.stderr()}`);
  } finally {
    await manager.stop();
  }
}

/** One pass that is cut; then the program is started again, and all is judged. */
async function trial(
  from: Scene,
  { name, n, about }: Call,
  what: Injection["what"],
): Promise<{ wasHit: boolean; faults: string[] }> {
  const scene = copyOf(from);
  await tracedOnce(scene, [name], { call: name, when: String(n), what });
  const faults = faultsNow(from, scene);
  try {
    await recover(scene);
    faults.push(...faultsOf(from, scene));
  } catch (error) {
    faults.push((error as Error).message);
  }
  const hit = wasHit(join(scene.folder, "strace.log"));
  if (faults.length === 0) removeScene(scene);
  return { wasHit: hit, faults: faults.map((one) => `${what} at ${about}: ${one}`) };
}

/** Kills at each effect; or lets each of few fail, and each seventh one of many. */
async function sweep(from: Scene, errors: readonly string[] = []): Promise<void> {
  const all = await effectsOf(from, errors.length > 0 ? [CALLS, ...MORE_CALLS] : [CALLS]);
  const effects = errors.length > 0 && all.length > 20 ? all.filter((_, i) => i % 7 === 0) : all;
  const queue = effects.map((effect, i) => {
    const error = errors[i % errors.length];
    return { effect, what: error === undefined ? ("signal=KILL" as const) : (`error=${error}` as const) };
  });
  expect(queue.length).toBeGreaterThan(4);
  const trials: Awaited<ReturnType<typeof trial>>[] = [];
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) trials.push(await trial(from, next.effect, next.what));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  expect(trials.flatMap(({ faults }) => faults)).toEqual([]);
  expect(trials.filter((one) => one.wasHit).length).toBeGreaterThan(effects.length * 0.8);
}

const fault = straceFault();

describe.skipIf(fault !== "" && process.env.CI !== "true")("archives and scripts", { timeout: 240_000 }, () => {
  it("a manager that is killed while it takes them in loses none, and runs none twice", async () => {
    expect(fault).toBe("");
    await sweep(await fullInbox());
  });

  it("a manager that is killed while it packs what came of them packs each once", async () => {
    expect(fault).toBe("");
    await sweep(await allRun(await fullInbox()));
  });

  it("a manager whose calls fail one at a time loses none, and runs none twice", async () => {
    expect(fault).toBe("");
    const inbox = await fullInbox();
    await sweep(inbox, ["ENOSPC", "EIO"]);
    await sweep(await allRun(inbox), ["EIO", "ENOSPC"]);
  });
});
