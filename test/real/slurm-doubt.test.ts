/** Exactly once on real Slurm, whatever becomes of a submission's answer: lost, late, odd, or of the one who waited for it. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { findByCommand } from "../../engines/process.ts";
import { type Running, waitUntil } from "../harness.ts";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "../slurm/cluster.ts";
import { makeSlurmRoot, PATIENCE_MS, type SlurmRoot, said } from "./slurm.ts";

const LIMIT_MS = 180_000;

let cluster: Cluster;
beforeAll(async () => {
  if (missingSlurm(true) === undefined)
    cluster = await startCluster({ accounting: true, settings: { MessageTimeout: "4" } });
}, LIMIT_MS);
afterAll(() => cluster?.stop(), LIMIT_MS);
beforeEach((context) => needSlurm(context, true));

const until = (what: string, condition: () => boolean) => waitUntil(what, condition, PATIENCE_MS);

async function untilAsync(what: string, condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`after ${PATIENCE_MS} ms still not: ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** Folders that Slurm must have started exactly once. It tells of that only seconds later, so that it is asked at the end. */
const startedOnce: string[] = [];

/** One line in the ledger, and one job in all that Slurm remembers. */
async function expectOnce(root: SlurmRoot, ...names: string[]): Promise<void> {
  await root.completed(...names);
  expect(root.runs().sort()).toEqual([...names].sort());
  for (const name of names) {
    expect(root.status(name).state, name).toBe("succeeded");
    expect(root.exists(`complete/${name}/job_error.txt`), name).toBe(false);
    expect(await statesOf(root, name), name).toEqual(["COMPLETED"]);
    startedOnce.push(root.job(name).folder);
  }
}

/** How the copies of a job ended, as Slurm remembers it. */
async function statesOf(root: SlurmRoot, name: string): Promise<string[]> {
  let states: string[] = [];
  await untilAsync(`Slurm has done with ${name}`, async () => {
    states = (await root.queue(name)).map(({ state }) => state).sort();
    return !states.some((state) => /^(RUNNING|COMPLETING)$/.test(state));
  });
  return states;
}

async function killed(manager: Running): Promise<void> {
  manager.signal("SIGKILL");
  await manager.ended;
}

const LOST = `echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2; exit 1`;
/** Only the first call is as told; the others are as usual. */
const once = (text: string) => `if mkdir "$here/once" 2>/dev/null; then\n${text}\nfi\nreally "$@"`;
/** Waits for a file that the test makes. */
const waitFor = (gate: string) => `touch "$here/at-${gate}"; while [ ! -e "$here/${gate}" ]; do sleep 0.05; done`;

const under = (root: SlurmRoot, name: string) => join(root.path, "..", name);
const isAt = (root: SlurmRoot, gate: string) => existsSync(under(root, `at-${gate}`));
const open = (root: SlurmRoot, gate: string) => writeFileSync(under(root, gate), "");

/** squeue knows of nothing, for so many calls. */
const blind = (calls: number) =>
  `[ "$(wc -l <"$here/calls-squeue")" -le ${calls} ] && { real "$@" | head -n 1; exit 0; }\nreally "$@"`;

