/** Our reading of scripts beside that of the real sbatch: case by case, and for scripts that nobody thought of. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { secondsOf } from "../../engines/local/directives.ts";
import { LocalEngine } from "../../engines/local/index.ts";
import { directiveBlock, givenOptions, type SbatchValues, sbatchOptions } from "../../engines/sbatch-script.ts";
import type { Token } from "../../src/engine.ts";
import { runnerText } from "../../src/runner.ts";
import { ARRAYS, CASES } from "../engines/sbatch-script.cases.ts";
import { type Cluster, missingSlurm, needSlurm, startCluster } from "./cluster.ts";

let cluster: Cluster;
let folder: string;

beforeAll(async () => {
  if (missingSlurm(false)) return;
  cluster = await startCluster();
  folder = mkdtempSync(join(tmpdir(), "jobmgr-sbatch-"));
});

beforeEach((context) => needSlurm(context));

afterAll(async () => {
  await cluster?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Not by cluster.run: SBATCH_* variables of the one who tests would have a say. */
function ask(program: string, ...args: string[]): Promise<Answer> {
  const env = { PATH: process.env.PATH, ...cluster.env, LC_ALL: "C" };
  return new Promise((done) => {
    execFile(program, args, { env, cwd: folder, timeout: 30_000 }, (error, out, err) =>
      done({ code: error ? 1 : 0, out, err }),
    );
  });
}

/** sbatch takes the script's name as the job's, so that all of them are called the same. */
function scriptFile(place: string, text: string): string {
  mkdirSync(join(folder, place), { recursive: true });
  writeFileSync(join(folder, place, "run.sh"), text);
  return join(folder, place, "run.sh");
}

type Shown = Readonly<Record<string, string>>;

/** The options of each component, as `sbatch --verbose` tells of them; of a script that it refuses, those before. */
async function askForOptions(text: string, args: readonly string[]): Promise<Answer & { components: Shown[] }> {
  const answer = await ask("sbatch", "--test-only", "-v", ...args, scriptFile("verbose", text));
  const lists = [...answer.err.matchAll(/^sbatch: -+ -+\n(.*?)^sbatch: -+ -+$/gms)];
  const components = lists.map(([, list = ""]) =>
    Object.fromEntries([...list.matchAll(/^sbatch: (\S+) *: (.*)$/gm)].map(([, name, value]) => [name, value])),
  );
  return { ...answer, components };
}

const whole = (path: string, from: string) => (path.startsWith("/") ? path : `${from}/${path}`);

function time(value: string): string {
  const minutes = Math.ceil(secondsOf(value) / 60);
  if (minutes === 0) return "UNLIMITED";
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24];
  const clock = [hours, minutes % 60, 0].map((part) => String(part).padStart(2, "0")).join(":");
  return days > 0 ? `${days}-${clock}` : clock;
}

type Show = (value: string, values: SbatchValues) => string;

function shownBy(show: Show, names: readonly string[]): Readonly<Record<string, Show>> {
  return Object.fromEntries(names.map((name) => [name, show]));
}

/** How `sbatch --verbose` shows these options; others are not compared. */
const SHOWN: Readonly<Record<string, Show>> = {
  ...shownBy(
    (value) => value,
    [
      "account",
      "array",
      "comment",
      "cpus-per-task",
      "export",
      "job-name",
      "mcs-label",
      "mem",
      "mincpus",
      "nodes",
      "ntasks",
      "ntasks-per-node",
      "partition",
      "signal",
      "wckey",
    ],
  ),
  ...shownBy(() => "set", ["hold", "ignore-pbs", "parsable", "wait"]),
  ...shownBy(
    (value, { chdir }) => whole(value, chdir === undefined ? folder : whole(chdir, folder)),
    ["error", "input", "output"],
  ),
  chdir: (value) => whole(value, folder),
  exclusive: (value) => value || "exclusive",
  "no-kill": (value) => (value === "" ? "set" : "unset"),
  nice: (value) => value || "100",
  "open-mode": (value) => value.slice(0, 1),
  time,
};

