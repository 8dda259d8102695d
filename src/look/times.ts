/** Stretches of time as people read them. Pure. */
import { durationText } from "../outcome.ts";

/** How long ago; of what lies ahead, "0 s". */
export function ago(at: string, now: string): string {
  return durationText(Math.max(0, Math.floor(secondsBetween(at, now))));
}

/** Between two times as records have them. */
export function secondsBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / 1000;
}

/** For a table, where one number is enough: "9 s", "12 min", "26 h", "12 d". */
export function shortDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  return whole < 48 * 3600 ? `${Math.floor(whole / 3600)} h` : `${Math.floor(whole / 86_400)} d`;
}
