/** How soon a dropped folder runs, what an idle manager costs, what a first word costs, and whether drops get lost. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  addJob,
  cleanEnvironment,
  cpuMsOf,
  EXECUTABLE,
  figure,
  lastCheck,
  makeFolder,
  makeRoot,
  manage,
  median,
  ONE_FILE,
  PROGRAM,
  percentile,
  type Row,
  ratio,
  residentMb,
  say,
  sleep,
  waitUntil,
} from "./measure.ts";

/**
 * From the rename of a folder into the inbox to the first line of its job.sh, which creates a file. The end is taken
 * from the file's mtime, which the kernel sets, but by the clock's last tick (up to 4 ms early); and from the event of
 * its creation, which reaches this process a little late. The event counts.
 */
export async function dropToStart(drops: number): Promise<Row[]> {
  say(`${drops} drops, one after another`);
  const folder = makeFolder("disk");
  const root = makeRoot(folder);
  const marks = join(folder, "marks");
  mkdirSync(marks);
  const manager = manage(root, ["-e", "LocalEngine", "-M", "2", "-p", "60", "--ready-file", "ready"]);
  await waitUntil("the first check", () => lastCheck(root) !== undefined);
  const times: number[] = [];
  for (let drop = 0; drop < drops; drop++) {
    await sleep(50);
    times.push(await oneDropMs(folder, root, marks, `job-${drop}`));
  }
  await manager.stop();
  const middle = median(times);
  const late = percentile(times, 0.95);
  return [
    {
      what: "from drop to the first line of job.sh: median",
      figure: figure(middle, "ms"),
      goal: "<= 10 ms",
      reached: middle <= 10,
    },
    { what: "  95 % are below", figure: figure(late, "ms"), goal: "<= 25 ms", reached: late <= 25 },
  ];
}

async function oneDropMs(folder: string, root: string, marks: string, name: string): Promise<number> {
  const staged = join(folder, name);
  mkdirSync(staged);
  writeFileSync(join(staged, "job.sh"), `#!/bin/sh\n: >'${marks}/${name}'\n`);
  writeFileSync(join(staged, "ready"), "");
  let dropped = 0;
  const began = new Promise<number>((done) => {
    const watcher = watch(marks, () => {
      watcher.close();
      done(performance.now());
    });
  });
  dropped = performance.now();
  renameSync(staged, join(root, "inbox", name));
  return (await began) - dropped;
}

/** An empty inbox for a while, with the check every 60 s that is the default, and with one every 2 s. */
export async function idle(seconds: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const periodS of [60, 2]) {
    say(`idle for ${seconds} s, a check every ${periodS} s`);
    const root = makeRoot(makeFolder("disk"));
    const manager = manage(root, ["-e", "LocalEngine", "-p", String(periodS)]);
    await waitUntil("the first check", () => lastCheck(root) !== undefined);
    // What V8 tidies up once after a start is no idling.
    await sleep(15_000);
    const before = cpuMsOf(manager.pid);
    await sleep(seconds * 1000);
    const share = (cpuMsOf(manager.pid) - before) / (seconds * 10);
    const resident = residentMb(manager.pid);
    await manager.stop();
    const isDefault = periodS === 60;
    rows.push({
      what: `idle, a check every ${periodS} s${isDefault ? " (default)" : ""}`,
      figure: `${share.toFixed(3)} % of a core`,
      ...(isDefault && { goal: "< 0.1 %", reached: share < 0.1 }),
    });
    rows.push({ what: "  memory", figure: figure(resident, "MB", 0), goal: "< 80 MB", reached: resident < 80 });
  }
  return rows;
}

