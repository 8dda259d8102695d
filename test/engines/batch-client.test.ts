/** What is asked of a scheduler's history, and what is believed of it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Client } from "../../engines/batch/client.ts";
import { sgeDialect } from "../../engines/sge/dialect.ts";
import type { Handle, Submitted, Token } from "../../src/engine.ts";
import { somePlan } from "../fakes/plan.ts";
import { makeFolder } from "../harness.ts";

const TOKEN = "20260101T000000-0123456789ab" as Token;

it("a history that cannot be seen once is asked again the next time", async () => {
  const folder = makeFolder();
  const file = join(folder, "accounting");
  const job: Submitted = {
    token: TOKEN,
    handle: "7" as Handle,
    folder,
    records: folder,
    runner: join(folder, "run.sh"),
    plan: somePlan(),
    madeOn: { host: "h", boot: "b" },
  };
  const history = {
    question: () => ({ program: "cat", args: [file] }),
    rows: ({ exitCode }: { exitCode?: number | undefined }) =>
      exitCode === 0 ? [{ id: "7", news: { is: "ended" as const, word: "over" } }] : ("absent" as const),
    lagMs: 0,
  };
  const client = new Client({ ...sgeDialect, history }, process.env, "ada");
  const ask = async () => await client.history([{ job, id: "7" }]);
  expect((await ask()).is).toBe("absent");
  writeFileSync(file, "");
  const seen = await ask();
  expect(seen.is).toBe("there");
  expect(seen.rowsOf(job, "7")).toHaveLength(1);
});
