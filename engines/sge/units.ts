/** The times and sizes of Grid Engine: what they say, and so many times as much (complex(5), sge_types(1)). Pure. */

const DAY_S = 86_400;
/** No job is given more than this, however often it is raised. */
const TIME_S_MAX = 3650 * DAY_S;
const MEMORY_B_MAX = 2 ** 50;

/** "3600", "1:0:0", "::30" in seconds; undefined for INFINITY, and for what is none. */
export function timeInS(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  const match = /^(\d*):(\d*):(\d*)$/.exec(text);
  if (!match) return undefined;
  const [hours = 0, minutes = 0, seconds = 0] = match.slice(1).map(Number);
  return hours * 3600 + minutes * 60 + seconds;
}

/** As -l h_rt= takes it, also beyond 24 h: "36:00:00". */
export function timeText(seconds: number): string {
  const two = (number: number) => String(number).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
}

/** A capital letter is a power of 1024, a small one of 1000. */
const SIZES: Readonly<Record<string, number>> = {
  "": 1,
  k: 1000,
  m: 1000 ** 2,
  g: 1000 ** 3,
  t: 1000 ** 4,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

/** "4G", "500m", "1.5G", "1048576" in bytes; undefined for INFINITY, and for what is none. */
export function memoryInB(text: string): number | undefined {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)([kmgtKMGT]?)$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * (SIZES[unit] ?? 1);
}

/** In whole units, rounded up: "6G", "1536M". */
export function memoryText(bytes: number): string {
  for (const unit of ["T", "G"]) {
    const size = SIZES[unit] ?? 1;
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${Math.ceil(bytes / 1024 ** 2)}M`;
}

/** So many times the time; undefined where there is no limit, or none that is understood. */
export function raisedTime(text: string | undefined, factor: number | undefined): string | undefined {
  const seconds = timeInS(text ?? "") ?? 0;
  if (seconds === 0 || factor === undefined || factor <= 1 || seconds >= TIME_S_MAX) return undefined;
  return timeText(Math.min(TIME_S_MAX, times(seconds, factor)));
}

/** So many times the memory. */
export function raisedMemory(text: string | undefined, factor: number | undefined): string | undefined {
  const bytes = memoryInB(text ?? "") ?? 0;
  if (bytes === 0 || factor === undefined || factor <= 1 || bytes >= MEMORY_B_MAX) return undefined;
  return memoryText(Math.min(MEMORY_B_MAX, times(bytes, factor)));
}

/** Rounded up, but not for the last digits that a computer makes of 1.1 * 10. */
function times(amount: number, factor: number): number {
  return Math.ceil(Number((amount * factor).toPrecision(12)));
}
