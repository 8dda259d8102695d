/** Names of what is under way: nobody else's are taken for ours, and nobody's who is at work. */
import { expect, it } from "vitest";
import { isAbandoned, type Stager, stagedName } from "../../../src/change/staging.ts";

const DAY_MS = 86_400_000;

function stager(changes: Partial<Omit<Stager, "machine">> & { host?: string } = {}): Stager {
  const { host = "login1", ...others } = changes;
  return { machine: { host, boot: "b" }, pid: 7, start: "123", isAlive: () => false, ...others };
}

it("two names of one process differ", () => {
  expect(stagedName(stager())).not.toBe(stagedName(stager()));
});

it("what a dead process of this machine left is abandoned at once; what a living one makes never is", () => {
  const name = stagedName(stager({ pid: 8 }));
  expect(isAbandoned(name, 0, stager())).toBe(true);
  expect(isAbandoned(name, 9 * DAY_MS, stager({ isAlive: (pid, start) => pid === 8 && start === "123" }))).toBe(false);
});

it("what another machine left is abandoned after more than a day", () => {
  const name = stagedName(stager({ host: "login2_x.y" }));
  expect(isAbandoned(name, DAY_MS - 1, stager())).toBe(false);
  expect(isAbandoned(name, DAY_MS + 1, stager())).toBe(true);
});

it.each(["", "upload", "7_123", "mesh_2_old_copy", "7_123_zzzzzzzz_login1", "x7_123_00000000_login1"])(
  "%j was never ours",
  (name) => {
    expect(isAbandoned(name, 99 * DAY_MS, stager())).toBe(false);
  },
);
