/** One job, as a program has it in hand. All that it tells is read off the disk when it is asked. */
import { folderOfJob } from "../archive/finished.ts";
import { askToCancel } from "../change/requests.ts";
import type { Disk } from "../disk.ts";
import { diskErrorText, isDiskError } from "../disk-error.ts";
import type { Chase, ChaseEnd } from "../look/chase.ts";
import { historyOf } from "../look/history.ts";
import { outputsOf } from "../look/output-files.ts";
import { rowOf } from "../look/overview.ts";
import type { Root } from "../root.ts";
import { userName } from "../user-name.ts";
import type { Job, JobOutcome, JobRow, JobState, WaitOptions } from "./api.ts";
import { RequestError, ResultTimeoutError } from "./errors.ts";
import type { Gate } from "./gate.ts";
import type { Lookout } from "./lookout.ts";
import { checkShape, WAIT_OPTIONS } from "./shapes.ts";

const OUTPUT_BYTES_MAX = 1_000_000;

/** What its root does for a job. */
export interface Office {
  readonly disk: Disk;
  readonly root: Root;
  readonly lookout: Lookout;
  readonly changes: Gate;
  /** In a sentence, where nobody manages the root. Never throws. */
  whyNothingGoesOn(): string | undefined;
  /** The manager should look soon. */
  nudge(): void;
}

/** A job that was submitted, adopted or found. */
export class FollowedJob implements Job {
  readonly id: string;
  readonly #office: Office;
  readonly #chase: Chase;

  constructor(id: string, office: Office, chase: Chase) {
    this.id = id;
    this.#office = office;
    this.#chase = chase;
  }

  get state(): JobState {
    this.#look();
    const { end, place } = this.#chase;
    if (end) return end.is === "ended" ? (end.outcome?.is ?? "unknown") : end.is;
    if (place === "complete") return "unknown";
    const row = this.#row();
    if (place === "inbox") return row?.state === "held" ? "held" : "waiting";
    return row && hasStarted(row) ? "running" : "queued";
  }

  get folder(): string | undefined {
    this.#look();
    return this.#folder();
  }

  look(): JobRow | undefined {
    this.#look();
    return this.#row();
  }

  on(event: "start", listener: (job: Job) => void): () => void;
  on(event: "end", listener: (outcome: JobOutcome) => void): () => void;
  on(event: "start" | "end", listener: ((job: Job) => void) | ((outcome: JobOutcome) => void)): () => void {
    if (event !== "start" && event !== "end")
      throw new RequestError(`a job has no event ${JSON.stringify(event)}: it must be start or end`);
    if (typeof listener !== "function") throw new RequestError(`on(${JSON.stringify(event)}) needs a function`);
    const off = new AbortController();
    const answer = () => (event === "end" ? this.#outcome() : this.#start());
    this.#office.lookout.until<JobOutcome | Job | "never">(this.#chase, answer, { signal: off.signal }).then(
      // A fault of the listener is the program's, and not that of a promise which it does not know.
      (told) =>
        queueMicrotask(() => {
          if (!off.signal.aborted && told !== "never") (listener as (told: JobOutcome | Job) => void)(told);
        }),
      () => {},
    );
    return () => off.abort();
  }

