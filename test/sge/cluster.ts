/** Real Grid Engine for tests: private masters, each out of a temporary folder and on ports of its own, and nothing else touched. */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { TestContext } from "vitest";
import {
  type Daemon,
  freePorts,
  type Keeper,
  listens,
  MARK,
  makeDaemon,
  type RanProgram,
  runProgram,
  skipWithout,
  startKept,
  until,
  whatIsMissing,
} from "../daemons.ts";

export interface SgeCluster {
  /** Logs are in its `log`; it is removed when the cluster stops. */
  readonly folder: string;
  /** What points a client at this cluster. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs a client on this cluster to its end. */
  run(program: string, ...args: readonly string[]): Promise<RanProgram>;
  /** Runs it, and throws if it fails. */
  must(program: string, ...args: readonly string[]): Promise<string>;
  /** Without its master: what it knows is on its disk, so that it goes on after a kill. */
  readonly qmaster: Daemon;
  readonly execd: Daemon;
  /** The accounting file. */
  readonly accounting: string;
  /** Makes the master forget all jobs; it does not run meanwhile. */
  forgetJobs(): Promise<void>;
  /** Ends all jobs and daemons and removes the folder. */
  stop(): Promise<void>;
}

export interface SgeOptions {
  /** Of the one machine. */
  readonly slots?: number;
  /** Seconds until an end stands in the accounting. */
  readonly flushS?: number;
  /** Attributes of the queue all.q, which replace those that are there (queue_conf(5)). */
  readonly queue?: Readonly<Record<string, string>>;
  /** Attributes of the global configuration (sge_conf(5)). */
  readonly settings?: Readonly<Record<string, string>>;
}

const LIB = "/usr/lib/gridengine";
const PROGRAMS = { sge_qmaster: "gridengine-master", sge_execd: "gridengine-exec", qsub: "gridengine-client" };
const KIND = { prefix: "jobmgr-sge-", variable: "SGE_ROOT", value: "root", ofAJob: "JOB_ID" };

/** Which programs are not installed, and what installs them; undefined if all are there. */
export function missingSge(): string | undefined {
  return whatIsMissing(PROGRAMS, (program) => existsSync(join(LIB, program)));
}

export function needSge(context: Pick<TestContext, "skip">): void {
  skipWithout(context, missingSge());
}

/** A configuration file with other values. */
function edited(text: string, values: Readonly<Record<string, string>>): string {
  const lines = text.replaceAll("\\\n", " ").split("\n");
  return lines
    .map((line) => {
      const [key = ""] = line.split(/\s/);
      const value = values[key];
      return value === undefined ? line : `${key} ${value}`;
    })
    .join("\n");
}

const PE = `pe_name smp
slots 999
user_lists NONE
xuser_lists NONE
start_proc_args NONE
stop_proc_args NONE
allocation_rule $pe_slots
control_slaves FALSE
job_is_first_task TRUE
urgency_slots min
accounting_summary FALSE
qsort_args NONE
`;

const HOST = `hostname localhost
load_scaling NONE
complex_values NONE
user_lists NONE
xuser_lists NONE
projects NONE
xprojects NONE
usage_scaling NONE
report_variables NONE
`;

