/** `jobmgr service KIND`: what keeps a manager going for this root, with the options that are in force here. */
import { userInfo } from "node:os";
import { type Settings, UsageError } from "../config/config.ts";
import { longFlag } from "../config/options.ts";
import { realDisk } from "../disk.ts";
import { EXIT } from "../exit-codes.ts";
import { readWord } from "../manager-word.ts";
import { didYouMean } from "../nearest.ts";
import { openRoot, type Root } from "../root.ts";
import { serviceCommand } from "../service/command.ts";
import { cronText, scrontabText, tmuxText, unitText } from "../service/texts.ts";
import { putUnit, serviceName, unitPlace } from "../service/unit.ts";
import { shellWord } from "../shell-word.ts";
import type { Call } from "./call.ts";

const KINDS = ["systemd", "cron", "scrontab", "tmux"] as const;
type Kind = (typeof KINDS)[number];

const TIMEOUT_MS = 20_000;

/** Prints it, or installs a systemd user unit. Throws UsageError, RootError, ConfigError. */
export async function service(call: Call<{ install?: boolean; yes?: boolean }>): Promise<number> {
  const { words, options, settings, terminal } = call;
  const [word = ""] = words;
  const kind = KINDS.find((one) => one === word);
  if (kind === undefined)
    throw new UsageError(`There is no service "${word}".${didYouMean(word, KINDS)} The kinds are: ${KINDS.join(", ")}`);
  if (options.install && kind !== "systemd")
    throw new UsageError(`--install is for systemd alone. Run: jobmgr service ${kind}; and do what it says.`);
  // A service that can never start would say so where nobody looks.
  const root = openRoot(realDisk, settings.root);
  const text = textOf(kind, call);
  tellOfOtherEngine(call, root, kind);
  if (options.install) return install(call, text);
  terminal.out(text);
  if (kind === "systemd") {
    const { path, name } = unitPlace(realDisk, settings.root, process.env);
    terminal.err(`To install it: jobmgr service systemd --install; or save it as ${path}, and then:\n`);
    for (const line of enabling(name)) terminal.err(`  systemctl --user ${line.join(" ")}\n`);
    terminal.err("  loginctl enable-linger\n");
  }
  return EXIT.ok;
}

/** Whoever has named an engine to each manager by hand has not named it here. */
function tellOfOtherEngine({ raw, settings, terminal }: Call, root: Root, kind: Kind): void {
  const word = readWord(realDisk, root);
  const last = word.engineFrom ?? word.engine ?? settings.engine;
  if (raw.engine !== undefined || last === settings.engine) return;
  terminal.err(
    `The last manager here ran jobs with ${word.engine}, this one will with ${settings.engine}. For the other one: jobmgr service ${kind} -e ${shellWord(last)}\n`,
  );
}

function textOf(kind: Kind, call: Call): string {
  const { settings, around, terminal } = call;
  const isOnce = kind === "cron" || kind === "scrontab";
  const more = isOnce ? ["--once", ...logWords(settings)] : [];
  const command = serviceCommand(call, around.command, process.env, more);
  for (const name of command.left)
    terminal.err(`${longFlag(name)} is a secret, and is left out. Write it into ${settings.root}/jobmgr.toml.\n`);
  if (kind === "systemd") return unitText(command, settings.root);
  if (kind === "tmux") return tmuxText(command, serviceName(settings.root));
  return kind === "cron" ? cronText(command) : scrontabText(command);
}

/** What nobody sees should be in a file. */
function logWords({ root, logFile }: Settings): string[] {
  return logFile === undefined ? ["--log-file", `${root}/jobmgr.log`] : [];
}

function enabling(unit: string): readonly (readonly string[])[] {
  return [["daemon-reload"], ["enable", "--now", unit]];
}

async function install(call: Call<{ yes?: boolean }>, text: string): Promise<number> {
  const { options, settings, terminal } = call;
  const place = unitPlace(realDisk, settings.root, process.env);
  if (place.before === text) terminal.err(`${place.path} is there already; nothing was changed.\n`);
  else {
    if (place.before !== undefined && !options.yes) {
      const answer = await terminal.ask(`${place.path} is there with other options. Write it anew? [y/N] `);
      if (answer === undefined)
        throw new UsageError(`${place.path} is there with other options. To write it anew: --yes`);
      if (!/^y(es)?$/i.test(answer.trim())) {
        terminal.err("Nothing was changed.\n");
        return EXIT.failed;
      }
    }
    putUnit(realDisk, place, text);
    terminal.err(`${place.before === undefined ? "Made" : "Wrote anew"}: ${place.path}\n`);
  }
  return enable(call, place.name, place.before !== undefined && place.before !== text);
}

/** Lets systemd know, where it looks after this user; else says how. */
async function enable({ around, terminal }: Call, unit: string, isChanged: boolean): Promise<number> {
  const commands = [...enabling(unit), ...(isChanged ? [["restart", unit]] : [])];
  const works = (await around.runProgram("systemctl", ["--user", "show-environment"], TIMEOUT_MS)).exitCode === 0;
  if (!works) terminal.err("systemd does not look after you on this machine. Where it does:\n");
  let code: number = EXIT.ok;
  for (const line of commands) {
    const shown = `systemctl --user ${line.join(" ")}`;
    if (!works || code !== EXIT.ok) {
      terminal.err(`  ${shown}\n`);
      continue;
    }
    const ran = await around.runProgram("systemctl", ["--user", ...line], TIMEOUT_MS);
    if (ran.exitCode === 0) terminal.err(`Done: ${shown}\n`);
    else {
      terminal.err(`${shown} failed: ${ran.stderr.trim() || "no answer"}\nWhat is left to do:\n  ${shown}\n`);
      code = EXIT.failed;
    }
  }
  const { stdout } = await around.runProgram(
    "loginctl",
    ["show-user", userInfo().username, "--property=Linger"],
    TIMEOUT_MS,
  );
  if (/^Linger=yes$/m.test(stdout))
    terminal.err("Lingering is on: it goes on when you log out, and starts with the machine.\n");
  else terminal.err("Without lingering it ends when you log out. To allow it: loginctl enable-linger\n");
  terminal.err(`To look at it: systemctl --user status ${unit}; journalctl --user -u ${unit} -f\n`);
  return code;
}
