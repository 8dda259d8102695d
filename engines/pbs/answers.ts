/**
 * What a finished qsub said: the id, or what kind of "no" it was. Pure. OpenPBS says "qsub: TEXT" (pbs_messages.c), Torque
 * "qsub: submit error (TEXT MSG=more)" (pbs_error_db.h), Slurm's qsub quotes sbatch. The texts are those of the two tables;
 * what public logs show of them is in test/engines/pbs-answers.test.ts.
 */
import { type Answer, isNotStarted, type Said } from "../batch/verdicts.ts";

/** "123.server", "123[].server" for an array, "123[]" or "123" where a server leaves its name out. */
const ID_LINE = /^(\d{1,12})(\[\])?(\.[A-Za-z0-9][\w.-]*)?$/;

/** The id that qsub printed, among the banners of a site; two candidates are as good as none. */
export function idIn(stdout: string): string | undefined {
  const found = stdout.split("\n").flatMap((line) => (ID_LINE.test(line.trim()) ? [line.trim()] : []));
  return found.length === 1 ? found[0] : undefined;
}

/** A text and its answer; $1 in the remedy is what the first parentheses caught. */
type Row = readonly [text: RegExp, answer: Answer];

const refused = (remedy: string): Answer => ({ verdict: "refused", remedy });
const unavailable = (remedy: string): Answer => ({ verdict: "unavailable", remedy });

const UNREACHABLE = "The PBS server is out of reach; nothing was submitted.";
const UNSURE = "The answer of PBS was lost, so that it may have been submitted.";
const NOT_INSTALLED = "qsub cannot be started on this machine; is a module not loaded?";
const CREDENTIALS = "PBS could not find out who you are on this machine; nothing was submitted.";
const FULL: Answer = {
  verdict: "full",
  remedy: "As many jobs of yours are queued as PBS allows; it is submitted when others have ended.",
};
const FULL_FOR_ALL: Answer = {
  verdict: "full",
  isGroupLimit: true,
  remedy: "As many jobs are queued as PBS allows; it is submitted when others have ended.",
};
const CLOSED: Answer = {
  verdict: "full",
  isGroupLimit: true,
  remedy:
    "Its queue takes no jobs at the moment. It is submitted when the queue is opened again; qstat -Q lists the others.",
};
const AMBIGUOUS: Answer = { verdict: "ambiguous", remedy: UNSURE };

/** In this order: what a text says of a connection comes before what it says of a job. */
const ROWS: readonly Row[] = [
  // A connection that was never made; the number behind it is errno or a code of PBS, and says no more.
  [
    /cannot connect to server|Could not connect to batch server|Can ?not establish connection/i,
    unavailable(UNREACHABLE),
  ],
  [/Unknown Host|Connection refused|trqauthd unable to authenticate/i, unavailable(UNREACHABLE)],
  [/Invalid credential|Expired credential|munge executable not found|munge_get_auth_data/i, unavailable(CREDENTIALS)],
  [/No Permission|pbs_iff/i, unavailable(CREDENTIALS)],
  [/Server shutting down/i, unavailable("The PBS server is being shut down; nothing was submitted.")],
  [
    /Server busy|too busy|No free connections|connection table full/i,
    unavailable("The PBS server is too busy; nothing was submitted."),
  ],
  // Something was sent, and no answer understood.
  [/Communication failure|End of File|Premature|Batch protocol error|Bad DIS based|protocol failure/i, AMBIGUOUS],
  [/Error (?:writing|reading) data (?:to|from) socket|Socket close detected|Time ?out|timed out/i, AMBIGUOUS],
  [/PBS server internal error|System error|Failed to save job|Connection reset|Broken pipe/i, AMBIGUOUS],
  // Limits of the number of jobs heal; "on resource" is about what this job, or all of them together, ask for.
  [/Maximum number of jobs.*(?:for user|already in queue for user)/i, FULL],
  [/Maximum number of jobs.*already in/i, FULL_FOR_ALL],
  [/would exceed .*per-user limit|would exceed user .*limit/i, FULL],
  [/would exceed .*(?:per-(?:group|project) )?limit/i, FULL_FOR_ALL],
  [/Queue is not enabled|Queue is currently not available/i, CLOSED],
  [/Resource temporarily unavailable|Resource busy|License unavailable|Could not contact Scheduler/i, FULL_FOR_ALL],
  [
    /Unknown queue|requested queue not found/i,
    refused("The queue does not exist. qstat -Q lists those there are; change #PBS -q."),
  ],
  [
    /Access to queue is denied|ACL is not satisfied/i,
    refused("You may not use this queue. qstat -Q lists the others; change #PBS -q."),
  ],
  [
    /No default queue specified/i,
    refused("This server has no default queue. qstat -Q lists those there are; add #PBS -q."),
  ],
  [
    /Job (?:exceeds|violates) queue (?:and\/or server )?resource limits|Resource limit exceeds allowable/i,
    refused(
      "It asks for more than its queue allows. qstat -Qf shows the limits (resources_max); change #PBS -l or -q.",
    ),
  ],
  [
    /Job rejected by all possible destinations/i,
    refused("No queue takes what it asks for. qstat -Qf shows their limits; change #PBS -l or -q."),
  ],
  [
    /cannot submit non-rerunable Array Job/i,
    refused("OpenPBS takes arrays only if it may start them again. Remove #PBS -r n."),
  ],
  [
    /Array job exceeds server or queue size limit|Bad Job Array Request/i,
    refused("The array is too large, or cannot be read. Change #PBS -J (OpenPBS) or -t (Torque)."),
  ],
  [/Unknown resource(?: type)?\s*:?\s*(\S*)/i, refused("PBS does not know what it asks for in #PBS -l. Change it.")],
  [
    /Illegal attribute or resource value(?: for)?\s*(\S*)/i,
    refused("PBS cannot read a value in its #PBS lines ($1). Correct it; sizes need a unit, such as 4gb."),
  ],
  [
    /Resource invalid in "select"|cannot be used with "select" or "place"|Cannot be used with select or place/i,
    refused("-l select and the older -l nodes, ncpus or mem exclude each other. Keep one way in #PBS -l."),
  ],
  [
    /node\(s\) specification error|Illegal value for node|Unknown node|cannot locate feasible nodes/i,
    refused("No nodes are as it asks. pbsnodes -a shows those there are; change #PBS -l nodes or select."),
  ],
  [/Invalid Account/i, refused("The account does not exist, or is not yours. Change #PBS -A.")],
  [
    /Bad (?:U|G)ID for job execution/i,
    refused("PBS does not run jobs of this user, or not from this machine. Submit from a login node, or ask the site."),
  ],
  [/Queue does not allow (.+)/i, refused("Its queue takes no such jobs ($1). Change #PBS -q.")],
  [
    /name is too long|illegal -N value/i,
    refused("Its name is too long, or has signs that PBS does not take. Change #PBS -N."),
  ],
  [
    /(?:illegal|invalid) -(\w) (?:value|option)|illegal option -- (\w)|invalid option -- '?(\w)/i,
    refused("qsub does not accept one of the #PBS lines. Correct or remove it."),
  ],
  [/usage: qsub/i, refused("qsub does not accept one of the #PBS lines. Correct or remove it.")],
  [/jobscript size exceeded/i, refused("The script is larger than PBS takes. Put data into files of their own.")],
  [/Unauthorized Request/i, refused("You may not do that here. Does #PBS -q name a queue that you may use?")],
  [
    /Invalid Job Dependency|did not satisfy dependency/i,
    refused("A job that it waits for cannot be waited for. Change #PBS -W depend."),
  ],
  [/hook (?:rejected|error)/i, refused("A rule of this site refused it; its own words tell why.")],
  [/Access from host not allowed/i, unavailable("PBS takes no jobs from this machine; nothing was submitted.")],
  [/command not found|No such file or directory.*qsub|Permission denied.*qsub/i, unavailable(NOT_INSTALLED)],
];

