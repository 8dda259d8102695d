/** The engine's dry run. It wants a runner to look at, which is made in a private folder, and nothing in the user's. */
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "../config/config.ts";
import type { Disk } from "../disk.ts";
import type { Attempt, Engine, Machine, Plan } from "../engine.ts";
import { isEngineError } from "../engine-error.ts";
import { newToken } from "../records.ts";
import { runnerText } from "../runner.ts";
import { commandOfScript } from "../script.ts";
import { error, type Finding } from "./finding.ts";

/** A folder that only this user can look into; it is removed again, with the files that are named here. Throws ConfigError. */
export async function withPrivateFolder<T>(
  disk: Disk,
  files: Readonly<Record<string, string>>,
  action: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = join(tmpdir(), `jobmgr-check-${randomUUID()}`);
  try {
    disk.makeFolder(folder, 0o700);
  } catch (failure) {
    throw new ConfigError(
      `TMPDIR (${tmpdir()}) cannot be used: ${(failure as Error).message}. Set it to a folder of yours.`,
    );
  }
  try {
    for (const [name, text] of Object.entries(files)) disk.create(join(folder, name), text, 0o700);
    return await action(folder);
  } finally {
    for (const name of Object.keys(files)) if (disk.look(join(folder, name))) disk.remove(join(folder, name));
    disk.removeFolder(folder);
  }
}

/** `out`: the engine could not be asked, and why. */
export type DryRun = { readonly findings: readonly Finding[] } | { readonly out: string };

/** Would the engine take it? `folder`: where its files lie now. */
export function dryRun(
  disk: Disk,
  engine: Engine,
  job: { readonly folder: string; readonly text: string; readonly plan: Plan; readonly machine: Machine },
): Promise<DryRun> {
  const token = newToken(new Date());
  const { folder, text, plan, machine } = job;
  const runner = runnerText({ token, folder, command: commandOfScript(text), plan });
  return withPrivateFolder(disk, { "run.sh": runner }, async (records) => {
    const attempt: Attempt = { token, folder, records, runner: join(records, "run.sh"), plan, madeOn: machine };
    try {
      await engine.check(attempt, new AbortController().signal);
      return { findings: [] };
    } catch (failure) {
      if (!isEngineError(failure)) throw failure;
      if (failure.verdict === "refused") return { findings: [error(failure.message)] };
      return { out: failure.message };
    }
  });
}
