/** `jobmgr check PATH...`: all that can be known of a job without running it. */
import { basename, resolve } from "node:path";
import { ARCHIVE_ENDINGS } from "../archive/names.ts";
import { readArchive } from "../check/archive.ts";
import { dryRun, withPrivateFolder } from "../check/dry-run.ts";
import { error, type Finding, warning } from "../check/finding.ts";
import { folderFindings, nameFindings, noJobFinding } from "../check/folder.ts";
import { interpreterFindings, planFindings, syntaxFindings } from "../check/script.ts";
import { type Absent, type Target, targetsOf } from "../check/target.ts";
import { wordFindings } from "../check/words.ts";
import type { Settings } from "../config/config.ts";
import { type Disk, realDisk } from "../disk.ts";
import type { Engine } from "../engine.ts";
import { EXIT } from "../exit-codes.ts";
import { FILES } from "../files.ts";
import type { ReadyRules } from "../inbox/ready.ts";
import { ownersOf } from "../owners.ts";
import { printable } from "../printable.ts";
import { prose } from "../prose.ts";
import { openRoot, type Root, RootError } from "../root.ts";
import { faultOfScript, SCRIPT_BYTES_MAX, type Script } from "../script.ts";
import { readScript } from "../script-file.ts";
import type { Call, Surroundings } from "./call.ts";
import { withManagersEngine } from "./managers-engine.ts";

/** What was found of one thing, as `check --json` tells it. */
interface Checked {
  readonly word: string;
  readonly path: string;
  readonly name: string;
  readonly findings: readonly Finding[];
}

/** Checks each, and prints a line for each finding, also for what is not there. Throws UsageError. */
export async function check(call: Call<{ json?: boolean }>): Promise<number> {
  const { words, options, settings, around, terminal } = withManagersEngine(call);
  const disk = realDisk;
  const root = rootIfAny(disk, call);
  const rules = {
    settleS: settings.settleS,
    readyFile: settings.readyFile,
    finishedFile: settings.finishedFile,
    owners: await ownersOf(settings, around),
  };
  const engine = await around.makeReader();
  const checker = new Checker({ disk, root, rules, settings, around, engine }, await around.engineAbsence());
  const targets = words.flatMap((word) => targetsOf(disk, root, word));
  const checked: Checked[] = [];
  for (const target of targets) {
    const one = "absent" in target ? absentOne(target) : await checker.check(target);
    checked.push(one);
    if (options.json) continue;
    const name = printable(one.word);
    if (one.findings.length === 0) terminal.out(`${name}: ok\n`);
    for (const { level, says } of one.findings) {
      const painted = terminal.paint.level(level === "error" ? "error" : "warn", level);
      const text = `${name}: ${level}: ${says}`;
      const lines = terminal.isTerminal ? prose(text, terminal.width(), "  ") : [text];
      terminal.out(`${lines.join("\n").replace(`${name}: ${level}:`, () => `${name}: ${painted}:`)}\n`);
    }
  }
  const { leftOut } = checker;
  const ok = checked.every(({ findings }) => findings.every(({ level }) => level !== "error"));
  if (options.json)
    terminal.out(
      `${JSON.stringify({ schema: 1, ok, ...(leftOut !== undefined && { leftOut }), checked }, undefined, 1)}\n`,
    );
  else if (leftOut !== undefined) terminal.err(`The engine's dry run was left out: ${leftOut}\n`);
  if (targets.some((target) => "absent" in target)) return EXIT.absent;
  return ok ? EXIT.ok : EXIT.failed;
}

function absentOne({ word, absent }: Absent): Checked {
  return { word, path: resolve(word), name: basename(word), findings: [error(absent)] };
}

/** Who checks a folder far from any root needs none; but one that was named must be right. */
function rootIfAny(disk: Disk, { settings, origins }: Call): Root | undefined {
  try {
    return openRoot(disk, settings.root);
  } catch (failure) {
    if (failure instanceof RootError && origins.root?.is === "here") return undefined;
    throw failure;
  }
}

interface Parts {
  readonly disk: Disk;
  readonly root: Root | undefined;
  readonly rules: ReadyRules;
  readonly settings: Settings;
  readonly around: Surroundings;
  readonly engine: Engine;
}

