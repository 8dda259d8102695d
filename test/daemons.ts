/**
 * What private clusters for tests are made of: a folder that is cleared up even if the test is killed, ports, daemons that
 * can be killed and frozen, and nothing else touched.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "vitest";

export interface Daemon {
  pid(): number;
  /** Ends it, SIGKILL unless told otherwise, and waits until it is dead. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** It goes on to exist, and answers nobody. */
  freeze(): void;
  thaw(): void;
  /** Starts it, after a kill too; resolves when it answers. */
  start(): Promise<void>;
}

/** Daemons lie where only root's PATH leads. */
export const SEARCH_PATH = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;

export function isInstalled(program: string): boolean {
  return SEARCH_PATH.split(":").some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Programs that are not there, and what installs them; undefined if all are. `packages`: which one each comes with. */
export function whatIsMissing(
  packages: Readonly<Record<string, string>>,
  isThere: (program: string) => boolean = isInstalled,
): string | undefined {
  const missing = Object.entries(packages).filter(([program]) => !isThere(program));
  if (missing.length === 0) return undefined;
  const programs = missing.map(([program]) => program);
  const wanted = new Set(missing.map(([, name]) => name));
  return `not installed: ${programs.join(", ")}; apt-get install --no-install-recommends ${[...wanted].join(" ")}`;
}

/** Where something is missing the test is skipped; in CI it fails, or nobody would notice. */
export function skipWithout(context: Pick<TestContext, "skip">, missing: string | undefined): void {
  if (missing === undefined) return;
  if (process.env.CI) throw new Error(`${missing}; CI must not skip a test for that`);
  context.skip(missing);
}

export async function until(what: () => boolean | Promise<boolean>, limitMs: number, pauseMs = 10): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (!(await what())) {
    if (performance.now() > end) return false;
    await new Promise((done) => setTimeout(done, pauseMs));
  }
  return true;
}

const LISTENING = "0A";

/** Does this very process listen on the port? A connection would not tell it from another that was there first. */
export function listens(pid: number, port: number): boolean {
  const inodes = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTENING && Number.parseInt(fields[1]?.split(":")[1] ?? "", 16) === port)
    .map((fields) => `socket:[${fields[9]}]`);
  const folder = `/proc/${pid}/fd`;
  try {
    return inodes.length > 0 && readdirSync(folder).some((fd) => inodes.includes(readlinkSync(join(folder, fd))));
  } catch {
    // It has closed one of them just now, or ended.
    return false;
  }
}

function listen(port: number): Promise<Server | undefined> {
  return new Promise((done) => {
    const server = createServer();
    server.on("error", () => done(undefined));
    server.listen({ port, host: "0.0.0.0" }, () => done(server));
  });
}

/** Below those that the kernel gives to clients, or a client would take the port of a daemon that is down for a while. */
const PORTS = [10_000, 32_000] as const;

export async function freePorts(count: number): Promise<number[]> {
  const servers = new Map<number, Server>();
  while (servers.size < count) {
    const port = randomInt(...PORTS);
    const server = await listen(port);
    if (server) servers.set(port, server);
  }
  await Promise.all([...servers.values()].map((server) => new Promise((done) => server.close(done))));
  return [...servers.keys()];
}

export interface RanProgram {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export function runProgram(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<RanProgram> {
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (data) => {
    said.stdout += data;
  });
  child.stderr.setEncoding("utf8").on("data", (data) => {
    said.stderr += data;
  });
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => done({ code: code ?? signal ?? "?", ...said }));
  });
}

/** In the environment of all that a cluster starts. */
export const MARK = "JOBMGR_TEST_CLUSTER";

/**
 * Waits until the one who started it closes its standard input, or is dead; then kills all that belongs to the cluster
 * whose folder is $1, and removes the folder. What belongs to it: processes that bear its mark (daemons, and the
 * slurmstepds that slurmd starts), their descendants, and what a job has let go.
 */
