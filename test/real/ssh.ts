/** A real sshd on the loopback, with keys of its own, and mounts of its folders through sshfs. */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { expect, onTestFinished, type TestContext } from "vitest";
import { isAlive, startOf } from "../../engines/process.ts";
import { makeFolder, runToEnd, start, waitUntil } from "../harness.ts";
import { putProgram } from "../own-programs.ts";
import { need } from "./surroundings.ts";

const HOST = "127.0.0.1";

export interface Server {
  readonly port: number;
  /** Options of ssh, each without its -o. */
  readonly options: readonly string[];
}

/** The server listens there. */
function portOf(server: ReturnType<typeof createServer>): Promise<number> {
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, HOST, () => {
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : 0);
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A server on the loopback with keys of its own, which knows this user alone. */
export async function startServer(context: TestContext): Promise<Server> {
  const [sshd, keygen] = ["sshd", "ssh-keygen", "ssh"].map((program) => need(context, program)) as [string, string];
  // The privileged half of sshd wants this folder, which a package makes only where init starts it.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
  const folder = makeFolder();
  for (const key of ["host", "user"]) {
    const made = await runToEnd(keygen, ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, key)]);
    expect(made.code, made.stderr).toBe(0);
  }
  const port = await freePort();
  const hostKey = readFileSync(join(folder, "host.pub"), "utf8").split(" ").slice(0, 2).join(" ");
  writeFileSync(join(folder, "known"), `[${HOST}]:${port} ${hostKey}\n`);
  writeFileSync(
    join(folder, "config"),
    [
      `Port ${port}`,
      `ListenAddress ${HOST}`,
      `HostKey ${folder}/host`,
      `AuthorizedKeysFile ${folder}/user.pub`,
      "UsePAM no",
      "StrictModes no",
      "PidFile none",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "PermitRootLogin prohibit-password",
      "Subsystem sftp internal-sftp",
      "",
    ].join("\n"),
  );
  const server = start(sshd, ["-D", "-e", "-f", join(folder, "config")]);
  await waitUntil(
    "sshd listens",
    () => server.stderr().includes("Server listening") || server.process.exitCode !== null,
  );
  expect(server.process.exitCode, server.stderr()).toBeNull();
  return {
    port,
    options: [
      `IdentityFile=${folder}/user`,
      "IdentitiesOnly=yes",
      `UserKnownHostsFile=${folder}/known`,
      "GlobalKnownHostsFile=/dev/null",
      "StrictHostKeyChecking=yes",
      "BatchMode=yes",
    ],
  };
}

const PIECE_BYTES = 2048;

/**
 * The same server at the end of a slow line, which takes so many bytes a second and stands still at no time. (Those who
 * brake themselves, as scp -l does, stand still for many seconds.)
 */
export async function slowLine({ port, options }: Server, bytesPerS: number): Promise<Server> {
  const carry = async (from: Socket, to: Socket) => {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        const piece = chunk.subarray(at, at + PIECE_BYTES);
        to.write(piece);
        await wait((piece.length / bytesPerS) * 1000);
      }
    }
    to.end();
  };
  const line = createServer((client) => {
    const server = connect(port, HOST);
    server.pipe(client);
    server.on("error", () => client.destroy());
    client.on("error", () => server.destroy());
    carry(client, server).catch(() => server.destroy());
  });
  onTestFinished(() => void line.close());
  return { port: await portOf(line), options: [...options, `HostKeyAlias=[${HOST}]:${port}`] };
}

export function withO(options: readonly string[]): string[] {
  return options.flatMap((option) => ["-o", option]);
}

export const ME = `${userInfo().username}@${HOST}`;

/** Mounts a folder of the server; returns where. It is gone when the test ends. `how`: options of sshfs, each without its -o. */
export function mountOver(
  context: TestContext,
  { port, options }: Server,
  folder: string,
  how: readonly string[] = [],
): Promise<string> {
  const words = ["-F", "/dev/null", "-p", String(port), ...withO([...options, ...how]), `${ME}:${folder}`];
  return mountBy(context, words);
}

/** Mounts a folder with nothing but a server of its own between; returns where, and the pid of that server. */
export async function mountDirectly(
  context: TestContext,
  folder: string,
  how: readonly string[],
): Promise<{ path: string; server: number }> {
  const program = ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server"].find((one) => existsSync(one));
  if (program === undefined) return context.skip("there is no sftp-server");
  const notes = makeFolder();
  const pid = join(notes, "pid");
  putProgram(join(notes, "ssh"), `echo $$ >'${pid}'\nexec ${program}\n`);
  const path = await mountBy(context, [...withO([`ssh_command=${join(notes, "ssh")}`, ...how]), `here:${folder}`]);
  const server = Number(readFileSync(pid, "utf8"));
  const itsStart = startOf(server) ?? "";
  onTestFinished(() => {
    if (isAlive(server, itsStart)) process.kill(server, "SIGKILL");
  });
  return { path, server };
}

async function mountBy(context: TestContext, words: readonly string[]): Promise<string> {
  skipWithoutFuse(context);
  const mounted = makeFolder();
  const { dev } = statSync(mounted);
  const mount = start(need(context, "sshfs"), ["-f", ...words, mounted]);
  const fusermount = need(context, "fusermount3");
  onTestFinished(async () => {
    await runToEnd(fusermount, ["-u", "-z", mounted]);
  });
  await waitUntil("it is mounted", () => statSync(mounted).dev !== dev || mount.process.exitCode !== null);
  if (/mount failed|fuse device/.test(mount.stderr())) context.skip(`no mounts through FUSE here: ${mount.stderr()}`);
  expect(mount.process.exitCode, mount.stderr()).toBeNull();
  return mounted;
}

/** A kernel without FUSE cannot be mended by installing something, so that this is no failure in CI either. */
function skipWithoutFuse(context: TestContext): void {
  try {
    closeSync(openSync("/dev/fuse", "r+"));
  } catch (error) {
    context.skip(`no mounts through FUSE here: ${(error as Error).message}`);
  }
}
