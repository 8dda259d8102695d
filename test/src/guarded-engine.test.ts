/** Engines that do what they must not: what is wrong is a sentence that names them, and no job suffers. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { OPTIONS } from "../../src/config/options.ts";
import { realDisk } from "../../src/disk.ts";
import type { Attempt, Engine, EngineDefinition, EngineOptions, Submitted } from "../../src/engine.ts";
import { CALLS, type CallLimits, guardedDefinition } from "../../src/guarded-engine.ts";
import { Pass } from "../../src/pass/index.ts";
import { setUpRoot } from "../../src/root.ts";
import { LIMITS, NO_BRAKES } from "../crash/calm.ts";
import { MemoryEngine, MemoryScheduler } from "../fakes/memory-engine.ts";
import { memoryWorld } from "../fakes/world.ts";
import { makeFolder } from "../harness.ts";

const NEVER = new AbortController().signal;

const ENGINE_OPTIONS: EngineOptions = {
  jobsMax: undefined,
  graceS: OPTIONS.grace.default,
  engineArgs: [],
  queryS: 0,
  doubtS: 0,
  lostAfterS: 0,
};

/** So long is waited for one that never answers. */
const SHORT = Object.fromEntries(Object.keys(CALLS).map((name) => [name, 0.05])) as CallLimits;

type Members = Partial<Record<keyof Engine, unknown>>;

/** An engine of these members in place of its own, on this scheduler. */
async function engineWith(scheduler: MemoryScheduler, members: Members): Promise<Engine> {
  const engine = Object.assign(new MemoryEngine(scheduler), members) as Engine;
  return guardedDefinition(definitionOf(engine), "/engines/bad.js", SHORT).make(ENGINE_OPTIONS);
}

function definitionOf(engine: Engine): EngineDefinition {
  return { contract: 1, name: "MemoryEngine", version: "1", summary: "jobs in memory", make: () => engine };
}

async function makeScene(script: string) {
  const { root } = await setUpRoot(realDisk, join(makeFolder(), "root"));
  const scheduler = new MemoryScheduler();
  mkdirSync(join(root.inbox, "job"));
  writeFileSync(join(root.inbox, "job", "job.sh"), script);
  /** A manager with an engine of these members looks once, and does all that can be done; what is wrong then, as `status` shows it. */
  const manage = async (members: Members = {}): Promise<string> => {
    const engine = await engineWith(scheduler, members);
    const said: string[] = [];
    const pass = new Pass(
      memoryWorld(root, engine),
      LIMITS,
      NO_BRAKES,
      (event) => said.push(JSON.stringify(event)),
      () => {},
    );
    await pass.check();
    await pass.idle();
    // What was submitted is asked for; and the word for `status` is left.
    await pass.check();
    await pass.idle();
    const { problems } = JSON.parse(readFileSync(join(root.own, "manager.json"), "utf8")) as {
      problems: Record<string, string>;
    };
    const shown = Object.values(problems).join("\n");
    for (const line of shown.split("\n")) expect(said.join("\n")).toContain(JSON.stringify(line).slice(1, -1));
    return shown;
  };
  return { root, scheduler, manage };
}

const throws = () => {
  throw new TypeError("x is not a function");
};
const never = () => new Promise(() => {});
const THREW = "threw: x is not a function";
const plan = new MemoryEngine(new MemoryScheduler()).plan({ folderName: "a", text: "" });

