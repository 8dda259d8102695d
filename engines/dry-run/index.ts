/**
 * DryRunEngine: stands before another engine, shows what that one would submit, and lets nothing through. The manager has
 * a way of its own to show it (src/verbs/dry-run.ts), for a folder is to stay where it is; here is what makes sure of it.
 */
import type { Attempt, Engine, Found, Handle, News, Plan, Request, Scale, Submitted, Token } from "../../src/engine.ts";
import { EngineError } from "../../src/engine-error.ts";
import type { Script } from "../../src/script.ts";

/** What is pure is the other engine's, and so is what only asks. */
export class DryRunEngine implements Engine {
  readonly name = "DryRunEngine";
  readonly maxJobsDefault: number;
  readonly hasQueue: boolean;
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.maxJobsDefault = engine.maxJobsDefault;
    this.hasQueue = engine.hasQueue;
  }

  plan(script: Script, scale?: Scale): Plan {
    return this.#engine.plan(script, scale);
  }

  outputId(job: Attempt & { readonly handle?: Handle }): string {
    return this.#engine.outputId(job);
  }

  command(attempt: Attempt): string {
    return this.#engine.command(attempt);
  }

  async submit(): Promise<Handle> {
    throw new EngineError("full", `DryRunEngine submits nothing: it shows what ${this.#engine.name} would submit.`);
  }

  async find(): Promise<Found> {
    return { is: "absent" };
  }

  async poll(jobs: readonly Submitted[]): Promise<ReadonlyMap<Token, News>> {
    return new Map(jobs.map(({ token }) => [token, { is: "missing" }]));
  }

  async cancel(): Promise<void> {}

  check(attempt: Attempt, stop: AbortSignal): Promise<void> {
    return this.#engine.check(attempt, stop);
  }

  remarks(script: Script): readonly string[] {
    return this.#engine.remarks?.(script) ?? [];
  }

  async diagnose() {
    return (await this.#engine.diagnose?.()) ?? [];
  }

  directives(request: Request): readonly string[] {
    return this.#engine.directives?.(request) ?? [];
  }
}
