/**
 * Names for what a verb has under way aside from everybody's eyes: they say which process it is of, so that what a crash
 * leaves can be told from what is at work.
 */
import { randomBytes } from "node:crypto";
import type { Machine } from "../engine.ts";

/** The process that stages something, and how others are judged. */
export interface Stager {
  readonly machine: Machine;
  readonly pid: number;
  /** When the process started. */
  readonly start: string;
  isAlive(pid: number, start: string): boolean;
}

const NAME = /^(\d+)_([^_]+)_([0-9a-f]{8})_(.+)$/;

/** What comes from another machine is left alone for so long. */
const FOREIGN_MS = 86_400_000;

/** A name that is nobody else's. */
export function stagedName(by: Stager): string {
  const start = by.start.replaceAll(/[^A-Za-z0-9:]/g, "") || "0";
  return `${by.pid}_${start}_${randomBytes(4).toString("hex")}_${by.machine.host.replaceAll("/", "")}`;
}

/** True if a name was made by stagedName, by a process that is not at work any more. `ageMs`: by the file system's clock. */
export function isAbandoned(name: string, ageMs: number, judge: Stager): boolean {
  const [, pid, start = "", , host] = NAME.exec(name) ?? [];
  if (pid === undefined) return false;
  if (host !== judge.machine.host.replaceAll("/", "")) return ageMs > FOREIGN_MS;
  return !(Number(pid) === judge.pid) && !judge.isAlive(Number(pid), start);
}
