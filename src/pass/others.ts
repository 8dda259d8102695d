/**
 * The engines of jobs that an earlier manager has submitted, with another engine than today's: loaded when the first such
 * job is seen, in pending/ or in a folder that was moved out of there. One that cannot be loaded here is told of once, and
 * tried again; its jobs stay as they are.
 */
import type { Engine } from "../engine.ts";
import { engineKey, type Intent } from "../records.ts";
import { shellWord } from "../shell-word.ts";
import type { EngineOrigin, World } from "../steps/world.ts";
import type { Job } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import type { Life } from "./life.ts";
import type { Limits } from "./limits.ts";
import { Line } from "./line.ts";
import type { Lines } from "./lines.ts";
import type { MovedFolders } from "./moved.ts";
import type { Problems } from "./problems.ts";

/** Another engine, and how much of it is used. */
export interface OtherEngine {
  readonly engine: Engine;
  readonly origin: EngineOrigin;
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
  readonly moved: MovedFolders;
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

  /** Loads what jobs miss. Resolves when that is done, or takes long; never rejects. */
  async look(): Promise<void> {
    const missed = this.#missed();
    this.#forget(missed);
    for (const [id, intent] of missed) {
      const isDue = performance.now() >= (this.#absent.get(id)?.atMs ?? 0);
      if (isDue && !this.#loading.has(id)) this.#begin(id, intent);
    }
    if (this.#loading.size > 0) await this.#patiently(Promise.all(this.busy));
  }

  /** What is under way; each resolves when it has ended, and never rejects. */
  get busy(): readonly Promise<void>[] {
    return [...this.#loading.values()];
  }

  /** The engines that are missed, each with the intent of one of its jobs. */
  #missed(): ReadonlyMap<string, Intent> {
    const { jobs, lines, moved } = this.#parts;
    const intents = [...jobs.all.map(neededBy), ...moved.intents].filter((intent) => intent !== undefined);
    return new Map(intents.filter((intent) => !lines.has(intent)).map((intent) => [engineKey(intent), intent]));
  }

  /** What was wrong with an engine went with its last job. */
  #forget(missed: ReadonlyMap<string, Intent>): void {
    const { jobs, lines, problems } = this.#parts;
    for (const id of this.#absent.keys()) {
      if (missed.has(id)) continue;
      this.#absent.delete(id);
      problems.forget(aboutAbsent(id));
    }
    for (const line of lines.others) if (!jobs.all.some((job) => lines.of(job) === line)) line.rests();
  }

  #begin(id: string, intent: Intent): void {
    const { life, problems } = this.#parts;
    const loading = this.#loadOne(id, intent)
      .catch((error: Error) => {
        if (life.endsBy(error)) return;
        const nextS = this.#absent.get(id)?.nextS ?? AGAIN_S.first;
        this.#absent.set(id, {
          atMs: performance.now() + nextS * 1000,
          nextS: Math.min(nextS * 2, AGAIN_S.most),
        });
        const why = error.message.replace(/\.?$/, ".");
        const text = `Jobs of ${id} stay as they are, for it cannot be used here: ${why} ${remedyFor(intent)}`;
        problems.report(aboutAbsent(id), "error", text);
      })
      .finally(() => this.#loading.delete(id));
    this.#loading.set(id, loading);
  }

  async #loadOne(id: string, { engine: name, engineFrom: from }: Intent): Promise<void> {
    const { world, life, jobs, lines, problems, wake } = this.#parts;
    if (!this.#load) throw new Error("only today's engine is loaded");
    const { engine, origin, limits } = await this.#load(name, from);
    const line = new Line({ ...world, engine, origin }, limits, life, problems, false);
    if (line.id !== id) throw new Error(`what was loaded is ${line.id}`);
    lines.add(line);
    this.#absent.delete(id);
    problems.resolve(aboutAbsent(id), "info", `${id} can be used now: its jobs go on.`);
    problems.note("info", `There are jobs of ${id}. They go on there; new ones go to ${lines.today.id}.`);
    engine.onNews?.(wake);
    for (const job of jobs) if (neededBy(job) && lines.of(job) === line && !job.busy) jobs.look(job);
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

/** The intent of a job in pending/ that cannot do its next step without its engine. */
function neededBy({ seen }: Job): Intent | undefined {
  return seen?.outcome === undefined ? seen?.intent : undefined;
}

function remedyFor({ engine, engineFrom }: Intent): string {
  if (engineFrom === undefined) return `To go on with them, start jobmgr with -e ${engine} where it can.`;
  return `To go on with them, start jobmgr with -e ${shellWord(engineFrom)} where it can; if it lies elsewhere now, make a link to it there.`;
}

function aboutAbsent(id: string): string {
  return `engine ${id}`;
}
