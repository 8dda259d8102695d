/**
 * What a person sees, word for word: a call, what it says, its exit code, with what differs from run to run put out
 * of the way. Kept in golden/; `npx vitest run test/cli --update` writes them anew, and `git diff` shows what changed.
 */
import { hostname } from "node:os";
import { jobmgr, PROGRAM, runToEnd, type TestRoot } from "../harness.ts";

/** How it is called: on a terminal (a pty by script(1)) or into pipes; 80 columns wide. */
export type Where = "terminal" | "pipes";

export async function transcript(
  root: TestRoot,
  where: Where,
  calls: readonly (readonly string[])[],
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const parts: string[] = [];
  for (const args of calls) {
    const surroundings = { JOBMGR_ROOT: root.path, COLUMNS: "80", TZ: "UTC", ...env };
    const { code, text } = await (where === "terminal"
      ? onTerminal(args, surroundings)
      : intoPipes(args, surroundings));
    parts.push(`$ jobmgr ${args.map(shown).join(" ")}\n${text.trimEnd()}\n[${code}]\n`);
  }
  return normal(parts.join("\n"), root);
}

async function intoPipes(args: readonly string[], env: NodeJS.ProcessEnv) {
  const { code, stdout, stderr } = await jobmgr(args, { env });
  return { code, text: stdout + stderr.replace(/^(?=.)/gm, "stderr: ") };
}

async function onTerminal(args: readonly string[], env: NodeJS.ProcessEnv) {
  const command = [process.execPath, PROGRAM, ...args].map(quoted).join(" ");
  const { code, stdout } = await runToEnd("script", ["-qec", command, "/dev/null"], {
    env: { TERM: "xterm-256color", NO_COLOR: "", ...env },
  });
  return { code, text: stdout.replaceAll("\r\n", "\n") };
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function shown(word: string): string {
  return /^[\w./=@:,+-]+$/.test(word) ? word : quoted(word);
}

/** Paths, times, durations, tokens, ids of processes and the host, in words that stay. */
function normal(text: string, root: TestRoot): string {
  return text
    .replaceAll(root.path, "ROOT")
    .replaceAll(/\d{8}T\d{6}-[0-9a-f]{12}/g, "TOKEN")
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "TIME")
    .replaceAll(/\b\d\d:\d\d(:\d\d)?\b/g, "CLOCK")
    .replaceAll(/\b\d+(\.\d+)? (s|ms|min|h)\b( \d+ (s|min)\b)?/g, "N s")
    .replaceAll(/(process|pid) \d+/g, "$1 PID")
    .replaceAll(new RegExp(`\\b${hostname()}\\b`, "g"), "HOST");
}
