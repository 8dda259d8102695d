/**
 * What a job waits for: the form of job_after.txt, what follows from how the jobs in it stand, and circles among
 * jobs that wait for each other. Pure.
 */
import type { Dependency, Handle, Token } from "../engine.ts";
import type { Cause, Result } from "../outcome.ts";

/** One line of job_after.txt. */
export interface Named {
  readonly name: string;
  /** Its end is enough, however it ended; else it must have succeeded. */
  readonly any: boolean;
}

/** How a job stands that another one waits for. */
export type JobState =
  /** It has not ended; `word` says where it is. */
  | { readonly is: "going"; readonly word: string; readonly queued?: Queued }
  | { readonly is: "ended"; readonly result: Result; readonly why: string; readonly after?: Cause }
  /** There is no such job, or none any more; `nearest`: names that somebody may have meant. */
  | { readonly is: "unknown"; readonly nearest?: readonly string[] }
  /** It lies in complete/, and nobody can tell how it ended. */
  | { readonly is: "unclear"; readonly why: string };

/** An attempt that its engine has taken, and of whose end nothing is known: alone of its name. */
export interface Queued {
  /** Of its folder in pending/. */
  readonly name: string;
  readonly token: Token;
  readonly handle: Handle;
  /** As engineKey() gives it. */
  readonly engine: string;
  readonly tasks: readonly number[];
}

/** A job that another one could wait for in the engine's queue. */
export interface Behind extends Queued {
  readonly needs: Dependency["needs"];
}

/** Whether a job may run, as far as the jobs before it go. */
export type Verdict =
  | { readonly is: "met" }
  /** `behind`: all that it waits for, where all of them are in the queues of engines. */
  | { readonly is: "waits"; readonly why: string; readonly behind?: readonly Behind[] }
  /** It can never run: `why` is for people; `cause` is the job at the start of the chain. */
  | { readonly is: "failed"; readonly why: string; readonly cause: Cause };

/** More than this is no list of names. */
export const AFTER_BYTES_MAX = 256 * 1024;

/** What job_after.txt says, or in a sentence why it cannot be followed. */
export type AfterRead = { readonly dependencies: readonly Named[] } | { readonly fault: string };

/** Reads the bytes of job_after.txt: the jobs it names, each once, or what is wrong with it and how to mend it. */
export function parseAfter(bytes: Uint8Array): AfterRead {
  if (bytes.length > AFTER_BYTES_MAX)
    return {
      fault: `job_after.txt is larger than ${AFTER_BYTES_MAX / 1024} KiB. It must be a list of names, one a line`,
    };
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { fault: "job_after.txt is not UTF-8 text. Save it as UTF-8, one name a line" };
  }
  const found = new Map<string, Named>();
  for (const [i, line] of text.split("\n").entries()) {
    const dependency = dependencyOf(line);
    if (dependency === undefined) continue;
    const fault = faultOfName(dependency.name);
    if (fault) return { fault: `job_after.txt, line ${i + 1}: ${fault}` };
    found.set(`${dependency.any} ${dependency.name}`, dependency);
  }
  return { dependencies: [...found.values()] };
}

/** The text of a job_after.txt with these lines. A name that ends in a space cannot be written, nor one of two lines. */
export function afterText(dependencies: readonly Named[]): string {
  return dependencies
    .map(({ name, any }) => `${any ? "any " : ""}${NEEDS_COVER.test(name) ? "./" : ""}${name}\n`)
    .join("");
}

