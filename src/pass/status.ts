/** job_status.json of a job in pending/: for people, so that one that cannot be written holds up nothing. */
import { join } from "node:path";
import { type Disk, putForReading } from "../disk.ts";
import { diskTroubleText } from "../disk-error.ts";
import { FILES } from "../files.ts";
import { jsonObject, textIn } from "../json-file.ts";
import { jobFolder } from "../root.ts";
import { statusText } from "../status-file.ts";
import type { World } from "../steps/world.ts";
import type { Job } from "./job.ts";
import type { Problems } from "./problems.ts";

/** Writes it. Never throws. */
export function writeStatus(
  { disk, root, engine }: World,
  problems: Problems,
  job: Job,
  state: string,
  more: Parameters<typeof statusText>[4] = {},
): void {
  const folder = jobFolder(root, "pending", job.name);
  const about = `status ${job.name}`;
  try {
    const text = statusText(engine, job.name, state, job.seen ?? { stage: undefined }, more);
    putForReading(disk, folder, FILES.status, text);
    problems.resolve(about, "debug", `${FILES.status} of ${job.name} can be written again.`);
  } catch (error) {
    problems.report(about, "warn", `${FILES.status} of ${job.name} cannot be written: ${diskTroubleText(error)}`);
  }
}

/**
 * Since when it waits for that: by the last status, if it says the same, for a manager that was just started does not
 * know; else since the engine was asked (ISO-8601 UTC), so that what its runner has recorded later is known to be later.
 */
export function whySince({ disk, root }: World, job: Job, why: string | undefined, askedAt: string): string {
  const last = jsonObject(disk, join(jobFolder(root, "pending", job.name), FILES.status));
  const since = textIn(last.whySince);
  const isSame = last.token === job.seen?.token && last.why === why;
  if (!isSame || since === undefined || since >= askedAt) return askedAt;
  // It may have run meanwhile, and been put back into the queue for the same reason.
  const records = job.seen?.attempt?.records;
  return records !== undefined && hasRecorded(disk, records, since) ? askedAt : since;
}

/** Whether a runner has recorded something since then (ISO-8601 UTC), as far as can be seen. Never throws. */
function hasRecorded(disk: Disk, records: string, since: string): boolean {
  const isLater = (name: string) => (disk.look(join(records, name))?.mtimeMs ?? 0) > Date.parse(since);
  try {
    return disk.list(records).some((name) => /^(started|exit)\b/.test(name) && isLater(name));
  } catch {
    return false;
  }
}