describe("an answer that is lost", () => {
  for (const [how, isBlind] of [
    ["", false],
    [", also when the queue is shown empty at first", true],
  ] as const) {
    it(
      `a submission that arrived is adopted, and not made again${how}`,
      async () => {
        const root = await makeSlurmRoot(cluster);
        root.fake("sbatch", once(`real "$@" >/dev/null; ${LOST}`));
        if (isBlind) root.fake("squeue", blind(2));
        // Held, so that the queue alone can tell of it: no runner has claimed it.
        root.drop("job", `#!/bin/bash\n#SBATCH --hold\necho job >> '${root.ledger}'\n`);
        root.manage();
        await until("it has a handle", () => root.job("job").handle() !== undefined);
        const [line] = await root.queue("job");
        expect(root.job("job").handle()).toBe(line?.id);
        await cluster.run("scontrol", "release", line?.id ?? "");
        await expectOnce(root, "job");
        expect(root.calls("sbatch")).toHaveLength(1);
      },
      LIMIT_MS,
    );

    it(
      `a submission that never arrived is made again, after several good answers and --doubt${how}`,
      async () => {
        const root = await makeSlurmRoot(cluster);
        root.fake("sbatch", `date +%s%N >>"$here/times"; wc -l <"$here/calls-squeue" >>"$here/asked"\n${once(LOST)}`);
        if (isBlind) root.fake("squeue", blind(2));
        root.dropLedger("job");
        root.manage();
        await expectOnce(root, "job");
        expect(root.calls("sbatch")).toHaveLength(2);
        expect(root.submissions("job")).toBe(1);
        const [first = 0, second = 0] = readFileSync(under(root, "times"), "utf8").trim().split("\n").map(Number);
        expect((second - first) / 1e9).toBeGreaterThanOrEqual(2);
        const [before = 0, then = 0] = readFileSync(under(root, "asked"), "utf8").trim().split("\n").map(Number);
        expect(then - before).toBeGreaterThanOrEqual(3);
      },
      LIMIT_MS,
    );
  }

  it(
    "an answer of the queue that is cut short, or an error, is no good answer",
    async () => {
      const root = await makeSlurmRoot(cluster);
      root.fake("sbatch", `date +%s%N >>"$here/times"; wc -l <"$here/good" >>"$here/asked"\n${once(LOST)}`);
      root.fake(
        "squeue",
        `n=$(wc -l <"$here/calls-squeue")
[ "$n" = 2 ] && { echo 12345; exit 0; }
[ "$n" = 3 ] && { echo "slurm_load_jobs error: Socket timed out on send/recv operation" >&2; exit 1; }
echo good >>"$here/good"; really "$@"`,
      );
      writeFileSync(under(root, "good"), "");
      root.dropLedger("job");
      root.manage();
      await expectOnce(root, "job");
      const [before = 0, then = 0] = readFileSync(under(root, "asked"), "utf8").trim().split("\n").map(Number);
      expect(then - before).toBeGreaterThanOrEqual(3);
    },
    LIMIT_MS,
  );

  it(
    "an sbatch that was killed after it had submitted: the job is adopted",
    async () => {
      const root = await makeSlurmRoot(cluster);
      root.fake("sbatch", once(`real "$@" >/dev/null; kill -KILL $$`));
      root.dropLedger("job");
      root.manage();
      await expectOnce(root, "job");
      expect(root.calls("sbatch")).toHaveLength(1);
    },
    LIMIT_MS,
  );

  it(
    "an sbatch that was killed after it had printed the id, and one that printed it and failed: the job is adopted",
    async () => {
      const root = await makeSlurmRoot(cluster);
      root.fake("sbatch", `real "$@"; case "$*" in */killed/*) kill -KILL $$ ;; esac; exit 1`);
      root.dropLedger("failed");
      root.dropLedger("killed");
      root.manage();
      await expectOnce(root, "failed", "killed");
      expect(root.calls("sbatch")).toHaveLength(2);
    },
    LIMIT_MS,
  );
});

