/**
 * What a finished sbatch said: the id, or what kind of "no" it was. Pure. The texts are what sbatch 22.05.8 printed when
 * it was made to (test/slurm/answers.test.ts), and the rest of Slurm's table of errors (slurm_errno.c, 22.05 and 25.11).
 */
import { type Answer, filled, firstOf, isNotStarted, type Said, type VerdictRow } from "../batch/verdicts.ts";
import { limitNamed, requestSentence } from "./reasons.ts";

const ID_LINE = /^([1-9]\d{0,9})(?:;([\w.-]+))?$/;
const ID_SENTENCE = /^Submitted batch job ([1-9]\d{0,9})(?: on cluster ([\w.-]+))?$/;

/**
 * The id in what sbatch printed: one line of `sbatch --parsable` ("12", "12;cluster"), or its long sentence, among the
 * banners of a site (sbatch(1), --parsable). Two candidates are as good as none, for one of them is something else.
 */
export function idIn(stdout: string): { readonly id: string; readonly cluster?: string } | undefined {
  const found = stdout
    .split("\n")
    .map((line) => ID_LINE.exec(line.trim()) ?? ID_SENTENCE.exec(line.trim()))
    .filter((match) => match !== null);
  const [, id, cluster] = found.length === 1 ? (found[0] ?? []) : [];
  if (id === undefined) return undefined;
  return cluster === undefined ? { id } : { id, cluster };
}

const UNREACHABLE = "Slurm is out of reach; nothing was submitted.";
const UNSURE = "The answer of Slurm was lost, so that it may have been submitted.";
const CONFIGURATION = "Slurm's configuration cannot be read on this machine; nothing was submitted.";
const CREDENTIALS = "munge, which proves to Slurm who you are, does not work on this machine; nothing was submitted.";
const DATABASE = "Slurm's database is out of reach, and #SBATCH --clusters needs it; nothing was submitted.";
const NOT_INSTALLED = "sbatch cannot be started on this machine; is a module not loaded?";

/**
 * Lines that decide before Slurm's last line does, for that line is the same in both cases. What could not be signed
 * was not sent. What came back and could not be checked was an answer: the job is there (Slurm 22.05.8: "Batch job
 * submission failed: Unspecified error", munge having died in between, and the job ran).
 */
const BEFORE_ALL: readonly VerdictRow[] = [
  [/slurm_unpack_received_msg|auth_g_verify|auth_g_unpack|Munge decode failed/, "ambiguous", UNSURE],
  [/auth_g_create: REQUEST_SUBMIT\w+ has authentication error/, "unavailable", CREDENTIALS],
  [/Unable to establish control machine address/, "unavailable", UNREACHABLE],
];

/** "Batch job submission failed: X", or with --test-only "allocation failure: X". The last one counts. */
const LAST_LINE = /(?:Batch job submission failed|allocation failure): (.+?)\.?\s*$/gm;

const POLICY = "Job violates accounting/QOS policy";
const NODE_CONFIGURATION = "Requested node configuration is not available";

const NO_SUCH_DEVICE =
  "There is no such device as it asks for. `sinfo -o '%N %G'` lists those there are; change #SBATCH --gres.";
const NOT_IN_CONSTRAINT =
  "The feature in --batch is not one of those in --constraint. Change #SBATCH --batch or --constraint.";

