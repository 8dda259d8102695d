/** `status --watch` and `logs -f` in a real terminal: what is shown, and what is left when they end. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, type TestContext } from "vitest";
import { makeRoot, type TestRoot, waitUntil } from "../harness.ts";
import { openTerminal, type Terminal } from "../tmux.ts";

const WAIT_MS = 60_000;

/** A terminal with a past, and the settings of its line. */
async function terminalWithPast(context: TestContext, root: TestRoot): Promise<{ terminal: Terminal; stty: string }> {
  const terminal = await openTerminal(context, root);
  terminal.resize(100, 24);
  const stty = await sttyOf(terminal, 1);
  terminal.run("echo what was there before");
  await waitUntil("a past", () => terminal.screen().endsWith("\nwhat was there before\n$"));
  return { terminal, stty };
}

async function sttyOf(terminal: Terminal, mark: number): Promise<string> {
  terminal.run(`echo "mode"${mark}=$(stty -g)`);
  const answer = new RegExp(`^mode${mark}=(\\S+)$`, "m");
  await waitUntil("the mode of the line", () => answer.test(terminal.screen().replaceAll("\n$", "\n$ ")));
  return answer.exec(terminal.screen())?.[1] ?? "";
}

async function watching(terminal: Terminal): Promise<void> {
  terminal.run("s --watch");
  await waitUntil("the view is there", () => /^NAME .*WHY$/m.test(terminal.visible()), WAIT_MS);
}

/** What was there is there again, the cursor is shown, and the line is as it was. */
async function expectAsBefore(terminal: Terminal, stty: string, code: number): Promise<void> {
  await waitUntil("what was there before is there again", () => /\nwhat was there before\n/.test(terminal.visible()));
  expect(terminal.visible()).not.toMatch(/^NAME/m);
  expect(await terminal.exitCode()).toBe(code);
  expect(await sttyOf(terminal, 2)).toBe(stty);
  const raw = terminal.raw();
  expect(raw.lastIndexOf("\u001b[?25h")).toBeGreaterThanOrEqual(raw.lastIndexOf("\u001b[?25l"));
}

it("status --watch shows what changes, fits the window at each size, and q leaves the screen as it was", async (context) => {
  const root = await makeRoot();
  for (let i = 10; i < 60; i++) mkdirSync(join(root.path, "inbox", `job-${i}`));
  const { terminal, stty } = await terminalWithPast(context, root);
  await watching(terminal);
  const rows = () => terminal.visible().match(/^job-\d\d/gm) ?? [];
  await waitUntil("the screen is full", () => rows().length === 19, WAIT_MS);
  expect(terminal.visible()).toContain("Not shown: 31 waiting");
  terminal.resize(60, 12);
  await waitUntil("it fits the small window", () => rows().length === 7, WAIT_MS);
  expect(terminal.visible().split("\n").length).toBeLessThanOrEqual(12);
  terminal.resize(100, 24);
  for (let i = 10; i < 60; i++) rmSync(join(root.path, "inbox", `job-${i}`), { recursive: true });
  mkdirSync(join(root.path, "complete/last"));
  writeFileSync(join(root.path, "complete/last/job_status.json"), '{"state": "failed", "why": "Exit code 3."}');
  await waitUntil("the change is shown", () => /^last +failed +.*Exit code 3\.$/m.test(terminal.visible()), WAIT_MS);
  expect(rows()).toEqual([]);
  terminal.press("q");
  await expectAsBefore(terminal, stty, 0);
});

it.for<[string, (terminal: Terminal) => void, number]>([
  ["ctrl-C", (terminal) => terminal.press("C-c"), 130],
  ["a kill", (terminal) => process.kill(terminal.managerPid(), "SIGTERM"), 143],
])("%s leaves the screen as it was", async ([, end, code], context) => {
  const root = await makeRoot();
  mkdirSync(join(root.path, "inbox/a"));
  const { terminal, stty } = await terminalWithPast(context, root);
  await watching(terminal);
  end(terminal);
  await expectAsBefore(terminal, stty, code);
});

it("ctrl-Z gives the screen back, and fg takes it again", async (context) => {
  const root = await makeRoot();
  mkdirSync(join(root.path, "inbox/a"));
  const { terminal, stty } = await terminalWithPast(context, root);
  await watching(terminal);
  terminal.press("C-z");
  await waitUntil("it is stopped", () => /Stopped/.test(terminal.visible()));
  expect(terminal.visible()).toContain("what was there before");
  terminal.run("fg");
  await waitUntil("the view is there again", () => /^a +waiting/m.test(terminal.visible()), WAIT_MS);
  terminal.press("q");
  await expectAsBefore(terminal, stty, 0);
});

it("logs -f shows what a job prints, and ctrl-C ends it and not the job", async (context) => {
  const root = await makeRoot();
  const { terminal, stty } = await terminalWithPast(context, root);
  const manager = root.manage();
  root.drop("a", "for i in 1 2 3; do echo line $i; done; while ! [ -e go ]; do sleep 0.1; done; echo last\n");
  await waitUntil("it runs", () => root.exists("pending/a/job_output.txt"));
  terminal.run("l -f a");
  await waitUntil("its lines are there", () => /\nline 1\nline 2\nline 3$/.test(terminal.visible()), WAIT_MS);
  terminal.press("C-c");
  await expectAsBefore(terminal, stty, 130);
  writeFileSync(join(root.path, "pending/a/go"), "");
  await root.completed("a");
  expect(root.status("a")).toMatchObject({ state: "succeeded" });
  await manager.stop();
});
