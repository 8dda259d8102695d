/** The times and sizes of sbatch's options: what they say, and so many times as much. Pure. */

const DAY_S = 86_400;

/** No job is given more than this, however often it is raised: what Slurm counts must fit its own numbers. */
const TIME_S_MAX = 3650 * DAY_S;
const MEMORY_M_MAX = 2 ** 30;

/**
 * Slurm's time formats in seconds: M, M:S, H:M:S, D-H, D-H:M, D-H:M:S; 0 for no limit (sbatch(1), --time). sbatch 22.05
 * takes "D-" for whole days as well, and -1 for no limit. undefined for what is none.
 */
export function timeInS(text: string): number | undefined {
  if (/^(unlimited|infinite|-1)$/i.test(text)) return 0;
  const match = /^(?:(\d+)-)?(\d+|(?<=-)$)(?::(\d+))?(?::(\d+))?$/.exec(text);
  if (!match) return undefined;
  const [days, first, second, third] = match.slice(1).map((part) => (part === undefined ? undefined : Number(part)));
  if (days !== undefined) return days * DAY_S + (first ?? 0) * 3600 + (second ?? 0) * 60 + (third ?? 0);
  if (third !== undefined) return (first ?? 0) * 3600 + (second ?? 0) * 60 + third;
  return (first ?? 0) * 60 + (second ?? 0);
}

/** As sbatch takes it: H:MM:SS, or D-HH:MM:SS. */
export function timeText(seconds: number): string {
  const days = Math.floor(seconds / DAY_S);
  const two = (number: number) => String(number).padStart(2, "0");
  const hours = Math.floor((seconds % DAY_S) / 3600);
  const rest = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  return days > 0 ? `${days}-${two(hours)}:${rest}` : `${hours}:${rest}`;
}

/** So many times the time; undefined where there is no limit, or none that is understood. */
export function raisedTime(text: string | undefined, factor: number | undefined): string | undefined {
  const seconds = text === undefined ? 0 : (timeInS(text) ?? 0);
  if (seconds === 0 || factor === undefined || factor <= 1 || seconds >= TIME_S_MAX) return undefined;
  return timeText(Math.min(TIME_S_MAX, times(seconds, factor)));
}

const IN_M: Readonly<Record<string, number>> = { k: 1 / 1024, m: 1, g: 1024, t: 1024 ** 2 };

/** So many times the memory, in sbatch's units (sbatch(1), --mem: megabytes unless said otherwise); 0 stands for all. */
export function raisedMemory(text: string | undefined, factor: number | undefined): string | undefined {
  const [, number, unit = "m"] = /^(\d+)([kmgt])?b?$/i.exec(text ?? "") ?? [];
  const megabytes = Number(number ?? 0) * (IN_M[unit.toLowerCase()] ?? 0);
  if (megabytes === 0 || factor === undefined || factor <= 1 || megabytes >= MEMORY_M_MAX) return undefined;
  const raised = Math.min(MEMORY_M_MAX, times(megabytes, factor));
  return raised % 1024 === 0 ? `${raised / 1024}G` : `${raised}M`;
}

/** Rounded up, but not for the last digits that a computer makes of 1.1 * 10. */
function times(amount: number, factor: number): number {
  return Math.ceil(Number((amount * factor).toPrecision(12)));
}
