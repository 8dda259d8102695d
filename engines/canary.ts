/**
 * Whether a signal was sent to the whole group of this process, as a terminal sends ctrl-C, or to this process alone, as
 * kill(1) does: no process is told that. So another one of the group is there to die of it.
 */
import { spawn } from "node:child_process";

/** A signal for a group reaches all of it at once; that a process has died of it is known some milliseconds later. */
const NEWS_MS = 300;

export interface Canary {
  /** Asked when INT or QUIT has come to this process: has it come to all of the group? */
  hasHeard(): Promise<boolean>;
  dismiss(): void;
}

interface Bird {
  readonly died: Promise<void>;
  kill(): void;
}

export function keepCanary(): Canary {
  let bird = hatch();
  let isOver = false;
  return {
    async hasHeard() {
      const asked = bird;
      const isDead = await Promise.race([asked.died.then(() => true), afterMs(NEWS_MS).then(() => false)]);
      if (isDead && asked === bird && !isOver) bird = hatch();
      return isDead;
    },
    dismiss() {
      isOver = true;
      bird.kill();
    },
  };
}

/** It reads what never comes, until this process is gone. It leaves no core where QUIT ends it. */
function hatch(): Bird {
  const child = spawn("sh", ["-c", "ulimit -c 0; exec cat"], { stdio: ["pipe", "ignore", "ignore"] });
  const died = new Promise<void>((done) => {
    child.on("exit", () => done());
    child.on("error", () => done());
  });
  const { stdin }: Partial<typeof child> = child;
  stdin?.on("error", () => {});
  child.unref();
  return { died, kill: () => void child.kill("SIGKILL") };
}

function afterMs(ms: number): Promise<void> {
  return new Promise((done) => void setTimeout(done, ms).unref());
}
