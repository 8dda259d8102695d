/** `jobmgr explain NAME`: why a job is where it is, how it was submitted, and what became of each attempt. */

import { join } from "node:path";
import { momentOf, zoneName } from "../clock.ts";
import type { Settings } from "../config/config.ts";
import { realDisk } from "../disk.ts";
import { EXIT } from "../exit-codes.ts";
import type { ReadyRules } from "../inbox/ready.ts";
import { jsonObject, numberIn, textIn } from "../json-file.ts";
import { type Explanation, explain as explanationOf } from "../look/explanation.ts";
import { type AttemptHistory, whyNoOutcome } from "../look/history.ts";
import { managerOf } from "../look/manager-state.ts";
import { shownId } from "../look/overview.ts";
import { secondsBetween } from "../look/times.ts";
import { durationText } from "../outcome.ts";
import { outputName } from "../outputs.ts";
import { table, wrapped } from "../paint.ts";
import { printable } from "../printable.ts";
import { prose } from "../prose.ts";
import type { Root } from "../root.ts";
import { openRoot } from "../root.ts";
import { type JobRef, selectJob } from "../selection.ts";
import { shellName, shellWord } from "../shell-word.ts";
import type { Call, Surroundings, Terminal } from "./call.ts";
import { NEWEST_FIRST, placesBeside } from "./logs.ts";

/** Throws RootError, AbsentError. */
export async function explain(call: Call<{ json?: boolean }>): Promise<number> {
  const { words, options, settings, around, origins, terminal } = call;
  const disk = realDisk;
  const root = openRoot(disk, settings.root);
  const job = selectJob(disk, root, words[0] ?? "", NEWEST_FIRST);
  const observer = { host: around.machine.host, isAlive: around.isAlive, patienceS: settings.lockPatienceS };
  const manager = managerOf(disk, root, observer);
  const now = new Date().toISOString();
  const rules = await rulesOf(settings, around, root);
  const explanation = explanationOf({ disk, root, manager, rules, pauseFile: settings.pauseFile, now }, job);
  const program = origins.root === undefined ? `jobmgr --root ${shellWord(root.path)}` : "jobmgr";
  const also = placesBeside(disk, root, job).map((place) => `${place}/${job.name}`);
  if (options.json) terminal.out(`${JSON.stringify(asJson(job, explanation, also, now), undefined, 1)}\n`);
  else for (const line of linesOf(job, explanation, also, program, terminal, now)) terminal.out(`${line}\n`);
  return EXIT.ok;
}

/** Those of a manager that would be started here; its user is the one to whom the root belongs. */
async function rulesOf(settings: Settings, around: Surroundings, root: Root): Promise<ReadyRules> {
  const { settleS, readyFile, finishedFile } = settings;
  if (settings.allowShared) return { settleS, readyFile, finishedFile, owners: undefined };
  const users = await Promise.all(settings.allowOwners.map((user) => around.uidOf(user)));
  const own = realDisk.look(root.own)?.uid;
  return {
    settleS,
    readyFile,
    finishedFile,
    owners: new Set([...users, own].filter((uid) => uid !== undefined)),
  };
}

function linesOf(
  job: JobRef,
  { state, sentences, next, attempts }: Explanation,
  also: readonly string[],
  program: string,
  terminal: Terminal,
  now: string,
): string[] {
  const { paint } = terminal;
  const width = terminal.width();
  const lines = [`${job.place}/${printable(job.name)}: ${paint.state(printable(state))}`, ""];
  for (const sentence of sentences) lines.push(...prose(printable(sentence), width));
  if (also.length > 0)
    lines.push("", `There is another one of this name: ${program} explain ${shellName(also[0] ?? "")}`);
  const last = attempts.at(-1);
  if (last?.command !== undefined) lines.push("", paint.dim("The submit command:"), `  ${printable(last.command)}`);
  lines.push(...planLines(job, last, width));
  if (attempts.length > 0) lines.push("", ...attemptLines(attempts, terminal, now, job.place !== "complete"));
  if (next.length > 0) lines.push("", paint.dim("What one can do:"), ...nextLines(next, job, also.length > 0, program));
  return lines;
}

function planLines(job: JobRef, attempt: AttemptHistory | undefined, width: number): string[] {
  const plan = attempt?.plan;
  if (!attempt || !plan) return [];
  const lines: string[] = [];
  const add = (title: string, value: string) => lines.push(...wrapped(printable(`${title}: ${value}`), width, "  "));
  const { engine, engineVersion, engineFrom } = attempt;
  if (engineVersion !== undefined)
    add("Its engine", `${engine} ${engineVersion}${engineFrom === undefined ? "" : ` from ${engineFrom}`}`);
  if (plan.jobName !== job.name) add("Its job name", String(plan.jobName));
  const outputs = outputNames(attempt);
  if (outputs.length > 0) add("Its output", outputs.join(", "));
  if (Array.isArray(plan.ignored) && plan.ignored.length > 0)
    add("Directives that are not honoured", plan.ignored.join(", "));
  return lines.length === 0 ? [] : ["", ...lines];
}

