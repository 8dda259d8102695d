/** SgeEngine keeps the contract, on real Grid Engine. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, vi } from "vitest";
import { SgeEngine } from "../../engines/sge/index.ts";
import { putProgram, setEnvironment } from "../own-programs.ts";
import { missingSge, type SgeCluster, startSge } from "../sge/cluster.ts";
import { type ContractSubject, engineContract } from "./engine-contract.ts";

vi.setConfig({ testTimeout: 120_000 });

/** Submits, and tells of it as if the answer had got lost; once, while there is a file "lose" beside it. */
const LOSING_QSUB = `
id=$(/usr/bin/qsub "$@") || exit
rm "\${0%/*}/lose" 2>/dev/null || { echo "$id"; exit; }
echo 'Unable to run job: failed receiving gdi request response for mid=1 (got syncron message receive timeout error).' >&2
echo Exiting. >&2
exit 1
`;

/** A master that has lost all its jobs, one of which still runs. */
const EMPTY_QSTAT = `
echo "<?xml version='1.0'?><job_info><queue_info></queue_info><job_info></job_info></job_info>"
`;

describe.skipIf(!process.env.CI && missingSge() !== undefined)("on a cluster", () => {
  let cluster: SgeCluster;
  let fakes: string;
  let restore = () => {};

  beforeAll(async () => {
    cluster = await startSge();
    fakes = join(cluster.folder, "fakes");
    mkdirSync(fakes);
    putProgram(join(fakes, "qsub"), LOSING_QSUB);
    restore = setEnvironment({ ...cluster.env, PATH: `${fakes}:${process.env.PATH}` });
  });

  afterAll(async () => {
    restore();
    await cluster?.stop();
  });

  engineContract("SgeEngine", (): ContractSubject => {
    rmSync(join(fakes, "qstat"), { force: true });
    return {
      makeEngine: () => new SgeEngine({ engineArgs: [], queryS: 0.1, doubtS: 2, lostAfterS: 3 }),
      scripts: { limited: "#$ -l h_rt=0:5:0\nexit 0\n", impossible: "#$ -sync y\n" },
      patienceMs: 60_000,
      async makeUnavailable() {
        await cluster.qmaster.kill();
        return async () => {
          await cluster.qmaster.start();
          // By itself it notices only half a minute later that its master is back, and no job is started until then.
          await cluster.execd.kill("SIGTERM");
          await cluster.execd.start();
        };
      },
      loseNextAnswer: () => writeFileSync(join(fakes, "lose"), ""),
      forget: async () => putProgram(join(fakes, "qstat"), EMPTY_QSTAT),
    };
  });
});
