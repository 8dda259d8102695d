/** What a file system says when it refuses, with what one can do about it. Pure. */
import { dirname } from "node:path";
import { shellWord } from "./shell-word.ts";

/** Whether it is the file system that has refused; all else that is thrown is a fault of ours. */
export function isDiskError(error: unknown): error is NodeJS.ErrnoException {
  return typeof (error as NodeJS.ErrnoException | undefined)?.syscall === "string";
}

/** The message of a failed call, and what to do where that is known. */
export function diskErrorText({ code = "", message, path }: NodeJS.ErrnoException): string {
  const remedy = REMEDIES[code]?.(path);
  return remedy === undefined ? message : `${message}. ${remedy}`;
}

const mayNot = (path: string | undefined) =>
  path === undefined
    ? "Do it as the user to whom it belongs."
    : `Do it as a user who may: ls -ld ${shellWord(dirname(path))} tells who`;
const isAway = () => "Its disk or server does not answer as it should: try again when it does.";

const REMEDIES: Readonly<Record<string, (path: string | undefined) => string>> = {
  EACCES: mayNot,
  EPERM: mayNot,
  EROFS: () => "It is mounted read-only: do it on a machine where it is not.",
  ENOSPC: () => "Make room there, and do it again.",
  EDQUOT: () => "Make room in your quota, and do it again.",
  EIO: isAway,
  ESTALE: isAway,
  ETIMEDOUT: isAway,
};
