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

export const STARTED = "started";
export const EXIT = "exit";
export const LIMIT = "limit";

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

/** As quoted, for where `nl` holds a newline: what begins a line of the runner might be taken for a directive. */
function quotedInLine(text: string): string {
  return quoted(text).replaceAll("\n", `'"$nl"'`);
}

/** The whole text of run.sh for one attempt. */
export function runnerText(job: { token: Token; folder: string; command: readonly string[]; plan: Plan }): string {
  return `#!/bin/sh
${job.plan.directives}# jobmgr's runner: starts job.sh at most once for attempt ${job.token}, and records how it ended.
token=${quoted(job.token)}
nl='
'
folder=${quotedInLine(job.folder)}
limit=${Math.ceil(job.plan.limitS)} grace=${Math.ceil(job.plan.graceS)}
id=${job.plan.identity.job} restart=${job.plan.identity.restart} index=${job.plan.identity.task}
set -- ${job.command.map(quotedInLine).join(" ")}
${BODY}`;
}

const BODY = `
set +e +u
unset IFS
umask u+rwx
records="$folder/.jobmgr/attempt-$token"
run=\${index:+.$index}

# not_run WHY: leave without having started job.sh, so that it may be tried again.
not_run() { echo "jobmgr: $1; job.sh was not started" >&2; exit ${NOT_RUN}; }

# An attempt that is no longer in force has no folder of this name: a straggler ends here.
cd "$folder" 2>/dev/null && [ -d "$records" ] || not_run "$records is gone"

# Who am I? A process id alone is no identity. (No pattern of many "*": dash would try for 9 ms.)
field_20() { shift 19; start=$1; }
host='' boot='' start=''
if { read -r host </proc/sys/kernel/hostname && read -r boot </proc/sys/kernel/random/boot_id &&
     read -r start </proc/$$/stat; } 2>/dev/null; then
  field_20 \${start##*) }
else
  host=$(uname -n) boot=$(sysctl -n kern.boottime | tr -dc 0-9) start=$(LC_ALL=C ps -o lstart= -p $$ | tr -d ' ')
fi
me="jobmgr-started 1 $token $host $boot $$ $start $id $restart end"

# The claim: only one process can create the file, and what the file says decides who it was, for a network
# file system may answer "exists" to the very request that created it.
claim() {
  set -C
  { echo "$me" >"$records/started$run"; } 2>/dev/null
  set +C
  owner=''
  for pause in 0 1 1 2 2 4; do
    [ $pause = 0 ] || sleep $pause
    { read -r owner <"$records/started$run"; } 2>/dev/null
    case $owner in *' end') break ;; esac
  done
}

# The very job that has the claim, started again by its scheduler, takes over: each start has records of its own.
is_later() { [ "$id" != - ] && [ "\${8-}" = "$id" ] && [ "\${9-}" -lt "$restart" ]; }

claim
if [ "$restart" -gt 0 ] && is_later $owner; then
  run=$run-r$restart
  claim
fi
case $owner in
  "$me") ;;
  *' end') echo "jobmgr: this attempt was started already ($owner); stepping aside" >&2; exit 0 ;;
  *) not_run "cannot write $records/started$run" ;;
esac

# Pass signals on. One that comes before job.sh runs is kept until it does. When the whole group was sent its TERM,
# because of the time limit or a cancellation, job.sh has it already.
job='' early=''
pass_on() {
  got=yes
  [ "$1" = TERM ] && { [ -e "$records/limit$run" ] || [ -e "$records/cancel" ]; } && return
  if [ "$job" ]; then kill -s "$1" "$job" 2>/dev/null; else early="$early $1"; fi
}
for name in TERM INT HUP USR1 USR2 CONT; do trap "pass_on $name" $name; done

# A background job of sh ignores INT and QUIT, and only bash can undo that from inside.
if [ "\${BASH_VERSION-}" ]; then
  (trap - INT QUIT; exec "$@") &
else
  env --default-signal=INT,QUIT "$@" &
fi
job=$!
for name in $early; do kill -s "$name" "$job" 2>/dev/null; done

# The time limit holds without anybody's help. This group is the job's own, so 0 means all of the job.
timer=''
if [ "$limit" -gt 0 ]; then
  (
    trap '[ "$nap" ] && kill "$nap"; exit' TERM
    nap='' left=$limit
    while [ "$left" -gt 0 ]; do
      slice=60
      [ "$left" -lt $slice ] && slice=$left
      sleep $slice & nap=$!
      wait "$nap"
      left=$((left - slice))
      # Killed together, they would otherwise seem to live on in this timer.
      kill -0 $$ 2>/dev/null || kill -0 "$job" 2>/dev/null || exit
    done
    echo "jobmgr-limit 1 $token $limit end" >"$records/limit$run"
    trap '' TERM
    kill -s TERM 0
    sleep "$grace"
    kill -s KILL 0
  ) >/dev/null 2>&1 &
  timer=$!
fi

# A trap interrupts wait, whose answer then is not the job's; asked again, it tells of a job that has ended as well.
while :; do
  got=''
  wait "$job"
  code=$?
  [ "$got" ] || break
done

# An env without that option ran nothing: hand over to bash, which needs none. Same process, same claim.
if [ "$code" = 125 ] && [ ! "\${BASH_VERSION-}" ] && ! env --default-signal=INT true 2>/dev/null; then
  [ "$timer" ] && kill "$timer"
  exec bash "$records/run.sh"
fi

# The record of the end. A job may have shut its own folder, or filled the disk: mend the one, wait for the other.
for pause in 0 0 1 2 5 10 30; do
  { echo "jobmgr-exit 1 $token $code $host end" >"$records/exit$run"; } 2>/dev/null && break
  chmod u+rwx "$folder" "$folder/.jobmgr" "$records" 2>/dev/null
  sleep $pause
done
[ -e "$records/limit$run" ] && [ "$timer" ] && kill -s KILL "$timer"
[ "$timer" ] && kill "$timer" 2>/dev/null
exit "$code"
`;
