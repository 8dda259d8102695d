/**
 * Errors that reach nobody: thrown in a timer, an event or a promise that is not waited for, by the code of an engine that
 * somebody else has written. They would end the manager, and the next one; so they are told of instead. Those of any other
 * code end it, as they should.
 */
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { realDisk } from "./disk.ts";
import { thrown } from "./guarded-engine.ts";

/** Hears errors of the engines that it is told of. */
export class StrayErrors {
  readonly #tell: (text: string) => void;
  /** By the folder of its code, the engine's name. */
  readonly #engines = new Map<string, string>();
  #isClosed = false;
  readonly #hear = (error: unknown) => this.#heard(error);

  constructor(tell: (text: string) => void) {
    this.#tell = tell;
  }

  /** From now on those of this engine are heard; `from`: its file or folder. */
  listenTo(name: string, from: string | undefined): void {
    // An engine may be loaded for longer than anybody waits for it.
    if (from === undefined || this.#isClosed) return;
    if (this.#engines.size === 0) {
      process.on("uncaughtException", this.#hear);
      process.on("unhandledRejection", this.#hear);
    }
    const path = realDisk.realPath(from);
    this.#engines.set(realDisk.look(path)?.kind === "folder" ? path : dirname(path), name);
  }

  /** Nothing is heard any more, of engines that come later either. */
  close(): void {
    this.#isClosed = true;
    process.off("uncaughtException", this.#hear);
    process.off("unhandledRejection", this.#hear);
  }

  #heard(error: unknown): void {
    // Of the lines of a stack, the first ones are its message, which may name any path.
    const stack = error instanceof Error ? (String(error.stack).match(/^ {4}at .*$/gm) ?? []).join("\n") : "";
    const [, name] =
      [...this.#engines].find(
        ([folder]) => stack.includes(`${folder}/`) || stack.includes(`${pathToFileURL(folder)}/`),
      ) ?? [];
    if (name !== undefined)
      return this.#tell(`${name} is at fault: it threw where nobody waits for it: ${thrown(error)}.`);
    this.close();
    setImmediate(() => {
      throw error;
    });
  }
}
