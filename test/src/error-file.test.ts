/** job_error.txt: what happened, the engine's word, the command, the end of the output, and how to run it again. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { realDisk } from "../../src/disk.ts";
import type { Attempt, Token } from "../../src/engine.ts";
import { errorText } from "../../src/error-file.ts";
import type { Outcome } from "../../src/outcome.ts";
import { shortId } from "../../src/outputs.ts";
import { somePlan } from "../fakes/plan.ts";
import { makeFolder } from "../harness.ts";

const TOKEN = "20260101T000000-0123456789ab" as Token;
let folder: string;

beforeEach(() => {
  folder = makeFolder();
});

function attempt(outputs: readonly string[], tasks: readonly number[] = []): Attempt {
  const plan = somePlan({ outputs, tasks });
  return { token: TOKEN, folder, records: "r", runner: "r/run.sh", plan, madeOn: { host: "h", boot: "b" } };
}

function text(
  outcome: Partial<Outcome> = {},
  more: { name?: string; attempt?: Attempt; command?: string; scriptChanged?: boolean } = {},
): string {
  return errorText(realDisk, {
    name: more.name ?? "a",
    folder,
    outcome: { is: "failed", why: "Exit code 1.", ...outcome },
    attempt: more.attempt,
    outputId: more.attempt && shortId(more.attempt.token),
    command: more.command,
    scriptChanged: more.scriptChanged === true,
  });
}

describe("job_error.txt", () => {
  it("says so if job.sh is not what was taken in", () => {
    expect(text({}, { scriptChanged: true })).toContain("\njob.sh was changed after the job was taken in");
    expect(text()).not.toContain("was changed");
  });

  it("begins with the plain sentence, and ends with how to run it again", () => {
    const all = text({ is: "refused", why: "job.sh is empty." });
    const [first, last, ...others] = all.trimEnd().split("\n\n");
    expect(others).toEqual([]);
    expect(first).toBe("a: refused. job.sh is empty.");
    expect(last).toMatch(/^Mend what is wrong: move this folder back to inbox\/[\s\S]*past-/);
  });

  it("holds nothing that moves a terminal's cursor, whatever names and engines say", () => {
    const odd = "\u001b[2Jodd";
    const all = text({ why: odd, engineWord: `${odd}\nsecond line` }, { name: "a\nb", command: `sbatch ${odd}` });
    expect(all.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect(all).toMatch(/^a\\x0ab: failed\. \\x1b\[2Jodd\n/);
    expect(all).toContain("odd\nsecond line\n");
  });

  it("tells the parts in order: sentence, the engine's word, the command, the output, the way on", () => {
    writeFileSync(join(folder, "job_output.txt"), "last words\n");
    const all = text({ engineWord: "TIMEOUT" }, { attempt: attempt(["job_output.txt"]), command: "sbatch x" });
    const parts = ["a: failed.", "word: TIMEOUT", "command: sbatch x", "  last words", "move this folder back"];
    const at = parts.map((part) => all.indexOf(part));
    expect(at.every((position) => position >= 0)).toBe(true);
    expect([...at].sort((a, b) => a - b)).toEqual(at);
  });

  it("has sentences in short lines; what one copies from it stays in one line, however long", () => {
    const words = "words and words ".repeat(20).trim();
    const why = `${words}. Slurm said: "error: ${words}". ${words}. Mend it with: chmod u+r ${"deep/".repeat(30)} job.sh`;
    writeFileSync(join(folder, "o"), `${words}\n`);
    const all = text({ why, engineWord: words }, { attempt: attempt(["o"]), command: `sbatch ${words}` });
    const long = all.split("\n").filter((line) => line.length > 80);
    const whole = [`"error: ${words}".`, `chmod u+r ${"deep/".repeat(30)} job.sh`, `: ${words}`, `sbatch ${words}`];
    expect(long).toHaveLength(5);
    whole.push(`  ${words}`);
    for (const [i, part] of whole.entries()) expect(long[i]).toContain(part);
    expect(all.replaceAll(/\s+/g, " ")).toContain(why.replaceAll(/\s+/g, " "));
  });

  it("shows the command that was refused rather than the one that would be used", () => {
    expect(text({ command: "sbatch refused" }, { command: "sbatch other" })).toContain("The command: sbatch refused\n");
  });

  it("shows the last 20 lines of the output, and no more", () => {
    writeFileSync(join(folder, "o"), Array.from({ length: 100 }, (_, i) => `line ${i + 1}`).join("\n"));
    const all = text({}, { attempt: attempt(["o"]) });
    expect(all).toContain("The last 20 lines of o:\n  line 81\n");
    expect(all).toContain("  line 100\n");
    expect(all).not.toContain("line 80\n");
  });

  it("reads only the end of an output without bounds", () => {
    writeFileSync(join(folder, "o"), `${"x".repeat(50 * 1024 * 1024)}\nthe end\n`);
    const all = text({}, { attempt: attempt(["o"]) });
    expect(all).toContain("  the end\n");
    expect(all.length).toBeLessThan(20_000);
  });

  it("makes control characters visible, so that no terminal is moved about", () => {
    writeFileSync(join(folder, "o"), "\x1b[31mred\x1b[0m \u009b2J\ttab\r\n");
    const all = text({}, { attempt: attempt(["o"]) });
    expect(all).toContain("\\x1b[31mred\\x1b[0m \\x9b2J    tab");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(all).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
  });

  it("says what there is instead of an output", () => {
    writeFileSync(join(folder, "empty"), " \n\n");
    mkdirSync(join(folder, "folder"));
    const all = text({}, { attempt: attempt(["empty", "absent", "folder"]) });
    expect(all).toContain("empty is empty.");
    expect(all).toContain("absent is not there.");
    expect(all).toMatch(/folder cannot be read: /);
  });

  it("does not show what a link points at", () => {
    const outside = join(makeFolder(), "secret");
    writeFileSync(outside, "secret\n");
    symlinkSync(outside, join(folder, "o"));
    expect(text({}, { attempt: attempt(["o"]) })).not.toContain("  secret");
  });

  it("shows the output of the first task that failed, and the codes of those that did", () => {
    writeFileSync(join(folder, "o_1"), "good\n");
    writeFileSync(join(folder, "o_2"), "bad\n");
    const all = text({ tasks: { 1: 0, 2: 5, 3: null } }, { attempt: attempt(["o_%t"], [1, 2, 3]) });
    expect(all).toContain("Exit codes of the tasks: 2: 5, 3: unknown\n");
    expect(all).toContain("The last line of o_2:\n  bad\n");
    expect(all).not.toContain("good");
  });

  it("lists 50 failed tasks at most", () => {
    const tasks = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [String(i), 1]));
    const line = text({ tasks })
      .split("\n")
      .find((one) => one.startsWith("Exit codes"));
    expect(line?.split(", ")).toHaveLength(51);
    expect(line).toMatch(/, \.\.\.$/);
  });

  it("warns of one that was lost half done", () => {
    expect(text({ is: "lost" })).toContain("Look first whether it left anything half done");
    expect(text({ is: "interrupted" })).toContain("It did nothing wrong itself");
  });
});
