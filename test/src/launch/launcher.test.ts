/** A launcher as programs have it: real processes, without a terminal and without signals to this one. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { runProgram } from "../../../engines/run-program.ts";
import { isProgram, runTogether } from "../../../engines/together.ts";
import { realDisk } from "../../../src/disk.ts";
import { makeLauncher } from "../../../src/launch/launcher.ts";
import { makeFolder } from "../../harness.ts";
import { makeWitness } from "../../real/launchers.ts";

const around = { disk: realDisk, env: {}, cores: 2, isOnPath: isProgram, runProgram, runTogether };
const local = () => makeLauncher("local", { launchers: {} }, around);

/** A stream, and what was written to it. */
function collector() {
  const stream = new PassThrough();
  let text = "";
  stream.on("data", (data) => {
    text += data;
  });
  return { stream, text: () => text };
}

describe("a launcher of a program", () => {
  it("tells what it would start, and how it ended, with output and environment as they are asked for", async () => {
    const launcher = await local();
    const script = "echo $RANK/$SIZE $A; [ -z $HOME ] || echo home; exit $((RANK * 3))";
    const programs = [{ argv: ["sh", "-c", script], processes: 2 }];
    expect(launcher.command([{ argv: ["a b"], processes: 2 }])).toEqual(["RANK=0 SIZE=2 'a b'", "RANK=1 SIZE=2 'a b'"]);
    const { stream, text } = collector();
    const end = await launcher.run(programs, { stdout: stream, label: true, env: { A: "x", HOME: null } });
    expect(end).toEqual({ exitCode: 3, signal: undefined });
    expect(text().split("\n").filter(Boolean).sort()).toEqual(["0: 0/2 x", "1: 1/2 x"]);
  });

  it("is ended by a signal of the program's own making", async () => {
    const witness = makeWitness();
    const stop = new AbortController();
    const launcher = await local();
    const running = launcher.run([{ argv: [witness.path, "stay"], processes: 2 }], { signal: stop.signal });
    await witness.up(2);
    stop.abort();
    expect(await running).toEqual({ exitCode: 9, signal: undefined });
    await witness.gone();
  });

  it("that was told to stop before it began ends at once", async () => {
    const witness = makeWitness();
    const launcher = await local();
    const { exitCode } = await launcher.run([{ argv: ["sleep", "60"] }], { signal: AbortSignal.abort() });
    expect(exitCode).toBe(143);
    expect(witness.notes()).toEqual([]);
  });

  it("tells how the program ended, also where its file has gone with the temporary folder", async () => {
    const folder = makeFolder();
    const executable = join(folder, "srun");
    // Its last word is the path of the file, which here is gone, as by a cleaner, when it ends.
    writeFileSync(executable, '#!/bin/sh\nfor path; do :; done\nrm -r "$(dirname "$path")"\nexit 5\n', { mode: 0o755 });
    const launchers = { site: { kind: "srun", executable } } as const;
    const launcher = await makeLauncher("site", { launchers }, around);
    expect(await launcher.run([{ argv: ["a"] }, { argv: ["b"] }])).toMatchObject({ exitCode: 5 });
  });

  it("leaves no listeners on the process behind", async () => {
    const before = process.listenerCount("SIGINT");
    const launcher = await local();
    await launcher.run([{ argv: ["true"] }], { passSignals: true });
    expect(process.listenerCount("SIGINT")).toBe(before);
  });

  it("is not made under a name that there is not", async () => {
    await expect(makeLauncher("lokal", { launchers: {} }, around)).rejects.toThrow(
      /no launcher "lokal"\. Did you mean local/,
    );
  });
});
