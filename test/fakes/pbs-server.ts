/**
 * A small PBS as programs on PATH: qsub really starts the script, as PBS does (a copy of it, in another folder, with a clean
 * environment), and qstat prints in the forms of test/engines/pbs-transcripts.ts. For what Slurm's commands of these names
 * cannot show: the JSON of OpenPBS, history, exit statuses, arrays.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

const PROGRAM = String.raw`
number() { echo "\${1%%[!0-9]*}"; }
fact() { if [ -e "$job/$1" ]; then echo "$(<"$job/$1")"; else echo "$2"; fi; }
# As OpenPBS escapes what it prints, in JSON and in text.
escaped() {
  local value
  value=$(fact "$@") && value=\${value//\\/\\\\} && value=\${value//\"/\\\"}
  echo "\${value//$'\n'/\\n}"
}
shown() {
  local value
  value=$(fact "$@")
  echo "\${value//$'\n'/^J}"
}

if [ -e "$state/down" ] && [ "$1" != --version ]; then
  echo "Connection refused" >&2
  echo "$self: cannot connect to server pbs (errno=15010)" >&2
  exit 2
fi

case $self in
qsub)
  if [ -s "$state/qsub-says" ]; then cat "$state/qsub-says" >&2; rm "$state/qsub-says"; exit 170; fi
  args="$*" name=STDIN depend=''
  while [ $# -gt 1 ]; do
    case $1 in -N) name=$2 ;; -W) depend=\${2#depend=} ;; esac
    shift
  done
  folder=$PWD range=$(sed -n 's/^#PBS -[Jt] \([0-9]*-[0-9]*\)$/\1/p' "$1")
  if [ "$range" ] && [ $flavour = openpbs ]; then
    case $args in *"-r n "*) echo "qsub: cannot submit non-rerunable Array Job" >&2; exit 255 ;; esac
  fi
  n=1
  while ! mkdir "$state/jobs/$n" 2>/dev/null; do n=$((n + 1)); done
  job=$state/jobs/$n id=$n
  cp "$1" "$job/$n.SC"
  [ "$range" ] && id="$n[]"
  for pair in "name $name" "args $args" "workdir $folder" "id $id"; do echo "\${pair#* }" >"$job/\${pair%% *}"; done
  run() {
    cd /
    env -i PATH="$PATH" HOME=/ PBS_JOBID="$1.pbs" "$index=$2" setsid /bin/sh "$job/$n.SC" \
      >"$folder/$name.o$n\${2:+$between$2}" 2>"$folder/$name.e$n\${2:+$between$2}" </dev/null &
    echo $! >>"$job/pids"
    wait $!
    echo $? >"$job/exit"
  }
  [ "$depend" ] && echo "$depend" >"$job/depend" && echo H >"$job/letter"
  (
    for one in \${depend//,/ }; do
      for before in $(echo "\${one#*:}" | tr : ' '); do
        while [ ! -e "$state/jobs/$(number "$before")/ended" ]; do sleep 0.05; done
        case $one in afterok*) [ "$(cat "$state/jobs/$(number "$before")/exit")" = 0 ] || { echo 91 >"$job/substate"; touch "$job/ended"; exit; } ;; esac
      done
    done
    rm -f "$job/letter"
    if [ "$range" ]; then
      for task in $(seq \${range%-*} \${range#*-}); do run "$n[$task]" $task & done
      wait
    else run $n ""; fi
    [ -e "$job/stays" ] || touch "$job/ended"
  ) >/dev/null 2>&1 &
  if [ -e "$state/loses" ]; then rm "$state/loses"; echo "qsub: End of File" >&2; exit 1; fi
  echo "$id.pbs"
  ;;
qselect)
  # Torque keeps for a while what has ended (keep_completed).
  all=("$state"/jobs/*)
  for job in "\${all[@]}"; do
    [ -e "$job/id" ] && [ ! -e "$job/hidden" ] || continue
    if [ -e "$job/ended" ]; then [ $flavour = torque ] && ((\${job##*/} > \${#all[@]} - 4)) || continue; fi
    echo "$(fact id).pbs"
  done
  ;;
qdel)
  for id in "$@"; do
    job=$state/jobs/$(number "$id")
    if [ ! -e "$job/id" ]; then echo "qdel: Unknown Job Id $id.pbs" >&2; code=153; continue; fi
    if [ -e "$job/ended" ]; then echo "qdel: Request invalid for state of job $id.pbs" >&2; code=38; continue; fi
    echo 91 >"$job/substate"
    for pid in $(cat "$job/pids"); do kill -TERM -- -$pid; done
  done
  exit $code
  ;;
qstat)
  ids='' history='' form=text
  while [ $# -gt 0 ]; do
    case $1 in
      --version) [ $flavour = openpbs ] && echo 'pbs_version = 23.06.06' || echo 'Version: 6.1.2'; exit ;;
      -Q) echo 'Queue'; exit ;;
      -x) history=yes ;;
      -F) form=$2; shift ;;
      -f) ;;
      *) ids="$ids $1" ;;
    esac
    shift
  done
  code=0 comma='' printed=''
  [ $form = json ] && printf '{\n    "timestamp":1616013438,\n    "pbs_version":"23.06.06",\n    "pbs_server":"pbs",\n    "Jobs":{'
  for id in $ids; do
    job=$state/jobs/$(number "$id")
    if [ ! -e "$job/id" ]; then echo "qstat: Unknown Job Id $id.pbs" >&2; code=153; continue; fi
    letter=$(fact letter R) substate=42
    if [ -e "$job/ended" ]; then
      letter=F substate=$(fact substate 92)
      if [ $flavour = openpbs ] && [ ! "$history" ]; then
        echo "qstat: $id.pbs Job has finished, use -x or -H to obtain historical job information" >&2; code=35; continue
      fi
      [ $flavour = torque ] && letter=C
    fi
    exit=$(fact status "$(fact exit)")
    [ -e "$job/ended" ] || exit=''
    depend=$(fact depend) && [ "$depend" ] && depend="            \"depend\":\"$depend\",
