/** Signal numbers and their names on this machine. */
import { constants } from "node:os";

const NAMES = new Map<number, string>(
  Object.entries(constants.signals).map(([name, number]) => [number, name.replace(/^SIG/, "")]),
);

/** "KILL" for 9; undefined for a number that is no signal. */
export function signalName(number: number): string | undefined {
  return NAMES.get(number);
}

/** 9 for "SIGKILL". */
export function signalNumber(name: NodeJS.Signals): number {
  return constants.signals[name];
}
