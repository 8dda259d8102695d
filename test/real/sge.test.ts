/** The program on real Grid Engine: from the inbox to complete, and all that may end a job on the way. */
import { readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../daemons.ts";
import { PROGRAM, type Running, start, waitUntil } from "../harness.ts";
import { missingSge, needSge, type SgeCluster, startSge } from "../sge/cluster.ts";
import { type JobRoot, makeJobRoot } from "./surroundings.ts";

const PATIENCE_MS = 60_000;
const QUICK = ["-e", "SgeEngine", "-p", "0.5", "--settle", "0", "--min-query-interval", "0.1", "--lost-after", "3"];

let cluster: SgeCluster;

beforeAll(async () => {
  // An end stands in the accounting some checks after it was seen.
  if (missingSge() === undefined) cluster = await startSge({ flushS: 3 });
});
afterAll(() => cluster?.stop());

interface SgeRoot extends JobRoot {
  /** Starts a manager; ended with the test. */
  run(): Running;
  /** Waits until these are in complete/; what job_status.json says of each. */
  done(...names: string[]): Promise<Record<string, unknown>[]>;
  /** Waits until a pending job says this of itself. */
  waits(name: string, what: Readonly<Record<string, RegExp>>): Promise<Record<string, unknown>>;
  cancel(name: string, reason: string): void;
  /** As if a pending job that has gone from the queue had been looked for since two minutes ago. */
  hasBeenGone(name: string): Promise<void>;
}

async function makeSgeRoot(): Promise<SgeRoot> {
  const base = await makeJobRoot();
  const statusOf = (name: string) => {
    try {
      return base.status(name, "pending");
    } catch {
      return undefined;
    }
  };
  return {
    ...base,
    run: () => start(process.execPath, [PROGRAM, "--root", base.path, ...QUICK], { env: cluster.env }),
    async done(...names) {
      const all = () => names.every((name) => base.exists(`complete/${name}`));
      await waitUntil(`${names} in complete`, all, PATIENCE_MS);
      return names.map((name) => base.status(name));
    },
    async waits(name, what) {
      const says = () =>
        Object.entries(what).every(([key, pattern]) => pattern.test(String(statusOf(name)?.[key] ?? "")));
      await waitUntil(`${name} says ${Object.values(what)}`, says, PATIENCE_MS);
      return statusOf(name) ?? {};
    },
    async hasBeenGone(name) {
      const own = join(base.path, "pending", name, ".jobmgr");
      const notes = () => readdirSync(own, { recursive: true, encoding: "utf8" });
      const note = () => notes().find((path) => path.endsWith("/absent-since"));
      await waitUntil(`${name} is looked for`, () => note() !== undefined, PATIENCE_MS);
      const ago = Date.now() / 1000 - 120;
      utimesSync(join(own, note() ?? ""), ago, ago);
    },
    cancel: (name, reason) => writeFileSync(join(base.path, "pending", name, "job_cancel"), `${reason}\n`),
  };
}

describe("on Grid Engine", { timeout: 240_000 }, () => {
  it("runs jobs and arrays in their folders, keeps outputs and exit codes, and refuses what its qsub refuses", async (context) => {
    needSge(context);
    const root = await makeSgeRoot();
    const odd = "odd $HOME\nname";
    root.dropLedger("a-queue", "#$ -q nowhere");
    root.dropLedger("b-resource", "#$ -l teapots=1");
    root.dropLedger("good", "#$ -N mine -j y\npwd; echo $NSLOTS");
    root.dropLedger("bad", "exit 3");
    root.drop(odd, "echo seen\n");
    root.dropLedger("array", "#$ -t 2-6:2 -tc 2\nexit $((SGE_TASK_ID == 4 ? 7 : 0))");
    root.run();
    const names = ["a-queue", "b-resource", "good", "bad", "array", odd];
    const [queue, resource, good, bad, array, strange] = await root.done(...names);
    expect([queue, resource]).toMatchObject([{ state: "refused" }, { state: "refused" }]);
    expect(root.paragraphsOf("a-queue")).toContain("There is no queue nowhere.");
    expect(root.paragraphsOf("b-resource")).toContain("knows no resource teapots");
    expect(good).toMatchObject({ state: "succeeded", exitCode: 0 });
    expect(root.read(`complete/good/mine.o${good?.id}`)).toMatch(/\/pending\/good\n1\n$/);
    expect(bad).toMatchObject({ state: "failed", exitCode: 3 });
    expect(array).toMatchObject({ state: "failed", exitCode: 7, tasks: { 2: 0, 4: 7, 6: 0 } });
    expect(strange).toMatchObject({ state: "succeeded" });
    expect(root.read(`complete/${odd}/job_output.txt`)).toBe("seen\n");
    expect(root.runs().sort()).toEqual(["array", "array", "array", "bad", "good"]);
  });

  it("tells how jobs were ended from outside, though the accounting is late", async (context) => {
    needSge(context);
    const root = await makeSgeRoot();
    root.dropLedger("hard", "#$ -l h_rt=0:0:5\nexec sleep 1000");
    root.dropLedger("soft", "#$ -l s_rt=5\nexec sleep 1000");
    root.dropGated("runs");
    root.dropLedger("waits", "#$ -h");
    root.dropLedger("again", "#$ -r y\necho >>starts; [ $(wc -l <starts) = 3 ] || exit 99");
    root.dropLedger("halt", "exit 100");
    root.run();
    await root.waits("waits", { why: /hqw: It is held/ });
    const running = await root.waits("runs", { state: /running/ });
    await cluster.must("qdel", String(running.id), String(root.status("waits", "pending").id));
    await root.hasBeenGone("waits");
    const [hard, soft, ran, waited, again, halt] = await root.done("hard", "soft", "runs", "waits", "again", "halt");

    expect([hard, soft]).toMatchObject([{ state: "failed" }, { state: "failed" }]);
    expect(root.paragraphsOf("hard")).toContain("It reached its time limit (0:00:05)");
    expect(root.paragraphsOf("hard")).toContain("#$ -l h_rt=0:00:10");
    expect(root.paragraphsOf("soft")).toContain("#$ -l s_rt=0:00:10");
    expect([ran, waited]).toMatchObject([{ state: "cancelled" }, { state: "cancelled" }]);
    expect(root.paragraphsOf("runs")).toContain("with qdel, or by an administrator");
    expect(root.paragraphsOf("waits")).toContain("It was taken out of the queue before it started");
    // 99 asks Grid Engine for another start; 100 for no more, and that the job is kept for whoever looks at it.
    expect(again).toMatchObject({ state: "succeeded" });
    const own = join(root.path, "complete/again/.jobmgr");
    const [attempt = ""] = readdirSync(own).filter((name) => name.startsWith("attempt-"));
    expect(readdirSync(join(own, attempt)).filter((name) => name.startsWith("exit"))).toEqual(
      expect.arrayContaining(["exit", "exit-r1", "exit-r2"]),
    );
    expect(halt).toMatchObject({ state: "failed", exitCode: 100 });
    expect(await until(() => isGone(halt), PATIENCE_MS, 200)).toBe(true);
    expect(root.runs().sort()).toEqual(["again", "again", "again", "halt", "hard", "runs", "soft"]);
  });

  it("cancels what runs, what waits and what is stuck, and goes on where a killed manager stopped", async (context) => {
    needSge(context);
    const root = await makeSgeRoot();
    root.dropLedger("stuck", "#$ -o /nowhere/at/all/out");
    root.dropLedger("waits", "#$ -h");
    root.dropGated("runs");
    root.dropGated("goes-on", "other");
    const first = root.run();
    const stuck = await root.waits("stuck", { why: /Eqw: .*\/nowhere\/at\/all\/out/ });
    await root.waits("waits", { why: /hqw/ });
    for (const name of ["runs", "goes-on"]) await root.waits(name, { state: /running/ });
    first.signal("SIGKILL");
    await first.ended;
    root.openGate("other");
    for (const name of ["stuck", "waits", "runs"]) root.cancel(name, "changed my mind");
    root.run();
    const [goesOn, ...cancelled] = await root.done("goes-on", "stuck", "waits", "runs");
    expect(goesOn).toMatchObject({ state: "succeeded" });
    for (const status of cancelled) expect(status).toMatchObject({ state: "cancelled" });
    expect(root.paragraphsOf("waits")).toContain("changed my mind");
    expect(await until(() => isGone(stuck), PATIENCE_MS, 200)).toBe(true);
    expect(root.runs().sort()).toEqual(["goes-on", "runs"]);
  });
});

/** Grid Engine has nothing of it in its queue. */
async function isGone(status: Record<string, unknown> | undefined): Promise<boolean> {
  return (await cluster.run("qstat", "-j", String(status?.id))).code !== 0;
}
