/** A job's job.sh as a file, and the name that its folder gives it. What it says is read in script.ts. */
import { join } from "node:path";
import { type Disk, digest } from "./disk.ts";
import { FILES } from "./files.ts";
import { faultOfScript, SCRIPT_BYTES_MAX, type Script } from "./script.ts";

type ScriptRead = { readonly script: Script; readonly sha256: string } | { readonly fault: string };

/** Reads job.sh, and what names the job. Never follows a link. */
export function readScript(disk: Disk, folder: string, folderName: string): ScriptRead {
  const look = disk.look(join(folder, FILES.script));
  if (!look) return { fault: "job.sh is not there any more." };
  if (look.kind === "link")
    return {
      fault:
        'job.sh is a link. Put the script itself here; `cp --remove-destination "$(readlink -f job.sh)" job.sh` does that.',
    };
  if (look.kind === "folder") return { fault: "job.sh is a folder. It must be the script that is to be run." };
  if (look.kind === "other") return { fault: "job.sh is not a regular file. It must be the script that is to be run." };
  let bytes: Buffer | undefined;
  try {
    bytes = disk.read(join(folder, FILES.script), SCRIPT_BYTES_MAX + 1);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    return { fault: "job.sh cannot be read by the manager's user. Mend it with: chmod u+r job.sh" };
  }
  const fault = faultOfScript(bytes ?? Buffer.alloc(0));
  if (fault) return { fault };
  const named = jobNameOf(disk, folder);
  if ("fault" in named) return named;
  const text = bytes?.toString("utf8") ?? "";
  return { script: { folderName, text, ...named }, sha256: digest(text) };
}

/** The first line of job_name.txt, if there is one. */
function jobNameOf(disk: Disk, folder: string): { jobName?: string } | { fault: string } {
  const path = join(folder, FILES.name);
  if (!disk.look(path)) return {};
  try {
    const jobName = disk
      .read(path, 1024)
      ?.toString("utf8")
      .split("\n")[0]
      ?.replace(/\p{Cc}/gu, "")
      .trim();
    return jobName ? { jobName } : {};
  } catch (error) {
    return {
      fault: `${FILES.name} cannot be read: ${(error as Error).message}. It must be a text file, or not be there.`,
    };
  }
}
