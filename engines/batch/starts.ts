/** How often a job was started before, for a scheduler that does not tell. Pure. */

/**
 * A word of sh for Identity.restart: so many starts of this task have left a claim. No clock is asked, for those of two
 * nodes differ. `task`: a word of sh, the index in an array.
 */
export function startsBefore(task: string): string {
  return `"$(jm_task=${task}; jm_n=0 jm_again=
jm_claim=$jm_folder/.jobmgr/attempt-$jm_token/started\${jm_task:+.$jm_task}
while [ -e "$jm_claim$jm_again" ]; do jm_n=$((jm_n + 1)); jm_again=-r$jm_n; done
echo $jm_n)"`;
}
