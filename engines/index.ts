/** The engines by name: those that come with jobmgr, as one readable list, and any other by its path or package. */
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { OPTIONS } from "../src/config/options.ts";
import type { Engine, EngineDefinition, EngineOptions } from "../src/engine.ts";
import { EngineError } from "../src/engine-error.ts";
import { didYouMean } from "../src/nearest.ts";
import type { EngineEntry } from "../src/verbs/call.ts";
import type { Foreign, Places } from "./load.ts";
import { absence as absenceOfSge } from "./sge/absence.ts";

/** An engine that comes with jobmgr has the contract and the version of jobmgr itself. */
interface BuiltIn extends Omit<EngineDefinition, "contract" | "version"> {
  /** As absence, for people who ask whether jobs can be run here: it may start programs. Never throws. */
  readonly fault?: () => Promise<string | undefined>;
}

const BUILT_IN: readonly BuiltIn[] = [
  {
    name: "SlurmEngine",
    summary: "Slurm, through sbatch, squeue, sacct and scancel",
    absence: () => absenceOfProgram("sbatch", "SlurmEngine"),
    fault: async () => {
      const { commandsCheck } = await import("./slurm/diagnosis.ts");
      const { level, says } = await commandsCheck(process.env);
      return level === "error" ? says : undefined;
    },
    async make(options) {
      const { SlurmEngine } = await import("./slurm/index.ts");
      return new SlurmEngine(options);
    },
  },
  {
    name: "PbsEngine",
    summary: "OpenPBS, PBS Professional or Torque, through qsub, qselect, qstat and qdel",
    absence: () => absenceOfProgram("qsub", "PbsEngine") ?? absenceOfPbs(),
    async make(options) {
      const { PbsEngine } = await import("./pbs/index.ts");
      return PbsEngine.forThisMachine(options);
    },
  },
  {
    name: "SgeEngine",
    summary: "Grid Engine, through qsub, qstat and qdel",
    absence: () => absenceOfSge(),
    async make(options) {
      const { SgeEngine } = await import("./sge/index.ts");
      return new SgeEngine(options);
    },
  },
  {
    name: "LocalEngine",
    summary: "processes of this machine",
    async make(options) {
      const [arg] = options.engineArgs;
      if (arg !== undefined)
        throw new EngineError("refused", `--engine-arg=${arg}: LocalEngine has no submit command that it could go to`);
      const { LocalEngine } = await import("./local/index.ts");
      return LocalEngine.forThisMachine(options);
    },
  },
  {
    name: "DryRunEngine",
    summary: "nothing: shows what the engine that is configured would submit, or X of DryRunEngine:X",
    async make(options) {
      return dryRunOf(await makeReader(OPTIONS.engine.default, options));
    },
  },
];

/** Before another engine: shows what that one would submit, and lets nothing through. */
export async function dryRunOf(engine: Engine): Promise<Engine> {
  const { DryRunEngine } = await import("./dry-run/index.ts");
  return new DryRunEngine(engine);
}

/** An engine, and where it comes from. */
export interface Known {
  readonly definition: BuiltIn;
  /** Of one that does not come with jobmgr. */
  readonly foreign?: Foreign;
}

/** Where one looks who knows no place: among those that come with jobmgr, and under the paths that are given. */
const NOWHERE: Places = { folders: [], program: undefined };

/** One that comes with jobmgr: "LocalEngine", "local", or "engines.LocalEngine" as in the original; in capitals or not. */
function builtIn(word: string): BuiltIn | undefined {
  const plain = word.replace(/^engines\./, "").toLowerCase();
  return BUILT_IN.find(({ name }) => [name.toLowerCase(), name.toLowerCase().replace(/engine$/, "")].includes(plain));
}

/** The name of the one that comes with jobmgr, if the word names one. */
export function builtInName(word: string): string | undefined {
  return builtIn(word)?.name;
}

/**
 * What a word names: one that comes with jobmgr; a path; a package, or what stands behind
 * "jobmgr-engine-" in its name. Throws EngineError: `refused` if there is none, `unavailable` for one that is of no use.
 */
export async function engineNamed(word: string, places: Places = NOWHERE): Promise<Known> {
  const definition = builtIn(word);
  if (definition) return { definition };
  const { loadForeign } = await import("./load.ts");
  const foreign = await loadForeign(word, places);
  if (foreign) return { definition: checkedName(foreign), foreign };
  throw new EngineError("refused", await unknownText(word, places));
}

/** Makes the engine that a word names, where it can run jobs. Throws EngineError, as engineNamed does; `unavailable` for one that cannot run here. */
export async function makeEngine(word: string, options: EngineOptions, places: Places = NOWHERE): Promise<Engine> {
  const { definition } = await engineNamed(word, places);
  const absence = definition.absence?.();
  if (absence !== undefined) throw new EngineError("unavailable", absence);
  return definition.make(options);
}

