/**
 * A wall around an engine that somebody else has written: whatever it throws, answers or fails to answer, the manager
 * sees an engine that keeps the contract, and what is wrong is a sentence that names the engine. What an answer must look
 * like, and how long it may take, stands in tables.
 */
import type {
  Attempt,
  End,
  EndCause,
  Ended,
  Engine,
  EngineDefinition,
  Found,
  Handle,
  Identity,
  News,
  NodeResources,
  PartitionResources,
  Plan,
  Resources,
  Submitted,
  Symptom,
  Token,
} from "./engine.ts";
import { CONTRACT } from "./engine.ts";
import { EngineError, type Verdict } from "./engine-error.ts";
import { durationText } from "./outcome.ts";
import { printable } from "./printable.ts";
import { isToken } from "./records.ts";
import {
  listOf,
  type Members,
  method,
  numberFrom,
  objectOf,
  oneByIs,
  oneOf,
  optional,
  recordOf,
  type Shape,
  ShapeError,
  shown,
  text,
  textLike,
  truth,
  wholeFrom,
  words,
} from "./shape.ts";

// -- how long it may take --

/** Calls that are waited for: for how long, in seconds, and what it is taken for when no answer comes, or none that makes sense. */
export interface CallRule {
  readonly limitS: number;
  readonly otherwise: Verdict;
  /** What goes wrong with one job says nothing of the others. */
  readonly isOfOneJob?: true;
}

/** A submission that is not answered may have happened; of all else nothing has. */
export const CALLS = {
  submit: { limitS: 360, otherwise: "ambiguous" },
  find: { limitS: 120, otherwise: "unavailable", isOfOneJob: true },
  poll: { limitS: 120, otherwise: "unavailable" },
  cancel: { limitS: 120, otherwise: "unavailable" },
  check: { limitS: 120, otherwise: "unavailable" },
  resources: { limitS: 120, otherwise: "unavailable" },
  diagnose: { limitS: 60, otherwise: "unavailable" },
  make: { limitS: 60, otherwise: "unavailable" },
} as const satisfies Record<string, CallRule>;

type CallName = keyof typeof CALLS;

/** Of each call its time limit, in seconds. */
export type CallLimits = Readonly<Record<CallName, number>>;

const LIMITS_S = Object.fromEntries(Object.entries(CALLS).map(([name, { limitS }]) => [name, limitS])) as CallLimits;

// -- what it may answer --

const oneLine = textLike(/^[^\n\0]*$/, "a text of one line");
const name = textLike(/^[A-Za-z][\w.-]{0,63}$/, "a name of letters, digits, dots and dashes");
const moment = textLike(/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z$/, "a time as ISO-8601, in UTC");
const handle = textLike<Handle>(/^[^\p{Cc}]{1,1000}$/u, "a handle, which is a text of one line that is not empty");

const token: Shape<Token> = (value, at) =>
  typeof value === "string" && isToken(value)
    ? value
    : textLike<Token>(/^\b$/, "the token of an attempt, as it was given")(value, at);

const identity = objectOf<Identity>({ job: oneLine, restart: oneLine, task: oneLine });

