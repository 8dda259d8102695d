/** The metrics file: what is in it, and that Prometheus could read it. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { realDisk } from "../../src/disk.ts";
import { EngineError } from "../../src/engine-error.ts";
import { CallCounts, Metrics, metered } from "../../src/metrics.ts";
import type { Facts } from "../../src/pass/index.ts";
import { openRoot, setUpRoot } from "../../src/root.ts";
import { MemoryEngine, MemoryScheduler } from "../fakes/memory-engine.ts";
import { makeFolder, makeRoot, waitUntil } from "../harness.ts";

/** Reads the text format as strictly as its description allows: families whole and in a row, each sample once. */
function parsed(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  let family = "";
  expect(text.endsWith("\n")).toBe(true);
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP ([a-z_]+) (?:[^\\]|\\[\\n])+$/.exec(line);
    const type = /^# TYPE ([a-z_]+) (gauge|counter)$/.exec(line);
    const sample = /^([a-z_]+)\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\} (\S+)$/.exec(line);
    if (help) {
      family = help[1] ?? "";
      expect(types.has(family), family).toBe(false);
    } else if (type) {
      expect(type[1]).toBe(family);
      types.set(family, type[2] ?? "");
    } else {
      expect(sample, line).not.toBeNull();
      const [, name = "", labels = "", value = ""] = sample ?? [];
      expect(name).toBe(family);
      expect(types.has(name)).toBe(true);
      expect(name.endsWith("_total")).toBe(types.get(name) === "counter");
      expect(Number.isFinite(Number(value)), line).toBe(true);
      const key = `${name.replace(/^jobmgr_/, "")} ${labels}`;
      expect(samples.has(key), key).toBe(false);
      samples.set(key, Number(value));
    }
  }
  return samples;
}

