/** `jobmgr doctor`: is all here that jobmgr needs, and is it well? One line each, with what to do. */
import { realDisk } from "../disk.ts";
import { limitSymptoms, programSymptoms, sessionSymptom, temporarySymptom } from "../doctor/machine.ts";
import { managerSymptoms } from "../doctor/manager.ts";
import { openSymptom, rootSymptoms } from "../doctor/root.ts";
import type { Symptom } from "../engine.ts";
import { EXIT } from "../exit-codes.ts";
import { printable } from "../printable.ts";
import { prose } from "../prose.ts";
import type { Root } from "../root.ts";
import type { Call } from "./call.ts";
import { withManagersEngine } from "./managers-engine.ts";

/** Asks all of it, also where the root cannot be used. Throws EngineError `refused` for an unknown engine. */
export async function doctor(call: Call<{ json?: boolean }>): Promise<number> {
  const { options, terminal } = call;
  const symptoms = await symptomsOf(call);
  const isWell = symptoms.every(({ level }) => level !== "error");
  if (options.json) terminal.out(`${JSON.stringify({ schema: 1, ok: isWell, symptoms }, undefined, 1)}\n`);
  else for (const line of symptoms.flatMap((symptom) => linesOf(symptom, call))) terminal.out(`${line}\n`);
  return isWell ? EXIT.ok : EXIT.failed;
}

async function aboutRoot(root: Root, { settings, around }: Call): Promise<Symptom[]> {
  const { symptoms, skewMs } = await rootSymptoms(realDisk, root, settings, around.runProgram);
  return [...symptoms, ...managerSymptoms(realDisk, root, settings, around, Date.now() + skewMs)];
}

async function symptomsOf(call: Call): Promise<Symptom[]> {
  const { settings, files, around } = withManagersEngine(call);
  const disk = realDisk;
  const engine = await around.makeReader();
  const { root, symptom } = openSymptom(disk, settings);
  const [limits, session, engines] = await Promise.all([
    limitSymptoms(around.runProgram),
    sessionSymptom(around.runProgram),
    engine.diagnose?.() ?? absenceSymptoms(around),
  ]);
  const configuration: Symptom = {
    level: "ok",
    about: "configuration",
    says: files.length > 0 ? files.join(", ") : "no file; jobmgr config shows all values",
  };
  return [
    ...programSymptoms(around),
    configuration,
    ...engines.map((one) => ({ ...one, about: `${engine.name}, ${one.about}` })),
    symptom,
    ...(root ? await aboutRoot(root, call) : []),
    ...limits,
    temporarySymptom(disk),
    session,
  ];
}

/** Of an engine that tells no more of itself. */
async function absenceSymptoms(around: Call["around"]): Promise<Symptom[]> {
  const absence = await around.engineAbsence();
  if (absence !== undefined) return [{ level: "error", about: "here", says: absence }];
  return [{ level: "ok", about: "here", says: "it can run jobs, as far as it says" }];
}

const LEVEL_COLUMNS = "warning".length;

/** One line, where it is for a program. */
function linesOf({ level, about, says }: Symptom, { terminal }: Call): string[] {
  const padding = " ".repeat(LEVEL_COLUMNS - level.length);
  const shown = level === "ok" ? level : terminal.paint.level(level === "error" ? "error" : "warn", level);
  const indent = " ".repeat(LEVEL_COLUMNS + 2);
  const text = `${about}: ${printable(says)}`;
  const lines = terminal.isTerminal ? prose(text, terminal.width() - indent.length) : [text];
  return lines.map((line, i) => `${i === 0 ? `${shown}${padding}  ` : indent}${line}`);
}
