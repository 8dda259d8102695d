/** Why a job waits: squeue's Reason in words. Pure. The words are those of job_reason_codes.html, Slurm 22.05 to 25.11. */

/** What squeue's Reason means. */
export interface Waiting {
  /** One plain sentence, in which JOBID stands for the job's; the raw text where the word was never seen. */
  readonly sentence: string;
  /**
   * The job starts without anybody touching it. False where it waits until somebody changes the job, a limit or a
   * partition. Nodes that are down heal: they are repaired whether this job exists or not.
   */
  readonly heals: boolean;
  /** It never starts, for it asks for more than there is, or than its partition, account or QOS allows one job. */
  readonly asksTooMuch?: true;
}

/** A limit of accounting or of a QOS, read off its name: "QOSMaxCpuPerUserLimit". */
export interface Limit {
  /** What it counts, and the directive that asks for it. */
  readonly what: Resource;
  /**
   * - `request`: what one job asks for; this job breaks it whatever else runs.
   * - `together`: what several jobs hold or run at a time; it heals when others end.
   * - `queued`: how many jobs may wait and run; sbatch says no beyond it.
   * - `budget`: what may be used up over weeks; it heals when the budget is renewed.
   */
  readonly kind: "request" | "together" | "queued" | "budget";
  /** A minimum, that this job stays below. */
  readonly minimum: boolean;
  /** It counts the time for which they are held as well. */
  readonly overTime: boolean;
  /** It is a limit for each node of a job. */
  readonly onOneNode: boolean;
  /** Jobs of other people count too. */
  readonly shared: boolean;
  /** Who set it, in words. */
  readonly owner: string;
}

interface Resource {
  readonly name: string;
  readonly directive: string;
}

/** The resource in a limit's name: TRES types as the reason words spell them (job_state_reason.c). */
const RESOURCES: Readonly<Record<string, Resource>> = {
  job: { name: "jobs", directive: "" },
  cpu: { name: "processors", directive: "#SBATCH --ntasks or --cpus-per-task" },
  node: { name: "nodes", directive: "#SBATCH --nodes" },
  mem: { name: "memory", directive: "#SBATCH --mem" },
  wall: { name: "time", directive: "#SBATCH --time" },
  gres: { name: "GPUs or other devices", directive: "#SBATCH --gres" },
  license: { name: "licenses", directive: "#SBATCH --licenses" },
  bb: { name: "burst buffer space", directive: "#BB" },
  energy: { name: "energy", directive: "#SBATCH --time or --nodes" },
  billing: { name: "billing units", directive: "#SBATCH --ntasks, --mem or --gres" },
  unknown: { name: "resources", directive: "what its #SBATCH lines ask for" },
};

const LIMIT =
  /^(?:(?<owner>QOS|Assoc)(?<scope>Grp|Max|Min)|Max)(?<submit>Submit)?(?<what>Job|Cpu|Node|Mem|Wall|GRES|License|BB|Energy|Billing|Unknown)(?:s|ory|Duration)?(?<minutes>RunMinutes|Minutes)?(?<per>PerJob|PerNode|PerUser|PerAccount)?(?:NotSatisfied)?(?:Limit)?$/i;

/** What a limit's name says, for the families QOSMax..., QOSGrp..., QOSMin..., AssocMax..., AssocGrp... and Max...PerAccount. */
export function limitNamed(word: string): Limit | undefined {
  const match = LIMIT.exec(word)?.groups;
  const what = RESOURCES[match?.what?.toLowerCase() ?? ""];
  if (!match || !what) return undefined;
  const { owner, scope, submit, minutes, per } = match;
  if (!owner && per !== "PerAccount") return undefined;
  const group = scope === "Grp";
  return {
    what,
    kind: kindOf({ group, minutes, per, submit, minimum: scope === "Min", what }),
    minimum: scope === "Min",
    overTime: minutes !== undefined,
    onOneNode: per === "PerNode",
    shared: group || per === "PerAccount",
    owner: owner === "Assoc" ? "your account" : per === "PerAccount" ? "your account in this QOS" : "this QOS",
  };
}

function kindOf(name: {
  group: boolean;
  minutes: string | undefined;
  per: string | undefined;
  submit: string | undefined;
  minimum: boolean;
  what: Resource;
}): Limit["kind"] {
  if (name.submit) return "queued";
  if (name.minimum) return "request";
  if (name.group && (name.minutes?.toLowerCase() === "minutes" || name.what === RESOURCES.wall)) return "budget";
  if (name.group || name.per === "PerUser" || name.per === "PerAccount" || name.what === RESOURCES.job)
    return "together";
  return "request";
}

