/** What the disk says of one job: its stage, and its records, read and checked. */
import { join } from "node:path";
import type { Attempt, Engine, Handle, Plan, Token } from "../engine.ts";
import { toldId } from "../outputs.ts";
import {
  attemptFolder,
  attemptsOf,
  type Intent,
  type OutcomeRecord,
  RecordError,
  readRecord,
  recordNames,
} from "../records.ts";
import { jobFolder } from "../root.ts";
import { type Place, type Stage, stageOf } from "../stage.ts";
import type { World } from "./world.ts";

/** What the disk says of one job in pending/, after its records were read and checked. */
export interface Seen {
  readonly stage: Stage | undefined;
  /** For a folder that fits no stage: what is odd about it. */
  readonly odd?: string;
  readonly token?: Token;
  readonly attempt?: Attempt;
  readonly intent?: Intent;
  readonly handle?: Handle;
  /** What stands for "%j" in the names of its outputs, as its engine said when it took the job. */
  readonly outputId?: string;
  readonly submittedAt?: string;
  readonly outcome?: OutcomeRecord;
  readonly cancelReason?: string;
  /** The cancellation is the manager's own: it is taken out of the queue, to be judged anew. */
  readonly recalled?: true;
}

/** Reads the stage of a job off the disk. Throws RecordError for records that cannot be believed. */
export function see(world: World, place: Place, name: string): Seen {
  const { disk } = world;
  const folder = jobFolder(world.root, place, name);
  const attempts = attemptsOf(disk, folder);
  if (attempts.inForce.length > 1) {
    return {
      stage: undefined,
      odd: `it has ${attempts.inForce.length} attempts in force (.jobmgr/attempt-*). Keep the one that ran, and rename the others to past-*`,
    };
  }
  const [token] = attempts.inForce;
  if (token === undefined) return { stage: stageOf({ place, intent: false, handle: false, outcome: false }) };

  const records = attemptFolder(folder, token);
  const names = recordNames(disk, folder, token);
  const stage = stageOf({
    place,
    intent: names.has("intent"),
    handle: names.has("handle"),
    outcome: names.has("outcome"),
  });
  const intent = names.has("intent") ? readRecord(disk, records, "intent") : undefined;
  const odd = stage ? {} : { odd: "its records fit no stage (a handle without an intent)" };
  if (intent && intent.token !== token)
    throw new RecordError(`${records}/intent is another attempt's (${intent.token})`);
  const handle = names.has("handle") ? readRecord(disk, records, "handle") : undefined;
  const outcome = names.has("outcome") ? readRecord(disk, records, "outcome") : undefined;
  const cancel = names.has("cancel") ? readRecord(disk, records, "cancel") : undefined;
  return {
    stage,
    ...odd,
    token,
    ...(intent && { intent, attempt: attemptOf(folder, intent) }),
    ...(handle && { handle: handle.handle, submittedAt: handle.at }),
    ...(handle?.outputId !== undefined && { outputId: handle.outputId }),
    ...(outcome && { outcome }),
    ...(cancel && { cancelReason: cancel.reason }),
    ...(cancel?.recalled && { recalled: true }),
  };
}

/** The id in the names of its outputs; undefined for what was never submitted: it has none. */
export function outputIdOf(engine: Pick<Engine, "outputId">, { attempt, handle, outputId }: Seen): string | undefined {
  return attempt && handle && (outputId ?? engine.outputId({ ...attempt, handle }));
}

/** Its id as people are told it; undefined for what was never submitted. */
export function toldIdOf(engine: Pick<Engine, "outputId">, seen: Seen): string | undefined {
  const outputId = outputIdOf(engine, seen);
  return seen.handle !== undefined && outputId !== undefined ? toldId(seen.handle, outputId) : undefined;
}

/** What plans of the first version lack. */
const PLANNED_BEFORE: Pick<Plan, "shell" | "args" | "identity"> = {
  shell: "/bin/sh",
  args: [],
  identity: { job: "-", restart: "0", task: "$JOBMGR_TASK" },
};

/** The attempt that an intent tells of, in this folder. */
export function attemptOf(folder: string, intent: Intent): Attempt {
  const { token } = intent;
  const records = attemptFolder(folder, token);
  const plan = { ...PLANNED_BEFORE, ...intent.plan };
  const { madeOn, after } = intent;
  return { token, folder, records, runner: join(records, "run.sh"), plan, madeOn, ...(after && { after }) };
}