const REFUSED: Readonly<Record<string, string>> = {
  "Invalid partition name specified":
    "The partition does not exist. `sinfo -s` lists those there are; change #SBATCH --partition.",
  "No partition specified or system default partition":
    "This cluster has no default partition. `sinfo -s` lists those there are; add #SBATCH --partition.",
  "Incompatible begin and deadline time specification":
    "It cannot begin and end in that time; change #SBATCH --begin or --deadline.",
  "Access/permission denied":
    "You may not use this partition, or not from here, or only with a reservation. `scontrol show partition` tells; change #SBATCH --partition or --reservation.",
  "User's group not permitted to use this partition":
    "Your group may not use this partition. `sinfo -s` lists the others; change #SBATCH --partition.",
  "Requested nodes not in this partition":
    "The nodes that it names are not in its partition. Change #SBATCH --nodelist or --partition.",
  "More processors requested than permitted":
    "It asks for more processors than its partition has or allows. Change #SBATCH --ntasks, --cpus-per-task, --nodes or --partition.",
  "CPU count specification invalid":
    "Its number of processors is not possible. Change #SBATCH --cpus-per-task or --ntasks.",
  "Node count specification invalid":
    "It asks for more or fewer nodes than its partition has or allows. `sinfo -s` shows them; change #SBATCH --nodes or --partition.",
  "Task count specification invalid": "Its number of tasks is not possible. Change #SBATCH --ntasks.",
  "Task distribution specification invalid":
    "Its distribution of tasks is not possible. Change #SBATCH --distribution.",
  "Job size specification needs to be provided": "It must say how large it is. Add #SBATCH --ntasks or --nodes.",
  "Cannot request more threads per core than the job allocation":
    "It asks for more threads per core than there are. Change #SBATCH --threads-per-core.",
  "Job script not specified": "Slurm got no script.",
  "Environment is missing in job": "Slurm got no environment for it. Change #SBATCH --export.",
  "Job cannot be submitted without the current working directory specified":
    "Slurm got no folder for it. Change #SBATCH --chdir.",
  "Invalid user id": "Slurm does not run jobs of this user here; it may be that root is not allowed to.",
  "Invalid group id": "Slurm does not know this group. Change #SBATCH --gid.",
  "Pathname of a file, directory or other parameter too long":
    "The script is too large (4 MB by default), or a name or a value in it is too long. Put data into files of their own, and shorten #SBATCH --job-name, --comment or --output.",
  [NODE_CONFIGURATION]:
    "No node of this cluster has what it asks for. `sinfo -N -o '%N %c %m %G %f'` shows what they have; change #SBATCH --mem, --gres, --constraint, --cpus-per-task or --exclude.",
  "Requested topology configuration is not available":
    "The nodes cannot be connected as it asks. Change #SBATCH --switches or --nodes.",
  "Invalid node name specified": "A node that it names does not exist. Change #SBATCH --nodelist or --exclude.",
  "Memory required by task is not available":
    "It asks for more memory than its partition allows. Change #SBATCH --mem, --mem-per-cpu or --partition.",
  "Invalid feature specification":
    "No node has the feature that it asks for. `sinfo -o '%N %f'` lists those there are; change #SBATCH --constraint.",
  "Invalid preferred feature specification":
    "No node has the feature that it prefers. `sinfo -o '%N %f'` lists those there are; change #SBATCH --prefer.",
  "Invalid generic resource (gres) specification": NO_SUCH_DEVICE,
  "Invalid GRES specification (with and without type identification)":
    "It asks for a device both with and without its type. Change #SBATCH --gres.",
  "Duplicate generic resource (gres) specification": "It asks for the same device twice. Change #SBATCH --gres.",
  "Requested GRES option unsupported by configured SelectType plugin":
    "This cluster cannot share out devices as it asks. Change #SBATCH --gres, --gpus or --gpus-per-task.",
  "Insufficient GRES available in allocation": "It asks for more devices than it can get. Change #SBATCH --gres.",
  "Invalid Trackable RESource (TRES) specification":
    "What it asks for is not known here. Change #SBATCH --gres or --gpus.",
  "Invalid account or account/partition combination specified":
    "The account does not exist, is not yours, or may not use this partition. `sacctmgr show assoc user=$USER` lists yours; change #SBATCH --account or --partition.",
  "Invalid or unknown association":
    "You have no account here, or not for this partition. `sacctmgr show assoc user=$USER` lists yours; change #SBATCH --account or --partition.",
  "Multiple partition job request not supported when a partition is set in the association":
    "Your account takes one partition at a time. Name one in #SBATCH --partition.",
  "Invalid qos specification":
    "The QOS does not exist, is not yours, or may not be used in this partition. `sacctmgr show assoc user=$USER format=account,qos` lists yours; change #SBATCH --qos.",
  "Invalid wckey specification": "The workload key is not yours. Change #SBATCH --wckey.",
  "Invalid license specification":
    "There is no such license, or there are not so many. `scontrol show licenses` lists them; change #SBATCH --licenses.",
  "Requested time limit is invalid (missing or exceeds some limit)":
    "It asks for more time than its partition allows, or for none where it must, or its deadline is too early. `sinfo -s` shows the limits; change #SBATCH --time, --partition or --deadline.",
  "Time limit specification required, but not provided": "It must say how long it runs. Add #SBATCH --time.",
  "Invalid time-min specification (exceeds job's time or other limits)":
    "Its least time is more than its time. Change #SBATCH --time-min or --time.",
  "Invalid time specified": "Its time is not possible. Change #SBATCH --begin, --deadline or --time.",
  "Requested reservation is invalid":
    "The reservation does not exist, or is not yours. `scontrol show reservation` lists them; change #SBATCH --reservation.",
  "Access denied to requested reservation":
    "You may not use this reservation. `scontrol show reservation` lists them; change #SBATCH --reservation.",
  "Requested reservation not usable now":
    "This reservation cannot be used now; it may be over. `scontrol show reservation` lists them; change #SBATCH --reservation.",
  "Job dependency problem":
    "The dependency cannot be read, or names a job that cannot be waited for. Change #SBATCH --dependency.",
  "Circular job dependency": "It would wait for itself. Change #SBATCH --dependency.",
  "Invalid job array specification":
    "The array's numbers cannot be read, or are higher than this cluster allows. `scontrol show config | grep MaxArraySize` shows the first number that is too high; change #SBATCH --array.",
  "Job --batch option is invalid or not a subset of --constraints": NOT_IN_CONSTRAINT,
  "Job --batch option is invalid or not a subset of --constraint": NOT_IN_CONSTRAINT,
  "Invalid --nice value": "Only an administrator may raise a priority. Change #SBATCH --nice.",
  "Requested operation not supported on this system": "This cluster cannot do something that it asks for.",
  "Requested operation is presently disabled": "This cluster does not allow something that it asks for.",
  "X11 forwarding not available": "This cluster forwards no windows. Remove #SBATCH --x11.",
  "Burst Buffer permission denied": "You may not use this burst buffer. Change its #BB lines.",
  "Burst Buffer resource limit exceeded": "It asks for more burst buffer space than is allowed. Change its #BB lines.",
  "Burst Buffer request invalid": "Its burst buffer lines cannot be read. Change its #BB lines.",
  "Invalid mcs_label specified": "The label is not known. Change #SBATCH --mcs-label.",
  "Requires more ports than can be reserved": "It asks for more network ports than there are. Ask for fewer tasks.",
  "Invalid accounting frequency requested": "Change #SBATCH --acctg-freq.",
  "Multiple KNL NUMA and/or MCDRAM constraints require use of a heterogeneous job": "Change #SBATCH --constraint.",
  "Invalid KNL configuration (MCDRAM or NUMA option)": "Change #SBATCH --constraint.",
  "Container runtime not configured or invalid": "This cluster starts no such containers. Change #SBATCH --container.",
  "Container support is not configured": "This cluster starts no containers. Remove #SBATCH --container.",
  "Invalid container id specified": "Change #SBATCH --container-id.",
  "Invalid extra constraints specification": "Change #SBATCH --extra.",
  "Invalid cluster name": "The cluster is not known. `sacctmgr show clusters` lists them; change #SBATCH --clusters.",
  "Invalid cluster feature specification": "No cluster has this feature. Change #SBATCH --cluster-constraint.",
  "No eligible clusters for federated job":
    "No cluster can take it. Change #SBATCH --clusters or --cluster-constraint.",
};