/** As they are named on disk, with TASK in place of a task's index; none before it was submitted. */
function outputNames({ plan, id }: Pick<AttemptHistory, "plan" | "id">): string[] {
  if (id === undefined || !Array.isArray(plan?.outputs)) return [];
  return plan.outputs.map((one) => outputName(String(one), id, "TASK"));
}

/** From so many columns on there is room for the ids, and for when it was planned. */
const WIDE = 110;

function attemptLines(attempts: readonly AttemptHistory[], terminal: Terminal, now: string, goesOn: boolean): string[] {
  const isWide = terminal.width() >= WIDE;
  const rows = attempts.map((attempt, i) => {
    const { state, token, toldId, isInForce, plannedAt, submittedAt, startedAt, endedAt } = attempt;
    const id = shownId({ token, ...(toldId !== undefined && { id: toldId }) });
    return [
      String(i + 1),
      printable(state),
      ...(isWide ? [id, momentOf(plannedAt, now)] : []),
      momentOf(submittedAt, now),
      momentOf(startedAt, now),
      momentOf(endedAt, now),
      between(submittedAt, startedAt ?? endedAt ?? now),
      // Of an earlier one that has no end, or one that was moved to complete/, nobody knows how long it ran.
      between(startedAt, endedAt ?? (isInForce && goesOn ? now : undefined)),
    ];
  });
  const titles = [
    "ATTEMPT",
    "STATE",
    ...(isWide ? ["ID", "PLANNED"] : []),
    "SUBMITTED",
    "STARTED",
    "ENDED",
    "WAITED",
    "RAN",
  ];
  const [head = "", ...body] = table([titles, ...rows], terminal.width());
  const zone = terminal.paint.dim(`Times of day are those of ${zoneName()}.`);
  return [terminal.paint.dim(head), ...body, ...endLines(attempts, terminal.width()), zone];
}

/** How earlier attempts ended, and by what rule another one followed. */
function endLines(attempts: readonly AttemptHistory[], width: number): string[] {
  return attempts.flatMap((attempt, i) => {
    const { outcome, isInForce, records } = attempt;
    const isLast = i === attempts.length - 1;
    const retry = jsonObject(realDisk, join(records, "retry"));
    const [number, of] = [numberIn(retry.number), numberIn(retry.of)];
    const again = number !== undefined && of !== undefined ? [`It is followed by attempt ${number} of ${of}.`] : [];
    const raised = Array.isArray(retry.raised) ? retry.raised.flatMap((one) => textIn(one) ?? []) : [];
    const more = raised.length > 0 ? [`That asks for ${raised.join(" and ")}.`] : [];
    const end = outcome ? [outcome.why] : isInForce ? [] : [whyNoOutcome(attempt)];
    const parts = [...(isLast ? [] : end), ...again, ...more];
    return parts.length === 0 ? [] : wrapped(printable(`${i + 1}: ${parts.join(" ")}`), width, "   ");
  });
}

function between(from: string | undefined, to: string | undefined): string {
  return from === undefined || to === undefined ? "-" : durationText(Math.max(0, Math.round(secondsBetween(from, to))));
}

function nextLines(next: Explanation["next"], job: JobRef, hasNamesake: boolean, program: string): string[] {
  const name = hasNamesake ? `${job.place}/${job.name}` : job.name;
  // What stands behind an option is its value, whatever it begins with.
  const commands = next.map(([verb, does]) => {
    const word = /--\w+$/.test(verb) ? shellWord(name) : shellName(name);
    return [`  ${program} ${verb} ${word}`, does];
  });
  return table(commands, Number.POSITIVE_INFINITY);
}

/** The value of `explain --json`. */
function asJson(job: JobRef, explanation: Explanation, also: readonly string[], now: string) {
  const { state, sentences, next, attempts } = explanation;
  return {
    schema: 1,
    name: job.name,
    place: job.place,
    state,
    at: now,
    sentences,
    also,
    // "id" is the one that people are told, as in job_status.json and `status --json`.
    attempts: attempts.map(({ plan, records: _records, recordedAt: _recorded, toldId, id: outputId, ...attempt }) => ({
      ...attempt,
      ...(toldId !== undefined && { id: toldId }),
      ...(plan && {
        jobName: plan.jobName,
        outputs: outputNames({ plan, ...(outputId !== undefined && { id: outputId }) }),
        asked: plan.asked ?? {},
        ignored: plan.ignored,
        args: plan.args,
      }),
    })),
    next: next.map(([verb, does]) => ({ verb, does })),
  };
}
