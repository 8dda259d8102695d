/**
 * How a check grows: with folders that wait in the inbox, and with jobs in pending.
 *
 * A check is measured from outside: SIGUSR1 asks for one, and manager.json, which every check ends with, is put into
 * place anew. What stands between (the signal, the watching of the file) counts against jobmgr: about 1 ms. A check
 * may not come sooner than is fair to the machine (five times the length of the last one), so each waits for that.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LocalEngine } from "../engines/local/index.ts";
import { startOf, thisMachine } from "../engines/process.ts";
import type { Handle } from "../src/engine.ts";
import { attemptFolder, newToken, type RecordOf } from "../src/records.ts";
import { FORMAT } from "../src/root.ts";
import { STARTED } from "../src/runner.ts";
import {
  addJob,
  checkMs,
  cleanEnvironment,
  figure,
  lastCheck,
  makeFolder,
  makeRoot,
  manage,
  median,
  PROGRAM,
  peakMb,
  type Row,
  type Running,
  ratio,
  residentMb,
  say,
  sleep,
  waitUntil,
} from "./measure.ts";

function lsMs(folder: string): number {
  const started = performance.now();
  spawnSync("ls", [folder], { stdio: "ignore", env: cleanEnvironment({ LC_ALL: "C" }) });
  return performance.now() - started;
}

/** Checks, with an `ls` of the same folder between them, so that a busy moment meets both. */
async function checksAndLs(root: string, manager: Running, times: number): Promise<{ check: number; ls: number }> {
  await checkMs(root, manager);
  const checks: number[] = [];
  const lists: number[] = [];
  for (let time = 0; time < times; time++) {
    await sleep(Math.max(500, (checks.at(-1) ?? 0) * 6));
    checks.push(await checkMs(root, manager));
    lists.push(lsMs(join(root, "inbox")));
  }
  return { check: median(checks), ls: median(lists) };
}

/** Folders in the inbox, of which none is taken, for the pause file is there. */
export async function waitingFolders(count: number): Promise<Row[]> {
  say(`check with ${count} folders in the inbox`);
  const root = makeRoot(makeFolder("disk"));
  const inbox = join(root, "inbox");
  for (let at = 0; at < count; at++) mkdirSync(join(inbox, `job-${String(at).padStart(8, "0")}`));
  writeFileSync(join(root, "pause"), "");
  const started = performance.now();
  const manager = manage(root, ["-e", "LocalEngine", "-p", "3600"]);
  await waitUntil("the first check", () => lastCheck(root) !== undefined);
  const readyMs = performance.now() - started;
  const { check, ls } = await checksAndLs(root, manager, 9);
  const peak = peakMb(manager.pid);
  await manager.stop();
  const rows: Row[] = [
    { what: `${count} folders in the inbox: ls`, figure: figure(ls, "ms") },
    {
      what: "  a check, intake paused",
      figure: figure(check, "ms"),
      ratio: ratio(check / ls, "ls"),
      goal: "<= 1.5",
      reached: check / ls <= 1.5,
    },
    {
      what: "  from the start of the program to the end of its first check",
      figure: figure(readyMs, "ms", 0),
      goal: "<= 2000 ms",
      reached: readyMs <= 2000,
    },
    { what: "  memory at most", figure: figure(peak, "MB", 0), goal: "<= 150 MB", reached: peak <= 150 },
  ];
  return [...rows, ...(await unreadyFolders(root))];
}

/** The same folders without a pause: they have no job.sh, so that as many are looked into as a check looks into. */
async function unreadyFolders(root: string): Promise<Row[]> {
  const manager = manage(root, ["-e", "LocalEngine", "-p", "3600", "--pause-file", join(root, "none")]);
  await waitUntil("the first check", () => lastCheck(root) !== undefined);
  await sleep(15_000);
  const { check, ls } = await checksAndLs(root, manager, 5);
  const peak = peakMb(manager.pid);
  await manager.stop();
  return [
    { what: "  a check, none of them ready", figure: figure(check, "ms"), ratio: ratio(check / ls, "ls") },
    { what: "  memory at most", figure: figure(peak, "MB", 0), goal: "<= 150 MB", reached: peak <= 150 },
  ];
}

/**
 * Jobs in pending that this manager follows and that do not end: folders with the records that the program writes,
 * whose claims name this process here, which lives as long as it is measured.
 */
