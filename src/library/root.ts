/** An open root: what a program does with it. */
import { join } from "node:path";
import { CopyError } from "../change/copy-tree.ts";
import { jobOfName, putIn, putInUnlessThere, type Source, sweepSubmissions } from "../change/put-in.ts";
import { sourceOf } from "../change/sources.ts";
import type { Stager } from "../change/staging.ts";
import { type Disk, realDisk } from "../disk.ts";
import type { Engine } from "../engine.ts";
import { FILES } from "../files.ts";
import { afterText } from "../inbox/after.ts";
import { managerOf, startCommand } from "../look/manager-state.ts";
import { ALL, reportOf } from "../look/overview.ts";
import { beginTrace } from "../look/trace.ts";
import { readWord } from "../manager-word.ts";
import { openRoot, type Root, setUpRoot } from "../root.ts";
import { faultOfScript, SCRIPT_BYTES_MAX } from "../script.ts";
import { AbsentError, type JobRef, lookForJobs } from "../selection.ts";
import type { Call } from "../verbs/call.ts";
import { managedBy, stagerOf } from "../verbs/each.ts";
import type {
  Job,
  JobRequest,
  JobRoot,
  RootChange,
  RootOptions,
  RootStatus,
  StatusOptions,
  SubmitOptions,
  WatchOptions,
} from "./api.ts";
import { JobThereError, RequestError } from "./errors.ts";
import { Gate } from "./gate.ts";
import { FollowedJob } from "./job.ts";
import { checkRequest, directivesOf, outputFolders, scriptOfCommands, scriptWith } from "./job-script.ts";
import { Lookout } from "./lookout.ts";
import type { OwnManager } from "./manager.ts";
import { checkShape, STATUS_OPTIONS, SUBMIT_OPTIONS, WATCH_OPTIONS } from "./shapes.ts";
import { changesOf } from "./watch.ts";

/** What a verb is given, but for what is printed. `engine`: in place of the one that is configured. */
export type CallOf = (engine: string | undefined) => Omit<Call, "terminal">;

type JobSource = Exclude<Source, { is: "archive" }>;

/** So many jobs are submitted or cancelled at a time: each holds files open while the device writes them. */
const CHANGES_MAX = 16;

/** So many that have ended are shown, as by `jobmgr status --json`. */
const FINISHED_SHOWN = 10;

/** Opens it. Throws RootError, ConfigError; with `manage` also LockError and EngineError. */
export async function openJobRoot(path: string, options: RootOptions, callOf: CallOf): Promise<OpenRoot> {
  const root = options.setUp ? (await setUpRoot(realDisk, path)).root : openRoot(realDisk, path);
  const open = new OpenRoot(root, options, callOf);
  if (options.manage) await open.manage();
  return open;
}

/** One root that a program has open. */
export class OpenRoot implements JobRoot {
  readonly path: string;
  readonly #disk: Disk = realDisk;
  readonly #root: Root;
  readonly #lookout: Lookout;
  readonly #options: RootOptions;
  readonly #log: RootOptions["log"];
  readonly #callOf: CallOf;
  readonly #call: Omit<Call, "terminal">;
  readonly #by: Stager;
  readonly #closed = new AbortController();
  /** Engines that read what is submitted, by the word that names each; none for the one that is configured. */
  readonly #readers = new Map<string | undefined, Promise<Engine>>();
  readonly #changes = new Gate(CHANGES_MAX);
  #swept: Promise<void> | undefined;
  #manager: OwnManager | undefined;

  constructor(root: Root, options: RootOptions, callOf: CallOf) {
    this.path = root.path;
    this.#root = root;
    this.#options = options;
    const { log } = options;
    // What it throws is the program's fault, and not that of the manager or the engine.
    this.#log = log && ((line) => queueMicrotask(() => log(line)));
    this.#callOf = callOf;
    this.#call = callOf(options.engine);
    this.#by = stagerOf(this.#call);
    this.#lookout = new Lookout(this.#disk, root, () => this.#warn());
  }

