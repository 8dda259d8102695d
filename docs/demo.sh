#!/usr/bin/env bash
# The main job on a temporary root: folders are dropped while jobmgr runs, one of them fails, one comes later.
# Usage: npm run demo, or: demo.sh PROGRAM [ARGUMENT...]. Ends by itself; leaves nothing behind.
# DEMO_PERIOD and DEMO_SETTLE are the seconds of --period and --settle.
set -euo pipefail
if [ $# = 0 ]; then set -- "$(dirname "$0")/../dist/jobmgr.mjs"; fi
program=("$@")
period=${DEMO_PERIOD:-2} settle=${DEMO_SETTLE:-1}
root=$(mktemp -d)/jobs
jobmgr() { "${program[@]}" "$@"; }
show() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
[ -t 1 ] || show() { printf '\n$ %s\n' "$*"; }

# drop NAME: the script on stdin becomes inbox/NAME/job.sh, uploaded under a hidden name and then renamed.
drop() {
  mkdir "$root/inbox/.$1"
  cat >"$root/inbox/.$1/job.sh"
  mv "$root/inbox/.$1" "$root/inbox/$1"
}
# complete NAME...: waits until these are in complete/.
complete() {
  local name
  for name; do
    for _ in $(seq 300); do [ -d "$root/complete/$name" ] && break; sleep 0.1; done
    [ -d "$root/complete/$name" ] || { echo "demo: $name did not end" >&2; exit 1; }
  done
}

show jobmgr --root "$root" --setup
jobmgr --root "$root" --setup

show jobmgr --root "$root" -e LocalEngine -p "$period" --settle "$settle" '&'
"${program[@]}" --root "$root" -e LocalEngine -p "$period" --settle "$settle" &
manager=$!
trap 'kill $manager 2>/dev/null || true; rm -rf "$(dirname "$root")"' EXIT

drop 100-primes <<'JOB'
#!/bin/bash
#SBATCH --time=1
factor {1..50000} | awk 'NF == 2' >primes.txt
echo "$(wc -l <primes.txt) primes below 50000"
JOB
drop 200-words <<'JOB'
tr -cs A-Za-z '\n' <job.sh | sort | uniq -c | sort -rn >words.txt
head -n 3 words.txt
JOB
drop 300-array <<'JOB'
#!/bin/bash
#SBATCH --array=1-3
echo "task $SLURM_ARRAY_TASK_ID of an array in $PWD"
JOB
drop 400-broken <<'JOB'
echo "reading parameters"
solve --input parameters.txt
JOB
complete 100-primes 200-words

# Dropped while the others run.
drop 500-late <<'JOB'
echo "dropped while jobmgr ran"; date
JOB
complete 300-array 400-broken 500-late

show jobmgr --root "$root" status
jobmgr --root "$root" status

show ctrl-C
kill -INT $manager
wait $manager || true

show "(cd $root && find complete -not -path '*/.jobmgr*' | sort)"
(cd "$root" && find complete -not -path '*/.jobmgr*' | LC_ALL=C sort)

show cat complete/400-broken/job_error.txt
cat "$root/complete/400-broken/job_error.txt"