/** The samples without the root's label. */
function figuresIn(text: string): Record<string, number> {
  return Object.fromEntries(
    [...parsed(text)].map(([key, value]) => [key.replace(/root="(?:[^"\\]|\\.)*",?/, "").trim(), value]),
  );
}

const FACTS: Facts = { waiting: 0, unready: 0, first: [], pending: new Map(), outages: new Map(), problems: 0 };

async function makeMetrics(name = "root", file = "jobmgr.prom") {
  const folder = makeFolder();
  await setUpRoot(realDisk, join(folder, name));
  const root = openRoot(realDisk, join(folder, name));
  const counts = new CallCounts();
  const path = join(folder, file);
  const metrics = new Metrics(realDisk, root, path, counts, { engine: "E", version: "1", node: "v20" });
  const problems: (string | undefined)[] = [];
  const check = (facts: Partial<Facts> = {}) =>
    metrics.hear(
      { is: "check" },
      { facts: () => ({ ...FACTS, ...facts }), problem: (_, text) => void problems.push(text) },
    );
  return { folder, root, counts, path, metrics, problems, check };
}

describe("the metrics file", () => {
  it("counts a finished job once, as status does, with its archive beside it or instead of it", async () => {
    const { root, path, check } = await makeMetrics();
    for (const name of ["beside", ".instead"]) mkdirSync(join(root.complete, name));
    for (const name of ["beside", "instead"]) writeFileSync(join(root.complete, `${name}.tar.gz`), "");
    check();
    expect(figuresIn(readFileSync(path, "utf8"))['jobs state="complete"']).toBe(2);
  });

  it("can be read, and says what is known", async () => {
    const { root, path, metrics, check, counts } = await makeMetrics();
    for (const name of ["a", "b", ".hidden"]) mkdirSync(join(root.complete, name));
    mkdirSync(join(root.inbox, "w"));
    for (const result of ["failed", "failed", "succeeded"])
      metrics.hear(
        { is: "finished", name: "x", result, succeeded: false, durationS: 1 },
        { facts: () => FACTS, problem: () => {} },
      );
    await counts.count("poll", async () => 1);
    const pending = new Map([
      ["running", 3],
      ["left_alone", 1],
    ]);
    const outages = new Map([
      ["E", undefined],
      ["OldEngine", "2026-01-01T00:00:05.000Z"],
    ]);
    check({ waiting: 4, unready: 1, first: ["w"], pending, outages, problems: 2 });
    const figures = figuresIn(readFileSync(path, "utf8"));
    expect(figures).toMatchObject({
      'jobs state="waiting"': 4,
      'jobs state="unready"': 1,
      'jobs state="running"': 3,
      'jobs state="queued"': 0,
      'jobs state="left_alone"': 1,
      'jobs state="complete"': 2,
      'jobs_ended_total result="failed"': 2,
      'jobs_ended_total result="lost"': 0,
      checks_total: 1,
      'engine_calls_total call="poll"': 1,
      'engine_calls_total call="submit"': 0,
      'engine_outage engine="E"': 0,
      'engine_outage engine="OldEngine"': 1,
      'engine_outage_since_timestamp_seconds engine="E"': 0,
      'engine_outage_since_timestamp_seconds engine="OldEngine"': 1_767_225_605,
      problems: 2,
      'build_info version="1",engine="E",node="v20"': 1,
    });
    expect(figures.oldest_waiting_seconds).toBeLessThan(60);
  });

  it("counts what is finished anew when it has changed", async () => {
    const { root, path, check } = await makeMetrics();
    check();
    mkdirSync(join(root.complete, "a"));
    await waitUntil("it is counted", () => {
      check();
      return figuresIn(readFileSync(path, "utf8"))['jobs state="complete"'] === 1;
    });
  });

  it.each(['with "quotes"', "back\\slash", "line\nfeed", "größe ✓"])(
    "names its root in each sample: %s",
    async (name) => {
      const { path, check, root } = await makeMetrics(name);
      check();
      const keys = [...parsed(readFileSync(path, "utf8")).keys()];
      const shown = root.path.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
      expect(keys.every((key) => key.includes(` root="${shown}"`))).toBe(true);
    },
  );

  it("may be read by all, whatever the mask, and is replaced whole", async () => {
    const { folder, path, check } = await makeMetrics();
    const mask = process.umask(0o077);
    onTestFinished(() => void process.umask(mask));
    check();
    const { ino, mode } = statSync(path);
    check();
    expect(mode & 0o777).toBe(0o644);
    expect(statSync(path).ino).not.toBe(ino);
    expect(readdirSync(folder).sort()).toEqual(["jobmgr.prom", "root"]);
  });

  it("that cannot be written is a problem, and one that is over when it can", async () => {
    const { folder, problems, check } = await makeMetrics("root", "away/jobmgr.prom");
    check();
    expect(problems.at(-1)).toMatch(/^The metrics cannot be written to .*: there is no folder .*away\. Make it/);
    mkdirSync(join(folder, "away"));
    check();
    expect(problems.at(-1)).toBeUndefined();
  });

  it("moves no folder that has its name", async () => {
    const { path, problems, check } = await makeMetrics();
    mkdirSync(path);
    writeFileSync(join(path, "mine"), "");
    check();
    expect(problems).toEqual([expect.stringMatching(/it is a folder/)]);
    expect(readdirSync(path)).toEqual(["mine"]);
  });
});

describe("a metered engine", () => {
  it("answers as the engine does, and each call is counted", async () => {
    const counts = new CallCounts();
    const bare = new MemoryEngine(new MemoryScheduler());
    const engine = metered(bare, counts);
    const { name, hasQueue, maxJobsDefault } = bare;
    expect(engine).toMatchObject({ name, hasQueue, maxJobsDefault });
    expect("onNews" in engine).toBe("onNews" in bare);
    const stop = new AbortController().signal;
    expect(await engine.poll([], stop)).toEqual(new Map());
    expect(await engine.find({ folder: "/nowhere" }, stop)).toEqual({ is: "absent" });
    expect(Object.fromEntries(counts.calls)).toEqual({ submit: 0, find: 1, poll: 1, cancel: 0, check: 0 });
    expect([...counts.seconds.values()].every((seconds) => seconds >= 0)).toBe(true);
  });

  it("tells a silence from a no", async () => {
    const counts = new CallCounts();
    for (const verdict of ["refused", "full", "unavailable", "ambiguous"] as const) {
      const call = counts.count("submit", () => Promise.reject(new EngineError(verdict, "no")));
      await expect(call).rejects.toThrow("no");
    }
    expect(counts.calls.get("submit")).toBe(4);
    expect(counts.errors.get("submit")).toBe(2);
  });
});

describe("the real program", () => {
  it("writes its metrics at each check", async () => {
    const root = await makeRoot();
    const path = join(root.path, "../m.prom");
    root.dropLedger("a", "exit 1");
    root.drop("held", { "job.sh": "", job_hold: "" });
    const manager = root.manage(["--metrics", path]);
    await root.completed("a");
    const figures = () => figuresIn(readFileSync(path, "utf8"));
    await waitUntil("it is counted", () => figures()['jobs state="complete"'] === 1);
    expect(figures()).toMatchObject({
      'jobs state="unready"': 1,
      'jobs state="waiting"': 0,
      'jobs_ended_total result="failed"': 1,
      'engine_calls_total call="submit"': 1,
      oldest_waiting_seconds: 0,
      'engine_outage engine="LocalEngine"': 0,
    });
    await manager.stop();
  });
});