"
    if [ $form = json ]; then
      [ "$printed" ] && [ -e "$state/first-only" ] && continue
      printed=yes
      # 005 is no JSON (openpbs issue 1255).
      printf '%s\n        "%s.pbs":{\n            "Job_Name":"%s",\n            "job_state":"%s",\n            "Hold_Types":"n",\n            "Resource_List":{\n                "mem":"4gb",\n                "walltime":"00:02:00"\n            },\n            "resources_used":{\n                "walltime":"00:00:10"\n            },\n            "substate":%s,\n            "Variable_List":{\n                "foo":005,\n                "PBS_O_WORKDIR":"%s"\n            },\n            "comment":"%s",\n%s%s            "Submit_arguments":"%s"\n        }' \
        "$comma" "$(fact id)" "$(fact name)" $letter $substate "$(escaped workdir)" "$(fact comment 'Job run')" "\${exit:+            \"Exit_status\":$exit,
}" "$depend" "$(fact args)"
      comma=,
    else
      printf 'Job Id: %s.pbs\n    Job_Name = %s\n    job_state = %s\n    Hold_Types = n\n    Resource_List.walltime = 00:02:00\n    Variable_List = PBS_O_HOME=/,PBS_O_WORKDIR=%s,\n\tPBS_O_QUEUE=batch\n' "$(fact id)" "$(fact name)" $letter "$(shown workdir)"
      [ -e "$job/depend" ] && echo "    depend = $(fact depend)"
      [ -e "$job/comment" ] && echo "    comment = $(fact comment)"
      [ "$exit" ] && echo "    exit_status = $exit"
      echo "    submit_args = $(fact args)"
      echo
    fi
  done
  [ $form = json ] && printf '\n    }\n}\n'
  exit $code
  ;;
esac
`.replaceAll("\\${", "${");

export interface FakePbs {
  /** To stand first on PATH. */
  readonly folder: string;
  /** The next qsub says this and takes nothing. */
  refuse(text: string): void;
  /** The next qsub takes the job, and its answer gets lost. */
  loseNextAnswer(): void;
  /** A fact of a job as qstat is to tell it: "letter", "comment", "status", "substate", "args"; "hidden": qselect tells nothing; "stays": it is in the queue after it has run. */
  tell(id: number, fact: string, value: string): void;
  /** Whether there is such a fact: "exit" when it has run, "substate" when it was deleted. */
  has(id: number, fact: string): boolean;
  /** qstat -F json tells of one job only, whatever it is asked for (openpbs issue 2672). */
  tellOfOneOnly(): void;
  /** Kills what runs of a job with KILL, so that its runner leaves no word. */
  kill(id: number): void;
  /** Whether the server can be reached. */
  answers(does: boolean): void;
  /** The server does not know the job any more. It goes on, or not. */
  forget(id: number): void;
  /** How many jobs were taken in. */
  taken(): number;
  /** Kills all that runs. */
  end(): void;
}

/** In a folder of its own. Whoever makes it ends it. */
export function makeFakePbs(flavour: "openpbs" | "torque", state: string): FakePbs {
  const folder = join(state, "programs");
  for (const one of [folder, join(state, "jobs")]) mkdirSync(one);
  const [index, between] = flavour === "openpbs" ? ["PBS_ARRAY_INDEX", "."] : ["PBS_ARRAYID", "-"];
  const head = `#!/bin/bash\nstate='${state}' flavour=${flavour} index=${index} between=${between} self=\${0##*/}`;
  writeFileSync(join(state, "pbs"), `${head}${PROGRAM}`);
  chmodSync(join(state, "pbs"), 0o755);
  for (const program of ["qsub", "qstat", "qselect", "qdel", "pbsnodes"])
    symlinkSync(join(state, "pbs"), join(folder, program));
  const at = (id: number, fact: string) => join(state, "jobs", String(id), fact);
  const taken = () => readdirSync(join(state, "jobs")).length;
  const kill = (id: number) => {
    for (const pid of (existsSync(at(id, "pids")) ? readFileSync(at(id, "pids"), "utf8") : "")
      .split("\n")
      .filter(Boolean)) {
      try {
        process.kill(-Number(pid), "SIGKILL");
      } catch {
        // It has ended.
      }
    }
  };
  return {
    folder,
    refuse: (text) => writeFileSync(join(state, "qsub-says"), `${text}\n`),
    loseNextAnswer: () => writeFileSync(join(state, "loses"), ""),
    tell: (id, fact, value) => writeFileSync(at(id, fact), `${value}\n`),
    has: (id, fact) => existsSync(at(id, fact)),
    tellOfOneOnly: () => writeFileSync(join(state, "first-only"), ""),
    kill,
    forget(id) {
      kill(id);
      rmSync(at(id, "id"));
    },
    answers(does) {
      if (does) rmSync(join(state, "down"), { force: true });
      else writeFileSync(join(state, "down"), "");
    },
    taken,
    end() {
      for (let id = taken(); id > 0; id--) kill(id);
    },
  };
}
