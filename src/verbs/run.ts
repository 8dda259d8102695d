/** `jobmgr --root R`: the manager itself, until it is stopped, or for one pass. */
import { constants, userInfo } from "node:os";
import type { Settings } from "../config.ts";
import { realDisk } from "../disk.ts";
import type { Engine, Machine } from "../engine.ts";
import { EXIT } from "../exit-codes.ts";
import { openRootFolder } from "../group.ts";
import { type Lock, type Locker, takeLock } from "../lock.ts";
import { Log } from "../log.ts";
import { Manager } from "../manager.ts";
import { openFolder, ownersOf } from "../owners.ts";
import { Pass } from "../pass.ts";
import { openRoot, type Root, RootError } from "../root.ts";
import { PLACES } from "../stage.ts";
import type { Call, Surroundings, Terminal } from "./call.ts";

/** Exit codes of a manager that was stopped by a signal, as a shell would tell it. */
const SIGNAL_CODES: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** Runs, and returns the exit code. Throws RootError, LockError, UsageError. */
export async function run({ settings, around, terminal }: Call): Promise<number> {
  const root = openRoot(realDisk, settings.root);
  refuseOpenRoot(root, settings);
  const owners = await ownersOf(settings, around);
  const engine = await around.makeEngine();
  if (settings.groupWritable) for (const place of PLACES) openRootFolder(realDisk, root[place]);
  const lock = takeLock(realDisk, root, lockerOf(settings, around));
  const log = logOf(settings, terminal);
  try {
    return await manage(settings, {
      engine,
      machine: around.machine,
      root,
      owners,
      lock,
      log,
      isIgnored: around.isIgnored,
    });
  } finally {
    log.close();
    lock.release();
  }
}

interface Parts {
  readonly engine: Engine;
  readonly machine: Machine;
  readonly root: Root;
  readonly owners: ReadonlySet<number> | undefined;
  readonly lock: Lock;
  readonly log: Log;
  readonly isIgnored: Surroundings["isIgnored"];
}

async function manage(settings: Settings, parts: Parts): Promise<number> {
  const { engine, machine, root, owners, lock, log } = parts;
  const world = {
    disk: realDisk,
    root,
    engine,
    machine,
    rules: { settleS: settings.settleS, readyFile: settings.readyFile, finishedFile: settings.finishedFile, owners },
    groupWritable: settings.groupWritable,
    retry: settings.retry,
    assertOwned: () => lock.assertOwned(),
  };
  const limits = {
    jobsMax: settings.jobsMax ?? engine.maxJobsDefault,
    pendingMax: settings.pendingMax,
    delayS: settings.delayS,
    pauseFile: settings.pauseFile,
    prepareAhead: !settings.once && !engine.hasQueue,
    queryS: engine.hasQueue ? Math.max(settings.periodS, settings.queryS) : 0,
    queryLeastS: engine.hasQueue ? settings.queryS : 0,
  };
  const brakes = {
    errorsMax: settings.errorsMax,
    share: settings.errorShare,
    windowS: settings.errorWindowS,
    least: settings.errorLeast,
    coolDownS: settings.errorCoolDownS,
  };
  let pass: Pass | undefined;
  const makePass = (wake: () => void) => {
    pass = new Pass(world, limits, brakes, (event) => log.say(event), wake);
    return pass;
  };
  const schedule = {
    periodS: settings.periodS,
    once: settings.once,
    inbox: root.inbox,
    engineGivesHints: engine.onNews !== undefined,
  };
  const manager = new Manager(makePass, lock, schedule);
  engine.onNews?.(() => manager.hint());

  if (!settings.once) {
    log.print("Starting Job Manager: use ctrl-C to quit");
    log.print(`Watching inbox: ${root.inbox}`);
  }
  const stopped = listenToSignals(manager, log, parts.isIgnored);
  await manager.run();
  const { signal } = stopped;
  const going = pass?.running ?? 0;
  const left =
    going === 0
      ? "No job is running."
      : `${going} ${going === 1 ? "job goes" : "jobs go"} on; start jobmgr again to collect the results.`;
  if (signal) {
    log.print(`Stopped. ${left}`);
    if (pass?.isBusy) {
      // A disk that does not answer holds a step: it must not go on once another manager has the root.
      lock.release();
      dieOf(signal);
    }
    return SIGNAL_CODES[signal] ?? EXIT.failed;
  }
  const spent = pass?.spent;
  if (spent === undefined) return EXIT.ok;
  log.print(`Stopped: ${spent}. ${left}`);
  return EXIT.failed;
}

/** The first INT, TERM or HUP stops at the next step's end, the second at once. USR1: look now. */
function listenToSignals(
  manager: Manager,
  log: Log,
  isIgnored: Surroundings["isIgnored"],
): { signal: NodeJS.Signals | undefined } {
  const stopped: { signal: NodeJS.Signals | undefined } = { signal: undefined };
  const names = Object.keys(SIGNAL_CODES) as NodeJS.Signals[];
  for (const name of names.filter((one) => !isIgnored(constants.signals[one]))) {
    process.on(name, () => {
      if (stopped.signal) return dieOf(name);
      stopped.signal = name;
      log.print("Stopping: the step under way is finished, jobs are left running. Once more: stop at once.");
      manager.stop();
    });
  }
  process.on("SIGUSR1", () => manager.lookNow());
  return stopped;
}

/** Ends at once: an exit would wait for calls to a disk that does not answer. */
function dieOf(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

function logOf(settings: Settings, { isTerminal, paint, out, err }: Terminal): Log {
  return new Log({ level: settings.logLevel, file: settings.logFile, isTerminal, paint, out, err });
}

function lockerOf(settings: Settings, around: Surroundings): Locker {
  return {
    machine: around.machine,
    pid: process.pid,
    start: around.processStart,
    user: userName(),
    isAlive: (pid, start) => around.isAlive(pid, start),
    patienceS: settings.lockPatienceS,
  };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.()}`;
  }
}

/** What is in the inbox runs as this user; so not everybody may put something there. */
function refuseOpenRoot(root: Root, settings: Settings): void {
  const folder = openFolder(realDisk, root, settings);
  if (folder === undefined) return;
  throw new RootError(
    `Everybody may write to ${folder}, and what is dropped there runs as you. Close it (chmod o-w ${folder}), or accept it with --allow-shared.`,
  );
}
