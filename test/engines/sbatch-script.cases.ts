/** Scripts, and what sbatch 22.05 was seen to make of them; test/slurm/sbatch-script.test.ts asks it again. */
import type { SbatchValues } from "../../engines/sbatch-script.ts";

export interface Case {
  /** What follows "#!/bin/sh". */
  readonly lines: readonly string[];
  readonly args?: readonly string[];
  /** One for each component of a heterogeneous job; undefined where sbatch refuses. */
  readonly components?: readonly SbatchValues[];
}

export const CASES: Readonly<Record<string, Case>> = {
  "long and short options, attached and apart": {
    lines: ["#SBATCH --time=5 --job-name x", "#SBATCH -c2 -n 3"],
    components: [{ time: "5", "job-name": "x", "cpus-per-task": "2", ntasks: "3" }],
  },
  "short flags in one word with an option": { lines: ["#SBATCH -Ht5"], components: [{ hold: "", time: "5" }] },
  "'=' belongs to the value of a short option": { lines: ["#SBATCH -J=x"], components: [{ "job-name": "=x" }] },
  "the last of the same ones": {
    lines: ["#SBATCH --time=5 -t 6", "#SBATCH -t 7"],
    components: [{ time: "7" }],
  },
  "requeue after no-requeue": { lines: ["#SBATCH --no-requeue --requeue"], components: [{ requeue: "" }] },
  "no-requeue after requeue": { lines: ["#SBATCH --requeue --no-requeue"], components: [{ "no-requeue": "" }] },
  "the options jobmgr cares for": {
    lines: ["#SBATCH --signal=B:USR1@30 --open-mode=append --export=NONE --wait --parsable -D /tmp -o a -e b"],
    components: [
      {
        signal: "B:USR1@30",
        "open-mode": "append",
        export: "NONE",
        wait: "",
        parsable: "",
        chdir: "/tmp",
        output: "a",
        error: "b",
      },
    ],
  },
  "an output named none": {
    lines: ["#SBATCH -o none -e NONE"],
    components: [{ output: "/dev/null", error: "/dev/null" }],
  },
  "an optional value only when attached": {
    lines: ["#SBATCH -k --exclusive=user -t 5 --nice"],
    components: [{ "no-kill": "", exclusive: "user", time: "5", nice: "" }],
  },
  "an optional value apart": { lines: ["#SBATCH --exclusive user"] },
  "options that count on the command line only": {
    lines: ["#SBATCH --wrap=x --quiet -v --help --usage --version -t 5"],
    components: [{ time: "5" }],
  },

  "abbreviated long options": {
    lines: ["#SBATCH --arr=1-3 --job=x --out=o --req"],
    components: [{ array: "1-3", "job-name": "x", output: "o", requeue: "" }],
  },
  "the whole name, though it begins another": { lines: ["#SBATCH --time=5"], components: [{ time: "5" }] },
  "a beginning of two names": { lines: ["#SBATCH --tim=5"] },
  "an unknown long option": { lines: ["#SBATCH --unknown"] },
  "an unknown short option": { lines: ["#SBATCH -Z"] },
  "a value for a flag": { lines: ["#SBATCH --hold=yes"] },
  "a missing value": { lines: ["#SBATCH --time"] },
  "a value in the next line": {
    lines: ["#SBATCH -J", "# between", "#SBATCH foo -t 5"],
    components: [{ "job-name": "foo", time: "5" }],
  },
  "an option as a value": { lines: ["#SBATCH -J -t -c 2"], components: [{ "job-name": "-t", "cpus-per-task": "2" }] },
  "a word that is no option": { lines: ["#SBATCH -t 5 foo"] },
  "'--' at the very end": { lines: ["#SBATCH -t 5 --"], components: [{ time: "5" }] },
  "'--' before more": { lines: ["#SBATCH -t 5 --", "#SBATCH -J x"] },

  "what is a directive line, and what is not": {
    lines: [
      " #SBATCH -J x",
      "#SBATCH\t-c\t3",
      "#SBATCH--mem=1",
      "##SBATCH -J x",
      "# SBATCH -J x",
      "#sbatch -J x",
      "#SLURM -t 5",
    ],
    components: [{ "cpus-per-task": "3", mem: "1", time: "5" }],
  },
  "#SBATCHX": { lines: ["#SBATCHX -t 5"] },
  "an empty directive line": { lines: ["#SBATCH", "#SBATCH "], components: [{}] },
  "blank lines of all kinds go by": {
    lines: ["", "   ", "\t", "\v", "\f", "\f# x", "#SBATCH -t 5"],
    components: [{ time: "5" }],
  },
  "all kinds of blanks separate": {
    lines: ["#SBATCH\v-t\f5\r-c 2"],
    components: [{ time: "5", "cpus-per-task": "2" }],
  },
  "a no-break space is no blank": { lines: ["#SBATCH -J a\u00a0b"], components: [{ "job-name": "a\u00a0b" }] },
  "a line of a no-break space is a command": { lines: ["\u00a0", "#SBATCH -t 5"], components: [{}] },
  "behind the first command": { lines: ["#SBATCH -t 5", "true", "#SBATCH -t 6"], components: [{ time: "5" }] },
  "a directive in a here-document": { lines: [": <<X", "#SBATCH -t 5", "X"], components: [{}] },
  "a Python docstring": { lines: ["# coding: utf-8", '"""doc', "#SBATCH -t 5", '"""'], components: [{}] },
  "a long line": {
    lines: [`#SBATCH --comment=${"x".repeat(70_000)} -t 5`],
    components: [{ comment: "x".repeat(70_000), time: "5" }],
  },
  "a carriage return at the very end": { lines: ["#SBATCH -t 5\r"], components: [{ time: "5" }] },

  quotes: {
    lines: [`#SBATCH -J "a b" --comment='c d' --mcs-label=a"b c"d'e'`],
    components: [{ "job-name": "a b", comment: "c d", "mcs-label": "ab cde" }],
  },
  "a quote in the other": { lines: [`#SBATCH -J "it's"`], components: [{ "job-name": "it's" }] },
  "a backslash escapes, also in both kinds of quotes": {
    lines: [`#SBATCH -J "a\\"b" --comment='c\\'d' --mcs-label="x\\\\y" --wckey=\\"z`],
    components: [{ "job-name": 'a"b', comment: "c'd", "mcs-label": "x\\y", wckey: '"z' }],
  },
  "a backslash before a blank is dropped": {
    lines: ["#SBATCH -J a\\ -t5"],
    components: [{ "job-name": "a", time: "5" }],
  },
  "a backslash at the end of a line continues nothing": {
    lines: ["#SBATCH -J x \\", "#SBATCH -t 5\\", "#SBATCH -c 2", "true"],
    components: [{ "job-name": "x", time: "5", "cpus-per-task": "2" }],
  },
  "a line behind such a one is a command": {
    lines: ["#SBATCH -J x \\", "-t 5", "#SBATCH -c 2"],
    components: [{ "job-name": "x" }],
  },
  "an open quote": { lines: ['#SBATCH -J "a'] },
  "an escaped closing quote": { lines: ['#SBATCH -J "a\\"'] },
  "a comment behind options": { lines: ["#SBATCH -J x # it's -t 5"], components: [{ "job-name": "x" }] },
  "a # inside of a word": { lines: ["#SBATCH -J a#b -t 5"], components: [{ "job-name": "a" }] },
  "a # in quotes or escaped": {
    lines: [`#SBATCH -J 'a # b' --comment=c\\#d`],
    components: [{ "job-name": "a # b", comment: "c#d" }],
  },
  "an empty word ends the line": {
    lines: [`#SBATCH -J "" -t 5`, "#SBATCH foo -c 2"],
    components: [{ "job-name": "foo", "cpus-per-task": "2" }],
  },
  "an empty value": {
    lines: [`#SBATCH --comment="" --job-name= -t 5`],
    components: [{ comment: "", "job-name": "", time: "5" }],
  },
  "a colon at the beginning of a word": { lines: ["#SBATCH -J :x"] },
  "a colon elsewhere": { lines: ["#SBATCH -J 'a:x'"], components: [{ "job-name": "a:x" }] },

  "a heterogeneous job: some options are handed on, some are not": {
    lines: ["#SBATCH -J a -c2 -t 5 -o o", "#SBATCH hetjob", "#SBATCH -n3", "#SBATCH hetjob", "#SBATCH -J c"],
    components: [
      { "job-name": "a", "cpus-per-task": "2", time: "5", output: "o" },
      { "job-name": "a", ntasks: "3", time: "5", output: "o" },
      { "job-name": "c", time: "5", output: "o" },
    ],
  },
  "hetjob in any case, joined, and by its old name": {
    lines: ["#SBATCH HetJob", "#SBATCHhetjob", "#SLURM packjob", "#SBATCH -J x"],
    components: [{}, {}, {}, { "job-name": "x" }],
  },
  "the rest of a hetjob line is not read": {
    lines: ["#SBATCH -J a", "#SBATCH hetjob -J b"],
    components: [{ "job-name": "a" }, { "job-name": "a" }],
  },
  "hetjob as a word ends its line, but no component": {
    lines: ["#SBATCH -t 5 hetjob -c2", "#SBATCH -J x"],
    components: [{ time: "5", "job-name": "x" }],
  },
  "hetjob in quotes is a word": { lines: ["#SBATCH 'hetjob'"] },
  "the command line holds for each component": {
    lines: ["#SBATCH -J a -D /usr -c2", "#SBATCH hetjob", "#SBATCH -J b -D /var -o o --open-mode=truncate"],
    args: ["--job-name=x", "--chdir", "/tmp", "-o", "p", "--open-mode=append", "-n2"],
    components: [
      { "job-name": "x", chdir: "/tmp", output: "p", "open-mode": "append", ntasks: "2", "cpus-per-task": "2" },
      { "job-name": "x", chdir: "/tmp", output: "p", "open-mode": "append", ntasks: "2" },
    ],
  },
  "--test-only, --wait and --parsable of one component": {
    lines: ["#SBATCH hetjob", "#SBATCH --wait --parsable --hold", "#SBATCH hetjob"],
    components: [{}, { wait: "", parsable: "", hold: "" }, { wait: "", parsable: "", hold: "" }],
  },

  "#PBS wins over #SBATCH, wherever it stands": {
    lines: ["#PBS -N pbs -l walltime=01:00:00", "#SBATCH -J s -t 5"],
    components: [{ "job-name": "pbs", time: "01:00:00" }],
  },
  "the command line wins over #PBS": {
    lines: ["#PBS -N pbs"],
    args: ["-J", "x"],
    components: [{ "job-name": "x" }],
  },
  "#BSUB keeps #PBS from being read": {
    lines: ["#PBS -N pbs", "#BSUB -W 7"],
    components: [{ time: "7" }],
  },
  "#PBS behind commands": { lines: ["true", "#PBS -N late", "  #PBS -t 1-3"], components: [{ "job-name": "late" }] },
  "#PBS in a here-document": { lines: ["cat <<X", "#PBS -N here", "X"], components: [{ "job-name": "here" }] },
  "#PBS behind 100 other lines": {
    lines: [...Array(50).fill(""), ...Array(200).fill("# x"), ...Array(50).fill("true"), "#PBS -N late"],
    components: [{ "job-name": "late" }],
  },
  "#PBS behind 101 other lines": {
    lines: ["#PBS -N early", ...Array(101).fill("true"), "#PBS -N late"],
    components: [{ "job-name": "early" }],
  },
  "#PBS behind 101 blank lines": { lines: [...Array(101).fill(""), "#PBS -N late"], components: [{}] },
  "#PBS holds for each component": {
    lines: ["#SBATCH -J a", "#PBS -N p -v A=1", "#SBATCH hetjob", "#SBATCH -J b"],
    components: [
      { "job-name": "p", export: "A=1" },
      { "job-name": "p", export: "A=1,A=1" },
    ],
  },
  "--ignore-pbs in the script": {
    lines: ["#PBS -N p", "#SBATCH --ignore -t 5"],
    components: [{ "ignore-pbs": "", time: "5" }],
  },
  "--ignore-pbs in a later component": {
    lines: ["#PBS -N p", "#SBATCH hetjob", "#SBATCH --ignore-pbs -J x"],
    components: [{ "job-name": "p" }, { "job-name": "x", "ignore-pbs": "" }],
  },
  "--ignore-pbs on the command line": {
    lines: ["#PBS -N p"],
    args: ["--ignore-pbs"],
    components: [{ "ignore-pbs": "" }],
  },
  "#PBS, option by option": {
    lines: [
      "#PBS -A acc -e err -h -t 1-3 -m abe -o none -q debug -V -z -I -j oe -k n -r y -S /bin/sh -u me -c n -C x",
      "#PBS -v A=1,B",
      "#PBS -v C -l nodes=1:ppn=2,foo=1,walltime=5 -W umask=077",
    ],
    components: [
      {
        account: "acc",
        error: "err",
        hold: "",
        array: "1-3",
        output: "/dev/null",
        partition: "debug",
        export: "A=1,B,C",
        nodes: "1",
        ntasks: "2",
        time: "5",
      },
    ],
  },
  "#PBS -J is an array": { lines: ["#PBS -J 1-5"], components: [{ array: "1-5" }] },
  "#PBS long options": {
    lines: ["#PBS --job_name=x --array=1-2 --res=walltime=7"],
    components: [{ "job-name": "x", array: "1-2", time: "7" }],
  },
  "#PBS -l nodes": {
    lines: ["#PBS -l nodes=2:ppn=2+1:ppn=3"],
    components: [{ nodes: "3", ntasks: "15" }],
  },
  "#PBS -l nodes by name": { lines: ["#PBS -l nodes=localhost:ppn=3"], components: [{ ntasks: "3" }] },
  "#PBS -l select": {
    lines: ["#PBS -l select=1:ncpus=5:mpiprocs=2"],
    components: [{ nodes: "1", mincpus: "5", "ntasks-per-node": "2", "cpus-per-task": "2" }],
  },
  "#PBS -l select with as many processes": {
    lines: ["#PBS -l select=1:ncpus=2:mpiprocs=2"],
    components: [{ nodes: "1", mincpus: "2", "ntasks-per-node": "2" }],
  },
  "#PBS -l times": { lines: ["#PBS -l host=walltime=4,xpcput=6"], components: [{ time: "6" }] },
  "#PBS with an unknown option": { lines: ["#PBS -foo"] },
  "#PBS with a word": { lines: ["#PBS is what we had before"] },
  "#BSUB, option by option": {
    lines: ["#BSUB -cwd /tmp -e err -J n -M 1000 -n 2,4 -o out -q debug -W 10 -x"],
    components: [
      {
        chdir: "/tmp",
        error: "err",
        "job-name": "n",
        ntasks: "4",
        output: "out",
        partition: "debug",
        time: "10",
        exclusive: "",
      },
    ],
  },
  "#BSUB -cwd in an odd place": { lines: ["#BSUB -x -cwd /tmp"] },
  "#BSUB with an option that sbatch does not know": { lines: ["#BSUB -P project"] },
};

