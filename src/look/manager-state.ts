/** Who manages a root, as far as can be seen from here, and what that manager said last. Reads only. */
import { OPTIONS } from "../config/options.ts";
import type { Disk } from "../disk.ts";
import { isFull } from "../disk-error.ts";
import { lastBeatMs, type Owner, readOwner } from "../lock.ts";
import { readWord, type WordRead } from "../manager-word.ts";
import { printable } from "../printable.ts";
import type { Root } from "../root.ts";
import { shellWord } from "../shell-word.ts";
import { ago } from "./times.ts";

/** Who manages a root, and what it said last. */
export interface ManagerState {
  /** Undefined when nobody manages the root. */
  readonly owner?: Owner;
  /** It has shown no sign of life since then, and perhaps it is dead. */
  readonly silentSince?: string;
  readonly word: WordRead;
  /** A full disk, in a sentence: the manager itself can hardly leave a word of that. */
  readonly noRoom?: string;
}

/** What must be known of this machine to tell whether a manager lives. */
export interface Observer {
  readonly host: string;
  isAlive(pid: number, start: string): boolean;
  /** A manager that shows no sign of life for so long is said to be silent. */
  readonly patienceS: number;
}

/** Reads who manages a root, and judges by this machine's processes and clocks whether it lives. */
export function managerOf(disk: Disk, root: Root, observer: Observer): ManagerState {
  const noRoom = isRootFull(disk, root)
    ? `There is no room left on the disk of ${root.path}: nothing can be taken in or recorded, and jobs may fail for it. Delete what you do not need, e.g. in ${root.complete}.`
    : undefined;
  const seen = { word: readWord(disk, root), ...(noRoom !== undefined && { noRoom }) };
  const owner = readOwner(disk, root);
  if (!owner || (owner.host === observer.host && !observer.isAlive(owner.pid, owner.start))) return seen;
  const beatMs = lastBeatMs(disk, root);
  const isSilent = beatMs !== undefined && Date.now() - beatMs > observer.patienceS * 1000;
  return { ...seen, owner, ...(isSilent && { silentSince: new Date(beatMs).toISOString() }) };
}

function isRootFull(disk: Disk, root: Root): boolean {
  try {
    return isFull(disk.fileSystem(root.path));
  } catch {
    return false;
  }
}

/** What starts a manager of this root: with the engine of the last one, or its jobs would go to another. */
export function startCommand(root: Root, word: Pick<WordRead, "engine" | "engineFrom">): string {
  const engine = word.engineFrom ?? word.engine;
  const which = engine === undefined || engine === OPTIONS.engine.default ? "" : ` -e ${shellWord(engine)}`;
  return `jobmgr --root ${shellWord(root.path)}${which}`;
}

/** Who manages the root, and how old is what is known: the first line of what a person is told, and what is wrong. */
export function managerLines(root: Root, manager: ManagerState, now: string): string[] {
  const { owner, silentSince, word } = manager;
  const checked = word.at === undefined ? undefined : ago(word.at, now);
  const wrong = problemsOf(manager, now).map((problem) => `! ${printable(problem)}`);
  if (!owner) {
    const last = checked === undefined ? "" : `; the last check was ${checked} ago`;
    return [`${root.path}: no manager is running${last}. To start one: ${startCommand(root, word)}`, ...wrong];
  }
  const who = `${word.engine ?? "a manager"} on ${owner.host} (process ${owner.pid})`;
  const lines = [`${root.path}: ${who}${checked === undefined ? "" : `, last check ${checked} ago`}`];
  if (silentSince !== undefined) {
    lines.push(
      `! It has been silent for ${ago(silentSince, now)}: it is stopped or dead, or ${owner.host} is out of reach. What is shown is as old as that.`,
    );
  }
  return [...lines, ...wrong];
}

/** What is wrong, in sentences; of what nobody looks at now, when it was so: cron's manager is hardly ever seen alive. */
export function problemsOf({ owner, word, noRoom }: ManagerState, now: string, only?: string): string[] {
  const isMeant = (about: string) => only === undefined || about === only;
  const told = [...word.problems]
    .filter(([about]) => isMeant(about))
    .map(([about, text]) => {
      if (!owner) return `At the last check${word.at === undefined ? "" : `, ${ago(word.at, now)} ago`}: ${text}`;
      return about === "engine" && word.outage ? `For ${ago(word.outage.since, now)}: ${text}` : text;
    });
  return noRoom !== undefined && isMeant("root") ? [noRoom, ...told] : told;
}
