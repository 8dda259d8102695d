/** What the manager tells the world: one event function feeds the terminal and the log file. */

/** How much an event matters. */
export type Level = "error" | "warn" | "info" | "debug";
/** What matters most comes first. */
export const LEVELS: readonly Level[] = ["error", "warn", "info", "debug"];

/** One thing that happened. */
export type Event =
  | { readonly is: "claimed" | "started"; readonly name: string; readonly more?: string }
  | {
      readonly is: "finished";
      readonly name: string;
      readonly result: string;
      readonly succeeded: boolean;
      readonly durationS: number | undefined;
      readonly more?: string;
    }
  /** It ended badly, and is to be run again. */
  | {
      readonly is: "retrying";
      readonly name: string;
      /** How it ended, in words. */
      readonly result: string;
      readonly waitS: number;
      /** The attempt to come, from 2, and of how many at most. */
      readonly number: number;
      readonly of: number;
      readonly raised: readonly string[];
      readonly more?: string;
    }
  | { readonly is: "note"; readonly level: Level; readonly text: string }
  /** One look at everything is done. */
  | { readonly is: "check" };

/** Tells the world of an event. */
export type Say = (event: Event) => void;

/** The occasions on which somebody may be told (--notify-on). */
export const OCCASIONS = ["end", "failure", "batch"] as const;
/** One of them. */
export type Occasion = (typeof OCCASIONS)[number];