/** The first word of what people install, against a Node that does nothing, in turns. */
export function help(): Row[] {
  say("jobmgr --help, status");
  const root = makeRoot(makeFolder("disk"));
  const node = process.execPath;
  const sides: Record<string, readonly [string, ...string[]]> = {
    "node -e 0": [node, "-e", "0"],
    "jobmgr.mjs --help": [node, ONE_FILE, "--help"],
    "jobmgr.mjs status, empty root": [node, ONE_FILE, "status", "--root", root],
    "jobmgr-linux-x64 --help": [EXECUTABLE, "--help"],
    "jobmgr-linux-x64 status, empty root": [EXECUTABLE, "status", "--root", root],
    "dist/bin/jobmgr.js --help": [node, PROGRAM, "--help"],
  };
  const there = Object.entries(sides).filter(([, [program]]) => existsSync(program));
  const times = new Map<string, number[]>(there.map(([what]) => [what, []]));
  for (let round = 0; round < 30; round++) {
    for (const [what, [program, ...args]] of there) {
      const started = performance.now();
      execFileSync(program, args, { env: cleanEnvironment(), stdio: "ignore" });
      times.get(what)?.push(performance.now() - started);
    }
  }
  const middle = (what: string) => median(times.get(what) ?? []);
  const row = (what: string, goal?: number): Row => {
    const share = middle(what) / middle("node -e 0");
    return {
      what,
      figure: figure(middle(what), "ms"),
      ratio: ratio(share, "node -e 0"),
      ...(goal !== undefined && { goal: `<= ${goal}`, reached: share <= goal }),
    };
  };
  const others = there.map(([what]) => what).filter((what) => !["node -e 0", "jobmgr.mjs --help"].includes(what));
  return [
    { what: "node -e 0", figure: figure(middle("node -e 0"), "ms") },
    row("jobmgr.mjs --help", 2),
    row("jobmgr.mjs --help", 1.5),
    ...others.map((what) => row(what)),
  ];
}

/** One folder of so many is to run; the others are held, for to run them all would take minutes. */
const HELD_EACH = 1000;

/**
 * Folders that are moved into the inbox while the program is stopped, far more than the kernel keeps events for. All
 * must be there when it goes on, and the ones scattered among them that may run must all be found and run.
 */
export async function blockedDrops(count: number): Promise<Row[]> {
  say(`${count} drops while the program stands still`);
  const folder = makeFolder("disk");
  const root = makeRoot(folder);
  const staging = join(folder, "staging");
  mkdirSync(staging);
  for (let at = 0; at < count; at++) {
    addJob(staging, `job-${at}`, "true\n");
    if (at % HELD_EACH !== 0) writeFileSync(join(staging, `job-${at}`, "job_hold"), "");
  }
  const toRun = Math.ceil(count / HELD_EACH);
  const complete = () => readdirSync(join(root, "complete")).length;
  const manager = manage(root, ["-e", "LocalEngine", "-p", "2", "--settle", "0"]);
  await waitUntil("the first check", () => lastCheck(root) !== undefined);
  process.kill(manager.pid, "SIGSTOP");
  for (let at = 0; at < count; at++) renameSync(join(staging, `job-${at}`), join(root, "inbox", `job-${at}`));
  const started = performance.now();
  process.kill(manager.pid, "SIGCONT");
  const end = performance.now() + 120_000;
  while (complete() < toRun && performance.now() < end) await sleep(20);
  const allMs = performance.now() - started;
  const ran = complete();
  const { stdout } = spawnSync(process.execPath, [PROGRAM, "status", "--root", root, "--json"], {
    env: cleanEnvironment(),
    encoding: "utf8",
    maxBuffer: 1 << 30,
  });
  await manager.stop();
  const { counts } = JSON.parse(stdout) as { counts: { waiting: number; pending: number; complete: number } };
  const lost = count - counts.waiting - counts.pending - counts.complete;
  return [
    {
      what: `${count} drops while the program stood still`,
      figure: `${lost} lost; ${ran} of ${toRun} found and run after ${allMs.toFixed(0)} ms`,
      goal: "0 lost",
      reached: lost === 0 && ran === toRun,
    },
  ];
}
