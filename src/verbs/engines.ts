/** `jobmgr engines`: which engines there are, and whether each could run jobs here. */
import { EXIT } from "../exit-codes.ts";
import { table } from "../paint.ts";
import { printable } from "../printable.ts";
import { prose } from "../prose.ts";
import type { Call, EngineEntry } from "./call.ts";
import { withManagersEngine } from "./managers-engine.ts";

/** Shows those that come with jobmgr, those in packages, and the one that is in force. */
export async function engines(call: Call<{ json?: boolean }>): Promise<number> {
  const { options, around, terminal } = withManagersEngine(call);
  const entries = await around.listEngines();
  if (options.json) {
    terminal.out(`${JSON.stringify({ schema: 1, engines: entries.map(jsonOf) }, undefined, 1)}\n`);
    return EXIT.ok;
  }
  const rows = entries.map((entry) => [
    printable(entry.word),
    printable(entry.version ?? "-"),
    entry.absence === undefined ? "yes" : "no",
    whatOf(entry),
  ]);
  const head = ["ENGINE", "VERSION", "RUNS HERE", "WHAT RUNS THE JOBS"];
  for (const line of table([head, ...rows], terminal.width())) terminal.out(`${line}\n`);
  terminal.out("\n");
  for (const { word, from, absence } of entries) {
    if (absence === undefined) continue;
    const where = from === undefined || from === word ? "" : ` (${from})`;
    const text = printable(`${word}${where}: ${absence}`);
    for (const line of terminal.isTerminal ? prose(text, terminal.width(), "  ") : [text]) terminal.out(`${line}\n`);
  }
  const [inForce] = entries.filter((entry) => entry.isInForce);
  if (inForce) terminal.out(`In force here: ${printable(inForce.word)}. For another one: -e ENGINE\n`);
  return EXIT.ok;
}

/** Of one that somebody else has written its own name, too: that is how records call it. */
function whatOf({ word, name, summary, from }: EngineEntry): string {
  if (summary === undefined) return "-";
  return printable(from === undefined || name === word ? summary : `${name}: ${summary}`);
}

/** What is not known is left out, as JSON does with undefined. */
function jsonOf({ isInForce, absence, ...known }: EngineEntry) {
  return { ...known, inForce: isInForce, runsHere: absence === undefined, why: absence };
}
