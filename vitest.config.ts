import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** These take minutes; those that keep the processor busy and those that mostly wait take turns. */
const LONG = [
  "slurm-sweep",
  "slurm-outage",
  "kill-sweep",
  "slurm-limits",
  "slurm-doubt",
  "contract/slurm",
  "sge-sweep",
  "pbs-sweep",
  "contract/sge",
  "contract/pbs",
  "memory-sweep",
  "archive-sweep",
];

/** The long ones first, so that nobody waits for one of them alone in the end. */
class LongOnesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONG.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
      return at === -1 ? LONG.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

// Node reads it at each of some thousand starts, for longer than it needs for all else; nothing here asks the world outside.
delete process.env.NODE_EXTRA_CA_CERTS;

export default defineConfig({
  test: {
    dir: "test",
    include: ["**/*.test.ts"],
    reporters: ["default", "./test/summary.ts"],
    // Only what is unusual here is worth a line: what failed is to be found.
    slowTestThreshold: 30_000,
    // What is awaited comes as late as the machine is busy; nothing here is a measurement.
    testTimeout: 180_000,
    expect: { poll: { timeout: 60_000 } },
    // A cluster that does not come up is started anew.
    hookTimeout: 180_000,
    // More than cores, for most of a test's time is waiting: for clusters, for jobs, for a folder to come to rest.
    maxWorkers: 4,
    sequence: { sequencer: LongOnesFirst },
    // On a machine that others use too, real daemons are late now and then. A fault fails each time; by hand, nothing is repeated.
    retry: process.env.CI ? 2 : 0,
  },
});
