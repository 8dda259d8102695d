/** `jobmgr status`: what is where, read off the disk alone, whether a manager runs or not. */
import { clockOf, momentOf, zoneName } from "../clock.ts";
import { UsageError } from "../config/config.ts";
import { type Disk, realDisk } from "../disk.ts";
import { EXIT } from "../exit-codes.ts";
import { type ManagerState, managerLines, managerOf } from "../look/manager-state.ts";
import { ALL, isSchedulersId, reportOf, shownId, type View } from "../look/overview.ts";
import type { Report, Row } from "../look/report.ts";
import { secondsBetween, shortDuration } from "../look/times.ts";
import { cut, type Paint, table } from "../paint.ts";
import { printable } from "../printable.ts";
import { openRoot, type Root } from "../root.ts";
import { AbsentError, lookForJobs } from "../selection.ts";
import type { Call, Screen, Terminal } from "./call.ts";
import { tellAbsent } from "./each.ts";

/** What is shown without --all. */
const SHOWN: View["most"] = { pending: 50, waiting: 20, finished: 10 };

/** `--json` lists what waits and runs whole. */
const SHOWN_AS_JSON: View["most"] = { ...ALL, finished: 10 };

const WATCH_MS = 2000;
const CTRL_C = "\x03";
const INTERRUPTED = 130;

interface Options {
  readonly json?: boolean;
  readonly all?: boolean;
  readonly failed?: boolean;
  readonly watch?: boolean;
}

/** Shows the report, as lines, as JSON or live. Throws RootError, AbsentError, UsageError. */
export async function status(call: Call<Options>): Promise<number> {
  const { words, options, settings, around, terminal } = call;
  const disk = realDisk;
  const root = openRoot(disk, settings.root);
  const observer = { host: around.machine.host, isAlive: around.isAlive, patienceS: settings.lockPatienceS };
  const look = (most: View["most"]): Sight => {
    const manager = managerOf(disk, root, observer);
    const { jobs, absent } = lookForJobs(disk, root, words);
    if (jobs.length === 0 && absent.length > 0) throw new AbsentError(absent.join("\n"));
    const selected = words.length === 0 ? {} : { selected: jobs };
    const isWhole = options.all === true || words.length > 0;
    const view = { ...selected, failedOnly: options.failed === true, most: isWhole ? ALL : most };
    return {
      root,
      manager,
      report: reportOf(disk, root, manager, view),
      isWhole: isWhole || options.failed === true,
      absent,
    };
  };
  if (options.watch) return watch(terminal, options, look);
  const sight = look(options.json ? SHOWN_AS_JSON : SHOWN);
  if (options.json) terminal.out(`${JSON.stringify(sight.report, undefined, 1)}\n`);
  else terminal.out(`${linesOf(sight, terminal.width(), terminal.paint).join("\n")}\n`);
  tellAbsent(terminal, sight.absent);
  return sight.absent.length > 0 ? EXIT.absent : EXIT.ok;
}

/** What was seen at one moment. */
export interface Sight {
  readonly root: Root;
  readonly manager: ManagerState;
  readonly report: Report;
  /** What is not shown was not asked for. */
  readonly isWhole: boolean;
  /** Of each name that means no job a sentence. */
  readonly absent: readonly string[];
}

/** Reads everything. */
export function sightOf(disk: Disk, root: Root, manager: ManagerState, most: View["most"] = SHOWN): Sight {
  return {
    root,
    manager,
    report: reportOf(disk, root, manager, { failedOnly: false, most }),
    isWhole: false,
    absent: [],
  };
}

/** Shows it anew each two seconds, and at each key, until q or Ctrl-C. */
async function watch(terminal: Terminal, options: Options, look: (most: View["most"]) => Sight): Promise<number> {
  if (options.json) throw new UsageError("--watch and --json do not go together. Ask for --json as often as you like.");
  // A name that is not there is told before the screen is taken; later it may go and come.
  look(SHOWN);
  const screen = terminal.openScreen();
  if (!screen)
    throw new UsageError(
      "--watch needs a terminal. Ask for `jobmgr status --json` as often as you like, or follow one job: jobmgr logs -f NAME",
    );
  try {
    for (;;) {
      screen.show(screenful(screen, terminal, look));
      const key = await screen.next(WATCH_MS);
      if (key === "q" || key === "Q") return EXIT.ok;
      if (key === CTRL_C) return INTERRUPTED;
    }
  } finally {
    screen.close();
  }
}

