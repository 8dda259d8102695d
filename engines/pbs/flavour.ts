/** Which PBS this is. Pure. */

/**
 * - `openpbs`: OpenPBS, and PBS Professional of the same code.
 * - `torque`: Torque.
 * - `slurm`: Slurm's own commands of these names (contribs/torque; Debian's slurm-wlm-torque), which offer a part of it.
 */
export type Flavour = "openpbs" | "torque" | "slurm";

/**
 * By what `qstat --version` says: "pbs_version = 19.1.3" (OpenPBS), "Version: 6.1.2" or "version: 2.5.12" (Torque). Slurm's
 * knows no such option, and shows how it is used.
 */
export function flavourIn(said: { readonly stdout: string; readonly stderr: string }): Flavour | undefined {
  const text = `${said.stdout}\n${said.stderr}`;
  if (/^\s*pbs_version\s*=/im.test(text)) return "openpbs";
  if (/Unknown option: version/.test(text)) return "slurm";
  if (/^\s*(?:torque )?version: /im.test(text)) return "torque";
  return undefined;
}