/** As makeEngine, for somebody who runs no job: it need not be able to run here. */
export async function makeReader(word: string, options: EngineOptions, places: Places = NOWHERE): Promise<Engine> {
  return (await engineNamed(word, places)).definition.make(options);
}

/** Why an engine of this name cannot run jobs here; undefined if it can. */
export async function absenceOf(word: string, places: Places = NOWHERE): Promise<string | undefined> {
  try {
    return await whyNotHere((await engineNamed(word, places)).definition);
  } catch (error) {
    return (error as Error).message;
  }
}

async function whyNotHere({ absence, fault }: BuiltIn): Promise<string | undefined> {
  return absence?.() ?? fault?.();
}

/** The names of those that come with jobmgr. */
export function builtInNames(): readonly string[] {
  return BUILT_IN.map(({ name }) => name);
}

/** All that there are, for `jobmgr engines`; `version`: jobmgr's own. Loads those that are found; never throws. */
export async function listEngines(inForce: string, version: string, places: Places): Promise<readonly EngineEntry[]> {
  const [{ findPackages, wordOf }, { loadForeign, loadPackage }] = await Promise.all([
    import("./packages.ts"),
    import("./load.ts"),
  ]);
  const builtIn = await Promise.all(BUILT_IN.map(async (one) => ({ ...(await entryOf(one.name, one)), version })));
  const found = findPackages(places.folders);
  const packages = await Promise.all(
    found.map((one) => foreignEntry(wordOf(one), one.folder, loadPackage(one, places))),
  );
  const known = [...builtIn, ...packages];
  const plain = builtInName(inForce) ?? inForce;
  const isThere = known.some(({ word, from }) => word === plain || from === plain);
  const given = isThere ? [] : [await foreignEntry(plain, undefined, knownForeign(inForce))];
  return [...known, ...given].map((one) => ({ ...one, isInForce: one.word === plain || one.from === plain }));

  async function knownForeign(word: string): Promise<Foreign> {
    const foreign = await loadForeign(word, places);
    if (foreign) return foreign;
    throw new EngineError("refused", await unknownText(word, places));
  }
}

async function foreignEntry(word: string, from: string | undefined, loading: Promise<Foreign>): Promise<EngineEntry> {
  try {
    const foreign = await loading;
    const definition = checkedName(foreign);
    return { ...(await entryOf(word, definition)), version: definition.version, from: foreign.from };
  } catch (error) {
    return { word, isInForce: false, absence: (error as Error).message, ...(from !== undefined && { from }) };
  }
}

async function entryOf(word: string, definition: BuiltIn): Promise<EngineEntry> {
  const { name, summary } = definition;
  const why = await whyNotHere(definition);
  return { word, name, summary, isInForce: false, ...(why !== undefined && { absence: why }) };
}

/** Records name engines: two of one name would take each other's jobs. */
function checkedName({ definition, from }: Foreign): EngineDefinition {
  if (!BUILT_IN.some(({ name }) => name === definition.name)) return definition;
  throw new EngineError(
    "unavailable",
    `The engine in ${from} calls itself ${definition.name}, as one does that comes with jobmgr. It must have a name of its own.`,
  );
}

async function unknownText(word: string, places: Places): Promise<string> {
  const { findPackages, packageNames, wordOf } = await import("./packages.ts");
  const names = builtInNames();
  const words = [...names, ...findPackages(places.folders).map(wordOf)];
  const isFile = /[./]/.test(word) && existsSync(word);
  const near = isFile ? ` Did you mean the file ./${word}?` : didYouMean(word, words);
  const packages = packageNames(word);
  const folders = [...new Set(places.folders)];
  const looked =
    packages.length === 0 || folders.length === 0
      ? ""
      : ` Nor is there a package ${packages.join(" or ")} in node_modules of ${folders.join(", ")}, or of a folder above.`;
  return `There is no engine "${word}".${near} The engines are: ${names.toSorted().join(", ")}.${looked}`;
}

function absenceOfProgram(program: string, engine: string): string | undefined {
  if (isOnPath(program)) return undefined;
  return `There is no ${program} on this machine, so that ${engine} cannot run jobs here; to run them on this machine itself, add: -e LocalEngine`;
}

/** Grid Engine has a qsub as well; what lies beside it tells whose it is. */
function absenceOfPbs(): string | undefined {
  const folder = folderOf("qsub") ?? "";
  if (isIn(folder, "pbsnodes") || !isIn(folder, "qconf")) return undefined;
  return `${join(folder, "qsub")} is Grid Engine's, so that PbsEngine cannot run jobs here; add: -e SgeEngine`;
}

function isOnPath(program: string): boolean {
  return folderOf(program) !== undefined;
}

function folderOf(program: string): string | undefined {
  return (process.env.PATH ?? "").split(delimiter).find((folder) => isIn(folder, program));
}

function isIn(folder: string, program: string): boolean {
  try {
    accessSync(join(folder, program), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
