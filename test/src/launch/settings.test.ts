/** [launch.NAME] in a configuration file: what is taken of it, and what is said of a mistake. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../../src/config/config.ts";
import { layersOver } from "../../../src/config/layers.ts";
import { realDisk } from "../../../src/disk.ts";
import { launchSettingsOf } from "../../../src/launch/settings.ts";
import { makeFolder } from "../../harness.ts";

/** What these texts say of launchers, as those of the user and of the machine. */
function launch(user: string, system = "") {
  const folder = makeFolder();
  writeFileSync(join(folder, "jobmgr.toml"), user);
  writeFileSync(join(folder, "system.toml"), system);
  const env = { HOME: folder, XDG_CONFIG_HOME: folder };
  const place = { disk: realDisk, env, cwd: folder, uid: process.getuid?.() ?? 0 };
  const found = layersOver({}, { ...place, systemFile: join(folder, "system.toml") });
  return { folder, values: found.launch, settings: launchSettingsOf(found.launch) };
}

describe("tables of launchers", () => {
  it("are laid over each other key by key, and paths are meant from their file", () => {
    const { folder, settings, values } = launch(
      '[launch]\nbackend = "site"\n[launch.site]\nexecutable = "bin/run"\nprocesses-flag = "-c %(np)d"\n',
      '[launch]\nbackend = "other"\n[launch.site]\nexecutable = "/run"\ndefault-options = ["-v", ""]\n[launch.x]\nkind = "srun"\n',
    );
    expect(settings).toEqual({
      backend: "site",
      launchers: {
        site: { executable: join(folder, "bin/run"), processesFlag: "-c %(np)d", defaultOptions: ["-v", ""] },
        x: { kind: "srun" },
      },
    });
    expect(values.find(({ key }) => key === "default-options")?.from).toBe(join(folder, "system.toml"));
  });

  it("have names of their own: a launcher may be called as what every object has", () => {
    expect(launch('[launch.constructor]\nexecutable = "run"\n').settings.launchers).toEqual({
      constructor: { executable: "run" },
    });
  });

  it.each([
    ['[launch.site]\nexecutabel = "x"\n', /\[launch\.site\] has the key "executabel".*Did you mean executable\?/],
    ["[launch.site]\ndefault-options = 'a b'\n", /default-options in \[launch\.site\] must be a list with each word/],
    ["[launch.site]\npreset-options = [1]\n", /preset-options in \[launch\.site\] must be a list/],
    ['[launch.site]\nkind = "pbs"\n', /kind = pbs in \[launch\.site\]: it must be one of openmpi, mpich, srun/],
    [
      '[launch.site]\nprocesses-flag = "--tasks=%d"\n',
      /processes-flag in \[launch\.site\] has %d, which is none: %\(np\)d is/,
    ],
    ['[launch.site]\nprocesses-flag = ""\n', /processes-flag in \[launch\.site\] must be a text.*"-n %\(np\)d"/],
    ["[launch]\nbackend = 1\n", /launch\.backend must be a text/],
    ['[launch]\nbackedn = "mpi"\n', /the table \[launch\] has the key "backedn".*Did you mean backend\?/],
    ['[launch."a b"]\nkind = "srun"\n', /\[launch\."a b"\]: a launcher's name is made of letters/],
    ['launch = "mpi"\n', /launch must be a table/],
    ['[lanuch.mpi]\nkind = "srun"\n', /"lanuch", which is no option there\. Did you mean launch\?/],
  ])("are refused with a mistake, which is named with its file: %j", (text, sentence) => {
    expect(() => launch(text)).toThrow(ConfigError);
    expect(() => launch(text)).toThrow(sentence);
    expect(() => launch(text)).toThrow(/jobmgr\.toml/);
  });
});
