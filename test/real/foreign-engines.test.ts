/** Engines of others, with the real program: from where one is loaded, and what becomes of jobs when it cannot be. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { jobmgr, makeFolder, makeRoot, PROGRAM, runToEnd, waitUntil } from "../harness.ts";

/** A module's text: an engine of this name that can do nothing. */
const engineText = (name: string, how = "export default") =>
  `${how} { contract: 1, name: "${name}", version: "2.3", summary: "nothing", make() { throw new Error("no"); } };\n`;

function put(folder: string, path: string, text: string): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

describe("a manager whose engine is of no use says so, by name, and leaves all jobs as they are", () => {
  it.each<readonly [string, string, RegExp]>([
    [
      "throws while it is loaded",
      'throw new Error("no licence");\n',
      /a\.mjs cannot be loaded: no licence \(.*a\.mjs:1:\d+\)\.$/,
    ],
    ["throws no error", "throw 5;\n", /a\.mjs cannot be loaded: 5\.$/],
    [
      "is no JavaScript",
      "\n\nexport default {;\n",
      /a\.mjs cannot be loaded: Unexpected token ';'( \(\/.*a\.mjs:3\)|; `node .*a\.mjs` shows where)/,
    ],
    [
      "imports what is not there",
      'import "no-such-package";\n',
      /a\.mjs cannot be loaded: Cannot find package 'no-such-package'/,
    ],
    [
      "imports jobmgr, which is not there",
      'import "jobmgr/engine";\n',
      /It imports jobmgr, which is not installed where it lies: npm install jobmgr\.$/,
    ],
    [
      "gives nothing away",
      "",
      /a\.mjs is no engine: it must give away one object with contract, name, version, summary and make, as its default export or by a name; it gives away nothing\.$/,
    ],
    [
      "gives away what throws when it is looked at",
      'export default new Proxy({}, { has() { throw new Error("no"); }, get() { throw new Error("no"); } });\n',
      /a\.mjs is no engine: no \(.*a\.mjs:1:\d+\)\.$/,
    ],
    ["gives a class away", "export class Engine {}\n", /it gives away Engine\.$/],
    [
      "gives several away",
      `${engineText("One", "export const one =")}${engineText("Two", "export const two =")}`,
      /a\.mjs gives away several engines \(One, Two\)\. Make one of them its default export\.$/,
    ],
    [
      "gives half a definition",
      "export default { contract: 1 };\n",
      /a\.mjs is no engine that can be used: name is missing; version is missing/,
    ],
    [
      "was written for a later contract",
      "export default { contract: 2 };\n",
      /a\.mjs was written for version 2 of the contract/,
    ],
    [
      "calls itself as one of jobmgr's",
      engineText("LocalEngine"),
      /a\.mjs calls itself LocalEngine, as one does that comes with jobmgr\. It must have a name of its own\.$/,
    ],
    ["makes no engine", engineText("Mine"), /Mine \(.*a\.mjs\) is at fault: make\(\) threw: no \(.*a\.mjs:1:\d+\)$/],
    [
      "keeps something open",
      `setInterval(() => {}, 1000);\n${engineText("Mine")}`,
      /Mine \(.*a\.mjs\) is at fault: make\(\) threw: no/,
    ],
    [
      "is not here",
      `${engineText("Mine", "const mine =")}mine.absence = () => "There is no flux\\x1b[31m here.";\nexport { mine };\n`,
      /^jobmgr: There is no flux\\x1b\[31m here\.$/,
    ],
  ])("one that %s", async (_, text, said) => {
    const root = await makeRoot();
    root.dropLedger("job");
    put(root.path, "a.mjs", text);
    const { code, stdout, stderr } = await jobmgr(["--root", root.path, "-e", "./a.mjs", "--once"], { cwd: root.path });
    expect([code, stdout]).toEqual([69, ""]);
    expect(stderr.trim()).toMatch(said);
    expect([root.names("inbox"), root.names("pending"), root.names("complete"), root.runs()]).toEqual([
      ["job"],
      [],
      [],
      [],
    ]);
  });
});

describe("where an engine is loaded from", () => {
  /** The one in force, as `engines` tells it. */
  async function inForce(args: readonly string[], options: Parameters<typeof runToEnd>[2], program = PROGRAM) {
    const { stdout, stderr } = await runToEnd(process.execPath, [program, ...args, "engines", "--json"], options);
    const { engines } = JSON.parse(
      stdout || `{ "engines": [{ "inForce": true, "why": ${JSON.stringify(stderr)} }] }`,
    ) as {
      engines: { name: string | null; inForce: boolean; why: string | null }[];
    };
    const [one] = engines.filter((engine) => engine.inForce);
    return one?.name ?? one?.why;
  }

  it("a path is meant from where it is written: a flag's and a variable's from where one stands, a file's from its folder", async () => {
    const root = await makeRoot();
    const here = makeFolder();
    put(here, "mine.mjs", engineText("Here"));
    put(root.path, "mine.mjs", engineText("AtTheRoot"));
    put(here, "home/.config/jobmgr.toml", 'engine = "../mine.mjs"\n');
    put(here, "home/mine.mjs", engineText("AtHome"));
    const env = { HOME: join(here, "home"), XDG_CONFIG_HOME: "" };
    const args = ["--root", root.path];
    expect(await inForce([...args, "-e", "./mine.mjs"], { cwd: here, env })).toBe("Here");
    expect(await inForce(args, { cwd: here, env: { ...env, JOBMGR_ENGINE: "./mine.mjs" } })).toBe("Here");
    expect(await inForce(args, { cwd: here, env: { ...env, JOBMGR_ENGINE: "~/mine.mjs" } })).toBe("AtHome");
    expect(await inForce(args, { cwd: here, env })).toBe("AtHome");
    put(root.path, "jobmgr.toml", 'engine = "./mine.mjs"\n');
    expect(await inForce(args, { cwd: here, env })).toBe("AtTheRoot");
  });

  it("a package is found where one stands, at the root, and beside jobmgr as npm installs it for all", async () => {
    const root = await makeRoot();
    const [here, prefix] = [makeFolder(), makeFolder()];
    const program = join(prefix, "lib/node_modules/jobmgr/dist/jobmgr.mjs");
    mkdirSync(dirname(program), { recursive: true });
    copyFileSync(PROGRAM, program);
    const call = () => inForce(["--root", root.path, "-e", "flux"], { cwd: here }, program);
    expect(await call()).toContain('There is no engine "flux"');
    for (const [folder, name] of [
      [join(prefix, "lib"), "Global"],
      [root.path, "AtTheRoot"],
      [here, "Here"],
    ] as const) {
      put(folder, "node_modules/jobmgr-engine-flux/package.json", '{ "type": "module" }');
      put(folder, "node_modules/jobmgr-engine-flux/index.js", engineText(name));
      expect(await call()).toBe(name);
    }
  });

  it("a service is told the absolute path", async () => {
    const root = await makeRoot();
    put(root.path, "mine.mjs", engineText("Mine"));
    const { stdout } = await jobmgr(["--root", root.path, "-e", "./mine.mjs", "service", "cron"], { cwd: root.path });
    expect(stdout).toContain(`--engine ${root.path}/mine.mjs`);
  });
});

describe("jobs of an engine that somebody else has written", () => {
  /** LocalEngine under another name, with these members in place of its own. */
  const localText = (members = "") => `
    import { LocalEngine } from ${JSON.stringify(join(import.meta.dirname, "../../dist/engines/local/index.js"))};
    class Mine extends LocalEngine {
      name = "MineEngine";
      ${members}
    }
    const make = (options) => new Mine({ places: 2, graceS: options.graceS });
    export default { contract: 1, name: "MineEngine", version: "2.3", summary: "this machine", make };
  `;

  it("run as those of others; their records say which version of what file it was", async () => {
    const root = await makeRoot();
    put(root.path, "mine.mjs", localText());
    root.dropLedger("job", "exit 3");
    const manager = root.manage(["-e", "./mine.mjs"], { cwd: root.path });
    await root.completed("job");
    expect(await manager.stop()).toBe(130);
    expect(root.runs()).toEqual(["job"]);
    expect(root.status("job")).toMatchObject({ state: "failed", exitCode: 3, engine: "MineEngine" });
    const records = join(root.path, "complete/job/.jobmgr");
    const [attempt] = readdirSync(records).filter((name) => name.startsWith("attempt-"));
    const intent = JSON.parse(readFileSync(join(records, attempt ?? "", "intent"), "utf8"));
    expect(intent).toMatchObject({ engine: "MineEngine", engineVersion: "2.3", engineFrom: `${root.path}/mine.mjs` });
    const { stdout } = await jobmgr(["--root", root.path, "status"]);
    expect(stdout).toContain(`To start one: jobmgr --root ${root.path} -e ${root.path}/mine.mjs`);
  });

  it("go on when it throws where nobody waits for it, in a timer or a promise, which status says by its name", async () => {
    const root = await makeRoot();
    put(
      root.path,
      "mine.mjs",
      localText(`async submit(...order) {
        setTimeout(() => { throw new Error("late"); }, 10);
        Promise.reject(new Error("stray"));
        return super.submit(...order);
      }`),
    );
    root.dropLedger("job", "while [ ! -e go ]; do sleep 0.05; done");
    const manager = root.manage(["-e", "./mine.mjs"], { cwd: root.path });
    const said = /MineEngine is at fault: it threw where nobody waits for it: (stray|late) \(.*mine\.mjs:\d+:\d+\)\./;
    await waitUntil("it is said", () => said.test(manager.stdout()) || said.test(manager.stderr()));
    await waitUntil("it is shown", () => said.test(root.read(".jobmgr/manager.json")));
    writeFileSync(join(root.path, "pending/job/go"), "");
    await root.completed("job");
    expect(await manager.stop()).toBe(130);
    expect(root.runs()).toEqual(["job"]);
  });

  it("stay with it while another is today's; and wait as they are while it is broken, which status says by its name", async () => {
    const root = await makeRoot();
    const file = put(root.path, "mine.mjs", localText());
    root.dropLedger("job", "while [ ! -e go ]; do sleep 0.05; done");
    const first = root.manage(["-e", "./mine.mjs"], { cwd: root.path });
    await waitUntil("it runs", () => root.runs().length === 1);
    await first.stop();
    writeFileSync(file, localText("async poll() { throw new TypeError('x is not a function'); }"));
    const second = root.manage();
    const said = "MineEngine is at fault: poll() threw: x is not a function";
    await waitUntil("it is said", () => second.stdout().includes(said) || second.stderr().includes(said));
    const { stdout } = await jobmgr(["--root", root.path, "status"]);
    expect(stdout).toContain(said);
    expect(root.names("pending")).toEqual(["job"]);
    await second.stop();
    writeFileSync(file, localText());
    writeFileSync(join(root.path, "pending/job/go"), "");
    const third = root.manage();
    await root.completed("job");
    await third.stop();
    expect(root.status("job")).toMatchObject({ state: "succeeded", engine: "MineEngine" });
    expect(root.runs()).toEqual(["job"]);
  });
});
