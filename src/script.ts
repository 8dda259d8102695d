/** job.sh as text: what form it must have to be run at all, and which program runs it. Pure. */

/** A job's script, and the words that name it. */
export interface Script {
  /** The name of the job's folder. */
  readonly folderName: string;
  /** job.sh, as text. */
  readonly text: string;
  /** The first line of job_name.txt, where there is one. */
  readonly jobName?: string;
}

/** Larger scripts are refused, as Slurm does by default (MaxScriptSize, slurm.conf(5)). */
export const SCRIPT_BYTES_MAX = 4 * 1024 * 1024;

/** Why a job.sh with these bytes cannot be run, and how to mend it; undefined if it can. */
export function faultOfScript(content: Uint8Array): string | undefined {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length);
  if (bytes.length === 0 || bytes.toString("latin1").trim() === "") {
    return "job.sh is empty. Write the commands to run into it.";
  }
  if (bytes.length > SCRIPT_BYTES_MAX) {
    return `job.sh is larger than ${SCRIPT_BYTES_MAX / 1024 / 1024} MiB. Put data into files beside it.`;
  }
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    return "job.sh begins with a byte order mark, so that its #! line is not seen. Save it as UTF-8 without BOM; `sed -i '1s/^\\xEF\\xBB\\xBF//' job.sh` does that.";
  }
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return "job.sh is UTF-16 text, which no shell can read. Save it as UTF-8 without BOM.";
  }
  if (bytes.subarray(0, 4096).includes(0)) {
    return "job.sh is not text (it holds a NUL byte). Call the program from a script; `echo './program' > job.sh` makes one.";
  }
  if (bytes.includes("\r\n")) {
    return "job.sh has Windows line ends (CRLF), with which no shell gets on. `sed -i 's/\\r$//' job.sh` mends it.";
  }
  return undefined;
}

/**
 * The command that runs job.sh as the kernel would: by its #! line (one argument at most, as execve(2) does),
 * by bash where it has none. Being named, the interpreter does not need job.sh's x bit.
 */
export function commandOfScript(text: string): readonly string[] {
  const firstLine = text.slice(0, text.indexOf("\n") === -1 ? undefined : text.indexOf("\n"));
  const shebang = /^#![ \t]*(\S+)[ \t]*(.*?)[ \t]*$/.exec(firstLine);
  if (!shebang?.[1]) {
    return ["bash", "./job.sh"];
  }
  return shebang[2] ? [shebang[1], shebang[2], "./job.sh"] : [shebang[1], "./job.sh"];
}
