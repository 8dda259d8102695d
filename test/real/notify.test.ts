/** People are told: the real program, and those it tells: a program, a web server, mail servers, good ones and bad ones. */
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createNetServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FAST, jobmgr, makeRoot, type Running, type TestRoot, waitUntil } from "../harness.ts";
import { putProgram } from "../own-programs.ts";

interface Told {
  readonly event: string;
  readonly id: string;
  readonly text: string;
  readonly job?: Record<string, unknown>;
  readonly batch?: Record<string, unknown>;
}

function listening(server: Server, port = 0): Promise<number> {
  onTestFinished(() => {
    server.close();
  });
  return new Promise((done) => server.listen(port, "127.0.0.1", () => done((server.address() as AddressInfo).port)));
}

type Way = "take" | "refuse" | "hang" | "close" | "redirect";

/** A web server that does as it is told, and keeps what was posted. */
async function makeHook() {
  const hook = { way: "take" as Way, told: [] as Told[], asked: [] as string[], headers: [] as unknown[], url: "" };
  const answer = (response: ServerResponse, body: string) => {
    if (hook.way === "take") hook.told.push(JSON.parse(body));
    if (hook.way === "close") response.destroy();
    if (hook.way === "close" || hook.way === "hang") return;
    if (hook.way === "redirect") response.setHeader("location", `${hook.url}/elsewhere`);
    response.statusCode = { take: 204, refuse: 500, redirect: 302 }[hook.way];
    response.end(hook.way === "refuse" ? `no: ${body}` : "");
  };
  const server = createServer((request: IncomingMessage, response) => {
    let body = "";
    request.on("data", (data) => {
      body += data;
    });
    request.on("end", () => {
      hook.asked.push(`${request.method} ${request.url} ${body && JSON.parse(body).id}`);
      hook.headers.push(request.headers);
      answer(response, body);
    });
  });
  onTestFinished(() => server.closeAllConnections());
  hook.url = `http://127.0.0.1:${await listening(server)}`;
  return hook;
}

/** A program that keeps what it is told; its exit code is what stands in the file beside it. */
function makeProgram(root: TestRoot) {
  const folder = join(root.path, "../told");
  mkdirSync(folder);
  const path = join(folder, "tell it.sh");
  const script = `#!/bin/sh\ncat > '${folder}'/$1-$$.new && mv '${folder}'/$1-$$.new '${folder}'/$1-$$.json\n`;
  writeFileSync(path, script);
  chmodSync(path, 0o755);
  const told = (): Told[] =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));
  return { path, told };
}

/** All files under a folder, and all that is in them. */
function everything(folder: string): string {
  return (readdirSync(folder, { recursive: true }) as string[])
    .map((name) => name + (lstatSync(join(folder, name)).isFile() ? readFileSync(join(folder, name), "utf8") : ""))
    .join("\n");
}

const outbox = (root: TestRoot) => {
  const folder = join(root.path, ".jobmgr/outbox");
  return existsSync(folder)
    ? (readdirSync(folder, { recursive: true }) as string[]).filter((name) => name.endsWith(".json"))
    : [];
};

async function kill(manager: Running): Promise<void> {
  manager.signal("SIGKILL");
  await manager.ended;
}

