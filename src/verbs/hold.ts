/** `jobmgr hold` and `jobmgr release`: whether a job that waits in the inbox may be taken. */

import { type Asked, hold as holdJob, release as releaseJob } from "../change/requests.ts";
import { realDisk } from "../disk.ts";
import { printable } from "../printable.ts";
import { openRoot } from "../root.ts";
import { lookForJobs } from "../selection.ts";
import { shellName } from "../shell-word.ts";
import type { Call } from "./call.ts";
import { type Change, changeSelected, managedBy } from "./each.ts";

/** Throws RootError before anything is done. */
export async function hold({ words, settings, terminal }: Call): Promise<number> {
  const root = openRoot(realDisk, settings.root);
  return changeSelected(
    terminal,
    lookForJobs(realDisk, root, words, ["inbox"], ["pending", "complete"]),
    async (job) => {
      const asked = await holdJob(realDisk, root, job);
      const name = printable(job.name);
      if (asked.is === "done")
        return { did: `held ${name}: it is not started until jobmgr release ${shellName(job.name)}` };
      if (asked.is === "already") return { did: `${name} was held before` };
      if (asked.is === "submitted") return { didNot: `${name} has been submitted already; cancel it instead` };
      return otherwise(name, asked);
    },
  );
}

/** Throws RootError before anything is done. */
export async function release(call: Call): Promise<number> {
  const { words, settings, terminal } = call;
  const root = openRoot(realDisk, settings.root);
  const manager = managedBy(call, root);
  const when = manager.owner ? "" : " when a manager runs; none is running";
  const jobs = lookForJobs(realDisk, root, words, ["inbox"], ["pending", "complete"]);
  const exitCode = await changeSelected(terminal, jobs, async (job) => {
    const asked = await releaseJob(realDisk, root, job);
    const name = printable(job.name);
    if (asked.is === "done") return { did: `released ${name}: it is taken in its turn${when}` };
    if (asked.is === "already") return { did: `${name} is not held` };
    if (asked.is === "submitted") return { didNot: `${name} is not held: it has been submitted already` };
    return otherwise(name, asked);
  });
  manager.nudge();
  return exitCode;
}

function otherwise(name: string, asked: Asked): Change {
  if (asked.is === "ended") return { didNot: `${name} has ended already` };
  if (asked.is === "no folder")
    return { didNot: `${name} is no folder, so that no job_hold can be put into it; jobmgr pause holds all back` };
  return { didNot: `${name} has gone: it was moved away or removed` };
}
