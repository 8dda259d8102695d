/**
 * Starts runners through long-lived shells, one for each place, for Node's own spawn forks all of Node and waits for
 * the child: that costs more than a short job. A shell is in a session of its own, and so is, through setsid(1), each
 * job. Who dies with the manager is the shell, when its input ends, and never before its job.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { createInterface } from "node:readline";

/**
 * A job is six lines: id, name, folder, runner, and the two outputs, which are opened through the descriptors that the
 * manager holds open. So a manager that dies before the answer "+" has started nothing, and nothing can start later.
 */
const SCRIPT = `
while IFS= read -r id && IFS= read -r name && IFS= read -r folder && IFS= read -r runner &&
  IFS= read -r out && IFS= read -r err; do
  code=
  # Whoever looks for the job finds somebody in its folder, from before it starts.
  cd "$folder" && {
    echo "$id +"
    JOBMGR_JOB_ID=$id JOBMGR_JOB_NAME=$name setsid "$@" "$runner" </dev/null >&3 2>&4 3>&- 4>&-
    code=$?
  } 3>>"$out" 4>>"$err"
  cd /
  echo "$id \${code:-!}"
done
`;

/** In the command line of every dispatcher. */
export const DISPATCHER = "jobmgr-dispatcher";

/** One job to be started. */
export interface Order {
  readonly id: string;
  readonly name: string;
  readonly folder: string;
  readonly runner: string;
  /** Open descriptors of this process. */
  readonly out: number;
  readonly err: number;
}

interface Shell {
  readonly process: ChildProcess;
  order?: { readonly id: string; started(ok: boolean): void; ended(code: number | undefined): void };
}

/** One shell for each job that runs; a shell that is free takes the next one. */
export class Dispatchers {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #shell: readonly [string, ...string[]];
  readonly #shells: Shell[] = [];

  constructor(environment: NodeJS.ProcessEnv, shell: readonly [string, ...string[]]) {
    this.#environment = environment;
    this.#shell = shell;
  }

  /** True where there are /proc and setsid(1), and the order can be told in lines. */
  static canTake(name: string, runner: string): boolean {
    return IS_POSSIBLE && !`${name}${runner}`.includes("\n");
  }

  /**
   * Resolves to true when the runner is about to start, to false when it will not. `ended` is called once after that:
   * with the runner's exit code as a shell tells it, or undefined if its shell has gone.
   */
  start(order: Order, ended: (code: number | undefined) => void): Promise<boolean> {
    const shell = this.#shells.find((one) => one.order === undefined) ?? this.#open();
    return new Promise((started) => {
      shell.order = { id: order.id, started, ended };
      setReferenced(shell.process, true);
      const output = (fd: number) => `/proc/${process.pid}/fd/${fd}`;
      shell.process.stdin?.write(
        [order.id, order.name, order.folder, order.runner, output(order.out), output(order.err), ""].join("\n"),
      );
    });
  }

  #open(): Shell {
    const [shell, ...args] = this.#shell;
    const child = spawn(shell, [...args, "-c", SCRIPT, DISPATCHER, ...this.#shell], {
      cwd: "/",
      detached: true,
      env: this.#environment,
      stdio: ["pipe", "pipe", "ignore"],
    });
    const opened: Shell = { process: child };
    this.#shells.push(opened);
    setReferenced(child, false);
    const gone = () => {
      const at = this.#shells.indexOf(opened);
      if (at !== -1) this.#shells.splice(at, 1);
      const { order } = opened;
      delete opened.order;
      order?.started(false);
      order?.ended(undefined);
    };
    child.on("error", gone);
    child.on("exit", gone);
    child.stdin.on("error", () => {});
    createInterface(child.stdout).on("line", (line) => hear(opened, line));
    return opened;
  }
}

function hear(shell: Shell, line: string): void {
  const { order } = shell;
  const [id, word] = line.split(" ");
  if (!order || id !== order.id) return;
  if (word === "+") {
    setReferenced(shell.process, false);
    return order.started(true);
  }
  delete shell.order;
  if (word === "!") {
    setReferenced(shell.process, false);
    order.started(false);
  }
  order.ended(word === "!" ? undefined : Number(word));
}

/** While an order waits for its answer, this process must not end; a running job must not keep it. */
function setReferenced(child: ChildProcess, wanted: boolean): void {
  for (const stream of [child, child.stdin, child.stdout] as unknown as { ref?(): void; unref?(): void }[]) {
    if (wanted) stream.ref?.();
    else stream.unref?.();
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const IS_POSSIBLE = process.platform === "linux" && ["/usr/bin/setsid", "/bin/setsid"].some(isExecutable);
