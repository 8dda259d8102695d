/** `jobmgr cancel`: asks for the end of jobs that wait or run. The manager makes it so. */

import { askToCancel } from "../change/requests.ts";
import { UsageError } from "../config/config.ts";
import { realDisk } from "../disk.ts";
import { EXIT } from "../exit-codes.ts";
import { mayStillRun } from "../inbox/unended.ts";
import { printable } from "../printable.ts";
import { openRoot } from "../root.ts";
import { type JobRef, lookForJobs, namesIn } from "../selection.ts";
import { shellName } from "../shell-word.ts";
import { userName } from "../user-name.ts";
import type { Call } from "./call.ts";
import { changeSelected, isYes, jobsText, managedBy, namesText } from "./each.ts";

interface Options {
  readonly allPending?: boolean;
  readonly reason?: string;
  readonly yes?: boolean;
}

/** Throws RootError, UsageError before anything is done. */
export async function cancel(call: Call<Options>): Promise<number> {
  const { words, options, settings, terminal } = call;
  const root = openRoot(realDisk, settings.root);
  if (options.allPending !== true && words.length === 0)
    throw new UsageError("cancel needs the names of jobs, or --all-pending");
  if (options.allPending === true && words.length > 0)
    throw new UsageError("cancel takes names or --all-pending, not both");
  const { jobs: named, absent } = lookForJobs(realDisk, root, words, ["pending", "inbox"], ["complete"]);
  const all = options.allPending ? namesIn(realDisk, root, "pending") : [];
  const others = all.filter((name) => !named.some((job) => job.place === "pending" && job.name === name));
  const jobs = [...named, ...others.map((name) => ({ place: "pending", name }) as const)];
  if (jobs.length === 0 && absent.length === 0) {
    terminal.out("There are no pending jobs.\n");
    return EXIT.ok;
  }
  if (options.allPending && !(await isMeant(call, jobs))) {
    terminal.err("Nothing was cancelled.\n");
    return EXIT.failed;
  }
  const reason = options.reason?.trim() || `by ${userName()} with jobmgr cancel.`;
  const manager = managedBy(call, root);
  const when = manager.owner ? "the manager ends it at its next check" : "it ends when a manager runs; none is running";
  const exitCode = await changeSelected(terminal, { jobs, absent }, async (job) => {
    const asked = await askToCancel(realDisk, root, job, reason);
    const name = printable(job.name);
    switch (asked.is) {
      case "done":
        if (asked.place === "inbox" && mayStillRun(realDisk, root, asked))
          return { did: `cancelled ${name}: it is not run again. To end what runs in it, move it back to pending` };
        return { did: `cancelled ${name}: ${when}` };
      case "already":
        return { did: `${name} was cancelled before: ${when}` };
      case "no folder":
        return { didNot: `${name} has not been taken in yet. To take it away: jobmgr remove ${shellName(job.name)}` };
      case "gone":
        return { didNot: `${name} has gone: it was moved away or removed` };
      default:
        return { didNot: `${name} has ended already` };
    }
  });
  manager.nudge();
  if (absent.length > 0 && jobs.length > 0 && options.reason === undefined)
    terminal.err("jobmgr: a reason stands behind --reason, in quotes.\n");
  return exitCode;
}

/** Asks only where there is a person to ask: a script that says so means it. */
async function isMeant({ options, terminal }: Call<Options>, jobs: readonly JobRef[]): Promise<boolean> {
  if (options.yes) return true;
  const answer = await terminal.ask(`End ${jobsText(jobs.length)}, also those that run: ${namesText(jobs)}? [y/N] `);
  return answer === undefined || isYes(answer);
}
