/** The text of job_status.json: for people and programs, never read back for a decision. */
import type { Asked, Engine } from "./engine.ts";
import { outputName } from "./outputs.ts";
import { outputIdOf, type Seen, toldIdOf } from "./steps/see.ts";

/** The version of the form of job_status.json. */
const STATUS_SCHEMA = 1;

/** What job_status.json says of one job. Times are ISO-8601 UTC; a member that is not known is absent. */
export interface JobStatus {
  readonly schema: number;
  readonly name: string;
  readonly state: string;
  readonly engine: string;
  readonly id?: string;
  readonly token?: string;
  readonly jobName?: string;
  readonly plannedAt?: string;
  readonly submittedAt?: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly why?: string;
  /** It waits for something that will not come by itself. */
  readonly stuck?: boolean;
  /** Since when it waits, for that if it is known. */
  readonly whySince?: string;
  /** When the engine expects to start it. */
  readonly expectedStart?: string;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly tasks?: Readonly<Record<string, number | null>>;
  /** Which attempt it is, from 2, of a job that is run again by rule. */
  readonly attempt?: number;
  /** What it asks for instead of what job.sh names. */
  readonly raised?: readonly string[];
  /** It is in the inbox for another attempt, after so many seconds. */
  readonly next?: { readonly attempt: number; readonly of: number; readonly waitS: number };
  readonly ignoredDirectives?: readonly string[];
  readonly outputs?: readonly string[];
  /** The submit command as a person would type it. */
  readonly command?: string;
  /** What job.sh asks for, as it was written. */
  readonly asked?: Asked;
}

/** The whole text of job_status.json; `more`: what no record says. */
export function statusText(
  engine: Pick<Engine, "name" | "outputId">,
  name: string,
  state: string,
  seen: Seen,
  more: Pick<JobStatus, "startedAt" | "why" | "stuck" | "whySince" | "expectedStart" | "next"> = {},
): string {
  const { intent, outcome } = seen;
  const ignored = intent?.plan.ignored;
  const id = toldIdOf(engine, seen);
  const status: JobStatus = {
    schema: STATUS_SCHEMA,
    name,
    state,
    engine: intent?.engine ?? engine.name,
    ...(id !== undefined && { id }),
    ...(seen.token && { token: seen.token }),
    ...(intent && { jobName: intent.plan.jobName, plannedAt: intent.at, outputs: outputsOf(engine, seen) }),
    ...(seen.submittedAt && { submittedAt: seen.submittedAt }),
    ...more,
    ...(outcome?.startedAt && { startedAt: outcome.startedAt }),
    ...(outcome && { endedAt: outcome.endedAt ?? outcome.at }),
    ...(outcome && factsOf(outcome.outcome)),
    ...(intent?.again && { attempt: intent.again.number }),
    ...(intent?.plan.raised && { raised: intent.plan.raised }),
    ...(ignored && ignored.length > 0 && { ignoredDirectives: ignored }),
    ...(intent?.command !== undefined && { command: intent.command }),
    ...(intent?.plan.asked && { asked: intent.plan.asked }),
  };
  return `${JSON.stringify(status, undefined, 1)}\n`;
}

function factsOf(outcome: NonNullable<Seen["outcome"]>["outcome"]): Partial<JobStatus> {
  const { why, exitCode, signal, tasks } = outcome;
  return { why, ...(exitCode !== undefined && { exitCode }), ...(signal && { signal }), ...(tasks && { tasks }) };
}

/** Where its output goes; of an array with "%t" in place of the task's index. */
function outputsOf(engine: Pick<Engine, "outputId">, seen: Seen): readonly string[] {
  const { attempt } = seen;
  if (!attempt) return [];
  const id = outputIdOf(engine, seen) ?? engine.outputId(attempt);
  return attempt.plan.outputs.map((output) => outputName(output, id, "%t"));
}
