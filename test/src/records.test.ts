/** Records: what is damaged, newer or foreign is never guessed at; and of two that plan at once, one token wins. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { type Disk, realDisk } from "../../src/disk.ts";
import type { Token } from "../../src/engine.ts";
import {
  attemptFolder,
  attemptsOf,
  checkedToken,
  closeAttempt,
  newToken,
  pastFolder,
  putRecord,
  RecordError,
  type RecordOf,
  readRecord,
  runnerRecords,
  takeTurn,
} from "../../src/records.ts";
import { somePlan } from "../fakes/plan.ts";
import { makeFolder } from "../harness.ts";

const TOKEN = "20260101T000000-0123456789ab" as Token;
const OTHER = "20260101T000001-ba9876543210" as Token;
const PLAN = somePlan({ outputs: ["job_output.txt"] });
const AT = "2026-01-01T00:00:00.000Z";
const RECORDS: RecordOf = {
  intent: { token: TOKEN, engine: "E", plan: PLAN, madeOn: { host: "h", boot: "b" }, script: "s", at: AT },
  handle: { handle: "1" as RecordOf["handle"]["handle"], at: AT },
  cancel: { reason: "why", at: AT },
  outcome: { outcome: { is: "failed", why: "Exit code 1." }, at: AT },
  retry: { number: 2, of: 3, ends: ["failed. Exit code 1."], waitS: 60, scale: {}, raised: [], ino: 7, at: AT },
  result: { file: "a.tgz", size: 9, mtimeMs: 1.5, at: AT },
};
const NAMES = Object.keys(RECORDS) as (keyof RecordOf)[];

let folder: string;
let attempt: string;

beforeEach(() => {
  folder = makeFolder();
  attempt = attemptFolder(folder, TOKEN);
  mkdirSync(attempt, { recursive: true });
});

function failure(action: () => unknown): Error | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

describe("a record", () => {
  it.each(NAMES)("%s is read as it was written, and nothing else is left beside it", async (name) => {
    await putRecord(realDisk, attempt, name, RECORDS[name]);
    expect(readRecord(realDisk, attempt, name)).toMatchObject(RECORDS[name]);
    expect(readdirSync(attempt)).toEqual([name]);
  });

  it.each(NAMES)("%s that is not there is undefined", (name) => {
    expect(readRecord(realDisk, attempt, name)).toBeUndefined();
  });

  it.each(NAMES)("%s cut short anywhere is refused, never guessed at", async (name) => {
    await putRecord(realDisk, attempt, name, RECORDS[name]);
    const whole = readFileSync(join(attempt, name), "utf8");
    // The last two bytes are the closing brace and the line end, without which nothing is lost but the line end.
    for (let length = 0; length < whole.length - 1; length++) {
      writeFileSync(join(attempt, name), whole.slice(0, length));
      expect(
        failure(() => readRecord(realDisk, attempt, name)),
        `${length} bytes`,
      ).toBeInstanceOf(RecordError);
    }
  });

  it.each(NAMES)("%s without one of its members is refused, and the member is named", async (name) => {
    const members = Object.keys(RECORDS[name]).filter((member) => member !== "adopted");
    for (const member of members) {
      const { [member]: _, ...rest } = RECORDS[name] as unknown as Record<string, unknown>;
      writeFileSync(join(attempt, name), JSON.stringify({ jobmgr: 1, record: name, ...rest }));
      expect(failure(() => readRecord(realDisk, attempt, name))?.message).toContain(`lacks "${member}"`);
    }
  });

  it.each<[string, string, RegExp]>([
    ["empty", "", /is damaged/],
    ["of NUL bytes, as a power loss leaves it", "\0\0\0\0", /is damaged/],
    ["not an object", "[]", /is no handle record/],
    ["null", "null", /is no handle record/],
    ["a number", "7", /is no handle record/],
    ["another kind of record", '{"jobmgr":1,"record":"intent","handle":"1","at":""}', /is no handle record/],
    ["of a newer jobmgr", '{"jobmgr":2,"record":"handle","handle":"1","at":""}', /newer jobmgr/],
    ["without a version", '{"record":"handle","handle":"1","at":""}', /no version/],
    ["of a version that is no number", '{"jobmgr":"1","record":"handle","handle":"1","at":""}', /no version/],
    ["with a handle of another type", '{"jobmgr":1,"record":"handle","handle":1,"at":""}', /lacks "handle"/],
  ])("that is %s is refused with a sentence that names it", (_, text, sentence) => {
    writeFileSync(join(attempt, "handle"), text);
    const error = failure(() => readRecord(realDisk, attempt, "handle"));
    expect(error).toBeInstanceOf(RecordError);
    expect(error?.message).toMatch(sentence);
    expect(error?.message).toContain(join(attempt, "handle"));
    expect(readFileSync(join(attempt, "handle"), "utf8")).toBe(text);
  });

  it("that is a link is not followed", () => {
    writeFileSync(join(folder, "elsewhere"), '{"jobmgr":1,"record":"handle","handle":"1","at":""}');
    symlinkSync(join(folder, "elsewhere"), join(attempt, "handle"));
    expect(failure(() => readRecord(realDisk, attempt, "handle"))).toBeDefined();
  });

  it("of any text at all is read whole or refused, and never crashes in another way", () => {
    const path = join(attempt, "cancel");
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        writeFileSync(path, text);
        expect(failure(() => readRecord(realDisk, attempt, "cancel"))).toBeInstanceOf(RecordError);
      }),
    );
  });
});

describe("tokens", () => {
  it("sort by time, and are never the same", () => {
    const made = [0, 1000, 3_600_000].map((ms) => newToken(new Date(Date.UTC(2026, 0, 1) + ms)));
    expect([...made].sort()).toEqual(made);
    const now = new Date();
    expect(new Set(Array.from({ length: 1000 }, () => newToken(now))).size).toBe(1000);
    for (const token of made) expect(checkedToken(token)).toBe(token);
  });

  it.each(["", "..", "../../etc", "x", `${TOKEN}/..`, `${TOKEN}\n`, `a${TOKEN}`])(
    "%j is no token, for it becomes part of a path",
    (text) => {
      expect(() => checkedToken(text)).toThrow(RecordError);
    },
  );
});

describe("what lies in .jobmgr of a job", () => {
  it("is nothing where there is no such folder", () => {
    rmSync(join(folder, ".jobmgr"), { recursive: true });
    expect(attemptsOf(realDisk, folder)).toEqual({ inForce: [], past: [], turns: [] });
  });

  it("is the attempts in force, the past ones in order, and the turns; what is not jobmgr's is passed over", () => {
    for (const name of [`past-${OTHER}`, `past-${TOKEN}`, "past-nonsense", "attempt-../x".replace("/", "_"), "notes"])
      mkdirSync(join(folder, ".jobmgr", name));
    for (const name of ["turn-1", "turn-12", "turn-x", "turn-"]) symlinkSync("x", join(folder, ".jobmgr", name));
    const attempts = attemptsOf(realDisk, folder);
    expect(attempts).toMatchObject({ inForce: [TOKEN], past: [TOKEN, OTHER] });
    expect([...attempts.turns].sort((a, b) => a - b)).toEqual([1, 12]);
  });

  it.each(["a file", "a link"])("is refused where %s has the name of the folder", (what) => {
    rmSync(join(folder, ".jobmgr"), { recursive: true });
    if (what === "a link") symlinkSync("/tmp", join(folder, ".jobmgr"));
    else writeFileSync(join(folder, ".jobmgr"), "");
    expect(() => attemptsOf(realDisk, folder)).toThrow(RecordError);
  });

  it("is refused where an attempt is a link", () => {
    symlinkSync("/tmp", attemptFolder(folder, OTHER));
    expect(() => attemptsOf(realDisk, folder)).toThrow(/is not a folder/);
  });

  it("an attempt is put out of force by one rename", () => {
    writeFileSync(join(attempt, "intent"), "x");
    closeAttempt(realDisk, folder, TOKEN);
    expect(attemptsOf(realDisk, folder)).toMatchObject({ inForce: [], past: [TOKEN] });
    expect(readFileSync(join(pastFolder(folder, TOKEN), "intent"), "utf8")).toBe("x");
  });
});

describe("the turn", () => {
  const take = (wanted: Token, disk: Disk = realDisk) => takeTurn(disk, folder, attemptsOf(disk, folder), wanted);
  beforeEach(() => rmSync(join(folder, ".jobmgr"), { recursive: true }));

  it("is the first one's who asks, and the second goes on with the same token", () => {
    expect(take(TOKEN)).toBe(TOKEN);
    expect(take(OTHER)).toBe(TOKEN);
    expect(take(TOKEN)).toBe(TOKEN);
  });

  it("is one token also for two who looked before either had asked", () => {
    const seenByBoth = attemptsOf(realDisk, folder);
    expect(takeTurn(realDisk, folder, seenByBoth, TOKEN)).toBe(TOKEN);
    expect(takeTurn(realDisk, folder, seenByBoth, OTHER)).toBe(TOKEN);
  });

  it("is the next one when the attempt before was put out of force", () => {
    take(TOKEN);
    mkdirSync(attemptFolder(folder, TOKEN));
    closeAttempt(realDisk, folder, TOKEN);
    expect(take(OTHER)).toBe(OTHER);
    expect(attemptsOf(realDisk, folder).turns.length).toBe(2);
  });

  it("is one token for two who interleave at every possible point", () => {
    // The second caller runs whole between two calls of the first.
    for (let at = 0; at < 6; at++) {
      rmSync(join(folder, ".jobmgr"), { recursive: true, force: true });
      let calls = 0;
      let second: Token | undefined;
      const between = <A extends unknown[], R>(action: (...args: A) => R) => {
        return (...args: A): R => {
          if (calls++ === at) second = take(OTHER);
          return action(...args);
        };
      };
      const disk: Disk = {
        ...realDisk,
        look: between(realDisk.look),
        makeFolder: between(realDisk.makeFolder),
        makeLink: between(realDisk.makeLink),
        readLink: between(realDisk.readLink),
      };
      const first = take(TOKEN, disk);
      expect(second ?? take(OTHER), `interrupted at call ${at}`).toBe(first);
    }
  });

  it("never becomes a path that leads elsewhere: a link that holds no token is passed over", () => {
    mkdirSync(join(folder, ".jobmgr"));
    symlinkSync("../../elsewhere", join(folder, ".jobmgr", "turn-1"));
    symlinkSync("attempt-..", join(folder, ".jobmgr", "turn-2"));
    writeFileSync(join(folder, ".jobmgr", "turn-3"), "");
    expect(take(TOKEN)).toBe(TOKEN);
    expect(take(OTHER)).toBe(TOKEN);
  });

  it("survives that a folder was copied with its past but without its turns", () => {
    mkdirSync(pastFolder(folder, OTHER), { recursive: true });
    expect(take(TOKEN)).toBe(TOKEN);
  });
});

describe("what the runner left", () => {
  const started = (token: string) => `jobmgr-started 1 ${token} host boot 12 345 end\n`;
  const exit = (token: string, code: number) => `jobmgr-exit 1 ${token} ${code} host end\n`;
  const read = (tasks: readonly number[] = []) => runnerRecords(realDisk, attempt, TOKEN, tasks);

  it("is nothing at first", () => {
    expect(read()).toEqual({
      records: [{ task: undefined, started: false, exitCode: undefined, limitReached: false }],
      startedAtMs: undefined,
      endedAtMs: undefined,
    });
  });

  it("is the claim and the end, with the times of their files", () => {
    writeFileSync(join(attempt, "started"), started(TOKEN));
    writeFileSync(join(attempt, "exit"), exit(TOKEN, 3));
    const seen = read();
    expect(seen.records).toEqual([{ task: undefined, started: true, exitCode: 3, limitReached: false }]);
    expect(seen.startedAtMs).toBeLessThanOrEqual(seen.endedAtMs ?? 0);
  });

  it("is not believed half: any prefix of an exit record or of a claim is none", () => {
    for (const [name, text] of [
      ["started", started(TOKEN)],
      ["exit", exit(TOKEN, 12)],
    ] as const) {
      for (let length = 0; length < text.length; length++) {
        writeFileSync(join(attempt, name), text.slice(0, length));
        expect(read().records, text.slice(0, length)).toMatchObject([{ started: false, exitCode: undefined }]);
      }
      rmSync(join(attempt, name));
    }
  });

  it("of another attempt's token does not count", () => {
    writeFileSync(join(attempt, "started"), started(OTHER));
    writeFileSync(join(attempt, "exit"), exit(OTHER, 0));
    expect(read().records).toMatchObject([{ started: false, exitCode: undefined }]);
  });

  it("is told task by task of an array", () => {
    writeFileSync(join(attempt, "started.2"), started(TOKEN));
    writeFileSync(join(attempt, "exit.2"), exit(TOKEN, 0));
    writeFileSync(join(attempt, "started.7"), started(TOKEN));
    writeFileSync(join(attempt, "limit.7"), "");
    expect(read([1, 2, 7]).records).toEqual([
      { task: 1, started: false, exitCode: undefined, limitReached: false },
      { task: 2, started: true, exitCode: 0, limitReached: false },
      { task: 7, started: true, exitCode: undefined, limitReached: true },
    ]);
  });

  it("is an error where a folder or a link has the name of a record, and nothing outside is read", () => {
    mkdirSync(join(attempt, "started"));
    expect(() => read()).toThrow();
    renameSync(join(attempt, "started"), join(attempt, "elsewhere"));
    writeFileSync(join(folder, "outside"), exit(TOKEN, 0));
    symlinkSync(join(folder, "outside"), join(attempt, "exit"));
    expect(() => read()).toThrow();
  });
});