/** --array as given, as scontrol shows it ("" for a plain job); undefined where sbatch refuses. */
export const ARRAYS: readonly (readonly [array: string, shown?: string])[] = [
  ["7", "7"],
  ["1-3", "1-3"],
  ["1,3,5-7", "1,3,5-7"],
  ["3,1,2,2", "1-3"],
  ["1-3,2-5", "1-5"],
  ["5-5", "5"],
  ["0-15:4", "0,4,8,12"],
  ["0-5:9", "0"],
  ["0-9:3,0-9:4", "0,3-4,6,8-9"],
  ["007", "7"],
  ["0-1000", "0-1000"],
  ["1-3%2", "1-3%2"],
  ["0-15:4%2", "0,4,8,12%2"],
  ["1-3,7%2", "1-3,7%2"],
  ["1-3%2,7", "1-3,7%2"],
  ["1-3%2%3", "1-3%2"],
  ["1-3% 2", "1-3%2"],
  ["1-3%2x", "1-3%2"],
  ["1-3%0", "1-3"],
  ["1-3%", "1-3"],
  ["1-3%-1", "1-3"],
  ["1-3%x", "1-3"],
  ["%2", "0%2"],
  ["[1-3]%2", "1-3%2"],
  ["[1-3%2]", "1-3%2"],
  ["[1-3,5-7:2]", "1-3,5,7"],
  ["[1-3", "1-3"],
  ["[]", "0"],
  ["", ""],
  [",", ""],
  ["1,,2", "1-2"],
  ["1,", "1"],
  [" 1, 3", "1,3"],
  ["+1", "1"],
  ["0-", "0"],
  ["- 3", "0-3"],
  ["a"],
  ["3-1"],
  ["1-"],
  ["-1"],
  ["0-5:0"],
  ["0-5:"],
  ["1 "],
  ["1 - 3"],
  ["1-3,7 %2"],
  ["0x1"],
  ["1:2"],
  ["1-3-5"],
  ["1-3:2:2"],
  ["1.5"],
  ["1-3x"],
  ["[[1]]"],
  ["1--3"],
  ["99999999999999999999"],
];
