/** What a program hands over, by its kind: one without types may hand over anything, and a mistyped key would be passed over. Pure. */
import { didYouMean } from "../nearest.ts";
import type {
  EngineUseOptions,
  JobRequest,
  RootOptions,
  StatusOptions,
  SubmitOptions,
  WaitOptions,
  WatchOptions,
} from "./api.ts";
import { RequestError } from "./errors.ts";

interface Kind {
  /** Follows upon "it must be". */
  readonly says: string;
  readonly is: (value: unknown) => boolean;
}

const isList = (value: unknown, isOne: (one: unknown) => boolean) => Array.isArray(value) && value.every(isOne);
const isText = (value: unknown) => typeof value === "string";
const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
const isJob = (value: unknown) => isText(value) || (isObject(value) && isText((value as { id?: unknown }).id));

const TEXT: Kind = { says: "a text", is: isText };
const TEXTS: Kind = { says: "a list of texts", is: (value) => isList(value, isText) };
const JOBS: Kind = { says: "a list of jobs or their names", is: (value) => isList(value, isJob) };
const OBJECT: Kind = { says: "an object", is: isObject };
const NUMBER: Kind = { says: "a number", is: (value) => typeof value === "number" };
const SWITCH: Kind = { says: "true or false", is: (value) => typeof value === "boolean" };
const FUNCTION: Kind = { says: "a function", is: (value) => typeof value === "function" };
/** Also one of another realm. */
const SIGNAL: Kind = {
  says: "an AbortSignal",
  is: (value) => isObject(value) && "throwIfAborted" in (value as object),
};
/** Checked where it is read. */
const ANY: Kind = { says: "", is: () => true };

type Shape<T> = Readonly<Record<keyof T, Kind>>;

export const REQUEST: Shape<JobRequest> = {
  name: TEXT,
  commands: TEXTS,
  script: TEXT,
  folder: TEXT,
  nodes: ANY,
  cpus: ANY,
  gpus: ANY,
  memory: ANY,
  timeLimitS: ANY,
  env: OBJECT,
  output: TEXT,
  error: TEXT,
  after: JOBS,
  afterAny: JOBS,
  directives: TEXTS,
  ifThere: ANY,
};

export const ROOT_OPTIONS: Shape<RootOptions> = {
  setUp: SWITCH,
  engine: TEXT,
  manage: SWITCH,
  settings: OBJECT,
  log: FUNCTION,
};

export const ENGINE_OPTIONS: Shape<EngineUseOptions> = { folder: TEXT, settings: OBJECT, log: FUNCTION };

export const WAIT_OPTIONS: Shape<WaitOptions> = { timeoutMs: ANY, signal: SIGNAL };

export const SUBMIT_OPTIONS: Shape<SubmitOptions> = { signal: SIGNAL };

export const STATUS_OPTIONS: Shape<StatusOptions> = { finishedMax: NUMBER, waitingMax: NUMBER };

export const WATCH_OPTIONS: Shape<WatchOptions> = { ...STATUS_OPTIONS, everyMs: ANY, signal: SIGNAL };

/** Throws RequestError for a key that there is not, and for a value of another kind. What is undefined is left out. */
export function checkShape(value: unknown, shape: Readonly<Record<string, Kind>>, what: string): void {
  if (!isObject(value)) throw new RequestError(`${what} must be an object, as the declarations of jobmgr have it`);
  for (const [key, one] of Object.entries(value as object)) {
    if (one === undefined) continue;
    const kind = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (kind === undefined)
      throw new RequestError(`${what} has no ${JSON.stringify(key)}.${didYouMean(key, Object.keys(shape))}`);
    if (!kind.is(one)) throw new RequestError(`${key} of ${what} must be ${kind.says}`);
  }
}
