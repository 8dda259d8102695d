/**
 * What every engine must do, as tests. An engine's own test file names itself and what it can be made to do; the
 * differences are options, never a test of the name.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { realDisk } from "../../src/disk.ts";
import type { Attempt, Dependency, Engine, Found, News, Scale, Submitted } from "../../src/engine.ts";
import { isEngineError } from "../../src/engine-error.ts";
import { runnerRecords } from "../../src/records.ts";
import { type Root, setUpRoot } from "../../src/root.ts";
import { plan } from "../../src/steps/plan.ts";
import { see } from "../../src/steps/see.ts";
import type { World } from "../../src/steps/world.ts";

export interface ContractSubject {
  /** A new engine object on the same scheduler, as another process would make it. */
  makeEngine(): Engine;
  readonly scripts: {
    readonly exit0: string;
    readonly exit3: string;
    readonly killedBy9: string;
    /** Goes on until it is cancelled. */
    readonly endless: string;
    /** Ends well, and names the time that it asks for. */
    readonly limited: string;
    /** A directive that no machine can honour; undefined if there is none. */
    readonly impossible?: string;
  };
  /** Makes the scheduler unreachable until the returned function is called; undefined if it cannot be. */
  readonly makeUnavailable?: () => Promise<() => Promise<void>>;
  /** Makes the answer of the next submit get lost; undefined if it cannot be. */
  readonly loseNextAnswer?: () => void;
  /** Makes the scheduler forget a job; undefined if it cannot be. */
  readonly forget?: (job: Submitted) => Promise<void>;
  /** How long a job may take to end, in milliseconds. */
  readonly patienceMs: number;
  /** Scripts that record their runs get this line; "%s" is the file to append to. Undefined: by the subject itself. */
  readonly runsOf: (folder: string) => number;
}

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

