/** Names at the top of a job's folder that mean something: the user's words, and jobmgr's to the user. Pure. */

/** The names, in the top of a job's folder. */
export const FILES = {
  script: "job.sh",
  name: "job_name.txt",
  after: "job_after.txt",
  hold: "job_hold",
  cancel: "job_cancel",
  retry: "job_retry.txt",
  output: "job_output.txt",
  error: "job_error.txt",
  status: "job_status.json",
} as const;

/** Files that jobmgr and its engines write for people: each attempt has its own. */
export function isResultName(name: string): boolean {
  return name === FILES.error || name === FILES.status || /^job_output(_\d+)?\.txt$/.test(name);
}

/** Names that a job's output may not have. */
export function isReservedName(name: string): boolean {
  return name !== FILES.output && Object.values<string>(FILES).includes(name);
}
