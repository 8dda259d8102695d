/** What the queue has forgotten is found in accounting by the path of its runner, before anything is submitted again. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SlurmEngine } from "../../engines/slurm/index.ts";
import type { Attempt, Found, Token } from "../../src/engine.ts";
import { runnerText } from "../../src/runner.ts";
import { makeFolder } from "../harness.ts";
import { setEnvironment } from "../own-programs.ts";
import { type Cluster, missingSlurm, startCluster } from "./cluster.ts";
import { fakePrograms, knowsNothing } from "./fakes.ts";

const TOKEN = "20260101T000000-0123456789ab" as Token;
const NEVER = 1_000_000;

describe.skipIf(!process.env.CI && missingSlurm(true) !== undefined)(
  "a job whose answer was lost, and that squeue has forgotten",
  () => {
    let cluster: Cluster;
    let restore = () => {};

    beforeAll(async () => {
      cluster = await startCluster({ accounting: true });
      restore = setEnvironment({ ...cluster.env, PATH: process.env.PATH ?? "" });
    });

    afterAll(async () => {
      restore();
      await cluster?.stop();
    });

    /** An attempt whose sbatch has said nothing. */
    function makeAttempt(engine: SlurmEngine): Attempt {
      const folder = join(makeFolder(), "it's a\njob");
      const records = join(folder, ".jobmgr", `attempt-${TOKEN}`);
      mkdirSync(records, { recursive: true });
      const plan = engine.plan({ folderName: "job", text: "true\n" });
      const runner = join(records, "run.sh");
      writeFileSync(join(folder, "job.sh"), "true\n");
      writeFileSync(runner, runnerText({ token: TOKEN, folder, command: ["bash", "./job.sh"], plan }));
      for (const file of ["submit-1.out", "submit-1.err"]) writeFileSync(join(records, file), "");
      return { token: TOKEN, folder, records, runner, plan, madeOn: { host: "h", boot: "b" } };
    }

    async function found(engine: SlurmEngine, attempt: Attempt): Promise<Found> {
      let answer = await engine.find(attempt);
      for (let look = 1; look < 5 && answer.is === "unsure"; look++) {
        await new Promise((done) => setTimeout(done, 1100));
        answer = await engine.find(attempt);
      }
      return answer;
    }

    it("is found, and only one that nobody knows may be submitted again", async () => {
      const fakes = fakePrograms(makeFolder(), { squeue: knowsNothing(NEVER) });
      process.env.PATH = fakes.path;
      const engine = new SlurmEngine({ engineArgs: [], queryS: 0.1, doubtS: 0, lostAfterS: 0 });
      const attempt = makeAttempt(engine);
      expect(await found(engine, attempt)).toEqual({ is: "absent" });

      const { stdout } = await cluster.run(
        "sbatch",
        "--wait",
        "--parsable",
        `--chdir=${attempt.folder}`,
        attempt.runner,
      );
      // Without its claim only Slurm can tell.
      rmSync(join(attempt.records, "started"));
      expect(await found(engine, attempt)).toEqual({ is: "found", token: TOKEN, handle: stdout.trim() });
    });

    it("is not given up while accounting does not answer", async () => {
      const sacct = "echo 'sacct: error: Problem talking to the database' >&2; exit 1";
      process.env.PATH = fakePrograms(makeFolder(), { squeue: knowsNothing(NEVER), sacct }).path;
      const engine = new SlurmEngine({ engineArgs: [], queryS: 0.1, doubtS: 0, lostAfterS: 0 });
      expect(await found(engine, makeAttempt(engine))).toMatchObject({ is: "unsure" });
    });
  },
);