describe("an answer that is odd", () => {
  const cases = {
    "a banner of the site around the id": `echo "*** Welcome to cluster 7 ***"; echo; id=$(real "$@"); echo "$id"; echo "You have used 12 of 100 hours"; echo "note: 5" >&2`,
    "the sentence that sbatch has without --parsable": `id=$(real "$@"); echo "Submitted batch job $id"`,
    "two lines that both look like an id": `real "$@"; echo 4711`,
    "an id of ten digits": `real "$@" >/dev/null; echo 4294967290`,
    "no id at all": `real "$@" >/dev/null; exit 0`,
    "an id that is another job's": `real "$@" >/dev/null; cat "$here/other"`,
  };
  for (const [what, fake] of Object.entries(cases)) {
    it(
      `${what}: the right job is followed, and submitted once`,
      async () => {
        const root = await makeSlurmRoot(cluster);
        const other = await cluster.run(
          "sbatch",
          "--parsable",
          "--chdir=/tmp",
          "--output=/dev/null",
          "--wrap",
          "sleep 600",
        );
        writeFileSync(under(root, "other"), other.stdout);
        try {
          root.fake("sbatch", fake);
          root.dropGated("job");
          root.manage();
          await until("it runs", () => root.runs().length > 0);
          await until("it has a handle", () => root.job("job").handle() !== undefined);
          root.openGate();
          await expectOnce(root, "job");
          expect(root.submissions("job")).toBe(1);
          const state = await cluster.run("squeue", "-h", "-j", other.stdout.trim(), "-o", "%T");
          expect(state.stdout.trim()).toMatch(/RUNNING|PENDING/);
        } finally {
          await cluster.run("scancel", other.stdout.trim());
        }
      },
      LIMIT_MS,
    );
  }

  it(
    "an id with its cluster is kept as it was said, and used with it",
    async () => {
      const root = await makeSlurmRoot(cluster);
      root.dropGated("job", { head: "#SBATCH --clusters=private" });
      root.manage();
      await until("it runs", () => root.runs().length > 0);
      await until("it has a handle", () => root.job("job").handle() !== undefined);
      expect(root.job("job").handle()).toMatch(/^\d+;private$/);
      root.openGate();
      await expectOnce(root, "job");
      expect(root.calls("squeue").filter((call) => call.includes("--clusters=private")).length).toBeGreaterThan(0);
    },
    LIMIT_MS,
  );

  it(
    "a text never seen: three tries, also across a restart, then it is refused with that text",
    async () => {
      const root = await makeSlurmRoot(cluster);
      root.fake(
        "sbatch",
        `case "$*" in */odd/*) echo "sbatch: error: the moon is full" >&2; exit 1 ;; esac; really "$@"`,
      );
      root.dropLedger("odd");
      root.dropLedger("sound");
      const first = root.manage();
      await until("two tries", () => root.calls("sbatch").filter((call) => call.includes("/odd/")).length === 2);
      await until("the second try was judged", () => /the moon is full/.test(first.stderr()));
      await killed(first);
      root.manage();
      await root.completed("odd", "sound");
      expect(root.calls("sbatch").filter((call) => call.includes("/odd/"))).toHaveLength(3);
      expect(root.status("odd").state).toBe("refused");
      expect(root.read("complete/odd/job_error.txt")).toContain("the moon is full");
      expect(root.runs()).toEqual(["sound"]);
    },
    LIMIT_MS,
  );
});

/** A bash program around sbatch, as sites have it; `become` is sbatch itself. */
const WAYS = {
  "sbatch itself": `exec -a sbatch bash -c`,
  "a site's own sbatch, a script": `bash -c`,
};

