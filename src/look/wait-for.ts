/**
 * Waits until jobs have ended, by looking: one look at each while nothing moves. Follows them through the inbox, pending
 * and complete, and back when they are run again.
 */
import { setTimeout } from "node:timers/promises";
import type { Disk } from "../disk.ts";
import { fileSystemKind } from "../file-systems.ts";
import type { Outcome } from "../outcome.ts";
import type { Root } from "../root.ts";
import type { JobRef } from "../selection.ts";
import { Chase } from "./chase.ts";
import { acquaint, beginTrace, strangersIn, type Trace } from "./trace.ts";

/** How a job stands when the wait is over. */
export interface Waited extends JobRef {
  /** "gone": moved away or removed; "unknown": it lies in complete/ without a record of its end. */
  readonly is: "going" | "ended" | "unknown" | "gone";
  readonly outcome?: Outcome;
}

/** So far. */
export interface Progress {
  readonly all: number;
  readonly done: number;
  readonly failed: number;
  readonly pending: number;
  readonly elapsedS: number;
}

/** How long and how patiently. Times in seconds; no timeout: for ever. */
export interface WaitRules {
  readonly timeoutS: number | undefined;
  readonly stop: AbortSignal;
  /** A job that is nowhere to be seen for so long has gone: what others move may take a while to show. */
  readonly patienceS: number;
  readonly progress: (progress: Progress) => void;
}

/** Looks at most so often, and at least so often; in between, each tenth of the time that it has taken. */
const LOOK_MS = { least: 200, most: 5000, share: 0.1 } as const;

/** Where jobs are before the wait begins. What else is there then is none of them, whatever its name. */
export class Waiting {
  readonly #disk: Disk;
  readonly #root: Root;
  readonly #strangers: Set<string>;
  readonly #jobs: Chase[] = [];

  constructor(disk: Disk, root: Root) {
    this.#disk = disk;
    this.#root = root;
    this.#strangers = strangersIn(disk, root);
  }

  /** Adds a job to those that are waited for. */
  add(job: JobRef | Trace): void {
    const at = "ino" in job ? job : beginTrace(this.#disk, this.#root, job);
    acquaint(this.#strangers, job);
    this.#jobs.push(new Chase(this.#disk, this.#root, at));
  }

  /** Resolves when all have ended, or the time is over, or it is to stop. */
  async wait(rules: WaitRules): Promise<Waited[]> {
    const beganMs = performance.now();
    const endMs = beganMs + (rules.timeoutS ?? Number.POSITIVE_INFINITY) * 1000;
    for (;;) {
      this.#look(rules);
      const now = performance.now();
      rules.progress(this.#progress((now - beganMs) / 1000));
      if (this.#jobs.every(({ end }) => end) || now >= endMs || rules.stop.aborted) return this.#waited();
      const pauseMs = Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, (now - beganMs) * LOOK_MS.share));
      // An abort ends the pause, and is seen at the next look.
      await setTimeout(Math.min(pauseMs, endMs - now), undefined, { signal: rules.stop }).catch(() => {});
    }
  }

  #look({ patienceS }: WaitRules): void {
    for (const job of this.#jobs) {
      try {
        job.look(this.#strangers, patienceS);
      } catch {
        // A disk that does not answer says nothing about the job.
      }
    }
  }

  #progress(elapsedS: number): Progress {
    const ended = this.#jobs.filter(({ end }) => end);
    return {
      all: this.#jobs.length,
      done: ended.length,
      failed: ended.filter(({ end }) => end?.outcome?.is !== "succeeded").length,
      pending: this.#jobs.filter(({ at, end }) => at.place === "pending" && !end).length,
      elapsedS,
    };
  }

  #waited(): Waited[] {
    return this.#jobs.map(({ place, name, end }) => ({ place, name, ...(end ?? { is: "going" }) }));
  }
}

/** Where others' machines move jobs too, a move shows late: caches of NFS and sshfs live for up to a minute. */
const PATIENCE_S = { local: 3, shared: 90 } as const;

/** After how many seconds a job has gone that is nowhere to be seen. */
export function patienceOf(disk: Disk, root: Root): number {
  const kind = fileSystemKind(disk.fileSystem(root.path).type);
  return kind.isShared || kind.isUnknown ? PATIENCE_S.shared : PATIENCE_S.local;
}
