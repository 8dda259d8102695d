/** What a program may hand over to the library, member by member. Pure. */
import {
  ANY,
  FUNCTION,
  faultOfKinds,
  JOBS,
  type Kinds,
  NUMBER,
  OBJECT,
  SIGNAL,
  SWITCH,
  TEXT,
  TEXTS,
} from "../kinds.ts";
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

export const REQUEST: Kinds<JobRequest> = {
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

export const ROOT_OPTIONS: Kinds<RootOptions> = {
  setUp: SWITCH,
  engine: TEXT,
  manage: SWITCH,
  settings: OBJECT,
  log: FUNCTION,
};

export const ENGINE_OPTIONS: Kinds<EngineUseOptions> = { folder: TEXT, settings: OBJECT, log: FUNCTION };

export const WAIT_OPTIONS: Kinds<WaitOptions> = { timeoutMs: ANY, signal: SIGNAL };

export const SUBMIT_OPTIONS: Kinds<SubmitOptions> = { signal: SIGNAL };

export const STATUS_OPTIONS: Kinds<StatusOptions> = { finishedMax: NUMBER, waitingMax: NUMBER };

export const WATCH_OPTIONS: Kinds<WatchOptions> = { ...STATUS_OPTIONS, everyMs: ANY, signal: SIGNAL };

/** Throws RequestError for what is none. */
export function checkShape(value: unknown, kinds: Kinds<object>, what: string): void {
  const fault = faultOfKinds(value, kinds, what);
  if (fault) throw new RequestError(fault);
}
