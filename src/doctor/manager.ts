/** Who manages the root, and what was left lying about in it. */
import { join } from "node:path";
import { clockOf } from "../clock.ts";
import type { Settings } from "../config/config.ts";
import type { Disk } from "../disk.ts";
import type { Symptom } from "../engine.ts";
import { HEARTBEAT_MS, readOwner } from "../lock.ts";
import { startCommand } from "../look/manager-state.ts";
import { readWord } from "../manager-word.ts";
import { durationText } from "../outcome.ts";
import { printable } from "../printable.ts";
import type { Root } from "../root.ts";
import type { Surroundings } from "../verbs/call.ts";

/** The manager, its last check, and what it says is wrong. `nowMs`: by the clock of the root's file system. */
export function managerSymptoms(
  disk: Disk,
  root: Root,
  settings: Settings,
  around: Pick<Surroundings, "isAlive" | "machine">,
  nowMs: number,
): Symptom[] {
  const lock = join(root.own, "lock");
  const beat = disk.look(join(lock, "heartbeat")) ?? disk.look(lock);
  const about = "manager";
  const toStart = `To start one: ${startCommand(root, readWord(disk, root))}`;
  const symptoms: Symptom[] = [...leftovers(disk, root, nowMs), ...pauseSymptoms(disk, settings)];
  if (!beat) return [{ level: "ok", about, says: `none is running. ${toStart}` }, ...symptoms];
  const owner = readOwner(disk, root);
  const ageS = Math.max(0, (nowMs - beat.ctimeMs) / 1000);
  const heard = `its last sign of life was ${durationText(Math.floor(ageS))} ago`;
  const isSilent = ageS > Math.max(settings.lockPatienceS, (3 * HEARTBEAT_MS) / 1000);
  if (!owner)
    return [
      {
        level: "warning",
        about,
        says: `the record of who manages the root is damaged (${lock}); ${heard}. The next manager puts it right.`,
      },
      ...symptoms,
    ];
  const who = `process ${owner.pid} of ${printable(owner.user)} on ${printable(owner.host)}, since ${clockOf(owner.since, new Date(nowMs).toISOString())}`;
  const isHere = owner.host === around.machine.host;
  const isDead = isHere && (owner.boot !== around.machine.boot || !around.isAlive(owner.pid, owner.start));
  if (isDead)
    return [
      { level: "warning", about, says: `${who}, has died; the next one takes over at once. ${toStart}` },
      ...symptoms,
    ];
  if (isSilent) {
    const remedy = isHere
      ? `Is it stopped? ps ${owner.pid}`
      : `It is taken to be dead: the next one takes over. ${toStart}`;
    return [{ level: "warning", about, says: `${who}; ${heard}. ${remedy}` }, ...symptoms];
  }
  return [{ level: "ok", about, says: who }, ...checkSymptoms(disk, root, settings), ...symptoms];
}

/** A manager looks each period; a little later is no matter. */
const LATE_S = 60;

function checkSymptoms(disk: Disk, root: Root, settings: Settings): Symptom[] {
  const word = readWord(disk, root);
  const ageS = (Date.now() - Date.parse(word.at ?? "")) / 1000;
  const problems = [...word.problems.values()].map(
    (problem): Symptom => ({ level: "warning", about: "it says", says: printable(problem) }),
  );
  if (Number.isNaN(ageS)) return problems;
  const says = `${durationText(Math.max(0, Math.floor(ageS)))} ago`;
  if (ageS <= 3 * settings.periodS + LATE_S) return [{ level: "ok", about: "last check", says }, ...problems];
  return [
    {
      level: "warning",
      about: "last check",
      says: `${says}, though it should look each ${settings.periodS} s: it is stopped, or its disk or scheduler does not answer. Look at its log.`,
    },
    ...problems,
  ];
}

const LEFTOVER_S = 3600;

/** What somebody who was killed had staged, and nobody has finished or swept. */
function leftovers(disk: Disk, root: Root, nowMs: number): Symptom[] {
  const isOld = (path: string) => {
    const look = disk.look(path);
    return look !== undefined && (nowMs - look.ctimeMs) / 1000 > LEFTOVER_S;
  };
  const staged = disk.list(root.own).filter((name) => /^(lock|doctor)-/.test(name));
  const halfway = ["arriving", "removing"].flatMap((folder) =>
    disk.look(join(root.own, folder))?.kind === "folder"
      ? disk.list(join(root.own, folder)).map((name) => `${folder}/${name}`)
      : [],
  );
  const old = [...staged, ...halfway].filter((name) => isOld(join(root.own, name)));
  if (old.length === 0) return [];
  const names = `${old.slice(0, 3).map(printable).join(", ")}${old.length > 3 ? ", ..." : ""}`;
  return [
    {
      level: "ok",
      about: "leftovers",
      says: `${old.length} in ${root.own}, of somebody who was killed: ${names}. The next manager, or the next jobmgr remove, goes on with them.`,
    },
  ];
}

function pauseSymptoms(disk: Disk, { pauseFile }: Settings): Symptom[] {
  if (!disk.look(pauseFile)) return [];
  return [
    { level: "warning", about: "pause", says: `nothing is taken in while ${pauseFile} is there. Delete it to go on.` },
  ];
}
