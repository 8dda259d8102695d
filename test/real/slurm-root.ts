/** What the tests of the program on Slurm share: a root whose manager uses SlurmEngine, and programs that misbehave. */
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { type Running, waitUntil } from "../harness.ts";
import type { Cluster } from "../slurm/cluster.ts";
import { type JobRoot, makeJobRoot } from "./surroundings.ts";

/** Loads of other tests may slow Slurm down. */
export const PATIENCE_MS = 60_000;

/** A job that Slurm passes over at first is otherwise looked at again after a minute. */
export const PROMPT = {
  SchedulerParameters: "batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1",
};

export interface SlurmRoot extends JobRoot {
  /** Starts the manager, which looks twice a second. */
  feed(args?: readonly string[], env?: Readonly<Record<string, string>>): Running;
  /** Puts a bash program first on the manager's PATH; `real` runs the one that it stands for. Without a script: as real. */
  fake(program: string, script?: string): void;
  /** Waits until the job was submitted; Slurm's id. */
  id(name: string): Promise<string>;
  /** Waits until job.sh has written its name so often into the ledger. */
  ran(name: string, times?: number): Promise<void>;
  /** Waits until the ledger has so many lines. */
  runsReach(count: number): Promise<void>;
  /** What job_status.json says of a job in pending, as soon as it says it. */
  waits(name: string, what: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>;
  /** Waits until these are in complete; what job_status.json says of each. */
  done(...names: string[]): Promise<Record<string, unknown>[]>;
  errorOf(name: string): string;
  /** Puts job_cancel into a pending folder. */
  cancel(name: string, reason?: string): void;
}

export const SLURM = [
  ...["-e", "SlurmEngine", "-p", "0.5", "--settle", "0"],
  ...["--min-query-interval", "0.1", "--doubt", "2", "--lost-after", "5"],
] as const;

export async function makeSlurmRoot(cluster: Cluster): Promise<SlurmRoot> {
  const root = await makeJobRoot();
  const fakes = join(dirname(root.path), "fakes");
  mkdirSync(fakes);
  // A copy without a folder still asks for its processors.
  onTestFinished(async () => {
    const ids = root.names("pending").map((name) => String(statusOf(root, name)?.id ?? ""));
    for (const id of ids.filter(Boolean)) await cluster.run("scancel", id.split(";")[0] ?? "");
  });
  /** The error tells what was there instead. */
  const until = (what: string, condition: () => boolean) =>
    waitUntil(what, condition, PATIENCE_MS).catch(async (error) => {
      const pending = root.names("pending").map((name) => JSON.stringify(statusOf(root, name)));
      const { stdout } = await cluster.run("squeue", "--all", "--states=all");
      throw new Error([error.message, `in the inbox: ${root.names("inbox")}`, ...pending, stdout].join("\n"));
    });
  return {
    ...root,
    feed: (args = [], env = {}) =>
      root.manage([...SLURM, ...args], { env: { ...cluster.env, PATH: `${fakes}:${process.env.PATH}`, ...env } }),
    fake(program, script = 'real "$@"') {
      const path = join(fakes, program);
      // Written in place, it would be read half by one who runs it now.
      writeFileSync(`${path}.new`, `#!/bin/bash\nreal() { PATH=\${PATH#*:} command ${program} "$@"; }\n${script}\n`);
      chmodSync(`${path}.new`, 0o755);
      renameSync(`${path}.new`, path);
    },
    async id(name) {
      await until(`${name} was submitted`, () => statusOf(root, name)?.id !== undefined);
      return String(statusOf(root, name)?.id);
    },
    ran: (name, times = 1) => until(`${name} runs`, () => root.runs().filter((run) => run === name).length >= times),
    runsReach: (count) => until(`${count} runs`, () => root.runs().length >= count),
    async waits(name, what) {
      const holds = () => {
        const status = statusOf(root, name);
        return Object.entries(what).every(([key, value]) =>
          value instanceof RegExp ? value.test(String(status?.[key])) : status?.[key] === value,
        );
      };
      await until(`${name} says ${Object.entries(what).join(" ")}`, holds);
      return statusOf(root, name) ?? {};
    },
    async done(...names) {
      await until(`${names} in complete`, () => names.every((name) => root.exists(`complete/${name}`)));
      return names.map((name) => root.status(name));
    },
    cancel: (name, reason = "") => writeFileSync(join(root.path, "pending", name, "job_cancel"), `${reason}\n`),
    errorOf: (name) => root.read(`complete/${name}/job_error.txt`),
  };
}

/** A file that is written anew may be gone for a moment. */
function statusOf(root: JobRoot, name: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(readFileSync(join(root.path, "pending", name, "job_status.json"), "utf8"));
  } catch {
    return undefined;
  }
}