class Checker {
  readonly #parts: Parts;
  /** Why no dry run is made: an engine that is not there, or did not answer, is not asked again. */
  leftOut: string | undefined;

  constructor(parts: Parts, absence: string | undefined) {
    this.#parts = parts;
    this.leftOut = absence;
  }

  async check(target: Target): Promise<Checked> {
    const { disk, root } = this.#parts;
    const no = noJobFinding(disk, target);
    if (no) return { word: target.word, path: target.path, name: target.name, findings: [no] };
    const findings = [...nameFindings(disk, root, target), ...(await this.#contentOf(target))];
    return { word: target.word, path: target.path, name: target.name, findings };
  }

  async #contentOf(target: Target): Promise<Finding[]> {
    const { disk, root, rules, settings } = this.#parts;
    if (target.is === "link") return [error("it is a link, and links are not followed. Give the folder itself.")];
    if (target.is === "other") return [error("it is neither a folder nor a file.")];
    if (target.is === "file") return this.#file(target);
    const findings = [...folderFindings(disk, target, rules), ...wordFindings(disk, root, target, settings)];
    if (!disk.look(`${target.path}/${FILES.script}`)) return findings;
    const read = readScript(disk, target.path, target.name);
    if ("fault" in read) return [...findings, error(read.fault)];
    return [...findings, ...(await this.#script(read.script, target.path))];
  }

  /** A script that is a job of its own, or an archive. */
  async #file({ path, name, form }: Target): Promise<Finding[]> {
    const { disk, settings, around } = this.#parts;
    if (form !== undefined && form !== "script") {
      const limits = {
        bytesMax: settings.archiveBytesMax,
        entriesMax: settings.archiveEntriesMax,
        ratioMax: settings.archiveRatioMax,
      };
      const rules = { limits, filter: around.filter };
      const read = await readArchive(disk, path, form, rules);
      return "findings" in read ? [...read.findings] : this.#bytes(read.script, name, { isArchive: true });
    }
    const file = basename(path);
    try {
      const bytes = disk.read(path, SCRIPT_BYTES_MAX + 1) ?? Buffer.alloc(0);
      if (form === undefined && !bytes.toString("latin1").startsWith("#!"))
        return [
          error(
            `it is no folder, script or archive: a script ends in .sh or begins with #!, an archive ends in ${ARCHIVE_ENDINGS}.`,
          ),
        ];
      const odd =
        form === undefined
          ? [
              warning(
                `the inbox takes no file of this name. Call it ${printable(file)}.sh, or give it to jobmgr submit.`,
              ),
            ]
          : [];
      return [...odd, ...(await this.#bytes(bytes, name, { isArchive: false, file }))];
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code === undefined) throw failure;
      return [error(`it cannot be read: ${(failure as Error).message}.`)];
    }
  }

  /** A script that is not in a folder yet: it gets one, where it is called job.sh. `file`: how it is called now. */
  async #bytes(
    bytes: Buffer,
    folderName: string,
    { isArchive, file = FILES.script }: { isArchive: boolean; file?: string },
  ): Promise<Finding[]> {
    const fault = faultOfScript(bytes);
    if (fault !== undefined) return [error(fault.replaceAll(FILES.script, file))];
    const text = bytes.toString("utf8");
    return withPrivateFolder(this.#parts.disk, { [FILES.script]: text }, (folder) =>
      this.#script({ folderName, text }, folder, isArchive),
    );
  }

  /** `lacksFiles`: what the job brings along is not in that folder. */
  async #script(script: Script, folder: string, lacksFiles = false): Promise<Finding[]> {
    const { disk, engine, around } = this.#parts;
    const { plan, findings } = planFindings(engine, script);
    const before = [
      ...interpreterFindings(disk, script.text, process.env),
      ...(await syntaxFindings(script.text, `${folder}/${FILES.script}`, around.runProgram)),
      ...findings,
    ];
    if (!plan || this.leftOut !== undefined) return before;
    // An engine may look for the folders of its outputs.
    const asked = lacksFiles ? { ...plan, outputs: [] } : plan;
    const dry = await dryRun(disk, engine, { folder, text: script.text, plan: asked, machine: around.machine });
    if ("findings" in dry) return [...before, ...dry.findings];
    this.leftOut = dry.out;
    return before;
  }
}
