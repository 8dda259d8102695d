/** Times that people read: local, and never without a word on which zone that is. */
import { afterEach, expect, it } from "vitest";
import { clockOf, logTime, momentOf, secondOf, zoneName } from "../../src/clock.ts";

const ZONE = process.env.TZ;

afterEach(() => {
  if (ZONE === undefined) delete process.env.TZ;
  else process.env.TZ = ZONE;
});

const AT = "2026-01-20T23:42:07.005Z";

it.each([
  ["UTC", "23:42 UTC", "23:42:07 UTC", "2026-01-20T23:42:07.005Z"],
  ["Europe/Berlin", "00:42 +01:00", "00:42:07 +01:00", "2026-01-21T00:42:07.005+01:00"],
  ["America/St_Johns", "20:12 -03:30", "20:12:07 -03:30", "2026-01-20T20:12:07.005-03:30"],
])("in %s", (zone, clock, second, log) => {
  process.env.TZ = zone;
  expect([clockOf(AT, AT), secondOf(new Date(AT)), logTime(new Date(AT)), zoneName()]).toEqual([
    clock,
    second,
    log,
    zone,
  ]);
  expect(Date.parse(log)).toBe(Date.parse(AT));
});

it("names the day where it is another one there, and the distance of that day", () => {
  process.env.TZ = "Europe/Berlin";
  expect(clockOf(AT, "2026-01-20T22:59:00Z")).toBe("2026-01-21 00:42 +01:00");
  expect(clockOf("2026-07-01T10:00:00Z", AT)).toBe("2026-07-01 12:00 +02:00");
  expect([momentOf(AT, AT), momentOf("2026-07-01T10:00:00Z", AT)]).toEqual(["00:42:07", "07-01 12:00"]);
  expect([clockOf(undefined, AT), clockOf("soon", AT), momentOf(undefined, AT)]).toEqual(["-", "-", "-"]);
});
