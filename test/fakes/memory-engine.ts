/**
 * An engine whose scheduler is an object: it does to the disk what the runner would do, and can be told to lose an
 * answer, to be full, or to forget a job. The scheduler outlives the engine objects that talk to it, as a real one
 * outlives a manager.
 *
 * Its jobs are lines: "exit N" ends with that code, "signal N" with that signal, "wait" goes on until cancelled,
 * "fails N" ends with code 9 so often, and then well; "unwell" ends well, but the scheduler says that it did not; "slow" before one of these: only when it is asked for twice. "#MEM time N" and "#MEM memory N" are what they ask for.
 */
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type {
  Attempt,
  Dependency,
  Engine,
  Found,
  Handle,
  News,
  Plan,
  Scale,
  Submitted,
  Token,
} from "../../src/engine.ts";
import { EngineError } from "../../src/engine-error.ts";
import type { Script } from "../../src/script.ts";

type Fault = "lost answer" | "lost request" | "unavailable" | "full" | "refused";

interface Job {
  readonly id: string;
  readonly token: Token;
  readonly folder: string;
  readonly records: string;
  state: "queued" | "running" | "ended" | "forgotten";
  readonly after: readonly Dependency[];
  /** So often it is still asked for before it ends by itself. */
  polls: number;
  code: number;
  cancelled: boolean;
  /** Dropped for a job before it. */
  stranded: boolean;
}

export class MemoryScheduler {
  readonly jobs = new Map<string, Job>();
  /** Names of the folders whose job.sh was really run, in order; of several schedulers, if they share it. */
  readonly ledger: string[];
  readonly name: string;
  /** The faults of the next calls of submit, in order. */
  readonly faults: (Fault | undefined)[] = [];
  /** What happened, in order. */
  readonly events: string[] = [];
  /** It starts jobs at once, whatever they are to wait for; for the variant that must be found out. */
  withoutWaiting = false;
  /** It ends jobs that can never start for one before them, as some schedulers do. */
  dropsInvalid = false;
  down = false;
  /** Without the claim of the runner; for the variant that must be found out. */
  withoutClaim = false;

  /** `name`: of the engines that talk to it. */
  constructor(name = "MemoryEngine", ledger: string[] = []) {
    this.name = name;
    this.ledger = ledger;
  }

  /** What arrives at the scheduler: the runner's life, up to the point where job.sh would wait. */
  accept(attempt: Attempt): string {
    const id = String(this.jobs.size + 1);
    const job: Job = {
      id,
      token: attempt.token,
      folder: attempt.folder,
      records: attempt.records,
      state: "queued",
      after: attempt.after ?? [],
      polls: 0,
      code: 0,
      cancelled: false,
      stranded: false,
    };
    this.jobs.set(id, job);
    this.#startAll();
    return id;
  }

  /** Starts all that wait for nothing any more. One that waits for what has failed waits for ever. */
  #startAll(): void {
    for (const job of this.jobs.values()) {
      if (job.state !== "queued") continue;
      if (this.#mayStart(job)) this.#runner(job);
      else if (this.dropsInvalid && this.isStranded(job)) {
        job.stranded = true;
        this.cancel(job.id);
      }
    }
  }

  /** It waits for what has failed. */
  isStranded({ after }: Job): boolean {
    return after.some(({ handle, needs }) => {
      const before = this.jobs.get(handle);
      return needs === "success" && before?.state === "ended" && before.code !== 0;
    });
  }

  #mayStart({ after }: Job): boolean {
    return after.every(({ handle, needs }) => {
      const before = this.jobs.get(handle);
      if (this.withoutWaiting || !before || before.state === "forgotten") return true;
      return before.state === "ended" && (needs === "end" || before.code === 0);
    });
  }

  /** Somebody asks for a job, which may have been what it took. */
  asked(id: string): void {
    const job = this.jobs.get(id);
    if (job?.state !== "running" || job.polls === 0 || --job.polls > 0) return;
    this.#endByItself(job);
  }

  #runner(job: Job): void {
    job.state = "running";
    if (!existsSync(job.records) || (!this.withoutClaim && !this.#claim(job))) {
      job.state = "ended";
      return;
    }
    this.ledger.push(basename(job.folder));
    const text = readFileSync(join(job.folder, "job.sh"), "utf8");
    this.events.push(`start ${basename(job.folder)}`);
    if (/^wait$/m.test(text)) return;
    if (/^slow$/m.test(text)) job.polls = 2;
    else this.#endByItself(job);
  }

  #endByItself(job: Job): void {
    const text = readFileSync(join(job.folder, "job.sh"), "utf8");
    const [, word, number] = /^(exit|signal|fails) (\d+)$/m.exec(text) ?? [];
    const runs = this.ledger.filter((name) => name === basename(job.folder)).length;
    const failing = runs <= Number(number) ? 9 : 0;
    if (/^unwell$/m.test(text)) return this.#end(job, 0, 1);
    this.#end(job, word === "fails" ? failing : Number(number ?? 0) + (word === "signal" ? 128 : 0));
  }

  #claim(job: Job): boolean {
    const mine = join(job.records, `started-${job.id}`);
    writeFileSync(mine, `jobmgr-started 1 ${job.token} memory boot ${job.id} 0 end\n`);
    try {
      linkSync(mine, join(job.records, "started"));
      return true;
    } catch {
      return false;
    }
  }

  /** `said`: what the scheduler takes the code for. */
  #end(job: Job, code: number, said = code): void {
    job.state = "ended";
    job.code = said;
    mkdirSync(job.records, { recursive: true });
    writeFileSync(join(job.records, "exit"), `jobmgr-exit 1 ${job.token} ${code} memory end\n`);
    this.events.push(`end ${basename(job.folder)} ${code}`);
    this.#startAll();
  }

  cancel(id: string): void {
    const job = this.jobs.get(id);
    if (job?.state !== "running" && job?.state !== "queued") return;
    job.cancelled = true;
    if (job.state === "queued") {
      job.state = "ended";
      job.code = 128 + 15;
      return;
    }
    this.#end(job, 128 + 15);
  }

  forget(token: Token): void {
    for (const job of this.jobs.values()) if (job.token === token) job.state = "forgotten";
  }
}

