/** Outages of everything that Slurm is made of, with twenty jobs in flight: they cost time, and nothing else. */
import { cpSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Daemon } from "../daemons.ts";
import { type Running, waitUntil } from "../harness.ts";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "../slurm/cluster.ts";
import { makeSlurmRoot, PATIENCE_MS, type SlurmRoot, said } from "./slurm.ts";

const LIMIT_MS = 240_000;
const RUNNING = 6;
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `job-${String(i).padStart(2, "0")}`);
const NAMES = numbered(20);
/** Ended jobs are gone from the queue before anybody has looked twice. */
const SETTINGS = { MinJobAge: "2", MessageTimeout: "2", SlurmdTimeout: "300", TCPTimeout: "2" };

const until = (what: string, condition: () => boolean) => waitUntil(what, condition, PATIENCE_MS);

async function untilAsync(what: string, condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`after ${PATIENCE_MS} ms still not: ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

interface Flight {
  readonly root: SlurmRoot;
  readonly manager: Running;
}

/** Twenty jobs, of which as many run as there are processors; the first three have a gate of their own. */
async function takeOff(cluster: Cluster, args: readonly string[] = []): Promise<Flight> {
  const root = await makeSlurmRoot(cluster, { commandsCanGo: true });
  for (const [i, name] of NAMES.entries()) {
    root.dropGated(name, { gate: i < 3 ? "early" : "late", after: `exit ${i % 4}` });
  }
  const manager = root.manage(args);
  await until("all are in the queue", () => NAMES.every((name) => root.job(name).handle() !== undefined));
  await until("some run", () => root.runs().length === RUNNING);
  return { root, manager };
}

/** Waits until slurmctld has saved what it knows: what it has known for less than five seconds dies with it. */
async function saved(cluster: Cluster): Promise<void> {
  const file = join(cluster.folder, "state", "job_state");
  const now = Date.now();
  await untilAsync("slurmctld has saved its state", async () => {
    // It saves when something has changed.
    const held = await cluster.run("sbatch", "--parsable", "--hold", `--job-name=${CHANGE}`, "--wrap", "true");
    await cluster.run("scancel", held.stdout.trim());
    return existsSync(file) && statSync(file).mtimeMs > now;
  });
}

const CHANGE = "only-a-change";

/** Nodes that Slurm itself has taken out of use, because it had lost track of its jobs, are put back. */
async function resumeNodes(cluster: Cluster): Promise<void> {
  const { stdout } = await cluster.run("sinfo", "-h", "-N", "-o", "%N %T");
  for (const line of stdout.split("\n").filter((one) => /drain|down/.test(one))) {
    await cluster.run("scontrol", "update", `nodename=${line.split(" ")[0]}`, "state=resume");
  }
}

/** Nothing of an earlier test is left, neither in the queue nor in what slurmctld has saved. */
async function calm(cluster: Cluster): Promise<void> {
  await untilAsync("the cluster is idle", async () => {
    await resumeNodes(cluster);
    await cluster.run("scancel", `--name=${CHANGE}`);
    const { stdout } = await cluster.run("squeue", "-h", "-a");
    return stdout === "" && (await cluster.run("sinfo", "-h", "-N", "-o", "%T")).stdout.trim() === "idle";
  });
  await saved(cluster);
}

/** What is on disk of each job: where it is, its handle, and whether it was judged. */
function stages(root: SlurmRoot): string[] {
  return NAMES.map((name) => `${name} ${root.job(name).handle()} ${root.job(name).has("outcome")}`);
}

const EARLY = NAMES.slice(0, 3);

/** The first three end; their runners leave word of it. */
async function endEarly(root: SlurmRoot): Promise<void> {
  root.openGate("early");
  await until("they have ended", () =>
    EARLY.every((name) => root.job(name).has("exit") || root.exists(`complete/${name}`)),
  );
}

/** All have ended with their own exit codes, and each was run and submitted once. */
async function land({ root }: Flight): Promise<void> {
  root.openGate("early");
  root.openGate("late");
  await root.completed(...NAMES);
  for (const [i, name] of NAMES.entries()) {
    expect([root.status(name).state, root.status(name).exitCode], name).toEqual(
      i % 4 === 0 ? ["succeeded", 0] : ["failed", i % 4],
    );
  }
  expect(root.runs().sort()).toEqual(NAMES);
  expect(root.submissions()).toBe(NAMES.length);
}

const OUT = /SlurmEngine does not answer; no job changes its state\./;
const BACK = /SlurmEngine answers again, after /;

/** The outage was told in one line when it began, as a warning, and in one when it was over. */
async function expectTold({ manager }: Flight, times = 1): Promise<void> {
  const count = (text: string, pattern: RegExp) => text.split("\n").filter((line) => pattern.test(line)).length;
  await until("it is told that it is over", () => count(manager.stdout(), BACK) >= times);
  expect([count(manager.stderr(), OUT), count(manager.stdout(), BACK)]).toEqual([times, times]);
  const warnings = manager
    .stderr()
    .split("\n")
    .filter((line) => line !== "" && !OUT.test(line) && !/finished/.test(line));
  expect(warnings).toEqual([]);
}

/** While Slurm is away jobs end, and nothing else changes; when it is back all goes on. */
async function outage(flight: Flight, begin: () => unknown, end: () => unknown, isAskedAgain = true): Promise<void> {
  const { root, manager } = flight;
  await saved(root.cluster);
  const before = stages(root);
  await begin();
  await until("it is told", () => OUT.test(manager.stderr()));
  await endEarly(root);
  const told = said(manager).length;
  const asked = root.calls("squeue").length;
  if (isAskedAgain) await until("it is asked again, in vain", () => root.calls("squeue").length > asked);
  expect(stages(root)).toEqual(before);
  expect(said(manager).slice(told)).toEqual([]);
  await end();
}

interface Outage {
  readonly begin: (flight: Flight) => unknown;
  readonly end: (flight: Flight) => unknown;
  readonly isAskedAgain?: boolean;
}

describe("without accounting", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    if (missingSlurm(false) === undefined) cluster = await startCluster({ cpus: RUNNING, settings: SETTINGS });
  }, LIMIT_MS);
  afterAll(() => cluster?.stop(), LIMIT_MS);
  beforeEach(async (context) => {
    needSlurm(context);
    await calm(cluster);
  }, LIMIT_MS);

  const restarted = (one: (of: Cluster) => Daemon) => ({
    begin: () => one(cluster).kill(),
    end: () => one(cluster).start(),
  });
  const outages: Record<string, Outage> = {
    "slurmctld does not answer (SIGSTOP)": {
      begin: () => cluster.daemons.slurmctld.freeze(),
      end: () => cluster.daemons.slurmctld.thaw(),
    },
    "slurmctld is killed and started again": restarted(({ daemons }) => daemons.slurmctld),
    "slurmctld is stopped in good order and started again": {
      begin: () => cluster.daemons.slurmctld.kill("SIGTERM"),
      end: () => cluster.daemons.slurmctld.start(),
    },
    // Without it squeue tries for 50 s.
    "munged is killed and started again": { ...restarted(({ daemons }) => daemons.munged), isAskedAgain: false },
    "Slurm's commands are gone for a while": {
      begin: ({ root }) => root.commands("gone"),
      end: ({ root }) => root.commands("there"),
      isAskedAgain: false,
    },
  };
  for (const [what, { begin, end, isAskedAgain }] of Object.entries(outages)) {
    it(
      `${what}: no job changes its stage, one line tells of it, and all go on`,
      async () => {
        const flight = await takeOff(cluster);
        await outage(
          flight,
          () => begin(flight),
          () => end(flight),
          isAskedAgain,
        );
        await land(flight);
        await expectTold(flight);
      },
      LIMIT_MS,
    );
  }

  it(
    "slurmd is killed and started again: nobody notices",
    async () => {
      const flight = await takeOff(cluster);
      const { root, manager } = flight;
      await cluster.daemons.slurmd.kill();
      const before = stages(root);
      const asked = root.calls("squeue").length;
      await until("some checks", () => root.calls("squeue").length > asked + 4);
      expect(stages(root)).toEqual(before);
      await endEarly(root);
      await cluster.daemons.slurmd.start();
      await land(flight);
      expect(
        manager
          .stderr()
          .split("\n")
          .filter((line) => line !== "" && !/finished/.test(line)),
      ).toEqual([]);
    },
    LIMIT_MS,
  );

  it(
    "the manager is killed during an outage, and another one started: it tells of it too, and all go on",
    async () => {
      const flight = await takeOff(cluster);
      const { root, manager } = flight;
      const before = stages(root);
      await saved(cluster);
      await cluster.daemons.slurmctld.kill();
      manager.signal("SIGKILL");
      await manager.ended;
      await endEarly(root);
      const next = { root, manager: root.manage() };
      await until("it is told", () => OUT.test(next.manager.stderr()));
      expect(stages(root)).toEqual(before);
      await cluster.daemons.slurmctld.start();
      await land(next);
      await expectTold(next);
    },
    LIMIT_MS,
  );

  it(
    "folders that arrive during an outage wait in the inbox or on their way, and run once afterwards",
    async () => {
      const root = await makeSlurmRoot(cluster);
      await cluster.daemons.slurmctld.kill();
      for (const name of NAMES) root.dropLedger(name);
      const manager = root.manage();
      await until("it is told", () => OUT.test(manager.stderr()));
      expect(root.names("complete")).toEqual([]);
      await cluster.daemons.slurmctld.start();
      await root.completed(...NAMES);
      expect(root.runs().sort()).toEqual(NAMES);
      await expectTold({ root, manager });
    },
    LIMIT_MS,
  );

  it(
    "jobs that ended and were purged while no manager looked have their true exit codes",
    async () => {
      const flight = await takeOff(cluster);
      const { root, manager } = flight;
      manager.signal("SIGKILL");
      await manager.ended;
      await endEarly(root);
      const ids = EARLY.map((name) => root.job(name).handle());
      // Slurm purges only when it has a reason to look; squeue is one.
      await untilAsync("they are purged", async () => (await root.queue()).every(({ id }) => !ids.includes(id)));
      const next = { root, manager: root.manage() };
      await land(next);
      expect(root.calls("sacct").length).toBeLessThanOrEqual(1);
    },
    LIMIT_MS,
  );

  describe("a controller that loses what it has acknowledged", () => {
    const at = (name: string) => join(cluster.folder, name);

    /** What slurmctld does after this dies with it. */
    const save = () => cpSync(at("state"), at("saved"), { recursive: true });

    /** Starts slurmctld, which was killed, with what it had saved. */
    async function restore(): Promise<void> {
      rmSync(at("state"), { recursive: true });
      renameSync(at("saved"), at("state"));
      // Ids that were lost are not used again: slurmd would drain its node for that.
      const conf = readFileSync(at("slurm.conf"), "utf8");
      const first = Number(/^FirstJobId=(\d+)$/m.exec(conf)?.[1] ?? 0) + 1000;
      writeFileSync(at("slurm.conf"), `${conf.replace(/^FirstJobId=.*\n/m, "")}FirstJobId=${first}\n`);
      await cluster.daemons.slurmctld.start();
    }

    async function loseAll(): Promise<void> {
      await cluster.daemons.slurmctld.kill();
      await restore();
    }

    it(
      "a job that had not started is noticed after --lost-after, submitted again, and run once",
      async () => {
        const root = await makeSlurmRoot(cluster);
        save();
        root.drop("job", `#!/bin/bash\n#SBATCH --hold\necho job >> '${root.ledger}'\nexit 3\n`);
        const manager = root.manage();
        await until("it has a handle", () => root.job("job").handle() !== undefined);
        const records = root.job("job").records();
        await loseAll();
        expect(await root.queue("job")).toEqual([]);
        await until(
          "it is submitted again",
          () => root.submissions("job") === 2 && root.job("job").handle() !== undefined,
        );
        expect(root.job("job").records()).not.toBe(records);
        expect(manager.stderr()).toMatch(/job was submitted, but job\.sh was not started; it is submitted again/);
        await cluster.run("scontrol", "release", root.job("job").handle() ?? "");
        await root.completed("job");
        expect([root.status("job").state, root.status("job").exitCode]).toEqual(["failed", 3]);
        expect(root.runs()).toEqual(["job"]);
      },
      LIMIT_MS,
    );

    it(
      "a job that ended meanwhile has its true exit code, and is not run again",
      async () => {
        const root = await makeSlurmRoot(cluster);
        save();
        root.dropGated("job", { after: "exit 3" });
        root.manage();
        await until("it runs", () => root.runs().length === 1);
        await until("it has a handle", () => root.job("job").handle() !== undefined);
        await cluster.daemons.slurmctld.kill();
        root.openGate();
        await until("it has ended", () => root.job("job").has("exit"));
        await restore();
        await root.completed("job");
        expect([root.status("job").state, root.status("job").exitCode]).toEqual(["failed", 3]);
        expect(root.runs()).toEqual(["job"]);
        expect(root.submissions("job")).toBe(1);
      },
      LIMIT_MS,
    );

    it(
      "a job that runs, and that the controller then ends, is not run again",
      async () => {
        const root = await makeSlurmRoot(cluster);
        save();
        root.dropGated("job");
        root.manage();
        await until("it runs", () => root.runs().length === 1);
        await until("it has a handle", () => root.job("job").handle() !== undefined);
        await loseAll();
        await root.completed("job");
        expect(root.status("job").state).not.toBe("succeeded");
        expect(root.runs()).toEqual(["job"]);
        expect(root.submissions("job")).toBe(1);
      },
      LIMIT_MS,
    );

    it(
      "killed as soon as the handle is there, nothing held back: each job runs once",
      async () => {
        const root = await makeSlurmRoot(cluster);
        const names = numbered(4);
        const manager = root.manage();
        for (const name of names) {
          root.dropLedger(name, "sleep 0.5");
          await until(
            `${name} has a handle`,
            () => root.job(name).handle() !== undefined || root.exists(`complete/${name}`),
          );
          await cluster.daemons.slurmctld.kill();
          await cluster.daemons.slurmctld.start();
        }
        await untilAsync("all are complete", async () => {
          await resumeNodes(cluster);
          return root.names("complete").length === names.length;
        });
        expect(manager.process.exitCode).toBeNull();
        expect(root.runs().sort()).toEqual(names);
      },
      LIMIT_MS,
    );
  });

  describe("an answer of squeue that is wrong once", () => {
    const answers = {
      "is empty": "exit 0",
      "has half of the rows": `real "$@" >"$here/whole"; head -c $(($(wc -c <"$here/whole") / 2)) "$here/whole"; exit 0`,
      "is garbage": `head -c 2000 /dev/urandom; exit 0`,
      "is an error after all rows": `real "$@"; exit 1`,
    };
    for (const [what, text] of Object.entries(answers)) {
      it(
        `one that ${what} decides nothing`,
        async () => {
          const flight = await takeOff(cluster);
          const { root } = flight;
          const before = stages(root);
          root.fake("squeue", `if mkdir "$here/wrong" 2>/dev/null; then\n${text}\nfi\nreally "$@"`);
          await until("it was asked", () => existsSync(join(root.path, "../wrong")));
          const asked = root.calls("squeue").length;
          await until("some checks", () => root.calls("squeue").length > asked + 3);
          expect(stages(root)).toEqual(before);
          await land(flight);
        },
        LIMIT_MS,
      );
    }
  });
});

