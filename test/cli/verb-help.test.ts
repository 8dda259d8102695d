/** The help of every verb: two examples that work as they stand there, 80 columns, and nothing that drowns its own options. */
import { expect, it } from "vitest";
import { VERBS, type VerbDefinition, type VerbName } from "../../src/command-line/command-line.ts";
import { OPTIONS } from "../../src/config/options.ts";
import { jobmgr } from "../harness.ts";

const NAMES = Object.keys(VERBS) as VerbName[];
const LINES_MAX = 45;
const COLUMNS = 80;

it("of each verb begins with two examples, names its options, and fits a small terminal", async () => {
  // Two at a time, or they would only wait for each other.
  for (let at = 0; at < NAMES.length; at += 2)
    await Promise.all(
      NAMES.slice(at, at + 2).map(async (name) => {
        const verb: VerbDefinition = VERBS[name];
        const { code, stdout, stderr } = await jobmgr([name, "--help"], { env: { COLUMNS: String(COLUMNS) } });
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        const lines = stdout.split("\n");
        expect(lines[0]).toBe("Examples:");
        expect(verb.examples.length, name).toBeGreaterThanOrEqual(2);
        for (const example of verb.examples) expect(lines).toContain(`  ${example}`);
        for (const { flags } of verb.options) expect(stdout).toContain(`  ${flags}`);
        expect(lines.filter((line) => line.length > COLUMNS)).toEqual([]);
        expect(lines.length, name).toBeLessThanOrEqual(LINES_MAX);
      }),
    );
});

it("of each verb shows its examples with words that are its own", () => {
  const known = new Set(Object.values(OPTIONS).flatMap(({ flags }) => flags.match(/-{1,2}[\w-]+(?=[ ,]|$)/g) ?? []));
  for (const name of NAMES) {
    const verb: VerbDefinition = VERBS[name];
    const own = new Set(verb.options.flatMap(({ flags }) => flags.match(/-{1,2}[\w-]+(?=[ ,]|$)/g) ?? []));
    for (const example of verb.examples) {
      expect(example).toMatch(new RegExp(`\\bjobmgr\\b.* ${name}\\b`));
      const [call = ""] = /jobmgr [^|;)>]*/.exec(example) ?? [];
      for (const flag of call.split(" -- ")[0]?.match(/(?<= )-{1,2}[A-Za-z][\w-]*/g) ?? [])
        expect(known.has(flag) || own.has(flag), `${flag} in: ${example}`).toBe(true);
    }
  }
});
