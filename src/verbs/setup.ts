/** `jobmgr --root R --setup`: makes a root, or completes one. */
import { realDisk } from "../disk.ts";
import { EXIT } from "../exit-codes.ts";
import { openRootFolder } from "../group.ts";
import { table } from "../paint.ts";
import { setUpRoot } from "../root.ts";
import { shellWord } from "../shell-word.ts";
import { PLACES } from "../stage.ts";
import type { Call } from "./call.ts";

/** Makes what is missing, and says what to do next. Throws RootError. */
export async function setUp({ settings, terminal }: Call): Promise<number> {
  const { root, made } = await setUpRoot(realDisk, settings.root);
  if (settings.groupWritable) for (const place of PLACES) openRootFolder(realDisk, root[place]);
  const what =
    made.length === 0
      ? [`${root.path} is a root already; nothing was changed.`]
      : [`Made a root in ${root.path}:`, ...made.map((item) => `  ${item}`)];
  const manager = `jobmgr --root ${shellWord(root.path)}`;
  const lines = [
    ...what,
    "",
    "What to do next:",
    ...table(
      [
        [`  ${manager}`, "run the jobs on Slurm"],
        [`  ${manager} -e LocalEngine`, "run them on this machine"],
      ],
      Number.POSITIVE_INFINITY,
    ),
    `Then move folders that hold a job.sh into ${root.inbox}, and find them in ${root.complete}.`,
  ];
  for (const line of lines) terminal.out(`${line}\n`);
  return EXIT.ok;
}
