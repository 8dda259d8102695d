/** Times and sizes as PBS spells them (pbs_resources(7B)), and so many times as much. Pure. */

const DAY_S = 86_400;

/** No job is given more than this, however often it is raised. */
const TIME_S_MAX = 3650 * DAY_S;
const BYTES_MAX = 2 ** 50;

/** "1:30:00", "90:00", "5400", "00:00:30.5", in seconds; undefined for what is no time. */
export function secondsIn(text: string | undefined): number | undefined {
  const match = /^(?:(?:(\d{1,9}):)?(\d{1,9}):)?(\d{1,9})(?:\.\d+)?$/.exec(text?.trim() ?? "");
  if (!match) return undefined;
  const [hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return hours * 3600 + minutes * 60 + seconds;
}

/** As PBS takes it; it has no days: "26:00:00". */
export function timeText(seconds: number): string {
  const two = (number: number) => String(number).padStart(2, "0");
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor((seconds % 3600) / 60))}:${two(Math.floor(seconds % 60))}`;
}

/** Bytes by the first letter of a unit; a word ("4gw") has eight bytes. */
const UNITS: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40, p: 2 ** 50 };

/** "8gb", "400MB", "16264mb", "1024" in bytes; undefined for what is no size. */
export function bytesIn(text: string | undefined): number | undefined {
  const [, number, unit = "", word = "b"] = /^(\d+(?:\.\d+)?)([kmgtp]?)([bw]?)$/i.exec(text?.trim() ?? "") ?? [];
  if (number === undefined) return undefined;
  return Number(number) * (UNITS[unit.toLowerCase()] ?? 1) * (word.toLowerCase() === "w" ? 8 : 1);
}

/** In whole kilobytes or a larger unit that fits: PBS takes no fractions. */
export function sizeText(bytes: number): string {
  for (const unit of ["g", "m"] as const) {
    const size = UNITS[unit] ?? 1;
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}b`;
  }
  return `${Math.ceil(bytes / 1024)}kb`;
}

/** So many times the time; undefined where there is none, or none that is understood. */
export function raisedTime(text: string | undefined, factor: number | undefined): string | undefined {
  const seconds = secondsIn(text) ?? 0;
  if (seconds === 0 || factor === undefined || factor <= 1 || seconds >= TIME_S_MAX) return undefined;
  return timeText(Math.min(TIME_S_MAX, times(seconds, factor)));
}

/** So many times the memory. */
export function raisedMemory(text: string | undefined, factor: number | undefined): string | undefined {
  const bytes = bytesIn(text) ?? 0;
  if (bytes === 0 || factor === undefined || factor <= 1 || bytes >= BYTES_MAX) return undefined;
  return sizeText(Math.min(BYTES_MAX, times(bytes / 1024, factor) * 1024));
}

/** Rounded up, but not for the last digits that a computer makes of 1.1 * 10. */
function times(amount: number, factor: number): number {
  return Math.ceil(Number((amount * factor).toPrecision(12)));
}