const BUSY = "The cluster takes no more jobs at the moment; it is submitted later.";

/** Texts that heal while a job waits; all of these concern everybody's jobs. */
const FULL: Readonly<Record<string, string>> = {
  // The cluster's MaxJobCount: sbatch tries for 120 s before it says so (Slurm 22.05.8 said so).
  "Resource temporarily unavailable": BUSY,
  "MaxJobCount limit reached": BUSY,
  "Unable to create job record, try again": BUSY,
  "Max powered up nodes reached": BUSY,
  "Requested nodes are busy": BUSY,
  "Licenses currently unavailable": "Its licenses are in use; it is submitted later.",
  "Required partition not available (inactive or drain)":
    "Its partition takes no jobs at the moment. It is submitted when the partition is opened again; `sinfo -s` lists the others.",
  "Partition in DOWN state":
    "Its partition is down. It is submitted when the partition is up again; `sinfo -s` lists the others.",
  "Requested partition configuration not available now":
    "Its partition cannot take it at the moment; it is submitted later. `sinfo -s` lists the others.",
  "Required node not available (down, drained or reserved)":
    "A node that it needs is not available; it is submitted later.",
  "Job can not start due to maintenance reservation": "Maintenance is planned; it is submitted afterwards.",
  "Requested account has breached requested QOS usage threshold":
    "The QOS was used more than its share; it is submitted when that has recovered, or use another #SBATCH --qos.",
};

