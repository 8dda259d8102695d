/** What a file system says when it refuses, with what one can do about it. Pure. */
import { dirname } from "node:path";
import type { FileSystem } from "./disk.ts";
import { shellWord } from "./shell-word.ts";

/** Whether it is the file system that has refused; all else that is thrown is a fault of ours. */
export function isDiskError(error: unknown): error is NodeJS.ErrnoException {
  return typeof (error as NodeJS.ErrnoException | undefined)?.syscall === "string";
}

/** The message of a failed call, and what to do where that is known. */
export function diskErrorText({ code = "", message, path }: NodeJS.ErrnoException): string {
  const room = ROOM[code];
  const remedy = room === undefined ? REMEDIES[code]?.(path) : `${room}, and do it again.`;
  return remedy === undefined ? message : `${message}. ${remedy}`;
}

/** The same for a manager, which tries again by itself. */
export function diskTroubleText(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const room = ROOM[code];
  return room === undefined ? message : `${message}. ${room}; it goes on by itself.`;
}

/** Why a file that somebody has named cannot be written: what it is called on its way is nothing to him. */
export function unwritableFileText(file: string, error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "ENOENT") return diskErrorText(error as NodeJS.ErrnoException);
  return `there is no folder ${dirname(file)}. Make it, or name a file in another one.`;
}

/** So little that next to nothing can be written. */
const NO_ROOM_BYTES = 64_000;

/** Whether a file system is full; some tell no size, or no number of files. */
export function isFull({ bytes, bytesFree, files, filesFree }: FileSystem): boolean {
  return (bytes > 0 && bytesFree < NO_ROOM_BYTES) || (files > 0 && filesFree === 0);
}

const ROOM: Readonly<Record<string, string>> = {
  ENOSPC: "Make room there: delete what you do not need",
  EDQUOT: "Make room in your quota: delete what you do not need",
};

/** Why nothing can be written to a root, and what to do; the same as diskErrorText where that is not known. */
export function unwritableText(root: string, error: NodeJS.ErrnoException): string {
  const reason = UNWRITABLE[error.code ?? ""];
  return reason === undefined ? diskErrorText(error) : `Nothing can be written to ${root}: ${reason}`;
}

const NOT_YOURS =
  "this user may not write there. A root must belong to the user who runs jobmgr: start it as that one.";

const UNWRITABLE: Readonly<Record<string, string>> = {
  ENOSPC: "there is no space left. Make room there, and start jobmgr again.",
  EDQUOT: "your quota is used up. Make room in it, and start jobmgr again.",
  EROFS: "its file system is mounted read-only. Start jobmgr on a machine where it is not.",
  EACCES: NOT_YOURS,
  EPERM: NOT_YOURS,
};

const mayNot = (path: string | undefined) =>
  path === undefined
    ? "Do it as the user to whom it belongs."
    : `Do it as a user who may: ls -ld ${shellWord(dirname(path))} tells who`;
const isAway = () => "Its disk or server does not answer as it should: try again when it does.";

const REMEDIES: Readonly<Record<string, (path: string | undefined) => string>> = {
  EACCES: mayNot,
  EPERM: mayNot,
  ENOTDIR: () => "Something on the way there is a file, and no folder: give another path.",
  EROFS: () => "It is mounted read-only: do it on a machine where it is not.",
  EIO: isAway,
  ESTALE: isAway,
  ETIMEDOUT: isAway,
};
