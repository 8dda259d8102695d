/** What a program hands over, by its kind: one without types may hand over anything, and a mistyped key would be passed over. Pure. */
import { didYouMean } from "./nearest.ts";

/** How a value must be. */
export interface Kind {
  /** Follows upon "it must be". */
  readonly says: string;
  readonly is: (value: unknown) => boolean;
}

const isList = (value: unknown, isOne: (one: unknown) => boolean) => Array.isArray(value) && value.every(isOne);
const isText = (value: unknown) => typeof value === "string";
const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
const isJob = (value: unknown) => isText(value) || (isObject(value) && isText((value as { id?: unknown }).id));

export const TEXT: Kind = { says: "a text", is: isText };
export const TEXTS: Kind = { says: "a list of texts", is: (value) => isList(value, isText) };
export const JOBS: Kind = { says: "a list of jobs or their names", is: (value) => isList(value, isJob) };
export const OBJECT: Kind = { says: "an object", is: isObject };
export const NUMBER: Kind = { says: "a number", is: (value) => typeof value === "number" };
export const SWITCH: Kind = { says: "true or false", is: (value) => typeof value === "boolean" };
export const FUNCTION: Kind = { says: "a function", is: (value) => typeof value === "function" };
/** Also one of another realm. */
export const SIGNAL: Kind = {
  says: "an AbortSignal",
  is: (value) => isObject(value) && "throwIfAborted" in (value as object),
};
/** Checked where it is read. */
export const ANY: Kind = { says: "", is: () => true };

/** Of each member its kind; each may be left out. */
export type Kinds<T> = Readonly<Record<keyof T, Kind>>;

/** What is wrong with an object: a key that there is not, or a value of another kind. What is undefined is left out. */
export function faultOfKinds(value: unknown, kinds: Readonly<Record<string, Kind>>, what: string): string | undefined {
  if (!isObject(value)) return `${what} must be an object, as the declarations of jobmgr have it`;
  for (const [key, one] of Object.entries(value as object)) {
    if (one === undefined) continue;
    const kind = Object.hasOwn(kinds, key) ? kinds[key] : undefined;
    const keys = Object.keys(kinds);
    if (kind === undefined)
      return `${what} has no ${JSON.stringify(key)}.${didYouMean(key, keys) || ` It has ${keys.join(", ")}.`}`;
    if (!kind.is(one)) return `${key} of ${what} must be ${kind.says}`;
  }
  return undefined;
}