/** Nothing arrived, or the controller took nothing in. */
const UNAVAILABLE: Readonly<Record<string, string>> = {
  // slurm_open_controller_conn() alone sets it, having never got a connection (slurm_protocol_api.c; here after 9 s).
  "Unable to contact slurm controller (connect failure)": UNREACHABLE,
  "Communication connection failure": UNREACHABLE,
  "Connection timed out establishing": UNREACHABLE,
  "Can't find an address, check slurm.conf": CONFIGURATION,
  "Slurm backup controller in standby mode": "Slurm's backup is taking over; nothing was submitted.",
  "Controller is in standby mode, try a different controller": "Slurm's backup is taking over; nothing was submitted.",
  "Rate limit exceeded, please retry momentarily": "Slurm asks for fewer questions; nothing was submitted.",
  "Rate limit exceeded, please retry later": "Slurm asks for fewer questions; nothing was submitted.",
  "System submissions disabled": "An administrator has closed the queue; nothing was submitted.",
  "I/O error writing script/environment to file": "Slurm could not write to its own disk; nothing was submitted.",
  "Unable to connect to database": DATABASE,
  "Incompatible versions of client and server code": "sbatch and Slurm differ too much in age; nothing was submitted.",
  "Invalid authentication credential": CREDENTIALS,
  "Authentication credential invalid": CREDENTIALS,
  "Authentication credential expired": CREDENTIALS,
  "Failed to connect to authentication agent": CREDENTIALS,
  "Failed to open authentication public key": CREDENTIALS,
  "Token Generation failed": CREDENTIALS,
  "Rejecting authentication of user nobody or group nobody": CREDENTIALS,
  "Plugin initialization failed": CONFIGURATION,
  "Plugin has invalid format or unable to be loaded": CONFIGURATION,
};

/** The request was sent, or in part; what became of it is not known. */
const AMBIGUOUS: readonly string[] = [
  // After MessageTimeout (10 s); the job ran when a frozen controller went on (Slurm 22.05.8 said so).
  "Socket timed out on send/recv operation",
  "Zero Bytes were transmitted or received",
  "Unable to contact slurm controller (send failure)",
  "Unable to contact slurm controller (receive failure)",
  "Unable to contact slurm controller (shutdown failure)",
  "Unable to contact slurm controller",
  "Message send failure",
  "Message receive failure",
  "Communication shutdown failure",
  "Unexpected message received",
  "Unexpected missing socket error",
  "Header lengths are longer than data received",
  "Insane message length",
  "I/O stream version number error",
  "Protocol authentication error",
  "Connection timed out writing",
  "Connection timed out reading",
  "Connection rejected by handler",
  "Connection forced closed by quiesce timeout",
  "Process is shutting down and closing all communications",
  "Kernel reported delayed socket error after successful write(), client side likely closed",
  "Slurm internal error, contact system administrator",
  "Job locked by another sibling",
  "Duplicate job id",
  // Of the system: recv(2) and send(2) on a connection that stood ("reset": the controller was killed meanwhile).
  "Connection reset by peer",
  "Connection refused",
  "Connection timed out",
  "Connection aborted",
  "Software caused connection abort",
  "Broken pipe",
  "Transport endpoint is not connected",
  "Network is unreachable",
  "Network is down",
  "No route to host",
  "Bad file descriptor",
  "Input/output error",
  "Interrupted system call",
  "Operation now in progress",
];

/** Slurm's last line, in lower case, for versions differ in that. */
const BY_LAST_LINE: ReadonlyMap<string, Answer> = new Map<string, Answer>([
  ...rows(REFUSED, { verdict: "refused" }),
  ...rows(FULL, { verdict: "full", isGroupLimit: true }),
  ...rows(UNAVAILABLE, { verdict: "unavailable" }),
  ...rows(Object.fromEntries(AMBIGUOUS.map((text) => [text, UNSURE])), { verdict: "ambiguous" }),
]);

