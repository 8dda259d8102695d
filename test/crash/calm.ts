/** What the sweeps in memory share: a run without a crash, and a pass without limits that could get in its way. */
import { readdirSync } from "node:fs";
import type { BrakeRules } from "../../src/brakes.ts";
import type { Limits, Pass } from "../../src/pass/index.ts";
import type { Root } from "../../src/root.ts";
import { Crash, type CrashPlan } from "../fakes/crash-disk.ts";

export const CALM: CrashPlan = { at: Number.POSITIVE_INFINITY, when: "before" };

export const NO_BRAKES: BrakeRules = { errorsMax: 0, share: 0, windowS: 1, least: 1, coolDownS: 1 };

export const LIMITS: Limits = {
  jobsMax: 2,
  pendingMax: 10,
  delayS: 0,
  pauseFile: "/nonexistent",
  queryS: 0,
  queryLeastS: 0,
  prepareAhead: false,
};

/** So many rounds are more than enough. */
const ROUNDS_MAX = 50;

/** Lets a manager begin, and work, round by round, until it is over, or it crashes. */
export async function workUntil(isOver: () => boolean, round: () => Promise<void>, begin = () => {}): Promise<void> {
  try {
    begin();
    for (let rounds = 0; rounds < ROUNDS_MAX && !isOver(); rounds++) await round();
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
  }
}

/** One round: a check, and all that follows from it. */
export async function checkAll(pass: Pass): Promise<void> {
  await pass.check();
  await pass.idle();
}

/** True when all jobs are in complete/. */
export function isAllDone(root: Root): boolean {
  return [...readdirSync(root.inbox), ...readdirSync(root.pending)].length === 0;
}
