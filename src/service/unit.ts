/** Puts a systemd user unit into place, and never over one that is not ours. */
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { ConfigError } from "../config/config.ts";
import { type Disk, putForReading } from "../disk.ts";
import { unitMarker } from "./texts.ts";

/** A name that all kinds of service take. */
export function serviceName(root: string, number = 1): string {
  const plain =
    basename(root)
      .replace(/[^A-Za-z0-9_-]+/g, "-")
      .replace(/^-+|-+$/g, "") || "root";
  return `jobmgr-${plain}${number === 1 ? "" : `-${number}`}`;
}

/** Where the unit of a root lies. */
export interface UnitPlace {
  readonly name: string;
  readonly path: string;
  /** What lies there now, written by an earlier call for this root. */
  readonly before: string | undefined;
}

/** Two roots may have one name: the next number is taken. Throws ConfigError for a unit of somebody else's. */
export function unitPlace(disk: Disk, root: string, env: NodeJS.ProcessEnv): UnitPlace {
  const folder = join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), ".config"), "systemd", "user");
  const marker = unitMarker(root);
  for (let number = 1; ; number++) {
    const name = `${serviceName(root, number)}.service`;
    const path = join(folder, name);
    const look = disk.look(path);
    if (!look) return { name, path, before: undefined };
    const text = look.kind === "file" ? disk.read(path)?.toString("utf8") : undefined;
    if (text?.startsWith(`${marker}\n`)) return { name, path, before: text };
    const isOurs = text?.startsWith(marker.slice(0, marker.indexOf("for the root"))) === true;
    if (!isOurs)
      throw new ConfigError(`${path} is there already, and was not written by jobmgr. Move it away, or rename it.`);
  }
}

/** Writes it, with the folders that lead to it. */
export function putUnit(disk: Disk, { path, name }: UnitPlace, text: string): void {
  makeFolders(disk, dirname(path));
  putForReading(disk, dirname(path), name, text);
}

function makeFolders(disk: Disk, folder: string): void {
  if (disk.look(folder)) return;
  makeFolders(disk, dirname(folder));
  disk.makeFolder(folder);
}
