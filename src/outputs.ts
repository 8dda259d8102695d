/** Where a job's output goes. A plan holds patterns, because its token and tasks come later. Pure. */
import type { Handle, Token } from "./engine.ts";

/** An id for people, where the engine has none: the random part of the token. */
export function shortId(token: Token): string {
  return token.slice(token.lastIndexOf("-") + 1);
}

/**
 * The id that people are told of a job: the engine's handle, where that begins with the id in the names of its outputs
 * ("4711;alpha"), else that id; a handle may be of use to its engine alone.
 */
export function toldId(handle: Handle, outputId: string): string {
  return handle.startsWith(outputId) ? handle : outputId;
}

/** A plan's output pattern for one attempt and, in an array, one task: "%j" is the job's id, "%t" the task's index. */
export function outputName(pattern: string, id: string, task: number | string | undefined): string {
  return pattern.replaceAll("%j", id).replaceAll("%t", String(task ?? ""));
}