describe("kill -9 of the manager around sbatch", () => {
  it(
    "before sbatch was called: it is submitted once",
    async () => {
      const root = await makeSlurmRoot(cluster);
      root.dropLedger("job");
      let kills = 0;
      for (; kills < 8 && root.names("complete").length === 0; kills++) {
        const manager = root.manage();
        await until("it is planned", () => root.job("job").has("intent") || root.names("complete").length > 0);
        await killed(manager);
      }
      expect(kills).toBeGreaterThan(0);
      root.manage();
      await expectOnce(root, "job");
      expect(root.submissions("job")).toBe(1);
    },
    LIMIT_MS,
  );

  it(
    "while sbatch has not submitted yet: the next manager waits for it, whatever --doubt says",
    async () => {
      const root = await makeSlurmRoot(cluster);
      root.fake("sbatch", once(`${waitFor("before")}`));
      root.dropLedger("job");
      const first = root.manage();
      await until("sbatch was called", () => isAt(root, "before"));
      await killed(first);
      const second = root.manage(["--doubt", "0"]);
      await until("it says that it waits", () => said(second).some((line) => /sbatch is still trying/.test(line)));
      expect(root.calls("sbatch")).toHaveLength(1);
      open(root, "before");
      await expectOnce(root, "job");
      expect(root.calls("sbatch")).toHaveLength(1);
    },
    LIMIT_MS,
  );

  it(
    "while sbatch has submitted and not answered yet: the next manager adopts",
    async () => {
      const root = await makeSlurmRoot(cluster);
      root.fake("sbatch", once(`id=$(real "$@"); ${waitFor("after")}; echo "$id"; exit 0`));
      root.drop("job", `#!/bin/bash\n#SBATCH --hold\necho job >> '${root.ledger}'\n`);
      const first = root.manage();
      await until("sbatch has submitted", () => isAt(root, "after"));
      await killed(first);
      root.manage();
      open(root, "after");
      await until("it has a handle", () => root.job("job").handle() !== undefined);
      await cluster.run("scontrol", "release", root.job("job").handle() ?? "");
      await expectOnce(root, "job");
      expect(root.calls("sbatch")).toHaveLength(1);
    },
    LIMIT_MS,
  );

  it(
    "when sbatch has answered, but to nobody: the next manager reads its answer",
    async () => {
      const root = await makeSlurmRoot(cluster);
      root.fake("sbatch", once(`real "$@"; ${waitFor("after")}; exit 0`));
      root.dropGated("job");
      const first = root.manage();
      await until("sbatch has submitted", () => isAt(root, "after"));
      await killed(first);
      root.fake("squeue", "exit 1");
      root.manage();
      await until("it has a handle", () => root.job("job").handle() !== undefined);
      root.fake("squeue");
      open(root, "after");
      root.openGate();
      await expectOnce(root, "job");
      expect(root.calls("sbatch")).toHaveLength(1);
    },
    LIMIT_MS,
  );

  it(
    "again and again while twelve jobs are on their way: each is submitted and run once",
    async () => {
      const root = await makeSlurmRoot(cluster);
      const names = Array.from({ length: 12 }, (_, i) => `job-${String(i).padStart(2, "0")}`);
      root.fake("sbatch", `sleep 0.0$((RANDOM % 9)); id=$(real "$@"); sleep 0.0$((RANDOM % 9)); echo $id`);
      for (const name of names) root.dropLedger(name);
      let kills = 0;
      for (; root.calls("sbatch").length < names.length && kills < 40; kills++) {
        const calls = root.calls("sbatch").length;
        const manager = root.manage();
        await until(
          "sbatch was called again",
          () => root.calls("sbatch").length > calls || root.names("complete").length === names.length,
        );
        await new Promise((done) => setTimeout(done, (kills * 17) % 230));
        await killed(manager);
      }
      expect(kills).toBeGreaterThan(3);
      root.manage();
      await expectOnce(root, ...names);
      expect(root.submissions()).toBe(names.length);
    },
    LIMIT_MS,
  );

  for (const [who, how] of Object.entries(WAYS)) {
    it(
      `while ${who} sleeps and only then submits: it is waited for`,
      async () => {
        const root = await makeSlurmRoot(cluster);
        root.fake("sbatch", once(`export -f real; ${how} 'sleep 5; real "$@"' sbatch "$@"; exit`));
        root.dropLedger("job");
        const first = root.manage();
        await until("sbatch was called", () => root.calls("sbatch").length === 1);
        await killed(first);
        root.manage(["--doubt", "0"]);
        await expectOnce(root, "job");
        expect(root.calls("sbatch")).toHaveLength(1);
      },
      LIMIT_MS,
    );
  }

  it(
    "while sbatch itself is stopped, its request sent and its answer not read: it is adopted when it runs",
    async () => {
      const root = await makeSlurmRoot(cluster);
      root.dropLedger("job");
      cluster.daemons.slurmctld.freeze();
      const first = root.manage();
      const sbatches = () =>
        findByCommand("/run.sh").filter(({ command }) => command.startsWith("sbatch ") && command.includes(root.path));
      await until("sbatch waits for an answer", () => sbatches().length === 1);
      const [sbatch] = sbatches();
      // The request has gone when it waits in poll(2).
      await until(
        "it waits",
        () => sbatch !== undefined && /poll/.test(readFileSync(`/proc/${sbatch.pid}/wchan`, "utf8")),
      );
      process.kill(sbatch?.pid ?? 0, "SIGSTOP");
      try {
        await killed(first);
        cluster.daemons.slurmctld.thaw();
        root.manage();
        await expectOnce(root, "job");
        expect(root.calls("sbatch")).toHaveLength(1);
      } finally {
        process.kill(sbatch?.pid ?? 0, "SIGKILL");
      }
    },
    LIMIT_MS,
  );
});

