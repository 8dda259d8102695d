/**
 * A crash at every effect of a manager whose jobs wait for others, are refused because of them, or were cancelled in
 * the inbox: none of those ever runs, and none runs before its time, wherever the manager dies.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Disk, realDisk } from "../../src/disk.ts";
import { Pass } from "../../src/pass/index.ts";
import { type Root, setUpRoot } from "../../src/root.ts";
import { CrashClock, type CrashPlan, crashDisk, MEMORY } from "../fakes/crash-disk.ts";
import { MemoryEngine, MemoryScheduler } from "../fakes/memory-engine.ts";
import { memoryWorld } from "../fakes/world.ts";
import { CALM, checkAll, isAllDone, LIMITS, NO_BRAKES, workUntil } from "./calm.ts";

/** The jobs: what they wait for comes before them or behind them by name. */
const JOBS: Readonly<Record<string, { files: Readonly<Record<string, string>>; ends: string }>> = {
  any: { files: { "job.sh": "exit 0\n", "job_after.txt": "any refused\n" }, ends: "succeeded" },
  bad: { files: { "job.sh": "exit 3\n" }, ends: "failed" },
  good: { files: { "job.sh": "exit 0\n" }, ends: "succeeded" },
  halted: { files: { data: "no job.sh", job_cancel: "not needed" }, ends: "cancelled" },
  later: { files: { "job.sh": "exit 0\n", "job_after.txt": "good\n" }, ends: "succeeded" },
  refused: { files: { "job.sh": "exit 0\n", "job_after.txt": "bad\ngood\n" }, ends: "refused" },
  thus: { files: { "job.sh": "exit 0\n", "job_after.txt": "refused\n" }, ends: "refused" },
};
const RUN = ["any", "bad", "good", "later"];

let folder: string;
let count = 0;

