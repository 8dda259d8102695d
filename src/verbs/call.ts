/** What a verb is given, whichever it is: its words, the settings, and what only the composition root knows. */
import type { Filter } from "../archive/filter.ts";
import type { Settings } from "../config/config.ts";
import type { Origins, RawOptions } from "../config/options.ts";
import type { Engine, Machine } from "../engine.ts";
import type { LaunchSurroundings } from "../launch/launcher.ts";
import type { LaunchValue } from "../launch/settings.ts";
import type { FeedProgram } from "../notify/target.ts";
import type { Paint } from "../paint.ts";
import type { EngineOrigin } from "../steps/world.ts";

/** Where a verb speaks, and how wide it may. */
export interface Terminal {
  /** Data, for stdout; bytes go there as they are. */
  out(text: string | Uint8Array): void;
  /** Messages, for stderr. */
  err(text: string): void;
  /** stdout is a terminal. */
  readonly isTerminal: boolean;
  /** Columns; of a pipe wide enough for a whole line. */
  width(): number;
  readonly paint: Paint;
  /** Takes the whole terminal, until it is closed; undefined where stdout is none. */
  openScreen(): Screen | undefined;
  /** Asks a person; undefined where there is none to ask (stdin or stderr is no terminal). */
  ask(question: string): Promise<string | undefined>;
}

/** A terminal that one view has to itself. What was on it is there again after `close`, or a signal that ends the program. */
export interface Screen {
  height(): number;
  /** Shows these lines, of which each must fit, in place of what was there. */
  show(lines: readonly string[]): void;
  /** Resolves with the key that was pressed, "resize", or undefined after so many milliseconds. Ctrl-C is the key "\x03". */
  next(ms: number): Promise<string | undefined>;
  close(): void;
}

/** What a program said and how it ended. */
export interface Answer {
  /** undefined if a signal ended it, or it could not be started. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** "ENOENT" where there is no such program. */
  readonly errorCode: string | undefined;
  readonly timedOut: boolean;
}

/** One engine, as `jobmgr engines` tells of it. */
export interface EngineEntry {
  /** What is given to -e for it. */
  readonly word: string;
  /** Of one that cannot be loaded it is not known. */
  readonly name?: string;
  readonly version?: string;
  readonly summary?: string;
  /** Where one lies that does not come with jobmgr. */
  readonly from?: string;
  /** It is the one of this configuration, or of the root's manager. */
  readonly isInForce: boolean;
  /** Why it cannot run jobs on this machine, in a sentence; undefined if it can. */
  readonly absence?: string;
}

/** What the composition root knows and src does not: engines, processes, users. */
export interface Surroundings {
  /** How this very jobmgr is called, by absolute paths. */
  readonly command: readonly string[];
  /** Throws EngineError if it cannot run here. */
  makeEngine(): Promise<Engine>;
  /** The same, with that engine instead of the one of the configuration. */
  withEngine(engine: string): Surroundings;
  /** Of which version the engine is, and where it comes from. */
  engineOrigin(): Promise<EngineOrigin>;
  /**
   * The engine of jobs that an earlier manager has submitted, by the name and the place in their records. Throws
   * EngineError if it cannot be loaded, or cannot run here.
   */
  engineNamed(name: string, from: string | undefined): Promise<{ engine: Engine; origin: EngineOrigin }>;
  /** The engine for reading job.sh alone; where jobs cannot run, too. Throws EngineError `refused` for an unknown one. */
  makeReader(): Promise<Engine>;
  /** Why the engine cannot run jobs on this machine, as far as can be told without its scheduler; undefined if it can. */
  engineAbsence(): Promise<string | undefined>;
  /** All engines that come with jobmgr or are found here, and the one of this configuration. Loads all of them; never throws. */
  listEngines(): Promise<readonly EngineEntry[]>;
  readonly machine: Machine;
  /** Of jobmgr. */
  readonly version: string;
  readonly processStart: string;
  isAlive(pid: number, start: string): boolean;
  /** True if this process was started so that it survives the end of its terminal (nohup). */
  outlivesTerminal(): boolean;
  /** The uid of a user, by name or number; undefined if there is none. */
  uidOf(user: string): Promise<number | undefined>;
  /** Runs a program to its end, without a shell. Never throws. */
  runProgram(program: string, args: readonly string[], timeoutMs: number): Promise<Answer>;
  /** Runs a program that reads `input`, without a shell, until it ends or `stop` aborts. Never throws. */
  feedProgram: FeedProgram;
  /** What programs are launched with, in parallel and in the foreground. */
  launchers(): Promise<LaunchSurroundings>;
  /** Runs a program over a stream of bytes, without a shell. */
  readonly filter: Filter;
}

/** One call of a verb: what stands behind it on the command line, checked, and where it happens. */
export interface Call<Options = object> {
  readonly words: readonly string[];
  /** Those behind "--", for a verb that takes a command. */
  readonly command: readonly string[];
  readonly options: Options;
  readonly settings: Settings;
  /** What the settings were made of: the options as they were given, of each that is no flag where, and the files read. */
  readonly raw: RawOptions;
  readonly origins: Origins;
  readonly files: readonly string[];
  /** What these say of launchers: the values in force. */
  readonly launch: readonly LaunchValue[];
  readonly around: Surroundings;
  readonly terminal: Terminal;
}

/** Does it, and returns the exit code. */
export type Verb<Options = object> = (call: Call<Options>) => Promise<number>;
