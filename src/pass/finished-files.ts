/** --finished-file: written into folders that have arrived in complete/, of which markers tell until it is there. */
import { join } from "node:path";
import { diskTroubleText } from "../disk-error.ts";
import { finish, finishingFolder } from "../steps/archive.ts";
import type { World } from "../steps/world.ts";
import type { Problems } from "./problems.ts";

/** What a crash or a fault has left of it, but for attempts that have not arrived. Throws if the markers cannot be listed. */
export function finishFolders(world: World, problems: Problems, underWay: ReadonlySet<string>): void {
  const { disk } = world;
  if (world.rules.finishedFile === undefined) return;
  if (disk.makeFolder(finishingFolder(world))) return;
  for (const marker of disk.list(finishingFolder(world))) {
    if (!underWay.has(marker) && !marker.startsWith(".")) finishFolder(world, problems, marker);
  }
}

/** Writes that of one attempt, if it is to have one. Never throws: it is tried again at the next check. */
export function finishFolder(world: World, problems: Problems, marker: string): void {
  const about = `finish ${marker}`;
  try {
    finish(world, marker);
    problems.resolve(about, "info", `${world.rules.finishedFile} of attempt ${marker} is written.`);
  } catch (error) {
    const path = join(finishingFolder(world), marker);
    problems.report(
      about,
      "warn",
      `${world.rules.finishedFile} named in ${path} cannot be written: ${diskTroubleText(error)}`,
    );
  }
}
