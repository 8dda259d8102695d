/** `jobmgr pause` and `jobmgr resume`: whether anything is taken in at all. */
import { basename, dirname } from "node:path";
import { logTime } from "../clock.ts";
import { putNew, realDisk } from "../disk.ts";
import { EXIT } from "../exit-codes.ts";
import { openRoot } from "../root.ts";
import { userName } from "../user-name.ts";
import type { Call } from "./call.ts";
import { managedBy } from "./each.ts";

/** Throws RootError. */
export async function pause({ settings, terminal }: Call): Promise<number> {
  openRoot(realDisk, settings.root);
  const { pauseFile } = settings;
  const text = `Paused by ${userName()} with jobmgr pause, ${logTime(new Date())}.\n`;
  const isNew = await putNew(realDisk, dirname(pauseFile), basename(pauseFile), text);
  terminal.out(
    isNew
      ? `paused: nothing more is taken in; what runs goes on. To go on: jobmgr resume\n`
      : `It was paused before, by ${pauseFile}.\n`,
  );
  return EXIT.ok;
}

/** Throws RootError. */
export async function resume(call: Call): Promise<number> {
  const { settings, terminal } = call;
  const root = openRoot(realDisk, settings.root);
  const { pauseFile } = settings;
  const look = realDisk.look(pauseFile);
  if (!look) {
    terminal.out(`It is not paused: there is no ${pauseFile}.\n`);
    return EXIT.ok;
  }
  if (look.kind === "folder") {
    terminal.err(`jobmgr: ${pauseFile} is a folder. Look what it is for, and move it away.\n`);
    return EXIT.failed;
  }
  realDisk.remove(pauseFile);
  await realDisk.sync(dirname(pauseFile));
  const manager = managedBy(call, root);
  const when = manager.owner ? "" : " when a manager runs; none is running";
  terminal.out(`resumed: jobs are taken in again${when}\n`);
  manager.nudge();
  return EXIT.ok;
}
