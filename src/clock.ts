/**
 * Times as people read them: by the clock and time zone of the machine where they are written, and with that zone's
 * distance from UTC, for they may be read elsewhere. What programs read is ISO 8601 in UTC. Pure.
 */

/** The time of day, with the date if it is another day's: "10:42 +01:00", "2026-11-20 10:42 UTC"; "-" for no time. */
export function clockOf(at: string | undefined, now: string): string {
  if (at === undefined || Number.isNaN(Date.parse(at))) return "-";
  const { date, time, zone } = localTime(new Date(at));
  const clock = `${time.slice(0, 5)} ${zone}`;
  return localTime(new Date(now)).date === date ? clock : `${date} ${clock}`;
}

/** The same to the second, for what is near: "10:42:07 +01:00". */
export function secondOf(at: Date): string {
  const { time, zone } = localTime(at);
  return `${time} ${zone}`;
}

/** For a column of times, whose zone stands beside the table: "10:42:07", "11-20 10:42"; "-" for no time. */
export function momentOf(at: string | undefined, now: string): string {
  if (at === undefined) return "-";
  const { date, time } = localTime(new Date(at));
  return localTime(new Date(now)).date === date ? time : `${date.slice(5)} ${time.slice(0, 5)}`;
}

/** The name of the time zone of this machine's user, beside a column of times: "Europe/Berlin". */
export function zoneName(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** For a log: ISO 8601 with the distance from UTC, "2026-11-20T10:42:07.123+01:00"; "Z" where there is none. */
export function logTime(at: Date): string {
  const { date, time, zone } = localTime(at);
  return `${date}T${time}.${String(at.getMilliseconds()).padStart(3, "0")}${zone === UTC ? "Z" : zone}`;
}

const UTC = "UTC";

function localTime(at: Date): { date: string; time: string; zone: string } {
  const two = (number: number) => String(number).padStart(2, "0");
  const minutes = -at.getTimezoneOffset();
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return {
    date: [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-"),
    time: [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":"),
    zone: minutes === 0 ? UTC : `${minutes < 0 ? "-" : "+"}${two(hours)}:${two(Math.round(rest))}`,
  };
}
