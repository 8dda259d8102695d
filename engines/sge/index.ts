/** SgeEngine: feeds Grid Engine (SGE 8, and what came of it) through its own commands. */
import { userInfo } from "node:os";
import type { Dependency, Plan, Request, Resources, Symptom } from "../../src/engine.ts";
import { EngineError } from "../../src/engine-error.ts";
import type { Question } from "../batch/dialect.ts";
import { BatchEngine, type BatchOptions } from "../batch/index.ts";
import { runProgram } from "../run-program.ts";
import { diagnosis } from "./diagnosis.ts";
import { sgeDialect } from "./dialect.ts";
import { directivesFor } from "./directives.ts";
import { canWaitFor } from "./plan.ts";
import { HOSTS, limitsQuestion, queuesIn, resourcesIn } from "./resources.ts";

const RESOURCES_TIMEOUT_MS = 30_000;

/** Feeds Grid Engine by its own commands. */
export class SgeEngine extends BatchEngine {
  /** Throws `refused` for arguments that no job could be submitted with. */
  constructor(options: BatchOptions) {
    super(sgeDialect, options);
  }

  diagnose(): Promise<readonly Symptom[]> {
    return diagnosis(this.questionEnvironment, userInfo().username);
  }

  waitsForJobs(plan: Plan, after: readonly Dependency[]): boolean {
    return canWaitFor(plan, after);
  }

  directives(request: Request): readonly string[] {
    return directivesFor(request);
  }

  async resources(): Promise<Resources> {
    const hosts = await this.#ask(HOSTS);
    const queues = queuesIn(hosts);
    const limits = queues.length === 0 ? "" : await this.#ask(limitsQuestion(queues));
    const resources = resourcesIn(hosts, limits);
    if (!resources) throw new EngineError("unavailable", "The answer of qhost was not whole.");
    return resources;
  }

  async #ask({ program, args }: Question): Promise<string> {
    const ran = await runProgram(program, args, RESOURCES_TIMEOUT_MS, this.questionEnvironment);
    if (ran.exitCode === 0) return ran.stdout;
    const [first = ""] = ran.stderr.trim().split("\n");
    throw new EngineError("unavailable", first === "" ? `${program} gave no answer.` : `${first}.`);
  }
}