async function launch(keeper: Keeper, options: SgeOptions): Promise<SgeCluster> {
  const { folder } = keeper;
  const { slots = 16, flushS = 1 } = options;
  const at = (...names: string[]) => join(folder, ...names);
  const common = at("root", "default", "common");
  for (const one of [common, at("log"), at("qmaster", "job_scripts"), at("execd")]) mkdirSync(one, { recursive: true });
  for (const one of ["bin", "lib", "util", "utilbin"])
    cpSync(join("/var/lib/gridengine", one), at("root", one), { recursive: true, verbatimSymlinks: true });
  const [masterPort = 0, execdPort = 0] = await freePorts(2);
  const env = {
    SGE_ROOT: at("root"),
    SGE_CELL: "default",
    SGE_QMASTER_PORT: String(masterPort),
    SGE_EXECD_PORT: String(execdPort),
  };
  // Jobs inherit the environment of the daemons.
  const clientEnv = { ...process.env, ...env };
  // In the foreground, or nobody knows when it ends.
  const daemonEnv = { ...clientEnv, SGE_ND: "1", [MARK]: folder };
  const run = (program: string, ...args: readonly string[]) => runProgram(program, args, clientEnv);
  const must = async (program: string, ...args: readonly string[]) => {
    const { code, stdout, stderr } = await run(program, ...args);
    if (code !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}${stdout}`);
    return stdout;
  };
  const put = (name: string, text: string) => {
    writeFileSync(at(name), text);
    return at(name);
  };

  const spool = `${common};${at("qmaster")}`;
  put(
    "root/default/common/bootstrap",
    `admin_user root
default_domain none
ignore_fqdn false
spooling_method classic
spooling_lib libspoolc
spooling_params ${spool}
binary_path ${LIB}
qmaster_spool_dir ${at("qmaster")}
security_mode none
listener_threads 2
worker_threads 2
scheduler_threads 1
`,
  );
  put("root/default/common/act_qmaster", "localhost\n");
  // Without it the name of a client is not that of its address, and it is denied.
  put("root/default/common/host_aliases", `localhost ${hostname()}\n`);
  await must(join(LIB, "spoolinit"), "classic", "libspoolc", spool, "init");
  const configuration = edited(readFileSync("/usr/share/gridengine/default-configuration", "utf8"), {
    execd_spool_dir: at("execd"),
    min_uid: "0",
    min_gid: "0",
    load_report_time: "00:00:01",
    reporting_params: `accounting=true reporting=false flush_time=00:00:${String(flushS).padStart(2, "0")} joblog=false sharelog=00:00:00`,
    ...options.settings,
  });
  const resources = "/usr/share/gridengine/util/resources";
  const defaults = join(LIB, "spooldefaults");
  await must(defaults, "configuration", put("configuration", configuration));
  await must(defaults, "complexes", join(resources, "centry"));
  await must(defaults, "usersets", join(resources, "usersets"));
  await must(defaults, "managers", "root");

  const daemon = (program: string, answers: (pid: number) => boolean | Promise<boolean>) =>
    makeDaemon({ name: program, command: [join(LIB, program)], folder, env: daemonEnv, answers });
  const qmaster = daemon(
    "sge_qmaster",
    async (pid) => listens(pid, masterPort) && (await run("qconf", "-sh")).code === 0,
  );
  const execd = daemon("sge_execd", (pid) => listens(pid, execdPort));
  await qmaster.start();
  await must("qconf", "-as", "localhost");
  await must("qconf", "-Ae", put("host", HOST));
  await must("qconf", "-Ap", put("pe", PE));
  const queue = edited(await must("qconf", "-sq"), {
    qname: "all.q",
    hostlist: "localhost",
    slots: String(slots),
    pe_list: "smp",
    load_thresholds: "NONE",
    // As on most sites: a "#!" is not looked at.
    shell_start_mode: "posix_compliant",
    notify: "00:00:02",
    ...options.queue,
  });
  await must("qconf", "-Aq", put("queue", queue));
  const scheduler = edited(await must("qconf", "-ssconf"), {
    schedule_interval: "0:0:1",
    flush_submit_sec: "1",
    flush_finish_sec: "1",
  });
  await must("qconf", "-Msconf", put("scheduler", scheduler));
  // It must not come before the host is known, or it is never heard of.
  await execd.start();
  const isUp = async () => / [0-9.]+ +lx-/.test((await run("qstat", "-f")).stdout);
  if (!(await until(isUp, 20_000, 50))) throw new Error(`the machine did not come up; see ${at("log")}`);

  return {
    folder,
    env,
    run,
    must,
    qmaster,
    execd,
    accounting: join(common, "accounting"),
    async forgetJobs() {
      await qmaster.kill();
      await must("rm", "-rf", at("qmaster", "jobs"), at("qmaster", "job_scripts"));
      mkdirSync(at("qmaster", "job_scripts"));
      await qmaster.start();
    },
    stop: () => keeper.end(),
  };
}

export function startSge(options: SgeOptions = {}): Promise<SgeCluster> {
  return startKept(KIND, (keeper) => launch(keeper, options));
}