function asShown(values: SbatchValues): Shown {
  const shown = Object.entries(SHOWN).flatMap(([name, show]) => {
    const value = values[name];
    return value === undefined ? [] : [[name, show(value, values)]];
  });
  const requeue = ["requeue", "no-requeue"].find((name) => values[name] !== undefined);
  return Object.fromEntries(requeue ? [...shown, ["requeue", requeue]] : shown);
}

/** sbatch marks both of --requeue and --no-requeue with what has come out. */
function compared(shown: Shown): Shown {
  const requeue = shown.requeue ?? shown["no-requeue"];
  const others = Object.entries(shown).filter(([name]) => name in SHOWN);
  return Object.fromEntries(requeue ? [...others, ["requeue", requeue]] : others);
}

/** What a submitted job has of its own, whatever its script says. */
const OWN =
  /\b(?:(?:Job|HetJob|ArrayJob)Id|HetJobIdSet|AllocNode:Sid|Command|(?:Submit|Eligible|Accrue|Start|End)Time|LastSchedEval)=\S*/g;

/** What becomes of a script: the job as scontrol shows it, or why there is none. */
async function fateOf(place: string, text: string): Promise<string> {
  const file = scriptFile(place, text);
  const { code, out, err } = await ask("sbatch", "--parsable", "--hold", file);
  if (code !== 0) return `refused: ${err.replaceAll(/\bline \d+/g, "line N")}`;
  const id = out.trim();
  const { out: job } = await ask("scontrol", "show", "job", "--oneliner", id);
  await ask("scancel", id);
  // The names of outputs hold the job's id.
  return err + job.replaceAll(OWN, "").replaceAll(/\bStd(?:Out|Err)=\S*/g, (name) => name.replaceAll(/\d+/g, "N"));
}

/** The runner that jobmgr submits in place of this script. */
function runnerOf(text: string): string {
  const plan = LocalEngine.forThisMachine({ jobsMax: 1, graceS: 1 }).plan({ folderName: "job", text: "" });
  const token = "20260101T000000-000000000000" as Token;
  return runnerText({ token, folder, command: ["sh"], plan: { ...plan, directives: directiveBlock(text) } });
}

async function expectSameFate(text: string): Promise<string> {
  const fate = await fateOf("script", text);
  expect(await fateOf("runner", runnerOf(text)), text).toBe(fate);
  return fate;
}

const script = (lines: readonly string[]) => ["#!/bin/sh", ...lines].join("\n");

/** sbatch --wait stays until the job has ended, which a held one does not. */
const canBeHeld = (text: string) => !/--wait/.test(text);

describe("each case", () => {
  it.each(Object.entries(CASES))("%s", async (_, { lines, args = [], components }) => {
    const text = script(lines);
    const asked = await askForOptions(text, args);
    if (components) expect(asked.components.map(compared), asked.err).toEqual(components.map(asShown));
    else expect(asked.code, asked.err).not.toBe(0);
    const askedOfRunner = await askForOptions(runnerOf(text), args);
    expect(askedOfRunner.components).toEqual(asked.components);
    if (canBeHeld(text)) await expectSameFate(text);
  });
});

describe("a script that sbatch itself would not take", () => {
  it("without a #! line gets one as a runner", async () => {
    const text = "#SBATCH -t 5 -J x\n\n#SBATCH -c 2\ntrue\n#PBS -o out\n";
    expect((await askForOptions(text, [])).err).toContain("This does not look like a batch script");
    const { components } = await askForOptions(runnerOf(text), []);
    expect(components.map(compared)).toEqual(sbatchOptions(text).map(asShown));
    expect(await fateOf("runner", runnerOf(text))).toMatch(/JobName=x .*TimeLimit=00:05:00 .*StdOut=\S*\/out /);
  });

  it("for a NUL or a CRLF among its commands has neither in its runner", async () => {
    for (const command of ["printf '\0'", "true\r"]) {
      const text = `#!/bin/sh\n#SBATCH -t 5\n${command}\n`;
      expect((await ask("sbatch", "--test-only", scriptFile("script", text))).code).not.toBe(0);
      const { components } = await askForOptions(runnerOf(text), []);
      expect(components.map(compared)).toEqual([{ time: "00:05:00" }]);
    }
  });
});

