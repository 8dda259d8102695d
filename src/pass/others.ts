/**
 * The engines of jobs that an earlier manager has submitted, with another engine than today's: loaded when the first such
 * job is seen. One that cannot be loaded here is told of once, and tried again; its jobs stay as they are.
 */
import type { Engine } from "../engine.ts";
import type { World } from "../steps/world.ts";
import type { Job } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import type { Life } from "./life.ts";
import type { Limits } from "./limits.ts";
import { Line } from "./line.ts";
import type { Lines } from "./lines.ts";
import type { Problems } from "./problems.ts";

/** Another engine, and how much of it is used. */
export interface OtherEngine {
  readonly engine: Engine;
  readonly limits: Limits;
}

/** Loads an engine by the name and the place in the records of its jobs. Rejects if it cannot be used here. */
export type LoadEngine = (name: string, from: string | undefined) => Promise<OtherEngine>;

/** A check waits no longer for engines that are loaded. */
const PATIENCE_MS = 5_000;

/** Waits between two tries to load an engine, in seconds: doubled each time, up to the most. */
const AGAIN_S = { first: 60, most: 3600 } as const;

interface Parts {
  readonly world: World;
  readonly life: Life;
  readonly jobs: Jobs;
  readonly lines: Lines;
  readonly problems: Problems;
  /** Something that is known may go on. */
  readonly wake: () => void;
}

/** Loads engines that are missed. */
export class Others {
  readonly #parts: Parts;
  readonly #load: LoadEngine | undefined;
  readonly #loading = new Map<string, Promise<void>>();
  /** Those that could not be loaded, and when each is tried again. */
  readonly #absent = new Map<string, { readonly atMs: number; readonly nextS: number }>();

  constructor(parts: Parts, load: LoadEngine | undefined) {
    this.#parts = parts;
    this.#load = load;
  }

  /** Loads what jobs of pending/ miss. Resolves when that is done, or takes long; never rejects. */
  async look(): Promise<void> {
    const missed = this.#missed();
    this.#forget(missed);
    for (const [name, { seen }] of missed) {
      const isDue = performance.now() >= (this.#absent.get(name)?.atMs ?? 0);
      if (isDue && !this.#loading.has(name)) this.#begin(name, seen?.intent?.engineFrom);
    }
    if (this.#loading.size > 0) await this.#patiently(Promise.all(this.busy));
  }

  /** What is under way; each resolves when it has ended, and never rejects. */
  get busy(): readonly Promise<void>[] {
    return [...this.#loading.values()];
  }

  /** One job of each engine that is missed, by the engine's name. */
  #missed(): ReadonlyMap<string, Job> {
    const { jobs, lines } = this.#parts;
    const missed = new Map<string, Job>();
    for (const job of jobs) {
      const name = missedBy(job);
      if (name !== undefined && !lines.has(name) && !missed.has(name)) missed.set(name, job);
    }
    return missed;
  }

  /** What was wrong with an engine went with its last job. */
  #forget(missed: ReadonlyMap<string, Job>): void {
    const { jobs, lines, problems } = this.#parts;
    for (const name of this.#absent.keys()) {
      if (missed.has(name)) continue;
      this.#absent.delete(name);
      problems.forget(aboutAbsent(name));
    }
    for (const line of lines.others) if (!jobs.all.some((job) => lines.of(job) === line)) line.rests();
  }

  #begin(name: string, from: string | undefined): void {
    const { life, problems } = this.#parts;
    const loading = this.#loadOne(name, from)
      .catch((error: Error) => {
        if (life.endsBy(error)) return;
        const nextS = this.#absent.get(name)?.nextS ?? AGAIN_S.first;
        this.#absent.set(name, {
          atMs: performance.now() + nextS * 1000,
          nextS: Math.min(nextS * 2, AGAIN_S.most),
        });
        const why = error.message.replace(/\.?$/, ".");
        const text = `Jobs of ${name} stay in pending/ as they are, for it cannot be used here: ${why} To go on with them, start jobmgr with -e ${from ?? name} where it can.`;
        problems.report(aboutAbsent(name), "error", text);
      })
      .finally(() => this.#loading.delete(name));
    this.#loading.set(name, loading);
  }

  async #loadOne(name: string, from: string | undefined): Promise<void> {
    const { world, life, jobs, lines, problems, wake } = this.#parts;
    if (!this.#load) throw new Error("only today's engine is loaded");
    const { engine, limits } = await this.#load(name, from);
    if (engine.name !== name) throw new Error(`what was loaded is ${engine.name}`);
    const { origin: _, ...others } = world;
    lines.add(new Line({ ...others, engine }, limits, life, problems, false));
    this.#absent.delete(name);
    problems.resolve(aboutAbsent(name), "info", `${name} can be used now: its jobs go on.`);
    problems.note(
      "info",
      `There are jobs of ${name} in pending/. They go on there; new ones go to ${world.engine.name}.`,
    );
    engine.onNews?.(wake);
    for (const job of jobs) if (missedBy(job) === name && !job.busy) jobs.look(job);
    wake();
  }

  #patiently(work: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PATIENCE_MS);
      void work.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** The engine that a job in pending/ cannot do its next step without; undefined for one that is to leave, or has none. */
function missedBy({ seen }: Job): string | undefined {
  return seen?.outcome === undefined ? seen?.intent?.engine : undefined;
}

function aboutAbsent(name: string): string {
  return `engine ${name}`;
}
