/** What the tests with real Slurm share: a root whose manager feeds a cluster, and programs that misbehave on the way to it. */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { findByCommand, isAlive } from "../../engines/process.ts";
import { PROGRAM, type Running, start, type TestRoot, waitUntil } from "../harness.ts";
import type { Cluster } from "../slurm/cluster.ts";
import { type JobRoot, makeJobRoot } from "./surroundings.ts";

/** Daemons that die and come back on a busy machine. */
export const PATIENCE_MS = 90_000;

/** A job that Slurm passes over at first is otherwise looked at again after a minute. */
export const PROMPT = {
  SchedulerParameters: "batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1",
};

const PROGRAMS = ["sbatch", "squeue", "sacct", "scancel"] as const;
type Program = (typeof PROGRAMS)[number];

/** What is managed looks twice a second, and feeds the cluster. */
export interface SlurmRoot extends Omit<JobRoot, "dropGated"> {
  readonly cluster: Cluster;
  /** A job that writes its name into the ledger, waits for its gate, and then does this. */
  dropGated(name: string, options?: { gate?: string; head?: string; after?: string }): void;
  /**
   * Puts a bash program in the place of Slurm's: `real "$@"` calls the latter, and `really "$@"` becomes it; "$here" is a
   * folder for its notes. Without a text: the real one again.
   */
  fake(program: Program, text?: string): void;
  /** Takes all of Slurm's programs off the manager's PATH, or puts them back; for a root made so that they can go. */
  commands(are: "there" | "gone"): void;
  /** The arguments of each call by the manager. */
  calls(program: Program): string[];
  /** Of what Slurm itself was asked to take in. */
  submissions(name?: string): number;
  /** All that the cluster has of a job in its queue, ended ones too. */
  queue(name?: string): Promise<QueueLine[]>;
  /** What is on disk of a job in pending/. */
  job(name: string): JobFiles;
  /** Waits until the job was submitted; Slurm's id. */
  id(name: string): Promise<string>;
  /** Waits until job.sh has written its name so often into the ledger. */
  ran(name: string, times?: number): Promise<void>;
  /** Waits until the ledger has so many lines. */
  runsReach(count: number): Promise<void>;
  /** What job_status.json says of a job in pending, as soon as it says it. */
  waits(name: string, what: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>;
  /** Waits until these are in complete; what job_status.json says of each. */
  done(...names: string[]): Promise<Record<string, unknown>[]>;
  errorOf(name: string): string;
  /** Puts job_cancel into a pending folder. */
  cancel(name: string, reason?: string): void;
}

export interface QueueLine {
  readonly id: string;
  readonly state: string;
  readonly folder: string;
}

export interface JobFiles {
  readonly folder: string;
  /** The folder of the attempt in force; undefined if there is none. */
  records(): string | undefined;
  has(record: string): boolean;
  handle(): string | undefined;
}

export const QUICK = [
  ["-e", "SlurmEngine", "-p", "0.5", "--settle", "0"],
  ["--min-query-interval", "0.1", "--doubt", "2", "--lost-after", "5"],
].flat();

/** `commandsCanGo`: the manager and its jobs find few other programs. */
export async function makeSlurmRoot(cluster: Cluster, { commandsCanGo = false } = {}): Promise<SlurmRoot> {
  const base = await makeJobRoot();
  const under = dirname(base.path);
  const bin = join(under, "bin");
  mkdirSync(bin);
  const logOf = (program: string) => join(under, `calls-${program}`);
  const arrived = join(under, "submitted");
  const fake = (program: Program, text = 'really "$@"') => {
    const real = realProgram(program);
    // Whoever is asked whether Slurm itself was called reads this log, not that of the manager's calls.
    const count = program === "sbatch" ? `echo "$*" >>'${arrived}'; ` : "";
    const head = `#!/bin/bash\nreal() { ${count}'${real}' "$@"; }\nreally() { ${count}exec -a ${program} '${real}' "$@"; }`;
    const body = `${head}\nhere='${under}'\necho "$*" >>'${logOf(program)}'\n${text}\n`;
    const draft = join(under, `${program}.draft`);
    writeFileSync(draft, body);
    chmodSync(draft, 0o755);
    renameSync(draft, join(bin, program));
  };
  for (const program of PROGRAMS) {
    appendFileSync(logOf(program), "");
    fake(program);
  }
  appendFileSync(arrived, "");
  onTestFinished(async () => {
    // A submission outlives its manager, and so would one that waits for what never comes.
    for (const { pid, start } of findByCommand(under)) if (isAlive(pid, start)) process.kill(pid, "SIGKILL");
    await endJobs(cluster, base.path);
  });
  /** The error tells what was there instead. */
  const until = (what: string, condition: () => boolean) =>
    waitUntil(what, condition, PATIENCE_MS).catch(async (error) => {
      const pending = base.names("pending").map((name) => JSON.stringify(statusOf(base, name)));
      const { stdout } = await cluster.run("squeue", "--all", "--states=all");
      throw new Error([error.message, `in the inbox: ${base.names("inbox")}`, ...pending, stdout].join("\n"));
    });
  const lines = (path: string) => readFileSync(path, "utf8").split("\n").filter(Boolean);
  const gateFile = (gate: string) => `${base.ledger}.${gate}`;
  const root: SlurmRoot = {
    ...base,
    cluster,
    dropGated(name, { gate = "gate", head = "", after = "" } = {}) {
      const wait = `while [ ! -e '${gateFile(gate)}' ]; do sleep 0.05; done`;
      root.drop(name, `#!/bin/bash\n${head}\necho '${name}' >> '${base.ledger}'\n${wait}\n${after}\n`);
    },
    dropLedger(name, script = "") {
      root.drop(name, `#!/bin/bash\necho '${name}' >> '${base.ledger}'\n${script}\n`);
    },
    openGate(gate = "gate") {
      writeFileSync(gateFile(gate), "");
    },
    fake,
    commands(are) {
      const away = join(under, "away");
      if (are === "gone") renameSync(bin, away);
      else renameSync(away, bin);
    },
    calls: (program) => lines(logOf(program)),
    submissions: (name) =>
      lines(arrived).filter((line) => name === undefined || line.includes(`/pending/${name}/`)).length,
    async queue(name) {
      const asked = await cluster.run("squeue", "-h", "-a", "-r", "-t", "all", "-o", "%i|%T|%Z");
      if (asked.code !== 0) throw new Error(`squeue failed: ${asked.stderr}`);
      return asked.stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => line.split("|"))
        .map(([id = "", state = "", folder = ""]) => ({ id, state, folder }))
        .filter(({ folder }) => folder.startsWith(join(base.path, "pending", name ?? "")));
    },
    manage: (args = [], options = {}) =>
      start(process.execPath, [PROGRAM, "--root", base.path, ...QUICK, ...args], {
        ...options,
        env: {
          ...cluster.env,
          PATH: `${bin}:${commandsCanGo ? pathWithoutSlurm(under) : process.env.PATH}`,
          ...options.env,
        },
      }),
    completed: (...names) =>
      until(`${names} in complete`, () => names.every((name) => base.exists(`complete/${name}`))),
    async done(...names) {
      await root.completed(...names);
      return names.map((name) => root.status(name));
    },
    async id(name) {
      await until(`${name} was submitted`, () => statusOf(base, name)?.id !== undefined);
      return String(statusOf(base, name)?.id);
    },
    ran: (name, times = 1) => until(`${name} runs`, () => base.runs().filter((run) => run === name).length >= times),
    runsReach: (count) => until(`${count} runs`, () => base.runs().length >= count),
    async waits(name, what) {
      const holds = () => {
        const status = statusOf(base, name);
        return Object.entries(what).every(([key, value]) =>
          value instanceof RegExp ? value.test(String(status?.[key])) : status?.[key] === value,
        );
      };
      await until(`${name} says ${Object.entries(what).join(" ")}`, holds);
      return statusOf(base, name) ?? {};
    },
    cancel: (name, reason = "") => writeFileSync(join(base.path, "pending", name, "job_cancel"), `${reason}\n`),
    errorOf: (name) => base.read(`complete/${name}/job_error.txt`),
    job(name) {
      const folder = join(base.path, "pending", name);
      const records = () => {
        const own = join(folder, ".jobmgr");
        const attempt = existsSync(own) ? readdirSync(own).find((entry) => entry.startsWith("attempt-")) : undefined;
        return attempt === undefined ? undefined : join(own, attempt);
      };
      const at = (record: string) => join(records() ?? join(folder, "none"), record);
      return {
        folder,
        records,
        has: (record) => existsSync(at(record)),
        handle: () =>
          existsSync(at("handle"))
            ? (JSON.parse(readFileSync(at("handle"), "utf8")) as { handle: string }).handle
            : undefined,
      };
    },
  };
  return root;
}

