/** `jobmgr --root R --setup`: makes a root, or completes one. */
import { realDisk } from "../disk.ts";
import { openRootFolder } from "../group.ts";
import { setUpRoot } from "../root.ts";
import { PLACES } from "../stage.ts";

/** Returns the lines to show. Throws RootError. */
export async function setUp(path: string, groupWritable: boolean): Promise<string[]> {
  const { root, made } = await setUpRoot(realDisk, path);
  if (groupWritable) for (const place of PLACES) openRootFolder(realDisk, root[place]);
  const what =
    made.length === 0
      ? [`${root.path} is a root already; nothing was changed.`]
      : [`Made a root in ${root.path}:`, ...made.map((item) => `  ${item}`)];
  return [
    ...what,
    "",
    "What to do next:",
    `  jobmgr --root ${root.path}                    run the jobs on Slurm`,
    `  jobmgr --root ${root.path} -e LocalEngine     run them on this machine`,
    `Then move folders that hold a job.sh into ${root.inbox}, and find them in ${root.complete}.`,
  ];
}
