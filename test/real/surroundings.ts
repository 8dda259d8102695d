/** What the tests in this folder share: programs that must be there, and jobs that run until the test lets them end. */
import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished, type TestContext } from "vitest";
import { isAlive } from "../../engines/process.ts";
import { parseStarted } from "../../src/runner.ts";
import { PLACES } from "../../src/stage.ts";
import { isSuperuser, makeFolder, makeRoot, type TestRoot } from "../harness.ts";

/** The path of a program; sshd lies where only root's PATH leads. */
function pathOf(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"];
  return folders
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** The path of a program. Where it is missing the test is skipped; in CI it fails, or nobody would notice. */
export function need(context: TestContext, program: string): string {
  const path = pathOf(program);
  if (path !== undefined) return path;
  if (process.env.CI) throw new Error(`${program} is not installed, and CI must not skip a test for that`);
  return context.skip(`${program} is not installed`);
}

/** A root on a file system of its own that holds so much ("256k"), and where that is mounted. Skips the test where none can be. */
export async function makeSmallRoot(context: TestContext, size: string): Promise<{ root: TestRoot; disk: string }> {
  if (!isSuperuser) context.skip("only root can mount a file system");
  const disk = makeFolder();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=755`, "none", disk], { stdio: "ignore" });
  } catch {
    context.skip("no tmpfs can be mounted here");
  }
  onTestFinished(() => {
    execFileSync("umount", ["-l", disk]);
  });
  return { root: await makeRoot(disk), disk };
}

/** Fills a file system: with so many bytes, or until there is no room. Returns the file that takes it up. */
export function fill(disk: string, bytes = 1_000_000_000): string {
  const balloon = join(disk, "balloon");
  execFileSync("sh", ["-c", `head -c ${bytes} /dev/zero > '${balloon}' 2>/dev/null || true`]);
  return balloon;
}

/** Processes of a root's jobs, by the claims that their runners wrote. */
function claimsOf(root: TestRoot) {
  const claims = [];
  for (const place of PLACES) {
    for (const name of root.names(place)) {
      const own = join(root.path, place, name, ".jobmgr");
      const attempts = existsSync(own) ? readdirSync(own).filter((entry) => /^(attempt|past)-/.test(entry)) : [];
      for (const attempt of attempts) {
        const started = join(own, attempt, "started");
        const claim = existsSync(started) ? parseStarted(readFileSync(started, "utf8")) : undefined;
        if (claim) claims.push({ ...claim, name, exited: existsSync(join(own, attempt, "exit")) });
      }
    }
  }
  return claims;
}

/** The names of the jobs that run at this moment. */
export function runningJobs(root: TestRoot): string[] {
  return claimsOf(root)
    .filter(({ pid, start, exited }) => !exited && isAlive(pid, start))
    .map(({ name }) => name)
    .sort();
}

export interface JobRoot extends TestRoot {
  /** A job that writes its name into the ledger, and runs until its gate is opened. */
  dropGated(name: string, gate?: string): void;
  openGate(gate?: string): void;
}

/** A root whose jobs end with the test: they outlive their manager, which is what most tests here are about. */
export async function makeJobRoot(): Promise<JobRoot> {
  const root = await makeRoot();
  onTestFinished(() => {
    for (const { pid, start } of claimsOf(root)) {
      if (isAlive(pid, start)) process.kill(-pid, "SIGKILL");
    }
  });
  const gateFile = (gate: string) => `${root.ledger}.${gate}`;
  return {
    ...root,
    dropGated(name, gate = "gate") {
      root.dropLedger(name, `while [ ! -e '${gateFile(gate)}' ]; do sleep 0.05; done`);
    },
    openGate(gate = "gate") {
      writeFileSync(gateFile(gate), "");
    },
  };
}
