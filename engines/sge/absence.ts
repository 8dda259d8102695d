/** Is the qsub of this machine Grid Engine's? PBS and Torque have one, too. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** Where Debian's commands look, unless SGE_ROOT says otherwise. */
const DEBIAN_ROOT = "/var/lib/gridengine";

/** Why SgeEngine cannot run jobs here, in a sentence; undefined if it can. Starts nothing. */
export function absence(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const path = env.PATH ?? "";
  const folder = folderWith("qsub", path);
  const local = "to run jobs on this machine itself, add: -e LocalEngine";
  if (folder === undefined) return `There is no qsub on this machine, so that SgeEngine cannot run jobs here; ${local}`;
  const qsub = join(folder, "qsub");
  if (!isGridEngines(qsub, path)) return `${qsub} is not Grid Engine's, for there is no qconf; try: -e PbsEngine`;
  const root = env.SGE_ROOT || rootInDefaults() || DEBIAN_ROOT;
  const cell = join(root, env.SGE_CELL || "default", "common");
  if (existsSync(join(cell, "act_qmaster"))) return undefined;
  return `Grid Engine's commands are here, but ${cell} names no master; set SGE_ROOT and SGE_CELL (mostly: . SGE_ROOT/default/common/settings.sh), or ${local}`;
}

/**
 * Its qconf, which no other scheduler has, lies beside it, or beside what the name leads to; or it is a site's own wrapper,
 * and qconf lies elsewhere on the PATH.
 */
function isGridEngines(qsub: string, path: string): boolean {
  const beside = [qsub, realpathSync(qsub)].some((one) => existsSync(join(dirname(one), "qconf")));
  return beside || (!existsSync(join(dirname(qsub), "pbsnodes")) && folderWith("qconf", path) !== undefined);
}

function folderWith(program: string, path: string): string | undefined {
  return path.split(delimiter).find((one) => one !== "" && existsSync(join(one, program)));
}

/** As Debian's commands read it. */
function rootInDefaults(): string | undefined {
  try {
    return /^(?:export )?SGE_ROOT=["']?([^"'\s]+)/m.exec(readFileSync("/etc/default/gridengine", "utf8"))?.[1];
  } catch {
    return undefined;
  }
}
