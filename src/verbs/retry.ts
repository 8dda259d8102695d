/** `jobmgr retry`: finished jobs go back to the inbox, to be run again. */

import { finishedFolder, isArchiveOnly } from "../archive/finished.ts";
import { onlyArchive } from "../archive/names.ts";
import { sentArchive } from "../archive/source.ts";
import { inRetryOrder } from "../change/retry-order.ts";
import { sendBack } from "../change/send-back.ts";
import { type Settings, UsageError } from "../config/config.ts";
import { type Disk, realDisk } from "../disk.ts";
import { FILES } from "../files.ts";
import { isOfJobmgr } from "../inbox/ready.ts";
import { mayStillRun } from "../inbox/unended.ts";
import { finishedAs } from "../look/ended.ts";
import type { Result } from "../outcome.ts";
import { printable } from "../printable.ts";
import { jobFolder, openRoot, type Root } from "../root.ts";
import { type JobRef, lookForJobs, namesIn } from "../selection.ts";
import { shellName, shellWord } from "../shell-word.ts";
import type { Call, Terminal } from "./call.ts";
import { changeSelected, jobsText, managedBy } from "./each.ts";

/** What --failed means: others were ended, or refused, on purpose. */
const FAILED: readonly (Result | undefined)[] = ["failed", "lost", "interrupted"];

/** Throws RootError, UsageError before anything is done. */
export async function retry(call: Call<{ failed?: boolean }>): Promise<number> {
  const { words, options, settings, terminal } = call;
  const disk = realDisk;
  const root = openRoot(disk, settings.root);
  if (options.failed !== true && words.length === 0) throw new UsageError("retry needs the names of jobs, or --failed");
  const { jobs: named, absent } = lookForJobs(disk, root, words, ["complete"], ["inbox", "pending"]);
  const finished = words.length > 0 ? named.filter(({ place }) => place === "complete") : allFinished(disk, root);
  const hasNone = words.length > 0 && named.length === 0;
  const jobs = options.failed && !hasNone ? failedOf(disk, root, finished, terminal) : named;
  const when = managedBy(call, root).owner ? "" : " when a manager runs; none is running";
  return changeSelected(terminal, { jobs: inRetryOrder(disk, root, jobs), absent }, async (job) => {
    const name = printable(job.name);
    if (job.place !== "complete") return { didNot: `${name} has not ended yet (it is in ${job.place})` };
    const folder = jobFolder(root, "complete", job.name);
    const kind = disk.look(folder)?.kind;
    if (kind === "file") return { didNot: `${name} is a file, not a job's folder: move it into the inbox yourself` };
    if (isArchiveOnly(disk, root, job.name)) return { didNot: archiveOnlyText(disk, root, job.name) };
    if (kind === "link") return { didNot: `${name} is a link, and links are not followed` };
    const refused = disk.look(`${folder}/${FILES.script}`) ? undefined : refusedArchive(disk, folder, settings);
    if (refused !== undefined)
      return {
        didNot: `${name} is an archive that was refused, and there is nothing to run in its folder. Put a mended one into the inbox; or this one, to have it unpacked again as it is: mv ${shellWord(`${folder}/${refused}`)} ${shellWord(root.inbox)}`,
      };
    if (!disk.look(`${folder}/${FILES.script}`))
      return { didNot: `${name} has no ${FILES.script}, and would only wait for one. Put it into ${folder} first` };
    const again = mayStillRun(disk, root, job) ? "run again when nothing of it runs any more" : "run again";
    const isHeld = disk.look(`${folder}/${FILES.hold}`) !== undefined;
    const back = await sendBack(disk, root, job.name);
    if (back === undefined) return { didNot: `${name} has gone: it was moved away or removed` };
    const as = back === job.name ? "" : ` as ${printable(back)}, for the name was taken`;
    const then = isHeld ? `; it is held: jobmgr release ${shellName(back)}` : `; it is ${again}${when}`;
    return { did: `moved ${name} back to the inbox${as}${then}` };
  });
}

/** The archive that lies in its folder alone, as it does when it was refused. */
function refusedArchive(disk: Disk, folder: string, rules: Pick<Settings, "finishedFile">): string | undefined {
  return disk.look(folder) && onlyArchive(disk.list(folder).filter((name) => !isOfJobmgr(name, rules)));
}

/** The archive in complete/ holds what came out of it, too: to run it again is to begin with what was sent. */
function archiveOnlyText(disk: Disk, root: Root, name: string): string {
  const isKept = sentArchive(disk, finishedFolder(disk, root, name)) !== undefined;
  const remedy = isKept
    ? `To run what was sent once more, as a new job: jobmgr submit --from ${shellWord(name)}`
    : "To run it again, move that into the inbox";
  return `of ${printable(name)} only its archive is left in complete. ${remedy}`;
}

function allFinished(disk: Disk, root: Root): readonly JobRef[] {
  return namesIn(disk, root, "complete").map((name) => ({ place: "complete", name }));
}

/** Those that failed; says what --failed does not mean. */
function failedOf(disk: Disk, root: Root, jobs: readonly JobRef[], terminal: Terminal): JobRef[] {
  const ends = jobs.map((job) => ({ job, is: finishedAs(disk, root, job.name)?.outcome.is }));
  const failed = ends.filter(({ is }) => FAILED.includes(is));
  const left = (["cancelled", "refused"] as const)
    .map((result) => ({ result, count: ends.filter(({ is }) => is === result).length }))
    .filter(({ count }) => count > 0);
  if (failed.length === 0) terminal.out("No job has failed.\n");
  for (const { result, count } of left)
    terminal.err(
      `${jobsText(count)} ${count === 1 ? "was" : "were"} ${result}: to run such a one again, name it without --failed.\n`,
    );
  return failed.map(({ job }) => job);
}
