/**
 * The runner: the small POSIX sh script that engines start in place of job.sh, the same for all of them.
 * It runs job.sh at most once per attempt (and per task of an array), and leaves a record of how it ended.
 *
 * It uses builtins wherever it can, for every fork is paid once per job. Its times are the timestamps of the
 * files that it writes, by the clock of their file system.
 */
import type { Plan, Token } from "./engine.ts";

/** The exit code of a runner that did not start job.sh, and might if it were started again (EX_TEMPFAIL). */
export const NOT_RUN = 75;

/** The names of the runner's records. */
export const STARTED = "started";
/** Made when job.sh has ended. */
export const EXIT = "exit";
const LIMIT = "limit";
/** Made by the manager: all jobs that a job was submitted behind have ended as they must. */
export const MET = "met";

/**
 * The name of a runner's record: for one task of an array or for a plain job, and for the n-th time that the
 * scheduler started it again.
 */
export function recordName(base: string, task: number | undefined, restart = 0): string {
  return `${base}${task === undefined ? "" : `.${task}`}${restart === 0 ? "" : `-r${restart}`}`;
}

const RUNNER_RECORD = /^(started|exit|limit)(?:\.(\d+))?(?:-r(\d+))?$/;

/** What one runner left: of the latest start, where the scheduler started a job more than once. */
export interface Run {
  readonly started?: Started;
  readonly startedName: string;
  readonly exit?: Exit;
  readonly exitName: string;
  /** The runner noted that the time limit was reached. */
  readonly limitReached: boolean;
}

/** The latest run of each task (undefined: a plain job), out of the names of an attempt's records. */
export function latestRuns(
  token: string,
  names: Iterable<string>,
  read: (name: string) => string | undefined,
): ReadonlyMap<number | undefined, Run> {
  const runs = new Map<number | undefined, { restart: number; run: Run }>();
  for (const name of names) {
    const [, , index, again] = RUNNER_RECORD.exec(name) ?? [];
    if (!RUNNER_RECORD.test(name)) continue;
    const task = index === undefined ? undefined : Number(index);
    const restart = Number(again ?? 0);
    if ((runs.get(task)?.restart ?? -1) >= restart) continue;
    const [startedName, exitName] = [recordName(STARTED, task, restart), recordName(EXIT, task, restart)];
    const started = parseStarted(read(startedName) ?? "");
    const exit = parseExit(read(exitName) ?? "");
    const run = {
      ...(started?.token === token && { started }),
      startedName,
      ...(exit?.token === token && { exit }),
      exitName,
      limitReached: read(recordName(LIMIT, task, restart)) !== undefined,
    };
    if (run.started || run.exit || restart === 0) runs.set(task, { restart, run });
  }
  return new Map([...runs].map(([task, { run }]) => [task, run]));
}

/** Who claimed an attempt: written by the runner before job.sh starts. */
export interface Started {
  readonly token: string;
  readonly host: string;
  readonly boot: string;
  readonly pid: number;
  /** The process' start time: clock ticks since boot on Linux (proc(5)), else as `ps -o lstart` tells, without blanks. */
  readonly start: string;
  /** The engine's id of the job; "-" where it has none. */
  readonly job: string;
  /** How often the scheduler had started it before. */
  readonly restart: number;
}

/** What an `exit` record says. */
export interface Exit {
  readonly token: string;
  /** As the shell tells it: 128 + n for a death by signal n. */
  readonly code: number;
}

const STARTED_LINE = /^jobmgr-started 1 (\S+) (\S+) (\S+) (\d+) (\S+)(?: (\S+) (\d+))? end$/;
const EXIT_LINE = /^jobmgr-exit 1 (\S+) (\d+) (\S+) end$/;

/** The claim in a `started` record; undefined for one that is empty or cut short. */
export function parseStarted(text: string): Started | undefined {
  const match = STARTED_LINE.exec(firstLine(text));
  if (!match) return undefined;
  const [, token = "", host = "", boot = "", pid, start = "", job = "-", restart = "0"] = match;
  return { token, host, boot, pid: Number(pid), start, job, restart: Number(restart) };
}

