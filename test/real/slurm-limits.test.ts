/** Limits of ours and of Slurm's: how many jobs are in the queue, who goes first, what is refused, and what it is asked. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { waitUntil } from "../harness.ts";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "../slurm/cluster.ts";
import { makeSlurmRoot, PATIENCE_MS, type SlurmRoot } from "./slurm.ts";

const LIMIT_MS = 240_000;
const CPUS = 4;

const until = (what: string, condition: () => boolean) => waitUntil(what, condition, PATIENCE_MS);
const numbered = (count: number, prefix = "job") =>
  Array.from({ length: count }, (_, i) => `${prefix}-${String(i).padStart(2, "0")}`);

/** The names of the jobs that Slurm was asked to take, each once, in the order of the first time. */
const asked = (root: SlurmRoot) => [
  ...new Set(root.calls("sbatch").map((call) => /\/pending\/([^/]+)\/\.jobmgr/.exec(call)?.[1])),
];

/** So many more checks by the manager, each of which leaves its time. */
async function checks(root: SlurmRoot, count: number): Promise<void> {
  const read = () => {
    try {
      return (JSON.parse(root.read(".jobmgr/manager.json")) as { at: string }).at;
    } catch {
      return "";
    }
  };
  let last = read();
  for (let i = 0; i < count; i++) {
    await until("the manager has checked", () => read() !== last);
    last = read();
  }
}