describe("a batch", () => {
  it("of five jobs, two of which fail, is one message; the next one tells of what came later", async () => {
    const root = await makeRoot();
    const program = makeProgram(root);
    for (const name of ["a", "b", "c"]) root.dropLedger(name);
    for (const name of ["bad1", "bad2"]) root.dropLedger(name, "exit 3");
    root.drop("zz-held", { "job.sh": "true", job_hold: "" });
    const manager = root.manage(["--notify-command", program.path, "--notify-on", "batch", "-M", "1"]);
    await waitUntil("somebody is told", () => program.told().length > 0);
    root.dropLedger("later");
    await waitUntil("somebody is told of what came later", () => program.told().length > 1);
    await manager.stop();
    const [first, second] = program.told().sort((x, y) => Number(y.batch?.jobs) - Number(x.batch?.jobs));
    expect(first).toMatchObject({
      schema: 1,
      event: "batch",
      root: root.path,
      batch: { jobs: 5, succeeded: 3, failed: 2, cancelled: 0, failedNames: ["bad1", "bad2"] },
    });
    expect(first?.text).toMatch(/^3 done, 2 failed \(bad1, bad2\)\. /);
    expect(second).toMatchObject({ event: "batch", batch: { jobs: 1, succeeded: 1, failed: 0 } });
    expect(program.told()).toHaveLength(2);
    expect(outbox(root)).toEqual([]);
  });

  it("and each failure, and with end each job, are told where that is wanted", async () => {
    const root = await makeRoot();
    const program = makeProgram(root);
    const manager = root.manage(["--notify-command", program.path, "--notify-on", "end,failure"]);
    root.drop("good", "true");
    root.drop("b<!channel>ad", "exit 7");
    await waitUntil("both are told", () => program.told().length === 2);
    await manager.stop();
    const [end, failure] = program.told().sort((x, y) => (x.event < y.event ? -1 : 1));
    expect(end).toMatchObject({ event: "end", job: { name: "good", state: "succeeded", exitCode: 0 } });
    expect(failure).toMatchObject({
      event: "failure",
      job: { name: "b<!channel>ad", state: "failed", exitCode: 7, folder: `${root.path}/complete/b<!channel>ad` },
    });
    expect(failure?.text).not.toContain("<!");
    const { token, startedAt, endedAt } = root.status("good");
    expect(end).toMatchObject({ id: `${token}-end`, job: { startedAt, endedAt } });
  });
});

describe("jobs that wait for others, or are run again", () => {
  it("belong to one batch with those; what was not run for one that failed is told with it only", async () => {
    const root = await makeRoot();
    const program = makeProgram(root);
    root.drop("a", "true");
    root.drop("b", { "job.sh": "true", "job_after.txt": "a\n" });
    root.drop("c", { "job.sh": "[ -e ../../tried ] || { touch ../../tried; exit 1; }", "job_after.txt": "b\n" });
    root.drop("d", { "job.sh": "exit 3", "job_after.txt": "c\n" });
    root.drop("e", { "job.sh": "true", "job_after.txt": "d\n" });
    const args = ["--retry-times", "1", "--retry-on", "failed", "--retry-pause", "0.5"];
    const manager = root.manage(["--notify-command", program.path, ...args]);
    await waitUntil("the batch is told", () => program.told().some(({ event }) => event === "batch"));
    await manager.stop();
    const [batch, failure, ...none] = program.told().sort((x, y) => (x.event < y.event ? -1 : 1));
    expect(none).toEqual([]);
    expect(failure).toMatchObject({ event: "failure", job: { name: "d", exitCode: 3 } });
    expect(batch).toMatchObject({ batch: { jobs: 5, succeeded: 3, failed: 2, failedNames: ["d", "e"] } });
  });
});

