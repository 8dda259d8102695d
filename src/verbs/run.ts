/** `jobmgr --root R`: the manager itself, until it is stopped, or for one pass. */
import type { BrakeRules } from "../brakes.ts";
import type { Settings } from "../config/config.ts";
import { realDisk } from "../disk.ts";
import type { Engine, Machine } from "../engine.ts";
import type { Event } from "../events.ts";
import { EXIT } from "../exit-codes.ts";
import { openRootFolder } from "../group.ts";
import { type Lock, type Locker, takeLock } from "../lock.ts";
import { Log } from "../log.ts";
import { Manager } from "../manager.ts";
import type { Metrics } from "../metrics.ts";
import type { Notifier } from "../notify/index.ts";
import { openFolder, ownersOf } from "../owners.ts";
import { type Limits, type LoadEngine, Pass } from "../pass/index.ts";
import { openRoot, type Root, RootError } from "../root.ts";
import { shellWord } from "../shell-word.ts";
import { PLACES } from "../stage.ts";
import type { EngineOrigin, World } from "../steps/world.ts";
import { StrayErrors } from "../stray-errors.ts";
import { userName } from "../user-name.ts";
import type { Call, Surroundings, Terminal } from "./call.ts";

/** Exit codes of a manager that was stopped by a signal, as a shell would tell it. */
const SIGNAL_CODES: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** Runs until a signal stops it, and returns the exit code. Throws RootError, LockError, UsageError. */
export async function run(call: Call): Promise<number> {
  if (call.settings.dryRun) return (await import("./dry-run.ts")).dryRun(call);
  return manageRoot(call, listenToSignals);
}

/** What stops a manager, and by which signal, if it was one. It is told of the manager just before that runs. */
export type Stops = (
  manager: Manager,
  log: Log,
  outlivesTerminal: Surroundings["outlivesTerminal"],
) => { readonly signal: NodeJS.Signals | undefined };

/** As run, for whoever stops it in a way of their own. */
export async function manageRoot({ settings, around, terminal }: Call, stops: Stops): Promise<number> {
  const root = openRoot(realDisk, settings.root);
  refuseOpenRoot(root, settings);
  const owners = await ownersOf(settings, around);
  const bare = await around.makeEngine();
  const origin = await around.engineOrigin();
  const { engine, metrics, meter } = await meteredOf(settings, root, bare, around);
  const makeNotifier = await notifierMaker(settings, root, around);
  if (settings.groupWritable) for (const place of PLACES) openRootFolder(realDisk, root[place]);
  const lock = takeLock(realDisk, root, lockerOf(settings, around));
  const log = logOf(settings, terminal);
  try {
    return await manage(settings, {
      engine,
      origin,
      load: async (name, from) => {
        const other = await around.engineNamed(name, from);
        const engine = meter(other.engine);
        return { ...other, engine, limits: limitsOf({ ...settings, jobsMax: undefined }, engine) };
      },
      machine: around.machine,
      root,
      owners,
      lock,
      log,
      outlivesTerminal: around.outlivesTerminal,
      metrics,
      notifier: makeNotifier?.({ assertOwned: () => lock.assertOwned(), say: (event) => log.say(event) }),
      filter: around.filter,
      stops,
    });
  } finally {
    log.close();
    lock.release();
  }
}

interface Parts {
  readonly engine: Engine;
  readonly origin: EngineOrigin;
  readonly load: LoadEngine;
  readonly machine: Machine;
  readonly root: Root;
  readonly owners: ReadonlySet<number> | undefined;
  readonly lock: Lock;
  readonly log: Log;
  readonly outlivesTerminal: Surroundings["outlivesTerminal"];
  readonly metrics: Metrics | undefined;
  readonly notifier: Notifier | undefined;
  readonly filter: Surroundings["filter"];
  readonly stops: Stops;
}

/** With --metrics, the calls of engines are counted, all of them together. */
async function meteredOf(
  { metricsFile }: Settings,
  root: Root,
  bare: Engine,
  { version }: Surroundings,
): Promise<{ engine: Engine; metrics: Metrics | undefined; meter: (engine: Engine) => Engine }> {
  if (metricsFile === undefined) return { engine: bare, metrics: undefined, meter: (engine) => engine };
  const { CallCounts, Metrics, metered } = await import("../metrics.ts");
  const counts = new CallCounts();
  const about = { engine: bare.name, version, node: process.version };
  const meter = (engine: Engine) => metered(engine, counts);
  return { engine: meter(bare), metrics: new Metrics(realDisk, root, metricsFile, counts, about), meter };
}

type Office = Pick<ConstructorParameters<typeof Notifier>[5], "assertOwned" | "say">;

/** Reads whom to tell, and what is needed for that. Throws ConfigError. Nothing is loaded where nobody is told. */
async function notifierMaker(
  { notify, once }: Settings,
  root: Root,
  around: Surroundings,
): Promise<((office: Office) => Notifier) | undefined> {
  if (!notify) return undefined;
  const [{ Notifier }, { LIMITS, targetsOf }] = await Promise.all([
    import("../notify/index.ts"),
    import("../notify/rules.ts"),
  ]);
  const { host } = around.machine;
  const writer = { user: userName(), host, rootId: root.id };
  const targets = await targetsOf(realDisk, notify, writer, (...order) => around.feedProgram(...order));
  const rules = { on: new Set(notify.on), isOnce: once, ...LIMITS };
  return (office) => new Notifier(realDisk, root, host, rules, targets, office);
}

