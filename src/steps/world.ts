/**
 * The steps of a job, one file for each row of the stage table: the only code that changes a job's folder. Each may be
 * cut short anywhere, by a crash or an error, and done again; each ends with one rename. Each throws what the disk throws,
 * RecordError for records that cannot be believed, and LockError if another manager has taken over; the job is then in the
 * stage that it was in, or in the next. Here: what all of them are given.
 */
import type { ArchiveRules } from "../archive/rules.ts";
import type { Disk } from "../disk.ts";
import type { Engine, Machine, Token } from "../engine.ts";
import type { ReadyRules } from "../inbox/ready.ts";
import type { Intent, OutcomeRecord } from "../records.ts";
import type { RetryRules } from "../retry/retry.ts";
import type { Root } from "../root.ts";

/** A job on its way to complete/, for those who are to be told of it. */
export interface Ending {
  readonly token: Token;
  /** Its name in complete/. */
  readonly name: string;
  readonly record: OutcomeRecord;
  /** As people are told it; undefined for what was never submitted. */
  readonly id: string | undefined;
}

/** Who tells people that a job has ended. */
export interface Notices {
  /** Notes an end, durably, before the folder moves. Never throws: a job does not wait for its messages. Safe to repeat. */
  put(ending: Ending): Promise<void>;
}

/** What the records of a job say of its engine beside its name, so that a later manager can load it again. */
export interface EngineOrigin {
  readonly version: string;
  /** Of an engine that does not come with jobmgr: the package, or the absolute path of the file. */
  readonly from?: string;
}

/** What the intents of a world's jobs say of their engine. */
export function engineIn({ engine, origin }: Pick<World, "engine" | "origin">): Pick<Intent, "engine" | "engineFrom"> {
  return { engine: engine.name, ...(origin?.from !== undefined && { engineFrom: origin.from }) };
}

/** All that a step may touch or ask. */
export interface World {
  readonly disk: Disk;
  readonly root: Root;
  readonly engine: Engine;
  readonly origin?: EngineOrigin;
  readonly machine: Machine;
  readonly rules: ReadyRules;
  readonly groupWritable: boolean;
  /** When a job is run again that says nothing of it itself; undefined: never. */
  readonly retry?: RetryRules;
  /** Where nobody is to be told, there is none. */
  readonly notices?: Notices | undefined;
  readonly archives?: ArchiveRules;
  /** Throws if another manager has taken over; called before every step that others could see. */
  assertOwned(): void;
}