export class MemoryEngine implements Engine {
  readonly name: string;
  readonly maxJobsDefault = 100;
  readonly hasQueue = false;
  readonly #scheduler: MemoryScheduler;
  /** Called around what the scheduler notices, so that a test can crash there. */
  readonly #effect: (what: string, action: () => string) => string;

  constructor(
    scheduler: MemoryScheduler,
    effect: (what: string, action: () => string) => string = (_, action) => action(),
  ) {
    this.name = scheduler.name;
    this.#scheduler = scheduler;
    this.#effect = effect;
  }

  plan(script: Script, scale: Scale = {}): Plan {
    if (script.text.includes("#MEM impossible")) throw new EngineError("refused", "job.sh asks for the impossible.");
    const raised = (["time", "memory"] as const).flatMap((what) => {
      const asked = new RegExp(`^#MEM ${what} (\\d+)$`, "m").exec(script.text)?.[1];
      const factor = scale[what];
      return asked && factor ? [`${what} ${Number(asked) * factor} instead of ${asked}`] : [];
    });
    return {
      jobName: script.jobName ?? script.folderName,
      shell: "/bin/sh",
      directives: "",
      args: [],
      identity: { job: "-", restart: "0", task: "" },
      limitS: 0,
      graceS: 0,
      tasks: [],
      tasksAtOnce: 1,
      places: 1,
      outputs: ["job_output.txt"],
      ignored: [],
      ...(raised.length > 0 && { raised }),
    };
  }

  outputId(attempt: Attempt): string {
    return attempt.token;
  }

  command(attempt: Attempt): string {
    return `memory-submit ${attempt.runner}`;
  }

  async submit(attempt: Attempt): Promise<Handle> {
    this.#assertUp();
    const fault = this.#scheduler.faults.shift();
    if (fault === "unavailable" || fault === "full" || fault === "refused")
      throw new EngineError(fault, `memory says ${fault}`);
    if (fault === "lost request") throw new EngineError("ambiguous", "the request was lost");
    const id = this.#effect("submit", () => this.#scheduler.accept(attempt));
    if (fault === "lost answer") throw new EngineError("ambiguous", "the answer was lost");
    return id as Handle;
  }

  async find(where: Attempt | { readonly folder: string }): Promise<Found> {
    this.#assertUp();
    for (const job of this.#scheduler.jobs.values()) {
      const matches =
        "token" in where
          ? job.token === where.token
          : job.folder === where.folder && (job.state === "running" || job.state === "queued");
      if (matches) return { is: "found", handle: job.id as Handle, token: job.token };
    }
    return { is: "absent" };
  }

  async poll(jobs: readonly Submitted[]): Promise<ReadonlyMap<Token, News>> {
    this.#assertUp();
    for (const job of jobs) this.#scheduler.asked(job.handle);
    return new Map(jobs.map((job) => [job.token, this.#newsOf(job)]));
  }

  async cancel(jobs: readonly Submitted[]): Promise<void> {
    this.#assertUp();
    for (const job of jobs) this.#scheduler.cancel(job.handle);
  }

  async check(attempt: Attempt): Promise<void> {
    this.#assertUp();
    if (!readdirSync(dirname(attempt.runner)).includes("run.sh"))
      throw new EngineError("refused", "there is no runner");
  }

  #newsOf(job: Submitted): News {
    const known = this.#scheduler.jobs.get(job.handle);
    if (!known || known.state === "forgotten" || known.token !== job.token) return { is: "missing" };
    if (known.state === "running") return { is: "running" };
    if (known.state === "queued")
      return this.#scheduler.isStranded(known) ? { is: "queued", stuck: true, stranded: true } : { is: "queued" };
    return {
      is: "ended",
      word: known.cancelled ? "CANCELLED" : "ENDED",
      ...(known.cancelled && { cause: "cancelled" }),
      ...(known.stranded && { stranded: true }),
    };
  }

  #assertUp(): void {
    if (this.#scheduler.down) throw new EngineError("unavailable", "memory is down");
  }
}

/** One whose scheduler keeps jobs back until others have ended. */
export class WaitingEngine extends MemoryEngine {
  waitsForJobs(): boolean {
    return true;
  }
}