function rows(remedies: Readonly<Record<string, string>>, answer: Answer): [string, Answer][] {
  return Object.entries(remedies).map(([text, remedy]) => [text.toLowerCase(), { ...answer, remedy }]);
}

/** Lines before the last one that say more than it does. They change the remedy, not the verdict. */
const DETAILS: readonly (readonly [text: RegExp, remedy: string])[] = [
  [
    /invalid partition specified: (\S+)/,
    "There is no partition $1. `sinfo -s` lists those there are; change #SBATCH --partition.",
  ],
  [
    /Memory specification can not be satisfied/,
    "No node has as much memory as it asks for. `sinfo -N -o '%N %m'` shows what they have, in MB; change #SBATCH --mem or --mem-per-cpu.",
  ],
  [
    /CPU count per node can not be satisfied/,
    "No node has as many processors as it asks for. `sinfo -N -o '%N %c'` shows what they have; change #SBATCH --mincpus, --cpus-per-task or --ntasks-per-node.",
  ],
  [
    /Temporary disk specification can not be satisfied/,
    "No node has as large a temporary disk as it asks for. `sinfo -N -o '%N %d'` shows what they have, in MB; change #SBATCH --tmp.",
  ],
  [
    /Socket, core and\/or thread specification can not be satisfied/,
    "No node is built as it asks. `sinfo -N -o '%N %z'` shows sockets:cores:threads; change #SBATCH --threads-per-core, --cores-per-socket or --sockets-per-node.",
  ],
  [
    /Node feature requirements can not be satisfied/,
    "No node has the feature that it asks for. `sinfo -o '%N %f'` lists those there are; change #SBATCH --constraint.",
  ],
];

/**
 * Answers of sbatch itself, which it gives before it asks the controller: nothing was submitted. Each is its last word,
 * also where all that is known is what a killed manager left of its stderr; what sbatch says before it tries again
 * ("cannot stat file ..., retrying in 1sec up to 60sec") must not stand here.
 */
const WITHOUT_LAST_LINE: readonly VerdictRow[] = [
  [
    /fatal: (?:Unable to process configuration file|Could not establish a configuration source)/i,
    "unavailable",
    CONFIGURATION,
  ],
  [/cannot create auth context|failed to initialize auth/i, "unavailable", CREDENTIALS],
  [/There is a problem talking to the database/i, "unavailable", DATABASE],
  [
    /No cluster '([^']*)' known by database.*can't be reached now/s,
    "refused",
    "There is no cluster $1. `sacctmgr show clusters` lists those there are; change #SBATCH --clusters.",
  ],
  [/can't be reached now, or it is an invalid entry for --cluster/, "unavailable", "The cluster is out of reach now."],
  [
    /error while loading shared libraries|Exec format error|sbatch: (?:command not found|not found|Permission denied|No such file or directory)/,
    "unavailable",
    NOT_INSTALLED,
  ],
  [
    /does not look like a batch script/,
    "refused",
    "The first line of the script must begin with #! and name the program that runs it, such as #!/bin/bash.",
  ],
  [
    /contains DOS line breaks/,
    "refused",
    "The script was saved with the line ends of Windows. Convert it with dos2unix, or save it with Unix line ends.",
  ],
  [/Batch script (?:is empty|contains only whitespace)/, "refused", "The script is empty."],
  [/contain a NULL character/, "refused", "The script holds a zero byte; it is not a text file."],
  [/Unable to open file (.+)/, "refused", "The script cannot be read: $1"],
  [
    /Invalid directive found in batch script: (.*)/,
    "refused",
    "A #SBATCH line holds a word that is no option: $1. Options begin with --, and a value with spaces needs quotes.",
  ],
  [/(\S+: line \d+: Unmatched .*)/, "refused", "A #SBATCH line opens quotes and does not close them ($1)."],
  [
    /unrecognized option '?(-[^\s']+)/,
    "refused",
    "This sbatch does not know the option $1. Correct or remove it in the #SBATCH lines.",
  ],
  [
    /invalid option -- '(.)'/,
    "refused",
    "This sbatch does not know the option -$1. Correct or remove it in the #SBATCH lines.",
  ],
  [
    /option '?(-[^\s']+)'? is ambiguous/,
    "refused",
    "The option $1 is cut too short. Write it in full in the #SBATCH line.",
  ],
  [/option '?(-[^\s']+)'? requires an argument/, "refused", "The option $1 needs a value. Change the #SBATCH line."],
  [/option requires an argument -- '(.)'/, "refused", "The option -$1 needs a value. Change the #SBATCH line."],
  [
    /option '?(-[^\s']+)'? doesn't allow an argument/,
    "refused",
    "The option $1 takes no value. Change the #SBATCH line.",
  ],
  [
    /(--[a-z-]+), (?:and )?(--[a-z-]+.*) are mutually exclusive/,
    "refused",
    "Options that exclude each other are used together: $1 and another. Change the #SBATCH lines.",
  ],
  [/gres_job_state_validate: (-.*)/, "refused", "Its devices and its tasks do not fit together: $1."],
  [/Invalid generic resource \(gres\) specification/, "refused", NO_SUCH_DEVICE],
  [/is not a valid node count/, "refused", "Its number of nodes cannot be read. Change #SBATCH --nodes."],
  [
    /--uid only permitted by root|--gid only permitted by root/,
    "refused",
    "Only root may use --uid and --gid. Remove the #SBATCH line.",
  ],
  // The rest of the family "Invalid --time specification", 'Invalid numeric value "0" for --ntasks.', '--propagate=x is not valid.'
  [
    /^sbatch: (?:error: |fatal: )?(?!.*\bignor)(?=.*\b(?:invalid|unrecognized|not valid|mutually exclusive|not permitted|Failed to (?:validate|parse|ensure))\b).*?(--[a-z][a-z-]+)/im,
    "refused",
    "sbatch does not accept the value of $1. Change #SBATCH $1.",
  ],
];