describe("a webhook", () => {
  it("that is down costs no job anything; what ended meanwhile is told when it is up, each once", async () => {
    const root = await makeRoot();
    const hook = await makeHook();
    hook.way = "close";
    for (const name of ["a", "b", "c"]) root.dropLedger(name, name === "b" ? "exit 1" : "");
    const args = ["--notify-url", hook.url];
    const first = root.manage(args);
    await root.completed("a", "b", "c");
    await waitUntil("it was tried", () => hook.asked.length > 0);
    await waitUntil("it is told", () => first.stderr().includes("cannot be delivered"));
    root.dropLedger("d");
    await root.completed("d");
    await first.stop();
    expect(first.stderr().split("cannot be delivered")).toHaveLength(2);
    hook.way = "take";
    root.manage(args);
    await waitUntil("all is told", () => hook.told.some(({ batch }) => batch) && outbox(root).length === 0);
    const counted = hook.told.map(({ batch }) => Number(batch?.jobs ?? 0)).reduce((sum, count) => sum + count, 0);
    expect(counted).toBe(4);
    expect(hook.told.filter(({ event }) => event === "failure").map(({ job }) => job?.name)).toEqual(["b"]);
    expect(root.runs().sort()).toEqual(["a", "b", "c", "d"]);
  });

  it.each([
    ["refuse", "it answered 500"],
    ["redirect", "it answered 302, a redirect, which is not followed"],
  ] as const)("that answers with %s has not taken the message: %s", async (way, why) => {
    const root = await makeRoot();
    const hook = await makeHook();
    hook.way = way;
    root.drop("a", "exit 1");
    const manager = root.manage(["--notify-url", `${hook.url}/secret-path`]);
    await waitUntil("it is told", () => manager.stderr().includes(`${hook.url} cannot be delivered: ${why}`));
    await waitUntil("status shows it", () => root.read(".jobmgr/manager.json").includes("cannot be delivered"));
    expect(hook.asked.every((line) => line.startsWith("POST /secret-path "))).toBe(true);
    expect(await manager.stop()).toBe(130);
    expect(outbox(root)).not.toEqual([]);
  });

  it("at a port that no web client may use is told as such", async () => {
    const root = await makeRoot();
    root.drop("a", "exit 1");
    const manager = root.manage(["--notify-url", "http://127.0.0.1:9/"]);
    await waitUntil("it is told", () => manager.stderr().includes("cannot be reached: no web client may use port 9"));
  });

  it("that hangs does not keep jobs from ending nor the manager from stopping; a later one tells", async () => {
    const root = await makeRoot();
    const hook = await makeHook();
    hook.way = "hang";
    const args = ["--notify-url", hook.url, "--notify-on", "failure"];
    const first = root.manage(args);
    root.dropLedger("a", "exit 1");
    await waitUntil("it hangs", () => hook.asked.length === 1);
    root.dropLedger("b");
    await root.completed("b");
    expect(await first.stop()).toBe(130);
    hook.way = "take";
    root.manage(args);
    await waitUntil("it is told", () => hook.told.length === 1);
    expect(hook.told[0]?.job).toMatchObject({ name: "a" });
  });

  it("is told by the next manager what one that was killed did not tell, under the same id", async () => {
    const root = await makeRoot();
    const hook = await makeHook();
    hook.way = "hang";
    const args = ["--notify-url", hook.url, "--notify-on", "failure"];
    const first = root.manage(args);
    root.dropLedger("a", "exit 1");
    await waitUntil("it is on its way", () => hook.asked.length === 1);
    await kill(first);
    hook.way = "take";
    root.manage(args);
    await waitUntil("it is told", () => hook.told.length === 1);
    expect(hook.asked[1]).toBe(hook.asked[0]);
    await waitUntil("it is forgotten", () => outbox(root).length === 0);
    expect(hook.told).toHaveLength(1);
  });
});

