/**
 * What every engine must do, as tests. An engine's own test file names itself and what it can be made to do; the
 * differences are options, never a test of the name. The package gives it away as jobmgr/engine-contract.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { realDisk } from "../../src/disk.ts";
import type {
  Attempt,
  Dependency,
  Engine,
  EngineDefinition,
  EngineOptions,
  Found,
  Handle,
  Machine,
  News,
  Scale,
  Submitted,
} from "../../src/engine.ts";
import { isEngineError } from "../../src/engine-error.ts";
import { guardedDefinition } from "../../src/guarded-engine.ts";
import { runnerRecords } from "../../src/records.ts";
import { type Root, setUpRoot } from "../../src/root.ts";
import { plan } from "../../src/steps/plan.ts";
import { see } from "../../src/steps/see.ts";
import type { World } from "../../src/steps/world.ts";

/** What the jobs of the suite do, each the text of a job.sh. */
export interface ContractScripts {
  readonly exit0: string;
  readonly exit3: string;
  readonly killedBy9: string;
  /** Goes on until it is cancelled. */
  readonly endless: string;
  /** Ends well, and names the time that it asks for; left out where plan() raises nothing. */
  readonly limited?: string;
  /** A directive that no machine can honour; left out where there is none. */
  readonly impossible?: string;
}

/** What the suite must know of an engine, beside how it is made. All may be left out. */
export interface ContractOptions {
  /** In place of scripts of sh, which also tell of their runs. */
  readonly scripts?: Partial<ContractScripts>;
  /** How often the job.sh in this folder was started; by itself: the lines of the file "runs" that its script writes. */
  readonly runsOf?: (folder: string) => number;
  /** How long a job may take to start, or to end, in milliseconds: 20,000 unless it is said. */
  readonly patienceMs?: number;
  /** Makes the scheduler unreachable until the returned function is called; left out if it cannot be. */
  readonly makeUnavailable?: () => Promise<() => Promise<void>>;
  /** Makes the answer of the next submit get lost; left out if it cannot be. */
  readonly loseNextAnswer?: () => void;
  /** Makes the scheduler forget a job; left out if it cannot be. */
  readonly forget?: (job: Submitted) => Promise<void>;
}

/** An engine that is tested. */
export interface ContractSubject extends ContractOptions {
  /** A new engine object on the same scheduler, as another process would make it. */
  makeEngine(): Engine | Promise<Engine>;
}

/** What must be known of an engine before its first test is run. */
export interface ContractTraits {
  /** It shows what it would do, and never starts anything. */
  readonly runsNothing?: boolean;
}

const RUN = "echo run >>runs\n";

/** For all that run job.sh with a shell. */
const SCRIPTS: ContractScripts = {
  exit0: `${RUN}exit 0\n`,
  exit3: `${RUN}exit 3\n`,
  killedBy9: `${RUN}kill -9 $$\n`,
  endless: `${RUN}exec sleep 1000\n`,
};

/** As jobmgr would make an engine that was given no options. */
const OPTIONS: EngineOptions = {
  jobsMax: undefined,
  graceS: 1,
  engineArgs: [],
  queryS: 0.1,
  doubtS: 1,
  lostAfterS: 1,
};

const NEVER = new AbortController().signal;
const ODD_NAMES = [
  "with space",
  'quote\'s "here"',
  "-dash",
  "new\nline",
  "$(touch x)`id`;&|*?",
  "\u{1f600} emoji",
  "%j %x",
  "n".repeat(255),
];

/**
 * Declares the suite, for vitest. An engine that others write hands in its definition, and is tested as jobmgr would use
 * it; who needs more than its options hands in a name, and a way to make the subject anew for each test.
 */
export function engineContract(definition: EngineDefinition, options?: ContractOptions): void;
export function engineContract(name: string, makeSubject: () => ContractSubject, traits?: ContractTraits): void;
export function engineContract(
  subject: string | EngineDefinition,
  more: ContractOptions | (() => ContractSubject) = {},
  traits: ContractTraits = {},
): void {
  if (typeof more === "function") return declare(String(subject), more, traits);
  const definition = subject as EngineDefinition;
  const makeEngine = async () => guardedDefinition(definition, "the engine under test").make(OPTIONS);
  declare(String(definition?.name), () => ({ ...more, makeEngine }), traits);
}

function runsIn(folder: string): number {
  const runs = join(folder, "runs");
  return existsSync(runs) ? readFileSync(runs, "utf8").split("\n").length - 1 : 0;
}

/** Where it has no /proc, a boot is not known. */
function thisMachine(): Machine {
  try {
    return { host: hostname(), boot: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim() };
  } catch {
    return { host: hostname(), boot: "unknown" };
  }
}

