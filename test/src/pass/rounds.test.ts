/** Which engine is asked for the news of which job, and what becomes of the answers. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Brakes } from "../../../src/brakes.ts";
import { realDisk } from "../../../src/disk.ts";
import type { Engine, Handle, News, Submitted, Token } from "../../../src/engine.ts";
import { EngineError } from "../../../src/engine-error.ts";
import { Waiters } from "../../../src/pass/behind.ts";
import { outagesOf } from "../../../src/pass/facts.ts";
import { Guard } from "../../../src/pass/guard.ts";
import type { Job } from "../../../src/pass/job.ts";
import { Jobs } from "../../../src/pass/jobs.ts";
import { Life } from "../../../src/pass/life.ts";
import { Line } from "../../../src/pass/line.ts";
import { Lines } from "../../../src/pass/lines.ts";
import { Places } from "../../../src/pass/places.ts";
import { Problems } from "../../../src/pass/problems.ts";
import { Rounds } from "../../../src/pass/rounds.ts";
import { setUpRoot } from "../../../src/root.ts";
import { LIMITS, NO_BRAKES } from "../../crash/calm.ts";
import { MemoryEngine, MemoryScheduler } from "../../fakes/memory-engine.ts";
import { somePlan } from "../../fakes/plan.ts";
import { memoryWorld } from "../../fakes/world.ts";

/** One of several engines: all its jobs run. */
class NamedEngine extends MemoryEngine {
  readonly asked: Token[][] = [];
  isDown = false;

  constructor(name: string) {
    super(new MemoryScheduler(name));
  }

  override async poll(jobs: readonly Submitted[]): Promise<Map<Token, News>> {
    this.asked.push(jobs.map(({ token }) => token));
    if (this.isDown) throw new EngineError("unavailable", `${this.name} is down`);
    return new Map(jobs.map(({ token }) => [token, { is: "running" } as const]));
  }
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "jobmgr-rounds-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function makeRounds(...engines: readonly [Engine, ...Engine[]]) {
  const { root } = await setUpRoot(realDisk, join(folder, "root"));
  const world = (engine: Engine) => memoryWorld(root, engine);
  const life = new Life();
  const problems = new Problems(() => {});
  const [first, ...others] = engines.map((engine) => new Line(world(engine), LIMITS, life, problems));
  const lines = new Lines(first as Line, ...others);
  const jobs = new Jobs(world(engines[0]), lines, problems);
  const places = new Places(LIMITS, life, jobs, lines, new Brakes(NO_BRAKES));
  const guard = new Guard(world(engines[0]), life, jobs, problems);
  const made = new Rounds({
    life,
    jobs,
    lines,
    places,
    guard,
    problems,
    behind: new Waiters({ guard, problems }),
    say: () => {},
    goOn: () => {},
  });
  const rounds = {
    ask: async () => {
      await made.ask("all");
      await Promise.all(made.busy);
    },
  };

  /** A job that was submitted to this engine; without one, it is not known to which. */
  const addSubmitted = (name: string, engine: string | undefined): Job => {
    mkdirSync(join(root.pending, name));
    const job = jobs.add(name, false);
    const token = name as Token;
    const plan = somePlan();
    const at = new Date().toISOString();
    const madeOn = { host: "memory", boot: "boot" };
    const paths = {
      folder: join(root.pending, name),
      records: join(folder, `records-${name}`),
      runner: join(folder, "run.sh"),
    };
    job.seen = {
      stage: "submitted",
      token,
      handle: "1" as Handle,
      attempt: { token, plan, madeOn, ...paths },
      ...(engine !== undefined && { intent: { token, engine, plan, madeOn, script: "", at } }),
    };
    return job;
  };
  return { rounds, lines, jobs, problems, addSubmitted };
}