/** The end in an `exit` record; undefined for one that is empty or cut short. */
export function parseExit(text: string): Exit | undefined {
  const match = EXIT_LINE.exec(firstLine(text));
  return match ? { token: match[1] ?? "", code: Number(match[2]) } : undefined;
}

function firstLine(text: string): string {
  const end = text.indexOf("\n");
  return end === -1 ? "" : text.slice(0, end);
}

/** A word that sh reads as exactly this text. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** As quoted, for where `jm_nl` holds a newline: what begins a line of the runner might be taken for a directive. */
function quotedInLine(text: string): string {
  return quoted(text).replaceAll("\n", `'"$jm_nl"'`);
}

/** An attempt that must have ended before this one starts: in pending/NAME when it was submitted. */
interface Before {
  readonly name: string;
  readonly token: Token;
  readonly needs: "success" | "end";
  readonly tasks: readonly number[];
}

/** The whole text of run.sh for one attempt; `after`: those behind which it is submitted. */
export function runnerText(job: {
  token: Token;
  folder: string;
  command: readonly string[];
  plan: Plan;
  after?: readonly Before[];
}): string {
  return `#!${job.plan.shell}
${job.plan.directives}# jobmgr's runner: starts job.sh at most once for attempt ${job.token}, and records how it ended.
jm_token=${quoted(job.token)}
jm_nl='
'
jm_folder=${quotedInLine(job.folder)}
jm_limit=${Math.ceil(job.plan.limitS)} jm_grace=${Math.ceil(job.plan.graceS)}
jm_id=${job.plan.identity.job} jm_restart=${job.plan.identity.restart} jm_index=${job.plan.identity.task}
set -- ${job.command.map(quotedInLine).join(" ")}
${BEGIN}${barrierText(job.after ?? [])}${BODY}`;
}

function barrierText(after: readonly Before[]): string {
  if (after.length === 0) return "";
  const all = after.map(({ needs, name, token, tasks }) => {
    const names = tasks.length > 0 ? tasks.map((task) => `.${task}`) : ["''"];
    return `jm_has_ended ${needs} ${quotedInLine(name)} ${token} ${names.join(" ")}`;
  });
  return BARRIER.replace("JM_ALL", () => all.join(" &&\n  "));
}

const BEGIN = `
set +e +u
unset IFS
umask u+rwx
case $jm_restart in *[!0-9]* | '') jm_restart=0 ;; esac
jm_records="$jm_folder/.jobmgr/attempt-$jm_token"
jm_run=\${jm_index:+.$jm_index}

# jm_not_run WHY: leave without having started job.sh, so that it may be tried again.
jm_not_run() { echo "jobmgr: $1; job.sh was not started" >&2; exit ${NOT_RUN}; }

# An attempt that is no longer in force has no folder of this name: a straggler ends here.
cd "$jm_folder" 2>/dev/null && [ -d "$jm_records" ] || jm_not_run "$jm_records is gone"
`;