/** As many rows as fit: what runs before what waits, and room for the last ones that ended. */
function screenful(screen: Screen, terminal: Terminal, look: (most: View["most"]) => Sight): string[] {
  const height = screen.height();
  const width = terminal.width();
  try {
    const few = look(SHOWN);
    const around = linesOf({ ...few, report: { ...few.report, jobs: [] } }, width, terminal.paint, true).length + 2;
    const room = Math.max(1, height - around);
    const { counts } = few.report;
    const finished = Math.min(counts.complete, Math.max(3, Math.floor(room / 3)));
    const pending = Math.min(counts.pending, Math.max(1, room - finished));
    const waiting = Math.min(counts.waiting, Math.max(0, room - finished - pending));
    const most = { pending, waiting, finished: Math.max(finished, room - pending - waiting) };
    return linesOf(look(most), width, terminal.paint, true).slice(0, height);
  } catch (error) {
    // A root may be out of reach for a while, and a job may go.
    if (error instanceof AbsentError || (error as NodeJS.ErrnoException).syscall !== undefined)
      return [cut(printable((error as Error).message), width)];
    throw error;
  }
}

/** The report as people read it. The rows fit the width; so do, with `isCut`, all lines. */
export function linesOf(
  { root, manager, report, isWhole }: Sight,
  width: number,
  paint: Paint,
  isCut = false,
): string[] {
  const fitting = (line: string) => (isCut ? cut(line, width) : line);
  const { counts, jobs } = report;
  const [who = "", ...problems] = managerLines(root, manager, report.at).map(fitting);
  const lines = [who, ...problems.map((line) => paint.level("warn", line)), ""];
  const total = counts.waiting + counts.pending + counts.complete;
  if (total === 0)
    return [...lines, `No jobs. Move a folder that holds a job.sh into ${root.path}/inbox.`].map(fitting);
  return [
    ...lines,
    ...(jobs.length > 0 ? [...tableOf(report, width, paint), ""] : []),
    fitting(countsLine(report, isWhole)),
  ];
}

/** From so many columns on there is room for more than name, state, time and reason. */
const WIDE = 110;
const WIDER = 140;

/** A long name must not push the reason out of sight. */
function nameColumns(width: number): number {
  return Math.max(12, Math.min(60, Math.floor(width * 0.3)));
}

function tableOf({ jobs, at }: Report, width: number, paint: Paint): string[] {
  const isWide = width >= WIDE;
  const isWider = width >= WIDER;
  // A scheduler's ids are what one tells it; the others are long, and there is room for them or not.
  const hasIds = isWide || jobs.some(({ id }) => id !== undefined && isSchedulersId(id));
  const rows = jobs.map((job) => [
    cut(printable(job.name), nameColumns(width)),
    cut(printable(job.state), 12),
    ...(hasIds ? [cut(printable(shownId(job)), 16)] : []),
    shortSince(job.since, at),
    ...(isWide ? [shortTook(job, at)] : []),
    ...(isWider ? [momentOf(job.startedAt, at), printable(job.engine ?? "-")] : []),
    printable(whyOf(job, at)),
  ]);
  const titles = [
    "NAME",
    "STATE",
    ...(hasIds ? ["ID"] : []),
    "SINCE",
    ...(isWide ? ["TOOK"] : []),
    ...(isWider ? [`STARTED (${zoneName()})`, "ENGINE"] : []),
    "WHY",
  ];
  const [head = "", ...body] = table([titles, ...rows], width);
  return [
    paint.dim(head),
    ...body.map((line, i) => colourState(line, rows[i]?.[0] ?? "", jobs[i]?.state ?? "", paint)),
  ];
}

function whyOf(job: Row, now: string): string {
  const soon = job.expectedStart === undefined ? "" : ` (expected to start ${clockOf(job.expectedStart, now)})`;
  return `${job.why ?? ""}${job.place === "pending" ? soon : ""}`.replace(/\s+/g, " ").trim();
}

/** Also where the name of a job is that of a state. */
function colourState(line: string, name: string, state: string, paint: Paint): string {
  const at = line.indexOf(`  ${state}`, name.length);
  return at === -1 ? line : `${line.slice(0, at + 2)}${paint.state(state)}${line.slice(at + 2 + state.length)}`;
}

function countsLine({ counts, jobs }: Report, isWhole: boolean): string {
  const shown = (place: Row["place"]) => jobs.filter((job) => job.place === place).length;
  const hidden = [
    [counts.waiting - shown("inbox"), "waiting"],
    [counts.pending - shown("pending"), "pending"],
    [counts.complete - shown("complete"), "complete"],
  ].filter(([count]) => Number(count) > 0);
  const more =
    isWhole || hidden.length === 0 ? "" : ` Not shown: ${hidden.map((one) => one.join(" ")).join(", ")} (--all).`;
  return `${counts.waiting} waiting, ${counts.pending} pending, ${counts.complete} complete.${more}`;
}

function shortSince(since: string | undefined, now: string): string {
  return since === undefined ? "-" : shortDuration(secondsBetween(since, now));
}

/** Of one that was moved to complete/ before its end was seen, nobody knows. */
function shortTook({ place, startedAt, endedAt }: Row, now: string): string {
  const until = endedAt ?? (place === "complete" ? undefined : now);
  return startedAt === undefined || until === undefined ? "-" : shortDuration(secondsBetween(startedAt, until));
}
