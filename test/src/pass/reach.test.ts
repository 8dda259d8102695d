/** What a manager counts of an engine that does not answer, or has no room. */
import { expect, it } from "vitest";
import { Reach } from "../../../src/pass/reach.ts";

it("an outage is over when the engine both answers and takes jobs", () => {
  const reach = new Reach();
  expect(reach.outageMs).toBeUndefined();
  reach.failed("poll");
  reach.failed("submit");
  expect(reach.mayBeAsked).toBe(false);
  expect(reach.pollAnswered(true)).toBeUndefined();
  expect(reach.mayBeAsked).toBe(true);
  expect(reach.outageMs).toBeGreaterThanOrEqual(0);
  expect(reach.submitAnswered()).toBeGreaterThanOrEqual(0);
  expect(reach.outageMs).toBeUndefined();
  expect(reach.submitAnswered()).toBeUndefined();
});

it("an outage is over when the engine answers, and no job is to be submitted any more", () => {
  const reach = new Reach();
  reach.failed("poll");
  reach.failed("submit");
  expect(reach.pollAnswered(false)).toBeGreaterThanOrEqual(0);
  expect(reach.takesJobs).toBe(true);
});

it("waits grow", () => {
  const reach = new Reach();
  reach.failed("submit");
  const first = reach.submitAtMs;
  reach.failed("submit");
  expect(reach.submitAtMs).toBeGreaterThan(first);
  expect(reach.retryAtMs).toEqual([reach.submitAtMs]);
});

it("a queue that is full is no outage, and is tried as soon as one of its jobs has ended", () => {
  const reach = new Reach();
  reach.full();
  expect(reach.outageMs).toBeUndefined();
  expect(reach.takesJobs).toBe(false);
  expect(reach.submitAtMs).toBeGreaterThan(performance.now());
  reach.roomMade();
  expect(reach.submitAtMs).toBe(0);
  expect(reach.takesJobs).toBe(false);
  expect(reach.submitAnswered()).toBeUndefined();
  expect(reach.takesJobs).toBe(true);
});
