/** Real Slurm for tests: private clusters, each out of a temporary folder and on ports of its own, and nothing else touched. */
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import type { TestContext } from "vitest";
import {
  type Daemon,
  type DaemonPlan,
  freePorts,
  type Keeper,
  listens,
  MARK,
  makeDaemon,
  runProgram,
  SEARCH_PATH,
  START_MS,
  skipWithout,
  startKept,
  until,
  whatIsMissing,
} from "../daemons.ts";

export interface Cluster {
  readonly name: string;
  /** Logs are in its `log`; it is removed when the cluster stops. */
  readonly folder: string;
  /** What points a client at this cluster. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * Runs a client on this cluster to its end.
   *
   * A job that reaches its time limit at once: `scontrol update jobid=ID EndTime=now`. Slurm looks for such jobs only
   * each 30 s, counted from the start of slurmctld, so that TIMEOUT comes 0 to 30 s later (a restart begins the 30 s
   * anew). `EndTime=now` also works for several jobs before one wait; TimeLimit itself is rounded up to minutes.
   */
  run(program: string, ...args: readonly string[]): Promise<{ code: number | string; stdout: string; stderr: string }>;
  readonly daemons: {
    readonly munged: Daemon;
    /**
     * A SIGKILL makes it forget what saved() has not seen it save: the newest jobs are unknown, and their ids given out
     * again; running ones are pending again, and 4 s later are killed and started anew. SIGTERM lets it save all.
     * After a start it answers at once, but starts no job for some 4 s.
     */
    readonly slurmctld: Daemon;
    /** That of the first node, n1. */
    readonly slurmd: Daemon;
    readonly slurmdbd?: Daemon;
    readonly mariadbd?: Daemon;
  };
  /** Those of all nodes: n1, n2, ... */
  readonly slurmds: readonly Daemon[];
  /**
   * Waits until slurmctld has written down all that it knows now, with this job. By itself it does so at some later
   * change, and 5 s after the last time at the earliest.
   */
  saved(job: string): Promise<void>;
  /** Ends all jobs and daemons and removes the folder. A cluster that others joined is stopped after them. */
  stop(): Promise<void>;
}

export interface ClusterOptions {
  /** With slurmdbd on a MariaDB of its own, so that sacct answers. */
  accounting?: boolean;
  /** Of each node; there need not be so many. */
  cpus?: number;
  /** Each with a slurmd; more than one for heterogeneous jobs. */
  nodes?: number;
  /**
   * Lines of slurm.conf, which replace those that are there; an empty value takes a line out. More partitions:
   * `PartitionName: "one Nodes=ALL Default=YES\nPartitionName=two Nodes=n2"`. Limits that sacctmgr sets need
   * `AccountingStorageEnforce: "limits,qos"`; root has an account without being given one.
   */
  settings?: Readonly<Record<string, string>>;
  /** A cluster with accounting, whose munged and slurmdbd this one uses too: for `-M`. */
  joins?: Cluster;
  name?: string;
}

const KIND = { prefix: "jobmgr-slurm-", variable: "SLURM_CONF", value: "slurm.conf", ofAJob: "SLURM_JOB_ID" };

const PACKAGES: Readonly<Record<string, string>> = {
  munged: "munge",
  slurmctld: "slurmctld",
  slurmd: "slurmd",
  sbatch: "slurm-client",
};
const ACCOUNTING_PACKAGES: Readonly<Record<string, string>> = {
  slurmdbd: "slurmdbd",
  mariadbd: "mariadb-server",
  "mariadb-install-db": "mariadb-server",
};

/** Which programs are not installed, and what installs them; undefined if all are there. */
export function missingSlurm(accounting: boolean): string | undefined {
  return whatIsMissing({ ...PACKAGES, ...(accounting && ACCOUNTING_PACKAGES) });
}

export function needSlurm(context: Pick<TestContext, "skip">, accounting = false): void {
  skipWithout(context, missingSlurm(accounting));
}

/** Does somebody accept a connection on this socket and, if asked for, say something? */
function answers(path: string, greets = false): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ path, timeout: 1000 });
    const end = (answer: boolean) => {
      socket.destroy();
      done(answer);
    };
    socket.on(greets ? "data" : "connect", () => end(true));
    for (const event of ["error", "timeout", "end"]) socket.on(event, () => end(false));
  });
}

