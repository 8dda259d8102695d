/**
 * What a value must look like that somebody else's code has made. A shape checks it to the last member, and gives a copy
 * that holds what was checked and nothing else. Pure.
 */
import { printable } from "./printable.ts";

/** Throws ShapeError, whose message names the place: "plan().places must be a whole number from 1, not "many"". */
export type Shape<T> = (value: unknown, at: string) => T;

/** A value that has not the shape it must have. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

const SHOWN_MAX = 60;

/** A member that may be left out. */
export interface Optional<T> {
  readonly optional: Shape<T>;
}

/** Of each member its shape. */
export type Members<T> = {
  // biome-ignore lint/complexity/noBannedTypes: only so it is known whether a member may be left out.
  readonly [K in keyof T]-?: {} extends Pick<T, K> ? Optional<Exclude<T[K], undefined>> : Shape<T[K]>;
};

/** May be left out; undefined counts as left out. */
export function optional<T>(shape: Shape<T>): Optional<T> {
  return { optional: shape };
}

/** A text, also an empty one. */
export function text(value: unknown, at: string): string {
  return typeof value === "string" ? value : wrong(value, at, "a text");
}

/** A text with something in it. */
export function words(value: unknown, at: string): string {
  return typeof value === "string" && value.trim() !== "" ? value : wrong(value, at, "a text that is not empty");
}

/** A text that fits this pattern; `what` says in words what that is. */
export function textLike<T extends string>(pattern: RegExp, what: string): Shape<T> {
  return (value, at) => (typeof value === "string" && pattern.test(value) ? (value as T) : wrong(value, at, what));
}

/** One of these. */
export function oneOf<T extends string>(...all: readonly T[]): Shape<T> {
  const what = all.map((one) => `"${one}"`).join(" or ");
  return (value, at) => ((all as readonly unknown[]).includes(value) ? (value as T) : wrong(value, at, what));
}

/** True or false. */
export function truth(value: unknown, at: string): boolean {
  return typeof value === "boolean" ? value : wrong(value, at, "true or false");
}

/** A finite number from `least` on. */
export function numberFrom(least: number): Shape<number> {
  const what = `a number from ${least}`;
  return (value, at) =>
    Number.isFinite(value) && (value as number) >= least ? (value as number) : wrong(value, at, what);
}

/** A whole number from `least` on. */
export function wholeFrom(least: number): Shape<number> {
  const what = `a whole number from ${least}`;
  return (value, at) =>
    Number.isSafeInteger(value) && (value as number) >= least ? (value as number) : wrong(value, at, what);
}

/** A function, of which nothing else can be known. */
export function method(value: unknown, at: string): never {
  return typeof value === "function" ? (value as never) : wrong(value, at, "a function");
}

/** A list of such. */
export function listOf<T>(item: Shape<T>): Shape<readonly T[]> {
  return (value, at) =>
    Array.isArray(value) ? value.map((one, i) => item(one, `${at}[${i}]`)) : wrong(value, at, "a list");
}

/** An object with such members, whatever their names. */
export function recordOf<T>(item: Shape<T>): Shape<Readonly<Record<string, T>>> {
  return (value, at) => {
    const pairs = Object.entries(objectIn(value, at)).map(([key, one]) => [key, item(one, `${at}.${key}`)] as const);
    return Object.fromEntries(pairs);
  };
}

/** An object with these members. All that is wrong with it is told at once. */
export function objectOf<T>(members: Members<T>): Shape<T> {
  return (value, at) => {
    const object = objectIn(value, at);
    const copy: Record<string, unknown> = {};
    const faults: string[] = [];
    for (const [key, member] of Object.entries<Shape<unknown> | Optional<unknown>>(members)) {
      const given = object[key];
      const shape = typeof member === "function" ? member : member.optional;
      if (given === undefined && typeof member !== "function") continue;
      try {
        copy[key] = shape(given, at === "" ? key : `${at}.${key}`);
      } catch (error) {
        if (!(error instanceof ShapeError)) throw error;
        faults.push(error.message);
      }
    }
    if (faults.length > 0) throw new ShapeError(faults.join("; "));
    return copy as T;
  };
}

/** One of these objects, told apart by their member `is`. */
export function oneByIs<T extends { readonly is: string }>(
  shapes: {
    readonly [K in T["is"]]: Shape<Extract<T, { readonly is: K }>>;
  },
): Shape<T> {
  const isOneOf = oneOf(...(Object.keys(shapes) as T["is"][]));
  return (value, at) => shapes[isOneOf(objectIn(value, at).is, `${at}.is`)](value, at);
}

function objectIn(value: unknown, at: string): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : wrong(value, at, "an object");
}

function wrong(value: unknown, at: string, what: string): never {
  const subject = at === "" ? "it" : at;
  throw new ShapeError(
    value === undefined ? `${subject} is missing` : `${subject} must be ${what}, not ${shown(value)}`,
  );
}

/** A value in a few words. */
export function shown(value: unknown): string {
  if (typeof value === "string") {
    const safe = printable(value);
    return `"${safe.length > SHOWN_MAX ? `${safe.slice(0, SHOWN_MAX)}...` : safe}"`;
  }
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "function") return "a function";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
