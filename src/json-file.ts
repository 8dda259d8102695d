/** JSON that is there for people and programs, and that anybody may have written over: believed member by member. */
import type { Disk } from "./disk.ts";

/** The object in a file; empty where there is none, or what is there is no JSON object of a sane size. */
export function jsonObject(disk: Disk, path: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(disk.read(path)?.toString("utf8") ?? "null");
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {};
  } catch {
    return {};
  }
}

/** The value if it is a text. */
export function textIn(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The value if it is a number. */
export function numberIn(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

/** A time as jobmgr writes it. */
export function timeIn(value: unknown): string | undefined {
  return typeof value === "string" && !Number.isNaN(Date.parse(value)) ? value : undefined;
}

/** The texts of an object, by name. */
export function textsIn(value: unknown): ReadonlyMap<string, string> {
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  return new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}