/** Runs the manager to its end, and tells what can be told within these limits; the rest is left to the next one. */
async function runTelling(
  manager: Manager,
  once: boolean,
  notifier: Notifier | undefined,
  pass: () => Pass | undefined,
  isSignalled: () => boolean,
): Promise<void> {
  let patienceMs = 0;
  try {
    await manager.run();
    const jobs = pass();
    if (isSignalled()) patienceMs = STOP_TELLING_MS;
    else if (jobs && (once || jobs.spent !== undefined))
      await notifier?.flush(jobs, jobs.spent !== undefined, ONCE_TELLING_MS);
  } finally {
    await notifier?.close(patienceMs);
  }
}

/** How long the messages of one pass are waited for. */
const ONCE_TELLING_MS = 10_000;

/** How long a message that is under way may take when the manager is stopped. */
const STOP_TELLING_MS = 3_000;

async function manage(settings: Settings, parts: Parts): Promise<number> {
  const { engine, root, lock, log, notifier, metrics } = parts;
  let pass: Pass | undefined;
  const say = (event: Event) => {
    log.say(event);
    for (const ear of [notifier, metrics]) if (pass) ear?.hear(event, pass);
  };
  const makePass = (wake: () => void) => {
    const load: LoadEngine = async (name, from) => {
      const other = await parts.load(name, from);
      stray.listenTo(name, from);
      return other;
    };
    pass = new Pass(worldOf(settings, parts), limitsOf(settings, engine), brakesOf(settings), say, wake, load);
    return pass;
  };
  const schedule = {
    periodS: settings.periodS,
    once: settings.once,
    inbox: root.inbox,
  };
  const stray = new StrayErrors((text) => pass?.problem("outside of a call", text));
  const manager = new Manager(makePass, lock, schedule);
  engine.onNews?.(() => manager.hint());

  if (!settings.once) {
    log.print("Starting Job Manager: use ctrl-C to quit");
    log.print(`Watching inbox: ${root.inbox}`);
  }
  const stopped = parts.stops(manager, log, parts.outlivesTerminal);
  const isSignalled = () => stopped.signal !== undefined;
  try {
    stray.listenTo(engine.name, parts.origin.from);
    await runTelling(manager, settings.once, notifier, () => pass, isSignalled);
  } finally {
    stray.close();
  }
  const { signal } = stopped;
  const left = leftText(pass?.running ?? 0);
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

function leftText(going: number): string {
  if (going === 0) return "No job is running.";
  return `${going} ${going === 1 ? "job goes" : "jobs go"} on; start jobmgr again to collect the results.`;
}

function worldOf(settings: Settings, { engine, origin, machine, root, owners, lock, notifier, filter }: Parts): World {
  return {
    disk: realDisk,
    root,
    engine,
    origin,
    machine,
    rules: { settleS: settings.settleS, readyFile: settings.readyFile, finishedFile: settings.finishedFile, owners },
    groupWritable: settings.groupWritable,
    retry: settings.retry,
    notices: notifier,
    archives: {
      limits: {
        bytesMax: settings.archiveBytesMax,
        entriesMax: settings.archiveEntriesMax,
        ratioMax: settings.archiveRatioMax,
      },
      result: settings.archiveResult,
      filter,
    },
    assertOwned: () => lock.assertOwned(),
  };
}

function limitsOf(settings: Settings, engine: Engine): Limits {
  return {
    jobsMax: settings.jobsMax ?? engine.maxJobsDefault,
    pendingMax: settings.pendingMax,
    delayS: settings.delayS,
    pauseFile: settings.pauseFile,
    prepareAhead: !settings.once && !engine.hasQueue,
    queryS: engine.hasQueue ? Math.max(settings.periodS, settings.queryS) : 0,
    queryLeastS: engine.hasQueue ? settings.queryS : 0,
  };
}

function brakesOf(settings: Settings): BrakeRules {
  return {
    errorsMax: settings.errorsMax,
    share: settings.errorShare,
    windowS: settings.errorWindowS,
    least: settings.errorLeast,
    coolDownS: settings.errorCoolDownS,
  };
}

/** The first INT, TERM or HUP stops at the next step's end, the second at once; under nohup no HUP does. USR1: look now. */
function listenToSignals(
  manager: Manager,
  log: Log,
  outlivesTerminal: Surroundings["outlivesTerminal"],
): { signal: NodeJS.Signals | undefined } {
  const stopped: { signal: NodeJS.Signals | undefined } = { signal: undefined };
  const names = Object.keys(SIGNAL_CODES) as NodeJS.Signals[];
  const goesOn = outlivesTerminal();
  for (const name of names) {
    process.on(name, () => {
      if (name === "SIGHUP" && goesOn) return;
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

/** What is in the inbox runs as this user; so not everybody may put something there. */
function refuseOpenRoot(root: Root, settings: Settings): void {
  const folder = openFolder(realDisk, root, settings);
  if (folder === undefined) return;
  throw new RootError(
    `Everybody may write to ${folder}, and what is dropped there runs as you. Close it (chmod o-w ${shellWord(folder)}), or accept it with --allow-shared.`,
  );
}
