/** What a look at a folder shows, without reading its job.sh: is it one that the inbox would take? */
import { dirname, join, normalize, resolve } from "node:path";
import { type Disk, type Look, walkTree } from "../disk.ts";
import { FILES } from "../files.ts";
import { ENTRIES_MAX, isOfJobmgr, isUnfinishedName, type ReadyRules } from "../inbox/ready.ts";
import { printable } from "../printable.ts";
import { freeName, isIgnoredName, isUnreadableName, type Root } from "../root.ts";
import { shellName } from "../shell-word.ts";
import { PLACES } from "../stage.ts";
import { error, type Finding, warning } from "./finding.ts";
import type { Target } from "./target.ts";

/** So many of a kind are told one by one. */
const TOLD_MAX = 5;

/** The name of a job: can it be taken, and kept? */
export function nameFindings(disk: Disk, root: Root | undefined, { name, path, isInInbox }: Target): Finding[] {
  if (isUnreadableName(name))
    return [error("its name is not UTF-8, so that it cannot be opened. Rename it, in plain letters.")];
  const findings: Finding[] = [];
  if (isIgnoredName(name))
    findings.push(
      warning(
        "a name like this is never taken from the inbox. That is right for an upload: rename it when all is there.",
      ),
    );
  if (printable(name) !== name) findings.push(warning("its name has control characters in it. Rename it."));
  if (!root) return findings;
  const own = disk.look(path);
  // Itself is not in its own way.
  const isThere = (place: (typeof PLACES)[number], other: string) => {
    const look = disk.look(join(root[place], other));
    return look !== undefined && !(look.ino === own?.ino && look.dev === own.dev);
  };
  const taken = PLACES.filter((place) => !(place === "inbox" && isInInbox) && isThere(place, name));
  if (taken.includes("inbox"))
    findings.push(
      warning("the inbox has something of this name already. Give it another name, or it becomes part of that."),
    );
  const others = taken.filter((place) => place !== "inbox");
  if (others.length > 0) {
    const free = freeName(name, (other) => others.some((place) => isThere(place, other)));
    findings.push(
      warning(`${others.join(" and ")} has "${printable(name)}" already: this one becomes "${printable(free)}".`),
    );
  }
  return findings;
}

/** Why a folder is no job at all, whatever is in it. */
export function noJobFinding(disk: Disk, { path, word, name }: Target): Finding | undefined {
  if (name === "") return error("it is the top of the file system, and no job.");
  if (!disk.look(join(path, ".jobmgr", "root.json"))) return undefined;
  return error(`it is a root, not a job. To check what waits in it: jobmgr check ${shellName(word)}/inbox/*`);
}

/** Its owner and modes, its names, and the files in it that mean something. */
export function folderFindings(disk: Disk, target: Target, rules: ReadyRules): Finding[] {
  const folder = target.path;
  const top = disk.look(folder);
  if (!top) return [error("it has gone.")];
  const findings: Finding[] = [];
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0 && top.uid === uid && (top.mode & 0o700) !== 0o700)
    findings.push(
      error("its owner may not read and write in it, so that it cannot be moved. Mend it with: chmod u+rwx"),
    );
  let names: string[];
  try {
    names = disk.list(folder);
  } catch (failure) {
    return [...findings, error(`it cannot be read: ${(failure as Error).message}.`)];
  }
  const script = names.includes(FILES.script) ? disk.look(join(folder, FILES.script)) : undefined;
  return [
    ...findings,
    ...ownerFindings([top, script], target.isInInbox, rules),
    ...treeFindings(disk, folder, rules, uid),
  ];
}

function ownerFindings(looks: readonly (Look | undefined)[], isInInbox: boolean, rules: ReadyRules): Finding[] {
  const stranger = looks.find((look) => look && rules.owners && !rules.owners.has(look.uid));
  if (!stranger) return [];
  const says = `it belongs to another user (uid ${stranger.uid}), so that it is left in the inbox. Copy it as yourself, or run jobmgr with --allow-owner ${stranger.uid}.`;
  return [isInInbox ? error(says) : warning(says)];
}

/** Everything below: names, links and modes that would be in the way. */
function treeFindings(disk: Disk, folder: string, rules: ReadyRules, uid: number): Finding[] {
  const found = {
    unfinished: [] as string[],
    out: [] as string[],
    dead: [] as string[],
    odd: [] as string[],
    closed: [] as string[],
    shut: [] as string[],
  };
  // A folder that is shut is told, and passed over.
  const list = (path: string) => {
    const names = namesOrNone(disk, path);
    if (!names) found.shut.push(path.slice(folder.length + 1));
    return names ?? [];
  };
  let entries = 0;
  for (const { path: from, name, look, beside } of walkTree(disk, folder, (one) => isOfJobmgr(one, rules), list)) {
    if (++entries > ENTRIES_MAX) break;
    const path = from.slice(1);
    if (isUnreadableName(name)) found.odd.push(path);
    else if (rules.readyFile === undefined && isUnfinishedName(name, beside)) found.unfinished.push(path);
    if (look?.kind === "link") linkInto(disk, folder, path, found);
    if (look?.kind === "file" && uid !== 0 && look.uid === uid && (look.mode & 0o400) === 0) found.closed.push(path);
  }
  return [
    ...told(
      found.unfinished,
      error,
      "looks like an unfinished upload, for which the inbox waits. Let it finish, or rename or delete it.",
    ),
    ...told(found.shut, error, "is a folder that cannot be read. Mend it with: chmod u+rwx"),
    ...told(found.closed, warning, "may not be read by its owner. Mend it with: chmod u+r"),
    ...told(
      found.odd,
      warning,
      "has a name that is not UTF-8: it travels along, but may be lost in an archive. Rename it.",
    ),
    ...told(
      found.out,
      warning,
      "is a link that leads out of the folder. jobmgr never follows it; your job will find there what is there then.",
    ),
    ...told(found.dead, warning, "is a link that leads nowhere. Put the file itself there."),
    ...(entries > ENTRIES_MAX
      ? [warning(`it holds more than ${ENTRIES_MAX} files, and the rest was not looked at.`)]
      : []),
  ];
}

function namesOrNone(disk: Disk, folder: string): string[] | undefined {
  try {
    return disk.list(folder);
  } catch {
    return undefined;
  }
}

/** A link is judged by where it leads from here: a job keeps its depth under the root. */
function linkInto(disk: Disk, folder: string, path: string, found: { out: string[]; dead: string[] }): void {
  const to = disk.readLink(join(folder, path)) ?? "";
  const target = resolve(folder, dirname(path), to);
  const isInside = !to.startsWith("/") && `${normalize(target)}/`.startsWith(`${folder}/`);
  const shown = `${path} -> ${to}`;
  if (!isInside) found.out.push(shown);
  else if (!disk.look(target)) found.dead.push(shown);
}

function told(paths: readonly string[], kind: (says: string) => Finding, says: string): Finding[] {
  const findings = paths.slice(0, TOLD_MAX).map((path) => kind(`${printable(path || "it")} ${says}`));
  const more = paths.length - TOLD_MAX;
  return more > 0 ? [...findings, kind(`${more} more like this.`)] : findings;
}
