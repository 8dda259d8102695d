/** `jobmgr config`, word for word. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { makeRoot } from "../harness.ts";
import { transcript, type Where } from "./transcript.ts";

it.each<Where>(["terminal", "pipes"])("config, on %s", async (where) => {
  const root = await makeRoot("/tmp");
  writeFileSync(join(root.path, "jobmgr.toml"), 'engine = "LocalEngine"\nmax-jobs = 3\n');
  const calls = [["config"], ["config", "--json"], ["config", "-p", "0"]];
  const text = (await transcript(root, where, calls)).replace(/^\d+ more/m, "SOME more");
  await expect(text).toMatchFileSnapshot(`golden/config-${where}.txt`);
});