describe("job_cancel while the submission is in doubt", () => {
  const cancel = (root: SlurmRoot) => writeFileSync(join(root.job("job").folder, "job_cancel"), "not needed");

  async function expectCancelled(root: SlurmRoot, runs: number): Promise<void> {
    await root.completed("job");
    expect(root.status("job").state).toBe("cancelled");
    expect(root.read("complete/job/job_error.txt")).toContain("not needed");
    expect(root.runs()).toHaveLength(runs);
    expect((await root.queue("job")).filter(({ state }) => /^(PENDING|RUNNING)/.test(state))).toEqual([]);
  }

  for (const isKilled of [false, true]) {
    const through = isKilled ? ", through a kill of the manager" : "";

    it(
      `one that never arrived is never run${through}`,
      async () => {
        const root = await makeSlurmRoot(cluster);
        root.fake("sbatch", LOST);
        root.dropLedger("job");
        const first = root.manage();
        await until("it is in doubt", () => first.stderr().includes("not known yet"));
        cancel(root);
        if (isKilled) {
          await until("the wish is heard", () => !existsSync(join(root.job("job").folder, "job_cancel")));
          await killed(first);
          root.manage();
        }
        await expectCancelled(root, 0);
        expect(root.calls("sbatch")).toHaveLength(1);
      },
      LIMIT_MS,
    );

    it(
      `one that waits in the queue is cancelled there, and never run${through}`,
      async () => {
        const root = await makeSlurmRoot(cluster);
        root.fake("sbatch", `real "$@" >/dev/null; ${LOST}`);
        root.fake("squeue", blind(2));
        root.drop("job", `#!/bin/bash\n#SBATCH --hold\necho job >> '${root.ledger}'\n`);
        const first = root.manage();
        await until("it is in doubt", () => first.stderr().includes("not known yet"));
        cancel(root);
        if (isKilled) {
          await killed(first);
          root.manage();
        }
        await expectCancelled(root, 0);
        expect(await statesOf(root, "job")).toEqual(["CANCELLED"]);
        expect(root.calls("sbatch")).toHaveLength(1);
      },
      LIMIT_MS,
    );

    it(
      `one that runs is cancelled there${through}`,
      async () => {
        const root = await makeSlurmRoot(cluster);
        root.fake("sbatch", `real "$@" >/dev/null; ${LOST}`);
        root.dropGated("job");
        const first = root.manage();
        await until("it runs", () => root.runs().length === 1);
        cancel(root);
        if (isKilled) {
          await killed(first);
          root.manage();
        }
        await expectCancelled(root, 1);
        expect(root.calls("sbatch")).toHaveLength(1);
      },
      LIMIT_MS,
    );
  }

  it(
    "one whose sbatch is only about to submit, its manager killed: it is cancelled after it arrived",
    async () => {
      const root = await makeSlurmRoot(cluster);
      root.fake("sbatch", once(waitFor("before")));
      root.drop("job", `#!/bin/bash\n#SBATCH --hold\necho job >> '${root.ledger}'\n`);
      const first = root.manage();
      await until("sbatch was called", () => isAt(root, "before"));
      cancel(root);
      await killed(first);
      const second = root.manage(["--doubt", "0"]);
      await until("it says that it waits", () => said(second).some((line) => /sbatch is still trying/.test(line)));
      expect(root.names("complete")).toEqual([]);
      open(root, "before");
      await expectCancelled(root, 0);
      expect(root.calls("sbatch")).toHaveLength(1);
    },
    LIMIT_MS,
  );
});

