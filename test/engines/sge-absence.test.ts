/** Which qsub is it? Grid Engine's, PBS', or a site's own in front of one of them. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { absence } from "../../engines/sge/absence.ts";
import { makeFolder } from "../harness.ts";
import { putProgram } from "../own-programs.ts";

/** A folder with programs of these names. */
function withPrograms(...names: readonly string[]): string {
  const folder = makeFolder();
  for (const name of names) putProgram(join(folder, name), "");
  return folder;
}

/** An installation that names its master. */
function makeInstallation(): string {
  const root = makeFolder();
  mkdirSync(join(root, "cell", "common"), { recursive: true });
  writeFileSync(join(root, "cell", "common", "act_qmaster"), "master\n");
  return root;
}

describe("SgeEngine", () => {
  it("can run jobs where Grid Engine's commands and an installation are, also behind a link or a site's own qsub", () => {
    const commands = withPrograms("qsub", "qconf");
    const link = makeFolder();
    symlinkSync(join(commands, "qsub"), join(link, "qsub"));
    const env = { SGE_ROOT: makeInstallation(), SGE_CELL: "cell" };
    for (const PATH of [commands, link, `${withPrograms("qsub")}:${commands}`])
      expect(absence({ ...env, PATH })).toBeUndefined();
    expect(absence({ ...env, SGE_CELL: "other", PATH: commands })).toMatch(/names no master; set SGE_ROOT/);
  });

  it("cannot where there is no qsub, or PBS' comes first", () => {
    const env = { SGE_ROOT: makeInstallation(), SGE_CELL: "cell" };
    expect(absence({ ...env, PATH: makeFolder() })).toMatch(/There is no qsub/);
    const pbs = withPrograms("qsub", "pbsnodes");
    expect(absence({ ...env, PATH: pbs })).toMatch(/not Grid Engine's.*-e PbsEngine/);
    expect(absence({ ...env, PATH: `${pbs}:${withPrograms("qsub", "qconf")}` })).toMatch(/not Grid Engine's/);
  });
});
