/** A launcher as programs have it: real processes, without a terminal and without signals to this one. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { startOf } from "../../../engines/process.ts";
import { runProgram } from "../../../engines/run-program.ts";
import { HEIR, isProgram, runTogether } from "../../../engines/together.ts";
import { realDisk } from "../../../src/disk.ts";
import { makeLauncher } from "../../../src/launch/launcher.ts";
import { LaunchError } from "../../../src/launch/program.ts";
import { makeFolder, waitUntil } from "../../harness.ts";
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

  it("that is told to stop while it starts many programs starts no further one", async () => {
    const stop = new AbortController();
    const launcher = await local();
    const programs = [{ argv: ["sleep", "60"], processes: 20 }, { argv: ["no-such-program-here"] }];
    const running = launcher.run(programs, { signal: stop.signal });
    setImmediate(() => stop.abort());
    expect(await running).toEqual({ exitCode: 143, signal: "SIGTERM" });
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

  it("is ended with all that holds its output open, also when the program itself has ended", async () => {
    const { stream, text } = collector();
    const stop = new AbortController();
    const launcher = await local();
    const argv = ["sh", "-c", "sleep 1000 & echo $$"];
    const running = launcher.run([{ argv }], { stdout: stream, signal: stop.signal });
    await waitUntil("the program has ended", () => text() !== "" && startOf(Number(text())) === undefined);
    stop.abort();
    expect(await running).toEqual({ exitCode: 0, signal: undefined });
  });

  it("leaves alone what a program leaves behind that holds none of its output", async () => {
    const folder = makeFolder();
    const launcher = await local();
    const later = `while [ -d ${folder} ] && [ ! -e ${folder}/gate ]; do sleep 0.02; done; touch ${folder}/done`;
    await launcher.run([{ argv: ["sh", "-c", `(${later}) >/dev/null 2>&1 &`] }], { passSignals: true });
    writeFileSync(join(folder, "gate"), "");
    await waitUntil("it has gone on", () => existsSync(join(folder, "done")));
  });

  it("lets a program know by its closed pipe that its reader has gone", async () => {
    const launcher = await local();
    const stdout = new PassThrough({ highWaterMark: 10 });
    const stderr = new PassThrough();
    stderr.destroy();
    const running = launcher.run([{ argv: ["yes"] }, { argv: ["sh", "-c", "yes >&2"] }], { stdout, stderr });
    stdout.once("data", () => stdout.destroy());
    expect((await running).exitCode).not.toBe(0);
    await expect(launcher.run([{ argv: ["true"] }], { stdout: "pipe" as "ignore" })).rejects.toThrow(LaunchError);
  });

  it("waits for a slow reader, and leaves nothing of that behind", async () => {
    const warnings: Error[] = [];
    const hear = (warning: Error) => warnings.push(warning);
    process.on("warning", hear);
    onTestFinished(() => void process.off("warning", hear));
    let bytes = 0;
    const stdout = new Writable({
      highWaterMark: 1,
      write(chunk, _encoding, done) {
        bytes += chunk.length;
        setImmediate(done);
      },
    });
    const before = stdout.eventNames();
    const launcher = await local();
    await launcher.run([{ argv: ["sh", "-c", "yes | head -c 500000"], processes: 12 }], { stdout });
    expect(bytes).toBe(12 * 500_000);
    expect(stdout.eventNames()).toEqual(before);
    expect(warnings).toEqual([]);
  });

  it("goes on, and can be ended, where one of the programs cannot be started at all", async () => {
    const witness = makeWitness();
    const stop = new AbortController();
    const launcher = await local();
    const tooLong = { argv: ["echo", "x".repeat(200_000)] };
    const running = launcher.run([tooLong, { argv: [witness.path, "stay"] }], { signal: stop.signal });
    await witness.up(1);
    stop.abort();
    expect(await running).toMatchObject({ exitCode: 126, fault: expect.stringMatching(/^echo cannot be.*E2BIG/) });
    await witness.gone();
  });

  it("leaves no listeners on the process behind", async () => {
    const before = process.listenerCount("SIGINT");
    const launcher = await local();
    await launcher.run([{ argv: ["true"] }], { passSignals: true });
    expect(process.listenerCount("SIGINT")).toBe(before);
  });

  it("of copies is not made where options are configured that it would pass over", async () => {
    const launchers = { local: { defaultOptions: ["--bind-to"] } };
    await expect(makeLauncher("local", { launchers }, around)).rejects.toThrow(
      /^\[launch\.local\] .* has none but kind/,
    );
  });

  it("is ended when this process is killed, but for those that were over, whose numbers may be another's by then", async () => {
    const [over, goesOn] = [0, 1].map(() => spawn("sleep", ["60"], { detached: true, stdio: "ignore" }));
    onTestFinished(() => void over?.kill());
    const heir = spawn("sh", ["-c", HEIR], { stdio: ["pipe", "ignore", "ignore"] });
    onTestFinished(() => void heir.kill());
    const ended = once(goesOn as ChildProcess, "exit");
    heir.stdin.end(`${over?.pid}\n${goesOn?.pid}\n-${over?.pid}\n`);
    expect(await ended).toEqual([null, "SIGTERM"]);
    expect([over?.exitCode, over?.signalCode]).toEqual([null, null]);
  });

  it("is not made under a name that there is not", async () => {
    await expect(makeLauncher("lokal", { launchers: {} }, around)).rejects.toThrow(
      /no launcher "lokal"\. Did you mean local/,
    );
  });
});