/** Words and texts that stand for themselves, in lower case. The texts are slurmctld's own (Slurm 22.05.8 said so). */
const WORDS: Readonly<Record<string, readonly [sentence: string, heals: boolean]>> = {
  none: ["Slurm has not looked at it yet.", true],
  priority: ["Jobs with a higher priority go first.", true],
  resources: ["It is next in line and waits until enough nodes, processors or memory are free.", true],
  dependency: ["It waits for another job (#SBATCH --dependency).", true],
  dependencyneversatisfied: [
    "It never starts: a job that it depends on did not end as #SBATCH --dependency demands. Cancel it, or change that with scontrol update.",
    false,
  ],
  begintime: [
    "It waits for its start time (#SBATCH --begin), or for a pause after it was put back in the queue.",
    true,
  ],
  jobhelduser: [
    "It is held (#SBATCH --hold, or scontrol hold) until somebody releases it: scontrol release JOBID.",
    false,
  ],
  jobheldadmin: ["An administrator holds it. It starts when an administrator releases it.", false],
  jobholdmaxrequeue: [
    "It is held: Slurm tried to start it several times in vain. Ask an administrator what is wrong, then: scontrol release JOBID.",
    false,
  ],
  "launch failed requeued held": [
    "It is held: Slurm could not start it on its node. Ask an administrator what is wrong, then: scontrol release JOBID.",
    false,
  ],
  "job requeued in held state": [
    "It was put back in the queue and is held until somebody releases it: scontrol release JOBID.",
    false,
  ],
  badconstraints: [
    "It never starts: no node of this cluster has what it asks for. Look at #SBATCH --constraint, --mem, --gres and --nodes.",
    false,
  ],
  constraints: ["No node has what it asks for at the moment (#SBATCH --constraint).", true],
  partitiondown: ["Its partition is down. It starts when an administrator brings the partition up again.", false],
  partitioninactive: ["Its partition takes no jobs. It starts when an administrator opens the partition again.", false],
  partitiontimelimit: [
    "It never starts: it asks for more time than its partition allows. `sinfo -s` shows the limits; change #SBATCH --time or --partition.",
    false,
  ],
  partitionnodelimit: [
    "It asks for more nodes than its partition has or allows. `sinfo -s` shows them; change #SBATCH --nodes or --partition.",
    false,
  ],
  partitionconfig: [
    "Its partition does not allow what it asks for. `scontrol show partition` shows the limits; change #SBATCH --partition, or ask for less.",
    false,
  ],
  maxmemperlimit: [
    "It asks for more memory than its partition allows. `scontrol show partition` shows the limit; change #SBATCH --mem.",
    false,
  ],
  reqnodenotavail: ["A node that it needs is not available now.", true],
  "nodes required for job are down, drained or reserved for jobs in higher priority partitions": [
    "The nodes that it needs are down, or reserved for other jobs.",
    true,
  ],
  nodedown: ["A node that it needs is down.", true],
  frontenddown: ["The cluster's front end is down.", true],
  licenses: ["It waits for a license (#SBATCH --licenses).", true],
  reservation: ["It waits for its reservation to begin (#SBATCH --reservation).", true],
  reservationdeleted: [
    "It never starts: its reservation was deleted. Cancel it, and change #SBATCH --reservation.",
    false,
  ],
  reservationinvalid: [
    "It never starts: its reservation is not valid. Cancel it, and change #SBATCH --reservation.",
    false,
  ],
  jobarraytasklimit: [
    "As many tasks of this array run as its own limit allows (the number behind % in --array).",
    true,
  ],
  cleaning: ["Slurm is still cleaning up after its earlier start.", true],
  prolog: ["The node is being prepared for it.", true],
  scheddefer: ["Slurm looks at it a little later.", true],
  fedjoblock: ["The clusters are agreeing on which of them runs it.", true],
  invalidaccount: [
    "It never starts: its account is not valid. `sacctmgr show assoc user=$USER` lists yours; change #SBATCH --account.",
    false,
  ],
  invalidqos: [
    "It never starts: its QOS is not valid. `sacctmgr show qos` lists those there are; change #SBATCH --qos.",
    false,
  ],
  accountnotallowed: [
    "Its account may not use this partition. Change #SBATCH --account or --partition, or ask an administrator.",
    false,
  ],
  qosnotallowed: ["Its QOS may not be used here. Change #SBATCH --qos or --partition, or ask an administrator.", false],
  qosusagethreshold: ["The QOS was used more than its share. It starts when that share has recovered.", true],
  accountingpolicy: ["A limit of its account or its QOS is reached.", true],
  associationjoblimit: ["As many jobs of its account run as are allowed.", true],
  associationresourcelimit: ["The jobs of its account hold as much as they are allowed.", true],
  associationtimelimit: ["The jobs of its account have used as much time as they are allowed.", true],
  qosjoblimit: ["As many jobs of its QOS run as are allowed.", true],
  qosresourcelimit: ["The jobs of its QOS hold as much as they are allowed.", true],
  qostimelimit: ["The jobs of its QOS have used as much time as they are allowed.", true],
  deadline: ["It can no longer end before its deadline (#SBATCH --deadline), and Slurm will end it.", false],
  burstbufferresources: ["It waits for burst buffer space.", true],
  burstbufferstagein: ["Its files are being copied to the burst buffer.", true],
  burstbufferoperation: [
    "It is held: its burst buffer could not be prepared. Look at its #BB lines, or ask an administrator.",
    false,
  ],
  powernotavail: ["It waits for electrical power: the cluster's budget for it is used.", true],
  powerreserved: ["It waits for electrical power, which is reserved for other jobs.", true],
  // These tell why an earlier start ended; a job that shows one while it waits is to be started again.
  systemfailure: ["Slurm had a fault when it tried to start it, and tries again.", true],
  joblaunchfailure: ["Slurm could not start it, and tries again.", true],
  nonzeroexitcode: ["It ended with an error and is in the queue again.", true],
  raisedsignal: ["It was ended by a signal and is in the queue again.", true],
  timelimit: ["It reached its time limit and is in the queue again.", true],
  inactivelimit: ["It was idle for too long and is in the queue again.", true],
  outofmemory: ["It ran out of memory and is in the queue again.", true],
};