describe("records that are destroyed while the job is in the queue", () => {
  const destroy = (root: SlurmRoot) => rmSync(join(root.job("job").folder, ".jobmgr"), { recursive: true });

  for (const isKilled of [false, true]) {
    const through = isKilled ? ", also by another manager" : "";

    it(
      `by somebody else while it waits: it is known by its folder, and runs once${through}`,
      async () => {
        const root = await makeSlurmRoot(cluster);
        root.drop("job", `#!/bin/bash\n#SBATCH --hold\necho job >> '${root.ledger}'\n`);
        const first = root.manage();
        await until("it has a handle", () => root.job("job").handle() !== undefined);
        const handle = root.job("job").handle() ?? "";
        if (isKilled) await killed(first);
        destroy(root);
        if (isKilled) root.manage();
        await until("it is adopted", () => root.job("job").handle() === handle);
        await cluster.run("scontrol", "release", handle);
        await root.completed("job");
        expect(root.runs()).toEqual(["job"]);
        expect(root.calls("sbatch")).toHaveLength(1);
        expect(await statesOf(root, "job")).toEqual(["COMPLETED"]);
        startedOnce.push(root.job("job").folder);
      },
      LIMIT_MS,
    );

    it(
      `by the job itself while it runs: it runs once${through}`,
      async () => {
        const root = await makeSlurmRoot(cluster);
        root.drop(
          "job",
          `#!/bin/bash\necho job >> '${root.ledger}'\nrm -rf .jobmgr\ntouch destroyed\nwhile [ ! -e go ]; do sleep 0.05; done\n`,
        );
        const first = root.manage();
        await until("it has a handle", () => root.exists("pending/job/destroyed"));
        if (isKilled) {
          await killed(first);
          root.manage();
        }
        await until("it is adopted", () => root.job("job").handle() !== undefined);
        writeFileSync(join(root.job("job").folder, "go"), "");
        await root.completed("job");
        expect(root.runs()).toEqual(["job"]);
        expect(root.calls("sbatch")).toHaveLength(1);
      },
      LIMIT_MS,
    );
  }

  it(
    "by the job itself, which ended while no manager ran: it is lost, and not run again",
    async () => {
      const root = await makeSlurmRoot(cluster);
      root.drop(
        "job",
        `#!/bin/bash\necho job >> '${root.ledger}'\nrm -rf .jobmgr\ntouch destroyed\nwhile [ ! -e go ]; do sleep 0.05; done\nkill -KILL $PPID\n`,
      );
      const first = root.manage();
      await until("it runs", () => root.exists("pending/job/destroyed"));
      await killed(first);
      writeFileSync(join(root.job("job").folder, "go"), "");
      await untilAsync("it has ended", async () =>
        (await root.queue("job")).every(({ state }) => !/^(RUNNING|COMPLETING)$/.test(state)),
      );
      root.manage();
      await root.completed("job");
      expect(root.status("job").state).toBe("lost");
      expect(root.runs()).toEqual(["job"]);
      expect(root.calls("sbatch")).toHaveLength(1);
    },
    LIMIT_MS,
  );
});

