/**
 * An engine without a root of the program's own: a temporary root, and a manager of it in this process for as long as
 * jobs are under way.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { realDisk } from "../disk.ts";
import { setUpRoot } from "../root.ts";
import { namesIn } from "../selection.ts";
import type { EngineUse, EngineUseOptions, Job, JobRequest, SubmitOptions } from "./api.ts";
import { ClosedError } from "./errors.ts";
import { type CallOf, OpenRoot } from "./root.ts";

/** The one engine whose jobs all run where this program does. */
const HERE = "LocalEngine";

/** Nothing is made before the first job. */
export class TemporaryRoot implements EngineUse {
  readonly name: string;
  readonly #options: EngineUseOptions;
  readonly #callOf: (path: string) => CallOf;
  #root: OpenRoot | undefined;
  #isClosed = false;
  #isManaged = false;
  #underWay = 0;
  /** One after the other: the manager is started and stopped. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #atExit = () => this.#removeIfDone();

  constructor(name: string, options: EngineUseOptions, callOf: (path: string) => CallOf) {
    this.name = name;
    this.#options = options;
    this.#callOf = callOf;
  }

  submit(request: JobRequest, options?: SubmitOptions): Promise<Job> {
    return this.#inTurn(async () => {
      if (this.#isClosed) throw new ClosedError(`${this.name} was closed`);
      this.#root ??= await this.#open();
      const root = this.#root;
      if (!this.#isManaged) await root.manage();
      this.#isManaged = true;
      this.#underWay++;
      try {
        const job = await root.submit(request, options);
        job.result().then(
          () => this.#ended(),
          () => this.#ended(),
        );
        return job;
      } catch (error) {
        this.#ended();
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#inTurn(async () => {
      await this.#root?.close();
      this.#removeIfDone();
      process.off("exit", this.#atExit);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #open(): Promise<OpenRoot> {
    const parent = resolve(this.#options.folder ?? (this.name === HERE ? tmpdir() : "."));
    const path = mkdtempSync(join(parent, "jobmgr-"));
    try {
      const { root } = await setUpRoot(realDisk, path);
      const open = new OpenRoot(root, { ...this.#options, engine: this.name }, this.#callOf(path));
      process.on("exit", this.#atExit);
      return open;
    } catch (error) {
      rmSync(path, { recursive: true, force: true });
      throw error;
    }
  }

  /** A program that has nothing else to do ends when its jobs have. */
  #ended(): void {
    this.#underWay--;
    if (this.#underWay > 0) return;
    void this.#inTurn(async () => {
      if (this.#underWay > 0 || !this.#isManaged) return;
      await this.#root?.unmanage();
      this.#isManaged = false;
    }).catch(() => {});
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(action, action);
    this.#turn = mine.catch(() => {});
    return mine;
  }

  /** What goes on is not taken from under it. Called when the process ends, too: nothing here may wait. */
  #removeIfDone(): void {
    const path = this.#root?.path;
    if (path === undefined) return;
    try {
      const root = { path, id: "", own: "", inbox: join(path, "inbox"), pending: join(path, "pending"), complete: "" };
      const left = [...namesIn(realDisk, root, "inbox"), ...namesIn(realDisk, root, "pending")];
      if (left.length === 0) rmSync(path, { recursive: true, force: true });
      else this.#options.log?.(`${left.length} jobs go on in ${path}: jobmgr --root ${path} -e ${this.name}`);
    } catch {
      // It has gone, or its disk has.
    }
  }
}
