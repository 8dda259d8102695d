/** What the path of a runner tells: it is what schedulers know a job by. Pure. */
import type { Token } from "../../src/engine.ts";

const RUNNER = /\/\.jobmgr\/attempt-(\d{8}T\d{6}-[0-9a-f]{12})\/run\.sh/;

/** The token in the path of a runner, however the way to it is spelled. */
export function tokenIn(command: string): Token | undefined {
  return RUNNER.exec(command)?.[1] as Token | undefined;
}

/** When an attempt was planned: a token begins with that. */
export function plannedAtMs(token: Token): number {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)/.exec(token) ?? [];
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
}

/** The folder of the job that a runner belongs to. */
export function folderIn(command: string): string | undefined {
  const at = RUNNER.exec(command)?.index;
  return at === undefined ? undefined : command.slice(0, at);
}
