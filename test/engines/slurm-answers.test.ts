/** The id in what sbatch printed, and what kind of "no" its texts are. The texts are sbatch's own, of 22.05.8. */
import { describe, expect, it } from "vitest";
import type { Answer, Said } from "../../engines/batch/verdicts.ts";
import { idIn, verdictOf } from "../../engines/slurm/answers.ts";

describe("the id", () => {
  it.each<[stdout: string, found: ReturnType<typeof idIn>]>([
    ["12\n", { id: "12" }],
    ["12", { id: "12" }],
    ["4294967294\n", { id: "4294967294" }],
    ["12;alpha\n", { id: "12", cluster: "alpha" }],
    ["12;alpha-2.x_y\r\n", { id: "12", cluster: "alpha-2.x_y" }],
    ["Submitted batch job 12\n", { id: "12" }],
    ["Submitted batch job 12 on cluster nautilus\n", { id: "12", cluster: "nautilus" }],
    ["*** Maintenance on 2026-11-24 ***\nYou have used 12 hours\n\n  12  \n", { id: "12" }],
    ["", undefined],
    ["\n \n", undefined],
    ["nautilus\n", undefined],
    ["12;\n", undefined],
    ["12;a b\n", undefined],
    ["12 34\n", undefined],
    ["0\n", undefined],
    ["012\n", undefined],
    ["12345678901\n", undefined],
    ["-5\n", undefined],
    ["12\n13\n", undefined],
    ["12\n12\n", undefined],
    ["2026\nSubmitted batch job 12\n", undefined],
    ["Submitted batch job twelve\n", undefined],
    ["Job 12 was not submitted\n", undefined],
  ])("in %j", (stdout, found) => expect(idIn(stdout)).toEqual(found));
});

const POLICY = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)";
const failed = (...lines: string[]) =>
  [...lines.slice(0, -1), `Batch job submission failed: ${lines.at(-1)}`]
    .map((line) => `sbatch: error: ${line}\n`)
    .join("");
const said = (stderr: string, exitCode = 1): Said => ({ exitCode, stdout: "", stderr });
const killed: Said = { exitCode: undefined, stdout: "", stderr: "" };