/** Notes when a program is called, in milliseconds. */
const NOTE_TIME = (program: string) => `date +%s%3N >>"$here/times-${program}"\nreally "$@"`;
function timesOf(root: SlurmRoot, program: string): number[] {
  try {
    return readFileSync(join(root.path, "..", `times-${program}`), "utf8")
      .split("\n")
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
}

/** sbatch, which notes when a second one runs beside it. */
const ALONE = `mkdir "$here/busy" 2>/dev/null || touch "$here/two-at-once"
sleep 0.1; real "$@"; code=$?
rmdir "$here/busy"; exit $code`;

function expectOneAtATime(root: SlurmRoot): void {
  expect(readdirSync(join(root.path, ".."))).not.toContain("two-at-once");
}

/** Nothing of a job that waits shows that it was refused. */
function expectUntouched(root: SlurmRoot): void {
  for (const name of root.names("pending")) expect(root.exists(`pending/${name}/job_error.txt`), name).toBe(false);
  expect(root.names("complete")).toEqual([]);
}

describe("with accounting", () => {
  let cluster: Cluster;
  const user = userInfo().username;
  const admin = async (...args: string[]) => {
    const done = await cluster.run("sacctmgr", "-i", ...args);
    if (done.code !== 0 && !/Nothing (new added|modified)/.test(done.stdout))
      throw new Error(done.stdout + done.stderr);
  };
  beforeAll(async () => {
    if (missingSlurm(true) !== undefined) return;
    cluster = await startCluster({
      accounting: true,
      cpus: CPUS,
      settings: {
        AccountingStorageEnforce: "limits,qos",
        EnforcePartLimits: "ALL",
        MaxArraySize: "10",
        PartitionName: "debug Nodes=ALL Default=YES MaxTime=60 State=UP",
      },
    });
    await admin("add", "account", "users");
    await admin("add", "user", user, "account=users");
    await admin("add", "qos", "narrow");
    await admin("modify", "user", user, "set", "qos+=narrow");
  }, LIMIT_MS);
  afterAll(() => cluster?.stop(), LIMIT_MS);
  beforeEach((context) => needSlurm(context, true));

  describe("-M and -m", () => {
    const cases = [
      { most: 5, pending: 2, jobs: 60, reached: 2 },
      { most: 3, pending: 20, jobs: 60, reached: 3 },
      { most: 9, pending: 20, jobs: 60, reached: 9 },
      { most: 30, pending: 2, jobs: 20, reached: 2 },
    ];
    for (const { most, pending, jobs, reached } of cases) {
      it(
        `-M ${most} -m ${pending}: never one more is in the queue, and the places are used`,
        async () => {
          const root = await makeSlurmRoot(cluster);
          const names = numbered(jobs);
          for (const name of names) root.dropLedger(name, "sleep 0.1");
          let alive = 0;
          let waiting = 0;
          let samples = 0;
          root.manage(["-M", String(most), "-m", String(pending)]);
          while (root.names("complete").length < names.length) {
            const states = (await root.queue()).map(({ state }) => state);
            alive = Math.max(
              alive,
              states.filter((state) => /^(PENDING|CONFIGURING|RUNNING|COMPLETING)$/.test(state)).length,
            );
            waiting = Math.max(waiting, states.filter((state) => /^(PENDING|CONFIGURING)$/.test(state)).length);
            samples++;
            expect(alive).toBeLessThanOrEqual(most);
            expect(waiting).toBeLessThanOrEqual(pending);
          }
          expect(samples).toBeGreaterThan(20);
          expect(alive).toBeGreaterThanOrEqual(reached);
          expect(root.runs().sort()).toEqual(names);
          expect(asked(root)).toEqual(names);
        },
        LIMIT_MS,
      );
    }
  });

  it(
    "a folder with an earlier name that arrives later goes before all that still wait in the inbox",
    async () => {
      const root = await makeSlurmRoot(cluster);
      for (const name of numbered(6, "b")) root.dropGated(name, { gate: name });
      root.manage(["-M", "2"]);
      await until("two run", () => root.runs().length === 2);
      root.dropGated("a", { gate: "a" });
      root.dropGated("b-02-", { gate: "b-02-" });
      await checks(root, 3);
      const order = ["b-00", "b-01", "a", "b-02", "b-02-", "b-03", "b-04", "b-05"];
      for (const [i, name] of order.entries()) {
        root.openGate(name);
        await until("the next one runs", () => root.runs().length >= Math.min(i + 3, order.length));
      }
      await root.completed(...order);
      // The first two start at one instant.
      const runs = root.runs();
      expect([...runs.slice(0, 2).sort(), ...runs.slice(2)]).toEqual(order);
    },
    LIMIT_MS,
  );

  describe("a limit of Slurm's on how many jobs one may submit", () => {
    const association = ["modify", "user", user, "set"];
    const qos = ["modify", "qos", "narrow", "set"];
    const limits = {
      "MaxSubmitJobs of the user's association": {
        on: [...association, "MaxSubmitJobs=3"],
        off: [...association, "MaxSubmitJobs=-1"],
        args: [],
      },
      "MaxSubmitJobsPerUser of a QOS": {
        on: [...qos, "MaxSubmitJobsPerUser=3"],
        off: [...qos, "MaxSubmitJobsPerUser=-1"],
        args: ["--engine-arg=--qos=narrow"],
      },
    };
    for (const [what, { on, off, args }] of Object.entries(limits)) {
      it(
        `${what}: jobs wait untouched, one of them is tried again, and all run in the order of their names`,
        async () => {
          const root = await makeSlurmRoot(cluster);
          const names = numbered(8);
          for (const name of names) root.dropGated(name);
          root.fake("sbatch", ALONE);
          await admin(...on);
          try {
            const manager = root.manage(args);
            await until("three run", () => root.runs().length === 3);
            await until("the fourth was tried twice", () => root.calls("sbatch").length >= 5);
            expectUntouched(root);
            expect(asked(root)).toEqual(names.slice(0, 4));
            expect(manager.stderr().match(/takes no more for now/g)).toHaveLength(1);
            root.openGate();
            await root.completed(...names);
            expect(manager.stdout()).toMatch(/takes jobs again/);
          } finally {
            await admin(...off);
          }
          expect(root.runs().sort()).toEqual(names);
          expect(asked(root)).toEqual(names);
          for (const name of names) expect(root.status(name).state, name).toBe("succeeded");
          expectOneAtATime(root);
        },
        LIMIT_MS,
      );
    }

    it(
      "a manager that is killed while jobs wait for room: the next one goes on with them, and each runs once",
      async () => {
        const root = await makeSlurmRoot(cluster);
        const names = numbered(6);
        for (const name of names) root.dropGated(name);
        await admin(...association, "MaxSubmitJobs=3");
        try {
          const first = root.manage();
          await until(
            "the fourth was tried",
            () => root.calls("sbatch").length >= 4 && /takes no more/.test(first.stderr()),
          );
          first.signal("SIGKILL");
          await first.ended;
          root.manage();
          await until("it was tried again", () => root.calls("sbatch").length >= 5);
          expectUntouched(root);
          root.openGate();
          await root.completed(...names);
        } finally {
          await admin(...association, "MaxSubmitJobs=-1");
        }
        expect(root.runs().sort()).toEqual(names);
      },
      LIMIT_MS,
    );

    it(
      "a job that alone is beyond it waits while others are in the queue, then is refused with Slurm's text; the next goes on",
      async () => {
        const root = await makeSlurmRoot(cluster);
        root.dropGated("a");
        root.drop("b-wide", `#!/bin/bash\n#SBATCH --array=1-5\necho wide >> '${root.ledger}'\n`);
        root.dropLedger("c");
        await admin(...association, "MaxSubmitJobs=3");
        try {
          root.manage();
          await until("it was tried twice", () => root.calls("sbatch").length >= 3);
          expectUntouched(root);
          expect(asked(root)).toEqual(["a", "b-wide"]);
          root.openGate();
          await root.completed("a", "b-wide", "c");
        } finally {
          await admin(...association, "MaxSubmitJobs=-1");
        }
        expect(root.status("b-wide").state).toBe("refused");
        expect(root.paragraphsOf("b-wide")).toContain("AssocMaxSubmitJobLimit");
        expect(root.paragraphsOf("b-wide")).toContain("this job alone is beyond the limit");
        expect(root.runs()).toEqual(["a", "c"]);
      },
      LIMIT_MS,
    );
  });

  it(
    "what Slurm refuses fails with sbatch's own words and a remedy, and the one behind it goes on",
    async () => {
      const root = await makeSlurmRoot(cluster);
      const refused: Record<string, [directive: string, words: RegExp, remedy: RegExp]> = {
        "a-partition": ["--partition=nowhere", /invalid partition specified: nowhere/, /sinfo -s/],
        "b-account": ["--account=nobodys", /Invalid account or account\/partition combination/, /#SBATCH --account/],
        "c-qos": ["--qos=nothing", /Invalid qos specification/, /#SBATCH --qos/],
        "d-time": ["--time=100:00:00", /Requested time limit is invalid/, /#SBATCH --time/],
        "e-constraint": ["--constraint=unicorn", /Invalid feature specification/, /#SBATCH --constraint/],
        "f-directive": ["--no-such-option", /unrecognized option '--no-such-option'/, /#SBATCH lines/],
        "g-array": ["--array=1-100", /Invalid job array specification/, /MaxArraySize/],
        "h-cpus": ["--cpus-per-task=500", /More processors requested than permitted/, /#SBATCH/],
      };
      for (const [name, [directive]] of Object.entries(refused)) {
        root.drop(name, `#!/bin/bash\n#SBATCH ${directive}\necho ${name} >> '${root.ledger}'\n`);
        root.dropLedger(`${name}-sound`);
      }
      root.manage();
      const names = Object.keys(refused);
      await root.completed(...names, ...names.map((name) => `${name}-sound`));
      for (const [name, [, words, remedy]] of Object.entries(refused)) {
        const text = root.paragraphsOf(name);
        expect(root.status(name).state, name).toBe("refused");
        expect(text).toMatch(words);
        expect(text).toMatch(remedy);
        expect(text).toContain(`sbatch --parsable`);
        expect(root.submissions(name), name).toBe(1);
      }
      expect(root.runs().sort()).toEqual(names.map((name) => `${name}-sound`));
    },
    LIMIT_MS,
  );

  describe("what Slurm is asked", () => {
    it(
      "nothing while nothing of ours is in the queue",
      async () => {
        const root = await makeSlurmRoot(cluster);
        root.manage();
        await checks(root, 5);
        expect(root.calls("squeue")).toEqual([]);
        root.dropLedger("job");
        await root.completed("job");
        const before = [root.calls("squeue"), root.calls("sacct")];
        expect(before[0]?.length).toBeGreaterThan(0);
        await checks(root, 6);
        expect([root.calls("squeue"), root.calls("sacct")]).toEqual(before);
        expect(root.calls("scancel")).toEqual([]);
      },
      LIMIT_MS,
    );

    it(
      "one squeue for each check, whatever the number of jobs, and no sacct while all are in the queue",
      async () => {
        const root = await makeSlurmRoot(cluster);
        const names = numbered(20);
        for (const name of names) root.dropGated(name);
        root.fake("squeue", NOTE_TIME("squeue"));
        root.manage(["-p", "1"]);
        await until("all are in the queue", () => names.every((name) => root.job(name).handle() !== undefined));
        await checks(root, 2);
        const first = timesOf(root, "squeue").length;
        await checks(root, 6);
        const times = timesOf(root, "squeue").slice(first);
        expect(times.length).toBeLessThanOrEqual(7);
        expect(times.length).toBeGreaterThanOrEqual(5);
        expect(root.calls("sacct")).toEqual([]);
        for (const call of root.calls("squeue")) expect(call).not.toMatch(/--jobs?\b|-j/);
      },
      LIMIT_MS,
    );

    it(
      "neither the period nor --min-query-interval is undercut while folders arrive all the time",
      async () => {
        const root = await makeSlurmRoot(cluster);
        root.fake("squeue", NOTE_TIME("squeue"));
        root.dropGated("a");
        root.manage(["-M", "2", "-p", "0.2", "--min-query-interval", "2"]);
        await until("it is asked", () => timesOf(root, "squeue").length > 0);
        let dropped = 0;
        // Short jobs come and go beside it, so that there is always a reason to look.
        for (; timesOf(root, "squeue").length < 5; dropped++) {
          root.dropLedger(`job-${String(dropped).padStart(4, "0")}`);
          await new Promise((done) => setTimeout(done, 50));
        }
        expect(dropped).toBeGreaterThan(80);
        const times = timesOf(root, "squeue");
        const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
        // Less what the start of the fake may take, and the 5 % that a timer may come early.
        for (const gap of gaps) expect(gap).toBeGreaterThan(1700);
        root.openGate();
      },
      LIMIT_MS,
    );

    it(
      "a long period holds, too",
      async () => {
        const root = await makeSlurmRoot(cluster);
        root.dropGated("a");
        root.manage(["-M", "1", "-p", "600"]);
        await until("it runs", () => root.runs().length === 1);
        await until("it has a handle", () => root.job("a").handle() !== undefined);
        const before = root.calls("squeue").length;
        for (let i = 0; i < 60; i++) {
          root.dropLedger(`job-${i}`);
          await new Promise((done) => setTimeout(done, 50));
        }
        expect(before).toBeLessThanOrEqual(1);
        expect(root.calls("squeue").length).toBeLessThanOrEqual(1);
      },
      LIMIT_MS,
    );

    it(
      "at most one sacct for each squeue while many jobs end at a time",
      async () => {
        const root = await makeSlurmRoot(cluster);
        const names = numbered(20);
        for (const name of names) root.dropLedger(name, "exit 3");
        root.manage();
        await root.completed(...names);
        expect(root.calls("sacct").length).toBeLessThanOrEqual(root.calls("squeue").length);
        for (const name of names) expect(root.status(name).exitCode, name).toBe(3);
      },
      LIMIT_MS,
    );
  });
});

describe("without accounting", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    if (missingSlurm(false) !== undefined) return;
    cluster = await startCluster({
      cpus: CPUS, // One less than it says are let in.
      settings: { MinJobAge: "2", MaxJobCount: "5" },
    });
  }, LIMIT_MS);
  afterAll(() => cluster?.stop(), LIMIT_MS);
  beforeEach((context) => needSlurm(context));

  it(
    "MaxJobCount of the cluster: jobs wait untouched, with one sbatch at a time, and all run",
    async () => {
      const root = await makeSlurmRoot(cluster);
      const names = numbered(8);
      for (const name of names) root.dropGated(name);
      root.fake("sbatch", ALONE);
      root.manage();
      await until("as many run as may", () => root.runs().length === 4);
      await until("the next one is tried", () => root.calls("sbatch").length === 5);
      await checks(root, 4);
      expectUntouched(root);
      expect(root.calls("sbatch")).toHaveLength(5);
      root.openGate();
      await root.completed(...names);
      expect(root.runs().sort()).toEqual(names);
      expect(asked(root)).toEqual(names);
      expectOneAtATime(root);
    },
    LIMIT_MS,
  );

  it(
    "what sbatch says when it has given up on MaxJobCount makes jobs wait, too",
    async () => {
      const root = await makeSlurmRoot(cluster);
      const names = numbered(4);
      for (const name of names) root.dropLedger(name);
      root.fake(
        "sbatch",
        `[ -e "$here/room" ] && really "$@"
echo "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying" >&2
echo "sbatch: error: Batch job submission failed: Resource temporarily unavailable" >&2
exit 1`,
      );
      const manager = root.manage();
      await until("it was tried twice", () => root.calls("sbatch").length >= 2);
      expectUntouched(root);
      expect(asked(root)).toEqual(["job-00"]);
      expect(manager.stderr().match(/takes no more for now/g)).toHaveLength(1);
      writeFileSync(join(root.path, "..", "room"), "");
      await root.completed(...names);
      expect(root.runs().sort()).toEqual(names);
    },
    LIMIT_MS,
  );

  it(
    "sacct is asked once, and never again when it has said that there is none",
    async () => {
      const root = await makeSlurmRoot(cluster);
      const manager = root.manage();
      for (const round of ["first", "second"]) {
        // Gone from the queue while nobody looks, so that sacct would be the next to ask.
        const name = `${round}-job`;
        root.dropGated(name, { gate: round, after: "exit 3" });
        await until("it runs", () => root.runs().includes(name));
        await until("it has a handle", () => root.job(name).handle() !== undefined);
        manager.signal("SIGSTOP");
        const id = root.job(name).handle();
        root.openGate(round);
        const end = performance.now() + PATIENCE_MS;
        while ((await root.queue()).some((line) => line.id === id)) {
          if (performance.now() > end) throw new Error("Slurm does not purge it");
          await new Promise((done) => setTimeout(done, 200));
        }
        manager.signal("SIGCONT");
        await root.completed(name);
        expect([root.status(name).state, root.status(name).exitCode]).toEqual(["failed", 3]);
      }
      expect(root.calls("sacct")).toHaveLength(1);
    },
    LIMIT_MS,
  );
});
