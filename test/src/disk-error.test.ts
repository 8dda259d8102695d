/** What people are told when the file system says no. */
import { expect, it } from "vitest";
import { diskErrorText, isFull, unwritableText } from "../../src/disk-error.ts";

const failure = (code: string, path?: string) =>
  Object.assign(new Error(`${code}: said no`), { code, ...(path !== undefined && { path }) });

it("is told with what to do about it", () => {
  expect(diskErrorText(failure("EACCES", "/jobs/my inbox/a"))).toBe(
    "EACCES: said no. Do it as a user who may: ls -ld '/jobs/my inbox' tells who",
  );
  expect(diskErrorText(failure("EPERM"))).toBe("EPERM: said no. Do it as the user to whom it belongs.");
  expect(diskErrorText(failure("ENOSPC", "/jobs"))).toContain("Make room");
});

it("of a root that cannot be written to, the cause is told and not the path of a file of jobmgr's own", () => {
  expect(unwritableText("/jobs", failure("EROFS", "/jobs/.jobmgr/lock"))).toBe(
    "Nothing can be written to /jobs: its file system is mounted read-only. Start jobmgr on a machine where it is not.",
  );
  expect(unwritableText("/jobs", failure("EIO", "/jobs/.jobmgr/lock"))).toBe(diskErrorText(failure("EIO")));
});

it("is told as it is where nothing is known to help", () => {
  expect(diskErrorText(failure("EXDEV", "/jobs"))).toBe("EXDEV: said no");
});

it("a file system is full without room for bytes or for files, and not where it tells of none at all", () => {
  const some = { type: 0, bytes: 1e9, bytesFree: 1e8, files: 100, filesFree: 10 };
  expect(isFull(some)).toBe(false);
  expect(isFull({ ...some, bytesFree: 4096 })).toBe(true);
  expect(isFull({ ...some, filesFree: 0 })).toBe(true);
  expect(isFull({ ...some, bytes: 0, bytesFree: 0, files: 0, filesFree: 0 })).toBe(false);
});
