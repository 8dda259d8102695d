/** `jobmgr submit`: puts folders, scripts, archives, commands, or copies of finished jobs into the inbox. */
import { basename, join } from "node:path";
import { finishedFolder, isArchiveOnly } from "../archive/finished.ts";
import { archiveName } from "../archive/names.ts";
import { sentArchive, sourceFolder } from "../archive/source.ts";
import { CopyError } from "../change/copy-tree.ts";
import { inputsOf } from "../change/inputs.ts";
import { type Additions, putIn, sweepSubmissions } from "../change/put-in.ts";
import { type Fault, faultOfName, type Submission, sourceOf } from "../change/sources.ts";
import { UsageError } from "../config/config.ts";
import { type Disk, realDisk } from "../disk.ts";
import { diskErrorText } from "../disk-error.ts";
import { EXIT } from "../exit-codes.ts";
import { FILES } from "../files.ts";
import type { Trace } from "../look/trace.ts";
import { Waiting } from "../look/wait-for.ts";
import { printable } from "../printable.ts";
import { jobFolder, openRoot, type Root } from "../root.ts";
import { quoted } from "../runner.ts";
import { selectJob, selectJobs } from "../selection.ts";
import type { Call } from "./call.ts";
import { stagerOf } from "./each.ts";
import { timeoutOf, waitAndTell } from "./wait.ts";

interface Options {
  readonly name?: string;
  readonly from?: string;
  readonly after?: readonly string[];
  readonly afterAny?: readonly string[];
  readonly hold?: boolean;
  readonly here?: boolean;
  readonly verbose?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly json?: boolean;
}

/** One job to be, and what was left out of it. */
type Planned = Submission & { readonly leftOut?: readonly string[] };

/** Throws RootError, UsageError, AbsentError before anything is done. Names go to stdout, and nothing else. */
export async function submit(call: Call<Options>): Promise<number> {
  const { options, settings, terminal } = call;
  const root = openRoot(realDisk, settings.root);
  const planned = planOf(call, root);
  const additions = additionsOf(realDisk, root, options);
  const faults = planned.filter((one): one is Fault => "fault" in one);
  for (const { fault } of faults) terminal.err(`jobmgr: ${fault}\n`);
  if (faults.length > 0) {
    if (planned.length > faults.length) terminal.err("Nothing was submitted.\n");
    return EXIT.failed;
  }
  const jobs = planned as Planned[];
  const archive = jobs.find(({ source }) => source.is === "archive");
  if (archive && (additions.hold || additions.after.length > 0))
    throw new UsageError(
      `${printable(archive.name)} is an archive: put job_hold or job_after.txt into it, or submit the folder`,
    );
  if (options.timeout !== undefined && !options.wait) throw new UsageError("--timeout is for --wait");
  const timeoutS = timeoutOf(options.timeout);
  const waiting = options.wait ? new Waiting(realDisk, root) : undefined;
  const { traces, exitCode } = await putAllIn(call, root, jobs, additions);
  for (const trace of traces) waiting?.add(trace);
  if (waiting && traces.length > 0 && exitCode === EXIT.ok) return waitAndTell(call, root, waiting, timeoutS);
  const names = traces.map(({ name }) => ({ name }));
  if (options.json) terminal.out(`${JSON.stringify({ schema: 1, jobs: names }, undefined, 1)}\n`);
  return exitCode;
}

/** One after the other; what stands in the way of one stops no other. */
async function putAllIn(call: Call<Options>, root: Root, jobs: readonly Planned[], additions: Additions) {
  const by = stagerOf(call);
  await sweepSubmissions(realDisk, root, by);
  const traces: Trace[] = [];
  for (const job of jobs) {
    try {
      const trace = await putIn(realDisk, root, job.name, job.source, additions, by);
      traces.push(trace);
      tell(call, trace.name, job);
    } catch (error) {
      if (!(error instanceof CopyError) && typeof (error as NodeJS.ErrnoException).syscall !== "string") throw error;
      call.terminal.err(
        `jobmgr: ${printable(job.name)} was not submitted: ${diskErrorText(error as NodeJS.ErrnoException)}\n`,
      );
    }
  }
  return { traces, exitCode: traces.length === jobs.length ? EXIT.ok : EXIT.failed };
}

function tell({ options, terminal }: Call<Options>, name: string, job: Planned): void {
  if (!options.json) terminal.out(`${terminal.isTerminal ? printable(name) : name}\n`);
  const { leftOut = [] } = job;
  if (leftOut.length === 0) return;
  const what = leftOut.length === 1 ? "1 file or folder" : `${leftOut.length} files and folders`;
  terminal.err(
    `${printable(name)}: ${what} that came out of the job left out${options.verbose ? ":" : "; -v names them"}\n`,
  );
  if (options.verbose) for (const path of leftOut) terminal.err(`  ${printable(path)}\n`);
}

