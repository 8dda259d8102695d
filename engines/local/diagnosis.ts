/** Has this machine what LocalEngine runs jobs with? */
import { existsSync } from "node:fs";
import type { Symptom } from "../../src/engine.ts";
import { runProgram } from "../run-program.ts";

const TIMEOUT_MS = 10_000;

/** Never throws. */
export async function diagnosis(places: number, environment: NodeJS.ProcessEnv): Promise<readonly Symptom[]> {
  const works = async (program: string, ...args: string[]) =>
    (await runProgram(program, args, TIMEOUT_MS, environment)).exitCode === 0;
  const [sh, bash, setsid, env] = await Promise.all([
    works("sh", "-c", "exit 0"),
    works("bash", "-c", "exit 0"),
    works("setsid", "true"),
    works("env", "--default-signal=INT", "true"),
  ]);
  const proc = existsSync("/proc/self/stat");
  return [
    sh
      ? { level: "ok", about: "sh", says: "runs" }
      : { level: "error", about: "sh", says: "cannot be run, so that no job can. Is it on the PATH?" },
    bash
      ? { level: "ok", about: "bash", says: "runs; a job.sh without a #! line is run by it" }
      : {
          level: "warning",
          about: "bash",
          says: "cannot be run: a job.sh without a #! line will fail. Install bash, or write #!/bin/sh",
        },
    setsid && proc
      ? { level: "ok", about: "fast starts", says: "setsid and /proc are there" }
      : {
          level: "warning",
          about: "fast starts",
          says: `there is no ${setsid ? "/proc" : "setsid"}, so that each start of a job costs more. Install util-linux, if this is Linux.`,
        },
    env || bash
      ? {
          level: "ok",
          about: "ctrl-C in jobs",
          says: `${env ? "env --default-signal" : "bash"} lets jobs be interrupted`,
        }
      : {
          level: "warning",
          about: "ctrl-C in jobs",
          says: "jobs may ignore INT: env knows no --default-signal (coreutils 8.31), and there is no bash. Install either.",
        },
    { level: "ok", about: "places", says: `${places} at a time (--max-jobs)` },
  ];
}