/** What Slurm's qsub quotes of sbatch (22.05), behind a command with words of the user's own. */
const OF_SBATCH = /\nand the output was:\n(.*)/s;

/** What was sent, or in part, has no line here that says otherwise, and is ambiguous: it is looked for. */
const SLURM_ROWS: readonly Row[] = [
  [/controller \(connect failure\)|establish control(?:ler)? machine address/i, unavailable(UNREACHABLE)],
  [/authentication credential|authentication (?:agent|public key)|Token Generation failed/i, unavailable(CREDENTIALS)],
  [/standby mode|System submissions disabled|Rate limit exceeded/i, unavailable(UNREACHABLE)],
  [/submission failed: (?:Job violates accounting|Resource temporarily unavailable)/i, FULL],
  [
    /submission failed: (?:Invalid|Requested|More processors|User's group|No partition)/i,
    refused("Slurm does not take what it asks for. Change the #PBS lines."),
  ],
  [/Unable to contact slurm controller|Connection|socket|timed out|failure/i, AMBIGUOUS],
  [
    /sbatch: error: (?:Invalid|Unable to open file)/i,
    refused("Slurm does not take what it asks for. Change the #PBS lines."),
  ],
];

/** What kind of "no" it was. For a qsub that gave no id, or gave one and failed all the same. */
export function verdictOf(said: Said): Answer {
  if (isNotStarted(said)) return unavailable(NOT_INSTALLED);
  const { exitCode } = said;
  if (exitCode === 0 || idIn(said.stdout) !== undefined) return AMBIGUOUS;
  const text = `${said.stderr}\n${said.stdout}`;
  const ofSbatch = /^'?\s*sbatch: error: /m.test(text) ? (OF_SBATCH.exec(text)?.[1] ?? text) : undefined;
  for (const [pattern, answer] of ofSbatch === undefined ? ROWS : SLURM_ROWS) {
    const match = pattern.exec(ofSbatch ?? text);
    if (match) return filled(answer, match);
  }
  // From 128 on a shell tells of a signal, but PBS' own codes are there as well; those come with a text.
  const isSignal = exitCode === undefined || (exitCode > 128 && text.trim() === "");
  return isSignal ? AMBIGUOUS : { verdict: "unknown" };
}

function filled(answer: Answer, match: RegExpExecArray): Answer {
  const caught = (match[1] ?? "").replace(/[).]+$/, "").trim();
  return answer.remedy === undefined
    ? answer
    : { ...answer, remedy: answer.remedy.replace(" ($1)", caught === "" ? "" : ` (${caught})`).replace("$1", caught) };
}