/** Declares the suite. */
export function engineContract(name: string, makeSubject: () => ContractSubject): void {
  describe(`the engine contract, kept by ${name}`, () => {
    let folder: string;
    let root: Root;
    let subject: ContractSubject;
    let engine: Engine;
    const submitted: Submitted[] = [];

    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), "jobmgr-contract-"));
      ({ root } = await setUpRoot(realDisk, join(folder, "root")));
      subject = makeSubject();
      engine = subject.makeEngine();
    });

    afterEach(async () => {
      const left = submitted.splice(0);
      await engine.cancel(left, NEVER);
      // What still runs would write into the folder while it is removed.
      for (const job of left) await over(job);
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    });

    const world = (): World => ({
      disk: realDisk,
      root,
      engine,
      machine: {
        host: readFileSync("/proc/sys/kernel/hostname", "utf8").trim(),
        boot: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
      },
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
      const other = subject.makeEngine();
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

    it("runs what was submitted, and tells of its end", async () => {
      const job = await submit("a", subject.scripts.exit0);
      await newsOf(job, "ended");
      expect(exitCode(job)).toBe(0);
      expect(subject.runsOf(job.folder)).toBe(1);
    });

    it("keeps the exit code", async () => {
      const job = await submit("a", subject.scripts.exit3);
      await newsOf(job, "ended");
      expect(exitCode(job)).toBe(3);
    });

    it("tells of a death by signal as a shell does", async () => {
      const job = await submit("a", subject.scripts.killedBy9);
      await newsOf(job, "ended");
      expect(exitCode(job)).toBe(137);
    });

    it("another engine object finds what one has submitted, by its token", async () => {
      const job = await submit("a", subject.scripts.endless);
      await newsOf(job, "running");
      const answer = await found(job);
      expect(answer).toMatchObject({ is: "found", token: job.token });
      const adopted = { ...job, handle: answer.is === "found" ? answer.handle : job.handle };
      await newsOf(adopted, "running", subject.makeEngine());
    });

    it("another engine object finds what works in a folder whose records are gone", async () => {
      const job = await submit("a", subject.scripts.endless);
      await newsOf(job, "running");
      expect(await found({ folder: job.folder })).toMatchObject({ is: "found", token: job.token });
    });

    it("another engine object tells of the end of what one has submitted", async () => {
      const job = await submit("a", subject.scripts.exit3);
      await newsOf(job, "ended", subject.makeEngine());
      expect(exitCode(job)).toBe(3);
    });

    it("a token that was never submitted is not found", async () => {
      const { attempt } = await planned("a", subject.scripts.exit0);
      if (!attempt) throw new Error("not planned");
      expect((await engine.find(attempt, NEVER)).is).not.toBe("found");
      expect((await engine.find({ folder: attempt.folder }, NEVER)).is).not.toBe("found");
    });

    it("the same attempt submitted twice runs once", async () => {
      const first = await submit("a", subject.scripts.exit0);
      const second = { ...first, handle: await engine.submit(first, NEVER) };
      await newsOf(first, "ended");
      await newsOf(second, "ended");
      expect(subject.runsOf(first.folder)).toBe(1);
      expect(exitCode(first)).toBe(0);
    });

    it("an attempt that was put out of force does not run", async () => {
      const { attempt } = await planned("a", subject.scripts.exit0);
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
      const { attempt } = await planned("behind", subject.scripts.exit0);
      if (!attempt) throw new Error("not planned");
      const after = [{ handle: first.handle, needs }];
      if (!engine.waitsForJobs?.(attempt.plan, after)) return skip(`this engine does not wait for "${needs}"`);
      const behind = { ...attempt, after };
      const job = { ...behind, handle: await engine.submit(behind, NEVER) };
      submitted.push(job);
      return job;
    }

    it("keeps a job back until one before it has ended", async ({ skip }) => {
      const first = await submit("a", subject.scripts.endless);
      const job = await submitBehind(first, "end", skip);
      await newsOf(first, "running");
      await newsOf(job, "queued");
      expect(subject.runsOf(job.folder)).toBe(0);
      await engine.cancel([first], NEVER);
      await newsOf(job, "ended", subject.makeEngine());
      expect(exitCode(job)).toBe(0);
      expect(subject.runsOf(job.folder)).toBe(1);
    });

    it("never starts a job behind one that was to succeed, and did not", async ({ skip }) => {
      const first = await submit("a", subject.scripts.endless);
      const job = await submitBehind(first, "success", skip);
      await engine.cancel([first], NEVER);
      await newsOf(first, "ended");
      // When others have had their turn, it would have had it, too.
      await newsOf(await submit("b", subject.scripts.exit0), "ended");
      expect(["queued", "ended"]).toContain((await engine.poll([job], NEVER)).get(job.token)?.is);
      expect(subject.runsOf(job.folder)).toBe(0);
    });

    it("answers for every job of one question", async () => {
      const jobs = [
        await submit("a", subject.scripts.endless),
        await submit("b", subject.scripts.exit0),
        await submit("c", subject.scripts.exit3),
      ];
      const news = await engine.poll(jobs, NEVER);
      expect([...news.keys()].sort()).toEqual(jobs.map((job) => job.token).sort());
      expect((await engine.poll([], NEVER)).size).toBe(0);
    });

    it("cancelling ends a job, may be repeated, and may be asked of one that has ended", async () => {
      const job = await submit("a", subject.scripts.endless);
      await newsOf(job, "running");
      await engine.cancel([job], NEVER);
      await engine.cancel([job], NEVER);
      await newsOf(job, "ended");
      await engine.cancel([job], NEVER);
      expect(exitCode(job)).not.toBe(0);
    });

    it("a job can be cancelled through another engine object", async () => {
      const job = await submit("a", subject.scripts.endless);
      await newsOf(job, "running");
      const other = subject.makeEngine();
      await other.cancel([job], NEVER);
      await newsOf(job, "ended", other);
    });

    it.each(ODD_NAMES)("runs in a folder of the name %j", async (odd) => {
      const job = await submit(odd, subject.scripts.exit0);
      await newsOf(job, "ended");
      expect(exitCode(job)).toBe(0);
      expect(subject.runsOf(job.folder)).toBe(1);
    });

    it("the dry run starts nothing", async () => {
      const { attempt } = await planned("a", subject.scripts.exit0);
      if (!attempt) throw new Error("not planned");
      await engine.check(attempt, NEVER);
      expect((await engine.find(attempt, NEVER)).is).not.toBe("found");
      expect(subject.runsOf(attempt.folder)).toBe(0);
    });

    it("shows a command that names the runner", async () => {
      const { attempt } = await planned("a", subject.scripts.exit0);
      if (!attempt) throw new Error("not planned");
      expect(engine.command(attempt)).toContain(attempt.runner);
    });

    it("refuses what no machine can honour", async ({ skip }) => {
      const { impossible } = subject.scripts;
      if (impossible === undefined) return skip("this engine has no such directive");
      const { outcome } = await planned("a", impossible);
      expect(outcome?.outcome.is).toBe("refused");
      expect(outcome?.outcome.why.length).toBeGreaterThan(10);
    });

    it("asks for more only where job.sh asks for something, and names what it raises", () => {
      const planned = (text: string, scale?: Scale) => engine.plan({ folderName: "a", text }, scale);
      const { limited, exit0 } = subject.scripts;
      expect(planned(limited).raised).toBeUndefined();
      expect(planned(limited, {}).raised).toBeUndefined();
      expect(planned(limited, { memory: 2 }).raised).toBeUndefined();
      expect(planned(limited, { time: 2 }).raised).toEqual([expect.stringContaining("instead of")]);
      expect(planned(exit0, { time: 2, memory: 2 })).toEqual(planned(exit0));
    });

    it("says unavailable while its scheduler is out of reach, and goes on afterwards", async ({ skip }) => {
      if (!subject.makeUnavailable) return skip("this engine's scheduler is always in reach");
      const job = await submit("a", subject.scripts.exit0);
      const { attempt } = await planned("b", subject.scripts.exit0);
      if (!attempt) throw new Error("not planned");
      const back = await subject.makeUnavailable();
      await expect(engine.poll([job], NEVER)).rejects.toMatchObject({ verdict: "unavailable" });
      await expect(engine.submit(attempt, NEVER)).rejects.toMatchObject({ verdict: "unavailable" });
      await back();
      await newsOf(job, "ended");
    });

    it("tells how it is, and finds nothing wrong while it runs jobs", async () => {
      for (const { level, about, says } of (await engine.diagnose?.()) ?? []) {
        expect(level, says).not.toBe("error");
        expect([about, says]).not.toContain("");
      }
    });

    it("finds a job whose answer was lost", async ({ skip }) => {
      if (!subject.loseNextAnswer) return skip("this engine's answers cannot get lost");
      const { attempt } = await planned("a", subject.scripts.exit0);
      if (!attempt) throw new Error("not planned");
      subject.loseNextAnswer();
      await expect(engine.submit(attempt, NEVER)).rejects.toMatchObject({ verdict: "ambiguous" });
      expect((await engine.find(attempt, NEVER)).is).toBe("found");
    });

    it("does not say how a job ended that it has forgotten", async ({ skip }) => {
      if (!subject.forget) return skip("this engine does not forget");
      const job = await submit("a", subject.scripts.endless);
      await newsOf(job, "running");
      await subject.forget(job);
      const news = await newsOf(job, ["missing", "ended"]);
      for (const fact of ["cause", "exitCode", "signal"]) expect(news).not.toHaveProperty(fact);
    });
  });
}
