/** What the sweeps in memory share: a run without a crash, and a pass without limits that could get in its way. */
import type { BrakeRules } from "../../src/brakes.ts";
import type { Limits } from "../../src/pass/index.ts";
import type { CrashPlan } from "../fakes/crash-disk.ts";

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