export async function pendingJobs(count: number): Promise<Row[]> {
  say(`check with ${count} jobs in pending`);
  const root = makeRoot(makeFolder("disk"));
  for (let at = 0; at < count; at++) addRunningJob(join(root, "pending"), `job-${String(at).padStart(8, "0")}`);
  const started = performance.now();
  const manager = manage(root, ["-e", "LocalEngine", "-M", String(count), "-p", "3600"]);
  await waitUntil("the first check", () => lastCheck(root) !== undefined);
  const readyMs = performance.now() - started;
  const { check } = await checksAndLs(root, manager, 5);
  const resident = residentMb(manager.pid);
  await manager.stop();
  return [
    { what: `${count} running jobs in pending: start and first check`, figure: figure(readyMs, "ms", 0) },
    { what: "  each further check", figure: figure(check, "ms") },
    { what: "  memory", figure: figure(resident, "MB", 0) },
  ];
}

const MACHINE = thisMachine();
const ME = `${process.pid}:${startOf(process.pid)}:${MACHINE.host}:${MACHINE.boot}` as Handle;

function addRunningJob(pending: string, name: string): void {
  const folder = join(pending, name);
  const token = newToken(new Date());
  const records = attemptFolder(folder, token);
  addJob(pending, name, "sleep 3600\n");
  mkdirSync(records, { recursive: true });
  symlinkSync(`attempt-${token}`, join(folder, ".jobmgr", "turn-1"));
  const at = new Date().toISOString();
  const engine = LocalEngine.forThisMachine({ jobsMax: undefined, graceS: 10 });
  const plan = engine.plan({ folderName: name, text: "sleep 3600\n" });
  writeRecord(records, "intent", { token, engine: engine.name, plan, madeOn: MACHINE, script: "", at });
  writeRecord(records, "handle", { handle: ME, at });
  const claim = `jobmgr-started 1 ${token} ${MACHINE.host} ${MACHINE.boot} ${process.pid} ${startOf(process.pid)} end\n`;
  writeFileSync(join(records, STARTED), claim);
}

function writeRecord<K extends keyof RecordOf>(records: string, name: K, record: RecordOf[K]): void {
  writeFileSync(join(records, name), JSON.stringify({ jobmgr: FORMAT, record: name, ...record }));
}

/** `status` of a root in which half of the jobs wait and half are finished, beside `ls` of the same folders. */
export function statusOf(count: number): Row[] {
  say(`status of ${count} jobs`);
  const root = makeRoot(makeFolder("disk"));
  const at = new Date().toISOString();
  for (let i = 0; i < count; i++) {
    const name = `job-${String(i).padStart(8, "0")}`;
    const place = join(root, i % 2 === 0 ? "inbox" : "complete");
    addJob(place, name, "true\n");
    if (i % 2 === 0) continue;
    const status = {
      schema: 1,
      name,
      state: i % 10 === 1 ? "failed" : "succeeded",
      engine: "LocalEngine",
      endedAt: at,
    };
    writeFileSync(join(place, name, "job_status.json"), `${JSON.stringify(status, undefined, 1)}\n`);
  }
  const places = ["inbox", "pending", "complete"].map((place) => join(root, place));
  const msOf = (program: string, ...args: readonly string[]) => {
    const started = performance.now();
    spawnSync(program, args, { stdio: "ignore", env: cleanEnvironment({ LC_ALL: "C" }) });
    return performance.now() - started;
  };
  const status =
    (...args: readonly string[]) =>
    () =>
      msOf(process.execPath, PROGRAM, "--root", root, "status", ...args);
  const ls = () => msOf("ls", "-l", ...places);
  const measured = [status(), status("--failed"), status("--all", "--json"), ls].map((one) =>
    median(Array.from({ length: 7 }, one)),
  );
  const [table = 0, failed = 0, all = 0, list = 0] = measured;
  return [
    { what: `${count} jobs: ls -l of inbox, pending and complete`, figure: figure(list, "ms") },
    {
      what: "  status",
      figure: figure(table, "ms"),
      ratio: ratio(table / list, "ls"),
      goal: "<= 1000 ms",
      reached: table <= 1000,
    },
    { what: "  status --failed", figure: figure(failed, "ms"), ratio: ratio(failed / list, "ls") },
    { what: "  status --all --json", figure: figure(all, "ms"), ratio: ratio(all / list, "ls") },
  ];
}
