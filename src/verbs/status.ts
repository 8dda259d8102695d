/** `jobmgr status`: what is where, read off the disk alone, whether a manager runs or not. */
import { join } from "node:path";
import { type Disk, realDisk } from "../disk.ts";
import { EXIT } from "../exit-codes.ts";
import { FILES } from "../files.ts";
import { readOwner } from "../lock.ts";
import { durationText } from "../outcome.ts";
import { cut, type Paint, table } from "../paint.ts";
import { printable } from "../printable.ts";
import { attemptsOf } from "../records.ts";
import { jobFolder, openRoot, type Root } from "../root.ts";
import { namesIn } from "../selection.ts";
import type { Place } from "../stage.ts";
import type { JobStatus } from "../status-file.ts";
import type { Call } from "./call.ts";

/** The finished jobs that are shown without --all. */
const FINISHED_SHOWN = 10;

/** A long name must not push the reason out of sight. */
const NAME_COLUMNS_MAX = 32;

export interface Row {
  readonly name: string;
  readonly place: Place;
  readonly state: string;
  readonly id?: string;
  readonly why?: string;
  /** It waits for something that will not come by itself. */
  readonly stuck?: boolean;
  readonly plannedAt?: string;
  readonly submittedAt?: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly exitCode?: number;
  readonly signal?: string;
}

/** The value of `status --json`. */
export interface Report {
  readonly schema: 1;
  readonly root: string;
  readonly at: string;
  /** Absent when nobody manages the root. */
  readonly manager?: {
    readonly host: string;
    readonly pid: number;
    readonly since: string;
    readonly lastCheckAt?: string;
    readonly engine?: string;
  };
  readonly problems: readonly string[];
  readonly counts: { readonly waiting: number; readonly pending: number; readonly complete: number };
  readonly jobs: readonly Row[];
}

interface Word {
  readonly engine?: string;
  readonly at?: string;
  readonly problems?: Readonly<Record<string, string>>;
  readonly reasons?: Readonly<Record<string, string>>;
}

/** Shows the report, as lines or as JSON. Throws RootError. */
export async function status({
  options,
  settings,
  around,
  terminal,
}: Call<{ json?: boolean; all?: boolean }>): Promise<number> {
  const isAlive = (pid: number, start: string) => around.isAlive(pid, start);
  const all = report(settings.root, options.all === true, isAlive, around.machine.host);
  const text = options.json
    ? JSON.stringify(all, undefined, 1)
    : reportLines(all, terminal.width(), terminal.paint).join("\n");
  terminal.out(`${text}\n`);
  return EXIT.ok;
}

/** Reads everything. Throws RootError. */
export function report(
  path: string,
  all: boolean,
  isAlive: (pid: number, start: string) => boolean,
  thisHost: string,
): Report {
  const disk = realDisk;
  const root = openRoot(disk, path);
  const word = jsonFile<Word>(disk, join(root.own, "manager.json")) ?? {};
  const owner = readOwner(disk, root);
  const lives = owner && (owner.host !== thisHost || isAlive(owner.pid, owner.start));
  const waiting = namesIn(disk, root, "inbox");
  const pending = namesIn(disk, root, "pending");
  const complete = namesIn(disk, root, "complete");
  const finished = complete
    .map((name) => ({ name, atMs: disk.look(jobFolder(root, "complete", name))?.ctimeMs ?? 0 }))
    .sort((a, b) => b.atMs - a.atMs);
  const jobs = [
    ...pending.map((name) => pendingRow(disk, root, name)),
    ...waiting.map((name) => waitingRow(disk, root, name, word)),
    ...finished
      .slice(0, all ? undefined : FINISHED_SHOWN)
      .map(({ name }) => rowOf(name, "complete", statusOf(disk, root, "complete", name), "finished")),
  ];
  return {
    schema: 1,
    root: root.path,
    at: new Date().toISOString(),
    ...(lives && {
      manager: {
        host: owner.host,
        pid: owner.pid,
        since: owner.since,
        ...(word.at && { lastCheckAt: word.at }),
        ...(word.engine && { engine: word.engine }),
      },
    }),
    problems: lives ? Object.values(word.problems ?? {}) : [],
    counts: { waiting: waiting.length, pending: pending.length, complete: complete.length },
    jobs,
  };
}

