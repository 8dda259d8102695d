/** `jobmgr remove` and `jobmgr clean`: take jobs away for good, by name or by age. Never one that runs. */

import { finishedFolder } from "../archive/finished.ts";
import { partsOf, Removal } from "../change/removal.ts";
import { UsageError } from "../config/config.ts";
import { type Disk, realDisk } from "../disk.ts";
import { DURATION_FORM, durationOf } from "../duration.ts";
import { EXIT } from "../exit-codes.ts";
import { mayStillRun } from "../inbox/unended.ts";
import { finishedAs } from "../look/ended.ts";
import { durationText } from "../outcome.ts";
import { printable } from "../printable.ts";
import { nowAt, openRoot, type Root } from "../root.ts";
import { type JobRef, lookForJobs, namesIn } from "../selection.ts";
import type { Call } from "./call.ts";
import { changeEach, isYes, jobsText, namesText, stagerOf, tellAbsent } from "./each.ts";

/** Throws RootError, UsageError before anything is done. */
export async function remove(call: Call<{ yes?: boolean }>): Promise<number> {
  const { words, settings, terminal } = call;
  const root = openRoot(realDisk, settings.root);
  const { jobs, absent } = lookForJobs(realDisk, root, words, ["inbox", "complete"], ["pending"]);
  tellAbsent(terminal, absent);
  const removable = jobs.filter(({ place }) => place !== "pending");
  if (removable.length > 0 && !(await isConfirmed(call, removable))) return notRemoved(call);
  const exitCode = await removeAll(call, root, jobs);
  return absent.length > 0 ? EXIT.absent : exitCode;
}

/** Throws RootError, UsageError before anything is done. */
export async function clean(
  call: Call<{ olderThan?: string; keepFailed?: boolean; dryRun?: boolean; yes?: boolean }>,
): Promise<number> {
  const { options, settings, terminal } = call;
  const ageS = durationOf(options.olderThan ?? "");
  if (ageS === undefined)
    throw new UsageError(
      options.olderThan === undefined
        ? `clean needs to know how old: --older-than, and ${DURATION_FORM}`
        : `--older-than ${options.olderThan}: it must be ${DURATION_FORM}`,
    );
  const root = openRoot(realDisk, settings.root);
  const { jobs, kept } = oldJobs(realDisk, root, ageS, options.keepFailed === true);
  const old = `older than ${options.olderThan}`;
  const others = kept === 0 ? "" : ` ${jobsText(kept)} that did not succeed ${kept === 1 ? "is" : "are"} kept.`;
  if (jobs.length === 0) {
    if (options.dryRun !== true) await removalOf(call, root).sweep();
    terminal.out(`No finished job is ${old}.${others}\n`);
    return EXIT.ok;
  }
  if (options.dryRun) {
    for (const { name, endedS } of jobs)
      terminal.out(`would remove ${printable(name)}, ended ${durationText(endedS)} ago\n`);
    terminal.out(`${jobsText(jobs.length)} ${old}; nothing was removed.${others}\n`);
    return EXIT.ok;
  }
  if (!(await isConfirmed(call, jobs, `, ${old}`))) return notRemoved(call);
  const exitCode = await removeAll(call, root, jobs);
  if (others) terminal.out(`${others.trim()}\n`);
  return exitCode;
}

/** Finished jobs that ended so long ago, the oldest first; and how many are kept because they did not succeed. */
function oldJobs(
  disk: Disk,
  root: Root,
  ageS: number,
  keepFailed: boolean,
): { jobs: (JobRef & { endedS: number })[]; kept: number } {
  const nowMs = nowAt(disk, root);
  const old: (JobRef & { endedS: number })[] = [];
  let kept = 0;
  for (const name of namesIn(disk, root, "complete")) {
    const look = disk.look(finishedFolder(disk, root, name));
    if (look?.kind !== "folder") continue;
    const record = finishedAs(disk, root, name);
    const endedMs = Date.parse(record?.endedAt ?? record?.at ?? "") || look.ctimeMs;
    // A mount may know the time of its clock to the second only.
    const endedS = Math.max(0, nowMs - endedMs) / 1000;
    if (endedS < ageS) continue;
    if (keepFailed && record?.outcome.is !== "succeeded") kept++;
    else old.push({ place: "complete", name, endedS });
  }
  return { jobs: old.sort((a, b) => b.endedS - a.endedS), kept };
}

/** Asks a person, unless --yes. Throws UsageError where there is nobody to ask. */
async function isConfirmed({ options, terminal }: Call<{ yes?: boolean }>, jobs: readonly JobRef[], more = "") {
  if (options.yes) return true;
  const names = namesText(jobs);
  const answer = await terminal.ask(`Remove ${jobsText(jobs.length)}${more}, with all files in them: ${names}? [y/N] `);
  if (answer === undefined)
    throw new UsageError("there is no terminal to ask whether the jobs are to be removed: add --yes if they are");
  return isYes(answer);
}

function notRemoved({ terminal }: Pick<Call, "terminal">): number {
  terminal.err("Nothing was removed.\n");
  return EXIT.failed;
}

function removalOf(call: Call, root: Root): Removal {
  return new Removal(realDisk, root, stagerOf(call));
}

async function removeAll(call: Call, root: Root, jobs: readonly JobRef[]): Promise<number> {
  const removal = removalOf(call, root);
  const parts = partsOf(realDisk, root, jobs);
  const exitCode = await changeEach(call.terminal, jobs, async (job) => {
    const name = `${job.place}/${printable(job.name)}`;
    if (job.place === "pending") return { didNot: `${name} has not ended; cancel it first` };
    if (mayStillRun(realDisk, root, job))
      return {
        didNot: `${name} may still run: it was moved out of pending before its end was seen. Move it back there, and it can be cancelled`,
      };
    const { own, others } = parts.get(job) ?? { own: [job], others: [] };
    const removed = await removal.remove(own);
    if (removed.is === "removed") return { did: `removed ${name}${staysText(others)}` };
    if (removed.is === "gone") return { didNot: `${name} has gone: it was moved away or removed` };
    return {
      didNot: `${name} is removed, but not all of it could be deleted: ${removed.why}. The rest is in ${removed.where}`,
    };
  });
  await removal.sweep();
  return exitCode;
}

/** A file that only has the name of the job's archive may be all that somebody has. */
function staysText(files: readonly string[]): string {
  if (files.length === 0) return "";
  const names = files.map((file) => `complete/${printable(file)}`).join(", ");
  const [stay, be] = files.length === 1 ? ["stays", "is not the archive"] : ["stay", "are not the archives"];
  return `; ${names} ${stay}, for ${files.length === 1 ? "it" : "they"} ${be} that jobmgr made of this job`;
}