/** A scheduler may take for an end what is none: that of a copy, which stepped aside, or of another job of the same id. */
const BARRIER = `
# Its scheduler says that the jobs before it have ended as they must. Their own records decide, wherever they are by now.
jm_has_ended() {
  jm_needs=$1 jm_name=$2 jm_before=$3 jm_root=\${jm_folder%/*/*}
  shift 3
  for jm_at in "$jm_root/pending/$jm_name" "$jm_root/complete/$jm_name" "$jm_root/complete/$jm_name"~* \\
    "$jm_root/complete/.$jm_name" "$jm_root/complete/.$jm_name"~*; do
    jm_at=$jm_at/.jobmgr/attempt-$jm_before
    [ -d "$jm_at" ] || continue
    for jm_task in "$@"; do
      jm_end=''
      for jm_exit in "$jm_at/exit$jm_task" "$jm_at/exit$jm_task"-r*; do
        jm_line=''
        { read -r jm_line <"$jm_exit"; } 2>/dev/null
        case "$jm_needs $jm_line" in
          "end jobmgr-exit 1 $jm_before "*' end' | "success jobmgr-exit 1 $jm_before 0 "*' end') jm_end=yes ;;
        esac
      done
      [ "$jm_end" ] || return 1
    done
    return 0
  done
  return 1
}
jm_have_ended() {
  JM_ALL
}
# What it has started once, or the manager has seen to be over, needs no proof any more.
if [ ! -e "$jm_records/met" ] && [ ! -e "$jm_records/started$jm_run" ]; then
  jm_late=yes
  # A network file system may show them late.
  for jm_pause in 0 1 1 2; do
    [ $jm_pause = 0 ] || sleep $jm_pause
    jm_have_ended && jm_late='' && break
  done
  [ "$jm_late" ] && jm_not_run 'no record shows that the jobs before it have ended as they must'
fi
`;