function declare(name: string, makeSubject: () => ContractSubject, { runsNothing = false }: ContractTraits): void {
  const runs = it.skipIf(runsNothing);
  describe(`the engine contract, kept by ${name}`, () => {
    let folder: string;
    let root: Root;
    let subject: ContractSubject & Required<Pick<ContractSubject, "patienceMs" | "runsOf">>;
    let scripts: ContractScripts;
    let engine: Engine;
    const submitted: Submitted[] = [];

    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), "jobmgr-contract-"));
      ({ root } = await setUpRoot(realDisk, join(folder, "root")));
      const given = makeSubject();
      subject = { ...given, patienceMs: given.patienceMs ?? 20_000, runsOf: given.runsOf ?? runsIn };
      scripts = { ...SCRIPTS, ...given.scripts };
      engine = await subject.makeEngine();
    });

    afterEach(async () => {
      const left = submitted.splice(0);
      if (left.length > 0) await engine.cancel(left, NEVER);
      // What still runs would write into the folder while it is removed.
      for (const job of left) await over(job);
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    });

    const world = (): World => ({
      disk: realDisk,
      root,
      engine,
      machine: thisMachine(),
      rules: { settleS: 0, readyFile: undefined, finishedFile: undefined, owners: undefined },
      groupWritable: false,
      assertOwned: () => {},
    });

    /** A job that is planned and not submitted, as the manager would have it. */
    async function planned(job: string, script: string) {
      mkdirSync(join(root.pending, job));
      writeFileSync(join(root.pending, job, "job.sh"), script);
      await plan(world(), job);
      const { attempt, outcome } = see(world(), "pending", job);
      return { attempt, outcome };
    }

    async function submit(job: string, script: string): Promise<Submitted> {
      const { attempt } = await planned(job, script);
      if (!attempt) throw new Error(`${job} was not planned`);
      const one = { ...attempt, handle: await engine.submit(attempt, NEVER) };
      submitted.push(one);
      return one;
    }

    async function newsOf(job: Submitted, wanted: News["is"] | readonly News["is"][], by = engine): Promise<News> {
      const end = performance.now() + subject.patienceMs;
      for (;;) {
        const news = (await by.poll([job], NEVER)).get(job.token);
        if (news && [wanted].flat().includes(news.is)) return news;
        if (performance.now() > end) throw new Error(`${JSON.stringify(news)}, not ${wanted}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }

    /** Resolves when a job has ended, or is not known any more. */
    async function over(job: Submitted): Promise<void> {
      const end = performance.now() + subject.patienceMs;
      while (performance.now() < end) {
        const news = (await engine.poll([job], NEVER)).get(job.token);
        if (news?.is !== "running" && news?.is !== "queued") return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }

    /** What another engine object finds, once it is sure. */
    async function found(where: Attempt | { readonly folder: string }): Promise<Found> {
      const other = await subject.makeEngine();
      const end = performance.now() + subject.patienceMs;
      for (;;) {
        const answer = await other.find(where, NEVER);
        if (answer.is !== "unsure" || performance.now() > end) return answer;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }

    function exitCode(job: Submitted): number | undefined {
      return runnerRecords(realDisk, job.records, job.token, []).records[0]?.exitCode;
    }

    runs("runs what was submitted, and tells of its end", async () => {
      const job = await submit("a", scripts.exit0);
      await newsOf(job, "ended");
      expect(exitCode(job)).toBe(0);
      expect(subject.runsOf(job.folder)).toBe(1);
    });

    runs("keeps the exit code", async () => {
      const job = await submit("a", scripts.exit3);
      await newsOf(job, "ended");
      expect(exitCode(job)).toBe(3);
    });

    runs("tells of a death by signal as a shell does", async () => {
      const job = await submit("a", scripts.killedBy9);
      await newsOf(job, "ended");
      expect(exitCode(job)).toBe(137);
    });

    runs("another engine object finds what one has submitted, by its token", async () => {
      const job = await submit("a", scripts.endless);
      await newsOf(job, "running");
      const answer = await found(job);
      expect(answer).toMatchObject({ is: "found", token: job.token });
      const adopted = { ...job, handle: answer.is === "found" ? answer.handle : job.handle };
      await newsOf(adopted, "running", await subject.makeEngine());
    });

    runs("another engine object finds what works in a folder whose records are gone", async () => {
      const job = await submit("a", scripts.endless);
      await newsOf(job, "running");
      expect(await found({ folder: job.folder })).toMatchObject({ is: "found", token: job.token });
    });

    runs("another engine object tells that a job runs whose folder was moved away meanwhile", async () => {
      const job = await submit("a", scripts.endless);
      await newsOf(job, "running");
      // What has not come so far finds no folder, and steps aside.
      await expect.poll(() => subject.runsOf(job.folder), { timeout: subject.patienceMs }).toBe(1);
      const away = join(root.inbox, "a");
      renameSync(job.folder, away);
      try {
        const moved = { ...job, folder: away, records: join(away, relative(job.folder, job.records)) };
        const other = await subject.makeEngine();
        await newsOf(moved, "running", other);
        expect(await other.find(moved, NEVER)).toMatchObject({ is: "found", token: job.token });
      } finally {
        renameSync(away, job.folder);
      }
    });

    runs("another engine object tells of the end of what one has submitted", async () => {
      const job = await submit("a", scripts.exit3);
      await newsOf(job, "ended", await subject.makeEngine());
      expect(exitCode(job)).toBe(3);
    });

    it("a token that was never submitted is not found", async () => {
      const { attempt } = await planned("a", scripts.exit0);
      if (!attempt) throw new Error("not planned");
      expect((await engine.find(attempt, NEVER)).is).not.toBe("found");
      expect((await engine.find({ folder: attempt.folder }, NEVER)).is).not.toBe("found");
    });

    runs("the same attempt submitted twice runs once", async () => {
      const first = await submit("a", scripts.exit0);
      const second = { ...first, handle: await engine.submit(first, NEVER) };
      await newsOf(first, "ended");
      await newsOf(second, "ended");
      expect(subject.runsOf(first.folder)).toBe(1);
      expect(exitCode(first)).toBe(0);
    });

    it("an attempt that was put out of force does not run", async () => {
      const { attempt } = await planned("a", scripts.exit0);
      if (!attempt) throw new Error("not planned");
      realDisk.rename(attempt.records, attempt.records.replace("attempt-", "past-"));
      const handle = await engine.submit(attempt, NEVER).catch((error) => {
        expect(isEngineError(error)).toBe(true);
      });
      if (handle) await newsOf({ ...attempt, handle }, "ended");
      expect(subject.runsOf(attempt.folder)).toBe(0);
    });

    /** A job behind another one, which must end as it `needs`; skips the test for an engine that cannot keep it back. */
    async function submitBehind(first: Submitted, needs: Dependency["needs"], skip: (why: string) => never) {
      const { attempt } = await planned("behind", scripts.exit0);
      if (!attempt) throw new Error("not planned");
      const after = [{ handle: first.handle, needs }];
      if (!engine.waitsForJobs?.(attempt.plan, after)) return skip(`this engine does not wait for "${needs}"`);
      const behind = { ...attempt, after };
      const job = { ...behind, handle: await engine.submit(behind, NEVER) };
      submitted.push(job);
      return job;
    }

    runs("keeps a job back until one before it has ended", async ({ skip }) => {
      const first = await submit("a", scripts.endless);
      const job = await submitBehind(first, "end", skip);
      await newsOf(first, "running");
      await newsOf(job, "queued");
      expect(subject.runsOf(job.folder)).toBe(0);
      await engine.cancel([first], NEVER);
      await newsOf(job, "ended", await subject.makeEngine());
      expect(exitCode(job)).toBe(0);
      expect(subject.runsOf(job.folder)).toBe(1);
    });

    runs("never starts a job behind one that was to succeed, and did not", async ({ skip }) => {
      const first = await submit("a", scripts.endless);
      const job = await submitBehind(first, "success", skip);
      await engine.cancel([first], NEVER);
      await newsOf(first, "ended");
      // When others have had their turn, it would have had it, too.
      await newsOf(await submit("b", scripts.exit0), "ended");
      expect(["queued", "ended"]).toContain((await engine.poll([job], NEVER)).get(job.token)?.is);
      expect(subject.runsOf(job.folder)).toBe(0);
    });

    runs("answers for every job of one question", async () => {
      const jobs = [
        await submit("a", scripts.endless),
        await submit("b", scripts.exit0),
        await submit("c", scripts.exit3),
      ];
      const news = await engine.poll(jobs, NEVER);
      expect([...news.keys()].sort()).toEqual(jobs.map((job) => job.token).sort());
      expect((await engine.poll([], NEVER)).size).toBe(0);
    });

    runs("cancelling ends a job, may be repeated, and may be asked of one that has ended", async () => {
      const job = await submit("a", scripts.endless);
      await newsOf(job, "running");
      await engine.cancel([job], NEVER);
      await engine.cancel([job], NEVER);
      await newsOf(job, "ended");
      await engine.cancel([job], NEVER);
      expect(exitCode(job)).not.toBe(0);
    });

    runs("a job can be cancelled through another engine object", async () => {
      const job = await submit("a", scripts.endless);
      await newsOf(job, "running");
      const other = await subject.makeEngine();
      await other.cancel([job], NEVER);
      await newsOf(job, "ended", other);
    });

    runs.each(ODD_NAMES)("runs in a folder of the name %j", async (odd) => {
      const job = await submit(odd, scripts.exit0);
      await newsOf(job, "ended");
      expect(exitCode(job)).toBe(0);
      expect(subject.runsOf(job.folder)).toBe(1);
    });

    it("the dry run starts nothing", async () => {
      const { attempt } = await planned("a", scripts.exit0);
      if (!attempt) throw new Error("not planned");
      await engine.check(attempt, NEVER);
      expect((await engine.find(attempt, NEVER)).is).not.toBe("found");
      expect(subject.runsOf(attempt.folder)).toBe(0);
    });

    it("shows a command that names the runner", async () => {
      const { attempt } = await planned("a", scripts.exit0);
      if (!attempt) throw new Error("not planned");
      expect(engine.command(attempt)).toContain(attempt.runner);
    });

    it("refuses what no machine can honour", async ({ skip }) => {
      const { impossible } = scripts;
      if (impossible === undefined) return skip("this engine has no such directive");
      const { outcome } = await planned("a", impossible);
      expect(outcome?.outcome.is).toBe("refused");
      expect(outcome?.outcome.why.length).toBeGreaterThan(10);
    });

    it("asks for more only where job.sh asks for something, and names what it raises", ({ skip }) => {
      const planned = (text: string, scale?: Scale) => engine.plan({ folderName: "a", text }, scale);
      const { limited, exit0 } = scripts;
      expect(planned(exit0, { time: 2, memory: 2 })).toEqual(planned(exit0));
      if (limited === undefined) return skip("this engine raises nothing");
      expect(planned(limited).raised).toBeUndefined();
      expect(planned(limited, {}).raised).toBeUndefined();
      expect(planned(limited, { memory: 2 }).raised).toBeUndefined();
      expect(planned(limited, { time: 2 }).raised).toEqual([expect.stringContaining("instead of")]);
    });

    runs("says unavailable while its scheduler is out of reach, and goes on afterwards", async ({ skip }) => {
      if (!subject.makeUnavailable) return skip("this engine's scheduler is always in reach");
      const job = await submit("a", scripts.exit0);
      const { attempt } = await planned("b", scripts.exit0);
      if (!attempt) throw new Error("not planned");
      const back = await subject.makeUnavailable();
      await expect(engine.poll([job], NEVER)).rejects.toMatchObject({ verdict: "unavailable" });
      await expect(engine.submit(attempt, NEVER)).rejects.toMatchObject({ verdict: "unavailable" });
      await back();
      await newsOf(job, "ended");
    });

    it.runIf(runsNothing)("takes no job, and says so with an error that keeps it where it is", async () => {
      const { attempt } = await planned("a", scripts.exit0);
      if (!attempt) throw new Error("not planned");
      await expect(engine.submit(attempt, NEVER)).rejects.toMatchObject({
        verdict: expect.stringMatching(/^(unavailable|full)$/),
      });
      expect(await engine.find(attempt, NEVER)).toEqual({ is: "absent" });
      expect(await engine.find({ folder: attempt.folder }, NEVER)).toEqual({ is: "absent" });
      expect(subject.runsOf(attempt.folder)).toBe(0);
      const job = { ...attempt, handle: "1" as Handle };
      await engine.cancel([job], NEVER);
      expect((await engine.poll([job], NEVER)).get(job.token)).toEqual({ is: "missing" });
    });

    it("tells how it is, and finds nothing wrong while it runs jobs", async () => {
      for (const { level, about, says } of (await engine.diagnose?.()) ?? []) {
        expect(level, says).not.toBe("error");
        expect([about, says]).not.toContain("");
      }
    });

    runs("finds a job whose answer was lost", async ({ skip }) => {
      if (!subject.loseNextAnswer) return skip("this engine's answers cannot get lost");
      const { attempt } = await planned("a", scripts.exit0);
      if (!attempt) throw new Error("not planned");
      subject.loseNextAnswer();
      await expect(engine.submit(attempt, NEVER)).rejects.toMatchObject({ verdict: "ambiguous" });
      const found = await engine.find(attempt, NEVER);
      expect(found.is).toBe("found");
      if (found.is === "found") submitted.push({ ...attempt, handle: found.handle });
    });

    runs("does not say how a job ended that it has forgotten", async ({ skip }) => {
      if (!subject.forget) return skip("this engine does not forget");
      const job = await submit("a", scripts.endless);
      await newsOf(job, "running");
      await subject.forget(job);
      const news = await newsOf(job, ["missing", "ended"]);
      for (const fact of ["cause", "exitCode", "signal"]) expect(news).not.toHaveProperty(fact);
    });
  });
}