describe("two copies of one attempt", () => {
  const submitAgain = async (root: SlurmRoot) => {
    const runner = join(root.job("job").records() ?? "", "run.sh");
    const again = await cluster.run("sbatch", "--parsable", `--chdir=${root.job("job").folder}`, runner);
    return again.stdout.trim();
  };

  it(
    "while both wait: one is cancelled, the other runs",
    async () => {
      const root = await makeSlurmRoot(cluster);
      root.drop("job", `#!/bin/bash\n#SBATCH --hold\necho job >> '${root.ledger}'\n`);
      root.manage();
      await until("it has a handle", () => root.job("job").handle() !== undefined);
      const handle = root.job("job").handle() ?? "";
      const copy = await submitAgain(root);
      await untilAsync("the copy is cancelled", async () =>
        (await root.queue("job")).some(({ id, state }) => id === copy && state === "CANCELLED"),
      );
      await cluster.run("scontrol", "release", handle);
      await root.completed("job");
      expect(root.status("job").state).toBe("succeeded");
      expect(root.runs()).toEqual(["job"]);
      expect(await statesOf(root, "job")).toEqual(["CANCELLED", "COMPLETED"]);
    },
    LIMIT_MS,
  );

  it(
    "while the first runs: the second never runs job.sh, and the first is followed to its end",
    async () => {
      const root = await makeSlurmRoot(cluster);
      root.dropGated("job", { after: "exit 7" });
      root.manage();
      await until("it runs", () => root.runs().length === 1);
      await until("it has a handle", () => root.job("job").handle() !== undefined);
      const copy = await submitAgain(root);
      await untilAsync("the copy has ended", async () =>
        (await root.queue("job")).some(({ id, state }) => id === copy && /^(CANCELLED|COMPLETED)/.test(state)),
      );
      root.openGate();
      await root.completed("job");
      expect(root.status("job").exitCode).toBe(7);
      expect(root.runs()).toEqual(["job"]);
    },
    LIMIT_MS,
  );

  it(
    "the copy runs while the recorded one waits: the copy is followed, and the other cancelled",
    async () => {
      const root = await makeSlurmRoot(cluster);
      root.drop(
        "job",
        `#!/bin/bash\n#SBATCH --hold\necho job >> '${root.ledger}'\nwhile [ ! -e go ]; do sleep 0.05; done\n`,
      );
      const first = root.manage();
      await until("it has a handle", () => root.job("job").handle() !== undefined);
      const handle = root.job("job").handle() ?? "";
      await killed(first);
      const copy = await submitAgain(root);
      await cluster.run("scontrol", "release", copy);
      await until("the copy runs", () => root.runs().length === 1);
      root.manage();
      await untilAsync("the recorded one is cancelled", async () =>
        (await root.queue("job")).some(({ id, state }) => id === handle && state === "CANCELLED"),
      );
      writeFileSync(join(root.job("job").folder, "go"), "");
      await root.completed("job");
      expect(root.status("job").state).toBe("succeeded");
      expect(root.runs()).toEqual(["job"]);
    },
    LIMIT_MS,
  );
});

it(
  "accounting has no second start of any of these jobs",
  async () => {
    expect(startedOnce.length).toBeGreaterThan(0);
    const args = ["-D", "-X", "-n", "-P", "-S", "now-1days", "--format=WorkDir,State"];
    const missing = new Set(startedOnce);
    let rows: string[] = [];
    await untilAsync("accounting knows how all ended", async () => {
      rows = (await cluster.run("sacct", ...args)).stdout.split("\n").filter(Boolean);
      for (const row of rows) missing.delete(row.replace(/\|COMPLETED$/, ""));
      return missing.size === 0;
    });
    for (const folder of startedOnce) {
      expect(rows.filter((row) => row.startsWith(`${folder}|`))).toEqual([`${folder}|COMPLETED`]);
    }
  },
  LIMIT_MS,
);