describe("--once", () => {
  const once = (root: TestRoot, args: readonly string[]) => jobmgr(["--root", root.path, ...FAST, "--once", ...args]);

  it("tells before it ends; one that cannot tell says so once, and leaves it to a later one", async () => {
    const root = await makeRoot();
    const hook = await makeHook();
    const args = ["--notify-url", hook.url];
    hook.way = "refuse";
    root.drop("a", "exit 1");
    for (let passes = 0; root.names("complete").length === 0; passes++) {
      expect(passes).toBeLessThan(40);
      await once(root, args);
    }
    const silent = await once(root, args);
    expect(silent).toMatchObject({ code: 0, stdout: "", stderr: "" });
    hook.way = "take";
    const last = await once(root, args);
    expect(last).toMatchObject({ code: 0, stderr: "" });
    expect(last.stdout).toContain("are delivered again");
    expect(hook.told.map(({ event }) => event)).toEqual(["failure", "batch"]);
    expect(await once(root, args)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(hook.told).toHaveLength(2);
  });

  it("does not wait for ever for one that hangs", async () => {
    const root = await makeRoot();
    const hook = await makeHook();
    hook.way = "hang";
    root.drop("a", "exit 1");
    const args = ["--notify-url", hook.url];
    for (let passes = 0; hook.asked.length === 0; passes++) {
      expect(passes).toBeLessThan(40);
      expect(await once(root, args)).toMatchObject({ code: 0 });
    }
    expect(outbox(root)).toHaveLength(2);
  });
});

describe("secrets", () => {
  it("stand in no file of the root, no log, no output, no job's environment, whatever goes wrong", async () => {
    const root = await makeRoot();
    const folder = join(root.path, "..");
    const hook = await makeHook();
    const away = await makeHook();
    const mailServer = await makeMailServer();
    mailServer.refusesLogins = true;
    const files = {
      url: `${hook.url.replace("//", "//ada:SECRET1@")}/services/SECRET2?key=SECRET3\n`,
      headers: "# a comment\n\nX-Token: SECRET4\n",
      smtp: `smtp://ada:SECRET5@127.0.0.1:${mailServer.port}\n`,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, `${name}.secret`), text);
    const at = (name: string) => join(folder, `${name}.secret`);
    const secret = ["--notify-url-file", at("url"), "--notify-header-file", at("headers")];
    const mail = ["--notify-mail", "ada@example.org", "--notify-smtp-file", at("smtp")];
    const log = ["-L", join(folder, "log"), "-l", "debug"];
    const said: string[] = [];
    for (const way of ["close", "refuse", "redirect", "take"] as const) {
      hook.way = way;
      root.drop(`job-${way}`, "env; exit 1");
      const asked = hook.asked.length;
      const manager = root.manage([...secret, ...mail, ...log]);
      await root.completed(`job-${way}`);
      await waitUntil(`it was asked: ${way}`, () => hook.asked.length > asked);
      await waitUntil("mail fails", () => manager.stderr().includes("mail to ada@example.org"));
      const shown = await Promise.all([
        jobmgr(["--root", root.path, "status", "--json"]),
        jobmgr(["--root", root.path, "config", "--json", "--all"]),
      ]);
      await manager.stop();
      said.push(manager.stdout(), manager.stderr(), ...shown.flatMap(({ stdout, stderr }) => [stdout, stderr]));
    }
    const env = { JOBMGR_NOTIFY_URL: `${away.url}/SECRET6` };
    root.drop("by-environment", "env; exit 1");
    const manager = root.manage(log, { env });
    await waitUntil("it is told", () => away.told.length > 0);
    said.push((await jobmgr(["--root", root.path, "config", "--json"], { env })).stdout);
    await manager.stop();
    said.push(manager.stdout(), manager.stderr());
    const bad = { JOBMGR_NOTIFY_URL: "htps://SECRET7" };
    said.push((await jobmgr(["--root", root.path], { env: bad })).stderr);

    expect(mailServer.logins).toContain("\0ada\0SECRET5");
    expect(hook.headers).toContainEqual(expect.objectContaining({ "x-token": "SECRET4" }));
    expect(hook.asked[0]).toMatch(/^POST \/services\/SECRET2\?key=SECRET3 /);
    expect(hook.headers).toContainEqual(
      expect.objectContaining({ authorization: `Basic ${Buffer.from("ada:SECRET1").toString("base64")}` }),
    );
    for (const name of Object.keys(files)) rmSync(at(name));
    expect(everything(folder)).toContain("job-take");
    expect(everything(folder)).not.toContain("SECRET");
    expect(said.join("\n")).toContain("cannot be delivered");
    expect(said.join("\n")).not.toContain("SECRET");
  });
});

/** A mail server, as small as can be: keeps each letter, and who logged in. */
async function makeMailServer() {
  const got = { letters: [] as string[], logins: [] as string[], port: 0, refusesLogins: false };
  const serve = (socket: Socket) => {
    let text = "";
    let isData = false;
    const say = (line: string) => socket.write(`${line}\r\n`);
    const answer = (line: string) => {
      const [word = ""] = line.toUpperCase().split(/[ :]/);
      if (word === "AUTH") got.logins.push(Buffer.from(line.split(" ")[2] ?? "", "base64").toString());
      isData = word === "DATA";
      const login = got.refusesLogins ? `535 no ${line}` : "235 welcome";
      const answers: Record<string, string> = { AUTH: login, DATA: "354 go on", QUIT: "221 bye" };
      if (word === "EHLO") say("250-hello\r\n250 AUTH PLAIN");
      else say(answers[word] ?? "250 ok");
    };
    socket.on("error", () => {});
    socket.on("data", (data) => {
      text += data;
      for (;;) {
        const end = isData ? "\r\n.\r\n" : "\r\n";
        const at = text.indexOf(end);
        if (at === -1) return;
        const line = text.slice(0, at);
        text = text.slice(at + end.length);
        if (!isData) answer(line);
        else {
          got.letters.push(line);
          isData = false;
          say("250 taken");
        }
      }
    });
    say("220 here");
  };
  got.port = await listening(createNetServer(serve));
  return got;
}

