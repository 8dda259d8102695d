/**
 * The stages of a job, read off the disk. This table is the design: which records exist says what comes
 * next, after a crash as on any other day. ARCHITECTURE.md shows the same table, and a test compares both.
 */

/** The root's three folders, in the order in which a job goes through them. */
export const PLACES = ["inbox", "pending", "complete"] as const;
/** Where a job is. */
export type Place = (typeof PLACES)[number];

/** True for the name of a place. */
export function isPlace(word: string): word is Place {
  return (PLACES as readonly string[]).includes(word);
}

/** "+" the record is there, "-" it is not, "?" it does not matter. */
type Sign = "+" | "-" | "?";

/** place, intent, handle, outcome (of the attempt in force), and the step that comes next */
export const STAGES = {
  waiting: ["inbox", "?", "?", "?", "claim"],
  claimed: ["pending", "-", "-", "-", "plan"],
  submitting: ["pending", "+", "-", "-", "submit"],
  submitted: ["pending", "+", "+", "-", "poll"],
  settled: ["pending", "?", "?", "+", "archive or retry"],
  archived: ["complete", "?", "?", "+", "none"],
} as const satisfies Record<string, readonly [Place, Sign, Sign, Sign, string]>;

/** What has been done for a job, and so what comes next. */
export type Stage = keyof typeof STAGES;

/** What one look at a job's folder shows. Never stored, never remembered. */
export type Sight = Readonly<{
  place: Place;
  intent: boolean;
  handle: boolean;
  outcome: boolean;
}>;

function fits(sign: Sign, present: boolean): boolean {
  return sign === "?" || (sign === "+") === present;
}

/** The one stage that this sight fits, or undefined: such a folder is reported and left alone. */
export function stageOf(sight: Sight): Stage | undefined {
  for (const [stage, [place, intent, handle, outcome]] of Object.entries(STAGES)) {
    const here = place === sight.place;
    if (here && fits(intent, sight.intent) && fits(handle, sight.handle) && fits(outcome, sight.outcome)) {
      return stage as Stage;
    }
  }
  return undefined;
}