const BODY = `
# Who am I? A process id alone is no identity. (No pattern of many "*": dash would try for 9 ms.)
jm_field_20() { shift 19; jm_start=$1; }
jm_host='' jm_boot='' jm_start=''
if { read -r jm_host </proc/sys/kernel/hostname && read -r jm_boot </proc/sys/kernel/random/boot_id &&
     read -r jm_start </proc/$$/stat; } 2>/dev/null; then
  jm_field_20 \${jm_start##*) }
else
  jm_host=$(uname -n) jm_boot=$(sysctl -n kern.boottime | tr -dc 0-9) jm_start=$(LC_ALL=C ps -o lstart= -p $$ | tr -d ' ')
fi
jm_me="jobmgr-started 1 $jm_token $jm_host $jm_boot $$ $jm_start $jm_id $jm_restart end"

# The claim: only one process can create the file, and what the file says decides who it was, for a network
# file system may answer "exists" to the very request that created it.
jm_claim() {
  set -C
  { echo "$jm_me" >"$jm_records/started$jm_run"; } 2>/dev/null
  set +C
  jm_owner=''
  for jm_pause in 0 1 1 2 2 4; do
    [ $jm_pause = 0 ] || sleep $jm_pause
    { read -r jm_owner <"$jm_records/started$jm_run"; } 2>/dev/null
    case $jm_owner in *' end') break ;; esac
  done
}

# The very job that has the claim, started again by its scheduler, takes over: each start has records of its own.
jm_is_later() { [ "$jm_id" != - ] && [ "\${8-}" = "$jm_id" ] && [ "\${9-}" -lt "$jm_restart" ]; }

jm_claim
if [ "$jm_restart" -gt 0 ] && jm_is_later $jm_owner; then
  jm_run=$jm_run-r$jm_restart
  jm_claim
fi
case $jm_owner in
  "$jm_me") ;;
  *' end') echo "jobmgr: this attempt was started already ($jm_owner); stepping aside" >&2; exit 0 ;;
  *) jm_not_run "cannot write $jm_records/started$jm_run" ;;
esac

# Pass signals on. One that comes before job.sh runs is kept until it does. But a TERM together with CONT is sent to all
# of a job at once, job.sh included, and so is the TERM of the time limit: who ends a job does it so.
jm_job='' jm_early='' jm_term='' jm_cont=''
jm_pass_on() {
  jm_got=yes
  if [ ! "$jm_job" ]; then jm_early="$jm_early $1"; return; fi
  case $1 in
    TERM) jm_term=yes ;;
    CONT) jm_cont=yes ;;
    *) kill -s "$1" "$jm_job" 2>/dev/null ;;
  esac
}
for jm_name in TERM INT HUP QUIT USR1 USR2 ALRM XCPU VTALRM PROF PWR WINCH URG IO CONT; do
  # Not every system has all of them; without "command" a wrong name would end a shell.
  command trap "jm_pass_on $jm_name" $jm_name 2>/dev/null
done

# A background job of sh reads from /dev/null, and ignores INT and QUIT, which only bash can undo from inside.
{ command exec 3<&0; } 2>/dev/null || exec 3</dev/null
if [ "\${BASH_VERSION-}" ]; then
  (trap - INT QUIT; exec "$@") <&3 3<&- &
else
  env --default-signal=INT,QUIT "$@" <&3 3<&- &
fi
jm_job=$!
exec 3<&-
for jm_name in $jm_early; do kill -s "$jm_name" "$jm_job" 2>/dev/null; done

# The time limit holds without anybody's help. This group is the job's own, so 0 means all of the job.
jm_timer=''
if [ "$jm_limit" -gt 0 ]; then
  (
    trap '[ "$jm_nap" ] && kill "$jm_nap"; exit' TERM
    jm_nap='' jm_left=$jm_limit
    while [ "$jm_left" -gt 0 ]; do
      jm_slice=60
      [ "$jm_left" -lt $jm_slice ] && jm_slice=$jm_left
      sleep $jm_slice & jm_nap=$!
      wait "$jm_nap"
      jm_left=$((jm_left - jm_slice))
      # Killed together, they would otherwise seem to live on in this timer.
      kill -0 $$ 2>/dev/null || kill -0 "$jm_job" 2>/dev/null || exit
    done
    echo "jobmgr-limit 1 $jm_token $jm_limit end" >"$jm_records/limit$jm_run"
    trap '' TERM
    kill -s TERM 0
    sleep "$jm_grace"
    kill -s KILL 0
  ) >/dev/null 2>&1 &
  jm_timer=$!
fi

# A trap interrupts wait, whose answer then is not the job's; asked again, it tells of a job that has ended as well.
jm_code=''
while :; do
  jm_got='' jm_last=$jm_code
  wait "$jm_job"
  jm_code=$?
  # Where a signal ended the job at once, bash 5.2 has told of it in the wait before, and now says -1.
  case $jm_code in -*) jm_code=$jm_last ;; esac
  [ "$jm_got" ] || break
  # (Of a job that has ended, wait forgets the code when anything else is started before it is asked again.)
  if [ "$jm_term$jm_cont" ] && kill -0 "$jm_job" 2>/dev/null; then
    sleep 0.2
    case $jm_term,$jm_cont in
      yes,yes) ;;
      yes,) [ -e "$jm_records/limit$jm_run" ] || kill -s TERM "$jm_job" 2>/dev/null ;;
      *) kill -s CONT "$jm_job" 2>/dev/null ;;
    esac
    jm_term='' jm_cont=''
  fi
done

# An env without that option ran nothing: hand over to bash, which needs none. Same process, same claim.
if [ "$jm_code" = 125 ] && [ ! "\${BASH_VERSION-}" ] && ! env --default-signal=INT true 2>/dev/null; then
  [ "$jm_timer" ] && kill "$jm_timer"
  exec bash "$jm_records/run.sh"
fi

# The record of the end. A job may have shut its own folder, or filled the disk: mend the one, wait for the other. When
# somebody has moved the folder meanwhile, this process still stands in it.
for jm_pause in 0 0 1 2 5 10 30; do
  { echo "jobmgr-exit 1 $jm_token $jm_code $jm_host end" >"$jm_records/exit$jm_run"; } 2>/dev/null && break
  [ ! -d "$jm_records" ] && [ -d ".jobmgr/attempt-$jm_token" ] && jm_records=.jobmgr/attempt-$jm_token
  chmod u+rwx "$jm_folder" "$jm_folder/.jobmgr" "$jm_records" 2>/dev/null
  sleep $jm_pause
done
[ -e "$jm_records/limit$jm_run" ] && [ "$jm_timer" ] && kill -s KILL "$jm_timer"
[ "$jm_timer" ] && kill "$jm_timer" 2>/dev/null
exit "$jm_code"
`;