function confText(lines: Readonly<Record<string, string>>): string {
  return Object.entries(lines)
    .filter(([, value]) => value !== "")
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}

/** What a joining cluster needs to know of the one it joins. */
interface Shared {
  readonly munge: string;
  readonly dbdPort: number;
}
const shared = new WeakMap<Cluster, Shared>();

async function launch(keeper: Keeper, options: ClusterOptions): Promise<Cluster> {
  const { folder } = keeper;
  const { joins, cpus = 64, nodes = 1 } = options;
  const name = options.name ?? (joins ? "second" : "private");
  const accounting = options.accounting === true || joins !== undefined;
  const joined = joins && shared.get(joins);
  if (joins && !joins.daemons.slurmdbd) throw new Error("only a cluster with accounting can be joined");

  const at = (...names: string[]) => join(folder, ...names);
  // Clients of other users come in here too.
  chmodSync(folder, 0o755);
  for (const one of ["log", "state", "spool", "tmp"]) mkdirSync(at(one));
  const user = userInfo().username;
  const [ctldPort = 0, ownDbdPort = 0, ...nodePorts] = await freePorts(2 + nodes);
  const munge = joined?.munge ?? at("munge.socket");
  const dbdPort = joined?.dbdPort ?? ownDbdPort;
  const sql = at("sql.socket");

  const env = { SLURM_CONF: at("slurm.conf") };
  const clientEnv = { ...process.env, PATH: SEARCH_PATH, ...env };
  // slurmstepd overwrites its environment with its title, up to SLURM_CONF: what is behind that can be found again.
  const daemonEnv = { ...clientEnv, MYSQL_UNIX_PORT: sql, [MARK]: folder };
  const run: Cluster["run"] = (program, ...args) => runProgram(program, args, clientEnv);
  const daemon = (
    program: string,
    args: readonly string[],
    answers: DaemonPlan["answers"],
    as: string = program,
  ): Daemon => makeDaemon({ name: as, command: [program, ...args], folder, env: daemonEnv, answers });

  const settings: Record<string, string> = {
    ClusterName: name,
    SlurmctldHost: "localhost(127.0.0.1)",
    SlurmctldPort: String(ctldPort),
    SlurmUser: user,
    SlurmdUser: user,
    AuthType: "auth/munge",
    AuthInfo: `socket=${munge}`,
    SlurmctldPidFile: at("slurmctld.pid"),
    SlurmdPidFile: at("%n.pid"),
    SlurmdSpoolDir: at("spool", "%n"),
    StateSaveLocation: at("state"),
    SlurmctldLogFile: at("log", "slurmctld.log"),
    SlurmdLogFile: at("log", "%n.log"),
    ProctrackType: "proctrack/linuxproc",
    TaskPlugin: "task/none",
    JobAcctGatherType: "jobacct_gather/none",
    SelectType: "select/cons_tres",
    SelectTypeParameters: "CR_CPU",
    SchedulerParameters: "batch_sched_delay=0,bf_interval=1",
    SlurmdParameters: "config_overrides",
    ReturnToService: "2",
    MaxJobCount: "100000",
    KillWait: "2",
    MailProg: "/bin/true",
    ...(accounting && {
      AccountingStorageType: "accounting_storage/slurmdbd",
      AccountingStorageHost: "localhost",
      AccountingStoragePort: String(dbdPort),
      // With munge the password is the way to munged.
      AccountingStoragePass: munge,
    }),
    ...options.settings,
  };
  const names = nodePorts.map((_, i) => `n${i + 1}`);
  const nodeLines = nodePorts.map(
    (port, i) =>
      `NodeName=n${i + 1} NodeHostname=localhost NodeAddr=127.0.0.1 Port=${port} CPUs=${cpus} RealMemory=1000000 TmpDisk=1000000\n`,
  );
  const partition = { PartitionName: "debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP" };
  const { PartitionName = partition.PartitionName, ...others } = settings;
  writeFileSync(env.SLURM_CONF, `${confText(others)}${nodeLines.join("")}PartitionName=${PartitionName}\n`);

  const munged = daemon(
    "munged",
    // Without --force it does not run as root, nor in a folder like this.
    ["--foreground", "--force", `--key-file=${at("munge.key")}`, `--socket=${munge}`].concat(
      ["pid", "log", "seed"].map((what) => `--${what}-file=${at(`munged.${what}`)}`),
    ),
    () => answers(munge),
  );
  const database = ["--no-defaults", `--datadir=${at("sql")}`, `--user=${user}`]
    // A mariadbd that starts removes the temporary files of all others from the folder that they share.
    .concat([`--tmpdir=${at("tmp")}`, "--innodb-log-file-size=4M", "--innodb-flush-method=nosync"]);
  const mariadbd = daemon(
    "mariadbd",
    [...database, `--socket=${sql}`, `--pid-file=${at("mariadbd.pid")}`]
      .concat(["--skip-networking", "--skip-grant-tables", "--performance-schema=off", "--skip-name-resolve"])
      .concat(["--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900"])
      // What was committed outlives mariadbd, and need not outlive the machine.
      .concat(["--innodb-flush-log-at-trx-commit=2", "--skip-innodb-doublewrite"]),
    () => answers(sql, true),
  );
  const slurmdbd = daemon(
    "slurmdbd",
    ["-D"],
    async (pid) => listens(pid, dbdPort) && (await run("sacctmgr", "-n", "show", "cluster")).code === 0,
  );
  const slurmctld = daemon(
    "slurmctld",
    ["-D"],
    async (pid) => listens(pid, ctldPort) && (await run("scontrol", "ping")).code === 0,
  );
  const slurmds = nodePorts.map((port, i) =>
    daemon("slurmd", ["-D", "-N", `n${i + 1}`], (pid) => listens(pid, port), `n${i + 1}`),
  );

  async function startMunged(): Promise<void> {
    writeFileSync(at("munge.key"), randomBytes(1024), { mode: 0o600 });
    await munged.start();
  }
  async function startDatabase(): Promise<void> {
    writeFileSync(
      at("slurmdbd.conf"),
      confText({
        AuthType: "auth/munge",
        AuthInfo: `socket=${munge}`,
        DbdHost: "localhost",
        DbdAddr: "127.0.0.1",
        DbdPort: String(dbdPort),
        SlurmUser: user,
        LogFile: at("log", "slurmdbd.log"),
        PidFile: at("slurmdbd.pid"),
        StorageType: "accounting_storage/mysql",
        // Not an address, or it would not take the socket.
        StorageHost: "localhost",
        StorageUser: user,
        StorageLoc: "slurm_acct_db",
      }),
      { mode: 0o600 },
    );
    const made = await runProgram("mariadb-install-db", [...database, "--skip-test-db"], daemonEnv);
    if (made.code !== 0) throw new Error(`mariadb-install-db failed:\n${made.stdout}${made.stderr}`);
    await mariadbd.start();
  }

  if (!joins) await Promise.all([startMunged(), accounting && startDatabase()]);
  if (!joins && accounting) await slurmdbd.start();
  await slurmctld.start();
  await Promise.all(slurmds.map((slurmd) => slurmd.start()));
  const areIdle = async () => {
    const states = (await run("sinfo", "-h", "-N", "-o", "%T")).stdout.split("\n").filter(Boolean);
    return states.length === names.length && states.every((state) => state === "idle");
  };
  if (!(await until(areIdle, START_MS, 50))) throw new Error(`the nodes did not come up; see ${at("log")}`);

  const [slurmd] = slurmds;
  if (!slurmd) throw new Error("a cluster has at least one node");
  const cluster: Cluster = {
    name,
    folder,
    env,
    run,
    daemons: {
      munged: joins?.daemons.munged ?? munged,
      slurmctld,
      slurmd,
      ...(accounting && {
        slurmdbd: joins?.daemons.slurmdbd ?? slurmdbd,
        mariadbd: joins?.daemons.mariadbd ?? mariadbd,
      }),
    },
    slurmds,
    async saved(job) {
      const asked = Date.now();
      const isSaved = async () => {
        // That a job has started is not always a change to it that is to be saved.
        const { code, stderr } = await run("scontrol", "update", `jobid=${job}`, "admincomment=saved");
        if (code !== 0) throw new Error(stderr);
        return (statSync(at("state", "job_state"), { throwIfNoEntry: false })?.mtimeMs ?? 0) > asked;
      };
      if (!(await until(isSaved, START_MS, 200))) throw new Error("slurmctld does not save its state");
    },
    stop: () => keeper.end(),
  };
  shared.set(cluster, { munge, dbdPort });
  return cluster;
}

export function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  return startKept(KIND, (keeper) => launch(keeper, options));
}