/** What such an engine does, and what is said of it. The job waits, as it is. */
const BEFORE: readonly (readonly [what: string, members: Members, said: string])[] = [
  ["plan() throws", { plan: throws }, `MemoryEngine is at fault: plan() ${THREW}`],
  [
    "plan() throws a text",
    {
      plan: () => {
        throw "no";
      },
    },
    'plan() threw: "no"',
  ],
  ["plan() is a promise", { plan: async () => plan }, "plan().jobName is missing"],
  ["plan() gives nothing", { plan: () => undefined }, "plan() is missing"],
  [
    "plan() counts in words",
    { plan: () => ({ ...plan, places: "one" }) },
    'plan().places must be a whole number from 1, not "one"',
  ],
  [
    "plan() leaves out members",
    { plan: () => ({ jobName: "a" }) },
    "plan().shell is missing; plan().directives is missing",
  ],
  [
    "plan() writes a program into the head of the runner",
    { plan: () => ({ ...plan, directives: "rm -rf /\n" }) },
    'plan().directives must be lines that begin with "#"',
  ],
  ["plan() ends the #! line", { plan: () => ({ ...plan, shell: "/bin/sh\nrm" }) }, "plan().shell must be"],
  [
    "plan() lists tasks that are no numbers",
    { plan: () => ({ ...plan, tasks: [1, "2"] }) },
    "plan().tasks[1] must be a whole number",
  ],
  ["outputId() throws", { outputId: throws }, `outputId() ${THREW}`],
  ["outputId() gives a number", { outputId: () => 5 }, "outputId() must be a text, not 5"],
  ["command() throws", { command: throws }, `command() ${THREW}`],
  ["command() gives nothing", { command: () => "" }, 'command() must be a text that is not empty, not ""'],
  ["submit() throws", { submit: throws }, `submit() ${THREW}`],
  [
    "submit() is refused by something that is no EngineError",
    {
      submit: async () => {
        throw { verdict: "nope" };
      },
    },
    "submit() threw: an object",
  ],
  ["submit() never answers", { submit: never }, "MemoryEngine has not answered submit() within 0.05 s"],
  ["submit() answers nothing", { submit: async () => {} }, "submit() is missing"],
  ["submit() answers a number", { submit: async () => 17 }, "submit() must be a handle"],
  ["submit() answers two lines", { submit: async () => "1\n2" }, "submit() must be a handle"],
  ["find() throws", { submit: throws, find: throws }, `find() ${THREW}`],
  ["find() never answers", { submit: throws, find: never }, "has not answered find()"],
  ["find() answers true", { submit: throws, find: async () => true }, "find() must be an object, not true"],
  [
    "find() answers a word of its own",
    { submit: throws, find: async () => ({ is: "gone" }) },
    'find().is must be "found" or "absent" or "unsure", not "gone"',
  ],
  [
    "find() finds another attempt",
    { submit: throws, find: async () => ({ is: "found", handle: "1", token: "20260101T000000-0123456789ab" }) },
    "find() was asked for",
  ],
  [
    "find() finds without a handle",
    { submit: throws, find: async (where: Attempt) => ({ is: "found", token: where.token }) },
    "find().handle is missing",
  ],
];

/** The same of one that has the job already: it goes on. */
const AFTER: readonly (readonly [what: string, members: Members, said: string])[] = [
  [
    "poll() throws",
    { poll: throws },
    `MemoryEngine does not answer; no job changes its state. MemoryEngine is at fault: poll() ${THREW}`,
  ],
  ["poll() never answers", { poll: never }, "has not answered poll()"],
  ["poll() answers an object", { poll: async () => ({}) }, "poll() must be a Map from tokens to news, not an object"],
  ["poll() says nothing", { poll: async () => new Map() }, "poll() says nothing of this job"],
  [
    "poll() tells of others",
    { poll: async () => new Map([["other", { is: "ended", word: "x" }]]) },
    "poll() says nothing of this job",
  ],
  [
    "poll() has a word of its own",
    { poll: async (jobs: Submitted[]) => new Map(jobs.map((job) => [job.token, { is: "sleeping" }])) },
    'not "sleeping"',
  ],
  [
    "poll() answers words for objects",
    { poll: async (jobs: Submitted[]) => new Map(jobs.map((job) => [job.token, "ended"])) },
    'poll() must be an object, not "ended"',
  ],
  [
    "poll() ends jobs without a word",
    { poll: async (jobs: Submitted[]) => new Map(jobs.map((job) => [job.token, { is: "ended" }])) },
    "poll().word is missing",
  ],
  [
    "poll() ends jobs by a cause of its own",
    {
      poll: async (jobs: Submitted[]) =>
        new Map(jobs.map((job) => [job.token, { is: "ended", word: "x", cause: "boredom" }])),
    },
    "poll().cause must be",
  ],
  [
    "poll() ends jobs with a code in words",
    {
      poll: async (jobs: Submitted[]) =>
        new Map(jobs.map((job) => [job.token, { is: "ended", word: "x", exitCode: "three" }])),
    },
    'poll().exitCode must be a whole number from 0, not "three"',
  ],
];

describe("a job that is not submitted yet waits as it is, and runs once when the engine is mended", () => {
  it.each(BEFORE)("%s", async (_, members, said) => {
    const { root, scheduler, manage } = await makeScene("exit 0\n");
    let shown = await manage(members);
    // A submission that is in doubt is asked for by the next manager.
    if ("find" in members) shown = await manage(members);
    expect(shown).toContain(said);
    expect(shown).toContain("MemoryEngine");
    expect([readdirSync(root.inbox), readdirSync(root.pending), readdirSync(root.complete)]).toEqual([[], ["job"], []]);
    expect(readFileSync(join(root.pending, "job", "job.sh"), "utf8")).toBe("exit 0\n");
    expect(scheduler.ledger).toEqual([]);
    expect(await manage()).toBe("");
    expect(existsSync(join(root.complete, "job", "job_error.txt"))).toBe(false);
    expect(scheduler.ledger).toEqual(["job"]);
    expect(readdirSync(root.complete)).toEqual(["job"]);
  });
});

