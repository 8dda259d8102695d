/** Where the configuration of this call lies. */

import type { Place } from "../src/config/layers.ts";
import { realDisk } from "../src/disk.ts";

/** Where this process stands: what it reads its configuration from. */
export function placeHere(): Place {
  return {
    disk: realDisk,
    env: process.env,
    cwd: process.cwd(),
    uid: process.getuid?.() ?? 0,
    systemFile: "/etc/jobmgr.toml",
  };
}
