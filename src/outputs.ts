/** Where a job's output goes. A plan holds patterns, because its token and tasks come later. Pure. */
import type { Token } from "./engine.ts";

/** An id for people, where the engine has none: the random part of the token. */
export function shortId(token: Token): string {
  return token.slice(token.lastIndexOf("-") + 1);
}

/** A plan's output pattern for one attempt and, in an array, one task: "%j" is the job's id, "%t" the task's index. */
export function outputName(pattern: string, id: string, task: number | string | undefined): string {
  return pattern.replaceAll("%j", id).replaceAll("%t", String(task ?? ""));
}