/** Of these words those that a smaller job would not meet. */
const TOO_MUCH: ReadonlySet<string> = new Set([
  "partitiontimelimit",
  "maxmemperlimit",
  "partitionconfig",
  "badconstraints",
]);

/** Texts with something in them; $1 is what the parentheses of the pattern caught. */
const TEXTS: readonly (readonly [text: RegExp, sentence: string, heals: boolean])[] = [
  [/^ReqNodeNotAvail.*Unavailable(?:Nodes)?:\s*([^\s()]+)/i, "It needs nodes that are down or drained: $1.", true],
  [
    /^ReqNodeNotAvail.*maintenance/i,
    "Its nodes are reserved for maintenance. It starts afterwards; with a shorter #SBATCH --time perhaps before.",
    true,
  ],
  [/^ReqNodeNotAvail.*reserved/i, "Its nodes may be reserved for another job.", true],
  [/^ReqNodeNotAvail/i, "A node that it needs is not available now.", true],
  [
    /account not permitted to use this partition(?: \((.*)\))?/i,
    "Its account may not use this partition. Change #SBATCH --account or --partition, or ask an administrator.",
    false,
  ],
  [
    /QOS not permitted to use this partition/i,
    "Its QOS may not use this partition. Change #SBATCH --qos or --partition, or ask an administrator.",
    false,
  ],
  [
    /^burst[ _]buffer\//i,
    "It is held: its burst buffer could not be prepared. Look at its #BB lines, or ask an administrator.",
    false,
  ],
];

/**
 * What squeue's Reason means ("%r", "%R", -O Reason). Older and newer Slurm put "_" for the spaces of a text, and %R
 * puts it in parentheses; both are read.
 */
export function whyItWaits(raw: string): Waiting {
  const text = raw.trim().replace(/^\((.*)\)$/, "$1");
  const key = text.replaceAll("_", " ").toLowerCase();
  const word = Object.hasOwn(WORDS, key) ? WORDS[key] : undefined;
  if (word) return { sentence: word[0], heals: word[1], ...(TOO_MUCH.has(key) && { asksTooMuch: true }) };
  const limit = limitNamed(text);
  if (limit) return waitingFor(limit);
  for (const [pattern, sentence, heals] of TEXTS) {
    const match = pattern.exec(text);
    if (match) return { sentence: sentence.replace("$1", () => match[1] ?? ""), heals };
  }
  return { sentence: text, heals: true };
}

function waitingFor(limit: Limit): Waiting {
  const { what, owner, kind } = limit;
  if (kind === "request")
    return {
      sentence: `It never starts: ${requestSentence(limit)}`,
      heals: false,
      ...(!limit.minimum && { asksTooMuch: true }),
    };
  return { sentence: SENTENCES[kind](what, owner, limit.shared), heals: true };
}

const SENTENCES = {
  queued: (_what, owner) => `As many jobs wait and run as ${owner} allows. It starts when others have ended.`,
  budget: (what, owner) =>
    `The jobs of ${owner} have used up their budget of ${what.name}. It starts when the budget is renewed; ask whoever looks after it.`,
  together: (what, owner, shared) =>
    what === RESOURCES.job
      ? `As many jobs run as ${owner} allows at a time. It starts when others have ended.`
      : `${shared ? `The jobs of ${owner}` : `Your jobs in ${owner}`} hold all the ${what.name} that they may have. It starts when others have ended, unless it asks for more than that by itself (${what.directive}).`,
} satisfies Record<Exclude<Limit["kind"], "request">, (what: Resource, owner: string, shared: boolean) => string>;

/** What is wrong with a job that breaks this limit by itself, and which directive to change. */
export function requestSentence(limit: Limit): string {
  const { what, owner } = limit;
  const otherwise = "or use another #SBATCH --qos or --account";
  if (limit.minimum) {
    return `it asks for less than a job must in ${owner} (${what.name}). Change ${what.directive}, ${otherwise}.`;
  }
  const whose = limit.kind === "request" ? "one job" : limit.shared ? `all jobs together` : "your jobs together";
  const where = `${whose} may have${limit.onOneNode ? " on one node" : ""} in ${owner}`;
  return limit.overTime
    ? `it asks for ${what.name} for longer than ${where}. Ask for less time (#SBATCH --time) or for less of them (${what.directive}), ${otherwise}.`
    : `it asks for more ${what.name} than ${where}. Change ${what.directive}, ${otherwise}.`;
}
