/**
 * PBS' commands over a real Slurm: those of Debian's slurm-wlm-torque, which cannot be installed beside gridengine-client,
 * so that .ci/run unpacks it. They call the sbatch that lies beside them.
 */
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "vitest";
import { skipWithout } from "../daemons.ts";
import { putProgram } from "../own-programs.ts";
import { type Cluster, missingSlurm } from "./cluster.ts";

/** Where .ci/run unpacks it. */
const UNPACKED = join(homedir(), ".cache/jobmgr-tests/slurm-wlm-torque/usr/bin");

/** What is missing, and what brings it; undefined if all is there. */
export function missingPbs(): string | undefined {
  const missing = missingSlurm(false);
  if (missing !== undefined) return missing;
  return existsSync(join(UNPACKED, "qsub"))
    ? undefined
    : `there is no ${UNPACKED}; .ci/run unpacks slurm-wlm-torque there`;
}

export function needPbs(context: Pick<TestContext, "skip">): void {
  skipWithout(context, missingPbs());
}

export interface PbsCommands {
  /** To stand first on PATH. */
  readonly folder: string;
  /** Where the real ones are. */
  readonly real: string;
  /** Puts a program before the real one, which it finds as "$real/NAME". */
  fake(program: string, script: string): void;
}

/** PBS' commands for a cluster; its SLURM_CONF must be in the environment as well. */
export function pbsCommands(cluster: Cluster): PbsCommands {
  const real = join(cluster.folder, "pbs-real");
  const folder = join(cluster.folder, "pbs");
  for (const one of [real, folder]) mkdirSync(one);
  for (const program of ["qsub", "qstat", "qdel", "pbsnodes", "qhold", "qrls"]) {
    symlinkSync(join(UNPACKED, program), join(real, program));
    fake(program, `exec "$real/${program}" "$@"`);
  }
  symlinkSync("/usr/bin/sbatch", join(real, "sbatch"));
  function fake(program: string, script: string): void {
    putProgram(join(folder, program), `real='${real}'\n${script}\n`);
  }
  return { folder, real, fake };
}