beforeAll(() => {
  folder = mkdtempSync(join(MEMORY, "jobmgr-after-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Makes a manager blind for a file of folders that were claimed: the variant that must be found out. */
type Blind = "job_after.txt" | "job_cancel" | undefined;

/** Lets a manager work until all is done or it crashes. */
async function manage(
  root: Root,
  scheduler: MemoryScheduler,
  crash: CrashPlan,
  blind: Blind,
  asked: Set<string>,
): Promise<boolean> {
  const clock = new CrashClock(crash);
  const engine = new MemoryEngine(scheduler, (_, action) => clock.effect(action));
  const { plan } = engine;
  engine.plan = (script, ...more) => {
    asked.add(script.folderName);
    return plan.call(engine, script, ...more);
  };
  const disk = crashDisk(clock);
  const isHidden = (path: string) => blind !== undefined && path.startsWith(root.pending) && path.endsWith(blind);
  const blindDisk: Disk = { ...disk, look: (path) => (isHidden(path) ? undefined : disk.look(path)) };
  const nothing = () => {};
  const pass = new Pass(memoryWorld(root, engine, { disk: blindDisk }), LIMITS, NO_BRAKES, nothing, nothing);
  await workUntil(
    () => clock.crashed || isAllDone(root),
    () => checkAll(pass),
  );
  return clock.crashed;
}

/** What is wrong in the end; empty if nothing is. */
function faults(root: Root, ledger: readonly string[], runs: readonly string[]): string[] {
  const found: string[] = [];
  const same = (what: string, is: unknown, must: unknown) => {
    if (JSON.stringify(is) !== JSON.stringify(must)) found.push(`${what}: ${JSON.stringify(is)}`);
  };
  same("runs", [...ledger].sort(), [...runs].sort());
  if (ledger.lastIndexOf("good") > ledger.indexOf("later")) found.push(`order: ${ledger}`);
  same("complete", readdirSync(root.complete).sort(), Object.keys(JOBS));
  for (const [name, { files, ends }] of Object.entries(JOBS)) {
    const at = join(root.complete, name);
    if (!existsSync(at)) continue;
    const state = JSON.parse(readFileSync(join(at, "job_status.json"), "utf8") || "{}").state;
    same(`${name} state`, state, ends);
    const error = existsSync(join(at, "job_error.txt")) ? readFileSync(join(at, "job_error.txt"), "utf8") : "";
    same(`${name} error`, error.split(":")[0], ends === "succeeded" ? "" : name);
    same(`${name} request`, existsSync(join(at, "job_cancel")), false);
    for (const file of Object.keys(files).filter((one) => one !== "job_cancel"))
      same(`${name}/${file}`, readFileSync(join(at, file), "utf8"), files[file]);
  }
  return found;
}

async function runWith(
  crashes: readonly CrashPlan[],
  { blind, between }: { blind?: Blind; between?: (root: Root) => readonly string[] } = {},
): Promise<{ faults: string[]; crashed: boolean }> {
  const { root } = await setUpRoot(realDisk, join(folder, `root-${count++}`));
  const scheduler = new MemoryScheduler();
  for (const [name, { files }] of Object.entries(JOBS)) {
    mkdirSync(join(root.inbox, name));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(root.inbox, name, file), text);
  }
  let crashed = false;
  const asked = new Set<string>();
  for (const crash of crashes) crashed = await manage(root, scheduler, crash, blind, asked);
  const more = between?.(root) ?? [];
  await manage(root, scheduler, CALM, blind, asked);
  const needless = [...asked].filter((name) => !RUN.includes(name)).map((name) => `the engine was asked for ${name}`);
  const result = { faults: [...faults(root, scheduler.ledger, [...RUN, ...more]), ...needless], crashed };
  rmSync(root.path, { recursive: true });
  return result;
}

/** Tries every effect, until a run has no more of them; returns what went wrong. */
async function sweep(
  when: CrashPlan["when"],
  more: Parameters<typeof runWith>[1] = {},
): Promise<{ wrong: string[]; effects: number }> {
  const wrong: string[] = [];
  for (let at = 0; ; at++) {
    const result = await runWith([{ at, when }], more);
    if (result.faults.length > 0) wrong.push(`${when} ${at}: ${result.faults.join("; ")}`);
    if (!result.crashed) return { wrong, effects: at };
  }
}

describe("a crash at every effect, with jobs that wait for others", () => {
  it("the calm run does what is expected", async () => {
    expect(await runWith([CALM])).toEqual({ faults: [], crashed: false });
  });

  for (const when of ["before", "after"] as const) {
    it(`a crash ${when} any effect starts nothing that was not to be started, and nothing too soon`, async () => {
      const { wrong, effects } = await sweep(when);
      expect(wrong).toEqual([]);
      expect(effects).toBeGreaterThan(100);
    });
  }

  it("a second crash during the recovery changes nothing of that", async () => {
    const wrong: string[] = [];
    const { effects } = await sweep("after");
    // All pairs would take minutes: every first one, with a part of the second ones that differs from one to the next.
    for (let first = 0; first < effects; first++) {
      for (let second = first % 199; ; second += 199) {
        const plans = [first, second].map((at): CrashPlan => ({ at, when: "after" }));
        const result = await runWith(plans);
        if (result.faults.length > 0) wrong.push(`${first}, ${second}: ${result.faults.join("; ")}`);
        if (!result.crashed) break;
      }
    }
    expect(wrong).toEqual([]);
  });

  it("a job that is moved back to the inbox while the manager is dead is waited for again", async () => {
    let movedBack = 0;
    const between = (root: Root) => {
      const isPlanned = (own: string) =>
        existsSync(own) && readdirSync(own).some((name) => existsSync(join(own, name, "intent")));
      const isWaiting =
        existsSync(join(root.inbox, "later")) ||
        (existsSync(join(root.pending, "later")) && !isPlanned(join(root.pending, "later", ".jobmgr")));
      if (!existsSync(join(root.complete, "good")) || !isWaiting) return [];
      renameSync(join(root.complete, "good"), join(root.inbox, "good"));
      movedBack++;
      return ["good"];
    };
    expect((await sweep("after", { between })).wrong).toEqual([]);
    expect(movedBack).toBeGreaterThan(5);
  });

  it("the sweep bites: a manager that forgets after the claim what it waited for is found out", async () => {
    expect((await runWith([CALM], { blind: "job_after.txt" })).faults).not.toEqual([]);
    expect((await runWith([CALM], { blind: "job_cancel" })).faults).not.toEqual([]);
  });
});