const KEEPER = `
while read -r line; do :; done
ours() {
  roots=$(
    cd /proc || exit
    grep -lzxF "${MARK}=$1" [0-9]*/environ
    for one in $(grep -lzxF "$2" [0-9]*/environ); do grep -lz "^$3=" "$one"; done
  )
  [ -n "$roots" ] || return
  cat /proc/[0-9]*/status | awk -v roots="$(echo $roots)" '
    BEGIN { count = split(roots, list, " "); for (i = 1; i <= count; i++) ours[list[i] + 0] = 1 }
    $1 == "Pid:" { pid = $2 }
    $1 == "PPid:" { parent[pid] = $2 }
    END {
      for (pid in parent) {
        for (up = pid; up > 1 && !(up in ours); ) up = parent[up]
        if (up > 1) print pid
      }
    }'
}
while pids=$(ours "$@"); [ -n "$pids" ]; do
  kill -KILL $pids
  sleep 0.02
done
rm -rf "$1"
`;

/** How the jobs of a kind of cluster are known, which its daemons start with an environment of their own. */
export interface KeptKind {
  /** What the folder's name begins with. */
  readonly prefix: string;
  /** Points a client at this cluster: its value is this, in the folder. */
  readonly variable: string;
  readonly value: string;
  /** A variable that all jobs have. */
  readonly ofAJob: string;
}

export interface Keeper {
  readonly folder: string;
  end(): Promise<void>;
}

/** A folder, and the one who clears it up even if this process is killed. */
function makeKeptFolder(kind: KeptKind): Keeper {
  const folder = mkdtempSync(join(tmpdir(), kind.prefix));
  const child = spawn("sh", ["-c", KEEPER, "keeper", folder, `${kind.variable}=${folder}/${kind.value}`, kind.ofAJob], {
    // Ctrl-C is for the tests; this one must outlive them.
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  const ended = new Promise<void>((done) => child.on("exit", () => done()));
  child.unref();
  return {
    folder,
    async end() {
      child.ref();
      child.stdin.end();
      await ended;
      if (existsSync(folder)) throw new Error(`${folder} could not be removed`);
    },
  };
}

/** Another process can take a port between the look and the daemon's own bind; and on a busy machine a daemon may give up. */
const ATTEMPTS = 3;

/** Launches a cluster into a folder; anew, if it does not come up. */
export async function startKept<Cluster>(
  kind: KeptKind,
  launch: (keeper: Keeper) => Promise<Cluster>,
): Promise<Cluster> {
  for (let attempt = 1; ; attempt++) {
    const keeper = makeKeptFolder(kind);
    try {
      return await launch(keeper);
    } catch (error) {
      await keeper.end();
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

export interface DaemonPlan {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  answers(pid: number): boolean | Promise<boolean>;
}

export const START_MS = 40_000;

export function makeDaemon({ name, command, folder, env, answers }: DaemonPlan): Daemon {
  const [program, ...args] = command;
  const said = join(folder, "log", `${name}.err`);
  let child: ChildProcess | undefined;
  let isDead = true;
  let dead: Promise<void> = Promise.resolve();
  const signal = (what: NodeJS.Signals) => {
    if (isDead || !child?.kill(what)) throw new Error(`${name} does not run`);
  };
  return {
    pid() {
      if (isDead || child?.pid === undefined) throw new Error(`${name} does not run`);
      return child.pid;
    },
    async kill(what = "SIGKILL") {
      signal(what);
      // One that is frozen would heed no other signal before it is thawed.
      if (!isDead) child?.kill("SIGCONT");
      child?.ref();
      await dead;
    },
    freeze: () => signal("SIGSTOP"),
    thaw: () => signal("SIGCONT"),
    async start() {
      if (!isDead) throw new Error(`${name} runs already`);
      const output = openSync(said, "w");
      const started = spawn(program, args, { cwd: folder, env, detached: true, stdio: ["ignore", output, output] });
      closeSync(output);
      child = started;
      isDead = false;
      dead = new Promise((done) => {
        const end = () => {
          isDead = true;
          done();
        };
        started.on("exit", end);
        started.on("error", end);
      });
      started.unref();
      // The kernel goes through all its connections to say who listens, so it is asked seldom.
      const answered = await until(async () => isDead || (await answers(started.pid ?? 0)), START_MS, 50);
      if (isDead || !answered) throw new Error(`${name} did not start:\n${readFileSync(said, "utf8").slice(-2000)}`);
    },
  };
}
