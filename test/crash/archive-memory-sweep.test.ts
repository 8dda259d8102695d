/**
 * A crash of the machine at every effect of archives and scripts, after which what was not synced is empty: the archive
 * and what is in it are never lost, its job runs once, and what is put into complete/ is whole.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultArchive } from "../../src/archive/finished.ts";
import { checkArchive } from "../../src/archive/unpack.ts";
import { realDisk } from "../../src/disk.ts";
import { Pass } from "../../src/pass/index.ts";
import { openRoot, type Root, setUpRoot } from "../../src/root.ts";
import { CrashClock, type CrashPlan, crashDisk, MEMORY } from "../fakes/crash-disk.ts";
import { MemoryEngine, MemoryScheduler } from "../fakes/memory-engine.ts";
import { memoryWorld } from "../fakes/world.ts";
import { tar, tarEntry } from "../src/archive/make.ts";
import { CALM, checkAll, NO_BRAKES, LIMITS as PASS_LIMITS, workUntil } from "./calm.ts";

const LIMITS = { bytesMax: 1e6, entriesMax: 100, ratioMax: 100 };
const DATA = "data\n".repeat(100);
const SENT: Readonly<Record<string, Buffer>> = {
  "a.tar": tar(tarEntry("one/job.sh", "exit 0\n"), tarEntry("one/deep/data", DATA)),
  "b.sh": Buffer.from("exit 0\n"),
  "c.tar": tar(tarEntry("no-job")),
};

let folder: string;
let count = 0;

beforeAll(() => {
  folder = mkdtempSync(join(MEMORY, "jobmgr-crash-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const namesIn = (...path: string[]) => (existsSync(join(...path)) ? readdirSync(join(...path)).sort() : []);

async function noFilter(): Promise<never> {
  throw new Error("no program is needed");
}

function isDone(root: Root): boolean {
  const left = [root.inbox, root.pending, join(root.own, "arriving"), join(root.own, "packing")].flatMap((path) =>
    namesIn(path),
  );
  return left.length === 0;
}

async function manage(
  root: Root,
  scheduler: MemoryScheduler,
  crash: CrashPlan,
  result: "beside" | "instead",
): Promise<boolean> {
  const clock = new CrashClock(crash);
  const world = memoryWorld(root, new MemoryEngine(scheduler, (_, action) => clock.effect(action)), {
    disk: crashDisk(clock),
    archives: { limits: LIMITS, result, filter: noFilter },
  });
  const pass = new Pass(
    world,
    { ...PASS_LIMITS, jobsMax: 4 },
    NO_BRAKES,
    () => {},
    () => {},
  );
  await workUntil(
    () => clock.crashed || isDone(root),
    () => checkAll(pass),
    () => openRoot(world.disk, root.path),
  );
  pass.stop();
  await pass.idle().catch(() => {});
  return clock.crashed;
}

/** What is wrong in the end; empty if nothing is. */
async function faultsOf(root: Root, scheduler: MemoryScheduler, result: "beside" | "instead"): Promise<string[]> {
  const faults: string[] = [];
  const same = (what: string, is: unknown, must: unknown) => {
    if (JSON.stringify(is) !== JSON.stringify(must)) faults.push(`${what} is ${JSON.stringify(is)}`);
  };
  same("the ledger", [...scheduler.ledger].sort(), ["a", "b"]);
  same("inbox", namesIn(root.inbox), []);
  same("pending", namesIn(root.pending), []);
  const a = result === "beside" ? "a" : ".a";
  same("complete", namesIn(root.complete), [a, "a.tar", "b", "c"].sort());
  const read = (path: string) =>
    existsSync(join(root.complete, path)) ? readFileSync(join(root.complete, path)) : undefined;
  same("what was sent", read(`${a}/.jobmgr/source/a.tar`)?.equals(SENT["a.tar"] ?? Buffer.alloc(0)), true);
  same("what was refused", read("c/c.tar")?.equals(SENT["c.tar"] ?? Buffer.alloc(0)), true);
  same("the script", read("b/job.sh")?.toString(), "exit 0\n");
  same("the archive by which it is known", resultArchive(realDisk, root, "a"), "a.tar");
  if (result === "beside") same("the data", read("a/deep/data")?.toString(), DATA);
  const file = realDisk.open(join(root.complete, "a.tar"));
  try {
    const stop = new AbortController().signal;
    const { entries } = await checkArchive({ file, form: "tar", limits: LIMITS, filter: noFilter, stop });
    same("what came of it", entries.get("a/deep/data")?.size, DATA.length);
  } catch (error) {
    faults.push(`a.tar: ${(error as Error).message}`);
  } finally {
    file.close();
  }
  return faults;
}

async function trial(crash: CrashPlan, result: "beside" | "instead"): Promise<{ crashed: boolean; faults: string[] }> {
  const { root } = await setUpRoot(realDisk, join(folder, `root-${count++}`));
  const scheduler = new MemoryScheduler();
  for (const [name, bytes] of Object.entries(SENT)) writeFileSync(join(root.inbox, name), bytes);
  const crashed = await manage(root, scheduler, crash, result);
  await manage(root, scheduler, CALM, result);
  const faults = await faultsOf(root, scheduler, result);
  rmSync(root.path, { recursive: true });
  return { crashed, faults: faults.map((one) => `${crash.when} ${crash.at}: ${one}`) };
}

it.each([
  ["before", "beside", 1],
  // Nearly all of these were before the next effect; what differs is what was synced.
  ["after", "instead", 3],
] as const)(
  "a crash %s any effect loses nothing and runs nothing twice, with an archive %s its folder",
  async (when, result, step) => {
    const faults: string[] = [];
    for (let at = 0; ; at += step) {
      const one = await trial({ at, when }, result);
      faults.push(...one.faults);
      if (!one.crashed) {
        expect(at).toBeGreaterThan(100);
        break;
      }
    }
    expect(faults).toEqual([]);
  },
);