/** Names that begin like something else in this file. */
const NEEDS_COVER = /^(any[ \t]|#|[ \t\r]|\ufeff)/;

function dependencyOf(line: string): Named | undefined {
  const text = line.replace(/^[ \t\r]+|[ \t\r]+$/g, "");
  if (text === "" || text.startsWith("#")) return undefined;
  const any = /^any[ \t]+(.*)$/s.exec(text);
  // A name that begins like a word of this file is protected by "./"; a shell completes folders with "/".
  const name = (any?.[1] ?? text).replace(/^\.\//, "").replace(/\/$/, "");
  return { name, any: any !== null };
}

/** No file system takes a longer one. */
const NAME_BYTES_MAX = 255;

function faultOfName(name: string): string | undefined {
  if (name === "") return "there is no name";
  if (name.includes("/")) return `"${name}" is a path. Write the name of the job's folder alone`;
  if (name.includes("\0")) return "a name with a NUL byte. It must be a list of names, one a line";
  if (new TextEncoder().encode(name).length > NAME_BYTES_MAX) return `a name of more than ${NAME_BYTES_MAX} bytes`;
  if (name.startsWith(".")) return `"${name}" is a hidden name, and no job has one`;
  return undefined;
}

/** The jobs that it names; none where it cannot be understood. */
export function dependenciesIn(read: AfterRead): readonly Named[] {
  return "fault" in read ? [] : read.dependencies;
}

/** So many jobs are named in a reason; of the others, how many. */
const NAMED_MAX = 3;

/** What follows from how the jobs stand. One that failed outweighs those that have not ended: nothing can mend it. */
export function verdictOf(dependencies: readonly Named[], stateOf: (name: string) => JobState): Verdict {
  const waits: { name: string; any: boolean; state: Unended }[] = [];
  for (const { name, any } of dependencies) {
    const state = stateOf(name);
    if (state.is !== "ended") waits.push({ name, any, state });
    else if (!any && state.result !== "succeeded") return failedAfter(name, state);
  }
  if (waits.length === 0) return { is: "met" };
  const shown = waits.slice(0, NAMED_MAX).map(({ name, state }) => waitOf(name, state));
  const more = waits.length - shown.length;
  const why = `waits for ${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  const behind = waits.flatMap(({ any, state }): Behind[] =>
    state.is === "going" && state.queued ? [{ ...state.queued, needs: any ? "end" : "success" }] : [],
  );
  return { is: "waits", why, ...(behind.length === waits.length && { behind }) };
}

type Unended = Exclude<JobState, { is: "ended" }>;

function waitOf(name: string, state: Unended): string {
  if (state.is === "going") return `"${name}" (${state.word})`;
  if (state.is === "unclear") return `"${name}" (${state.why})`;
  const nearest = state.nearest ?? [];
  const hint = nearest.length > 0 ? `; nearest names: ${nearest.map((one) => `"${one}"`).join(", ")}` : "";
  return `"${name}" (there is no job of this name yet${hint})`;
}

/** The cause is told, not the chain: a thousandth job must not repeat the sentences of all before it. */
function failedAfter(name: string, state: Extract<JobState, { is: "ended" }>): Verdict {
  const { result, why, after } = state;
  const cause = after ?? { name, is: result, why };
  const because = `"${cause.name}" ${pastOf(cause.is)}: ${cause.why}`;
  return {
    is: "failed",
    cause,
    why:
      after === undefined
        ? `It was to run after "${name}", which ${pastOf(result)}: ${why}`
        : `It was to run after "${name}", which ${pastOf(result)}, because ${because}`,
  };
}

function pastOf(result: Result): string {
  return result === "succeeded" || result === "failed" ? result : `was ${result}`;
}

/** Jobs that wait for each other, so that none of them can ever start. */
export interface Circle {
  /** One way around: each waits for the next, and the last for the first, which is the first by name. */
  readonly names: readonly string[];
  /** All that are tied up in it. */
  readonly members: ReadonlySet<string>;
}

/** All circles of a graph that says of each job which others it waits for. Each member is in one of them. */
export function circlesOf(graph: ReadonlyMap<string, readonly string[]>): Circle[] {
  return knotsOf(graph).map((members) => ({ names: wayAround(graph, members), members }));
}

/** Tarjan's strongly connected components, without recursion: a chain may have 100,000 links. */
function knotsOf(graph: ReadonlyMap<string, readonly string[]>): ReadonlySet<string>[] {
  const knots: ReadonlySet<string>[] = [];
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  const enter = (name: string) => {
    index.set(name, index.size);
    low.set(name, index.size - 1);
    open.push(name);
    isOpen.add(name);
    return { name, next: 0 };
  };
  const lower = (name: string, to: number | undefined) => {
    low.set(name, Math.min(low.get(name) ?? 0, to ?? 0));
  };
  for (const start of graph.keys()) {
    if (index.has(start)) continue;
    const path = [enter(start)];
    for (let at = path.at(-1); at !== undefined; at = path.at(-1)) {
      const after = graph.get(at.name)?.[at.next++];
      if (after === undefined) {
        path.pop();
        const before = path.at(-1);
        if (before) lower(before.name, low.get(at.name));
        if (low.get(at.name) !== index.get(at.name)) continue;
        const members = open.splice(open.lastIndexOf(at.name));
        for (const member of members) isOpen.delete(member);
        if (members.length > 1 || graph.get(at.name)?.includes(at.name)) knots.push(new Set(members));
      } else if (!index.has(after)) {
        if (graph.has(after)) path.push(enter(after));
      } else if (isOpen.has(after)) lower(at.name, index.get(after));
    }
  }
  return knots;
}

/** The shortest way from the first member by name back to itself. */
function wayAround(graph: ReadonlyMap<string, readonly string[]>, members: ReadonlySet<string>): string[] {
  const [first = ""] = [...members].sort();
  const cameFrom = new Map<string, string>();
  const queue = [first];
  for (const at of queue) {
    for (const next of graph.get(at) ?? []) {
      if (next === first) {
        const way = [at];
        for (let back = cameFrom.get(at); back !== undefined; back = cameFrom.get(back)) way.unshift(back);
        return way;
      }
      if (!members.has(next) || cameFrom.has(next)) continue;
      cameFrom.set(next, at);
      queue.push(next);
    }
  }
  return [first];
}

/** So many names of a circle are told. */
const CIRCLE_SHOWN = 6;

/** A circle in words. */
export function circleText({ names, members }: Circle): string {
  const shown = names.slice(0, CIRCLE_SHOWN).map((name) => `"${name}"`);
  const rest = names.length > CIRCLE_SHOWN ? ["..."] : [];
  const way = [...shown, ...rest, `"${names[0]}"`].join(" after ");
  if (members.size === 1) return `${way}: it can never start. Take its own name out of its job_after.txt`;
  return `${way}: these ${members.size} jobs can never start. Change job_after.txt in one of them`;
}
