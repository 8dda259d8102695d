/** What the manager tells the world: one event function feeds the terminal and the log file. */

export type Level = "error" | "warn" | "info" | "debug";
export const LEVELS: readonly Level[] = ["error", "warn", "info", "debug"];

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
  | { readonly is: "note"; readonly level: Level; readonly text: string }
  /** One look at everything is done. */
  | { readonly is: "check" };

export type Say = (event: Event) => void;

/** The occasions on which somebody may be told (--notify-on). */
export const OCCASIONS = ["end", "failure", "batch"] as const;
export type Occasion = (typeof OCCASIONS)[number];