/**
 * What kind of "no" it was. For an sbatch that gave no id, or gave one and failed all the same: `sbatch --wait` ends with
 * the exit code of the job.
 */
export function verdictOf(said: Said): Answer {
  if (isNotStarted(said)) return { verdict: "unavailable", remedy: NOT_INSTALLED };
  // From 128 on a shell tells of a signal; 255 is sbatch's own for a wrong option.
  const { exitCode } = said;
  if (!exitCode || (exitCode >= 128 && exitCode < 255) || idIn(said.stdout))
    return { verdict: "ambiguous", remedy: UNSURE };

  const text = `${said.stderr}\n${said.stdout}`;
  const last = [...text.matchAll(LAST_LINE)].at(-1)?.[1];
  return (
    firstOf(BEFORE_ALL, text) ??
    (last === undefined ? firstOf(WITHOUT_LAST_LINE, text) : byLastLine(last, text)) ?? { verdict: "unknown" }
  );
}

function byLastLine(last: string, text: string): Answer | undefined {
  if (last.startsWith(POLICY)) return policyAnswer(text);
  const answer = BY_LAST_LINE.get(last.toLowerCase());
  if (answer?.verdict !== "refused") return answer;
  for (const [pattern, remedy] of DETAILS) {
    const match = pattern.exec(text);
    if (match) return { ...answer, remedy: filled(remedy, match) };
  }
  return answer;
}

/**
 * The line before names the limit ("sbatch: error: QOSMaxSubmitJobPerUserLimit"). A limit on how many jobs are queued
 * heals. Any other is only checked at submission with the QOS flag DenyOnLimit, and then for what this job asks by itself
 * (acct_policy.c; Slurm 22.05.8 queued jobs that exceeded it together with others). An array counts all its tasks.
 */
function policyAnswer(text: string): Answer {
  const limits = text.split(/\s+/).flatMap((word) => limitNamed(word) ?? []);
  const limit = limits.at(-1);
  if (!limit)
    return { verdict: "full", remedy: "A limit of your account or its QOS is reached; it is submitted later." };
  if (limit.kind === "queued") {
    const remedy = `As many jobs wait and run as ${limit.owner} allows; it is submitted when others have ended. Each task of an array counts.`;
    return { verdict: "full", remedy, isGroupLimit: limit.shared };
  }
  const sentence = requestSentence(limit);
  return { verdict: "refused", remedy: sentence.charAt(0).toUpperCase() + sentence.slice(1) };
}
