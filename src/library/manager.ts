/** A manager in this very process: begun, told to look, stopped. */
import { EngineError } from "../engine-error.ts";
import type { Manager } from "../manager.ts";
import { makePaint } from "../paint.ts";
import type { Call, Terminal } from "../verbs/call.ts";
import { manageRoot } from "../verbs/run.ts";
import { ManagerError } from "./errors.ts";

/** One that runs, or did. */
export interface OwnManager {
  /** It looks at the root. */
  lookSoon(): void;
  /** It asks the engine as well. */
  lookNow(): void;
  /** Resolves when it has ended, having been told to or not. Jobs go on. Never throws. */
  stop(): Promise<void>;
}

/** What is told of it. */
export interface Ears {
  readonly log: ((line: string) => void) | undefined;
  /** It has ended, and nobody has stopped it. */
  readonly failed: (error: ManagerError) => void;
}

/**
 * Begins to manage the root; resolves when the root is its own. Throws RootError, LockError, EngineError, ConfigError.
 * Signals are the program's own affair: one that ends it leaves the root to the next manager, and jobs go on.
 */
export async function startManager(call: Omit<Call, "terminal">, ears: Ears): Promise<OwnManager> {
  if (call.settings.dryRun)
    throw new EngineError(
      "refused",
      "DryRunEngine shows what would be done, and runs no jobs: there is nothing to manage.",
    );
  let manager: Manager | undefined;
  let isStopping = false;
  let began = () => {};
  const begun = new Promise<void>((done) => {
    began = done;
  });
  // Verbs of other programs tell a manager by this signal that there is news; without a listener Node would open a debugger.
  const look = () => manager?.lookNow();
  const ended = manageRoot({ ...call, terminal: terminalOf(ears.log) }, (made) => {
    manager = made;
    process.on("SIGUSR1", look);
    began();
    return { signal: undefined };
  }).finally(() => process.off("SIGUSR1", look));
  await Promise.race([begun, ended]);
  const over = ended.then(
    () => failed("it was to stop after so many failed jobs (max-errors)"),
    (error: Error) => failed(error.message, error),
  );
  return {
    lookSoon: () => manager?.lookSoon(),
    lookNow: look,
    async stop() {
      isStopping = true;
      manager?.stop();
      await over;
    },
  };

  function failed(why: string, cause?: Error): void {
    if (isStopping) return;
    ears.failed(new ManagerError(`The manager of ${call.settings.root} has stopped: ${why}`, { cause }));
  }
}

/** For a manager that speaks to a program. */
function terminalOf(log: Ears["log"]): Terminal {
  let line = "";
  const hear = (text: string | Uint8Array) => {
    const lines = (line + (typeof text === "string" ? text : "")).split("\n");
    line = lines.pop() ?? "";
    if (log) for (const whole of lines) log(whole);
  };
  return {
    out: hear,
    err: hear,
    isTerminal: false,
    width: () => WIDTH,
    paint: makePaint(false),
    openScreen: () => undefined,
    ask: async () => undefined,
  };
}

const WIDTH = 200;