describe("refused", () => {
  it.each<[stderr: string, directive: string, exitCode?: number]>([
    [
      failed("invalid partition specified: nope", "Invalid partition name specified"),
      "There is no partition nope. `sinfo -s` lists those there are; change #SBATCH --partition.",
    ],
    [failed("Invalid partition name specified"), "#SBATCH --partition"],
    [failed("No partition specified or system default partition"), "#SBATCH --partition"],
    [failed("User's group not permitted to use this partition"), "#SBATCH --partition"],
    [failed("Access/permission denied"), "#SBATCH --partition"],
    [failed("Invalid account or account/partition combination specified"), "#SBATCH --account"],
    [failed("Invalid qos specification"), "#SBATCH --qos"],
    ["sbatch: error: Invalid --time specification\n", "#SBATCH --time", 255],
    [failed("Requested time limit is invalid (missing or exceeds some limit)"), "#SBATCH --time"],
    [failed("Time limit specification required, but not provided"), "#SBATCH --time"],
    [failed("Invalid time-min specification (exceeds job's time or other limits)"), "#SBATCH --time-min"],
    [failed("Invalid feature specification"), "#SBATCH --constraint"],
    [failed("Invalid preferred feature specification"), "#SBATCH --prefer"],
    [failed("Requested node configuration is not available"), "#SBATCH --mem"],
    [
      failed("Memory specification can not be satisfied", "Requested node configuration is not available"),
      "as much memory",
    ],
    [
      failed("CPU count per node can not be satisfied", "Requested node configuration is not available"),
      "#SBATCH --mincpus",
    ],
    [
      failed("Temporary disk specification can not be satisfied", "Requested node configuration is not available"),
      "#SBATCH --tmp",
    ],
    [
      failed(
        "Socket, core and/or thread specification can not be satisfied",
        "Requested node configuration is not available",
      ),
      "--threads-per-core",
    ],
    ["sbatch: error: Invalid generic resource (gres) specification\n", "#SBATCH --gres"],
    [
      "sbatch: error: gres_job_state_validate: --ntasks-per-tres needs either a GRES GPU specification or a node/ntask specification\nsbatch: error: Invalid generic resource (gres) specification\n",
      "--ntasks-per-tres needs either",
    ],
    [failed("Memory required by task is not available"), "#SBATCH --mem"],
    ["sbatch: error: Invalid --mem specification\n", "#SBATCH --mem", 255],
    [failed("Node count specification invalid"), "#SBATCH --nodes"],
    ['sbatch: error: "x" is not a valid node count\n', "#SBATCH --nodes", 255],
    [failed("More processors requested than permitted"), "#SBATCH --ntasks"],
    ['sbatch: error: Invalid numeric value "0" for --ntasks.\n', "#SBATCH --ntasks"],
    [failed("Invalid job array specification"), "MaxArraySize"],
    [failed("Requested reservation is invalid"), "#SBATCH --reservation"],
    [failed("Job dependency problem"), "#SBATCH --dependency"],
    [failed("Invalid license specification"), "#SBATCH --licenses"],
    [failed("Invalid --nice value"), "#SBATCH --nice"],
    [failed("Invalid user id"), "root"],
    [failed("Pathname of a file, directory or other parameter too long"), "4 MB"],
    [failed("Job --batch option is invalid or not a subset of --constraints"), "--constraint"],
    [failed("Job --batch option is invalid or not a subset of --constraint"), "--constraint"],
    ["sbatch: unrecognized option '--banana'\nTry \"sbatch --help\" for more information\n", "--banana", 255],
    ["sbatch: invalid option -- 'I'\nTry \"sbatch --help\" for more information\n", "-I", 255],
    ["sbatch: option '--partition' requires an argument\n", "--partition", 255],
    ["sbatch: error: Invalid directive found in batch script: banana\n", "banana", 255],
    ['sbatch: fatal: quote.sh: line 2: Unmatched `"` in [--job-name="unclosed]\n', "quotes"],
    [
      "Invalid time specification (pos=0): banana\nsbatch: error: Invalid --begin specification\n",
      "#SBATCH --begin",
      255,
    ],
    ["sbatch: error: Invalid --exclusive specification\n", "#SBATCH --exclusive", 255],
    ['sbatch: error: unrecognized --hint argument "banana", see --hint=help\n', "#SBATCH --hint"],
    ["sbatch: error: invalid --profile=banana option\n", "#SBATCH --profile", 255],
    [
      "sbatch: error: Bad rlimit name: banana\nsbatch: error: --propagate=banana is not valid.\n",
      "#SBATCH --propagate",
    ],
    ["sbatch: error: --uid only permitted by root user\n", "--uid", 255],
    ["sbatch: fatal: --mem, --mem-per-cpu, and --mem-per-gpu are mutually exclusive.\n", "--mem"],
    [
      "sbatch: error: No cluster 'other' known by database.\nsbatch: error: 'other' can't be reached now, or it is an invalid entry for --cluster.  Use 'sacctmgr list clusters' to see available clusters.\n",
      "There is no cluster other",
    ],
    [
      "sbatch: error: This does not look like a batch script.  The first\nsbatch: error: line must start with #! followed by the path to an interpreter.\nsbatch: error: For instance: #!/bin/sh\n",
      "#!/bin/bash",
    ],
    [
      "sbatch: error: Batch script contains DOS line breaks (\\r\\n)\nsbatch: error: instead of expected UNIX line breaks (\\n).\n",
      "dos2unix",
    ],
    ["sbatch: error: Batch script is empty!\n", "empty"],
    ["sbatch: error: Batch script contains only whitespace!\n", "empty"],
    [
      "sbatch: error: The Slurm controller does not allow scripts that\nsbatch: error: contain a NULL character '\\0'.\n",
      "zero byte",
    ],
    ["sbatch: error: Unable to open file missing.sh\n", "missing.sh"],
    // --test-only.
    [
      "sbatch: error: invalid partition specified: nope\nallocation failure: Invalid partition name specified\n",
      "no partition nope",
    ],
  ])("%s", (stderr, part, exitCode = 1) => {
    const answer = verdictOf(said(stderr, exitCode));
    expect(answer.verdict).toBe("refused");
    expect(answer.remedy).toContain(part);
  });

  // With the QOS flag DenyOnLimit; a job that fits by itself is queued by Slurm, however much the others hold.
  it.each([
    ["QOSMaxWallDurationPerJobLimit", "#SBATCH --time"],
    ["QOSMaxCpuPerJobLimit", "#SBATCH --ntasks"],
    ["QOSMaxNodePerJobLimit", "#SBATCH --nodes"],
    ["QOSMaxMemoryPerJob", "#SBATCH --mem"],
    ["QOSMinCpuNotSatisfied", "asks for less"],
    ["QOSMaxCpuPerUserLimit", "#SBATCH --ntasks"],
    ["MaxCpuPerAccount", "#SBATCH --ntasks"],
    ["QOSGrpCpuLimit", "#SBATCH --ntasks"],
    ["QOSMaxCpuMinutesPerJobLimit", "#SBATCH --time"],
    ["QOSGrpCPUMinutesLimit", "#SBATCH --time"],
    ["QOSGrpCPURunMinutesLimit", "#SBATCH --time"],
    ["QOSGrpWallLimit", "#SBATCH --time"],
    ["AssocMaxWallDurationPerJobLimit", "#SBATCH --time"],
    ["AssocMaxCpuPerJobLimit", "#SBATCH --ntasks"],
    ["AssocMaxCpuPerNode", "on one node"],
    ["AssocMaxMemPerJob", "#SBATCH --mem"],
    ["AssocMaxNodePerJobLimit", "#SBATCH --nodes"],
    ["AssocGrpCPUMinutesLimit", "#SBATCH --time"],
  ])("for its own size: %s", (limit, part) => {
    const answer = verdictOf(said(failed(limit, POLICY)));
    expect(answer.verdict).toBe("refused");
    expect(answer.remedy).toMatch(/^It asks for /);
    expect(answer.remedy).toContain(part);
  });
});

