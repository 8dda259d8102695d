/** Whose folders are run, and who may put something into a root: what is dropped there runs as this user. */
import { type Settings, UsageError } from "./config/config.ts";
import type { Disk } from "./disk.ts";
import type { Root } from "./root.ts";
import type { Surroundings } from "./verbs/call.ts";

/** The uids whose folders are taken; undefined: everybody's. Throws UsageError for a user that there is not. */
export async function ownersOf(
  settings: Settings,
  around: Pick<Surroundings, "uidOf">,
): Promise<ReadonlySet<number> | undefined> {
  if (settings.allowShared) return undefined;
  const owners = new Set([process.getuid?.() ?? 0]);
  for (const user of settings.allowOwners) {
    const uid = await around.uidOf(user);
    if (uid === undefined) throw new UsageError(`--allow-owner ${user}: there is no such user on this machine`);
    owners.add(uid);
  }
  return owners;
}

const OTHERS_WRITE = 0o002;

/** The first of the root's folders that everybody may write to, if that is not accepted. */
export function openFolder(disk: Disk, root: Root, settings: Settings): string | undefined {
  if (settings.allowShared) return undefined;
  return [root.path, root.inbox, root.pending].find((folder) => {
    const look = disk.look(disk.realPath(folder));
    return look && (look.mode & OTHERS_WRITE) !== 0;
  });
}
