/** Why a folder of the inbox is not taken: worked out here and now, by the rules that a manager would have. Reads only. */
import type { Disk } from "../disk.ts";
import { circleText } from "../inbox/after.ts";
import { circleBefore, type Near, verdictOfFolder } from "../inbox/dependencies.ts";
import { type Readiness, type ReadyRules, readinessOf } from "../inbox/ready.ts";
import { jobFolder, nowAt, type Root } from "../root.ts";
import { namesIn } from "../selection.ts";

/**
 * Whether a folder is ready, as of now. `near` is given where one job is asked for: then of one that waits for others
 * it is also told which name was perhaps meant, and which circle keeps it.
 */
export function readinessNow(disk: Disk, root: Root, name: string, rules: ReadyRules, near?: Near): Readiness {
  const waitsFor = () => {
    const verdict = verdictOfFolder(disk, root, { place: "inbox", name }, near);
    if (verdict.is !== "waits") return undefined;
    const circle = near && circleBefore(disk, root, name);
    if (circle === undefined) return verdict.why;
    return circle.members.has(name) ? circleText(circle) : `${verdict.why}, and ${circleText(circle)}`;
  };
  try {
    return readinessOf(disk, jobFolder(root, "inbox", name), rules, () => nowAt(disk, root), waitsFor);
  } catch (error) {
    return { is: "unready", why: `it cannot be looked into: ${(error as Error).message}` };
  }
}

/** So many names before one are looked into; what comes behind them is taken to be ready. */
const LOOKS_MAX = 50;

/** The jobs that are taken before this one: those with earlier names that are not known to wait for something else. */
export function jobsBefore(
  disk: Disk,
  root: Root,
  name: string,
  rules: ReadyRules,
  reasons: ReadonlyMap<string, string>,
): string[] {
  const names = namesIn(disk, root, "inbox");
  const before = names.slice(0, Math.max(0, names.indexOf(name))).filter((one) => !reasons.has(one));
  return before.filter((one, i) => i >= LOOKS_MAX || readinessNow(disk, root, one, rules).is === "ready");
}