describe("full", () => {
  it.each([
    ["AssocMaxSubmitJobLimit", false],
    ["AssocGrpSubmitJobsLimit", true],
    ["QOSMaxSubmitJobPerUserLimit", false],
    ["QOSGrpSubmitJobsLimit", true],
    ["MaxSubmitJobsPerAccount", true],
  ])("%s; of a group: %s", (limit, isGroupLimit) => {
    const answer = verdictOf(said(failed(limit, POLICY)));
    expect(answer).toMatchObject({ verdict: "full", isGroupLimit });
    expect(answer.remedy).toContain("submitted when others have ended");
  });

  it("a policy that Slurm does not name", () => {
    expect(verdictOf(said(failed(POLICY))).verdict).toBe("full");
  });

  it.each([
    failed("Slurm temporarily unable to accept job, sleeping and retrying", "Resource temporarily unavailable"),
    failed("MaxJobCount limit reached"),
    failed("Required partition not available (inactive or drain)"),
    failed("Job can not start due to maintenance reservation."),
  ])("for everybody: %s", (stderr) => {
    expect(verdictOf(said(stderr))).toMatchObject({ verdict: "full", isGroupLimit: true });
  });
});

describe("unavailable: nothing was submitted for sure", () => {
  it.each<[stderr: string, exitCode?: number]>([
    [failed("Unable to contact slurm controller (connect failure)")],
    [
      failed(
        "If munged is up, restart with --num-threads=10",
        'Munge encode failed: Failed to access "/run/munge/munge.socket.2": No such file or directory (Did you start munged?)',
        "slurm_send_node_msg: auth_g_create: REQUEST_SUBMIT_BATCH_JOB has authentication error",
        "Protocol authentication error",
      ),
    ],
    [
      failed(
        "Couldn't find the specified plugin name for auth/banana looking at all files",
        "cannot create auth context for auth/banana",
        "slurm_send_node_msg: auth_g_create: REQUEST_SUBMIT_BATCH_JOB has authentication error",
        "Protocol authentication error",
      ),
    ],
    [failed('slurm_set_addr: Unable to resolve "login9"', "Unable to establish control machine address", "No error")],
    [failed("I/O error writing script/environment to file")],
    [failed("Slurm backup controller in standby mode")],
    [failed("System submissions disabled")],
    [failed("Rate limit exceeded, please retry later")],
    ["sbatch: error: ClusterName needs to be specified\nsbatch: fatal: Unable to process configuration file\n"],
    [
      "sbatch: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\nsbatch: error: fetch_config: DNS SRV lookup failed\nsbatch: error: _establish_config_source: failed to fetch config\nsbatch: fatal: Could not establish a configuration source\n",
    ],
    [
      "sbatch: error: slurm_persist_conn_open_without_init: failed to open persistent connection to host:db:6819: Connection refused\nsbatch: error: Problem talking to database\nsbatch: error: There is a problem talking to the database: Connection refused.  Only local cluster communication is available, remove --cluster from your command line or contact your admin to resolve the problem.\n",
    ],
    ["sbatch: error: 'beta' can't be reached now, or it is an invalid entry for --cluster.\n"],
    ["sbatch: error while loading shared libraries: libslurmfull.so: cannot open shared object file\n", 127],
    ["/bin/sh: 1: sbatch: not found\n", 127],
  ])("%s", (stderr, exitCode = 1) => {
    const answer = verdictOf(said(stderr, exitCode));
    expect(answer.verdict).toBe("unavailable");
    expect(answer.remedy).toBeDefined();
  });

  it.each(["ENOENT", "EACCES", "ENOMEM", "EAGAIN", "EMFILE"])("sbatch could not be started: %s", (errorCode) => {
    expect(verdictOf({ ...killed, errorCode }).verdict).toBe("unavailable");
  });
});

