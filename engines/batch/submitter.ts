/**
 * Runs a submit command through one long-lived shell, for Node's own spawn forks all of Node and waits for the child,
 * which costs a third of what sbatch itself does. The shell is in a session of its own: Ctrl-C does not reach it, and a
 * submission goes on to its end whatever becomes of the manager.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { KILL_AFTER_MS, type RanToFiles, runToFiles, signalGroup } from "../run-program.ts";
import { shellFor } from "../shell.ts";

/** A submission is its folder, its two outputs, how many arguments there are, and these, each a line. */
const SCRIPT = `
submit=$1
while IFS= read -r folder && IFS= read -r out && IFS= read -r err && IFS= read -r count; do
  set --
  while [ "$count" -gt 0 ]; do
    IFS= read -r word || exit
    set -- "$@" "$word"
    count=$((count - 1))
  done
  hash -r
  cd "$folder" && "$submit" "$@" </dev/null >"$out" 2>"$err"
  echo $?
  cd /
done
`;

/** What sh says of a program that is not there, and of one that a signal ended (POSIX sh, 2.8.2). */
const NOT_FOUND = 127;
const SIGNALLED = 128;
/** sbatch's own code for an option that it does not know. */
const BAD_OPTION = 255;

/** One call of the command. */
export interface Submission {
  readonly folder: string;
  /** Files that are there; what it prints goes into them. */
  readonly out: string;
  readonly err: string;
  readonly args: readonly string[];
  readonly timeoutMs: number;
}

/** Runs the submit command for one manager. */
export class Submitter {
  readonly #program: string;
  readonly #environment: NodeJS.ProcessEnv;
  #shell: ChildProcess | undefined;
  #ended: ((code: number | undefined) => void) | undefined;

  constructor(program: string, environment: NodeJS.ProcessEnv) {
    this.#program = program;
    this.#environment = environment;
  }

  /** Runs it to its end, one at a time. */
  run(submission: Submission): Promise<RanToFiles> {
    const { folder, out, err, args, timeoutMs } = submission;
    const lines = [folder, out, err, String(args.length), ...args];
    if (this.#ended || lines.some((line) => line.includes("\n")))
      return runToFiles(this.#program, args, { cwd: folder, env: this.#environment, out, err, timeoutMs });
    return new Promise((done) => {
      const shell = this.#shell ?? this.#open();
      let timedOut = false;
      const timers = [
        setTimeout(() => {
          timedOut = true;
          signalGroup(shell, "SIGTERM");
        }, timeoutMs),
        setTimeout(() => signalGroup(shell, "SIGKILL"), timeoutMs + KILL_AFTER_MS),
      ];
      this.#ended = (code) => {
        this.#ended = undefined;
        for (const timer of timers) clearTimeout(timer);
        setReferenced(shell, false);
        const isCode = code !== undefined && (code <= SIGNALLED || code === BAD_OPTION);
        done({
          exitCode: isCode ? code : undefined,
          errorCode: code === NOT_FOUND ? "ENOENT" : undefined,
          timedOut,
        });
      };
      setReferenced(shell, true);
      shell.stdin?.write(`${lines.join("\n")}\n`);
    });
  }

  #open(): ChildProcess {
    const [program, ...args] = shellFor(this.#environment);
    const shell = spawn(program, [...args, "-c", SCRIPT, "jobmgr-submitter", this.#program], {
      cwd: "/",
      detached: true,
      env: this.#environment,
      stdio: ["pipe", "pipe", "ignore"],
    });
    const gone = () => {
      if (this.#shell !== shell) return;
      this.#shell = undefined;
      this.#ended?.(undefined);
    };
    shell.on("error", gone);
    shell.on("exit", gone);
    shell.stdin.on("error", () => {});
    createInterface(shell.stdout).on("line", (line) => {
      if (this.#shell === shell) this.#ended?.(Number(line));
    });
    this.#shell = shell;
    return shell;
  }
}

/** Only while a submission is under way must this process not end. */
function setReferenced(shell: ChildProcess, wanted: boolean): void {
  for (const stream of [shell, shell.stdin, shell.stdout] as unknown as { ref?(): void; unref?(): void }[]) {
    if (wanted) stream.ref?.();
    else stream.unref?.();
  }
}