const PLAN = objectOf<Plan>({
  jobName: words,
  shell: textLike(/^[^\n\0]*\S[^\n\0]*$/, 'the rest of a "#!" line, such as "/bin/sh"'),
  directives: textLike(/^(?:(?:#[^\n]*)?\n)*$/, 'lines that begin with "#", each with its end of line'),
  args: listOf(text),
  identity,
  limitS: numberFrom(0),
  graceS: numberFrom(0),
  tasks: listOf(wholeFrom(0)),
  tasksAtOnce: wholeFrom(1),
  places: wholeFrom(1),
  outputs: listOf(words),
  ignored: listOf(text),
  raised: optional(listOf(words)),
  asked: optional(recordOf(text)),
  timeS: optional(numberFrom(0)),
});

const CAUSES: Readonly<Record<EndCause, true>> = {
  itself: true,
  timeout: true,
  memory: true,
  cancelled: true,
  node: true,
  preempted: true,
  deadline: true,
  revoked: true,
  launch: true,
  gone: true,
  interrupted: true,
};

const END: Members<End> = {
  word: words,
  cause: optional(oneOf(...(Object.keys(CAUSES) as EndCause[]))),
  exitCode: optional(wholeFrom(0)),
  signal: optional(words),
  stranded: optional(truth),
  why: optional(words),
};

type Of<T, K> = Extract<T, { readonly is: K }>;

const NEWS = oneByIs<News>({
  queued: objectOf<Of<News, "queued">>({
    is: oneOf("queued"),
    why: optional(words),
    stuck: optional(truth),
    asksTooMuch: optional(truth),
    stranded: optional(truth),
    expectedStart: optional(moment),
  }),
  running: objectOf<Of<News, "running">>({ is: oneOf("running") }),
  ending: objectOf<Of<News, "ending">>({ is: oneOf("ending"), why: words }),
  ended: objectOf<Ended>({ is: oneOf("ended"), ...END, tasks: optional(recordOf(objectOf<End>(END))) }),
  missing: objectOf<Of<News, "missing">>({ is: oneOf("missing") }),
  unknown: objectOf<Of<News, "unknown">>({ is: oneOf("unknown"), word: words }),
});

const FOUND = oneByIs<Found>({
  found: objectOf<Of<Found, "found">>({ is: oneOf("found"), handle, token }),
  absent: objectOf<Of<Found, "absent">>({ is: oneOf("absent") }),
  unsure: objectOf<Of<Found, "unsure">>({ is: oneOf("unsure"), why: words }),
});

const SYMPTOMS = listOf(objectOf<Symptom>({ level: oneOf("ok", "warning", "error"), about: words, says: words }));

const RESOURCES = objectOf<Resources>({
  nodes: listOf(
    objectOf<NodeResources>({
      name: words,
      state: text,
      isUp: truth,
      cpus: wholeFrom(0),
      cpusFree: optional(wholeFrom(0)),
      memoryB: optional(numberFrom(0)),
      memoryFreeB: optional(numberFrom(0)),
      gpus: optional(wholeFrom(0)),
      gpusFree: optional(wholeFrom(0)),
      partitions: listOf(text),
    }),
  ),
  partitions: listOf(
    objectOf<PartitionResources>({
      name: words,
      isDefault: truth,
      isUp: truth,
      timeLimitS: optional(numberFrom(0)),
      nodesMax: optional(wholeFrom(0)),
    }),
  ),
});

const ENGINE = objectOf<Engine>({
  name,
  maxJobsDefault: wholeFrom(1),
  hasQueue: truth,
  waitsForJobs: optional(method),
  plan: method,
  outputId: method,
  command: method,
  submit: method,
  find: method,
  poll: method,
  cancel: method,
  check: method,
  remarks: optional(method),
  diagnose: optional(method),
  directives: optional(method),
  resources: optional(method),
  onNews: optional(method),
});

const DEFINITION = objectOf<EngineDefinition>({
  contract: wholeFrom(1),
  name,
  version: words,
  summary: words,
  absence: optional(method),
  make: method,
});

// -- the definition --

/**
 * Checks what a module gives away, and returns a definition whose engines are guarded. `where`: the file, for messages.
 * Throws EngineError `unavailable` if it is none, or of a contract that this jobmgr does not keep.
 */
export function guardedDefinition(value: unknown, where: string, limits: CallLimits = LIMITS_S): EngineDefinition {
  const given = value as EngineDefinition;
  const { contract } = shapedOr({ contract: given?.contract }, objectOf({ contract: wholeFrom(0) }), (fault) => {
    throw new EngineError("unavailable", `${where} is no engine that can be used: ${fault}`);
  });
  if (contract !== CONTRACT) {
    const remedy = contract > CONTRACT ? "Use a newer jobmgr." : "Use a newer version of it.";
    throw new EngineError(
      "unavailable",
      `${where} was written for version ${contract} of the contract between jobmgr and its engines, and this jobmgr keeps version ${CONTRACT}. ${remedy}`,
    );
  }
  const checked = shapedOr(value, DEFINITION, (fault) => {
    throw new EngineError("unavailable", `${where} is no engine that can be used: ${fault}`);
  });
  const fault = (what: string, cause?: unknown) =>
    new EngineError("unavailable", `${checked.name} (${where}) is at fault: ${what}`, { cause });
  return {
    contract,
    name: checked.name,
    version: checked.version,
    summary: checked.summary,
    absence() {
      if (given.absence === undefined) return undefined;
      try {
        const why: unknown = given.absence();
        if (why === undefined || (typeof why === "string" && why.trim() !== "")) return why;
        return fault(`absence() must be undefined or a sentence, not ${shown(why)}`).message;
      } catch (error) {
        return fault(`absence() threw: ${thrown(error)}`).message;
      }
    },
    async make(options) {
      let made: unknown;
      try {
        made = await within(limits.make, () => given.make(options));
      } catch (error) {
        if (error instanceof LateError) throw fault(`make() has not ended within ${durationText(limits.make)}`);
        throw ownError(error) ?? fault(`make() threw: ${thrown(error)}`, error);
      }
      const engine = shapedOr(made, ENGINE, (what) => {
        throw fault(`what make() gives is no engine: ${what}`);
      });
      if (engine.name !== checked.name)
        throw fault(`what make() gives is called ${engine.name}, and must be called as the definition`);
      return guardedEngine(made as Engine, limits);
    },
  };
}

// -- the engine --

/** The same engine, each of its answers checked. It must have the shape of an engine. */
export function guardedEngine(engine: Engine, limits: CallLimits = LIMITS_S): Engine {
  const guard = new Guard(engine.name, limits);
  const { waitsForJobs, remarks, diagnose, directives, resources, onNews } = engine;
  const textOf = (call: "outputId" | "command", job: Submitted | Attempt) =>
    guard.now(call, call === "command" ? words : text, () => engine[call](job));
  return {
    name: engine.name,
    maxJobsDefault: engine.maxJobsDefault,
    hasQueue: engine.hasQueue,
    ...(waitsForJobs && {
      waitsForJobs: (...order) =>
        orElse(
          () => guard.now("waitsForJobs", truth, () => waitsForJobs.apply(engine, order)),
          () => false,
        ),
    }),
    plan: (...order) => guard.now("plan", PLAN, () => engine.plan(...order)),
    // A job that has run is not to be held up for the name of its output.
    outputId: (job) =>
      orElse(
        () => textOf("outputId", job),
        () => job.handle ?? job.token,
      ),
    command: (attempt) =>
      orElse(
        () => textOf("command", attempt),
        (error) => `(not known: ${error.message})`,
      ),
    async submit(attempt, stop) {
      // What would be wrong with it later is found before anything has happened.
      for (const call of ["outputId", "command"] as const) textOf(call, attempt);
      return guard.later("submit", handle, (signal) => engine.submit(attempt, signal), stop);
    },
    async find(where, stop) {
      const found = await guard.later("find", FOUND, (signal) => engine.find(where, signal), stop);
      if (found.is !== "found" || !("token" in where) || found.token === where.token) return found;
      return { is: "unsure", why: guard.faultOf(`find() was asked for ${where.token}, and found ${found.token}`) };
    },
    async poll(jobs, stop) {
      const news = await guard.later("poll", newsMap, (signal) => engine.poll(jobs, signal), stop);
      return new Map(jobs.map((job) => [job.token, guard.newsOf(news, job.token)]));
    },
    cancel: (jobs, stop) => guard.later("cancel", anything, (signal) => engine.cancel(jobs, signal), stop),
    check: (attempt, stop) => guard.later("check", anything, (signal) => engine.check(attempt, signal), stop),
    ...(remarks && {
      remarks: (script) =>
        orElse(
          () => guard.now("remarks", listOf(words), () => remarks.call(engine, script)),
          (error) => [error.message],
        ),
    }),
    ...(diagnose && {
      diagnose: () =>
        guard
          .later("diagnose", SYMPTOMS, () => diagnose.call(engine))
          .catch((error: Error) => [{ level: "error", about: "diagnosis", says: error.message }]),
    }),
    ...(directives && {
      directives: (request) => guard.now("directives", listOf(oneLine), () => directives.call(engine, request)),
    }),
    ...(resources && {
      resources: (stop) => guard.later("resources", RESOURCES, (signal) => resources.call(engine, signal), stop),
    }),
    ...(onNews && { onNews: (wake) => guard.now("onNews", anything, () => onNews.call(engine, () => wake())) }),
  };
}

/** Calls one engine, and makes of all that is wrong an EngineError. */
class Guard {
  readonly #name: string;
  readonly #limits: CallLimits;

  constructor(name: string, limits: CallLimits) {
    this.#name = name;
    this.#limits = limits;
  }

  faultOf(what: string): string {
    return `${this.#name} is at fault: ${what}`;
  }

  /** A call that is answered at once. Throws EngineError; if it is not the engine's own, only this one job waits. */
  now<T>(call: string, shape: Shape<T>, ask: () => unknown): T {
    const rule = { otherwise: "unavailable", isOfOneJob: true } as const;
    try {
      return shape(ask(), `${call}()`);
    } catch (error) {
      throw this.#errorOf(call, error, rule);
    }
  }

  /** A call that is waited for, as long as the table says. */
  async later<T>(call: CallName, shape: Shape<T>, ask: (stop: AbortSignal) => unknown, stop?: AbortSignal): Promise<T> {
    try {
      return shape(await within(this.#limits[call], ask, stop), `${call}()`);
    } catch (error) {
      throw this.#errorOf(call, error, CALLS[call]);
    }
  }

  /** What its answer says of one job. What makes no sense keeps the job alive, and is shown. */
  newsOf(news: ReadonlyMap<unknown, unknown>, about: Token): News {
    try {
      if (!news.has(about)) return { is: "unknown", word: this.faultOf("poll() says nothing of this job") };
      return NEWS(news.get(about), "poll()");
    } catch (error) {
      return { is: "unknown", word: this.#errorOf("poll", error, CALLS.poll).message };
    }
  }

  #errorOf(call: string, error: unknown, { otherwise, isOfOneJob }: Omit<CallRule, "limitS">): EngineError {
    const own = ownError(error);
    if (own) return own;
    const more = { cause: error, isOfOneJob: isOfOneJob === true };
    if (error instanceof LateError) {
      const told = `${this.#name} has not answered ${call}() within ${durationText(error.limitS)}.`;
      return new EngineError(otherwise, told, more);
    }
    const what = error instanceof ShapeError ? error.message : `${call}() threw: ${thrown(error)}`;
    return new EngineError(otherwise, `${this.faultOf(what)}.`, more);
  }
}

const newsMap: Shape<ReadonlyMap<unknown, unknown>> = (value, at) => {
  if (value instanceof Map) return value;
  throw new ShapeError(`${at} must be a Map from tokens to news, not ${shown(value)}`);
};

function anything(): undefined {
  return undefined;
}

function shapedOr<T>(value: unknown, shape: Shape<T>, refuse: (fault: string) => never): T {
  try {
    return shape(value, "");
  } catch (error) {
    return refuse(error instanceof ShapeError ? error.message : thrown(error));
  }
}

function orElse<T>(ask: () => T, otherwise: (error: Error) => T): T {
  try {
    return ask();
  } catch (error) {
    return otherwise(error as Error);
  }
}

// -- what it throws --

const VERDICTS: Readonly<Record<Verdict, true>> = { unavailable: true, refused: true, full: true, ambiguous: true };
const SAID_MAX = 64 * 1024;

/** An error that the engine has thrown on purpose: it has a verdict, and says why. Also one that is no EngineError of ours. */
function ownError(error: unknown): EngineError | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { verdict, message, command, output, isOfOneJob } = error as Partial<EngineError>;
  if (typeof verdict !== "string" || !Object.hasOwn(VERDICTS, verdict)) return undefined;
  if (typeof message !== "string" || message.trim() === "") return undefined;
  return new EngineError(verdict, message, {
    ...(typeof command === "string" && { command }),
    ...(typeof output === "string" && { output: output.slice(0, SAID_MAX) }),
    isOfOneJob: isOfOneJob === true,
    cause: error,
  });
}

const THROWN_MAX = 500;

/** What was thrown, in one line, with the place that it comes from where that is known. */
export function thrown(error: unknown): string {
  if (!(error instanceof Error)) return shown(error);
  const said = printable(String(error.message).trim() || error.name).slice(0, THROWN_MAX);
  const place = placeOf(String(error.stack));
  return place === undefined ? said : `${said.replace(/\.$/, "")} (${place})`;
}

/** The file and line of the first frame; those behind it are of whoever called. */
function placeOf(stack: string): string | undefined {
  const frame = stack.split("\n").find((line) => line.startsWith("    at "));
  const [, scheme, path] = /(?:\(|at (?:async )?)(file:\/\/)?(\/[^()]+:\d+:\d+)\)?$/.exec(frame ?? "") ?? [];
  return path !== undefined && scheme !== undefined ? decodeURI(path) : path;
}

/** It has taken too long. */
class LateError extends Error {
  readonly limitS: number;

  constructor(limitS: number) {
    super("late");
    this.limitS = limitS;
  }
}

/** Waits for an answer, which need not be a promise; the signal tells when nobody waits any more. */
async function within(limitS: number, ask: (stop: AbortSignal) => unknown, stop?: AbortSignal): Promise<unknown> {
  const own = new AbortController();
  // AbortSignal.any() would leave something behind in `stop` at each call, as long as the manager lives.
  const passOn = () => own.abort(stop?.reason);
  if (stop?.aborted) passOn();
  stop?.addEventListener("abort", passOn);
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      ask(own.signal),
      new Promise((_, reject) => {
        timer = setTimeout(() => {
          reject(new LateError(limitS));
          own.abort();
        }, limitS * 1000);
      }),
    ]);
  } finally {
    clearTimeout(timer);
    stop?.removeEventListener("abort", passOn);
  }
}
