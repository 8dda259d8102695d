/** PbsEngine: OpenPBS, PBS Professional and Torque through their own commands, and Slurm's of the same names. */
import type { Attempt, Handle, Plan, Request, Resources, Symptom } from "../../src/engine.ts";
import { EngineError } from "../../src/engine-error.ts";
import { quoted } from "../../src/runner.ts";
import { BatchEngine, type BatchOptions } from "../batch/index.ts";
import { runProgram } from "../run-program.ts";
import { diagnosis } from "./diagnosis.ts";
import { pbsDialect, runnerFromFolder } from "./dialect.ts";
import { type Flavour, flavourIn } from "./flavour.ts";
import { directivesFor } from "./plan.ts";
import { defaultQueueIn, nodesIn, queuesIn } from "./resources.ts";
import { pbsOptions, prefixOf } from "./script.ts";

/** What tells its version is no question to a server. */
const VERSION_TIMEOUT_MS = 5000;
const RESOURCES_TIMEOUT_MS = 30_000;

/** Feeds PBS. Which one it is decides how it is asked. */
export class PbsEngine extends BatchEngine {
  readonly #flavour: Flavour;
  readonly #environment: NodeJS.ProcessEnv;

  /** Throws `refused` for arguments that no job could be submitted with. */
  constructor(options: BatchOptions, flavour: Flavour) {
    // PBS_DPREFIX is nothing to Slurm, where sbatch reads the #PBS lines.
    const environment = flavour === "slurm" ? {} : process.env;
    super(pbsDialect(flavour, environment), options);
    this.#flavour = flavour;
    this.#environment = environment;
  }

  /** Asks qstat which PBS this is; where there is none, job.sh is read as OpenPBS would read it. */
  static async forThisMachine(options: BatchOptions): Promise<PbsEngine> {
    const said = await runProgram("qstat", ["--version"], VERSION_TIMEOUT_MS);
    return new PbsEngine(options, flavourIn(said) ?? "openpbs");
  }

  /** qsub is called in the job's folder, and given the way from there; that in full does the same. */
  override command(attempt: Attempt): string {
    const word = (text: string) => (/^[\w@%+=:,./~-]+$/.test(text) ? text : quoted(text));
    const called = super.command(attempt).replace(runnerFromFolder(attempt), () => word(attempt.runner));
    return `cd ${word(attempt.folder)} && ${called}`;
  }

  /** The number, as it stands in the names of its outputs. */
  override outputId(job: Attempt & { readonly handle?: Handle }): string {
    return super.outputId(job).replace(/\[\]$/, "");
  }

  /** What job.sh itself says of other jobs would be overruled by what is said for it. */
  waitsForJobs(plan: Plan): boolean {
    return (
      pbsOptions(plan.directives, plan.args, prefixOf(plan.args, this.#environment)).attributes.depend === undefined
    );
  }

  directives(request: Request): readonly string[] {
    return directivesFor(request, this.#flavour);
  }

  diagnose(): Promise<readonly Symptom[]> {
    return diagnosis(this.questionEnvironment, this.#flavour);
  }

  async resources(): Promise<Resources> {
    const ask = async (program: string, ...args: string[]) => {
      const ran = await runProgram(program, args, RESOURCES_TIMEOUT_MS, this.questionEnvironment);
      if (ran.exitCode === 0) return ran.stdout;
      const [first = ""] = (ran.stderr.trim() || ran.errorCode || "it failed").split("\n");
      throw new EngineError("unavailable", `${program}: ${first}`);
    };
    const server = this.#flavour === "slurm" ? Promise.resolve("") : ask("qstat", "-B", "-f").catch(() => "");
    const [queues, nodes] = await Promise.all([ask("qstat", "-Q", "-f"), ask("pbsnodes", "-a")]);
    const partitions = queuesIn(queues, defaultQueueIn(await server));
    return {
      partitions,
      nodes: nodesIn(
        nodes,
        partitions.map(({ name }) => name),
      ),
    };
  }
}
