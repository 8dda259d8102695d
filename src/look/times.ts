/** Times as people read them: by this machine's clock and time zone. Pure. */
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

/** The time of day, with the date if it is another day's: "10:42", "2026-11-20 10:42". */
export function clockOf(at: string | undefined, now: string): string {
  if (at === undefined || Number.isNaN(Date.parse(at))) return "-";
  const { date, time } = partsOf(at);
  return partsOf(now).date === date ? time.slice(0, 5) : `${date} ${time.slice(0, 5)}`;
}

/** For a column of times: "10:42:07", "11-20 10:42". */
export function momentOf(at: string | undefined, now: string): string {
  if (at === undefined) return "-";
  const { date, time } = partsOf(at);
  return partsOf(now).date === date ? time : `${date.slice(5)} ${time.slice(0, 5)}`;
}

function partsOf(at: string): { date: string; time: string } {
  const then = new Date(at);
  const two = (number: number) => String(number).padStart(2, "0");
  return {
    date: [then.getFullYear(), two(then.getMonth() + 1), two(then.getDate())].join("-"),
    time: [then.getHours(), then.getMinutes(), then.getSeconds()].map(two).join(":"),
  };
}