describe("--array", () => {
  it.each(ARRAYS)("%j is %s", async (array, shown) => {
    const { code, out, err } = await ask(
      "sbatch",
      "--parsable",
      "--hold",
      `--array=${array}`,
      scriptFile("array", script(["true"])),
    );
    expect(code, err).toBe(shown === undefined ? 1 : 0);
    if (shown === undefined) return;
    const { out: job } = await ask("scontrol", "show", "job", "--oneliner", out.trim());
    expect(/ArrayTaskId=(\S+)/.exec(job)?.[1] ?? "").toBe(shown);
    await ask("scancel", out.trim());
  });
});

describe("any script", () => {
  const word = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom("-t5", "--time=7", "-t 1:30", "--tim=3", "-J x", "--job-name='a b'", "--job=y"),
    },
    {
      weight: 6,
      arbitrary: fc.constantFrom("-c2", "-n 3", "-Ht6", "--arr=1-3%2", "-a 5", "-o out", "--err=e%j"),
    },
    {
      weight: 4,
      arbitrary: fc.constantFrom("--open-mode=append", "-k", "--requeue", "--no-req", "--exclusive", "--ignore-pbs"),
    },
    {
      weight: 4,
      arbitrary: fc.constantFrom('--comment="c\\"d"', "--comment=x\\ -t9", "-J ''", "-J", "--job-name=", "--comment=é"),
    },
    { weight: 2, arbitrary: fc.constantFrom("#", "\\", "hetjob", "''", "-J a#b", "# it's", "\\# x", "--export=A=1,B") },
    { weight: 1, arbitrary: fc.constantFrom(":", "--", "-", "foo", "--unknown", "-Z", "'", "--hold=1", "-t=5") },
    { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom(..."-tJc5= \\\"'#:x\t\f"), maxLength: 8 }) },
  );
  const words = fc.array(word, { maxLength: 4 }).map((all) => all.join(" "));
  const line = fc.oneof(
    { weight: 10, arbitrary: words.map((text) => `#SBATCH ${text}`) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom("#SBATCH", "#SBATCH\t", "#SLURM ", " #SBATCH ", "##SBATCH "), words)
        .map((all) => all.join("")),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom("#SBATCH hetjob", "#SBATCHpackjob", "#SBATCH HETJOB -t 9", "#SBATCH hetjobs"),
    },
    { weight: 3, arbitrary: fc.constantFrom("", "# comment", "  # x", "\t", "\f", "# goes on \\", "#!x") },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        "true",
        "cat <<X",
        "#PBS -N pbs",
        "#PBS -l walltime=3 -h",
        "#BSUB -J b",
        "#PBS -v A=1",
      ),
    },
    { weight: 1, arbitrary: fc.constantFrom(60, 100, 101).map((count) => "\n".repeat(count)) },
  );
  const text = fc.array(line, { maxLength: 9 }).map(script);

  it("is read by us as by sbatch", async () => {
    await fc.assert(
      fc.asyncProperty(text, async (job) => {
        const asked = await askForOptions(job, []);
        const isRefused = givenOptions(job).some((one) => one.refused);
        // An invalid value is no matter of reading.
        if (/Invalid (?:--|numeric)/.test(asked.err)) return;
        if (isRefused) expect(asked.code, asked.err).not.toBe(0);
        else expect(sbatchOptions(job).map(asShown), asked.err).toEqual(asked.components.map(compared));
      }),
      { numRuns: 300 },
    );
  });

  it("becomes the same job from a runner with its directives", async () => {
    const fates: string[] = [];
    await fc.assert(
      fc.asyncProperty(text, async (job) => {
        fates.push(await expectSameFate(job));
      }),
      { numRuns: 60 },
    );
    expect(fates.filter((fate) => !fate.startsWith("refused")).length).toBeGreaterThan(10);
  });
});
