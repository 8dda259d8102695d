/** --group-writable: the group gets its bits on files and folders of a job, nobody else any, and no link is followed. */
import { chmodSync, linkSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { type Disk, realDisk } from "../../src/disk.ts";
import { openRootFolder, openToGroup } from "../../src/group.ts";
import { makeFolder } from "../harness.ts";

let folder: string;

beforeEach(() => {
  folder = join(makeFolder(), "job");
  mkdirSync(folder);
  chmodSync(folder, 0o700);
});

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

function put(name: string, mode: number): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, "");
  chmodSync(path, mode);
  return path;
}

describe("a folder that is opened to its group", () => {
  it("can be read and written to by the group, all the way down, and by nobody else", () => {
    const file = put("a/b/file", 0o600);
    const script = put("job.sh", 0o700);
    openToGroup(realDisk, folder);
    expect(modeOf(folder)).toBe("2770");
    expect(modeOf(join(folder, "a"))).toMatch(/^2775|^277[05]$/);
    expect(modeOf(file)).toBe("660");
    expect(modeOf(script)).toBe("760");
  });

  it("gives others no bit that they did not have", () => {
    const file = put("file", 0o604);
    openToGroup(realDisk, folder);
    expect(modeOf(file)).toBe("664");
  });

  it("leaves alone what a link points at, be it a file or a folder", () => {
    const elsewhere = makeFolder();
    writeFileSync(join(elsewhere, "file"), "");
    chmodSync(join(elsewhere, "file"), 0o600);
    chmodSync(elsewhere, 0o700);
    symlinkSync(join(elsewhere, "file"), join(folder, "to-file"));
    symlinkSync(elsewhere, join(folder, "to-folder"));
    openToGroup(realDisk, folder);
    expect(modeOf(elsewhere)).toBe("700");
    expect(modeOf(join(elsewhere, "file"))).toBe("600");
  });

  it("leaves alone a file that has a second name, which may lie outside", () => {
    const elsewhere = join(makeFolder(), "file");
    writeFileSync(elsewhere, "");
    chmodSync(elsewhere, 0o600);
    linkSync(elsewhere, join(folder, "second"));
    openToGroup(realDisk, folder);
    expect(modeOf(elsewhere)).toBe("600");
  });

  it("goes on over what belongs to somebody else, or vanishes meanwhile", () => {
    const first = put("1", 0o600);
    const second = put("2", 0o600);
    for (const code of ["EPERM", "EACCES", "ENOENT", "ELOOP"]) {
      chmodSync(second, 0o600);
      const disk: Disk = {
        ...realDisk,
        addMode(path, bits) {
          if (path === first) throw Object.assign(new Error(code), { code });
          realDisk.addMode(path, bits);
        },
      };
      openToGroup(disk, folder);
      expect(modeOf(second), code).toBe("660");
    }
  });

  it("a fault of the disk is not passed over", () => {
    put("1", 0o600);
    const disk: Disk = {
      ...realDisk,
      addMode() {
        throw Object.assign(new Error("i/o error"), { code: "EIO" });
      },
    };
    expect(() => openToGroup(disk, folder)).toThrow("i/o error");
  });

  it("a folder of the root is opened itself, not what is in it", () => {
    const file = put("file", 0o600);
    openRootFolder(realDisk, folder);
    expect(modeOf(folder)).toBe("2770");
    expect(modeOf(file)).toBe("600");
  });
});