describe("with accounting", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    if (missingSlurm(true) === undefined) {
      cluster = await startCluster({ accounting: true, cpus: RUNNING, settings: SETTINGS });
    }
  }, LIMIT_MS);
  afterAll(() => cluster?.stop(), LIMIT_MS);
  beforeEach((context) => needSlurm(context, true));

  const outages = {
    "slurmdbd is dead": {
      begin: () => cluster.daemons.slurmdbd?.kill(),
      end: () => cluster.daemons.slurmdbd?.start(),
    },
    "the database is frozen": {
      begin: () => cluster.daemons.mariadbd?.freeze(),
      end: () => cluster.daemons.mariadbd?.thaw(),
    },
  };
  for (const [what, { begin, end }] of Object.entries(outages)) {
    it(
      `${what}: jobs that end are judged by their exit records, others go on, and nobody is told`,
      async () => {
        const flight = await takeOff(cluster);
        const { root, manager } = flight;
        await begin();
        try {
          root.openGate("early");
          await root.completed(...EARLY);
          for (const [i, name] of EARLY.entries()) expect(root.status(name).exitCode, name).toBe(i);
          await until("others have taken their places", () => root.runs().length === RUNNING + EARLY.length);
          root.dropLedger("late-comer");
          await until("one that comes late is submitted", () => root.job("late-comer").handle() !== undefined);
        } finally {
          await end();
        }
        root.openGate("late");
        await root.completed(...NAMES, "late-comer");
        expect(root.runs().sort()).toEqual([...NAMES, "late-comer"].sort());
        for (const [i, name] of NAMES.entries()) expect(root.status(name).exitCode, name).toBe(i % 4);
        expect(said(manager).filter((line) => OUT.test(line))).toEqual([]);
      },
      LIMIT_MS,
    );
  }
});
