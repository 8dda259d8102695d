/** What each kind of service is told. Each has its own rules of quoting. Pure. */
import { createHash } from "node:crypto";
import { UsageError } from "../config/config.ts";
import { printable } from "../printable.ts";
import { quoted } from "../runner.ts";
import type { ServiceCommand } from "./command.ts";

/** So many minutes between two passes. */
const MINUTES = 2;

/** A login shell gives the PATH and the modules that the user has set up; `"$0" "$@"` is the command behind it. */
const IN_LOGIN_SHELL = 'exec "$0" "$@"';

function commandWords({ words, variables }: ServiceCommand): readonly string[] {
  return variables.length === 0 ? words : ["env", ...variables, ...words];
}

/** Words as sh reads them, without a backslash, which cron may take away. */
function shellLine(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`)).join(" ");
}

// -- cron --

/** crontab(5) ends a line at each "%" without a backslash, and has no way to write a newline. */
function crontabLine(words: readonly string[], what: string): string {
  const odd = words.find((word) => /[\\\n\r]/.test(word));
  if (odd !== undefined)
    throw new UsageError(
      `${what} cannot carry a backslash or a line end, which "${printable(odd)}" has. Rename it, or reach it through a link.`,
    );
  return shellLine(words);
}

/** What it says on stderr is mailed by cron, unless another manager has the root, which is as it should be. */
export function cronText(command: ServiceCommand): string {
  const pass = `bash -lc '${IN_LOGIN_SHELL}' ${crontabLine(commandWords(command), "A crontab")}`;
  const line = `said=$(${pass} 2>&1 >/dev/null) || [ $? -eq 75 ] || echo "$said"`;
  return [
    `# jobmgr: a pass each ${MINUTES} minutes. Put this line into your crontab: crontab -e`,
    "# A pass that finds another at work leaves at once; only errors are mailed.",
    `*/${MINUTES} * * * * ${line.replaceAll("%", "\\%")}`,
    "",
  ].join("\n");
}

/** A job of Slurm's own cron. Nothing is mailed. */
export function scrontabText(command: ServiceCommand): string {
  const pass = `bash -lc '${IN_LOGIN_SHELL}' ${crontabLine(commandWords(command), "A scrontab")}`;
  return [
    `# jobmgr: a pass each ${MINUTES} minutes. Put these lines into your scrontab: scrontab -e`,
    "#SCRON --job-name=jobmgr",
    "#SCRON --time=5",
    "#SCRON --output=/dev/null",
    `*/${MINUTES} * * * * ${pass}`,
    "",
  ].join("\n");
}

// -- tmux --

/** tmux hands its one word to a shell. */
export function tmuxText(command: ServiceCommand, name: string): string {
  const line = shellLine(commandWords(command));
  return [
    `# jobmgr in a tmux session, which goes on when you log out. To look at it: tmux attach -t ${name}`,
    `tmux new-session -d -s ${name} ${quoted(line)}`,
    "",
  ].join("\n");
}

// -- systemd --

/** The first line of a unit that may be written anew. The root stands in it, for two may want one name. */
export function unitMarker(root: string): string {
  return `# Written by: jobmgr service systemd, for the root ${createHash("sha256").update(root).digest("hex").slice(0, 16)}`;
}

/** A word of ExecStart (systemd.service(5), systemd.syntax(7)): "$" begins a variable, "%" a specifier. */
function unitWord(word: string): string {
  const plain = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  if (/^[\w@%+=:,./$-]+$/.test(plain)) return plain;
  const escaped = plain.replace(/["\\]/g, "\\$&").replace(/\p{Cc}/gu, unitEscape);
  return `"${escaped}"`;
}

function unitEscape(sign: string): string {
  return `\\x${sign.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/** A user unit. */
export function unitText(command: ServiceCommand, root: string): string {
  const line = ["/bin/bash", "-lc", IN_LOGIN_SHELL, ...commandWords(command)].map(unitWord).join(" ");
  const shown = printable(root).replaceAll("%", "%%").replaceAll("\\", "\\\\");
  return [
    unitMarker(root),
    "[Unit]",
    `Description=jobmgr for ${shown}`,
    "After=default.target",
    "",
    "[Service]",
    "Type=simple",
    `ExecStart=${line}`,
    "# Jobs, and a submission that is under way, go on when the manager is stopped.",
    "KillMode=process",
    "Restart=on-failure",
    "RestartSec=60",
    "# 143: told to stop. 75: another manager has the root. 2, 78: wrong options, or a root that cannot be used.",
    "SuccessExitStatus=143",
    "RestartPreventExitStatus=2 75 78",
    "",
    "[Install]",
    "WantedBy=default.target",
    "",
  ].join("\n");
}
