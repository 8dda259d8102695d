/** Sends a finished job back to the inbox, to be run again. Its earlier attempts go along. */
import { type Disk, moveFolderUnlessTaken } from "../disk.ts";
import { markWhole } from "../inbox/whole.ts";
import { freeNameIn, jobFolder, type Root } from "../root.ts";

/**
 * The name that it has in the inbox; undefined if it is not in complete/ (any more). One rename: there or here. All that
 * it is to have is in it, so that it need not come to rest.
 */
export async function sendBack(disk: Disk, root: Root, name: string): Promise<string | undefined> {
  const from = jobFolder(root, "complete", name);
  for (;;) {
    const free = freeNameIn(disk, root.inbox, name);
    try {
      await markWhole(disk, from).catch(unlessForbidden);
      if (!moveFolderUnlessTaken(disk, from, jobFolder(root, "inbox", free))) continue;
    } catch (error) {
      if (!disk.look(from)) return undefined;
      throw error;
    }
    await Promise.all([disk.sync(root.inbox), disk.sync(root.complete)]);
    return free;
  }
}

/** Another user's folder may be moved, but has to come to rest. */
function unlessForbidden(error: NodeJS.ErrnoException): void {
  if (error.code !== "EACCES" && error.code !== "EPERM") throw error;
}
