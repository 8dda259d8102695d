/** submitting -> submitted: the engine takes the job, and its handle is written; or refuses it. */
import type { Attempt, Handle } from "../engine.ts";
import { isEngineError } from "../engine-error.ts";
import { putRecord, readRecord } from "../records.ts";
import { areQueued, recall, takeBack } from "./behind.ts";
import { remakeRunner } from "./plan.ts";
import { cancelUnsubmitted, refuse } from "./put-outcome.ts";
import type { Seen } from "./see.ts";
import type { World } from "./world.ts";

/**
 * Submits once. Unless this manager wrote the intent itself and has not called the engine since (`fresh`), the engine
 * is asked first. Returns what is there then, or why it must wait, if the engine cannot tell. Calls `answered` when the
 * engine has taken the job, and only its record remains to be written. A job that cannot go behind others in the queue any
 * more is `claimed` again. Throws EngineError of any verdict but `refused`;
 * whatever it throws, the job is `submitting` (or submitted, refused or cancelled, if the record came through), and the
 * engine must be asked before it is called again.
 */
export async function submit(
  world: World,
  seen: Seen & { readonly attempt: Attempt },
  fresh: boolean,
  stop: AbortSignal,
  answered: () => void,
): Promise<Seen | { why: string }> {
  const { disk, engine } = world;
  const { attempt } = seen;
  if (!fresh) {
    const found = await engine.find(attempt, stop);
    if (found.is === "unsure") return { why: found.why };
    if (found.is === "found") return { ...seen, ...(await putHandle(world, attempt, found.handle)) };
    remakeRunner(world, attempt, seen.intent?.after);
  }
  world.assertOwned();
  const cancel = readRecord(disk, attempt.records, "cancel");
  if (cancel && !cancel.recalled)
    return { ...seen, ...(await cancelUnsubmitted(world, attempt.records, cancel.reason)) };
  const { after } = seen.intent ?? {};
  if (cancel || (after && !areQueued(world, after))) return takeBack(world, attempt.folder);
  let handle: Handle;
  try {
    handle = await engine.submit(attempt, stop);
  } catch (error) {
    if (!isEngineError(error) || error.verdict !== "refused") throw error;
    const { message, command, output } = error;
    if (after) {
      // Whether the scheduler knows these jobs is no fault of this one: where it is, it is said without them as well.
      await recall(world, attempt.records, message);
      return takeBack(world, attempt.folder);
    }
    const { raised = [] } = attempt.plan;
    const why = raised.length === 0 ? message : `${message} This attempt asked for ${raised.join(" and ")}.`;
    const refusal = { why, ...(command && { command }), ...(output && { engineWord: output }) };
    return { ...seen, ...(await refuse(world, attempt.records, refusal)) };
  }
  const put = putHandle(world, attempt, handle);
  answered();
  return { ...seen, ...(await put) };
}

/** Writes the engine's name for the attempt: the commit point. */
export async function putHandle(world: World, attempt: Attempt, handle: Handle) {
  const at = new Date().toISOString();
  const outputId = world.engine.outputId({ ...attempt, handle });
  await putRecord(world.disk, attempt.records, "handle", { handle, at, outputId });
  return { stage: "submitted", handle, submittedAt: at } as const;
}
