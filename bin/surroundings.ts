/** Where engines, processes and users come from: what src knows by the contract only. */
import { realpathSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { absenceOf, dryRunOf, engineNamed, listEngines, makeEngine, makeReader } from "../engines/index.ts";
import type { Places } from "../engines/load.ts";
import { isAlive, outlivesTerminal, startOf, thisMachine } from "../engines/process.ts";
import type { Settings } from "../src/config/config.ts";
import { realDisk } from "../src/disk.ts";
import type { EngineOrigin } from "../src/steps/world.ts";
import type { Surroundings } from "../src/verbs/call.ts";

const ID_TIMEOUT_MS = 60_000;

/** What verbs may ask of this machine; the engine is made only when one asks for it. */
export function surroundingsOf(settings: Settings, version: string): Surroundings {
  const around: Surroundings = {
    command: programCommand(),
    makeEngine: () => makeEngine(settings.engine, settings, placesOf(settings.root)),
    withEngine: (engine) => surroundingsOf({ ...settings, engine }, version),
    engineOrigin: () => originOf(settings.engine),
    async engineNamed(name, from) {
      const word = from ?? name;
      const engine = await makeEngine(word, othersSettings(settings), placesOf(settings.root));
      return { engine, origin: await originOf(word) };
    },
    async makeReader() {
      const engine = await makeReader(settings.engine, settings, placesOf(settings.root));
      return settings.dryRun ? dryRunOf(engine) : engine;
    },
    listEngines: () => listEngines(settings.engine, version, placesOf(settings.root)),
    engineAbsence: () => absenceOf(settings.engine, placesOf(settings.root)),
    machine: thisMachine(),
    version,
    processStart: startOf(process.pid) ?? "",
    isAlive,
    outlivesTerminal,
    uidOf,
    async runProgram(program, args, timeoutMs) {
      const { runProgram } = await import("../engines/run-program.ts");
      return runProgram(program, args, timeoutMs);
    },
    async feedProgram(...order) {
      const { feedProgram } = await import("../engines/run-program.ts");
      return feedProgram(...order);
    },
    async launchers() {
      const { isProgram, runTogether } = await import("../engines/together.ts");
      return {
        disk: realDisk,
        env: process.env,
        cores: availableParallelism(),
        isOnPath: isProgram,
        runProgram: around.runProgram,
        runTogether,
      };
    },
    async filter(argv, source, consume, stop) {
      const { runFilter } = await import("../engines/run-program.ts");
      return runFilter(argv, source, consume, stop);
    },
  };
  return around;

  async function originOf(word: string): Promise<EngineOrigin> {
    const { foreign } = await engineNamed(word, placesOf(settings.root));
    return foreign ? { version: foreign.definition.version, from: foreign.from } : { version };
  }

  /** id(1) knows users of every kind of directory, which /etc/passwd does not. */
  async function uidOf(user: string): Promise<number | undefined> {
    if (/^\d+$/.test(user)) return Number(user);
    const { exitCode, stdout } = await around.runProgram("id", ["-u", "--", user], ID_TIMEOUT_MS);
    return exitCode === 0 && /^\d+$/.test(stdout.trim()) ? Number(stdout) : undefined;
  }
}

/** What was given to today's engine alone is not for another one: its submit command, and how many jobs it may have. */
function othersSettings(settings: Settings): Settings {
  return { ...settings, engineArgs: [], jobsMax: undefined };
}

/** An executable with Node in it is one word. A link to the script is kept: it may lead to a newer one some day. */
function programCommand(): readonly string[] {
  const [, script] = process.argv;
  return script === undefined || script === process.execPath ? [process.execPath] : [process.execPath, script];
}

/** Where packages with engines are looked for: here, at the root, and beside jobmgr as it was installed. */
export function placesOf(root: string): Places {
  const program = programFile();
  return { folders: [process.cwd(), root, ...(program === undefined ? [] : [dirname(program)])], program };
}

/** The very file of jobmgr, behind all links. */
function programFile(): string | undefined {
  try {
    return realpathSync(process.argv[1] ?? process.execPath);
  } catch {
    return undefined;
  }
}