describe("a job that runs goes on, and its end is seen when the engine is mended", () => {
  it.each(AFTER)("%s", async (_, members, said) => {
    const { root, scheduler, manage } = await makeScene("wait\n");
    await manage();
    expect(await manage(members)).toContain(said);
    expect(readdirSync(root.pending)).toEqual(["job"]);
    expect([...scheduler.jobs.values()].map(({ state }) => state)).toEqual(["running"]);
    scheduler.cancel("1");
    await manage();
    expect(readdirSync(root.complete)).toEqual(["job"]);
    expect(scheduler.ledger).toEqual(["job"]);
  });

  it.each([
    ["throws", throws, `cancel() ${THREW}`],
    ["never answers", never, "has not answered cancel()"],
  ])("cancel() %s", async (_, cancel, said) => {
    const { root, manage } = await makeScene("wait\n");
    await manage();
    writeFileSync(join(root.pending, "job", "job_cancel"), "enough\n");
    expect(await manage({ cancel })).toContain(`What is to be cancelled goes on for now. MemoryEngine`);
    expect(await manage({ cancel })).toContain(said);
    expect(readdirSync(root.pending)).toEqual(["job"]);
    await manage();
    expect(readFileSync(join(root.complete, "job", "job_error.txt"), "utf8")).toContain("enough");
  });
});

describe("once a job has run, its result arrives, whatever is wrong with what the engine says of it", () => {
  it.each([
    ["outputId", throws],
    ["command", () => 5],
    ["plan", throws],
  ])("%s()", async (member, bad) => {
    const { root, scheduler, manage } = await makeScene("wait\n");
    await manage();
    scheduler.cancel("1");
    await manage({ [member]: bad });
    expect(readdirSync(root.complete)).toEqual(["job"]);
    expect(readFileSync(join(root.complete, "job", "job_error.txt"), "utf8")).toContain("cancelled");
  });
});

it("an engine's own word counts, whichever class of error it has: who imports nothing can refuse a job, too", async () => {
  const { root, manage } = await makeScene("exit 0\n");
  const submit = async () => {
    throw Object.assign(new Error("There is no queue of that name."), { verdict: "refused" });
  };
  await manage({ submit });
  expect(readFileSync(join(root.complete, "job", "job_error.txt"), "utf8")).toContain(
    "There is no queue of that name.",
  );
});

it("an engine is told when nobody waits for its answer any more", async () => {
  let told: AbortSignal | undefined;
  const poll = (_: unknown, stop: AbortSignal) => {
    told = stop;
    return never();
  };
  const engine = await engineWith(new MemoryScheduler(), { poll });
  await expect(engine.poll([], NEVER)).rejects.toMatchObject({ verdict: "unavailable" });
  expect(told?.aborted).toBe(true);
});

describe("a module that is no engine is told so, by name and in full", () => {
  const good = definitionOf(new MemoryEngine(new MemoryScheduler()));
  it.each<readonly [string, unknown, string]>([
    ["nothing", undefined, "/engines/bad.js is no engine that can be used: contract is missing"],
    ["without a version of the contract", { ...good, contract: undefined }, "contract is missing"],
    [
      "of an older contract",
      { ...good, contract: 0 },
      "was written for version 0 of the contract between jobmgr and its engines, and this jobmgr keeps version 1. Use a newer version of it.",
    ],
    [
      "of a newer contract",
      { ...good, contract: 2 },
      "was written for version 2 of the contract between jobmgr and its engines, and this jobmgr keeps version 1. Use a newer jobmgr.",
    ],
    [
      "with several members missing",
      { contract: 1, name: "X" },
      "version is missing; summary is missing; make is missing",
    ],
    [
      "of a name that is none",
      { ...good, name: "../x" },
      'name must be a name of letters, digits, dots and dashes, not "../x"',
    ],
  ])("%s", (_, value, said) => {
    expect(() => guardedDefinition(value, "/engines/bad.js")).toThrow(said);
  });

  it.each<readonly [string, () => unknown, string]>([
    ["throws", throws, `MemoryEngine (/engines/bad.js) is at fault: make() ${THREW}`],
    ["never ends", never, "make() has not ended within 0.05 s"],
    ["gives nothing", () => undefined, "what make() gives is no engine: it is missing"],
    [
      "gives half an engine",
      () => ({ name: "MemoryEngine", maxJobsDefault: 0, hasQueue: "no" }),
      "maxJobsDefault must be a whole number from 1, not 0; hasQueue must be true or false",
    ],
    [
      "gives another engine",
      () => Object.assign(new MemoryEngine(new MemoryScheduler()), { name: "Other" }),
      "is called Other",
    ],
  ])("make() %s", async (_, make, said) => {
    const definition = guardedDefinition({ ...good, make }, "/engines/bad.js", SHORT);
    await expect(definition.make(ENGINE_OPTIONS)).rejects.toThrow(said);
  });

  it.each<readonly [string, () => unknown, string]>([
    ["throws", throws, `absence() ${THREW}`],
    ["answers false", () => false, "absence() must be undefined or a sentence, not false"],
  ])("absence() %s", (_, absence, said) => {
    expect(guardedDefinition({ ...good, absence }, "/engines/bad.js").absence?.()).toContain(said);
  });
});