it("what is queued waits since it was seen so first, but since later if it has run meanwhile", async () => {
  class Queue extends NamedEngine {
    override async poll(jobs: readonly Submitted[]) {
      return new Map<Token, News>(jobs.map(({ token }) => [token, { is: "queued" }]));
    }
  }
  const { rounds, addSubmitted } = await makeRounds(new Queue("Queue"));
  const jobs = ["waits", "again"].map((name) => addSubmitted(name, "Queue"));
  const since = new Date(Date.now() - 60_000).toISOString();
  const statusOf = (name: string) => join(folder, "root/pending", name, "job_status.json");
  for (const { name } of jobs)
    writeFileSync(statusOf(name), JSON.stringify({ token: name, state: "queued", whySince: since }));
  const [, again] = jobs;
  const records = again?.seen?.attempt?.records ?? "";
  mkdirSync(records);
  writeFileSync(join(records, "started-r1"), "");
  await rounds.ask();
  const told = jobs.map(({ name }) => JSON.parse(readFileSync(statusOf(name), "utf8")).whySince);
  expect(told).toEqual([since, expect.any(String)]);
  expect(told[1] > since).toBe(true);
});

describe("with several engines", () => {
  it("each is asked for the news of its own jobs; the first one also for those that name none", async () => {
    const [today, other] = [new NamedEngine("Today"), new NamedEngine("Other")];
    const { rounds, addSubmitted } = await makeRounds(today, other);
    addSubmitted("a", "Today");
    addSubmitted("b", "Other");
    addSubmitted("c", undefined);
    await rounds.ask();
    expect(today.asked).toEqual([["a", "c"]]);
    expect(other.asked).toEqual([["b"]]);
  });

  it("one that does not answer keeps no news of the others back", async () => {
    const [today, other] = [new NamedEngine("Today"), new NamedEngine("Other")];
    const { rounds, lines, problems, addSubmitted } = await makeRounds(today, other);
    const [mine, its] = [addSubmitted("a", "Today"), addSubmitted("b", "Other")];
    today.isDown = true;
    await rounds.ask();
    expect([mine.news, its.news]).toEqual([undefined, { is: "running" }]);
    expect(problems.all.get("engine")).toContain("Today is down");
    expect(lines.today.mayBeAsked).toBe(false);
    expect(lines.of(its).mayBeAsked).toBe(true);
    expect(lines.of(its).takesJobs).toBe(true);
  });

  it("the silence of one that only earlier jobs have is in the figures, as long as it has jobs", async () => {
    const [today, other] = [new NamedEngine("Today"), new NamedEngine("Other")];
    const { rounds, lines, addSubmitted } = await makeRounds(today, other);
    const job = addSubmitted("b", "Other");
    other.isDown = true;
    await rounds.ask();
    expect([...outagesOf(lines)]).toEqual([
      ["Today", undefined],
      ["Other", expect.stringMatching(/^20.*Z$/)],
    ]);
    lines.of(job).rests();
    expect(outagesOf(lines).get("Other")).toBeUndefined();
  });

  it("one that has no jobs is not asked", async () => {
    const [today, other] = [new NamedEngine("Today"), new NamedEngine("Other")];
    const { rounds, addSubmitted } = await makeRounds(today, other);
    addSubmitted("a", "Today");
    await rounds.ask();
    expect(other.asked).toEqual([]);
  });
});

describe("a status that cannot be written", () => {
  const untold = async () => {
    const made = await makeRounds(new NamedEngine("Today"));
    const job = made.addSubmitted("a", "Today");
    rmSync(join(folder, "root/pending/a"), { recursive: true });
    await made.rounds.ask();
    expect([...made.problems.all.keys()]).toEqual(["status a"]);
    return { ...made, job };
  };

  it("is no problem any more when its job has left pending", async () => {
    const { jobs, problems, job } = await untold();
    jobs.forget(job);
    expect(problems.all.size).toBe(0);
  });

  it("is no problem any more when the next one can be", async () => {
    const { rounds, problems, job } = await untold();
    mkdirSync(join(folder, "root/pending/a"));
    job.news = { is: "queued" };
    await rounds.ask();
    expect(problems.all.size).toBe(0);
  });
});
