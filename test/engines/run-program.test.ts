/** How programs are run to their end, whatever they start themselves. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { runProgram } from "../../engines/run-program.ts";
import { until } from "../daemons.ts";
import { makeFolder } from "../harness.ts";
import { putProgram } from "../own-programs.ts";

it("a limit ends a command that hangs behind a script of the site, too", async () => {
  const folder = makeFolder();
  putProgram(join(folder, "qstat"), `sleep 1000 & echo $! >'${folder}/pid'; echo some; wait\n`);
  expect(await runProgram(join(folder, "qstat"), [], 300)).toMatchObject({ timedOut: true, exitCode: undefined });
  const pid = Number(readFileSync(join(folder, "pid"), "utf8"));
  const hasEnded = () => {
    try {
      return process.kill(pid, 0) && / Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
    } catch {
      return true;
    }
  };
  expect(await until(hasEnded, 10_000)).toBe(true);
});

it("says how a program ended, and what it printed", async () => {
  const folder = makeFolder();
  putProgram(join(folder, "qstat"), 'echo "$1"; echo "$LC_ALL" >&2; exit 3\n');
  const ran = await runProgram(join(folder, "qstat"), ["a b"], 60_000);
  expect(ran).toEqual({ exitCode: 3, stdout: "a b", stderr: "C", timedOut: false, errorCode: undefined });
  expect(await runProgram(join(folder, "qdel"), [], 60_000)).toMatchObject({ errorCode: "ENOENT", timedOut: false });
});
