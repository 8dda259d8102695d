/** Durations as people type them. Pure. */

/** Seconds in one of each unit. */
export const UNITS_S: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Seconds in "45s", "90m", "12h", "30d", "2w", also "1.5h"; undefined for anything else, a number without unit too. */
export function durationOf(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,9}(?:\.\d{1,3})?) ?([smhdw])$/i.exec(text.trim()) ?? [];
  const unitS = UNITS_S[unit?.toLowerCase() ?? ""];
  return number === undefined || unitS === undefined ? undefined : Number(number) * unitS;
}

/** How a duration is to be written, for messages. */
export const DURATION_FORM = 'a number with its unit: "45s", "90m", "12h", "30d" or "2w"';
