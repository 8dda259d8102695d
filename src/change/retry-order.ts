/** In which order finished jobs go back to the inbox. */
import type { Disk } from "../disk.ts";
import { formsOf, readAfter } from "../inbox/dependencies.ts";
import { jobFolder, type Root, unnumberedName } from "../root.ts";
import type { JobRef } from "../selection.ts";

/**
 * Finished jobs, those first that others of them wait for: whoever came back before them would be judged by how they
 * ended the last time. Else in the order given, and so within a circle.
 */
export function inRetryOrder(disk: Disk, root: Root, jobs: readonly JobRef[]): JobRef[] {
  const byName = new Map<string, JobRef[]>();
  for (const job of jobs)
    for (const name of new Set([job.name, unnumberedName(job.name)]))
      byName.set(name, [...(byName.get(name) ?? []), job]);
  const before = (job: JobRef) => namesBefore(disk, root, job).flatMap((name) => byName.get(name) ?? []);
  const entered = new Set<JobRef>();
  const ordered: JobRef[] = [];
  for (const job of jobs) {
    // Without recursion: a chain may be long.
    const path: { readonly job: JobRef; readonly before: JobRef[] }[] = [];
    const enter = (one: JobRef) => {
      if (entered.has(one)) return;
      entered.add(one);
      path.push({ job: one, before: before(one) });
    };
    enter(job);
    for (let at = path.at(-1); at !== undefined; at = path.at(-1)) {
      const next = at.before.shift();
      if (next) enter(next);
      else ordered.push(...path.splice(-1).map((done) => done.job));
    }
  }
  return ordered;
}

/** All ways to write the names of the jobs that this one waits for. */
function namesBefore(disk: Disk, root: Root, { place, name }: JobRef): string[] {
  const folder = jobFolder(root, place, name);
  if (disk.look(folder)?.kind !== "folder") return [];
  try {
    const read = readAfter(disk, folder);
    return read && "dependencies" in read ? read.dependencies.flatMap((one) => [...formsOf(one.name)]) : [];
  } catch {
    // What cannot be read is told when the job is moved.
    return [];
  }
}
