/** What is told of a submit command, and of its "no". Pure. */
import { EngineError } from "../../src/engine-error.ts";
import { quoted } from "../../src/runner.ts";

/** A command as a person would type it. */
export function commandText(program: string, args: readonly string[]): string {
  return [program, ...args].map((word) => (/^[\w@%+=:,./~-]+$/.test(word) ? word : quoted(word))).join(" ");
}

/** What a scheduler said, as a sentence. */
export function withStop(sentence: string): string {
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

/** The same error, for good: with one more sentence that says why it is the job's own fault. */
export function asRefused({ message, command, output }: EngineError, more: string): EngineError {
  return new EngineError("refused", `${message} ${more}`, { ...(command && { command }), ...(output && { output }) });
}
