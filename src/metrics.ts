/**
 * --metrics: figures in Prometheus' text format, for the textfile collector of its node exporter. Written whole at each
 * check; a file that cannot be written is a problem for `status`, and for no job.
 */
import { basename, dirname } from "node:path";
import { type Disk, putForAll } from "./disk.ts";
import { unwritableFileText } from "./disk-error.ts";
import type { Engine } from "./engine.ts";
import { isEngineError } from "./engine-error.ts";
import type { Event } from "./events.ts";
import { RESULTS } from "./outcome.ts";
import type { Facts } from "./pass/index.ts";
import { fileSystemNow, jobFolder, type Root } from "./root.ts";
import { namesIn } from "./selection.ts";

const CALLS = ["submit", "find", "poll", "cancel", "check"] as const;
type CallName = (typeof CALLS)[number];

/** The states of jobs in pending/ that are always shown, so that a graph has no gaps. */
const PENDING = ["claimed", "submitting", "submitted", "queued", "running", "ending", "settled"];

/** complete/ is listed only when it has changed, and for no more than this share of the time. */
const LIST_SHARE_MAX = 0.01;

/** What an engine was asked, and how long it took. */
export class CallCounts {
  readonly calls = new Map<CallName, number>(CALLS.map((name) => [name, 0]));
  readonly seconds = new Map<CallName, number>(CALLS.map((name) => [name, 0]));
  readonly errors = new Map<CallName, number>(CALLS.map((name) => [name, 0]));

  /** Counts one call, whatever becomes of it. An engine's no to one job is an answer, not an error. */
  async count<T>(name: CallName, call: () => Promise<T>): Promise<T> {
    const beganMs = performance.now();
    try {
      return await call();
    } catch (error) {
      const isAnswer = isEngineError(error) && (error.verdict === "refused" || error.verdict === "full");
      if (!isAnswer) this.errors.set(name, (this.errors.get(name) ?? 0) + 1);
      throw error;
    } finally {
      this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
      this.seconds.set(name, (this.seconds.get(name) ?? 0) + (performance.now() - beganMs) / 1000);
    }
  }
}

/** The same engine, each question to it counted. */
export function metered(engine: Engine, counts: CallCounts): Engine {
  return {
    name: engine.name,
    maxJobsDefault: engine.maxJobsDefault,
    hasQueue: engine.hasQueue,
    ...(engine.waitsForJobs && { waitsForJobs: engine.waitsForJobs.bind(engine) }),
    plan: (...order) => engine.plan(...order),
    outputId: (...order) => engine.outputId(...order),
    command: (...order) => engine.command(...order),
    submit: (...order) => counts.count("submit", () => engine.submit(...order)),
    find: (...order) => counts.count("find", () => engine.find(...order)),
    poll: (...order) => counts.count("poll", () => engine.poll(...order)),
    cancel: (...order) => counts.count("cancel", () => engine.cancel(...order)),
    check: (...order) => counts.count("check", () => engine.check(...order)),
    ...(engine.onNews && {
      onNews: (...order: Parameters<NonNullable<Engine["onNews"]>>) => engine.onNews?.(...order),
    }),
  };
}

/** What the metrics ask of the pass. */
export interface Figures {
  facts(): Facts;
  problem(about: string, text: string | undefined): void;
}

/** What does not change while a manager lives. */
export interface About {
  readonly engine: string;
  readonly version: string;
  readonly node: string;
}

/** Counts what happens, and writes the file at each check. */
export class Metrics {
  readonly #disk: Disk;
  readonly #root: Root;
  readonly #file: string;
  readonly #about: About;
  readonly #counts: CallCounts;
  readonly #startedS = Date.now() / 1000;
  readonly #ended = new Map<string, number>(RESULTS.map((result) => [result, 0]));
  #checks = 0;
  #complete: { mtimeMs: number; count: number; againAtMs: number } | undefined;

  constructor(disk: Disk, root: Root, file: string, counts: CallCounts, about: About) {
    this.#disk = disk;
    this.#root = root;
    this.#file = file;
    this.#counts = counts;
    this.#about = about;
  }

  /** Counts what happens, and writes the file at each check. Never throws. */
  hear(event: Event, figures: Figures): void {
    if (event.is === "finished") this.#ended.set(event.result, (this.#ended.get(event.result) ?? 0) + 1);
    if (event.is !== "check") return;
    this.#checks++;
    this.write(figures);
  }

