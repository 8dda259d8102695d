/**
 * LocalEngine: runs jobs on this machine, each in a session of its own, so that they go on whatever becomes of the
 * manager. What it knows beyond this process lies in the runner's `started` records: {boot, pid, start time}.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import { availableParallelism, constants as os } from "node:os";
import { dirname, join, normalize } from "node:path";
import type {
  Attempt,
  Ended,
  Engine,
  Found,
  Handle,
  Machine,
  News,
  Plan,
  Request,
  Resources,
  Scale,
  Submitted,
  Symptom,
  Token,
} from "../../src/engine.ts";
import { EngineError, isEngineError } from "../../src/engine-error.ts";
import { isReservedName } from "../../src/files.ts";
import { outputName, shortId } from "../../src/outputs.ts";
import { EXIT, NOT_RUN, parseExit, parseStarted, quoted, recordName, STARTED, type Started } from "../../src/runner.ts";
import type { Script } from "../../src/script.ts";
import { findByCommand, findByFolder, isAlive, isJobAlive, startOf, thisMachine } from "../process.ts";
import { remarksOn } from "../sbatch-remarks.ts";
import { sbatchLines } from "../sbatch-request.ts";
import { shellFor } from "../shell.ts";
import { diagnosis } from "./diagnosis.ts";
import { type Directives, readDirectives } from "./directives.ts";
import { DISPATCHER, Dispatchers } from "./dispatcher.ts";
import { isWithoutGpu, machineResources } from "./resources.ts";

/** What is configured of LocalEngine. */
export interface LocalOptions {
  /** Places for jobs; a job takes as many as it asks for processors, and at most all. */
  readonly places: number;
  /** Seconds between TERM and KILL. */
  readonly graceS: number;
}

/** How often processes that are not our children are looked at. */
const ADOPTED_LOOK_MS = 500;

const TOKEN_IN_PATH = /\/\.jobmgr\/attempt-([0-9T]+-[0-9a-f]+)\//;

/** A task of an array, or the whole of a plain job: what this process saw of it. */
interface Child {
  readonly pid: number;
  readonly start: string;
  ended?: { code: number | null; signal: string | null };
  /** Why it could not be started at all. */
  readonly refused?: string;
}

/** "unstarted": its process has gone without having started job.sh. */
type TaskState = { readonly is: "waiting" | "running" } | { readonly is: "unstarted"; readonly word: string } | Ended;

/**
 * Runs jobs on this machine, each in a session of its own. What it started lives on without it: the next one finds it by
 * the claims that the runners wrote, and by their processes.
 */
export class LocalEngine implements Engine {
  readonly name = "LocalEngine";
  readonly maxJobsDefault = availableParallelism();
  readonly hasQueue = false;
  readonly #options: LocalOptions;
  readonly #machine: Machine = thisMachine();
  /** What this process started, by token and task. What it did not start is found by its records. */
  readonly #children = new Map<Token, Map<number | undefined, Child>>();
  /** Of the jobs that are to end: when each process group was sent its TERM. */
  readonly #cancelled = new Map<Token, Map<number, number>>();
  readonly #dispatchers = new Dispatchers(INHERITED, SHELL);
  #wake: () => void = () => {};
  #lookAgain: NodeJS.Timeout | undefined;

  constructor(options: LocalOptions) {
    this.#options = options;
  }

  /** One place for each core, unless told otherwise. */
  static forThisMachine(options: { jobsMax: number | undefined; graceS: number }): LocalEngine {
    return new LocalEngine({ places: options.jobsMax ?? availableParallelism(), graceS: options.graceS });
  }

  onNews(wake: () => void): void {
    this.#wake = wake;
  }

