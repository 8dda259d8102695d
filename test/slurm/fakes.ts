/**
 * Slurm's clients, misbehaving: programs that stand before the real ones on PATH.
 *
 * A script is bash. "$REAL" is the real program's path, "$@" what was asked of it, "$STATE" a folder that all calls share,
 * and `nth NAME` prints how often this name was counted, this time included. What a script lets pass goes to the real
 * program: at its end, or by `exec "$REAL" "$@"`.
 */
import { accessSync, chmodSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type Client = "sbatch" | "squeue" | "sacct" | "scancel" | "scontrol";

interface Call {
  readonly program: Client;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly args: readonly string[];
}

interface Fakes {
  /** A PATH with the fakes first. */
  readonly path: string;
  /** The calls of the programs that were faked, in the order in which they came. */
  calls(program?: Client): Call[];
}

const PREAMBLE = `
nth() {
  local n=1
  while ! mkdir "$STATE/$1.$n" 2>/dev/null; do n=$((n + 1)); done
  echo "$n"
}
printf '%s\\0' "\${0##*/}" "$EPOCHREALTIME" $# "$@" >> "$STATE/calls"
`;

/** Single quotes for a shell. */
const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function realPath(program: string): string {
  const folders = (process.env.PATH ?? "").split(":").filter(Boolean);
  const path = folders
    .map((folder) => join(folder, program))
    .find((candidate) => {
      try {
        accessSync(candidate, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  if (path === undefined) throw new Error(`${program} is not installed`);
  return path;
}

/** Puts fakes of these programs into a folder. Their calls are logged; AS_REAL does nothing else. */
export function fakePrograms(folder: string, scripts: Readonly<Partial<Record<Client, string>>>): Fakes {
  const programs = join(folder, "programs");
  const state = join(folder, "state");
  for (const one of [programs, state]) mkdirSync(one, { recursive: true });
  for (const [program, script] of Object.entries(scripts)) {
    const variables = `REAL=${quote(realPath(program))}\nSTATE=${quote(state)}\n`;
    const file = join(programs, program);
    writeFileSync(file, `#!/bin/bash\n${variables}${PREAMBLE}\n${script}\nexec "$REAL" "$@"\n`);
    chmodSync(file, 0o755);
  }
  return {
    path: `${programs}:${process.env.PATH ?? ""}`,
    calls(program) {
      const file = join(state, "calls");
      const fields = existsSync(file) ? readFileSync(file, "utf8").split("\0").slice(0, -1) : [];
      const calls: Call[] = [];
      while (fields.length > 0) {
        const [name, seconds, count] = fields.splice(0, 3);
        // Some locales have a comma there.
        const at = Number(seconds?.replace(",", ".")) * 1000;
        calls.push({ program: name as Client, at, args: fields.splice(0, Number(count)) });
      }
      return calls.filter((call) => program === undefined || call.program === program);
    },
  };
}

/** The real program; its calls are logged. */
export const AS_REAL = "";

const first = (times: number, script: string) => `if (($(nth first) <= ${times})); then\n${script}\nfi`;

/** sbatch: submits, and the answer is lost, the first times. */
export const losesAnswer = (times = 1) =>
  first(
    times,
    `"$REAL" "$@" > /dev/null 2>&1
echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2
exit 1`,
  );

/** sbatch: submits, and is killed before it answers, the first times. */
export const diesAfterSubmitting = (times = 1) => first(times, `"$REAL" "$@" > /dev/null 2>&1\nkill -KILL $$`);

/** sbatch: submits, and never ends, the first times. */
export const hangsAfterSubmitting = (times = 1) => first(times, `"$REAL" "$@" > /dev/null 2>&1\nexec sleep 600`);

/** sbatch: prints more than the id, as the wrappers of some sites do. */
export const PRINTS_BANNER = `
echo "-----------------------------------------------------------------"
echo "           Welcome to the Supercomputer 2000"
echo "-----------------------------------------------------------------"
echo
echo "--> Verifying valid submit host (login1)...OK"
echo "--> Checking available allocation (TG-2024)...OK"
echo "sbatch: lua: 1 of 4711 node hours used" >&2
"$REAL" "$@"
code=$?
echo "Your quota in /home: 12 of 50 GB"
exit $code`;

/** sbatch: submits nothing, and says why, the first times. */
export const refuses = (text: string, times = Number.MAX_SAFE_INTEGER) =>
  first(times, `printf '%s\\n' ${quote(text)} >&2\nexit 1`);

/** squeue: knows of no job, the first times: the header is all that it prints. */
export const knowsNothing = (times = 1) => first(times, '"$REAL" "$@" | grep -am1 STATE\nexit 0');

/** squeue: answers the first half, cut in the middle of a row, and says that all is well, the first times. */
export const answersHalf = (times = 1) =>
  first(
    times,
    `answer=$STATE/answer.$$
"$REAL" "$@" > "$answer" || exit
half=$(($(stat -c %s "$answer") / 2))
# A cut right behind a row would leave whole rows.
case $(head -c "$half" "$answer" | tail -c 1 | od -An -tx1) in *1e | *0a) half=$((half - 2)) ;; esac
head -c "$half" "$answer"
exit 0`,
  );

/** squeue: prints what is no answer at all, and says that all is well, the first times. */
export const printsGarbage = (times = 1) =>
  first(
    times,
    `printf '\\xff\\xfe\\x00<html>\\x1f\\x1f\\x1e\\n42\\x1e\\x1e{"jobs": [\\x1f\\n'
exit 0`,
  );

/** squeue (its fields end with \\x1f, its rows with \\x1e): shows these jobs in this state, whatever it is. */
export const shows = (state: string, ...jobs: readonly string[]) => `
words='PENDING|CONFIGURING|RUNNING|SUSPENDED|COMPLETING|COMPLETED|CANCELLED|FAILED|TIMEOUT|NODE_FAIL|PREEMPTED'
words+='|BOOT_FAIL|DEADLINE|OUT_OF_MEMORY|REQUEUED|REQUEUE_HOLD|SPECIAL_EXIT|STAGE_OUT|STOPPED|REVOKED|RESIZING'
end=$'\\x1e' between=$'\\x1f'
"$REAL" "$@" | {
  while IFS= read -r -d "$end" row; do
    row=$between$row$between
    for job in ${jobs.map(quote).join(" ")}; do
      if [[ $row =~ [$between$'\\n']\\ *"$job"\\ *$between && $row =~ [$between$'\\n']\\ *($words)\\ *$between ]]; then
        field=\${BASH_REMATCH[0]} word=\${BASH_REMATCH[1]}
        row=\${row/"$field"/"\${field/$word/${state}}"}
      fi
    done
    row=\${row#$between} row=\${row%$between}
    printf '%s%s' "$row" "$end"
  done
  printf '%s' "$row"
}
exit "\${PIPESTATUS[0]}"`;

/** sacct: a cluster that keeps no accounts. */
export const IS_DISABLED = `echo "Slurm accounting storage is disabled" >&2\nexit 1`;
