/** Where the configuration of this call lies. */
import { realDisk } from "../src/disk.ts";
import type { Place } from "../src/layers.ts";

export function placeHere(): Place {
  return {
    disk: realDisk,
    env: process.env,
    cwd: process.cwd(),
    uid: process.getuid?.() ?? 0,
    systemFile: "/etc/jobmgr.toml",
  };
}