function jsonFile<T>(disk: Disk, path: string): T | undefined {
  try {
    return JSON.parse(disk.read(path)?.toString("utf8") ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

function statusOf(disk: Disk, root: Root, place: Place, name: string): Partial<JobStatus> {
  return jsonFile<JobStatus>(disk, join(jobFolder(root, place, name), FILES.status)) ?? {};
}

function pendingRow(disk: Disk, root: Root, name: string): Row {
  return rowOf(
    name,
    "pending",
    statusOf(disk, root, "pending", name),
    attempted(disk, root, name) ? "submitting" : "claimed",
  );
}

function attempted(disk: Disk, root: Root, name: string): boolean {
  try {
    return attemptsOf(disk, jobFolder(root, "pending", name)).inForce.length > 0;
  } catch {
    return false;
  }
}

/** An inbox folder has no status file of this life; one that it brought along is of an earlier one. */
function waitingRow(disk: Disk, root: Root, name: string, word: Word): Row {
  const held = disk.look(join(jobFolder(root, "inbox", name), FILES.hold)) !== undefined;
  const why = word.reasons?.[name];
  return { name, place: "inbox", state: held ? "held" : "waiting", ...(why !== undefined && { why }) };
}

/** A job may have written anything into its job_status.json. */
function rowOf(name: string, place: Place, status: Partial<Record<keyof JobStatus, unknown>>, otherwise: string): Row {
  const text = (value: unknown) => (typeof value === "string" ? value : undefined);
  const time = (value: unknown) => (Number.isNaN(Date.parse(text(value) ?? "")) ? undefined : text(value));
  const facts = {
    id: text(status.id),
    why: text(status.why),
    stuck: status.stuck === true ? true : undefined,
    plannedAt: time(status.plannedAt),
    submittedAt: time(status.submittedAt),
    startedAt: time(status.startedAt),
    endedAt: time(status.endedAt),
    exitCode: typeof status.exitCode === "number" ? status.exitCode : undefined,
    signal: text(status.signal),
  };
  const known = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
  return { name, place, state: text(status.state) ?? otherwise, ...known };
}

/** The report as people read it. */
export function reportLines(all: Report, width: number, paint: Paint): string[] {
  const { counts, jobs } = all;
  const lines = [managerLine(all), ...all.problems.map((problem) => `! ${printable(problem)}`), ""];
  if (jobs.length === 0) return [...lines, `No jobs. Move a folder that holds a job.sh into ${all.root}/inbox.`];
  const rows = jobs.map((job) => [
    printable(job.name),
    printable(job.state),
    sinceOf(job, all.at),
    printable(job.why ?? ""),
  ]);
  const [head = "", ...body] = table(
    [["NAME", "STATE", "SINCE", "WHY"], ...rows.map(([name = "", ...rest]) => [cut(name, NAME_COLUMNS_MAX), ...rest])],
    width,
  );
  lines.push(paint.dim(head), ...body.map((line, i) => colourState(line, jobs[i]?.state ?? "", paint)));
  const hidden = counts.complete - jobs.filter((job) => job.place === "complete").length;
  const more = hidden > 0 ? ` (${hidden} of them not shown: --all)` : "";
  return [...lines, "", `${counts.waiting} waiting, ${counts.pending} pending, ${counts.complete} complete${more}.`];
}

function colourState(line: string, state: string, paint: Paint): string {
  const at = line.indexOf(`  ${state}`);
  return at === -1 ? line : `${line.slice(0, at + 2)}${paint.state(state)}${line.slice(at + 2 + state.length)}`;
}

function managerLine(all: Report): string {
  const { manager } = all;
  if (!manager) return `${all.root}: no manager is running. To start one: jobmgr --root ${all.root}`;
  const checked = manager.lastCheckAt === undefined ? "" : `, last check ${ago(manager.lastCheckAt, all.at)} ago`;
  return `${all.root}: ${manager.engine ?? "a manager"} on ${manager.host} (process ${manager.pid})${checked}`;
}

function sinceOf(job: Row, now: string): string {
  const at = job.endedAt ?? job.startedAt ?? job.submittedAt ?? job.plannedAt;
  return at === undefined ? "-" : ago(at, now);
}

function ago(at: string, now: string): string {
  return durationText(Math.max(0, Math.floor((Date.parse(now) - Date.parse(at)) / 1000)));
}