  /** Runs the manager here, from now on. */
  async manage(): Promise<void> {
    const { startManager } = await import("./manager.ts");
    this.#manager = await startManager(this.#call, {
      log: this.#log,
      failed: (error) => this.#lookout.close(error),
    });
  }

  /** Stops the manager. Jobs go on. */
  async unmanage(): Promise<void> {
    await this.#manager?.stop();
    this.#manager = undefined;
  }

  submit(request: JobRequest, options: SubmitOptions = {}): Promise<Job> {
    return this.#changes.through(() => this.#submit(request, options));
  }

  async #submit(request: JobRequest, options: SubmitOptions): Promise<Job> {
    this.#lookout.throwIfOver();
    checkShape(options, SUBMIT_OPTIONS, "submit()");
    const { signal } = options;
    signal?.throwIfAborted();
    checkRequest(request);
    const there = request.ifThere === "number" ? undefined : jobOfName(this.#disk, this.#root, request.name);
    if (there) return this.#adopted(request, there);
    const made = await this.#sourceOf(request);
    const { script } = made;
    const source = signal === undefined ? made.source : abortable(made.source, signal);
    const additions = {
      hold: false,
      after: this.#afterLines(request),
      folders: outputFolders(request),
      ...(script !== undefined && { script }),
    };
    await this.#sweep();
    const put = request.ifThere === "number" ? putIn : putInUnlessThere;
    const trace = await put(this.#disk, this.#root, request.name, source, additions, this.#by).catch(asRequestError);
    if (trace === undefined) {
      const first = jobOfName(this.#disk, this.#root, request.name);
      if (first) return this.#adopted(request, first);
      throw new JobThereError(`There was a job ${JSON.stringify(request.name)} in ${this.path} a moment ago.`);
    }
    // Others see by themselves what comes.
    this.#manager?.lookSoon();
    return this.#followed(trace.name, trace);
  }

  async job(name: string): Promise<Job> {
    this.#lookout.throwIfOver();
    if (typeof name !== "string") throw new RequestError("job() needs the name of a job");
    return this.#found(name);
  }

  async status(options: StatusOptions = {}): Promise<RootStatus> {
    this.#lookout.throwIfOver();
    checkShape(options, STATUS_OPTIONS, "status()");
    return this.#statusNow(options);
  }

  async *watch(options: WatchOptions = {}): AsyncGenerator<RootChange, void, undefined> {
    this.#lookout.throwIfOver();
    checkShape(options, WATCH_OPTIONS, "watch()");
    const { signal, everyMs } = options;
    if (everyMs !== undefined && !(everyMs > 0))
      throw new RequestError(`everyMs is ${everyMs}: it must be a number of milliseconds`);
    yield* changesOf({
      everyMs,
      stop: signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]),
      look: () => this.#statusNow(options),
      isThere: (name) => jobOfName(this.#disk, this.#root, name) !== undefined,
    });
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#lookout.close();
    await this.unmanage();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #statusNow({ finishedMax = FINISHED_SHOWN, waitingMax = Number.POSITIVE_INFINITY }: StatusOptions): RootStatus {
    const { around, settings } = this.#call;
    const observer = { host: around.machine.host, isAlive: around.isAlive, patienceS: settings.lockPatienceS };
    const most = { ...ALL, finished: finishedMax, waiting: waitingMax };
    const manager = managerOf(this.#disk, this.#root, observer);
    return reportOf(this.#disk, this.#root, manager, { failedOnly: false, most });
  }

  /** Throws AbsentError. */
  #found(name: string): Job {
    const job = jobInPlaces(this.#disk, this.#root, name);
    if (job) return this.#followedAt(job);
    const [why] = lookForJobs(this.#disk, this.#root, [name]).absent;
    throw new AbsentError(why ?? `There is no job ${JSON.stringify(name)} in ${this.path}.`);
  }

  #adopted({ name, ifThere }: JobRequest, there: JobRef): Job {
    if (ifThere === "adopt") return this.#followedAt(there);
    throw new JobThereError(
      `There is a job ${JSON.stringify(name)} in ${this.path}/${there.place} already. To take that one: ifThere: "adopt"; to run another: ifThere: "number".`,
    );
  }

  #followedAt(job: JobRef): Job {
    return this.#followed(job.name, beginTrace(this.#disk, this.#root, job));
  }

  #followed(id: string, trace: Parameters<Lookout["chase"]>[0]): Job {
    const office = {
      disk: this.#disk,
      root: this.#root,
      lookout: this.#lookout,
      changes: this.#changes,
      whyNothingGoesOn: () => this.#whyNothingGoesOn(),
      nudge: () => (this.#manager ? this.#manager.lookNow() : managedBy(this.#call, this.#root).nudge()),
    };
    return new FollowedJob(id, office, this.#lookout.chase(trace));
  }

  /** In a sentence, where nobody manages the root, as far as can be seen. Never throws. */
  #whyNothingGoesOn(): string | undefined {
    try {
      if (this.#manager || managedBy(this.#call, this.#root).owner) return undefined;
      const { engine = this.#call.settings.engine, engineFrom } = readWord(this.#disk, this.#root);
      const command = startCommand(this.#root, { engine, engineFrom });
      return `No manager is running for ${this.path}, and without one no job is started or seen to end: ${command} (or manage: true in the program).`;
    } catch {
      // A disk that does not answer tells nothing of it.
      return undefined;
    }
  }

  /** Tells a program that it waits where nothing goes on; false if it does. Between two passes that cron starts, all is well. */
  #warn(): boolean {
    const why = this.#whyNothingGoesOn();
    if (why === undefined || isRecent(readWord(this.#disk, this.#root).at)) return false;
    if (this.#log) this.#log(why);
    else process.emitWarning(why, { type: "JobmgrWarning", code: "JOBMGR_NO_MANAGER" });
    return true;
  }

  /** What it is made of; and its job.sh, where that is not as it lies there. */
  async #sourceOf(request: JobRequest): Promise<{ source: JobSource; script?: string }> {
    const directives = await directivesOf(request, () => this.#readerOfJobs());
    if (request.commands) return { source: { is: "command", text: scriptOfCommands(request, directives) } };
    if (request.script !== undefined)
      return { source: { is: "command", text: scriptWith(request, request.script, directives) } };
    const { finishedFile } = this.#call.settings;
    const found = sourceOf(this.#disk, this.#root, request.folder ?? "", { name: request.name, finishedFile });
    if ("fault" in found) throw new RequestError(found.fault);
    if (found.source.is !== "folder") throw new RequestError(`${request.folder} is no folder.`);
    if (directives.length === 0 && request.env === undefined) return { source: found.source };
    return { source: found.source, script: scriptWith(request, this.#scriptIn(found.source.path), directives) };
  }

  /** The text of a job.sh to which something is to be added. */
  #scriptIn(folder: string): string {
    const path = join(folder, FILES.script);
    if (this.#disk.look(path)?.kind !== "file")
      throw new RequestError(`${path} is not a file, so that nothing can be added to it.`);
    const bytes = this.#disk.read(path, SCRIPT_BYTES_MAX + 1) ?? Buffer.alloc(0);
    const fault = faultOfScript(bytes);
    if (fault) throw new RequestError(`${path}: ${fault}`);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      throw new RequestError(`${path} is not UTF-8 text, so that nothing can be added to it.`);
    }
  }

  /** Once, removes what programs left that were killed. */
  async #sweep(): Promise<void> {
    this.#swept ??= sweepSubmissions(this.#disk, this.#root, this.#by);
    try {
      await this.#swept;
    } catch (error) {
      this.#swept = undefined;
      throw error;
    }
  }

  /** The engine that will run what is submitted, as far as can be known: that of the manager, unless it was named. */
  #readerOfJobs(): Promise<Engine> {
    const isNamed = this.#options.engine !== undefined || this.#manager !== undefined;
    const said = isNamed ? undefined : readWord(this.#disk, this.#root);
    const word = said?.engineFrom ?? said?.engine;
    const known = this.#readers.get(word);
    if (known) return known;
    const call = word === undefined ? this.#call : this.#callOf(word);
    const reader = call.around.makeReader();
    this.#readers.set(word, reader);
    // What is not there now may be there when it is asked for again.
    reader.catch(() => this.#readers.delete(word));
    return reader;
  }

  /** Lines of job_after.txt. Throws AbsentError for a job that is not there, RequestError for one that cannot be named there. */
  #afterLines({ after = [], afterAny = [] }: JobRequest): string[] {
    const lines = (jobs: readonly (string | Pick<Job, "id">)[], any: boolean) =>
      jobs.map((job) => {
        const name = typeof job === "string" ? job : job.id;
        if (!jobOfName(this.#disk, this.#root, name))
          throw new AbsentError(
            `There is no job ${JSON.stringify(name)} in ${this.path} that another could run after.`,
          );
        if (/[\n\r]|^\s|\s$/.test(name))
          throw new RequestError(`No job can run after ${JSON.stringify(name)}: its name has blanks or line ends`);
        return afterText([{ name, any }]).trimEnd();
      });
    return [...new Set([...lines(after, false), ...lines(afterAny, true)])];
  }
}

const RECENT_MS = 10 * 60_000;

function isRecent(at: string | undefined): boolean {
  return at !== undefined && Date.now() - Date.parse(at) < RECENT_MS;
}

/** Of several jobs of one name the one that goes on. */
function jobInPlaces(disk: Disk, root: Root, name: string): JobRef | undefined {
  const first = jobOfName(disk, root, name);
  if (first?.place !== "inbox") return first;
  const isPending = disk.look(join(root.pending, name)) !== undefined;
  return isPending ? { place: "pending", name } : first;
}

/** Each file is asked for before it is copied. */
function abortable(source: JobSource, signal: AbortSignal): JobSource {
  signal.throwIfAborted();
  if (source.is !== "folder") return source;
  const keeps: typeof source.keeps = (...file) => {
    signal.throwIfAborted();
    return source.keeps(...file);
  };
  return { ...source, keeps };
}

/** What cannot be copied. */
function asRequestError(error: unknown): never {
  throw error instanceof CopyError ? new RequestError(error.message) : error;
}