  /** Writes the file. Never throws. */
  write(figures: Figures): void {
    try {
      // Moving somebody's folder aside would be worse than no figures.
      if (this.#disk.look(this.#file)?.kind === "folder") throw new Error("it is a folder; name a file in it");
      putForAll(this.#disk, dirname(this.#file), basename(this.#file), this.#text(figures.facts()));
      figures.problem("metrics", undefined);
    } catch (error) {
      figures.problem(
        "metrics",
        `The metrics cannot be written to ${this.#file}: ${unwritableFileText(this.#file, error)}`,
      );
    }
  }

  #text(facts: Facts): string {
    const pending = new Map([...PENDING.map((state) => [state, 0] as const), ...facts.pending]);
    const jobs = new Map([["waiting", facts.waiting], ["unready", facts.unready], ...pending]);
    jobs.set("complete", this.#countComplete());
    const nowS = Date.now() / 1000;
    const outages = [...facts.outages];
    const isSilent = new Map(outages.map(([name, since]) => [name, since === undefined ? 0 : 1]));
    const silentSince = new Map(outages.map(([name, since]) => [name, since ? Date.parse(since) / 1000 : 0]));
    const { engine, version, node } = this.#about;
    const families: Family[] = [
      gauge("jobs", STATES_HELP, by("state", jobs)),
      counter("jobs_ended_total", "Jobs that ended since the manager started, by result.", by("result", this.#ended)),
      counter("checks_total", "Looks at the whole root since the manager started.", one(this.#checks)),
      counter("engine_calls_total", "Questions and orders to the engine, by kind.", by("call", this.#counts.calls)),
      counter("engine_call_seconds_total", "Time spent in them.", by("call", this.#counts.seconds)),
      counter("engine_call_errors_total", "Those that were not answered.", by("call", this.#counts.errors)),
      gauge("engine_outage", "1 while the engine does not answer.", by("engine", isSilent)),
      gauge(
        "engine_outage_since_timestamp_seconds",
        "Since when it has not answered; 0 if it does.",
        by("engine", silentSince),
      ),
      gauge("oldest_waiting_seconds", OLDEST_HELP, one(this.#oldestS(facts.first))),
      gauge("problems", "What `jobmgr status` shows as wrong.", one(facts.problems)),
      gauge("last_check_timestamp_seconds", "When the root was looked at last.", one(nowS)),
      gauge("start_timestamp_seconds", "When the manager started.", one(this.#startedS)),
      gauge("build_info", "Always 1.", [{ labels: { version, engine, node }, value: 1 }]),
    ];
    return families.map((family) => familyText(family, this.#root.path)).join("");
  }

  #oldestS(names: readonly string[]): number {
    const times = names
      .map((name) => this.#disk.look(jobFolder(this.#root, "inbox", name))?.ctimeMs)
      .filter((ms) => ms !== undefined);
    if (times.length === 0) return 0;
    return Math.max(0, (fileSystemNow(this.#disk, this.#root) - Math.min(...times)) / 1000);
  }

  #countComplete(): number {
    const mtimeMs = this.#disk.look(this.#root.complete)?.mtimeMs ?? 0;
    const beganMs = performance.now();
    const last = this.#complete;
    if (last && (last.mtimeMs === mtimeMs || beganMs < last.againAtMs)) return last.count;
    const count = namesIn(this.#disk, this.#root, "complete").length;
    const endedMs = performance.now();
    this.#complete = { mtimeMs, count, againAtMs: endedMs + (endedMs - beganMs) / LIST_SHARE_MAX };
    return count;
  }
}

const STATES_HELP =
  "Jobs by state. waiting: in the inbox, ready or not yet looked into; unready: held, incomplete, waiting for another job or for its next attempt, or not to be taken; complete: finished jobs that still lie in complete; the others: in pending.";

const OLDEST_HELP =
  "Age of the oldest folder that waits, of the first 100 in their order: since its last change (ctime), by the clock of the file system; 0 if none waits.";

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  readonly samples: readonly Sample[];
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name: `jobmgr_${name}`, type: "gauge", help, samples };
}

function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name: `jobmgr_${name}`, type: "counter", help, samples };
}

function one(value: number): Sample[] {
  return [{ labels: {}, value }];
}

function by(label: string, values: ReadonlyMap<string, number>): Sample[] {
  return [...values].map(([key, value]) => ({ labels: { [label]: key }, value }));
}

/** Each sample names its root, for the files of several managers are read together. */
function familyText({ name, type, help, samples }: Family, root: string): string {
  const lines = samples.map(({ labels, value }) => {
    const pairs = Object.entries({ root, ...labels }).map(([key, text]) => `${key}="${escaped(text)}"`);
    return `${name}{${pairs.join(",")}} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

/** A label's value, as the format wants it: a backslash, a quote and a line feed are escaped. */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
