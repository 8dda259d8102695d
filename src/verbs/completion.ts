/** `jobmgr completion SHELL`: prints what makes a shell complete jobmgr's words. */
import { completionScript, SHELLS } from "../command-line/completion-scripts.ts";
import { UsageError } from "../config/config.ts";
import { EXIT } from "../exit-codes.ts";
import { didYouMean } from "../nearest.ts";
import type { Call } from "./call.ts";

/** Prints the script. Throws UsageError for a shell that it does not know. */
export async function completion({ words, around, terminal }: Call): Promise<number> {
  const [word = ""] = words;
  const shell = SHELLS.find((one) => one === word);
  if (shell === undefined)
    throw new UsageError(
      `There is no completion for "${word}".${didYouMean(word, SHELLS)} The shells are: ${SHELLS.join(", ")}`,
    );
  terminal.out(completionScript(shell, around.command));
  return EXIT.ok;
}