describe("ambiguous: it may have been submitted", () => {
  it.each([
    failed("Socket timed out on send/recv operation"),
    failed("Zero Bytes were transmitted or received"),
    failed("Connection reset by peer"),
    failed("Unable to contact slurm controller (send failure)"),
    failed("Unable to contact slurm controller (receive failure)"),
    failed("Protocol authentication error"),
    // MaxJobCount first, and then the answer was lost: the last line counts.
    failed("Slurm temporarily unable to accept job, sleeping and retrying", "Socket timed out on send/recv operation"),
    // munge died while sbatch waited; the job was in the queue (Slurm 22.05.8 said so).
    failed(
      'Munge decode failed: Failed to access "/run/munge/munge.socket.2": No such file or directory (Did you start munged?)',
      "slurm_unpack_received_msg: [[localhost]:60105] auth_g_verify: RESPONSE_SUBMIT_BATCH_JOB has authentication error: Unspecified error",
      "slurm_unpack_received_msg: [[localhost]:60105] Protocol authentication error",
      "Unspecified error",
    ),
  ])("%s", (stderr) => expect(verdictOf(said(stderr)).verdict).toBe("ambiguous"));

  it.each<[string, Said]>([
    ["stopped by a signal", killed],
    ["stopped by a signal after a refusal", { ...killed, stderr: failed("Invalid qos specification") }],
    ["stopped by a signal, told by a shell", said("", 143)],
    ["an error code that can come late", { ...killed, errorCode: "ETIMEDOUT" }],
    ["success without an id", said("", 0)],
    ["success with two ids", { ...said("", 0), stdout: "12\n13\n" }],
    ["an id, and the job's exit code (--wait)", { ...said("", 3), stdout: "12\n" }],
  ])("%s", (_name, answer) => expect(verdictOf(answer).verdict).toBe("ambiguous"));
});

describe("unknown", () => {
  it.each<[stderr: string, exitCode?: number]>([
    [""],
    ["sbatch: error: something new\n"],
    // After these sbatch goes on; a manager that was killed may find no more of its stderr than that.
    [
      "sbatch: error: s_p_parse_file: cannot stat file /etc/slurm/slurm.conf: No such file or directory, retrying in 1sec up to 60sec\n",
    ],
    ["sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n"],
    [
      "sbatch: error: slurm_persist_conn_open_without_init: failed to open persistent connection to host:db:6819: Connection refused\n",
    ],
    ["sbatch: error: No cluster 'other' known by database.\n"],
    [
      "sbatch: Following options are mutually exclusive with --hint: --ntasks-per-core, --threads-per-core. Ignoring --hint.\n",
    ],
    [failed("A text of the year 2040")],
    // A site's own plug-in (job_submit) that says no with its own words.
    [failed("You must have a project", "Unspecified error")],
    [failed("toString")],
    // An sbatch that is a wrapper around ssh.
    ["ssh: connect to host login1 port 22: Connection refused\n", 255],
  ])("%j", (stderr, exitCode = 1) => {
    expect(verdictOf(said(stderr, exitCode))).toEqual<Answer>({ verdict: "unknown" });
  });
});