/** What is to be submitted: paths, or a copy of a job, or a command. */
function planOf(call: Call<Options>, root: Root): (Planned | Fault)[] {
  const { words, command, options, settings } = call;
  const kinds = [words.length > 0, options.from !== undefined, command.length > 0].filter(Boolean).length;
  if (kinds !== 1)
    throw new UsageError(`submit needs paths, or --from and a job, or -- and a command: ${hintOf(call, kinds)}`);
  if (options.here && command.length === 0) throw new UsageError("--here is for a command, behind --");
  if (options.name !== undefined) {
    const fault = faultOfName(options.name);
    if (fault) throw new UsageError(`--name ${options.name}: ${fault.replace(/\.$/, "")}`);
    if (words.length > 1) throw new UsageError("--name is for one job, and several paths are given");
  }
  const planned = [
    ...words.map((word) => sourceOf(realDisk, root, word, { name: options.name, finishedFile: settings.finishedFile })),
    ...(options.from === undefined ? [] : [copyOf(call, root, options.from)]),
    ...(command.length === 0 ? [] : [commandJob(command, options)]),
  ];
  return planned;
}

/** Who writes the path behind --after has given it as a name. */
function hintOf({ options }: Call<Options>, kinds: number): string {
  const names = [options.after, options.afterAny].find((list) => (list ?? []).length > 1);
  if (kinds > 0 || names === undefined) return "one of the three";
  return `all words behind --after are names of jobs, also ${printable(names.at(-1) ?? "")}. Put paths before it`;
}

/** A new job with the inputs of one that has ended, or waits. */
function copyOf({ options, settings }: Call<Options>, root: Root, word: string): Planned | Fault {
  const { place, name } = selectJob(realDisk, root, word, ["complete", "inbox"]);
  if (place === "complete" && isArchiveOnly(realDisk, root, name)) return sentOf(root, name, options.name);
  const path = jobFolder(root, place, name);
  if (realDisk.look(path)?.kind !== "folder" || !realDisk.look(join(path, FILES.script)))
    return { fault: `${printable(name)} is no folder with a job.sh in it, so that it cannot be copied.` };
  const { keeps, leftOut } = inputsOf(realDisk, path, settings.finishedFile);
  return { name: options.name ?? name, source: { is: "folder", path, keeps }, leftOut };
}

/** What a job came as, of which only the archive of its results is left beside. */
function sentOf(root: Root, name: string, newName = name): Planned | Fault {
  const folder = finishedFolder(realDisk, root, name);
  const sent = sentArchive(realDisk, folder);
  const { ending } = archiveName(sent ?? "") ?? {};
  if (sent === undefined || ending === undefined)
    return { fault: `of ${printable(name)} only its archive is left in complete, and not what was sent.` };
  return { name: newName, source: { is: "archive", path: join(sourceFolder(folder), sent), ending } };
}

/** A job of one command, which runs in the job's own folder, or where one stands now. */
function commandJob(command: readonly string[], { name, here }: Options): Planned | Fault {
  const own = basename(command[0] ?? "").replace(/^\.+/, "");
  const cd = here ? `cd ${quoted(process.cwd())} || exit\n` : "";
  const text = `#!/bin/sh\n${cd}exec ${command.map(quoted).join(" ")}\n`;
  const fault = name === undefined ? faultOfName(own) : undefined;
  return fault
    ? { fault: `${printable(own)}: ${fault} Give it a name with --name.` }
    : { name: name ?? own, source: { is: "command", text } };
}

/** Throws AbsentError for a job that is not there to be waited for. */
function additionsOf(disk: Disk, root: Root, { after = [], afterAny = [], hold }: Options): Additions {
  // All that are not there are told at once.
  selectJobs(disk, root, [...after, ...afterAny]);
  const linesOf = (words: readonly string[], prefix: string) =>
    selectJobs(disk, root, words).map(({ name }) => prefix + afterLine(name));
  return { hold: hold === true, after: [...new Set([...linesOf(after, ""), ...linesOf(afterAny, "any ")])] };
}

/** A name as job_after.txt has it: "./" keeps it from being taken for a word of that file. */
function afterLine(name: string): string {
  if (/\n|^\s|\s$/.test(name))
    throw new UsageError(`${printable(name)} cannot be waited for: it begins or ends with a blank, or holds a newline`);
  return /^(#|any\s)/.test(name) ? `./${name}` : name;
}
