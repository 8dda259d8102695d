/** An archive that is to become a job: listed and read through, and nothing of it is unpacked. */
import { ArchiveFault, ArchiveWait } from "../archive/fault.ts";
import type { ArchiveForm } from "../archive/names.ts";
import type { ArchiveRules } from "../archive/rules.ts";
import { checkArchive, readFileIn } from "../archive/unpack.ts";
import type { Disk, OpenFile } from "../disk.ts";
import { FILES } from "../files.ts";
import { printable } from "../printable.ts";
import { SCRIPT_BYTES_MAX } from "../script.ts";
import { error, type Finding, warning } from "./finding.ts";

/** What is wrong with it, or its job.sh. */
export type ArchiveRead = { readonly findings: readonly Finding[] } | { readonly script: Buffer };

/** Reads an archive through by the rules of the inbox. Never throws for what is wrong with it. */
export async function readArchive(
  disk: Disk,
  path: string,
  form: ArchiveForm,
  rules: Pick<ArchiveRules, "limits" | "filter">,
): Promise<ArchiveRead> {
  let file: OpenFile | undefined;
  try {
    file = disk.open(path);
    const { limits, filter } = rules;
    const reading = { file, form, limits, filter, stop: new AbortController().signal };
    const checked = await checkArchive(reading);
    const script = [...checked.entries.keys()].find((entry) => checked.place(entry) === FILES.script) ?? FILES.script;
    return { script: (await readFileIn(reading, script, SCRIPT_BYTES_MAX + 1)) ?? Buffer.alloc(0) };
  } catch (failure) {
    const says = printable((failure as Error).message);
    if (failure instanceof ArchiveFault) return { findings: [error(says)] };
    if (failure instanceof ArchiveWait) return { findings: [warning(`${says}.`)] };
    if ((failure as NodeJS.ErrnoException).code === undefined) throw failure;
    return { findings: [error(`it cannot be read: ${says}.`)] };
  } finally {
    file?.close();
  }
}
