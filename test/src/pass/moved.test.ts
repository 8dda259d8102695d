/** Folders that somebody moved out of pending/ while their jobs ran: when they are taken again, and what is said till then. */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { realDisk } from "../../../src/disk.ts";
import type { News, Submitted, Token } from "../../../src/engine.ts";
import type { Event } from "../../../src/events.ts";
import { Pass } from "../../../src/pass/index.ts";
import { setUpRoot } from "../../../src/root.ts";
import { LIMITS, NO_BRAKES } from "../../crash/calm.ts";
import { MemoryEngine, MemoryScheduler } from "../../fakes/memory-engine.ts";
import { memoryWorld } from "../../fakes/world.ts";
import { makeFolder } from "../../harness.ts";

/** One that can be told what to say of its jobs. */
class TalkingEngine extends MemoryEngine {
  says: News | undefined;
  /** How many jobs each question was for. */
  readonly asked: number[] = [];

  override async poll(jobs: readonly Submitted[]): Promise<ReadonlyMap<Token, News>> {
    this.asked.push(jobs.length);
    const news = await super.poll(jobs);
    return this.says === undefined ? news : new Map(jobs.map(({ token }) => [token, this.says as News]));
  }
}

/** Jobs of these names that run, and whose folders a person moves to the inbox. */
async function makeMoved(...names: readonly string[]) {
  const { root } = await setUpRoot(realDisk, join(makeFolder(), "root"));
  for (const name of names) {
    mkdirSync(join(root.inbox, name));
    writeFileSync(join(root.inbox, name, "job.sh"), "wait\n");
  }
  const scheduler = new MemoryScheduler();
  const engine = new TalkingEngine(scheduler);
  const limits = { ...LIMITS, jobsMax: 8 };
  /** One pass of a new manager, as --once does it. Returns what it says. */
  const once = async (): Promise<string> => {
    const said: string[] = [];
    const say = (event: Event) => void (event.is === "note" && said.push(event.text));
    const pass = new Pass(memoryWorld(root, engine), limits, NO_BRAKES, say, () => {});
    await pass.check();
    do {
      await pass.idle();
      await pass.advance("none");
    } while (pass.isBusy);
    return said.join("\n");
  };
  await once();
  for (const name of names) renameSync(join(root.pending, name), join(root.inbox, name));
  engine.asked.length = 0;
  const records = (name: string) => {
    const own = join(root.inbox, name, ".jobmgr");
    return join(own, readdirSync(own).find((one) => one.startsWith("attempt-")) ?? "");
  };
  /** The scheduler lets all that run end; whatever is started from now on ends at once. */
  const endAll = () => {
    for (const job of scheduler.jobs.values()) job.state = "ended";
    for (const name of names) writeFileSync(join(root.inbox, name, "job.sh"), "exit 0\n");
  };
  return { root, scheduler, engine, once, records, endAll };
}

it("all are asked for in one question, and taken when they have ended", async () => {
  const { root, scheduler, engine, once, endAll } = await makeMoved("a", "b");
  expect(await once()).toMatch(/a waits for job .*\nb waits for job /);
  expect(engine.asked).toEqual([2]);
  expect(readdirSync(root.inbox)).toEqual(["a", "b"]);
  endAll();
  await once();
  expect(readdirSync(root.inbox)).toEqual([]);
  expect(scheduler.ledger).toEqual(["a", "b", "a", "b"]);
});

it.each<{ says: News; runs: number }>([
  { says: { is: "unknown", word: "DREAMING" }, runs: 1 },
  { says: { is: "ending", why: "it is looked for" }, runs: 1 },
  { says: { is: "missing" }, runs: 2 },
  { says: { is: "queued" }, runs: 2 },
])("of one of which the engine says $says.is there are then $runs runs", async ({ says, runs }) => {
  const { scheduler, engine, once } = await makeMoved("a");
  engine.says = says;
  const said = await once();
  expect(scheduler.ledger).toHaveLength(runs);
  if (runs === 1) expect(said).toContain(says.is === "unknown" ? "(DREAMING)" : "(it is looked for)");
});

it("an engine that does not answer is waited for", async () => {
  const { scheduler, once, endAll } = await makeMoved("a");
  endAll();
  scheduler.down = true;
  expect(await once()).toContain("(MemoryEngine does not answer: memory is down)");
  expect(scheduler.ledger).toEqual(["a"]);
  scheduler.down = false;
  await once();
  expect(scheduler.ledger).toEqual(["a", "a"]);
});

it("one whose manager was killed before it noted that the engine had taken it is found by the engine", async () => {
  const { scheduler, once, records, endAll } = await makeMoved("a");
  rmSync(join(records("a"), "handle"));
  expect(await once()).toContain("a waits for a job of MemoryEngine");
  expect(scheduler.ledger).toEqual(["a"]);
  endAll();
  await once();
  expect(scheduler.ledger).toEqual(["a", "a"]);
});

it("one that is cancelled in the inbox does not end as if nothing ran in it", async () => {
  const { root, scheduler, once, endAll } = await makeMoved("a");
  writeFileSync(join(root.inbox, "a", "job_cancel"), "enough\n");
  expect(await once()).toContain("a waits for job");
  expect(readdirSync(root.inbox)).toEqual(["a"]);
  endAll();
  await once();
  expect(readdirSync(root.complete)).toEqual(["a"]);
  expect(scheduler.ledger).toEqual(["a"]);
});

it("one whose records are damaged is left where it is, and reported", async () => {
  const { root, scheduler, engine, once, records } = await makeMoved("a");
  writeFileSync(join(records("a"), "intent"), "{");
  expect(await once()).toMatch(/a cannot be taken in: .*intent is damaged/);
  expect(readdirSync(root.inbox)).toEqual(["a"]);
  expect([scheduler.ledger, engine.asked]).toEqual([["a"], []]);
});
