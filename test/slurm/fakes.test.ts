/** The fakes: each misbehaves as it says, on a real cluster, and then lets the real program be heard. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeFolder, start } from "../harness.ts";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "./cluster.ts";
import {
  AS_REAL,
  answersHalf,
  type Client,
  diesAfterSubmitting,
  fakePrograms,
  hangsAfterSubmitting,
  IS_DISABLED,
  knowsNothing,
  losesAnswer,
  PRINTS_BANNER,
  printsGarbage,
  refuses,
  shows,
} from "./fakes.ts";

let cluster: Cluster;
beforeAll(async () => {
  if (missingSlurm(false) === undefined) cluster = await startCluster();
});
afterAll(() => cluster?.stop());
beforeEach((context) => needSlurm(context));

const COLUMNS = "JobID:\x1f,State:\x1f,Name:\x1e";

/** A user who calls the fakes, with jobs of a name of its own. */
function makeUser(scripts: Readonly<Partial<Record<Client, string>>>) {
  const fakes = fakePrograms(makeFolder(), scripts);
  const name = `it's a job ${Math.random()}`;
  const begin = (program: Client, ...args: readonly string[]) =>
    start(program, args, { env: { ...cluster.env, PATH: fakes.path } });
  const run = async (program: Client, ...args: readonly string[]) => {
    const running = begin(program, ...args);
    const code = await running.ended;
    return { code, stdout: running.stdout(), stderr: running.stderr() };
  };
  const submission = ["--parsable", "--hold", "-o", "/dev/null", "-J", name, "--wrap", "exit"] as const;
  return {
    run,
    calls: fakes.calls,
    name,
    beginSubmit: () => begin("sbatch", ...submission),
    submit: () => run("sbatch", ...submission),
    queue: () => run("squeue", "-h", "-n", name, "-O", COLUMNS),
    /** The ids of its jobs, by the real squeue. */
    async jobs() {
      return (await cluster.run("squeue", "-h", "-n", name, "-o", "%i")).stdout.split("\n").filter(Boolean).sort();
    },
  };
}

const PARSABLE = /^\d+\n$/;

describe("sbatch", () => {
  it.each([
    ["loses the answer", losesAnswer(2), { code: 1, stderr: expect.stringContaining("Socket timed out") }],
    ["dies after submitting", diesAfterSubmitting(2), { code: "SIGKILL", stderr: "" }],
  ])("%s the first times", async (_, script, answer) => {
    const user = makeUser({ sbatch: script });
    for (const jobs of [1, 2]) {
      expect(await user.submit()).toEqual({ stdout: "", ...answer });
      expect(await user.jobs()).toHaveLength(jobs);
    }
    expect(await user.submit()).toMatchObject({ code: 0, stdout: expect.stringMatching(PARSABLE) });
    expect(await user.jobs()).toHaveLength(3);
  });

  it("hangs after submitting, until it is killed", async () => {
    const user = makeUser({ sbatch: hangsAfterSubmitting() });
    const hanging = user.beginSubmit();
    while ((await user.jobs()).length === 0);
    expect(hanging.process.exitCode).toBeNull();
    hanging.signal("SIGTERM");
    expect(await hanging.ended).toBe("SIGTERM");
    expect(hanging.stdout()).toBe("");
    expect(await user.submit()).toMatchObject({ code: 0, stdout: expect.stringMatching(PARSABLE) });
  });

  it("prints a banner around the id", async () => {
    const user = makeUser({ sbatch: PRINTS_BANNER });
    const { code, stdout } = await user.submit();
    const [id] = await user.jobs();
    expect(code).toBe(0);
    expect(stdout.split("\n")).toContain(id);
    expect(stdout.split("\n").length).toBeGreaterThan(6);
  });

  it("refuses with a text", async () => {
    const text = "sbatch: error: it's $HOME\nsbatch: error: QOSMaxSubmitJobPerUserLimit";
    const user = makeUser({ sbatch: refuses(text, 1) });
    expect(await user.submit()).toEqual({ code: 1, stdout: "", stderr: `${text}\n` });
    expect(await user.jobs()).toEqual([]);
    expect((await user.submit()).code).toBe(0);
  });
});

describe("squeue", () => {
  it("knows nothing once", async () => {
    const user = makeUser({ squeue: knowsNothing() });
    const { stdout: id } = await user.submit();
    expect(await user.queue()).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await user.queue()).stdout).toContain(id.trim());
  });

  it.each([1, 2, 3])("answers the half of %i rows, the last of them cut", async (count) => {
    const user = makeUser({ squeue: answersHalf() });
    for (let i = 0; i < count; i++) await user.submit();
    const half = await user.queue();
    const whole = await user.queue();
    expect(half).toMatchObject({ code: 0, stderr: "" });
    expect(whole.stdout.startsWith(half.stdout)).toBe(true);
    expect(["", "\x1e", "\n"]).not.toContain(half.stdout.slice(-1));
    expect(whole.stdout.split("\x1e")).toHaveLength(count + 1);
  });

  it("prints garbage", async () => {
    const user = makeUser({ squeue: printsGarbage() });
    await user.submit();
    expect(await user.queue()).toMatchObject({ code: 0, stdout: expect.stringContaining("<html>") });
    expect((await user.queue()).stdout).toContain(user.name);
  });

  it("shows some jobs in another state, and all else as it is", async () => {
    const user = makeUser({});
    for (let i = 0; i < 3; i++) await user.submit();
    const [first = "", , third = ""] = await user.jobs();
    const honest = await user.queue();
    const liar = fakePrograms(makeFolder(), { squeue: shows("NODE_FAIL", first, third) });
    const running = start("squeue", ["-h", "-n", user.name, "-O", COLUMNS], {
      env: { ...cluster.env, PATH: liar.path },
    });
    expect(await running.ended).toBe(0);
    const states = running.stdout().match(/NODE_FAIL|PENDING/g);
    expect(states).toEqual(["NODE_FAIL", "PENDING", "NODE_FAIL"]);
    expect(running.stdout().replaceAll("NODE_FAIL", "PENDING")).toBe(honest.stdout);
  });
});

describe("all of them", () => {
  it("sacct is disabled", async () => {
    const user = makeUser({ sacct: IS_DISABLED });
    expect(await user.run("sacct", "-j", "1")).toEqual(await cluster.run("sacct", "-j", "1"));
  });

  it("log each call, with its arguments and its time", async () => {
    const user = makeUser({ squeue: AS_REAL, scancel: AS_REAL, scontrol: "exit 3" });
    const before = Date.now();
    await user.submit();
    await user.queue();
    expect((await user.run("scontrol", "ping", "a b", "", "c\nd\n")).code).toBe(3);
    const jobs = await user.jobs();
    await user.run("scancel", ...jobs);
    expect(await user.jobs()).toEqual([]);
    expect(user.calls().map(({ program }) => program)).toEqual(["squeue", "scontrol", "scancel"]);
    expect(user.calls("scontrol")[0]?.args).toEqual(["ping", "a b", "", "c\nd\n"]);
    expect(user.calls("squeue")[0]?.args.at(-1)).toBe(COLUMNS);
    expect(user.calls("scancel")[0]?.args).toEqual(jobs);
    for (const { at } of user.calls()) {
      expect(at).toBeGreaterThanOrEqual(before);
      expect(at).toBeLessThanOrEqual(Date.now());
    }
  });
});