  plan(script: Script, scale: Scale = {}): Plan {
    const directives = readDirectives(script.text, scale.time);
    const jobName = script.jobName ?? directives.jobName ?? script.folderName;
    const ignored = [...directives.ignored];
    const places = Math.min(directives.cpus, this.#options.places);
    if (places < directives.cpus)
      ignored.push(`${directives.cpus} processors at a time (there are ${places} places, and it takes them all)`);
    return {
      jobName,
      shell: SHELL.join(" "),
      directives: Object.entries(directives.variables)
        .map(([name, value]) => `export ${name}=${value}\n`)
        .join(""),
      args: [],
      identity: { job: "-", restart: "0", task: "$JOBMGR_TASK" },
      limitS: directives.timeS,
      graceS: this.#options.graceS,
      tasks: directives.tasks,
      tasksAtOnce: Math.max(1, Math.min(directives.tasksAtOnce, Math.floor(this.#options.places / places))),
      places: places * Math.max(1, Math.min(directives.tasksAtOnce, Math.floor(this.#options.places / places))),
      outputs: outputsOf(directives, jobName, this.#machine.host, ignored),
      ignored,
      ...(directives.raised && { raised: [directives.raised] }),
      ...(directives.asked && { asked: directives.asked }),
    };
  }

  remarks(script: Script): readonly string[] {
    return remarksOn(script.text);
  }

  directives({ nodes = 1, ...others }: Request): readonly string[] {
    if (nodes > 1)
      throw new EngineError(
        "refused",
        `LocalEngine runs jobs on this machine alone, and ${nodes} nodes are asked for.`,
      );
    if ((others.gpus ?? 0) > 0 && isWithoutGpu())
      throw new EngineError("refused", "LocalEngine runs jobs on this machine alone, and that has no GPU.");
    return sbatchLines(others).filter((line) => !line.startsWith("#SBATCH --nodes="));
  }

  diagnose(): Promise<readonly Symptom[]> {
    return diagnosis(this.#options.places, INHERITED);
  }

  async resources(): Promise<Resources> {
    return machineResources();
  }

  outputId(attempt: Attempt): string {
    return shortId(attempt.token);
  }

  command(attempt: Attempt): string {
    return `${SHELL.join(" ")} ${/^[\w./~-]+$/.test(attempt.runner) ? attempt.runner : quoted(attempt.runner)}`;
  }

  async check(attempt: Attempt): Promise<void> {
    for (const output of attempt.plan.outputs)
      checkOutput(attempt, outputName(output, shortId(attempt.token), attempt.plan.tasks[0]));
  }

  async submit(attempt: Attempt): Promise<Handle> {
    const [first, ...others] = attempt.plan.tasks.slice(0, attempt.plan.tasksAtOnce);
    if (first === undefined && Dispatchers.canTake(attempt.plan.jobName, attempt.runner))
      return this.#dispatch(attempt);
    const { pid, start } = this.#start(attempt, first);
    // From here on it is submitted; a task that cannot start concerns only itself.
    for (const task of others) this.#startTask(attempt, task);
    return handleOf({ pid, start, ...this.#machine });
  }

  /** Starting happens at once or not at all, so what does not run now and has no claim never will. */
  async find(where: Attempt | { readonly folder: string }): Promise<Found> {
    const attempt = "token" in where ? where : undefined;
    if (attempt) {
      const claim = firstClaim(attempt);
      if (claim) return { is: "found", token: attempt.token, handle: handleOf(claim) };
      const elsewhere = this.#elsewhere(attempt.madeOn);
      if (elsewhere !== undefined) {
        return {
          is: "unsure",
          why: `it was started on ${elsewhere}, and only a manager there can tell what became of it`,
        };
      }
    }
    // The same root may be spelled in several ways; the token and the folder itself may not.
    const processes = attempt ? findByCommand(commandOf(attempt)) : findByFolder(where.folder);
    for (const { pid, start, command } of processes) {
      const token = TOKEN_IN_PATH.exec(command)?.[1] as Token | undefined;
      if (token === undefined) return { is: "unsure", why: `process ${pid} works in its folder (${command.trim()})` };
      return { is: "found", token, handle: handleOf({ pid, start, ...this.#machine }) };
    }
    return attempt && isBeingStarted(attempt) ? { is: "unsure", why: "it is about to be started" } : { is: "absent" };
  }

  async poll(jobs: readonly Submitted[]): Promise<ReadonlyMap<Token, News>> {
    const news = new Map<Token, News>();
    let unwatched = false;
    for (const job of jobs) {
      const answer = this.#newsOf(job);
      news.set(job.token, answer);
      if (answer.is === "ended") {
        this.#forget(job.token);
        continue;
      }
      if (this.#cancelled.has(job.token)) this.#askToEnd(job);
      if (!this.#isWatched(job)) unwatched = true;
    }
    if (unwatched) this.#lookAgainLater();
    return news;
  }

  async cancel(jobs: readonly Submitted[]): Promise<void> {
    for (const job of jobs) this.#askToEnd(job);
    if (jobs.length > 0) this.#lookAgainLater();
  }

  /** Sends each process group of a job its TERM, and KILL after the grace time. Done again by each poll, until it has ended. */
  #askToEnd(job: Submitted): void {
    const now = performance.now();
    const asked = this.#cancelled.get(job.token) ?? new Map<number, number>();
    this.#cancelled.set(job.token, asked);
    for (const pid of this.#livingGroups(job)) {
      const askedAtMs = asked.get(pid);
      if (askedAtMs === undefined) {
        if (signalGroup(pid, "SIGTERM")) asked.set(pid, now);
      } else if (now - askedAtMs > this.#options.graceS * 1000) {
        signalGroup(pid, "SIGKILL");
      }
    }
  }

  /** True if the end of a child of this process will tell of the job's. */
  #isWatched(job: Submitted): boolean {
    const children = [...(this.#children.get(job.token)?.values() ?? [])];
    return job.plan.tasks.length === 0 && !this.#cancelled.has(job.token) && children.some((child) => !child.ended);
  }

  // -- one task --

  /** Starts a plain job through a dispatcher, who knows its exit code, but not its process: the claim tells that. */
  async #dispatch(attempt: Attempt): Promise<Handle> {
    const { token, runner, plan } = attempt;
    const outputs = plan.outputs.map((output) => openOutput(attempt, outputName(output, shortId(token), undefined)));
    try {
      const [out = 0, err = out] = outputs;
      const child: Child = { pid: 0, start: "" };
      this.#childrenOf(token).set(undefined, child);
      const order = { id: shortId(token), name: plan.jobName, folder: attempt.folder, runner, out, err };
      const started = await this.#dispatchers.start(order, (code) => {
        if (code === undefined) this.#children.delete(token);
        else child.ended = { code, signal: null };
        this.#wake();
      });
      if (!started) throw new EngineError("ambiguous", "the shell that starts jobs has gone");
      return handleOf({ ...child, ...this.#machine });
    } finally {
      for (const fd of outputs) closeSync(fd);
    }
  }

  #start(attempt: Attempt, task: number | undefined): Child {
    const outputs = attempt.plan.outputs.map((output) =>
      openOutput(attempt, outputName(output, shortId(attempt.token), task)),
    );
    try {
      const [out, err = out] = outputs;
      const [shell, ...shellArgs] = SHELL;
      const child = spawn(shell, [...shellArgs, attempt.runner], {
        cwd: attempt.folder,
        detached: true,
        stdio: ["ignore", out, err],
        env: environmentOf(attempt, task),
      });
      if (child.pid === undefined) throw notSpawned(child);
      child.unref();
      return this.#watch(attempt.token, task, child, child.pid);
    } finally {
      for (const fd of outputs) closeSync(fd);
    }
  }

  /** Starts one task of an array. What cannot be started for good has ended; for now, is tried again at the next poll. */
  #startTask(attempt: Attempt, task: number | undefined): boolean {
    try {
      this.#start(attempt, task);
      return true;
    } catch (error) {
      if (isEngineError(error) && error.verdict === "refused")
        this.#childrenOf(attempt.token).set(task, { pid: 0, start: "", refused: error.message });
      return false;
    }
  }

  #childrenOf(token: Token): Map<number | undefined, Child> {
    const children = this.#children.get(token) ?? new Map<number | undefined, Child>();
    this.#children.set(token, children);
    return children;
  }

  #watch(token: Token, task: number | undefined, child: ChildProcess, pid: number): Child {
    const seen: Child = { pid, start: startOf(pid) ?? "" };
    this.#childrenOf(token).set(task, seen);
    child.on("exit", (code, signal) => {
      seen.ended = { code, signal };
      this.#wake();
    });
    return seen;
  }

  #newsOf(job: Submitted): News {
    const elsewhere = this.#elsewhere(claimOfHandle(job.handle));
    if (elsewhere !== undefined && this.#cancelled.has(job.token)) {
      return { is: "ended", word: `given up; it may still run on ${elsewhere}`, cause: "cancelled" };
    }
    if (elsewhere !== undefined) {
      return {
        is: "unknown",
        word: `it runs on ${elsewhere}, where a manager must be started to see its end; job_cancel gives it up`,
      };
    }
    const { tasks } = job.plan;
    const written = tasks.length > 0 ? new Set(readdirSync(job.records)) : undefined;
    const states = (written ? tasks : [undefined]).map((task) => ({
      task,
      state: this.#taskState(job, task, written),
    }));
    let running = states.filter(({ state }) => state.is === "running").length;
    if (tasks.length > 0 && !this.#cancelled.has(job.token)) {
      for (const { task, state } of states) {
        const mayStart = state.is === "waiting" || state.is === "unstarted";
        if (mayStart && running < job.plan.tasksAtOnce && this.#startTask(job, task)) running++;
      }
    }
    const waits =
      tasks.length > 0 && !this.#cancelled.has(job.token) && states.some(({ state }) => state.is === "waiting");
    if (running > 0 || waits) return { is: "running" };
    return worstOf(states.flatMap(({ state }) => (state.is === "ended" ? [state] : [])));
  }

  /** The host's name, if it is another machine. A host's name may change; its boot id does not, while it runs. */
  #elsewhere(machine: Machine): string | undefined {
    const here = machine.boot === this.#machine.boot || machine.host === this.#machine.host;
    return here ? undefined : machine.host;
  }

  /** `written`: the names of the records that are there, where it is known. */
  #taskState(job: Submitted, task: number | undefined, written?: ReadonlySet<string>): TaskState {
    const child = this.#children.get(job.token)?.get(task);
    if (child?.refused !== undefined) return { is: "ended", word: child.refused };
    if (child && !child.ended) return { is: "running" };
    if (written?.has(recordName(EXIT, task))) return { is: "ended", word: "ended" };
    const claim = written?.has(recordName(STARTED, task)) === false ? undefined : readClaim(job, task);
    if (!claim) {
      // Any other code than "not run" is job.sh's own, and the claim was destroyed.
      const code = child?.ended?.code ?? NOT_RUN;
      const ran = code !== NOT_RUN && code <= SIGNALLED;
      if (child?.ended)
        return { is: ran ? "ended" : "unstarted", word: wordOf(child.ended), ...(ran && codeOf(child.ended)) };
      if (job.plan.tasks.length > 0) return { is: "waiting" };
      const submitted = claimOfHandle(job.handle);
      const here = submitted.boot === this.#machine.boot;
      const known = isAlive(submitted.pid, submitted.start) || findByCommand(commandOf(job)).length > 0;
      if (here && (known || isBeingStarted(job))) return { is: "running" };
      return { is: "unstarted", word: "gone" };
    }
    const ended = written === undefined && hasExit(job, task);
    // A code of its own is the job's; but a copy that stepped aside has one too, and so has a runner that was killed.
    const own = child?.ended && claim.pid === child.pid && child.ended.code !== null && child.ended.code <= SIGNALLED;
    if (child?.ended && (ended || own)) {
      return { is: "ended", word: wordOf(child.ended), ...codeOf(child.ended) };
    }
    if (ended) return { is: "ended", word: "ended" };
    if (claim.boot !== this.#machine.boot)
      return { is: "ended", word: "the machine was restarted", cause: "interrupted" };
    if (isJobAlive(claim.pid, claim.start)) return { is: "running" };
    if (!child?.ended) return { is: "ended", word: "its process has gone" };
    const end = killed(child.ended);
    return { is: "ended", word: wordOf(end), ...codeOf(end) };
  }

  /** The claims of an attempt's tasks that have not ended. */
  #claims(job: Attempt): Started[] {
    const written = new Set(readdirSync(job.records));
    const tasks = job.plan.tasks.length > 0 ? job.plan.tasks : [undefined];
    const open = tasks.filter((task) => written.has(recordName(STARTED, task)) && !written.has(recordName(EXIT, task)));
    return open.map((task) => readClaim(job, task)).filter((claim) => claim !== undefined);
  }

  /** The leaders of the process groups in which something of a job still lives. */
  #livingGroups(job: Submitted): number[] {
    const claims = this.#claims(job).filter((claim) => claim.boot === this.#machine.boot);
    const children = [...(this.#children.get(job.token)?.values() ?? [])].filter(
      (child) => child.pid > 0 && !child.ended,
    );
    const submitted = claimOfHandle(job.handle);
    const unclaimed = submitted.boot === this.#machine.boot && submitted.pid > 0 ? [submitted] : [];
    const unknown = claims.length === 0 && children.length === 0 ? findByCommand(commandOf(job)) : [];
    const leaders = new Map([...unknown, ...unclaimed, ...children, ...claims].map(({ pid, start }) => [pid, start]));
    return [...leaders].filter(([pid, start]) => isJobAlive(pid, start)).map(([pid]) => pid);
  }

  #forget(token: Token): void {
    this.#children.delete(token);
    this.#cancelled.delete(token);
  }

  #lookAgainLater(): void {
    this.#lookAgain ??= setTimeout(() => {
      this.#lookAgain = undefined;
      this.#wake();
    }, ADOPTED_LOOK_MS).unref();
  }
}

// -- pure, and small --

/** A shell tells of a death by signal n as 128 + n. */
const SIGNALLED = 128;

/** What the command line of an attempt's runner holds, and nobody else's. */
function commandOf(attempt: Attempt): string {
  return `/attempt-${attempt.token}/run.sh`;
}

/** The process of a claim: all that a handle of this engine holds. */
type Claimed = Pick<Started, "pid" | "start" | "host" | "boot">;

function handleOf({ pid, start, host, boot }: Claimed): Handle {
  return `${pid}:${start}:${host}:${boot}` as Handle;
}

function claimOfHandle(handle: Handle): Claimed {
  const [pid, start = "", host = "", boot = ""] = handle.split(":");
  return { pid: Number(pid), start, host, boot };
}

/** A runner that leaves no exit record and a code over 128 was killed: the code is not job.sh's. */
function killed(ended: { code: number | null; signal: string | null }): { code: number | null; signal: string | null } {
  const number = (ended.code ?? 0) - SIGNALLED;
  if (number <= 0) return ended;
  const name = Object.entries(os.signals).find(([, one]) => one === number)?.[0];
  return { code: null, signal: name ?? `signal ${number}` };
}

function wordOf(ended: { code: number | null; signal: string | null }): string {
  return ended.signal === null ? `exit code ${ended.code}` : `killed by ${ended.signal}`;
}

function codeOf(ended: { code: number | null; signal: string | null }): { exitCode?: number; signal?: string } {
  return {
    ...(ended.code !== null && { exitCode: ended.code }),
    ...(ended.signal !== null && { signal: ended.signal }),
  };
}

/** One word for all tasks. */
function worstOf(ended: readonly Ended[]): Ended {
  const worst =
    ended.find((one) => one.cause) ?? ended.find((one) => one.signal) ?? ended.find((one) => one.exitCode !== 0);
  return worst ?? ended[0] ?? { is: "ended", word: "it never started" };
}

function outputsOf(directives: Directives, jobName: string, host: string, ignored: string[]): string[] {
  const isArray = directives.tasks.length > 0;
  const expand = (option: string, pattern: string | undefined): string | undefined => {
    if (pattern === undefined) return undefined;
    const safeName = jobName.replaceAll("/", "_");
    const name = pattern
      .replaceAll("%x", safeName)
      .replaceAll("%N", host)
      .replaceAll("%A", "%j")
      .replaceAll("%a", "%t");
    const path = normalize(name);
    const reserved = isReservedName(path) || path.startsWith(".jobmgr");
    if (reserved) ignored.push(`--${option}=${pattern} (that name has a meaning of its own)`);
    if (reserved) return undefined;
    const inside = !path.startsWith("/") && !path.startsWith("..") && path !== "." && !path.endsWith("/");
    if (!inside) ignored.push(`--${option}=${pattern} (it leads out of the job's folder)`);
    return inside ? path : undefined;
  };
  const output = expand("output", directives.output) ?? (isArray ? "job_output_%t.txt" : "job_output.txt");
  const error = expand("error", directives.error);
  return error === undefined || error === output ? [output] : [output, error];
}

const NAME_BYTES_MAX = 255;

function refuseOutput(output: string, why: string): EngineError {
  return new EngineError("refused", `Its output cannot go to ${output}: ${why}`);
}

/** No part of the way may be a link, which could lead out of the folder. */
function checkOutput(attempt: Attempt, output: string): void {
  if (output.split("/").some((part) => Buffer.byteLength(part) > NAME_BYTES_MAX))
    throw refuseOutput(output, "that name is too long.");
  for (let at = dirname(output); at !== "."; at = dirname(at)) {
    const kind = lstatSync(join(attempt.folder, at), { throwIfNoEntry: false });
    if (!kind) throw refuseOutput(output, `there is no folder ${at} in the job's folder.`);
    if (!kind.isDirectory()) throw refuseOutput(output, `${at} is not a folder.`);
  }
  const there = lstatSync(join(attempt.folder, output), { throwIfNoEntry: false });
  if (there?.isSymbolicLink()) throw refuseOutput(output, "it is a link, and links are not followed. Remove it.");
  if (there && !there.isFile()) throw refuseOutput(output, "it is not a regular file. Remove it.");
  if (there && there.nlink > 1)
    throw refuseOutput(output, "it has a second name (a hard link), which may be outside. Remove it.");
}

function openOutput(attempt: Attempt, output: string): number {
  checkOutput(attempt, output);
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = constants;
  let fd: number;
  try {
    fd = openSync(join(attempt.folder, output), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0o666);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "ENAMETOOLONG") throw refuseOutput(output, `${message}.`);
    throw error;
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw refuseOutput(output, "it is not a regular file. Remove it.");
}

/** spawn tells of its failure only later; the code is on the error that it emits. */
function notSpawned(child: ChildProcess): EngineError {
  child.on("error", () => {});
  return new EngineError(
    "unavailable",
    "its shell could not be started: the machine is out of processes or memory, or the job's folder has gone",
  );
}

/** Variables of this program's own surroundings, which are nothing to a job. */
const OURS = /^(NODE_|npm_|JOBMGR_)/;

/** Read once, for each look at process.env asks for every variable anew. */
const INHERITED = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OURS.test(name)));

const SHELL = shellFor(INHERITED);

function environmentOf(attempt: Attempt, task: number | undefined): NodeJS.ProcessEnv {
  const { tasks, jobName } = attempt.plan;
  return {
    ...INHERITED,
    JOBMGR_JOB_ID: shortId(attempt.token),
    JOBMGR_JOB_NAME: jobName,
    ...(task !== undefined && {
      JOBMGR_TASK: String(task),
      SLURM_ARRAY_TASK_ID: String(task),
      SLURM_ARRAY_TASK_COUNT: String(tasks.length),
      SLURM_ARRAY_TASK_MIN: String(tasks[0]),
      SLURM_ARRAY_TASK_MAX: String(tasks.at(-1)),
      SLURM_ARRAY_JOB_ID: shortId(attempt.token),
    }),
  };
}

/** False if there is no such group (yet). */
function signalGroup(leader: number, signal: NodeJS.Signals): boolean {
  // kill(2) takes 0 for the caller's own group, and -1 for everybody.
  if (!(leader > 1)) throw new Error(`${leader} is nobody's process group`);
  try {
    process.kill(-leader, signal);
    if (signal === "SIGTERM") process.kill(-leader, "SIGCONT");
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    return false;
  }
}

/** A dispatcher, of whatever manager, has an order for this job, whose runner cannot be seen yet. */
function isBeingStarted(attempt: Attempt): boolean {
  return findByFolder(attempt.folder).some(({ command }) => command.includes(DISPATCHER));
}

function readSmall(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function readClaim(job: Attempt, task: number | undefined): Started | undefined {
  const text = readSmall(join(job.records, recordName(STARTED, task)));
  const claim = text === undefined ? undefined : parseStarted(text);
  return claim?.token === job.token ? claim : undefined;
}

/** Any claim of an attempt shows that it was submitted. */
function firstClaim(job: Attempt): Started | undefined {
  const written = new Set(readdirSync(job.records));
  const tasks = job.plan.tasks.length > 0 ? job.plan.tasks : [undefined];
  const task = tasks.find((one) => written.has(recordName(STARTED, one)));
  return written.has(recordName(STARTED, task)) ? readClaim(job, task) : undefined;
}

function hasExit(job: Attempt, task: number | undefined): boolean {
  const text = readSmall(join(job.records, recordName(EXIT, task)));
  return text !== undefined && parseExit(text) !== undefined;
}