describe("mail", () => {
  it("goes by a mail server, with the user and password from the file", async () => {
    const root = await makeRoot();
    const server = await makeMailServer();
    const file = join(root.path, "../smtp");
    writeFileSync(file, `smtp://ada%40example.org:pass%2Fword@127.0.0.1:${server.port}\n`);
    root.drop("größe", "exit 9");
    const to = ["--notify-mail", "ada@example.org", "--notify-mail", "bob@example.org"];
    const manager = root.manage([...to, "--notify-smtp-file", file, "--notify-on", "failure"]);
    await waitUntil("a letter comes", () => server.letters.length === 1);
    await manager.stop();
    const [letter = ""] = server.letters;
    expect(server.logins).toEqual(["\0ada@example.org\0pass/word"]);
    expect(letter).toMatch(/^From: ada@example.org$/m);
    expect(letter).toMatch(/^To: ada@example.org, bob@example.org$/m);
    expect(letter).toMatch(/^Auto-Submitted: auto-generated$/im);
    expect(letter).toMatch(/^Message-ID:\s+<\d{8}T\d{6}-[0-9a-f]{12}-failure@.*\.jobmgr>$/im);
    expect(letter).toMatch(/^Subject: =\?UTF-8\?/m);
    expect(outbox(root)).toEqual([]);
  });

  it("goes by this machine's sendmail, where no server is named", async () => {
    const root = await makeRoot();
    const bin = join(root.path, "../bin");
    mkdirSync(bin);
    const script = `echo "$@" > '${bin}/args'; cat > '${bin}/letter.new'; mv '${bin}/letter.new' '${bin}/letter'\n`;
    putProgram(join(bin, "sendmail"), script);
    for (const name of ["a", "b"]) root.drop(name, name === "a" ? "exit 1" : "true");
    const env = { PATH: `${bin}:${process.env.PATH}` };
    const manager = root.manage(["--notify-mail", "ada", "--notify-on", "batch"], { env });
    await waitUntil("a letter is there", () => existsSync(join(bin, "letter")));
    await manager.stop();
    expect(readFileSync(join(bin, "args"), "utf8")).toBe("-i -- ada\n");
    const letter = readFileSync(join(bin, "letter"), "utf8");
    expect(letter).toMatch(/^To: <ada>$/m);
    expect(letter).toMatch(/^Subject: jobmgr: 1 done, 1 failed \(a\)\./m);
    expect(letter).toMatch(/^Failed:\n {2}a$/m);
    expect(letter).not.toContain("\r");
  });
});

describe("what cannot be used", () => {
  it("is said once, and jobs end as ever: something in the place of the outbox", async () => {
    const root = await makeRoot();
    const program = makeProgram(root);
    writeFileSync(join(root.path, ".jobmgr/outbox"), "mine");
    const manager = root.manage(["--notify-command", program.path]);
    for (const name of ["a", "b", "c"]) root.dropLedger(name, "exit 1");
    await root.completed("a", "b", "c");
    await manager.stop();
    expect(manager.stderr().match(/^.*Nobody is told.*$/gm)).toHaveLength(1);
    expect(root.read(".jobmgr/outbox")).toBe("mine");
    expect(program.told()).toEqual([]);
  });

  it("is said once, and jobs end as ever: a program that is not there, or fails, or does not read", async () => {
    const root = await makeRoot();
    const gone = makeProgram(root).path;
    const manager = root.manage(["--notify-command", gone]);
    await waitUntil("it has begun", () => manager.stdout().includes("Watching"));
    rmSync(gone);
    root.dropLedger("a", "exit 1");
    await waitUntil("it is said", () => /cannot be delivered: it cannot be started \(ENOENT\)/.test(manager.stderr()));
    await manager.stop();
    for (const [code, why] of [
      ["true", ""],
      ["false", "it ended with exit code 1"],
    ] as const) {
      const other = root.manage(["--notify-command", `/bin/${code}`]);
      root.dropLedger(`b-${code}`, "exit 1");
      await root.completed(`b-${code}`);
      if (why) await waitUntil(why, () => other.stderr().includes(why));
      else await waitUntil("all is told", () => outbox(root).length === 0);
      await other.stop();
    }
  });
});