  async cancel(reason?: string): Promise<boolean> {
    const { disk, root, changes } = this.#office;
    this.#look();
    if (this.#chase.end) return false;
    const text = reason?.trim() || `by ${userName()}, through a program (process ${process.pid}).`;
    const asked = await changes.through(() => askToCancel(disk, root, this.#chase.at, text));
    this.#office.nudge();
    if (asked.is === "no folder")
      throw new RequestError(
        `${this.id} has not been taken in yet: it cannot be cancelled, but removed from the inbox`,
      );
    return asked.is === "done" || asked.is === "already";
  }

  async result(options: WaitOptions = {}): Promise<JobOutcome> {
    checkShape(options, WAIT_OPTIONS, "result()");
    const { timeoutMs, signal } = options;
    if (timeoutMs !== undefined && !(timeoutMs >= 0))
      throw new RequestError(`timeoutMs is ${timeoutMs}: it must be a number of milliseconds`);
    const late = (fault: unknown) => {
      const why = isDiskError(fault) ? `It cannot be seen how it is: ${diskErrorText(fault)}` : undefined;
      const how = why ?? this.#office.whyNothingGoesOn() ?? "It goes on.";
      const text = `${this.id} has not ended within ${timeoutMs} ms. ${how}`;
      return new ResultTimeoutError(text, { cause: fault });
    };
    return this.#office.lookout.until(this.#chase, () => this.#outcome(), { signal, timeoutMs, late });
  }

  async output({ bytesMax = OUTPUT_BYTES_MAX }: { readonly bytesMax?: number | undefined } = {}): Promise<string> {
    const { disk } = this.#office;
    const folder = this.folder;
    const attempt = folder === undefined ? undefined : historyOf(disk, folder).attempts.at(-1);
    if (folder === undefined || attempt === undefined) return "";
    const { files } = outputsOf(disk, folder, attempt);
    return files.map(({ path }) => disk.readTail(path, bytesMax)?.toString("utf8") ?? "").join("");
  }

  /** "never": one that was refused or cancelled before. Undefined as long as it waits. */
  #start(): Job | "never" | undefined {
    const { end, place } = this.#chase;
    if (end) return this.#hasEverStarted(end) ? this : "never";
    const row = place === "pending" ? this.#row() : undefined;
    return row && hasStarted(row) ? this : undefined;
  }

  #look(): void {
    this.#office.lookout.look(this.#chase);
  }

  #folder(): string | undefined {
    const { disk, root } = this.#office;
    const { end, place, name } = this.#chase;
    if (end?.is === "gone") return undefined;
    const folder = folderOfJob(disk, root, { place, name });
    // How it ended is known; somebody may have removed it since.
    return end && disk.look(folder) === undefined ? undefined : folder;
  }

  #row(): JobRow | undefined {
    return this.#chase.end?.is === "gone" ? undefined : rowOf(this.#office.disk, this.#office.root, this.#chase);
  }

  #hasEverStarted({ is }: ChaseEnd): boolean {
    const { disk, root } = this.#office;
    const { place, name } = this.#chase;
    if (is === "gone") return false;
    return historyOf(disk, folderOfJob(disk, root, { place, name })).attempts.at(-1)?.startedAt !== undefined;
  }

  /** Undefined while it goes on. */
  #outcome(): JobOutcome | undefined {
    const { disk, root } = this.#office;
    const { end, place, name } = this.#chase;
    if (!end) return undefined;
    const unknown = (is: "gone" | "unknown", why: string) => ({ name, isSuccess: false, is, why });
    if (end.is === "gone") return { ...unknown("gone", "It was moved away or removed."), folder: undefined };
    const folder = this.#folder();
    if (!end.outcome)
      return { ...unknown("unknown", "It lies in complete/ without a record of how it ended."), folder };
    const { remedy, command: _command, ...outcome } = end.outcome;
    const attempt = historyOf(disk, folderOfJob(disk, root, { place, name })).attempts.findLast(
      ({ isInForce }) => isInForce,
    );
    const why = remedy === undefined ? outcome.why : `${outcome.why} ${remedy}`;
    return {
      name,
      folder,
      isSuccess: outcome.is === "succeeded",
      ...outcome,
      why,
      ...(attempt?.id !== undefined && { engineId: attempt.id }),
      ...timesOf(attempt ?? {}),
    };
  }
}

/** As status shows those that have started, and not arrived in complete/. */
const AFTER_START: ReadonlySet<string> = new Set(["running", "ending", "ended"]);

function hasStarted(row: JobRow): boolean {
  return row.startedAt !== undefined || AFTER_START.has(row.state);
}

type Times = Pick<JobOutcome, "submittedAt" | "startedAt" | "endedAt">;

function timesOf(texts: { readonly [K in keyof Times]?: string }): Times {
  const keys = ["submittedAt", "startedAt", "endedAt"] as const;
  const known = keys.filter((key) => texts[key] !== undefined);
  return Object.fromEntries(known.map((key) => [key, new Date(texts[key] ?? 0)]));
}