/** A file that is written anew may be gone for a moment. */
function statusOf(root: TestRoot, name: string): Record<string, unknown> | undefined {
  try {
    return root.status(name, "pending");
  } catch {
    return undefined;
  }
}

/** All that a manager said, warnings too, line by line without their times. */
export function said(manager: Running): string[] {
  return `${manager.stdout()}\n${manager.stderr()}`
    .split("\n")
    .filter(Boolean)
    .map((line) => line.replace(/^\S+Z /, ""));
}

function realProgram(program: string): string {
  const path = ["/usr/bin", "/usr/local/bin", "/bin"]
    .concat((process.env.PATH ?? "").split(":"))
    .map((folder) => join(folder, program))
    .find((one) => existsSync(one));
  if (path === undefined) throw new Error(`there is no ${program}`);
  return path;
}

/** Slurm lies beside all else: so that it can go away, the manager and its jobs find all else through links. */
function pathWithoutSlurm(under: string): string {
  const links = join(under, "links");
  if (existsSync(links)) return links;
  mkdirSync(links);
  for (const tool of TOOLS) symlinkSync(realProgram(tool), join(links, tool));
  return links;
}

const TOOLS = [
  "bash",
  "sh",
  "cat",
  "sleep",
  "env",
  "rm",
  "mkdir",
  "touch",
  "mv",
  "seq",
  "uname",
  "chmod",
  "grep",
  "wc",
  "date",
  "head",
  "rmdir",
];

async function endJobs(cluster: Cluster, root: string): Promise<void> {
  const living = async () => {
    const asked = await cluster.run("squeue", "-h", "-a", "-o", "%i|%Z");
    return asked.stdout
      .split("\n")
      .filter((line) => line.includes(root))
      .map((line) => line.split("|")[0] ?? "");
  };
  const end = performance.now() + PATIENCE_MS / 3;
  for (let ids = await living(); ids.length > 0 && performance.now() < end; ids = await living()) {
    await cluster.run("scancel", ...ids);
    await new Promise((done) => setTimeout(done, 100));
  }
}
