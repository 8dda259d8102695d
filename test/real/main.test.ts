import { describe, expect, it } from "vitest";
import { makeRoot, waitUntil } from "../harness.ts";

describe("the main job", () => {
  it("a folder dropped into the inbox is found in complete with its output", async () => {
    const root = await makeRoot();
    const manager = root.manage();
    root.drop("a", { "job.sh": "echo hello; cat data.txt; pwd", "data.txt": "input\n" });
    await root.completed("a");
    expect(root.read("complete/a/job_output.txt")).toBe(`hello\ninput\n${root.path}/pending/a\n`);
    expect(root.read("complete/a/data.txt")).toBe("input\n");
    expect(root.exists("complete/a/job_error.txt")).toBe(false);
    expect(root.status("a")).toMatchObject({ schema: 1, state: "succeeded", exitCode: 0, engine: "LocalEngine" });
    expect(await manager.stop()).toBe(130);
    expect(manager.stdout()).toContain("Starting Job Manager: use ctrl-C to quit\nWatching inbox: ");
  });

  it("jobs start in the order of their names by code point", async () => {
    const root = await makeRoot();
    const names = ["10", "9", "a", "B", "\u{1f600}", "\uffee", "ä"];
    for (const name of names) root.dropLedger(name);
    root.manage(["-M", "1"]);
    await root.completed(...names);
    expect(root.runs()).toEqual(["10", "9", "B", "a", "ä", "\uffee", "\u{1f600}"]);
  });

  it("jobs go on when the manager is killed, and the next one collects them", async () => {
    const root = await makeRoot();
    const first = root.manage();
    root.dropLedger("a", "sleep 1; exit 7");
    await waitUntil("it runs", () => root.runs().length === 1);
    first.signal("SIGKILL");
    await first.ended;
    root.manage();
    await root.completed("a");
    expect(root.runs()).toEqual(["a"]);
    expect(root.status("a")).toMatchObject({ state: "failed", exitCode: 7 });
  });
});
