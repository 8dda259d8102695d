/** SgeEngine keeps the contract, on real Grid Engine. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, vi } from "vitest";
import { SgeEngine } from "../../engines/sge/index.ts";
import { missingSge, type SgeCluster, startSge } from "../sge/cluster.ts";
import { type ContractSubject, engineContract } from "./engine-contract.ts";

vi.setConfig({ testTimeout: 120_000 });

const RUN = "echo run >> runs\n";

/** Submits, and tells of it as if the answer had got lost; once, while there is a file "lose" beside it. */
const LOSING_QSUB = `#!/bin/sh
id=$(/usr/bin/qsub "$@") || exit
rm "\${0%/*}/lose" 2>/dev/null || { echo "$id"; exit; }
echo 'Unable to run job: failed receiving gdi request response for mid=1 (got syncron message receive timeout error).' >&2
echo Exiting. >&2
exit 1
`;

/** A master that has lost all its jobs, one of which still runs. */
const EMPTY_QSTAT = `#!/bin/sh
echo "<?xml version='1.0'?><job_info><queue_info></queue_info><job_info></job_info></job_info>"
`;

describe.skipIf(!process.env.CI && missingSge() !== undefined)("on a cluster", () => {
  let cluster: SgeCluster;
  let fakes: string;
  const kept: Record<string, string | undefined> = { PATH: process.env.PATH };

  beforeAll(async () => {
    cluster = await startSge();
    fakes = join(cluster.folder, "fakes");
    mkdirSync(fakes);
    for (const [name, value] of Object.entries(cluster.env)) {
      kept[name] = process.env[name];
      process.env[name] = value;
    }
    put("qsub", LOSING_QSUB);
    process.env.PATH = `${fakes}:${kept.PATH}`;
  });

  afterAll(async () => {
    for (const [name, value] of Object.entries(kept)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await cluster?.stop();
  });

  function put(program: string, text: string): void {
    writeFileSync(join(fakes, program), text);
    chmodSync(join(fakes, program), 0o755);
  }

  engineContract("SgeEngine", (): ContractSubject => {
    rmSync(join(fakes, "qstat"), { force: true });
    return {
      makeEngine: () => new SgeEngine({ engineArgs: [], queryS: 0.1, doubtS: 2, lostAfterS: 3 }),
      scripts: {
        exit0: `${RUN}exit 0\n`,
        exit3: `${RUN}exit 3\n`,
        killedBy9: `${RUN}kill -9 $$\n`,
        endless: `${RUN}exec sleep 1000\n`,
        limited: `#$ -l h_rt=0:5:0\n${RUN}exit 0\n`,
        impossible: "#$ -sync y\n",
      },
      patienceMs: 60_000,
      async makeUnavailable() {
        await cluster.qmaster.kill();
        return () => cluster.qmaster.start();
      },
      loseNextAnswer: () => writeFileSync(join(fakes, "lose"), ""),
      forget: async () => put("qstat", EMPTY_QSTAT),
      runsOf(folder) {
        const runs = join(folder, "runs");
        return existsSync(runs) ? readFileSync(runs, "utf8").split("\n").length - 1 : 0;
      },
    };
  });
});
