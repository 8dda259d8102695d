/** `jobmgr -e DryRunEngine`: what a manager would submit now, in its order. Only reads: all folders stay where they are. */
import { join } from "node:path";
import { arrivalName } from "../archive/names.ts";
import { realDisk } from "../disk.ts";
import type { Engine, Machine, Plan } from "../engine.ts";
import { isEngineError } from "../engine-error.ts";
import { EXIT } from "../exit-codes.ts";
import { FILES } from "../files.ts";
import type { ReadyRules } from "../inbox/ready.ts";
import { isForeign } from "../inbox/reasons.ts";
import { lookUnlessShut } from "../look/overview.ts";
import { readinessNow } from "../look/waiting.ts";
import { ownersOf } from "../owners.ts";
import { printable } from "../printable.ts";
import { attemptFolder, newToken } from "../records.ts";
import { waitingRetry } from "../retry/again.ts";
import { jobFolder, openRoot, type Root } from "../root.ts";
import { commandOfScript, type Script } from "../script.ts";
import { readScript } from "../script-file.ts";
import { namesIn } from "../selection.ts";
import type { Call } from "./call.ts";

/** What would become of a folder of the inbox. */
type Prospect =
  | { readonly is: "submitted"; readonly command: string; readonly head: readonly string[]; readonly runs: string }
  | { readonly is: "refused" | "waiting" | "unpacked" | "cancelled"; readonly why: string };

/** Shows it, and returns 1 if any job would be refused. Throws RootError, EngineError. */
export async function dryRun({ settings, around, terminal }: Call): Promise<number> {
  const root = openRoot(realDisk, settings.root);
  const engine = await around.makeReader();
  const { settleS, readyFile, finishedFile } = settings;
  const rules = { settleS, readyFile, finishedFile, owners: await ownersOf(settings, around) };
  const counts = { submitted: 0, refused: 0, waiting: 0, unpacked: 0, cancelled: 0 };
  if (realDisk.look(settings.pauseFile))
    terminal.out(`Paused by ${settings.pauseFile}: nothing would be taken in.\n\n`);
  for (const name of namesIn(realDisk, root, "inbox")) {
    const prospect = waitOf(root, name, rules) ?? prospectOf(root, engine, around.machine, name);
    counts[prospect.is]++;
    terminal.out(
      `${printable(name)}\n${linesOf(prospect)
        .map((line) => `  ${printable(line)}\n`)
        .join("")}\n`,
    );
  }
  const { submitted, refused, waiting, unpacked, cancelled } = counts;
  const more = `${unpacked > 0 ? `, ${unpacked} unpacked first` : ""}${cancelled > 0 ? `, ${cancelled} cancelled` : ""}`;
  terminal.out(
    `${submitted} would be submitted, ${refused} refused, ${waiting} would wait${more}. Nothing was changed.\n`,
  );
  return refused > 0 ? EXIT.failed : EXIT.ok;
}

/** What keeps it from being submitted now; undefined if nothing does. */
function waitOf(root: Root, name: string, rules: ReadyRules): Prospect | undefined {
  const readiness = readinessNow(realDisk, root, name, rules);
  const why = readiness.is === "unready" ? readiness.why : undefined;
  const isCancelled = lookUnlessShut(realDisk, join(jobFolder(root, "inbox", name), FILES.cancel)) !== undefined;
  if (isCancelled && !isForeign(why))
    return { is: "cancelled", why: `it is to be cancelled (${FILES.cancel}), and would end without being run` };
  return why === undefined ? undefined : { is: "waiting", why };
}

function prospectOf(root: Root, engine: Engine, machine: Machine, name: string): Prospect {
  const arrival = arrivalName(name);
  if (arrival && realDisk.look(join(root.inbox, name))?.kind === "file") {
    const why = arrival.form === "script" ? "It would become a folder with this job.sh" : "It would be unpacked";
    return { is: "unpacked", why: `${why}; jobmgr check ${printable(name)} says more.` };
  }
  const folder = jobFolder(root, "inbox", name);
  const read = readScript(realDisk, folder, name);
  if ("fault" in read) return { is: "refused", why: read.fault };
  try {
    const plan = engine.plan(read.script, waitingRetry(realDisk, folder)?.scale);
    return submission(root, engine, machine, name, read.script, plan);
  } catch (error) {
    if (!isEngineError(error)) throw error;
    return { is: error.verdict === "refused" ? "refused" : "waiting", why: error.message };
  }
}

/** As the attempt would be that is made of it: but for its token, which is new each time. */
function submission(root: Root, engine: Engine, madeOn: Machine, name: string, { text }: Script, plan: Plan): Prospect {
  const token = newToken(new Date());
  const folder = jobFolder(root, "pending", name);
  const records = attemptFolder(folder, token);
  const attempt = { token, folder, records, runner: join(records, "run.sh"), plan, madeOn };
  const head = [`#!${plan.shell}`, ...plan.directives.split("\n").slice(0, -1)];
  return { is: "submitted", command: engine.command(attempt), head, runs: commandOfScript(text).join(" ") };
}

function linesOf(prospect: Prospect): readonly string[] {
  if (prospect.is === "refused") return [`would be refused: ${prospect.why}`];
  if (prospect.is !== "submitted") return [prospect.why];
  const { command, head, runs } = prospect;
  return [command, "run.sh:", ...head.map((line) => `  ${line}`), `  (then jobmgr's runner, which starts: ${runs})`];
}