/** After all others, for it makes Slurm forget everything. */
describe("ids that Slurm uses again, having forgotten all (slurmctld -c)", () => {
  it(
    "jobs of others that have our ids are neither cancelled nor read as ours, and what never started is submitted again",
    async () => {
      const root = await makeSlurmRoot(cluster);
      const names = ["a-cancelled", "b-waiting", "c-waiting"];
      // What waits leaves no step, of which a node might still think when the others come.
      for (const name of names) root.drop(name, `#!/bin/bash\n#SBATCH --hold\necho ${name} >> '${root.ledger}'\n`);
      // Long enough for the others' jobs to be there before ours are given up.
      root.manage(["--lost-after", "20"]);
      const handles = () => names.map((name) => root.job(name).handle());
      await until("all have handles", () => handles().every((handle) => handle !== undefined));
      const ids = handles().map(Number);

      await cluster.daemons.slurmctld.kill();
      rmSync(join(cluster.folder, "state"), { recursive: true });
      mkdirSync(join(cluster.folder, "state"));
      appendFileSync(cluster.env.SLURM_CONF ?? "", `\nFirstJobId=${Math.min(...ids)}\n`);
      writeFileSync(join(root.job("a-cancelled").folder, "job_cancel"), "not needed");
      await cluster.daemons.slurmctld.start();
      await untilAsync("the node has been heard", async () =>
        /idle/.test((await cluster.run("sinfo", "-h", "-o", "%T")).stdout),
      );
      const others = join(root.path, "..", "others");
      const theirs: number[] = [];
      while (theirs.length < ids.length) {
        const args = ["--parsable", "--output=/dev/null", "--chdir=/tmp"];
        const wrap = `while [ ! -e '${others}' ]; do sleep 0.05; done; exit 5`;
        theirs.push(Number((await cluster.run("sbatch", ...args, "--wrap", wrap)).stdout));
      }
      expect(theirs.sort()).toEqual(ids.sort());

      await root.completed("a-cancelled");
      await until("they are submitted again", () =>
        ["b-waiting", "c-waiting"].every(
          (name) => root.submissions(name) === 2 && root.job(name).handle() !== undefined,
        ),
      );
      const states = await cluster.run("squeue", "-h", "-t", "all", "-o", "%T", "-j", theirs.join(","));
      expect(states.stdout.trim().split("\n")).toEqual(theirs.map(() => "RUNNING"));
      writeFileSync(others, "");
      for (const name of ["b-waiting", "c-waiting"])
        await cluster.run("scontrol", "release", root.job(name).handle() ?? "");
      await root.completed("b-waiting", "c-waiting");
      expect(names.map((name) => root.status(name).state)).toEqual(["cancelled", "succeeded", "succeeded"]);
      expect(root.runs().sort()).toEqual(["b-waiting", "c-waiting"]);
    },
    LIMIT_MS,
  );

  it(
    "a job of another that has ended under our id while nobody looked is not read as ours",
    async () => {
      const root = await makeSlurmRoot(cluster);
      // One that waits leaves no step, of which a node might still think when the other comes.
      root.drop("job", `#!/bin/bash\n#SBATCH --hold\necho job >> '${root.ledger}'\n`);
      const first = root.manage();
      await until("it has a handle", () => root.job("job").handle() !== undefined);
      const id = root.job("job").handle() ?? "";
      await killed(first);
      await cluster.daemons.slurmctld.kill();
      rmSync(join(cluster.folder, "state"), { recursive: true });
      mkdirSync(join(cluster.folder, "state"));
      appendFileSync(cluster.env.SLURM_CONF ?? "", `\nFirstJobId=${id}\n`);
      await cluster.daemons.slurmctld.start();
      await untilAsync("the node has been heard", async () =>
        /idle/.test((await cluster.run("sinfo", "-h", "-o", "%T")).stdout),
      );
      const other = await cluster.run("sbatch", "--parsable", "--output=/dev/null", "--chdir=/tmp", "--wrap", "exit 0");
      expect(other.stdout.trim()).toBe(id);
      await untilAsync("accounting knows how it ended", async () => {
        const { stdout } = await cluster.run("sacct", "-X", "-n", "-P", "-j", id, "--format=State");
        return stdout.trim() === "COMPLETED";
      });
      root.manage();
      await until("it is submitted again", () => root.submissions("job") === 2);
      await until("it has a handle", () => root.job("job").handle() !== undefined);
      expect(root.runs()).toEqual([]);
      await cluster.run("scontrol", "release", root.job("job").handle() ?? "");
      await root.completed("job");
      expect(root.status("job").state).toBe("succeeded");
      expect(root.runs()).toEqual(["job"]);
    },
    LIMIT_MS,
  );
});
